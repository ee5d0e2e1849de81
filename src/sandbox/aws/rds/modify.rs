//! Changes of an instance: what is so at once, what takes its time, and what waits for the maintenance window.
//!
//! Source: RDS API reference, `ModifyDBInstance`; *Modifying an Amazon RDS DB instance*, the table of settings. As with RDS,
//! the answer still says `available` and holds what is asked for in `PendingModifiedValues`; the next listing says
//! `modifying`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::{durations, interfaces, tags};
use super::instance::{self, Instance, State, existing, save};
use super::settings::{self, STORAGE, Settings};
use super::{
    check_name, combination, data, engine, event, lifecycle, not_here, option_group, parameter_group, placement,
    snapshot, subnet_group, window,
};
use crate::sandbox::mssql::{Login, SqlServer};
use crate::secret::Secret;

/// Names of pending changes: those of `PendingModifiedValues`, and two that it does not show.
const CLASS: &str = "DBInstanceClass";
const ALLOCATED: &str = "AllocatedStorage";
const PORT: &str = "Port";
const RETENTION: &str = "BackupRetentionPeriod";
const MULTI_AZ: &str = "MultiAZ";
const VERSION: &str = "EngineVersion";
const IOPS: &str = "Iops";
const THROUGHPUT: &str = "StorageThroughput";
const STORAGE_TYPE: &str = "StorageType";
const NAME: &str = "DBInstanceIdentifier";
pub const OPTIONS: &str = "OptionGroupName";
const PARAMETERS: &str = "DBParameterGroupName";

const MODIFY: &[&str] = &[
    "DBInstanceIdentifier",
    "AllocatedStorage",
    "DBInstanceClass",
    "DBSubnetGroupName",
    "VpcSecurityGroupIds",
    "ApplyImmediately",
    "MasterUserPassword",
    "DBParameterGroupName",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "MultiAZ",
    "EngineVersion",
    "AllowMajorVersionUpgrade",
    "AutoMinorVersionUpgrade",
    "LicenseModel",
    "Iops",
    "StorageThroughput",
    "OptionGroupName",
    "NewDBInstanceIdentifier",
    "StorageType",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "MonitoringInterval",
    "DBPortNumber",
    "PubliclyAccessible",
    "DeletionProtection",
    "MaxAllocatedStorage",
    "NetworkType",
    "DatabaseInsightsMode",
];

pub fn modify(call: &Call<'_>) -> Answer {
    only(call, MODIFY)?;
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    instance.need_available("Database instance is not in available state.")?;
    instance::check_fixed(call)?;
    settings::check_license(&instance.settings.engine, call.text("LicenseModel"))?;
    if !matches!(call.text("DBSubnetGroupName"), "")
        && call.text("DBSubnetGroupName").to_ascii_lowercase() != instance.subnet_group
    {
        return Err(not_here(
            "moving an instance to another subnet group: DBSubnetGroupName of rds:ModifyDBInstance",
        ));
    }
    let asked = asked(call, &instance)?;
    change_windows(call, &mut instance)?;
    change_network(call, &mut instance)?;
    if let Some(protected) = call.read("DeletionProtection") {
        instance.protected = protected;
    }
    if let Some(copy) = call.read("CopyTagsToSnapshot") {
        instance.settings.copy_tags = copy;
    }
    if let Some(auto) = call.read("AutoMinorVersionUpgrade") {
        instance.settings.auto_minor = auto;
    }
    if let Some(most) = call.int("MaxAllocatedStorage") {
        instance.settings.max_storage = Some(most);
    }
    if !call.text("MasterUserPassword").is_empty() {
        instance.next_password = Some(settings::check_password(call)?);
    }
    let asked = sort_out(&mut instance, asked);
    change_parameters(call, &mut instance, &asked)?;

    // What is asked for must be right together with what waits already.
    let mut target = instance.settings.clone();
    for (name, value) in in_order(&instance.pending).chain(in_order(&asked)) {
        set(&mut target, name, value);
    }
    target.check()?;

    let at_once = call.flag("ApplyImmediately");
    if at_once {
        instance.applying = std::mem::take(&mut instance.pending);
        instance.applying.extend(asked);
    } else {
        for (name, value) in asked {
            // "Your database restarts when you change the port, regardless of ApplyImmediately."
            let map = if name == PORT {
                &mut instance.applying
            } else {
                &mut instance.pending
            };
            map.insert(name, value);
        }
    }
    instance.pending_from = match instance.pending.is_empty() {
        true => None,
        false => Some(window::next(&instance.settings.maintenance_window, call.now)),
    };
    let shown = instance.view(call)?;
    if !instance.applying.is_empty() || instance.next_password.is_some() {
        begin(call, &mut instance, call.now)?;
    }
    save(call, &instance)?;
    answer(json!({ "DBInstance": shown }))
}

