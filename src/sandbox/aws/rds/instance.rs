//! Database instances: creation, listing, deletion. What happens to them in between is in [`super::lifecycle`] and
//! [`super::modify`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::{durations, interfaces, tags};
use super::filter::Filters;
use super::settings::{self, Settings};
use super::{
    check_name, combination, data, engine, event, invalid, listed, name_of, native, not_here, option_group, placement,
    role, snapshot, wanted_tags, window,
};

pub const KIND: &str = "rds/instance";

#[derive(Clone, Serialize, Deserialize)]
pub struct Instance {
    /// In lower case.
    pub id: String,
    pub arn: String,
    /// `db-...`, which stays when the instance is renamed.
    pub resource: String,
    /// The name of its folder, see [`data`].
    pub folder: String,
    /// The part of host names that is the same for all instances of an account and region.
    pub mark: String,
    pub state: State,
    /// When the state is over. Milliseconds since 1970, as all times here.
    pub until: i64,
    /// `None` until it is made.
    pub created: Option<i64>,
    /// The snapshot that it was restored from.
    pub origin: Option<String>,
    pub settings: Settings,
    pub parameter_group: String,
    /// A change of static parameters, or of the group, waits for a reboot.
    pub reboot_needed: bool,
    pub subnet_group: String,
    pub vpc: String,
    pub zone: String,
    pub second_zone: Option<String>,
    pub groups: Vec<String>,
    pub public: bool,
    pub protected: bool,
    /// Whether its automated snapshots outlive it.
    pub keep_backups: bool,
    pub roles: Vec<role::Role>,
    /// Changes that wait for the maintenance window, by their names in `PendingModifiedValues`.
    pub pending: BTreeMap<String, Value>,
    /// When the window opens; `None` without such changes.
    pub pending_from: Option<i64>,
    /// Changes that are being made.
    pub applying: BTreeMap<String, Value>,
    /// Sealed, until it is the password.
    pub next_password: Option<String>,
    /// While it changes or reboots: whether connections are refused meanwhile.
    pub outage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Creating,
    BackingUp,
    Available,
    Modifying,
    Upgrading,
    Renaming,
    ResettingPassword,
    Rebooting,
    Stopping,
    Stopped,
    Starting,
    Deleting,
}

/// What the sandbox takes; the rest is refused by name.
const CREATE: &[&str] = &[
    "DBName",
    "DBInstanceIdentifier",
    "AllocatedStorage",
    "DBInstanceClass",
    "Engine",
    "MasterUsername",
    "MasterUserPassword",
    "VpcSecurityGroupIds",
    "AvailabilityZone",
    "DBSubnetGroupName",
    "PreferredMaintenanceWindow",
    "DBParameterGroupName",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "Port",
    "MultiAZ",
    "EngineVersion",
    "AutoMinorVersionUpgrade",
    "LicenseModel",
    "Iops",
    "StorageThroughput",
    "OptionGroupName",
    "CharacterSetName",
    "PubliclyAccessible",
    "Tags",
    "StorageType",
    "StorageEncrypted",
    "KmsKeyId",
    "CopyTagsToSnapshot",
    "MonitoringInterval",
    "DeletionProtection",
    "MaxAllocatedStorage",
    "NetworkType",
    "BackupTarget",
    "CACertificateIdentifier",
    "DatabaseInsightsMode",
];

