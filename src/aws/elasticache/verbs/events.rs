//! What the service says happened.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::Result;
use crate::map;
use crate::resource::{Verb, VerbContext};
use crate::value::Value;

/// DescribeEvents: events of the last 14 days are kept.
const MOST_MINUTES: u32 = 14 * 24 * 60;

fn an_hour() -> u32 {
    60
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// How many minutes back, 20160 (14 days) at most.
    #[serde(default = "an_hour")]
    #[schemars(range(min = 1, max = MOST_MINUTES))]
    minutes: u32,
}

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "elasticache",
        "events",
        "What happened to this environment's caches, oldest first: a list of maps with at, source, type and message.",
    )
    .optional::<Options>("options", "`#{ minutes: 60 }`")
    .run(move |cx, args| events(aws.clone(), cx, args))
}

async fn events(aws: Aws, cx: VerbContext, mut args: Vec<Value>) -> Result<Value> {
    let minutes = match args.pop() {
        Some(options) => options.read::<Options>()?.minutes,
        None => an_hour(),
    };
    cx.engine.pass_gate().await?;
    let mut pages = aws
        .elasticache
        .describe_events()
        .duration(i32::try_from(minutes).unwrap_or(i32::MAX))
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
