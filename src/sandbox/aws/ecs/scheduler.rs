//! The service scheduler, replayed.
//!
//! Nothing runs in the background. Before an answer, the moments at which something happened since the last answer (a
//! task ran, failed, passed its checks, was drained) are gone through in their order, and at each the scheduler does
//! what ECS's does: it starts and stops tasks within the deployment's bounds, counts failures, triggers the circuit
//! breaker, completes or rolls back deployments. Replaying twice changes nothing, because what was done is kept.
//!
//! Source: developer guide, *Deploy Amazon ECS services by replacing tasks* (minimumHealthyPercent, maximumPercent),
//! *How the Amazon ECS deployment circuit breaker detects failures*, *Amazon ECS service throttle logic*.

use serde_json::{Value, json};

use super::super::call::{Call, Fault};
use super::super::{durations, tags};
use super::definition;
use super::deployment::{self, Rollback};
use super::service::{self, Service};
use super::task::{self, Spec, Task, span};

/// Moments of one service that are replayed at most in one call, and passes at one moment. They bound an endless row of
/// failures after a long pause; what is left out is only more of the same failures.
const MOMENTS: usize = 200;
const PASSES: usize = 32;
/// The throttle doubles the pause at each failure, up to this factor.
const LONGEST_PAUSE: u32 = 5;

const DEPLOYED: &str = "deployment completed.";
const TRIGGERED: &str = "Service deployment rolled back because the circuit breaker threshold was exceeded.";

/// Brings every service to the call's moment.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    let _everything = call.store.see_all();
    for mut service in service::due(call)? {
        // While it rested nothing happened to it: what woke it is of now.
        if service.steady && next(call, &service, service.settled, call.now)?.is_none() {
            service.settled = call.now;
        }
        replay(call, &mut service)?;
        // What is steady rests until something is to happen; what is on its way is looked at with every call.
        let next = match service.status.as_str() {
            "INACTIVE" => None,
            "ACTIVE" if service.steady => next(call, &service, call.now, i64::MAX)?,
            _ => Some(call.now),
        };
        service::rest(call, &service, next)?;
    }
    // A stopped task is described "for at least one hour": that hour is not divided, so that its reason can be read.
    let remembered = durations::TASK_REMEMBERED.as_millis() as i64;
    for task in task::due(call)? {
        if task.stop.as_ref().is_some_and(|stop| stop.done + remembered < call.now) {
            task::forget(call, &task)?;
        } else if task.service.is_none() && !task.announced && task.failure.is_none() && task.runs <= call.now {
            task.clone().announce(call, &Value::Null)?;
        }
    }
    Ok(())
}

fn replay(call: &Call<'_>, service: &mut Service) -> Result<(), Fault> {
    let mut at = service.settled;
    for _ in 0..MOMENTS {
        pass(call, service, at)?;
        match next(call, service, at, call.now)? {
            Some(moment) if service.status != "INACTIVE" => at = moment,
            _ => break,
        }
    }
    pass(call, service, call.now)?;
    service.settled = call.now;
    Ok(())
}

fn pass(call: &Call<'_>, service: &mut Service, at: i64) -> Result<(), Fault> {
    for _ in 0..PASSES {
        if !step(call, service, at)? {
            break;
        }
    }
    Ok(())
}

fn tasks(call: &Call<'_>, service: &Service) -> Result<Vec<Task>, Fault> {
    task::of_service(call, &service.cluster, &service.name)
}

/// The next moment after `at`, up to `until`, at which something happens by itself.
fn next(call: &Call<'_>, service: &Service, at: i64, until: i64) -> Result<Option<i64>, Fault> {
    let mut moments = vec![service.retry];
    let balancers = service.load_balancers();
    for task in tasks(call, service)? {
        moments.push(task.runs);
        moments.extend(task.stop.iter().flat_map(|stop| [stop.asked, stop.done]));
        moments.extend(task.healthy_at(call, &balancers)?);
    }
    Ok(moments
        .into_iter()
        .filter(|moment| *moment > at && *moment <= until)
        .min())
}

/// One look at the service at one moment. Whether anything changed.
fn step(call: &Call<'_>, service: &mut Service, at: i64) -> Result<bool, Fault> {
    let mut all = tasks(call, service)?;
    let changed = announce(call, service, &mut all, at)?;
    match service.status.as_str() {
        "DRAINING" => Ok(drain(call, service, &mut all, at)? || changed),
        "ACTIVE" => {
            let changed = count_failures(call, service, &mut all, at)? || changed;
            let changed = place(call, service, &mut all, at)? || changed;
            Ok(finish(call, service, &all, at)? || changed)
        }
        _ => Ok(changed),
    }
}

