//! Deletes an environment by its tags alone: no script, no state file.
//!
//! Everything that is ours is listed, kind by kind. What is disposable is deleted, each resource as soon as nothing is
//! left of the kinds that must be gone before it. Then everything is listed again, and swept by tag: that nothing is
//! left is proved, not assumed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::sync::watch;
use tokio::time::Instant;

use super::any_kind::{AnyKind, AnyLive};
use super::engine::{Engine, Swept};
use super::kind::Retention;
use super::report::{Outcome, Record};
use super::tags::SECTION;
use super::wait::{self, Waiter};
use crate::error::{Error, Exit, Result, nearest};

/// What to delete.
#[derive(Clone, Debug, Default)]
pub struct DestroyOptions {
    /// Kinds, names or sections; empty for everything.
    pub only: Vec<String>,
}

/// One resource, and what will become of it.
pub struct Planned {
    kind: Arc<dyn AnyKind>,
    pub live: AnyLive,
    /// Why it stays, when it stays.
    pub kept: Option<String>,
}

impl Planned {
    pub(super) fn new(kind: Arc<dyn AnyKind>, live: AnyLive, kept: Option<String>) -> Self {
        Self { kind, live, kept }
    }

    pub fn kind(&self) -> &'static str {
        self.kind.about().kind
    }
}

/// What a destroy would do.
#[derive(Default)]
pub struct DestroyPlan {
    pub resources: Vec<Planned>,
    only: Vec<String>,
}

impl DestroyPlan {
    /// One of these resources. What stays keeps what it cannot do without.
    pub(super) fn of(mut resources: Vec<Planned>) -> Self {
        keep_what_is_used(&mut resources);
        Self {
            resources,
            only: Vec::new(),
        }
    }

    pub fn deleted(&self) -> impl Iterator<Item = &Planned> {
        self.resources.iter().filter(|planned| planned.kept.is_none())
    }

    pub fn kept(&self) -> impl Iterator<Item = &Planned> {
        self.resources.iter().filter(|planned| planned.kept.is_some())
    }
}

/// Lists everything that is ours. A kind that cannot be listed is an error: what cannot be seen is not gone.
pub async fn plan(engine: &Engine, options: &DestroyOptions) -> Result<DestroyPlan> {
    plan_of(engine, options, &|_| true).await
}

/// The same of some kinds.
async fn plan_of(
    engine: &Engine,
    options: &DestroyOptions,
    is_wanted: &(dyn Fn(&dyn AnyKind) -> bool + Sync),
) -> Result<DestroyPlan> {
    let kinds = engine.kinds().iter().filter(|kind| is_wanted(kind.as_ref()));
    let listings = try_join_all(kinds.map(async |kind| {
        let listing = engine.list_again(kind.about().kind).await?;
        Ok::<_, Error>((kind.clone(), listing))
    }))
    .await?;
    let mut resources = Vec::new();
    for (kind, listing) in listings {
        for live in listing.iter() {
            let about = kind.about();
            let kept = match about.retention {
                Retention::Disposable => None,
                Retention::Retained => {
                    let because = kind.kept_because(live);
                    Some(because.unwrap_or("retained: recreate finds it again").to_owned())
                }
                Retention::Data => Some(format!("holds data: --with-data {} deletes it", live.name)),
            };
            // A secret is deleted when asked for, and only then.
            let kept = kept.filter(|_| !(engine.purge_secrets() && about.kind == "secret"));
            let kept = kept.filter(|_| !(about.retention == Retention::Data && engine.may_lose(&live.name)));
            // What a destroy before this one began to delete goes anyway: it is only waited for.
            let kept = kept.filter(|_| !kind.is_leaving(live));
            resources.push(Planned {
                kind: kind.clone(),
                live: live.clone(),
                kept,
            });
        }
    }
    keep_what_is_used(&mut resources);
    for only in &options.only {
        if !resources.iter().any(|planned| matches(planned, only)) {
            let names: Vec<_> = resources
                .iter()
                .flat_map(|planned| {
                    [planned.kind(), &planned.live.name]
                        .into_iter()
                        .chain(planned.live.tags.get(SECTION).map(String::as_str))
                })
                .collect();
            let error = Error::failed(format!("nothing of this environment is called `{only}`"));
            return Err(match nearest(only, names) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            });
        }
    }
    if !options.only.is_empty() {
        resources.retain(|planned| options.only.iter().any(|only| matches(planned, only)));
    }
    Ok(DestroyPlan {
        resources,
        only: options.only.clone(),
    })
}

