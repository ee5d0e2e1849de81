//! What differs between the options and an instance, and what each difference means.
//!
//! What the service has accepted and not made yet counts as made: it is told, and no drift.
//! Source: RDS User Guide, "Modifying an Amazon RDS DB instance", the table of settings.

use super::State;
use super::spec::{Apply, Source, Spec};
use crate::aws::rds::whole;
use crate::resource::{Change, Class};

/// The differences, whole sets.
pub fn between(spec: &Spec, live: &State) -> Vec<Change> {
    use Class::{InPlace, Interrupting, ReplaceWithLoss};
    let interrupting = match spec.apply {
        Apply::Now => Interrupting,
        Apply::Window => Class::MaintenanceWindow,
    };
    let gentle = match spec.apply {
        Apply::Now => InPlace,
        Apply::Window => Class::MaintenanceWindow,
    };
    let pending = &live.pending;
    let mut changes = Vec::new();
    let mut add = |change: Option<Change>| changes.extend(change);

    // Another database altogether: a snapshot keeps all of these, so that a restore does not help.
    add(Change::between("engine", &live.engine, &spec.engine, ReplaceWithLoss));
    add(Change::between("user", &live.user, &spec.user, ReplaceWithLoss));
    add(Change::between(
        "encryption",
        &live.encryption,
        &spec.encryption,
        ReplaceWithLoss,
    ));
    // The service gives the ARN of the key, the options may give its id.
    if let Some(key) = &spec.kms_key
        && !live.kms_key.is_empty()
        && !live.kms_key.ends_with(key.as_str())
        && !key.contains("alias/")
    {
        add(Some(Change::new("kms_key", &live.kms_key, key, ReplaceWithLoss)));
    }
    for (field, given, now) in [
        ("collation", &spec.collation, &live.collation),
        ("timezone", &spec.timezone, &live.timezone),
    ] {
        if let Some(wanted) = given {
            add(Change::between(field, now, wanted, ReplaceWithLoss));
        }
    }
    // Another server, with the same content when that comes from the snapshot which is taken before.
    let replace = match spec.source() {
        Source::Latest => Class::Replace,
        _ => ReplaceWithLoss,
    };
    let subnet_group = pending.subnet_group.as_ref().unwrap_or(&live.subnet_group);
    add(Change::between(
        "subnet_group",
        subnet_group,
        &spec.subnet_group,
        replace,
    ));

    if let Some(wanted) = &spec.engine_version {
        let now = pending.engine_version.as_ref().unwrap_or(&live.engine_version);
        if let Some(class) = version_class(now, wanted, spec.auto_minor_version_upgrade, interrupting) {
            add(Some(Change::new("engine_version", now, wanted, class)));
        }
    }
    let class = pending.class.as_ref().unwrap_or(&live.class);
    add(Change::between("class", class, &spec.class, interrupting));
    let (storage, wanted) = (pending.storage.unwrap_or(live.storage), whole(spec.storage));
    let grew_by_itself = spec.max_storage.is_some_and(|most| storage <= whole(most));
    if wanted > storage {
        add(Some(Change::new("storage", storage, wanted, gentle)));
    } else if wanted < storage && !grew_by_itself {
        add(Some(Change::new("storage", storage, wanted, ReplaceWithLoss)));
    }
    if let Some(wanted) = &spec.storage_type {
        let now = pending.storage_type.as_ref().unwrap_or(&live.storage_type);
        add(Change::between("storage_type", now, wanted, gentle));
    }
    if let Some(wanted) = spec.iops.map(whole) {
        let now = pending.iops.or(live.iops).unwrap_or_default();
        add(Change::between("iops", &now, &wanted, gentle));
    }
    // The service answers with the storage itself, or with nothing, where it may not grow.
    let most = |most: Option<i32>| most.filter(|most| *most > storage.max(wanted)).unwrap_or_default();
    add(Change::between(
        "max_storage",
        &most(live.max_storage),
        &most(spec.max_storage.map(whole)),
        InPlace,
    ));
    let multi_az = pending.multi_az.unwrap_or(live.multi_az);
    add(Change::between("multi_az", &multi_az, &spec.multi_az, gentle));
    let (days, wanted) = (pending.backup_days.unwrap_or(live.backup_days), whole(spec.backup_days));
    // To begin and to end backups pauses input and output.
    let days_class = if (days == 0) == (wanted == 0) {
        InPlace
    } else {
        interrupting
    };
    add(Change::between("backup_days", &days, &wanted, days_class));
    if let Some(wanted) = &spec.backup_window {
        add(Change::between("backup_window", &live.backup_window, wanted, InPlace));
    }
    if let Some(wanted) = spec.maintenance_window.as_ref().map(|window| window.to_lowercase()) {
        let now = &live.maintenance_window;
        add(Change::between("maintenance_window", now, &wanted, InPlace));
    }
    add(Change::between(
        "auto_minor_version_upgrade",
        &live.auto_minor_version_upgrade,
        &spec.auto_minor_version_upgrade,
        InPlace,
    ));
    if let Some(wanted) = &spec.parameter_group {
        add(Change::between(
            "parameter_group",
            &live.parameter_group,
            wanted,
            InPlace,
        ));
    }
    if let Some(wanted) = &spec.option_group {
        add(Change::between("option_group", &live.option_group, wanted, gentle));
    }
    add(Change::between(
        "deletion_protection",
        &live.deletion_protection,
        &spec.deletion_protection,
        InPlace,
    ));
    add(Change::between(
        "publicly_accessible",
        &live.publicly_accessible,
        &spec.publicly_accessible,
        InPlace,
    ));
    // The final snapshot gets the environment's tags by this alone.
    add(Change::between(
        "copy_tags_to_snapshot",
        &live.copies_tags,
        &true,
        InPlace,
    ));
    add(Change::of_sets(
        "security_groups",
        &live.security_groups,
        &spec.security_groups,
        InPlace,
    ));
    let port = pending.port.unwrap_or(live.port);
    add(Change::between("port", &port, &i32::from(spec.port), interrupting));
    if let Some(wanted) = &spec.ca_certificate {
        let now = pending.ca_certificate.as_ref().unwrap_or(&live.ca_certificate);
        add(Change::between("ca_certificate", now, wanted, interrupting));
    }
    if let Some(wanted) = &live.wanted_password
        && live.password.as_ref() != Some(wanted)
    {
        let version = |version: &str| format!("version {}", version.chars().take(8).collect::<String>());
        let now = live.password.as_ref();
        let from = now.map_or("unknown".to_owned(), |password| version(&password.version));
        add(Some(Change::new("password", from, version(&wanted.version), InPlace)));
    }
    changes
}

