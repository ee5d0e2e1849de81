//! Takes over what was made by other means: `adopt` gives a resource this environment's tags, and `moved` renames one.
//!
//! Nothing but tags is written. Whoever adopts sees first how what is there differs from what the script wants, and says
//! yes; the differences themselves are put right by the next `ensure`, as any others.

use async_trait::async_trait;

use super::any_kind::{AnyLive, erase};
use super::converge::{Wanted, Work};
use super::engine::{Engine, Origin};
use super::handle::Handle;
use super::kind::{Change, Kind, Live, name_in};
use super::report::{Outcome, Record};
use super::tags::{self, ENVIRONMENT, PROJECT, Scope, Tags};
use crate::error::{Error, Result};
use crate::map;
use crate::value::{Map, Promise, Value};

/// The option with which a script says which of its parts will ensure what it adopts.
const SECTION: &str = "section";

/// Asks a person yes or no.
pub type Confirm<'a> = &'a (dyn Fn(&str) -> Result<bool> + Send + Sync);

/// One resource that is about to be adopted.
pub struct Candidate {
    pub live: AnyLive,
    pub outputs: Map,
    /// How it differs from what is wanted, tags aside.
    pub differences: Vec<Change>,
    /// The tags that are missing.
    pub missing: Tags,
    /// Whether it is this environment's already, under this name.
    pub is_ours: bool,
}

/// What a kind does for [`Engine::adopt`] and [`Engine::moved`]. Implemented for every [`Kind`].
#[async_trait]
pub trait Adopts: Send + Sync {
    /// Finds what is to be adopted and compares it. Only reads. Refuses what is somebody else's.
    async fn examine(&self, engine: &Engine, id: &str, wanted: Wanted) -> Result<Candidate>;
    /// Gives it these tags.
    async fn give(&self, live: &AnyLive, tags: &Tags) -> Result<()>;
    /// Refuses to call one of ours by another name where nobody would find it under that.
    fn may_be_called(&self, scope: &Scope, live: &AnyLive, name: &str) -> Result<()>;
}

#[async_trait]
impl<K: Kind> Adopts for K {
    async fn examine(&self, engine: &Engine, id: &str, wanted: Wanted) -> Result<Candidate> {
        let (kind, scope) = (self.about().kind, engine.scope());
        let label = format!("{kind}/{}", wanted.name);
        if !self.has_tags() {
            return Err(
                Error::failed(format!("a {kind} has no tags that would say whose it is"))
                    .hint("`ensure` finds it by what it is"),
            );
        }
        let spec: K::Spec = wanted.options.read()?;
        self.check(scope, &wanted.name, &spec)?;
        let found = Kind::reference(self, &map! { "id" => id }).await?;
        let found = self.complete(scope, found).await?;
        let is_ours = is_ours(scope, kind, &wanted.name, &found.tags)?;
        let work = Work {
            kind: self,
            engine,
            name: &wanted.name,
            section: &wanted.section,
            spec: &spec,
            made_of: &[],
            keep: &wanted.keep,
            at: wanted.at,
            replaces: "",
        };
        if let Some(other) = work.find(false).await?
            && other.id != found.id
        {
            return Err(Error::failed(format!("{label} is there already: {}", other.id))
                .hint("adopt it under another name, or destroy the one that is there"));
        }
        called(self, scope, &found, &wanted.name)?;
        let live = Live {
            name: wanted.name.clone(),
            ..found
        };
        let live = self.inspect(&spec, live).await?;
        let mut differences = work.difference(&live).changes;
        differences.retain(|change| !change.field.starts_with("tag "));
        let should = scope.wanted(kind, &wanted.name, &wanted.section);
        let (missing, _) = tags::difference(&should, &live.tags);
        Ok(Candidate {
            outputs: self.outputs(&live),
            live: erase(live),
            differences,
            missing,
            is_ours,
        })
    }

    async fn give(&self, live: &AnyLive, tags: &Tags) -> Result<()> {
        self.retag(&super::any_kind::typed(self, live)?, tags, &[]).await
    }

    fn may_be_called(&self, scope: &Scope, live: &AnyLive, name: &str) -> Result<()> {
        called(self, scope, &super::any_kind::typed(self, live)?, name)
    }
}

