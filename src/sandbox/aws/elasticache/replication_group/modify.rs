//! A replication group is changed: at once, or in the maintenance window.

use serde_json::json;

use super::super::super::answers::{answer, only};
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::ec2::security_group;
use super::super::super::{durations, interfaces};
use super::super::{combination, engine, event, invalid, node_type, parameter_group, subnet_group, window};
use super::{Group, State, available, check_token, cluster_arn, cluster_not_found, save};

pub const MODIFY: &[&str] = &[
    "ReplicationGroupId",
    "ReplicationGroupDescription",
    "PrimaryClusterId",
    "AutomaticFailoverEnabled",
    "MultiAZEnabled",
    "SecurityGroupIds",
    "PreferredMaintenanceWindow",
    "CacheParameterGroupName",
    "ApplyImmediately",
    "Engine",
    "EngineVersion",
    "AutoMinorVersionUpgrade",
    "SnapshotRetentionLimit",
    "SnapshotWindow",
    "CacheNodeType",
    "AuthToken",
    "AuthTokenUpdateStrategy",
    "TransitEncryptionEnabled",
    "TransitEncryptionMode",
];

pub fn modify(call: &Call<'_>) -> Answer {
    only(call, MODIFY)?;
    window::check(call)?;
    let mut group = available(call)?;
    let now = call.flag("ApplyImmediately");
    let mut takes = std::time::Duration::ZERO;
    if call.input.contains_key("ReplicationGroupDescription") {
        group.description = call.text("ReplicationGroupDescription").to_owned();
    }
    for (member, field) in [
        ("PreferredMaintenanceWindow", &mut group.maintenance_window),
        ("SnapshotWindow", &mut group.snapshot_window),
    ] {
        if !call.text(member).is_empty() {
            *field = call.text(member).to_owned();
        }
    }
    group.snapshot_retention = call.int("SnapshotRetentionLimit").unwrap_or(group.snapshot_retention);
    let flag = |member: &str| call.input.get(member).and_then(serde_json::Value::as_bool);
    group.auto_minor = flag("AutoMinorVersionUpgrade").unwrap_or(group.auto_minor);
    if let Some(failover) = flag("AutomaticFailoverEnabled") {
        if failover && group.nodes.len() < 2 {
            return Err(invalid(
                "When using automatic failover, there must be at least 2 cache clusters in the replication group.",
            ));
        }
        takes = takes.max(call.usual(durations::CACHE_MODIFY));
        group.failover = failover;
    }
    if let Some(multi_az) = flag("MultiAZEnabled") {
        if multi_az && !group.failover {
            return Err(combination("Multi-AZ needs automatic failover."));
        }
        group.multi_az = multi_az;
    }
    if !call.list("SecurityGroupIds").is_empty() {
        group.groups = call.texts("SecurityGroupIds");
        let vpc = subnet_group::existing(call, &group.subnet_group)?.vpc;
        for id in &group.groups {
            let known = security_group::get(call, id).is_ok_and(|known| known.vpc_id == vpc);
            if !known {
                return Err(invalid(&format!(
                    "The security group '{id}' does not exist in the VPC {vpc}."
                )));
            }
        }
        for node in &group.nodes {
            for mut interface in interfaces::of_owner(call, &cluster_arn(call, &node.id))? {
                interface.groups.clone_from(&group.groups);
                interfaces::save(call, &interface)?;
            }
        }
        takes = takes.max(call.usual(durations::CACHE_MODIFY));
    }
    if !call.text("CacheParameterGroupName").is_empty() {
        let wanted = parameter_group::existing(call, call.text("CacheParameterGroupName"))?;
        let family = engine::find(&group.engine, &group.version)?.family;
        // A group of another family comes with the version that needs it.
        if wanted.family != family && call.text("EngineVersion").is_empty() {
            return Err(combination(&format!(
                "Expected a parameter group of family {family} but found one of family {}",
                wanted.family
            )));
        }
        group.parameter_group = wanted.name;
        takes = takes.max(call.usual(durations::CACHE_MODIFY));
    }
    if !call.text("PrimaryClusterId").is_empty() {
        let wanted = call.text("PrimaryClusterId");
        let place = group.nodes.iter().position(|node| node.id == wanted);
        group.primary = place.ok_or_else(|| cluster_not_found(wanted))?;
        takes = takes.max(call.usual(durations::CACHE_FAILOVER));
    }
    change_transit(call, &mut group)?;
    takes = takes.max(change_token(call, &mut group)?);

    // What replaces nodes waits for the maintenance window, unless it is to be done at once.
    let mut replacing = Vec::new();
    if !call.text("CacheNodeType").is_empty() {
        let node_type = node_type::check(call.text("CacheNodeType"))?;
        if node_type != group.node_type {
            replacing.push(("CacheNodeType".to_owned(), node_type));
        }
    }
    if !call.text("EngineVersion").is_empty() || !matches!(call.text("Engine"), "") {
        let engine = if call.text("Engine").is_empty() {
            group.engine.clone()
        } else {
            call.text("Engine").to_owned()
        };
        let version = engine::find(&engine, call.text("EngineVersion"))?;
        if engine == group.engine
            && engine::number(version.version) < engine::number(&group.version)
            && version.full() != group.version
        {
            return Err(combination(&format!(
                "Cannot downgrade from {} to {}.",
                group.version, version.version
            )));
        }
        if version.full() != group.version || engine != group.engine {
            replacing.push(("EngineVersion".to_owned(), version.full()));
            if engine != group.engine {
                replacing.push(("Engine".to_owned(), engine));
            }
        }
    }
    if now {
        for (what, value) in &replacing {
            group.apply(what, value);
        }
        if !replacing.is_empty() {
            takes = takes.max(call.usual(durations::CACHE_REPLACE_NODES));
        }
    } else {
        group
            .pending
            .retain(|(what, _)| !replacing.iter().any(|(new, _)| new == what));
        group.pending.extend(replacing);
    }
    if !takes.is_zero() {
        group.state = State::Modifying;
        group.until = call.after(takes);
        event::say(
            call,
            "replication-group",
            &group.id,
            "Replication group is being modified",
            call.now,
        )?;
    }
    save(call, &group)?;
    answer(json!({ "ReplicationGroup": group.view() }))
}

