//! Snapshots: made by hand, at the end of a replication group, and every day where the group keeps them.
//!
//! A snapshot here is the settings of its source: no cache holds data in the sandbox, so there is none to restore.
//!
//! Source: `CreateSnapshot`, `DescribeSnapshots` (20 to 50 records), `DeleteSnapshot`, `Snapshot`; *Backing up and
//! restoring*.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::{durations, tags};
use super::replication_group::{self, Group, State};
use super::{check_name, combination, event, paged_up_to, subnet_group, wanted_tags};

const KIND: &str = "elasticache/snapshot";
const DAY: i64 = 24 * 60 * 60 * 1000;
const MINUTE: i64 = 60 * 1000;

#[derive(Clone, Serialize, Deserialize)]
pub struct Snapshot {
    pub name: String,
    automatic: bool,
    /// The cluster that was copied.
    cluster: String,
    cluster_created: i64,
    zone: String,
    vpc: String,
    kms_key: Option<String>,
    taken: i64,
    /// When it is `available`.
    ready: i64,
    /// When it is gone, once it is deleted.
    gone: Option<i64>,
    pub source: Group,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "ReplicationGroupId",
            "CacheClusterId",
            "SnapshotName",
            "KmsKeyId",
            "Tags",
        ],
    )?;
    let (id, cluster) = (call.text("ReplicationGroupId"), call.text("CacheClusterId"));
    let mut group = match (id, cluster) {
        ("", "") => {
            return Err(combination(
                "Either a ReplicationGroupId or a CacheClusterId must be provided.",
            ));
        }
        (_, "") => replication_group::ready(call, id)?,
        ("", _) => {
            let group = replication_group::of_cluster(call, &cluster.to_ascii_lowercase())?;
            if group.state != State::Available {
                return Err(Fault::new(
                    "InvalidCacheClusterState",
                    format!("Cache cluster {cluster} is not in the available state."),
                ));
            }
            group
        }
        _ => {
            return Err(combination(
                "Only one of ReplicationGroupId and CacheClusterId can be provided.",
            ));
        }
    };
    let wanted = wanted_tags(call)?;
    let snapshot = of_group(call, &group, call.text("SnapshotName"), cluster)?;
    group.state = State::Snapshotting;
    group.until = snapshot.ready;
    replication_group::save(call, &group)?;
    tags::put(call, &arn(call, &snapshot.name), &wanted)?;
    answer(json!({ "Snapshot": snapshot.view(call) }))
}

/// Takes a snapshot of a group as it is now: of the given cluster, else of its last replica, as ElastiCache prefers.
pub fn of_group(call: &Call<'_>, group: &Group, name: &str, cluster: &str) -> Result<Snapshot, Fault> {
    let name = check_name("SnapshotName", name, 255)?;
    if find(call, &name)?.is_some() {
        return Err(Fault::new(
            "SnapshotAlreadyExistsFault",
            format!("Snapshot with specified name already exists: {name}"),
        ));
    }
    let mut snapshot = take(call, group, &name, cluster, call.now)?;
    snapshot.ready = call.after(call.usual(durations::CACHE_SNAPSHOT));
    save(call, &snapshot)?;
    event::say(
        call,
        "replication-group",
        &group.id,
        &format!("Snapshot {name} is being created"),
        call.now,
    )?;
    Ok(snapshot)
}

fn take(call: &Call<'_>, group: &Group, name: &str, cluster: &str, at: i64) -> Result<Snapshot, Fault> {
    let cluster = cluster.to_ascii_lowercase();
    let node = group
        .nodes
        .iter()
        .find(|node| node.id == cluster)
        .or(group.nodes.last());
    let key = call.text("KmsKeyId");
    let mut source = group.clone();
    // Tokens do not go into a snapshot.
    source.auth.clear();
    Ok(Snapshot {
        name: name.to_owned(),
        automatic: false,
        cluster: node.map(|node| node.id.clone()).unwrap_or_default(),
        cluster_created: node.map(|node| node.created).unwrap_or_default(),
        zone: node.map(|node| node.zone.clone()).unwrap_or_default(),
        vpc: subnet_group::existing(call, &group.subnet_group)?.vpc,
        kms_key: if key.is_empty() {
            group.kms_key.clone()
        } else {
            Some(key.to_owned())
        },
        taken: at,
        ready: at,
        gone: None,
        source,
    })
}

