//! Applying what is pending.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::files::{self, Migration};
use super::history;
use super::run::{Context, run};
use super::status::{State, compare, refuse};
use super::variables::Variable;
use crate::error::{Error, Exit, Result};
use crate::mssql::connect::Connector;
use crate::mssql::connection::{self, Connection};
use crate::mssql::value::{Param, ResultSet};
use crate::mssql::{lock, quote};
use crate::resource::Permit;

/// How to apply.
#[derive(Clone, Debug)]
pub struct Options {
    /// The values of `$(Name)`.
    pub variables: BTreeMap<String, Variable>,
    /// Whether a database that is not there is created. The default is yes.
    pub create: bool,
    /// Whether a file may be applied although a later one already is.
    pub out_of_order: bool,
    /// How long to wait for another run to finish.
    pub lock_timeout: Duration,
    /// How long one batch may take; `None`, the default, waits for ever.
    pub timeout: Option<Duration>,
    /// The application's own Entity Framework migrations, to be recorded as done.
    pub ef_history: Option<EfHistory>,
    /// Asked before the first write, and not when there is nothing to change.
    pub permit: Permit,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            variables: BTreeMap::new(),
            create: true,
            out_of_order: false,
            lock_timeout: Duration::from_secs(300),
            timeout: None,
            ef_history: None,
            permit: Permit::always(),
        }
    }
}

/// Migrations of Entity Framework that count as applied, because these files made what they would make.
///
/// An application that calls `Database.Migrate()` at its start creates every table whose migration is not recorded, and
/// fails on a table that is there (error 2714).
#[derive(Clone, Debug, Deserialize)]
pub struct EfHistory {
    /// `dbo` unless the application configured another.
    #[serde(default = "EfHistory::default_schema")]
    pub schema: String,
    /// `__EFMigrationsHistory` unless the application configured another.
    #[serde(default = "EfHistory::default_table")]
    pub table: String,
    pub migrations: Vec<EfMigration>,
}

impl EfHistory {
    fn default_schema() -> String {
        "dbo".to_owned()
    }

    fn default_table() -> String {
        "__EFMigrationsHistory".to_owned()
    }

    /// These migrations, in the usual table.
    pub fn of(migrations: Vec<EfMigration>) -> Self {
        Self {
            schema: Self::default_schema(),
            table: Self::default_table(),
            migrations,
        }
    }
}

/// A row of `__EFMigrationsHistory`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfMigration {
    /// The application's own: `20200522172542_Config`.
    pub id: String,
    /// The version of Entity Framework: `3.1.0`.
    pub product_version: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub database: String,
    /// Whether the database had to be created.
    pub created: bool,
    /// All files, in their order.
    pub migrations: Vec<Outcome>,
    /// The Entity Framework migrations that were recorded.
    pub ef_history: Vec<String>,
    /// `false`: there was nothing to change.
    pub changed: bool,
}

/// What was done with one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub name: String,
    /// `true`: by this run. `false`: it was applied before.
    pub applied: bool,
    /// How many batches were sent.
    pub batches: u64,
    pub milliseconds: u64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.changed {
            return write!(
                f,
                "nothing to change: all {} migrations are applied",
                self.migrations.len()
            );
        }
        let applied = self.migrations.iter().filter(|outcome| outcome.applied).count();
        if self.created {
            write!(f, "created the database {}, ", self.database)?;
        }
        write!(f, "applied {applied} of {} migrations", self.migrations.len())?;
        match self.ef_history.len() {
            0 => Ok(()),
            count => write!(f, ", recorded {count} of Entity Framework"),
        }
    }
}

