//! Finds whatever carries the environment's tags, also what no kind lists.
//!
//! Source: Resource Groups Tagging API, GetResources. It lags behind the services and knows neither IAM roles nor what
//! was never tagged, so it finds leftovers and never proves absence.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_sdk_ec2::types::{Filter, NatGatewayState};
use aws_sdk_ecs::types::TaskDefinitionStatus;
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use futures::future::try_join_all;

use super::Aws;
use super::ecs::service::is_not_found;
use super::ecs::task_definition;
use super::error::Call;
use super::unsupported::is_unsupported;
use crate::error::Result;
use crate::resource::engine::{HalfGone, Swept};
use crate::resource::tags::{ENVIRONMENT, EXPIRES_AT, PROJECT, PROTECT};
use crate::resource::{Scope, Tags};

const NAT_GATEWAY: &str = ":natgateway/";
const VPC_ENDPOINT: &str = ":vpc-endpoint/";
const TASK_DEFINITION: &str = ":task-definition/";
const CLUSTER: &str = ":cluster/";
const SERVICE: &str = ":service/";
const INACTIVE: Option<&str> = Some("INACTIVE");

/// The ARNs, of every page, without those of known ids and without what its service only remembers: tags stay on a NAT
/// gateway for about an hour after it was deleted (VPC User Guide, "NAT gateway basics"), on a VPC endpoint for some
/// minutes, and on a deregistered task definition; a deleted cluster or service is INACTIVE, and a cluster "might remain
/// discoverable in your account for a period of time" (ECS API Reference, DeleteCluster; likewise DeleteService).
pub async fn sweep(aws: &Aws, scope: &Scope, known: &BTreeSet<String>) -> Result<Swept> {
    let found = tagged(aws, scope).await?;
    let found = found.into_iter().map(|(arn, _)| arn);
    let mut arns: Vec<String> = found.filter(|arn| !known.iter().any(|id| is_of(arn, id))).collect();
    let gateways = living_gateways(aws, &arns).await?;
    arns.retain(|arn| gateway_id(arn).is_none_or(|id| gateways.contains(id)));
    let endpoints = living_endpoints(aws, &arns).await?;
    arns.retain(|arn| endpoint_id(arn).is_none_or(|id| endpoints.contains(id)));
    let clusters = living_clusters(aws, &arns).await?;
    arns.retain(|arn| !is_cluster(arn) || clusters.contains(arn));
    let services = living_services(aws, &arns).await?;
    arns.retain(|arn| cluster_of(arn).is_none() || services.contains(arn));
    let (revisions, mut there): (Vec<_>, Vec<_>) = arns.into_iter().partition(|arn| arn.contains(TASK_DEFINITION));
    let statuses = try_join_all(revisions.iter().map(|arn| status(aws, arn))).await?;
    let mut inactive = Vec::new();
    for (arn, status) in revisions.into_iter().zip(statuses) {
        match status {
            Some(TaskDefinitionStatus::Active) => there.push(arn),
            Some(TaskDefinitionStatus::Inactive) => inactive.push(arn),
            _ => {}
        }
    }
    let half_gone = (!inactive.is_empty()).then_some(HalfGone {
        kind: task_definition::KIND,
        arns: inactive,
    });
    Ok(Swept { there, half_gone })
}

fn gateway_id(arn: &str) -> Option<&str> {
    arn.split_once(NAT_GATEWAY).map(|(_, id)| id)
}

fn endpoint_id(arn: &str) -> Option<&str> {
    arn.split_once(VPC_ENDPOINT).map(|(_, id)| id)
}

/// `arn:aws:ec2:eu-west-1:1:vpc/vpc-1` is that of `vpc-1`: EC2's, ElastiCache's and RDS's listings know ids where the
/// Tagging API knows ARNs.
fn is_of(arn: &str, id: &str) -> bool {
    let before = arn.strip_suffix(id);
    before.is_some_and(|before| before.is_empty() || before.ends_with(['/', ':']))
}

/// The cluster of a service, which its ARN names: `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME`.
fn cluster_of(arn: &str) -> Option<&str> {
    let (service, names) = arn.split_once(SERVICE)?;
    let names = names.split_once('/').filter(|_| is_of_ecs(service));
    names.map(|(cluster, _)| cluster)
}

