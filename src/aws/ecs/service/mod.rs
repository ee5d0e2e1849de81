//! A service on Fargate: keeps tasks of one definition running, behind a load balancer if it has one.

pub mod rollout;
mod spec;
pub mod state;
pub mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, DeploymentCircuitBreaker, DeploymentConfiguration, LaunchType, LoadBalancer,
    NetworkConfiguration, PropagateTags, Service, ServiceField,
};
use futures::future::try_join_all;

use super::cluster;
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

pub use spec::Spec;
pub use state::State;

pub const KIND: &str = "service";

/// DescribeServices: "A list of services to describe. You may specify up to 10 services".
const AT_ONCE: usize = 10;

/// Clones share what they found out about the endpoint.
#[derive(Clone)]
pub struct Services {
    pub(super) aws: Aws,
    /// The endpoint does not tell service deployments.
    by_service: Arc<AtomicBool>,
    /// That was said.
    said: Arc<AtomicBool>,
}

pub static ABOUT: About = About {
    kind: KIND,
    module: "ecs",
    noun: "service",
    plural: "services",
    help: "A service on Fargate. It is ready when its deployment succeeded; one that was rolled back is an error that says \
           why the tasks stopped.",
    retention: Retention::Disposable,
    gone_before: &[],
    outputs: &[
        OutputField::text("id", "the name at the service"),
        OutputField::text("arn", "the ARN"),
        OutputField::text("cluster", "the ARN of the cluster"),
        OutputField::text("task_definition", "the ARN of the revision that runs"),
        OutputField::other("desired", "how many tasks there should be"),
        OutputField::other("running", "how many tasks run"),
    ],
    // 1 to 2 minutes for a task and the health checks; a deployment that fails takes longer until the breaker opens.
    create_limit: Duration::from_secs(20 * 60),
    // Draining takes as long as the target group's deregistration delay.
    delete_limit: Duration::from_secs(15 * 60),
    actions: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
        "ecs:CreateService",
        "ecs:UpdateService",
        "ecs:DeleteService",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "ecs:TagResource",
        "ecs:UntagResource",
        "tag:GetResources",
        "logs:GetLogEvents",
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    ],
};

/// The service, or its cluster, is not there any more.
pub(in crate::aws) fn is_not_found(error: &Error) -> bool {
    matches!(
        error.code(),
        "ServiceNotFoundException" | "ServiceNotActiveException" | "ClusterNotFoundException"
    )
}

