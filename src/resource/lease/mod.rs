//! One run changes one environment at a time: the lease.
//!
//! Lease N is a record at the service, and the highest N is the one that counts. Taking it is a put of N + 1 that fails
//! where one is, so of several one wins. It is taken when the one before is free, when its process on this machine is
//! dead, or when it was not renewed for [`Timings::expires`]. The holder renews N by overwriting it, and then looks
//! whether there is a higher one: if so, it has lost and stops.
//!
//! Why two never write. The holder begins a change ([`Lease::hold`]), and sends each request of it, which includes each
//! further attempt at one that failed ([`Watch::may_send`]), only within [`Timings::fresh`] after it began its last renewal
//! that found no higher lease. So whoever takes the lease from a holder that may be alive waits, before its own first
//! write, until that holder has said that it stopped, or its last renewal is older than `expires`. A renewal that came
//! before the put is seen by the listing after it; one that comes later sees the put and gives up. The last request that
//! the holder had sent has the time between `fresh` and `expires` to arrive and to be answered: its client waits no longer
//! than that for a connection and an answer together. Not covered is what reaches the service later than that: a request
//! that hung in the network for longer than its sender waited for it.
//!
//! Ages come from the service's clock; the holder's own time is the longer of what its monotonic clock and its wall clock
//! say, because the first stands still while a machine sleeps.
//!
//! What is not known when a run dies is in the lease too: the seed of the client tokens and the open intents (what may
//! have been created without anybody having heard of it). The run after one that did not end cleanly inherits both.

mod holder;
mod intents;
mod record;
mod take;
#[cfg(test)]
mod tests;
mod unlock;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

pub use self::holder::Holder;
pub use self::record::Record;
pub use self::unlock::Found;
pub use self::watch::Watch;
use super::cancel::Cancel;
use super::progress::Progress;
use crate::error::{Error, Exit, Result};
use record::State;

/// A lease as the service keeps it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub number: u64,
    pub text: String,
    /// When it was written last, by the service's clock.
    pub modified: Option<Timestamp>,
}

/// All leases of an environment.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub leases: Vec<Kept>,
    /// The service's clock. Without it nothing has an age, and nothing expires.
    pub now: Option<Timestamp>,
}

impl Listed {
    fn newest(&self) -> Option<&Kept> {
        self.leases.iter().max_by_key(|kept| kept.number)
    }

    fn age(&self, kept: &Kept) -> Option<Duration> {
        let age = self.now?.duration_since(kept.modified?);
        // Two clocks of one service may differ by a moment.
        Some(Duration::try_from(age).unwrap_or_default())
    }
}

/// Where leases are kept.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    async fn list(&self) -> Result<Listed>;
    /// Puts a lease where none has the number. `false`: one has.
    async fn put(&self, number: u64, text: &str) -> Result<bool>;
    /// Writes a lease over what is there, or where nothing is.
    async fn overwrite(&self, number: u64, text: &str) -> Result<()>;
    /// Deletes leases. What is gone already is no error.
    async fn remove(&self, numbers: &[u64]) -> Result<()>;
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// From one renewal to the next.
    pub renew: Duration,
    /// How long after a renewal began the holder may start writes.
    pub fresh: Duration,
    /// From which age on a lease can be taken from a holder of whom nothing is known.
    pub expires: Duration,
    /// How long what was created may be seen in no listing. Source: EC2 API Reference, "Eventual consistency in the
    /// Amazon EC2 API", which speaks of up to a few minutes; in practice it is seconds.
    pub consistency: Duration,
    /// How long a first write waits for other intents, so that one call writes them all.
    pub gather: Duration,
}

impl Timings {
    pub const AWS: Timings = Timings {
        renew: Duration::from_secs(15),
        fresh: Duration::from_secs(40),
        expires: Duration::from_secs(75),
        consistency: Duration::from_secs(60),
        gather: Duration::from_millis(10),
    };
}

/// How often it is tried to have a renewal in time.
const ATTEMPTS: u32 = 3;

