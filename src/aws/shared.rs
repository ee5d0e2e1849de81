//! What several kinds and verbs of one run need alike: asked once, and kept until it can be another.
//!
//! Some listings serve more than one kind, such as that of the load balancers, whose listeners can only be listed one
//! load balancer at a time. And some services tell no tags with their listings; the Resource Groups Tagging API tells the
//! tags of all of them in one call. What is kept is used only while this process has written nothing to its service, and
//! for some seconds: others write too.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::calls::action;
use super::reads::is_read_action;
use super::sweep;
use super::{Aws, error};
use crate::error::Result;
use crate::resource::prune::Counted;
use crate::resource::{Scope, Tags};

/// How long what others may have changed meanwhile is kept.
const KEPT: Duration = Duration::from_secs(10);

/// How long the Tagging API may go on telling what was before a write. Its reference says nothing of it; seconds are
/// ordinary.
const LAG: Duration = Duration::from_secs(5 * 60);

/// When this process wrote to a service last. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Writes(Arc<Mutex<HashMap<String, Instant>>>);

impl Writes {
    fn note(&self, config: &ConfigBag) {
        let action = action(config);
        if !is_read_action(&action) {
            let service = action.split(':').next().unwrap_or_default().to_owned();
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(service, Instant::now());
        }
    }

    fn last(&self, service: &str) -> Option<Instant> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The Tagging API writes to every service.
        all.get(service).max(all.get("tag")).copied()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Writes {
    fn name(&self) -> &'static str {
        "writes"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        self.note(config);
        Ok(())
    }

    /// Again: what was asked between the sending and the answer may be from before.
    fn read_after_execution(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        self.note(config);
        Ok(())
    }
}

/// An answer of a service for one environment. Clones share it.
#[derive(Debug)]
pub struct Shared<T> {
    /// As IAM's actions begin: `elasticloadbalancing`.
    service: &'static str,
    writes: Writes,
    kept: Arc<tokio::sync::Mutex<Option<Kept<T>>>>,
}

#[derive(Debug)]
struct Kept<T> {
    /// When it was asked for.
    at: Instant,
    project: String,
    environment: String,
    answer: Arc<T>,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self {
            service: self.service,
            writes: self.writes.clone(),
            kept: self.kept.clone(),
        }
    }
}

impl<T> Shared<T> {
    pub(super) fn new(service: &'static str, writes: &Writes) -> Self {
        Self {
            service,
            writes: writes.clone(),
            kept: Arc::default(),
        }
    }

    /// Asks anew, and keeps the answer for [`Shared::get`].
    pub async fn ask(&self, scope: &Scope, question: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let mut kept = self.kept.lock().await;
        put(&mut kept, scope, question).await
    }

    /// The answer that is kept, else a new one. Those who ask while another does wait for its answer.
    pub async fn get(&self, scope: &Scope, question: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let mut kept = self.kept.lock().await;
        match &*kept {
            Some(kept) if self.holds(kept, scope) => Ok(kept.answer.clone()),
            _ => put(&mut kept, scope, question).await,
        }
    }

    fn holds(&self, kept: &Kept<T>, scope: &Scope) -> bool {
        kept.project == scope.project
            && kept.environment == scope.environment
            && kept.at.elapsed() < KEPT
            && self.writes.last(self.service).is_none_or(|written| written < kept.at)
    }
}

async fn put<T>(
    kept: &mut Option<Kept<T>>,
    scope: &Scope,
    question: impl Future<Output = Result<T>>,
) -> Result<Arc<T>> {
    let at = Instant::now();
    let answer = Arc::new(question.await?);
    *kept = Some(Kept {
        at,
        project: scope.project.clone(),
        environment: scope.environment.clone(),
        answer: answer.clone(),
    });
    Ok(answer)
}

/// Tags by ARN, for what a service lists without them.
///
/// They come from the Tagging API, which lags and may lack what was just made or tagged. So they only spare a call for what
/// the service itself has listed; what is not in here is read singly; what this process wrote is never judged by them; and
/// [`crate::resource::Kind::tags_now`] is asked before a difference is believed.
#[derive(Clone, Debug, Default)]
pub struct KnownTags(Option<Arc<HashMap<String, Tags>>>);

impl KnownTags {
    /// The ARNs that hold this: `:cluster/`. What they name has to be looked at: it may be gone.
    pub fn arns(&self, with: &str) -> Vec<String> {
        let all = self.0.iter().flat_map(|known| known.keys());
        all.filter(|arn| arn.contains(with)).cloned().collect()
    }

    /// `None`: to be read singly.
    pub fn of(&self, arn: &str) -> Option<Tags> {
        self.0.as_ref()?.get(arn).cloned()
    }
}

impl Aws {
    /// The tags of everything that carries the environment's, as far as the Tagging API tells.
    pub async fn census(&self, scope: &Scope) -> Result<Vec<Tags>> {
        let found = self.tags.get(scope, sweep::known(self, scope)).await?;
        let is_ours = |tags: &&Tags| {
            let mut filter = scope.filter().into_iter();
            filter.all(|(key, value)| tags.get(key).is_some_and(|tag| tag == value))
        };
        Ok(found.values().filter(is_ours).cloned().collect())
    }

    /// The same, where it may be that the credentials do not allow it.
    pub async fn counted(&self, scope: &Scope) -> Result<Counted> {
        match self.census(scope).await {
            Ok(tags) => Ok(Counted::All(tags)),
            Err(error) if error::is_denied(&error) => Ok(Counted::Denied(error)),
            Err(error) => Err(error),
        }
    }

    /// The tags of the environment's resources of one service, as `logs`.
    pub async fn known_tags(&self, scope: &Scope, service: &str) -> Result<KnownTags> {
        let is_recent = |written: Instant| written.elapsed() < LAG;
        if self.writes.last(service).is_some_and(is_recent) {
            return Ok(KnownTags::default());
        }
        let found = self.tags.get(scope, sweep::known(self, scope)).await;
        match found {
            Ok(found) => Ok(KnownTags(Some(found))),
            // Everything in it can be read singly, which has a permission of its own.
            Err(error) if error::is_denied(&error) => {
                tracing::warn!("tags are read one by one: {error}");
                Ok(KnownTags::default())
            }
            Err(error) => Err(error),
        }
    }
}
