//! Where services run.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::types::{CapacityProviderStrategyItem, Cluster, ClusterField, ClusterSetting, ClusterSettingName};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

pub const KIND: &str = "cluster";

/// DescribeClusters: "A list of up to 100 cluster names or full cluster ARN entries".
const AT_ONCE: usize = 100;

const FARGATE: &str = "FARGATE";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// Collect metrics of tasks and services in CloudWatch, which costs.
    #[serde(default)]
    pub container_insights: bool,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    service_name: String,
    status: String,
    container_insights: bool,
    capacity_providers: Vec<String>,
    services: i32,
    running_tasks: i32,
}

impl State {
    fn new(cluster: &Cluster) -> Self {
        let insights = cluster
            .settings()
            .iter()
            .find(|setting| setting.name() == Some(&ClusterSettingName::ContainerInsights));
        Self {
            service_name: cluster.cluster_name().unwrap_or_default().to_owned(),
            status: cluster.status().unwrap_or_default().to_owned(),
            container_insights: insights.is_some_and(|setting| setting.value() != Some("disabled")),
            capacity_providers: cluster.capacity_providers().to_vec(),
            services: cluster.active_services_count(),
            running_tasks: cluster.running_tasks_count(),
        }
    }
}

pub struct Clusters(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "ecs",
    noun: "cluster",
    plural: "clusters",
    help: "An ECS cluster on Fargate: where services run.",
    retention: Retention::Disposable,
    gone_before: &["service"],
    outputs: &[
        OutputField::text("id", "the name at the service"),
        OutputField::text("arn", "the ARN: what `cluster` of a service takes"),
    ],
    create_limit: Duration::from_secs(5 * 60),
    delete_limit: Duration::from_secs(10 * 60),
    actions: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:CreateCluster",
        "ecs:UpdateCluster",
        "ecs:PutClusterCapacityProviders",
        "ecs:DeleteCluster",
        "ecs:TagResource",
        "ecs:UntagResource",
        "tag:GetResources",
        "iam:CreateServiceLinkedRole",
    ],
};

/// The ARNs of the clusters whose names can be this environment's, every page.
pub(crate) async fn known(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<String>>> {
    aws.clusters.get(scope, by_name(aws, scope)).await
}

async fn by_name(aws: &Aws, scope: &Scope) -> Result<Vec<String>> {
    let mut pages = aws.ecs.list_clusters().into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("ecs:ListClusters")?;
        let ours = page
            .cluster_arns()
            .iter()
            .filter(|arn| scope.logical(super::short(arn)).is_some());
        arns.extend(ours.cloned());
    }
    Ok(arns)
}

fn insights(on: bool) -> ClusterSetting {
    ClusterSetting::builder()
        .name(ClusterSettingName::ContainerInsights)
        .value(if on { "enabled" } else { "disabled" })
        .build()
}

fn strategy() -> Result<CapacityProviderStrategyItem> {
    let item = CapacityProviderStrategyItem::builder()
        .capacity_provider(FARGATE)
        .weight(1);
    item.build().map_err(|error| Error::failed(error.to_string()))
}

impl Clusters {
    async fn describe(&self, names: &[String]) -> Result<Vec<Cluster>> {
        let answer = self
            .0
            .ecs
            .describe_clusters()
            .set_clusters(Some(names.to_vec()))
            .include(ClusterField::Tags)
            .include(ClusterField::Settings)
            .send()
            .await
            .call("ecs:DescribeClusters")?;
        // One that is missing comes back among the failures, with the reason MISSING.
        Ok(answer.clusters.unwrap_or_default())
    }

    async fn ours(&self, scope: &Scope, arns: &[String]) -> Result<Vec<Live<State>>> {
        let found = try_join_all(arns.chunks(AT_ONCE).map(|some| self.describe(some))).await?;
        let ours = found.iter().flatten().filter_map(|cluster| {
            // The name of an inactive one is free.
            if cluster.status() == Some("INACTIVE") {
                return None;
            }
            let tags = super::read_tags(cluster.tags());
            Some(Live {
                id: cluster.cluster_arn()?.to_owned(),
                name: scope.name_of(KIND, &tags)?.to_owned(),
                state: State::new(cluster),
                tags,
            })
        });
        Ok(ours.collect())
    }
}

