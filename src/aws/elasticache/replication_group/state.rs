//! What the service tells of a group and of its members.

use aws_sdk_elasticache::types::{AutomaticFailoverStatus, CacheCluster, MultiAzStatus, ReplicationGroup};
use futures::future::try_join_all;

use crate::aws::Aws;
use crate::aws::elasticache::is_not_found;
use crate::aws::error::Call;
use crate::error::Result;

/// A group as it is. What only its members tell is `None` as long as they are not listed.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub arn: String,
    pub status: String,
    pub description: String,
    pub endpoint: String,
    pub reader_endpoint: String,
    pub port: i32,
    pub engine: String,
    pub engine_version: Option<String>,
    pub node_type: String,
    pub replicas: u32,
    pub automatic_failover: bool,
    pub multi_az: bool,
    pub encryption_in_transit: bool,
    pub encryption_at_rest: bool,
    pub has_auth_token: bool,
    pub snapshot_retention_days: i32,
    pub auto_minor_version_upgrade: bool,
    pub subnet_group: Option<String>,
    pub security_groups: Option<Vec<String>>,
    pub parameter_group: Option<String>,
    pub maintenance_window: Option<String>,
    /// The member that takes the writes.
    pub primary: Option<String>,
    /// Its name is ours, but the service did not tell its tags yet.
    pub owner_unproved: bool,
}

impl State {
    pub fn new(group: &ReplicationGroup, clusters: &[CacheCluster]) -> Self {
        let shard = group.node_groups().first();
        let primary = shard.and_then(|shard| shard.primary_endpoint());
        let reader = shard.and_then(|shard| shard.reader_endpoint());
        let address = |endpoint: Option<&aws_sdk_elasticache::types::Endpoint>| {
            endpoint
                .and_then(|endpoint| endpoint.address())
                .unwrap_or_default()
                .to_owned()
        };
        let nodes = match shard.map_or(0, |shard| shard.node_group_members().len()) {
            0 => group.member_clusters().len(),
            members => members,
        };
        let first = clusters
            .iter()
            .find(|cluster| cluster.replication_group_id() == group.replication_group_id());
        Self {
            arn: group.arn().unwrap_or_default().to_owned(),
            status: group.status().unwrap_or_default().to_owned(),
            description: group.description().unwrap_or_default().to_owned(),
            endpoint: address(primary),
            reader_endpoint: address(reader),
            port: primary.and_then(|endpoint| endpoint.port()).unwrap_or_default(),
            engine: group
                .engine()
                .or_else(|| first.and_then(|cluster| cluster.engine()))
                .unwrap_or("redis")
                .to_owned(),
            engine_version: first.and_then(|cluster| cluster.engine_version().map(str::to_owned)),
            node_type: group.cache_node_type().unwrap_or_default().to_owned(),
            replicas: u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX),
            automatic_failover: matches!(
                group.automatic_failover(),
                Some(AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling)
            ),
            multi_az: group.multi_az() == Some(&MultiAzStatus::Enabled),
            encryption_in_transit: group.transit_encryption_enabled().unwrap_or_default(),
            encryption_at_rest: group.at_rest_encryption_enabled().unwrap_or_default(),
            has_auth_token: group.auth_token_enabled().unwrap_or_default(),
            snapshot_retention_days: group.snapshot_retention_limit().unwrap_or_default(),
            auto_minor_version_upgrade: group.auto_minor_version_upgrade().unwrap_or_default(),
            subnet_group: first.and_then(|cluster| cluster.cache_subnet_group_name().map(str::to_owned)),
            security_groups: first.map(|cluster| {
                cluster
                    .security_groups()
                    .iter()
                    // One that was taken away is listed as `removing` for a while.
                    .filter(|membership| membership.status() != Some("removing"))
                    .filter_map(|membership| membership.security_group_id().map(str::to_owned))
                    .collect()
            }),
            parameter_group: first.and_then(|cluster| {
                let group = cluster.cache_parameter_group()?;
                group.cache_parameter_group_name().map(str::to_owned)
            }),
            maintenance_window: first.and_then(|cluster| cluster.preferred_maintenance_window().map(str::to_owned)),
            primary: shard.and_then(|shard| {
                let members = shard.node_group_members().iter();
                let mut primaries = members.filter(|member| member.current_role() == Some("primary"));
                primaries.next()?.cache_cluster_id().map(str::to_owned)
            }),
            owner_unproved: false,
        }
    }
}

/// One group; `None` when it is gone.
pub async fn describe(aws: &Aws, id: &str) -> Result<Option<ReplicationGroup>> {
    let answer = aws
        .elasticache
        .describe_replication_groups()
        .replication_group_id(id)
        .send()
        .await
        .call("elasticache:DescribeReplicationGroups");
    match answer {
        Ok(answer) => Ok(answer.replication_groups.unwrap_or_default().into_iter().next()),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every member of every group, every page: one listing however many groups there are.
pub async fn members(aws: &Aws) -> Result<Vec<CacheCluster>> {
    let mut pages = aws.elasticache.describe_cache_clusters().into_paginator().send();
    let mut clusters = Vec::new();
    while let Some(page) = pages.next().await {
        clusters.extend(
            page.call("elasticache:DescribeCacheClusters")?
                .cache_clusters
                .unwrap_or_default(),
        );
    }
    Ok(clusters)
}

/// The members of one group. One that is not there yet, or not any more, is left out.
pub async fn members_of(aws: &Aws, group: &ReplicationGroup) -> Result<Vec<CacheCluster>> {
    let found = try_join_all(group.member_clusters().iter().map(async |id| {
        let answer = aws
            .elasticache
            .describe_cache_clusters()
            .cache_cluster_id(id)
            .send()
            .await
            .call("elasticache:DescribeCacheClusters");
        match answer {
            Ok(answer) => Ok(answer.cache_clusters.unwrap_or_default()),
            Err(error) if is_not_found(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }))
    .await?;
    Ok(found.into_iter().flatten().collect())
}
