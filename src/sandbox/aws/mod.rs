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
//! [`http`] takes the SDK's request, [`rules::meet`] lets it pass or makes of it what a rule says, [`super::serve`] a stranger's; in [`rules::meet`] rules meet it; [`protocol`]
//! parses and checks it by the [`model`], [`dispatch`] hands it to the service's file within one transaction of
//! [`state`], and the answer goes back the same way. A fault rolls everything back that the call did. An answer can hold
//! more than the output shape has; only what the model names is shown.
//!
//! What a call costs does not grow with what the sandbox holds: [`store`] finds documents by id, parent, link and moment,
//! and pages are read as pages.

pub mod acm;
pub mod answers;
pub mod call;
mod crash;
pub mod dispatch;
pub mod durations;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elasticache;
pub mod elb;
pub mod http;
pub mod iam;
pub mod interfaces;
pub mod logs;
pub mod model;
pub mod page;
pub mod protocol;
pub mod rds;
pub mod route53;
pub mod rules;
pub mod secrets;
pub mod ssm;
pub mod state;
pub mod store;
pub mod sts;
pub mod tagging;
pub mod tags;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};

use self::call::{Call, Fault};
use self::model::Protocol;
use self::protocol::{Asked, Reply};
use self::rules::{Rules, limits};
use self::state::State;
use self::store::{Scope, Store, internal};
use super::vault::Vault;
use super::{Clock, Options};
use crate::error::{Error, Result};

/// The account of a sandbox that was not given another one.
pub const ACCOUNT: &str = "000000000000";

/// The clock goes no further ahead than a hundred years.
const MOST_AHEAD: i64 = 100 * 366 * 24 * 3600 * 1000;

/// What of an HTTP request matters here. Signatures are not checked here: within the process there is nobody to keep out,
/// and [`super::serve`] checks them before it asks.
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
    /// The service that the scope names; empty where there is none.
    pub fn service(&self) -> &str {
        scope(self.authorization).map_or("", |(_, service)| service)
    }

    /// The service and the operation that it asks for; empty where it does not say.
    pub fn names(&self) -> (String, String) {
        let service = self.service();
        (service.to_owned(), operation(service, *self))
    }
}

