//! Makes one resource what is wanted, whatever it is now.
//!
//! Why this is safe to interrupt anywhere: there is no state besides the cloud. A run begins by listing what is ours,
//! and each write is either found by that listing the next time (tags are in the create call, names are deterministic)
//! or refused by the service as a duplicate, upon which the listing is read again.

use std::time::Duration;

use tokio::time::Instant;

use super::adopt;
use super::any_kind::typed;
use super::engine::Engine;
use super::kind::{Change, Class, Context, Kind, Live, Readiness};
use super::plan;
use super::remove::remove;
use super::report::Outcome;
use super::tags;
use super::wait::{self, Waiter};
use crate::error::{Error, Location, Result};
use crate::value::{Map, Value};

/// How long a new resource may be invisible to a listing before that counts as gone. EC2's documentation on eventual
/// consistency speaks of up to "a few minutes"; in practice it is seconds.
const CONSISTENCY: Duration = Duration::from_secs(60);

/// How long an error that only looks final is tried again.
const TRANSIENT: Duration = Duration::from_secs(90);

/// What a script asked for, with every input known.
pub struct Wanted {
    pub name: String,
    /// Without what is the same for every kind, such as `keep`.
    pub options: Value,
    pub section: String,
    /// Fields whose differences are left as they are.
    pub keep: Vec<String>,
    pub at: Option<Location>,
}

/// What became of it.
pub struct Converged {
    pub id: String,
    pub outcome: Outcome,
    pub outputs: Map,
    /// What a person should know although it is no change.
    pub remarks: Vec<String>,
}

pub(super) async fn converge<K: Kind>(kind: &K, engine: &Engine, wanted: Wanted) -> Result<Converged> {
    let about = kind.about();
    let Wanted {
        name,
        options,
        section,
        keep,
        at,
    } = wanted;
    let made_of = match engine.expectation() {
        Some(_) => plan::lines(&options),
        None => Vec::new(),
    };
    let spec: K::Spec = options.read()?;
    kind.check(engine.scope(), &name, &spec)?;
    let work = Work {
        kind,
        engine,
        name: &name,
        section: &section,
        spec: &spec,
        made_of: &made_of,
        keep: &keep,
        at,
        replaces: "",
    };

    let found = work.find(false).await?;
    let (live, outcome) = match found {
        None => {
            adopt::refuse_to_double(kind, engine.scope(), &name).await?;
            work.expect(&Outcome::Created)?;
            (work.create().await?, Outcome::Created)
        }
        Some(live) => work.compare(live).await?,
    };
    tracing::debug!(
        kind = about.kind,
        name,
        id = live.id,
        outcome = outcome.words(),
        "converged"
    );
    Ok(Converged {
        id: live.id.clone(),
        outcome,
        outputs: kind.outputs(&live),
        remarks: kind.remarks(&spec, &live),
    })
}

/// One resource that is being converged, or whose convergence is foreseen.
pub(super) struct Work<'a, K: Kind> {
    pub kind: &'a K,
    pub engine: &'a Engine,
    pub name: &'a str,
    pub section: &'a str,
    pub spec: &'a K::Spec,
    /// The same in the lines of a plan, in a run that is held to one.
    pub made_of: &'a [String],
    pub keep: &'a [String],
    pub at: Option<Location>,
    /// The id of what was deleted to make room for it.
    pub replaces: &'a str,
}

/// What is different between a resource and what is wanted.
pub(super) struct Difference {
    /// With those of tags.
    pub changes: Vec<Change>,
    /// Differences that the script leaves as they are.
    pub kept: Vec<Change>,
    set: tags::Tags,
    remove: Vec<String>,
}

