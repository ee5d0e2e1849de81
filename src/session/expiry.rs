//! Until when environments are needed: `environment::expiry` of this one, `tags::environments` of all that are found.
//!
//! The clock is this machine's. One that is off by more than some minutes has its requests refused by AWS, so nothing is
//! judged by a wrong one. Source: IAM User Guide, "Signature Version 4", on requests that are too old.

use std::sync::Arc;

use jiff::Timestamp;

use crate::aws::{Aws, sweep};
use crate::environment::{Environment, Expiry};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{Engine, Verb, audit, tags};
use crate::value::{Map, Value};

const EXPIRY: &str = "Until when this environment is needed, by its file and by the tag iacsh:expires-at of each of its resources; the latest \
                      of them counts. Gives a map: `state` (past, valid, never, missing), `expires_at`, `said_by`, `days_left` (whole days), \
                      `resources` (how many there are), `protect`, and `others`, the values that differ. A value that cannot be read is \
                      an error.";

const ENVIRONMENTS: &str = "The environments that have anything with iacsh's tags in this account and region, of all projects, as the Resource \
                            Groups Tagging API lists them: `state` is past, valid, never, missing or unreadable. Where the resources of one \
                            do not agree, the latest end counts.";

/// `environment::expiry` and `tags::environments`.
pub fn all(environment: &Arc<Environment>, aws: &Aws) -> Vec<Verb> {
    let environment = environment.clone();
    let expiry = Verb::reads("environment", "expiry", EXPIRY).run(move |cx, _| {
        let environment = environment.clone();
        async move { Ok(Value::Map(expiry(&cx.engine, &environment, Timestamp::now()).await?)) }
    });
    let aws = aws.clone();
    let environments = Verb::reads("tags", "environments", ENVIRONMENTS).run(move |cx, _| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let found = sweep::environments(&aws).await?;
            let now = Timestamp::now();
            Ok(Value::List(
                found.iter().map(|found| Value::Map(row(found, now))).collect(),
            ))
        }
    });
    vec![expiry, environments]
}

/// One statement of an end, and who made it.
struct Said {
    by: String,
    text: String,
    expiry: Expiry,
}

fn read(by: String, text: &str) -> Result<Said> {
    match Expiry::parse(text) {
        Some(expiry) => Ok(Said {
            by,
            text: text.to_owned(),
            expiry,
        }),
        None => Err(Error::failed(format!("{by} expires at \"{text}\", which is no day"))
            .note("nothing expires by a guess")
            .hint("a day is written 2027-01-31, a moment 2027-01-31T18:00:00Z; `never` is the other choice")),
    }
}

async fn expiry(engine: &Engine, environment: &Environment, now: Timestamp) -> Result<Map> {
    let found = audit::everything(engine).await?;
    let mut said = Vec::new();
    if let Some(text) = &environment.tags.expires_at {
        said.push(read(format!("environments/{}.toml", environment.name), text)?);
    }
    for tagged in &found {
        if let Some(text) = tagged.tags.get(tags::EXPIRES_AT) {
            said.push(read(format!("{}/{}", tagged.kind, tagged.name), text)?);
        }
    }
    // The file comes first among those that say the same.
    let latest = said.iter().rev().max_by_key(|said| said.expiry);
    let mut others: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
    others.retain(|text| latest.is_some_and(|latest| latest.text != *text));
    others.sort_unstable();
    others.dedup();
    let is_protected = |tagged: &audit::Tagged| tagged.tags.get(tags::PROTECT).is_some_and(|protect| protect == "true");
    let expiry = latest.map(|said| said.expiry);
    Ok(map! {
        "environment" => environment.name.as_str(),
        "project" => environment.project.as_str(),
        "state" => state(expiry, now),
        "expires_at" => latest.map(|said| said.text.clone()),
        "said_by" => latest.map(|said| said.by.clone()),
        "days_left" => days_left(expiry, now),
        "resources" => count(found.len()),
        "protect" => environment.protect || found.iter().any(is_protected),
        "others" => others.into_iter().map(Value::text).collect::<Vec<_>>(),
    })
}

fn count(resources: usize) -> i64 {
    i64::try_from(resources).unwrap_or(i64::MAX)
}

fn state(expiry: Option<Expiry>, now: Timestamp) -> &'static str {
    match expiry {
        None => "missing",
        Some(Expiry::Never) => "never",
        Some(expiry) if expiry.is_past(now) => "past",
        Some(_) => "valid",
    }
}

/// Whole days: 0 on the last one, less than 0 after it.
fn days_left(expiry: Option<Expiry>, now: Timestamp) -> Value {
    match expiry {
        Some(Expiry::At(end)) => Value::Int((end.as_second() - now.as_second()).div_euclid(24 * 3600)),
        _ => Value::Null,
    }
}

fn row(found: &sweep::Tagged, now: Timestamp) -> Map {
    let read: Option<Vec<Expiry>> = found.expires_at.iter().map(|text| Expiry::parse(text)).collect();
    let latest = read.as_ref().map(|all| all.iter().max().copied());
    let joined = |values: &std::collections::BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(", ");
    map! {
        "project" => found.project.as_str(),
        "environment" => found.environment.as_str(),
        "resources" => count(found.resources),
        "state" => latest.map_or("unreadable", |latest| state(latest, now)),
        "expires_at" => joined(&found.expires_at),
        "days_left" => latest.map_or(Value::Null, |latest| days_left(latest, now)),
        "owner" => joined(&found.owners),
        "protect" => found.protect.contains("true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(expires_at: &[&str]) -> sweep::Tagged {
        sweep::Tagged {
            project: "shop".into(),
            environment: "staging".into(),
            resources: 3,
            expires_at: expires_at.iter().map(|&text| text.to_owned()).collect(),
            owners: ["anna".to_owned()].into(),
            protect: ["false".to_owned()].into(),
        }
    }

    #[test]
    fn the_latest_end_counts_and_what_cannot_be_read_is_told() {
        let now: Timestamp = "2027-02-01T12:00:00Z".parse().unwrap();
        let told = |expires_at: &[&str]| {
            let row = row(&found(expires_at), now);
            (row["state"].to_string(), row["days_left"].to_string())
        };
        assert_eq!(told(&[]), ("missing".into(), String::new()));
        assert_eq!(told(&["2027-01-31"]), ("past".into(), "-1".into()));
        assert_eq!(told(&["2027-01-31", "2027-02-01"]), ("valid".into(), "0".into()));
        assert_eq!(told(&["2027-01-31", "never"]), ("never".into(), String::new()));
        assert_eq!(told(&["2027-01-31", "soon"]), ("unreadable".into(), String::new()));
    }
}
