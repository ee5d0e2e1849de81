//! Runs `ensure` in the background, shares listings, and gathers what happened.
//!
//! `ensure` returns a handle at once. Its task waits for the outputs in its options, so the graph of resources falls out
//! of the data, and a script that reads from top to bottom runs as wide as its data allows.

mod ensure;
mod listings;
mod options;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::resource::cancel::Cancel;
use futures::future::join_all;
use indexmap::IndexMap;
use schemars::Schema;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

pub(super) use self::ensure::split_keep;
pub use self::options::{EngineOptions, Gate, HalfGone, Mode, Origin, Sweep, Swept};
use super::any_kind::{AnyKind, AnyLive};
use super::chain::{Chain, Trace};
use super::handle::Handle;
use super::journal::Journal;
use super::kind::About;
use super::lease::Lease;
use super::plan::Expectation;
use super::preflight::Checks;
use super::progress::Progress;
use super::prune::Census;
use super::report::{Record, Report};
use super::tags::Scope;
use super::verb::Verb;
use super::wait::Pace;
use crate::error::{Error, Exit, Location, Result, nearest};
use crate::value::{Promise, Value};

struct Entry {
    handle: Handle,
    /// As they were asked for, with outputs by their names.
    options: Value,
    section: String,
    at: Option<Location>,
}

type Listing = Arc<OnceCell<Arc<Vec<AnyLive>>>>;

struct Inner {
    options: EngineOptions,
    schemas: HashMap<&'static str, Schema>,
    listings: Mutex<HashMap<&'static str, Listing>>,
    /// Parts of listings: see [`Engine::listing_with`].
    known: Mutex<HashMap<&'static str, Listing>>,
    entries: Mutex<IndexMap<String, Entry>>,
    records: Mutex<IndexMap<String, Option<Record>>>,
    errors: Mutex<Vec<Error>>,
    /// What this run has adopted or renamed, or would, by label: no listing has it under its name yet.
    adopted: Mutex<HashMap<String, AnyLive>>,
    /// The labels that this run gave up for others.
    renamed: Mutex<BTreeSet<String>>,
    /// Why a plan sees no further.
    end: Mutex<Option<Error>>,
    /// What a plan could not see.
    unseen: Mutex<Vec<String>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    passed: OnceCell<()>,
    trace: Trace,
    checks: Checks,
}

