//! Events: what happened to a replication group and its clusters, for 14 days.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::answers::{hex, seconds};
use super::super::call::{Answer, Call, Fault};
use super::{invalid, paged};

const KIND: &str = "elasticache/event";
const MINUTE: i64 = 60 * 1000;
/// 14 days.
const KEPT: i64 = 14 * 24 * 60 * MINUTE;

#[derive(Serialize, Deserialize)]
struct Event {
    source: String,
    kind: String,
    message: String,
    at: i64,
}

pub fn say(call: &Call<'_>, kind: &str, source: &str, message: &str, at: i64) -> Result<(), Fault> {
    let event = Event {
        source: source.to_owned(),
        kind: kind.to_owned(),
        message: message.to_owned(),
        at,
    };
    call.store.put(KIND, &hex(32), source, &event)
}

/// "By default, only the events occurring within the last hour are returned."
pub fn describe(call: &Call<'_>) -> Answer {
    let moment = |member: &str| {
        call.input
            .get(member)
            .and_then(serde_json::Value::as_f64)
            .map(|seconds| (seconds * 1000.0) as i64)
    };
    let kept = call.now - KEPT;
    if moment("StartTime").is_some_and(|start| start < kept)
        || call.int("Duration").is_some_and(|minutes| minutes > KEPT / MINUTE)
    {
        return Err(invalid("Events are kept for 14 days: the start is earlier."));
    }
    if let (Some(start), Some(end)) = (moment("StartTime"), moment("EndTime"))
        && start > end
    {
        return Err(invalid("StartTime must be before EndTime."));
    }
    let (source, kind) = (call.text("SourceIdentifier"), call.text("SourceType"));
    let from = match (moment("StartTime"), call.int("Duration")) {
        (Some(start), _) => start,
        (None, minutes) => call.now - minutes.unwrap_or(60) * MINUTE,
    };
    let to = moment("EndTime").unwrap_or(call.now);
    let events = call
        .store
        .all::<Event>(KIND)?
        .into_iter()
        .enumerate()
        .filter(|(_, event)| {
            (from..=to).contains(&event.at)
                && (source.is_empty() || event.source == source)
                && (kind.is_empty() || event.kind == kind)
        });
    let views = events.map(|(place, event)| {
        let view = json!({
            "SourceIdentifier": event.source,
            "SourceType": event.kind,
            "Message": event.message,
            "Date": seconds(event.at),
        });
        (format!("{:020} {place:010}", event.at), view)
    });
    paged(call, "Events", views.collect())
}
