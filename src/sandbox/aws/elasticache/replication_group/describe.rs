//! Listings of replication groups and of their member clusters.

use super::super::super::call::{Answer, Call};
use super::super::{paged, paged_of};
use super::{Group, KIND, all, cluster_not_found, existing};

pub fn describe(call: &Call<'_>) -> Answer {
    let id = call.text("ReplicationGroupId");
    if id.is_empty() {
        return paged_of(call, "ReplicationGroups", KIND, Group::view);
    }
    let group = existing(call, id)?;
    paged(call, "ReplicationGroups", vec![(group.id.clone(), group.view())])
}

pub fn describe_clusters(call: &Call<'_>) -> Answer {
    let id = call.text("CacheClusterId").to_ascii_lowercase();
    let (detail, alone) = (
        call.flag("ShowCacheNodeInfo"),
        call.flag("ShowCacheClustersNotInReplicationGroups"),
    );
    let mut views = Vec::new();
    for group in all(call)?.iter().filter(|_| !alone) {
        for node in group.nodes.iter().filter(|node| id.is_empty() || node.id == id) {
            views.push((node.id.clone(), group.cluster_view(call, node, detail)));
        }
    }
    if !id.is_empty() && views.is_empty() {
        return Err(cluster_not_found(&id));
    }
    paged(call, "CacheClusters", views)
}
