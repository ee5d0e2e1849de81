//! What makes the work of a run go on while a native waits for it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::runtime::{Handle, Runtime};

thread_local! {
    /// Keeps the time of this thread's runtime from going on while the thread computes.
    static HELD: RefCell<Option<Sender<()>>> = const { RefCell::new(None) };
}

/// The runtime of a run.
#[derive(Clone, Debug)]
pub enum Driver {
    /// It has threads of its own.
    Threads(Handle),
    /// It has none, and goes on only in here: where its time is paused, it stands still while the script computes.
    Here(Arc<Runtime>),
}

impl From<Handle> for Driver {
    fn from(handle: Handle) -> Self {
        Self::Threads(handle)
    }
}

impl Driver {
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        match self {
            Self::Threads(handle) => handle.block_on(work),
            Self::Here(runtime) => {
                let held = HELD.take();
                runtime.block_on(async {
                    let again = held.is_some();
                    drop(held);
                    let done = work.await;
                    // From within, so that no moment passes in between.
                    if again {
                        HELD.set(Some(hold(runtime.handle())));
                    }
                    done
                })
            }
        }
    }

    /// Runs something on one of several threads that wait in [`Driver::block_on`] side by side. While one of them waits
    /// another may compute, and then time stands still too.
    pub fn beside_others<T>(&self, work: impl FnOnce() -> T) -> T {
        if let Self::Here(runtime) = self {
            HELD.set(Some(hold(runtime.handle())));
        }
        let done = work();
        HELD.take();
        done
    }
}

/// Time that is paused stands still until the sender is dropped: Tokio lets it go on only when no blocking task runs.
/// Source: the page of `tokio::time::pause`.
fn hold(handle: &Handle) -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    // It ends with the sender.
    handle.spawn_blocking(move || receiver.recv().is_err());
    sender
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    fn paused() -> (Driver, impl Fn() -> Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let runtime = Arc::new(runtime);
        let began = runtime.block_on(async { Instant::now() });
        let driver = Driver::Here(runtime);
        let elapsed = {
            let driver = driver.clone();
            move || driver.block_on(async { began.elapsed() })
        };
        (driver, elapsed)
    }

    #[test]
    fn time_passes_only_while_somebody_waits() {
        let (driver, elapsed) = paused();
        let Driver::Here(runtime) = &driver else { panic!() };
        let background = runtime.spawn(async { sleep(Duration::from_secs(600)).await });
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(elapsed(), Duration::ZERO);
        driver.block_on(async { sleep(Duration::from_secs(60)).await });
        assert_eq!(elapsed(), Duration::from_secs(60));
        driver.block_on(background).unwrap();
        assert_eq!(elapsed(), Duration::from_secs(600));
    }

    #[test]
    fn threads_that_wait_side_by_side_wait_at_the_same_time() {
        let (driver, elapsed) = paused();
        let began = std::sync::Barrier::new(4);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    driver.beside_others(|| {
                        // All have begun before one waits.
                        began.wait();
                        driver.block_on(async { sleep(Duration::from_secs(60)).await });
                    });
                });
            }
        });
        assert_eq!(elapsed(), Duration::from_secs(60));
    }
}
