//! Removes one resource until it is gone.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::kind::{Context, Kind, Live, Readiness};
use super::tags;
use super::wait::{self, Waiter};
use crate::error::{Error, Exit, Result};

/// After which time it is asked what keeps a resource from being deleted: most of it goes away by itself before.
const LASTING: Duration = Duration::from_secs(20);

/// How many of them an error names.
const NAMED: usize = 10;

/// Codes with which services refuse to delete what something else still uses.
const BLOCKED: [&str; 17] = [
    "DependencyViolation",
    "ResourceInUse",
    "ResourceInUseException",
    "DeleteConflict",
    "CacheSubnetGroupInUse",
    "CacheSubnetGroupInUseFault",
    "InvalidCacheParameterGroupState",
    "InvalidReplicationGroupState",
    "InvalidReplicationGroupStateFault",
    "ClusterContainsServicesException",
    "ClusterContainsTasksException",
    "InvalidIPAddress.InUse",
    "InvalidDBInstanceState",
    "InvalidDBSubnetGroupStateFault",
    "InvalidDBParameterGroupState",
    "InvalidOptionGroupStateFault",
    "AuthFailure",
];

/// Deletes a resource for good, and waits until it is gone where that takes its time.
pub(super) async fn discard<K: Kind>(kind: &K, engine: &Engine, live: &Live<K::State>) -> Result<()> {
    if !kind.goes_at_once() {
        return remove(kind, engine, live).await;
    }
    delete(kind, engine, live).await?;
    engine.journal("deleted", kind.about().kind, &live.name, &live.id);
    Ok(())
}

/// Deletes a resource and waits until it is gone and its name is free.
pub(super) async fn remove<K: Kind>(kind: &K, engine: &Engine, live: &Live<K::State>) -> Result<()> {
    let mut waiter = delete(kind, engine, live).await?;
    let about = kind.about();
    while let Some(now) = engine.reading(kind.refresh(live)).await? {
        let reason = match kind.readiness(&now) {
            Readiness::Waiting(state) | Readiness::Leaving(state) => state,
            _ => "deleting".into(),
        };
        let label = format!("{}/{}", about.kind, live.name);
        engine.progress().waiting(&label, &reason);
        waiter.pause(&reason).await?;
    }
    engine.journal("deleted", about.kind, &live.name, &live.id);
    Ok(())
}

/// Has the service delete a resource. What still uses it is waited for, up to the bound; what is left of that is given.
async fn delete<'a, K: Kind>(kind: &K, engine: &'a Engine, live: &Live<K::State>) -> Result<Waiter<'a>> {
    let about = kind.about();
    let label = format!("{}/{}", about.kind, live.name);
    let context = Context {
        scope: engine.scope(),
        tags: tags::Tags::new(),
        seed: engine.lease().seed(),
        engine,
    };
    let limit = engine.delete_limit(about);
    engine.begin_write().await?;
    engine.journal("deleting", about.kind, &live.name, &live.id);
    engine.progress().removing(&label);
    let mut waiter = Waiter::new(&label, limit, engine.pace(), engine.cancel());
    let began = Instant::now();
    let mut blockers = None;
    // What still uses it goes away in its own time: the service is asked again until it accepts.
    while let Err(error) = kind.delete(&context, live).await {
        if !BLOCKED.contains(&error.code()) && !kind.is_transient(&error) {
            return Err(error);
        }
        if waiter.is_over() {
            let error = error.context(format!("could not be deleted within {}", wait::words(limit)));
            return Err(still_used(error, &blocking(kind, engine, live).await?));
        }
        if blockers.is_none() && began.elapsed() >= LASTING {
            blockers = Some(blocking(kind, engine, live).await?);
        }
        let reason = match blockers.iter().flatten().next() {
            Some(first) => format!("it is used by {first}"),
            None => error.to_string(),
        };
        engine.progress().waiting(&label, &reason);
        waiter.pause(&reason).await?;
    }
    Ok(waiter)
}

/// What keeps a resource from being deleted. What cannot be found out is said in its place.
async fn blocking<K: Kind>(kind: &K, engine: &Engine, live: &Live<K::State>) -> Result<Vec<String>> {
    match engine.reading(kind.blockers(live)).await {
        Err(error) if error.exit() != Exit::Interrupted => Ok(vec![format!("what cannot be listed: {error}")]),
        found => found,
    }
}

/// Names what has to go first.
fn still_used(error: Error, blockers: &[String]) -> Error {
    let named = blockers.iter().take(NAMED);
    let mut error = named.fold(error, |error, blocker| error.note(format!("it is used by {blocker}")));
    if blockers.len() > NAMED {
        error = error.note(format!("and by {} more", blockers.len() - NAMED));
    }
    match blockers.is_empty() {
        true => error,
        false => error
            .hint("what is not this environment's, iacsh never deletes: whoever owns it has to, then destroy again"),
    }
}
