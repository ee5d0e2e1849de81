//! The service scheduler, replayed.
//!
//! Nothing runs in the background. Before an answer, the moments at which something happened since the last answer (a
//! task ran, failed, passed its checks, was drained) are gone through in their order, and at each the scheduler does
//! what ECS's does: it starts and stops tasks within the deployment's bounds, counts failures, triggers the circuit
//! breaker, completes or rolls back deployments. Replaying twice changes nothing, because what was done is kept.
//!
//! Source: developer guide, *Deploy Amazon ECS services by replacing tasks* (minimumHealthyPercent, maximumPercent),
//! *How the Amazon ECS deployment circuit breaker detects failures*, *Amazon ECS service throttle logic*.

mod failure;
mod place;

use serde_json::Value;

use super::super::call::{Call, Fault};
use super::super::elb::target_group;
use super::super::{durations, tags};
use super::service::Service;
use super::task::Task;
use super::{deployment, service, task};
use failure::{count_failures, lose, retire_sick};
use place::place;

pub use failure::roll_back;

/// Moments of one service that are replayed at most in one call, and passes at one moment. They bound an endless row of
/// failures after a long pause; what is left out is only more of the same failures.
const MOMENTS: usize = 200;

const PASSES: usize = 32;

const DEPLOYED: &str = "deployment completed.";

/// Brings every service to the call's moment.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    let _everything = call.store.see_all();
    target_group::observe_due(call)?;
    for mut service in service::due(call)? {
        // While it rested nothing happened to it: what woke it is of now.
        if service.steady && next(call, &service, service.settled, call.now)?.is_none() {
            service.settled = call.now;
        }
        replay(call, &mut service)?;
        // It rests until something is to happen. What is on its way to nowhere is looked at with every call.
        let next = match service.status.as_str() {
            "INACTIVE" => None,
            _ => next(call, &service, call.now, i64::MAX - 1)?.or((!service.steady).then_some(call.now)),
        };
        service::rest(call, &service, next)?;
    }
    // A stopped task is described "for at least one hour": that hour is not divided, so that its reason can be read.
    let remembered = durations::TASK_REMEMBERED.time.as_millis() as i64;
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
    let grace = service.grace(call);
    let balancers = service.load_balancers();
    for task in tasks(call, service)? {
        moments.extend(task.stop.iter().flat_map(|stop| [stop.asked, stop.done]));
        moments.extend(task.moments(call, &balancers, grace)?);
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
            let changed = retire_sick(call, service, &mut all, at)? || changed;
            let changed = lose(call, service, &mut all, at)? || changed;
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
        healthy += i64::from(task.fit(call, &balancers, at)?);
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
