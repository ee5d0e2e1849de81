//! Whether a change of a service has arrived.
//!
//! "Services stable" takes a rollback for a success. ListServiceDeployments tells how a deployment ended, so that it is
//! the judge: SUCCESSFUL is ready, ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED and STOPPED are failures. Where a peer has no such
//! operation, DescribeServices is the judge: one deployment, completed, with as many tasks as wanted.

use std::sync::atomic::Ordering;

use aws_sdk_ecs::types::{DeploymentRolloutState, ServiceDeploymentBrief, ServiceDeploymentStatus};

use super::state::{Rollout, ServiceDeployment, State};
use super::{KIND, Services};
use crate::aws::error::Call;
use crate::aws::unsupported::is_unsupported;
use crate::error::{Error, Result};
use crate::resource::{Engine, Live, Readiness};

/// How many of the wanted tasks run at least during a deployment, in percent: the old ones stay until the new ones are
/// well.
pub const LEAST_PERCENT: i32 = 100;

/// How many run at most.
pub const MOST_PERCENT: i32 = 200;

/// Ended, and not well.
fn is_bad(status: &ServiceDeploymentStatus) -> bool {
    matches!(
        status,
        ServiceDeploymentStatus::RollbackSuccessful
            | ServiceDeploymentStatus::RollbackFailed
            | ServiceDeploymentStatus::Stopped
    )
}

fn is_over(status: &ServiceDeploymentStatus) -> bool {
    *status == ServiceDeploymentStatus::Successful || is_bad(status)
}

fn counts(state: &State) -> String {
    format!("{} of {} tasks running", state.running, state.desired)
}

/// Whether it is ready, by what was gathered. A bad end from before this run is settled, not failed: what to do about it
/// is for the comparison to say.
pub fn judge(state: &State) -> Readiness {
    match state.status.as_str() {
        "DRAINING" => return Readiness::Leaving("DRAINING".into()),
        "ACTIVE" => {}
        other => return Readiness::Waiting(other.to_owned()),
    }
    let rollout = &state.rollout;
    let failed = || {
        Readiness::Failed(match &rollout.failure {
            Some(error) => error.clone(),
            None => Error::failed(format!("the deployment of {} failed", state.service_name)),
        })
    };
    // By its id where the deployments were not asked for before.
    let is_known = |arn: &String| {
        let primary = state.primary().map(|primary| &primary.id);
        rollout.known.as_ref() == Some(arn) || (primary.is_some() && rollout.known.as_ref() == primary)
    };
    let is_rolling = state
        .primary()
        .is_some_and(|primary| primary.rollout == Some(DeploymentRolloutState::InProgress));
    match &rollout.newest {
        Some(newest) if is_bad(&newest.status) => match is_known(&newest.arn) {
            true => Readiness::Ready,
            false => failed(),
        },
        Some(newest) if newest.status != ServiceDeploymentStatus::Successful => {
            Readiness::Waiting(format!("{}, {}", newest.status.as_str(), counts(state)))
        }
        // The newest that is listed can still be the one before.
        Some(_) if is_rolling => Readiness::Waiting(counts(state)),
        Some(newest)
            if newest
                .task_definition
                .as_deref()
                .is_some_and(|arn| arn != state.target()) =>
        {
            Readiness::Waiting("the new deployment is not listed yet".into())
        }
        Some(_) => Readiness::Ready,
        None => judge_by_service(state, failed),
    }
}

fn judge_by_service(state: &State, failed: impl Fn() -> Readiness) -> Readiness {
    let Some(primary) = state.primary() else {
        return Readiness::Waiting("no deployment yet".into());
    };
    let is_full = state.running == state.desired && state.deployments.len() == 1;
    match &primary.rollout {
        Some(DeploymentRolloutState::Failed) if state.rollout.known.as_ref() == Some(&primary.id) => Readiness::Ready,
        Some(DeploymentRolloutState::Failed) => failed(),
        Some(DeploymentRolloutState::Completed) | None if is_full => Readiness::Ready,
        _ => Readiness::Waiting(counts(state)),
    }
}

