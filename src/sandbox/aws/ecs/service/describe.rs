//! How a service is answered.

use serde_json::{Value, json};

use super::super::super::answers::{answer, seconds};
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::tags;
use super::super::{cluster, includes, invalid, missing, name_in, paged_of, task};
use super::{KIND, Service, find};

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
    let launch = call.text("launchType");
    let scheduling = call.text("schedulingStrategy");
    paged_of(
        call,
        "serviceArns",
        (KIND, &format!("{}/", cluster.name)),
        10,
        |service: &Service| {
            service.status != "INACTIVE"
                && (launch.is_empty() || launch == "FARGATE")
                && (scheduling.is_empty() || scheduling == "REPLICA")
        },
        |service| &service.arn,
    )
}

impl Service {
    pub fn view(&self, call: &Call<'_>, tagged: bool) -> Result<Value, Fault> {
        let tasks = task::of_service(call, &self.cluster, &self.name)?;
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

pub fn service_role(call: &Call<'_>) -> String {
    format!(
        "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        call.account
    )
}
