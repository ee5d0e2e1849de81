//! The SQL Server of a run: the sandbox's, one that exists, or one on RDS.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::variables::{Purpose, Variables};
use crate::aws::rds::db_instance;
use crate::aws::{Aws, secrets};
use crate::environment::{self, DatabasePlan, Environment, MASTER_PASSWORD};
use crate::error::{Error, Result};
use crate::mssql::migrate::{EfHistory, up::EfMigration};
use crate::mssql::verbs::{Address, Connect, Setup};
use crate::mssql::{Connector, Encryption, Server, Stream, TcpConnector};
use crate::resource::{Engine, Mode};
use crate::sandbox::Sandbox;
use crate::sandbox::mssql::{Login, SqlServer};

/// The kind of a database server on RDS.
const INSTANCE: &str = db_instance::KIND;

/// What makes connections.
#[derive(Clone)]
struct Way {
    environment: Arc<Environment>,
    sandbox: Option<Sandbox>,
    variables: Variables,
    aws: Aws,
    /// The sandbox's own server, opened once.
    embedded: Arc<OnceLock<Result<SqlServer>>>,
}

/// Where `mssql::` and its kin find the database. Nothing is looked up or opened: a run that never touches the database
/// needs no credentials for it.
pub fn setup(
    environment: &Arc<Environment>,
    sandbox: Option<&Sandbox>,
    variables: &Variables,
    aws: &Aws,
    mode: Mode,
) -> Setup {
    let database = &environment.database;
    let way = Way {
        environment: environment.clone(),
        sandbox: sandbox.cloned(),
        variables: variables.clone(),
        aws: aws.clone(),
        embedded: Arc::default(),
    };
    let connect: Connect = Arc::new(move |engine, address| {
        let way = way.clone();
        Box::pin(async move {
            let connector = way.connector(&engine, address).await?;
            Ok(match mode {
                Mode::Apply => connector,
                Mode::Plan => Arc::new(ReadOnly(connector)) as Arc<dyn Connector>,
            })
        })
    });
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
        login: match database.has_login() {
            true => format!("the variables {} and {}", database.user, database.password),
            false => format!("the secret {MASTER_PASSWORD} (recreate gives its password to the server)"),
        },
        limit: environment.waits.database(),
        backup_limit: environment.waits.backup(),
        region: environment.aws.region.clone(),
    }
}

impl Way {
    async fn connector(&self, engine: &Engine, address: Address) -> Result<Arc<dyn Connector>> {
        match self.environment.database.plan() {
            DatabasePlan::Sandbox => self.in_this_process(address),
            DatabasePlan::Server => self.server(address).map(over_tcp),
            DatabasePlan::Use(id) => {
                let host = match address.host {
                    Some(host) => host,
                    None => endpoint(engine, &id).await?,
                };
                let server = self.server(Address {
                    host: Some(host),
                    ..address
                })?;
                self.on_rds(server)
            }
            DatabasePlan::Make(_) => {
                let server = self.server(self.published(engine, address).await?)?;
                self.on_rds(server)
            }
        }
    }

    /// The server that an address means, with the login of the variables where it has none.
    fn server(&self, address: Address) -> Result<Server> {
        let database = &self.environment.database;
        let embedded = database.is_sandbox();
        let user = match address.user {
            Some(user) => user,
            None => {
                let user = self.variables.get(&database.user, Purpose::User, embedded)?;
                user.expose().to_owned()
            }
        };
        let password = match address.password {
            Some(password) => password,
            None => self.variables.get(&database.password, Purpose::Password, embedded)?,
        };
        let encryption = match (database.encryption, database.trust_certificate, &database.authority) {
            (environment::Encryption::Off, ..) => Encryption::Off,
            (environment::Encryption::Required, true, _) => Encryption::TrustServer,
            (environment::Encryption::Required, false, None) => Encryption::Required,
            (environment::Encryption::Required, false, Some(file)) => {
                Encryption::Authority(self.environment.root.join(file))
            }
        };
        let host = address.host.or_else(|| database.host.clone());
        Ok(Server {
            host: host.unwrap_or_else(|| "sandbox".into()),
            port: address.port.unwrap_or(database.port),
            user,
            password,
            encryption,
        })
    }

