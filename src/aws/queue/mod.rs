//! A limit for each service: so many calls at once, fewer when the service says that there are too many.
//!
//! Hundreds of resources may be started at once. The SDK tries a throttled call again, but each call for itself, and from a
//! store of retries that a crowd empties at once (500 in smithy-rs, of which a retry takes 5); its adaptive mode slows down
//! calls that begin later, not those that are under way. So calls wait here for their turn before they are sent, and a call
//! keeps its turn while it is tried again. The limit is halved when calls are throttled, and grows by one with each round
//! that is not, as TCP does it.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tokio::sync::oneshot;

use super::calls::refusal;
use super::leased::Check;

/// The most calls of one service at once.
const MOST: f64 = 25.0;

/// How often a call is sent before its error is told.
const ATTEMPTS: u32 = 8;

/// Codes that mean: too many requests. Source: the page "Common errors" of the API references; EC2 API reference, "Error
/// codes"; those of Route 53.
const THROTTLED: [&str; 8] = [
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// Whether a code means: too many requests. The call was not carried out.
pub fn is_throttled(code: &str) -> bool {
    THROTTLED.contains(&code)
}

/// How calls are tried again: the SDK's standard mode, with pauses from `first` on, doubled up to 20 s and shortened by
/// chance.
pub fn retries(first: Duration) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(first)
}

/// The calls of one service that run, and those that wait, first come first served. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Queue(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limit: f64,
    running: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
    /// How often the limit was cut. Calls that were sent before the last cut say nothing new.
    cuts: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            limit: MOST,
            running: 0,
            waiting: VecDeque::new(),
            cuts: 0,
        }
    }
}

/// The right of one call to be sent. Given back when it is dropped.
#[derive(Debug)]
struct Turn {
    queue: Queue,
    sent_after: u64,
    was_throttled: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn(&self) -> Turn {
        let place = {
            let mut state = self.lock();
            if state.waiting.is_empty() && state.has_room() {
                return self.give(&mut state);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(sender);
            receiver
        };
        match place.await {
            Ok(turn) => turn,
            // The queue lives as long as its clients: a lost place is no reason to wait for ever.
            Err(_) => self.give(&mut self.lock()),
        }
    }

    fn give(&self, state: &mut State) -> Turn {
        state.running += 1;
        Turn {
            queue: self.clone(),
            sent_after: state.cuts,
            was_throttled: false,
        }
    }

    /// Gives turns while there is room. One who went away gives his back at once.
    fn next(&self) {
        loop {
            let (sender, turn) = {
                let mut state = self.lock();
                if !state.has_room() {
                    return;
                }
                let Some(sender) = state.waiting.pop_front() else {
                    return;
                };
                (sender, self.give(&mut state))
            };
            // Dropped outside of the lock.
            drop(sender.send(turn));
        }
    }
}

impl State {
    fn has_room(&self) -> bool {
        // The limit is from 1 to MOST.
        self.running < self.limit as usize
    }
}

impl Turn {
    /// The call is sent, again or for the first time.
    fn sent(&mut self) {
        self.sent_after = self.queue.lock().cuts;
    }

    fn throttled(&mut self) {
        self.was_throttled = true;
        let mut state = self.queue.lock();
        if self.sent_after == state.cuts {
            state.limit = (state.limit / 2.0).max(1.0);
            state.cuts += 1;
            tracing::debug!("throttled: {} calls at once from now on", state.limit as usize);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.queue.lock();
            state.running = state.running.saturating_sub(1);
            if !self.was_throttled {
                state.limit = (state.limit + 1.0 / state.limit).min(MOST);
            }
        }
        self.queue.next();
    }
}

/// Where a call keeps its turn from the first time that it is sent to its end.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Option<Turn>>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn enter(&self, queue: &Queue) {
        if self.lock().is_none() {
            let turn = queue.turn().await;
            *self.lock() = Some(turn);
        }
        if let Some(turn) = self.lock().as_mut() {
            turn.sent();
        }
    }
}

impl Storable for Slot {
    type Storer = StoreReplace<Self>;
}

/// A call of the lease itself: `call.customize().interceptor(Urgent)`. It does not wait for a turn, because the lease must be
/// renewed in time whatever else its service has to do; and it does not ask the lease.
#[derive(Clone, Copy, Debug)]
pub struct Urgent;

impl Storable for Urgent {
    type Storer = StoreReplace<Self>;
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Urgent {
    fn name(&self) -> &'static str {
        "urgent"
    }

    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Urgent);
        Ok(())
    }
}

/// Gives each call a slot, and hears whether it was throttled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Turns {
    fn name(&self) -> &'static str {
        "turns"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if config.load::<Urgent>().is_some() {
            return Ok(());
        }
        let slot = config.load::<Slot>().cloned().unwrap_or_default();
        context.request_mut().add_extension(slot.clone());
        config.interceptor_state().store_put(slot);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let code = context.response().and_then(refusal).unwrap_or_default();
        if is_throttled(&code)
            && let Some(slot) = config.load::<Slot>()
            && let Some(turn) = slot.lock().as_mut()
        {
            turn.throttled();
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        _context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(slot) = config.load::<Slot>() {
            let turn = slot.lock().take();
            // Others may go on now, also while the caller holds the answer.
            drop(turn);
        }
        Ok(())
    }
}

/// The HTTP client of one service, in front of which calls wait. What it waits for does not count as the time that an
/// answer takes, which the client behind it bounds.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) inner: SharedHttpClient,
    pub(super) queue: Queue,
}

impl HttpClient for Queued {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(settings, components),
            queue: self.queue.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    queue: Queue,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, queue) = (self.inner.clone(), self.queue.clone());
        HttpConnectorFuture::new(async move {
            // Only this form of a request shows its extensions.
            let mut request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let slot = request.extensions_mut().remove::<Slot>();
            let check = request.extensions_mut().remove::<Check>();
            let request = HttpRequest::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
            if let Some(slot) = slot {
                slot.enter(&queue).await;
            }
            // The wait may have been a long one.
            if let Some(check) = check {
                check.pass()?;
            }
            inner.call(request).await
        })
    }
}