/// Whether it carries the identity that it would get. Another's is refused.
fn is_ours(scope: &Scope, kind: &str, name: &str, tags: &Tags) -> Result<bool> {
    match scope.name_of(kind, tags) {
        Some(own) if own == name => return Ok(true),
        Some(own) => {
            return Err(Error::failed(format!("it is this environment's {kind}/{own}"))
                .hint(format!("moved(\"{kind}/{own}\", \"{kind}/{name}\") renames it")));
        }
        None => {}
    }
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let theirs = (tag(PROJECT), tag(ENVIRONMENT));
    let is_foreign = theirs.0.is_some_and(|project| project != scope.project)
        || theirs.1.is_some_and(|environment| environment != scope.environment);
    match is_foreign {
        true => Err(Error::failed(format!(
            "it belongs to another environment: {} {}",
            theirs.0.unwrap_or_default(),
            theirs.1.unwrap_or_default()
        ))),
        false => Ok(false),
    }
}

/// Refuses a name under which what is there would not be found, and says which line of the environment file helps.
fn called<K: Kind>(kind: &K, scope: &Scope, live: &Live<K::State>, name: &str) -> Result<()> {
    let Some(now) = kind.name_at_service(live) else {
        return Ok(());
    };
    let about = kind.about().kind;
    let expected = kind.physical(scope, name);
    match now == expected {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "its name at the service is {now}, and {about}/{name} is looked for as {expected}"
        ))
        .hint(format!(
            "add to [adopt] of environments/{}.toml: \"{about}/{name}\" = \"{now}\"",
            scope.environment
        ))),
    }
}

impl Engine {
    /// Takes over what exists: shows how it differs from what is wanted, asks, and writes tags. One that is this
    /// environment's already is left alone. In a plan it is told.
    ///
    /// # Errors
    /// There is no such resource; it is another environment's; another of ours has the name; its name at the service is
    /// not the one under which it would be found; nobody said yes.
    pub async fn adopt(
        &self,
        kind: &str,
        id: &str,
        options: Value,
        mut origin: Origin,
        confirm: Confirm<'_>,
    ) -> Result<Handle> {
        let kind = self.kind(kind)?.clone();
        let about = kind.about();
        self.pass_gate().await?;
        let mut options = options.resolve().await?;
        if let Value::Map(options) = &mut options
            && let Some(section) = options.shift_remove(SECTION)
        {
            origin.section = section.as_str().unwrap_or_default().to_owned();
        }
        self.check_options(kind.as_ref(), &options)?;
        let name = name_in(&options)?;
        let label = format!("{}/{name}", about.kind);
        let (options, keep) = super::engine::split_keep(options);
        let wanted = Wanted {
            name: name.clone(),
            options,
            keep,
            section: origin.section.clone(),
            at: origin.at.clone(),
        };
        let candidate = kind
            .examine(self, id, wanted)
            .await
            .map_err(|error| error.context(format!("adopting {id} as {label}")))?;
        let lines: Vec<_> = candidate.differences.iter().map(difference).collect();
        let outcome = match candidate.is_ours {
            true => Outcome::Unchanged,
            false => Outcome::Acted(format!("{id} gets this environment's tags")),
        };
        if !candidate.is_ours {
            self.take_over(&label, id, &candidate, &lines, &outcome, &origin, confirm)
                .await?;
        }
        let mut live = candidate.live.clone();
        live.tags.extend(candidate.missing.clone());
        self.note_adopted(&label, live);
        self.record(Record {
            kind: "adopt".into(),
            name: label.clone(),
            id: candidate.live.id.clone(),
            outcome,
            section: origin.section.clone(),
            lines,
            ..Record::default()
        });
        Ok(Handle {
            about,
            name,
            promise: Promise::known(label, candidate.outputs),
            is_reference: false,
        })
    }

    #[allow(clippy::too_many_arguments)]
    async fn take_over(
        &self,
        label: &str,
        id: &str,
        candidate: &Candidate,
        lines: &[String],
        outcome: &Outcome,
        origin: &Origin,
        confirm: Confirm<'_>,
    ) -> Result<()> {
        if self.is_plan() {
            return Ok(());
        }
        if let Some(expectation) = self.expectation() {
            expectation.check(&format!("adopt/{label}"), outcome, lines, origin.at.as_ref())?;
        }
        self.may_write()?;
        self.progress().note(&match lines {
            [] => format!("{label}: {id} is as the script wants it"),
            lines => format!(
                "{label}: {id} differs from what the script wants:\n  {}",
                lines.join("\n  ")
            ),
        });
        let question = format!("Adopt {id} as {label}? Only tags are written.");
        if !confirm(&question)? {
            return Err(Error::declined(format!("{label}: nothing was adopted")));
        }
        let kind = self.kind(label.split('/').next().unwrap_or_default())?;
        let mut tags = candidate.missing.clone();
        tags.extend(self.scope().changed_by());
        self.begin_write().await?;
        self.journal("adopting", kind.about().kind, label, &candidate.live.id);
        kind.give(&candidate.live, &tags).await?;
        self.journal("adopted", kind.about().kind, label, &candidate.live.id);
        Ok(())
    }