/// How often a database that was just created is asked for.
const READY_POLL: Duration = Duration::from_millis(200);
/// How long it may take to come up.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Applies the pending migrations of a directory to a database, which is created if it is not there.
///
/// Safe to run again at any time, and from two places at once: see [`super`].
pub async fn up(connector: Arc<dyn Connector>, database: &str, directory: &Path, options: &Options) -> Result<Report> {
    let files = files::read(directory)?;
    // The driver would cut a longer one off in the login.
    if database.is_empty() || database.chars().count() > 128 {
        return Err(Error::failed(format!("{database:?} is no name for a database")).hint("1 to 128 characters"));
    }
    let (mut connection, created) = reach(&connector, database, options).await?;
    let resource = format!("iacsh:migrate:{database}");
    connection.set_timeout(Some(options.lock_timeout + Duration::from_secs(30)));
    lock::take(&mut connection, &resource, options.lock_timeout).await?;
    connection.set_timeout(options.timeout);
    let result = locked(&mut connection, &connector, database, &files, options).await;
    connection.set_timeout(Some(Duration::from_secs(30)));
    let released = lock::release(&mut connection, &resource).await;
    let mut report = result?;
    released?;
    connection.close().await?;
    report.created = created;
    report.changed |= created;
    Ok(report)
}

async fn locked(
    connection: &mut Connection,
    connector: &Arc<dyn Connector>,
    database: &str,
    files: &[Migration],
    options: &Options,
) -> Result<Report> {
    // As the server spells it, for the comparison after each batch.
    let database = current_database(connection)
        .await?
        .unwrap_or_else(|| database.to_owned());
    if !history::exists(connection).await? {
        options.permit.ask().await?;
        history::create(connection).await?;
    }
    let entries = history::read(connection).await?;
    let items = compare(files, &entries);
    refuse(&items, files, options.out_of_order)?;
    let context = Context {
        database: &database,
        user: &connector.server().user,
        variables: &options.variables,
    };
    let mut migrations = Vec::new();
    let mut changed = false;
    for (file, item) in files
        .iter()
        .zip(items.iter().filter(|item| item.state != State::Missing))
    {
        let start = Instant::now();
        let applied = item.state != State::Applied;
        if applied {
            options.permit.ask().await?;
        }
        let batches = match applied {
            true => run(connection, file, &context).await?,
            false => 0,
        };
        changed |= applied;
        let milliseconds = if applied {
            u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
        } else {
            0
        };
        migrations.push(Outcome {
            name: file.name.clone(),
            applied,
            batches,
            milliseconds,
        });
    }
    let ef_history = match &options.ef_history {
        Some(history) => record_ef(connection, history, &options.permit).await?,
        None => Vec::new(),
    };
    changed |= !ef_history.is_empty();
    Ok(Report {
        database,
        created: false,
        migrations,
        ef_history,
        changed,
    })
}

