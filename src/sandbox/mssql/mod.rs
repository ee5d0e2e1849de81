//! An embedded SQL Server: the TDS protocol over a stream within the process, a T-SQL subset, and SQLite below.
//!
//! The client is the real driver, which is told nothing of this. What the server cannot do is error
//! [`errors::UNSUPPORTED`] (49999), "not supported by the sandbox's SQL Server: ...", with the line in the batch.
//!
//! In the folder: `master.mdf.sqlite` with the list of databases and the logins, one more file for each database, and
//! `locks/` and `write.lock`, which hold nothing but the operating system's locks.

pub mod ast;
pub mod backup;
pub mod beside;
pub mod catalog;
pub mod collation;
pub mod copy;
pub mod datetime;
pub mod engine;
pub mod errors;
pub mod locks;
pub mod parser;
pub mod tds;
pub mod value;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::DuplexStream;

use self::beside::Beside;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The file of `master`.
pub const MASTER_FILE: &str = "master.mdf.sqlite";
/// Bytes that fit into the stream before the writer waits.
const STREAM: usize = 64 << 10;
/// The first session of a server; lower ones are the system's own.
static SESSIONS: AtomicU64 = AtomicU64::new(51);

/// The login that may do everything. It is made with the first connection, and only its hash is stored.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    pub password: Secret,
}

/// A server over a folder. Copies share it, and so do other processes over the same folder.
#[derive(Clone, Debug)]
pub struct SqlServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    login: Login,
    beside: Option<Arc<dyn Beside>>,
}

impl SqlServer {
    /// Opens the folder, and makes it and `master` when they are not there.
    pub fn open(dir: &Path, login: Login) -> Result<Self> {
        Self::open_with(dir, login, None)
    }

    /// The same, with procedures that whoever runs the server put beside SQL Server's own.
    pub fn open_with(dir: &Path, login: Login, beside: Option<Arc<dyn Beside>>) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::failed(format!(
                "the sandbox's SQL Server cannot open {}: {error}",
                dir.display()
            ))
            .hint("is the folder writable? `iacsh sandbox reset` makes it anew")
        };
        std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        // Two processes may come at once: each statement does nothing the second time.
        let prepare = || -> errors::Result<()> {
            let connection = engine::open_file(&dir.join(MASTER_FILE))?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            engine::prepare_master(&connection)?;
            connection.execute_batch("COMMIT")?;
            Ok(())
        };
        prepare().map_err(|error| failed(&error))?;
        Ok(Self(Arc::new(Inner {
            dir: dir.to_owned(),
            login,
            beside,
        })))
    }

    /// Gives the login that may do everything a new password, and makes it when it is not there. `false`: somebody is
    /// writing right now; ask again later.
    pub fn set_password(dir: &Path, login: &Login) -> Result<bool> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::failed(format!(
                "the sandbox's SQL Server cannot change a password in {}: {error}",
                dir.display()
            ))
        };
        std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        engine::set_password(dir, login).map_err(|error| failed(&error))
    }

    /// The client's end of a new connection. Must be called within a Tokio runtime. When the stream is dropped the
    /// session ends: what it did not commit is undone, and its locks are freed.
    pub fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(STREAM);
        let session = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let dir = self.0.dir.clone();
        let login = self.0.login.clone();
        let beside = self.0.beside.clone();
        tokio::spawn(async move {
            if let Err(error) = tds::session::serve(server, dir, login, session, beside).await {
                tracing::debug!("session {session} of the sandbox's SQL Server ended: {error}");
            }
        });
        client
    }
}

/// The file of a database: its name as far as file systems take it, and its number, which makes it unique.
pub fn safe_file_name(name: &str, id: i64) -> String {
    let safe: String = name
        .chars()
        .take(40)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("{safe}-{id}.mdf.sqlite")
}
