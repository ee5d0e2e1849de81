//! The data behind instances and snapshots: a folder of SQL Server's files for each, below `rds/` in the sandbox's folder.
//!
//! The state says which folders count. A copy is made before the transaction that names it is committed, and a folder is
//! deleted after the transaction that forgot it was; so whenever a process dies, everything that the state names is whole,
//! and what is left over has no name. Leftovers are swept when a sandbox is opened.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::call::{Call, Fault};
use super::super::state::State;
use crate::error::{Error, Result};
use crate::sandbox::mssql;

/// The folder of all folders.
const ROOT: &str = "rds";
/// A folder that no instance and no snapshot has any more.
const LEFT: &str = "rds/left";

#[derive(Serialize, Deserialize)]
struct Left {
    folder: String,
}

pub fn path(call: &Call<'_>, folder: &str) -> PathBuf {
    call.dir.join(ROOT).join(folder)
}

/// Copies the data of one folder, as it is at this moment, into a new one.
pub fn copy(call: &Call<'_>, from: &str, to: &str) -> Result<(), Fault> {
    // Writing makes this call the only one that changes the state until it ends. Without that a sandbox that is opened
    // right now would sweep the copy, which no committed document names yet.
    call.store.put(LEFT, to, "", &Left { folder: to.to_owned() })?;
    call.store.delete(LEFT, to)?;
    mssql::copy::copy(&path(call, from), &path(call, to)).map_err(|error| failed(&error))
}

/// The folder is deleted once this call has been committed.
pub fn forget(call: &Call<'_>, folder: &str) -> Result<(), Fault> {
    let left = Left {
        folder: folder.to_owned(),
    };
    call.store.put(LEFT, folder, "", &left)
}

/// Deletes what earlier calls forgot. Called before a call forgets anything itself.
pub fn collect(call: &Call<'_>) -> Result<(), Fault> {
    for left in call.store.all::<Left>(LEFT)? {
        if remove(&path(call, &left.folder)) {
            call.store.delete(LEFT, &left.folder)?;
        }
    }
    Ok(())
}

/// Deletes every folder that the state does not name.
pub fn sweep(state: &State, dir: &Path) -> Result<()> {
    let root = dir.join(ROOT);
    let failed = |error: &dyn std::fmt::Display| Error::failed(format!("{}: {error}", root.display()));
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&error)),
    };
    let found: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<std::io::Result<_>>()
        .map_err(|error| failed(&error))?;
    if found.is_empty() {
        return Ok(());
    }
    // Under the lock of the state: nobody copies meanwhile.
    let swept = state.write(|connection| {
        let named = named(connection).map_err(|error| self::failed(&error))?;
        for name in &found {
            if name.to_str().is_none_or(|name| !named.contains(name)) {
                remove(&root.join(name));
            }
        }
        Ok(())
    });
    swept.map_err(|fault| failed(&fault.message))
}

/// The folders of all instances and snapshots of every account and region.
fn named(connection: &rusqlite::Connection) -> rusqlite::Result<HashSet<String>> {
    let mut statement = connection.prepare("SELECT body ->> 'folder' FROM document WHERE kind IN (?1, ?2)")?;
    let folders = statement.query_map([super::instance::KIND, super::snapshot::KIND], |row| row.get(0))?;
    folders.collect()
}

/// Whether nothing is left. What cannot be deleted now (Windows keeps open files) is tried again later.
fn remove(path: &Path) -> bool {
    match fs::remove_dir_all(path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => {
            tracing::debug!("{} is left over: {error}", path.display());
            false
        }
    }
}

pub fn failed(error: &dyn std::fmt::Display) -> Fault {
    Fault::new("InternalFailure", error.to_string()).status(500)
}
