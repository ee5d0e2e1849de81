//! Stops an instance, which then costs only its storage, and starts it again.

use tokio::time::Instant;

use super::{INSTANCE, until};
use crate::aws::error::Call;
use crate::aws::rds::db_instance;
use crate::aws::{Aws, meant};
use crate::error::Result;
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::{Outcome, Record, Verb, VerbContext};
use crate::value::Value;

pub fn start(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "rds",
        "start",
        "Starts a database server that was stopped, and waits until it is available. Gives a map with instance and state.",
    )
    .param::<Anything>("instance", INSTANCE)
    .actions(&["rds:DescribeDBInstances", "rds:StartDBInstance"])
    .run(move |cx, args| switch(aws.clone(), cx, args, true))
}

pub fn stop(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "rds",
        "stop",
        "Stops a database server and waits until it is stopped: until then and for up to seven days it costs its storage \
         only; after that the service starts it by itself. Not with `multi_az`. Gives a map with instance and state.",
    )
    .param::<Anything>("instance", INSTANCE)
    .actions(&["rds:DescribeDBInstances", "rds:StopDBInstance"])
    .run(move |cx, args| switch(aws.clone(), cx, args, false))
}

/// Source: RDS User Guide, "Stopping an Amazon RDS DB instance temporarily".
async fn switch(aws: Aws, cx: VerbContext, args: Vec<Value>, on: bool) -> Result<Value> {
    let instance = args.into_iter().next().unwrap_or_default();
    let row = meant::find(&cx.engine, db_instance::KIND, &instance).await?;
    let (name, id) = (meant::text(&row, "name"), meant::text(&row, "id"));
    let (verb, wanted, done) = match on {
        true => ("start", "available", "started"),
        false => ("stop", "stopped", "stopped"),
    };
    let began = Instant::now();
    let is_there = meant::text(&row, "state") == wanted;
    if !is_there {
        cx.engine.begin_write().await?;
        match on {
            true => {
                let call = aws.rds.start_db_instance().db_instance_identifier(&id);
                call.send().await.call("rds:StartDBInstance")?;
            }
            false => {
                let call = aws.rds.stop_db_instance().db_instance_identifier(&id);
                call.send().await.call("rds:StopDBInstance")?;
            }
        }
        until(&aws, &cx, &format!("{verb}/{name}"), &id, &[wanted]).await?;
    }
    cx.engine.record(Record {
        kind: format!("rds::{verb}"),
        name,
        id: id.clone(),
        outcome: match is_there {
            true => Outcome::Unchanged,
            false => Outcome::Acted(done.into()),
        },
        took: began.elapsed(),
        ..Record::default()
    });
    Ok(Value::Map(map! { "instance" => id, "state" => wanted }))
}
