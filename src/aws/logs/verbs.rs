//! Reading log lines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use aws_smithy_types::DateTime;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::Verb;
use crate::resource::verb::Anything;
use crate::value::Value;

/// What to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// How many lines at most: 100 when not given.
    #[serde(default = "usual")]
    lines: usize,
    /// A filter pattern of CloudWatch Logs, as `ERROR` or `"time out"`.
    #[serde(default)]
    filter: Option<String>,
    /// Only streams whose names begin so.
    #[serde(default)]
    stream_prefix: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lines: usual(),
            filter: None,
            stream_prefix: None,
        }
    }
}

fn usual() -> usize {
    100
}

/// How far back to look, and then further: the API reads forwards only, and the last lines are wanted.
const WINDOWS: [Option<Duration>; 5] = [
    Some(Duration::from_secs(10 * 60)),
    Some(Duration::from_secs(2 * 3600)),
    Some(Duration::from_secs(24 * 3600)),
    Some(Duration::from_secs(7 * 24 * 3600)),
    None,
];

/// The verbs of the module `logs`.
pub fn all(aws: &Aws) -> Vec<Verb> {
    let aws = aws.clone();
    let tail = Verb::reads(
        "logs",
        "tail",
        "The last lines of a log group, the newest last, as a list of maps with `at`, `stream` and `message`. Fails when \
         there is no such log group.",
    )
    .param::<Anything>(
        "log_group",
        "A log group of this environment (its handle, a row of logs::log_groups(), or its name), or the name of any log \
         group, which begins with `/`.",
    )
    .optional::<Options>("options", "`lines`, `filter`, `stream_prefix`.")
    .actions(&["logs:FilterLogEvents"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            let mut args = args.into_iter();
            let group = args.next().unwrap_or_default();
            let options: Options = match args.next() {
                Some(options) => options.read()?,
                None => Options::default(),
            };
            let physical = match group.as_str() {
                Some(any) if any.starts_with('/') || cx.engine.scope().logical(any).is_some() => {
                    cx.engine.pass_gate().await?;
                    any.to_owned()
                }
                _ => meant::text(&meant::find(&cx.engine, "log-group", &group).await?, "name_at_aws"),
            };
            let events = tail(&aws, &physical, &options).await?;
            Ok(Value::List(events.iter().map(row).collect()))
        }
    });
    vec![tail]
}

/// The last lines of a group: what else shows them uses this too.
async fn tail(aws: &Aws, physical: &str, options: &Options) -> Result<Vec<FilteredLogEvent>> {
    let mut last = Vec::new();
    for window in WINDOWS {
        last = since(aws, physical, options, window).await?;
        if last.len() >= options.lines {
            break;
        }
    }
    last.sort_by_key(|event| event.timestamp().unwrap_or_default());
    let surplus = last.len().saturating_sub(options.lines);
    Ok(last.split_off(surplus))
}

async fn since(
    aws: &Aws,
    physical: &str,
    options: &Options,
    window: Option<Duration>,
) -> Result<Vec<FilteredLogEvent>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = window.map(|window| now.saturating_sub(window).as_millis());
    let mut pages = aws
        .logs
        .filter_log_events()
        .log_group_name(physical)
        .set_filter_pattern(options.filter.clone())
        .set_log_stream_name_prefix(options.stream_prefix.clone())
        .set_start_time(start.and_then(|start| i64::try_from(start).ok()))
        .into_paginator()
        .send();
    let mut events: Vec<FilteredLogEvent> = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("logs:FilterLogEvents").map_err(|error| match error.code() {
            "ResourceNotFoundException" => Error::failed(format!("there is no log group {physical}")),
            _ => error,
        })?;
        events.extend(page.events.unwrap_or_default());
        // Lines come in order of time, so what is too much goes at the front.
        let surplus = events.len().saturating_sub(options.lines.saturating_mul(4).max(10_000));
        events.drain(..surplus);
    }
    Ok(events)
}

fn row(event: &FilteredLogEvent) -> Value {
    let at = event.timestamp().map(DateTime::from_millis);
    Value::Map(map! {
        "at" => meant::moment(at.as_ref()), "stream" => event.log_stream_name().unwrap_or_default(),
        "message" => event.message().unwrap_or_default().trim_end(),
    })
}