impl<K: Kind> Work<'_, K> {
    pub fn label(&self) -> String {
        format!("{}/{}", self.kind.about().kind, self.name)
    }

    /// With tags that are the service's own word, where those of the listing differ from what is wanted.
    pub async fn with_proved_tags(&self, mut live: Live<K::State>) -> Result<Live<K::State>> {
        let scope = self.engine.scope();
        let wanted = scope.wanted(self.kind.about().kind, self.name, self.section);
        let (set, remove) = tags::difference(&wanted, &live.tags);
        let is_different = !set.is_empty() || !remove.is_empty();
        if self.kind.has_tags()
            && is_different
            && let Some(tags) = self.kind.tags_now(scope, &live).await?
        {
            live.tags = tags;
        }
        Ok(live)
    }

    /// Compares what is there with what is wanted, whole sets and tags included.
    pub fn difference(&self, live: &Live<K::State>) -> Difference {
        let kind = self.kind.about().kind;
        let mut changes = self.kind.changes(self.spec, live);
        let wanted = self.engine.scope().wanted(kind, self.name, self.section);
        let (mut set, mut remove) = match self.kind.has_tags() {
            true => tags::difference(&wanted, &live.tags),
            false => (tags::Tags::new(), Vec::new()),
        };
        changes.extend(tags::changes(&live.tags, &set, &remove));
        let (kept, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| self.is_kept(&change.field));
        set.retain(|key, _| !self.is_kept(&format!("tag {key}")));
        remove.retain(|key| !self.is_kept(&format!("tag {key}")));
        Difference {
            changes,
            kept,
            set,
            remove,
        }
    }

    /// Whether `keep` names a field, or what it is a part of: `parameters` keeps `parameters.maxmemory`, and `tags` keeps
    /// every tag but those of the identity.
    fn is_kept(&self, field: &str) -> bool {
        let is_identity = ["tag iacsh:project", "tag iacsh:env", "tag iacsh:id"].contains(&field);
        self.keep.iter().any(|keep| {
            let rest = field.strip_prefix(keep.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ' ']))
                || (keep == "tags" && field.starts_with("tag ") && !is_identity)
        })
    }

    /// Compares what is about to be done with the plan that the run is held to.
    fn expect(&self, outcome: &Outcome) -> Result<()> {
        match self.engine.expectation() {
            Some(expectation) => {
                // What is changed is told by its changes.
                let lines = match outcome {
                    Outcome::Created => self.made_of,
                    _ => &[],
                };
                expectation.check(&self.label(), outcome, lines, self.at.as_ref())
            }
            None => Ok(()),
        }
    }

    pub fn context(&self, tags: tags::Tags) -> Context<'_> {
        Context {
            scope: self.engine.scope(),
            tags,
            // What was created with a token and deleted again must not be the answer to another creation.
            seed: self.engine.lease().seed() + self.replaces,
            engine: self.engine,
        }
    }

    /// The one of ours with this name. Two stop the run: to choose would be to guess.
    pub async fn find(&self, again: bool) -> Result<Option<Live<K::State>>> {
        let kind = self.kind.about().kind;
        let listing = match again {
            true => self.engine.list_again(kind).await?,
            false => self.engine.listing_with(kind, self.name).await?,
        };
        let mut matches = listing.iter().filter(|live| live.name == self.name);
        let Some(first) = matches.next() else {
            if let Some(adopted) = self.engine.adopted(&self.label()) {
                return typed(self.kind, &adopted).map(Some);
            }
            let look_up = self.kind.look_up(self.engine.scope(), self.name, self.spec);
            return self.engine.reading(look_up).await;
        };
        if let Some(second) = matches.next() {
            return Err(Error::failed(format!(
                "two resources are {}: {} and {}",
                self.label(),
                first.id,
                second.id
            ))
            .hint("delete the one that is not used; iacsh does not choose between them"));
        }
        typed(self.kind, first).map(Some)
    }

    async fn create(&self) -> Result<Live<K::State>> {
        let about = self.kind.about();
        if let Some(live) = Box::pin(self.begin_create()).await? {
            return Ok(Box::pin(self.compare(live)).await?.0);
        }
        let tags = self.engine.scope().for_create(about.kind, self.name, self.section);
        let context = self.context(tags);
        self.engine.journal("creating", about.kind, self.name, "");
        let mut waiter = Waiter::new(self.label(), TRANSIENT, self.engine.pace(), self.engine.cancel());
        let created = loop {
            match self.kind.create(&context, self.name, self.spec).await {
                Err(error) if self.kind.is_transient(&error) && !waiter.is_over() => {
                    self.try_again(&mut waiter, &error).await?;
                }
                other => break other,
            }
        };
        self.engine.was_created(&self.label(), &created);
        let live = match created {
            Ok(live) => live,
            // The answer to an earlier attempt was lost, or a run before this one died after the call.
            Err(error) if is_duplicate(&error) => {
                let live = Box::pin(self.find_taken(error)).await?;
                return Ok(Box::pin(self.compare(live)).await?.0);
            }
            Err(error) => return Err(error),
        };
        self.engine.journal("created", about.kind, self.name, &live.id);
        // The first look costs nothing: it is the answer of the create call.
        let now = Some(live.clone());
        let live = self.await_ready(&live, now).await?.ok_or_else(|| self.is_gone())?;
        match self.kind.is_unfinished(&live) {
            // A run that dies before this is through leaves the same to the next one.
            true => Ok(Box::pin(self.compare(live)).await?.0),
            false => Ok(live),
        }
    }

    /// Comes before a creation. What a run that died may have created a moment ago is looked for, for as long as the
    /// service may take to show it; it is the answer when it is there.
    async fn begin_create(&self) -> Result<Option<Live<K::State>>> {
        self.engine.begin_write().await?;
        if !self.kind.needs_intent() {
            return Ok(None);
        }
        let Some(until) = self.engine.lease().intend(&self.label()).await? else {
            return Ok(None);
        };
        let reason = "looking for what a run that did not end may have created";
        let limit = until.saturating_duration_since(tokio::time::Instant::now());
        let mut waiter = Waiter::new(self.label(), limit, self.engine.pace(), self.engine.cancel());
        loop {
            if let Some(live) = self.find(true).await? {
                self.engine.lease().close(&self.label());
                return Ok(Some(live));
            }
            if waiter.is_over() {
                // The last look comes when the time is over, not before.
                let left = until.saturating_duration_since(tokio::time::Instant::now());
                wait::pause(left, self.engine.cancel()).await?;
                return self.find(true).await;
            }
            self.engine.progress().waiting(&self.label(), reason);
            waiter.pause(reason).await?;
        }
    }

    /// It went away while it was being waited for: somebody else deleted it.
    fn is_gone(&self) -> Error {
        Error::failed(format!("{} is gone while it was being waited for", self.label()))
    }

    async fn compare(&self, live: Live<K::State>) -> Result<(Live<K::State>, Outcome)> {
        let about = self.kind.about();
        // An earlier run may have been interrupted while it waited.
        let live = match self.kind.readiness(&live) {
            Readiness::Ready => live,
            _ => match self.await_ready(&live, Some(live.clone())).await? {
                Some(live) => live,
                // An earlier destroy was still at it. The name is free now.
                None => {
                    self.expect(&Outcome::Created)?;
                    return Ok((self.create().await?, Outcome::Created));
                }
            },
        };
        let live = self.engine.reading(self.kind.inspect(self.spec, live)).await?;
        let live = self.with_proved_tags(live).await?;
        let Difference {
            changes,
            kept,
            mut set,
            remove,
        } = self.difference(&live);
        for change in &kept {
            self.engine
                .progress()
                .note(&format!("{}: {}", self.label(), plan::kept(change)));
        }
        if changes.iter().any(Change::replaces) {
            return self.replace(live, changes).await;
        }
        if changes.is_empty() {
            self.tell_remarks(&live);
            return Ok((live, Outcome::Unchanged));
        }
        self.expect(&Outcome::Changed(changes.clone()))?;
        self.engine.begin_write().await?;
        self.engine.journal("changing", about.kind, self.name, &live.id);
        let context = self.context(self.engine.scope().changed_by());
        let own: Vec<_> = changes
            .iter()
            .filter(|change| !change.field.starts_with("tag "))
            .cloned()
            .collect();
        if !own.is_empty() {
            let mut waiter = Waiter::new(self.label(), TRANSIENT, self.engine.pace(), self.engine.cancel());
            loop {
                match self.kind.update(&context, self.spec, &live, &own).await {
                    Err(error) if self.kind.is_transient(&error) && !waiter.is_over() => {
                        self.try_again(&mut waiter, &error).await?;
                    }
                    other => break other?,
                }
            }
        }
        if self.kind.has_tags() {
            set.extend(self.engine.scope().changed_by());
            self.kind.retag(&live, &set, &remove).await?;
        }
        // What was listed is what was there before the change: its outputs, and its being ready, are of yesterday.
        let now = self.kind.refresh(&live).await?;
        let live = self.await_ready(&live, now).await?.ok_or_else(|| self.is_gone())?;
        self.engine.journal("changed", about.kind, self.name, &live.id);
        self.tell_remarks(&live);
        Ok((live, Outcome::Changed(changes)))
    }

    fn tell_remarks(&self, live: &Live<K::State>) {
        for remark in self.kind.remarks(self.spec, live) {
            self.engine.progress().note(&format!("{}: {remark}", self.label()));
        }
    }

    /// Deletes it and makes it anew, when a person has named it.
    async fn replace(&self, live: Live<K::State>, changes: Vec<Change>) -> Result<(Live<K::State>, Outcome)> {
        if let Some(refusal) = self.refusal(&changes) {
            return Err(refusal);
        }
        self.expect(&Outcome::Replaced(changes.clone()))?;
        remove(self.kind, self.engine, &live).await?;
        let anew = Work {
            replaces: &live.id,
            at: self.at.clone(),
            ..*self
        };
        Ok((Box::pin(anew.create()).await?, Outcome::Replaced(changes)))
    }

    /// Why it is not replaced: nobody has named it.
    pub fn refusal(&self, changes: &[Change]) -> Option<Error> {
        let reasons: Vec<_> = changes
            .iter()
            .filter(|change| change.replaces())
            .map(|change| format!("{}: {} -> {}", change.field, change.from, change.to))
            .collect();
        let loss = changes.iter().any(|change| change.class == Class::ReplaceWithLoss);
        let refusal = || {
            Error::declined(format!(
                "{} would have to be replaced ({})",
                self.label(),
                reasons.join("; ")
            ))
        };
        if !self.engine.may_replace(self.name) {
            return Some(refusal().hint(format!("--allow-replace {} allows it", self.name)));
        }
        if loss && !self.engine.may_lose(self.name) {
            let refusal = refusal().note("its data would be lost");
            return Some(refusal.hint(format!("--with-data {} allows it", self.name)));
        }
        None
    }

    /// Pauses before another attempt at what only looks final, and says so.
    async fn try_again(&self, waiter: &mut Waiter<'_>, error: &Error) -> Result<()> {
        let reason = format!("trying again: {error}");
        self.engine.progress().waiting(&self.label(), &reason);
        waiter.pause(&reason).await
    }

    /// Waits until the resource can be used, beginning with how it is `now`. `None` when it was being deleted and is
    /// gone.
    async fn await_ready(
        &self,
        live: &Live<K::State>,
        mut now: Option<Live<K::State>>,
    ) -> Result<Option<Live<K::State>>> {
        let about = self.kind.about();
        let label = self.label();
        let limit = match now.as_ref().map(|now| self.kind.readiness(now)) {
            Some(Readiness::Leaving(_)) => self.engine.delete_limit(about),
            _ => self.engine.create_limit(about),
        };
        let mut waiter = Waiter::new(&label, limit, self.engine.pace(), self.engine.cancel());
        let began = Instant::now();
        let mut is_leaving = false;
        loop {
            let reason = match now {
                None if is_leaving => return Ok(None),
                None if began.elapsed() < CONSISTENCY => "not visible yet".to_owned(),
                None => return Err(self.is_gone()),
                Some(now) => match self.kind.readiness(&now) {
                    Readiness::Ready => return Ok(Some(now)),
                    Readiness::Waiting(reason) => reason,
                    Readiness::Leaving(reason) => {
                        is_leaving = true;
                        reason
                    }
                    Readiness::Failed(error) => return Err(error),
                },
            };
            self.engine.progress().waiting(&label, &reason);
            waiter.pause(&reason).await?;
            now = self.engine.reading(self.kind.refresh(live)).await?;
        }
    }
}

/// Whether a create call was refused because it took effect before.
fn is_duplicate(error: &Error) -> bool {
    let code = error.code();
    code.contains("AlreadyExist") || code.contains("Duplicate") || code == "ResourceExistsException"
}
