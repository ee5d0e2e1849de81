//! Making the database what the files say.
//!
//! Safe to run again, to be stopped anywhere, and to run twice at once: all rows are written in one transaction under
//! an application lock, and what is there already is found by its natural key. Should something that does not take the
//! lock (the application's own seed) insert the same row at the same moment, the unique index refuses one of the two;
//! ours is rolled back, read again and planned anew.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::files::{self, Declared};
use super::plan::{Action, Change, Parent, Plan, Write, plan as compare};
use super::rules;
use super::secrets::Variables;
use super::store::{Live, SCHEMA, Schema, TABLES};
use super::wanted::{Cell, Entity, wanted};
use crate::error::{Error, Exit, Result};
use crate::mssql::value::{Param, ResultSet};
use crate::mssql::{Connection, Failure, lock, quote};
use crate::resource::Permit;

/// The application lock's name.
const LOCK: &str = "iacsh:identity";
const LOCK_LIMIT: Duration = Duration::from_secs(120);

/// How often a conflict with another writer is tried again.
const ATTEMPTS: u32 = 5;

/// What there is to do, or what was done.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the tables were made by: `IdentityServer4 4.1`.
    pub schema: &'static str,
    pub changes: Vec<Change>,
    /// How many of the declared were right already.
    pub unchanged: u64,
    /// What the database has and no file declares. It is left alone.
    pub undeclared: Vec<Undeclared>,
    pub warnings: Vec<String>,
    /// `false`: there is nothing to change.
    pub changed: bool,
}

/// In the database, and in no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undeclared {
    pub kind: &'static str,
    pub name: String,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.changed {
            return write!(
                f,
                "nothing to change: {} scopes, APIs and clients are as declared",
                self.unchanged
            );
        }
        let created = self
            .changes
            .iter()
            .filter(|change| change.action == Action::Create)
            .count();
        let updated = self.changes.len() - created;
        write!(f, "{created} created, {updated} updated, {} unchanged", self.unchanged)
    }
}

impl Report {
    /// The changes, one line each: `update client web: RequirePkce false -> true`.
    pub fn lines(&self) -> Vec<String> {
        let value = |value: &Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let mut lines = Vec::new();
        for change in &self.changes {
            let subject = format!("{} {}", change.kind, change.name);
            match change.action {
                Action::Create => lines.push(format!("create {subject}")),
                Action::Update => lines.extend(change.details.iter().map(|detail| {
                    let (was, becomes) = (value(&detail.was), value(&detail.becomes));
                    let what = match (was.as_str(), becomes.as_str()) {
                        ("", added) => format!("+ {added}"),
                        (removed, "") => format!("- {removed}"),
                        (was, becomes) => format!("{was} -> {becomes}"),
                    };
                    format!("update {subject}: {} {what}", detail.field)
                })),
            }
        }
        lines
    }
}

/// Whether the tables are there; the migrations make them.
pub async fn has_tables(connection: &mut Connection) -> Result<bool> {
    Ok(Schema::read(connection).await?.has_table("Clients"))
}

/// What the files of a directory declare: `client web`. They are checked as [`apply`] checks them.
pub fn declared_names(directory: &Path) -> Result<Vec<String>> {
    let (declared, _) = declared(directory)?;
    let resources = declared.identity_resources.iter();
    let mut names: Vec<_> = resources
        .map(|item| format!("identity resource {}", item.value.name))
        .collect();
    names.extend(declared.scopes.iter().map(|item| format!("scope {}", item.value.name)));
    names.extend(declared.apis.iter().map(|item| format!("API {}", item.value.name)));
    names.extend(declared.clients.iter().map(|item| format!("client {}", item.value.id)));
    Ok(names)
}

/// What [`apply`] would do. Writes nothing.
pub async fn plan(connection: &mut Connection, directory: &Path, variables: &Variables<'_>) -> Result<Report> {
    let (declared, warnings) = declared(directory)?;
    let entities = wanted(&declared, variables)?;
    let (plan, schema) = read_and_compare(connection, &declared, &entities).await?;
    Ok(report(plan, schema, warnings))
}

/// Creates and updates what the files of a directory declare. What they do not declare is left alone and told. The permit
/// is asked when there is something to change.
pub async fn apply(
    connection: &mut Connection,
    directory: &Path,
    variables: &Variables<'_>,
    permit: &Permit,
) -> Result<Report> {
    let (declared, warnings) = declared(directory)?;
    // Every secret is asked for before the lock is taken: a variable that is missing stops nothing half way.
    let entities = wanted(&declared, variables)?;
    lock::take(connection, LOCK, LOCK_LIMIT).await?;
    let result = locked(connection, &declared, &entities, permit).await;
    let released = lock::release(connection, LOCK).await;
    let (plan, schema) = result?;
    released?;
    Ok(report(plan, schema, warnings))
}

/// The files, when they are right. The preflight has said so before; by now they may have changed.
fn declared(directory: &Path) -> Result<(Declared, Vec<String>)> {
    let declared = files::read(directory).map_err(|error| error.with_exit(Exit::Failed))?;
    let findings = rules::check(&declared);
    match Error::all(findings.errors) {
        Some(error) => Err(error.with_exit(Exit::Failed)),
        None => Ok((declared, findings.warnings)),
    }
}

fn report(plan: Plan, schema: &'static str, mut warnings: Vec<String>) -> Report {
    warnings.extend(plan.warnings);
    Report {
        schema,
        changed: !plan.changes.is_empty(),
        changes: plan.changes,
        unchanged: plan.unchanged,
        undeclared: plan
            .undeclared
            .into_iter()
            .map(|(kind, name)| Undeclared { kind, name })
            .collect(),
        warnings,
    }
}

