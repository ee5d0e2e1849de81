//! The embedded AWS.
//!
//! # Why it is driven by service models
//!
//! Two ways were weighed for the wire protocols: an existing family of crates with a type for each shape of each
//! service, and one generic codec driven by AWS's own models. The models won:
//!
//! - *Small.* 336 operations of 14 services are 74 KB in the program, and nothing to compile; generated types for EC2
//!   alone take over a minute and 4.5 GB to build.
//! - *Strict.* Required members, enums, ranges, lengths and patterns come from AWS and are checked with AWS's words.
//! - *Honest.* An operation that is in a model and has no handler answers "not in the sandbox" by name, and so does a
//!   parameter that a handler does not know.
//! - *Checked from outside.* The other side of every byte is the real SDK, which knows nothing of this codec.
//!
//! Four protocols are enough: EC2's form, the Query form, AWS JSON 1.1, and REST with XML. Today's Rust SDK speaks JSON
//! 1.1 with ECS, ECR, CloudWatch Logs, SSM, Secrets Manager, ACM and the Tagging API, and REST with Route 53; none of the
//! services here is called with CBOR.
//!
//! # The way of a call
//!
//! [`http`] takes the SDK's request, [`protocol`] parses and checks it by the [`model`], [`dispatch`] hands it to the
//! service's file within one transaction of [`state`], and the answer goes back the same way. A fault rolls everything
//! back that the call did. An answer can hold more than the output shape has; only what the model names is shown.

pub mod answers;
pub mod call;
pub mod dispatch;
pub mod durations;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elasticache;
pub mod elb;
pub mod faults;
pub mod http;
pub mod iam;
pub mod interfaces;
pub mod logs;
pub mod model;
pub mod page;
pub mod protocol;
pub mod secrets;
pub mod ssm;
pub mod state;
pub mod store;
pub mod sts;
pub mod tagging;
pub mod tags;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use self::call::{Call, Fault};
use self::faults::Faults;
use self::model::Protocol;
use self::protocol::{Asked, Reply};
use self::state::State;
use self::store::Store;
use super::Options;
use super::vault::Vault;
use crate::error::Result;

/// The account of a sandbox that was not given another one.
pub const ACCOUNT: &str = "000000000000";

/// What of an HTTP request matters here. Signatures are not checked: the sandbox has no secrets of its own to check with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `GET`, `POST`, `DELETE`. Only REST protocols ask; the others take any.
    pub method: &'a str,
    /// Path and query as they were sent, `/2013-04-01/hostedzone?maxitems=3`, or the whole address. Only REST protocols
    /// ask.
    pub uri: &'a str,
    /// The header `Authorization`; its scope names region and service.
    pub authorization: &'a str,
    /// The header `X-Amz-Target` of the JSON protocol.
    pub target: &'a str,
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The service and the operation that it asks for; empty where it does not say.
    fn names(&self) -> (String, String) {
        let service = scope(self.authorization).map_or("", |(_, service)| service);
        (service.to_owned(), operation(service, *self))
    }
}

