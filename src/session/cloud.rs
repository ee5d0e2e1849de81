//! The AWS clients of a run: the sandbox's, those of an AWS-compatible endpoint, or AWS's own.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::aws::calls::Calls;
use crate::aws::{Aws, gate, sweep};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::resource::Mode;
use crate::resource::engine::{Gate, Sweep};
use crate::resource::prune::Census;
use crate::sandbox::Sandbox;

pub struct Cloud {
    pub aws: Aws,
    pub gate: Gate,
    pub sweep: Sweep,
    pub census: Census,
}

/// Makes the clients. No call is sent.
pub async fn open(environment: &Environment, sandbox: Option<&Sandbox>, calls: Calls, mode: Mode) -> Result<Cloud> {
    let mut aws = match (environment.aws.is_sandbox(), sandbox) {
        (true, Some(sandbox)) => {
            let config = embedded(&environment.aws.region, sandbox);
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
        let aws = aws.clone();
        Arc::new(move || {
            let (aws, expected) = (aws.clone(), expected.clone());
            Box::pin(async move { gate::pass(&aws, expected.as_deref()).await })
        })
    };
    let sweep: Sweep = {
        let aws = aws.clone();
        Arc::new(move |scope| {
            let aws = aws.clone();
            Box::pin(async move { sweep::sweep(&aws, &scope).await })
        })
    };
    let census: Census = {
        let aws = aws.clone();
        Arc::new(move |scope| {
            let aws = aws.clone();
            Box::pin(async move {
                let found = sweep::tagged(&aws, &scope, None).await?;
                Ok(found.into_iter().map(|(_, tags)| tags).collect())
            })
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
fn embedded(region: &str, sandbox: &Sandbox) -> SdkConfig {
    let credentials = Credentials::new("AKIASANDBOX000000000", "sandbox", None, None, "sandbox");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(sandbox.http_client())
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(20)))
        .build()
}

/// The configuration for AWS, or for what answers at `endpoint`. Credentials come from the profile or the usual
/// variables, and are looked up with the first call.
pub(super) async fn remote(environment: &Environment) -> SdkConfig {
    let aws = &environment.aws;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(aws.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(30))
                .build(),
        );
    if let Some(profile) = &aws.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &aws.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}
