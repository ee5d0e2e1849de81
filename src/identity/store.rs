//! The tables of IdentityServer, as one database has them.
//!
//! The columns are read from the catalog, and only those that exist are written: so one program serves IdentityServer4
//! 4.x, Duende IdentityServer and Open.IdentityServer. What each has is in their migrations' differences.

use std::collections::HashMap;

use serde_json::Value;

use super::model::DEVICE_CODE;
use crate::error::{Error, Result};
use crate::mssql::value::{Param, ResultSet};
use crate::mssql::{Connection, quote};

/// The schema in which the tables are looked for: `ConfigurationStoreOptions.DefaultSchema` when it is not set.
pub const SCHEMA: &str = "dbo";

/// The tables that are read, parents first.
pub const TABLES: [&str; 21] = [
    "IdentityResources",
    "ApiScopes",
    "ApiResources",
    "Clients",
    "IdentityResourceClaims",
    "IdentityResourceProperties",
    "ApiScopeClaims",
    "ApiScopeProperties",
    "ApiResourceClaims",
    "ApiResourceProperties",
    "ApiResourceScopes",
    "ApiResourceSecrets",
    "ClientClaims",
    "ClientCorsOrigins",
    "ClientGrantTypes",
    "ClientIdPRestrictions",
    "ClientPostLogoutRedirectUris",
    "ClientProperties",
    "ClientRedirectUris",
    "ClientScopes",
    "ClientSecrets",
];

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    /// Whether an insert has to name it: NOT NULL, no default, no identity.
    pub needed: bool,
}

/// The tables of a database with their columns. Names are compared without case, because Babelfish's catalog has them
/// in lower case.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    tables: HashMap<String, Vec<Column>>,
}

impl Schema {
    /// Reads the catalog.
    pub async fn read(connection: &mut Connection) -> Result<Self> {
        let sets = connection
            .query(
                "SELECT t.name, c.name, c.is_nullable, c.is_identity, c.default_object_id \
                 FROM sys.tables AS t \
                 JOIN sys.schemas AS s ON s.schema_id = t.schema_id \
                 JOIN sys.columns AS c ON c.object_id = t.object_id \
                 WHERE s.name = @P1 ORDER BY t.name, c.column_id",
                &[Param::from(SCHEMA)],
            )
            .await?;
        let mut tables: HashMap<String, Vec<Column>> = HashMap::new();
        for row in sets.into_iter().next().unwrap_or_default().rows {
            let [table, column, nullable, identity, default] = row.as_slice() else {
                continue;
            };
            let (Some(table), Some(column)) = (table.as_str(), column.as_str()) else {
                continue;
            };
            tables.entry(table.to_lowercase()).or_default().push(Column {
                name: column.to_owned(),
                needed: !is_true(nullable) && !is_true(identity) && !is_true(default),
            });
        }
        Ok(Self { tables })
    }

    pub fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(&table.to_lowercase())
    }

    pub fn has(&self, table: &str, column: &str) -> bool {
        self.columns(table)
            .iter()
            .any(|known| known.name.eq_ignore_ascii_case(column))
    }

    pub fn columns(&self, table: &str) -> &[Column] {
        self.tables
            .get(&table.to_lowercase())
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// What wrote these tables. Version 2 and 3 of IdentityServer4 are refused: under the same names they mean
    /// something else.
    pub fn version(&self) -> Result<&'static str> {
        if self.has_table("ApiClaims") {
            return Err(Error::failed("this database has the tables of IdentityServer4 2 or 3")
                .hint("upgrade it to version 4 first, by a migration that keeps scopes and claims"));
        }
        if let Some(missing) = TABLES.iter().find(|table| !self.has_table(table)) {
            return Err(Error::failed(format!("the table {SCHEMA}.{missing} is not there"))
                .hint("run the migrations first: `migrate::up`"));
        }
        Ok(match () {
            () if self.has_table("SamlServiceProviders") => "Duende IdentityServer 8",
            () if self.has("Clients", "RequirePushedAuthorization") => "Duende IdentityServer 7 or Open.IdentityServer",
            () if self.has("Clients", "RequireDPoP") => "Duende IdentityServer 6.3",
            () if self.has("Clients", "CoordinateLifetimeWithUserSession") => "Duende IdentityServer 6.1",
            () if self.has("Clients", "CibaLifetime") => "Duende IdentityServer 6.0",
            () if self.has("ApiResources", "RequireResourceIndicator") => "Duende IdentityServer 5",
            () => "IdentityServer4 4.1",
        })
    }
}

