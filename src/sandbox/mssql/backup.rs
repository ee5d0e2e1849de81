//! Backups of single databases, as files: a copy of the database's file with a mark in it.
//!
//! SQL Server's own format is another one (Microsoft Tape Format, which begins with `TAPE`); a backup of a real server
//! cannot be read here, and a real server cannot read these.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OptionalExtension, params};

use super::MASTER_FILE;
use super::catalog::same;
use super::copy::reading;
use super::engine::{is_busy, list_database, next_number, open_file, prepare_master};
use super::errors::{Result, SqlError};

/// What every SQLite file begins with. Source: "Database File Format", sqlite.org.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";
/// How long a writer is waited for before somebody else should try again later.
const PATIENCE: Duration = Duration::from_millis(50);

/// How a database came from a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    Done,
    /// There is another database of that name.
    Taken,
    /// Somebody is writing right now; try again later.
    Busy,
}

/// Whether the server in `dir` has a database of this name. The system's own are not counted.
pub fn has(dir: &Path, name: &str) -> Result<bool> {
    if !dir.join(MASTER_FILE).exists() {
        return Ok(false);
    }
    let master = reading(&dir.join(MASTER_FILE))?;
    Ok(file_of(&master, name)?.is_some())
}

/// Writes a database, as it is at this moment, into the new file `to`. `mark` says later whose backup it is. `false`:
/// there is no database of that name.
pub fn write(dir: &Path, name: &str, mark: &str, to: &Path) -> Result<bool> {
    if !dir.join(MASTER_FILE).exists() {
        return Ok(false);
    }
    // Whoever reads `master` keeps all commits out, see `copy`.
    let master = reading(&dir.join(MASTER_FILE))?;
    let Some(file) = file_of(&master, name)? else {
        return Ok(false);
    };
    let source = reading(&dir.join(file))?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(SqlError::internal(error)),
        _ => {}
    }
    let mut target = Connection::open(to)?;
    target.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;")?;
    let step = Backup::new(&source, &mut target)?.step(-1)?;
    if step != StepResult::Done {
        return Err(SqlError::internal(format!("the file of {name} is locked")));
    }
    target.execute_batch("CREATE TABLE \"$backup\" (mark TEXT NOT NULL, name TEXT NOT NULL)")?;
    target.execute("INSERT INTO \"$backup\" VALUES (?1, ?2)", [mark, name])?;
    target.close().map_err(|(_, error)| error)?;
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(SqlError::internal)?;
    Ok(true)
}

