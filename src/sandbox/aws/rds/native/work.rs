//! What tasks do: they begin when their time has come, look whether they may, and do their work at their end.
//!
//! The state is written first and the file after it, within one transaction. Killed in between, the task is what it was,
//! and doing it again finds what it did: a backup by its mark, a restored database by the name of its file.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::super::super::call::{Call, Fault};
use super::super::super::iam::decision::{self, Rights};
use super::super::data;
use super::super::instance::{Instance, State as InstanceState};
use super::super::option_group;
use super::bucket::Object;
use super::task::{KIND, State, Task, Work};
use super::{AT_ONCE, instance_of, taken};
use crate::sandbox::mssql::backup::{self, Restored};

/// Who takes the role.
const SERVICE: &str = "rds.amazonaws.com";
/// The guide's words for a file that is there already.
const TAKEN: &str = "Please reissue task with correct type and overwrite property";
/// How the guide's "Access Denied" stands in a task.
const DENIED: &str = "Access Denied";

/// How a task ended, or why it did not.
enum End {
    Success,
    /// Somebody is writing in the server; later.
    Later,
    Error(String),
}

/// Brings the tasks on whose moment has come.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    for mut task in call.store.due::<Task>(KIND)? {
        while step(call, &mut task)? {}
    }
    Ok(())
}

