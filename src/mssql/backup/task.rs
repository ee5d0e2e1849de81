//! The server's list of tasks: `msdb.dbo.rds_task_status`.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::mssql::verbs::Database;
use crate::mssql::{Failure, Param, ResultSet};

/// The database in which the procedures are called.
const MASTER: &str = "master";

/// What a task does, as `task_type` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Backup,
    Restore,
}

impl Work {
    /// Differential ones and those with NORECOVERY have longer names.
    fn task_type(self) -> &'static str {
        match self {
            Work::Backup => "BACKUP_DB",
            Work::Restore => "RESTORE_DB",
        }
    }
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    pub id: i64,
    /// `BACKUP_DB`, `RESTORE_DB`, ...
    pub kind: String,
    pub database: String,
    /// `CREATED`, `IN_PROGRESS`, `SUCCESS`, `ERROR`, `CANCEL_REQUESTED`, `CANCELLED`.
    pub state: String,
    pub percent: i64,
    pub minutes: i64,
    /// The ARN of the file.
    pub file: String,
    /// The server's words.
    pub info: String,
}

impl Task {
    fn read(row: &Map<String, Json>) -> Self {
        // The guide writes some columns with capitals and some with spaces.
        let plain = |name: &str| -> String { name.chars().filter(|c| !c.is_whitespace()).collect() };
        let value = |name: &str| {
            row.iter()
                .find(|(key, _)| plain(key).eq_ignore_ascii_case(&plain(name)))
        };
        let text = |name| match value(name) {
            Some((_, Json::String(text))) => text.clone(),
            _ => String::new(),
        };
        let number = |name| match value(name) {
            Some((_, Json::Number(number))) => number.as_i64().or(number.as_f64().map(|number| number as i64)),
            Some((_, Json::String(text))) => text.trim().parse().ok(),
            _ => None,
        };
        Self {
            id: number("task_id").unwrap_or_default(),
            kind: text("task_type"),
            database: text("database_name"),
            state: text("lifecycle"),
            percent: number("% complete").unwrap_or_default(),
            minutes: number("duration (mins)").unwrap_or_default(),
            file: text("S3_object_arn"),
            info: text("task_info"),
        }
    }

    pub fn is_running(&self) -> bool {
        matches!(self.state.as_str(), "CREATED" | "IN_PROGRESS" | "CANCEL_REQUESTED")
    }

    pub fn is(&self, work: Work) -> bool {
        self.kind.starts_with(work.task_type())
    }
}

/// The tasks of the server, the oldest first.
pub async fn all(database: &Database) -> Result<Vec<Task>> {
    let sets = call(database, "EXEC msdb.dbo.rds_task_status;", &[]).await?;
    let has_tasks = |set: &&ResultSet| set.columns.iter().any(|name| name.eq_ignore_ascii_case("task_id"));
    let rows = sets.iter().filter(has_tasks).flat_map(ResultSet::objects);
    let mut tasks: Vec<_> = rows.map(|row| Task::read(&row)).collect();
    tasks.sort_by_key(|task| task.id);
    Ok(tasks)
}

/// Those of one database.
pub async fn of(database: &Database) -> Result<Vec<Task>> {
    let mut tasks = all(database).await?;
    // Names of databases differ by more than case on hardly any server, and RDS refuses two that differ only by it.
    tasks.retain(|task| task.database.to_lowercase() == database.name.to_lowercase());
    Ok(tasks)
}

/// The state of a database, as `sys.databases` has it; `None` when there is none of that name.
pub async fn state(database: &Database) -> Result<Option<String>> {
    let sql = "SELECT state_desc FROM sys.databases WHERE name = @P1";
    let sets = call(database, sql, &[Param::Text(database.name.clone())]).await?;
    let state = sets.first().and_then(|set| set.scalar()).and_then(Json::as_str);
    Ok(state.map(str::to_owned))
}

/// Calls something in `master`, on a connection of its own: a task takes longer than a connection lasts.
pub async fn call(database: &Database, sql: &str, params: &[Param]) -> Result<Vec<ResultSet>> {
    let mut connection = database.on(MASTER).open().await?;
    let called = match params {
        [] => connection.try_batch(sql).await,
        params => connection.try_query(sql, params).await,
    };
    let sets = called.map_err(|failure| explained(failure, connection.name()))?;
    connection.close().await?;
    Ok(sets)
}

fn explained(failure: Failure, server: &str) -> Error {
    match failure.number() {
        2812 => Error::from(failure)
            .context(format!("{server} has no backups in S3"))
            .hint("only SQL Server on RDS has them; elsewhere use BACKUP DATABASE and RESTORE DATABASE"),
        _ => Error::from(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_read_whatever_its_columns_are_called() {
        let task = Task::read(
            json!({
                "task_id": 5, "task_type": "RESTORE_DB", "database_name": "Shop", "% complete": 35,
                "duration(mins)": 2, "lifecycle": "IN_PROGRESS", "task_info": null, "S3_OBJECT_ARN": "arn:aws:s3:::b/k",
            })
            .as_object()
            .unwrap(),
        );
        assert_eq!((task.id, task.percent, task.minutes), (5, 35, 2));
        assert_eq!((task.file.as_str(), task.info.as_str()), ("arn:aws:s3:::b/k", ""));
        assert!(task.is_running() && task.is(Work::Restore) && !task.is(Work::Backup));
        let guide = json!({ "duration (mins)": 7, "% complete": 5.0, "task_type": "RESTORE_DB_NORECOVERY" });
        let task = Task::read(guide.as_object().unwrap());
        assert_eq!((task.minutes, task.percent), (7, 5));
        assert!(task.is(Work::Restore) && !task.is_running());
    }
}
