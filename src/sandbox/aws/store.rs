//! The state of the embedded AWS: documents in one SQLite file, one transaction for each answered call.
//!
//! A document has a kind (`ec2/vpc`), an id that is unique within its account, region and kind, and a parent, by which
//! it can be found without reading its siblings (a subnet's parent is its VPC). Documents are JSON of a type that the
//! service's own file declares.
//!
//! A call's cost does not grow with the state, as long as it asks by id, by parent, by link (any other property, given
//! with [`Entry::links`]), by the moment at which something happens by itself ([`Entry::due`]), or page by page.
//! [`Store::all`] is for what is few.

use std::cell::{Cell, OnceCell};

use rusqlite::{CachedStatement, Connection, OptionalExtension, StatementStatus, ToSql, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Fault;
use super::rules::Listed;

/// The tables. `seq` keeps the order of creation, in which listings answer; `made` is that moment and `due` the next one
/// at which something happens to the document by itself, both in milliseconds since 1970.
pub const SCHEMA: &str = "
CREATE TABLE document (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    parent  TEXT NOT NULL,
    made    INTEGER NOT NULL,
    due     INTEGER,
    body    TEXT NOT NULL,
    UNIQUE (account, region, kind, id)
) STRICT;
CREATE INDEX document_kind ON document (account, region, kind, seq);
CREATE INDEX document_parent ON document (account, region, kind, parent, seq);
CREATE INDEX document_due ON document (account, region, kind, due) WHERE due IS NOT NULL;
CREATE TABLE link (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (account, region, kind, name, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_document ON link (document);
CREATE TRIGGER document_gone AFTER DELETE ON document BEGIN
    DELETE FROM link WHERE document = old.seq;
END;
CREATE TABLE rule (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    body   TEXT NOT NULL,
    seen   INTEGER NOT NULL DEFAULT 0,
    met    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What all views of one call's state share.
#[derive(Debug, Default)]
pub struct Scope {
    /// The call's moment, in milliseconds since 1970.
    pub now: i64,
    /// What SQLite did for this call, in steps of its machine: each row that is looked at takes a few.
    pub steps: Cell<u64>,
    /// The rules of the sandbox, read when the first is asked for.
    pub rules: OnceCell<Vec<Listed>>,
    /// Documents that a reading call does not see yet: a kind (`ec2/vpc`), and the moment after which they were made.
    pub hidden: OnceCell<Vec<(String, i64)>>,
    pub sees_all: Cell<bool>,
}

/// The state as one call sees it: one account, one region, one transaction. Global services (IAM) use the region
/// `aws-global`.
pub struct Store<'a> {
    pub connection: &'a Connection,
    pub account: &'a str,
    pub region: &'a str,
    pub scope: &'a Scope,
}

/// In which order documents are gone through, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// All of the kind, as they were made.
    Made,
    /// Those below one parent, as they were made.
    MadeBelow(&'a str),
    /// Those whose id begins with a text (all of them with the empty one), by id.
    Id(&'a str),
}

/// A document to be written.
#[must_use]
pub struct Entry<'s> {
    store: &'s Store<'s>,
    kind: &'s str,
    id: &'s str,
    parent: &'s str,
    due: Option<i64>,
    links: Option<&'s [String]>,
}

impl<'s> Entry<'s> {
    pub fn parent(mut self, parent: &'s str) -> Self {
        self.parent = parent;
        self
    }

    /// The next moment at which something happens to it by itself, in milliseconds since 1970. [`Store::due`] finds it
    /// from then on.
    pub fn due(mut self, due: impl Into<Option<i64>>) -> Self {
        self.due = due.into();
        self
    }

    /// What [`Store::linked`] finds it by; those that it had are forgotten.
    pub fn links(mut self, links: &'s [String]) -> Self {
        self.links = Some(links);
        self
    }

    /// Creates or replaces the document. A replaced one keeps its place in listings, and its links unless
    /// [`Entry::links`] were given.
    pub fn put<T: Serialize>(self, document: &T) -> Result<(), Fault> {
        let body = serde_json::to_string(document).map_err(internal)?;
        let store = self.store;
        let seq: i64 = store
            .row(
                "INSERT INTO document (account, region, kind, id, parent, made, due, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (account, region, kind, id)
                 DO UPDATE SET parent = excluded.parent, due = excluded.due, body = excluded.body
                 RETURNING seq",
                params![
                    store.account,
                    store.region,
                    self.kind,
                    self.id,
                    self.parent,
                    store.scope.now,
                    self.due,
                    body
                ],
            )?
            .unwrap_or_default();
        let Some(links) = self.links else { return Ok(()) };
        store.execute("DELETE FROM link WHERE document = ?1", params![seq])?;
        for link in links {
            store.execute(
                "INSERT OR IGNORE INTO link (account, region, kind, name, document) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![store.account, store.region, self.kind, link, seq],
            )?;
        }
        Ok(())
    }
}

impl<'a> Store<'a> {
    /// The same transaction, seen in another region.
    pub fn in_region<'b>(&'b self, region: &'b str) -> Store<'b> {
        Store {
            connection: self.connection,
            account: self.account,
            region,
            scope: self.scope,
        }
    }

    /// A document to be written with more than a parent.
    pub fn entry<'s>(&'s self, kind: &'s str, id: &'s str) -> Entry<'s> {
        Entry {
            store: self,
            kind,
            id,
            parent: "",
            due: None,
            links: None,
        }
    }

    /// Creates or replaces a document. A replaced one keeps its place in listings.
    pub fn put<T: Serialize>(&self, kind: &str, id: &str, parent: &str, document: &T) -> Result<(), Fault> {
        self.entry(kind, id).parent(parent).put(document)
    }

    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<T>, Fault> {
        self.row::<String>(
            "SELECT body FROM document
             WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4 AND made <= ?5",
            params![self.account, self.region, kind, id, self.seen_until(kind)],
        )?
        .map(|body| serde_json::from_str(&body).map_err(internal))
        .transpose()
    }

    /// Whether there was one.
    pub fn delete(&self, kind: &str, id: &str) -> Result<bool, Fault> {
        self.execute(
            "DELETE FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4",
            params![self.account, self.region, kind, id],
        )
        .map(|count| count > 0)
    }

    /// All documents of a kind, in the order of their creation.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, Fault> {
        self.select(
            "SELECT body FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 AND made <= ?4 ORDER BY seq",
            params![self.account, self.region, kind, self.seen_until(kind)],
        )
    }

    /// The documents of a kind below one parent, in the order of their creation.
    pub fn children<T: DeserializeOwned>(&self, kind: &str, parent: &str) -> Result<Vec<T>, Fault> {
        self.select(
            "SELECT body FROM document
             WHERE account = ?1 AND region = ?2 AND kind = ?3 AND parent = ?4 AND made <= ?5 ORDER BY seq",
            params![self.account, self.region, kind, parent, self.seen_until(kind)],
        )
    }

    /// The documents of a kind with this link, in the order of their creation.
    pub fn linked<T: DeserializeOwned>(&self, kind: &str, link: &str) -> Result<Vec<T>, Fault> {
        self.select(
            "SELECT body FROM link JOIN document ON seq = link.document
             WHERE link.account = ?1 AND link.region = ?2 AND link.kind = ?3 AND link.name = ?4 ORDER BY link.document",
            params![self.account, self.region, kind, link],
        )
    }

    /// Whether any document of a kind has this link.
    pub fn is_linked(&self, kind: &str, link: &str) -> Result<bool, Fault> {
        self.row::<bool>(
            "SELECT EXISTS (SELECT 1 FROM link WHERE account = ?1 AND region = ?2 AND kind = ?3 AND name = ?4)",
            params![self.account, self.region, kind, link],
        )
        .map(Option::unwrap_or_default)
    }

    /// The documents of a kind to which something happened by itself up to now, the earliest first.
    pub fn due<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, Fault> {
        self.select(
            "SELECT body FROM document
             WHERE account = ?1 AND region = ?2 AND kind = ?3 AND due <= ?4 ORDER BY due, seq",
            params![self.account, self.region, kind, self.scope.now],
        )
    }

    /// Makes the documents of a kind with this link due now, because something that they depend on changed.
    pub fn wake(&self, kind: &str, link: &str) -> Result<(), Fault> {
        self.execute(
            "UPDATE document SET due = ?5 WHERE seq IN
             (SELECT document FROM link WHERE account = ?1 AND region = ?2 AND kind = ?3 AND name = ?4)",
            params![self.account, self.region, kind, link, self.scope.now],
        )
        .map(|_| ())
    }

    /// As [`Store::wake`], for one document.
    pub fn wake_document(&self, kind: &str, id: &str) -> Result<(), Fault> {
        self.execute(
            "UPDATE document SET due = ?5 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4",
            params![self.account, self.region, kind, id, self.scope.now],
        )
        .map(|_| ())
    }

    /// How many documents of a kind there are; below one parent when it is given. Counting ends at `most`.
    pub fn count(&self, kind: &str, parent: Option<&str>, most: u64) -> Result<u64, Fault> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let count: Option<i64> = match parent {
            None => self.row(
                "SELECT count(*) FROM (SELECT 1 FROM document
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 LIMIT ?4)",
                params![self.account, self.region, kind, most],
            )?,
            Some(parent) => self.row(
                "SELECT count(*) FROM (SELECT 1 FROM document
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND parent = ?5 LIMIT ?4)",
                params![self.account, self.region, kind, most, parent],
            )?,
        };
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    /// The newest document below one parent.
    pub fn newest_below<T: DeserializeOwned>(&self, kind: &str, parent: &str) -> Result<Option<T>, Fault> {
        self.select(
            "SELECT body FROM document
             WHERE account = ?1 AND region = ?2 AND kind = ?3 AND parent = ?4 ORDER BY seq DESC LIMIT 1",
            params![self.account, self.region, kind, parent],
        )
        .map(|found| found.into_iter().next())
    }

    /// The next documents in an order, each with the key that this takes as `after` to go on behind it; the first ones
    /// when that is empty. `None`: the key is none of this order's.
    pub fn next<T: DeserializeOwned>(
        &self,
        kind: &str,
        order: Order<'_>,
        after: &str,
        count: usize,
    ) -> Result<Option<Vec<(String, T)>>, Fault> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let seen = self.seen_until(kind);
        let place = match (order, after) {
            (Order::Id(_), _) | (_, "") => 0,
            (_, after) => match after.parse::<i64>() {
                Ok(place) => place,
                Err(_) => return Ok(None),
            },
        };
        let found: Vec<(String, String)> = match order {
            Order::Made => self.rows(
                "SELECT CAST(seq AS TEXT), body FROM document
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND seq > ?4 AND made <= ?6 ORDER BY seq LIMIT ?5",
                params![self.account, self.region, kind, place, count, seen],
            )?,
            Order::MadeBelow(parent) => self.rows(
                "SELECT CAST(seq AS TEXT), body FROM document
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND parent = ?7 AND seq > ?4 AND made <= ?6
                 ORDER BY seq LIMIT ?5",
                params![self.account, self.region, kind, place, count, seen, parent],
            )?,
            Order::Id(prefix) => self.rows(
                "SELECT id, body FROM document
                 WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id > ?4 AND id >= ?7 AND id < ?8 AND made <= ?6
                 ORDER BY id LIMIT ?5",
                // The last character there is stands behind every id with the prefix.
                params![
                    self.account,
                    self.region,
                    kind,
                    after,
                    count,
                    seen,
                    prefix,
                    format!("{prefix}{}", char::MAX)
                ],
            )?,
        };
        found
            .into_iter()
            .map(|(key, body)| Ok((key, serde_json::from_str(&body).map_err(internal)?)))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Until the result is dropped, nothing is hidden: for what happens inside the service itself.
    pub fn see_all(&self) -> SeesAll<'_> {
        SeesAll {
            scope: self.scope,
            before: self.scope.sees_all.replace(true),
        }
    }

    /// Documents that were made later than this are not seen yet.
    fn seen_until(&self, kind: &str) -> i64 {
        let hidden = self.scope.hidden.get().filter(|_| !self.scope.sees_all.get());
        let of_kind = hidden.into_iter().flatten().filter(|(hidden, _)| hidden == kind);
        of_kind.map(|(_, since)| *since).min().unwrap_or(i64::MAX)
    }

    fn select<T: DeserializeOwned>(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<T>, Fault> {
        let found: Vec<String> = self.collect(sql, parameters, |row| row.get(0))?;
        found
            .into_iter()
            .map(|body| serde_json::from_str(&body).map_err(internal))
            .collect()
    }

    fn rows(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<(String, String)>, Fault> {
        self.collect(sql, parameters, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn collect<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(internal)?;
        let found = statement
            .query_map(parameters, read)
            .and_then(Iterator::collect)
            .map_err(internal);
        self.count_steps(&statement);
        found
    }

    /// The first column of the first row.
    pub fn row<T: rusqlite::types::FromSql>(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Option<T>, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(internal)?;
        let found = statement
            .query_row(parameters, |row| row.get(0))
            .optional()
            .map_err(internal);
        self.count_steps(&statement);
        found
    }

    /// How many rows were changed.
    pub fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<usize, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(internal)?;
        let count = statement.execute(parameters).map_err(internal);
        self.count_steps(&statement);
        count
    }

    fn count_steps(&self, statement: &CachedStatement<'_>) {
        let steps = u64::try_from(statement.reset_status(StatementStatus::VmStep)).unwrap_or_default();
        self.scope.steps.set(self.scope.steps.get() + steps);
    }
}

/// See [`Store::see_all`].
pub struct SeesAll<'a> {
    scope: &'a Scope,
    before: bool,
}

impl Drop for SeesAll<'_> {
    fn drop(&mut self) {
        self.scope.sees_all.set(self.before);
    }
}

/// The sandbox's own failure: a disk that is full, a document of another form.
pub fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::new("InternalFailure", format!("the sandbox's state: {error}")).status(500)
}
