//! What the service tells of a service.

use aws_sdk_ecs::types::{
    AssignPublicIp, DeploymentRolloutState, LaunchType, LoadBalancer, PropagateTags, Service, ServiceDeploymentStatus,
};
use aws_smithy_types::DateTime;

use crate::error::Error;

/// A deployment as DescribeServices tells it.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub id: String,
    /// PRIMARY for the newest, ACTIVE for one that is being replaced.
    pub status: String,
    pub rollout: Option<DeploymentRolloutState>,
    pub reason: String,
    pub task_definition: String,
    pub desired: i32,
    pub running: i32,
}

/// A deployment as ListServiceDeployments tells it, which also tells how it ended.
#[derive(Clone, Debug)]
pub struct ServiceDeployment {
    pub arn: String,
    pub status: ServiceDeploymentStatus,
    pub reason: String,
    pub target_revision: String,
    /// The task definition of the target revision, once it was asked for.
    pub task_definition: Option<String>,
}

/// How far the newest change of a service is.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    pub newest: Option<ServiceDeployment>,
    /// The deployment that had ended before this run looked: how it ended is not this run's doing.
    pub known: Option<String>,
    /// Why it failed, with the service's own words.
    pub failure: Option<Error>,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub service_name: String,
    pub cluster: String,
    pub status: String,
    pub task_definition: String,
    pub desired: i32,
    pub running: i32,
    pub pending: i32,
    pub launch_type: String,
    pub platform_version: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub assign_public_ip: bool,
    pub load_balancers: Vec<String>,
    pub target_groups: Vec<String>,
    pub health_check_grace: Option<i32>,
    /// Whether a deployment that fails is stopped and rolled back. `None` where the peer does not tell: AWS always does,
    /// and moto keeps neither this nor `managed_tags`.
    pub rolls_back: Option<bool>,
    /// How many of the wanted tasks run at least and at most during a deployment, in percent. `None` likewise.
    pub percents: Option<(i32, i32)>,
    pub execute_command: bool,
    pub propagates_tags: bool,
    pub managed_tags: Option<bool>,
    pub deployments: Vec<Deployment>,
    /// Newest first.
    pub events: Vec<(Option<DateTime>, String)>,
    pub rollout: Rollout,
}

/// One registration at a target group, in words that can be compared.
pub fn registration(target_group: &str, container: &str, port: i32) -> String {
    format!("{container}:{port} at {target_group}")
}

impl State {
    pub fn new(service: &Service) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let network = service
            .network_configuration()
            .and_then(|network| network.awsvpc_configuration());
        let configuration = service.deployment_configuration();
        let rolls_back = configuration.map(|configuration| {
            let breaker = configuration.deployment_circuit_breaker();
            breaker.is_some_and(|breaker| breaker.enable() && breaker.rollback())
        });
        let balancer = |balancer: &LoadBalancer| {
            registration(
                balancer.target_group_arn().unwrap_or_default(),
                balancer.container_name().unwrap_or_default(),
                balancer.container_port().unwrap_or_default(),
            )
        };
        let deployment = |deployment: &aws_sdk_ecs::types::Deployment| Deployment {
            id: text(deployment.id()),
            status: text(deployment.status()),
            rollout: deployment.rollout_state().cloned(),
            reason: text(deployment.rollout_state_reason()),
            task_definition: text(deployment.task_definition()),
            desired: deployment.desired_count(),
            running: deployment.running_count(),
        };
        let target_group = |balancer: &LoadBalancer| balancer.target_group_arn().map(str::to_owned);
        Self {
            service_name: text(service.service_name()),
            cluster: text(service.cluster_arn()),
            status: text(service.status()),
            task_definition: text(service.task_definition()),
            desired: service.desired_count(),
            running: service.running_count(),
            pending: service.pending_count(),
            launch_type: text(service.launch_type().map(LaunchType::as_str)),
            platform_version: text(service.platform_version()),
            subnets: network.map(|network| network.subnets().to_vec()).unwrap_or_default(),
            security_groups: network
                .map(|network| network.security_groups().to_vec())
                .unwrap_or_default(),
            assign_public_ip: network.and_then(|network| network.assign_public_ip()) == Some(&AssignPublicIp::Enabled),
            load_balancers: service.load_balancers().iter().map(balancer).collect(),
            target_groups: service.load_balancers().iter().filter_map(target_group).collect(),
            health_check_grace: service.health_check_grace_period_seconds(),
            rolls_back,
            percents: configuration.and_then(|configuration| {
                Some((
                    configuration.minimum_healthy_percent()?,
                    configuration.maximum_percent()?,
                ))
            }),
            execute_command: service.enable_execute_command(),
            propagates_tags: service.propagate_tags() == Some(&PropagateTags::Service),
            managed_tags: configuration.map(|_| service.enable_ecs_managed_tags()),
            deployments: service.deployments().iter().map(deployment).collect(),
            events: service
                .events()
                .iter()
                .map(|event| (event.created_at().copied(), text(event.message())))
                .collect(),
            rollout: Rollout::default(),
        }
    }

    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.status == "PRIMARY")
    }

    /// What runs, or is being brought up: after a rollback the revision from before. Where the peer tells no service
    /// deployments, it does not keep the definition of a deployment either (moto), and the service's own counts.
    pub fn target(&self) -> &str {
        match (&self.rollout.newest, self.primary()) {
            (Some(_), Some(primary)) if !primary.task_definition.is_empty() => &primary.task_definition,
            _ => &self.task_definition,
        }
    }
}
