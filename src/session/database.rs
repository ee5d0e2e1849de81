//! The SQL Server of a run: the sandbox's, or one that exists.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::variables::{Purpose, Variables};
use crate::environment::{self, DatabaseTarget, Environment};
use crate::error::{Error, Result};
use crate::mssql::migrate::{EfHistory, up::EfMigration};
use crate::mssql::verbs::Setup;
use crate::mssql::{Connector, Encryption, Server, Stream, TcpConnector};
use crate::sandbox::Sandbox;
use crate::sandbox::mssql::{Login, SqlServer};

/// Where `mssql::` and its kin find the database. No connection is opened.
pub fn setup(environment: &Environment, sandbox: Option<&Sandbox>, variables: &Variables) -> Result<Setup> {
    let database = &environment.database;
    let server = Lazy { environment: environment.clone(), variables: variables.clone(), made: OnceLock::new() };
    let connector: Arc<dyn Connector> = match (database.target, sandbox) {
        (DatabaseTarget::Sandbox, Some(sandbox)) => {
            Arc::new(Embedded { server, folder: sandbox.dir().join("mssql"), opened: OnceLock::new() })
        }
        (DatabaseTarget::Sandbox, None) => return Err(Error::failed("the sandbox is not open")),
        (DatabaseTarget::Server, _) => Arc::new(Remote(server)),
        (DatabaseTarget::Rds, _) => {
            return Err(Error::invalid("[database] target = \"rds\" is not supported yet")
                .hint("use \"server\" for a SQL Server that exists, or \"sandbox\""));
        }
    };
    let ef_history = (!database.ef_history.is_empty()).then(|| {
        let migration = |id: &String| EfMigration { id: id.clone(), product_version: database.ef_version.clone() };
        EfHistory::of(database.ef_history.iter().map(migration).collect())
    });
    Ok(Setup {
        connector,
        database: database.name.clone(),
        root: environment.root.clone(),
        ef_history,
        limit: environment.waits.database().unwrap_or(Duration::from_secs(120)),
    })
}

/// The server with its login, looked up when it is first needed: a run that never touches the database needs no
/// credentials for it.
struct Lazy {
    environment: Environment,
    variables: Variables,
    made: OnceLock<Result<Server>>,
}

impl Lazy {
    fn server(&self) -> Result<&Server> {
        self.made.get_or_init(|| self.make()).as_ref().map_err(Clone::clone)
    }

    fn make(&self) -> Result<Server> {
        let database = &self.environment.database;
        let user = self.variables.get(&database.user, Purpose::User)?;
        let password = self.variables.get(&database.password, Purpose::Password)?;
        let encryption = match (database.encryption, database.trust_certificate) {
            (environment::Encryption::Off, _) => Encryption::Off,
            (environment::Encryption::Required, true) => Encryption::TrustServer,
            (environment::Encryption::Required, false) => Encryption::Required,
        };
        Ok(Server {
            host: database.host.clone().unwrap_or_else(|| "sandbox".into()),
            port: database.port,
            user: user.expose().to_owned(),
            password,
            encryption: if database.is_sandbox() { Encryption::Off } else { encryption },
        })
    }
}

/// A server that TCP reaches.
struct Remote(Lazy);

#[async_trait]
impl Connector for Remote {
    fn server(&self) -> Result<&Server> {
        self.0.server()
    }

    async fn open(&self, limit: Duration) -> Result<Box<dyn Stream>> {
        TcpConnector { server: self.0.server()?.clone() }.open(limit).await
    }

    async fn open_at(&self, host: &str, port: u16, limit: Duration) -> Result<Box<dyn Stream>> {
        TcpConnector { server: self.0.server()?.clone() }.open_at(host, port, limit).await
    }
}

/// The server in this process.
struct Embedded {
    server: Lazy,
    folder: std::path::PathBuf,
    opened: OnceLock<Result<SqlServer>>,
}

#[async_trait]
impl Connector for Embedded {
    fn server(&self) -> Result<&Server> {
        self.server.server()
    }

    async fn open(&self, _limit: Duration) -> Result<Box<dyn Stream>> {
        let server = self.server.server()?;
        let opened = self.opened.get_or_init(|| {
            let login = Login { user: server.user.clone(), password: server.password.clone() };
            SqlServer::open(&self.folder, login)
        });
        let stream = opened.as_ref().map_err(Clone::clone)?.connect();
        Ok(Box::new(stream))
    }
}
