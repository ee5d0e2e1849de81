//! AWS itself, or what answers at an address, as a client's peer.
//!
//! Source of the hosts: AWS General Reference, "Service endpoints and quotas", each service's page.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use futures::future::BoxFuture;
use http_body_util::BodyExt;

use super::{Client, Response, Wire};

/// Attempts of one call that was throttled or not answered.
const ATTEMPTS: u32 = 6;

/// Where calls go, and what signs them.
pub struct Remote {
    pub region: String,
    pub account: String,
    /// Instead of AWS's own hosts.
    pub endpoint: Option<String>,
    credentials: SharedCredentialsProvider,
    connector: SharedHttpConnector,
    /// Nothing takes longer, whatever a case allows: for peers that do at once what they do at all.
    pub most: Option<Duration>,
}

impl Remote {
    pub fn new(region: &str, account: &str, endpoint: Option<&str>, credentials: SharedCredentialsProvider) -> Self {
        let connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .build();
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            endpoint: endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            credentials,
            connector: SharedHttpConnector::new(connector),
            most: None,
        }
    }

    /// The host of a service, and the region that its requests are signed for.
    fn host(&self, service: &str) -> (String, &str) {
        let region = self.region.as_str();
        let suffix = match region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        let (host, signed_for) = match service {
            "iam" | "route53" => (format!("{service}.{suffix}"), "us-east-1"),
            "ecr" => (format!("api.ecr.{region}.{suffix}"), region),
            service => (format!("{service}.{region}.{suffix}"), region),
        };
        let base = self.endpoint.clone().unwrap_or_else(|| format!("https://{host}"));
        (base, signed_for)
    }

    async fn once(&self, service: &str, wire: &Wire) -> Result<Response, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let (base, region) = self.host(service);
        let uri = format!("{base}{}", wire.path);
        let credentials = self
            .credentials
            .provide_credentials()
            .await
            .map_err(|error| format!("no credentials: {}", whole(&error)))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| told(&error))?
            .into();
        let headers = wire.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(&wire.method, &uri, headers, SignableBody::Bytes(&wire.body))
            .map_err(|error| told(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| told(&error))?.into_parts();
        let mut request = http::Request::builder().method(wire.method.as_str()).uri(&uri);
        for (name, value) in &wire.headers {
            request = request.header(*name, value);
        }
        let mut request = request
            .body(SdkBody::from(wire.body.clone()))
            .map_err(|error| told(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        let request = HttpRequest::try_from(request).map_err(|error| told(&error))?;
        let mut response = self.connector.call(request).await.map_err(|error| whole(&error))?;
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        Ok(Response {
            status: response.status().as_u16(),
            error_type: response.headers().get("x-amzn-errortype").map(str::to_owned),
            body: body.collect().await.map_err(|error| told(&error))?.to_bytes().to_vec(),
        })
    }
}

impl Client for Remote {
    fn send<'a>(&'a self, service: &'static str, wire: Wire) -> BoxFuture<'a, Result<Response, String>> {
        Box::pin(async move {
            let mut pause = Duration::from_millis(500);
            for _ in 1..ATTEMPTS {
                match self.once(service, &wire).await {
                    Ok(response) if !throttled(&response) => return Ok(response),
                    Ok(_) => tokio::time::sleep(pause).await,
                    Err(error) => return Err(error),
                }
                pause *= 2;
            }
            self.once(service, &wire).await
        })
    }

    fn pause(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn pauses(&self) -> (Duration, Duration) {
        match self.most {
            Some(most) => (most / 40, most / 8),
            None => (Duration::from_secs(1), Duration::from_secs(15)),
        }
    }

    fn patience(&self, allowed: Duration) -> Duration {
        self.most.map_or(allowed, |most| allowed.min(most))
    }

    fn settles_within(&self) -> Duration {
        match self.endpoint {
            Some(_) => Duration::ZERO,
            None => Duration::from_secs(20),
        }
    }

    fn now(&self) -> i64 {
        crate::sandbox::Clock::System.now()
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn account(&self) -> &str {
        &self.account
    }
}

/// Too many requests: the one error that says nothing about the call. An answer of the network in between counts too.
fn throttled(response: &Response) -> bool {
    let body = String::from_utf8_lossy(&response.body);
    response.status == 429
        || response.status == 503
        || (response.status == 400
            && [
                "Throttling",
                "ThrottlingException",
                "RequestLimitExceeded",
                "TooManyRequestsException",
            ]
            .iter()
            .any(|code| body.contains(&format!(">{code}<")) || body.contains(&format!("{code}\""))))
}

/// An error with its causes.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