/// Tasks that run now become targets and write their first lines.
fn announce(call: &Call<'_>, service: &mut Service, all: &mut [Task], at: i64) -> Result<bool, Fault> {
    let balancers = service.load_balancers();
    let mut changed = false;
    for task in all
        .iter_mut()
        .filter(|task| !task.announced && task.failure.is_none() && task.runs <= at && task.active(at))
    {
        let targets = task.announce(call, &balancers)?;
        if targets > 0 {
            let groups: Vec<_> = balancers
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|entry| entry["targetGroupArn"].as_str())
                .collect();
            service.say(
                task.runs,
                &format!("registered {targets} targets in (target-group {})", groups.join(", ")),
            );
        }
        changed = true;
    }
    Ok(changed)
}

fn drain(call: &Call<'_>, service: &mut Service, all: &mut [Task], at: i64) -> Result<bool, Fault> {
    let balancers = service.load_balancers();
    let mut changed = false;
    for task in all.iter_mut().filter(|task| task.stop.is_none()) {
        task.ask_to_stop(
            call,
            &balancers,
            at,
            "ServiceSchedulerInitiated",
            "Task stopped by service deletion",
        )?;
        changed = true;
    }
    if all.iter().all(|task| task.stopped(at)) {
        service.status = "INACTIVE".to_owned();
        service.rollouts.clear();
        tags::clear(call, &service.arn)?;
        changed = true;
    }
    Ok(changed)
}

/// Counts tasks of the primary that failed to start, pauses, and triggers the circuit breaker.
fn count_failures(call: &Call<'_>, service: &mut Service, all: &mut [Task], at: i64) -> Result<bool, Fault> {
    let mut changed = false;
    for task in all
        .iter_mut()
        .filter(|task| !task.counted && task.failure.is_some() && task.runs <= at)
    {
        task.counted = true;
        task::save(call, task)?;
        changed = true;
        let Some(primary) = service
            .rollouts
            .first_mut()
            .filter(|primary| task.rollout.as_ref() == Some(&primary.id))
        else {
            continue;
        };
        primary.failed += 1;
        primary.updated = at;
        let failed = primary.failed;
        let pause = span(call, durations::TASK_RETRY).saturating_mul(1 << failed.saturating_sub(1).min(LONGEST_PAUSE));
        service.retry = service.retry.max(at + pause);
        let reason = task.failure.clone().unwrap_or_default();
        service.say(at, &format!("was unable to start a task (task {}): {reason}", task.id));
        let Some(mut record) = service
            .deployment
            .as_deref()
            .map(|arn| deployment::find(call, arn))
            .transpose()?
            .flatten()
        else {
            continue;
        };
        record.failures = failed;
        deployment::save(call, &record, at)?;
        let breaker = breaker(service);
        let in_progress = service
            .rollouts
            .first()
            .is_some_and(|primary| primary.state == "IN_PROGRESS");
        if breaker["enable"] == true && failed >= record.threshold && in_progress {
            let id = service
                .rollouts
                .first()
                .map(|primary| primary.id.clone())
                .unwrap_or_default();
            service.say(
                at,
                &format!("(deployment {id}) deployment failed: tasks failed to start."),
            );
            if record.status == "ROLLBACK_IN_PROGRESS" {
                give_up(call, service, &mut record, "ROLLBACK_FAILED", at)?;
            } else if breaker["rollback"] == true {
                roll_back(call, service, TRIGGERED, at)?;
            } else {
                give_up(call, service, &mut record, "STOPPED", at)?;
            }
        }
    }
    Ok(changed)
}

fn breaker(service: &Service) -> Value {
    service
        .members
        .get("deploymentConfiguration")
        .map(|all| all["deploymentCircuitBreaker"].clone())
        .unwrap_or_default()
}

/// The deployment ends without success, and no more tasks of it start.
fn give_up(
    call: &Call<'_>,
    service: &mut Service,
    record: &mut deployment::Deployment,
    status: &str,
    at: i64,
) -> Result<(), Fault> {
    if let Some(primary) = service.rollouts.first_mut() {
        primary.state = "FAILED".to_owned();
        primary.reason = "ECS deployment circuit breaker: tasks failed to start.".to_owned();
        primary.updated = at;
    }
    service.deployment = None;
    let reason = "The deployment circuit breaker was triggered: tasks failed to start.";
    record.finish(call, status, Some(reason), at)
}

