//! Endpoints that know only a part of AWS.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Aws;

/// Codes with which services and their imitations say that there is no such operation.
const CODES: [&str; 4] = [
    "UnknownOperationException",
    "UnknownOperation",
    "InvalidAction",
    "NotImplemented",
];

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
