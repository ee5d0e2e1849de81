//! What the service tells of an instance.

use aws_sdk_rds::types::{DbInstance, SourceType};

use super::password::Password;
use crate::aws::error::Call;
use crate::aws::rds::present;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::resource::Readiness;

/// An instance as it is. What waits for the maintenance window is in `pending`, not in the fields.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub arn: String,
    pub status: String,
    /// The host name; empty as long as there is none.
    pub endpoint: String,
    pub port: i32,
    /// Of this one server: one of the same name that comes later has another.
    pub resource_id: String,
    pub created_at: String,
    pub engine: String,
    pub engine_version: String,
    pub class: String,
    pub storage: i32,
    pub max_storage: Option<i32>,
    pub storage_type: String,
    pub iops: Option<i32>,
    pub multi_az: bool,
    pub encryption: bool,
    pub kms_key: String,
    pub backup_days: i32,
    pub backup_window: String,
    pub maintenance_window: String,
    pub auto_minor_version_upgrade: bool,
    pub parameter_group: String,
    /// `in-sync`, or `pending-reboot`.
    pub parameter_status: String,
    pub option_group: String,
    pub deletion_protection: bool,
    pub publicly_accessible: bool,
    pub copies_tags: bool,
    pub subnet_group: String,
    pub vpc: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub zone: String,
    pub user: String,
    pub ca_certificate: String,
    pub collation: String,
    pub timezone: String,
    pub pending: Pending,
    /// Which password it has, as its tag says; `None` when nobody wrote one.
    pub password: Option<Password>,
    /// Which one it should have; read only for an instance that a script ensures.
    pub wanted_password: Option<Password>,
    /// The service's last words, read only where something failed.
    pub events: Vec<String>,
}

/// Changes that the service has accepted and not made yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub class: Option<String>,
    pub storage: Option<i32>,
    pub storage_type: Option<String>,
    pub iops: Option<i32>,
    pub multi_az: Option<bool>,
    pub engine_version: Option<String>,
    pub backup_days: Option<i32>,
    pub port: Option<i32>,
    pub ca_certificate: Option<String>,
    pub subnet_group: Option<String>,
    pub password: bool,
}

