//! Waiting by state: fast polls first, then slower, with a bound and a reason.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::resource::cancel::Cancel;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// How often to ask.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub first: Duration,
    /// Each wait is this much longer than the one before.
    pub factor: f64,
    pub most: Duration,
}

impl Pace {
    /// For AWS: at once for what is quick, and no more than a call every ten seconds for what takes minutes.
    pub const AWS: Pace = Pace {
        first: Duration::from_millis(100),
        factor: 1.6,
        most: Duration::from_secs(10),
    };
    /// For the sandbox, whose minutes are moments.
    pub const SANDBOX: Pace = Pace {
        first: Duration::from_millis(5),
        factor: 1.3,
        most: Duration::from_millis(250),
    };
}

/// The bounds of waiting, from the environment's section `[waits]`. Without an entry the kind's own bound holds.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub create: Option<Duration>,
    pub delete: Option<Duration>,
    /// For one kind, both ways.
    pub kinds: BTreeMap<String, Duration>,
}

/// One wait with a bound. Ask, and while the answer is "not yet", [`Waiter::pause`].
pub struct Waiter<'a> {
    what: String,
    limit: Duration,
    end: Instant,
    delay: Duration,
    pace: Pace,
    cancel: &'a Cancel,
}

impl<'a> Waiter<'a> {
    pub fn new(what: impl Into<String>, limit: Duration, pace: Pace, cancel: &'a Cancel) -> Self {
        Self {
            what: what.into(),
            limit,
            end: Instant::now() + limit,
            delay: pace.first,
            pace,
            cancel,
        }
    }

    /// Whether another pause would go beyond the bound.
    pub fn is_over(&self) -> bool {
        Instant::now() + self.delay > self.end
    }

    /// Waits before asking again. The error at the bound says what it last waited for.
    pub async fn pause(&mut self, reason: &str) -> Result<()> {
        if self.is_over() {
            let (what, limit) = (&self.what, words(self.limit));
            return Err(
                Error::failed(format!("{what} took longer than {limit}: {reason}")).hint(
                    "run the same command again to go on waiting, or raise the bound in [waits] of the environment",
                ),
            );
        }
        pause(self.delay, self.cancel).await?;
        self.delay = self.delay.mul_f64(self.pace.factor).min(self.pace.most);
        Ok(())
    }
}

/// Sleeps, unless the run is interrupted.
pub async fn pause(delay: Duration, cancel: &Cancel) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(delay) => Ok(()),
        () = cancel.cancelled() => Err(Error::interrupted()),
    }
}

/// Does something that may be left off at any moment, such as a read, unless the run is interrupted.
pub async fn unless_interrupted<T>(cancel: &Cancel, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::interrupted()),
        done = work => done,
    }
}

/// A duration as a person says it: `45 s`, `10 min`.
pub fn words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bound_is_kept_and_the_reason_told() {
        let mut asked = 0;
        let cancel = Cancel::new();
        let mut waiter = Waiter::new("redis", Duration::from_secs(60), Pace::AWS, &cancel);
        let error = loop {
            asked += 1;
            if let Err(error) = waiter.pause("creating").await {
                break error;
            }
        };
        assert_eq!(error.message(), "redis took longer than 60 s: creating");
        assert!((8..20).contains(&asked), "{asked} polls");
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_wait_ends_at_once() {
        let cancel = Cancel::new();
        cancel.cancel();
        let error = pause(Duration::from_secs(3600), &cancel).await.unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::Interrupted);
    }
}
