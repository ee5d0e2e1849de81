//! The SDK's HTTP client that reaches the embedded AWS instead of the network.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;

use super::Aws;
use super::crash::Crash;
use super::protocol::Reply;
use super::rules::meet::{self, Incoming, Lost};

/// Give it to the SDK as its HTTP client. It takes every host: service and region come from the request's signature.
///
/// Like a network it keeps the client's own time limit: who waits no longer for an answer goes away, and the call may
/// still be carried out after that.
#[derive(Clone, Debug)]
pub struct Client {
    aws: Arc<Aws>,
    crash: Option<Crash>,
    read_timeout: Option<Duration>,
}

impl Client {
    pub fn new(aws: Arc<Aws>) -> Self {
        let crash = Crash::asked();
        Self {
            aws,
            crash,
            read_timeout: None,
        }
    }
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self {
            read_timeout: settings.read_timeout(),
            ..self.clone()
        })
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (aws, crash, limit) = (self.aws.clone(), self.crash.clone(), self.read_timeout);
        HttpConnectorFuture::new(async move {
            let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
            let (authorization, target) = (header("authorization"), header("x-amz-target"));
            let (method, uri) = (request.method().to_owned(), request.uri().to_owned());
            let body = request
                .into_body()
                .collect()
                .await
                .map_err(ConnectorError::user)?
                .to_bytes();
            let incoming = Incoming {
                method,
                uri,
                authorization,
                target,
                body,
            };
            let now = aws.now();
            let crash = crash.and_then(|crash| crash.meet(&aws, &incoming));
            if let Some(point) = &crash {
                point.before();
            }
            let answer = tokio::spawn(meet::exchange(aws, incoming));
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, answer).await,
                None => Ok(answer.await),
            };
            let Ok(answer) = answer else {
                return Err(ConnectorError::timeout("no answer came in time".into()));
            };
            let answer = answer.unwrap_or(Err(Lost::Broken));
            if let Some(point) = &crash {
                point.after();
            }
            match answer {
                Ok(mut reply) => {
                    // By the sandbox's own clock, which may not be the machine's.
                    reply.headers.extend(now.ok().map(|now| ("date", date(now))));
                    response(reply)
                }
                Err(Lost::Unreachable) => Err(broken_off("the connection was refused")),
                Err(Lost::Answer) => Err(broken_off("the connection was reset before the answer came")),
                Err(Lost::Broken) => Err(ConnectorError::other("the sandbox's thread ended".into(), None)),
            }
        })
    }
}

/// A time as HTTP writes it, from milliseconds since 1970.
pub fn date(now: i64) -> String {
    let now = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// As a network that fails: the SDK tries again.
fn broken_off(what: &str) -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, what).into())
}

fn response(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::other(error, None);
    let status = StatusCode::try_from(reply.status).map_err(|error| broken(error.into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    for (name, value) in reply.headers {
        response
            .headers_mut()
            .try_insert(name, value)
            .map_err(|error| broken(error.into()))?;
    }
    Ok(response)
}
