//! Tasks are started and stopped within the bounds of the deployment.

use serde_json::{Value, json};

use super::super::super::call::{Call, Fault};
use super::super::super::{durations, tags};
use super::super::service::Service;
use super::super::task::{Spec, Task, span};
use super::super::{definition, task};
use super::failure;

/// Starts and stops tasks within the bounds of the deployment.
pub fn place(call: &Call<'_>, service: &mut Service, all: &mut Vec<Task>, at: i64) -> Result<bool, Fault> {
    let Some(primary) = service.rollouts.first().cloned() else {
        return Ok(false);
    };
    let balancers = service.load_balancers();
    let configuration = service
        .members
        .get("deploymentConfiguration")
        .cloned()
        .unwrap_or_default();
    let desired = service.desired.max(0);
    let percent = |member: &str, default: i64| configuration[member].as_i64().unwrap_or(default);
    let most = (desired * percent("maximumPercent", 200) / 100).max(desired);
    let least = (desired * percent("minimumHealthyPercent", 100) + 99) / 100;
    let ours = |task: &Task| task.rollout.as_deref() == Some(primary.id.as_str());
    let mut changed = false;

    // Too many of the new ones, and what is old and not needed for the least healthy count. What does not run goes first.
    let mut healthy = 0;
    for task in all.iter().filter(|task| task.active(at)) {
        healthy += i64::from(task.fit(call, &balancers, at)?);
    }
    let mut surplus = all.iter().filter(|task| task.active(at) && ours(task)).count() as i64 - desired;
    let mut stopped = Vec::new();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|place| all.get(*place).is_some_and(|task| task.runs <= at));
    let failed = primary.state == "FAILED";
    for place in order {
        let Some(task) = all.get_mut(place).filter(|task| task.stop.is_none()) else {
            continue;
        };
        let fit = task.fit(call, &balancers, at)?;
        let go = if ours(task) {
            let go = surplus > 0;
            surplus -= i64::from(go);
            go
        } else {
            // A stalled deployment leaves the old tasks serving.
            !failed && (!fit || healthy > least)
        };
        if go {
            healthy -= i64::from(fit);
            let reason = format!("Scaling activity initiated by (deployment {})", primary.id);
            task.ask_to_stop(call, &balancers, at, "ServiceSchedulerInitiated", &reason)?;
            stopped.push(format!("(task {})", task.id));
            changed = true;
        }
    }
    if !stopped.is_empty() {
        service.say(
            at,
            &format!("has stopped {} running tasks: {}.", stopped.len(), stopped.join(" ")),
        );
        if balancers.as_array().is_some_and(|balancers| !balancers.is_empty()) {
            service.say(
                at,
                &format!("has begun draining connections on {} tasks.", stopped.len()),
            );
        }
    }

    // What is missing, as far as there is room.
    let active = all.iter().filter(|task| task.active(at)).count() as i64;
    let new = all.iter().filter(|task| task.active(at) && ours(task)).count() as i64;
    let missing = (desired - new).min(most - active);
    if missing <= 0 || failed || at < service.retry {
        return Ok(changed);
    }
    let Some(definition) = definition::find(call, &primary.definition)? else {
        return Ok(changed);
    };
    let network = service
        .members
        .get("networkConfiguration")
        .map(|all| all["awsvpcConfiguration"].clone())
        .unwrap_or_default();
    let mut inherited = match service.members.get("propagateTags").and_then(Value::as_str) {
        Some("SERVICE") => tags::of(call, &service.arn)?,
        Some("TASK_DEFINITION") => tags::of(call, &definition.arn)?,
        _ => tags::Tags::new(),
    };
    if service.members.get("enableECSManagedTags") == Some(&json!(true)) {
        inherited.insert("aws:ecs:clusterName".to_owned(), service.cluster.clone());
        inherited.insert("aws:ecs:serviceName".to_owned(), service.name.clone());
    }
    let mut ids = Vec::new();
    for _ in 0..missing {
        let spec = Spec {
            cluster: &service.cluster,
            definition: &definition,
            network: &network,
            service: Some(&service.name),
            rollout: Some(&primary.id),
            started_by: Some(&primary.id),
            group: format!("service:{}", service.name),
            exec: service.members.get("enableExecuteCommand") == Some(&json!(true)),
            capacity_provider: service.provider(all.len()),
            overrides: json!({ "containerOverrides": [], "inferenceAcceleratorOverrides": [] }),
            tags: inherited.clone(),
            place: all.len(),
            at,
        };
        match task::start(call, spec) {
            Ok(task) => {
                ids.push(format!("(task {})", task.id));
                all.push(task);
            }
            // A role that ECS cannot take is a task that failed to launch.
            Err(fault) if fault.code == "ClientException" => {
                let message = format!("failed to launch a task with (error {}).", fault.message);
                failure::count(call, service, &primary.id, &message, at)?;
                changed = true;
                break;
            }
            // A subnet without a free address, or one that was deleted: ECS tries again later.
            Err(fault) => {
                service.say(at, &format!("was unable to place a task. Reason: {}.", fault.message));
                service.retry = at + span(call, call.usual(durations::TASK_RETRY)).max(1);
                break;
            }
        }
    }
    if !ids.is_empty() {
        service.say(at, &format!("has started {} tasks: {}.", ids.len(), ids.join(" ")));
        changed = true;
    }
    Ok(changed)
}
