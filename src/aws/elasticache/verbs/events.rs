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
        "elasticache",
        "events",
        "What happened to this environment's caches, oldest first: a list of maps with at, source, type and message.",
    )
    .optional::<events::Options>("options", "`#{ minutes: 60 }`")
    .actions(&["elasticache:DescribeEvents"])
    .run(move |cx, args| tell(aws.clone(), cx, args))
}

async fn tell(aws: Aws, cx: VerbContext, mut args: Vec<Value>) -> Result<Value> {
    let minutes = events::minutes(args.pop())?;
    cx.engine.pass_gate().await?;
    let mut pages = aws
        .elasticache
        .describe_events()
        .duration(minutes)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("elasticache:DescribeEvents")?;
        // A member's name begins with its group's.
        let ours = page.events.unwrap_or_default().into_iter().filter(|event| {
            let source = event.source_identifier().unwrap_or_default();
            cx.engine.scope().logical(source).is_some()
        });
        found.extend(ours);
    }
    found.sort_by_key(|event| event.date().map(|date| (date.secs(), date.subsec_nanos())));
    let row = |event: &aws_sdk_elasticache::types::Event| {
        Value::Map(map! {
            "at" => meant::moment(event.date()),
            "source" => event.source_identifier(),
            "type" => event.source_type().map(|source| source.as_str()),
            "message" => event.message(),
        })
    };
    Ok(Value::List(found.iter().map(row).collect()))
}
