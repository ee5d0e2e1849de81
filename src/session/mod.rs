//! One run: the environment, its clients, and the engine that they make.
//!
//! This is the only place that knows whether a client talks to AWS, to a SQL Server, or to the sandbox. Everything else
//! gets a client and cannot tell.

mod cloud;
pub mod conformance;
mod database;
mod expiry;
mod facts;
mod folder;
pub mod isolated;
mod policy;
mod repository;
mod sandbox;
mod scope;
pub mod serve;
mod tags;
mod variables;
mod verbs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::resource::cancel::Cancel;
use jiff::Timestamp;

use crate::aws;
use crate::aws::calls::Calls;
use crate::cli;
use crate::environment::{self, Environment, Wait};
use crate::error::{Error, Result};
use crate::identity;
use crate::mssql;
use crate::resource::journal::Journal;
use crate::resource::lease::{Holder, LeaseOptions, Timings};
use crate::resource::plan::{Ask, Expectation, PlanDocument};
use crate::resource::progress::Progress;
use crate::resource::tags::CREATED_BY;
use crate::resource::wait::{Limits, Pace};
use crate::resource::{Engine, EngineOptions, Lease, Mode, Verb};
use crate::sandbox::{Clock, Options, Sandbox};

pub use facts::facts;
pub use policy::policies;
pub use sandbox::row as rule_row;
pub use variables::{Purpose, Variables};

/// The folder below the root that a run leaves behind for people: journal and history.
pub const RUN_FOLDER: &str = ".iacsh";

/// What a run works with. See the module's page.
pub struct Session {
    pub environment: Arc<Environment>,
    pub engine: Engine,
    pub variables: Variables,
    pub calls: Calls,
}

impl Session {
    /// Opens the clients. Nothing is called yet: credentials and account are checked before the first call. `ask` is asked
    /// in a run that is held to a plan, for what the plan could not see.
    pub async fn open(
        environment: Environment,
        options: &cli::Options,
        progress: Arc<dyn Progress>,
        cancel: Cancel,
        more: Vec<Verb>,
        ask: Ask,
    ) -> Result<Self> {
        let place = Place::of(&environment.root);
        Self::open_at(&place, environment, options, progress, cancel, more, ask).await
    }

    async fn open_at(
        place: &Place,
        environment: Environment,
        options: &cli::Options,
        progress: Arc<dyn Progress>,
        cancel: Cancel,
        more: Vec<Verb>,
        ask: Ask,
    ) -> Result<Self> {
        let environment = Arc::new(environment);
        let sandbox = open_sandbox(&environment, place)?;
        // Whose AWS the environment has; its SQL Server can be the sandbox's without that.
        let cloud_of = sandbox.as_ref().filter(|_| environment.aws.is_sandbox());
        let variables = Variables::new(&environment, sandbox.as_ref());
        let started = Timestamp::now();
        let run = format!("{}-{}", started.strftime("%Y%m%dT%H%M%S"), std::process::id());
        let journal = Journal::open(&place.runs, &run).unwrap_or_else(|error| {
            progress.warn(&format!("the journal cannot be written: {error}"));
            Journal::none()
        });
        let calls = Calls::new(journal.clone());
        let mode = match options.plan {
            true => Mode::Plan,
            false => Mode::Apply,
        };
        let cloud = cloud::open(&environment, sandbox.as_ref(), calls.clone(), &journal, mode).await?;
        let database = database::setup(&environment, sandbox.as_ref(), &variables, &cloud.aws, mode);

        let mut verbs = more;
        verbs.extend(self::verbs::all());
        verbs.extend(self::tags::all());
        verbs.extend(self::expiry::all(&environment, &cloud.aws));
        verbs.extend(self::sandbox::all(cloud_of));
        verbs.extend(aws::verbs(&cloud.aws));
        verbs.extend(mssql::verbs::verbs(&database));
        verbs.extend(identity::verbs::verbs(&identity::verbs::Setup {
            database: database.clone(),
            variables: {
                let (variables, generate) = (variables.clone(), environment.is_database_embedded());
                Arc::new(move |name: &str| variables.get(name, Purpose::Secret, generate))
            },
        }));

        let scope = scope::of(&environment, started)?;
        let expect = options
            .expect
            .as_ref()
            .map(|file| Expectation::new(PlanDocument::read(file)?, &file.display().to_string(), &scope, ask))
            .transpose()?;
        let names = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        let preflight = policy::preflight(&environment, &cloud.aws, progress.clone());
        let by = scope.volatile.get(CREATED_BY).map_or("unknown", String::as_str);
        let lease = Lease::new(LeaseOptions {
            environment: format!("{}/{}", scope.project, scope.environment),
            store: Arc::new(aws::ssm::lease::Leases::new(&cloud.aws, &scope)),
            holder: Holder::here(by, &run),
            timings: timings(&environment),
            cancel: cancel.clone(),
            progress: progress.clone(),
        });
        cloud.aws.write_under(&lease);
        let engine = Engine::new(EngineOptions {
            mode,
            expect: expect.map(Arc::new),
            kinds: aws::kinds(&cloud.aws),
            verbs,
            scope,
            pace: if environment.aws.is_sandbox() && place.clock.is_none() {
                Pace::SANDBOX
            } else {
                Pace::AWS
            },
            limits: limits(&environment),
            progress,
            journal,
            gate: Some(cloud.gate),
            sweep: Some(cloud.sweep),
            census: Some(cloud.census),
            runtime: tokio::runtime::Handle::current(),
            cancel,
            allow_replace: names(&options.allow_replace),
            with_data: names(&options.with_data),
            purge_secrets: options.purge_secrets,
            refusal: refusal(&environment, options),
            lease,
        });
        for label in environment.adopt.keys() {
            engine
                .kind(label.split('/').next().unwrap_or_default())
                .map_err(|error| error.context(format!("environments/{}.toml, [adopt]", environment.name)))?;
        }
        engine.set_preflight(preflight);
        Ok(Self {
            environment,
            engine,
            variables,
            calls,
        })
    }
}

