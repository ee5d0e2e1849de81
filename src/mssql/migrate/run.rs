//! Running one file.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::checksum::checksum;
use super::files::Migration;
use super::history::{self, Done};
use super::variables::{Variable, substitute};
use crate::error::{Error, Location, Result};
use crate::mssql::batches::{Batch, split};
use crate::mssql::connection::Connection;
use crate::mssql::error::Failure;
use crate::mssql::quote;

/// What running a file needs besides the connection.
pub(super) struct Context<'a> {
    pub database: &'a str,
    pub user: &'a str,
    pub variables: &'a BTreeMap<String, Variable>,
}

/// A batch as it is sent, with its place in the file.
struct Ready<'a> {
    batch: Batch<'a>,
    sql: String,
}

/// Applies a file and records it. How many batches were sent.
pub(super) async fn run(connection: &mut Connection, migration: &Migration, context: &Context<'_>) -> Result<u64> {
    // Substituted first: an undefined variable in the last batch stops the first one.
    let mut batches = Vec::new();
    for batch in split(&migration.text).into_iter().filter(|batch| !batch.is_empty()) {
        batches.push(Ready {
            batch,
            sql: substitute(migration, &batch, context.variables)?,
        });
    }
    // An earlier file may have left other settings. XACT_ABORT makes every error end the transaction.
    connection
        .batch("SET XACT_ABORT ON; SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON; SET NOCOUNT OFF;")
        .await?;
    match migration.transactional {
        true => in_transaction(connection, migration, &batches, context).await,
        false => batch_by_batch(connection, migration, &batches, context).await,
    }
}

/// All batches and the row of the history in one transaction.
///
/// Should the connection be lost while it commits, the next run reads from the history whether it was committed.
async fn in_transaction(
    connection: &mut Connection,
    migration: &Migration,
    batches: &[Ready<'_>],
    context: &Context<'_>,
) -> Result<u64> {
    let start = Instant::now();
    connection.batch("BEGIN TRANSACTION;").await?;
    let result = async {
        let mut count = 0;
        for ready in batches {
            for _ in 0..ready.batch.repeat {
                send(connection, migration, ready).await?;
                count += 1;
                still_ours(connection, migration, ready, context, true).await?;
            }
        }
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        history::record(connection, migration, context.user, milliseconds).await?;
        connection.batch("COMMIT TRANSACTION;").await?;
        Ok(count)
    }
    .await;
    if result.is_err() && connection.is_usable() {
        roll_back(connection, context).await?;
    }
    result
}

/// Ends whatever transaction is open, and goes back to the database if the script left it. Should this fail, the
/// connection is lost, and the server rolls back by itself.
async fn roll_back(connection: &mut Connection, context: &Context<'_>) -> Result<()> {
    connection.batch("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;").await?;
    if database(connection).await? != context.database {
        connection
            .batch(&format!("USE {};", quote::name(context.database)))
            .await?;
    }
    Ok(())
}

/// One batch after the other, each recorded when it is done.
async fn batch_by_batch(
    connection: &mut Connection,
    migration: &Migration,
    batches: &[Ready<'_>],
    context: &Context<'_>,
) -> Result<u64> {
    let start = Instant::now();
    let entries = history::read(connection).await?;
    if !entries.iter().any(|entry| entry.version == migration.version) {
        history::begin(connection, migration, context.user).await?;
    }
    let done = history::done(connection, migration.version).await?;
    let steps = batches
        .iter()
        .flat_map(|ready| (0..ready.batch.repeat).map(move |_| ready));
    let mut count = 0;
    for (step, ready) in (1u64..).zip(steps) {
        let hash = checksum(ready.batch.text);
        match done.iter().find(|done| done.step == step) {
            Some(done) if done.checksum == hash => continue,
            Some(_) => {
                return Err(Error::failed(format!(
                    "{} was changed in a batch that has already run",
                    migration.file
                ))
                .at(place(migration, ready, 1))
                .hint("put this batch back as it was; only the batch that failed and later ones may change"));
            }
            None => {}
        }
        send(connection, migration, ready).await?;
        still_ours(connection, migration, ready, context, false).await?;
        history::record_batch(connection, migration.version, &Done { step, checksum: hash }).await?;
        count += 1;
    }
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    history::finish(connection, migration, milliseconds).await?;
    Ok(count)
}

async fn send(connection: &mut Connection, migration: &Migration, ready: &Ready<'_>) -> Result<()> {
    match connection.try_batch(&ready.sql).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            let error = match &failure {
                // 226: "... statement not allowed within multi-statement transaction." and its relatives.
                Failure::Server(error) if matches!(error.number, 226 | 574 | 3023 | 5032 | 9003) => {
                    Some("write `-- iacsh: no-transaction` at the top of the file: this cannot run in a transaction")
                }
                _ => None,
            };
            let hint = error;
            let error = failure.placed(|line| place(migration, ready, line));
            let error = error.context(format!("migration {}", migration.name));
            Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}

/// Whether the batch left the connection as it was: in the same database, with our transaction open, or with none.
async fn still_ours(
    connection: &mut Connection,
    migration: &Migration,
    ready: &Ready<'_>,
    context: &Context<'_>,
    transactional: bool,
) -> Result<()> {
    let sets = connection
        .batch("SELECT DB_NAME() AS name, XACT_STATE() AS state, @@TRANCOUNT AS depth;")
        .await?;
    let row = sets.first().and_then(|set| set.rows.first());
    let column = |index: usize| row.and_then(|row| row.get(index));
    let name = column(0).and_then(Value::as_str).unwrap_or_default();
    let state = column(1).and_then(Value::as_i64).unwrap_or_default();
    let depth = column(2).and_then(Value::as_i64).unwrap_or_default();
    let failed = |message: &str| {
        Error::failed(format!("migration {}: {message}", migration.name)).at(place(migration, ready, 1))
    };
    if !name.eq_ignore_ascii_case(context.database) {
        return Err(failed(&format!("this batch changed the database to {name}"))
            .hint("a migration belongs to one database: take the USE out"));
    }
    match (transactional, state, depth) {
        (true, 1, 1) | (false, 0, 0) => Ok(()),
        (true, -1, _) => Err(failed(
            "this batch left the transaction in a state that cannot be committed",
        )),
        (true, _, 0) => Err(failed("this batch ended the transaction in which the file runs")
            .hint("take COMMIT and ROLLBACK out, or write `-- iacsh: no-transaction` at the top of the file")),
        (true, _, depth) => Err(
            failed(&format!("this batch left {} of its own transactions open", depth - 1))
                .hint("close each BEGIN TRANSACTION with a COMMIT in the same batch"),
        ),
        (false, _, _) => {
            // What it did is not committed, so it is not recorded either.
            connection.batch("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;").await?;
            Err(failed("this batch left a transaction open, which was rolled back")
                .hint("close each BEGIN TRANSACTION with a COMMIT in the same batch"))
        }
    }
}

async fn database(connection: &mut Connection) -> Result<String> {
    let sets = connection.batch("SELECT DB_NAME() AS name;").await?;
    let name = sets.first().and_then(|set| set.scalar()).and_then(Value::as_str);
    Ok(name.unwrap_or_default().to_owned())
}

/// A line of the batch as a place in the file.
fn place(migration: &Migration, ready: &Ready<'_>, line: usize) -> Location {
    // The server counts from the first line of what was sent; blanks before the first word are part of it.
    migration.at(ready.batch.script_line(line))
}
