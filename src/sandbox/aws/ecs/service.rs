//! Services: what shall run. [`super::scheduler`] makes it so.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, echo, only, random, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::elb::{self, target_group};
use super::super::tags;
use super::definition::{self, Definition};
use super::{client, cluster, deployment, includes, invalid, missing, name_in, paged, task, wanted_tags};

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

/// Idempotent by the client token: the same token with the same name answers the service as it is.
pub fn create(call: &Call<'_>) -> Answer {
    let mut known = vec![
        "cluster",
        "serviceName",
        "taskDefinition",
        "desiredCount",
        "clientToken",
        "tags",
    ];
    known.extend(MEMBERS);
    only(call, &known)?;
    let cluster = cluster::existing(call)?;
    let name = call.text("serviceName");
    if name.is_empty() || name.len() > 255 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(invalid("Service name contains invalid characters."));
    }
    let token = call.text("clientToken");
    if token.len() > 36 {
        return Err(invalid("Client token can be at most 36 characters long."));
    }
    if let Some(existing) = find(call, &format!("{}/{name}", cluster.name))? {
        match existing.status.as_str() {
            "ACTIVE" if !token.is_empty() && existing.token.as_deref() == Some(token) => {
                return answer(json!({ "service": existing.view(call, true)? }));
            }
            "ACTIVE" => return Err(invalid("Creation of service was not idempotent.")),
            "DRAINING" => return Err(invalid("Unable to Start a service that is still Draining.")),
            _ => {
                deployment::forget(call, &existing.arn)?;
                call.store.delete(KIND, &key_of(&existing))?;
            }
        }
    }
    provider(call)?;
    if call.text("schedulingStrategy") == "DAEMON" {
        return Err(invalid(
            "The Fargate launch type does not support the DAEMON scheduling strategy.",
        ));
    }
    let definition = active_definition(call, call.text("taskDefinition"))?;
    network(call, call.input.get("networkConfiguration"))?;
    check_load_balancers(call, call.list("loadBalancers"), &definition)?;
    let mut members = echo(call, MEMBERS);
    fill(&mut members);
    let wanted = wanted_tags(call)?;
    let mut service = Service {
        name: name.to_owned(),
        arn: call.arn("ecs", &format!("service/{}/{name}", cluster.name)),
        cluster: cluster.name,
        status: "ACTIVE".to_owned(),
        desired: call.int("desiredCount").unwrap_or_default(),
        definition: definition.arn.clone(),
        created: call.now,
        token: Some(token).filter(|token| !token.is_empty()).map(str::to_owned),
        members,
        rollouts: Vec::new(),
        deployment: None,
        good: None,
        events: Vec::new(),
        settled: call.now,
        retry: call.now,
        steady: false,
    };
    tags::clear(call, &service.arn)?;
    tags::put(call, &service.arn, &wanted)?;
    service.roll_out(call, &definition, call.now)?;
    save(call, &service)?;
    let view = service.view(call, true)?;
    super::settle(call)?;
    answer(json!({ "service": view }))
}