async fn locked(
    connection: &mut Connection,
    declared: &Declared,
    entities: &[Entity],
    permit: &Permit,
) -> Result<(Plan, &'static str)> {
    let mut attempt = 1;
    loop {
        let (plan, schema) = read_and_compare(connection, declared, entities).await?;
        if plan.changes.is_empty() {
            return Ok((plan, schema));
        }
        permit.ask().await?;
        match write_all(connection, &plan.changes).await {
            Ok(()) => return Ok((plan, schema)),
            Err(Failure::Server(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                tracing::debug!(target: "iacsh::identity", number = error.number, attempt, "another writer was first");
                tokio::time::sleep(Duration::from_millis(50) * attempt).await;
                attempt += 1;
            }
            Err(failure) => return Err(Error::from(failure).context("writing the clients")),
        }
    }
}

async fn read_and_compare(
    connection: &mut Connection,
    declared: &Declared,
    entities: &[Entity],
) -> Result<(Plan, &'static str)> {
    let schema = Schema::read(connection).await?;
    let version = schema.version()?;
    let live = Live::read(connection, &TABLES).await?;
    let names = |table: &str, own: Vec<String>| {
        let live = live.rows(table).iter().map(|row| row.text("Name").to_owned());
        live.chain(own).collect::<Vec<_>>()
    };
    let scopes = names(
        "ApiScopes",
        declared.scopes.iter().map(|item| item.value.name.clone()).collect(),
    );
    let resources = names(
        "IdentityResources",
        declared
            .identity_resources
            .iter()
            .map(|item| item.value.name.clone())
            .collect(),
    );
    if let Some(error) = Error::all(rules::check_names(declared, &scopes, &resources)) {
        return Err(error.with_exit(Exit::Failed));
    }
    Ok((compare(entities, &schema, &live)?, version))
}

/// All or nothing.
async fn write_all(connection: &mut Connection, changes: &[Change]) -> Result<(), Failure> {
    connection.try_batch("SET XACT_ABORT ON; BEGIN TRANSACTION;").await?;
    let result = async {
        for change in changes {
            write(connection, change).await?;
        }
        connection.try_batch("COMMIT TRANSACTION;").await.map(drop)
    }
    .await;
    if result.is_err() && connection.is_usable() {
        connection.try_batch("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;").await?;
    }
    result
}

async fn write(connection: &mut Connection, change: &Change) -> Result<(), Failure> {
    let id = match &change.parent {
        Parent::Insert { table, cells } => insert(connection, table, cells).await?,
        Parent::Update { table, id, cells } => {
            update(connection, table, *id, cells).await?;
            *id
        }
    };
    for child in &change.children {
        match child {
            Write::Insert { table, parent, cells } => {
                let mut cells = cells.clone();
                cells.push((parent, Cell::Int(id)));
                insert(connection, table, &cells).await?;
            }
            Write::Update { table, id, cells } => update(connection, table, *id, cells).await?,
            Write::Delete { table, id } => {
                let sql = format!("DELETE FROM {} WHERE [Id] = @P1", qualified(table));
                connection.try_execute(&sql, &[Param::Int(*id)]).await?;
            }
        }
    }
    Ok(())
}

fn qualified(table: &str) -> String {
    format!("{}.{}", quote::name(SCHEMA), quote::name(table))
}

/// The cells as parameters, and what stands for each in the statement.
fn parameters(cells: &[(&'static str, Cell)]) -> (Vec<String>, Vec<Param>) {
    let mut params = Vec::new();
    let mut places = Vec::new();
    for (_, cell) in cells {
        params.push(match cell {
            Cell::Now => {
                places.push("SYSUTCDATETIME()".to_owned());
                continue;
            }
            Cell::Null => Param::Null,
            Cell::Bool(value) => Param::Bool(*value),
            Cell::Int(value) => Param::Int(*value),
            Cell::Text(value) => Param::Text(value.clone()),
        });
        places.push(format!("@P{}", params.len()));
    }
    (places, params)
}

/// Inserts a row. Its number.
async fn insert(connection: &mut Connection, table: &str, cells: &[(&'static str, Cell)]) -> Result<i64, Failure> {
    let (places, params) = parameters(cells);
    let columns: Vec<String> = cells.iter().map(|(column, _)| quote::name(column)).collect();
    // SCOPE_IDENTITY: @@IDENTITY would give the number of a row that a trigger inserted.
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}); SELECT CAST(SCOPE_IDENTITY() AS int) AS id;",
        qualified(table),
        columns.join(", "),
        places.join(", ")
    );
    let sets = connection.try_query(&sql, &params).await?;
    sets.last()
        .and_then(ResultSet::scalar)
        .and_then(serde_json::Value::as_i64)
        .ok_or_else(|| {
            Failure::Lost(Error::failed(format!(
                "{} gave no number to the new row of {table}",
                connection.name()
            )))
        })
}

async fn update(
    connection: &mut Connection,
    table: &str,
    id: i64,
    cells: &[(&'static str, Cell)],
) -> Result<(), Failure> {
    if cells.is_empty() {
        return Ok(());
    }
    let (places, mut params) = parameters(cells);
    let sets = cells
        .iter()
        .zip(places)
        .map(|((column, _), place)| format!("{} = {place}", quote::name(column)));
    let sets: Vec<String> = sets.collect();
    params.push(Param::Int(id));
    let sql = format!(
        "UPDATE {} SET {} WHERE [Id] = @P{}",
        qualified(table),
        sets.join(", "),
        params.len()
    );
    connection.try_execute(&sql, &params).await.map(drop)
}
