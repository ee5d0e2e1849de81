//! Tasks: time lines from PROVISIONING over PENDING and RUNNING to STOPPED.

mod begin;
mod describe;
mod run;
mod stop;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::call::{Call, Fault};
use super::super::elb::target_group::{self, Closed};
use super::super::{durations, ec2, interfaces, tags};
use super::{definition, invalid, start};

pub use begin::{Spec, start};
pub use describe::{describe, list};
pub use run::run;
pub use stop::stop_one;

const KIND: &str = "ecs/task";

#[derive(Clone, Serialize, Deserialize)]
pub struct Task {
    pub id: String,
    pub arn: String,
    pub cluster: String,
    pub service: Option<String>,
    /// The id of the service's deployment that started it.
    pub rollout: Option<String>,
    pub definition: String,
    pub created: i64,
    /// When PENDING begins.
    pulls: i64,
    /// When RUNNING begins, unless the start fails at that moment.
    pub runs: i64,
    pub failure: Option<String>,
    /// Whether the scheduler has seen the failure.
    pub counted: bool,
    /// Whether the scheduler has registered it as a target and written its first log lines.
    pub announced: bool,
    pub stop: Option<Stop>,
    interface: Attached,
    containers: Vec<Container>,
    started_by: Option<String>,
    group: String,
    exec: bool,
    capacity_provider: Option<String>,
    overrides: Value,
    cpu: String,
    memory: String,
}

