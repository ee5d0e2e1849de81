//! A plan as a document: printed, kept with `--out`, and read again with `--expect`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Location, Result};
use crate::resource::engine::Engine;
use crate::resource::kind::{Change, Class};
use crate::resource::report::{Outcome, Record};
use crate::value::shown;

/// The form of the file.
const VERSION: u32 = 1;

/// What a run would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    pub version: u32,
    pub project: String,
    pub environment: String,
    /// When it was made, in UTC.
    pub made_at: String,
    /// `29 to create, 2 to change`.
    pub summary: String,
    /// Why and where it ends before the script does.
    pub horizon: Option<Horizon>,
    /// What could not be seen, and why: there may be more to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// In the order in which the script asks for them.
    pub actions: Vec<PlannedAction>,
}

/// The end of what can be foreseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    /// `vpc/main.id is known only after a run`.
    pub because: String,
    /// `scripts/recreate.rhai:12:5`.
    pub at: Option<String>,
}

/// What would be done with one resource, or by one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedAction {
    pub kind: String,
    pub name: String,
    pub action: Action,
    /// The id or ARN of what is there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The part of the scripts that asks for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PlannedChange>,
    /// What it would be made of, or what would be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Nothing,
    Create,
    Change,
    Replace,
    Delete,
    Keep,
    /// A call that acts, such as `migrate::up`.
    Run,
    /// It cannot be foreseen, because reading failed.
    Failed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    pub field: String,
    pub from: String,
    pub to: String,
    pub class: Class,
}

impl From<&Change> for PlannedChange {
    fn from(change: &Change) -> Self {
        Self {
            field: change.field.clone(),
            from: shown(&change.from),
            to: shown(&change.to),
            class: change.class,
        }
    }
}

impl From<&Outcome> for Action {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Unchanged => Action::Nothing,
            Outcome::Created => Action::Create,
            Outcome::Changed(_) => Action::Change,
            Outcome::Replaced(_) => Action::Replace,
            Outcome::Deleted => Action::Delete,
            Outcome::Kept(_) => Action::Keep,
            Outcome::Acted(_) => Action::Run,
            Outcome::Failed(_) | Outcome::NotStarted(_) => Action::Failed,
        }
    }
}

impl PlannedAction {
    fn of(record: &Record) -> Self {
        let changes = match &record.outcome {
            Outcome::Changed(changes) | Outcome::Replaced(changes) => changes.as_slice(),
            _ => &[],
        };
        let mut lines: Vec<_> = record.lines.iter().map(|line| shown(line)).collect();
        match &record.outcome {
            Outcome::Acted(what) => lines.insert(0, shown(what)),
            Outcome::Kept(why) | Outcome::Failed(why) | Outcome::NotStarted(why) => lines.insert(0, why.clone()),
            _ => {}
        }
        Self {
            kind: record.kind.clone(),
            name: record.name.clone(),
            action: Action::from(&record.outcome),
            id: record.id.clone(),
            section: record.section.clone(),
            changes: changes.iter().map(PlannedChange::from).collect(),
            lines,
            remarks: record.remarks.iter().map(|remark| shown(remark)).collect(),
        }
    }

    pub fn label(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

impl PlanDocument {
    /// What a plan has found so far.
    pub fn of(engine: &Engine, horizon: Option<&Error>) -> Self {
        let report = engine.report();
        let unseen = engine.unseen();
        let actions: Vec<_> = report.records.iter().map(PlannedAction::of).collect();
        let horizon = horizon.map(|error| Horizon {
            because: error.message().to_owned(),
            at: error.location().map(Location::to_string),
        });
        Self {
            version: VERSION,
            project: engine.scope().project.clone(),
            environment: engine.scope().environment.clone(),
            made_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            summary: match unseen.is_empty() {
                true => summary(&actions),
                false => format!("{}, as far as it can be seen", summary(&actions)),
            },
            horizon,
            unseen,
            actions,
        }
    }

    /// Whether a run would change anything, or may do so where the plan does not see.
    pub fn has_changes(&self) -> bool {
        self.horizon.is_some()
            || !self.unseen.is_empty()
            || self.actions.iter().any(|planned| planned.action.is_change())
    }

    /// Writes it for a later `--expect`.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::failed(error.to_string()))?;
        std::fs::write(file, crate::secret::mask(&format!("{text}\n")).as_bytes())
            .map_err(|error| Error::failed(format!("the plan cannot be written to {}: {error}", file.display())))
    }

    /// Reads one that `--out` has written.
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::invalid(format!("the plan {shown} cannot be read: {error}")))?;
        let document: Self = serde_json::from_str(&text).map_err(|error| {
            Error::invalid(format!("{shown} is no plan: {error}")).hint("`--plan --out FILE` writes one")
        })?;
        match document.version {
            VERSION => Ok(document),
            other => Err(Error::invalid(format!(
                "{shown} is a plan of version {other}, and this iacsh writes and reads version {VERSION}"
            ))
            .hint("make the plan again")),
        }
    }
}

impl Action {
    pub fn is_change(self) -> bool {
        !matches!(self, Action::Nothing | Action::Keep)
    }
}

fn summary(actions: &[PlannedAction]) -> String {
    let words = [
        (Action::Create, "to create"),
        (Action::Change, "to change"),
        (Action::Replace, "to replace"),
        (Action::Delete, "to delete"),
        (Action::Run, "to run"),
        (Action::Failed, "failed"),
    ];
    let parts: Vec<_> = words
        .into_iter()
        .map(|(action, words)| (actions.iter().filter(|planned| planned.action == action).count(), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    match parts.is_empty() {
        true => "nothing to change".into(),
        false => parts.join(", "),
    }
}
