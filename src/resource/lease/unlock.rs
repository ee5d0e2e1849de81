//! Taking the lease from a run that hangs.

use std::time::Duration;

use super::record::State;
use super::{Lease, Record};
use crate::error::{Error, Exit, Result};

/// The newest lease of an environment.
#[derive(Clone, Debug)]
pub struct Found {
    pub number: u64,
    pub record: Record,
    /// Since its last renewal; `None` where the service does not tell its time.
    pub age: Option<Duration>,
    /// Whether the next run can take it as it is: nobody has it, it has expired, or its process is dead.
    pub is_free: bool,
}

impl Lease {
    /// The newest lease. `None`: there never was one.
    pub async fn look(&self) -> Result<Option<Found>> {
        let Some(inner) = &self.inner else { return Ok(None) };
        let listed = inner.uninterrupted(inner.options.store.list()).await?;
        let Some(newest) = listed.newest() else { return Ok(None) };
        let record = Record::read(&newest.text)?;
        let age = listed.age(newest);
        let is_expired = age.is_some_and(|age| age >= inner.options.timings.expires);
        Ok(Some(Found {
            number: newest.number,
            is_free: !record.is_held() || record.holder.is_dead() || is_expired,
            record,
            age,
        }))
    }

    /// Puts a free lease behind the one that was found. Its holder finds that at its next renewal and stops; the next run
    /// inherits seed and intents, and waits until that holder cannot be writing any more.
    ///
    /// # Errors
    /// [`Exit::Busy`]: meanwhile somebody else took it.
    pub async fn unlock(&self, found: &Found) -> Result<()> {
        let Some(inner) = &self.inner else { return Ok(()) };
        let record = Record {
            state: State::Free,
            holder: inner.options.holder.clone(),
            since: found.record.since.clone(),
            seed: found.record.seed.clone(),
            intents: found.record.intents.clone(),
        };
        match inner.options.store.put(found.number + 1, &record.text()).await? {
            true => Ok(()),
            false => Err(Error::new(
                Exit::Busy,
                format!("{} was taken by another run meanwhile", inner.options.environment),
            )),
        }
    }
}