/// What a lease is made of.
pub struct LeaseOptions {
    /// The environment, for messages.
    pub environment: String,
    pub store: Arc<dyn LeaseStore>,
    pub holder: Holder,
    pub timings: Timings,
    /// Interrupted when the lease is lost.
    pub cancel: Cancel,
    pub progress: Arc<dyn Progress>,
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.at.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// The lease while it is ours.
struct Held {
    number: u64,
    /// When it was taken, by the service's clock.
    since: String,
    /// When the last renewal began that found no higher one.
    renewed: Moment,
    /// Until then what a dead run made may be in no listing.
    unsure_until: Instant,
    /// Whether nobody before us can still be writing.
    ready: bool,
    renewing: Option<tokio::task::JoinHandle<()>>,
}

/// What is known beside the store.
#[derive(Default)]
struct Known {
    held: Option<Held>,
    /// Why it is ours no more.
    lost: Option<(u64, Error)>,
    seed: String,
    /// The seed is that of a run that did not end cleanly.
    is_inherited: bool,
    /// A call of this run may have taken effect although it failed.
    is_unsure: bool,
    intents: intents::Intents,
}

struct Inner {
    options: LeaseOptions,
    /// One call to the store at a time, so that none overtakes another.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    /// An intent was closed, which makes room for others.
    closed: tokio::sync::Notify,
}

/// The lease of one run, taken with its first write. Clones share it. See the module's page.
#[derive(Clone)]
pub struct Lease {
    inner: Option<Arc<Inner>>,
    /// The seed of one without a store.
    seed: Arc<str>,
    consistency: Duration,
}

impl Lease {
    pub fn new(options: LeaseOptions) -> Self {
        Self {
            consistency: options.timings.consistency,
            inner: Some(Arc::new(Inner {
                options,
                turn: tokio::sync::Mutex::default(),
                known: Mutex::default(),
                closed: tokio::sync::Notify::new(),
            })),
            seed: "".into(),
        }
    }

    /// No lease: for what has an environment of its own.
    pub fn none() -> Self {
        Self {
            inner: None,
            seed: uuid::Uuid::new_v4().simple().to_string().into(),
            consistency: Timings::AWS.consistency,
        }
    }

    /// How long what was created may be seen in no listing.
    pub fn consistency(&self) -> Duration {
        self.consistency
    }

    /// Takes the lease with the first call, and sees with each that it is still ours. No write starts without it. It sends
    /// nothing while the last renewal is fresh.
    ///
    /// # Errors
    /// [`Exit::Busy`]: somebody else has it.
    pub async fn hold(&self) -> Result<()> {
        let Some(inner) = &self.inner else { return Ok(()) };
        if inner.known().is_ours(&inner.options.timings)? {
            return Ok(());
        }
        // A task of its own: a caller that is interrupted does not wait for it, and what was put is still known.
        let inner = inner.clone();
        let task = tokio::spawn(async move { inner.hold().await });
        task.await
            .map_err(|error| Error::failed(format!("a bug in iacsh: {error}")))?
    }

    /// Whether this run has it.
    pub fn is_held(&self) -> bool {
        let held = self.inner.as_ref().map(|inner| inner.known().held.is_some());
        held.unwrap_or_default()
    }

    /// From which client tokens are derived: of the lease, so that the run after one that died sends the same ones. Known
    /// once the lease is held.
    pub fn seed(&self) -> String {
        match &self.inner {
            Some(inner) => inner.known().seed.clone(),
            None => self.seed.to_string(),
        }
    }

    /// A new seed before something is deleted: what a run before this one created with the old one must not be answered
    /// again to the run that creates it anew.
    pub async fn renew_seed(&self) -> Result<()> {
        let Some(inner) = &self.inner else { return Ok(()) };
        self.hold().await?;
        {
            let mut known = inner.known();
            if !known.is_inherited {
                return Ok(());
            }
            (known.seed, known.is_inherited) = (new_seed(), false);
        }
        let _turn = inner.turn.lock().await;
        inner.write().await
    }

    /// A call of this run may have taken effect although it failed: the next run inherits the seed.
    pub fn unsure(&self) {
        if let Some(inner) = &self.inner {
            inner.known().is_unsure = true;
        }
    }

