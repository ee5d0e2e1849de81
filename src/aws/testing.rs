//! What the tests of the kinds share: an engine with every kind, on a server of AWS's interfaces.
//!
//! A scenario is written once, as a function of a [`World`], and runs against each peer that can play it. Tests on a
//! moto server start one, and say so when there is none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::resource::cancel::Cancel;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

#[path = "../../tests/it/peer.rs"]
mod peer;

use self::peer::Moto;
use super::Aws;
use super::calls::Calls;
use crate::error::{Error, Result};
use crate::resource::destroy::{self, DestroyOptions};
use crate::resource::journal::Journal;
use crate::resource::lease::{Holder, LeaseOptions, Timings};
use crate::resource::progress::Progress;
use crate::resource::wait::{Limits, Pace};
use crate::resource::{Engine, EngineOptions, Lease, Mode, Origin, Outcome, Scope};
use crate::sandbox::{self, Sandbox};
use crate::value::{Map, Value};

/// Keeps what a person would be told.
#[derive(Default)]
pub struct Told(Mutex<Vec<String>>);

impl Told {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Told {
    fn started(&self, _: &str) {}
    fn waiting(&self, _: &str, _: &str) {}
    fn finished(&self, _: &str, _: &str, _: Duration, _: bool) {}
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn suspend(&self, f: &mut dyn FnMut()) {
        f();
    }
}

/// An environment of its own on some peer.
pub struct World {
    pub aws: Aws,
    pub calls: Calls,
    config: aws_config::SdkConfig,
    pub scope: Scope,
    pub told: Arc<Told>,
    /// Names that may be replaced.
    pub replaceable: Vec<String>,
    /// Names whose data may go.
    pub data_may_go: Vec<String>,
    pub purge_secrets: bool,
    pub limit: Duration,
    /// With which times runs take leases; without them they take none.
    pub leases: Option<Timings>,
    sandbox: Option<Sandbox>,
    /// The sandbox's folder, for as long as the world lasts.
    _folder: Option<tempfile::TempDir>,
    /// The moto server, likewise.
    _peer: Option<Moto>,
}

impl World {
    /// An embedded AWS of its own.
    pub fn sandbox() -> Self {
        Self::sandbox_with(sandbox::Options::default())
    }

    /// One in which nothing takes time.
    pub fn sandbox_at_once() -> Self {
        Self::sandbox_with(sandbox::Options {
            time_scale: 0,
            ..sandbox::Options::default()
        })
    }

    /// How many calls so far were no reads.
    pub fn writes(&self) -> u64 {
        let counts = self.calls.counts();
        let writes = counts
            .iter()
            .filter(|(action, _)| !super::reads::is_read_action(action));
        writes.map(|(_, count)| count).sum()
    }

    fn sandbox_with(options: sandbox::Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(folder.path(), options).unwrap();
        let config = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .http_client(sandbox.http_client())
            .retry_config(super::queue::retries(Duration::from_millis(20)))
            .build();
        let calls = Calls::default();
        Self {
            aws: Aws::new(&config, sandbox::ACCOUNT, true, calls.clone(), Mode::Apply),
            calls,
            config: config.clone(),
            scope: Scope::new("shop", "dev").unwrap(),
            told: Arc::default(),
            replaceable: Vec::new(),
            data_may_go: Vec::new(),
            purge_secrets: false,
            limit: Duration::from_secs(20),
            leases: None,
            sandbox: Some(sandbox),
            _folder: Some(folder),
            _peer: None,
        }
    }

    /// A moto server of its own. `None` after saying that the test was skipped.
    pub async fn moto(test: &str) -> Option<Self> {
        let peer = Moto::start(test)?;
        let endpoint = format!("http://127.0.0.1:{}", peer.port);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::for_tests())
            .load()
            .await;
        let calls = Calls::default();
        let aws = Aws::new(&config, "123456789012", false, calls.clone(), Mode::Apply);
        let project = format!("t{}", &uuid::Uuid::new_v4().simple().to_string()[..6]);
        Some(Self {
            aws,
            calls,
            config: config.clone(),
            scope: Scope::new(project, "dev").unwrap(),
            told: Arc::default(),
            replaceable: Vec::new(),
            data_may_go: Vec::new(),
            purge_secrets: false,
            limit: Duration::from_secs(20),
            leases: None,
            sandbox: None,
            _folder: None,
            _peer: Some(peer),
        })
    }

    /// Something that goes wrong on purpose.
    pub fn rule(&self, rule: sandbox::aws::rules::Rule) {
        self.sandbox.as_ref().unwrap().aws().rules().add(rule).unwrap();
    }

    /// A lease as a run of the program has it, of a process of its own.
    fn lease(&self) -> Lease {
        let Some(timings) = self.leases else {
            return Lease::none();
        };
        Lease::new(LeaseOptions {
            environment: format!("{}/{}", self.scope.project, self.scope.environment),
            store: Arc::new(super::ssm::lease::Leases::new(&self.aws, &self.scope)),
            holder: Holder {
                // Another machine: nobody knows whether it lives.
                machine: String::new(),
                ..Holder::here("anna", "a run")
            },
            timings,
            cancel: Cancel::new(),
            progress: self.told.clone(),
        })
    }

    /// The clients of a plan.
    pub fn planning(&self) -> Aws {
        let is_sandbox = self.aws.is_sandbox;
        Aws::new(
            &self.config,
            &self.aws.account,
            is_sandbox,
            self.calls.clone(),
            Mode::Plan,
        )
    }

    /// One run's engine.
    pub fn engine(&self) -> Engine {
        self.engine_in(Mode::Apply)
    }

