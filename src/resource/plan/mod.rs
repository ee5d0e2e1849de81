//! What a run would do, without doing it: `--plan`.
//!
//! A plan reads the cloud as a run does and compares as a run does; where a run would write, it records. What only a
//! run can know, such as the id of a VPC that is not there, is [`Unknown`]: it goes through texts and options like any
//! output, and ends the plan only where the script would decide by it. Nothing can be written meanwhile: the clients of a
//! plan refuse every call that is not a read.

mod document;
mod expect;

use super::adopt;
use super::converge::{Converged, Wanted, Work};
use super::engine::Engine;
use super::kind::{Change, Class, Kind, Live, Readiness};
use super::report::Outcome;
use super::tags::Tags;
use crate::error::{Error, Result};
use crate::value::{self, Map, Part, Text, Unknown, Value};

pub use document::{Action, Horizon, PlanDocument, PlannedAction, PlannedChange};
pub use expect::{Ask, Expectation};

/// What `converge` would do with one resource.
pub(super) async fn foresee<K: Kind>(kind: &K, engine: &Engine, wanted: Wanted) -> Result<Converged> {
    // What depends on an unknown value cannot be judged: an id that is a placeholder is no valid id.
    let judged = |error: Error| match value::is_unknown(&error.to_string()) {
        true => Ok(()),
        false => Err(error),
    };
    let is_known = wanted.options.unknown().is_none();
    let (name, section, keep) = (wanted.name, wanted.section, wanted.keep);
    let spec: K::Spec = wanted.options.read()?;
    kind.check(engine.scope(), &name, &spec).or_else(judged)?;
    let work = Work {
        kind,
        engine,
        name: &name,
        section: &section,
        spec: &spec,
        made_of: &[],
        keep: &keep,
        at: wanted.at,
        replaces: "",
    };
    let found = match work.find(false).await {
        // It is looked up by its parent, which is not there yet.
        Err(error) if !is_known && is_about_the_question(&error) => None,
        found => found?,
    };
    let Some(live) = found else {
        adopt::refuse_to_double(kind, engine.scope(), &name).await?;
        return work.foresee_creation().await;
    };
    match kind.readiness(&live) {
        Readiness::Failed(error) => return Err(error),
        // A run waits until it is gone, and makes it anew.
        Readiness::Leaving(_) => return work.foresee_creation().await,
        Readiness::Ready | Readiness::Waiting(_) => {}
    }
    let live = match kind.inspect(&spec, live.clone()).await {
        Err(error) if !is_known && is_about_the_question(&error) => live,
        inspected => inspected?,
    };
    Ok(work.foresee_change(&work.with_proved_tags(live).await?))
}

/// Whether a service refused what it was asked, rather than to answer: a placeholder is no id that it could know. A
/// denied or failed call is never taken for an absence.
fn is_about_the_question(error: &Error) -> bool {
    let code = error.code();
    ["Invalid", "Validation", "NotFound", "NoSuch", "Malformed"]
        .iter()
        .any(|word| code.contains(word))
}