    /// The end of a run: gives the lease back. What is still not known goes to the next run.
    ///
    /// # Errors
    /// The lease was lost while the run was at it.
    pub async fn release(&self) -> Result<()> {
        let Some(inner) = &self.inner else { return Ok(()) };
        let _turn = inner.turn.lock().await;
        let (number, lost, record) = {
            let known = std::mem::take(&mut *inner.known());
            let (number, since, lost, is_over) = match (known.held, known.lost) {
                (Some(held), _) => {
                    if let Some(renewing) = &held.renewing {
                        renewing.abort();
                    }
                    (held.number, held.since, None, held.unsure_until <= Instant::now())
                }
                // Freed, so that whoever took it from us need not wait any longer.
                (None, Some((number, error))) => (number, String::new(), Some(error), true),
                (None, None) => return Ok(()),
            };
            let intents = known.intents.left(is_over);
            let unclean = known.is_unsure || !intents.is_empty();
            let record = Record {
                state: State::Free,
                holder: inner.options.holder.clone(),
                since,
                seed: unclean.then_some(known.seed).filter(|_| lost.is_none()),
                intents,
            };
            (number, lost, record)
        };
        if let Err(error) = inner.options.store.overwrite(number, &record.text()).await {
            let expires = super::wait::words(inner.options.timings.expires);
            inner.options.progress.warn(&format!(
                "{} could not be given back ({error}): others have to wait until that expires, after {expires}",
                inner.options.environment
            ));
        }
        lost.map_or(Ok(()), Err)
    }
}

impl Known {
    /// Whether a write may start. `false`: it has to be taken or renewed first.
    fn is_ours(&self, timings: &Timings) -> Result<bool> {
        match (&self.lost, &self.held) {
            (Some((_, error)), _) => Err(error.clone()),
            (None, Some(held)) => Ok(held.ready && held.renewed.elapsed() < timings.fresh),
            (None, None) => Ok(false),
        }
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        // What is kept under it is replaced as a whole, so that a panic leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the run is interrupted.
    async fn uninterrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        super::wait::unless_interrupted(&self.options.cancel, work).await
    }

    async fn hold(self: &Arc<Self>) -> Result<()> {
        // Others that begin to write at this moment have intents of their own.
        if self.known().held.is_none() {
            tokio::time::sleep(self.options.timings.gather).await;
        }
        let _turn = self.turn.lock().await;
        // An answer that took so long that it proves nothing any more is asked for again.
        for _ in 0..ATTEMPTS {
            let stage = {
                let known = self.known();
                if known.is_ours(&self.options.timings)? {
                    return Ok(());
                }
                known.held.as_ref().map(|held| held.ready)
            };
            match stage {
                None => self.take().await?,
                Some(false) => self.wait_out().await?,
                Some(true) => self.renew().await?,
            }
        }
        Err(Error::failed(format!(
            "{}: the calls that keep other runs away take too long",
            self.options.environment
        ))
        .hint("run the same command again when the network is better"))
    }

    /// The record of what is held, with as many intents as fit.
    fn record(&self) -> Option<(u64, Record)> {
        let known = self.known();
        let held = known.held.as_ref()?;
        let number = held.number;
        let mut record = Record {
            state: State::Held,
            holder: self.options.holder.clone(),
            since: held.since.clone(),
            seed: Some(known.seed.clone()),
            intents: Vec::new(),
        };
        record.intents = known.intents.to_write(&record);
        Some((number, record))
    }

    /// Overwrites the lease with what is known now.
    async fn write(&self) -> Result<()> {
        let Some((number, record)) = self.record() else {
            return Ok(());
        };
        self.options.store.overwrite(number, &record.text()).await?;
        self.known().intents.written(record.intents.into_iter().collect());
        Ok(())
    }

    /// Renews the lease, and finds out whether it is still ours. If not, the run is interrupted.
    async fn renew(&self) -> Result<()> {
        let Some(number) = self.known().held.as_ref().map(|held| held.number) else {
            return Ok(());
        };
        let began = Moment::now();
        self.write().await?;
        let listed = self.options.store.list().await?;
        match listed.newest().filter(|newest| newest.number > number) {
            None => {
                if let Some(held) = &mut self.known().held {
                    held.renewed = began;
                }
                Ok(())
            }
            Some(newest) => {
                let by = Record::read(&newest.text).map(|record| record.holder.words());
                let error = self.lost(&by.unwrap_or_else(|_| "another run".into()));
                let mut known = self.known();
                known.held = None;
                known.lost = Some((number, error.clone()));
                drop(known);
                self.options.cancel.cancel();
                Err(error)
            }
        }
    }

    fn lost(&self, by: &str) -> Error {
        Error::new(
            Exit::Busy,
            format!("{} was taken from this run by {by}", self.options.environment),
        )
        .hint("run the same command again when the other one is over: it finishes what is left")
    }

    /// Renews it in the background until it is given back or lost.
    fn keep_renewing(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let (inner, every) = (Arc::downgrade(self), self.options.timings.renew);
        tokio::spawn(async move {
            let mut pause = every;
            loop {
                tokio::time::sleep(pause).await;
                let Some(inner) = inner.upgrade() else { return };
                let _turn = inner.turn.lock().await;
                if inner.known().held.is_none() {
                    return;
                }
                // One that fails is tried again soon; without one no write starts.
                pause = match inner.renew().await {
                    Ok(()) => every,
                    Err(error) => {
                        tracing::debug!("renewing the lease: {error}");
                        every / 5
                    }
                };
            }
        })
    }
}

fn new_seed() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