/// Whether it went on.
fn step(call: &Call<'_>, task: &mut Task) -> Result<bool, Fault> {
    if task.state.is_over() {
        task.delete(call)?;
        return Ok(false);
    }
    let Some(instance) = instance_of(call, task)? else {
        task.delete(call)?;
        return Ok(false);
    };
    match task.state {
        State::Created if task.begins <= call.now => {
            let others = Task::all(call, &instance)?.into_iter();
            let busy: Vec<_> = others.filter(|other| other.state == State::InProgress).collect();
            if busy.len() >= AT_ONCE {
                // It takes its turn when one of them is done.
                let free = busy.iter().map(|other| other.ends).min().unwrap_or(call.now);
                let wait = (free - task.begins).max(1);
                (task.begins, task.ends) = (task.begins + wait, task.ends + wait);
                task.save(call)?;
                return Ok(false);
            }
            let at = task.begins;
            task.tell(at, "Task execution has started.");
            match refusal(call, &instance, task)? {
                Some(reason) => fail(task, at, &reason),
                None => (task.state, task.updated) = (State::InProgress, at),
            }
            task.save(call)?;
            Ok(task.state == State::InProgress)
        }
        State::InProgress if task.ends <= call.now => {
            let at = task.ends;
            let before = task.clone();
            task.tell(at, "100 percent processed.");
            task.finish(State::Success, at);
            // Writing makes this call the only one that changes the state until it ends.
            task.save(call)?;
            match carry_out(call, &instance, task)? {
                End::Success => {}
                End::Later => {
                    *task = before;
                    task.save(call)?;
                }
                End::Error(reason) => {
                    *task = before;
                    fail(task, at, &reason);
                    task.save(call)?;
                }
            }
            Ok(false)
        }
        State::CancelRequested if task.ends <= call.now => {
            let at = task.ends;
            task.tell(at, "The task has been cancelled.");
            task.finish(State::Cancelled, at);
            task.save(call)?;
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// The first line is what RDS says of every task that fails, as its users quote it; the second one why.
fn fail(task: &mut Task, at: i64, reason: &str) {
    let aborted = match task.work {
        Work::Backup { .. } => {
            "Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated \
             backup."
        }
        Work::Restore => "Aborted the task because of a task failure or a concurrent RESTORE_DB request.",
    };
    task.tell(at, aborted);
    task.tell(at, reason);
    task.finish(State::Error, at);
}

/// Why a task cannot do its work; `None` when it can.
fn refusal(call: &Call<'_>, instance: &Instance, task: &Task) -> Result<Option<String>, Fault> {
    // "You can't do a native backup ... any time Amazon RDS is in the process of taking a snapshot of the database."
    if matches!(task.work, Work::Backup { .. }) && instance.state == InstanceState::BackingUp {
        return Ok(Some("RDS is taking a snapshot of the DB instance.".to_owned()));
    }
    let role = option_group::role_of_backups(call, &instance.settings.option_group)?.flatten();
    let Some(role) = role else {
        return Ok(Some(format!("{DENIED}: the option has no IAM role.")));
    };
    if !decision::trusts(call, &role, SERVICE)? {
        return Ok(Some(format!("{DENIED}: RDS cannot assume the role {role}.")));
    }
    let Some(rights) = Rights::of_role(call, &role)? else {
        return Ok(Some(format!("{DENIED}: RDS cannot assume the role {role}.")));
    };
    let session = format!(
        "arn:aws:sts::{}:assumed-role/{}/{}",
        call.account,
        role.rsplit('/').next().unwrap_or_default(),
        instance.id
    );
    let object = &task.object;
    let (bucket, own) = (object.bucket_arn(), format!("{}/{}", object.bucket_arn(), object.key));
    let context = decision::context(call);
    let needed = [
        ("s3:ListBucket", &bucket),
        ("s3:GetBucketLocation", &bucket),
        match task.work {
            Work::Backup { .. } => ("s3:PutObject", &own),
            Work::Restore => ("s3:GetObject", &own),
        },
    ];
    for (action, resource) in needed {
        if let Some(words) = rights.refusal(&session, action, resource, &context) {
            return Ok(Some(format!("{DENIED}: {words}")));
        }
    }
    let file = object.file(call);
    Ok(match task.work {
        Work::Backup { overwrite: false } if is_anothers(&file, task)? => Some(TAKEN.to_owned()),
        Work::Backup { .. } => None,
        Work::Restore if !object.folder(call).is_dir() => Some("The specified bucket does not exist".to_owned()),
        // S3 API reference, *Error responses*: NoSuchKey.
        Work::Restore if !file.is_file() => Some("The specified key does not exist.".to_owned()),
        Work::Restore => match backup::mark(&file).map_err(|error| data::failed(&error))? {
            Some(_) => None,
            None => Some(format!(
                "not in the sandbox: a backup of a real SQL Server cannot be read here ({} is none that \
                 rds_backup_database of this sandbox wrote)",
                task.arn
            )),
        },
    })
}

/// Whether a file is there that this task did not write.
fn is_anothers(file: &Path, task: &Task) -> Result<bool, Fault> {
    if !file.is_file() {
        return Ok(false);
    }
    let mark = backup::mark(file).map_err(|error| data::failed(&error))?;
    Ok(mark.is_none_or(|mark| mark != task.mark))
}

fn carry_out(call: &Call<'_>, instance: &Instance, task: &Task) -> Result<End, Fault> {
    let folder = data::path(call, &instance.folder);
    let file = task.object.file(call);
    let failed = |error: &dyn std::fmt::Display| data::failed(error);
    match task.work {
        Work::Restore => {
            let name = format!("restored-{}.mdf.sqlite", task.mark);
            // It was there when the task began.
            if !file.is_file() {
                return Ok(End::Error("The specified key does not exist.".to_owned()));
            }
            let restored = backup::restore(&folder, &task.database, &file, &name);
            Ok(match restored.map_err(|error| failed(&error))? {
                Restored::Done => End::Success,
                Restored::Busy => End::Later,
                Restored::Taken => End::Error(taken(&task.database)),
            })
        }
        Work::Backup { overwrite } => {
            match (file.is_file(), is_anothers(&file, task)?, overwrite) {
                // Written by this task, whose process died then.
                (true, false, _) => return Ok(End::Success),
                (true, true, false) => return Ok(End::Error(TAKEN.to_owned())),
                _ => {}
            }
            let unfinished = Object::unfinished(call);
            for path in [&unfinished, &file] {
                if let Some(parent) = path.parent()
                    && let Err(error) = fs::create_dir_all(parent)
                {
                    return match error.kind() {
                        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => Ok(End::Error(
                            "not in the sandbox: a key that goes on where another one ends".to_owned(),
                        )),
                        _ => Err(failed(&error)),
                    };
                }
            }
            let written = backup::write(&folder, &task.database, &task.mark, &unfinished);
            if !written.map_err(|error| failed(&error))? {
                return Ok(End::Error(format!("Database '{}' does not exist.", task.database)));
            }
            match fs::rename(&unfinished, &file) {
                Ok(()) => Ok(End::Success),
                Err(_) if file.is_dir() => Ok(End::Error(
                    "not in the sandbox: a key that ends where another one goes on".to_owned(),
                )),
                Err(error) => Err(failed(&error)),
            }
        }
    }
}
