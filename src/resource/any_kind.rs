//! A kind without its types, as the registry holds it.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::Schema;

use super::adopt::Adopts;
use super::converge::{self, Converged, Wanted};
use super::engine::Engine;
use super::kind::{About, KEEP, Kind, Live, Readiness, Used};
use super::plan;
use super::remove;
use super::tags::Scope;
use crate::error::{Error, Result};
use crate::value::Map;

/// A kind without its types, as the registry holds it. Implemented for every [`Kind`].
#[async_trait]
pub trait AnyKind: Adopts + Send + Sync {
    fn about(&self) -> &'static About;
    /// The schema of the options.
    fn schema(&self) -> Schema;
    /// Whether the lease has to say beforehand that it may be created.
    fn needs_intent(&self) -> bool;
    async fn list(&self, scope: &Scope) -> Result<Vec<AnyLive>>;
    /// A part of it, in fewer calls.
    async fn list_known(&self, scope: &Scope) -> Result<Option<Vec<AnyLive>>>;
    /// Whether the service keeps tags of it.
    fn has_tags(&self) -> bool;
    fn row(&self, live: &AnyLive) -> Map;
    /// What `keep` may name beside the options.
    fn more_fields(&self, options: &Map) -> Vec<String>;
    /// What it cannot do without.
    fn uses(&self, live: &AnyLive) -> Vec<Used>;
    /// What others mean it by.
    fn keys(&self, live: &AnyLive) -> Vec<String>;
    /// Why a destroy leaves it, where the kind has more to say.
    fn kept_because(&self, live: &AnyLive) -> Option<&'static str>;
    /// Whether the Tagging API lists it too.
    fn is_swept(&self) -> bool;
    /// Whether the service is deleting it already.
    fn is_leaving(&self, live: &AnyLive) -> bool;
    async fn reference(&self, options: &Map) -> Result<(String, Map)>;
    /// Makes it what is wanted, whatever it is now.
    async fn converge(&self, engine: &Engine, wanted: Wanted) -> Result<Converged>;
    /// What `converge` would do. Only reads.
    async fn foresee(&self, engine: &Engine, wanted: Wanted) -> Result<Converged>;
    /// Finishes the deletion of what no listing shows any more.
    async fn finish_delete(&self, arns: &[String]) -> Result<()>;
    /// Deletes it, and waits until it is gone where that takes its time.
    async fn remove(&self, engine: &Engine, live: &AnyLive) -> Result<()>;
}

/// A [`Live`] whose state only its kind can read.
pub type AnyLive = Live<Arc<dyn Any + Send + Sync>>;

pub(super) fn erase<T: Send + Sync + 'static>(live: Live<T>) -> AnyLive {
    Live {
        id: live.id,
        name: live.name,
        tags: live.tags,
        state: Arc::new(live.state),
    }
}

/// The typed resource again. Only the kind that made it calls this.
pub(super) fn typed<K: Kind>(kind: &K, live: &AnyLive) -> Result<Live<K::State>> {
    match live.state.downcast_ref::<K::State>() {
        Some(state) => Ok(Live {
            id: live.id.clone(),
            name: live.name.clone(),
            tags: live.tags.clone(),
            state: state.clone(),
        }),
        None => Err(Error::failed(format!("{} is not a {}", live.id, kind.about().kind))),
    }
}

#[async_trait]
impl<K: Kind> AnyKind for K {
    fn about(&self) -> &'static About {
        Kind::about(self)
    }

    fn schema(&self) -> Schema {
        let mut schema = crate::schema::of::<K::Spec>();
        let keep = serde_json::json!({
            "type": "array",
            "items": { "type": "string" },
            "description": "Fields whose differences are left as they are and told: what somebody else manages.",
        });
        if let Some(properties) = schema.get_mut("properties").and_then(|found| found.as_object_mut()) {
            properties.insert(KEEP.to_owned(), keep);
        }
        schema
    }

    fn needs_intent(&self) -> bool {
        Kind::needs_intent(self)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<AnyLive>> {
        Ok(Kind::list(self, scope).await?.into_iter().map(erase).collect())
    }

    async fn list_known(&self, scope: &Scope) -> Result<Option<Vec<AnyLive>>> {
        let known = Kind::list_known(self, scope).await?;
        Ok(known.map(|known| known.into_iter().map(erase).collect()))
    }

    fn has_tags(&self) -> bool {
        Kind::has_tags(self)
    }

    fn row(&self, live: &AnyLive) -> Map {
        match typed(self, live) {
            Ok(live) => Kind::row(self, &live),
            Err(_) => Map::new(),
        }
    }

    fn more_fields(&self, options: &Map) -> Vec<String> {
        Kind::more_fields(self, options)
    }

    fn uses(&self, live: &AnyLive) -> Vec<Used> {
        typed(self, live)
            .map(|live| Kind::uses(self, &live))
            .unwrap_or_default()
    }

    fn keys(&self, live: &AnyLive) -> Vec<String> {
        typed(self, live)
            .map(|live| Kind::keys(self, &live))
            .unwrap_or_default()
    }

    fn kept_because(&self, live: &AnyLive) -> Option<&'static str> {
        typed(self, live).ok().and_then(|live| Kind::kept_because(self, &live))
    }

    fn is_swept(&self) -> bool {
        Kind::is_swept(self)
    }

    fn is_leaving(&self, live: &AnyLive) -> bool {
        typed(self, live).is_ok_and(|live| matches!(self.readiness(&live), Readiness::Leaving(_)))
    }

    async fn finish_delete(&self, arns: &[String]) -> Result<()> {
        Kind::finish_delete(self, arns).await
    }

    async fn reference(&self, options: &Map) -> Result<(String, Map)> {
        let live = Kind::reference(self, options).await?;
        Ok((live.id.clone(), self.outputs(&live)))
    }

    async fn converge(&self, engine: &Engine, wanted: Wanted) -> Result<Converged> {
        converge::converge(self, engine, wanted).await
    }

    async fn foresee(&self, engine: &Engine, wanted: Wanted) -> Result<Converged> {
        plan::foresee(self, engine, wanted).await
    }

    async fn remove(&self, engine: &Engine, live: &AnyLive) -> Result<()> {
        remove::discard(self, engine, &typed(self, live)?).await
    }
}