/// The minute of the day at which a group's snapshot window begins. `None`: it keeps no snapshots.
fn window(group: &Group) -> Option<i64> {
    let (hours, minutes) = group.snapshot_window.split('-').next()?.split_once(':')?;
    let start = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    (group.snapshot_retention > 0).then_some(start)
}

/// When the next daily snapshot of a group is to be taken. A day stays a day: only what takes minutes is divided.
pub fn next(call: &Call<'_>, group: &Group) -> Option<i64> {
    let today = call.now - call.now.rem_euclid(DAY) + window(group)? * MINUTE;
    Some(if today > call.now { today } else { today + DAY })
}

/// Takes the daily snapshot of a group that keeps them, and forgets those that are older than it keeps.
pub fn daily(call: &Call<'_>, group: &Group) -> Result<(), Fault> {
    let Some(due) = next(call, group).map(|next| next - DAY) else {
        return Ok(());
    };
    let taken: Vec<Snapshot> = of(call, &group.id)?.into_iter().filter(|one| one.automatic).collect();
    if due > group.created && !taken.iter().any(|snapshot| snapshot.taken >= due) {
        let cluster = group.nodes.last().map(|node| node.id.as_str()).unwrap_or_default();
        let when = jiff::Timestamp::from_millisecond(due)
            .map(|when| when.strftime("%Y-%m-%d-%H-%M").to_string())
            .unwrap_or_default();
        let mut snapshot = take(call, group, &format!("automatic.{cluster}-{when}"), cluster, due)?;
        snapshot.automatic = true;
        save(call, &snapshot)?;
    }
    for old in taken {
        if old.taken <= due - group.snapshot_retention * DAY {
            forget(call, &old)?;
        }
    }
    Ok(())
}

/// Automatic snapshots go with their group.
pub fn forget_automatic(call: &Call<'_>, group: &str) -> Result<(), Fault> {
    for snapshot in of(call, group)?.iter().filter(|snapshot| snapshot.automatic) {
        forget(call, snapshot)?;
    }
    Ok(())
}

/// Forgets what is deleted.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    for snapshot in call.store.due::<Snapshot>(KIND)? {
        forget(call, &snapshot)?;
    }
    Ok(())
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (group, cluster) = (
        call.text("ReplicationGroupId").to_ascii_lowercase(),
        call.text("CacheClusterId").to_ascii_lowercase(),
    );
    let snapshots = match (call.text("SnapshotName"), group.as_str()) {
        ("", "") => call.store.all(KIND)?,
        ("", group) => of(call, group)?,
        (name, _) => vec![existing(call, name)?],
    };
    let wanted = |snapshot: &&Snapshot| {
        (group.is_empty() || snapshot.source.id == group)
            && (cluster.is_empty() || snapshot.cluster == cluster)
            && match call.text("SnapshotSource") {
                "system" => snapshot.automatic,
                "user" => !snapshot.automatic,
                _ => true,
            }
    };
    let views = snapshots
        .iter()
        .filter(wanted)
        .map(|snapshot| (snapshot.name.clone(), snapshot.view(call)));
    paged_up_to(call, "Snapshots", views.collect(), 50)
}

pub fn delete(call: &Call<'_>) -> Answer {
    let mut snapshot = existing(call, call.text("SnapshotName"))?;
    if snapshot.ready > call.now || snapshot.gone.is_some() {
        return Err(not_ready(call, &snapshot));
    }
    snapshot.gone = Some(call.after(call.usual(durations::CACHE_SNAPSHOT_DELETE)));
    save(call, &snapshot)?;
    answer(json!({ "Snapshot": snapshot.view(call) }))
}

