//! Sees every call to AWS: counts it, logs it (`-v` shows what is called and how long it took), and keeps each one that
//! writes in the journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use serde_json::json;

use super::{reads, target};
use crate::resource::journal::Journal;

/// How often each action was called, by `service:Action` as IAM writes it. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    journal: Journal,
}

impl Calls {
    /// Calls that write are kept in the journal.
    pub fn new(journal: Journal) -> Self {
        Self {
            journal,
            ..Self::default()
        }
    }

    /// The counts so far. An attempt that was retried counts each time: it is what goes over the wire.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn total(&self) -> u64 {
        self.counts().values().sum()
    }
}

/// A call that is under way.
#[derive(Clone, Debug)]
struct Begun {
    at: Instant,
    attempts: u32,
    /// Of a call that writes.
    target: Option<String>,
}

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

/// `ec2:DescribeVpcs`.
pub(super) fn action(config: &ConfigBag) -> String {
    let (service, operation) = names(config);
    format!("{service}:{operation}")
}

/// Service and operation: `ec2`, `DescribeVpcs`.
fn names(config: &ConfigBag) -> (String, String) {
    match config.load::<Metadata>() {
        Some(metadata) => (reads::prefix(metadata.service()), metadata.name().to_owned()),
        None => ("unknown".to_owned(), "unknown".to_owned()),
    }
}

/// The id that a service gives to a request. Source: "Common response headers" of the services' API references.
fn request_id(response: &HttpResponse) -> Option<&str> {
    let headers = response.headers();
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| headers.get(name))
}

/// The code of a refusal, as the protocols write it: a header or `__type` in JSON, `<Code>` in XML.
/// Source: Smithy, "AWS JSON 1.1 protocol", "AWS query protocol", operation error serialization.
pub(super) fn refusal(response: &HttpResponse) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let text = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let text = text.or_else(|| {
        let body = response.body().bytes()?;
        match body.first() {
            Some(b'{') => {
                let body: serde_json::Value = serde_json::from_slice(body).ok()?;
                let code = body.get("__type").or_else(|| body.get("code"))?;
                code.as_str().map(str::to_owned)
            }
            _ => {
                let text = std::str::from_utf8(body).ok()?;
                let code = text.split("<Code>").nth(1)?.split('<').next()?;
                Some(code.to_owned())
            }
        }
    })?;
    // `com.amazonaws.ssm#ParameterNotFound:http://...`
    let code = text.split(':').next().unwrap_or_default();
    code.rsplit('#').next().map(str::to_owned)
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = names(config);
        *self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(format!("{service}:{operation}"))
            .or_default() += 1;
        let mut begun = config.load::<Begun>().cloned().unwrap_or_else(|| Begun {
            at: Instant::now(),
            attempts: 0,
            target: (!reads::is_read(&service, &operation)).then(|| target::of(context.request())),
        });
        begun.attempts += 1;
        config.interceptor_state().store_put(begun);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // A call that was refused before it was sent has not begun.
        let Some(begun) = config.load::<Begun>() else {
            return Ok(());
        };
        let (service, operation) = names(config);
        let took = begun.at.elapsed().as_millis();
        let response = context.response();
        let status = response.map(|response| response.status().as_u16()).unwrap_or_default();
        tracing::info!(target: "iacsh::calls", "{service}:{operation} {status} {took} ms");
        if let Some(target) = &begun.target {
            let error = match response {
                None => Some("no answer".to_owned()),
                Some(response) => refusal(response),
            };
            self.journal.write(
                "call",
                json!({
                    "call": format!("{service}:{operation}"),
                    "resource": target,
                    "request": response.and_then(request_id).unwrap_or_default(),
                    "status": status,
                    "error": error.unwrap_or_default(),
                    "attempts": begun.attempts,
                    "ms": u64::try_from(took).unwrap_or(u64::MAX),
                }),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    fn refused(status: u16, header: Option<&'static str>, body: &'static str) -> Option<String> {
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if let Some(header) = header {
            response.headers_mut().insert("x-amzn-errortype", header);
        }
        refusal(&response)
    }

    #[test]
    fn a_refusal_is_read_in_every_protocol() {
        assert_eq!(refused(200, None, "<Code>no</Code>"), None);
        let xml =
            "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
        assert_eq!(refused(400, None, xml).as_deref(), Some("Throttling"));
        let json = r#"{"__type":"com.amazonaws.ecs#ClientException","message":"no"}"#;
        assert_eq!(refused(400, None, json).as_deref(), Some("ClientException"));
        let header = Some("ParameterNotFound:http://internal.amazon.com/coral/");
        assert_eq!(refused(400, header, "{}").as_deref(), Some("ParameterNotFound"));
        assert_eq!(refused(500, None, ""), None);
    }
}
