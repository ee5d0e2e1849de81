//! Log streams.

use serde_json::json;

use super::super::answers::{answer, page};
use super::super::call::{Answer, Call, Fault};
use super::{EVENT, Event, STREAM, Stream, arn, at_most, group, group_name, invalid, invalid_token, stream_id};

pub fn describe_streams(call: &Call<'_>) -> Answer {
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

pub fn create_stream(call: &Call<'_>, group: &str, name: &str) -> Result<(), Fault> {
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

pub fn remove_stream(call: &Call<'_>, group: &str, stream: &Stream) -> Result<(), Fault> {
    let id = stream_id(group, &stream.name);
    for event in call.store.children::<Event>(EVENT, &id)? {
        call.store.delete(EVENT, &format!("{id}:{}", event.number))?;
    }
    call.store.delete(STREAM, &id).map(|_| ())
}
