//! Native backup and restore: `msdb.dbo.rds_backup_database`, `rds_restore_database`, `rds_task_status` and
//! `rds_cancel_task` on the SQL Server behind an instance.
//!
//! A task goes from CREATED over IN_PROGRESS to SUCCESS, ERROR or CANCELLED; it does its work at its end, so that a
//! backup is the database of that moment. What it needs of IAM is asked when it begins.
//!
//! Source: RDS User Guide, *Importing and exporting SQL Server databases using native backup and restore*: parameters,
//! columns, states and the words under "Troubleshooting". The guide does not say what `rds_backup_database` and
//! `rds_restore_database` give; here it is the task, as `rds_task_status` shows it.
//!
//! Not here: differential and log backups, NORECOVERY, several files, KMS keys, compression, the region of a bucket, a
//! backup window that cancels a task. Each is refused by name where it is a parameter.

mod bucket;
mod task;
mod work;

use super::super::call::{Call, Fault};
use super::instance::{self, Instance};
use super::lifecycle::later;
use super::option_group;
use crate::sandbox::aws::{Aws, durations};
use crate::sandbox::mssql::backup;
use crate::sandbox::mssql::beside::{Answer, Beside, Parameter, Procedure};
use crate::sandbox::mssql::errors::SqlError;
use crate::sandbox::mssql::value::{SqlType, Value};

use self::bucket::Object;
pub use self::task::forget;
use self::task::{State, Task, Work};
pub use self::work::settle;

const NAME: SqlType = SqlType::NVarChar(Some(128));
const ARN: SqlType = SqlType::NVarChar(Some(2048));

/// How many tasks of an instance are in progress at once: "You can run up to two backup or restore tasks at the same
/// time."
const AT_ONCE: usize = 2;

const fn parameter(name: &'static str, sql_type: SqlType, required: bool) -> Parameter {
    Parameter {
        name,
        sql_type,
        required,
    }
}

const BACKUP: &str = "rds_backup_database";
const RESTORE: &str = "rds_restore_database";
const STATUS: &str = "rds_task_status";
const CANCEL: &str = "rds_cancel_task";

const PROCEDURES: &[Procedure] = &[
    Procedure {
        name: BACKUP,
        parameters: &[
            parameter("source_db_name", NAME, true),
            parameter("s3_arn_to_backup_to", ARN, true),
            parameter("kms_master_key_arn", ARN, false),
            parameter("overwrite_s3_backup_file", SqlType::Bit, false),
            parameter("type", NAME, false),
            parameter("number_of_files", SqlType::Int, false),
            parameter("block_size", SqlType::Int, false),
            parameter("max_transfer_size", SqlType::Int, false),
            parameter("buffer_count", SqlType::Int, false),
            parameter("enable_bucket_default_encryption", SqlType::Bit, false),
        ],
    },
    Procedure {
        name: RESTORE,
        parameters: &[
            parameter("restore_db_name", NAME, true),
            parameter("s3_arn_to_restore_from", ARN, true),
            parameter("with_norecovery", SqlType::Bit, false),
            parameter("kms_master_key_arn", ARN, false),
            parameter("type", NAME, false),
            parameter("block_size", SqlType::Int, false),
            parameter("max_transfer_size", SqlType::Int, false),
            parameter("buffer_count", SqlType::Int, false),
        ],
    },
    Procedure {
        name: STATUS,
        parameters: &[
            parameter("db_name", NAME, false),
            parameter("task_id", SqlType::Int, false),
        ],
    },
    Procedure {
        name: CANCEL,
        parameters: &[parameter("task_id", SqlType::Int, true)],
    },
];

/// The procedures of one instance, found anew by its host name for each call.
#[derive(Debug)]
pub struct Native {
    pub aws: std::sync::Arc<Aws>,
    pub host: String,
}

impl Beside for Native {
    fn procedures(&self) -> &'static [Procedure] {
        PROCEDURES
    }

    fn run(&self, procedure: &'static str, arguments: &[Value]) -> Result<Answer, SqlError> {
        let asked = Asked { procedure, arguments };
        let answer = self.aws.of_database(&self.host, |call, instance| match procedure {
            STATUS => status(call, instance, &asked),
            CANCEL => cancel(call, instance, &asked),
            _ => begin(call, instance, &asked),
        });
        match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(refused("The DB instance is gone.")),
            Err(fault) => Err(SqlError::internal(fault.message)),
        }
    }
}

/// An error of one of the procedures, which raise theirs as users do.
fn refused(message: &str) -> SqlError {
    SqlError::new(50_000, 16, message)
}

struct Asked<'a> {
    procedure: &'static str,
    arguments: &'a [Value],
}

impl Asked<'_> {
    /// An argument by the name of its parameter; NULL when it was not given.
    fn value(&self, name: &str) -> &Value {
        let procedure = PROCEDURES.iter().find(|known| known.name == self.procedure);
        let place = procedure.and_then(|known| known.parameters.iter().position(|parameter| parameter.name == name));
        place
            .and_then(|place| self.arguments.get(place))
            .unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or_default()
    }

    fn is_on(&self, name: &str) -> bool {
        self.value(name).as_int() == Some(1)
    }

    /// Refuses by name what RDS does and the sandbox does not.
    fn check(&self) -> Result<(), SqlError> {
        let kind = self.text("type").to_ascii_uppercase();
        let several = self.value("number_of_files").as_int().is_some_and(|count| count > 1);
        let what = match () {
            () if !self.text("kms_master_key_arn").is_empty() => "@kms_master_key_arn".to_owned(),
            () if !matches!(kind.as_str(), "" | "FULL") => format!("@type='{kind}'"),
            () if self.is_on("with_norecovery") => "@with_norecovery=1".to_owned(),
            () if several => "@number_of_files".to_owned(),
            () if self.procedure == RESTORE && self.text("s3_arn_to_restore_from").contains('*') => {
                "a backup of several files".to_owned()
            }
            () => return Ok(()),
        };
        Err(SqlError::unsupported(format!("{what} of {}", self.procedure)))
    }
}