/// The snapshot that a new group is made from.
pub fn to_restore(call: &Call<'_>, name: &str) -> Result<Snapshot, Fault> {
    let snapshot = existing(call, name)?;
    if snapshot.ready > call.now || snapshot.gone.is_some() {
        return Err(not_ready(call, &snapshot));
    }
    Ok(snapshot)
}

fn not_ready(call: &Call<'_>, snapshot: &Snapshot) -> Fault {
    Fault::new(
        "InvalidSnapshotState",
        format!(
            "Snapshot {} is in the {} state; it must be available.",
            snapshot.name,
            snapshot.status(call.now)
        ),
    )
}

impl Snapshot {
    fn status(&self, now: i64) -> &'static str {
        match self.gone {
            Some(_) => "deleting",
            None if now < self.ready => "creating",
            None => "available",
        }
    }

    fn view(&self, call: &Call<'_>) -> Value {
        let source = &self.source;
        let mut node = json!({
            "CacheClusterId": self.cluster,
            "CacheNodeId": "0001",
            "CacheSize": "0 MB",
            "CacheNodeCreateTime": seconds(self.cluster_created),
            "SnapshotCreateTime": seconds(self.taken),
        });
        if call.flag("ShowNodeGroupConfig") {
            node["NodeGroupConfiguration"] = json!({
                "NodeGroupId": "0001",
                "ReplicaCount": source.nodes.len().saturating_sub(1),
                "PrimaryAvailabilityZone": source.nodes.get(source.primary).map(|node| &node.zone),
            });
        }
        json!({
            "SnapshotName": self.name,
            "ReplicationGroupId": source.id,
            "ReplicationGroupDescription": source.description,
            "CacheClusterId": self.cluster,
            "SnapshotStatus": self.status(call.now),
            "SnapshotSource": if self.automatic { "automated" } else { "manual" },
            "CacheNodeType": source.node_type,
            "Engine": source.engine,
            "EngineVersion": source.version,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": self.zone,
            "CacheClusterCreateTime": seconds(self.cluster_created),
            "PreferredMaintenanceWindow": source.maintenance_window,
            "Port": source.port,
            "CacheParameterGroupName": source.parameter_group,
            "CacheSubnetGroupName": source.subnet_group,
            "VpcId": self.vpc,
            "AutoMinorVersionUpgrade": source.auto_minor,
            "SnapshotRetentionLimit": source.snapshot_retention,
            "SnapshotWindow": source.snapshot_window,
            "NumNodeGroups": 1,
            "AutomaticFailover": if source.failover { "enabled" } else { "disabled" },
            "NodeSnapshots": [node],
            "KmsKeyId": self.kms_key,
            "ARN": arn(call, &self.name),
            "DataTiering": "disabled",
        })
    }
}

/// Those of one replication group; settled, as every call of this service begins with it.
fn of(call: &Call<'_>, group: &str) -> Result<Vec<Snapshot>, Fault> {
    call.store.children(KIND, group)
}

fn find(call: &Call<'_>, name: &str) -> Result<Option<Snapshot>, Fault> {
    call.store.get(KIND, &name.to_ascii_lowercase())
}

pub fn existing(call: &Call<'_>, name: &str) -> Result<Snapshot, Fault> {
    find(call, name)?
        .ok_or_else(|| Fault::new("SnapshotNotFoundFault", format!("Snapshot not found: {name}")).status(404))
}

fn save(call: &Call<'_>, snapshot: &Snapshot) -> Result<(), Fault> {
    call.store
        .entry(KIND, &snapshot.name)
        .parent(&snapshot.source.id)
        .due(snapshot.gone)
        .put(snapshot)
}

fn forget(call: &Call<'_>, snapshot: &Snapshot) -> Result<(), Fault> {
    call.store.delete(KIND, &snapshot.name)?;
    tags::clear(call, &arn(call, &snapshot.name))
}

fn arn(call: &Call<'_>, name: &str) -> String {
    call.arn("elasticache", &format!("snapshot:{name}"))
}