/// Asked for, and how it ends.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stop {
    pub asked: i64,
    /// When it is STOPPED: targets are drained first, then the containers are told.
    pub done: i64,
    code: String,
    reason: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Attached {
    eni: String,
    attachment: String,
    subnet: String,
    pub zone: String,
    pub address: String,
    mac: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Container {
    name: String,
    image: String,
    digest: Option<String>,
    runtime: String,
    #[serde(default)]
    essential: bool,
    /// When its own health check has passed; `None`: it has none.
    #[serde(default)]
    healthy: Option<i64>,
}

impl Container {
    /// Only an essential container's health is the task's.
    fn fit(&self, at: i64) -> bool {
        !self.essential || self.healthy.is_none_or(|moment| moment <= at)
    }
}

/// How long something takes here.
pub fn span(call: &Call<'_>, real: std::time::Duration) -> i64 {
    call.after(real) - call.now
}

impl Task {
    /// Registers it as a target, once it runs.
    pub fn announce(&mut self, call: &Call<'_>, load_balancers: &Value) -> Result<usize, Fault> {
        let ports = ports(load_balancers);
        for (group, port) in &ports {
            target_group::register(
                call,
                group,
                &self.interface.address,
                *port,
                &self.interface.zone,
                self.runs,
            )?;
        }
        if let Some(definition) = definition::find(call, &self.definition)? {
            start::write_logs(call, &definition, &self.id, self.runs)?;
        }
        self.announced = true;
        save(call, self)?;
        Ok(ports.len())
    }

    /// Whether it is fit at a moment: it runs, its containers' own checks have passed, and so have those of its targets.
    pub fn fit(&self, call: &Call<'_>, load_balancers: &Value, at: i64) -> Result<bool, Fault> {
        if self.failure.is_some() || !self.announced || self.runs > at {
            return Ok(false);
        }
        if self.containers.iter().any(|container| !container.fit(at)) {
            return Ok(false);
        }
        for (group, port) in ports(load_balancers) {
            let turns = target_group::turns(call, &group, &self.interface.address, port)?;
            if !turns.is_some_and(|turns| turns.is_healthy(at)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The target group that finds it unhealthy at a moment, with its port and the reason. During the grace period, in
    /// milliseconds, ECS does not look.
    pub fn sick(
        &self,
        call: &Call<'_>,
        load_balancers: &Value,
        at: i64,
        grace: i64,
    ) -> Result<Option<(String, i64, Closed)>, Fault> {
        if !self.announced || at < self.runs + grace {
            return Ok(None);
        }
        for (group, port) in ports(load_balancers) {
            let turns = target_group::turns(call, &group, &self.interface.address, port)?;
            if let Some(turns) = turns.filter(|turns| turns.is_unhealthy(at)) {
                return Ok(Some((group, port, turns.closed)));
            }
        }
        Ok(None)
    }

    /// The moments at which its health turns.
    pub fn moments(&self, call: &Call<'_>, load_balancers: &Value, grace: i64) -> Result<Vec<i64>, Fault> {
        let mut moments = vec![self.runs, self.runs + grace];
        moments.extend(self.containers.iter().filter_map(|container| container.healthy));
        for (group, port) in ports(load_balancers) {
            if let Some(turns) = target_group::turns(call, &group, &self.interface.address, port)? {
                moments.push(turns.healthy);
                moments.extend(turns.unhealthy);
            }
        }
        Ok(moments)
    }

    pub fn stopped(&self, now: i64) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.done <= now)
    }

    /// Neither stopped nor asked to stop.
    pub fn active(&self, now: i64) -> bool {
        self.stop.as_ref().is_none_or(|stop| stop.asked > now)
    }

    pub fn status(&self, now: i64) -> &'static str {
        match &self.stop {
            Some(stop) if stop.done <= now => "STOPPED",
            Some(stop) if stop.asked <= now => "DEACTIVATING",
            _ if self.runs <= now => "RUNNING",
            _ if self.pulls <= now => "PENDING",
            _ => "PROVISIONING",
        }
    }
}

/// The target groups of a service with their container ports.
fn ports(load_balancers: &Value) -> Vec<(String, i64)> {
    let entries = load_balancers.as_array().into_iter().flatten();
    entries
        .filter_map(|entry| {
            Some((
                entry["targetGroupArn"].as_str()?.to_owned(),
                entry["containerPort"].as_i64()?,
            ))
        })
        .collect()
}

pub fn find(call: &Call<'_>, key: &str) -> Result<Option<Task>, Fault> {
    call.store.get(KIND, key)
}

/// The tasks of a cluster, in the order of their start.
pub fn of(call: &Call<'_>, cluster: &str) -> Result<Vec<Task>, Fault> {
    call.store.children(KIND, cluster)
}

/// The tasks of a service, in the order of their start.
pub fn of_service(call: &Call<'_>, cluster: &str, service: &str) -> Result<Vec<Task>, Fault> {
    call.store.linked(KIND, &format!("{cluster}/{service}"))
}

/// The tasks to which something happened outside of a service's schedule.
pub fn due(call: &Call<'_>) -> Result<Vec<Task>, Fault> {
    call.store.due(KIND)
}

/// Keeps a changed task, and has the scheduler look at its service.
pub fn save(call: &Call<'_>, task: &Task) -> Result<(), Fault> {
    // A stopped task is described for an hour.
    let forgotten = task
        .stop
        .as_ref()
        .map(|stop| stop.done + durations::TASK_REMEMBERED.time.as_millis() as i64 + 1);
    let announced = (task.service.is_none() && !task.announced && task.failure.is_none()).then_some(task.runs);
    let service = task
        .service
        .as_ref()
        .map(|service| format!("{}/{service}", task.cluster));
    let links: Vec<String> = service.iter().cloned().collect();
    call.store
        .entry(KIND, &key_of(task))
        .parent(&task.cluster)
        .due(forgotten.into_iter().chain(announced).min())
        .links(&links)
        .put(task)?;
    match service {
        Some(service) => call.store.wake_document("ecs/service", &service),
        None => Ok(()),
    }
}

pub fn forget(call: &Call<'_>, task: &Task) -> Result<(), Fault> {
    call.store.delete(KIND, &key_of(task))?;
    interfaces::release(call, &task.arn)?;
    tags::clear(call, &task.arn)
}

fn key_of(task: &Task) -> String {
    format!("{}/{}", task.cluster, task.id)
}

/// Refuses a network configuration that names what is not there, before anything starts.
pub fn check_subnets(call: &Call<'_>, network: &Value) -> Result<(), Fault> {
    for id in network["subnets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        ec2::subnet::get(call, id).map_err(|_| {
            invalid(&format!("Error retrieving subnet information for [{id}]: The subnet ID '{id}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"))
        })?;
    }
    for id in network["securityGroups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        ec2::security_group::get(call, id).map_err(|_| {
            invalid(&format!("Error retrieving security group information for [{id}]: The security group '{id}' does not exist (ErrorCode: InvalidGroup.NotFound)"))
        })?;
    }
    Ok(())
}
