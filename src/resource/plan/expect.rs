//! A run that is held to a plan: `--expect FILE`.
//!
//! Before an action starts it is compared with what the plan said. What differs stops it. What lies behind the plan's
//! horizon is asked for. What the plan said and is done already is left out: that is what running again means.

use std::collections::HashMap;
use std::sync::Mutex;

use super::document::{Action, PlanDocument, PlannedAction, PlannedChange};
use crate::error::{Error, Location, Result};
use crate::resource::report::Outcome;
use crate::resource::tags::Scope;
use crate::secret::mask;
use crate::value::{KNOWN_AFTER_APPLY, shown};

/// Asks a person.
pub type Ask = Box<dyn Fn(&str) -> Result<bool> + Send + Sync>;

/// The plan that a run is held to.
pub struct Expectation {
    actions: HashMap<String, PlannedAction>,
    horizon: Option<String>,
    file: String,
    /// One question at a time.
    ask: Mutex<Ask>,
}

impl Expectation {
    /// # Errors
    /// The plan is one of another environment.
    pub fn new(document: PlanDocument, file: &str, scope: &Scope, ask: Ask) -> Result<Self> {
        if (&document.project, &document.environment) != (&scope.project, &scope.environment) {
            return Err(Error::declined(format!(
                "{file} is a plan for {} {}, and this is {} {}",
                document.project, document.environment, scope.project, scope.environment
            )));
        }
        let actions = document.actions.into_iter();
        Ok(Self {
            actions: actions.map(|planned| (planned.label(), planned)).collect(),
            horizon: match document.horizon {
                Some(horizon) => Some(match horizon.at {
                    Some(at) => format!("it ends at {at}, where {}", horizon.because),
                    None => format!("it ends where {}", horizon.because),
                }),
                None => document
                    .unseen
                    .first()
                    .map(|unseen| format!("it does not know {unseen}")),
            },
            file: file.to_owned(),
            ask: Mutex::new(ask),
        })
    }

    /// Whether the plan has anything under a label.
    pub fn knows(&self, label: &str) -> bool {
        self.actions.contains_key(label)
    }

    /// Whether what is about to be done is what was planned. `lines` say what it is made of, or what is done, as in the
    /// plan.
    pub fn check(&self, label: &str, outcome: &Outcome, lines: &[String], at: Option<&Location>) -> Result<()> {
        let action = Action::from(outcome);
        let Some(planned) = self.actions.get(label) else {
            return self.behind_the_horizon(label, outcome, at);
        };
        let changes = match outcome {
            Outcome::Changed(changes) | Outcome::Replaced(changes) => changes.as_slice(),
            _ => &[],
        };
        // Whatever the plan only knew as a call that acts is that call.
        let is_planned = planned.action == action
            && changes.iter().all(|change| {
                let now = PlannedChange::from(change);
                planned.changes.iter().any(|planned| covers(planned, &now))
            });
        let lines: Vec<_> = lines.iter().map(|line| mask(&shown(line)).into_owned()).collect();
        let (more, less) = planned.differ(&lines);
        if is_planned && more.is_empty() && less.is_empty() {
            return Ok(());
        }
        let mut error = Error::declined(format!("{label}: {} is not what {} says", words(outcome), self.file))
            .note(match planned.changes.as_slice() {
                [] => format!("the plan says: {}", planned_words(planned.action)),
                changes => {
                    let changes: Vec<_> = changes
                        .iter()
                        .map(|change| format!("{}: {} -> {}", change.field, change.from, change.to))
                        .collect();
                    format!(
                        "the plan says: {} ({})",
                        planned_words(planned.action),
                        changes.join("; ")
                    )
                }
            })
            .hint("make the plan again, and look at it");
        for line in less {
            error = error.note(format!("the plan says: {line}"));
        }
        for change in changes {
            error = error.note(format!("now it is: {}: {} -> {}", change.field, change.from, change.to));
        }
        for line in more {
            error = error.note(format!("now it is: {line}"));
        }
        Err(match at {
            Some(at) => error.at(at.clone()),
            None => error,
        })
    }

    fn behind_the_horizon(&self, label: &str, outcome: &Outcome, at: Option<&Location>) -> Result<()> {
        let refused = match &self.horizon {
            None => Error::declined(format!("{label}: {} is not in {}", words(outcome), self.file))
                .hint("make the plan again, and look at it"),
            Some(horizon) => {
                let question = format!("{label}: {}? The plan could not see it: {horizon}", words(outcome));
                let ask = self.ask.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match ask(&question)? {
                    true => return Ok(()),
                    false => Error::declined(format!("{label}: declined")),
                }
            }
        };
        Err(match at {
            Some(at) => refused.at(at.clone()),
            None => refused,
        })
    }
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Created => "creating it".into(),
        Outcome::Changed(_) => "changing it".into(),
        Outcome::Replaced(_) => "replacing it".into(),
        Outcome::Deleted => "deleting it".into(),
        other => other.words(),
    }
}

fn planned_words(action: Action) -> &'static str {
    match action {
        Action::Nothing => "nothing to change",
        Action::Create => "create",
        Action::Change => "change",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Keep => "keep",
        Action::Run => "run",
        Action::Failed => "it could not be foreseen",
    }
}

impl PlannedAction {
    /// What is done now and was not planned, and what was planned and is not done now. An act does less when a part of it is
    /// done already; what is created is made of all that was planned, and of nothing else.
    fn differ<'a>(&'a self, lines: &'a [String]) -> (Vec<&'a String>, Vec<&'a String>) {
        let is_planned = |line: &&String| self.lines.iter().any(|planned| matches(planned, line));
        let is_done = |planned: &&String| lines.iter().any(|line| matches(planned, line));
        let more = lines.iter().filter(|line| !is_planned(line)).collect();
        let less = match self.action {
            Action::Create => self.lines.iter().filter(|planned| !is_done(planned)).collect(),
            _ => Vec::new(),
        };
        (more, less)
    }
}

/// Whether a change is the planned one. What the plan did not know may be anything.
fn covers(planned: &PlannedChange, now: &PlannedChange) -> bool {
    planned.field == now.field
        && planned.class == now.class
        && matches(&planned.from, &now.from)
        && matches(&planned.to, &now.to)
}

/// Whether a text is another in which [`KNOWN_AFTER_APPLY`] stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split(KNOWN_AFTER_APPLY);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plan_did_not_know_may_be_anything() {
        assert!(matches("sg-1", "sg-1"));
        assert!(!matches("sg-1", "sg-12"));
        assert!(matches("(known after apply)", "sg-12"));
        assert!(matches(
            "tcp 80 (known after apply), tcp 443 (known after apply)",
            "tcp 80 sg-1, tcp 443 sg-2"
        ));
        assert!(!matches("tcp 80 (known after apply)", "tcp 81 sg-1"));
        assert!(!matches("a (known after apply) b", "a c"));
    }
}
