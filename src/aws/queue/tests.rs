//! Crowds of calls to a service that throttles them.

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
use crate::aws::error::Call;
use crate::aws::ssm::lease::Leases;
use crate::aws::testing::World;
use crate::map;
use crate::resource::cancel::Cancel;
use crate::resource::lease::{Holder, LeaseOptions, Timings};
use crate::resource::progress::Silent;
use crate::resource::{Lease, Mode, Origin, Scope};
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
    // About 8; the pauses of what is tried again are drawn by lot.
    let slow = most(60).await;
    assert!(slow <= 16, "{slow} at once");
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

/// The calls of the lease come before a crowd that waits: see [`Urgent`].
#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_in_time_whatever_its_service_has_to_do() {
    let peer = Peer::new(10.0, 10.0);
    let aws = Aws::new(&config(&peer), "1", false, Calls::default(), Mode::Apply);
    let lease = Lease::new(LeaseOptions {
        environment: "shop/dev".into(),
        store: Arc::new(Leases::new(&aws, &Scope::new("shop", "dev").unwrap())),
        holder: Holder::here("anna", "run-1"),
        timings: Timings::AWS,
        cancel: Cancel::new(),
        progress: Arc::new(Silent),
    });
    aws.write_under(&lease);
    lease.hold().await.unwrap();
    let began = Instant::now();
    let crowd = (0..600).map(|place| {
        let call = aws.ssm.put_parameter().name(format!("/a/{place}")).value("x");
        call.r#type(ParameterType::String).send()
    });
    let refused = join_all(crowd)
        .await
        .into_iter()
        .filter_map(|answer| answer.call("ssm:PutParameter").err());
    // A put that meets a lease which is not fresh is not sent; a few may be throttled too often.
    let refused: Vec<_> = refused.map(|error| error.to_string()).collect();
    // Nor is one given up while it waits for its turn.
    assert!(
        refused.iter().all(|error| error.contains("Rate exceeded")),
        "{refused:?}"
    );
    assert!(refused.len() < 60, "{} of 600", refused.len());
    assert!(began.elapsed() > Duration::from_secs(58), "{:?}", began.elapsed());
    lease.watch().may_send().unwrap();
}

/// For the SDK a request that waits for its turn is one whose body nobody takes. It measures that by the wall clock, which no
/// test waits for.
#[test]
fn who_waits_for_a_turn_is_not_taken_for_a_stalled_upload() {
    let aws = Aws::new(&config(&Peer::new(1.0, 1.0)), "1", false, Calls::default(), Mode::Apply);
    let protection = aws.ssm.config().stalled_stream_protection().unwrap();
    assert!(!protection.upload_enabled() && protection.download_enabled());
}