/// `rds_backup_database` and `rds_restore_database`: a new task.
fn begin(call: &Call<'_>, instance: &Instance, asked: &Asked<'_>) -> Result<Result<Answer, SqlError>, Fault> {
    Ok(match made(call, instance, asked)? {
        Ok(task) => {
            task.save(call)?;
            Ok(Answer {
                message: Some(format!("Task created successfully.\nTask Id: {}", task.id)),
                ..task::table(call, &[task])
            })
        }
        Err(error) => Err(error),
    })
}

fn made(call: &Call<'_>, instance: &Instance, asked: &Asked<'_>) -> Result<Result<Task, SqlError>, Fault> {
    if option_group::role_of_backups(call, &instance.settings.option_group)?.is_none() {
        return Ok(Err(refused(
            "Database backup/restore option is not enabled yet or is in the process of being enabled. Please try again \
             later.",
        )));
    }
    if let Err(error) = asked.check() {
        return Ok(Err(error));
    }
    let restores = asked.procedure == RESTORE;
    let (database, arn) = match restores {
        true => (asked.text("restore_db_name"), asked.text("s3_arn_to_restore_from")),
        false => (asked.text("source_db_name"), asked.text("s3_arn_to_backup_to")),
    };
    let object = match Object::parse(arn) {
        Ok(object) => object,
        Err(message) => return Ok(Err(refused(message))),
    };
    let tasks = Task::all(call, instance)?;
    let folder = super::data::path(call, &instance.folder);
    let is_there = backup::has(&folder, database).map_err(|error| super::data::failed(&error))?;
    if restores {
        if is_there {
            return Ok(Err(refused(&taken(database))));
        }
        let is_same = |task: &&Task| task.is_restore_of(database) && !task.state.is_over();
        if let Some(other) = tasks.iter().find(is_same) {
            return Ok(Err(refused(&format!(
                "You can't submit a restore task for a database that already has a pending restore task with RECOVERY: \
                 task {}.",
                other.id
            ))));
        }
    } else if !is_there {
        let text = format!("Database '{database}' does not exist. Make sure that the name is entered correctly.");
        return Ok(Err(SqlError::new(911, 16, text)));
    }
    let begins = call.after(call.usual(durations::NATIVE_TASK_BEGINS));
    let takes = match restores {
        true => durations::NATIVE_RESTORE,
        false => durations::NATIVE_BACKUP,
    };
    Ok(Ok(Task {
        id: tasks.iter().map(|task| task.id).max().unwrap_or_default() + 1,
        mark: uuid::Uuid::new_v4().simple().to_string(),
        resource: instance.resource.clone(),
        instance: instance.id.clone(),
        work: match restores {
            true => Work::Restore,
            false => Work::Backup {
                overwrite: asked.is_on("overwrite_s3_backup_file"),
            },
        },
        database: database.to_owned(),
        arn: arn.to_owned(),
        object,
        state: State::Created,
        created: call.now,
        updated: call.now,
        begins,
        ends: later(call, begins, call.usual(takes)),
        info: Vec::new(),
    }))
}

/// The guide's words.
fn taken(database: &str) -> String {
    format!(
        "Database '{database}' already exists. Two databases that differ only by case or accent are not allowed. Choose a \
         different database name."
    )
}

fn status(call: &Call<'_>, instance: &Instance, asked: &Asked<'_>) -> Result<Result<Answer, SqlError>, Fault> {
    let mut tasks = Task::all(call, instance)?;
    let (database, id) = (asked.text("db_name"), asked.value("task_id").as_int());
    tasks.retain(|task| {
        (database.is_empty() || crate::sandbox::mssql::catalog::same(&task.database, database))
            && id.is_none_or(|id| id == 0 || id == task.id)
    });
    Ok(Ok(task::table(call, &tasks)))
}

fn cancel(call: &Call<'_>, instance: &Instance, asked: &Asked<'_>) -> Result<Result<Answer, SqlError>, Fault> {
    let id = asked.value("task_id").as_int();
    let tasks = Task::all(call, instance)?;
    let Some(mut task) = tasks.into_iter().find(|task| Some(task.id) == id) else {
        return Ok(Err(refused("There is no task with this ID.")));
    };
    if !task.state.is_over() {
        task.state = State::CancelRequested;
        task.updated = call.now;
        task.ends = call.after(call.usual(durations::NATIVE_TASK_BEGINS));
        task.save(call)?;
    }
    Ok(Ok(task::table(call, &[task])))
}

/// The instance of a task; `None` when it is gone.
fn instance_of(call: &Call<'_>, task: &Task) -> Result<Option<Instance>, Fault> {
    // It may have been renamed since.
    if let Some(found) = instance::find(call, &task.instance)?
        && found.resource == task.resource
    {
        return Ok(Some(found));
    }
    let all: Vec<Instance> = call.store.all(instance::KIND)?;
    Ok(all.into_iter().find(|instance| instance.resource == task.resource))
}