impl Pending {
    /// What waits, as `class db.t3.small -> db.m5.large`.
    pub fn shown(&self, state: &State) -> Vec<String> {
        fn one(field: &str, from: impl ToString, to: Option<impl ToString>) -> Option<String> {
            Some(format!("{field} {} -> {}", from.to_string(), to?.to_string()))
        }
        let iops = state.iops.unwrap_or_default();
        [
            one("class", &state.class, self.class.as_ref()),
            one("storage", state.storage, self.storage),
            one("storage_type", &state.storage_type, self.storage_type.as_ref()),
            one("iops", iops, self.iops),
            one("multi_az", state.multi_az, self.multi_az),
            one("engine_version", &state.engine_version, self.engine_version.as_ref()),
            one("backup_days", state.backup_days, self.backup_days),
            one("port", state.port, self.port),
            one("ca_certificate", &state.ca_certificate, self.ca_certificate.as_ref()),
            one("subnet_group", &state.subnet_group, self.subnet_group.as_ref()),
            self.password.then(|| "the master password".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl State {
    pub fn new(instance: &DbInstance) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let endpoint = instance.endpoint();
        let group = instance.db_subnet_group();
        let parameters = instance.db_parameter_groups().first();
        // A group that was taken away is listed as `removing` for a while.
        let security_groups = instance.vpc_security_groups().iter();
        let security_groups = security_groups.filter(|member| member.status() != Some("removing"));
        let options = instance.option_group_memberships().iter();
        let mut options = options.filter(|member| !member.status().unwrap_or_default().contains("remov"));
        let tags = super::super::read_tags(instance.tag_list());
        Self {
            arn: text(instance.db_instance_arn()),
            status: text(instance.db_instance_status()),
            endpoint: text(endpoint.and_then(|endpoint| endpoint.address())),
            port: endpoint
                .and_then(|endpoint| endpoint.port())
                .or(instance.db_instance_port())
                .unwrap_or_default(),
            resource_id: text(instance.dbi_resource_id()),
            created_at: meant::moment(instance.instance_create_time()).to_string(),
            engine: text(instance.engine()),
            engine_version: text(instance.engine_version()),
            class: text(instance.db_instance_class()),
            storage: instance.allocated_storage().unwrap_or_default(),
            max_storage: instance.max_allocated_storage(),
            storage_type: text(instance.storage_type()),
            iops: instance.iops(),
            multi_az: instance.multi_az().unwrap_or_default(),
            encryption: instance.storage_encrypted().unwrap_or_default(),
            kms_key: text(instance.kms_key_id()),
            backup_days: instance.backup_retention_period().unwrap_or_default(),
            backup_window: text(instance.preferred_backup_window()),
            maintenance_window: text(instance.preferred_maintenance_window()),
            auto_minor_version_upgrade: instance.auto_minor_version_upgrade().unwrap_or_default(),
            parameter_group: text(parameters.and_then(|group| group.db_parameter_group_name())),
            parameter_status: text(parameters.and_then(|group| group.parameter_apply_status())),
            option_group: text(options.next().and_then(|member| member.option_group_name())),
            deletion_protection: instance.deletion_protection().unwrap_or_default(),
            publicly_accessible: instance.publicly_accessible().unwrap_or_default(),
            copies_tags: instance.copy_tags_to_snapshot().unwrap_or_default(),
            subnet_group: text(group.and_then(|group| group.db_subnet_group_name())),
            vpc: text(group.and_then(|group| group.vpc_id())),
            subnets: group
                .map(|group| group.subnets())
                .unwrap_or_default()
                .iter()
                .filter_map(|subnet| subnet.subnet_identifier().map(str::to_owned))
                .collect(),
            security_groups: security_groups
                .filter_map(|member| member.vpc_security_group_id().map(str::to_owned))
                .collect(),
            zone: text(instance.availability_zone()),
            user: text(instance.master_username()),
            ca_certificate: text(instance.ca_certificate_identifier()),
            collation: text(instance.character_set_name()),
            timezone: text(instance.timezone()),
            pending: pending(instance),
            password: Password::of(&tags),
            wanted_password: None,
            events: Vec::new(),
        }
    }

    /// Source of the states: RDS User Guide, "Viewing Amazon RDS DB instance status".
    pub fn readiness(&self, id: &str) -> Readiness {
        let failed = |what: &str, hint: &str| {
            let mut error = Error::failed(format!("{id} is {}: {what}", self.status)).hint(hint.to_owned());
            for event in &self.events {
                error = error.note(event.clone());
            }
            Readiness::Failed(error)
        };
        match self.status.as_str() {
            // In the two last it can be used while the service works on its disks; one that is full can be made larger.
            "available" | "storage-optimization" | "storage-initialization" | "storage-full"
                if !self.endpoint.is_empty() =>
            {
                Readiness::Ready
            }
            "deleting" | "delete-precheck" => Readiness::Leaving(self.status.clone()),
            "failed" => failed(
                "the service could not recover it",
                "it takes no final snapshot of it: look at rds::events(), restore another one from a snapshot, and delete \
                 this one in the console",
            ),
            "incompatible-parameters" => failed(
                "it cannot start with the values of its parameter group",
                "correct the parameters, run recreate again, then rds::reboot(...)",
            ),
            "incompatible-option-group" => failed(
                "a change of its option group failed, and so did the way back",
                "correct the option group; rds::events() has the service's words",
            ),
            "incompatible-network" => failed(
                "its subnets or security groups are gone or full",
                "put the network right, then start it again in the console",
            ),
            "incompatible-restore" | "restore-error" | "incompatible-create" => failed(
                "it could not be restored",
                "rds::events() has the service's words; delete it in the console and try another snapshot",
            ),
            "insufficient-capacity" => failed(
                "AWS has no machine of this class left in these zones",
                "delete it in the console and try later, or with another class or other zones",
            ),
            "inaccessible-encryption-credentials" | "inaccessible-encryption-credentials-recoverable" => failed(
                "the KMS key that it is encrypted with cannot be used",
                "give RDS the key back, then rds::start(...)",
            ),
            "stopped" => failed("somebody stopped it", "rds::start(...) starts it"),
            "" => Readiness::Waiting("creating".into()),
            other => Readiness::Waiting(other.to_owned()),
        }
    }

    /// Whether it is in a state in which the service's words are worth asking for.
    pub fn is_in_trouble(&self) -> bool {
        self.status == "storage-full" || matches!(self.readiness(""), Readiness::Failed(_))
    }
}

fn pending(instance: &DbInstance) -> Pending {
    let Some(values) = instance.pending_modified_values() else {
        return Pending::default();
    };
    let text = |text: Option<&str>| text.map(str::to_owned);
    Pending {
        class: text(values.db_instance_class()),
        storage: values.allocated_storage(),
        storage_type: text(values.storage_type()),
        iops: values.iops(),
        multi_az: values.multi_az(),
        engine_version: text(values.engine_version()),
        backup_days: values.backup_retention_period(),
        port: values.port(),
        ca_certificate: text(values.ca_certificate_identifier()),
        subnet_group: text(values.db_subnet_group_name()),
        password: values.master_user_password().is_some(),
    }
}

/// One instance; `None` when it is gone.
pub async fn describe(aws: &Aws, id: &str) -> Result<Option<DbInstance>> {
    let call = aws.rds.describe_db_instances().db_instance_identifier(id);
    let answer = present(call.send().await.call("rds:DescribeDBInstances"))?;
    Ok(answer.and_then(|answer| answer.db_instances.unwrap_or_default().into_iter().next()))
}

/// How far back the service's words about a failure are looked for: DescribeEvents keeps 14 days.
const MINUTES: i32 = 24 * 60;
const MOST_EVENTS: usize = 5;

/// The last events of an instance, oldest first: `2026-01-31T12:00:00Z: ...`.
pub async fn last_events(aws: &Aws, id: &str) -> Result<Vec<String>> {
    let call = aws.rds.describe_events().source_identifier(id);
    let call = call.source_type(SourceType::DbInstance).duration(MINUTES);
    let found = call.into_paginator().items().send().try_collect().await;
    let mut events = found.call("rds:DescribeEvents")?;
    events.sort_by_key(|event| event.date().map(|date| (date.secs(), date.subsec_nanos())));
    let last = events.iter().rev().take(MOST_EVENTS).rev();
    Ok(last
        .map(|event| {
            format!(
                "{}: {}",
                meant::moment(event.date()),
                event.message().unwrap_or_default()
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_state(status: &str) -> Readiness {
        let state = State {
            status: status.into(),
            endpoint: "main.abc.eu-west-1.rds.amazonaws.com".into(),
            events: vec!["2026-01-31T12:00:00Z: The disk is gone".into()],
            ..State::default()
        };
        state.readiness("shop-dev-main")
    }

    #[test]
    fn each_state_says_what_to_do() {
        for status in ["available", "storage-optimization", "storage-full"] {
            assert!(matches!(in_state(status), Readiness::Ready), "{status}");
        }
        for status in ["creating", "backing-up", "modifying", "rebooting", "upgrading"] {
            assert!(matches!(in_state(status), Readiness::Waiting(_)), "{status}");
        }
        assert!(matches!(in_state("deleting"), Readiness::Leaving(_)));
        for status in [
            "failed",
            "incompatible-parameters",
            "incompatible-network",
            "incompatible-restore",
            "inaccessible-encryption-credentials",
            "insufficient-capacity",
            "stopped",
        ] {
            let Readiness::Failed(error) = in_state(status) else {
                panic!("{status}");
            };
            assert!(error.message().contains(status) && error.help().is_some(), "{error}");
            assert_eq!(error.notes(), ["2026-01-31T12:00:00Z: The disk is gone"]);
        }
        let without_address = State {
            status: "available".into(),
            ..State::default()
        };
        assert!(matches!(without_address.readiness("x"), Readiness::Waiting(_)));
    }

    #[test]
    fn what_waits_is_told_with_what_is_there() {
        let mut state = State {
            class: "db.t3.small".into(),
            storage: 20,
            ..State::default()
        };
        state.pending.class = Some("db.m5.large".into());
        state.pending.storage = Some(40);
        state.pending.password = true;
        assert_eq!(
            state.pending.shown(&state),
            [
                "class db.t3.small -> db.m5.large",
                "storage 20 -> 40",
                "the master password"
            ]
        );
    }
}
