//! What scripts call: `mssql::restore`, `mssql::backup`, `mssql::backup_tasks`.

use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;

use super::job::{Done, Job};
use super::task::{self, Work};
use crate::error::Result;
use crate::map;
use crate::mssql::verbs::{Database, Setup, text};
use crate::resource::verb::Anything;
use crate::resource::{Foreseen, Outcome, Record, Verb, VerbContext};
use crate::s3::S3File;
use crate::value::Value;

/// How a backup is restored.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RestoreOptions {
    /// The ARN of the KMS key that the backup is encrypted with.
    key: Option<String>,
}

/// How a backup is written.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct BackupOptions {
    /// Whether a file that is there is overwritten.
    overwrite: bool,
    /// The ARN of a KMS key to encrypt it with.
    key: Option<String>,
}

pub fn verbs(setup: &Setup) -> Vec<Verb> {
    let restore = {
        let setup = setup.clone();
        Verb::acts(
            "mssql",
            "restore",
            "Restores a database of a server on RDS from a backup in S3, unless it is there. A restore that is on its way is \
             waited for and not begun again. A backup holds the users of a database, and not the server's logins.",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("from", "the backup: \"s3://my-bucket/shop.bak\", or its ARN")
        .optional::<RestoreOptions>("options", "`key`, the KMS key of an encrypted one")
        .run(move |cx, args| restore(setup.clone(), cx, args))
        .foreseen(|_, args| foresee_restore(args))
    };
    let backup = {
        let setup = setup.clone();
        Verb::acts(
            "mssql",
            "backup",
            "Writes a backup of a database of a server on RDS to S3, and waits for it. The server needs `backup_bucket` in \
             [database].",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("to", "the file: \"s3://my-bucket/shop.bak\", or its ARN")
        .optional::<BackupOptions>("options", "`overwrite`, `key` to encrypt it")
        .run(move |cx, args| back_up(setup.clone(), cx, args))
    };
    let tasks = Verb::reads(
        "mssql",
        "backup_tasks",
        "Backups and restores of a server on RDS: what is on its way, and what became of the others.",
    )
    .param::<Anything>("database", "what `mssql::connect` gives")
    .run(async |_, args| {
        let tasks = task::all(Database::of(args.first())?).await?;
        Value::from_serialize(&tasks)
    });
    vec![restore, backup, tasks]
}

async fn restore(setup: Setup, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let options: RestoreOptions = args.get(2).cloned().map(Value::read).transpose()?.unwrap_or_default();
    let file = S3File::parse(text(&args, 1))?;
    let database = Database::of(args.first())?;
    let job = Job {
        engine: &cx.engine,
        database,
        work: Work::Restore,
        file: file.arn(&setup.region),
        key: options.key,
        overwrite: false,
        limit: setup.backup_limit,
        label: format!("database/{}", database.name),
    };
    run(&cx, &job, &file).await
}

/// Whether the database would be restored. What is on the server's list of tasks is not asked: only a procedure tells it,
/// and a plan calls none.
async fn foresee_restore(args: Vec<Value>) -> Result<Foreseen> {
    let file = S3File::parse(text(&args, 1))?;
    let database = Database::of(args.first())?;
    let outcome = match task::state(database).await?.as_deref() {
        Some("ONLINE") => Outcome::Unchanged,
        Some(state) => Outcome::Acted(format!("wait for the restore from {file}: it is {state}")),
        None => Outcome::Acted(format!("restore from {file}")),
    };
    Ok(Foreseen {
        records: vec![Record {
            kind: "database".into(),
            name: database.name.clone(),
            id: database.connector.server().address(),
            outcome,
            ..Record::default()
        }],
        value: Value::Null,
    })
}

async fn back_up(setup: Setup, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let options: BackupOptions = args.get(2).cloned().map(Value::read).transpose()?.unwrap_or_default();
    let file = S3File::parse(text(&args, 1))?;
    let database = Database::of(args.first())?;
    let job = Job {
        engine: &cx.engine,
        database,
        work: Work::Backup,
        file: file.arn(&setup.region),
        key: options.key,
        overwrite: options.overwrite,
        limit: setup.backup_limit,
        label: format!("backup/{}", database.name),
    };
    run(&cx, &job, &file).await
}

async fn run(cx: &VerbContext, job: &Job<'_>, file: &S3File) -> Result<Value> {
    let progress = cx.engine.progress();
    progress.started(&job.label);
    let began = Instant::now();
    let done = match job.work {
        Work::Restore => job.restore().await,
        Work::Backup => job.back_up().await,
    };
    let took = began.elapsed();
    let done = done.inspect_err(|error| progress.finished(&job.label, error.message(), took, false))?;
    let (outcome, shown) = match &done {
        Done::NotNeeded => (
            Outcome::Unchanged,
            format!("it is there and is used; {file} is not restored"),
        ),
        Done::Finished { task, joined } => {
            let did = match job.work {
                Work::Restore => format!("restored from {file}"),
                Work::Backup => format!("written to {file}"),
            };
            let joined = if *joined { ", begun by an earlier run" } else { "" };
            let words = format!("{did} (task {}{joined})", task.id);
            (Outcome::Acted(words.clone()), words)
        }
    };
    progress.finished(&job.label, &shown, took, true);
    let (kind, name) = job.label.split_once('/').unwrap_or(("database", &job.label));
    let task = match done {
        Done::NotNeeded => Value::Null,
        Done::Finished { task, .. } => Value::from_serialize(&task)?,
    };
    let facts = map! { "database" => name, "file" => file.to_string(), "result" => outcome.words(), "task" => task };
    let event = match job.work {
        Work::Restore => "restored",
        Work::Backup => "backed-up",
    };
    cx.engine.journal_entry(event, Value::Map(facts.clone()).to_json());
    cx.engine.record(Record {
        kind: kind.to_owned(),
        name: name.to_owned(),
        id: job.database.connector.server().address(),
        outcome,
        took,
        ..Record::default()
    });
    Ok(Value::Map(facts))
}