/// See the module's page. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while one of these was held leaves a list that is still a list.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub fn new(options: EngineOptions) -> Self {
        let schemas = options
            .kinds
            .iter()
            .map(|kind| (kind.about().kind, kind.schema()))
            .collect();
        Self(Arc::new(Inner {
            options,
            schemas,
            listings: Mutex::default(),
            known: Mutex::default(),
            entries: Mutex::default(),
            records: Mutex::default(),
            errors: Mutex::default(),
            adopted: Mutex::default(),
            renamed: Mutex::default(),
            end: Mutex::default(),
            unseen: Mutex::default(),
            tasks: Mutex::default(),
            passed: OnceCell::new(),
            trace: Trace::new(),
            checks: Checks::default(),
        }))
    }

    /// Whether this is a plan: nothing is written.
    pub fn is_plan(&self) -> bool {
        self.0.options.mode == Mode::Plan
    }

    /// The plan that this run is held to.
    pub fn expectation(&self) -> Option<&Expectation> {
        self.0.options.expect.as_deref()
    }

    pub fn kinds(&self) -> &[Arc<dyn AnyKind>] {
        &self.0.options.kinds
    }

    pub fn verbs(&self) -> &[Verb] {
        &self.0.options.verbs
    }

    pub fn scope(&self) -> &Scope {
        &self.0.options.scope
    }

    pub fn progress(&self) -> &dyn Progress {
        self.0.options.progress.as_ref()
    }

    pub fn cancel(&self) -> &Cancel {
        &self.0.options.cancel
    }

    pub(super) fn checks(&self) -> &Checks {
        &self.0.checks
    }

    pub fn pace(&self) -> Pace {
        self.0.options.pace
    }

    pub fn purge_secrets(&self) -> bool {
        self.0.options.purge_secrets
    }

    /// What keeps other runs away while this one writes.
    pub fn lease(&self) -> &Lease {
        &self.0.options.lease
    }

    pub(super) fn sweep(&self) -> Option<&Sweep> {
        self.0.options.sweep.as_ref()
    }

    pub(super) fn census(&self) -> Option<&Census> {
        self.0.options.census.as_ref()
    }

    /// Whether this run ensures what has a label.
    pub(super) fn is_claimed(&self, label: &str) -> bool {
        lock(&self.0.entries).contains_key(label)
            // The listing of before a renaming has the old name still.
            || lock(&self.0.renamed).contains(label)
    }

    /// The sections of what this run ensures.
    pub fn sections(&self) -> BTreeSet<String> {
        let entries = lock(&self.0.entries);
        let sections = entries.values().map(|entry| entry.section.clone());
        sections.filter(|section| !section.is_empty()).collect()
    }

    pub(super) fn may_replace(&self, name: &str) -> bool {
        self.0.options.allow_replace.contains(name)
    }

    /// Whether the loss of this one's data is meant: `--with-data NAME`.
    pub fn may_lose(&self, name: &str) -> bool {
        self.0.options.with_data.contains(name)
    }

    pub fn create_limit(&self, about: &About) -> Duration {
        let limits = &self.0.options.limits;
        limits
            .kinds
            .get(about.kind)
            .copied()
            .or(limits.create)
            .unwrap_or(about.create_limit)
    }

    pub fn delete_limit(&self, about: &About) -> Duration {
        let limits = &self.0.options.limits;
        limits
            .kinds
            .get(about.kind)
            .copied()
            .or(limits.delete)
            .unwrap_or(about.delete_limit)
    }

    pub(super) fn journal(&self, event: &str, kind: &str, name: &str, id: &str) {
        self.0
            .options
            .journal
            .write(event, serde_json::json!({ "kind": kind, "name": name, "id": id }));
    }

    /// Where the run is kept.
    pub fn run_journal(&self) -> &Journal {
        &self.0.options.journal
    }

    /// Writes an entry of another part of the run to the journal.
    pub fn journal_entry(&self, event: &str, facts: serde_json::Value) {
        self.0.options.journal.write(event, facts);
    }

    /// Refuses to start a write once the run has been interrupted, and in an environment that must not be changed.
    /// Before the write itself stands [`Engine::begin_write`].
    pub fn may_write(&self) -> Result<()> {
        match &self.0.options.refusal {
            _ if self.cancel().is_cancelled() => Err(Error::interrupted()),
            _ if self.is_plan() => Err(Error::failed("a plan writes nothing")),
            Some(refusal) => Err(refusal.clone()),
            None => Ok(()),
        }
    }

    /// The kind of that name, such as `security-group`.
    pub fn kind(&self, kind: &str) -> Result<&Arc<dyn AnyKind>> {
        self.kinds()
            .iter()
            .find(|known| known.about().kind == kind)
            .ok_or_else(|| {
                let error = Error::failed(format!("there is no kind of resource `{kind}`"));
                match nearest(kind, self.kinds().iter().map(|known| known.about().kind)) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error,
                }
            })
    }

    /// The schema of a kind's options.
    pub fn schema(&self, kind: &str) -> Option<&Schema> {
        self.0.schemas.get(kind)
    }

    /// Passes the gate: the check of credentials and account. Every call to AWS comes after it.
    pub async fn pass_gate(&self) -> Result<()> {
        let Some(gate) = &self.0.options.gate else {
            return Ok(());
        };
        self.0.passed.get_or_try_init(|| gate()).await.map(|_| ())
    }

    /// An existing resource, used and never changed.
    pub async fn reference(&self, kind: &str, options: Value) -> Result<Handle> {
        let kind = self.kind(kind)?;
        self.pass_gate().await?;
        let Value::Map(options) = options.resolve().await? else {
            return Err(Error::failed(format!(
                "a {} is referenced with a map",
                kind.about().noun
            )));
        };
        let (id, outputs) = kind.reference(&options).await?;
        let promise = Promise::known(format!("{}/{id}", kind.about().kind), outputs);
        Ok(Handle {
            about: kind.about(),
            name: id,
            promise,
            is_reference: true,
        })
    }

    /// The outputs of what this run ensures under a label: `KIND/NAME`.
    pub(super) fn ensured(&self, label: &str) -> Option<Promise> {
        let entries = lock(&self.0.entries);
        entries.get(label).map(|entry| entry.handle.promise.clone())
    }

    /// The options with which this run ensures what has a label, as the script gave them.
    pub(super) fn asked(&self, label: &str) -> Option<Value> {
        lock(&self.0.entries).get(label).map(|entry| entry.options.clone())
    }

    pub(super) fn note_adopted(&self, label: &str, live: AnyLive) {
        lock(&self.0.adopted).insert(label.to_owned(), live);
    }

    pub(super) fn note_renamed(&self, from: &str) {
        lock(&self.0.renamed).insert(from.to_owned());
    }

    /// What this run has adopted or renamed under a label.
    pub(super) fn adopted(&self, label: &str) -> Option<AnyLive> {
        lock(&self.0.adopted).get(label).cloned()
    }

    /// Ends a plan here: what is ensured after it depends on what it would do. `ensure` refuses from now on.
    pub fn end_plan(&self, why: Error) {
        lock(&self.0.end).get_or_insert(why);
    }

    /// Tells of a plan what it could not see: whatever it says, there may be more.
    pub fn note_unseen(&self, what: &str) {
        lock(&self.0.unseen).push(what.to_owned());
    }

    pub(super) fn unseen(&self) -> Vec<String> {
        lock(&self.0.unseen).clone()
    }

    /// Tells what became of a resource, or what an acting verb did. The journal keeps what is not as it was before.
    pub fn record(&self, record: Record) {
        let label = format!("{}/{}", record.kind, record.name);
        // A plan tells what would be.
        if !self.is_plan() {
            let gone_before = self.kind(&record.kind).map(|kind| kind.about().gone_before);
            self.0.trace.finished(&record, gone_before.unwrap_or_default());
            if let Some(entry) = record.entry() {
                self.0.options.journal.write("finished", entry);
            }
        }
        lock(&self.0.records).insert(label, Some(record));
    }

    /// Waits for all work in the background. All errors are told, each once.
    pub async fn settle(&self) -> Result<()> {
        loop {
            let tasks = std::mem::take(&mut *lock(&self.0.tasks));
            if tasks.is_empty() {
                break;
            }
            for joined in join_all(tasks).await {
                if let Err(error) = joined {
                    lock(&self.0.errors).push(Error::failed(format!("a bug in iacsh: {error}")));
                }
            }
        }
        let mut errors = std::mem::take(&mut *lock(&self.0.errors));
        self.0.checks.once(&mut errors);
        // An interruption reaches every resource that waits; once is enough.
        if errors.iter().any(|error| error.exit() == Exit::Interrupted) {
            errors.retain(|error| error.exit() != Exit::Interrupted);
            errors.insert(0, Error::interrupted());
        }
        Error::all(errors).map_or(Ok(()), Err)
    }

    /// What happened so far.
    pub fn report(&self) -> Report {
        Report {
            records: lock(&self.0.records).values().flatten().cloned().collect(),
        }
    }

    /// Which resources made the run as long as it was.
    pub fn longest_chain(&self) -> Option<Chain> {
        self.0.trace.longest()
    }

    /// Begins a new run on the same clients: the prompt does so for each statement.
    pub fn forget(&self) {
        lock(&self.0.listings).clear();
        lock(&self.0.known).clear();
        lock(&self.0.entries).clear();
        lock(&self.0.records).clear();
        lock(&self.0.errors).clear();
        lock(&self.0.adopted).clear();
        lock(&self.0.renamed).clear();
        self.0.trace.forget();
        self.0.checks.forget();
        *lock(&self.0.end) = None;
        lock(&self.0.unseen).clear();
    }
}