/// A bit, an integer or nothing as yes or no.
pub fn is_true(value: &Value) -> bool {
    value
        .as_bool()
        .unwrap_or_else(|| value.as_i64().is_some_and(|number| number != 0))
}

/// A row, by the names of its columns.
#[derive(Clone, Debug)]
pub struct Row(HashMap<String, Value>);

impl Row {
    pub fn get(&self, column: &str) -> &Value {
        self.0.get(&column.to_lowercase()).unwrap_or(&Value::Null)
    }

    pub fn text(&self, column: &str) -> &str {
        self.get(column).as_str().unwrap_or_default()
    }

    pub fn number(&self, column: &str) -> i64 {
        self.get(column).as_i64().unwrap_or_default()
    }

    pub fn flag(&self, column: &str) -> bool {
        is_true(self.get(column))
    }
}

/// What the tables hold.
#[derive(Clone, Debug, Default)]
pub struct Live {
    tables: HashMap<&'static str, Vec<Row>>,
}

impl Live {
    /// Reads the tables, in one batch.
    pub async fn read(connection: &mut Connection, tables: &[&'static str]) -> Result<Self> {
        let schema = quote::name(SCHEMA);
        let select = |table: &&str| format!("SELECT * FROM {schema}.{} ORDER BY [Id];", quote::name(table));
        let sql: Vec<String> = tables.iter().map(select).collect();
        let sets = connection.batch(&sql.join("\n")).await?;
        if sets.len() != tables.len() {
            let message = format!(
                "{} answered {} of {} tables",
                connection.name(),
                sets.len(),
                tables.len()
            );
            return Err(Error::failed(message));
        }
        Ok(Self {
            tables: tables.iter().copied().zip(sets.iter().map(rows)).collect(),
        })
    }

    pub fn rows(&self, table: &str) -> &[Row] {
        self.tables.get(table).map(Vec::as_slice).unwrap_or_default()
    }

    /// The rows of a child table that belong to a parent.
    pub fn children<'a>(&'a self, table: &str, parent: &'static str, id: i64) -> impl Iterator<Item = &'a Row> {
        self.rows(table).iter().filter(move |row| row.number(parent) == id)
    }
}

fn rows(set: &ResultSet) -> Vec<Row> {
    let row = |row: &Vec<Value>| {
        let names = set.columns.iter().map(|name| name.to_lowercase());
        Row(names.zip(row.iter().cloned()).collect())
    };
    set.rows.iter().map(row).collect()
}

/// A grant type as people call it.
pub fn short_grant_type(grant_type: &str) -> &str {
    if grant_type == DEVICE_CODE {
        "device_code"
    } else {
        grant_type
    }
}

#[cfg(test)]
impl Schema {
    /// Tables with their columns; `!` before a column that an insert has to name.
    pub fn of(tables: &[(&str, &[&str])]) -> Self {
        let column = |name: &&str| Column {
            name: name.trim_start_matches('!').to_owned(),
            needed: name.starts_with('!'),
        };
        let table = |(name, columns): &(&str, &[&str])| (name.to_lowercase(), columns.iter().map(column).collect());
        Self {
            tables: tables.iter().map(table).collect(),
        }
    }
}

#[cfg(test)]
impl Live {
    /// Tables with their rows, as JSON.
    pub fn of(tables: &[(&'static str, Value)]) -> Self {
        let row = |row: &Value| {
            let columns = row.as_object().cloned().unwrap_or_default();
            Row(columns
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect())
        };
        let table = |(name, list): &(&'static str, Value)| {
            (
                *name,
                list.as_array()
                    .map(|list| list.iter().map(row).collect())
                    .unwrap_or_default(),
            )
        };
        Self {
            tables: tables.iter().map(table).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_by_tables_and_columns() {
        let all: Vec<(&str, &[&str])> = TABLES.iter().map(|table| (*table, ["Id"].as_slice())).collect();
        assert_eq!(Schema::of(&all).version().unwrap(), "IdentityServer4 4.1");
        let with = |table: &'static str, column: &'static [&'static str]| {
            let mut all = all.clone();
            all.retain(|(name, _)| *name != table);
            all.push((table, column));
            Schema::of(&all).version().map(str::to_owned)
        };
        assert_eq!(
            with("ApiResources", &["RequireResourceIndicator"]).unwrap(),
            "Duende IdentityServer 5"
        );
        assert_eq!(with("clients", &["cibalifetime"]).unwrap(), "Duende IdentityServer 6.0");
        assert!(with("ApiClaims", &["Id"]).unwrap_err().message().contains("2 or 3"));
        let error = Schema::default().version().unwrap_err();
        assert!(error.help().unwrap().contains("migrate::up"));
    }
}
