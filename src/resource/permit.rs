//! Asking before the first write, for what finds out late that it has to write.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::error::Result;

type Ask = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Whether a write may start: asked before each, refused in an environment that may not be changed, in a run that was
/// interrupted, and while another run holds the environment.
#[derive(Clone, Default)]
pub struct Permit(Option<Ask>);

impl Permit {
    pub fn new(ask: impl Fn() -> BoxFuture<'static, Result<()>> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// Nobody has to be asked.
    pub fn always() -> Self {
        Self(None)
    }

    /// # Errors
    /// The write may not start.
    pub async fn ask(&self) -> Result<()> {
        match &self.0 {
            Some(ask) => ask().await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