/// The changes that a maintenance window can hold, by name.
fn asked(call: &Call<'_>, instance: &Instance) -> Result<BTreeMap<String, Value>, Fault> {
    let mut asked = BTreeMap::new();
    let members = [
        ("DBInstanceClass", CLASS),
        ("AllocatedStorage", ALLOCATED),
        ("MultiAZ", MULTI_AZ),
        ("Iops", IOPS),
        ("StorageThroughput", THROUGHPUT),
        ("StorageType", STORAGE_TYPE),
    ];
    for (member, name) in members {
        if let Some(value) = call.input.get(member) {
            asked.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(storage) = call.int("AllocatedStorage")
        && storage < instance.settings.storage
    {
        return Err(combination(&format!(
            "Requested storage size ({storage}) cannot be less than the current storage size ({}).",
            instance.settings.storage
        )));
    }
    if let Some(days) = call.int("BackupRetentionPeriod") {
        asked.insert(RETENTION.to_owned(), json!(settings::check_retention(days)?));
    }
    if let Some(port) = call.int("DBPortNumber") {
        asked.insert(PORT.to_owned(), json!(settings::check_port(port)?));
    }
    if !call.text("NewDBInstanceIdentifier").is_empty() {
        let id = check_name("NewDBInstanceIdentifier", call.text("NewDBInstanceIdentifier"), 63)?;
        if id != instance.id && instance::find(call, &id)?.is_some() {
            return Err(Fault::new("DBInstanceAlreadyExists", "DB instance already exists"));
        }
        asked.insert(NAME.to_owned(), json!(id));
    }
    let mut version = instance.settings.version.clone();
    if !call.text("EngineVersion").is_empty() {
        version = upgrade(call, instance)?;
        asked.insert(VERSION.to_owned(), json!(version));
    }
    let other_major = engine::major(&version) != engine::major(&instance.settings.version);
    let options = call.text("OptionGroupName");
    if !options.is_empty() || other_major {
        let keep_custom = options.is_empty() && !option_group::is_default(&instance.settings.option_group);
        if keep_custom {
            return Err(combination(&format!(
                "The option group {} is of another major version. You need to explicitly specify a new option group in this \
                 case (default or custom)",
                instance.settings.option_group
            )));
        }
        let chosen = option_group::choose(call, options, &instance.settings.engine, &version)?;
        asked.insert(OPTIONS.to_owned(), json!(chosen));
    }
    if other_major {
        let parameters = call.text("DBParameterGroupName");
        if parameters.is_empty() && !instance.parameter_group.starts_with("default.") {
            return Err(combination(&format!(
                "Current Parameter Group ({}) is non-default. You need to explicitly specify a new Parameter Group in this \
                 case (default or custom)",
                instance.parameter_group
            )));
        }
        let family = engine::family(&instance.settings.engine, &version);
        let chosen = parameter_group::choose(call, parameters, &family)?;
        asked.insert(PARAMETERS.to_owned(), json!(chosen));
    }
    Ok(asked)
}

/// The version that the instance is to have: never an older one, and a new major version only when that is allowed.
fn upgrade(call: &Call<'_>, instance: &Instance) -> Result<String, Fault> {
    let settings = &instance.settings;
    let asked = call.text("EngineVersion");
    let version = engine::version(&settings.engine, asked)?;
    if version == settings.version || (asked == engine::major(&settings.version)) {
        // "If you specify only a major version, RDS updates to the default minor version if the current one is lower."
        let newer = engine::is_newer(&settings.version, version);
        return Ok(if newer {
            version.to_owned()
        } else {
            settings.version.clone()
        });
    }
    if !engine::is_newer(&settings.version, version) {
        return Err(combination(&format!(
            "Cannot upgrade {} from {} to {version}",
            settings.engine, settings.version
        )));
    }
    if engine::major(version) != engine::major(&settings.version) && !call.flag("AllowMajorVersionUpgrade") {
        return Err(combination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        ));
    }
    Ok(version.to_owned())
}

fn change_windows(call: &Call<'_>, instance: &mut Instance) -> Result<(), Fault> {
    let settings = &mut instance.settings;
    if !call.text("PreferredBackupWindow").is_empty() {
        settings.backup_window = window::backup(call.text("PreferredBackupWindow"), "")?;
    }
    if !call.text("PreferredMaintenanceWindow").is_empty() {
        settings.maintenance_window = window::maintenance(call.text("PreferredMaintenanceWindow"), "")?;
    }
    Ok(())
}

/// Security groups and public access, "asynchronously applied as soon as possible": here at once.
fn change_network(call: &Call<'_>, instance: &mut Instance) -> Result<(), Fault> {
    if let Some(public) = call.read("PubliclyAccessible") {
        instance.public = public;
    }
    let groups = call.texts("VpcSecurityGroupIds");
    if groups.is_empty() {
        return Ok(());
    }
    instance.groups = placement::check_groups(call, &groups, &instance.vpc)?;
    for mut interface in interfaces::of_owner(call, &instance.owner())? {
        interface.groups.clone_from(&instance.groups);
        interfaces::save(call, &interface)?;
    }
    Ok(())
}

/// A new parameter group is in place at once, its parameters after a reboot; except with a new major version.
fn change_parameters(call: &Call<'_>, instance: &mut Instance, asked: &BTreeMap<String, Value>) -> Result<(), Fault> {
    let name = call.text("DBParameterGroupName");
    if name.is_empty() || asked.contains_key(PARAMETERS) {
        return Ok(());
    }
    let family = engine::family(&instance.settings.engine, &instance.settings.version);
    let chosen = parameter_group::choose(call, name, &family)?;
    if chosen != instance.parameter_group {
        let message = format!("Updated to use DBParameterGroup {chosen}");
        event::at(call, instance, "configuration change", &message, call.now)?;
        instance.parameter_group = chosen;
        instance.reboot_needed = true;
    }
    Ok(())
}

/// Leaves what is really a change. What is asked back to as it is does not wait any more either, and a number of days
/// changes at once as long as neither is 0.
fn sort_out(instance: &mut Instance, asked: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut changes = BTreeMap::new();
    for (name, value) in asked {
        let days = value.as_i64().unwrap_or_default();
        if value == current(instance, &name) {
            instance.pending.remove(&name);
        } else if name == RETENTION && days > 0 && instance.settings.retention > 0 {
            instance.settings.retention = days;
            instance.pending.remove(&name);
        } else {
            changes.insert(name, value);
        }
    }
    changes
}

fn current(instance: &Instance, name: &str) -> Value {
    let settings = &instance.settings;
    match name {
        CLASS => json!(settings.class),
        ALLOCATED => json!(settings.storage),
        PORT => json!(settings.port),
        RETENTION => json!(settings.retention),
        MULTI_AZ => json!(settings.multi_az),
        VERSION => json!(settings.version),
        IOPS => json!(settings.iops.unwrap_or_default()),
        THROUGHPUT => json!(settings.throughput.unwrap_or_default()),
        STORAGE_TYPE => json!(settings.storage_type),
        NAME => json!(instance.id),
        OPTIONS => json!(settings.option_group),
        _ => json!(instance.parameter_group),
    }
}

fn set(settings: &mut Settings, name: &str, value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let number = value.as_i64();
    match name {
        CLASS => text.clone_into(&mut settings.class),
        ALLOCATED => settings.storage = number.unwrap_or(settings.storage),
        PORT => settings.port = number.unwrap_or(settings.port),
        RETENTION => settings.retention = number.unwrap_or(settings.retention),
        MULTI_AZ => settings.multi_az = value.as_bool().unwrap_or(settings.multi_az),
        VERSION => text.clone_into(&mut settings.version),
        IOPS => settings.iops = number.filter(|iops| *iops > 0),
        THROUGHPUT => settings.throughput = number.filter(|throughput| *throughput > 0),
        STORAGE_TYPE => {
            text.clone_into(&mut settings.storage_type);
            let kind = STORAGE.iter().find(|kind| kind.name == text);
            if kind.is_none_or(|kind| kind.iops.is_none()) {
                settings.iops = None;
            }
            if kind.is_none_or(|kind| kind.throughput.is_none()) {
                settings.throughput = None;
            }
        }
        OPTIONS => text.clone_into(&mut settings.option_group),
        _ => {}
    }
}

/// The order in which changes are made: the type of storage decides what of it there is.
fn in_order(changes: &BTreeMap<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let first = changes.iter().filter(|(name, _)| *name == STORAGE_TYPE);
    first.chain(changes.iter().filter(|(name, _)| *name != STORAGE_TYPE))
}

/// The maintenance window is open.
pub fn begin_pending(call: &Call<'_>, instance: &mut Instance, at: i64) -> Result<(), Fault> {
    instance.applying = std::mem::take(&mut instance.pending);
    instance.pending_from = None;
    begin(call, instance, at)
}

fn begin(call: &Call<'_>, instance: &mut Instance, at: i64) -> Result<(), Fault> {
    let mut takes = Duration::ZERO;
    if instance.next_password.is_some() {
        takes = call.usual(durations::DATABASE_RESET_PASSWORD);
    }
    for name in instance.applying.keys() {
        takes = takes.max(match name.as_str() {
            CLASS | VERSION | MULTI_AZ => call.usual(durations::DATABASE_REPLACE),
            NAME => call.usual(durations::DATABASE_RENAME),
            PORT => call.usual(durations::DATABASE_REBOOT),
            _ => call.usual(durations::DATABASE_MODIFY),
        });
        if let Some(what) = noun(name) {
            event::at(
                call,
                instance,
                "configuration change",
                &format!("Applying modification to {what}"),
                at,
            )?;
        }
    }
    let has = |name: &str| instance.applying.contains_key(name);
    instance.outage = has(CLASS) || has(VERSION) || has(PORT) || has(NAME);
    let state = match () {
        () if has(VERSION) => State::Upgrading,
        () if has(NAME) => State::Renaming,
        () if instance.applying.is_empty() => State::ResettingPassword,
        () => State::Modifying,
    };
    instance.enter(state, lifecycle::later(call, at, takes));
    Ok(())
}

/// What events call a change, *Amazon RDS event categories and event messages*.
fn noun(name: &str) -> Option<&'static str> {
    Some(match name {
        CLASS => "database instance class",
        ALLOCATED | IOPS | STORAGE_TYPE | THROUGHPUT => "allocated storage",
        MULTI_AZ => "convert to a Multi-AZ DB instance",
        _ => return None,
    })
}