pub fn create(call: &Call<'_>) -> Answer {
    only(call, CREATE)?;
    let id = free_name(call)?;
    let engine = engine::edition(call.text("Engine"))?.engine;
    if !call.text("DBName").is_empty() {
        return Err(invalid(&format!("DBName must be null for engine: {engine}")));
    }
    check_fixed(call)?;
    settings::check_license(engine, call.text("LicenseModel"))?;
    let version = engine::version(engine, call.text("EngineVersion"))?;
    settings::check_user(call.text("MasterUsername"))?;
    let password = settings::check_password(call)?;
    let Some(storage) = call.int("AllocatedStorage") else {
        return Err(settings::blank("AllocatedStorage"));
    };
    let storage_type = match (call.text("StorageType"), call.int("Iops")) {
        ("", Some(_)) => "io1",
        ("", None) => "gp3",
        (kind, _) => kind,
    };
    let (backup, maintenance) = (
        call.text("PreferredBackupWindow"),
        call.text("PreferredMaintenanceWindow"),
    );
    let backup_window = window::backup(backup, maintenance)?;
    let maintenance_window = window::maintenance(maintenance, &backup_window)?;
    let options = option_group::choose(call, call.text("OptionGroupName"), engine, version)?;
    let mut made = Settings {
        engine: engine.to_owned(),
        version: version.to_owned(),
        class: call.text("DBInstanceClass").to_owned(),
        storage,
        storage_type: storage_type.to_owned(),
        iops: call.int("Iops"),
        throughput: call.int("StorageThroughput"),
        max_storage: call.int("MaxAllocatedStorage"),
        port: settings::check_port(call.int("Port").unwrap_or(settings::PORT))?,
        user: call.text("MasterUsername").to_owned(),
        password,
        multi_az: call.flag("MultiAZ"),
        retention: settings::check_retention(call.int("BackupRetentionPeriod").unwrap_or(1))?,
        backup_window,
        maintenance_window,
        auto_minor: call.read("AutoMinorVersionUpgrade").unwrap_or(true),
        copy_tags: call.flag("CopyTagsToSnapshot"),
        encrypted: call.flag("StorageEncrypted"),
        kms_key: None,
        option_group: options,
    };
    made.check()?;
    match (made.encrypted, call.text("KmsKeyId")) {
        (false, "") => {}
        (false, _) => {
            return Err(combination(
                "KmsKeyId can be specified only when StorageEncrypted is true.",
            ));
        }
        (true, "") => made.kms_key = Some(placement::key(call)?),
        (true, key) => made.kms_key = Some(key.to_owned()),
    }
    let wanted = wanted_tags(call)?;
    let instance = placement::place(call, id, made, call.usual(durations::DATABASE_CREATE))?;
    tags::put(call, &instance.arn, &wanted)?;
    answer(json!({ "DBInstance": instance.view(call)? }))
}

/// The new identifier of the call, which no instance may have.
pub fn free_name(call: &Call<'_>) -> Result<String, Fault> {
    let id = check_name("DBInstanceIdentifier", call.text("DBInstanceIdentifier"), 63)?;
    match find(call, &id)? {
        None => Ok(id),
        Some(_) => Err(Fault::new("DBInstanceAlreadyExists", "DB instance already exists")),
    }
}

/// Parameters of which the sandbox has one value only.
pub fn check_fixed(call: &Call<'_>) -> Result<(), Fault> {
    let fixed = [
        ("CharacterSetName", engine::CHARACTER_SET),
        ("NetworkType", "IPV4"),
        ("BackupTarget", "region"),
        ("CACertificateIdentifier", settings::CERTIFICATE),
        ("DatabaseInsightsMode", "standard"),
    ];
    for (member, value) in fixed {
        if !matches!(call.text(member), "") && call.text(member) != value {
            return Err(not_here(&format!(
                "{member} {} of rds:{}; it has {value}",
                call.text(member),
                call.operation
            )));
        }
    }
    if call.int("MonitoringInterval").is_some_and(|seconds| seconds != 0) {
        return Err(not_here(&format!(
            "the parameter MonitoringInterval of rds:{}",
            call.operation
        )));
    }
    Ok(())
}

