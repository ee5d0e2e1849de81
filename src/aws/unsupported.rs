//! Endpoints that know only a part of AWS.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Aws;

/// Codes with which services and their imitations say that there is no such operation.
const CODES: [&str; 4] = [
    "UnknownOperationException",
    "UnknownOperation",
    "InvalidAction",
    "NotImplemented",
];

/// Keeps a call from being sent again that such an endpoint has answered with a page for people: moto's 500 for an
/// operation that it lacks. AWS's services answer in XML or JSON. Only for clients whose environment names an endpoint.
#[derive(Debug)]
pub struct NoPages;

impl ClassifyRetry for NoPages {
    fn name(&self) -> &'static str {
        "no pages"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let kind = context
            .response()
            .and_then(|answer| answer.headers().get("content-type"));
        match kind.is_some_and(|kind| kind.starts_with("text/html")) {
            true => RetryAction::RetryForbidden,
            false => RetryAction::NoActionIndicated,
        }
    }
}

/// Whether the endpoint has no such operation at all. moto answers 500 without a code then, which counts only where the
/// environment names an endpoint: AWS's own endpoints have every operation, and a 500 of theirs is a failure.
pub fn is_unsupported<E>(aws: &Aws, error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return false;
    };
    match answer.err().code() {
        Some(code) => CODES.contains(&code),
        None => aws.has_endpoint && matches!(answer.raw().status().as_u16(), 404 | 500 | 501),
    }
}
