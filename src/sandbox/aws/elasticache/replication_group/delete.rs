//! A replication group is deleted.

use serde_json::json;

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::{durations, interfaces};
use super::{State, available, cluster_arn, save};

pub fn delete(call: &Call<'_>) -> Answer {
    if !call.text("FinalSnapshotIdentifier").is_empty() {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: the parameter FinalSnapshotIdentifier of elasticache:DeleteReplicationGroup",
        ));
    }
    if call.flag("RetainPrimaryCluster") {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: the parameter RetainPrimaryCluster of elasticache:DeleteReplicationGroup",
        ));
    }
    let mut group = available(call)?;
    group.state = State::Deleting;
    group.until = call.after(durations::CACHE_DELETE);
    for node in &group.nodes {
        interfaces::release_after(call, &cluster_arn(call, &node.id), durations::CACHE_DELETE)?;
    }
    save(call, &group)?;
    answer(json!({ "ReplicationGroup": group.view() }))
}