/// Where a run keeps what it keeps on this machine, and whose time the sandbox has.
struct Place {
    sandbox: PathBuf,
    runs: PathBuf,
    /// In the place of the environment's clock, with AWS's own durations.
    clock: Option<Clock>,
}

impl Place {
    /// The project's.
    fn of(root: &Path) -> Self {
        Self {
            sandbox: sandbox_folder(root),
            runs: root.join(RUN_FOLDER),
            clock: None,
        }
    }
}

/// The sandbox, where the environment uses one.
fn open_sandbox(environment: &Environment, place: &Place) -> Result<Option<Sandbox>> {
    if !environment.aws.is_sandbox() && !environment.database.is_sandbox() {
        return Ok(None);
    }
    let options = Options {
        account: serve::account(environment),
        time_scale: match place.clock {
            Some(_) => 1,
            None => environment.sandbox.time_scale,
        },
        clock: match (&place.clock, environment.sandbox.clock) {
            (Some(clock), _) => clock.clone(),
            (None, environment::Clock::System) => Clock::System,
            (None, environment::Clock::Virtual) => Clock::Virtual,
        },
        durations: sandbox::durations(environment)?,
    };
    let opened = Sandbox::open(&place.sandbox, options)?;
    if environment.aws.is_sandbox() {
        let source = format!("environments/{}.toml", environment.name);
        let rules = environment.sandbox.rules.iter().enumerate().map(|(place, rule)| {
            let place = format!("{source}, rule {} of [[sandbox.rules]]", place + 1);
            sandbox::rule(rule).map_err(|error| error.context(place))
        });
        opened
            .aws()
            .rules()
            .declare(&source, &rules.collect::<Result<Vec<_>>>()?)?;
    }
    Ok(Some(opened))
}

/// Why nothing may be changed: a protected environment that was not confirmed by its name.
fn refusal(environment: &Environment, options: &cli::Options) -> Option<Error> {
    let name = &environment.name;
    let refused = environment.protect && options.confirm.as_ref() != Some(name);
    refused.then(|| {
        Error::declined(format!("{name} is protected: nothing was changed"))
            .hint(format!("`--confirm {name}` allows it, and `--yes` does not"))
    })
}

/// Where the embedded cloud is kept: `IACSH_SANDBOX`, else `.sandbox` below the root.
pub fn sandbox_folder(root: &Path) -> PathBuf {
    match std::env::var_os("IACSH_SANDBOX").filter(|folder| !folder.is_empty()) {
        Some(folder) => folder.into(),
        None => root.join(".sandbox"),
    }
}

/// The times of the lease. What a listing does not show yet is divided as all times of the sandbox are.
fn timings(environment: &Environment) -> Timings {
    let mut timings = Timings::AWS;
    if environment.aws.is_sandbox() {
        let divided = timings.consistency / environment.sandbox.time_scale.max(1);
        timings.consistency = match environment.sandbox.time_scale {
            0 => SHORTEST_CONSISTENCY,
            _ => divided.max(SHORTEST_CONSISTENCY),
        };
    }
    timings
}

/// What the rule `eventually` is usually given, and a bit more.
const SHORTEST_CONSISTENCY: Duration = Duration::from_millis(500);

fn limits(environment: &Environment) -> Limits {
    let waits = &environment.waits;
    let time = |wait: &Option<Wait>| wait.as_ref().and_then(Wait::parse);
    let kinds = waits
        .kinds
        .iter()
        .filter_map(|(kind, wait)| Some((kind.replace('_', "-"), wait.parse()?)));
    let mut limits = Limits {
        create: time(&waits.resource),
        delete: time(&waits.delete),
        kinds: kinds.collect(),
    };
    if let Some(service) = time(&waits.service) {
        limits.kinds.entry("service".into()).or_insert(service);
    }
    limits
}

/// Deletes everything that the embedded cloud keeps.
pub fn reset_sandbox(root: &Path) -> Result<PathBuf> {
    let folder = sandbox_folder(root);
    Sandbox::reset(&folder).map_err(|error: Error| error.context(folder.display()))?;
    Ok(folder)
}