/// Makes the changes, whose time is over. `false`: not yet, because the server is in the middle of something.
pub fn finish(call: &Call<'_>, instance: &mut Instance, at: i64) -> Result<bool, Fault> {
    if let Some(sealed) = &instance.next_password {
        let internal = |message: String| Fault::new("InternalFailure", message).status(500);
        let password = call
            .vault
            .unseal(sealed)
            .map_err(|error| internal(error.message().to_owned()))?;
        let login = Login {
            user: instance.settings.user.clone(),
            password: Secret::new(password),
        };
        let changed = SqlServer::set_password(&data::path(call, &instance.folder), &login);
        if !changed.map_err(|error| internal(error.message().to_owned()))? {
            return Ok(false);
        }
        instance.settings.password.clone_from(sealed);
        instance.next_password = None;
        event::at(call, instance, "configuration change", "Reset master credentials", at)?;
    }
    let changes = std::mem::take(&mut instance.applying);
    let (old_retention, old_multi_az) = (instance.settings.retention, instance.settings.multi_az);
    for (name, value) in in_order(&changes) {
        set(&mut instance.settings, name, value);
        if let Some(what) = noun(name) {
            let message = format!("Finished applying modification to {what}");
            event::at(call, instance, "configuration change", &message, at)?;
        }
    }
    // Fills in what a new type of storage brings. That it is right was checked when it was asked for.
    instance.settings.check_storage().ok();
    if let Some(group) = changes.get(PARAMETERS).and_then(Value::as_str) {
        group.clone_into(&mut instance.parameter_group);
    }
    if changes.contains_key(VERSION) {
        event::at(call, instance, "maintenance", "Database instance patched", at)?;
        instance.reboot_needed = false;
    }
    if instance.settings.multi_az != old_multi_az {
        change_standby(call, instance)?;
    }
    if let Some(name) = changes.get(NAME).and_then(Value::as_str) {
        rename(call, instance, name, at)?;
    }
    instance.outage = false;
    instance.enter(State::Available, at);
    match (old_retention, instance.settings.retention) {
        (0, 1..) => lifecycle::back_up(call, instance, at)?,
        (1.., 0) => snapshot::drop_automated(call, &instance.resource)?,
        _ => {}
    }
    Ok(true)
}

