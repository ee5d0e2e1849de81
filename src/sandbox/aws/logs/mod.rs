//! CloudWatch Logs: groups, streams, events.
//!
//! Source: the CloudWatch Logs API reference. Events are documents below their stream, so that a long log is not
//! rewritten with each line.

mod event;
mod group;
mod pattern;
mod stream;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answers::{answer, limit, only};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};
use event::{filter_events, get_events, put_events};
use group::{RETENTION, create_group, delete_group, describe_groups, set_retention};
use stream::{create_stream, describe_streams, remove_stream};

pub use event::write;
pub use group::{ensure_group, group_exists};

const GROUP: &str = "logs/group";

const STREAM: &str = "logs/stream";

const EVENT: &str = "logs/event";

const DAY: i64 = 24 * 60 * 60 * 1000;

#[derive(Serialize, Deserialize)]
struct Group {
    name: String,
    created: i64,
    retention: Option<i64>,
    kms_key_id: Option<String>,
    class: String,
}

#[derive(Serialize, Deserialize)]
struct Stream {
    name: String,
    created: i64,
    first: Option<i64>,
    last: Option<i64>,
    ingested: Option<i64>,
    /// Events so far: numbers the next one.
    count: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Event {
    stream: String,
    number: i64,
    timestamp: i64,
    ingested: i64,
    message: String,
}

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "CreateLogGroup" => create_group(call),
        "DeleteLogGroup" => delete_group(call),
        "DescribeLogGroups" => describe_groups(call),
        "PutRetentionPolicy" => {
            let days = call.int("retentionInDays").unwrap_or_default();
            if !RETENTION.contains(&days) {
                return Err(invalid(&format!(
                    "Invalid retention value. Valid values are: {RETENTION:?}"
                )));
            }
            set_retention(call, Some(days))
        }
        "DeleteRetentionPolicy" => set_retention(call, None),
        "CreateLogStream" => {
            only(call, &["logGroupName", "logStreamName"])?;
            group(call, call.text("logGroupName"))?;
            create_stream(call, call.text("logGroupName"), call.text("logStreamName"))?;
            answer(json!({}))
        }
        "DeleteLogStream" => {
            let name = call.text("logGroupName");
            group(call, name)?;
            let stream = stream(call, name, call.text("logStreamName"))?;
            remove_stream(call, name, &stream)?;
            answer(json!({}))
        }
        "DescribeLogStreams" => describe_streams(call),
        "PutLogEvents" => put_events(call),
        "GetLogEvents" => get_events(call),
        "FilterLogEvents" => filter_events(call),
        "TagResource" => {
            let arn = tagged(call)?;
            tag(call, &arn, &tags::from_map(call.input.get("tags")))
        }
        "UntagResource" => {
            let arn = tagged(call)?;
            tags::remove(call, &arn, &call.texts("tagKeys"))?;
            answer(json!({}))
        }
        "ListTagsForResource" => {
            let arn = tagged(call)?;
            answer(json!({ "tags": tags::of(call, &arn)? }))
        }
        "TagLogGroup" => {
            let group = group(call, call.text("logGroupName"))?;
            tag(call, &arn(call, &group.name), &tags::from_map(call.input.get("tags")))
        }
        "UntagLogGroup" => {
            let group = group(call, call.text("logGroupName"))?;
            tags::remove(call, &arn(call, &group.name), &call.texts("tags"))?;
            answer(json!({}))
        }
        "ListTagsLogGroup" => {
            let group = group(call, call.text("logGroupName"))?;
            answer(json!({ "tags": tags::of(call, &arn(call, &group.name))? }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// The events of a stream that the group still keeps. What its retention has run out for is not shown any more; a day
/// stays a day, whatever durations are divided by.
fn events(call: &Call<'_>, group: &str, stream: &str) -> Result<Vec<Event>, Fault> {
    let kept = call.store.get::<Group>(GROUP, group)?.and_then(|group| group.retention);
    let mut events: Vec<Event> = call.store.children(EVENT, &stream_id(group, stream))?;
    if let Some(days) = kept {
        events.retain(|event| event.timestamp >= call.now - days * DAY);
    }
    Ok(events)
}

/// Neither a group's nor a stream's name has a colon.
fn stream_id(group: &str, stream: &str) -> String {
    format!("{group}:{stream}")
}

fn group(call: &Call<'_>, name: &str) -> Result<Group, Fault> {
    call.store
        .get(GROUP, name)?
        .ok_or_else(|| not_found("The specified log group does not exist."))
}

fn stream(call: &Call<'_>, group: &str, name: &str) -> Result<Stream, Fault> {
    call.store
        .get(STREAM, &stream_id(group, name))?
        .ok_or_else(|| not_found("The specified log stream does not exist."))
}

/// The name, or the name in the ARN, by which a call names its group.
fn group_name(call: &Call<'_>) -> String {
    match call.text("logGroupName") {
        "" => name_in(call.text("logGroupIdentifier")).to_owned(),
        name => name.to_owned(),
    }
}

fn name_in(arn: &str) -> &str {
    let name = arn.split_once(":log-group:").map_or(arn, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

/// Whether there is what an ARN names behind its account.
pub fn has(call: &Call<'_>, rest: &str) -> Result<bool, Fault> {
    group_exists(
        call,
        rest.strip_prefix("log-group:")
            .unwrap_or_default()
            .trim_end_matches(":*"),
    )
}

fn tagged(call: &Call<'_>) -> Result<String, Fault> {
    let name = name_in(call.text("resourceArn"));
    let group = group(call, name)?;
    Ok(arn(call, &group.name))
}

fn tag(call: &Call<'_>, arn: &str, added: &tags::Tags) -> Answer {
    tags::check(added).map_err(|message| invalid(&message))?;
    let mut all = tags::of(call, arn)?;
    all.extend(added.clone());
    if all.len() > tags::MOST {
        return Err(Fault::new(
            "TooManyTagsException",
            "A resource can have no more than 50 tags.",
        ));
    }
    tags::put(call, arn, added)?;
    answer(json!({}))
}

fn arn(call: &Call<'_>, name: &str) -> String {
    call.arn("logs", &format!("log-group:{name}"))
}

fn at_most(call: &Call<'_>, default: usize, most: usize) -> Result<usize, Fault> {
    let asked = limit(call, "limit", default);
    if asked > most {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{asked}' at 'limit' failed to satisfy constraint: Member must have value \
             less than or equal to {most}"
        )));
    }
    Ok(asked)
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn not_found(message: &str) -> Fault {
    Fault::new("ResourceNotFoundException", message)
}

fn invalid_token() -> Fault {
    invalid("The specified nextToken is invalid.")
}
