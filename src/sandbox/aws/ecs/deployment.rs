//! Service deployments and service revisions: the record of what was rolled out, and how it ended.
//!
//! Source: `DescribeServiceDeployments`, `ListServiceDeployments`, `DescribeServiceRevisions`, `StopServiceDeployment`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, random, seconds};
use super::super::call::{Answer, Call, Fault};
use super::definition::Definition;
use super::{cluster, missing, name_in, paged, scheduler, service, task};

const KIND: &str = "ecs/service-deployment";
const REVISION: &str = "ecs/service-revision";

#[derive(Clone, Serialize, Deserialize)]
pub struct Deployment {
    pub arn: String,
    service: String,
    cluster: String,
    created: i64,
    pub finished: Option<i64>,
    updated: i64,
    /// The revision before, when there was one.
    source: Option<String>,
    pub target: String,
    pub status: String,
    pub reason: Option<String>,
    configuration: Value,
    pub rollback: Option<Rollback>,
    pub failures: u32,
    pub threshold: u32,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Rollback {
    pub reason: String,
    pub started: i64,
    pub revision: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Revision {
    pub arn: String,
    service: String,
    pub definition: String,
    pub members: Map<String, Value>,
    created: i64,
}

/// The number of failed tasks that triggers the circuit breaker: half the desired count, at least 3 and at most 200.
/// *How the Amazon ECS deployment circuit breaker detects failures*.
pub fn threshold(desired: i64) -> u32 {
    u32::try_from(desired.saturating_add(1) / 2)
        .unwrap_or(u32::MAX)
        .clamp(3, 200)
}

pub fn create(
    call: &Call<'_>,
    service: &service::Service,
    source: Option<String>,
    target: &str,
    at: i64,
) -> Result<String, Fault> {
    let id = random(21, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    let deployment = Deployment {
        arn: call.arn(
            "ecs",
            &format!("service-deployment/{}/{}/{id}", service.cluster, service.name),
        ),
        service: service.arn.clone(),
        cluster: service.cluster.clone(),
        created: at,
        finished: None,
        updated: at,
        source,
        target: target.to_owned(),
        status: "IN_PROGRESS".to_owned(),
        reason: None,
        configuration: service
            .members
            .get("deploymentConfiguration")
            .cloned()
            .unwrap_or_default(),
        rollback: None,
        failures: 0,
        threshold: threshold(service.desired),
    };
    save(call, &deployment, at)?;
    Ok(deployment.arn)
}

pub fn create_revision(
    call: &Call<'_>,
    service: &service::Service,
    definition: &Definition,
    at: i64,
) -> Result<String, Fault> {
    let number = random(19, b"123456789");
    let images: Vec<_> = definition
        .containers()
        .iter()
        .map(|container| json!({ "containerName": container["name"], "image": container["image"] }))
        .collect();
    let mut members = Map::new();
    for member in [
        "launchType",
        "capacityProviderStrategy",
        "loadBalancers",
        "serviceRegistries",
        "networkConfiguration",
    ] {
        if let Some(value) = service.members.get(member) {
            members.insert(member.to_owned(), value.clone());
        }
    }
    members.insert("platformVersion".to_owned(), json!("1.4.0"));
    members.insert("platformFamily".to_owned(), json!("Linux"));
    members.insert("containerImages".to_owned(), json!(images));
    members.insert("guardDutyEnabled".to_owned(), json!(false));
    let revision = Revision {
        arn: call.arn(
            "ecs",
            &format!("service-revision/{}/{}/{number}", service.cluster, service.name),
        ),
        service: service.arn.clone(),
        definition: definition.arn.clone(),
        members,
        created: at,
    };
    call.store.put(REVISION, &revision.arn, &service.arn, &revision)?;
    Ok(revision.arn)
}

pub fn revision(call: &Call<'_>, arn: &str) -> Result<Option<Revision>, Fault> {
    call.store.get(REVISION, arn)
}

pub fn list(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let service = service::existing_named(call, &cluster.name, name_in(call.text("service")))?;
    let status = call.texts("status");
    let created = call.input.get("createdAt").cloned().unwrap_or_default();
    let bound = |member: &str| created[member].as_f64().map(|seconds| (seconds * 1000.0) as i64);
    let (before, after) = (bound("before"), bound("after"));
    let mut found = of(call, &service.arn)?;
    found.retain(|deployment| {
        (status.is_empty() || status.contains(&deployment.status))
            && before.is_none_or(|before| deployment.created < before)
            && after.is_none_or(|after| deployment.created > after)
    });
    // The newest comes first.
    let count = found.len();
    let briefs = found.iter().enumerate().map(|(place, deployment)| {
        let brief = json!({
            "serviceDeploymentArn": deployment.arn,
            "serviceArn": deployment.service,
            "clusterArn": cluster.arn,
            "startedAt": seconds(deployment.created),
            "createdAt": seconds(deployment.created),
            "finishedAt": deployment.finished.map(seconds),
            "targetServiceRevisionArn": deployment.target,
            "status": deployment.status,
            "statusReason": deployment.reason,
        });
        (
            format!("{:020} {:06}", i64::MAX - deployment.created, count - place),
            brief,
        )
    });
    paged(call, "serviceDeployments", briefs.collect(), 20)
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    for arn in call.texts("serviceDeploymentArns") {
        match find(call, &arn)? {
            Some(deployment) => views.push(deployment.view(call)?),
            None => failures.push(missing(&arn)),
        }
    }
    answer(json!({ "serviceDeployments": views, "failures": failures }))
}

pub fn describe_revisions(call: &Call<'_>) -> Answer {
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    for arn in call.texts("serviceRevisionArns") {
        let Some(revision) = revision(call, &arn)? else {
            failures.push(missing(&arn));
            continue;
        };
        let mut view = revision.members.clone();
        let cluster = revision.service.split('/').nth(1).unwrap_or_default();
        view.insert("serviceRevisionArn".to_owned(), json!(revision.arn));
        view.insert("serviceArn".to_owned(), json!(revision.service));
        view.insert(
            "clusterArn".to_owned(),
            json!(call.arn("ecs", &format!("cluster/{cluster}"))),
        );
        view.insert("taskDefinition".to_owned(), json!(revision.definition));
        view.insert("createdAt".to_owned(), seconds(revision.created));
        views.push(Value::Object(view));
    }
    answer(json!({ "serviceRevisions": views, "failures": failures }))
}

/// Goes back to the revision before, also where the service has no rollback configured.
pub fn stop(call: &Call<'_>) -> Answer {
    let arn = call.text("serviceDeploymentArn");
    let deployment = find(call, arn)?.ok_or_else(|| {
        Fault::new(
            "ServiceDeploymentNotFoundException",
            "The service deployment was not found.",
        )
    })?;
    if call.text("stopType") == "ABORT" {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: ecs:StopServiceDeployment with stopType ABORT",
        ));
    }
    if deployment.status != "IN_PROGRESS" {
        return Err(Fault::new(
            "ConflictException",
            format!(
                "The service deployment cannot be stopped because its status is {}.",
                deployment.status
            ),
        ));
    }
    let name = name_in(&deployment.service).to_owned();
    let mut service = service::existing_named(call, &deployment.cluster, &name)?;
    scheduler::roll_back(
        call,
        &mut service,
        "Service deployment rolled back because of a request to stop it.",
        call.now,
    )?;
    service::save(call, &service)?;
    answer(json!({ "serviceDeploymentArn": arn }))
}

impl Deployment {
    pub fn finish(&mut self, call: &Call<'_>, status: &str, reason: Option<&str>, at: i64) -> Result<(), Fault> {
        self.status = status.to_owned();
        self.reason = reason.map(str::to_owned);
        if !status.ends_with("IN_PROGRESS") {
            self.finished = Some(at);
        }
        save(call, self, at)
    }

    fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
        let name = name_in(&self.service);
        let service = service::find(call, &format!("{}/{name}", self.cluster))?;
        let tasks = task::of_service(call, &self.cluster, name)?;
        let summary = |revision: &str| {
            let rollouts = service
                .iter()
                .flat_map(|service| &service.rollouts)
                .filter(|rollout| rollout.revision == *revision);
            let ids: Vec<&str> = rollouts.map(|rollout| rollout.id.as_str()).collect();
            let count = |states: &[&str]| {
                let ours = tasks
                    .iter()
                    .filter(|task| task.rollout.as_deref().is_some_and(|id| ids.contains(&id)));
                ours.filter(|task| states.contains(&task.status(call.now))).count()
            };
            json!({
                "arn": revision,
                "requestedTaskCount": service.as_ref().map_or(0, |service| service.desired),
                "runningTaskCount": count(&["RUNNING"]),
                "pendingTaskCount": count(&["PENDING", "PROVISIONING"]),
            })
        };
        let enabled = self.configuration["deploymentCircuitBreaker"]["enable"] == true;
        let breaker = match self.status.as_str() {
            _ if !enabled => "DISABLED",
            "IN_PROGRESS" => "MONITORING",
            "SUCCESSFUL" => "MONITORING_COMPLETE",
            _ if self.failures >= self.threshold => "TRIGGERED",
            _ => "MONITORING_COMPLETE",
        };
        Ok(json!({
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.service,
            "clusterArn": call.arn("ecs", &format!("cluster/{}", self.cluster)),
            "createdAt": seconds(self.created),
            "startedAt": seconds(self.created),
            "finishedAt": self.finished.map(seconds),
            "stoppedAt": self.finished.filter(|_| self.status == "STOPPED").map(seconds),
            "updatedAt": seconds(self.updated),
            "sourceServiceRevisions": self.source.iter().map(|source| summary(source)).collect::<Vec<_>>(),
            "targetServiceRevision": summary(&self.target),
            "status": self.status,
            "statusReason": self.reason,
            "deploymentConfiguration": self.configuration,
            "rollback": self.rollback.as_ref().map(|rollback| json!({
                "reason": rollback.reason,
                "startedAt": seconds(rollback.started),
                "serviceRevisionArn": rollback.revision,
            })),
            "deploymentCircuitBreaker": {
                "status": breaker,
                "failureCount": self.failures,
                "threshold": self.threshold,
            },
            "alarms": { "status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": [] },
        }))
    }
}

pub fn find(call: &Call<'_>, arn: &str) -> Result<Option<Deployment>, Fault> {
    call.store.get(KIND, arn)
}

fn of(call: &Call<'_>, service: &str) -> Result<Vec<Deployment>, Fault> {
    call.store.children(KIND, service)
}

pub fn save(call: &Call<'_>, deployment: &Deployment, at: i64) -> Result<(), Fault> {
    let deployment = Deployment {
        updated: at,
        ..deployment.clone()
    };
    call.store.put(KIND, &deployment.arn, &deployment.service, &deployment)
}

/// Forgets what a service of this ARN left behind.
pub fn forget(call: &Call<'_>, service: &str) -> Result<(), Fault> {
    for deployment in of(call, service)? {
        call.store.delete(KIND, &deployment.arn)?;
    }
    for revision in call.store.children::<Revision>(REVISION, service)? {
        call.store.delete(REVISION, &revision.arn)?;
    }
    Ok(())
}
