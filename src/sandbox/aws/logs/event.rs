//! Log events: written, read, filtered.

use serde_json::json;

use super::super::answers::{answer, only, page};
use super::super::call::{Answer, Call, Fault};
use super::pattern::Pattern;
use super::stream::create_stream;
use super::{
    DAY, EVENT, Event, STREAM, Stream, at_most, events, group, group_name, invalid, invalid_token, stream, stream_id,
};

/// Bytes that each event counts beside its message, `PutLogEvents`.
pub const OVERHEAD: usize = 26;

/// Bytes of one call and of one event, events of one call.
pub const BATCH: usize = 1_048_576;

pub const EVENTS: usize = 10_000;

pub fn put_events(call: &Call<'_>) -> Answer {
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
pub fn get_events(call: &Call<'_>) -> Answer {
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

pub fn filter_events(call: &Call<'_>) -> Answer {
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

/// Writes lines, times in milliseconds, into a stream that is made when it is not there. For the containers that the
/// sandbox simulates.
pub fn write(call: &Call<'_>, group: &str, name: &str, lines: &[(i64, String)]) -> Result<(), Fault> {
    if call.store.get::<Stream>(STREAM, &stream_id(group, name))?.is_none() {
        create_stream(call, group, name)?;
    }
    append(call, group, name, lines).map(|_| ())
}

pub fn append(call: &Call<'_>, group: &str, name: &str, lines: &[(i64, String)]) -> Result<i64, Fault> {
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

pub fn bytes(events: &[Event]) -> usize {
    events.iter().map(|event| event.message.len() + OVERHEAD).sum()
}

pub fn within(call: &Call<'_>, event: &Event) -> bool {
    call.int("startTime").is_none_or(|start| event.timestamp >= start)
        && call.int("endTime").is_none_or(|end| event.timestamp < end)
}
