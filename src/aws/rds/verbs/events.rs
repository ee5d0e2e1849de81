//! What the service says happened.

use crate::aws::error::Call;
use crate::aws::{Aws, events, meant};
use crate::error::Result;
use crate::map;
use crate::resource::{Verb, VerbContext};
use crate::value::Value;

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "rds",
        "events",
        "What happened to this environment's database servers, snapshots and groups, oldest first: a list of maps with \
         at, source, type and message.",
    )
    .optional::<events::Options>("options", "`#{ minutes: 60 }`")
    .actions(&["rds:DescribeEvents"])
    .run(move |cx, args| tell(aws.clone(), cx, args))
}

async fn tell(aws: Aws, cx: VerbContext, mut args: Vec<Value>) -> Result<Value> {
    let minutes = events::minutes(args.pop())?;
    cx.engine.pass_gate().await?;
    let call = aws.rds.describe_events().duration(minutes);
    let found = call.into_paginator().items().send().try_collect().await;
    let mut events = found.call("rds:DescribeEvents")?;
    // A snapshot that the service takes by itself is called `rds:INSTANCE-TIME`.
    events.retain(|event| {
        let source = event.source_identifier().unwrap_or_default();
        let source = source.strip_prefix("rds:").unwrap_or(source);
        cx.engine.scope().logical(source).is_some()
    });
    events.sort_by_key(|event| event.date().map(|date| (date.secs(), date.subsec_nanos())));
    let row = |event: &aws_sdk_rds::types::Event| {
        Value::Map(map! {
            "at" => meant::moment(event.date()),
            "source" => event.source_identifier(),
            "type" => event.source_type().map(|source| source.as_str()),
            "message" => event.message(),
        })
    };
    Ok(Value::List(events.iter().map(row).collect()))
}