/// Whether the last deployment ended badly and what it left does not run as it should.
pub fn needs_redeploy(state: &State) -> bool {
    let Some(primary) = state.primary() else { return false };
    let newest_is_bad = state
        .rollout
        .newest
        .as_ref()
        .is_some_and(|newest| is_bad(&newest.status));
    primary.rollout == Some(DeploymentRolloutState::Failed) || (newest_is_bad && state.running < state.desired)
}

/// Whether the service itself tells that nothing is under way and that nothing went wrong in all that it remembers, so
/// that its deployments need not be asked for. It keeps 100 events; those of deployments are "deployment completed",
/// "deployment failed" and "rolling back to" (ECS Developer Guide, "Service event messages").
fn is_settled(state: &State) -> bool {
    let [only] = &state.deployments[..] else { return false };
    let is_bad = |event: &str| {
        let is_of_deployment = event.contains(") deployment ") && !event.contains("deployment completed");
        is_of_deployment || event.contains("rolling back")
    };
    state.status == "ACTIVE"
        && only.status == "PRIMARY"
        && only.rollout == Some(DeploymentRolloutState::Completed)
        && (state.running, state.pending) == (state.desired, 0)
        && [&state.task_definition, ""].contains(&only.task_definition.as_str())
        && !state.events.iter().any(|(_, event)| is_bad(event))
}

impl Services {
    /// Gathers how far the newest deployment is. `known` is the one that had ended before; `None` to take the newest for
    /// known when it has ended.
    pub(super) async fn gather(&self, live: &mut Live<State>, before: Option<&Rollout>) -> Result<()> {
        let newest = match before {
            None if is_settled(&live.state) => None,
            _ => self.newest(live).await?,
        };
        self.take(live, before, newest).await
    }

    /// The same before a change, whatever the service tells: what follows is compared with it.
    pub(super) async fn gather_all(&self, live: &mut Live<State>) -> Result<()> {
        let newest = self.newest(live).await?;
        self.take(live, None, newest).await
    }

    async fn take(
        &self,
        live: &mut Live<State>,
        before: Option<&Rollout>,
        newest: Option<ServiceDeployment>,
    ) -> Result<()> {
        let ended_primary = || {
            let primary = live.state.primary()?;
            (primary.rollout != Some(DeploymentRolloutState::InProgress)).then(|| primary.id.clone())
        };
        let known = match (before, &newest) {
            (Some(before), _) => before.known.clone(),
            (None, Some(newest)) => is_over(&newest.status).then(|| newest.arn.clone()),
            (None, None) => ended_primary(),
        };
        live.state.rollout = Rollout {
            newest,
            known,
            failure: None,
        };
        if before.is_none() {
            return Ok(());
        }
        if let Some(newest) = &mut live.state.rollout.newest
            && is_over(&newest.status)
            && live.state.rollout.known.as_ref() != Some(&newest.arn)
        {
            newest.task_definition = self.revision(&newest.target_revision).await?;
        }
        if let Readiness::Failed(_) = judge(&live.state) {
            live.state.rollout.failure = Some(self.explain(live).await);
        }
        Ok(())
    }

