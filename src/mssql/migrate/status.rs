//! Which migrations are applied, which are not, and what does not fit. Reads only.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::files::{self, Migration};
use super::history::{self, Entry};
use crate::error::{Error, Result};
use crate::mssql::connect::Connector;
use crate::mssql::connection::{self, Connection};

/// Where a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Applied, and the file is as it was then.
    Applied,
    /// Not applied yet.
    Pending,
    /// Not applied yet, though a later one is.
    OutOfOrder,
    /// Begun without a transaction and not finished: the next run goes on where it stopped.
    Unfinished,
    /// Applied, and the file has changed since.
    Changed,
    /// Applied, and the file is gone.
    Missing,
}

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub version: u64,
    /// The name of the file.
    pub name: String,
    pub state: State,
    /// ISO 8601, UTC.
    pub applied_at: Option<String>,
}

/// All migrations of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub database: String,
    /// `false`: the database is not there yet, and everything is pending.
    pub exists: bool,
    pub migrations: Vec<Item>,
}

impl Status {
    /// Whether `migrate::up` would do anything.
    pub fn is_up_to_date(&self) -> bool {
        self.exists && self.migrations.iter().all(|item| item.state == State::Applied)
    }

    /// The names of what `migrate::up` would apply.
    pub fn pending(&self) -> Vec<&str> {
        let pending = |item: &&Item| matches!(item.state, State::Pending | State::OutOfOrder | State::Unfinished);
        self.migrations
            .iter()
            .filter(pending)
            .map(|item| item.name.as_str())
            .collect()
    }
}

/// Compares the files of a directory with a database. A database that is not there is no error.
pub async fn status(connector: Arc<dyn Connector>, database: &str, directory: &Path) -> Result<Status> {
    let files = files::read(directory)?;
    let mut connection = match Connection::connect(connector, connection::Options::database(database)).await {
        Ok(connection) => connection,
        Err(error) if error.code() == "4060" => {
            let migrations = compare(&files, &[]);
            return Ok(Status {
                database: database.to_owned(),
                exists: false,
                migrations,
            });
        }
        Err(error) => return Err(error),
    };
    let entries = match history::exists(&mut connection).await? {
        true => history::read(&mut connection).await?,
        false => Vec::new(),
    };
    connection.close().await?;
    Ok(Status {
        database: database.to_owned(),
        exists: true,
        migrations: compare(&files, &entries),
    })
}

/// Files against history, in the order of the versions.
pub(super) fn compare(files: &[Migration], entries: &[Entry]) -> Vec<Item> {
    let newest = entries.iter().map(|entry| entry.version).max();
    let mut items: Vec<Item> = files
        .iter()
        .map(|file| {
            let entry = entries.iter().find(|entry| entry.version == file.version);
            let state = match entry {
                None if newest.is_some_and(|newest| newest > file.version) => State::OutOfOrder,
                None => State::Pending,
                Some(entry) if entry.applied_at.is_none() => State::Unfinished,
                Some(entry) if entry.checksum != file.checksum => State::Changed,
                Some(_) => State::Applied,
            };
            let applied_at = entry.and_then(|entry| entry.applied_at.clone());
            Item {
                version: file.version,
                name: file.name.clone(),
                state,
                applied_at,
            }
        })
        .collect();
    for entry in entries
        .iter()
        .filter(|entry| !files.iter().any(|file| file.version == entry.version))
    {
        items.push(Item {
            version: entry.version,
            name: entry.name.clone(),
            state: State::Missing,
            applied_at: entry.applied_at.clone(),
        });
    }
    items.sort_by_key(|item| item.version);
    items
}

/// What stands against going on: all of it, in one error.
pub(super) fn refuse(items: &[Item], files: &[Migration], out_of_order: bool) -> Result<()> {
    let file = |item: &Item| files.iter().find(|file| file.version == item.version);
    let errors = items
        .iter()
        .filter_map(|item| match item.state {
            State::Changed => {
                let error = Error::failed(format!("{} was changed after it was applied", item.name))
                    .hint("put the file back as it was, and write the change as a new migration");
                Some(match file(item) {
                    Some(file) => error.at(file.at(1)),
                    None => error,
                })
            }
            State::Missing => Some(
                Error::failed(format!(
                    "{} was applied to this database, and the file is gone",
                    item.name
                ))
                .hint("bring the file back; a database does not forget what was done to it"),
            ),
            State::OutOfOrder if !out_of_order => Some(
                Error::failed(format!("{} is not applied, though a later migration is", item.name))
                    .hint("give it the next free number, or allow it with the option `out_of_order: true`"),
            ),
            _ => None,
        })
        .collect();
    Error::all(errors).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u64, checksum: &str) -> Migration {
        Migration {
            version,
            name: format!("{version}_x.sql"),
            file: format!("migrations/{version}_x.sql"),
            text: String::new(),
            checksum: checksum.to_owned(),
            transactional: true,
        }
    }

    fn entry(version: u64, checksum: &str, applied: bool) -> Entry {
        Entry {
            version,
            name: format!("{version}_x.sql"),
            checksum: checksum.to_owned(),
            applied_at: applied.then(|| "2026-11-22T00:00:00".to_owned()),
        }
    }

    #[test]
    fn every_state_is_told() {
        let files = [file(1, "a"), file(2, "b"), file(3, "c"), file(5, "e"), file(7, "g")];
        let entries = [
            entry(1, "a", true),
            entry(2, "x", true),
            entry(4, "d", true),
            entry(5, "y", false),
        ];
        let items = compare(&files, &entries);
        let states: Vec<_> = items.iter().map(|item| item.state).collect();
        assert_eq!(
            states,
            [
                State::Applied,
                State::Changed,
                State::OutOfOrder,
                State::Missing,
                State::Unfinished,
                State::Pending
            ]
        );
        assert_eq!(refuse(&items, &files, false).unwrap_err().others().len(), 2);
        assert_eq!(refuse(&items, &files, true).unwrap_err().others().len(), 1);
    }
}
