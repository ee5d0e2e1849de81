//! How a replication group and its member clusters are answered.
//!
//! Endpoints have the real form (*Finding connection endpoints*): with encryption in transit
//! `master.ID.MARK.ZONE.cache.amazonaws.com`, else `ID.MARK.ng.0001.ZONE.cache.amazonaws.com`.

use serde_json::{Value, json};

use super::super::answers::seconds;
use super::super::call::Call;
use super::replication_group::{Group, Node, State, cluster_arn};

impl Group {
    pub fn status(&self) -> &'static str {
        match self.state {
            State::Creating => "creating",
            State::Available => "available",
            State::Modifying => "modifying",
            State::Snapshotting => "snapshotting",
            State::Deleting => "deleting",
        }
    }

    fn host(&self, role: &str) -> String {
        let region = short_region(&self.arn);
        match (self.transit, role) {
            (true, role) => format!("{role}.{}.{}.{region}.cache.amazonaws.com", self.id, self.mark),
            (false, "replica") => format!("{}-ro.{}.ng.0001.{region}.cache.amazonaws.com", self.id, self.mark),
            (false, _) => format!("{}.{}.ng.0001.{region}.cache.amazonaws.com", self.id, self.mark),
        }
    }

    fn node_host(&self, node: &Node) -> String {
        let region = short_region(&self.arn);
        if self.transit {
            format!("{}.{}.{}.{region}.cache.amazonaws.com", node.id, self.id, self.mark)
        } else {
            format!("{}.{}.0001.{region}.cache.amazonaws.com", node.id, self.mark)
        }
    }

    pub fn view(&self) -> Value {
        let members: Vec<&str> = self.nodes.iter().map(|node| node.id.as_str()).collect();
        let failover = if self.failover { "enabled" } else { "disabled" };
        let mut view = json!({
            "ReplicationGroupId": self.id,
            "Description": self.description,
            "Status": self.status(),
            "PendingModifiedValues": {},
            "MemberClusters": members,
            "AutomaticFailover": failover,
            "MultiAZ": if self.multi_az { "enabled" } else { "disabled" },
            "SnapshotRetentionLimit": self.snapshot_retention,
            "SnapshotWindow": self.snapshot_window,
            "ClusterEnabled": false,
            "CacheNodeType": self.node_type,
            "AuthTokenEnabled": !self.auth.is_empty(),
            "AuthTokenLastModifiedDate": self.auth_changed.map(seconds),
            "TransitEncryptionEnabled": self.transit,
            "AtRestEncryptionEnabled": self.at_rest,
            "KmsKeyId": self.kms_key,
            "ARN": self.arn,
            "UserGroupIds": [],
            "LogDeliveryConfigurations": [],
            "ReplicationGroupCreateTime": seconds(self.created),
            "DataTiering": "disabled",
            "AutoMinorVersionUpgrade": self.auto_minor,
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
            "TransitEncryptionMode": self.transit_mode,
            "ClusterMode": "disabled",
            "Engine": self.engine,
        });
        // While it is made, no endpoint is known.
        if self.state != State::Creating {
            let port = self.port;
            let nodes: Vec<_> = self
                .nodes
                .iter()
                .enumerate()
                .map(|(place, node)| {
                    json!({
                        "CacheClusterId": node.id,
                        "CacheNodeId": "0001",
                        "ReadEndpoint": { "Address": self.node_host(node), "Port": port },
                        "PreferredAvailabilityZone": node.zone,
                        "CurrentRole": if place == self.primary { "primary" } else { "replica" },
                    })
                })
                .collect();
            view["NodeGroups"] = json!([{
                "NodeGroupId": "0001",
                "Status": self.status(),
                "PrimaryEndpoint": { "Address": self.host("master"), "Port": port },
                "ReaderEndpoint": { "Address": self.host("replica"), "Port": port },
                "NodeGroupMembers": nodes,
            }]);
        }
        view
    }

    pub fn cluster_view(&self, call: &Call<'_>, node: &Node, detail: bool) -> Value {
        let groups: Vec<_> = self
            .groups
            .iter()
            .map(|id| json!({ "SecurityGroupId": id, "Status": "active" }))
            .collect();
        let pending = |what: &str| {
            self.pending
                .iter()
                .find(|(name, _)| name == what)
                .map(|(_, value)| value)
        };
        let status = match node.reboots {
            Some(until) if call.now < until => "rebooting cache cluster nodes",
            _ => self.status(),
        };
        let nodes = (detail && self.state != State::Creating).then(|| {
            json!([{
                "CacheNodeId": "0001",
                "CacheNodeStatus": if status == self.status() { status } else { "rebooting" },
                "CacheNodeCreateTime": seconds(node.created),
                "Endpoint": { "Address": self.node_host(node), "Port": self.port },
                "ParameterGroupStatus": "in-sync",
                "CustomerAvailabilityZone": node.zone,
            }])
        });
        json!({
            "CacheClusterId": node.id,
            "CacheNodeType": self.node_type,
            "Engine": self.engine,
            "EngineVersion": self.version,
            "CacheClusterStatus": status,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": node.zone,
            "CacheClusterCreateTime": seconds(node.created),
            "PreferredMaintenanceWindow": self.maintenance_window,
            "PendingModifiedValues": {
                "CacheNodeType": pending("CacheNodeType"),
                "EngineVersion": pending("EngineVersion"),
            },
            "CacheSecurityGroups": [],
            "CacheParameterGroup": {
                "CacheParameterGroupName": self.parameter_group,
                "ParameterApplyStatus": "in-sync",
                "CacheNodeIdsToReboot": [],
            },
            "CacheSubnetGroupName": self.subnet_group,
            "CacheNodes": nodes,
            "AutoMinorVersionUpgrade": self.auto_minor,
            "SecurityGroups": groups,
            "ReplicationGroupId": self.id,
            "SnapshotRetentionLimit": self.snapshot_retention,
            "SnapshotWindow": self.snapshot_window,
            "AuthTokenEnabled": !self.auth.is_empty(),
            "AuthTokenLastModifiedDate": self.auth_changed.map(seconds),
            "TransitEncryptionEnabled": self.transit,
            "AtRestEncryptionEnabled": self.at_rest,
            "ARN": cluster_arn(call, &node.id),
            "ReplicationGroupLogDeliveryEnabled": false,
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
            "TransitEncryptionMode": self.transit_mode,
        })
    }
}

/// `eu-central-1` is `euc1` in the host names.
fn short_region(arn: &str) -> String {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let side = parts.next().and_then(|side| side.chars().next());
    let number = parts.next().unwrap_or_default();
    format!("{area}{}{number}", side.map(String::from).unwrap_or_default())
}
