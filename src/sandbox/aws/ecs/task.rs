//! Tasks: time lines from PROVISIONING over PENDING and RUNNING to STOPPED.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, hex, only, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::elb::target_group;
use super::super::interfaces::{self, InterfaceSpec};
use super::super::tags::{self, Tags};
use super::super::{durations, ec2};
use super::definition::{self, Definition};
use super::start::{self, Start};
use super::{cluster, includes, invalid, missing, name_in, paged, service, wanted_tags};

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
}

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

/// How long something takes here.
pub fn span(call: &Call<'_>, real: std::time::Duration) -> i64 {
    call.after(real) - call.now
}

pub fn start(call: &Call<'_>, spec: Spec<'_>) -> Result<Task, Fault> {
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
    let pulls = spec.at + span(call, durations::TASK_PROVISION);
    let runs = pulls + span(call, durations::TASK_PULL);
    let (failure, digests) = match start::attempt(call, spec.definition)? {
        Start::Runs(digests) => (None, digests),
        Start::Fails(reason) => (Some(reason), Vec::new()),
    };
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

impl Task {
    /// Asks for the stop at the moment `at`: targets drain first. Asking twice changes nothing.
    pub fn ask_to_stop(
        &mut self,
        call: &Call<'_>,
        load_balancers: &Value,
        at: i64,
        code: &str,
        reason: &str,
    ) -> Result<(), Fault> {
        if self.stop.is_some() {
            return Ok(());
        }
        let mut drained = at;
        for (group, port) in ports(load_balancers) {
            drained = drained.max(target_group::deregister(
                call,
                &group,
                &self.interface.address,
                port,
                at,
            )?);
        }
        let done = drained
            + if at < self.runs {
                0
            } else {
                span(call, durations::TASK_STOP)
            };
        self.stop = Some(Stop {
            asked: at,
            done,
            code: code.to_owned(),
            reason: reason.to_owned(),
        });
        for mut interface in interfaces::of_owner(call, &self.arn)? {
            interface.gone_at = Some(done);
            interfaces::save(call, &interface)?;
        }
        save(call, self)
    }

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

    /// When it counts as healthy: it runs, and its targets have passed their checks.
    pub fn healthy_at(&self, call: &Call<'_>, load_balancers: &Value) -> Result<Option<i64>, Fault> {
        if self.failure.is_some() || !self.announced {
            return Ok(None);
        }
        let mut at = self.runs;
        for (group, port) in ports(load_balancers) {
            match target_group::healthy_at(call, &group, &self.interface.address, port)? {
                Some(healthy) => at = at.max(healthy),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
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

    fn view(&self, call: &Call<'_>, tagged: bool) -> Result<Value, Fault> {
        let now = call.now;
        let status = self.status(now);
        let stop = self.stop.as_ref().filter(|stop| stop.asked <= now);
        let since = |at: i64| if at <= now { seconds(at) } else { Value::Null };
        let started =
            self.failure.is_none() && self.runs <= now && self.stop.as_ref().is_none_or(|stop| stop.asked >= self.runs);
        let ran = |container: &Container| {
            // What was told to stop with SIGTERM ends with 0 if it listens, as a web server does.
            let exit = (status == "STOPPED" && started).then_some(0);
            json!({
                "containerArn": call.arn("ecs", &format!("container/{}/{}/{}", self.cluster, self.id, container.runtime)),
                "taskArn": self.arn,
                "name": container.name,
                "image": container.image,
                "imageDigest": container.digest,
                "runtimeId": container.runtime,
                "lastStatus": match status {
                    "STOPPED" => "STOPPED",
                    "RUNNING" | "DEACTIVATING" => "RUNNING",
                    _ => "PENDING",
                },
                "exitCode": exit,
                "reason": self.failure.as_ref().filter(|_| status == "STOPPED"),
                "networkBindings": [],
                "networkInterfaces": [{
                    "attachmentId": self.interface.attachment,
                    "privateIpv4Address": self.interface.address,
                }],
                "healthStatus": "UNKNOWN",
                "cpu": "0",
            })
        };
        let detail = |name: &str, value: &str| json!({ "name": name, "value": value });
        Ok(json!({
            "taskArn": self.arn,
            "clusterArn": call.arn("ecs", &format!("cluster/{}", self.cluster)),
            "taskDefinitionArn": self.definition,
            "lastStatus": status,
            "desiredStatus": if stop.is_some() { "STOPPED" } else { "RUNNING" },
            "containers": self.containers.iter().map(ran).collect::<Vec<_>>(),
            "attachments": [{
                "id": self.interface.attachment,
                "type": "ElasticNetworkInterface",
                "status": match status { "STOPPED" => "DELETED", "PROVISIONING" => "PRECREATED", _ => "ATTACHED" },
                "details": [
                    detail("subnetId", &self.interface.subnet),
                    detail("networkInterfaceId", &self.interface.eni),
                    detail("macAddress", &self.interface.mac),
                    detail("privateIPv4Address", &self.interface.address),
                ],
            }],
            "attributes": [{ "name": "ecs.cpu-architecture", "value": "x86_64" }],
            "availabilityZone": self.interface.zone,
            "capacityProviderName": self.capacity_provider,
            "connectivity": if self.pulls <= now { json!("CONNECTED") } else { Value::Null },
            "connectivityAt": since(self.pulls),
            "cpu": self.cpu,
            "memory": self.memory,
            "createdAt": seconds(self.created),
            "pullStartedAt": since(self.pulls),
            "pullStoppedAt": if started { seconds(self.runs) } else { Value::Null },
            "startedAt": if started { seconds(self.runs) } else { Value::Null },
            "stoppingAt": stop.map(|stop| seconds(stop.asked)),
            "executionStoppedAt": stop.filter(|stop| stop.done <= now).map(|stop| seconds(stop.done)),
            "stoppedAt": stop.filter(|stop| stop.done <= now).map(|stop| seconds(stop.done)),
            "stopCode": stop.map(|stop| &stop.code),
            "stoppedReason": stop.map(|stop| &stop.reason),
            "group": self.group,
            "startedBy": self.started_by,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "healthStatus": "UNKNOWN",
            "enableExecuteCommand": self.exec,
            "overrides": self.overrides,
            "tags": if tagged { tags::to_lower_list(&tags::of(call, &self.arn)?) } else { json!([]) },
            "version": 1,
            "ephemeralStorage": { "sizeInGiB": 20 },
        }))
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

pub fn run(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "cluster",
            "taskDefinition",
            "count",
            "launchType",
            "capacityProviderStrategy",
            "networkConfiguration",
            "overrides",
            "group",
            "startedBy",
            "tags",
            "enableECSManagedTags",
            "propagateTags",
            "platformVersion",
            "enableExecuteCommand",
            "clientToken",
            "referenceId",
        ],
    )?;
    let cluster = cluster::existing(call)?;
    let provider = service::provider(call)?;
    let definition = definition::find(call, call.text("taskDefinition"))?;
    let definition = definition
        .filter(|definition| definition.status == "ACTIVE")
        .ok_or_else(|| super::client("TaskDefinition is inactive"))?;
    let network = service::network(call, call.input.get("networkConfiguration"))?;
    let count = call.int("count").unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(invalid("Count must be between 1 and 10."));
    }
    // Idempotent by the client token: the same token answers the tasks that it started.
    let token = call.text("clientToken");
    if !token.is_empty() {
        let known: Option<Vec<String>> = call.store.get("ecs/run-token", token)?;
        if let Some(ids) = known {
            let tasks = ids
                .iter()
                .filter_map(|id| find(call, id).transpose())
                .collect::<Result<Vec<_>, _>>()?;
            let views = tasks
                .iter()
                .map(|task| task.view(call, true))
                .collect::<Result<Vec<_>, _>>()?;
            return answer(json!({ "tasks": views, "failures": [] }));
        }
    }
    let mut wanted = wanted_tags(call)?;
    if call.text("propagateTags") == "TASK_DEFINITION" {
        wanted.extend(tags::of(call, &definition.arn)?);
    }
    let (mut views, mut ids) = (Vec::new(), Vec::new());
    for place in 0..usize::try_from(count).unwrap_or_default() {
        let group = Some(call.text("group"))
            .filter(|text| !text.is_empty())
            .map_or_else(|| format!("family:{}", definition.family), str::to_owned);
        let spec = Spec {
            cluster: &cluster.name,
            definition: &definition,
            network: &network,
            service: None,
            rollout: None,
            started_by: Some(call.text("startedBy")).filter(|text| !text.is_empty()),
            group,
            exec: call.flag("enableExecuteCommand"),
            capacity_provider: provider.clone(),
            overrides: call
                .input
                .get("overrides")
                .cloned()
                .unwrap_or_else(|| json!({ "containerOverrides": [] })),
            tags: wanted.clone(),
            place,
            at: call.now,
        };
        let task = start(call, spec)?;
        ids.push(key_of(&task));
        views.push(task.view(call, true)?);
    }
    if !token.is_empty() {
        call.store.put("ecs/run-token", token, "", &ids)?;
    }
    answer(json!({ "tasks": views, "failures": [] }))
}

pub fn stop_one(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let id = name_in(call.text("task"));
    let task = find(call, &format!("{}/{id}", cluster.name))?;
    let mut task = task.ok_or_else(|| invalid("The referenced task was not found."))?;
    let reason = match call.text("reason") {
        "" => "Task stopped by user",
        reason => reason,
    };
    let balancers = match &task.service {
        Some(name) => service::find(call, &format!("{}/{name}", cluster.name))?.map(|service| service.load_balancers()),
        None => None,
    };
    task.ask_to_stop(call, &balancers.unwrap_or_default(), call.now, "UserInitiated", reason)?;
    // The scheduler sees at once that one is missing.
    super::settle(call)?;
    answer(json!({ "task": task.view(call, true)? }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let asked = call.texts("tasks");
    if asked.len() > 100 {
        return Err(invalid("Tasks cannot exceed 100 elements."));
    }
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    for id in &asked {
        match find(call, &format!("{}/{}", cluster.name, name_in(id)))? {
            Some(task) => views.push(task.view(call, includes(call, "TAGS"))?),
            None => failures.push(missing(
                &call.arn("ecs", &format!("task/{}/{}", cluster.name, name_in(id))),
            )),
        }
    }
    answer(json!({ "tasks": views, "failures": failures }))
}

pub fn list(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let (family, service, started_by) = (
        call.text("family"),
        name_in(call.text("serviceName")),
        call.text("startedBy"),
    );
    if !service.is_empty() {
        service::existing_named(call, &cluster.name, service)?;
    }
    let wanted = match call.text("desiredStatus") {
        "" | "PENDING" => "RUNNING",
        status => status,
    };
    let mut tasks = of(call, &cluster.name)?;
    tasks.retain(|task| {
        (task.active(call.now) == (wanted == "RUNNING"))
            && (service.is_empty() || task.service.as_deref() == Some(service))
            && (started_by.is_empty() || task.started_by.as_deref() == Some(started_by))
            && (family.is_empty() || task.definition.contains(&format!("task-definition/{family}:")))
    });
    paged(
        call,
        "taskArns",
        tasks
            .into_iter()
            .map(|task| (task.arn.clone(), json!(task.arn)))
            .collect(),
        100,
    )
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
    let forgotten = task
        .stop
        .as_ref()
        .map(|stop| stop.done + durations::TASK_REMEMBERED.as_millis() as i64 + 1);
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
