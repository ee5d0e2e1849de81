//! A task begins: its interface, its time line, and how its start ends.

use std::time::Duration;

use serde_json::Value;

use super::super::super::answers::hex;
use super::super::super::call::{Call, Fault};
use super::super::super::interfaces::InterfaceSpec;
use super::super::super::tags::Tags;
use super::super::super::{durations, interfaces, tags};
use super::super::definition::Definition;
use super::super::start::Start;
use super::super::{invalid, start};
use super::{Attached, Container, Stop, Task, save, span};

/// What a new task is made of.
pub struct Spec<'a> {
    pub cluster: &'a str,
    pub definition: &'a Definition,
    /// `awsvpcConfiguration`.
    pub network: &'a Value,
    pub service: Option<&'a str>,
    pub rollout: Option<&'a str>,
    pub started_by: Option<&'a str>,
    pub group: String,
    pub exec: bool,
    pub capacity_provider: Option<String>,
    pub overrides: Value,
    pub tags: Tags,
    /// Which of the subnets: tasks are spread over them.
    pub place: usize,
    pub at: i64,
}

/// `ClientException` when ECS cannot take its roles: then there is no task.
pub fn start(call: &Call<'_>, spec: Spec<'_>) -> Result<Task, Fault> {
    start::check_roles(call, spec.definition, &spec.overrides)?;
    let id = hex(32);
    let arn = call.arn("ecs", &format!("task/{}/{id}", spec.cluster));
    let subnets: Vec<&str> = spec.network["subnets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let subnet = subnets
        .get(spec.place % subnets.len().max(1))
        .copied()
        .unwrap_or_default();
    let groups: Vec<String> = spec.network["securityGroups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let attachment = uuid::Uuid::new_v4().to_string();
    let description = call.arn("ecs", &format!("attachment/{attachment}"));
    let wanted = InterfaceSpec {
        subnet,
        groups: &groups,
        description: &description,
        owner: &arn,
    };
    let mut interface = match spec.network["assignPublicIp"].as_str() {
        Some("ENABLED") => interfaces::attach_public(call, wanted),
        _ => interfaces::attach(call, wanted),
    }
    .map_err(|fault| invalid(&fault.message))?;
    let pulls = spec.at + span(call, call.usual(durations::TASK_PROVISION));
    let start = start::attempt(call, spec.definition, &spec.overrides, &id, &interface, pulls)?;
    let (failure, digests, takes) = match start {
        Start::Runs(digests) => (None, digests, call.usual(durations::TASK_PULL)),
        Start::Fails { reason, after } => (Some(reason), Vec::new(), after),
    };
    let runs = pulls + span(call, takes);
    let stop = failure.clone().map(|reason| Stop {
        asked: runs,
        done: runs,
        code: "TaskFailedToStart".to_owned(),
        reason,
    });
    if let Some(stop) = &stop {
        interface.gone_at = Some(stop.done);
        interfaces::save(call, &interface)?;
    }
    let containers = spec
        .definition
        .containers()
        .iter()
        .enumerate()
        .map(|(place, container)| Container {
            name: container["name"].as_str().unwrap_or_default().to_owned(),
            image: container["image"].as_str().unwrap_or_default().to_owned(),
            digest: digests.get(place).cloned().flatten(),
            essential: container["essential"].as_bool().unwrap_or(true),
            healthy: check(container).map(|first| runs + span(call, first)),
            runtime: format!("{id}-{:010}", rand::random::<u32>()),
        });
    let task = Task {
        cluster: spec.cluster.to_owned(),
        service: spec.service.map(str::to_owned),
        rollout: spec.rollout.map(str::to_owned),
        definition: spec.definition.arn.clone(),
        created: spec.at,
        pulls,
        runs,
        failure,
        counted: false,
        announced: false,
        stop,
        interface: Attached {
            eni: interface.id,
            attachment,
            subnet: interface.subnet,
            zone: interface.zone,
            address: interface.private_ip.to_string(),
            mac: interface.mac,
        },
        containers: containers.collect(),
        started_by: spec.started_by.map(str::to_owned),
        group: spec.group,
        exec: spec.exec,
        capacity_provider: spec.capacity_provider,
        overrides: spec.overrides,
        cpu: spec.definition.text("cpu").to_owned(),
        memory: spec.definition.text("memory").to_owned(),
        id,
        arn,
    };
    save(call, &task)?;
    tags::put(call, &task.arn, &spec.tags)?;
    Ok(task)
}

/// When a container's own health check has passed for the first time: one interval after its start, as the simulated
/// container passes every one. `None`: it has no check.
fn check(container: &Value) -> Option<Duration> {
    let check = container["healthCheck"].as_object()?;
    let interval = check.get("interval").and_then(Value::as_u64).unwrap_or(30);
    Some(Duration::from_secs(interval))
}
