//! What the scripts no longer name.
//!
//! Every resource carries the section that ensured it. One whose section was executed whole in this run, and that the run
//! did not ensure, is told; with `--prune` it is deleted. The Resource Groups Tagging API says what there may be beside the
//! kinds that the run has listed anyway; the kind's own listing decides.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::destroy::{DestroyPlan, Planned};
use super::engine::Engine;
use super::kind::Retention;
use super::report::{Outcome, Record};
use super::tags::{self, Scope, Tags};
use crate::error::{Error, Result};

/// Finds the tags of everything that carries the environment's, of any kind.
pub type Census = Arc<dyn Fn(Scope) -> Pin<Box<dyn Future<Output = Result<Counted>> + Send>> + Send + Sync>;

/// What a [`Census`] came to.
pub enum Counted {
    All(Vec<Tags>),
    /// The credentials may not ask, in the service's words: what there is is not known.
    Denied(Error),
}

/// What the scripts no longer name.
#[derive(Default)]
pub struct Unclaimed {
    pub left: DestroyPlan,
    /// Why there may be more of it.
    pub unseen: Option<Error>,
}

impl Unclaimed {
    /// What is told where it could not be seen whether there is more.
    pub fn blind_spot(&self) -> Option<String> {
        let error = self.unseen.as_ref()?;
        let hint = error.help().map(|hint| format!("; {hint}")).unwrap_or_default();
        Some(format!(
            "whether anything is there that is no longer in the script: {error}{hint}"
        ))
    }
}

/// What is told of one that stays.
const LEFT: &str = "no longer in the script: --prune deletes it";

/// What these sections ensured once and this run did not.
pub async fn unclaimed(engine: &Engine, sections: &BTreeSet<String>) -> Result<Unclaimed> {
    if sections.is_empty() {
        return Ok(Unclaimed::default());
    }
    let mut unseen = None;
    let is_left = |label: &str, tags: &Tags| {
        let section = tags.get(tags::SECTION);
        section.is_some_and(|section| sections.contains(section)) && !engine.is_claimed(label)
    };
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |kind: &str, name: &str| {
        names.entry(kind.to_owned()).or_default().insert(name.to_owned());
    };
    if let Some(census) = engine.census() {
        let counted = match census(engine.scope().clone()).await? {
            Counted::All(counted) => counted,
            Counted::Denied(error) => {
                unseen = Some(error);
                Vec::new()
            }
        };
        for tags in counted {
            let Some(label) = tags.get(tags::ID).filter(|label| is_left(label, &tags)) else {
                continue;
            };
            if let Some((kind, name)) = label.split_once('/')
                && engine.kind(kind).is_ok()
            {
                add(kind, name);
            }
        }
    }
    // What the Tagging API does not know, such as roles: of the kinds that this run has listed.
    for (kind, listing) in engine.listed() {
        for live in listing
            .iter()
            .filter(|live| is_left(&format!("{kind}/{}", live.name), &live.tags))
        {
            add(kind, &live.name);
        }
    }
    let mut resources = Vec::new();
    for (kind, names) in names {
        let kind = engine.kind(&kind)?.clone();
        let about = kind.about();
        let listing = engine.listing(about.kind).await?;
        let left = |name: &str, tags: &Tags| names.contains(name) && is_left(&format!("{}/{name}", about.kind), tags);
        for live in listing
            .iter()
            .filter(|live| left(&live.name, &live.tags) && !kind.is_leaving(live))
        {
            let holds_data = about.retention == Retention::Data && !engine.may_lose(&live.name);
            let kept = holds_data.then(|| {
                let name = &live.name;
                format!("no longer in the script, but it holds data: --prune --with-data {name} deletes it")
            });
            resources.push(Planned::new(kind.clone(), live.clone(), kept));
        }
    }
    Ok(Unclaimed {
        left: DestroyPlan::of(resources),
        unseen,
    })
}

/// Tells what is left, or with `goes` that it would be deleted.
pub fn tell(engine: &Engine, left: &DestroyPlan, goes: bool) {
    for planned in &left.resources {
        let outcome = match (&planned.kept, goes) {
            (Some(why), _) => Outcome::Kept(why.clone()),
            (None, true) => Outcome::Deleted,
            (None, false) => Outcome::Kept(LEFT.into()),
        };
        engine.record(Record {
            kind: planned.kind().to_owned(),
            name: planned.live.name.clone(),
            id: planned.live.id.clone(),
            section: planned.live.tags.get(tags::SECTION).cloned().unwrap_or_default(),
            outcome,
            took: Duration::ZERO,
            ..Record::default()
        });
    }
}