impl Kind for Clusters {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, _: &Spec) -> Result<()> {
        super::check_name(scope, name, "cluster")
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let arns = self.0.clusters.ask(scope, by_name(&self.0, scope)).await?;
        self.ours(scope, &arns).await
    }

    /// Those that the Tagging API names.
    async fn list_known(&self, scope: &Scope) -> Result<Option<Vec<Live<State>>>> {
        let mut arns = self.0.known_tags(scope, "ecs").await?.arns(":cluster/");
        arns.retain(|arn| scope.logical(super::short(arn)).is_some());
        Ok(Some(self.ours(scope, &arns).await?))
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let physical = cx.scope.physical_of(ABOUT.kind, name);
        // The service answers a name that is taken with the cluster that has it, as if it had just been made.
        let answer = self
            .0
            .ecs
            .create_cluster()
            .cluster_name(&physical)
            .settings(insights(spec.container_insights))
            .capacity_providers(FARGATE)
            .default_capacity_provider_strategy(strategy()?)
            .set_tags(Some(super::tag_list(&cx.tags)))
            .send()
            .await
            .call("ecs:CreateCluster")?;
        let cluster = answer
            .cluster()
            .ok_or_else(|| Error::failed("ecs:CreateCluster: the answer holds no cluster"))?;
        let tags = super::read_tags(cluster.tags());
        if !tags.is_empty() && cx.scope.name_of(KIND, &tags) != Some(name) {
            return Err(Error::failed(format!(
                "the cluster {physical} is there already, and not this environment's"
            )));
        }
        Ok(Live {
            id: cluster.cluster_arn().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State::new(cluster),
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let (state, wanted) = (&live.state, [FARGATE.to_owned()]);
        let insights = &state.container_insights;
        let insights = Change::between("container_insights", insights, &spec.container_insights, Class::InPlace);
        let providers = Change::of_sets("capacity_providers", &state.capacity_providers, &wanted, Class::InPlace);
        insights.into_iter().chain(providers).collect()
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        vec!["capacity_providers".into()]
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        if is("container_insights") {
            self.0
                .ecs
                .update_cluster()
                .cluster(&live.id)
                .settings(insights(spec.container_insights))
                .send()
                .await
                .call("ecs:UpdateCluster")?;
        }
        if is("capacity_providers") {
            self.0
                .ecs
                .put_cluster_capacity_providers()
                .cluster(&live.id)
                .capacity_providers(FARGATE)
                .default_capacity_provider_strategy(strategy()?)
                .send()
                .await
                .call("ecs:PutClusterCapacityProviders")?;
        }
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let found = self.describe(std::slice::from_ref(&live.id)).await?;
        let cluster = found.iter().find(|cluster| cluster.status() != Some("INACTIVE"));
        Ok(cluster.map(|cluster| Live {
            state: State::new(cluster),
            ..live.clone()
        }))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        match live.state.status.as_str() {
            "ACTIVE" => Readiness::Ready,
            "DEPROVISIONING" => Readiness::Leaving("DEPROVISIONING".into()),
            "FAILED" => Readiness::Failed(Error::failed(format!("the service could not set up {}", live.id))),
            other => Readiness::Waiting(other.to_owned()),
        }
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let answer = self.0.ecs.delete_cluster().cluster(&live.id).send().await;
        match answer.call("ecs:DeleteCluster") {
            Err(error) if error.code() != "ClusterNotFoundException" => Err(error),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.state.service_name.as_str(), "arn" => live.id.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let mut row = self.outputs(live);
        row.extend(map! {
            "state" => state.status.as_str(),
            "services" => state.services,
            "running_tasks" => state.running_tasks,
            "container_insights" => state.container_insights,
            "capacity_providers" => state.capacity_providers.clone(),
        });
        row
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(super::short(&live.id).to_owned())
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let found = self.describe(std::slice::from_ref(&id)).await?;
        match found.iter().find(|cluster| cluster.status() == Some("ACTIVE")) {
            Some(cluster) => Ok(Live {
                id: cluster.cluster_arn().unwrap_or_default().to_owned(),
                name: id,
                tags: super::read_tags(cluster.tags()),
                state: State::new(cluster),
            }),
            None => Err(named::missing("cluster", &id, &self.0.region)),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.id, set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        // Another change of its capacity providers is on its way, or the service-linked role was just made.
        error.code() == "UpdateInProgressException" || error.to_string().contains("service linked role")
    }
}
