//! Snapshots of instances, taken by hand or by themselves, and their copies.
//!
//! Source: RDS API reference, `CreateDBSnapshot`, `CopyDBSnapshot`, `DeleteDBSnapshot`, `DescribeDBSnapshots`. The data is
//! copied when a snapshot is asked for; `creating` is only the time that RDS takes for it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, hex, only, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::super::tags::{self, Tags};
use super::filter::Filters;
use super::instance::{self, Instance, State, wrong_state};
use super::settings::Settings;
use super::{check_name, data, engine, event, invalid, lifecycle, listed, name_of, not_here, wanted_tags};

pub const KIND: &str = "rds/snapshot";

#[derive(Clone, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub arn: String,
    /// The identifier that the instance had.
    pub instance: String,
    pub resource: String,
    /// The name of its folder, see [`data`].
    pub folder: String,
    pub automated: bool,
    pub created: i64,
    /// The first one of the line of copies.
    pub original: i64,
    /// When it is available.
    pub until: i64,
    /// Whether its event has been told.
    pub told: bool,
    /// When it goes by itself: an automated one whose instance is gone.
    pub expires: Option<i64>,
    pub instance_created: Option<i64>,
    pub settings: Settings,
    pub vpc: String,
    pub zone: String,
    /// The tags that the instance had: a restored one gets them unless it is given others.
    pub tags: Tags,
    /// The ARN of the snapshot that this is a copy of.
    pub source: Option<String>,
}

pub fn create(call: &Call<'_>) -> Answer {
    let id = call.text("DBSnapshotIdentifier");
    free_name(call, "DBSnapshotIdentifier", id)?;
    let mut instance = instance::existing(call, call.text("DBInstanceIdentifier"))?;
    if instance.state != State::Available {
        return Err(not_now(&instance));
    }
    let wanted = wanted_tags(call)?;
    let snapshot = take(call, &instance, "DBSnapshotIdentifier", id)?;
    if !wanted.is_empty() {
        // "RDS doesn't copy tags from the source DB instance to the new DB snapshot", *Tagging Amazon RDS resources*.
        tags::clear(call, &snapshot.arn)?;
        tags::put(call, &snapshot.arn, &wanted)?;
    }
    event::at(call, &instance, "backup", "Backing up DB instance", call.now)?;
    instance.enter(State::BackingUp, snapshot.until);
    instance::save(call, &instance)?;
    answer(json!({ "DBSnapshot": snapshot.view(call)? }))
}

/// That an instance in its state cannot be snapshotted.
pub fn not_now(instance: &Instance) -> Fault {
    wrong_state(&format!(
        "Cannot create a snapshot because the database instance {} is not currently in the available state.",
        instance.id
    ))
}

/// A manual snapshot of the instance as it is now.
pub fn take(call: &Call<'_>, instance: &Instance, member: &str, id: &str) -> Result<Snapshot, Fault> {
    let id = free_name(call, member, id)?;
    make(call, instance, id, false, call.now)
}

/// An automated snapshot, `rds:NAME-YYYY-MM-DD-HH-MM`.
pub fn automated(call: &Call<'_>, instance: &Instance, at: i64) -> Result<(), Fault> {
    let mut moment = at;
    loop {
        let time = jiff::Timestamp::from_millisecond(moment)
            .map_err(|error| invalid(&error.to_string()))?
            .strftime("%Y-%m-%d-%H-%M");
        let id = format!("rds:{}-{time}", instance.id);
        if find(call, &id)?.is_none() {
            return make(call, instance, id, true, at).map(|_| ());
        }
        // Two in a minute happen only where time is divided.
        moment += 60_000;
    }
}

fn make(call: &Call<'_>, instance: &Instance, id: String, automated: bool, at: i64) -> Result<Snapshot, Fault> {
    let owned = tags::of(call, &instance.arn)?;
    let snapshot = Snapshot {
        arn: call.arn("rds", &format!("snapshot:{id}")),
        instance: instance.id.clone(),
        resource: instance.resource.clone(),
        folder: format!("snapshot-{}", hex(32)),
        automated,
        created: at,
        original: at,
        until: lifecycle::later(call, at, call.usual(durations::DATABASE_SNAPSHOT)),
        told: false,
        expires: None,
        instance_created: instance.created,
        settings: instance.settings.clone(),
        vpc: instance.vpc.clone(),
        zone: instance.zone.clone(),
        tags: owned,
        source: None,
        id,
    };
    data::copy(call, &instance.folder, &snapshot.folder)?;
    if snapshot.settings.copy_tags {
        tags::put(call, &snapshot.arn, &snapshot.tags)?;
    }
    save(call, &snapshot)?;
    let kind = if automated { "automated" } else { "manual" };
    event::snapshot(call, &snapshot, "creation", &format!("Creating {kind} snapshot"), at)?;
    Ok(snapshot)
}

