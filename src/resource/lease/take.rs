//! Taking the lease.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::record::State;
use super::{Held, Inner, Kept, Listed, Moment, Record, new_seed};
use crate::error::{Error, Exit, Result};
use crate::resource::wait;

/// How often it is tried again when somebody else was quicker, and is through already.
const ATTEMPTS: u32 = 5;

/// From how many old leases on they are deleted, all in one call.
const MANY: usize = 5;

/// How old a lease has to be at least to be deleted; and how long it may take from the listing to the put, which must not
/// be that of a number that came and went meanwhile.
const KEPT: Duration = Duration::from_secs(120);
const QUICK: Duration = Duration::from_secs(60);

/// How often it is looked whether a holder before us is through.
const LOOK: Duration = Duration::from_secs(3);

impl Inner {
    /// Takes the lease: one call to list, one to put.
    pub(super) async fn take(self: &Arc<Self>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let looked = Moment::now();
            let listed = self.options.store.list().await?;
            let newest = match listed.newest() {
                Some(kept) => Some((kept.number, self.standing(&listed, kept)?)),
                None => None,
            };
            let number = newest.as_ref().map_or(1, |(number, _)| number + 1);
            let before = newest.map(|(_, record)| record);
            let since = listed.now.unwrap_or_else(Timestamp::now);
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let record = self.first_record(&since, before.as_ref());
            let began = Moment::now();
            let is_put = self.options.store.put(number, &record.text()).await?;
            if !is_put && !self.is_put(number).await? {
                continue;
            }
            // One that expired may be renewed at this very moment, and what came and went since the listing is not known:
            // the leases are looked at again.
            let was_held = before.is_some_and(|before| before.is_held() && !before.holder.is_dead());
            let is_slow = !is_put || looked.elapsed() > QUICK;
            let is_suspect = is_slow || was_held || listed.leases.iter().any(|kept| self.may_write(&listed, kept));
            {
                let mut known = self.known();
                known.seed = record.seed.unwrap_or_default();
                known.intents.written(record.intents.into_iter().collect());
                known.held = Some(Held {
                    number,
                    since,
                    renewed: began,
                    unsure_until: Instant::now() + self.options.timings.consistency,
                    ready: !is_suspect,
                    renewing: Some(self.keep_renewing()),
                });
            }
            self.tidy(&listed).await;
            return match is_suspect {
                true => self.wait_out().await,
                false => Ok(()),
            };
        }
        Err(Error::new(
            Exit::Busy,
            format!("{} is taken by one run after the other", self.options.environment),
        )
        .hint("run the same command again"))
    }

    /// What the newest lease says, when it can be taken.
    fn standing(&self, listed: &Listed, newest: &Kept) -> Result<Record> {
        let record = Record::read(&newest.text)
            .map_err(|error| error.context(format!("lease {} of {}", newest.number, self.options.environment)))?;
        let is_expired = || {
            let age = listed.age(newest);
            age.is_some_and(|age| age >= self.options.timings.expires)
        };
        // Our own: this process put it, and did not hear of it.
        let is_ours = record.holder.id == self.options.holder.id;
        match record.is_held() && !is_ours && !record.holder.is_dead() && !is_expired() {
            true => Err(self.busy(listed, newest, &record)),
            false => Ok(record),
        }
    }

    fn busy(&self, listed: &Listed, newest: &Kept, record: &Record) -> Error {
        let since: Option<Timestamp> = record.since.parse().ok();
        let held_for = listed.now.zip(since).map(|(now, since)| now.duration_since(since));
        let held_for = held_for.map(|held_for| wait::words(Duration::try_from(held_for).unwrap_or_default()));
        let held_for = held_for.map(|held_for| format!(", for {held_for}")).unwrap_or_default();
        let error = Error::new(
            Exit::Busy,
            format!(
                "{} is held by {} since {}{held_for}",
                self.options.environment,
                record.holder.words(),
                record.since
            ),
        );
        let error = match listed.age(newest) {
            Some(age) => error.note(format!(
                "it was renewed {} ago, and expires when it has not been for {}",
                wait::words(age),
                wait::words(self.options.timings.expires)
            )),
            None => error.note("the service does not tell its time, so that it does not expire"),
        };
        error.hint("wait until that run is over; `iacsh unlock` takes the environment from one that hangs")
    }

    /// The record with which it is put: what a run that did not end cleanly left, goes on.
    fn first_record(&self, since: &str, before: Option<&Record>) -> Record {
        let mut known = self.known();
        let inherited = before.and_then(|before| before.seed.clone());
        known.is_inherited = inherited.is_some();
        known.is_unsure = false;
        known
            .intents
            .inherit(before.map(|before| before.intents.as_slice()).unwrap_or_default());
        let mut record = Record {
            state: State::Held,
            holder: self.options.holder.clone(),
            since: since.to_owned(),
            seed: Some(inherited.unwrap_or_else(new_seed)),
            intents: Vec::new(),
        };
        record.intents = known.intents.to_write(&record);
        record
    }

    /// Whether the lease with this number is ours after all: the answer to the first of two attempts was lost.
    async fn is_put(&self, number: u64) -> Result<bool> {
        let listed = self.options.store.list().await?;
        let kept = listed.leases.iter().find(|kept| kept.number == number);
        let record = kept.and_then(|kept| Record::read(&kept.text).ok());
        Ok(record.is_some_and(|record| record.is_held() && record.holder.id == self.options.holder.id))
    }

    /// Whether the holder of a lease may still be writing although the lease is no more its own.
    fn may_write(&self, listed: &Listed, kept: &Kept) -> bool {
        let is_over = |age: Duration| age >= self.options.timings.expires;
        let Ok(record) = Record::read(&kept.text) else {
            return false;
        };
        record.is_held()
            && record.holder.id != self.options.holder.id
            && !record.holder.is_dead()
            && !listed.age(kept).is_some_and(is_over)
    }

    /// Waits until nobody before us can be writing any more.
    pub(super) async fn wait_out(&self) -> Result<()> {
        let (began, limit) = (Instant::now(), self.options.timings.expires);
        let mut waited_for = BTreeSet::new();
        loop {
            let listed = self.options.store.list().await?;
            let number = self.known().held.as_ref().map(|held| held.number).unwrap_or_default();
            if listed.leases.iter().any(|kept| kept.number > number) {
                // Lost, before it was of any use.
                self.renew().await?;
            }
            let before = listed.leases.iter().filter(|kept| kept.number < number);
            let suspects: Vec<_> = before.filter(|kept| self.may_write(&listed, kept)).collect();
            // Where the service tells no time, our own has to do: from now on that holder finds that it lost.
            let is_over = listed.now.is_none() && began.elapsed() >= limit;
            let Some(suspect) = suspects.first().filter(|_| !is_over) else {
                // What it had begun by then is not known either.
                let left = listed.leases.iter().filter(|kept| waited_for.contains(&kept.number));
                let left: Vec<_> = left.filter_map(|kept| Record::read(&kept.text).ok()).collect();
                {
                    let mut known = self.known();
                    for record in left {
                        known.intents.inherit_more(record.intents);
                    }
                    if let Some(held) = &mut known.held {
                        held.ready = true;
                    }
                }
                return self.renew().await;
            };
            waited_for.extend(suspects.iter().map(|kept| kept.number));
            let left = limit.saturating_sub(listed.age(suspect).unwrap_or_default());
            if let Ok(record) = Record::read(&suspect.text) {
                self.options.progress.waiting(
                    &self.options.environment,
                    &format!(
                        "{} may be at work for another {}",
                        record.holder.words(),
                        wait::words(left)
                    ),
                );
            }
            wait::pause(left.clamp(LOOK / 6, LOOK), &self.options.cancel).await?;
            let is_due = {
                let known = self.known();
                let held = known.held.as_ref();
                held.is_some_and(|held| held.renewed.elapsed() >= self.options.timings.renew)
            };
            if is_due {
                self.renew().await?;
            }
        }
    }

    /// Deletes what is of no use any more. That it fails is of no consequence. The newest of the listing stays: if its
    /// holder has renewed it since, it has to be seen that it did.
    async fn tidy(&self, listed: &Listed) {
        let newest = listed.newest().map(|newest| newest.number);
        let is_old = |kept: &&Kept| {
            let age = listed.age(kept).filter(|_| Some(kept.number) != newest);
            age.is_some_and(|age| age >= KEPT.max(self.options.timings.expires))
        };
        let mut old: Vec<u64> = listed.leases.iter().filter(is_old).map(|kept| kept.number).collect();
        old.sort_unstable();
        if old.len() < MANY {
            return;
        }
        if let Err(error) = self.options.store.remove(&old).await {
            tracing::debug!("old leases are left: {error}");
        }
    }
}
