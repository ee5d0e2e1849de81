//! Why a request is refused before anybody looks at what it asks, in the words of each protocol.
//!
//! Source: *Common Error Types* of each service's API reference; EC2 API reference, *Error codes* (`AuthFailure`,
//! `RequestExpired`). The JSON services answer 400, the form services 403, EC2 401 for credentials.

use crate::sandbox::aws::call::Fault;
use crate::sandbox::aws::model::{self, Protocol};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody signed it.
    Missing,
    /// The header `Authorization` lacks something.
    Incomplete(String),
    /// An access key that is not ours, or a session token, which no key here has.
    UnknownKey,
    /// Signed too long ago, or in the future.
    Expired(String),
    /// The signature is not the one that these keys give.
    Mismatch(String),
    /// What AWS knows and the sandbox does not.
    NotHere(&'static str),
}

/// Which codes a service uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ec2,
    Json,
    Form,
}

impl Refusal {
    pub fn mismatch() -> Self {
        Self::Mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
                .to_owned(),
        )
    }

    /// The service's error. `service` is the one of the scope, `json` whether the request has the form of that protocol.
    pub fn fault(&self, service: &str, json: bool) -> Fault {
        let family = match model::of(service).map(|(_, model)| model.metadata.protocol) {
            Some(Protocol::Ec2) => Family::Ec2,
            Some(Protocol::Json) => Family::Json,
            None if json => Family::Json,
            _ => Family::Form,
        };
        let (code, message, status) = match (self, family) {
            (Self::Missing, Family::Ec2) => (
                "MissingAuthenticationToken",
                "Request must contain either a valid (registered) AWS access key ID or X.509 certificate.",
                403,
            ),
            (Self::Missing, Family::Json) => (
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
                400,
            ),
            (Self::Missing, Family::Form) => (
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
                403,
            ),
            (Self::Incomplete(message), Family::Json) => ("IncompleteSignatureException", message.as_str(), 400),
            (Self::Incomplete(message), _) => ("IncompleteSignature", message.as_str(), 400),
            (Self::UnknownKey | Self::Mismatch(_), Family::Ec2) => (
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
                401,
            ),
            (Self::UnknownKey, Family::Json) => (
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
                400,
            ),
            (Self::UnknownKey, Family::Form) => (
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                403,
            ),
            (Self::Expired(_), Family::Ec2) => ("RequestExpired", "Request has expired.", 400),
            (Self::Expired(message) | Self::Mismatch(message), Family::Json) => {
                ("InvalidSignatureException", message.as_str(), 400)
            }
            (Self::Expired(message) | Self::Mismatch(message), Family::Form) => {
                ("SignatureDoesNotMatch", message.as_str(), 403)
            }
            (Self::NotHere(what), _) => {
                let code = if family == Family::Json {
                    "UnsupportedOperationException"
                } else {
                    "UnsupportedOperation"
                };
                return Fault::new(code, format!("not in the sandbox: {what}"));
            }
        };
        Fault::new(code, message).status(status)
    }
}