/// A connection to the database, and whether it had to be created.
async fn reach(connector: &Arc<dyn Connector>, database: &str, options: &Options) -> Result<(Connection, bool)> {
    let connect = || Connection::connect(Arc::clone(connector), connection::Options::database(database));
    let error = match connect().await {
        Ok(connection) => return Ok((connection, false)),
        Err(error) => error,
    };
    if error.code() != "4060" || !options.create {
        return Err(error);
    }
    options.permit.ask().await?;
    let created = create(connector, database, options).await?;
    // A database that is being created by someone else, or that is coming up, refuses logins for a moment.
    let start = Instant::now();
    loop {
        match connect().await {
            Ok(connection) => return Ok((connection, created)),
            Err(error) if error.code() == "4060" && start.elapsed() < READY_LIMIT && created => {
                tokio::time::sleep(READY_POLL).await;
            }
            Err(error) if error.code() == "4060" && !created => {
                return Err(error
                    .with_exit(Exit::Config)
                    .hint("the database is there, but this login may not open it: create a user for the login in it"));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Creates the database, unless another run does so first. Returns whether this one did.
async fn create(connector: &Arc<dyn Connector>, database: &str, options: &Options) -> Result<bool> {
    let in_master = connection::Options {
        timeout: Some(options.lock_timeout + Duration::from_secs(60)),
        ..connection::Options::database("master")
    };
    let mut master = Connection::connect(Arc::clone(connector), in_master)
        .await
        .map_err(|error| error.context(format!("creating the database {database}")))?;
    let resource = format!("iacsh:migrate:{database}");
    lock::take(&mut master, &resource, options.lock_timeout).await?;
    let result = async {
        let sets = master
            .batch(&format!("SELECT DB_ID({}) AS id;", quote::text(database)))
            .await?;
        if sets
            .first()
            .and_then(|set| set.scalar())
            .is_some_and(|id| !id.is_null())
        {
            return Ok(false);
        }
        // 1801: it exists after all, because someone who does not take our lock made it meanwhile.
        match master
            .try_batch(&format!("CREATE DATABASE {};", quote::name(database)))
            .await
        {
            Ok(_) => Ok(true),
            Err(failure) if failure.number() == 1801 => Ok(false),
            Err(failure) => Err(Error::from(failure).context(format!("creating the database {database}"))),
        }
    }
    .await;
    let released = lock::release(&mut master, &resource).await;
    let created = result?;
    released?;
    master.close().await?;
    Ok(created)
}

async fn current_database(connection: &mut Connection) -> Result<Option<String>> {
    let sets = connection.batch("SELECT DB_NAME() AS name;").await?;
    Ok(sets
        .first()
        .and_then(|set| set.scalar())
        .and_then(Value::as_str)
        .map(str::to_owned))
}

/// Records the migrations of Entity Framework that are not recorded. Which ones they were.
async fn record_ef(connection: &mut Connection, history: &EfHistory, permit: &Permit) -> Result<Vec<String>> {
    for migration in &history.migrations {
        // The columns of EF Core's table: nvarchar(150) and nvarchar(32).
        if migration.id.is_empty()
            || migration.id.chars().count() > 150
            || migration.product_version.chars().count() > 32
        {
            return Err(
                Error::failed(format!("{:?} is no migration of Entity Framework", migration.id))
                    .hint("an id looks like 20200522172542_Config, a version like 3.1.0"),
            );
        }
    }
    let table = format!("{}.{}", quote::name(&history.schema), quote::name(&history.table));
    let id = format!("SELECT OBJECT_ID({}, N'U') AS id;", quote::text(&table));
    let id = connection.batch(&id).await?;
    if id.first().and_then(ResultSet::scalar).is_none_or(Value::is_null) {
        permit.ask().await?;
        // Asked again by the server: an application that migrates itself may make it at this moment.
        connection
            .batch(&format!(
                "IF OBJECT_ID({}, N'U') IS NULL\n    CREATE TABLE {table} (\n        [MigrationId] nvarchar(150) NOT NULL,\n        \
                 [ProductVersion] nvarchar(32) NOT NULL,\n        CONSTRAINT {} PRIMARY KEY ([MigrationId])\n    );",
                quote::text(&table),
                quote::name(&format!("PK_{}", history.table)),
            ))
            .await?;
    }
    let sets = connection.batch(&format!("SELECT [MigrationId] FROM {table};")).await?;
    let rows = sets.into_iter().next().unwrap_or_default().rows;
    let present: Vec<&str> = rows.iter().filter_map(|row| row.first()?.as_str()).collect();
    let mut recorded = Vec::new();
    for migration in history
        .migrations
        .iter()
        .filter(|migration| !present.contains(&migration.id.as_str()))
    {
        permit.ask().await?;
        // 2627: an application that migrated itself at this moment recorded it first, which is as good.
        let result = connection
            .try_execute(
                &format!("INSERT INTO {table} ([MigrationId], [ProductVersion]) VALUES (@P1, @P2)"),
                &[
                    Param::from(migration.id.as_str()),
                    Param::from(migration.product_version.as_str()),
                ],
            )
            .await;
        match result {
            Ok(_) => recorded.push(migration.id.clone()),
            Err(failure) if failure.number() == 2627 => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(recorded)
}
