//! The file that holds the state of the embedded AWS, and who may write to it when.
//!
//! Several processes share it: a call holds the lock, not a process. SQLite's write-ahead log lets readers go on while
//! somebody writes. `synchronous=NORMAL` can lose the last calls when the machine (not the process) goes down; the file
//! stays whole, and what is lost is lost as a transaction, so a run finds it missing and makes it again.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::call::Fault;
use super::store::{SCHEMA, internal};
use crate::error::{Error, Result};

/// The version of [`SCHEMA`] and of the documents in it. A file of another version is refused, not guessed at.
///
/// 2: documents know when they were made and when something happens to them next, and are found by links; rules and the
/// clock are kept.
const VERSION: i64 = 2;
/// How long a call waits for other processes, in attempts of about a millisecond.
const PATIENCE: i32 = 30_000;

pub struct State {
    path: std::path::PathBuf,
    /// Within this process writers queue here, which is faster and fairer than at the file's lock.
    writer: Mutex<Connection>,
    /// Connections that nobody reads with right now.
    readers: Mutex<Vec<Connection>>,
}

impl State {
    /// Opens the file, and makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self> {
        let mut writer = connect(path).map_err(|error| broken(path, &error))?;
        let version = prepare(&mut writer).map_err(|error| broken(path, &error))?;
        if version != VERSION {
            let (age, hint) = match version < VERSION {
                true => (
                    "an older",
                    "`iacsh sandbox reset` starts a new sandbox; what is in the old one is lost",
                ),
                false => (
                    "a newer",
                    "use that version, or begin anew with `iacsh sandbox reset`; what is in the sandbox is then lost",
                ),
            };
            return Err(Error::failed(format!(
                "{} was written by {age} version of iacsh (format {version}, this one has {VERSION})",
                path.display()
            ))
            .hint(hint));
        }
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })
    }

    /// Runs `work` in one transaction that may write. It is committed when `work` succeeds, else nothing has happened.
    pub fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        run(&mut lock(&self.writer), TransactionBehavior::Immediate, work)
    }

    /// Runs `work` in one transaction that reads; it can write as long as no other process does.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = lock(&self.readers).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path).map_err(internal)?,
        };
        let result = run(&mut connection, TransactionBehavior::Deferred, work);
        lock(&self.readers).push(connection);
        result
    }
}

fn run<T>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    // Dropped without a commit, also by a panic, a transaction is rolled back.
    let transaction = connection.transaction_with_behavior(behavior).map_err(internal)?;
    let answer = work(&transaction)?;
    transaction.commit().map_err(internal)?;
    Ok(answer)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_handler(Some(wait))?;
    connection.set_prepared_statement_cache_capacity(128);
    // Changing the journal needs the file for itself, and SQLite does not ask the busy handler then.
    let mut attempts = 0;
    while let Err(error) = connection.pragma_update(None, "journal_mode", "WAL") {
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || !wait(attempts) {
            return Err(error);
        }
        attempts += 1;
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Makes the tables of a new file; the version that the file has. Two processes that do it at once wait for each other.
fn prepare(connection: &mut Connection) -> rusqlite::Result<i64> {
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = version(connection)?;
    if found != 0 {
        return Ok(found);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = version(&transaction)?;
    if found != 0 {
        return Ok(found);
    }
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(VERSION)
}

/// Called by SQLite while another process holds the lock.
fn wait(attempts: i32) -> bool {
    std::thread::sleep(Duration::from_micros(if attempts < 20 { 200 } else { 1000 }));
    attempts < PATIENCE
}

fn broken(path: &Path, error: &rusqlite::Error) -> Error {
    Error::failed(format!("the sandbox's state {}: {error}", path.display()))
        .hint("`iacsh sandbox reset` starts a new sandbox; what is in the old one is lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("aws.sqlite");
        drop(State::open(&path).unwrap());
        drop(State::open(&path).unwrap());
        for (version, told) in [
            (1, "an older version of iacsh (format 1, this one has 2)"),
            (99, "a newer version of iacsh (format 99, this one has 2)"),
        ] {
            Connection::open(&path)
                .unwrap()
                .pragma_update(None, "user_version", version)
                .unwrap();
            let error = State::open(&path).err().unwrap();
            assert!(error.message().contains(told), "{error}");
            assert!(error.help().unwrap().contains("sandbox reset"));
        }
    }

    #[test]
    fn a_fault_undoes_the_whole_call() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("aws.sqlite")).unwrap();
        let insert =
            "INSERT INTO document (account, region, kind, id, parent, made, body) VALUES ('', '', '', '', '', 0, '')";
        let count = |state: &State| {
            state
                .read(|connection| {
                    connection
                        .query_row("SELECT count(*) FROM document", [], |row| row.get::<_, i64>(0))
                        .map_err(internal)
                })
                .unwrap()
        };
        let failed: Result<(), Fault> = state.write(|connection| {
            connection.execute(insert, []).map_err(internal)?;
            Err(Fault::new("Some", "fault"))
        });
        assert_eq!(failed.unwrap_err().code, "Some");
        assert_eq!(count(&state), 0);
        state
            .write(|connection| connection.execute(insert, []).map_err(internal))
            .unwrap();
        assert_eq!(count(&state), 1);
    }
}
