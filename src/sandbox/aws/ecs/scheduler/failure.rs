//! Failed tasks: counted, and what the circuit breaker makes of them.

use serde_json::Value;

use super::super::super::call::{Call, Fault};
use super::super::super::durations;
use super::super::super::rules::{self, Condition};
use super::super::deployment::Rollback;
use super::super::service::Service;
use super::super::task::{Task, span};
use super::super::{deployment, task};

/// The throttle doubles the pause at each failure, up to this factor.
pub const LONGEST_PAUSE: u32 = 5;

/// So many failed tasks, and the service says that it cannot.
const IMPAIRED: u32 = 3;

const FAILED: &str = "ECS deployment circuit breaker: tasks failed to start.";
pub const TRIGGERED: &str = "Service deployment rolled back because the circuit breaker threshold was exceeded.";

/// Counts tasks that failed to start.
pub fn count_failures(call: &Call<'_>, service: &mut Service, all: &mut [Task], at: i64) -> Result<bool, Fault> {
    let mut changed = false;
    for task in all
        .iter_mut()
        .filter(|task| !task.counted && task.failure.is_some() && task.runs <= at)
    {
        task.counted = true;
        task::save(call, task)?;
        changed = true;
        let reason = task.failure.clone().unwrap_or_default();
        let message = format!("was unable to place a task. Reason: {reason}.");
        count(call, service, task.rollout.as_deref().unwrap_or_default(), &message, at)?;
    }
    Ok(changed)
}

/// Stops tasks that fail their load balancer's checks; the scheduler replaces them.
pub fn retire_sick(call: &Call<'_>, service: &mut Service, all: &mut [Task], at: i64) -> Result<bool, Fault> {
    let balancers = service.load_balancers();
    let grace = service.grace(call);
    let mut changed = false;
    for task in all.iter_mut().filter(|task| task.stop.is_none()) {
        let Some((group, port, closed)) = task.sick(call, &balancers, at, grace)? else {
            continue;
        };
        let reason = format!("Task failed ELB health checks in (target-group {group})");
        task.ask_to_stop(call, &balancers, at, "ServiceSchedulerInitiated", &reason)?;
        let message = format!(
            "(task {}) (port {port}) is unhealthy in (target-group {group}) due to (reason {}).",
            task.id,
            closed.in_words()
        );
        count(call, service, task.rollout.as_deref().unwrap_or_default(), &message, at)?;
        service.say(at, &format!("has stopped 1 running tasks: (task {}).", task.id));
        changed = true;
    }
    Ok(changed)
}

/// Stops a running task that a rule says is lost.
pub fn lose(call: &Call<'_>, service: &Service, all: &mut [Task], at: i64) -> Result<bool, Fault> {
    // A rule is of now, whatever is replayed.
    let running = |task: &&mut Task| task.stop.is_none() && task.announced;
    let Some(task) = all.iter_mut().find(running).filter(|_| at == call.now) else {
        return Ok(false);
    };
    if !rules::of(call, Condition::LoseTask, &[&service.name, &service.arn])? {
        return Ok(false);
    }
    let reason = "Essential container in task exited";
    task.ask_to_stop(call, &service.load_balancers(), at, "EssentialContainerExited", reason)?;
    Ok(true)
}

/// Tells of a failed task. When it is one of the newest deployment, the next one waits, and the circuit breaker may have
/// enough.
pub fn count(call: &Call<'_>, service: &mut Service, rollout: &str, message: &str, at: i64) -> Result<(), Fault> {
    service.say(at, message);
    let Some(primary) = service.rollouts.first_mut().filter(|primary| primary.id == rollout) else {
        return Ok(());
    };
    primary.failed += 1;
    primary.updated = at;
    let (failed, id) = (primary.failed, primary.id.clone());
    let in_progress = primary.state == "IN_PROGRESS";
    let pause =
        span(call, call.usual(durations::TASK_RETRY)).saturating_mul(1 << failed.saturating_sub(1).min(LONGEST_PAUSE));
    service.retry = service.retry.max(at + pause.max(1));
    if failed == IMPAIRED {
        service.say(at, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.");
    }
    let Some(mut record) = service
        .deployment
        .as_deref()
        .map(|arn| deployment::find(call, arn))
        .transpose()?
        .flatten()
    else {
        return Ok(());
    };
    record.failures = failed;
    deployment::save(call, &record, at)?;
    let breaker = breaker(service);
    if breaker["enable"] == true && failed >= record.threshold && in_progress {
        service.say(
            at,
            &format!("(deployment {id}) deployment failed: tasks failed to start."),
        );
        if record.status == "ROLLBACK_IN_PROGRESS" {
            give_up(call, service, &mut record, "ROLLBACK_FAILED", FAILED, at)?;
        } else if breaker["rollback"] == true {
            roll_back(call, service, TRIGGERED, at)?;
        } else {
            give_up(call, service, &mut record, "STOPPED", FAILED, at)?;
        }
    }
    Ok(())
}

pub fn breaker(service: &Service) -> Value {
    service
        .members
        .get("deploymentConfiguration")
        .map(|all| all["deploymentCircuitBreaker"].clone())
        .unwrap_or_default()
}

/// Why a deployment that is rolled back for this reason has failed.
fn because(reason: &str) -> String {
    if reason == TRIGGERED { FAILED } else { reason }.to_owned()
}

/// The deployment ends without success, and no more tasks of it start.
pub fn give_up(
    call: &Call<'_>,
    service: &mut Service,
    record: &mut deployment::Deployment,
    status: &str,
    reason: &str,
    at: i64,
) -> Result<(), Fault> {
    if let Some(primary) = service.rollouts.first_mut() {
        primary.state = "FAILED".to_owned();
        primary.reason = reason.to_owned();
        primary.updated = at;
    }
    service.deployment = None;
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
        return give_up(call, service, &mut record, "ROLLBACK_FAILED", &because(reason), at);
    };
    if let Some(primary) = service.rollouts.first_mut() {
        primary.state = "FAILED".to_owned();
        primary.reason = because(reason);
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