/// The mark of a backup. `None`: the file is none of these.
pub fn mark(file: &Path) -> Result<Option<String>> {
    let mut head = [0; SQLITE.len()];
    let mut opened = fs::File::open(file).map_err(SqlError::internal)?;
    if opened.read_exact(&mut head).is_err() || &head != SQLITE {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if !connection.table_exists(None, "$backup")? {
        return Ok(None);
    }
    let mark = connection.query_row("SELECT mark FROM \"$backup\"", [], |row| row.get(0));
    Ok(mark.optional()?)
}

/// Puts the database of a backup into the server in `dir`. Its file there has the name `as_file`: when that one is on
/// the server already, an earlier call did this, and it is done.
pub fn restore(dir: &Path, name: &str, from: &Path, as_file: &str) -> Result<Restored> {
    fs::create_dir_all(dir).map_err(SqlError::internal)?;
    let master = open_file(&dir.join(MASTER_FILE))?;
    master.busy_timeout(PATIENCE)?;
    // Whoever returns early drops the connection, which rolls back.
    if is_busy(master.execute_batch("BEGIN IMMEDIATE"))? {
        return Ok(Restored::Busy);
    }
    prepare_master(&master)?;
    let known = rows(&master)?;
    if known.iter().any(|(_, file)| file == as_file) {
        return Ok(Restored::Done);
    }
    if known.iter().any(|(other, _)| same(other, name)) {
        return Ok(Restored::Taken);
    }
    let path = dir.join(as_file);
    fs::copy(from, &path).map_err(SqlError::internal)?;
    let copied = open_file(&path)?;
    copied.execute_batch("DROP TABLE \"$backup\"")?;
    copied.close().map_err(|(_, error)| error)?;
    let id = next_number(&master)?;
    list_database(&master, id, name, as_file)?;
    match is_busy(master.execute_batch("COMMIT"))? {
        true => Ok(Restored::Busy),
        false => Ok(Restored::Done),
    }
}

/// Names and files of all databases.
fn rows(master: &Connection) -> Result<Vec<(String, String)>> {
    if !master.table_exists(None, "$databases")? {
        return Ok(Vec::new());
    }
    let mut statement = master.prepare("SELECT name, file FROM \"$databases\" ORDER BY id")?;
    let rows = statement.query_map(params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn file_of(master: &Connection, name: &str) -> Result<Option<String>> {
    let found = rows(master)?
        .into_iter()
        .find(|(other, file)| same(other, name) && file != MASTER_FILE);
    Ok(found.map(|(_, file)| file))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with the database `Shop`, in which `t` holds 7.
    fn server(dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        let master = open_file(&dir.join(MASTER_FILE)).unwrap();
        prepare_master(&master).unwrap();
        list_database(&master, 5, "Shop", "Shop-5.mdf.sqlite").unwrap();
        let shop = open_file(&dir.join("Shop-5.mdf.sqlite")).unwrap();
        shop.execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7);")
            .unwrap();
    }

    fn number(path: &Path) -> i64 {
        let connection = open_file(path).unwrap();
        connection.query_row("SELECT n FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_backup_is_restored_once_under_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two, bak) = (
            dir.path().join("one"),
            dir.path().join("two"),
            dir.path().join("shop.bak"),
        );
        server(&one);
        assert!(!write(&one, "Nothing", "m", &bak).unwrap());
        assert!(
            !write(&one, "master", "m", &bak).unwrap(),
            "the system's own are not backed up"
        );
        assert!(write(&one, "SHOP", "m", &bak).unwrap());
        assert_eq!(mark(&bak).unwrap().as_deref(), Some("m"));

        assert_eq!(
            restore(&two, "Copy", &bak, "restored-1.mdf.sqlite").unwrap(),
            Restored::Done
        );
        assert_eq!(
            restore(&two, "Copy", &bak, "restored-1.mdf.sqlite").unwrap(),
            Restored::Done
        );
        assert_eq!(
            restore(&two, "cOPY", &bak, "restored-2.mdf.sqlite").unwrap(),
            Restored::Taken
        );
        assert!(has(&two, "Copy").unwrap() && !has(&two, "Shop").unwrap());
        let file = two.join("restored-1.mdf.sqlite");
        assert_eq!(number(&file), 7);
        assert_eq!(mark(&file).unwrap(), None, "the mark is of the backup alone");
    }

    #[test]
    fn a_writer_is_not_waited_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let (one, bak) = (dir.path().join("one"), dir.path().join("shop.bak"));
        server(&one);
        write(&one, "Shop", "m", &bak).unwrap();
        let writer = open_file(&one.join(MASTER_FILE)).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let restored = || restore(&one, "Copy", &bak, "restored-1.mdf.sqlite").unwrap();
        assert_eq!(restored(), Restored::Busy);
        writer.execute_batch("COMMIT").unwrap();
        assert_eq!(restored(), Restored::Done);
    }

    #[test]
    fn a_backup_of_a_real_server_is_none_of_these() {
        let dir = tempfile::tempdir().unwrap();
        let bak = dir.path().join("real.bak");
        fs::write(&bak, b"TAPE\0\0\x03\0\x8c\0\x0e\x01\0\0\0\0\0\0\0\0").unwrap();
        assert_eq!(mark(&bak).unwrap(), None);
        fs::write(&bak, b"").unwrap();
        assert_eq!(mark(&bak).unwrap(), None);
    }
}
