//! For tests: an embedded SQL Server of their own, reached as any other server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;

use super::{Connection, Connector, Encryption, Options, Server, Stream};
use crate::error::Result;
use crate::sandbox::mssql::{Login, SqlServer};
use crate::secret::Secret;

/// A server with nothing in it but `master`, in a directory that goes with it.
pub struct Sandbox {
    embedded: Arc<SqlServer>,
    _directory: TempDir,
}

/// A way to it, with a login that may be wrong.
pub struct Embedded {
    embedded: Arc<SqlServer>,
    server: Server,
}

const PASSWORD: &str = "of the test's own server";

impl Sandbox {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let login = Login {
            user: "sa".to_owned(),
            password: Secret::new(PASSWORD),
        };
        let embedded = SqlServer::open(directory.path(), login).unwrap();
        Self {
            embedded: Arc::new(embedded),
            _directory: directory,
        }
    }

    pub fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.with_password(PASSWORD))
    }

    pub fn with_password(&self, password: &str) -> Embedded {
        Embedded {
            embedded: Arc::clone(&self.embedded),
            server: Server {
                host: "sandbox".to_owned(),
                port: 1433,
                user: "sa".to_owned(),
                password: Secret::new(password),
                encryption: Encryption::Off,
            },
        }
    }
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

/// A connection to one of its databases.
pub async fn open(sandbox: &Sandbox, database: &str) -> Connection {
    Connection::connect(sandbox.connector(), Options::database(database))
        .await
        .unwrap()
}
