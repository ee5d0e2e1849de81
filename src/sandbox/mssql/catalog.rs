//! What a database contains: its tables, views, schemas and principals. Kept as documents in the database's own file,
//! so that it changes in the transaction of the statement that changes it.

use std::sync::Arc;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::ast::Action;
use super::errors::{Result, SqlError};
use super::value::SqlType;

/// The tables of the catalog in each file.
pub const SCHEMA: &str = r#"
CREATE TABLE IF NOT EXISTS {}."$objects" (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS {}."$identity" (id INTEGER PRIMARY KEY, last INTEGER NOT NULL);
"#;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Column {
    pub id: i64,
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: bool,
    /// Seed and increment.
    pub identity: Option<(i64, i64)>,
    pub default: Option<Default>,
}

/// A DEFAULT constraint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Default {
    pub id: i64,
    pub name: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexKind {
    PrimaryKey,
    UniqueConstraint,
    Index,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Index {
    /// `index_id`: 1 for the clustered one.
    pub id: i64,
    /// The object's id of a PRIMARY KEY or UNIQUE constraint.
    pub object: i64,
    pub name: String,
    pub kind: IndexKind,
    pub unique: bool,
    pub clustered: bool,
    /// Names with "descending".
    pub columns: Vec<(String, bool)>,
    pub include: Vec<String>,
    pub filter: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForeignKey {
    pub id: i64,
    pub name: String,
    pub columns: Vec<String>,
    /// The id of the table it points to.
    pub table: i64,
    pub referenced: Vec<String>,
    pub on_delete: Action,
    pub on_update: Action,
    pub disabled: bool,
    pub trusted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    pub id: i64,
    pub name: String,
    pub text: String,
    pub disabled: bool,
    pub trusted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    pub id: i64,
    pub schema: String,
    pub name: String,
    pub columns: Vec<Column>,
    pub indexes: Vec<Index>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<Check>,
    /// In the stored form of dates.
    pub created: String,
    pub modified: String,
    /// The next column's id: ids are not used twice.
    pub next_column: i64,
}

impl Table {
    /// The table's name in SQLite. It does not change when the table is renamed.
    pub fn physical(&self) -> String {
        format!("t{}", self.id)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }

    pub fn primary_key(&self) -> Option<&Index> {
        self.indexes.iter().find(|index| index.kind == IndexKind::PrimaryKey)
    }

    /// `dbo.Clients`
    pub fn display(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// A column's name in SQLite.
pub fn physical_column(id: i64) -> String {
    format!("c{id}")
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct View {
    pub id: i64,
    pub schema: String,
    pub name: String,
    pub columns: Vec<String>,
    pub text: String,
    pub created: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Principal {
    pub id: i64,
    pub name: String,
    /// A role instead of a user.
    pub role: bool,
    /// The login of a user.
    pub login: Option<String>,
    pub created: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub permission: String,
    /// The object's id; 0 for the whole database.
    pub object: i64,
    /// A whole schema.
    pub schema: Option<String>,
    pub to: String,
    pub deny: bool,
}

/// Schemas, users, roles and permissions.
#[derive(Clone, Debug, std::default::Default, Serialize, Deserialize)]
pub struct Security {
    pub schemas: Vec<(i64, String)>,
    pub principals: Vec<Principal>,
    /// Role and member.
    pub members: Vec<(String, String)>,
    pub grants: Vec<Grant>,
    pub single_user: bool,
}

#[derive(Clone, Debug, std::default::Default)]
pub struct Catalog {
    pub tables: Vec<Arc<Table>>,
    pub views: Vec<Arc<View>>,
    pub security: Security,
}

/// The schemas that every database has, with their ids.
pub const SCHEMAS: [(i64, &str); 4] = [(1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys")];

/// Roles that every database has. The ids are SQL Server's.
pub const FIXED_ROLES: [(i64, &str); 9] = [
    (16384, "db_owner"),
    (16385, "db_accessadmin"),
    (16386, "db_securityadmin"),
    (16387, "db_ddladmin"),
    (16389, "db_backupoperator"),
    (16390, "db_datareader"),
    (16391, "db_datawriter"),
    (16392, "db_denydatareader"),
    (16393, "db_denydatawriter"),
];

/// Whether two names are the same under the collation of the catalog.
pub fn same(one: &str, other: &str) -> bool {
    super::collation::compare(one, other).is_eq()
}

impl Catalog {
    pub fn load(connection: &Connection, alias: &str) -> Result<Self> {
        let mut statement =
            connection.prepare_cached(&format!("SELECT kind, body FROM {alias}.\"$objects\" ORDER BY id"))?;
        let mut rows = statement.query([])?;
        let mut catalog = Self::default();
        while let Some(row) = rows.next()? {
            let kind: String = row.get(0)?;
            let body: String = row.get(1)?;
            let damaged = |error: serde_json::Error| SqlError::internal(format!("the catalog: {error}"));
            match kind.as_str() {
                "U" => catalog
                    .tables
                    .push(Arc::new(serde_json::from_str(&body).map_err(damaged)?)),
                "V" => catalog
                    .views
                    .push(Arc::new(serde_json::from_str(&body).map_err(damaged)?)),
                _ => catalog.security = serde_json::from_str(&body).map_err(damaged)?,
            }
        }
        Ok(catalog)
    }

    pub fn table(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        self.tables
            .iter()
            .find(|table| same(&table.name, name) && same(&table.schema, schema))
    }

    pub fn table_by_id(&self, id: i64) -> Option<&Arc<Table>> {
        self.tables.iter().find(|table| table.id == id)
    }

    pub fn view(&self, schema: &str, name: &str) -> Option<&Arc<View>> {
        self.views
            .iter()
            .find(|view| same(&view.name, name) && same(&view.schema, schema))
    }

    pub fn schema(&self, name: &str) -> Option<&str> {
        SCHEMAS
            .iter()
            .map(|(_, schema)| *schema)
            .chain(self.security.schemas.iter().map(|(_, schema)| schema.as_str()))
            .find(|schema| same(schema, name))
    }

    pub fn principal(&self, name: &str) -> Option<&Principal> {
        self.security
            .principals
            .iter()
            .find(|principal| same(&principal.name, name))
    }

    /// All schema-bound objects: id, schema, name, type as in `sys.objects`, the parent's id, and the moment of creation.
    pub fn objects(&self) -> Vec<Object<'_>> {
        let mut all = Vec::new();
        for table in &self.tables {
            let object = |id, name: &str, kind, parent| Object {
                id,
                schema: &table.schema,
                name: name.to_owned(),
                kind,
                parent,
                created: &table.created,
                modified: &table.modified,
            };
            all.push(object(table.id, &table.name, "U", 0));
            for index in &table.indexes {
                match index.kind {
                    IndexKind::PrimaryKey => all.push(object(index.object, &index.name, "PK", table.id)),
                    IndexKind::UniqueConstraint => all.push(object(index.object, &index.name, "UQ", table.id)),
                    IndexKind::Index => {}
                }
            }
            all.extend(
                table
                    .foreign_keys
                    .iter()
                    .map(|key| object(key.id, &key.name, "F", table.id)),
            );
            all.extend(
                table
                    .checks
                    .iter()
                    .map(|check| object(check.id, &check.name, "C", table.id)),
            );
            let defaults = table.columns.iter().filter_map(|column| column.default.as_ref());
            all.extend(defaults.map(|default| object(default.id, &default.name, "D", table.id)));
        }
        all.extend(self.views.iter().map(|view| Object {
            id: view.id,
            schema: &view.schema,
            name: view.name.clone(),
            kind: "V",
            parent: 0,
            created: &view.created,
            modified: &view.created,
        }));
        all
    }

    /// A schema-bound object by its name.
    pub fn object(&self, schema: &str, name: &str) -> Option<Object<'_>> {
        self.objects()
            .into_iter()
            .find(|object| same(&object.name, name) && same(object.schema, schema))
    }

    /// An id that is not used yet.
    pub fn next_id(&self) -> i64 {
        let taken = self
            .objects()
            .iter()
            .map(|object| object.id)
            .max()
            .unwrap_or(245_575_800);
        let taken = taken.max(self.security.schemas.iter().map(|(id, _)| *id).max().unwrap_or(0));
        // The ids of SQL Server grow by such steps, and a step leaves room for what a table brings with it.
        taken.max(245_575_800) + 16
    }
}

/// A row of `sys.objects`.
pub struct Object<'a> {
    pub id: i64,
    pub schema: &'a str,
    pub name: String,
    pub kind: &'static str,
    pub parent: i64,
    pub created: &'a str,
    pub modified: &'a str,
}

fn put<T: Serialize>(connection: &Connection, alias: &str, id: i64, kind: &str, body: &T) -> Result<()> {
    let body = serde_json::to_string(body).map_err(SqlError::internal)?;
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO {alias}.\"$objects\" (id, kind, body) VALUES (?1, ?2, ?3)"
        ))?
        .execute(params![id, kind, body])?;
    Ok(())
}

pub fn put_table(connection: &Connection, alias: &str, table: &Table) -> Result<()> {
    put(connection, alias, table.id, "U", table)
}

pub fn put_view(connection: &Connection, alias: &str, view: &View) -> Result<()> {
    put(connection, alias, view.id, "V", view)
}

pub fn put_security(connection: &Connection, alias: &str, security: &Security) -> Result<()> {
    put(connection, alias, 0, "S", security)
}

pub fn remove(connection: &Connection, alias: &str, id: i64) -> Result<()> {
    connection.execute(&format!("DELETE FROM {alias}.\"$objects\" WHERE id = ?1"), [id])?;
    connection.execute(&format!("DELETE FROM {alias}.\"$identity\" WHERE id = ?1"), [id])?;
    Ok(())
}