/// What stays cannot do without some others, a database without its subnets, so these stay too. Each says because of
/// what, and is found again by the next recreate.
fn keep_what_is_used(resources: &mut [Planned]) {
    let label = |planned: &Planned| format!("{}/{}", planned.kind(), planned.live.name);
    let kept = |planned: &&Planned| planned.kept.is_some();
    let mut found: Vec<_> = resources
        .iter()
        .filter(kept)
        .map(|planned| (label(planned), planned.kind.uses(&planned.live)))
        .collect();
    while let Some((because, uses)) = found.pop() {
        for planned in resources.iter_mut().filter(|planned| planned.kept.is_none()) {
            let mut of_its_kind = uses.iter().filter(|used| used.kind == planned.kind()).peekable();
            if of_its_kind.peek().is_none() {
                continue;
            }
            let keys = planned.kind.keys(&planned.live);
            if of_its_kind.any(|used| keys.contains(&used.key)) && !planned.kind.is_leaving(&planned.live) {
                planned.kept = Some(format!("{because} cannot do without it"));
                found.push((because.clone(), planned.kind.uses(&planned.live)));
            }
        }
    }
}

fn matches(planned: &Planned, only: &str) -> bool {
    let label = format!("{}/{}", planned.kind(), planned.live.name);
    planned.kind() == only
        || planned.live.name == only
        || label == only
        || planned.live.tags.get(SECTION).is_some_and(|section| section == only)
}

/// Deletes what the plan says and proves that it is gone. What happened is in the engine's report, also after an error.
pub async fn destroy(engine: &Engine, plan: DestroyPlan) -> Result<()> {
    let mut errors = match delete(engine, &plan).await {
        Ok(()) => Vec::new(),
        Err(error) => error.split(),
    };
    if errors.iter().any(|error| error.exit() == Exit::Interrupted) {
        return Err(Error::interrupted());
    }
    let mut unseen = BTreeSet::new();
    if plan.only.is_empty() {
        settle_others(engine).await?;
        unseen = await_unseen(engine, &plan).await?;
    }
    if let Err(error) = prove(engine, &plan, &unseen, errors.is_empty()).await {
        errors.push(error);
    }
    Error::all(errors).map_or(Ok(()), Err)
}

/// Deletes what the plan says, each resource as soon as what must be gone before it is gone.
pub async fn delete(engine: &Engine, plan: &DestroyPlan) -> Result<()> {
    for planned in plan.kept() {
        record(
            engine,
            planned,
            Outcome::Kept(planned.kept.clone().unwrap_or_default()),
            Duration::ZERO,
        );
    }

    if plan.deleted().next().is_some() {
        engine.begin_write().await?;
        engine.lease().renew_seed().await?;
    }

    // A failed one counts as gone here: those behind it are then refused by the service, with its own words, and what
    // blocks is named by those words.
    let deleted: Vec<_> = plan.deleted().collect();
    let mut left = Left::default();
    for planned in &deleted {
        *left.kinds.entry(planned.kind()).or_default() += 1;
    }
    let left = watch::Sender::new(left);
    let users = users(&deleted);

    let errors: Vec<Error> = join_all(deleted.iter().enumerate().map(async |(index, planned)| {
        let outcome = delete_one(engine, planned, &users[index], &left).await;
        left.send_modify(|left| {
            left.gone.insert(index);
            if let Some(count) = left.kinds.get_mut(planned.kind()) {
                *count -= 1;
            }
        });
        outcome.err()
    }))
    .await
    .into_iter()
    .flatten()
    .collect();
    Error::all(errors).map_or(Ok(()), Err)
}