pub fn copy(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "SourceDBSnapshotIdentifier",
            "TargetDBSnapshotIdentifier",
            "Tags",
            "CopyTags",
        ],
    )?;
    let asked = call.text("SourceDBSnapshotIdentifier");
    if asked.starts_with("arn:") && !asked.starts_with(&call.arn("rds", "")) {
        return Err(not_here(
            "copies from another region or account: SourceDBSnapshotIdentifier of rds:CopyDBSnapshot",
        ));
    }
    let source = existing(call, asked)?;
    let id = free_name(
        call,
        "TargetDBSnapshotIdentifier",
        call.text("TargetDBSnapshotIdentifier"),
    )?;
    source.need_available(call)?;
    let mut wanted = wanted_tags(call)?;
    if call.flag("CopyTags") && wanted.is_empty() {
        wanted = tags::of(call, &source.arn)?;
    }
    let target = Snapshot {
        arn: call.arn("rds", &format!("snapshot:{id}")),
        folder: format!("snapshot-{}", hex(32)),
        automated: false,
        created: call.now,
        until: call.after(call.usual(durations::DATABASE_SNAPSHOT)),
        told: false,
        expires: None,
        source: Some(source.arn.clone()),
        id,
        ..source.clone()
    };
    data::copy(call, &source.folder, &target.folder)?;
    tags::put(call, &target.arn, &wanted)?;
    save(call, &target)?;
    answer(json!({ "DBSnapshot": target.view(call)? }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let snapshot = existing(call, call.text("DBSnapshotIdentifier"))?;
    if snapshot.automated {
        return Err(wrong_snapshot("Only manual snapshots may be deleted."));
    }
    snapshot.need_available(call)?;
    let mut view = snapshot.view(call)?;
    view["Status"] = json!("deleted");
    drop_one(call, &snapshot)?;
    event::snapshot(call, &snapshot, "deletion", "Deleted user snapshot", call.now)?;
    answer(json!({ "DBSnapshot": view }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let filters = Filters::read(
        call,
        &[
            "db-instance-id",
            "db-snapshot-id",
            "dbi-resource-id",
            "snapshot-type",
            "engine",
        ],
    )?;
    let kind = call.text("SnapshotType");
    if !matches!(kind, "" | "automated" | "manual" | "shared" | "public" | "awsbackup") {
        return Err(invalid(&format!("Unknown snapshot type: {kind}")));
    }
    let instance = name_of(call.text("DBInstanceIdentifier"), "db");
    let resource = call.text("DbiResourceId");
    let keep = |snapshot: &Snapshot| {
        let source = call.arn("rds", &format!("db:{}", snapshot.instance));
        Ok((instance.is_empty() || snapshot.instance == instance)
            && (resource.is_empty() || snapshot.resource == resource)
            && (kind.is_empty() || snapshot.kind() == kind)
            && filters.accept("db-instance-id", &[&snapshot.instance, &source])
            && filters.accept("db-snapshot-id", &[&snapshot.id, &snapshot.arn])
            && filters.accept("dbi-resource-id", &[&snapshot.resource])
            && filters.accept("snapshot-type", &[snapshot.kind()])
            && filters.accept("engine", &[&snapshot.settings.engine]))
    };
    let named = match call.text("DBSnapshotIdentifier") {
        "" => None,
        id => Some(existing(call, id)?),
    };
    listed(call, "DBSnapshots", KIND, named, keep, |snapshot| snapshot.view(call))
}

/// Who may restore it: nobody else, as nothing here can share it.
pub fn attributes(call: &Call<'_>) -> Answer {
    let snapshot = existing(call, call.text("DBSnapshotIdentifier"))?;
    answer(json!({
        "DBSnapshotAttributesResult": {
            "DBSnapshotIdentifier": snapshot.id,
            "DBSnapshotAttributes": [{ "AttributeName": "restore", "AttributeValues": [] }],
        },
    }))
}

impl Snapshot {
    fn kind(&self) -> &'static str {
        if self.automated { "automated" } else { "manual" }
    }

    /// Whether it can be restored, copied and deleted.
    pub fn need_available(&self, call: &Call<'_>) -> Result<(), Fault> {
        if self.until <= call.now {
            return Ok(());
        }
        Err(wrong_snapshot(&format!(
            "The snapshot {} is not currently in the available state.",
            self.id
        )))
    }

    fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
        let settings = &self.settings;
        let (passed, whole) = (call.now - self.created, (self.until - self.created).max(1));
        let ready = self.until <= call.now;
        Ok(json!({
            "DBSnapshotIdentifier": self.id,
            "DBInstanceIdentifier": self.instance,
            "SnapshotCreateTime": seconds(self.created),
            "OriginalSnapshotCreateTime": seconds(self.original),
            "Engine": settings.engine,
            "AllocatedStorage": settings.storage,
            "Status": if ready { "available" } else { "creating" },
            "PercentProgress": if ready { 100 } else { (100 * passed / whole).clamp(0, 99) },
            "Port": settings.port,
            "AvailabilityZone": self.zone,
            "VpcId": self.vpc,
            "InstanceCreateTime": self.instance_created.map(seconds),
            "MasterUsername": settings.user,
            "EngineVersion": settings.version,
            "LicenseModel": engine::LICENSE,
            "SnapshotType": self.kind(),
            "Iops": settings.iops,
            "StorageThroughput": settings.throughput.unwrap_or_default(),
            "OptionGroupName": settings.option_group,
            "SourceRegion": self.source.as_ref().map(|_| call.region),
            "SourceDBSnapshotIdentifier": self.source,
            "StorageType": settings.storage_type,
            "Encrypted": settings.encrypted,
            "KmsKeyId": settings.kms_key,
            "DBSnapshotArn": self.arn,
            "IAMDatabaseAuthenticationEnabled": false,
            "ProcessorFeatures": [],
            "DbiResourceId": self.resource,
            "TagList": tags::to_list(&tags::of(call, &self.arn)?),
            "SnapshotTarget": "region",
            "DedicatedLogVolume": false,
        }))
    }
}

/// Tells of the snapshots that have become available, and takes those away whose time is over.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    for mut snapshot in call.store.due::<Snapshot>(KIND)? {
        if snapshot.expires.is_some_and(|end| end <= call.now) {
            drop_one(call, &snapshot)?;
            continue;
        }
        snapshot.told = true;
        save(call, &snapshot)?;
        let message = match snapshot.automated {
            true => "Automated snapshot created",
            false => "Manual snapshot created",
        };
        event::snapshot(call, &snapshot, "creation", message, snapshot.until)?;
    }
    Ok(())
}

