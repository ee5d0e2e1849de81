//! Replication groups: one primary and up to five replicas, cluster mode disabled.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::answers::{answer, only, random};
use super::super::call::{Answer, Call, Fault};
use super::super::interfaces::{self, InterfaceSpec};
use super::super::{durations, tags};
use super::{check_name, combination, engine, event, invalid, paged, parameter_group, subnet_group, wanted_tags};

const KIND: &str = "elasticache/replication-group";
/// "A replication group can have 1 primary and up to 5 read replicas", cluster mode disabled.
const NODES: i64 = 6;

#[derive(Clone, Serialize, Deserialize)]
pub struct Group {
    pub id: String,
    pub arn: String,
    /// The random part of the endpoints.
    pub mark: String,
    pub description: String,
    pub state: State,
    /// When the state is over: `available`, or gone.
    pub until: i64,
    pub created: i64,
    pub engine: String,
    pub version: String,
    pub node_type: String,
    pub port: i64,
    pub nodes: Vec<Node>,
    pub next_node: u32,
    /// The place of the primary among the nodes.
    pub primary: usize,
    pub failover: bool,
    pub multi_az: bool,
    pub transit: bool,
    pub transit_mode: Option<String>,
    pub at_rest: bool,
    pub kms_key: Option<String>,
    /// Sealed. Two during a rotation: the newest is the last one.
    pub auth: Vec<String>,
    pub auth_changed: Option<i64>,
    pub parameter_group: String,
    pub subnet_group: String,
    pub groups: Vec<String>,
    pub snapshot_retention: i64,
    pub snapshot_window: String,
    pub maintenance_window: String,
    pub auto_minor: bool,
    /// Changes that wait for the maintenance window: node type, version.
    pub pending: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Creating,
    Available,
    Modifying,
    Deleting,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Node {
    pub id: String,
    pub zone: String,
    pub created: i64,
}

/// What the sandbox takes; the rest is refused by name.
const CREATE: &[&str] = &[
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
    let version = engine::find(call.text("Engine"), call.text("EngineVersion"))?;
    let node_type = check_node_type(call.text("CacheNodeType"))?;
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
        until: call.after(durations::CACHE_CREATE),
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
    event::say(
        call,
        "replication-group",
        &group.id,
        "Replication group is being created",
        call.now,
    )?;
    answer(json!({ "ReplicationGroup": group.view() }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let groups = match call.text("ReplicationGroupId") {
        "" => all(call)?,
        id => vec![existing(call, id)?],
    };
    paged(
        call,
        "ReplicationGroups",
        groups.iter().map(|group| (group.id.clone(), group.view())).collect(),
    )
}

const MODIFY: &[&str] = &[
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
        takes = takes.max(durations::CACHE_MODIFY);
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
        for node in &group.nodes {
            for mut interface in interfaces::of_owner(call, &cluster_arn(call, &node.id))? {
                interface.groups.clone_from(&group.groups);
                interfaces::save(call, &interface)?;
            }
        }
        takes = takes.max(durations::CACHE_MODIFY);
    }
    if !call.text("CacheParameterGroupName").is_empty() {
        group.parameter_group = parameter_group::existing(call, call.text("CacheParameterGroupName"))?.name;
        takes = takes.max(durations::CACHE_MODIFY);
    }
    if !call.text("PrimaryClusterId").is_empty() {
        let wanted = call.text("PrimaryClusterId");
        let place = group.nodes.iter().position(|node| node.id == wanted);
        group.primary = place.ok_or_else(|| cluster_not_found(wanted))?;
        takes = takes.max(durations::CACHE_FAILOVER);
    }
    change_transit(call, &mut group)?;
    takes = takes.max(change_token(call, &mut group)?);

    // What replaces nodes waits for the maintenance window, unless it is to be done at once.
    let mut replacing = Vec::new();
    if !call.text("CacheNodeType").is_empty() {
        let node_type = check_node_type(call.text("CacheNodeType"))?;
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
        if engine == group.engine && number(version.version) < number(&group.version) && version.full() != group.version
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
            takes = takes.max(durations::CACHE_REPLACE_NODES);
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

fn change_transit(call: &Call<'_>, group: &mut Group) -> Result<(), Fault> {
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
fn change_token(call: &Call<'_>, group: &mut Group) -> Result<std::time::Duration, Fault> {
    let (token, strategy) = (call.text("AuthToken"), call.text("AuthTokenUpdateStrategy"));
    match strategy {
        "" if token.is_empty() => return Ok(std::time::Duration::ZERO),
        "DELETE" => {
            group.auth.clear();
            group.auth_changed = None;
            return Ok(durations::CACHE_MODIFY);
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
    Ok(durations::CACHE_MODIFY)
}

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
            interfaces::release_after(call, &cluster_arn(call, &node.id), durations::CACHE_MODIFY)?;
            tags::clear(call, &cluster_arn(call, &node.id))?;
        }
        group.primary = group
            .nodes
            .iter()
            .position(|node| node.id == primary)
            .unwrap_or_default();
    }
    group.state = State::Modifying;
    group.until = call.after(durations::CACHE_REPLACE_NODES);
    save(call, &group)?;
    answer(json!({ "ReplicationGroup": group.view() }))
}

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
    group.until = call.after(durations::CACHE_FAILOVER);
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
    answer(json!({ "ReplicationGroup": group.view() }))
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

impl Group {
    fn add_node(
        &mut self,
        call: &Call<'_>,
        subnets: &subnet_group::SubnetGroup,
        zone: Option<&str>,
        place: usize,
    ) -> Result<(), Fault> {
        let found = match zone {
            Some(zone) => subnets.subnets.iter().find(|(_, other)| other == zone),
            None => subnets.subnets.get(place % subnets.subnets.len().max(1)),
        };
        let Some((subnet, zone)) = found else {
            return Err(invalid(&format!(
                "The zone {} is not among those of the subnet group.",
                zone.unwrap_or_default()
            )));
        };
        let id = format!("{}-{:03}", self.id, self.next_node);
        self.next_node += 1;
        let spec = InterfaceSpec {
            subnet,
            groups: &self.groups,
            description: &format!("ElastiCache {id}"),
            owner: &cluster_arn(call, &id),
        };
        interfaces::attach(call, spec).map_err(|fault| match fault.code.as_str() {
            "InvalidGroup.NotFound" => invalid(&fault.message),
            _ => Fault::new("InvalidVPCNetworkStateFault", fault.message),
        })?;
        self.nodes.push(Node {
            id,
            zone: zone.clone(),
            created: call.now,
        });
        Ok(())
    }

    fn apply(&mut self, what: &str, value: &str) {
        match what {
            "CacheNodeType" => value.clone_into(&mut self.node_type),
            "Engine" => value.clone_into(&mut self.engine),
            _ => value.clone_into(&mut self.version),
        }
    }
}

/// Ends the states whose time is over.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    let _everything = call.store.see_all();
    for mut group in call.store.due::<Group>(KIND)? {
        if group.state == State::Deleting {
            for node in &group.nodes {
                interfaces::release(call, &cluster_arn(call, &node.id))?;
                tags::clear(call, &cluster_arn(call, &node.id))?;
            }
            call.store.delete(KIND, &group.id)?;
            tags::clear(call, &group.arn)?;
            event::say(
                call,
                "replication-group",
                &group.id,
                "Replication group deleted",
                group.until,
            )?;
            continue;
        }
        let message = if group.state == State::Creating {
            "Replication group created"
        } else {
            "Replication group modified"
        };
        group.state = State::Available;
        save(call, &group)?;
        event::say(call, "replication-group", &group.id, message, group.until)?;
    }
    Ok(())
}

/// The groups that are there; settled, as every call of this service begins with it.
pub fn all(call: &Call<'_>) -> Result<Vec<Group>, Fault> {
    call.store.all(KIND)
}

fn find(call: &Call<'_>, id: &str) -> Result<Option<Group>, Fault> {
    call.store.get(KIND, &id.to_ascii_lowercase())
}

pub fn existing(call: &Call<'_>, id: &str) -> Result<Group, Fault> {
    let missing = || {
        Fault::new(
            "ReplicationGroupNotFoundFault",
            format!("ReplicationGroup {id} not found."),
        )
        .status(404)
    };
    find(call, id)?.ok_or_else(missing)
}

/// The group of the call, which must be ready for a change.
fn available(call: &Call<'_>) -> Result<Group, Fault> {
    let group = existing(call, call.text("ReplicationGroupId"))?;
    if group.state != State::Available {
        return Err(Fault::new(
            "InvalidReplicationGroupState",
            format!(
                "Replication group {} has status {} which is not valid for this operation: it must be available.",
                group.id,
                group.status()
            ),
        ));
    }
    Ok(group)
}

/// The group that has this member cluster.
pub fn of_cluster(call: &Call<'_>, id: &str) -> Result<Group, Fault> {
    let found = call.store.linked::<Group>(KIND, id)?.into_iter().next();
    found.ok_or_else(|| cluster_not_found(id))
}

pub fn cluster_arn(call: &Call<'_>, id: &str) -> String {
    call.arn("elasticache", &format!("cluster:{id}"))
}

/// *Authenticating with the AUTH command*: 16 to 128 printable characters; of the others only `! & # $ ^ < > -`.
fn check_token(token: &str) -> Result<(), Fault> {
    let right = token
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "!&#$^<>-".contains(c));
    if (16..=128).contains(&token.len()) && right {
        return Ok(());
    }
    // The token itself is not repeated.
    Err(invalid(
        "Invalid AuthToken provided. An AUTH token must have 16 to 128 printable characters, and of the nonalphanumeric ones only (!, &, #, $, ^, <, >, -).",
    ))
}

/// `cache.FAMILY.SIZE`.
fn check_node_type(text: &str) -> Result<String, Fault> {
    let parts: Vec<&str> = text.split('.').collect();
    let sizes = |size: &str| {
        ["micro", "small", "medium", "large"].contains(&size)
            || size
                .strip_suffix("xlarge")
                .is_some_and(|count| count.is_empty() || count.parse::<u8>().is_ok())
    };
    match parts.as_slice() {
        ["cache", family, size] if family.len() >= 2 && sizes(size) => Ok(text.to_owned()),
        _ => Err(invalid(&format!("Invalid Cache Node Type: {text}."))),
    }
}

fn number(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

fn cluster_not_found(id: &str) -> Fault {
    Fault::new("CacheClusterNotFound", format!("CacheCluster not found: {id}")).status(404)
}

fn save(call: &Call<'_>, group: &Group) -> Result<(), Fault> {
    let nodes: Vec<String> = group.nodes.iter().map(|node| node.id.clone()).collect();
    call.store
        .entry(KIND, &group.id)
        .parent(&group.subnet_group)
        .due((group.state != State::Available).then_some(group.until))
        .links(&nodes)
        .put(group)
}