/// What is still to go, and what is not any more.
#[derive(Default)]
struct Left {
    /// How many of each kind.
    kinds: HashMap<&'static str, usize>,
    gone: HashSet<usize>,
}

/// For each of these, which others of its kind use it and so go before it: a security group that a rule of another one
/// names. Those that use each other, over however many others, do not wait for each other; their kind knows how they part.
fn users(planned: &[&Planned]) -> Vec<Vec<usize>> {
    let keys: Vec<_> = planned.iter().map(|one| one.kind.keys(&one.live)).collect();
    let used: Vec<Vec<usize>> = planned
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let uses = one.kind.uses(&one.live);
            let uses = uses.iter().filter(|used| used.kind == one.kind()).collect::<Vec<_>>();
            let is_used = |other: &usize| {
                let is_its_kind = planned[*other].kind() == one.kind();
                is_its_kind && *other != index && uses.iter().any(|used| keys[*other].contains(&used.key))
            };
            match uses.is_empty() {
                true => Vec::new(),
                false => (0..planned.len()).filter(is_used).collect(),
            }
        })
        .collect();
    let reaches = |from: usize, to: usize| {
        let (mut seen, mut next) = (HashSet::from([from]), vec![from]);
        while let Some(index) = next.pop() {
            next.extend(used[index].iter().filter(|used| seen.insert(**used)));
        }
        from != to && seen.contains(&to)
    };
    (0..planned.len())
        .map(|index| {
            let users = (0..planned.len()).filter(|user| used[*user].contains(&index));
            users.filter(|user| !reaches(index, *user)).collect()
        })
        .collect()
}

async fn delete_one(engine: &Engine, planned: &Planned, users: &[usize], left: &watch::Sender<Left>) -> Result<()> {
    let before = planned.kind.about().gone_before;
    let mut receiver = left.subscribe();
    let gone = receiver.wait_for(|left| {
        let is_gone = |kind: &&str| left.kinds.get(*kind).is_none_or(|count| *count == 0);
        before.iter().all(is_gone) && users.iter().all(|user| left.gone.contains(user))
    });
    tokio::select! {
        _ = gone => {}
        () = engine.cancel().cancelled() => return Err(Error::interrupted()),
    }
    let label = format!("{}/{}", planned.kind(), planned.live.name);
    if let Some(expectation) = engine.expectation() {
        expectation.check(&label, &Outcome::Deleted, &[], None)?;
    }
    engine.progress().started(&label);
    let began = Instant::now();
    let outcome = planned.kind.remove(engine, &planned.live).await;
    let took = began.elapsed();
    match outcome {
        Ok(()) => {
            engine.progress().finished(&label, "deleted", took, true);
            record(engine, planned, Outcome::Deleted, took);
            Ok(())
        }
        Err(error) => {
            let error = error.context(&label);
            let message = error.message_about(&label);
            engine.progress().finished(&label, message, took, false);
            record(engine, planned, Outcome::Failed(message.to_owned()), took);
            Err(error)
        }
    }
}

fn record(engine: &Engine, planned: &Planned, outcome: Outcome, took: Duration) {
    engine.record(Record {
        kind: planned.kind().to_owned(),
        name: planned.live.name.clone(),
        id: planned.live.id.clone(),
        outcome,
        took,
        ..Record::default()
    });
}

/// A destroy that deletes nothing has no need of the lease, and one look at it tells whether the proof has: another run is at
/// work, or one did not end cleanly a moment ago and left open what it may have created. Then it is taken, which refuses
/// the first and inherits from the second.
async fn settle_others(engine: &Engine) -> Result<()> {
    match engine.lease().is_unsettled().await? {
        true => engine.begin_write().await,
        false => Ok(()),
    }
}