/// The AWS behind one state file.
pub struct Aws {
    state: State,
    vault: Arc<Vault>,
    options: Options,
    faults: Faults,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Aws {
    pub fn open(file: &Path, vault: Arc<Vault>, options: Options) -> Result<Self> {
        Ok(Self {
            state: State::open(file)?,
            vault,
            options,
            faults: Faults::default(),
        })
    }

    /// What meets the calls of the SDK's clients that come through [`http`].
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The error of a request that is refused before anything is looked at.
    pub fn refuse(&self, request: Request<'_>, fault: &Fault) -> Reply {
        let id = uuid::Uuid::new_v4().to_string();
        let (service, operation) = request.names();
        asked(&service, &operation, &id, request.target).fault(fault)
    }

    /// Answers one request. It blocks, for a millisecond or as long as another process holds the file's lock.
    pub fn answer(&self, request: Request<'_>) -> Reply {
        let id = uuid::Uuid::new_v4().to_string();
        let Some((region, service)) = scope(request.authorization) else {
            let fault = Fault::new(
                "MissingAuthenticationToken",
                "The request is not signed: no scope in its headers.",
            );
            return asked("sts", "", &id, request.target).fault(&fault.status(403));
        };
        let operation = &operation(service, request);
        let asked = asked(service, operation, &id, request.target);
        if asked.service != service {
            return asked.fault(&Fault::new(
                "InvalidAction",
                format!("not in the sandbox: {service}:{operation}"),
            ));
        }
        self.carry_out(&asked, region, request)
            .unwrap_or_else(|fault| asked.fault(&fault))
    }

    fn carry_out(&self, asked: &Asked<'_>, region: &str, request: Request<'_>) -> Result<Reply, Fault> {
        let unknown = || dispatch::unknown(asked.service, asked.operation);
        let known = asked.model.operations.get(asked.operation).ok_or_else(unknown)?;
        if asked.model.metadata.protocol == Protocol::Json
            && request
                .target
                .strip_suffix(asked.operation)
                .and_then(|prefix| prefix.strip_suffix('.'))
                != Some(&asked.model.metadata.target_prefix)
        {
            return Err(unknown());
        }
        let input = asked.input(known, request)?;
        let once = |connection: &rusqlite::Connection, input: Map<String, Value>| {
            let account = self.options.account.as_str();
            let store = Store {
                connection,
                account,
                region: dispatch::home(asked.service, region),
            };
            dispatch::handle(&mut Call {
                service: asked.service,
                operation: asked.operation,
                input,
                account,
                region,
                now: self.options.clock.now(),
                time_scale: self.options.time_scale,
                store: &store,
                vault: &self.vault,
            })
        };
        let answer = if reads(asked.operation) {
            match self.state.read(|connection| once(connection, input.clone())) {
                // A reading call that had to write while another process did: again, with the lock from the start.
                Err(fault) if fault.status == 500 => self.state.write(|connection| once(connection, input)),
                answer => answer,
            }
        } else {
            self.state.write(|connection| once(connection, input))
        };
        asked.answer(known, &answer?)
    }
}

fn asked<'a>(service: &str, operation: &'a str, id: &'a str, target: &str) -> Asked<'a> {
    // For a service that the sandbox does not have, any service with the same protocol gives the form of the error.
    let stand_in = if target.is_empty() { "sts" } else { "ssm" };
    let (service, model) = model::of(service)
        .or_else(|| model::of(stand_in))
        .expect("the stand-ins have a model");
    Asked {
        service,
        model,
        operation,
        id,
    }
}

/// Region and service of `Credential=KEY/DATE/REGION/SERVICE/aws4_request` (AWS Signature Version 4).
fn scope(authorization: &str) -> Option<(&str, &str)> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let mut parts = rest.split([',', ' ']).next()?.rsplit('/');
    let (_, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    (!service.is_empty() && !region.is_empty()).then_some((region, service))
}

/// The operation: of the form, of the target's header, or of method and path.
fn operation(service: &str, request: Request<'_>) -> String {
    match model::of(service) {
        Some((_, model)) if model.metadata.protocol == Protocol::Json => {
            request.target.rsplit('.').next().unwrap_or_default().to_owned()
        }
        Some((_, model)) if model.metadata.protocol == Protocol::RestXml => protocol::rest::operation(model, request),
        _ => {
            let action = form_urlencoded::parse(request.body).find(|(name, _)| name == "Action");
            action.map(|(_, action)| action.into_owned()).unwrap_or_default()
        }
    }
}

/// Whether an operation is one that changes nothing, by its name.
fn reads(operation: &str) -> bool {
    [
        "Describe",
        "Get",
        "List",
        "BatchGet",
        "BatchCheck",
        "Filter",
        "Simulate",
        "TestDNS",
    ]
    .iter()
    .any(|verb| operation.starts_with(verb))
}