/// Goes back to the last revision that was rolled out with success. Where there is none, the deployment fails.
pub fn roll_back(call: &Call<'_>, service: &mut Service, reason: &str, at: i64) -> Result<(), Fault> {
    let Some(mut record) = service
        .deployment
        .as_deref()
        .map(|arn| deployment::find(call, arn))
        .transpose()?
        .flatten()
    else {
        return Ok(());
    };
    let good = match &service.good {
        Some(arn) => deployment::revision(call, arn)?,
        None => None,
    };
    let Some(good) = good else {
        return give_up(call, service, &mut record, "ROLLBACK_FAILED", at);
    };
    if let Some(primary) = service.rollouts.first_mut() {
        primary.state = "FAILED".to_owned();
        primary.reason = "ECS deployment circuit breaker: tasks failed to start.".to_owned();
        primary.updated = at;
        let failed = primary.id.clone();
        service.say(
            at,
            &format!(
                "rolling back to (revision {}) because of (deployment {failed}).",
                good.arn
            ),
        );
    }
    record.rollback = Some(Rollback {
        reason: reason.to_owned(),
        started: at,
        revision: good.arn.clone(),
    });
    record.finish(call, "ROLLBACK_IN_PROGRESS", Some(reason), at)?;
    service.definition.clone_from(&good.definition);
    for (member, value) in &good.members {
        if matches!(member.as_str(), "networkConfiguration" | "loadBalancers") {
            service.members.insert(member.clone(), value.clone());
        }
    }
    service.begin(good.definition, good.arn, at);
    Ok(())
}

/// Starts and stops tasks within the bounds of the deployment.
fn place(call: &Call<'_>, service: &mut Service, all: &mut Vec<Task>, at: i64) -> Result<bool, Fault> {
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
        healthy += i64::from(task.healthy_at(call, &balancers)?.is_some_and(|moment| moment <= at));
    }
    let mut surplus = all.iter().filter(|task| task.active(at) && ours(task)).count() as i64 - desired;
    let mut stopped = 0;
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|place| all.get(*place).is_some_and(|task| task.runs <= at));
    let failed = primary.state == "FAILED";
    for place in order {
        let Some(task) = all.get_mut(place).filter(|task| task.stop.is_none()) else {
            continue;
        };
        let fit = task.healthy_at(call, &balancers)?.is_some_and(|moment| moment <= at);
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
            stopped += 1;
            changed = true;
        }
    }
    if stopped > 0 {
        service.say(at, &format!("has stopped {stopped} running tasks."));
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
            capacity_provider: None,
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
            // A subnet without a free address, or one that was deleted: ECS tries again later.
            Err(fault) => {
                service.say(at, &format!("was unable to place a task. Reason: {}.", fault.message));
                service.retry = at + span(call, durations::TASK_RETRY).max(1);
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

/// A deployment is complete when all its tasks are healthy and the old ones are stopped.
fn finish(call: &Call<'_>, service: &mut Service, all: &[Task], at: i64) -> Result<bool, Fault> {
    let Some(primary) = service.rollouts.first().cloned() else {
        return Ok(false);
    };
    if primary.state == "FAILED" {
        return Ok(false);
    }
    let balancers = service.load_balancers();
    let mut healthy = 0;
    for task in all
        .iter()
        .filter(|task| task.active(at) && task.rollout.as_deref() == Some(primary.id.as_str()))
    {
        healthy += i64::from(task.healthy_at(call, &balancers)?.is_some_and(|moment| moment <= at));
    }
    let old_gone = all
        .iter()
        .all(|task| task.rollout.as_deref() == Some(primary.id.as_str()) || task.stopped(at));
    let steady = healthy == service.desired && old_gone;
    let mut changed = false;
    if steady && primary.state == "IN_PROGRESS" {
        if let Some(primary) = service.rollouts.first_mut() {
            primary.state = "COMPLETED".to_owned();
            primary.reason = format!("ECS deployment {} completed.", primary.id);
            primary.updated = at;
        }
        service.rollouts.truncate(1);
        service.say(at, &format!("(deployment {}) {DEPLOYED}", primary.id));
        if let Some(mut record) = service
            .deployment
            .take()
            .map(|arn| deployment::find(call, &arn))
            .transpose()?
            .flatten()
        {
            let reason = record.reason.clone();
            match record.status.as_str() {
                "ROLLBACK_IN_PROGRESS" => record.finish(call, "ROLLBACK_SUCCESSFUL", reason.as_deref(), at)?,
                _ => record.finish(call, "SUCCESSFUL", None, at)?,
            }
        }
        service.good = Some(primary.revision);
        changed = true;
    }
    if steady && !service.steady {
        service.say(at, "has reached a steady state.");
        changed = true;
    }
    service.steady = steady;
    Ok(changed)
}