/// What it means to go from one version to the other; `None` when the wanted one is there. `15.00` means any version
/// that begins with it. A newer minor version that the service installed by itself is no difference.
fn version_class(live: &str, wanted: &str, upgrades_itself: bool, upgrade: Class) -> Option<Class> {
    let numbers = |version: &str| -> Vec<u32> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    let (have, want) = (numbers(live), numbers(wanted));
    if have.starts_with(&want) {
        return None;
    }
    if have > want {
        let is_same_major = have.first() == want.first();
        // The service does not go back, and a snapshot keeps the version.
        return (!(is_same_major && upgrades_itself)).then_some(Class::ReplaceWithLoss);
    }
    Some(upgrade)
}

/// Whether going from one version to the other needs AllowMajorVersionUpgrade.
pub fn is_major(live: &str, wanted: &str) -> bool {
    live.split('.').next() != wanted.split('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_means_all_that_begin_with_it() {
        let class = |live, wanted, itself| version_class(live, wanted, itself, Class::Interrupting);
        assert_eq!(class("15.00.4236.7.v1", "15.00", false), None);
        assert_eq!(class("15.00.4236.7.v1", "15.00.4236.7.v1", false), None);
        assert_eq!(class("15.00.4236.7.v1", "16.00", false), Some(Class::Interrupting));
        assert_eq!(class("15.00.4236.7.v1", "15.00.4198", true), None);
        assert_eq!(
            class("15.00.4236.7.v1", "15.00.4198", false),
            Some(Class::ReplaceWithLoss)
        );
        assert_eq!(class("16.00.4085.2.v1", "15.00", true), Some(Class::ReplaceWithLoss));
    }
}