pub fn describe(call: &Call<'_>) -> Answer {
    let filters = Filters::read(
        call,
        &["db-cluster-id", "db-instance-id", "dbi-resource-id", "domain", "engine"],
    )?;
    let keep = |instance: &Instance| {
        Ok(filters.accept("db-instance-id", &[&instance.id, &instance.arn])
            && filters.accept("dbi-resource-id", &[&instance.resource])
            && filters.accept("engine", &[&instance.settings.engine])
            && filters.accept("db-cluster-id", &[])
            && filters.accept("domain", &[]))
    };
    let named = match call.text("DBInstanceIdentifier") {
        "" => None,
        id => Some(existing(call, id)?),
    };
    listed(call, "DBInstances", KIND, named, keep, |instance| instance.view(call))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    let last = call.text("FinalDBSnapshotIdentifier");
    match (call.flag("SkipFinalSnapshot"), last) {
        (true, "") => {}
        (true, _) => {
            return Err(combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting an instance with SkipFinalSnapshot.",
            ));
        }
        (false, "") => {
            return Err(combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            ));
        }
        (false, _) => {}
    }
    if instance.protected {
        return Err(combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        ));
    }
    if instance.state == State::Deleting {
        return Err(wrong_state(&format!(
            "Instance {} is already being deleted.",
            instance.id
        )));
    }
    let mut takes = call.usual(durations::DATABASE_DELETE);
    if !last.is_empty() {
        if !matches!(instance.state, State::Available | State::Stopped) {
            return Err(snapshot::not_now(&instance));
        }
        snapshot::take(call, &instance, "FinalDBSnapshotIdentifier", last)?;
        takes += call.usual(durations::DATABASE_SNAPSHOT);
    }
    instance.keep_backups = !call.read("DeleteAutomatedBackups").unwrap_or(true);
    instance.enter(State::Deleting, call.after(takes));
    save(call, &instance)?;
    answer(json!({ "DBInstance": instance.view(call)? }))
}

/// The end of an instance: everything of it goes, its automated snapshots too, unless they were to stay until they expire.
pub fn vanish(call: &Call<'_>, instance: &Instance) -> Result<(), Fault> {
    interfaces::release(call, &instance.owner())?;
    match instance.keep_backups {
        true => snapshot::retain_automated(call, instance)?,
        false => snapshot::drop_automated(call, &instance.resource)?,
    }
    native::forget(call, instance)?;
    data::forget(call, &instance.folder)?;
    call.store.delete(KIND, &instance.id)?;
    tags::clear(call, &instance.arn)?;
    event::at(call, instance, "deletion", "DB instance deleted", instance.until)
}

impl Instance {
    pub fn enter(&mut self, state: State, until: i64) {
        self.state = state;
        self.until = until;
    }

    /// Whose its network interfaces are: the name may change, this does not.
    pub fn owner(&self) -> String {
        format!("rds:{}", self.resource)
    }

    /// That it is available.
    pub fn need_available(&self, message: &str) -> Result<(), Fault> {
        match self.state {
            State::Available => Ok(()),
            _ => Err(wrong_state(message)),
        }
    }

    /// Why it takes no connections now; `None` when it does.
    pub fn unreachable(&self) -> Option<&'static str> {
        let refuses = match self.state {
            State::Available | State::BackingUp | State::ResettingPassword => false,
            State::Modifying => self.outage,
            _ => true,
        };
        refuses.then(|| self.status())
    }
}

/// The instances that fit a link: `pg:NAME` for a parameter group, `og:NAME` for an option group.
pub fn linked(call: &Call<'_>, link: &str) -> Result<Vec<Instance>, Fault> {
    call.store.linked(KIND, link)
}

/// The instances in a subnet group.
pub fn in_group(call: &Call<'_>, subnet_group: &str) -> Result<Vec<Instance>, Fault> {
    call.store.children(KIND, subnet_group)
}

pub fn find(call: &Call<'_>, id: &str) -> Result<Option<Instance>, Fault> {
    call.store.get(KIND, &name_of(id, "db"))
}

/// By identifier or ARN.
pub fn existing(call: &Call<'_>, id: &str) -> Result<Instance, Fault> {
    let missing = || {
        Fault::new(
            "DBInstanceNotFound",
            format!("DBInstance {} not found.", name_of(id, "db")),
        )
        .status(404)
    };
    find(call, id)?.ok_or_else(missing)
}

pub fn wrong_state(message: &str) -> Fault {
    Fault::new("InvalidDBInstanceState", message)
}

pub fn save(call: &Call<'_>, instance: &Instance) -> Result<(), Fault> {
    let due = match instance.state {
        State::Available => instance.pending_from,
        _ => Some(instance.until),
    };
    let links = [
        format!("pg:{}", instance.parameter_group),
        format!("og:{}", instance.settings.option_group),
    ];
    call.store
        .entry(KIND, &instance.id)
        .parent(&instance.subnet_group)
        .due(due)
        .links(&links)
        .put(instance)
}
