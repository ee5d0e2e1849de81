//! A client for any operation of any service, driven by the service models: what the contract suite calls with.
//!
//! It is written apart from the sandbox's codec, so that a mistake in one is not hidden by the same mistake in the
//! other. And it is not the SDK, whose types cannot carry what a case must be able to send: a missing member, a number
//! out of its range, a value outside of its enum.
//!
//! Source: Smithy 2.0, "AWS EC2 query protocol", "AWS query protocol", "AWS JSON 1.1 protocol",
//! "AWS restXml protocol".

mod decode;
pub mod embedded;
mod encode;
pub mod remote;
mod rest;

use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;

pub use self::decode::decode;
pub use self::encode::encode;

/// What a service answered to one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The members of the output shape by the model's names. Timestamps are as they were sent: text in XML, seconds in
    /// JSON.
    Done(Value),
    Refused(Refusal),
}

/// An error of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub status: u16,
}

/// A request before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub method: String,
    /// Path and query, beginning with `/`.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A response as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// The header `x-amzn-errortype`.
    pub error_type: Option<String>,
    pub body: Vec<u8>,
}

/// Something that answers calls.
pub trait Client: Send + Sync {
    /// Sends one request to a service, and gives what came back. An error is one of the way, not of the service.
    fn send<'a>(&'a self, service: &'static str, wire: Wire) -> BoxFuture<'a, Result<Response, String>>;

    /// Lets time pass: the client's own, which need not be that of a wall clock.
    fn pause(&self, time: Duration) -> BoxFuture<'_, ()>;

    /// The first and the longest pause between two attempts of a repeated call.
    fn pauses(&self) -> (Duration, Duration) {
        (Duration::from_secs(1), Duration::from_secs(15))
    }

    /// How long a call is repeated that has not yet answered as expected, of the time that the case allows.
    fn patience(&self, allowed: Duration) -> Duration {
        allowed
    }

    /// How long a reading call is repeated although its case does not say so, because what was just written may not be
    /// seen yet (EC2 API reference, "Eventual consistency").
    fn settles_within(&self) -> Duration {
        Duration::ZERO
    }

    /// Milliseconds since 1970.
    fn now(&self) -> i64;

    fn region(&self) -> &str;
    /// 12 digits.
    fn account(&self) -> &str;
}

/// One call. `input` has the members by the model's names, with any values.
///
/// # Errors
/// The operation or a member is not in the model, the way there is broken, or the answer has not the protocol's form.
pub async fn call(client: &dyn Client, service: &str, operation: &str, input: &Value) -> Result<Answer, String> {
    let (service, wire) = encode(service, operation, input)?;
    let response = client.send(service, wire).await?;
    decode(service, operation, &response)
}
