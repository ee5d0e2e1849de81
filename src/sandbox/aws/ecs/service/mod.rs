//! Services: what shall run. [`super::scheduler`] makes it so.

mod check;
mod create;
mod delete;
mod describe;
mod update;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::answers::random;
use super::super::call::{Call, Fault};
use super::super::tags;
use super::definition::Definition;
use super::{deployment, task};

pub use check::{network, strategy};
pub use create::create;
pub use delete::delete;
pub use describe::{describe, list};
pub use update::update;

const KIND: &str = "ecs/service";

/// "The event stream for your service. A maximum of 100 of the latest events are displayed."
const EVENTS: usize = 100;

/// What a call sets and an answer repeats.
const MEMBERS: &[&str] = &[
    "loadBalancers",
    "serviceRegistries",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "deploymentConfiguration",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "schedulingStrategy",
    "deploymentController",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
];

#[derive(Clone, Serialize, Deserialize)]
pub struct Service {
    pub name: String,
    pub arn: String,
    pub cluster: String,
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub status: String,
    pub desired: i64,
    pub definition: String,
    created: i64,
    token: Option<String>,
    pub members: Map<String, Value>,
    /// The first one is the PRIMARY.
    pub rollouts: Vec<Rollout>,
    /// The service deployment in progress.
    pub deployment: Option<String>,
    /// The revision that was rolled out last with success: what a rollback goes back to.
    pub good: Option<String>,
    pub events: Vec<Event>,
    /// Up to when the scheduler has replayed.
    pub settled: i64,
    /// No task starts before: the throttle after failed ones.
    pub retry: i64,
    pub steady: bool,
}

/// What `DescribeServices` calls a deployment.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rollout {
    pub id: String,
    pub definition: String,
    pub revision: String,
    pub created: i64,
    pub updated: i64,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub state: String,
    pub reason: String,
    pub failed: u32,
    network: Value,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Event {
    id: String,
    at: i64,
    message: String,
}

impl Service {
    /// Begins a deployment of a definition; what was in progress is stopped by it.
    pub fn roll_out(&mut self, call: &Call<'_>, definition: &Definition, at: i64) -> Result<(), Fault> {
        if let Some(mut running) = self
            .deployment
            .take()
            .map(|arn| deployment::find(call, &arn))
            .transpose()?
            .flatten()
        {
            running.finish(
                call,
                "STOPPED",
                Some("Service deployment stopped because a newer one started."),
                at,
            )?;
        }
        let source = self.rollouts.first().map(|rollout| rollout.revision.clone());
        let revision = deployment::create_revision(call, self, definition, at)?;
        self.deployment = Some(deployment::create(call, self, source, &revision, at)?);
        self.begin(definition.arn.clone(), revision, at);
        Ok(())
    }

    /// Puts a new PRIMARY before the others.
    pub fn begin(&mut self, definition: String, revision: String, at: i64) {
        let id = format!("ecs-svc/{}", random(19, b"123456789"));
        let reason = format!("ECS deployment {id} in progress.");
        let network = self.members.get("networkConfiguration").cloned().unwrap_or_default();
        let state = "IN_PROGRESS".to_owned();
        self.rollouts.insert(
            0,
            Rollout {
                id,
                definition,
                revision,
                created: at,
                updated: at,
                state,
                reason,
                failed: 0,
                network,
            },
        );
        self.retry = at;
        self.steady = false;
    }

    pub fn say(&mut self, at: i64, message: &str) {
        let message = format!("(service {}) {message}", self.name);
        self.events.insert(
            0,
            Event {
                id: uuid::Uuid::new_v4().to_string(),
                at,
                message,
            },
        );
        self.events.truncate(EVENTS);
    }

    /// How long after a task's start the load balancer's checks do not count, in milliseconds.
    pub fn grace(&self, call: &Call<'_>) -> i64 {
        let seconds = self
            .members
            .get("healthCheckGracePeriodSeconds")
            .and_then(Value::as_u64);
        task::span(call, Duration::from_secs(seconds.unwrap_or_default()))
    }

