//! Deletes an environment by its tags alone: no script, no state file.
//!
//! Everything that is ours is listed, kind by kind. What is disposable is deleted, each resource as soon as nothing is
//! left of the kinds that must be gone before it. Then everything is listed again, and swept by tag: that nothing is
//! left is proved, not assumed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::sync::watch;
use tokio::time::Instant;

use super::engine::Engine;
use super::kind::{AnyKind, AnyLive, Retention};
use super::report::{Outcome, Record};
use super::tags::SECTION;
use super::wait::Waiter;
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
    let listings = try_join_all(engine.kinds().iter().map(async |kind| {
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
    if let Err(error) = prove(engine, &plan).await {
        errors.push(error);
    }
    Error::all(errors).map_or(Ok(()), Err)
}

/// Deletes what the plan says, each resource as soon as what must be gone before it is gone.
pub(super) async fn delete(engine: &Engine, plan: &DestroyPlan) -> Result<()> {
    for planned in plan.kept() {
        record(
            engine,
            planned,
            Outcome::Kept(planned.kept.clone().unwrap_or_default()),
            Duration::ZERO,
        );
    }

    // How many of each kind are still to go. A failed one counts as gone here: those behind it are then refused by the
    // service, with its own words, and what blocks is named by those words.
    let mut left: HashMap<&'static str, usize> = HashMap::new();
    for planned in plan.deleted() {
        *left.entry(planned.kind()).or_default() += 1;
    }
    let left = watch::Sender::new(left);

    let errors: Vec<Error> = join_all(plan.deleted().map(async |planned| {
        let outcome = delete_one(engine, planned, &left).await;
        left.send_modify(|left| {
            if let Some(count) = left.get_mut(planned.kind()) {
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

async fn delete_one(
    engine: &Engine,
    planned: &Planned,
    left: &watch::Sender<HashMap<&'static str, usize>>,
) -> Result<()> {
    let before = planned.kind.about().gone_before;
    let mut receiver = left.subscribe();
    let gone = receiver.wait_for(|left| before.iter().all(|kind| left.get(kind).is_none_or(|count| *count == 0)));
    tokio::select! {
        _ = gone => {}
        () = engine.cancel().cancelled() => return Err(Error::interrupted()),
    }
    let label = format!("{}/{}", planned.kind(), planned.live.name);
    if let Some(expectation) = engine.expectation() {
        expectation.check(&label, &Outcome::Deleted, None)?;
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
            engine.progress().finished(&label, error.message(), took, false);
            record(engine, planned, Outcome::Failed(error.message().to_owned()), took);
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

/// How long the Tagging API may go on listing what is deleted before that counts as a leftover. See aws/aws-sdk issue
/// 676: it lags.
const SWEEP_LIMIT: Duration = Duration::from_secs(30);

/// Lists everything again, and sweeps by tag.
async fn prove(engine: &Engine, done: &DestroyPlan) -> Result<()> {
    let options = DestroyOptions {
        only: done.only.clone(),
    };
    let after = match plan(engine, &options).await {
        Ok(after) => after,
        // With `--only`, nothing by that name is what is wanted now.
        Err(_) if !done.only.is_empty() => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut left: Vec<String> = after
        .deleted()
        .map(|planned| format!("{}/{} ({})", planned.kind(), planned.live.name, planned.live.id))
        .collect();

    if done.only.is_empty()
        && let Some(sweep) = engine.sweep()
    {
        // What the kinds list is judged above; the sweep finds what no kind of ours lists.
        let listed = done.resources.iter().chain(&after.resources);
        let known: BTreeSet<&str> = listed.map(|planned| planned.live.id.as_str()).collect();
        let mut waiter = Waiter::new("the sweep by tags", SWEEP_LIMIT, engine.pace(), engine.cancel());
        let strange = loop {
            let found = sweep(engine.scope().clone()).await?;
            let is_strange = |arn: &String| !known.iter().any(|id| is_of(arn, id));
            let strange: Vec<_> = found.into_iter().filter(is_strange).collect();
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

/// `arn:aws:ec2:eu-west-1:1:vpc/vpc-1` is that of `vpc-1`: EC2's, ElastiCache's and RDS's listings know ids where the
/// Tagging API knows ARNs.
fn is_of(arn: &str, id: &str) -> bool {
    let before = arn.strip_suffix(id);
    before.is_some_and(|before| before.is_empty() || before.ends_with(['/', ':']))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
