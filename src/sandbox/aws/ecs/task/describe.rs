//! How a task is answered.

use serde_json::{Value, json};

use super::super::super::answers::{answer, seconds};
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::tags;
use super::super::{cluster, includes, invalid, missing, name_in, paged_of, service};
use super::{Container, KIND, Task, find};

impl Task {
    pub fn view(&self, call: &Call<'_>, tagged: bool) -> Result<Value, Fault> {
        let now = call.now;
        let status = self.status(now);
        let stop = self.stop.as_ref().filter(|stop| stop.asked <= now);
        let since = |at: i64| if at <= now { seconds(at) } else { Value::Null };
        let started =
            self.failure.is_none() && self.runs <= now && self.stop.as_ref().is_none_or(|stop| stop.asked >= self.runs);
        // Before a check has passed, and where there is none: UNKNOWN.
        let health = |healthy: Option<i64>| match healthy {
            Some(moment) if moment <= now && started && stop.is_none() => "HEALTHY",
            _ => "UNKNOWN",
        };
        let essential = || self.containers.iter().filter(|container| container.essential);
        let of_task = health(
            essential()
                .filter_map(|container| container.healthy)
                .max()
                .filter(|_| essential().any(|container| container.healthy.is_some())),
        );
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
                "healthStatus": health(container.healthy),
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
            "healthStatus": of_task,
            "enableExecuteCommand": self.exec,
            "overrides": self.overrides,
            "tags": if tagged { tags::to_lower_list(&tags::of(call, &self.arn)?) } else { json!([]) },
            "version": 1,
            "ephemeralStorage": { "sizeInGiB": 20 },
        }))
    }
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
    let filters = [family, service].iter().filter(|text| !text.is_empty()).count();
    if filters > 1 || (!started_by.is_empty() && filters > 0) {
        return Err(invalid("Only one of family, serviceName and startedBy can be given."));
    }
    if !call.text("containerInstance").is_empty() {
        return Err(invalid("Container instance not found: the sandbox has none."));
    }
    let launch = call.text("launchType");
    if !service.is_empty() {
        service::existing_named(call, &cluster.name, service)?;
    }
    let wanted = match call.text("desiredStatus") {
        "" => "RUNNING",
        status => status,
    };
    paged_of(
        call,
        "taskArns",
        (KIND, &format!("{}/", cluster.name)),
        100,
        |task: &Task| {
            // "Although you can filter results based on a desired status of PENDING, this doesn't return any results."
            wanted != "PENDING"
                && (launch.is_empty() || launch == "FARGATE")
                && (task.active(call.now) == (wanted == "RUNNING"))
                && (service.is_empty() || task.service.as_deref() == Some(service))
                && (started_by.is_empty() || task.started_by.as_deref() == Some(started_by))
                && (family.is_empty() || task.definition.contains(&format!("task-definition/{family}:")))
        },
        |task| &task.arn,
    )
}
