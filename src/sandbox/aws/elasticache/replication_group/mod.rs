//! Replication groups: one primary and up to five replicas, cluster mode disabled.

mod create;
mod delete;
mod describe;
mod failover;
mod modify;
mod reboot;
mod replicas;

use serde::{Deserialize, Serialize};

use super::super::call::{Call, Fault};
use super::super::interfaces::InterfaceSpec;
use super::super::{interfaces, tags};
use super::{event, invalid, snapshot, subnet_group};

pub use create::create;
pub use delete::delete;
pub use describe::{describe, describe_clusters};
pub use failover::test_failover;
pub use modify::modify;
pub use reboot::reboot;
pub use replicas::set_replicas;

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
    Snapshotting,
    Deleting,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Node {
    pub id: String,
    pub zone: String,
    pub created: i64,
    /// Until when it reboots.
    #[serde(default)]
    pub reboots: Option<i64>,
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
            reboots: None,
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
        if group.state == State::Available {
            snapshot::daily(call, &group)?;
            save(call, &group)?;
            continue;
        }
        if group.state == State::Deleting {
            for node in &group.nodes {
                interfaces::release(call, &cluster_arn(call, &node.id))?;
                tags::clear(call, &cluster_arn(call, &node.id))?;
            }
            snapshot::forget_automatic(call, &group.id)?;
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
        let message = match group.state {
            State::Creating => "Replication group created",
            State::Snapshotting => "Snapshot succeeded for the replication group",
            _ => "Replication group modified",
        };
        if group.state == State::Creating {
            for node in &group.nodes {
                let added = format!("Added cache node 0001 in availability zone {}", node.zone);
                event::say(call, "cache-cluster", &node.id, &added, group.until)?;
                event::say(call, "cache-cluster", &node.id, "Cache cluster created", group.until)?;
            }
        }
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
    ready(call, call.text("ReplicationGroupId"))
}

/// The group of that name, which must be ready for a change.
pub fn ready(call: &Call<'_>, id: &str) -> Result<Group, Fault> {
    let group = existing(call, id)?;
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

/// A group that uses these parameters.
pub fn with_parameters(call: &Call<'_>, name: &str) -> Result<Option<Group>, Fault> {
    let found: Vec<Group> = call.store.linked(KIND, &format!("parameters:{name}"))?;
    Ok(found.into_iter().next())
}

/// A group in these subnets.
pub fn in_subnets(call: &Call<'_>, name: &str) -> Result<Option<Group>, Fault> {
    let found: Vec<Group> = call.store.children(KIND, name)?;
    Ok(found.into_iter().next())
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

fn cluster_not_found(id: &str) -> Fault {
    Fault::new("CacheClusterNotFound", format!("CacheCluster not found: {id}")).status(404)
}

pub fn save(call: &Call<'_>, group: &Group) -> Result<(), Fault> {
    let mut links: Vec<String> = group.nodes.iter().map(|node| node.id.clone()).collect();
    links.push(format!("parameters:{}", group.parameter_group));
    call.store
        .entry(KIND, &group.id)
        .parent(&group.subnet_group)
        .due(match group.state {
            State::Available => snapshot::next(call, group),
            _ => Some(group.until),
        })
        .links(&links)
        .put(group)
}
