//! No request that writes is sent once the lease may be another's.
//!
//! A call takes long when it waits for its turn and when it is tried again after pauses. So what it needs is looked at
//! where each attempt leaves for the network, behind the wait for a turn.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::calls::action;
use super::queue::Urgent;
use super::reads::is_read_action;
use crate::error::Error;
use crate::resource::lease::Watch;

/// Marks the requests that write. Clones share the lease that is asked; before there is one, everything is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Leased(Arc<Mutex<Option<Watch>>>);

impl Leased {
    pub(super) fn ask(&self, watch: Watch) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Leased {
    fn name(&self) -> &'static str {
        "leased"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Those of the lease itself come before it is held, and make it fresh.
        let is_its_own = config.load::<Urgent>().is_some();
        if is_its_own || is_read_action(&action(config)) {
            return Ok(());
        }
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(watch) = watch {
            context.request_mut().add_extension(Check(watch));
        }
        Ok(())
    }
}

/// What a request carries to where it leaves.
#[derive(Clone, Debug)]
pub(super) struct Check(Watch);

impl Check {
    /// # Errors
    /// The request must not be sent. The SDK takes that for a mistake of the caller's, which it does not try again.
    pub(super) fn pass(&self) -> Result<(), ConnectorError> {
        self.0.may_send().map_err(|error| ConnectorError::user(error.into()))
    }
}

/// Why a request was not sent, where it was [`Check::pass`] that refused it.
pub(super) fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Error>() {
            return Some(refused.clone());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_sdk_ssm::types::ParameterType;
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use futures::future::join_all;
    use tokio::time::Instant;

    use crate::aws::calls::Calls;
    use crate::aws::error::Call;
    use crate::aws::ssm::lease::Leases;
    use crate::aws::{Aws, queue};
    use crate::resource::cancel::Cancel;
    use crate::resource::lease::{Holder, LeaseOptions, Timings};
    use crate::resource::progress::Silent;
    use crate::resource::{Lease, Mode, Scope};

    use super::*;

    /// A Parameter Store that answers after 20 s, and those who ask for leases not at all once it is `away`.
    #[derive(Clone, Debug, Default)]
    struct Peer {
        away: Arc<AtomicBool>,
        /// When which parameter was put.
        puts: Arc<Mutex<Vec<(String, Instant)>>>,
    }

    impl HttpClient for Peer {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    impl HttpConnector for Peer {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let peer = self.clone();
            HttpConnectorFuture::new(async move {
                let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                let body = text(request.body().bytes());
                let is_put = request
                    .headers()
                    .get("x-amz-target")
                    .unwrap_or_default()
                    .ends_with("PutParameter");
                let is_lease = body.contains("/lease");
                if is_put && !is_lease {
                    peer.puts.lock().unwrap().push((body, Instant::now()));
                }
                let (takes, status) = match is_lease {
                    true if peer.away.load(Ordering::SeqCst) => return std::future::pending().await,
                    true => (Duration::from_millis(30), 200_u16),
                    false => (Duration::from_secs(20), if is_put { 500 } else { 200 }),
                };
                tokio::time::sleep(takes).await;
                let status = status
                    .try_into()
                    .map_err(|error: aws_smithy_runtime_api::http::HttpError| {
                        ConnectorError::other(error.into(), None)
                    })?;
                Ok(HttpResponse::new(status, SdkBody::from(r#"{"Version":1}"#)))
            })
        }
    }

    /// Clients that write under a lease, which is held and from now on not renewed.
    async fn unrenewed(peer: &Peer) -> (Aws, Lease) {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .http_client(peer.clone())
            .retry_config(queue::retries(Duration::from_secs(1)))
            .build();
        let aws = Aws::new(&config, "1", false, Calls::default(), Mode::Apply);
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
        peer.away.store(true, Ordering::SeqCst);
        (aws, lease)
    }

    async fn put(aws: &Aws, name: &str) -> Error {
        let call = aws
            .ssm
            .put_parameter()
            .name(name)
            .value("x")
            .r#type(ParameterType::String);
        call.send().await.call("ssm:PutParameter").unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_is_sent_once_the_lease_is_not_fresh() {
        let peer = Peer::default();
        let (aws, _lease) = unrenewed(&peer).await;
        let began = Instant::now();
        let error = put(&aws, "/a/1").await;
        assert!(error.message().contains("was not renewed in time"), "{error}");
        assert_eq!(error.notes(), ["ssm:PutParameter was not sent"]);
        let puts = peer.puts.lock().unwrap();
        let sent: Vec<_> = puts.iter().map(|(_, at)| at.duration_since(began).as_secs()).collect();
        // The SDK would go on to eight.
        assert!((1..=2).contains(&sent.len()), "{sent:?}");
        assert!(sent.iter().all(|at| *at < 40), "{sent:?}");
        // Neither does it wait for what cannot be.
        assert!(began.elapsed() < Duration::from_secs(70), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_too_long_for_its_turn_is_not_sent() {
        let peer = Peer::default();
        let (aws, _lease) = unrenewed(&peer).await;
        let reads = (0..75).map(|place| aws.ssm.get_parameter().name(format!("/a/{place}")).send());
        let late = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            put(&aws, "/a/late").await
        };
        let (read, error) = tokio::join!(join_all(reads), late);
        assert!(read.iter().all(Result::is_ok), "what reads needs no lease");
        assert!(error.message().contains("was not renewed in time"), "{error}");
        assert_eq!(peer.puts.lock().unwrap().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_the_end_of_a_run_is_not_sent() {
        let peer = Peer::default();
        let (aws, lease) = unrenewed(&peer).await;
        peer.away.store(false, Ordering::SeqCst);
        lease.release().await.unwrap();
        let error = put(&aws, "/a/1").await;
        assert_eq!(error.message(), "shop/dev is not held by this run any more");
        drop(lease);
        assert_eq!(put(&aws, "/a/1").await.message(), "the run is over");
        assert_eq!(peer.puts.lock().unwrap().len(), 0);
    }
}
