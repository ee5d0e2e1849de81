//! The one way of a call through the rules: the in-process client and a server over HTTP both come here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::params;
use serde_json::{Map, Value};

use super::super::call::Fault;
use super::super::protocol::Reply;
use super::super::state::State;
use super::super::store::internal;
use super::super::{Aws, Request};
use super::{Effect, Listed, Rule, is_about, read, words};

/// A request that owns what it is made of.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    pub method: String,
    pub uri: String,
    pub authorization: String,
    pub target: String,
    pub body: Bytes,
}

impl Incoming {
    pub fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            uri: &self.uri,
            authorization: &self.authorization,
            target: &self.target,
            body: &self.body,
        }
    }
}

/// Why the caller gets no answer. A client fails as with a broken network; a server closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The call was not carried out.
    Unreachable,
    /// The call was carried out.
    Answer,
    /// The sandbox itself broke down.
    Broken,
}

/// What the rules say to one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Meeting {
    delay: Duration,
    effect: Option<Effect>,
}

/// Takes a call through the rules, and to its service where they let it. SQLite blocks, so that is done off the threads
/// that run futures.
pub async fn exchange(aws: Arc<Aws>, incoming: Incoming) -> Result<Reply, Lost> {
    let incoming = Arc::new(incoming);
    let first = {
        let (aws, incoming) = (aws.clone(), incoming.clone());
        tokio::task::spawn_blocking(move || {
            let meeting = match meeting(&aws, incoming.request()) {
                Ok(meeting) => meeting,
                Err(fault) => return Ok(aws.refuse(incoming.request(), &fault)),
            };
            match meeting == Meeting::default() {
                true => Ok(aws.answer(incoming.request())),
                false => Err(meeting),
            }
        })
    };
    let meeting = match first.await.map_err(|_| Lost::Broken)? {
        Ok(reply) => return Ok(reply),
        Err(meeting) => meeting,
    };
    if !meeting.delay.is_zero() {
        tokio::time::sleep(meeting.delay).await;
    }
    let request = incoming.request();
    let (service, operation) = request.names();
    let lost = match meeting.effect {
        Some(Effect::Throttle) => return Ok(aws.refuse(request, &words::throttled(&service))),
        Some(Effect::Deny) => {
            return Ok(aws.refuse(request, &words::denied(&service, &aws.options.account, &operation)));
        }
        Some(Effect::Fail { code, message, status }) => {
            return Ok(aws.refuse(request, &Fault::new(&code, message).status(status)));
        }
        Some(Effect::Unreachable) => return Err(Lost::Unreachable),
        other => other == Some(Effect::LoseAnswer),
    };
    let reply = tokio::task::spawn_blocking(move || aws.answer(incoming.request()))
        .await
        .map_err(|_| Lost::Broken)?;
    match lost {
        true => Err(Lost::Answer),
        false => Ok(reply),
    }
}

fn meeting(aws: &Aws, request: Request<'_>) -> Result<Meeting, Fault> {
    let rules = aws.state.read(|connection| read(connection).map_err(internal))?;
    if !rules.iter().any(|listed| listed.rule.is_of_calls()) {
        return Ok(Meeting::default());
    }
    let (service, operation) = request.names();
    let of_this = |listed: &&Listed| listed.rule.is_of_calls() && listed.rule.takes(&service, &operation);
    let mut matching: Vec<&Listed> = rules.iter().filter(of_this).collect();
    if matching.iter().any(|listed| listed.rule.resource.is_some()) {
        let input = aws.input(request).unwrap_or_default();
        matching.retain(|listed| names_it(&listed.rule, &input));
    }
    match matching.is_empty() {
        true => Ok(Meeting::default()),
        false => count(&aws.state, &matching),
    }
}

/// Whether the parameters of a call name the resource that a rule is about.
fn names_it(rule: &Rule, input: &Map<String, Value>) -> bool {
    fn within(value: &Value, pattern: &str) -> bool {
        match value {
            Value::String(text) => is_about(pattern, text),
            Value::Array(items) => items.iter().any(|item| within(item, pattern)),
            Value::Object(members) => members.values().any(|member| within(member, pattern)),
            _ => false,
        }
    }
    match rule.resource.as_deref() {
        None => true,
        Some(pattern) => input.values().any(|value| within(value, pattern)),
    }
}

/// Counts the call for the rules that match, up to the one that meets it; delays meet it beside that one.
fn count(state: &State, matching: &[&Listed]) -> Result<Meeting, Fault> {
    state.write(|connection| {
        let mut meeting = Meeting::default();
        for listed in matching {
            let counts = connection.query_row(
                "UPDATE rule SET seen = seen + 1 WHERE id = ?1 RETURNING seen, met",
                params![listed.id],
                |row| {
                    Ok((
                        row.get::<_, i64>(0)?.unsigned_abs(),
                        row.get::<_, i64>(1)?.unsigned_abs(),
                    ))
                },
            );
            let (number, met) = match counts {
                Ok(counts) => counts,
                // It was cleared meanwhile.
                Err(rusqlite::Error::QueryReturnedNoRows) => continue,
                Err(error) => return Err(internal(error)),
            };
            if !listed.rule.meets(number, met) {
                continue;
            }
            connection
                .execute("UPDATE rule SET met = met + 1 WHERE id = ?1", params![listed.id])
                .map_err(internal)?;
            match listed.rule.effect {
                Effect::Delay { time } => meeting.delay += Duration::from_millis(time),
                ref effect => {
                    meeting.effect = Some(effect.clone());
                    break;
                }
            }
        }
        Ok(meeting)
    })
}
