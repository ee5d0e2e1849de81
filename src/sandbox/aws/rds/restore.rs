//! A new instance from a snapshot.
//!
//! Source: RDS API reference, `RestoreDBInstanceFromDBSnapshot`; *Restoring to a DB instance*: settings, master user and
//! password are those of the snapshot, the parameter group is the default one, the option group stays, and the tags are the
//! instance's of then unless others are given.

use serde_json::json;

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call};
use super::super::{durations, tags};
use super::{
    data, engine, instance, invalid, not_here, option_group, placement, settings, snapshot, wanted_tags, window,
};

const RESTORE: &[&str] = &[
    "DBInstanceIdentifier",
    "DBSnapshotIdentifier",
    "DBInstanceClass",
    "Port",
    "AvailabilityZone",
    "DBSubnetGroupName",
    "MultiAZ",
    "PubliclyAccessible",
    "AutoMinorVersionUpgrade",
    "LicenseModel",
    "DBName",
    "Engine",
    "Iops",
    "StorageThroughput",
    "OptionGroupName",
    "Tags",
    "StorageType",
    "VpcSecurityGroupIds",
    "CopyTagsToSnapshot",
    "DBParameterGroupName",
    "DeletionProtection",
    "NetworkType",
    "BackupTarget",
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "CACertificateIdentifier",
];

pub fn restore(call: &Call<'_>) -> Answer {
    only(call, RESTORE)?;
    let id = instance::free_name(call)?;
    if call.text("DBSnapshotIdentifier").is_empty() {
        return Err(settings::blank("DBSnapshotIdentifier"));
    }
    let snapshot = snapshot::existing(call, call.text("DBSnapshotIdentifier"))?;
    snapshot.need_available(call)?;
    instance::check_fixed(call)?;
    let mut made = snapshot.settings.clone();
    if !call.text("DBName").is_empty() {
        return Err(invalid(&format!("DBName must be null for engine: {}", made.engine)));
    }
    if call.int("AllocatedStorage").is_some() {
        return Err(invalid("AllocatedStorage isn't valid for RDS for SQL Server."));
    }
    let engine = call.text("Engine").to_ascii_lowercase();
    if !engine.is_empty() && engine != made.engine {
        engine::edition(&engine)?;
        return Err(not_here(
            "a restore to another edition: Engine of rds:RestoreDBInstanceFromDBSnapshot",
        ));
    }
    settings::check_license(&made.engine, call.text("LicenseModel"))?;
    if !call.text("DBInstanceClass").is_empty() {
        call.text("DBInstanceClass").clone_into(&mut made.class);
    }
    if let Some(port) = call.int("Port") {
        made.port = settings::check_port(port)?;
    }
    // Storage as in the snapshot, unless the call says something of it.
    let storage_type = match (call.text("StorageType"), call.int("Iops")) {
        ("", Some(1..)) if made.iops.is_none() => "io1",
        ("", Some(0)) => "gp2",
        (kind, _) => kind,
    };
    if !storage_type.is_empty() && storage_type != made.storage_type {
        storage_type.clone_into(&mut made.storage_type);
        (made.iops, made.throughput) = (None, None);
    }
    made.iops = call.int("Iops").filter(|iops| *iops > 0).or(made.iops);
    made.throughput = call.int("StorageThroughput").or(made.throughput);
    // "By default, the new DB instance is created as a Single-AZ deployment."
    made.multi_az = call.flag("MultiAZ");
    made.auto_minor = call.read("AutoMinorVersionUpgrade").unwrap_or(made.auto_minor);
    made.copy_tags = call.read("CopyTagsToSnapshot").unwrap_or(made.copy_tags);
    if let Some(days) = call.int("BackupRetentionPeriod") {
        made.retention = settings::check_retention(days)?;
    }
    if !call.text("PreferredBackupWindow").is_empty() {
        made.backup_window = window::backup(call.text("PreferredBackupWindow"), "")?;
    }
    made.option_group = match call.text("OptionGroupName") {
        "" if option_group::existing(call, &made.option_group).is_ok() => made.option_group,
        name => option_group::choose(call, name, &made.engine, &made.version)?,
    };
    made.check()?;
    let mut wanted = wanted_tags(call)?;
    if wanted.is_empty() {
        wanted.clone_from(&snapshot.tags);
    }
    let mut restored = placement::place(call, id, made, call.usual(durations::DATABASE_RESTORE))?;
    restored.origin = Some(snapshot.id.clone());
    instance::save(call, &restored)?;
    tags::put(call, &restored.arn, &wanted)?;
    // Last, so that a call that is refused copies nothing.
    data::copy(call, &snapshot.folder, &restored.folder)?;
    answer(json!({ "DBInstance": restored.view(call)? }))
}
