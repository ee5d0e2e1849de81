//! A limit for each service: so many calls at once, fewer when the service says that there are too many.
//!
//! Hundreds of resources may be started at once. The SDK tries a throttled call again, but each call for itself, and from a
//! store of retries that a crowd empties at once (500 in smithy-rs, of which a retry takes 5); its adaptive mode slows down
//! calls that begin later, not those that are under way. So calls wait here for their turn before they are sent, and a call
//! keeps its turn while it is tried again. The limit is halved when calls are throttled, and grows by one with each round
//! that is not, as TCP does it.

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

/// A call that does not wait for a turn: `call.customize().interceptor(Urgent)`. For the lease, which must be renewed in
/// time whatever else its service has to do.
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
            let request = HttpRequest::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
            if let Some(slot) = slot {
                slot.enter(&queue).await;
            }
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_sdk_ssm::types::ParameterType;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;
    use futures::future::join_all;
    use tokio::time::Instant;

    use super::*;
    use crate::aws::Aws;
    use crate::aws::calls::Calls;
    use crate::aws::testing::World;
    use crate::map;
    use crate::resource::{Mode, Origin};
    use crate::sandbox::aws::rules::{Effect, Rule};

    /// A service with a bucket of tokens, as "Request throttling" of the EC2 API reference describes it.
    #[derive(Debug)]
    struct Service {
        tokens: Mutex<(f64, Instant)>,
        per_second: f64,
        burst: f64,
        at_once: AtomicUsize,
        most_at_once: AtomicUsize,
        throttled: AtomicUsize,
    }

    #[derive(Clone, Debug)]
    struct Peer(Arc<Service>);

    impl Peer {
        fn new(per_second: f64, burst: f64) -> Self {
            Self(Arc::new(Service {
                tokens: Mutex::new((burst, Instant::now())),
                per_second,
                burst,
                at_once: AtomicUsize::new(0),
                most_at_once: AtomicUsize::new(0),
                throttled: AtomicUsize::new(0),
            }))
        }

        fn allows(&self) -> bool {
            let mut tokens = self.0.tokens.lock().unwrap();
            let now = Instant::now();
            let new = now.duration_since(tokens.1).as_secs_f64() * self.0.per_second;
            *tokens = ((tokens.0 + new).min(self.0.burst), now);
            let allows = tokens.0 >= 1.0;
            tokens.0 -= if allows { 1.0 } else { 0.0 };
            allows
        }
    }

    impl HttpClient for Peer {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    impl HttpConnector for Peer {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let peer = self.clone();
            HttpConnectorFuture::new(async move {
                let service = &peer.0;
                let at_once = service.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                service.most_at_once.fetch_max(at_once, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(30)).await;
                let (status, body) = match peer.allows() {
                    true => (200_u16, r#"{"Version":1}"#),
                    false => {
                        service.throttled.fetch_add(1, Ordering::SeqCst);
                        (400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#)
                    }
                };
                service.at_once.fetch_sub(1, Ordering::SeqCst);
                let status = status.try_into().map_err(|error| {
                    let error: BoxError = Box::new(error);
                    ConnectorError::other(error, None)
                })?;
                Ok(HttpResponse::new(status, SdkBody::from(body)))
            })
        }
    }

    fn config(peer: &Peer) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .http_client(peer.clone())
            .retry_config(retries(Duration::from_secs(1)))
            .build()
    }

    async fn put(client: &aws_sdk_ssm::Client, count: usize) -> usize {
        let calls = (0..count).map(|place| {
            let call = client.put_parameter().name(format!("/a/{place}")).value("x");
            call.r#type(ParameterType::String).send()
        });
        join_all(calls).await.iter().filter(|answer| answer.is_err()).count()
    }

    /// 10 parameters a second, which is what Parameter Store allows at its higher throughput.
    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_calls_gets_through_a_slow_service() {
        let peer = Peer::new(10.0, 10.0);
        let aws = Aws::new(&config(&peer), "1", false, Calls::default(), Mode::Apply);
        let began = Instant::now();
        assert_eq!(put(&aws.ssm, 200).await, 0);
        let took = began.elapsed().as_secs();
        let (throttled, most) = (
            peer.0.throttled.load(Ordering::SeqCst),
            peer.0.most_at_once.load(Ordering::SeqCst),
        );
        assert!(most <= 25, "{most} at once");
        // 19 s at best.
        assert!((19..60).contains(&took), "{took} s");
        assert!(throttled < 300, "{throttled} throttled");

        // The SDK alone loses calls.
        let peer = Peer::new(10.0, 10.0);
        let alone = aws_sdk_ssm::Client::new(&config(&peer));
        assert!(put(&alone, 200).await > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_never_throttles_is_not_slowed_down_and_urgent_calls_do_not_wait() {
        let peer = Peer::new(1e9, 1e9);
        let aws = Aws::new(&config(&peer), "1", false, Calls::default(), Mode::Apply);
        let began = Instant::now();
        let crowd = put(&aws.ssm, 500);
        let urgent = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let call = aws.ssm.get_parameter().name("/a/lease").customize().interceptor(Urgent);
            call.send().await.unwrap();
            began.elapsed()
        };
        let (failed, urgent) = tokio::join!(crowd, urgent);
        assert_eq!(failed, 0);
        // 20 rounds of 25.
        assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
        assert!(urgent < Duration::from_millis(40), "{urgent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_throttles_is_asked_less_at_once_until_it_does_no_more() {
        let peer = Peer::new(10.0, 1e9);
        let tokens = |count: f64| peer.0.tokens.lock().unwrap().0 = count;
        tokens(10.0);
        let aws = Aws::new(&config(&peer), "1", false, Calls::default(), Mode::Apply);
        let most = async |calls: usize| {
            peer.0.most_at_once.store(0, Ordering::SeqCst);
            assert_eq!(put(&aws.ssm, calls).await, 0);
            peer.0.most_at_once.load(Ordering::SeqCst)
        };
        assert_eq!(most(60).await, 25, "nothing is known of it at first");
        let slow = most(60).await;
        assert!(slow <= 8, "{slow} at once");
        tokens(1e9);
        assert_eq!(most(600).await, 25);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_gives_the_turn_to_the_next() {
        let queue = Queue::default();
        queue.lock().limit = 1.0;
        let first = queue.turn().await;
        {
            let gone = queue.turn();
            tokio::select! {
                _ = gone => panic!("there was no room"),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        let next = queue.turn();
        drop(first);
        let next = tokio::time::timeout(Duration::from_secs(1), next).await.unwrap();
        assert_eq!(queue.lock().running, 1);
        drop(next);
        assert_eq!(queue.lock().running, 0);
    }

    #[tokio::test]
    async fn two_hundred_parameters_at_once_are_ensured_under_throttling() {
        let world = World::sandbox();
        world.rule(Rule::new("ssm", "*", Effect::Throttle).share(0.2, 11));
        let engine = world.engine();
        for place in 0..200 {
            let options = map! { "name" => format!("p{place}"), "value" => "x" };
            engine.ensure("parameter", options.into(), Origin::default()).unwrap();
        }
        engine.settle().await.unwrap();
        assert_eq!(world.count("parameter").await, 200);
    }
}
