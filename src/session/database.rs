//! The SQL Server of a run: the sandbox's, or one that exists.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::variables::{Purpose, Variables};
use crate::environment::{self, DatabaseTarget, Environment};
use crate::error::{Error, Result};
use crate::mssql::migrate::{EfHistory, up::EfMigration};
use crate::mssql::verbs::{Connect, Setup};
use crate::mssql::{Connector, Encryption, Server, Stream, TcpConnector};
use crate::sandbox::Sandbox;
use crate::sandbox::mssql::{Login, SqlServer};

/// Where `mssql::` and its kin find the database. Nothing is looked up or opened: a run that never touches the database
/// needs no credentials for it.
pub fn setup(environment: &Arc<Environment>, sandbox: Option<&Sandbox>, variables: &Variables) -> Setup {
    let database = &environment.database;
    let connect: Connect = {
        let (environment, sandbox, variables) = (environment.clone(), sandbox.cloned(), variables.clone());
        let opened: OnceLock<Result<Arc<dyn Connector>>> = OnceLock::new();
        Arc::new(move || {
            opened
                .get_or_init(|| connector(&environment, sandbox.as_ref(), &variables))
                .clone()
        })
    };
    let ef_history = (!database.ef_history.is_empty()).then(|| {
        let migration = |id: &String| EfMigration {
            id: id.clone(),
            product_version: database.ef_version.clone(),
        };
        EfHistory::of(database.ef_history.iter().map(migration).collect())
    });
    Setup {
        connect,
        database: database.name.clone(),
        root: environment.root.clone(),
        ef_history,
        login: [database.user.clone(), database.password.clone()],
        limit: environment.waits.database(),
    }
}

fn connector(
    environment: &Environment,
    sandbox: Option<&Sandbox>,
    variables: &Variables,
) -> Result<Arc<dyn Connector>> {
    let database = &environment.database;
    if database.target == DatabaseTarget::Rds {
        return Err(Error::invalid("[database] target = \"rds\" is not supported yet")
            .hint("use \"server\" for a SQL Server that exists, or \"sandbox\""));
    }
    let user = variables.get(&database.user, Purpose::User, database.is_sandbox())?;
    let password = variables.get(&database.password, Purpose::Password, database.is_sandbox())?;
    let encryption = match (database.encryption, database.trust_certificate) {
        (environment::Encryption::Off, _) => Encryption::Off,
        (environment::Encryption::Required, true) => Encryption::TrustServer,
        (environment::Encryption::Required, false) => Encryption::Required,
    };
    let mut server = Server {
        host: database.host.clone().unwrap_or_else(|| "sandbox".into()),
        port: database.port,
        user: user.expose().to_owned(),
        password,
        encryption,
    };
    match (database.target, sandbox) {
        (DatabaseTarget::Sandbox, Some(sandbox)) => {
            server.encryption = Encryption::Off;
            let (embedded, _) = embedded(environment, sandbox, variables)?;
            Ok(Arc::new(Embedded { server, embedded }))
        }
        (DatabaseTarget::Sandbox, None) => Err(Error::failed("the sandbox is not open")),
        (DatabaseTarget::Server | DatabaseTarget::Rds, _) => Ok(Arc::new(TcpConnector { server })),
    }
}

/// The sandbox's SQL Server, and the environment's login, which is made when it is not set.
pub fn embedded(environment: &Environment, sandbox: &Sandbox, variables: &Variables) -> Result<(SqlServer, Login)> {
    let database = &environment.database;
    let login = Login {
        user: variables.get(&database.user, Purpose::User, true)?.expose().to_owned(),
        password: variables.get(&database.password, Purpose::Password, true)?,
    };
    let server = SqlServer::open(&sandbox.dir().join("mssql"), login.clone())?;
    Ok((server, login))
}

/// The server in this process.
struct Embedded {
    server: Server,
    embedded: SqlServer,
}

#[async_trait]
impl Connector for Embedded {
    fn server(&self) -> &Server {
        &self.server
    }

    async fn open(&self, _limit: Duration) -> Result<Box<dyn Stream>> {
        Ok(Box::new(self.embedded.connect()))
    }
}
