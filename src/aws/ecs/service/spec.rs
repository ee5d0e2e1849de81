//! The options of a service, and what differs from them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::rollout;
use super::state::{State, registration};
use crate::aws::ecs::short;
use crate::error::{Error, Result};
use crate::resource::{Change, Class, Scope};

fn one() -> u32 {
    1
}

fn a_minute() -> u32 {
    60
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The ARN or the name of the cluster, one of this environment. A change replaces the service.
    pub cluster: String,
    /// The ARN of the revision to run: `task_definition.arn`.
    pub task_definition: String,
    /// How many tasks it is created with. Later on the number belongs to whoever scales the service, and is compared
    /// only with `enforce_count`.
    #[serde(default = "one")]
    pub count: u32,
    /// Set the number of tasks back to `count` when it differs.
    #[serde(default)]
    pub enforce_count: bool,
    /// The ids of the subnets.
    pub subnets: Vec<String>,
    /// The ids of the security groups: all of them.
    pub security_groups: Vec<String>,
    /// Give each task a public address. In a public subnet without NAT it cannot read its image otherwise.
    #[serde(default)]
    pub assign_public_ip: bool,
    /// The ARN of the target group that the tasks are registered at.
    pub target_group: Option<String>,
    /// The name of the container that gets the requests; with `target_group`.
    pub container: Option<String>,
    /// The port of that container; with `target_group`.
    pub port: Option<u16>,
    /// How many seconds after its start a task's failed health checks at the load balancer do not count.
    #[serde(default = "a_minute")]
    pub health_check_grace: u32,
    /// Whether a shell may be opened in its tasks, with `aws ecs execute-command`.
    #[serde(default)]
    pub execute_command: bool,
    /// The version of Fargate; the service's `LATEST` when it is not given.
    pub platform_version: Option<String>,
    /// Outputs of what must be there first and is not named otherwise, such as the `arn` of the listener: they are waited
    /// for, and not sent.
    #[serde(default)]
    pub after: Vec<String>,
}

/// The API's whole numbers are signed.
fn whole(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Spec {
    pub fn desired(&self) -> i32 {
        whole(self.count)
    }

    pub fn grace(&self) -> i32 {
        whole(self.health_check_grace)
    }

    /// The target group, the container and its port.
    pub fn registration(&self) -> Option<(&str, &str, i32)> {
        Some((
            self.target_group.as_deref()?,
            self.container.as_deref()?,
            i32::from(self.port?),
        ))
    }

    pub fn check(&self, scope: &Scope) -> Result<()> {
        if self.target_group.is_some() && self.registration().is_none() {
            return Err(Error::failed("with `target_group`, `container` and `port` are needed"));
        }
        if self.target_group.is_none() && (self.container.is_some() || self.port.is_some()) {
            return Err(Error::failed(
                "`container` and `port` say what `target_group` sends requests to, and it is missing",
            ));
        }
        if self.subnets.is_empty() {
            return Err(Error::failed("`subnets` must name at least one subnet"));
        }
        if self.security_groups.is_empty() {
            return Err(Error::failed("`security_groups` must name at least one security group"));
        }
        match scope.logical(short(&self.cluster)) {
            Some(_) => Ok(()),
            None => Err(Error::failed(format!(
                "`cluster` must be one of this environment's, not {}",
                self.cluster
            ))),
        }
    }

    /// What differs. Every change starts a deployment; the tasks are replaced one after the other.
    pub fn changes(&self, live: &State) -> Vec<Change> {
        use Class::{InPlace, Replace};
        let mut changes = Vec::new();
        let mut add = |change: Option<Change>| changes.extend(change);
        let text = |text: &str| text.to_owned();

        add(Change::between(
            "cluster",
            &text(short(&live.cluster)),
            &text(short(&self.cluster)),
            Replace,
        ));
        let (runs, wanted) = (short(live.target()), short(&self.task_definition));
        add(Change::between("task_definition", &text(runs), &text(wanted), InPlace));
        if self.enforce_count {
            add(Change::between("count", &live.desired, &self.desired(), InPlace));
        }
        add(Change::of_sets("subnets", &live.subnets, &self.subnets, InPlace));
        add(Change::of_sets(
            "security_groups",
            &live.security_groups,
            &self.security_groups,
            InPlace,
        ));
        add(Change::between(
            "assign_public_ip",
            &live.assign_public_ip,
            &self.assign_public_ip,
            InPlace,
        ));
        let wanted = self
            .registration()
            .map(|(group, container, port)| registration(group, container, port));
        let wanted: Vec<_> = wanted.into_iter().collect();
        add(Change::of_sets("load_balancer", &live.load_balancers, &wanted, InPlace));
        if self.target_group.is_some() {
            // A peer that does not tell it is not judged by it.
            if let Some(grace) = live.health_check_grace {
                add(Change::between("health_check_grace", &grace, &self.grace(), InPlace));
            }
        }
        if let Some(version) = &self.platform_version {
            add(Change::between(
                "platform_version",
                &live.platform_version,
                version,
                InPlace,
            ));
        }
        if let Some(rolls_back) = &live.rolls_back {
            add(Change::between("rollback_on_failure", rolls_back, &true, InPlace));
        }
        if let Some(percents) = &live.percents {
            let wanted = (rollout::LEAST_PERCENT, rollout::MOST_PERCENT);
            let shown = |(least, most): (i32, i32)| format!("{least} to {most}");
            add(Change::between("percents", &shown(*percents), &shown(wanted), InPlace));
        }
        add(Change::between(
            "execute_command",
            &live.execute_command,
            &self.execute_command,
            InPlace,
        ));
        add(Change::between("propagate_tags", &live.propagates_tags, &true, InPlace));
        if let Some(managed_tags) = &live.managed_tags {
            add(Change::between("managed_tags", managed_tags, &true, InPlace));
        }
        // Another definition starts a deployment anyway.
        if rollout::needs_redeploy(live) && runs == short(&self.task_definition) {
            add(Some(Change::new("deployment", "failed", "made again", InPlace)));
        }
        changes
    }
}