pub fn change_transit(call: &Call<'_>, group: &mut Group) -> Result<(), Fault> {
    let mode = call.text("TransitEncryptionMode");
    if let Some(transit) = call
        .input
        .get("TransitEncryptionEnabled")
        .and_then(serde_json::Value::as_bool)
        && transit != group.transit
    {
        if transit && mode != "preferred" {
            return Err(combination(
                "TransitEncryptionMode must be preferred before it can be required.",
            ));
        }
        group.transit = transit;
        group.transit_mode = None;
    }
    if !mode.is_empty() {
        group.transit_mode = Some(mode.to_owned());
    }
    Ok(())
}

/// SET makes the token the only one, and is allowed only after ROTATE, which adds one beside the old. DELETE takes all.
/// *Modifying the AUTH token*.
pub fn change_token(call: &Call<'_>, group: &mut Group) -> Result<std::time::Duration, Fault> {
    let (token, strategy) = (call.text("AuthToken"), call.text("AuthTokenUpdateStrategy"));
    match strategy {
        "" if token.is_empty() => return Ok(std::time::Duration::ZERO),
        "DELETE" => {
            group.auth.clear();
            group.auth_changed = None;
            return Ok(call.usual(durations::CACHE_MODIFY));
        }
        _ if !group.transit => {
            return Err(combination(
                "The AUTH token is only supported when encryption-in-transit is enabled.",
            ));
        }
        _ => check_token(token)?,
    }
    let sealed = call.vault.seal(token);
    match strategy {
        "" | "ROTATE" => {
            if group.auth.len() > 1 {
                group.auth.remove(0);
            }
            group.auth.push(sealed);
        }
        _ => {
            let newest = group.auth.last().map(|last| call.vault.unseal(last)).transpose();
            let newest = newest.map_err(|error| Fault::new("InternalFailure", error.message()).status(500))?;
            if newest.as_deref() != Some(token) {
                return Err(invalid(
                    "The AUTH token to SET is not the one that was added with ROTATE.",
                ));
            }
            group.auth = vec![sealed];
        }
    }
    group.auth_changed = Some(call.now);
    Ok(call.usual(durations::CACHE_MODIFY))
}
