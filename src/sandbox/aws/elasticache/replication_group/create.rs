//! A replication group is made.

use serde_json::json;

use super::super::super::answers::{answer, only, random};
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::{durations, tags};
use super::super::{
    check_name, combination, engine, event, invalid, node_type, parameter_group, snapshot, subnet_group, wanted_tags,
    window,
};
use super::{Group, NODES, State, check_token, find, save};

/// What the sandbox takes; the rest is refused by name.
pub const CREATE: &[&str] = &[
    "ReplicationGroupId",
    "ReplicationGroupDescription",
    "AutomaticFailoverEnabled",
    "MultiAZEnabled",
    "NumCacheClusters",
    "PreferredCacheClusterAZs",
    "NumNodeGroups",
    "ReplicasPerNodeGroup",
    "CacheNodeType",
    "Engine",
    "EngineVersion",
    "CacheParameterGroupName",
    "CacheSubnetGroupName",
    "SecurityGroupIds",
    "Tags",
    "PreferredMaintenanceWindow",
    "Port",
    "AutoMinorVersionUpgrade",
    "SnapshotRetentionLimit",
    "SnapshotWindow",
    "AuthToken",
    "TransitEncryptionEnabled",
    "AtRestEncryptionEnabled",
    "KmsKeyId",
    "NetworkType",
    "IpDiscovery",
    "TransitEncryptionMode",
    "ClusterMode",
    "SnapshotName",
];

pub fn create(call: &Call<'_>) -> Answer {
    only(call, CREATE)?;
    let id = check_name("ReplicationGroupId", call.text("ReplicationGroupId"), 40)?;
    if find(call, &id)?.is_some() {
        return Err(Fault::new(
            "ReplicationGroupAlreadyExists",
            format!("Replication group {id} already exists."),
        ));
    }
    if !matches!(call.text("ClusterMode"), "" | "disabled") || call.int("NumNodeGroups").is_some_and(|count| count != 1)
    {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: replication groups with cluster mode",
        ));
    }
    window::check(call)?;
    // What the call leaves out, a snapshot gives.
    let snapshot = match call.text("SnapshotName") {
        "" => None,
        name => Some(snapshot::to_restore(call, name)?),
    };
    let given = |member: &str, of: fn(&Group) -> &str| match (call.text(member), &snapshot) {
        ("", Some(snapshot)) => of(&snapshot.source).to_owned(),
        (text, _) => text.to_owned(),
    };
    let engine = given("Engine", |group| &group.engine);
    let version = engine::find(&engine, &given("EngineVersion", |group| &group.version))?;
    if let Some(snapshot) = &snapshot
        && (engine::number(version.version) < engine::number(&snapshot.source.version)
            && engine == snapshot.source.engine
            && version.full() != snapshot.source.version)
    {
        return Err(combination(&format!(
            "Cannot restore a snapshot of version {} to version {}.",
            snapshot.source.version, version.version
        )));
    }
    let node_type = node_type::check(&given("CacheNodeType", |group| &group.node_type))?;
    let count = call
        .int("NumCacheClusters")
        .or(call.int("ReplicasPerNodeGroup").map(|replicas| replicas + 1))
        .unwrap_or(1);
    if !(1..=NODES).contains(&count) {
        return Err(invalid(&format!(
            "The number of cache clusters must be between 1 and {NODES}."
        )));
    }
    let (failover, multi_az) = (call.flag("AutomaticFailoverEnabled"), call.flag("MultiAZEnabled"));
    if failover && count < 2 {
        return Err(invalid(
            "When using automatic failover, there must be at least 2 cache clusters in the replication group.",
        ));
    }
    if multi_az && !failover {
        return Err(combination(
            "Must specify AutomaticFailoverEnabled when specifying MultiAZEnabled.",
        ));
    }
    let transit = call.flag("TransitEncryptionEnabled");
    let token = call.text("AuthToken");
    if !token.is_empty() {
        if !transit {
            return Err(combination(
                "Cannot specify AuthToken when TransitEncryptionEnabled is false: the AUTH token is only supported when encryption-in-transit is enabled.",
            ));
        }
        check_token(token)?;
    }
    let parameter_group = match call.text("CacheParameterGroupName") {
        "" => version.default_group(),
        name => {
            let group = parameter_group::existing(call, name)?;
            if group.family != version.family {
                return Err(combination(&format!(
                    "Expected a parameter group of family {} but found one of family {}",
                    version.family, group.family
                )));
            }
            group.name
        }
    };
    let subnet_name = match call.text("CacheSubnetGroupName") {
        "" => "default",
        name => name,
    };
    let subnets = subnet_group::existing(call, subnet_name)?;
    let wanted = wanted_tags(call)?;
    let text = |member: &str, default: &str| match call.text(member) {
        "" => default.to_owned(),
        text => text.to_owned(),
    };
    let mut group = Group {
        arn: call.arn("elasticache", &format!("replicationgroup:{id}")),
        mark: random(6, b"abcdefghijklmnopqrstuvwxyz0123456789"),
        description: call.text("ReplicationGroupDescription").to_owned(),
        state: State::Creating,
        until: call.after(call.usual(durations::CACHE_CREATE)),
        created: call.now,
        engine: version.engine.to_owned(),
        version: version.full(),
        node_type,
        port: call.int("Port").unwrap_or(6379),
        nodes: Vec::new(),
        next_node: 1,
        primary: 0,
        failover,
        multi_az,
        transit,
        transit_mode: transit.then(|| text("TransitEncryptionMode", "required")),
        at_rest: call.flag("AtRestEncryptionEnabled"),
        kms_key: Some(call.text("KmsKeyId"))
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        auth: Some(token)
            .filter(|token| !token.is_empty())
            .map(|token| call.vault.seal(token))
            .into_iter()
            .collect(),
        auth_changed: (!token.is_empty()).then_some(call.now),
        parameter_group,
        subnet_group: subnets.name.clone(),
        groups: call.texts("SecurityGroupIds"),
        snapshot_retention: call.int("SnapshotRetentionLimit").unwrap_or_default(),
        snapshot_window: text("SnapshotWindow", "03:00-04:00"),
        maintenance_window: text("PreferredMaintenanceWindow", "sun:05:00-sun:06:00"),
        auto_minor: call
            .input
            .get("AutoMinorVersionUpgrade")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(true),
        pending: Vec::new(),
        id,
    };
    let zones = call.texts("PreferredCacheClusterAZs");
    for place in 0..usize::try_from(count).unwrap_or_default() {
        group.add_node(call, &subnets, zones.get(place).map(String::as_str), place)?;
    }
    save(call, &group)?;
    tags::put(call, &group.arn, &wanted)?;
    let message = match &snapshot {
        Some(snapshot) => format!("Restoring the replication group from snapshot {}", snapshot.name),
        None => "Replication group is being created".to_owned(),
    };
    event::say(call, "replication-group", &group.id, &message, call.now)?;
    answer(json!({ "ReplicationGroup": group.view() }))
}
