//! The state of the embedded AWS: documents in one SQLite file, one transaction for each answered call.
//!
//! A document has a kind (`ec2/vpc`), an id that is unique within its account, region and kind, and a parent, by which
//! it can be found without reading its siblings (a subnet's parent is its VPC). Documents are JSON of a type that the
//! service's own file declares.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Fault;

/// The tables. `seq` keeps the order of creation, in which listings answer.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS document (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    parent  TEXT NOT NULL,
    body    TEXT NOT NULL,
    UNIQUE (account, region, kind, id)
) STRICT;
CREATE INDEX IF NOT EXISTS document_parent ON document (account, region, kind, parent, seq);
";

/// The state as one call sees it: one account, one region, one transaction. Global services (IAM) use the region
/// `aws-global`.
pub struct Store<'a> {
    pub connection: &'a Connection,
    pub account: &'a str,
    pub region: &'a str,
}

impl<'a> Store<'a> {
    /// The same transaction, seen in another region.
    pub fn in_region<'b>(&'b self, region: &'b str) -> Store<'b> {
        Store {
            connection: self.connection,
            account: self.account,
            region,
        }
    }

    /// Creates or replaces a document. A replaced one keeps its place in listings.
    pub fn put<T: Serialize>(&self, kind: &str, id: &str, parent: &str, document: &T) -> Result<(), Fault> {
        let body = serde_json::to_string(document).map_err(internal)?;
        self.connection
            .prepare_cached(
                "INSERT INTO document (account, region, kind, id, parent, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (account, region, kind, id) DO UPDATE SET parent = excluded.parent, body = excluded.body",
            )
            .and_then(|mut statement| statement.execute(params![self.account, self.region, kind, id, parent, body]))
            .map_err(internal)?;
        Ok(())
    }

    pub fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Result<Option<T>, Fault> {
        let body: Option<String> = self
            .connection
            .prepare_cached("SELECT body FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4")
            .and_then(|mut statement| {
                statement
                    .query_row(params![self.account, self.region, kind, id], |row| row.get(0))
                    .optional()
            })
            .map_err(internal)?;
        body.map(|body| serde_json::from_str(&body).map_err(internal))
            .transpose()
    }

    /// Whether there was one.
    pub fn delete(&self, kind: &str, id: &str) -> Result<bool, Fault> {
        self.connection
            .prepare_cached("DELETE FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 AND id = ?4")
            .and_then(|mut statement| statement.execute(params![self.account, self.region, kind, id]))
            .map(|count| count > 0)
            .map_err(internal)
    }

    /// All documents of a kind, in the order of their creation.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, Fault> {
        self.select(
            "SELECT body FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 ORDER BY seq",
            &[&self.account, &self.region, &kind],
        )
    }

    /// The documents of a kind below one parent, in the order of their creation.
    pub fn children<T: DeserializeOwned>(&self, kind: &str, parent: &str) -> Result<Vec<T>, Fault> {
        self.select(
            "SELECT body FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 AND parent = ?4 ORDER BY seq",
            &[&self.account, &self.region, &kind, &parent],
        )
    }

    fn select<T: DeserializeOwned>(&self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<T>, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(internal)?;
        let rows = statement
            .query_map(parameters, |row| row.get::<_, String>(0))
            .map_err(internal)?;
        rows.map(|body| serde_json::from_str(&body.map_err(internal)?).map_err(internal))
            .collect()
    }
}

/// The sandbox's own failure: a disk that is full, a state file of another version.
fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::new("InternalFailure", format!("the sandbox's state: {error}")).status(500)
}
