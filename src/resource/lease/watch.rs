//! Looking at the lease while a call is under way.

use std::sync::Weak;

use super::{Inner, Lease};
use crate::error::{Error, Exit, Result};

/// Tells of a lease whether it is still this run's, without keeping it: for what sends the calls, of which the lease's own
/// store is a part.
#[derive(Clone, Debug)]
pub struct Watch(Option<Weak<Inner>>);

impl Lease {
    pub fn watch(&self) -> Watch {
        Watch(self.inner.as_ref().map(std::sync::Arc::downgrade))
    }
}

impl Watch {
    /// Whether a request that writes may be sent at this moment. Asked before each of them: those that follow a pause may
    /// find that the lease was not renewed meanwhile. It sends nothing.
    ///
    /// # Errors
    /// The lease was lost, given back, or not renewed for [`super::Timings::fresh`].
    pub fn may_send(&self) -> Result<()> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let Some(inner) = inner.upgrade() else {
            return Err(Error::failed("the run is over"));
        };
        let known = inner.known();
        if known.is_ours(&inner.options.timings)? {
            return Ok(());
        }
        let environment = &inner.options.environment;
        Err(match &known.held {
            Some(_) => Error::new(
                Exit::Failed,
                format!("{environment} may be another run's by now: what keeps it was not renewed in time"),
            ),
            None => Error::failed(format!("{environment} is not held by this run any more")),
        }
        .hint("run the same command again: it finishes what is left"))
    }
}
