//! What was applied: `dbo.iacsh_migrations`, and `dbo.iacsh_migration_batches` for files that run without a
//! transaction.

use serde_json::Value;

use super::files::Migration;
use crate::error::{Error, Result};
use crate::mssql::connection::Connection;
use crate::mssql::value::{Param, ResultSet};

/// A row of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub version: u64,
    pub name: String,
    pub checksum: String,
    /// ISO 8601, UTC. `None` for a file without a transaction that was begun and not finished.
    pub applied_at: Option<String>,
}

/// A batch that a file without a transaction has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Counts from 1 over the batches of the file, each as often as its `GO` says.
    pub step: u64,
    pub checksum: String,
}

const TABLES: &str = "\
IF OBJECT_ID(N'dbo.iacsh_migrations', N'U') IS NULL
    CREATE TABLE dbo.iacsh_migrations (
        version bigint NOT NULL,
        name nvarchar(260) NOT NULL,
        checksum nvarchar(64) NOT NULL,
        started_at datetime2 NOT NULL,
        applied_at datetime2 NULL,
        applied_by nvarchar(128) NOT NULL,
        duration_ms bigint NULL,
        CONSTRAINT PK_iacsh_migrations PRIMARY KEY (version)
    );
IF OBJECT_ID(N'dbo.iacsh_migration_batches', N'U') IS NULL
    CREATE TABLE dbo.iacsh_migration_batches (
        version bigint NOT NULL,
        step int NOT NULL,
        checksum nvarchar(64) NOT NULL,
        applied_at datetime2 NOT NULL,
        CONSTRAINT PK_iacsh_migration_batches PRIMARY KEY (version, step)
    );";

/// Whether the history's tables are there.
pub async fn exists(connection: &mut Connection) -> Result<bool> {
    let sets = connection
        .batch("SELECT OBJECT_ID(N'dbo.iacsh_migrations', N'U') AS id;")
        .await?;
    Ok(sets.first().and_then(ResultSet::scalar).is_some_and(|id| !id.is_null()))
}

/// Makes the history's tables, if they are not there. Runs under the lock.
pub async fn create(connection: &mut Connection) -> Result<()> {
    connection
        .batch(TABLES)
        .await
        .map_err(|error| error.context("the table of applied migrations"))?;
    Ok(())
}

/// The history, in the order of the versions.
pub async fn read(connection: &mut Connection) -> Result<Vec<Entry>> {
    let sets = connection
        .batch("SELECT version, name, checksum, applied_at FROM dbo.iacsh_migrations ORDER BY version;")
        .await?;
    let rows = sets.into_iter().next().unwrap_or_default().rows;
    rows.iter()
        .map(|row| match row.as_slice() {
            [
                Value::Number(version),
                Value::String(name),
                Value::String(checksum),
                applied_at,
            ] => Some(Entry {
                version: version.as_u64()?,
                name: name.clone(),
                checksum: checksum.clone(),
                applied_at: applied_at.as_str().map(str::to_owned),
            }),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            Error::failed("dbo.iacsh_migrations is not the table that iacsh made")
                .hint("rename the table; the history is written anew")
        })
}

/// Records a file. Within the file's own transaction, so that both are there or neither.
pub async fn record(connection: &mut Connection, migration: &Migration, user: &str, milliseconds: u64) -> Result<()> {
    let params = [
        Param::Int(i64::try_from(migration.version).unwrap_or(i64::MAX)),
        migration.name.as_str().into(),
        migration.checksum.as_str().into(),
        user.into(),
        Param::Int(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
    ];
    connection
        .execute(
            "INSERT INTO dbo.iacsh_migrations (version, name, checksum, started_at, applied_at, applied_by, duration_ms) \
             VALUES (@P1, @P2, @P3, SYSUTCDATETIME(), SYSUTCDATETIME(), @P4, @P5)",
            &params,
        )
        .await?;
    Ok(())
}

/// Records that a file without a transaction is begun.
pub async fn begin(connection: &mut Connection, migration: &Migration, user: &str) -> Result<()> {
    let params = [
        Param::Int(i64::try_from(migration.version).unwrap_or(i64::MAX)),
        migration.name.as_str().into(),
        migration.checksum.as_str().into(),
        user.into(),
    ];
    connection
        .execute(
            "INSERT INTO dbo.iacsh_migrations (version, name, checksum, started_at, applied_by) \
             VALUES (@P1, @P2, @P3, SYSUTCDATETIME(), @P4)",
            &params,
        )
        .await?;
    Ok(())
}

/// The batches that a file without a transaction has done, in their order.
pub async fn done(connection: &mut Connection, version: u64) -> Result<Vec<Done>> {
    let version = Param::Int(i64::try_from(version).unwrap_or(i64::MAX));
    let sets = connection
        .query(
            "SELECT step, checksum FROM dbo.iacsh_migration_batches WHERE version = @P1 ORDER BY step",
            &[version],
        )
        .await?;
    let rows = sets.into_iter().next().unwrap_or_default().rows;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let step = row.first()?.as_u64()?;
            Some(Done {
                step,
                checksum: row.get(1)?.as_str()?.to_owned(),
            })
        })
        .collect())
}

/// Records a batch of a file without a transaction.
pub async fn record_batch(connection: &mut Connection, version: u64, done: &Done) -> Result<()> {
    let params = [
        Param::Int(i64::try_from(version).unwrap_or(i64::MAX)),
        Param::Int(i64::try_from(done.step).unwrap_or(i64::MAX)),
        done.checksum.as_str().into(),
    ];
    connection
        .execute(
            "INSERT INTO dbo.iacsh_migration_batches (version, step, checksum, applied_at) \
             VALUES (@P1, @P2, @P3, SYSUTCDATETIME())",
            &params,
        )
        .await?;
    Ok(())
}

/// Records that a file without a transaction is finished, with the text that it has now: a batch that failed may have
/// been mended since the file was begun.
pub async fn finish(connection: &mut Connection, migration: &Migration, milliseconds: u64) -> Result<()> {
    let params = [
        Param::Int(i64::try_from(migration.version).unwrap_or(i64::MAX)),
        migration.checksum.as_str().into(),
        Param::Int(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
    ];
    connection
        .execute(
            "UPDATE dbo.iacsh_migrations SET checksum = @P2, applied_at = SYSUTCDATETIME(), duration_ms = @P3 \
             WHERE version = @P1",
            &params,
        )
        .await?;
    Ok(())
}
