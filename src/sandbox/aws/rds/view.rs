//! How an instance is answered.

use serde_json::{Map, Value, json};

use super::super::answers::seconds;
use super::super::call::{Call, Fault};
use super::super::tags;
use super::instance::{Instance, State};
use super::modify::OPTIONS;
use super::{engine, settings, subnet_group};

impl Instance {
    /// *Viewing Amazon RDS DB instance status*.
    pub fn status(&self) -> &'static str {
        match self.state {
            State::Creating => "creating",
            State::BackingUp => "backing-up",
            State::Available => "available",
            State::Modifying => "modifying",
            State::Upgrading => "upgrading",
            State::Renaming => "renaming",
            State::ResettingPassword => "resetting-master-credentials",
            State::Rebooting => "rebooting",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Deleting => "deleting",
        }
    }

    /// `NAME.MARK.REGION.rds.amazonaws.com`.
    pub fn host(&self) -> String {
        let region = self.arn.split(':').nth(3).unwrap_or_default();
        format!("{}.{}.{region}.rds.amazonaws.com", self.id, self.mark)
    }

    pub fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
        let settings = &self.settings;
        let subnets = subnet_group::find(call, &self.subnet_group)?;
        let created = self.created.is_some();
        let endpoint = created.then(|| {
            json!({
                "Address": self.host(),
                "Port": settings.port,
                "HostedZoneId": hosted_zone(call.region),
            })
        });
        let groups: Vec<_> = self
            .groups
            .iter()
            .map(|id| json!({ "VpcSecurityGroupId": id, "Status": "active" }))
            .collect();
        let roles: Vec<_> = self
            .roles
            .iter()
            .map(|role| json!({ "RoleArn": role.arn, "FeatureName": role.feature, "Status": role.status(call.now) }))
            .collect();
        let restorable = self
            .created
            .filter(|_| settings.retention > 0)
            .map(|since| seconds((call.now - call.now % 300_000).max(since)));
        let next_options = self.pending.get(OPTIONS).or(self.applying.get(OPTIONS));
        let (options, option_status) = match next_options.and_then(Value::as_str) {
            Some(next) => (next, "pending-apply"),
            None => (settings.option_group.as_str(), "in-sync"),
        };
        let mut view = json!({
            "DBInstanceIdentifier": self.id,
            "DBInstanceClass": settings.class,
            "Engine": settings.engine,
            "DBInstanceStatus": self.status(),
            "MasterUsername": settings.user,
            "Endpoint": endpoint,
            "AllocatedStorage": settings.storage,
            "InstanceCreateTime": self.created.map(seconds),
            "PreferredBackupWindow": settings.backup_window,
            "BackupRetentionPeriod": settings.retention,
            "DBSecurityGroups": [],
            "VpcSecurityGroups": groups,
            "DBParameterGroups": [{
                "DBParameterGroupName": self.parameter_group,
                "ParameterApplyStatus": if self.reboot_needed { "pending-reboot" } else { "in-sync" },
            }],
            "AvailabilityZone": created.then_some(&self.zone),
            "SecondaryAvailabilityZone": self.second_zone.as_ref().filter(|_| created),
            "DBSubnetGroup": subnets.map(|group| group.view(call)),
            "PreferredMaintenanceWindow": settings.maintenance_window,
            "PendingModifiedValues": self.pending_view(),
            "LatestRestorableTime": restorable,
            "MultiAZ": settings.multi_az,
        });
        let rest = json!({
            "EngineVersion": settings.version,
            "AutoMinorVersionUpgrade": settings.auto_minor,
            "ReadReplicaDBInstanceIdentifiers": [],
            "LicenseModel": engine::LICENSE,
            "Iops": settings.iops,
            "StorageThroughput": settings.throughput.unwrap_or_default(),
            "OptionGroupMemberships": [{ "OptionGroupName": options, "Status": option_status }],
            "CharacterSetName": engine::CHARACTER_SET,
            "PubliclyAccessible": self.public,
            "StorageType": settings.storage_type,
            "DbInstancePort": 0,
            "StorageEncrypted": settings.encrypted,
            "KmsKeyId": settings.kms_key,
            "DbiResourceId": self.resource,
            "CACertificateIdentifier": settings::CERTIFICATE,
            "DomainMemberships": [],
            "CopyTagsToSnapshot": settings.copy_tags,
            "MonitoringInterval": 0,
            "DBInstanceArn": self.arn,
            "IAMDatabaseAuthenticationEnabled": false,
            "DatabaseInsightsMode": "standard",
            "PerformanceInsightsEnabled": false,
            "DeletionProtection": self.protected,
            "AssociatedRoles": roles,
            "MaxAllocatedStorage": settings.max_storage,
            "TagList": tags::to_list(&tags::of(call, &self.arn)?),
            "CustomerOwnedIpEnabled": false,
            "NetworkType": "IPV4",
            "ActivityStreamStatus": "stopped",
            "AutomaticRestartTime": (self.state == State::Stopped).then(|| seconds(self.until)),
            "BackupTarget": "region",
            "CertificateDetails": { "CAIdentifier": settings::CERTIFICATE },
            "DedicatedLogVolume": false,
            "IsStorageConfigUpgradeAvailable": false,
        });
        if let (Some(view), Value::Object(rest)) = (view.as_object_mut(), rest) {
            view.extend(rest);
        }
        Ok(view)
    }

    /// What is asked for and not yet so. Groups show in their memberships instead: the answer's shape has no place for them.
    fn pending_view(&self) -> Map<String, Value> {
        let mut pending = self.pending.clone();
        pending.extend(self.applying.clone());
        let hidden = self.next_password.is_some() || self.state == State::Creating;
        if hidden {
            pending.insert("MasterUserPassword".to_owned(), json!("****"));
        }
        pending.into_iter().collect()
    }
}

/// The zone that aliases in Route 53 name: *Amazon RDS endpoints and quotas*, for the regions that are used most.
fn hosted_zone(region: &str) -> Option<&'static str> {
    Some(match region {
        "us-east-1" => "Z2R2ITUGPM61AM",
        "us-east-2" => "Z2XHWR1WZ565X2",
        "us-west-1" => "Z10WI91S59XXQN",
        "us-west-2" => "Z1PVIF0B656C1W",
        "eu-west-1" => "Z29XKXDKYMONMX",
        "eu-central-1" => "Z1RLNUO7B9Q6NB",
        _ => return None,
    })
}