    /// The capacity provider of the n-th task. `None`: the service names a launch type.
    pub fn provider(&self, place: usize) -> Option<String> {
        share(self.members.get("capacityProviderStrategy")?.as_array()?, place)
    }

    pub fn load_balancers(&self) -> Value {
        self.members.get("loadBalancers").cloned().unwrap_or_default()
    }
}

/// The capacity provider of the n-th task by a strategy: bases first, then by weights. `None`: the strategy is empty.
pub fn share(strategy: &[Value], place: usize) -> Option<String> {
    let counts = |member: &str| {
        let of = |item: &Value| usize::try_from(item[member].as_u64().unwrap_or_default()).unwrap_or_default();
        strategy.iter().map(of).collect::<Vec<_>>()
    };
    let bases = counts("base");
    let base: usize = bases.iter().sum();
    let (counts, place) = if place < base {
        (bases, place)
    } else {
        let weights = counts("weight");
        let all: usize = weights.iter().sum();
        (weights, (place - base) % all.max(1))
    };
    let mut before = 0;
    let item = counts.iter().position(|count| {
        before += count;
        place < before
    });
    strategy.get(item.unwrap_or_default())?["capacityProvider"]
        .as_str()
        .map(str::to_owned)
}

/// By `cluster/name`.
pub fn find(call: &Call<'_>, key: &str) -> Result<Option<Service>, Fault> {
    call.store.get(KIND, key)
}

/// A service that is not INACTIVE.
pub fn existing_named(call: &Call<'_>, cluster: &str, name: &str) -> Result<Service, Fault> {
    find(call, &format!("{cluster}/{name}"))?
        .filter(|service| service.status != "INACTIVE")
        .ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))
}

pub fn of(call: &Call<'_>, cluster: &str) -> Result<Vec<Service>, Fault> {
    call.store.children(KIND, cluster)
}

/// The services that the scheduler has to look at.
pub fn due(call: &Call<'_>) -> Result<Vec<Service>, Fault> {
    call.store.due(KIND)
}

/// Keeps a changed service, at which the scheduler looks next.
pub fn save(call: &Call<'_>, service: &Service) -> Result<(), Fault> {
    // A call changes what is settled up to its moment.
    let mut service = service.clone();
    service.settled = call.now;
    rest(call, &service, (service.status != "INACTIVE").then_some(call.now))
}

/// Keeps a service, at which the scheduler looks at that moment, or when something that it depends on changes.
pub fn rest(call: &Call<'_>, service: &Service, until: Option<i64>) -> Result<(), Fault> {
    let groups = service.load_balancers();
    let groups = groups.as_array().into_iter().flatten();
    let links: Vec<String> = groups
        .filter_map(|entry| entry["targetGroupArn"].as_str())
        .map(str::to_owned)
        .collect();
    call.store
        .entry(KIND, &key_of(service))
        .parent(&service.cluster)
        .due(until)
        .links(&links)
        .put(service)
}

/// The names of the services behind a target group.
pub fn behind(call: &Call<'_>, target_group: &str) -> Result<Vec<String>, Fault> {
    let services: Vec<Service> = call.store.linked(KIND, target_group)?;
    Ok(services.into_iter().map(|service| service.name).collect())
}

/// Has the scheduler look at what stands behind a target group.
pub fn wake(call: &Call<'_>, target_group: &str) -> Result<(), Fault> {
    call.store.wake(KIND, target_group)
}

/// Forgets what is inactive or stopped in a cluster.
pub fn forget(call: &Call<'_>, cluster: &str) -> Result<(), Fault> {
    for service in of(call, cluster)? {
        deployment::forget(call, &service.arn)?;
        tags::clear(call, &service.arn)?;
        call.store.delete(KIND, &key_of(&service))?;
    }
    for task in task::of(call, cluster)? {
        task::forget(call, &task)?;
    }
    Ok(())
}

fn key_of(service: &Service) -> String {
    format!("{}/{}", service.cluster, service.name)
}
