//! One backup or restore, from the question whether it is needed to the end of its task.

use std::time::Duration;

use super::task::{self, Task, Work};
use crate::error::{Error, Result};
use crate::mssql::Param;
use crate::mssql::verbs::Database;
use crate::resource::Engine;
use crate::resource::wait::Waiter;

/// How long an option of the server that is just being switched on is waited for.
const OPTION: Duration = Duration::from_secs(10 * 60);
/// The guide, under "Troubleshooting".
const NOT_ENABLED: &str = "option is not enabled yet";
/// How many times in a row the server may be unreachable before that is an error.
const MISSES: u32 = 3;

pub struct Job<'a> {
    pub engine: &'a Engine,
    pub database: &'a Database,
    pub work: Work,
    /// The ARN of the file.
    pub file: String,
    /// The KMS key of an encrypted backup.
    pub key: Option<String>,
    /// Whether a file that is there may be overwritten.
    pub overwrite: bool,
    /// How long the task may take.
    pub limit: Duration,
    /// Under which the progress is told.
    pub label: String,
}

/// How it ended.
#[derive(Debug)]
pub enum Done {
    /// The database was there.
    NotNeeded,
    Finished {
        task: Task,
        /// Another run had begun it.
        joined: bool,
    },
}

impl Job<'_> {
    /// Restores the database unless it is there.
    pub async fn restore(&self) -> Result<Done> {
        let state = task::state(self.database).await?;
        let tasks = match (task::of(self.database).await, state.as_deref()) {
            (Ok(tasks), _) => tasks,
            // A server that has no such tasks, or not any more, has none that could be in the way.
            (Err(_), Some("ONLINE")) => return Ok(Done::NotNeeded),
            (Err(error), _) => return Err(error),
        };
        if let Some(running) = tasks.iter().rfind(|task| task.is(Work::Restore) && task.is_running()) {
            return self.join(running).await;
        }
        match state.as_deref() {
            None => {}
            Some("ONLINE") => return Ok(Done::NotNeeded),
            Some(other) => return Err(self.half(other, tasks.last())),
        }
        let task = self.begin(tasks.last()).await?;
        let task = self.finished(task).await?;
        match task::state(self.database).await?.as_deref() {
            Some("ONLINE") => Ok(Done::Finished { task, joined: false }),
            Some(other) => Err(self.half(other, Some(&task))),
            None => Err(Error::failed(format!(
                "task {} says {}, but there is no database {}",
                task.id, task.state, self.database.name
            ))),
        }
    }

    /// Writes a backup.
    pub async fn back_up(&self) -> Result<Done> {
        let tasks = task::of(self.database).await?;
        let is_same = |task: &&Task| task.is(Work::Backup) && task.is_running() && task.file == self.file;
        if let Some(running) = tasks.iter().rfind(is_same) {
            return self.join(running).await;
        }
        let task = self.begin(tasks.last()).await?;
        let task = self.finished(task).await?;
        Ok(Done::Finished { task, joined: false })
    }

    /// Waits for a task that another run began.
    async fn join(&self, running: &Task) -> Result<Done> {
        if running.file != self.file {
            return Err(Error::failed(format!(
                "{} is being restored from another file: task {} of {}",
                self.database.name, running.id, running.file
            ))
            .hint(format!(
                "wait until it has ended, or end it: mssql::execute(db, \"EXEC msdb.dbo.rds_cancel_task @task_id = {}\")",
                running.id
            )));
        }
        self.engine.progress().note(&format!(
            "{}: task {} is on its way already, begun by an earlier run",
            self.label, running.id
        ));
        let task = self.finished(running.clone()).await?;
        Ok(Done::Finished { task, joined: true })
    }

    /// A database that is there and not open.
    fn half(&self, state: &str, last: Option<&Task>) -> Error {
        let name = &self.database.name;
        let error = Error::failed(format!(
            "the database {name} is there, but it is {state}, and no task restores it"
        ));
        let error = match last {
            Some(task) => error.note(format!(
                "the last task of it, {}, is {}: {}",
                task.id, task.state, task.info
            )),
            None => error,
        };
        error.hint(format!(
            "EXEC msdb.dbo.rds_finish_restore opens what was restored with NORECOVERY; rds_drop_database drops {name}"
        ))
    }

    /// Puts the task on the server's list. Waits while the option is just being switched on.
    async fn begin(&self, last: Option<&Task>) -> Result<Task> {
        let before = last.map_or(0, |task| task.id);
        let limit = self.limit.min(OPTION);
        let mut waiter = Waiter::new(&self.label, limit, self.engine.pace(), self.engine.cancel());
        let (sql, params) = self.statement();
        loop {
            self.engine.begin_write().await?;
            match task::call(self.database, &sql, &params).await {
                Ok(_) => break,
                Err(error) if error.to_string().contains(NOT_ENABLED) => {
                    let reason = "the option SQLSERVER_BACKUP_RESTORE is not enabled yet";
                    self.engine.progress().waiting(&self.label, reason);
                    if waiter.is_over() {
                        return Err(error.hint(
                            "the server needs an option group with SQLSERVER_BACKUP_RESTORE and a role: `source = \
                             \"bak:...\"` or `backup_bucket` in [database] makes them",
                        ));
                    }
                    waiter.pause(reason).await?;
                }
                Err(error) => return Err(error),
            }
        }
        // The list says which one it is, and nothing else does in a way that is documented.
        let mut waiter = Waiter::new(&self.label, limit, self.engine.pace(), self.engine.cancel());
        loop {
            let tasks = task::of(self.database).await?;
            if let Some(task) = tasks.into_iter().rfind(|task| task.id > before && task.is(self.work)) {
                return Ok(task);
            }
            waiter.pause("the task is not on the list yet").await?;
        }
    }

    fn statement(&self) -> (String, Vec<Param>) {
        let mut sql = match self.work {
            Work::Restore => "EXEC msdb.dbo.rds_restore_database @restore_db_name = @P1, @s3_arn_to_restore_from = @P2",
            Work::Backup => "EXEC msdb.dbo.rds_backup_database @source_db_name = @P1, @s3_arn_to_backup_to = @P2",
        }
        .to_owned();
        let mut params = vec![Param::Text(self.database.name.clone()), Param::Text(self.file.clone())];
        if self.overwrite {
            sql += ", @overwrite_s3_backup_file = 1";
        }
        if let Some(key) = &self.key {
            sql += ", @kms_master_key_arn = @P3";
            params.push(Param::Text(key.clone()));
        }
        (sql, params)
    }

    /// Waits for the end of a task. A server that cannot be reached for a moment does not end the wait.
    async fn finished(&self, mut task: Task) -> Result<Task> {
        let mut waiter = Waiter::new(&self.label, self.limit, self.engine.pace(), self.engine.cancel());
        let mut misses = 0;
        while task.is_running() {
            let reason = format!("{} % of task {} ({})", task.percent, task.id, task.state);
            self.engine.progress().waiting(&self.label, &reason);
            waiter.pause(&reason).await?;
            match task::of(self.database).await {
                Ok(tasks) => {
                    misses = 0;
                    let gone = || Error::failed(format!("task {} is no longer on the server's list", task.id));
                    task = tasks.into_iter().find(|other| other.id == task.id).ok_or_else(gone)?;
                }
                Err(error) if misses + 1 >= MISSES => {
                    return Err(error.note(format!("task {} goes on; the same command waits for it again", task.id)));
                }
                Err(_) => misses += 1,
            }
        }
        match task.state.as_str() {
            "SUCCESS" => Ok(task),
            _ => Err(self.failed(&task)),
        }
    }

    fn failed(&self, task: &Task) -> Error {
        let what = match self.work {
            Work::Restore => format!("{} could not be restored from {}", self.database.name, self.file),
            Work::Backup => format!("{} could not be backed up to {}", self.database.name, self.file),
        };
        let mut error = Error::failed(format!("{what}: task {} ended as {}", task.id, task.state));
        // Each message begins with its time: `[2026-01-31 12:00:00.000] ...`.
        for line in task
            .info
            .replace(" [2", "\n[2")
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            error = error.note(line.trim());
        }
        let hint = advice(&task.info);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// What the guide advises under "Troubleshooting".