impl Services {
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            by_service: Arc::default(),
            said: Arc::default(),
        }
    }

    async fn describe(&self, cluster: &str, services: &[String]) -> Result<Vec<Service>> {
        let answer = self
            .aws
            .ecs
            .describe_services()
            .cluster(cluster)
            .set_services(Some(services.to_vec()))
            .include(ServiceField::Tags)
            .send()
            .await
            .call("ecs:DescribeServices");
        match answer {
            // One that is missing comes back among the failures, with the reason MISSING.
            Ok(answer) => Ok(answer.services.unwrap_or_default()),
            Err(error) if is_not_found(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Every service of a cluster.
    async fn of(&self, cluster: &str) -> Result<Vec<Service>> {
        let mut pages = self.aws.ecs.list_services().cluster(cluster).into_paginator().send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            match page.call("ecs:ListServices") {
                Ok(page) => arns.extend(page.service_arns.unwrap_or_default()),
                Err(error) if is_not_found(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        let found = try_join_all(arns.chunks(AT_ONCE).map(|some| self.describe(cluster, some))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What is this environment's of these, with how far each rollout is.
    async fn ours(&self, scope: &Scope, found: &[Service]) -> Result<Vec<Live<State>>> {
        let ours = found.iter().filter_map(|service| {
            // The name of an inactive one is free; one that drains still has it.
            if service.status() == Some("INACTIVE") {
                return None;
            }
            let tags = super::read_tags(service.tags());
            Some(Live {
                id: service.service_arn()?.to_owned(),
                name: scope.name_of(KIND, &tags)?.to_owned(),
                state: State::new(service),
                tags,
            })
        });
        try_join_all(ours.map(async |mut live| {
            self.gather(&mut live, None).await?;
            Ok(live)
        }))
        .await
    }

    fn network(subnets: &[String], security_groups: &[String], public: bool) -> Result<NetworkConfiguration> {
        let public = match public {
            true => AssignPublicIp::Enabled,
            false => AssignPublicIp::Disabled,
        };
        let configuration = AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets.to_vec()))
            .set_security_groups(Some(security_groups.to_vec()))
            .assign_public_ip(public)
            .build()
            .map_err(|error| Error::failed(error.to_string()))?;
        Ok(NetworkConfiguration::builder()
            .awsvpc_configuration(configuration)
            .build())
    }

    /// Settings that are given together; those that are left out have the service's defaults.
    fn deployment(rolls_back: bool, (least, most): (i32, i32)) -> DeploymentConfiguration {
        let breaker = DeploymentCircuitBreaker::builder()
            .enable(rolls_back)
            .rollback(rolls_back)
            .build();
        DeploymentConfiguration::builder()
            .deployment_circuit_breaker(breaker)
            .minimum_healthy_percent(least)
            .maximum_percent(most)
            .build()
    }

    fn load_balancers(spec: &Spec) -> Vec<LoadBalancer> {
        let built = spec.registration().map(|(target_group, container, port)| {
            LoadBalancer::builder()
                .target_group_arn(target_group)
                .container_name(container)
                .container_port(port)
                .build()
        });
        built.into_iter().collect()
    }
}

impl Kind for Services {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        spec.check(scope)?;
        super::check_name(scope, name, "service")
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let clusters = cluster::known(&self.aws, scope).await?;
        let found = try_join_all(clusters.iter().map(|cluster| self.of(cluster))).await?;
        self.ours(scope, &found.concat()).await
    }

    /// Those that the Tagging API names.
    async fn list_known(&self, scope: &Scope) -> Result<Option<Vec<Live<State>>>> {
        // arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME
        let arns = self.aws.known_tags(scope, "ecs").await?.arns(":service/");
        let mut services: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for arn in &arns {
            if let Some(cluster) = arn.split('/').nth(1)
                && scope.logical(cluster).is_some()
            {
                services.entry(cluster).or_default().push(arn.clone());
            }
        }
        let calls = services.iter().flat_map(|(cluster, arns)| {
            let some = arns.chunks(AT_ONCE);
            some.map(|some| self.describe(cluster, some))
        });
        let found = try_join_all(calls).await?;
        Ok(Some(self.ours(scope, &found.concat()).await?))
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let physical = cx.scope.physical_of(ABOUT.kind, name);
        let mut call = self
            .aws
            .ecs
            .create_service()
            .client_token(cx.token(&format!("{KIND}/{name}")))
            .cluster(&spec.cluster)
            .service_name(&physical)
            .task_definition(&spec.task_definition)
            .desired_count(spec.desired())
            .launch_type(LaunchType::Fargate)
            .set_platform_version(spec.platform_version.clone())
            .network_configuration(Self::network(
                &spec.subnets,
                &spec.security_groups,
                spec.assign_public_ip,
            )?)
            .deployment_configuration(Self::deployment(true, (rollout::LEAST_PERCENT, rollout::MOST_PERCENT)))
            .enable_execute_command(spec.execute_command)
            .propagate_tags(PropagateTags::Service)
            .enable_ecs_managed_tags(true)
            .set_tags(Some(super::tag_list(&cx.tags)));
        if spec.target_group.is_some() {
            call = call
                .set_load_balancers(Some(Self::load_balancers(spec)))
                .health_check_grace_period_seconds(spec.grace());
        }
        let answer = call.send().await.call("ecs:CreateService")?;
        let service = answer
            .service()
            .ok_or_else(|| Error::failed("ecs:CreateService: the answer holds no service"))?;
        let live = Live {
            id: service.service_arn().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State::new(service),
        };
        self.choose_judge(cx.engine, &live).await?;
        // Not ready by the answer to its creation: the first look at its deployment decides.
        let mut live = live;
        live.state.status = "starting".to_owned();
        Ok(live)
    }

    /// What is changed is judged by its deployments, so those before it must be known.
    async fn inspect(&self, spec: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        if live.state.rollout.newest.is_none() && !spec.changes(&live.state).is_empty() {
            self.gather_all(&mut live).await?;
        }
        Ok(live)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        spec.changes(&live.state)
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        let fields = [
            "load_balancer",
            "rollback_on_failure",
            "percents",
            "propagate_tags",
            "managed_tags",
            "deployment",
        ];
        fields.map(str::to_owned).to_vec()
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        // Says what is, so that it may be sent twice: what does not differ starts no deployment, and what is left out
        // stays.
        let state = &live.state;
        let mut call = self
            .aws
            .ecs
            .update_service()
            .cluster(&state.cluster)
            .service(&live.id)
            .set_platform_version(spec.platform_version.clone().filter(|_| is("platform_version")));
        // After a rollback the service has the old one again.
        if is("task_definition") || is("deployment") {
            call = call.task_definition(&spec.task_definition);
        }
        if is("subnets") || is("security_groups") || is("assign_public_ip") {
            // The service takes the three together.
            let one = |field: &str, wanted, now| if is(field) { wanted } else { now };
            let public = match is("assign_public_ip") {
                true => spec.assign_public_ip,
                false => state.assign_public_ip,
            };
            call = call.network_configuration(Self::network(
                one("subnets", &spec.subnets, &state.subnets),
                one("security_groups", &spec.security_groups, &state.security_groups),
                public,
            )?);
        }
        if is("rollback_on_failure") || is("percents") {
            let wanted = (rollout::LEAST_PERCENT, rollout::MOST_PERCENT);
            let percents = state.percents.filter(|_| !is("percents")).unwrap_or(wanted);
            let rolls_back = is("rollback_on_failure") || state.rolls_back.unwrap_or(true);
            call = call.deployment_configuration(Self::deployment(rolls_back, percents));
        }
        if is("execute_command") {
            call = call.enable_execute_command(spec.execute_command);
        }
        if is("propagate_tags") {
            call = call.propagate_tags(PropagateTags::Service);
        }
        if is("managed_tags") {
            call = call.enable_ecs_managed_tags(true);
        }
        if is("count") {
            call = call.desired_count(spec.desired());
        }
        if is("load_balancer") {
            call = call.set_load_balancers(Some(Self::load_balancers(spec)));
        }
        let is_registered_first = is("load_balancer") && spec.target_group.is_some() && state.load_balancers.is_empty();
        if is("health_check_grace") || is_registered_first {
            call = call.health_check_grace_period_seconds(spec.grace());
        }
        if is("deployment") {
            call = call.force_new_deployment(true);
        }
        call.send().await.call("ecs:UpdateService")?;
        self.choose_judge(cx.engine, live).await
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let found = self
            .describe(&live.state.cluster, std::slice::from_ref(&live.id))
            .await?;
        let Some(service) = found.iter().find(|service| service.status() != Some("INACTIVE")) else {
            return Ok(None);
        };
        let mut now = Live {
            state: State::new(service),
            ..live.clone()
        };
        if now.state.status == "ACTIVE" {
            self.gather(&mut now, Some(&live.state.rollout)).await?;
        }
        Ok(Some(now))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        rollout::judge(&live.state)
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let (cluster, ecs) = (&live.state.cluster, &self.aws.ecs);
        // To nothing first, so that the tasks are drained as in any scaling, and then by force, which does not wait.
        let scaled = ecs
            .update_service()
            .cluster(cluster)
            .service(&live.id)
            .desired_count(0)
            .send()
            .await;
        match scaled.call("ecs:UpdateService") {
            Err(error) if is_not_found(&error) => return Ok(()),
            other => other?,
        };
        let deleted = ecs
            .delete_service()
            .cluster(cluster)
            .service(&live.id)
            .force(true)
            .send()
            .await;
        match deleted.call("ecs:DeleteService") {
            Err(error) if !is_not_found(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "id" => state.service_name.as_str(),
            "arn" => live.id.as_str(),
            "cluster" => state.cluster.as_str(),
            "task_definition" => state.target(),
            "desired" => state.desired,
            "running" => state.running,
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let deployment = match (&state.rollout.newest, state.primary()) {
            (Some(newest), _) => Some(newest.status.as_str().to_owned()),
            (None, Some(primary)) => primary.rollout.as_ref().map(|rollout| rollout.as_str().to_owned()),
            (None, None) => None,
        };
        let mut row = self.outputs(live);
        row.extend(map! {
            "state" => state.status.as_str(),
            "pending" => state.pending,
            "deployment" => deployment,
            "launch_type" => state.launch_type.as_str(),
            "platform_version" => state.platform_version.as_str(),
            "subnets" => state.subnets.clone(),
            "security_groups" => state.security_groups.clone(),
            "assign_public_ip" => state.assign_public_ip,
            "target_groups" => state.target_groups.clone(),
        });
        row
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.service_name.clone())
    }

    /// By its ARN, or by `CLUSTER/NAME`.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let path = id.rsplit_once(":service/").map_or(id.as_str(), |(_, path)| path);
        let Some((cluster, name)) = path.split_once('/') else {
            return Err(
                Error::failed(format!("\"{id}\" does not say in which cluster the service is"))
                    .hint("give its ARN, or CLUSTER/NAME"),
            );
        };
        let found = self.describe(cluster, &[name.to_owned()]).await?;
        match found.iter().find(|service| service.status() == Some("ACTIVE")) {
            Some(service) => Ok(Live {
                id: service.service_arn().unwrap_or_default().to_owned(),
                name: name.to_owned(),
                tags: super::read_tags(service.tags()),
                state: State::new(service),
            }),
            None => Err(named::missing("service", &id, &self.aws.region)),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.aws, &live.id, set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        let text = error.to_string();
        // The listener of the target group, a role, or the end of a service of the same name is on its way.
        error.code() == "InvalidParameterException"
            && [
                "does not have an associated load balancer",
                "service linked role",
                "still Draining",
            ]
            .iter()
            .any(|words| text.contains(words))
    }
}
