//! The embedded cloud: an AWS and a SQL Server that run inside this process, for the first command of a newcomer and for
//! every test. It is honest: what it cannot do is an error that says so.
//!
//! Nothing here knows the rules of [`crate::identity`] or the kinds of [`crate::aws`]: what checks a thing must not be
//! the thing.

pub mod aws;
pub mod contract;
pub mod mssql;
mod saved;
pub mod serve;
mod summary;
#[cfg(test)]
mod testing;
pub mod vault;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use self::aws::ACCOUNT;
use self::aws::Aws;
use self::aws::durations::Changed;
pub use self::aws::rds::DatabaseAt;
pub use self::saved::Saved;
pub use self::summary::{Count, Summary};
use self::vault::Vault;
use crate::error::{Error, Result};

/// The state of the embedded AWS, within the sandbox's folder.
const AWS_FILE: &str = "aws.sqlite";
/// Locked shared by every process that has the sandbox open, exclusively by a reset.
const LOCK_FILE: &str = "lock";

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The AWS account: 12 digits.
    pub account: String,
    /// What real durations are divided by; 0 means that nothing takes time.
    pub time_scale: u32,
    pub clock: Clock,
    /// What takes another time than AWS's usual one.
    pub durations: Changed,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account: ACCOUNT.to_owned(),
            time_scale: 1000,
            clock: Clock::System,
            durations: Changed::new(),
        }
    }
}

/// The sandbox's clock.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// The machine's, and moved on by [`Aws::advance`].
    Virtual,
    /// For tests: milliseconds since 1970, moved on by hand.
    Manual(Arc<AtomicI64>),
    /// That of the Tokio runtime which it was made in. Where the runtime's time is paused it stands still while anything
    /// is done, and goes on when everything waits.
    Runtime {
        /// Milliseconds since 1970.
        start: i64,
        since: tokio::time::Instant,
    },
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn now(&self) -> i64 {
        match self {
            Self::System | Self::Virtual => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Self::Manual(now) => now.load(Ordering::SeqCst),
            Self::Runtime { start, since } => {
                start.saturating_add(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    /// The present runtime's, beginning with the machine's time.
    pub fn of_runtime() -> Self {
        Self::Runtime {
            start: Self::System.now(),
            since: tokio::time::Instant::now(),
        }
    }
}

/// One sandbox folder, opened. Several processes, and several of these in one process, can share a folder.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    vault: Arc<Vault>,
    aws: Arc<Aws>,
    /// Held for as long as the sandbox is open.
    _lock: fs::File,
}

impl Sandbox {
    /// Opens the sandbox in `dir`, and makes it when it is not there.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| on_disk(dir, &error))?;
        let lock = open_lock(dir)?;
        let vault = Arc::new(Vault::open(dir)?);
        let aws = Arc::new(Aws::open(&dir.join(AWS_FILE), vault.clone(), options)?);
        Ok(Self(Arc::new(Inner {
            dir: dir.to_owned(),
            vault,
            aws,
            _lock: lock,
        })))
    }

    /// The HTTP client to give to the AWS SDK. Any credentials do, and any region.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(aws::http::Client::new(self.0.aws.clone()))
    }

    /// The embedded AWS itself, for a server that has its own HTTP.
    pub fn aws(&self) -> &Arc<Aws> {
        &self.0.aws
    }

    /// Encrypts what this sandbox keeps.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.0.vault
    }

    /// What stands behind the endpoint of a database instance of RDS: `None` when no instance here has that host name.
    /// Open it with [`mssql::SqlServer::open`]. It is read from the shared state each time, so it is right also when
    /// another process changed the password or stopped the instance.
    ///
    /// # Errors
    /// The instance does not take connections in the state that it is in (creating, stopped, rebooting); the error names
    /// the state.
    pub fn database_at(&self, host: &str) -> Result<Option<DatabaseAt>> {
        self.0.aws.database_at(host)
    }

    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Deletes everything in the sandbox, its key and its databases included; what was saved stays. Refused with exit code 75 while any
    /// process has it open. Deleting goes on where an interrupted one stopped when it is asked for again.
    pub fn reset(dir: &Path) -> Result<()> {
        if !dir.exists() {
            return Ok(());
        }
        let is_one = dir.join(LOCK_FILE).exists();
        let names: Vec<_> = fs::read_dir(dir)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(|error| on_disk(dir, &error))?;
        if !is_one && !names.is_empty() {
            return Err(Error::declined(format!(
                "{} is not a sandbox: nothing was deleted",
                dir.display()
            )));
        }
        let lock = lock_file(dir)?;
        saved::alone(dir, &lock)?;
        let kept = |path: &&PathBuf| path.ends_with(LOCK_FILE) || path.ends_with(saved::SAVED);
        for path in names.iter().filter(|path| !kept(path)) {
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            removed.map_err(|error| on_disk(path, &error))?;
        }
        Ok(())
    }
}

/// The lock that everybody holds who has the sandbox open. A load that was interrupted is finished first.
fn open_lock(dir: &Path) -> Result<fs::File> {
    let lock = lock_file(dir)?;
    loop {
        lock.lock_shared().map_err(|error| on_disk(dir, &error))?;
        if !saved::is_pending(dir) {
            return Ok(lock);
        }
        lock.unlock().map_err(|error| on_disk(dir, &error))?;
        lock.lock().map_err(|error| on_disk(dir, &error))?;
        saved::finish(dir)?;
        lock.unlock().map_err(|error| on_disk(dir, &error))?;
    }
}

fn lock_file(dir: &Path) -> Result<fs::File> {
    let path = dir.join(LOCK_FILE);
    fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| on_disk(&path, &error))
}

fn on_disk(path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    #[test]
    fn a_reset_leaves_an_empty_sandbox_and_waits_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(dir.path(), Options::default()).unwrap();
        let sealed = sandbox.vault().seal("old");
        assert_eq!(Sandbox::reset(dir.path()).unwrap_err().exit(), Exit::Busy);
        drop(sandbox);
        Sandbox::reset(dir.path()).unwrap();
        let again = Sandbox::open(dir.path(), Options::default()).unwrap();
        assert!(again.vault().unseal(&sealed).is_err(), "the key is a new one");
    }

    #[test]
    fn a_folder_that_is_no_sandbox_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
        assert_eq!(Sandbox::reset(dir.path()).unwrap_err().exit(), Exit::Declined);
        assert!(dir.path().join("thesis.txt").exists());
    }
}
