//! Nodes are rebooted. What needs a restart among changed parameters takes effect then.

use serde_json::json;

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::durations;
use super::super::{event, invalid};
use super::{State, of_cluster, save};

pub fn reboot(call: &Call<'_>) -> Answer {
    let id = call.text("CacheClusterId").to_ascii_lowercase();
    let mut group = of_cluster(call, &id)?;
    if group.state != State::Available {
        return Err(Fault::new(
            "InvalidCacheClusterState",
            format!("Cache cluster {id} is not in the available state."),
        ));
    }
    if call.texts("CacheNodeIdsToReboot").iter().any(|node| node != "0001") {
        return Err(invalid(
            "A cluster of a replication group has the cache node 0001 only.",
        ));
    }
    let until = call.after(call.usual(durations::CACHE_REBOOT));
    for node in group.nodes.iter_mut().filter(|node| node.id == id) {
        node.reboots = Some(until);
    }
    save(call, &group)?;
    event::say(call, "cache-cluster", &id, "Cache node 0001 restarted", until)?;
    let node = group.nodes.iter().find(|node| node.id == id);
    answer(json!({ "CacheCluster": node.map(|node| group.cluster_view(call, node, true)) }))
}
