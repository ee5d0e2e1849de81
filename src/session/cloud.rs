//! The AWS clients of a run: the sandbox's, those of an AWS-compatible endpoint, or AWS's own.

use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::aws::calls::Calls;
use crate::aws::{Aws, gate, queue, sweep};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::resource::Mode;
use crate::resource::engine::{Gate, Sweep};
use crate::resource::journal::Journal;
use crate::resource::prune::Census;
use crate::sandbox::Sandbox;

pub struct Cloud {
    pub aws: Aws,
    pub gate: Gate,
    pub sweep: Sweep,
    pub census: Census,
}

/// Makes the clients. No call is sent.
pub async fn open(
    environment: &Environment,
    sandbox: Option<&Sandbox>,
    calls: Calls,
    journal: &Journal,
    mode: Mode,
) -> Result<Cloud> {
    let mut aws = match (environment.aws.is_sandbox(), sandbox) {
        (true, Some(sandbox)) => {
            let config = embedded(environment, sandbox);
            let account = environment
                .aws
                .account
                .as_deref()
                .unwrap_or(crate::sandbox::aws::ACCOUNT);
            Aws::new(&config, account, true, calls, mode)
        }
        (true, None) => return Err(Error::failed("the sandbox is not open")),
        (false, _) => {
            let config = remote(environment).await;
            Aws::new(
                &config,
                environment.aws.account.as_deref().unwrap_or_default(),
                false,
                calls,
                mode,
            )
        }
    };
    let address = environment.address.as_ref();
    aws.address = address.and_then(|address| Some((address.host.clone(), address.zone.clone()?)));
    let expected = environment.aws.account.clone();
    let gate: Gate = {
        let (aws, journal) = (aws.clone(), journal.clone());
        Arc::new(move || {
            let (aws, expected, journal) = (aws.clone(), expected.clone(), journal.clone());
            Box::pin(async move {
                // A plan only reads: where no account is to be compared, its first read tells as well whether the
                // credentials are any good.
                if mode == Mode::Plan && expected.is_none() {
                    return Ok(());
                }
                let caller = gate::pass(&aws, expected.as_deref()).await?;
                journal.hold("caller", serde_json::json!({ "arn": caller }));
                Ok(())
            })
        })
    };
    let sweep: Sweep = {
        let aws = aws.clone();
        Arc::new(move |scope, known| {
            let aws = aws.clone();
            Box::pin(async move { sweep::sweep(&aws, &scope, &known).await })
        })
    };
    let census: Census = {
        let aws = aws.clone();
        Arc::new(move |scope| {
            let aws = aws.clone();
            Box::pin(async move { aws.counted(&scope).await })
        })
    };
    Ok(Cloud {
        aws,
        gate,
        sweep,
        census,
    })
}

/// The configuration for the sandbox, made by hand: the default chain would look for profiles and metadata services.
fn embedded(environment: &Environment, sandbox: &Sandbox) -> SdkConfig {
    let credentials = Credentials::new("AKIASANDBOX000000000", "sandbox", None, None, "sandbox");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(environment.aws.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(sandbox.http_client())
        .timeout_config(time_limits(environment))
        .retry_config(queue::retries(Duration::from_millis(20)))
        .build()
}

/// From the sending of a request to its answer. The time of an attempt would count the wait for a turn.
fn time_limits(environment: &Environment) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(environment.waits.answer())
        .build()
}

/// The SDK's own HTTPS client, made here so that all services share its connections and calls can wait in front of it. As
/// the SDK does it: rustls, and a proxy where HTTPS_PROXY and its kin name one.
fn https() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// The configuration for AWS, or for what answers at `endpoint`. Credentials come from the profile or the usual
/// variables, and are looked up with the first call.
pub(super) async fn remote(environment: &Environment) -> SdkConfig {
    let aws = &environment.aws;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .http_client(https())
        .retry_config(queue::retries(Duration::from_secs(1)))
        .timeout_config(time_limits(environment));
    if let Some(profile) = &aws.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &aws.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}
