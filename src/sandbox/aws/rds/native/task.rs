//! Tasks: what they are, and how `rds_task_status` shows them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::super::call::{Call, Fault};
use super::super::instance::Instance;
use super::bucket::Object;
use crate::sandbox::mssql::beside::Answer;
use crate::sandbox::mssql::catalog::same;
use crate::sandbox::mssql::datetime::Moment;
use crate::sandbox::mssql::value::{SqlType, Value};

pub const KIND: &str = "rds/native-task";

/// "Task history is retained for 36 days." Like all that is counted in days, it is not divided by the time scale.
const REMEMBERED: Duration = Duration::from_secs(36 * 24 * 3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    Backup { overwrite: bool },
    Restore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Created,
    InProgress,
    CancelRequested,
    Success,
    Error,
    Cancelled,
}

impl State {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }

    /// The column `lifecycle`.
    fn words(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::InProgress => "IN_PROGRESS",
            Self::CancelRequested => "CANCEL_REQUESTED",
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::Cancelled => "CANCELLED",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Counted for each instance.
    pub id: i64,
    /// Unlike any other task's: in the backup that it writes, and in the name of the file that it restores.
    pub mark: String,
    /// The instance's, which stays when it is renamed.
    pub resource: String,
    /// The instance's name when it was created.
    pub instance: String,
    pub work: Work,
    pub database: String,
    /// As it was given.
    pub arn: String,
    pub object: Object,
    pub state: State,
    /// Milliseconds since 1970, as all times here.
    pub created: i64,
    pub updated: i64,
    pub begins: i64,
    pub ends: i64,
    /// What was told, and when.
    pub info: Vec<(i64, String)>,
}

impl Task {
    fn key(&self) -> String {
        format!("{}/{}", self.resource, self.id)
    }

    /// Those of an instance, the first one first.
    pub fn all(call: &Call<'_>, instance: &Instance) -> Result<Vec<Self>, Fault> {
        call.store.children(KIND, &instance.resource)
    }

    pub fn save(&self, call: &Call<'_>) -> Result<(), Fault> {
        let due = match self.state {
            State::Created => self.begins,
            State::InProgress | State::CancelRequested => self.ends,
            _ => self.updated + i64::try_from(REMEMBERED.as_millis()).unwrap_or_default(),
        };
        let key = self.key();
        call.store.entry(KIND, &key).parent(&self.resource).due(due).put(self)
    }

    pub fn delete(&self, call: &Call<'_>) -> Result<(), Fault> {
        call.store.delete(KIND, &self.key()).map(|_| ())
    }

    pub fn is_restore_of(&self, database: &str) -> bool {
        self.work == Work::Restore && same(&self.database, database)
    }

    pub fn tell(&mut self, at: i64, text: impl Into<String>) {
        self.info.push((at, text.into()));
    }

    /// The end of the task.
    pub fn finish(&mut self, state: State, at: i64) {
        (self.state, self.updated) = (state, at);
    }

    /// "The status is updated after every 5 percent of progress."
    fn percent(&self, now: i64) -> i64 {
        match self.state {
            State::Success => 100,
            State::InProgress => {
                let (done, all) = ((now - self.begins).max(0), (self.ends - self.begins).max(1));
                (done * 100 / all).min(99) / 5 * 5
            }
            _ => 0,
        }
    }
}

/// The tasks of an instance that is gone are gone.
pub fn forget(call: &Call<'_>, instance: &Instance) -> Result<(), Fault> {
    Task::all(call, instance)?.iter().try_for_each(|task| task.delete(call))
}

const TEXT: SqlType = SqlType::NVarChar(None);
const COLUMNS: &[(&str, SqlType)] = &[
    ("task_id", SqlType::Int),
    ("task_type", SqlType::NVarChar(Some(64))),
    ("database_name", SqlType::NVarChar(Some(128))),
    ("% complete", SqlType::Int),
    ("duration (mins)", SqlType::Int),
    ("lifecycle", SqlType::NVarChar(Some(64))),
    ("task_info", TEXT),
    ("last_updated", SqlType::DateTime),
    ("created_at", SqlType::DateTime),
    ("S3_object_arn", TEXT),
    ("overwrite_s3_backup_file", SqlType::Bit),
    ("KMS_master_key_arn", TEXT),
    ("filepath", TEXT),
    ("overwrite_file", SqlType::Bit),
];

/// The tasks as `rds_task_status` gives them.
pub fn table(call: &Call<'_>, tasks: &[Task]) -> Answer {
    let moment = |at: i64| Value::text(Moment::of_unix(at).round_datetime().stored());
    let row = |task: &Task| {
        let until = if task.state.is_over() { task.updated } else { call.now };
        let (kind, overwrite) = match task.work {
            Work::Backup { overwrite } => ("BACKUP_DB", overwrite),
            Work::Restore => ("RESTORE_DB", false),
        };
        let line = |(at, text): &(i64, String)| {
            let at = Moment::of_unix(*at).round_datetime().stored();
            format!("[{}] {text}", at.get(..23).unwrap_or(&at))
        };
        let info: Vec<_> = task.info.iter().map(line).collect();
        vec![
            Value::Int(task.id),
            Value::text(kind),
            Value::text(&task.database),
            Value::Int(task.percent(call.now)),
            Value::Int((until - task.created).max(0) / 60_000),
            Value::text(task.state.words()),
            Value::text(info.join(" ")),
            moment(task.updated),
            moment(task.created),
            Value::text(&task.arn),
            Value::Int(overwrite.into()),
            Value::Null,
            Value::Null,
            Value::Null,
        ]
    };
    Answer {
        message: None,
        columns: COLUMNS.to_vec(),
        rows: tasks.iter().map(row).collect(),
    }
}
