//! Takes a snapshot now.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::INSTANCE;
use crate::aws::rds::db_instance;
use crate::aws::rds::db_snapshot::{DbSnapshots, KIND};
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::resource::verb::Anything;
use crate::resource::wait::Waiter;
use crate::resource::{Kind, Live, Outcome, Readiness, Record, Verb, VerbContext};
use crate::value::Value;

const LIMIT: Duration = Duration::from_secs(60 * 60);

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "rds",
        "create_snapshot",
        "Takes a snapshot of a database server and waits until it is whole. It is never deleted by iacsh. Gives the \
         snapshot's row, as rds::snapshots() does.",
    )
    .param::<Anything>("instance", INSTANCE)
    .optional::<String>(
        "name",
        "its name in this environment; the instance's and the time when not given",
    )
    .actions(&[
        "rds:AddTagsToResource",
        "rds:CreateDBSnapshot",
        "rds:DescribeDBSnapshots",
    ])
    .run(move |cx, args| create_snapshot(aws.clone(), cx, args))
}

async fn create_snapshot(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let mut args = args.into_iter();
    let instance = args.next().unwrap_or_default();
    let given: Option<String> = args.next().map(Value::read).transpose()?;
    let row = meant::find(&cx.engine, db_instance::KIND, &instance).await?;
    let (of, instance) = (meant::text(&row, "name"), meant::text(&row, "id"));
    let name = given.unwrap_or_else(|| format!("{of}-{}", Timestamp::now().strftime("%Y%m%d-%H%M%S")));
    let scope = cx.engine.scope();
    let id = scope.physical(&name);
    crate::aws::rds::check_name(scope, &name, "DB snapshot", 255)?;
    let began = Instant::now();
    cx.engine.begin_write().await?;
    let snapshots = DbSnapshots(aws);
    let tags = scope.for_create(KIND, &name, &cx.origin.section);
    let taken = snapshots.take(&id, &instance, &tags).await?;
    let label = format!("create_snapshot/{name}");
    let mut waiter = Waiter::new(&label, LIMIT, cx.engine.pace(), cx.engine.cancel());
    let mut live = Live {
        id: id.clone(),
        name: name.clone(),
        tags,
        state: super::super::db_snapshot::state(&taken),
    };
    loop {
        match Kind::readiness(&snapshots, &live) {
            Readiness::Ready => break,
            Readiness::Failed(error) => return Err(error),
            Readiness::Waiting(reason) | Readiness::Leaving(reason) => {
                cx.engine.progress().waiting(&label, &reason);
                waiter.pause(&reason).await?;
            }
        }
        live = match snapshots.refresh(&live).await? {
            Some(live) => live,
            None => return Err(Error::failed(format!("the snapshot {id} is gone"))),
        };
    }
    let row = Kind::row(&snapshots, &live);
    cx.engine.record(Record {
        kind: "rds::create_snapshot".into(),
        name,
        id,
        outcome: Outcome::Acted(format!("{of} is in it")),
        took: began.elapsed(),
        ..Record::default()
    });
    Ok(Value::Map(row))
}