fn advice(info: &str) -> Option<&'static str> {
    let says = |words: &str| info.to_lowercase().contains(words);
    Some(match () {
        () if says("access denied") => {
            "the role of the option SQLSERVER_BACKUP_RESTORE must reach the bucket, and the bucket's policy must not forbid \
             it; is it the right bucket?"
        }
        () if says("the specified key does not exist") || says("the specified bucket does not exist") => {
            "check the names of bucket and file"
        }
        () if says("reissue task with correct type and overwrite") => {
            "there is a file of that name: choose another one, or overwrite it with #{ overwrite: true }"
        }
        () if says("same region") => "copy the file into a bucket in the server's region",
        () if says("is not authorized to perform") || says("key") && says("does not exist") => {
            "check the KMS key, and that the role may use it"
        }
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_failed_task_lead_to_advice() {
        for (info, hint) in [
            ("[...] Access Denied", "must reach the bucket"),
            ("The specified bucket does not exist", "names of bucket and file"),
            (
                "Please specify a bucket that is in the same region as RDS instance",
                "the server's region",
            ),
            ("Key arn:aws:kms:... does not exist", "the KMS key"),
            (
                "User arn:aws:iam::1:role/r is not authorized to perform kms:Decrypt on resource arn:aws:kms:...",
                "the KMS key",
            ),
        ] {
            assert!(advice(info).is_some_and(|advice| advice.contains(hint)), "{info}");
        }
        assert_eq!(advice("The database is damaged"), None);
    }
}
