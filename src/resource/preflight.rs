//! Before a run writes for the first time: may it do all that its script can ask for?
//!
//! The functions that a script calls are known before it runs, and each kind and verb lists its API actions. A run that has
//! nothing to write asks for nothing.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use super::engine::Engine;
use crate::error::{Error, Result};

/// Checks that these actions are allowed. An error names those that are not.
pub type Preflight =
    Arc<dyn Fn(BTreeSet<&'static str>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

/// Actions that are needed only where something goes away.
const REMOVING: [&str; 3] = ["Delete", "Deregister", "Release"];

#[derive(Default)]
pub(super) struct Checks {
    check: OnceLock<Preflight>,
    called: Mutex<BTreeSet<String>>,
    passed: Mutex<Arc<OnceCell<Option<Error>>>>,
}

impl Checks {
    fn called(&self) -> BTreeSet<String> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn passed(&self) -> Arc<OnceCell<Option<Error>>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new run begins: it asks for itself.
    pub(super) fn forget(&self) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        self.called.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Each resource that wanted to write hears of it; to tell it once is enough.
    pub(super) fn once(&self, errors: &mut Vec<Error>) {
        let passed = self.passed();
        let Some(Some(failure)) = passed.get() else { return };
        let before = errors.len();
        errors.retain(|error| error.help() != failure.help() || error.exit() != failure.exit());
        if errors.len() < before {
            errors.insert(0, failure.clone());
        }
    }
}

impl Engine {
    /// What [`Engine::preflight`] asks.
    pub fn set_preflight(&self, check: Preflight) {
        // Set once, where the engine is made.
        self.checks().check.set(check).ok();
    }

    /// The functions that a script calls: `ecs::ensure_service`, `publish`.
    pub fn will_call(&self, functions: impl IntoIterator<Item = String>) {
        let mut called = self.checks().called.lock().unwrap_or_else(PoisonError::into_inner);
        called.extend(functions);
    }

    /// Everything is deleted, whatever the script.
    pub fn will_destroy(&self) {
        self.will_call([DESTROY.to_owned()]);
    }

    /// Passes once in a run, before the first write. Every write comes after it.
    pub async fn preflight(&self) -> Result<()> {
        let Some(check) = self.checks().check.get() else {
            return Ok(());
        };
        let passed = self.checks().passed();
        let answer = passed.get_or_init(|| async {
            let actions = self.needed();
            tracing::debug!("{} actions are checked", actions.len());
            check(actions).await.err()
        });
        match answer.await {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    /// The actions of all that the script calls.
    fn needed(&self) -> BTreeSet<&'static str> {
        let called = self.checks().called();
        let destroys = called.contains(DESTROY);
        let mut actions: BTreeSet<&'static str> = BTreeSet::new();
        for kind in self.kinds() {
            let about = kind.about();
            let (module, noun) = (about.module, about.noun);
            let is_called = [format!("{module}::ensure_{noun}"), format!("ensure_{noun}")]
                .iter()
                .any(|name| called.contains(name));
            let is_published = about.kind == "parameter" && called.contains("publish");
            if destroys || is_called || is_published {
                actions.extend(about.actions);
            }
        }
        for verb in self.verbs() {
            if called.contains(&format!("{}::{}", verb.module, verb.name)) {
                actions.extend(verb.actions);
            }
        }
        actions.retain(|action| {
            let operation = action.split(':').nth(1).unwrap_or_default();
            destroys || !REMOVING.iter().any(|removing| operation.starts_with(removing))
        });
        actions
    }
}

const DESTROY: &str = "environment::destroy";