/// The AWS behind one state file.
pub struct Aws {
    state: State,
    dir: PathBuf,
    vault: Arc<Vault>,
    options: Options,
    /// See [`Aws::steps`].
    steps: AtomicU64,
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
        let state = State::open(file)?;
        let dir = file.parent().map(Path::to_path_buf).unwrap_or_default();
        rds::sweep(&state, &dir)?;
        Ok(Self {
            state,
            dir,
            vault,
            options,
            steps: AtomicU64::default(),
        })
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What goes wrong on purpose. All processes over the same folder share it.
    pub fn rules(&self) -> Rules<'_> {
        Rules { state: &self.state }
    }

    /// The sandbox's time, in milliseconds since 1970.
    pub fn now(&self) -> Result<i64> {
        self.state
            .read(|connection| self.moment(connection))
            .map_err(|fault| Error::failed(fault.message))
    }

    /// Moves the sandbox's time on, for all processes over the same folder, and gives it. What ends or begins meanwhile
    /// does so in its order with the next call.
    ///
    /// # Errors
    /// The clock is the machine's.
    pub fn advance(&self, time: Duration) -> Result<i64> {
        if matches!(self.options.clock, Clock::System | Clock::Runtime { .. }) {
            return Err(
                Error::failed("the sandbox's clock is the machine's and cannot be moved")
                    .hint("`clock = \"virtual\"` in [sandbox] of the environment makes it one that can"),
            );
        }
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.state
            .write(|connection| {
                connection
                    .execute(
                        "INSERT INTO setting (name, value) VALUES ('clock', ?1)
                         ON CONFLICT (name) DO UPDATE SET value = min(value + excluded.value, ?2)",
                        [time.min(MOST_AHEAD), MOST_AHEAD],
                    )
                    .map_err(internal)?;
                self.moment(connection)
            })
            .map_err(|fault| Error::failed(fault.message))
    }

    /// How much SQLite did for the calls so far, in steps of its machine: what a call costs, without a clock.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// The clock, and by how much it was moved on; that is in the state, so that processes agree.
    fn moment(&self, connection: &Connection) -> Result<i64, Fault> {
        let moved: Option<i64> = connection
            .prepare_cached("SELECT value FROM setting WHERE name = 'clock'")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
            .map_err(internal)?;
        Ok(self.options.clock.now().saturating_add(moved.unwrap_or_default()))
    }

    /// The parameters of a request, where it is one that the sandbox understands.
    fn input(&self, request: Request<'_>) -> Option<Map<String, Value>> {
        let (service, operation) = request.names();
        let asked = asked(&service, &operation, "", request.target);
        let known = asked.model.operations.get(operation.as_str())?;
        asked.input(known, request).ok()
    }

    /// What a service's file says to parameters as they are, unchecked by the model. Nothing of it is kept.
    #[cfg(test)]
    pub fn probe(&self, service: &'static str, operation: &str, input: Map<String, Value>) -> Result<Value, Fault> {
        let mut answer = Err(Fault::new("InternalFailure", "nothing was asked"));
        let _: Result<(), Fault> = self.state.write(|connection| {
            let scope = Scope {
                now: self.moment(connection)?,
                ..Scope::default()
            };
            let region = "eu-central-1";
            let account = self.options.account.as_str();
            let store = Store {
                connection,
                account,
                region: dispatch::home(service, region),
                scope: &scope,
            };
            answer = dispatch::handle(&mut Call {
                service,
                operation,
                input,
                account,
                region,
                now: scope.now,
                time_scale: self.options.time_scale,
                durations: &self.options.durations,
                store: &store,
                dir: &self.dir,
                vault: &self.vault,
            });
            // A fault, so that the transaction is rolled back.
            Err(Fault::new("InternalFailure", ""))
        });
        answer
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
        let once = |connection: &Connection, input: Map<String, Value>| {
            let of = (asked.service, asked.operation, region);
            self.within(connection, of, input, |call| {
                if reads(asked.operation) {
                    limits::hide(call)?;
                }
                let answer = dispatch::handle(call)?;
                limits::check(call)?;
                Ok(answer)
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

    /// The database instance behind a host name, as it is now. `None`: no instance has that name.
    pub fn database_at(self: &Arc<Self>, host: &str) -> Result<Option<rds::DatabaseAt>> {
        let Some(region) = rds::region_of(host) else {
            return Ok(None);
        };
        let once = |connection: &Connection| {
            self.within(connection, ("rds", "", region), Map::new(), |call| {
                rds::database_at(call, host)
            })
        };
        let found = match self.state.read(once) {
            Err(fault) if fault.status == 500 => self.state.write(once),
            found => found,
        };
        let found =
            found.map_err(|fault| Error::failed(format!("the sandbox's database server {host}: {}", fault.message)))?;
        let with = |at| rds::DatabaseAt {
            beside: Some(Arc::new(rds::Native {
                aws: self.clone(),
                host: host.to_owned(),
            })),
            ..at
        };
        Ok(found?.map(with))
    }

    /// What RDS does for the instance behind a host name that comes over no API. `None`: it is gone.
    fn of_database<T>(
        &self,
        host: &str,
        work: impl FnOnce(&Call<'_>, &rds::Instance) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let Some(region) = rds::region_of(host) else {
            return Ok(None);
        };
        self.state.write(|connection| {
            self.within(
                connection,
                ("rds", "", region),
                Map::new(),
                |call| match rds::of_host(call, host)? {
                    Some(instance) => work(call, &instance).map(Some),
                    None => Ok(None),
                },
            )
        })
    }

    /// Carries out something of a service: an operation, or with none what comes over no API.
    fn within<T>(
        &self,
        connection: &Connection,
        (service, operation, region): (&'static str, &str, &str),
        input: Map<String, Value>,
        work: impl FnOnce(&mut Call<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let account = self.options.account.as_str();
        let scope = Scope {
            now: self.moment(connection)?,
            ..Scope::default()
        };
        let store = Store {
            connection,
            account,
            region: dispatch::home(service, region),
            scope: &scope,
        };
        let done = work(&mut Call {
            service,
            operation,
            input,
            account,
            region,
            now: scope.now,
            time_scale: self.options.time_scale,
            durations: &self.options.durations,
            store: &store,
            dir: &self.dir,
            vault: &self.vault,
        });
        self.steps.fetch_add(scope.steps.get(), Ordering::Relaxed);
        done
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