/// Makes or removes the standby's network interface.
fn change_standby(call: &Call<'_>, instance: &mut Instance) -> Result<(), Fault> {
    if let Some(zone) = instance.second_zone.take() {
        for interface in interfaces::of_owner(call, &instance.owner())? {
            if interface.zone == zone {
                call.store.delete(interfaces::KIND, &interface.id)?;
            }
        }
        return Ok(());
    }
    let subnets = subnet_group::existing(call, &instance.subnet_group)?;
    let place = subnets.subnets.iter().find(|(_, zone)| *zone != instance.zone);
    if let Some((subnet, zone)) = place {
        instance.attach(call, subnet)?;
        instance.second_zone = Some(zone.clone());
    }
    Ok(())
}

/// The new identifier, unless somebody has taken it meanwhile.
fn rename(call: &Call<'_>, instance: &mut Instance, name: &str, at: i64) -> Result<(), Fault> {
    if instance::find(call, name)?.is_some() {
        return Ok(());
    }
    let old = std::mem::replace(&mut instance.id, name.to_owned());
    let arn = call.arn("rds", &format!("db:{name}"));
    let old_arn = std::mem::replace(&mut instance.arn, arn);
    call.store.delete(instance::KIND, &old)?;
    let kept = tags::of(call, &old_arn)?;
    tags::clear(call, &old_arn)?;
    tags::put(call, &instance.arn, &kept)?;
    event::at(
        call,
        instance,
        "configuration change",
        &format!("Renamed instance from {old} to {name}"),
        at,
    )
}