impl<K: Kind> Work<'_, K> {
    async fn foresee_creation(&self) -> Result<Converged> {
        let remarks = self
            .kind
            .foresee(&self.context(Tags::new()), self.name, self.spec)
            .await?;
        Ok(Converged {
            id: String::new(),
            outcome: Outcome::Created,
            outputs: self.unknown_outputs(),
            remarks,
        })
    }

    fn foresee_change(&self, live: &Live<K::State>) -> Converged {
        let difference = self.difference(live);
        let mut remarks = self.kind.remarks(self.spec, live);
        remarks.extend(difference.kept.iter().map(kept));
        let changes = difference.changes;
        let (outcome, outputs) = if changes.is_empty() {
            (Outcome::Unchanged, self.kind.outputs(live))
        } else if changes.iter().any(Change::replaces) {
            remarks.extend(
                self.refusal(&changes)
                    .map(|refusal| refusal.help().unwrap_or_default().to_owned()),
            );
            (Outcome::Replaced(changes), self.unknown_outputs())
        } else {
            let outputs = self.outputs_after(live, &changes);
            (Outcome::Changed(changes), outputs)
        };
        Converged {
            id: live.id.clone(),
            outcome,
            outputs,
            remarks,
        }
    }

    fn unknown(&self, field: &str) -> Value {
        let unknown = Unknown::new(format!("{}.{field}", self.label()));
        Value::Text(Text(vec![Part::Unknown(unknown)]))
    }

    fn unknown_outputs(&self) -> Map {
        let fields = self.kind.about().outputs.iter();
        fields
            .map(|field| (field.name.to_owned(), self.unknown(field.name)))
            .collect()
    }

    /// What is changed is not known, nor what the kind says changes with it.
    fn outputs_after(&self, live: &Live<K::State>, changes: &[Change]) -> Map {
        let mut outputs = self.kind.outputs(live);
        let own: Vec<_> = changes
            .iter()
            .filter(|change| !change.field.starts_with("tag "))
            .cloned()
            .collect();
        let unsettled = match own.is_empty() {
            true => &[][..],
            false => self.kind.unsettled(&own),
        };
        for (field, value) in &mut outputs {
            let is_changed = changes.iter().any(|change| change.field == *field);
            if is_changed || unsettled.contains(&field.as_str()) {
                *value = self.unknown(field);
            }
        }
        outputs
    }
}

/// What is told of a difference that the script leaves as it is.
pub(super) fn kept(change: &Change) -> String {
    let Change { field, from, to, .. } = change;
    format!("left as it is, as `keep` says: {field} is {from}, the script says {to}")
}

/// The options of what would be created, one line each: `cidr: 10.0.0.0/16`.
pub(super) fn lines(options: &Value) -> Vec<String> {
    let Value::Map(options) = options else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (key, value) in options {
        match value {
            Value::Null => {}
            Value::List(list) if list.is_empty() => {}
            Value::Map(map) if map.is_empty() => {}
            // Said by the heading.
            _ if key == "name" => {}
            Value::List(list) => match list.iter().all(|item| !matches!(item, Value::Map(_) | Value::List(_))) {
                true => {
                    let items: Vec<_> = list.iter().map(Value::to_string).collect();
                    lines.push(format!("{key}: {}", items.join(", ")));
                }
                false => lines.extend(list.iter().map(|item| format!("{key}: {}", compact(item)))),
            },
            Value::Map(map) => {
                lines.extend(
                    map.iter()
                        .map(|(inner, value)| format!("{key}.{inner}: {}", compact(value))),
                );
            }
            value => lines.push(format!("{key}: {value}")),
        }
    }
    lines
}

/// A value in one line, without the quotes and braces of JSON: `protocol=tcp port=6379 cidrs=[10.0.0.0/8]`.
fn compact(value: &Value) -> String {
    match value {
        Value::Map(map) => {
            let parts: Vec<_> = map
                .iter()
                .filter(|(_, value)| !matches!(value, Value::Null))
                .map(|(key, value)| match value {
                    Value::Map(_) => format!("{key}=({})", compact(value)),
                    Value::Text(text) if text.to_string().contains(' ') && text.as_plain().is_some() => {
                        format!("{key}=\"{text}\"")
                    }
                    value => format!("{key}={}", compact(value)),
                })
                .collect();
            parts.join(" ")
        }
        Value::List(list) => {
            let items: Vec<_> = list.iter().map(compact).collect();
            format!("[{}]", items.join(", "))
        }
        value => value.to_string(),
    }
}

impl Change {
    /// Whether the resource has to be deleted and made anew for it.
    pub fn replaces(&self) -> bool {
        matches!(self.class, Class::Replace | Class::ReplaceWithLoss)
    }
}