/// What a run that died may have created, and no listing showed: it is waited until they would, before anything is proved.
/// Gives the kinds of these, which have to be listed again.
async fn await_unseen(engine: &Engine, plan: &DestroyPlan) -> Result<BTreeSet<String>> {
    for planned in &plan.resources {
        engine
            .lease()
            .close(&format!("{}/{}", planned.kind(), planned.live.name));
    }
    let mut kinds = BTreeSet::new();
    if let Some((unseen, until)) = engine.lease().unseen() {
        for label in &unseen {
            kinds.extend(label.split('/').next().map(str::to_owned));
            let reason = "a run that did not end may have created it a moment ago";
            engine.progress().waiting(label, reason);
        }
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        wait::pause(left, engine.cancel()).await?;
    }
    Ok(kinds)
}

/// How long the Tagging API may go on listing what is deleted before that counts as a leftover. See aws/aws-sdk issue
/// 676: it lags.
const SWEEP_LIMIT: Duration = Duration::from_secs(30);

/// Lists again whatever there was of or may have been (`unseen`), and sweeps by tag, which finds what appeared meanwhile.
/// Listings lag too: what is `well_deleted` may be listed for some moments.
async fn prove(engine: &Engine, done: &DestroyPlan, unseen: &BTreeSet<String>, well_deleted: bool) -> Result<()> {
    let options = DestroyOptions {
        only: done.only.clone(),
    };
    let there_were: HashSet<&str> = done.resources.iter().map(Planned::kind).collect();
    let is_swept = |kind: &dyn AnyKind| engine.sweep().is_some() && kind.is_swept();
    // A part of it is kept for the sake of what is not in that part.
    let all = !done.only.is_empty();
    let is_known = |kind: &str| there_were.contains(kind) || unseen.contains(kind);
    let is_wanted = |kind: &dyn AnyKind| all || is_known(kind.about().kind) || !is_swept(kind);
    let mut waiter = Waiter::new("what was deleted", SWEEP_LIMIT, engine.pace(), engine.cancel());
    let (after, mut left) = loop {
        let after = match plan_of(engine, &options, &is_wanted).await {
            Ok(after) => after,
            // With `--only`, nothing by that name is what is wanted now.
            Err(_) if !done.only.is_empty() => return Ok(()),
            Err(error) => return Err(error),
        };
        let left: Vec<String> = after
            .deleted()
            .map(|planned| format!("{}/{} ({})", planned.kind(), planned.live.name, planned.live.id))
            .collect();
        if left.is_empty() || !well_deleted || waiter.is_over() {
            break (after, left);
        }
        waiter.pause("it is still listed").await?;
    };

    if done.only.is_empty()
        && let Some(sweep) = engine.sweep()
    {
        // What the kinds list is judged above; the sweep finds what no kind of ours lists.
        let listed = done.resources.iter().chain(&after.resources);
        let known: Arc<BTreeSet<String>> = Arc::new(listed.map(|planned| planned.live.id.clone()).collect());
        let mut waiter = Waiter::new("the sweep by tags", SWEEP_LIMIT, engine.pace(), engine.cancel());
        let strange = loop {
            let Swept {
                there: strange,
                half_gone,
            } = sweep(engine.scope().clone(), known.clone()).await?;
            if let Some(half_gone) = half_gone {
                engine.begin_write().await?;
                engine.kind(half_gone.kind)?.finish_delete(&half_gone.arns).await?;
            }
            // The Tagging API lags behind, so what it lists may be gone already.
            if strange.is_empty() || waiter.is_over() {
                break strange;
            }
            waiter.pause("deleted resources are still listed").await?;
        };
        left.extend(strange.into_iter().map(|arn| format!("{arn} (found by its tags)")));
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut error = Error::failed(format!(
        "{} left with this environment's tags",
        counted(left.len(), "resource is", "resources are")
    ))
    .hint("run destroy again; what stays then is used by something outside of this environment");
    for item in left {
        error = error.note(item);
    }
    Err(error)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
