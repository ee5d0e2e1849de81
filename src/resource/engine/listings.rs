//! What is there: one listing of a kind for a whole run.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Engine, lock};
use crate::error::{Error, Result};
use crate::resource::any_kind::{AnyKind, AnyLive};
use crate::value::{Map, Value};

impl Engine {
    /// What is ours of a kind: one listing for the whole run, however many ask.
    pub(in crate::resource) async fn listing(&self, kind: &str) -> Result<Arc<Vec<AnyLive>>> {
        let kind = self.kind(kind)?;
        let cell = lock(&self.0.listings).entry(kind.about().kind).or_default().clone();
        cell.get_or_try_init(|| self.list_now(kind)).await.cloned()
    }

    /// The same, unless a cheaper way finds what has this name. That way is gone once for the whole run too.
    pub(in crate::resource) async fn listing_with(&self, kind: &str, name: &str) -> Result<Arc<Vec<AnyLive>>> {
        let kind = self.kind(kind)?;
        let about = kind.about();
        let listed = lock(&self.0.listings)
            .get(about.kind)
            .is_some_and(|cell| cell.get().is_some());
        if !listed {
            let cell = lock(&self.0.known).entry(about.kind).or_default().clone();
            let known = cell.get_or_try_init(async || {
                self.pass_gate().await?;
                let known = kind.list_known(self.scope()).await;
                let known = known.map_err(|error| error.context(format!("listing {}", about.plural)))?;
                Ok::<_, Error>(Arc::new(known.unwrap_or_default()))
            });
            let known = known.await?;
            if known.iter().any(|live| live.name == name) {
                return Ok(known.clone());
            }
        }
        self.listing(about.kind).await
    }

    /// The listing, read anew; the run's shared one becomes this one.
    pub(in crate::resource) async fn list_again(&self, kind: &str) -> Result<Arc<Vec<AnyLive>>> {
        let kind = self.kind(kind)?;
        let listing = self.list_now(kind).await?;
        lock(&self.0.listings).insert(kind.about().kind, Arc::new(OnceCell::new_with(Some(listing.clone()))));
        Ok(listing)
    }

    async fn list_now(&self, kind: &Arc<dyn AnyKind>) -> Result<Arc<Vec<AnyLive>>> {
        self.pass_gate().await?;
        let listing = self.reading(kind.list(self.scope())).await;
        listing
            .map(Arc::new)
            .map_err(|error| error.context(format!("listing {}", kind.about().plural)))
    }

    /// The rows of a listing, as they are now, for people and scripts.
    pub async fn list(&self, kind: &str) -> Result<Vec<Map>> {
        let listing = self.list_again(kind).await?;
        self.rows(kind, &listing)
    }

    /// The rows of the run's shared listing: what was there when it was needed first.
    pub async fn seen(&self, kind: &str) -> Result<Vec<Map>> {
        let listing = self.listing(kind).await?;
        self.rows(kind, &listing)
    }

    fn rows(&self, kind: &str, listing: &[AnyLive]) -> Result<Vec<Map>> {
        let kind = self.kind(kind)?;
        let row = |live: &AnyLive| {
            let mut row = Map::new();
            row.insert("name".into(), Value::text(&live.name));
            row.extend(kind.row(live));
            row
        };
        Ok(listing.iter().map(row).collect())
    }

    /// What this run has listed, by kind.
    pub(in crate::resource) fn listed(&self) -> Vec<(&'static str, Arc<Vec<AnyLive>>)> {
        let listings = lock(&self.0.listings);
        let known = listings
            .iter()
            .filter_map(|(kind, listing)| Some((*kind, listing.get()?.clone())));
        known.collect()
    }
}
