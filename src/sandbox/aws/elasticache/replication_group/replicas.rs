//! Replicas come and go.

use serde_json::json;

use super::super::super::answers::{answer, only};
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::{durations, interfaces, tags};
use super::super::{combination, invalid, subnet_group};
use super::{NODES, State, available, cluster_arn, save};

pub fn set_replicas(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "ReplicationGroupId",
            "NewReplicaCount",
            "ReplicasToRemove",
            "ApplyImmediately",
        ],
    )?;
    let mut group = available(call)?;
    let grows = call.operation == "IncreaseReplicaCount";
    if !call.flag("ApplyImmediately") {
        return Err(invalid(
            "ApplyImmediately must be true: ApplyImmediately=False is not currently supported.",
        ));
    }
    let current = group.nodes.len() as i64 - 1;
    let remove = call.texts("ReplicasToRemove");
    let Some(wanted) = call
        .int("NewReplicaCount")
        .or((!remove.is_empty()).then(|| current - remove.len() as i64))
    else {
        return Err(combination("NewReplicaCount must be given."));
    };
    if wanted == current {
        return Err(Fault::new(
            "NoOperationFault",
            "The operation was not performed because no changes were required.",
        ));
    }
    if (wanted > current) != grows {
        return Err(invalid(&format!(
            "The new number of replicas, {wanted}, must be {} than {current}.",
            if grows { "more" } else { "less" }
        )));
    }
    let least = if group.failover { 1 } else { 0 };
    if !(least..NODES).contains(&wanted) {
        return Err(invalid(&format!(
            "The number of replicas must be between {least} and {}.",
            NODES - 1
        )));
    }
    if grows {
        let subnets = subnet_group::existing(call, &group.subnet_group)?;
        for _ in current..wanted {
            let place = group.nodes.len();
            group.add_node(call, &subnets, None, place)?;
        }
    } else {
        let primary = group
            .nodes
            .get(group.primary)
            .map(|node| node.id.clone())
            .unwrap_or_default();
        if remove.contains(&primary) {
            return Err(invalid("The primary cannot be removed."));
        }
        for _ in wanted..current {
            let place = group
                .nodes
                .iter()
                .rposition(|node| node.id != primary && (remove.is_empty() || remove.contains(&node.id)));
            let place = place.ok_or_else(|| invalid("ReplicasToRemove names what is not a replica of the group."))?;
            let node = group.nodes.remove(place);
            interfaces::release_after(call, &cluster_arn(call, &node.id), call.usual(durations::CACHE_MODIFY))?;
            tags::clear(call, &cluster_arn(call, &node.id))?;
        }
        group.primary = group
            .nodes
            .iter()
            .position(|node| node.id == primary)
            .unwrap_or_default();
    }
    group.state = State::Modifying;
    group.until = call.after(call.usual(durations::CACHE_REPLACE_NODES));
    save(call, &group)?;
    answer(json!({ "ReplicationGroup": group.view() }))
}