fn is_cluster(arn: &str) -> bool {
    arn.contains(CLUSTER) && is_of_ecs(arn)
}

fn is_of_ecs(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("ecs")
}

async fn living_clusters(aws: &Aws, arns: &[String]) -> Result<HashSet<String>> {
    let found: Vec<String> = arns.iter().filter(|arn| is_cluster(arn)).cloned().collect();
    let mut living = HashSet::new();
    // DescribeClusters takes 100. One that is missing comes back among the failures.
    for some in found.chunks(100) {
        let call = aws.ecs.describe_clusters().set_clusters(Some(some.to_vec()));
        let answer = call.send().await.call("ecs:DescribeClusters")?;
        let clusters = answer.clusters.unwrap_or_default().into_iter();
        let clusters = clusters.filter(|cluster| cluster.status() != INACTIVE);
        living.extend(clusters.filter_map(|cluster| cluster.cluster_arn));
    }
    Ok(living)
}

async fn living_services(aws: &Aws, arns: &[String]) -> Result<HashSet<String>> {
    let mut of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (cluster, arn) in arns.iter().filter_map(|arn| Some((cluster_of(arn)?, arn))) {
        of.entry(cluster).or_default().push(arn.clone());
    }
    let mut living = HashSet::new();
    for (cluster, found) in of {
        // DescribeServices takes 10.
        for some in found.chunks(10) {
            let call = aws
                .ecs
                .describe_services()
                .cluster(cluster)
                .set_services(Some(some.to_vec()));
            let answer = match call.send().await.call("ecs:DescribeServices") {
                // A service does not outlive its cluster; and what is purged from ECS's records may be answered by an error.
                Err(error) if is_not_found(&error) => continue,
                other => other?,
            };
            let services = answer.services.unwrap_or_default().into_iter();
            let services = services.filter(|service| service.status() != INACTIVE);
            living.extend(services.filter_map(|service| service.service_arn));
        }
    }
    Ok(living)
}

async fn living_endpoints(aws: &Aws, arns: &[String]) -> Result<HashSet<String>> {
    let ids: Vec<String> = arns
        .iter()
        .filter_map(|arn| endpoint_id(arn))
        .map(str::to_owned)
        .collect();
    let mut living = HashSet::new();
    // EC2 takes 200 values in a filter.
    for some in ids.chunks(200) {
        let by_id = Filter::builder()
            .name("vpc-endpoint-id")
            .set_values(Some(some.to_vec()));
        let pages = aws.ec2.describe_vpc_endpoints().filters(by_id.build());
        let answer = pages.into_paginator().items().send().try_collect().await;
        for endpoint in answer.call("ec2:DescribeVpcEndpoints")? {
            let state = endpoint.state().map(|state| state.as_str()).unwrap_or_default();
            if !state.eq_ignore_ascii_case("deleted") {
                living.extend(endpoint.vpc_endpoint_id);
            }
        }
    }
    Ok(living)
}

async fn living_gateways(aws: &Aws, arns: &[String]) -> Result<HashSet<String>> {
    let ids: Vec<String> = arns
        .iter()
        .filter_map(|arn| gateway_id(arn))
        .map(str::to_owned)
        .collect();
    let mut living = HashSet::new();
    // DescribeNatGateways takes 200 values in a filter.
    for some in ids.chunks(200) {
        let by_id = Filter::builder().name("nat-gateway-id").set_values(Some(some.to_vec()));
        let pages = aws.ec2.describe_nat_gateways().filter(by_id.build());
        let answer = pages.into_paginator().items().send().try_collect().await;
        for gateway in answer.call("ec2:DescribeNatGateways")? {
            if gateway.state() != Some(&NatGatewayState::Deleted) {
                living.extend(gateway.nat_gateway_id);
            }
        }
    }
    Ok(living)
}

/// Of a revision of a task definition; `None` when there is none.
async fn status(aws: &Aws, arn: &str) -> Result<Option<TaskDefinitionStatus>> {
    let answer = aws.ecs.describe_task_definition().task_definition(arn).send().await;
    match answer.call("ecs:DescribeTaskDefinition") {
        Ok(answer) => Ok(answer.task_definition.and_then(|task| task.status)),
        Err(error) if error.code() == "ClientException" => Ok(None),
        Err(error) => Err(error),
    }
}

