//! What a run did, for the table at its end and for `--json`.

use std::time::Duration;

use serde::Serialize;

use super::kind::Change;
use crate::map;
use crate::value::{Map, Value};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    #[default]
    Unchanged,
    Created,
    Changed(Vec<Change>),
    Replaced(Vec<Change>),
    Deleted,
    /// Left by a destroy, and why.
    Kept(String),
    Failed(String),
    /// Not started, because something it depends on failed.
    NotStarted(String),
    /// What an acting verb did: `3 applied`.
    Acted(String),
}

impl Outcome {
    /// Whether the environment is different now.
    pub fn is_change(&self) -> bool {
        matches!(
            self,
            Outcome::Created | Outcome::Changed(_) | Outcome::Replaced(_) | Outcome::Deleted | Outcome::Acted(_)
        )
    }

    /// For the journal: one word for what is not as it was before, or that it failed.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Outcome::Unchanged | Outcome::Kept(_) | Outcome::NotStarted(_) => None,
            Outcome::Created => Some("created"),
            Outcome::Changed(_) => Some("changed"),
            Outcome::Replaced(_) => Some("replaced"),
            Outcome::Deleted => Some("deleted"),
            Outcome::Failed(_) => Some("failed"),
            Outcome::Acted(_) => Some("acted"),
        }
    }

    /// One word, or a few.
    pub fn words(&self) -> String {
        match self {
            Outcome::Unchanged => "unchanged".into(),
            Outcome::Created => "created".into(),
            Outcome::Changed(changes) => format!("changed {}", fields(changes)),
            Outcome::Replaced(changes) => format!("replaced because of {}", fields(changes)),
            Outcome::Deleted => "deleted".into(),
            Outcome::Kept(why) => format!("kept: {why}"),
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::NotStarted(because) => format!("not started: {because}"),
            Outcome::Acted(what) => what.clone(),
        }
    }
}

fn fields(changes: &[Change]) -> String {
    changes
        .iter()
        .map(|change| change.field.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// One resource, or one act.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// `vpc`, or `migrations`.
    pub kind: String,
    pub name: String,
    /// The id or ARN, when it has one.
    pub id: String,
    pub outcome: Outcome,
    pub took: Duration,
    /// Which part of the scripts asked for it.
    pub section: String,
    /// In a plan, what it would be made of or what would be done, one line each.
    pub lines: Vec<String>,
    /// What a person should know although it is no change.
    pub remarks: Vec<String>,
}

impl Record {
    /// What the journal keeps: nothing of what is as it was before.
    pub fn entry(&self) -> Option<serde_json::Value> {
        let word = self.outcome.word()?;
        Some(serde_json::json!({
            "kind": self.kind, "name": self.name, "id": self.id, "outcome": word, "words": self.outcome.words(),
            "ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }))
    }
}

/// All records of a run, in the order in which the script asked for them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub records: Vec<Record>,
}

#[derive(Serialize)]
struct Counts {
    created: usize,
    changed: usize,
    deleted: usize,
    unchanged: usize,
    failed: usize,
}

impl Report {
    pub fn has_changes(&self) -> bool {
        self.records.iter().any(|record| record.outcome.is_change())
    }

    /// The rows of the table.
    pub fn rows(&self) -> Vec<Value> {
        let row = |record: &Record| {
            Value::Map(map! {
                "kind" => record.kind.as_str(),
                "name" => record.name.as_str(),
                "result" => record.outcome.words(),
                "seconds" => (record.took.as_secs_f64() * 100.0).round() / 100.0,
                "id" => record.id.as_str(),
            })
        };
        self.records.iter().map(row).collect()
    }

    /// The rows that are worth a person's time: everything that is not as it was before, without the ids, which are long
    /// and stand in `--json` and in the listings.
    pub fn rows_told(&self) -> Vec<Value> {
        let told = self
            .records
            .iter()
            .filter(|record| record.outcome != Outcome::Unchanged);
        let mut rows = Report {
            records: told.cloned().collect(),
        }
        .rows();
        for row in &mut rows {
            if let Value::Map(row) = row {
                row.shift_remove("id");
            }
        }
        rows
    }

    fn counts(&self) -> Counts {
        let count = |f: fn(&Outcome) -> bool| self.records.iter().filter(|record| f(&record.outcome)).count();
        Counts {
            created: count(|outcome| matches!(outcome, Outcome::Created)),
            changed: count(|o| matches!(o, Outcome::Changed(_) | Outcome::Replaced(_) | Outcome::Acted(_))),
            deleted: count(|outcome| matches!(outcome, Outcome::Deleted)),
            unchanged: count(|outcome| matches!(outcome, Outcome::Unchanged)),
            failed: count(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::NotStarted(_))),
        }
    }

    /// `29 created, 2 changed`, or `no changes`.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let parts: Vec<_> = [
            (counts.created, "created"),
            (counts.changed, "changed"),
            (counts.deleted, "deleted"),
            (counts.failed, "failed"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        match parts.is_empty() {
            true => "no changes".into(),
            false => parts.join(", "),
        }
    }

    /// The report as a document.
    pub fn to_map(&self) -> Map {
        let counts = Value::from_serialize(&self.counts()).unwrap_or_default();
        map! { "summary" => self.summary(), "counts" => counts, "resources" => self.rows() }
    }
}
