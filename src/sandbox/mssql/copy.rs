//! A copy of a server's folder that is consistent while others write.
//!
//! Every writer has `master` as the main file of its transaction, and SQLite locks the main file first and for itself
//! when it commits. So whoever reads `master` keeps all commits out, and may take his time to begin reading the other
//! files: together they are the server at one moment. A transaction that is open meanwhile waits with its COMMIT, and is
//! not in the copy. The pages are copied by SQLite itself; copying the files would break its locks (POSIX frees them
//! all when any handle of the process on the file is closed).

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::MASTER_FILE;
use super::errors::{Result, SqlError};

/// How long the end of another's commit is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Copies all databases of the server in `from` into the new folder `to`. Without a server in `from`, `to` is empty.
/// When it returns, the copy is on the disk.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(SqlError::internal)?;
    if !from.join(MASTER_FILE).exists() {
        return Ok(());
    }
    let master = reading(&from.join(MASTER_FILE))?;
    let names = others(&master)?;
    let mut held = vec![(MASTER_FILE.to_owned(), master)];
    for name in names {
        let connection = reading(&from.join(&name))?;
        held.push((name, connection));
    }
    for (name, source) in &held {
        let path = to.join(name);
        let mut target = Connection::open(&path)?;
        target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;")?;
        let step = Backup::new(source, &mut target)?.step(-1)?;
        if step != StepResult::Done {
            return Err(SqlError::internal(format!("{name} is locked")));
        }
        drop(target);
        fs::File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(SqlError::internal)?;
    }
    Ok(())
}

/// A connection that is in a reading transaction.
pub(super) fn reading(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch("BEGIN")?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(connection)
}

/// The files of the other databases. None while the server is still being made.
fn others(master: &Connection) -> Result<Vec<String>> {
    if !master.table_exists(None, "$databases")? {
        return Ok(Vec::new());
    }
    let mut statement = master.prepare("SELECT file FROM \"$databases\" WHERE file <> ?1 ORDER BY id")?;
    let files = statement.query_map([MASTER_FILE], |row| row.get(0))?;
    Ok(files.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::mssql::engine::open_file;

    /// A folder with two databases, as far as copying sees them.
    fn server(dir: &Path) {
        let master = open_file(&dir.join(MASTER_FILE)).unwrap();
        master
            .execute_batch(
                "CREATE TABLE \"$databases\" (id INTEGER PRIMARY KEY, file TEXT);
                 INSERT INTO \"$databases\" VALUES (1, 'master.mdf.sqlite'), (5, 'shop-5.mdf.sqlite');
                 CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0);",
            )
            .unwrap();
        let shop = open_file(&dir.join("shop-5.mdf.sqlite")).unwrap();
        shop.execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0);")
            .unwrap();
    }

    fn number(path: &Path) -> i64 {
        let connection = open_file(path).unwrap();
        connection.query_row("SELECT n FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_copy_is_one_moment_while_others_write() {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live");
        fs::create_dir_all(&live).unwrap();
        server(&live);
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let connection = open_file(&live.join(MASTER_FILE)).unwrap();
                let shop = live.join("shop-5.mdf.sqlite");
                connection
                    .execute("ATTACH ?1 AS shop", [shop.to_str().unwrap()])
                    .unwrap();
                let mut commits = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    connection
                        .execute_batch(
                            "BEGIN IMMEDIATE; UPDATE main.t SET n = n + 1; UPDATE shop.t SET n = n + 1; COMMIT;",
                        )
                        .unwrap();
                    commits += 1;
                }
                commits
            });
            for round in 0..30 {
                let to = dir.path().join(round.to_string());
                copy(&live, &to).unwrap();
                assert_eq!(
                    number(&to.join(MASTER_FILE)),
                    number(&to.join("shop-5.mdf.sqlite")),
                    "both files are of the same transaction"
                );
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(writer.join().unwrap() > 0);
        });
    }

    #[test]
    fn what_is_not_committed_is_not_copied_and_does_not_hold_the_copy_up() {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live");
        fs::create_dir_all(&live).unwrap();
        server(&live);
        let open = open_file(&live.join(MASTER_FILE)).unwrap();
        open.execute_batch("BEGIN IMMEDIATE; UPDATE t SET n = 7;").unwrap();
        copy(&live, &dir.path().join("copy")).unwrap();
        open.execute_batch("COMMIT").unwrap();
        assert_eq!(number(&dir.path().join("copy").join(MASTER_FILE)), 0);
        assert_eq!(number(&live.join(MASTER_FILE)), 7);
    }

    #[test]
    fn a_server_that_nobody_ever_used_gives_an_empty_folder() {
        let dir = tempfile::tempdir().unwrap();
        copy(&dir.path().join("nothing"), &dir.path().join("copy")).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("copy")).unwrap().count(), 0);
    }
}
