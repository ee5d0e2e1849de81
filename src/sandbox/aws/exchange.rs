//! The way of a request from its arrival to its answer, whoever brought it: the rules of [`faults`] meet it, then it is
//! carried out. The client within the process ([`super::http`]) and the server on loopback share it.

use std::sync::Arc;

use bytes::Bytes;

use super::call::Fault;
use super::faults::{self, Effect};
use super::protocol::Reply;
use super::{Aws, Request};

/// A request that arrived whole.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub method: String,
    pub uri: String,
    pub authorization: String,
    pub target: String,
    pub body: Bytes,
}

impl Received {
    pub fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            uri: &self.uri,
            authorization: &self.authorization,
            target: &self.target,
            body: &self.body,
        }
    }
}

/// How an exchange ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(Reply),
    /// A rule's: the connection breaks, and the caller cannot know what happened. The text says how.
    BrokenOff(&'static str),
}

/// Answers a request, unless a rule is in its way. Must be called within a Tokio runtime.
pub async fn exchange(aws: Arc<Aws>, received: Received) -> Outcome {
    let (service, operation) = received.request().names();
    let effect = aws.faults().meet(&service, &operation);
    match &effect {
        Some(Effect::Throttled) => return Outcome::Answered(aws.refuse(received.request(), &faults::throttled())),
        Some(Effect::Refused(fault)) => return Outcome::Answered(aws.refuse(received.request(), fault)),
        Some(Effect::Delayed(time)) => tokio::time::sleep(*time).await,
        Some(Effect::Unreachable) => return Outcome::BrokenOff("the connection was refused"),
        Some(Effect::AnswerLost) | None => {}
    }
    // SQLite blocks, so the work is done off the threads that run futures.
    let reply = {
        let (aws, received) = (aws.clone(), received.clone());
        tokio::task::spawn_blocking(move || aws.answer(received.request())).await
    };
    match reply {
        _ if effect == Some(Effect::AnswerLost) => {
            Outcome::BrokenOff("the connection was reset before the answer came")
        }
        Ok(reply) => Outcome::Answered(reply),
        Err(error) => {
            let fault = Fault::new("InternalFailure", format!("the sandbox: {error}")).status(500);
            Outcome::Answered(aws.refuse(received.request(), &fault))
        }
    }
}
