//! Open intents: what may come into being without this process hearing of it.
//!
//! VPC, subnet, internet gateway and address have neither a client token nor a unique name. So before one is created,
//! the lease says that it may be; the run after one that died looks for its tags, for as long as the service may take to
//! show them, before it creates it.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexSet;
use tokio::time::Instant;

use super::{Inner, Lease, Record};
use crate::error::Result;

/// Labels, `KIND/NAME`.
#[derive(Default)]
pub(super) struct Intents {
    /// Asked for by the script, and perhaps created soon: written with the first ones, to save calls.
    expected: IndexSet<String>,
    /// A create call was sent, or is about to be, and how it ended is not known.
    open: IndexSet<String>,
    /// Of the run before, which did not end cleanly.
    inherited: BTreeSet<String>,
    /// What the lease says.
    written: BTreeSet<String>,
}

impl Intents {
    pub(super) fn inherit(&mut self, labels: &[String]) {
        self.inherited = labels.iter().cloned().collect();
    }

    pub(super) fn inherit_more(&mut self, labels: Vec<String>) {
        self.inherited.extend(labels);
    }

    /// What the lease should say: what is open first, then what may be soon, as far as it fits.
    pub(super) fn to_write(&self, record: &Record) -> Vec<String> {
        let all = self.inherited.iter().chain(&self.open).chain(&self.expected);
        let all: IndexSet<String> = all.cloned().collect();
        let mut all: Vec<_> = all.into_iter().collect();
        all.truncate(record.fitting(&all));
        all
    }

    pub(super) fn written(&mut self, labels: BTreeSet<String>) {
        self.written = labels;
    }

    /// What the next run has to look for. What was inherited is no secret any more once the listings show everything.
    pub(super) fn left(&self, is_over: bool) -> Vec<String> {
        let inherited = self.inherited.iter().filter(|_| !is_over);
        let left: BTreeSet<String> = self.open.iter().chain(inherited).cloned().collect();
        left.into_iter().collect()
    }

    fn close(&mut self, label: &str) {
        self.expected.shift_remove(label);
        self.open.shift_remove(label);
        self.inherited.remove(label);
    }
}

impl Lease {
    /// It may be created soon.
    pub fn expect(&self, label: &str) {
        if let Some(inner) = &self.inner {
            inner.known().intents.expected.insert(label.to_owned());
        }
    }

    /// It will not be created by this run, or not any more.
    pub fn expect_no_more(&self, label: &str) {
        if let Some(inner) = &self.inner {
            inner.known().intents.expected.shift_remove(label);
        }
    }

    /// Writes the intent to create it, with all others that are known by now. The answer is until when it has to be looked
    /// for before, when a run that died may have created it.
    pub async fn intend(&self, label: &str) -> Result<Option<Instant>> {
        let Some(inner) = &self.inner else { return Ok(None) };
        inner.known().intents.open.insert(label.to_owned());
        let intended = inner.intend(label).await;
        if intended.is_err() {
            inner.known().intents.open.shift_remove(label);
        }
        intended
    }

    /// How it ended is known: it was created, found, or refused.
    pub fn close(&self, label: &str) {
        if let Some(inner) = &self.inner {
            inner.known().intents.close(label);
            inner.closed.notify_waiters();
        }
    }

    /// Whether what there is cannot be told yet: another run holds the lease, or the last one left open what it may have
    /// created. `false` where this run has it: it has inherited what was open. Only reads.
    pub async fn is_unsettled(&self) -> Result<bool> {
        let Some(inner) = &self.inner else { return Ok(false) };
        if inner.known().held.is_some() {
            return Ok(false);
        }
        let listed = inner.uninterrupted(inner.options.store.list()).await?;
        let Some(newest) = listed.newest() else {
            return Ok(false);
        };
        let record = Record::read(&newest.text)?;
        Ok(record.is_held() || !record.intents.is_empty())
    }

    /// What a run that died may have created and this one has not come across, with the time at which the listings show it
    /// if it is there.
    pub fn unseen(&self) -> Option<(Vec<String>, Instant)> {
        let inner = self.inner.as_ref()?;
        let known = inner.known();
        let held = known.held.as_ref()?;
        let labels: Vec<_> = known.intents.inherited.iter().cloned().collect();
        (!labels.is_empty()).then_some((labels, held.unsure_until))
    }
}

impl Inner {
    async fn intend(self: &Arc<Self>, label: &str) -> Result<Option<Instant>> {
        loop {
            let room = self.closed.notified();
            if !self.known().is_ours(&self.options.timings)? {
                self.hold().await?;
            }
            if !self.known().intents.written.contains(label) {
                tokio::time::sleep(self.options.timings.gather).await;
                let _turn = self.turn.lock().await;
                // Somebody else may have written it while we waited.
                if !self.known().intents.written.contains(label) {
                    self.write().await?;
                }
            }
            {
                let known = self.known();
                if known.intents.written.contains(label) {
                    let until = known.held.as_ref().map(|held| held.unsure_until);
                    return Ok(until.filter(|_| known.intents.inherited.contains(label)));
                }
            }
            // It did not fit: 4 KB hold some hundred and fifty.
            self.uninterrupted(async {
                room.await;
                Ok(())
            })
            .await?;
        }
    }
}
