//! What the SDK reports, in words for the person at the prompt.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::leased;
use crate::error::{Error, Exit, ServiceError};

/// The header or extra in which every service repeats the id that its support asks for.
const REQUEST_ID: &str = "aws_request_id";

/// Codes that mean: the credentials are wrong, absent or expired.
const CREDENTIALS: [&str; 9] = [
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "AuthFailure",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidAccessKeyId",
    "IncompleteSignature",
];

/// Codes that mean: these credentials may not do that.
const DENIED: [&str; 4] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "NotAuthorized",
];

/// Whether the credentials may not do that.
pub fn is_denied(error: &Error) -> bool {
    DENIED.contains(&error.code())
}

/// Whether a call that failed may have taken effect: its answer was lost, or the service broke down on the way.
pub fn is_unsure(error: &Error) -> bool {
    matches!(
        error.code(),
        "" | "InternalError" | "InternalFailure" | "ServerException" | "ServiceUnavailable" | "Unavailable"
    )
}

/// Adds the call to an SDK result: `client.send().await.call("ec2:CreateVpc")?`.
pub trait Call<T> {
    fn call(self, action: &str) -> Result<T, Error>;
}

impl<T, E> Call<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn call(self, action: &str) -> Result<T, Error> {
        self.map_err(|error| translate(action, &error))
    }
}

/// One error of the SDK, with the service's own words, its code and the request id.
pub fn translate<E>(action: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if let Some(refused) = leased::refusal(error) {
        return refused.note(format!("{action} was not sent"));
    }
    let service = match error {
        SdkError::ServiceError(service) => service.err(),
        SdkError::TimeoutError(_) => return no_answer(action),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => return no_answer(action),
        SdkError::DispatchFailure(failure) => {
            let cause = innermost(error);
            if failure.is_user() || cause.contains("credential") || causes(error).contains("credentials") {
                return no_credentials(&cause);
            }
            return Error::failed(format!("{action}: the endpoint cannot be reached: {cause}"))
                .hint("check the network, the region, and `endpoint` in the environment file");
        }
        other => {
            let cause = innermost(error);
            if causes(error).contains("credentials") {
                return no_credentials(&cause);
            }
            tracing::debug!("{action}: {other:?}");
            return Error::failed(format!("{action}: {cause}"));
        }
    };
    let metadata = service.meta();
    let code = metadata.code().unwrap_or("unknown").to_owned();
    let message = metadata.message().map_or_else(|| code.clone(), str::to_owned);
    let exit = match code.as_str() {
        code if CREDENTIALS.contains(&code) || DENIED.contains(&code) => Exit::Config,
        _ => Exit::Failed,
    };
    let translated = Error::new(exit, format!("{action}: {message}")).service(ServiceError {
        call: action.to_owned(),
        code: code.clone(),
        message,
        request_id: metadata.extra(REQUEST_ID).map(str::to_owned),
    });
    match code.as_str() {
        code if CREDENTIALS.contains(&code) => {
            translated.hint("sign in again (`aws sso login`), or check the profile of the environment file")
        }
        code if DENIED.contains(&code) => {
            translated.hint(format!("the credentials in use need the permission {action}"))
        }
        _ => translated,
    }
}

fn no_answer(action: &str) -> Error {
    Error::failed(format!("{action}: no answer in time")).hint("run the same command again")
}

fn no_credentials(cause: &str) -> Error {
    Error::config("there are no AWS credentials").note(cause).hint(
        "sign in (`aws sso login --profile NAME` and `profile` in the environment file), or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY",
    )
}

/// The last cause in the chain: it names the real trouble, such as a refused connection.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// All causes in one text.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        text.push('\n');
        cause = error.source();
    }
    text
}