    fn in_this_process(&self, address: Address) -> Result<Arc<dyn Connector>> {
        let Some(sandbox) = &self.sandbox else {
            return Err(Error::failed("the sandbox is not open"));
        };
        if let Some(host) = address.host {
            return Err(
                Error::failed(format!("the sandbox's database is in this process, not at {host}"))
                    .hint("[database] target = \"server\" or \"rds\" goes elsewhere"),
            );
        }
        let mut server = self.server(address)?;
        server.encryption = Encryption::Off;
        // It has the environment's login; another one is refused by it, as everywhere.
        let opened = self.embedded.get_or_init(|| {
            let (server, _) = embedded(&self.environment, sandbox, &self.variables)?;
            Ok(server)
        });
        let embedded = opened.clone()?;
        Ok(Arc::new(Embedded { server, embedded }))
    }

    /// What the script that made the server published, in this run or in an earlier one; where a destroy took that away
    /// and left the server, what the server itself says.
    async fn published(&self, engine: &Engine, given: Address) -> Result<Address> {
        let host = match given.host {
            Some(host) => host,
            None => published(engine, "database.endpoint", "endpoint").await?,
        };
        let user = match given.user {
            Some(user) => user,
            None => published(engine, "database.user", "user").await?,
        };
        let password = match given.password {
            Some(password) => password,
            None => {
                let secret = published(engine, "database.password-secret", "password_secret").await?;
                secrets::secret::value(&self.aws, &secret).await?
            }
        };
        Ok(Address {
            host: Some(host),
            user: Some(user),
            password: Some(password),
            port: given.port,
        })
    }

    /// Over the network; on the embedded AWS the host name stands for a server in this process.
    fn on_rds(&self, mut server: Server) -> Result<Arc<dyn Connector>> {
        let sandbox = self.sandbox.as_ref().filter(|_| self.environment.aws.is_sandbox());
        let Some(sandbox) = sandbox else {
            return Ok(over_tcp(server));
        };
        let Some(at) = sandbox.database_at(&server.host)? else {
            return Err(
                Error::failed(format!("no database server of the sandbox is called {}", server.host))
                    .hint("rds::instances() lists those that there are"),
            );
        };
        server.encryption = Encryption::Off;
        let login = Login {
            user: at.user,
            password: at.password,
        };
        let embedded = SqlServer::open_with(&at.folder, login, at.beside)?;
        Ok(Arc::new(Embedded { server, embedded }))
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

fn over_tcp(server: Server) -> Arc<dyn Connector> {
    Arc::new(TcpConnector { server })
}

/// A contract, or the same of the environment's only server.
async fn published(engine: &Engine, name: &str, field: &str) -> Result<String> {
    let value = match engine.find_contract(name).await? {
        Some(value) => value.resolve().await?,
        None => {
            let mut servers = engine.list(INSTANCE).await?;
            let server = servers.pop().filter(|_| servers.is_empty());
            server.and_then(|server| server.get(field).cloned()).unwrap_or_default()
        }
    };
    match (value.as_str(), value.unknown()) {
        (_, Some(unknown)) => Err(unknown.horizon()),
        (Some(text), _) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Error::failed(format!(
            "the database server is not there yet: nothing is published as \"{name}\" in {}",
            engine.scope().environment
        ))
        .hint("`iacsh scripts/database.rhai` makes the server alone, `iacsh scripts/recreate.rhai` everything")),
    }
}

/// Where an instance that is only referenced answers.
async fn endpoint(engine: &Engine, id: &str) -> Result<String> {
    let options = crate::map! { "id" => id };
    let handle = engine.reference(INSTANCE, options.into()).await?;
    let outputs = handle.promise.wait().await?;
    match outputs.get("endpoint").and_then(|endpoint| endpoint.as_str()) {
        Some(endpoint) if !endpoint.is_empty() => Ok(endpoint.to_owned()),
        _ => Err(Error::failed(format!("the database instance {id} has no address yet"))),
    }
}

/// A server that a plan may only read from.
struct ReadOnly(Arc<dyn Connector>);

#[async_trait]
impl Connector for ReadOnly {
    fn server(&self) -> &Server {
        self.0.server()
    }

    fn is_read_only(&self) -> bool {
        true
    }

    async fn open(&self, limit: Duration) -> Result<Box<dyn Stream>> {
        self.0.open(limit).await
    }
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
