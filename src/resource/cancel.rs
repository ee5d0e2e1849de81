//! The interruption of a run: Ctrl-C and SIGTERM.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether the run has been interrupted. Copies share it. Unlike tokio-util's token it can be taken back: the prompt goes
/// on after Ctrl-C, and its next statement is a run of its own.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Cancel {
    pub fn new() -> Self {
        Self::default()
    }

    /// Interrupts the run: nothing new is started, and every wait ends.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// A new run begins.
    pub fn reset(&self) {
        self.0.send_replace(false);
    }

    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when the run is interrupted.
    pub async fn cancelled(&self) {
        // The sender is held by `self`, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_interruption_ends_a_wait_and_can_be_taken_back() {
        let cancel = Cancel::new();
        let waiting = tokio::spawn({
            let cancel = cancel.clone();
            async move { cancel.cancelled().await }
        });
        cancel.cancel();
        waiting.await.unwrap();
        assert!(cancel.is_cancelled());
        cancel.reset();
        assert!(!cancel.is_cancelled());
    }
}
