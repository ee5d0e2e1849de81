//! CloudWatch Logs: groups, streams, events.
//!
//! Source: the CloudWatch Logs API reference. Events are documents below their stream, so that a long log is not
//! rewritten with each line.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answers::{answer, limit, only, page};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};

const GROUP: &str = "logs/group";
const STREAM: &str = "logs/stream";
const EVENT: &str = "logs/event";

/// `retentionInDays`: the values that `PutRetentionPolicy` takes.
const RETENTION: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
const DAY: i64 = 24 * 60 * 60 * 1000;
/// Bytes that each event counts beside its message, `PutLogEvents`.
const OVERHEAD: usize = 26;
/// Bytes of one call and of one event, events of one call.
const BATCH: usize = 1_048_576;
const EVENTS: usize = 10_000;

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
        "ListTagsLogGroup" => {
            let group = group(call, call.text("logGroupName"))?;
            answer(json!({ "tags": tags::of(call, &arn(call, &group.name))? }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

fn create_group(call: &Call<'_>) -> Answer {
    only(call, &["logGroupName", "kmsKeyId", "tags", "logGroupClass"])?;
    let name = call.text("logGroupName");
    let right = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(right) {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if call.store.get::<Group>(GROUP, name)?.is_some() {
        return Err(Fault::new(
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        ));
    }
    let text = |member: &str| {
        Some(call.text(member))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let group = Group {
        name: name.to_owned(),
        created: call.now,
        retention: None,
        kms_key_id: text("kmsKeyId"),
        class: text("logGroupClass").unwrap_or_else(|| "STANDARD".to_owned()),
    };
    call.store.put(GROUP, name, "", &group)?;
    tag(call, &arn(call, name), &tags::from_map(call.input.get("tags")))
}

fn delete_group(call: &Call<'_>) -> Answer {
    let name = call.text("logGroupName");
    group(call, name)?;
    for stream in call.store.children::<Stream>(STREAM, name)? {
        remove_stream(call, name, &stream)?;
    }
    call.store.delete(GROUP, name)?;
    tags::clear(call, &arn(call, name))?;
    answer(json!({}))
}

fn describe_groups(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "logGroupNamePrefix",
            "logGroupNamePattern",
            "nextToken",
            "limit",
            "logGroupClass",
        ],
    )?;
    let (prefix, pattern) = (call.text("logGroupNamePrefix"), call.text("logGroupNamePattern"));
    if !prefix.is_empty() && !pattern.is_empty() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let class = call.text("logGroupClass");
    let mut groups = call.store.all::<Group>(GROUP)?;
    groups.retain(|group| {
        group.name.starts_with(prefix)
            && group.name.to_lowercase().contains(&pattern.to_lowercase())
            && (class.is_empty() || group.class == class)
    });
    let page = page(
        groups,
        |group| group.name.clone(),
        call.text("nextToken"),
        at_most(call, 50, 50)?,
        invalid_token,
    )?;
    let mut views = Vec::new();
    for group in &page.items {
        let mut stored = 0;
        for stream in call.store.children::<Stream>(STREAM, &group.name)? {
            stored += bytes(&events(call, &group.name, &stream.name)?);
        }
        let arn = arn(call, &group.name);
        views.push(json!({
            "logGroupName": group.name,
            "creationTime": group.created,
            "retentionInDays": group.retention,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": stored,
            "kmsKeyId": group.kms_key_id,
            "logGroupClass": group.class,
        }));
    }
    answer(json!({ "logGroups": views, "nextToken": page.next }))
}

fn set_retention(call: &Call<'_>, days: Option<i64>) -> Answer {
    let mut group = group(call, call.text("logGroupName"))?;
    group.retention = days;
    call.store.put(GROUP, &group.name, "", &group)?;
    answer(json!({}))
}

fn describe_streams(call: &Call<'_>) -> Answer {
    let name = group_name(call);
    group(call, &name)?;
    let prefix = call.text("logStreamNamePrefix");
    let by_time = call.text("orderBy") == "LastEventTime";
    if by_time && !prefix.is_empty() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut streams = call.store.children::<Stream>(STREAM, &name)?;
    streams.retain(|stream| stream.name.starts_with(prefix));
    let descending = call.flag("descending");
    let key = |stream: &Stream| {
        let last = stream.last.unwrap_or_default();
        match (by_time, descending) {
            (true, false) => format!("{last:020} {}", stream.name),
            (true, true) => format!("{:020} {}", i64::MAX - last, stream.name),
            (false, false) => stream.name.clone(),
            // Characters counted backwards put names in descending order.
            (false, true) => {
                let mut key: String = stream
                    .name
                    .chars()
                    .filter_map(|c| char::from_u32(0xD7FF - u32::from(c).min(0xD7FE)))
                    .collect();
                key.push('\u{D7FF}');
                key
            }
        }
    };
    let page = page(
        streams,
        key,
        call.text("nextToken"),
        at_most(call, 50, 50)?,
        invalid_token,
    )?;
    let arn = arn(call, &name);
    let views: Vec<_> = page
        .items
        .iter()
        .map(|stream| {
            json!({
                "logStreamName": stream.name,
                "creationTime": stream.created,
                "firstEventTimestamp": stream.first,
                "lastEventTimestamp": stream.last,
                "lastIngestionTime": stream.ingested,
                "uploadSequenceToken": format!("{:056}", stream.count),
                "arn": format!("{arn}:log-stream:{}", stream.name),
                "storedBytes": 0,
            })
        })
        .collect();
    answer(json!({ "logStreams": views, "nextToken": page.next }))
}

fn put_events(call: &Call<'_>) -> Answer {
    only(call, &["logGroupName", "logStreamName", "logEvents", "sequenceToken"])?;
    let name = call.text("logGroupName");
    let group = group(call, name)?;
    let lines: Vec<(i64, &str)> = call
        .list("logEvents")
        .iter()
        .map(|event| {
            (
                event["timestamp"].as_i64().unwrap_or_default(),
                event["message"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    if lines.len() > EVENTS || lines.iter().map(|(_, message)| message.len() + OVERHEAD).sum::<usize>() > BATCH {
        return Err(invalid(
            "Upload too large: the maximum batch is 1,048,576 bytes and 10,000 events.",
        ));
    }
    if !lines.is_sorted_by_key(|(time, _)| *time) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    if let (Some((first, _)), Some((last, _))) = (lines.first(), lines.last())
        && last - first > DAY
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let too_old = call.now - group.retention.map_or(14, |days| days.min(14)) * DAY;
    let too_new = call.now + 2 * 60 * 60 * 1000;
    let old = lines.iter().filter(|(time, _)| *time < too_old).count();
    let fresh = lines.iter().position(|(time, _)| *time > too_new);
    let accepted: Vec<_> = lines
        .iter()
        .filter(|(time, _)| (too_old..=too_new).contains(time))
        .map(|(t, m)| (*t, (*m).to_owned()))
        .collect();
    let count = append(call, name, call.text("logStreamName"), &accepted)?;
    let rejected = (old > 0 || fresh.is_some())
        .then(|| json!({ "tooOldLogEventEndIndex": (old > 0).then_some(old), "tooNewLogEventStartIndex": fresh }));
    answer(json!({ "nextSequenceToken": format!("{count:056}"), "rejectedLogEventsInfo": rejected }))
}

/// The tokens name a place in the stream, forward and backward. "If you have reached the end of the stream, it returns
/// the same token you passed in."
fn get_events(call: &Call<'_>) -> Answer {
    let name = group_name(call);
    group(call, &name)?;
    let stream = stream(call, &name, call.text("logStreamName"))?;
    let mut events = events(call, &name, &stream.name)?;
    events.retain(|event| within(call, event));
    events.sort_by_key(|event| (event.timestamp, event.number));
    let limit = at_most(call, EVENTS, EVENTS)?;
    let token = call.text("nextToken");
    let place = |text: &str| {
        text.parse::<usize>()
            .map(|place| place.min(events.len()))
            .map_err(|_| invalid_token())
    };
    let (from, to) = match token.split_once('/') {
        Some(("f", text)) => {
            let from = place(text)?;
            (from, (from + limit).min(events.len()))
        }
        Some(("b", text)) => {
            let to = place(text)?;
            (to.saturating_sub(limit), to)
        }
        Some(_) => return Err(invalid_token()),
        None if !token.is_empty() => return Err(invalid_token()),
        None if call.flag("startFromHead") => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
    };
    let views: Vec<_> = events
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .map(|event| json!({ "timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested }))
        .collect();
    answer(json!({
        "events": views,
        "nextForwardToken": format!("f/{to:056}"),
        "nextBackwardToken": format!("b/{from:056}"),
    }))
}

fn filter_events(call: &Call<'_>) -> Answer {
    let name = group_name(call);
    group(call, &name)?;
    let (names, prefix) = (call.texts("logStreamNames"), call.text("logStreamNamePrefix"));
    if !names.is_empty() && !prefix.is_empty() {
        return Err(invalid(
            "logStreamNamePrefix and logStreamNames are mutually exclusive parameters",
        ));
    }
    for wanted in &names {
        stream(call, &name, wanted)?;
    }
    let pattern = Pattern::parse(call.text("filterPattern"))?;
    let mut found = Vec::new();
    for stream in call.store.children::<Stream>(STREAM, &name)? {
        if stream.name.starts_with(prefix) && (names.is_empty() || names.contains(&stream.name)) {
            found.extend(events(call, &name, &stream.name)?);
        }
    }
    found.retain(|event| within(call, event) && pattern.matches(&event.message));
    let key = |event: &Event| format!("{:020} {} {:020}", event.timestamp, event.stream, event.number);
    let page = page(
        found,
        key,
        call.text("nextToken"),
        at_most(call, EVENTS, EVENTS)?,
        invalid_token,
    )?;
    let views: Vec<_> = page
        .items
        .iter()
        .map(|event| {
            json!({
                "logStreamName": event.stream,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingested,
                "eventId": format!("{:020}{:036}", event.timestamp, event.number),
            })
        })
        .collect();
    answer(json!({ "events": views, "searchedLogStreams": [], "nextToken": page.next }))
}

/// Filter patterns of unstructured text: terms that all must occur, `?term` of which one must, `-term` that must not,
/// `"several words"`. Case-sensitive. *Filter pattern syntax for metric filters*.
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.starts_with('{') || text.starts_with('[') || text.starts_with('%') {
            return Err(Fault::new(
                "UnsupportedOperation",
                "not in the sandbox: it filters log events by terms, not by patterns of JSON, columns or regular expressions",
            ));
        }
        let mut pattern = Self {
            all: Vec::new(),
            any: Vec::new(),
            none: Vec::new(),
        };
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes().first() {
                Some(b'?') => (&mut pattern.any, rest.get(1..).unwrap_or_default()),
                Some(b'-') => (&mut pattern.none, rest.get(1..).unwrap_or_default()),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| invalid("Invalid filter pattern"))?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            list.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && !self.none.iter().any(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}

/// Whether there is such a group; what ECS asks before it starts a container with the `awslogs` driver.
pub fn group_exists(call: &Call<'_>, name: &str) -> Result<bool, Fault> {
    Ok(call.store.get::<Group>(GROUP, name)?.is_some())
}

/// Creates a group as ECS does for `awslogs-create-group`. One that is there stays.
pub fn ensure_group(call: &Call<'_>, name: &str) -> Result<(), Fault> {
    if group_exists(call, name)? {
        return Ok(());
    }
    let group = Group {
        name: name.to_owned(),
        created: call.now,
        retention: None,
        kms_key_id: None,
        class: "STANDARD".to_owned(),
    };
    call.store.put(GROUP, name, "", &group)
}

/// Writes lines, times in milliseconds, into a stream that is made when it is not there. For the containers that the
/// sandbox simulates.
pub fn write(call: &Call<'_>, group: &str, name: &str, lines: &[(i64, String)]) -> Result<(), Fault> {
    if call.store.get::<Stream>(STREAM, &stream_id(group, name))?.is_none() {
        create_stream(call, group, name)?;
    }
    append(call, group, name, lines).map(|_| ())
}

fn append(call: &Call<'_>, group: &str, name: &str, lines: &[(i64, String)]) -> Result<i64, Fault> {
    let mut stream = stream(call, group, name)?;
    let id = stream_id(group, name);
    for (timestamp, message) in lines {
        let event = Event {
            stream: name.to_owned(),
            number: stream.count,
            timestamp: *timestamp,
            ingested: call.now,
            message: message.clone(),
        };
        call.store.put(EVENT, &format!("{id}:{}", stream.count), &id, &event)?;
        stream.count += 1;
        stream.first = Some(stream.first.map_or(*timestamp, |first| first.min(*timestamp)));
        stream.last = Some(stream.last.map_or(*timestamp, |last| last.max(*timestamp)));
        stream.ingested = Some(call.now);
    }
    call.store.put(STREAM, &id, group, &stream)?;
    Ok(stream.count)
}

fn create_stream(call: &Call<'_>, group: &str, name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [^:*]*"
        )));
    }
    let id = stream_id(group, name);
    if call.store.get::<Stream>(STREAM, &id)?.is_some() {
        return Err(Fault::new(
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        ));
    }
    let stream = Stream {
        name: name.to_owned(),
        created: call.now,
        first: None,
        last: None,
        ingested: None,
        count: 0,
    };
    call.store.put(STREAM, &id, group, &stream)
}

fn remove_stream(call: &Call<'_>, group: &str, stream: &Stream) -> Result<(), Fault> {
    let id = stream_id(group, &stream.name);
    for event in call.store.children::<Event>(EVENT, &id)? {
        call.store.delete(EVENT, &format!("{id}:{}", event.number))?;
    }
    call.store.delete(STREAM, &id).map(|_| ())
}

fn events(call: &Call<'_>, group: &str, stream: &str) -> Result<Vec<Event>, Fault> {
    call.store.children(EVENT, &stream_id(group, stream))
}

fn bytes(events: &[Event]) -> usize {
    events.iter().map(|event| event.message.len() + OVERHEAD).sum()
}

/// Neither a group's nor a stream's name has a colon.
fn stream_id(group: &str, stream: &str) -> String {
    format!("{group}:{stream}")
}

fn within(call: &Call<'_>, event: &Event) -> bool {
    call.int("startTime").is_none_or(|start| event.timestamp >= start)
        && call.int("endTime").is_none_or(|end| event.timestamp < end)
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