pub fn update(call: &Call<'_>) -> Answer {
    let mut known = vec![
        "cluster",
        "service",
        "taskDefinition",
        "desiredCount",
        "forceNewDeployment",
    ];
    known.extend(MEMBERS);
    only(call, &known)?;
    let cluster = cluster::existing(call)?;
    let mut service = existing_named(call, &cluster.name, name_in(call.text("service")))?;
    if service.status != "ACTIVE" {
        return Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let definition = match call.text("taskDefinition") {
        "" => definition::existing(call, &service.definition)?,
        id => active_definition(call, id)?,
    };
    if call.input.contains_key("networkConfiguration") {
        network(call, call.input.get("networkConfiguration"))?;
    }
    check_load_balancers(call, call.list("loadBalancers"), &definition)?;
    let mut changed = call.flag("forceNewDeployment") || definition.arn != service.definition;
    for (member, value) in echo(call, MEMBERS) {
        // These are what a revision is made of: a change is rolled out.
        let rolls = matches!(
            member.as_str(),
            "networkConfiguration"
                | "loadBalancers"
                | "serviceRegistries"
                | "platformVersion"
                | "capacityProviderStrategy"
        );
        changed |= rolls && service.members.get(&member) != Some(&value);
        service.members.insert(member, value);
    }
    fill(&mut service.members);
    if let Some(desired) = call.int("desiredCount") {
        if desired < 0 {
            return Err(invalid("Desired count must not be negative."));
        }
        service.steady &= service.desired == desired;
        service.desired = desired;
    }
    if changed {
        service.definition = definition.arn.clone();
        service.roll_out(call, &definition, call.now)?;
    }
    save(call, &service)?;
    super::settle(call)?;
    let service = existing_named(call, &cluster.name, &service.name)?;
    answer(json!({ "service": service.view(call, true)? }))
}

/// The service drains, then it is INACTIVE.
pub fn delete(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let mut service = existing_named(call, &cluster.name, name_in(call.text("service")))?;
    if service.status == "DRAINING" {
        return answer(json!({ "service": service.view(call, true)? }));
    }
    if service.desired > 0 && !call.flag("force") {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    service.desired = 0;
    service.status = "DRAINING".to_owned();
    if let Some(mut deployment) = service
        .deployment
        .take()
        .map(|arn| deployment::find(call, &arn))
        .transpose()?
        .flatten()
    {
        deployment.finish(call, "STOPPED", Some("The service was deleted."), call.now)?;
    }
    save(call, &service)?;
    super::settle(call)?;
    let service = find(call, &key_of(&service))?.unwrap_or(service);
    answer(json!({ "service": service.view(call, true)? }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let asked = call.texts("services");
    if asked.len() > 10 {
        return Err(invalid("Services cannot exceed 10 elements."));
    }
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    for id in &asked {
        match find(call, &format!("{}/{}", cluster.name, name_in(id)))? {
            Some(service) => views.push(service.view(call, includes(call, "TAGS"))?),
            None => failures.push(missing(
                &call.arn("ecs", &format!("service/{}/{}", cluster.name, name_in(id))),
            )),
        }
    }
    answer(json!({ "services": views, "failures": failures }))
}

pub fn list(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let mut services = of(call, &cluster.name)?;
    let launch = call.text("launchType");
    services.retain(|service| service.status != "INACTIVE" && (launch.is_empty() || launch == "FARGATE"));
    paged(
        call,
        "serviceArns",
        services
            .into_iter()
            .map(|service| (service.arn.clone(), json!(service.arn)))
            .collect(),
        10,
    )
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

    pub fn load_balancers(&self) -> Value {
        self.members.get("loadBalancers").cloned().unwrap_or_default()
    }

    pub fn view(&self, call: &Call<'_>, tagged: bool) -> Result<Value, Fault> {
        let mut tasks = task::of(call, &self.cluster)?;
        tasks.retain(|task| task.service.as_deref() == Some(&self.name));
        let count = |rollout: Option<&str>, states: &[&str]| {
            let ours = tasks
                .iter()
                .filter(|task| rollout.is_none() || task.rollout.as_deref() == rollout);
            ours.filter(|task| states.contains(&task.status(call.now))).count()
        };
        let (running, pending) = (["RUNNING"], ["PENDING", "PROVISIONING"]);
        let deployments: Vec<_> = self
            .rollouts
            .iter()
            .enumerate()
            .map(|(place, rollout)| {
                json!({
                    "id": rollout.id,
                    "status": if place == 0 { "PRIMARY" } else { "ACTIVE" },
                    "taskDefinition": rollout.definition,
                    "desiredCount": if place == 0 { self.desired } else { 0 },
                    "pendingCount": count(Some(&rollout.id), &pending),
                    "runningCount": count(Some(&rollout.id), &running),
                    "failedTasks": rollout.failed,
                    "createdAt": seconds(rollout.created),
                    "updatedAt": seconds(rollout.updated),
                    "launchType": self.members.get("launchType"),
                    "capacityProviderStrategy": self.members.get("capacityProviderStrategy"),
                    "platformVersion": "1.4.0",
                    "platformFamily": "Linux",
                    "networkConfiguration": rollout.network,
                    "rolloutState": rollout.state,
                    "rolloutStateReason": rollout.reason,
                })
            })
            .collect();
        let events: Vec<_> = self
            .events
            .iter()
            .map(|event| json!({ "id": event.id, "createdAt": seconds(event.at), "message": event.message }))
            .collect();
        let revisions: Vec<_> = self
            .rollouts
            .iter()
            .map(|rollout| {
                json!({
                    "arn": rollout.revision,
                    "requestedTaskCount": self.desired,
                    "runningTaskCount": count(Some(&rollout.id), &running),
                    "pendingTaskCount": count(Some(&rollout.id), &pending),
                })
            })
            .collect();
        let mut view = self.members.clone();
        for (member, value) in [
            ("serviceArn", json!(self.arn)),
            ("serviceName", json!(self.name)),
            (
                "clusterArn",
                json!(call.arn("ecs", &format!("cluster/{}", self.cluster))),
            ),
            ("status", json!(self.status)),
            ("desiredCount", json!(self.desired)),
            ("runningCount", json!(count(None, &running))),
            ("pendingCount", json!(count(None, &pending))),
            ("platformFamily", json!("Linux")),
            ("taskDefinition", json!(self.definition)),
            ("deployments", json!(deployments)),
            ("currentServiceDeployment", json!(self.deployment)),
            ("currentServiceRevisions", json!(revisions)),
            ("events", json!(events)),
            ("createdAt", seconds(self.created)),
            (
                "createdBy",
                json!(format!("arn:aws:iam::{}:user/sandbox", call.account)),
            ),
            ("roleArn", json!(service_role(call))),
        ] {
            view.insert(member.to_owned(), value);
        }
        if tagged {
            view.insert("tags".to_owned(), tags::to_lower_list(&tags::of(call, &self.arn)?));
        }
        Ok(Value::Object(view))
    }
}

fn service_role(call: &Call<'_>) -> String {
    format!(
        "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        call.account
    )
}

/// The defaults that `CreateService` documents.
fn fill(members: &mut Map<String, Value>) {
    members.entry("loadBalancers").or_insert_with(|| json!([]));
    members.entry("serviceRegistries").or_insert_with(|| json!([]));
    members.entry("placementConstraints").or_insert_with(|| json!([]));
    members.entry("placementStrategy").or_insert_with(|| json!([]));
    members.entry("schedulingStrategy").or_insert_with(|| json!("REPLICA"));
    members
        .entry("deploymentController")
        .or_insert_with(|| json!({ "type": "ECS" }));
    members.entry("enableECSManagedTags").or_insert_with(|| json!(false));
    members.entry("enableExecuteCommand").or_insert_with(|| json!(false));
    members.entry("propagateTags").or_insert_with(|| json!("NONE"));
    members
        .entry("availabilityZoneRebalancing")
        .or_insert_with(|| json!("ENABLED"));
    if members.get("platformVersion").is_none_or(|version| version == "LATEST") {
        members.insert("platformVersion".to_owned(), json!("LATEST"));
    }
    let configuration = members.entry("deploymentConfiguration").or_insert_with(|| json!({}));
    if let Some(configuration) = configuration.as_object_mut() {
        configuration.entry("maximumPercent").or_insert(json!(200));
        configuration.entry("minimumHealthyPercent").or_insert(json!(100));
        configuration.entry("strategy").or_insert(json!("ROLLING"));
        configuration.entry("bakeTimeInMinutes").or_insert(json!(0));
        configuration
            .entry("deploymentCircuitBreaker")
            .or_insert(json!({ "enable": false, "rollback": false }));
    }
}

/// The capacity provider of a call that names one. Only Fargate is there: the sandbox has no container instances.
pub fn provider(call: &Call<'_>) -> Result<Option<String>, Fault> {
    let strategy = call
        .list("capacityProviderStrategy")
        .first()
        .and_then(|item| item["capacityProvider"].as_str());
    match (call.text("launchType"), strategy) {
        (_, Some(provider @ ("FARGATE" | "FARGATE_SPOT"))) => Ok(Some(provider.to_owned())),
        (_, Some(other)) => Err(invalid(&format!(
            "The specified capacity provider '{other}' was not found."
        ))),
        ("FARGATE", None) => Ok(None),
        (launch, None) => Err(Fault::new(
            "UnsupportedOperation",
            format!(
                "not in the sandbox: launch type {}; it has FARGATE",
                if launch.is_empty() {
                    "EC2 (the default when none is given)"
                } else {
                    launch
                }
            ),
        )),
    }
}

/// `awsvpcConfiguration`, checked.
pub fn network(call: &Call<'_>, given: Option<&Value>) -> Result<Value, Fault> {
    let network = given
        .map(|given| given["awsvpcConfiguration"].clone())
        .unwrap_or_default();
    if network["subnets"].as_array().is_none_or(Vec::is_empty) {
        return Err(invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    }
    task::check_subnets(call, &network)?;
    Ok(network)
}

fn active_definition(call: &Call<'_>, id: &str) -> Result<Definition, Fault> {
    let definition = definition::find(call, id)?.ok_or_else(|| client("Unable to find task definition."))?;
    if definition.status != "ACTIVE" {
        return Err(client("TaskDefinition is inactive"));
    }
    if definition.text("networkMode") != "awsvpc" {
        return Err(invalid(
            "The launch type FARGATE requires a task definition with network mode awsvpc.",
        ));
    }
    Ok(definition)
}

fn check_load_balancers(call: &Call<'_>, given: &[Value], definition: &Definition) -> Result<(), Fault> {
    for balancer in given {
        let arn = balancer["targetGroupArn"].as_str().unwrap_or_default();
        if arn.is_empty() {
            return Err(invalid(
                "The sandbox has no Classic Load Balancers: targetGroupArn must be given.",
            ));
        }
        let Some(group) = target_group::find(call, arn)? else {
            return Err(invalid(&format!("The target group {arn} does not exist.")));
        };
        if group.target_type != "ip" {
            return Err(invalid(&format!(
                "The provided target group {arn} has target type {}, which is incompatible with the awsvpc network mode \
                 specified in the task definition.",
                group.target_type
            )));
        }
        if elb::of_target_group(call, arn)?.is_empty() {
            return Err(invalid(&format!(
                "The target group with targetGroupArn {arn} does not have an associated load balancer."
            )));
        }
        let name = balancer["containerName"].as_str().unwrap_or_default();
        let Some(container) = definition
            .containers()
            .iter()
            .find(|container| container["name"] == name)
        else {
            return Err(invalid(&format!(
                "The container {name} does not exist in the task definition."
            )));
        };
        let port = &balancer["containerPort"];
        let mapped = container["portMappings"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|mapping| mapping["containerPort"] == *port);
        if !mapped {
            return Err(invalid(&format!(
                "The container {name} did not have a container port {port} defined."
            )));
        }
    }
    Ok(())
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
