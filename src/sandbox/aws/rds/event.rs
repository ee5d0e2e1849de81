//! Events: what happened to instances, snapshots and parameter groups in the last 14 days.
//!
//! Source: *Amazon RDS event categories and event messages*, `DescribeEvents`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::answers::seconds;
use super::super::call::{Answer, Call, Fault};
use super::instance::Instance;
use super::snapshot::Snapshot;
use super::{combination, filter, listed};

const KIND: &str = "rds/event";
const MINUTE: i64 = 60 * 1000;
const KEPT: i64 = 14 * 24 * 60 * MINUTE;

#[derive(Serialize, Deserialize)]
struct Event {
    /// By it events are found in the order of time.
    id: String,
    source: String,
    arn: String,
    kind: String,
    category: String,
    message: String,
    at: i64,
}

/// Something happened to an instance.
pub fn at(call: &Call<'_>, instance: &Instance, category: &str, message: &str, at: i64) -> Result<(), Fault> {
    say(call, "db-instance", &instance.id, &instance.arn, category, message, at)
}

/// Something happened to a snapshot.
pub fn snapshot(call: &Call<'_>, snapshot: &Snapshot, category: &str, message: &str, at: i64) -> Result<(), Fault> {
    say(call, "db-snapshot", &snapshot.id, &snapshot.arn, category, message, at)
}

/// A parameter group was changed.
pub fn parameters(call: &Call<'_>, name: &str, arn: &str, message: &str) -> Result<(), Fault> {
    say(
        call,
        "db-parameter-group",
        name,
        arn,
        "configuration change",
        message,
        call.now,
    )
}

fn say(
    call: &Call<'_>,
    kind: &str,
    source: &str,
    arn: &str,
    category: &str,
    message: &str,
    at: i64,
) -> Result<(), Fault> {
    // Those of one moment keep their order: each new document has a higher number than the one before.
    let newest = "SELECT seq FROM sqlite_sequence WHERE name = 'document'";
    let newest: i64 = call.store.row(newest, &[])?.unwrap_or_default();
    let event = Event {
        id: format!("{at:016}-{newest:016}"),
        source: source.to_owned(),
        arn: arn.to_owned(),
        kind: kind.to_owned(),
        category: category.to_owned(),
        message: message.to_owned(),
        at,
    };
    call.store.entry(KIND, &event.id).due(at + KEPT).put(&event)
}

/// Forgets those that are too old.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    for old in call.store.due::<Event>(KIND)? {
        call.store.delete(KIND, &old.id)?;
    }
    Ok(())
}

/// "By default, RDS returns events that were generated in the past hour."
pub fn describe(call: &Call<'_>) -> Answer {
    filter::none(call)?;
    let moment = |member: &str| {
        call.input
            .get(member)
            .and_then(serde_json::Value::as_f64)
            .map(|seconds| (seconds * 1000.0) as i64)
    };
    let (source, kind) = (
        call.text("SourceIdentifier").to_ascii_lowercase(),
        call.text("SourceType"),
    );
    if kind.is_empty() && !source.is_empty() {
        return Err(combination(
            "SourceType must be specified when SourceIdentifier is specified.",
        ));
    }
    let from = match (moment("StartTime"), call.int("Duration")) {
        (Some(start), _) => start,
        (None, minutes) => call.now - minutes.unwrap_or(60) * MINUTE,
    };
    let to = moment("EndTime").unwrap_or(call.now);
    let categories = call.texts("EventCategories");
    let keep = |event: &Event| {
        Ok((from..=to).contains(&event.at)
            && (source.is_empty() || event.source == source)
            && (kind.is_empty() || event.kind == kind)
            && (categories.is_empty() || categories.contains(&event.category)))
    };
    let view = |event: &Event| {
        Ok(json!({
            "SourceIdentifier": event.source,
            "SourceType": event.kind,
            "Message": event.message,
            "EventCategories": [event.category],
            "Date": seconds(event.at),
            "SourceArn": event.arn,
        }))
    };
    listed(call, "Events", KIND, None, keep, view)
}
