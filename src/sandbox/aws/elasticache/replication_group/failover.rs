//! The primary fails over, as a test.

use serde_json::json;

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::durations;
use super::super::event;
use super::{State, available, save};

pub fn test_failover(call: &Call<'_>) -> Answer {
    let mut group = available(call)?;
    if call.text("NodeGroupId") != "0001" {
        return Err(Fault::new(
            "NodeGroupNotFoundFault",
            format!("Node group {} not found.", call.text("NodeGroupId")),
        )
        .status(404));
    }
    if !group.failover {
        return Err(Fault::new(
            "InvalidReplicationGroupState",
            "Automatic failover must be enabled to test it.",
        ));
    }
    group.primary = (group.primary + 1) % group.nodes.len().max(1);
    group.state = State::Modifying;
    group.until = call.after(call.usual(durations::CACHE_FAILOVER));
    save(call, &group)?;
    let from = group
        .nodes
        .iter()
        .cycle()
        .nth(group.primary + group.nodes.len() - 1)
        .map(|node| node.id.clone())
        .unwrap_or_default();
    let to = group
        .nodes
        .get(group.primary)
        .map(|node| node.id.clone())
        .unwrap_or_default();
    event::say(
        call,
        "replication-group",
        &group.id,
        &format!("Test Failover API called for node group {}", call.text("NodeGroupId")),
        call.now,
    )?;
    event::say(
        call,
        "replication-group",
        &group.id,
        &format!("Failover from primary node {from} to replica node {to} completed"),
        group.until,
    )?;
    for (moment, message) in [
        (call.now, "Recovering cache nodes 0001"),
        (group.until, "Finished recovery for cache nodes 0001"),
    ] {
        event::say(call, "cache-cluster", &from, message, moment)?;
    }
    answer(json!({ "ReplicationGroup": group.view() }))
}