    /// The newest service deployment; `None` when there is none, or when the endpoint does not tell.
    async fn newest(&self, live: &Live<State>) -> Result<Option<ServiceDeployment>> {
        if self.by_service.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut newest: Option<ServiceDeploymentBrief> = None;
        let mut token = None;
        loop {
            let answer = self
                .aws
                .ecs
                .list_service_deployments()
                .cluster(&live.state.cluster)
                .service(&live.id)
                .set_next_token(token)
                .send()
                .await;
            if answer.as_ref().is_err_and(|error| is_unsupported(&self.aws, error)) {
                self.by_service.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            let page = match answer.call("ecs:ListServiceDeployments") {
                Ok(page) => page,
                // Gone between the two calls; the next look says so.
                Err(error) if super::is_not_found(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            for brief in page.service_deployments.unwrap_or_default() {
                let at = |brief: &ServiceDeploymentBrief| brief.created_at().map(|at| (at.secs(), at.subsec_nanos()));
                if newest.as_ref().is_none_or(|newest| at(&brief) > at(newest)) {
                    newest = Some(brief);
                }
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(newest.map(|brief| ServiceDeployment {
            arn: brief.service_deployment_arn().unwrap_or_default().to_owned(),
            status: brief.status().cloned().unwrap_or(ServiceDeploymentStatus::Pending),
            reason: brief.status_reason().unwrap_or_default().to_owned(),
            target_revision: brief.target_service_revision_arn().unwrap_or_default().to_owned(),
            task_definition: None,
        }))
    }

    /// The task definition of a service revision.
    async fn revision(&self, arn: &str) -> Result<Option<String>> {
        if arn.is_empty() {
            return Ok(None);
        }
        let answer = self
            .aws
            .ecs
            .describe_service_revisions()
            .service_revision_arns(arn)
            .send()
            .await;
        if answer.as_ref().is_err_and(|error| is_unsupported(&self.aws, error)) {
            return Ok(None);
        }
        let answer = answer.call("ecs:DescribeServiceRevisions")?;
        let revision = answer.service_revisions().first();
        Ok(revision.and_then(|revision| revision.task_definition().map(str::to_owned)))
    }

    /// Finds out who judges, and says once when it is not ListServiceDeployments.
    pub(super) async fn choose_judge(&self, engine: &Engine, live: &Live<State>) -> Result<()> {
        self.newest(live).await?;
        if self.by_service.load(Ordering::Relaxed) && !self.said.swap(true, Ordering::Relaxed) {
            engine.progress().note(
                "the endpoint does not tell service deployments: rollouts are judged by DescribeServices, by their rollout \
                 state and the number of running tasks",
            );
        }
        Ok(())
    }

    /// The words for a deployment that failed: its end, the reasons of stopped tasks, the last events and log lines.
    async fn explain(&self, live: &Live<State>) -> Error {
        let state = &live.state;
        let (end, reason) = match (&state.rollout.newest, state.primary()) {
            (Some(newest), _) => (newest.status.as_str().to_owned(), newest.reason.clone()),
            (None, Some(primary)) => ("FAILED".to_owned(), primary.reason.clone()),
            (None, None) => ("FAILED".to_owned(), String::new()),
        };
        let words = match state.rollout.newest.as_ref().map(|newest| &newest.status) {
            Some(ServiceDeploymentStatus::RollbackSuccessful) => "was rolled back",
            Some(ServiceDeploymentStatus::RollbackFailed) => "failed, and so did its rollback",
            Some(ServiceDeploymentStatus::Stopped) => "was stopped",
            _ => "failed",
        };
        let mut message = format!("the deployment {words} ({end})");
        if !reason.is_empty() {
            message.push_str(&format!(": {reason}"));
        }
        let mut error = Error::failed(message);
        let task_definition = state
            .rollout
            .newest
            .as_ref()
            .and_then(|newest| newest.task_definition.as_deref());
        // What cannot be read is said; it must not hide that the deployment failed.
        match super::tasks::why_stopped(&self.aws, &state.cluster, &state.service_name, task_definition).await {
            Ok(notes) => error = notes.into_iter().fold(error, Error::note),
            Err(unread) => error = error.note(format!("the stopped tasks cannot be read: {unread}")),
        }
        for (_, event) in state.events.iter().take(3) {
            error = error.note(format!("event: {event}"));
        }
        error.hint(format!(
            "put right what the notes say and run the same command again; `ecs::logs(\"{}\")` has more of {KIND}/{}",
            live.name, live.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Deployment;
    use super::*;

    fn service(rollout: DeploymentRolloutState, running: i32) -> State {
        State {
            status: "ACTIVE".into(),
            desired: 2,
            running,
            deployments: vec![Deployment {
                id: "ecs-svc/1".into(),
                status: "PRIMARY".into(),
                rollout: Some(rollout),
                task_definition: "web:2".into(),
                ..Deployment::default()
            }],
            ..State::default()
        }
    }

    fn with(mut state: State, status: ServiceDeploymentStatus, known: bool) -> State {
        state.rollout.newest = Some(ServiceDeployment {
            arn: "d/1".into(),
            status,
            reason: String::new(),
            target_revision: String::new(),
            task_definition: None,
        });
        state.rollout.known = known.then(|| "d/1".to_owned());
        state
    }

    #[test]
    fn a_rollback_is_a_failure_of_the_run_that_caused_it() {
        let rolled_back = || service(DeploymentRolloutState::Completed, 2);
        let judged = judge(&with(rolled_back(), ServiceDeploymentStatus::RollbackSuccessful, false));
        assert!(matches!(judged, Readiness::Failed(_)), "{judged:?}");
        let before = with(rolled_back(), ServiceDeploymentStatus::RollbackSuccessful, true);
        assert!(matches!(judge(&before), Readiness::Ready));
        assert!(!needs_redeploy(&before));
    }

    #[test]
    fn a_deployment_that_left_nothing_running_is_made_again() {
        let dead = with(
            service(DeploymentRolloutState::Failed, 0),
            ServiceDeploymentStatus::RollbackFailed,
            true,
        );
        assert!(matches!(judge(&dead), Readiness::Ready) && needs_redeploy(&dead));
    }

    #[test]
    fn an_old_success_does_not_count_for_a_new_deployment() {
        let rolling = with(
            service(DeploymentRolloutState::InProgress, 1),
            ServiceDeploymentStatus::Successful,
            true,
        );
        assert!(matches!(judge(&rolling), Readiness::Waiting(_)));
        let mut other = with(
            service(DeploymentRolloutState::Completed, 2),
            ServiceDeploymentStatus::Successful,
            false,
        );
        other.rollout.newest.as_mut().unwrap().task_definition = Some("web:1".into());
        assert!(matches!(judge(&other), Readiness::Waiting(_)));
    }

    #[test]
    fn deployments_are_asked_for_unless_the_service_tells_that_all_went_well() {
        let say = |mut state: State, event: &str| {
            state.events = vec![(None, format!("(service web) {event}"))];
            state
        };
        let done = || service(DeploymentRolloutState::Completed, 2);
        let mut same = done();
        same.task_definition = "web:2".into();
        assert!(is_settled(&same));
        assert!(is_settled(&say(
            same.clone(),
            "(deployment ecs-svc/1) deployment completed."
        )));
        assert!(is_settled(&say(same.clone(), "has stopped 1 running tasks: (task 1).")));
        assert!(!is_settled(&done()), "another task definition");
        for event in [
            "rolling back to deployment ecs-svc/1.",
            "(deployment ecs-svc/2) deployment failed: tasks failed to start.",
        ] {
            assert!(!is_settled(&say(same.clone(), event)), "{event}");
        }
        same.running = 1;
        assert!(!is_settled(&same));
    }

    /// The deployments were not asked for before the change, which did not start another.
    #[test]
    fn what_ended_badly_before_a_change_without_a_deployment_is_not_its_fault() {
        let mut state = with(
            service(DeploymentRolloutState::Completed, 2),
            ServiceDeploymentStatus::RollbackSuccessful,
            false,
        );
        state.rollout.known = Some("ecs-svc/1".into());
        assert!(matches!(judge(&state), Readiness::Ready));
    }

    #[test]
    fn without_service_deployments_the_service_is_the_judge() {
        assert!(matches!(
            judge(&service(DeploymentRolloutState::Completed, 2)),
            Readiness::Ready
        ));
        assert!(matches!(
            judge(&service(DeploymentRolloutState::Completed, 1)),
            Readiness::Waiting(_)
        ));
        assert!(matches!(
            judge(&service(DeploymentRolloutState::Failed, 0)),
            Readiness::Failed(_)
        ));
    }
}