    /// The engine of a run or of a plan.
    pub fn engine_in(&self, mode: Mode) -> Engine {
        match mode {
            Mode::Apply => self.engine_on(&self.aws, mode),
            Mode::Plan => self.engine_on(&self.planning(), mode),
        }
    }

    /// The engine of a run with clients of its own, as another process has them.
    pub fn engine_on(&self, aws: &Aws, mode: Mode) -> Engine {
        Engine::new(EngineOptions {
            mode,
            expect: None,
            kinds: super::kinds(aws),
            verbs: super::verbs(aws),
            scope: self.scope.clone(),
            pace: Pace::SANDBOX,
            limits: Limits {
                create: Some(self.limit),
                delete: Some(self.limit),
                ..Limits::default()
            },
            progress: self.told.clone(),
            journal: Journal::none(),
            gate: None,
            sweep: Some({
                let aws = self.aws.clone();
                Arc::new(move |scope, known| {
                    let aws = aws.clone();
                    Box::pin(async move { super::sweep::sweep(&aws, &scope, &known).await })
                })
            }),
            census: None,
            runtime: tokio::runtime::Handle::current(),
            cancel: Cancel::new(),
            allow_replace: self.replaceable.iter().cloned().collect(),
            with_data: self.data_may_go.iter().cloned().collect(),
            purge_secrets: self.purge_secrets,
            refusal: None,
            lease: self.lease(),
        })
    }

    /// A run that ensures one resource: what happened to it, and its outputs.
    pub async fn ensure(&self, kind: &str, options: Map) -> Result<(Outcome, Map)> {
        let engine = self.engine();
        let handle = engine.ensure(kind, Value::Map(options), Origin::default())?;
        engine.finish(engine.settle().await).await?;
        let outputs = handle.promise.wait().await?.as_ref().clone();
        let report = engine.report();
        let record = report.records.first().ok_or_else(|| Error::failed("no record"))?;
        Ok((record.outcome.clone(), outputs))
    }

    /// Calls a verb by its full name: `ecs::scale`.
    pub async fn call(&self, verb: &str, args: Vec<Value>) -> Result<Value> {
        let engine = self.engine();
        let known = engine
            .verbs()
            .iter()
            .find(|known| format!("{}::{}", known.module, known.name) == verb);
        let verb = known.unwrap_or_else(|| panic!("there is no verb {verb}")).clone();
        let cx = crate::resource::VerbContext {
            engine,
            origin: Origin::default(),
        };
        let engine = cx.engine.clone();
        engine.finish((verb.run)(cx, args).await).await
    }

    /// A run that destroys what is named; empty for everything.
    pub async fn destroy(&self, only: &[&str]) -> Result<()> {
        let engine = self.engine();
        let options = DestroyOptions {
            only: only.iter().map(|only| (*only).to_owned()).collect(),
        };
        let plan = destroy::plan(&engine, &options).await?;
        engine.finish(destroy::destroy(&engine, plan).await).await
    }

    /// The subnets that [`World::network`] made.
    pub async fn subnets(&self) -> Vec<String> {
        let call = self.aws.ec2.describe_subnets();
        let zones = aws_sdk_ec2::types::Filter::builder().name("cidr-block");
        let call = call.filters(zones.values("10.0.1.0/24").values("10.0.2.0/24").build());
        let answer = call.send().await.unwrap();
        let ids = answer
            .subnets()
            .iter()
            .map(|subnet| subnet.subnet_id().unwrap().to_owned());
        ids.collect()
    }

    /// The master password of the sandbox's database server with that host name.
    pub fn database_at(&self, host: &str) -> crate::secret::Secret {
        let sandbox = self.sandbox.as_ref().unwrap();
        sandbox.database_at(host).unwrap().unwrap().password
    }

    /// How many of a kind there are.
    pub async fn count(&self, kind: &str) -> usize {
        self.engine().list(kind).await.unwrap().len()
    }

    /// A VPC that leads to the internet, with two subnets in two zones and a security group, made past the kinds: VPC,
    /// subnets, group.
    pub async fn network(&self) -> (String, Vec<String>, String) {
        let ec2 = &self.aws.ec2;
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
        let vpc = vpc.vpc().unwrap().vpc_id().unwrap().to_owned();
        let gateway = ec2.create_internet_gateway().send().await.unwrap();
        let gateway = gateway.internet_gateway().unwrap().internet_gateway_id().unwrap();
        let attach = ec2.attach_internet_gateway().internet_gateway_id(gateway).vpc_id(&vpc);
        attach.send().await.unwrap();
        let of_vpc = aws_sdk_ec2::types::Filter::builder()
            .name("vpc-id")
            .values(&vpc)
            .build();
        let tables = ec2.describe_route_tables().filters(of_vpc).send().await.unwrap();
        let route = ec2
            .create_route()
            .route_table_id(tables.route_tables()[0].route_table_id().unwrap())
            .destination_cidr_block("0.0.0.0/0")
            .gateway_id(gateway);
        route.send().await.unwrap();
        let mut subnets = Vec::new();
        for (block, zone) in [("10.0.1.0/24", "eu-west-1a"), ("10.0.2.0/24", "eu-west-1b")] {
            let call = ec2
                .create_subnet()
                .vpc_id(&vpc)
                .cidr_block(block)
                .availability_zone(zone);
            let subnet = call.send().await.unwrap();
            subnets.push(subnet.subnet().unwrap().subnet_id().unwrap().to_owned());
        }
        let group = ec2
            .create_security_group()
            .vpc_id(&vpc)
            .group_name("test")
            .description("test");
        let group = group.send().await.unwrap().group_id().unwrap().to_owned();
        (vpc, subnets, group)
    }
}