/// What carries the environment's tags, with all its tags.
pub async fn tagged(aws: &Aws, scope: &Scope) -> Result<Vec<(String, Tags)>> {
    let pages = aws.tagging.get_resources().set_tag_filters(Some(filters(scope, 2)));
    let found = pages.into_paginator().items().send().try_collect().await;
    let found = found.call("tag:GetResources")?;
    Ok(found.iter().filter_map(read).collect())
}

/// GetResources: "You can specify a minimum of 1 and a maximum value of 100."
const A_PAGE: i32 = 100;

/// What carries the environment's tags, by ARN. It may lack some, be from before the last seconds, and hold other
/// environments' too.
///
/// The whole project is asked for, because its repositories belong to no environment. Only where it is so large that
/// other environments fill pages, the rest is this environment's alone.
pub async fn known(aws: &Aws, scope: &Scope) -> Result<HashMap<String, Tags>> {
    let mut found = HashMap::new();
    let (mut keys, mut token) = (1, None);
    loop {
        let answer = aws
            .tagging
            .get_resources()
            .set_tag_filters(Some(filters(scope, keys)))
            .resources_per_page(A_PAGE)
            .set_pagination_token(token.take())
            .send()
            .await;
        // All of it can be read singly.
        if answer.as_ref().is_err_and(|error| is_unsupported(aws, error)) {
            return Ok(found);
        }
        let page = answer.call("tag:GetResources")?;
        let before = found.len();
        found.extend(page.resource_tag_mapping_list().iter().filter_map(read));
        // The last page has an empty one.
        token = page.pagination_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
        let is_other = |tags: &Tags| tags.get(ENVIRONMENT).is_some_and(|of| *of != scope.environment);
        if keys == 1 && before == 0 && found.values().any(is_other) {
            (keys, token) = (2, None);
        }
    }
}

/// The project, and with two keys the environment.
fn filters(scope: &Scope, keys: usize) -> Vec<TagFilter> {
    let all = scope.filter().into_iter().take(keys);
    all.map(|(key, value)| TagFilter::builder().key(key).values(value).build())
        .collect()
}

fn read(resource: &ResourceTagMapping) -> Option<(String, Tags)> {
    let tags = super::tags::read(resource.tags(), |tag| (Some(tag.key()), Some(tag.value())));
    Some((resource.resource_arn()?.to_owned(), tags))
}

/// An environment of any project, by the tags of its resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    pub project: String,
    pub environment: String,
    /// How many resources carry its tags. The Tagging API lags behind, and knows no IAM roles.
    pub resources: usize,
    /// Every value of one tag of iacsh that some of them have: `iacsh:expires-at`, `owner`, `iacsh:protect`.
    pub expires_at: BTreeSet<String>,
    pub owners: BTreeSet<String>,
    pub protect: BTreeSet<String>,
}

/// The environments that have anything in this account and region, sorted.
pub async fn environments(aws: &Aws) -> Result<Vec<Tagged>> {
    // A filter without values asks for the key alone.
    let filters = [PROJECT, ENVIRONMENT].map(|key| TagFilter::builder().key(key).build());
    let pages = aws.tagging.get_resources().resources_per_page(100);
    let pages = pages.set_tag_filters(Some(filters.to_vec()));
    let found = pages.into_paginator().items().send().try_collect().await;
    let mut environments: BTreeMap<(String, String), Tagged> = BTreeMap::new();
    for resource in found.call("tag:GetResources")? {
        let mut tags = super::tags::read(resource.tags(), |tag| (Some(tag.key()), Some(tag.value())));
        let mut take = |key: &str| tags.remove(key);
        let (Some(project), Some(environment)) = (take(PROJECT), take(ENVIRONMENT)) else {
            continue;
        };
        let known = environments
            .entry((project.clone(), environment.clone()))
            .or_insert(Tagged {
                project,
                environment,
                resources: 0,
                expires_at: BTreeSet::new(),
                owners: BTreeSet::new(),
                protect: BTreeSet::new(),
            });
        known.resources += 1;
        known.expires_at.extend(take(EXPIRES_AT));
        known.owners.extend(take("owner"));
        known.protect.extend(take(PROTECT));
    }
    Ok(environments.into_values().collect())
}