    /// Renames one of ours: `moved("vpc/main", "vpc/primary")`. Says whether there was something to rename.
    ///
    /// # Errors
    /// Both names are taken; the kinds differ; it would not be found under the new name.
    pub async fn moved(&self, from: &str, to: &str, origin: Origin) -> Result<bool> {
        let (Some((kind, old)), Some((new_kind, new))) = (from.split_once('/'), to.split_once('/')) else {
            return Err(Error::failed(format!("moved(\"{from}\", \"{to}\") takes two labels"))
                .hint("moved(\"vpc/main\", \"vpc/primary\")"));
        };
        if kind != new_kind || new.is_empty() {
            return Err(Error::failed(format!("a {kind} cannot become {to}")));
        }
        let kind = self.kind(kind)?.clone();
        let about = kind.about();
        let listing = self.listing(about.kind).await?;
        let named = |name: &str| listing.iter().find(|live| live.name == name);
        let outcome = match (named(old), named(new)) {
            (None, _) => Outcome::Unchanged,
            (Some(old), Some(new)) => {
                return Err(
                    Error::failed(format!("both {from} and {to} are there: {} and {}", old.id, new.id))
                        .hint("destroy the one that is not used; iacsh does not choose between them"),
                );
            }
            (Some(live), None) => {
                kind.may_be_called(self.scope(), live, new)
                    .map_err(|error| error.context(format!("moving {from} to {to}")))?;
                let section = live.tags.get(tags::SECTION).map_or("", String::as_str);
                let should = self.scope().wanted(about.kind, new, section);
                let (mut set, _) = tags::difference(&should, &live.tags);
                // Only what has the name in it.
                set.retain(|key, _| key == tags::ID || key == "Name");
                let outcome = Outcome::Acted(format!("{} is called {new}", live.id));
                if !self.is_plan() {
                    if let Some(expectation) = self.expectation() {
                        let lines = [format!("before: {from}")];
                        expectation.check(&format!("moved/{to}"), &outcome, &lines, origin.at.as_ref())?;
                    }
                    self.begin_write().await?;
                    self.journal("moving", about.kind, new, &live.id);
                    set.extend(self.scope().changed_by());
                    kind.give(live, &set).await?;
                    self.journal("moved", about.kind, new, &live.id);
                }
                let mut renamed = live.clone();
                renamed.name = new.to_owned();
                renamed.tags.extend(set);
                self.note_adopted(to, renamed);
                self.note_renamed(from);
                outcome
            }
        };
        let is_moved = outcome.is_change();
        self.record(Record {
            kind: "moved".into(),
            name: to.to_owned(),
            outcome,
            section: origin.section,
            lines: vec![format!("before: {from}")],
            ..Record::default()
        });
        Ok(is_moved)
    }
}

fn difference(change: &Change) -> String {
    let or_nothing = |text: &str| match text {
        "" => "nothing".to_owned(),
        text => text.to_owned(),
    };
    let Change { field, from, to, class } = change;
    let class = class.words().map(|words| format!(" ({words})")).unwrap_or_default();
    format!("{field}: {} -> {}{class}", or_nothing(from), or_nothing(to))
}

/// Refuses to make anew what stands in the environment file as to be adopted, and was not adopted yet.
pub(super) async fn refuse_to_double<K: Kind>(kind: &K, scope: &Scope, name: &str) -> Result<()> {
    let about = kind.about();
    let Some(physical) = scope.adopted_as(about.kind, name) else {
        return Ok(());
    };
    match kind.reference(&map! { "id" => physical }).await {
        Ok(live) => Err(Error::failed(format!(
            "{} stands in [adopt] as {}/{name} and does not carry this environment's tags",
            live.id, about.kind
        ))
        .hint(format!(
            "adopt it first: adopt(\"{}\", \"{physical}\", #{{ name: \"{name}\", ... }})",
            about.kind
        ))),
        // After a destroy it is made again under that name. Only a service's own failures have a code.
        Err(error) if error.code().is_empty() => Ok(()),
        Err(error) => Err(error),
    }
}