/// The automated snapshots of an instance go.
pub fn drop_automated(call: &Call<'_>, resource: &str) -> Result<(), Fault> {
    for snapshot in call.store.children::<Snapshot>(KIND, resource)? {
        if snapshot.automated {
            drop_one(call, &snapshot)?;
        }
    }
    Ok(())
}

/// The automated snapshots of an instance that is gone stay for as many days as backups were kept: *Retaining automated
/// backups*.
pub fn retain_automated(call: &Call<'_>, instance: &Instance) -> Result<(), Fault> {
    let days = u64::try_from(instance.settings.retention).unwrap_or_default();
    let kept = std::time::Duration::from_secs(days * 24 * 60 * 60);
    for mut snapshot in call.store.children::<Snapshot>(KIND, &instance.resource)? {
        if snapshot.automated {
            snapshot.expires = Some(lifecycle::later(call, snapshot.created, kept));
            save(call, &snapshot)?;
        }
    }
    Ok(())
}

fn drop_one(call: &Call<'_>, snapshot: &Snapshot) -> Result<(), Fault> {
    data::forget(call, &snapshot.folder)?;
    call.store.delete(KIND, &snapshot.id)?;
    tags::clear(call, &snapshot.arn)
}

/// A new identifier in lower case, which no snapshot may have.
fn free_name(call: &Call<'_>, member: &str, id: &str) -> Result<String, Fault> {
    let id = check_name(member, id, 255)?;
    if find(call, &id)?.is_some() {
        return Err(Fault::new(
            "DBSnapshotAlreadyExists",
            format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists."),
        ));
    }
    Ok(id)
}

fn find(call: &Call<'_>, id: &str) -> Result<Option<Snapshot>, Fault> {
    call.store.get(KIND, &name_of(id, "snapshot"))
}

/// By identifier or ARN.
pub fn existing(call: &Call<'_>, id: &str) -> Result<Snapshot, Fault> {
    let missing = || {
        Fault::new(
            "DBSnapshotNotFound",
            format!("DBSnapshot {} not found.", name_of(id, "snapshot")),
        )
        .status(404)
    };
    find(call, id)?.ok_or_else(missing)
}

fn wrong_snapshot(message: &str) -> Fault {
    Fault::new("InvalidDBSnapshotState", message)
}

fn save(call: &Call<'_>, snapshot: &Snapshot) -> Result<(), Fault> {
    call.store
        .entry(KIND, &snapshot.id)
        .parent(&snapshot.resource)
        .due(if snapshot.told {
            snapshot.expires
        } else {
            Some(snapshot.until)
        })
        .put(snapshot)
}
