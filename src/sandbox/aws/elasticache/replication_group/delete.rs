//! A replication group is deleted.

use serde_json::json;

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::{durations, interfaces};
use super::super::snapshot;
use super::{State, available, cluster_arn, save};

pub fn delete(call: &Call<'_>) -> Answer {
    if call.flag("RetainPrimaryCluster") {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: the parameter RetainPrimaryCluster of elasticache:DeleteReplicationGroup",
        ));
    }
    let mut group = available(call)?;
    let last = call.text("FinalSnapshotIdentifier");
    let mut takes = call.usual(durations::CACHE_DELETE);
    if !last.is_empty() {
        snapshot::of_group(call, &group, last, "")?;
        takes += call.usual(durations::CACHE_SNAPSHOT);
    }
    group.state = State::Deleting;
    group.until = call.after(takes);
    for node in &group.nodes {
        interfaces::release_after(call, &cluster_arn(call, &node.id), takes)?;
    }
    save(call, &group)?;
    answer(json!({ "ReplicationGroup": group.view() }))
}
