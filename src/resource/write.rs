//! What comes before each write of a run, and what ends a run.

use super::engine::Engine;
use super::permit::Permit;
use super::wait;
use crate::error::{Error, Exit, Result};

impl Engine {
    /// Comes before every write: refuses it in a run that was interrupted and in an environment that may not be changed,
    /// asks once whether the permissions are there, and takes the lease with the first one. A run with nothing to change never takes it.
    pub async fn begin_write(&self) -> Result<()> {
        self.may_write()?;
        Box::pin(self.pass_gate()).await?;
        Box::pin(self.preflight()).await?;
        Box::pin(self.lease().hold()).await?;
        // It may have taken a while.
        self.may_write()
    }

    /// The same, for what finds out late whether it has to write.
    pub fn permit(&self) -> Permit {
        let engine = self.clone();
        Permit::new(move || {
            let engine = engine.clone();
            Box::pin(async move { engine.begin_write().await })
        })
    }

    /// Reads: left at once when the run is interrupted.
    pub(super) async fn reading<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        // On the heap: futures within futures make a deep stack of what is deep already.
        wait::unless_interrupted(self.cancel(), Box::pin(work)).await
    }

    /// Tells the lease how a create call ended. One that failed without the service's word may have taken effect.
    pub(super) fn was_created<T>(&self, label: &str, created: &Result<T>) {
        match created {
            Err(error) if is_unsure(error) => self.lease().unsure(),
            _ => self.lease().close(label),
        }
    }

    /// The end of a run, however it ended: the lease is given back. `outcome` is what the run came to.
    pub async fn finish<T>(&self, outcome: Result<T>) -> Result<T> {
        match self.lease().release().await {
            Ok(()) => outcome,
            // It says why the run was interrupted.
            Err(lost) => {
                let others = outcome.err().into_iter().flat_map(Error::split);
                let others = others.filter(|error| !matches!(error.exit(), Exit::Interrupted | Exit::Busy));
                let all = std::iter::once(lost.clone()).chain(others).collect();
                Err(Error::all(all).unwrap_or(lost))
            }
        }
    }
}

/// Whether a call that failed may have taken effect: no answer came, or the service broke down.
fn is_unsure(error: &Error) -> bool {
    matches!(
        error.code(),
        "" | "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalServiceError"
            | "ServerException"
            | "ServiceUnavailable"
            | "Unavailable"
            | "RequestTimeout"
    )
}
