//! From where a new instance gets its content.
//!
//! Recreate never makes an empty database where one existed. What existed is told by the snapshots of the instance's
//! name, which outlive it.

use aws_sdk_rds::types::{DbInstance, DbSnapshot};

use super::password::{RESTORED, TAG};
use super::spec::{Source, Spec};
use super::{ABOUT, DbInstances, KIND};
use crate::aws::error::Call;
use crate::aws::rds::{present, read_tags, tag_list};
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::resource::wait::Waiter;
use crate::resource::{Context, Scope, Tags};
use crate::s3::S3File;

/// The tag that says which snapshot an instance came from, for people.
const RESTORED_FROM: &str = "iacsh:restored-from";

/// The snapshots of an instance, also one that is gone, of every kind. Its name is ours alone, and the tags of another
/// environment speak against one. Of other accounts there are none in this listing.
pub(super) async fn snapshots(aws: &Aws, scope: &Scope, id: &str) -> Result<Vec<DbSnapshot>> {
    let call = aws.rds.describe_db_snapshots().db_instance_identifier(id);
    let found = call.into_paginator().items().send().try_collect().await;
    let snapshots = present(found.call("rds:DescribeDBSnapshots"))?.unwrap_or_default();
    let is_ours = |snapshot: &DbSnapshot| {
        let tags = read_tags(snapshot.tag_list());
        let fits = |(key, value): (&str, &str)| tags.get(key).is_none_or(|tag| tag == value);
        scope.filter().into_iter().all(fits)
    };
    Ok(snapshots.into_iter().filter(is_ours).collect())
}

/// When it was taken. One that is being taken has no time yet, and is the newest.
fn taken(snapshot: &DbSnapshot) -> (i64, u32) {
    let time = snapshot.snapshot_create_time();
    time.map_or((i64::MAX, 0), |time| (time.secs(), time.subsec_nanos()))
}

async fn newest(aws: &Aws, scope: &Scope, id: &str) -> Result<Option<DbSnapshot>> {
    Ok(snapshots(aws, scope, id).await?.into_iter().max_by_key(taken))
}

fn name_of(snapshot: &DbSnapshot) -> String {
    snapshot.db_snapshot_identifier().unwrap_or_default().to_owned()
}

fn missing(name: &str) -> Error {
    Error::failed(format!(
        "{KIND}/{name} is not there, and `source = \"existing\"` means that it must be"
    ))
    .hint("`source = \"latest\"` restores the newest snapshot")
}

fn not_from(name: &str, file: &S3File, newest: &DbSnapshot) -> Error {
    Error::declined(format!(
        "{KIND}/{name} would get the content of {file}, but there is a snapshot of it: {}",
        name_of(newest)
    ))
    .note(format!(
        "the snapshot was taken at {}; what it has beyond the backup would be missing",
        meant::moment(newest.snapshot_create_time())
    ))
    .hint(format!(
        "`source = \"latest\"` restores the snapshot; `--with-data {name}` takes the backup, and leaves the snapshot"
    ))
}

fn not_empty(name: &str, newest: &DbSnapshot) -> Error {
    Error::declined(format!(
        "{KIND}/{name} would be made empty, but there is a snapshot of it: {}",
        name_of(newest)
    ))
    .hint("`source = \"latest\"` restores it; delete the snapshots yourself if nobody wants their data")
}

fn status(snapshot: &DbSnapshot) -> &str {
    snapshot.status().unwrap_or_default()
}

impl DbInstances {
    /// The snapshot to restore; `None` for an empty database.
    pub(super) async fn content(
        &self,
        cx: &Context<'_>,
        name: &str,
        id: &str,
        spec: &Spec,
    ) -> Result<Option<DbSnapshot>> {
        match spec.source() {
            Source::Latest => self.latest(cx, name, id).await,
            Source::Snapshot(snapshot) => {
                let call = self.0.rds.describe_db_snapshots().db_snapshot_identifier(&snapshot);
                let answer = present(call.send().await.call("rds:DescribeDBSnapshots"))?;
                let found = answer.and_then(|answer| answer.db_snapshots.unwrap_or_default().into_iter().next());
                match found {
                    Some(found) if status(&found) == "available" => Ok(Some(found)),
                    Some(found) => Err(Error::failed(format!(
                        "the snapshot {snapshot} cannot be restored: it is {}",
                        status(&found)
                    ))),
                    None => Err(
                        Error::failed(format!("there is no snapshot {snapshot} in {}", self.0.region))
                            .hint("rds::snapshots() lists those of this environment"),
                    ),
                }
            }
            Source::Existing => Err(missing(name)),
            // The newest snapshot can hold more than the backup does, and whoever wrote `bak:` need not know of it.
            Source::Backup(file) => match newest(&self.0, cx.scope, id).await? {
                None => Ok(None),
                Some(newest) if cx.engine.may_lose(name) => {
                    let snapshot = name_of(&newest);
                    cx.warn(&format!(
                        "{KIND}/{name}: the snapshot {snapshot} is not restored, and stays"
                    ));
                    Ok(None)
                }
                Some(newest) => Err(not_from(name, &file, &newest)),
            },
            Source::Empty => match newest(&self.0, cx.scope, id).await? {
                None => Ok(None),
                Some(newest) => Err(not_empty(name, &newest)),
            },
        }
    }

    /// The same for a plan, in words. It waits for nothing.
    pub(super) async fn content_in_words(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Vec<String>> {
        let newest = newest(&self.0, cx.scope, &cx.scope.physical(name)).await?;
        let words = match (spec.source(), newest) {
            (Source::Existing, _) => return Err(missing(name)),
            (Source::Empty, Some(newest)) => return Err(not_empty(name, &newest)),
            (Source::Backup(file), Some(newest)) if !cx.engine.may_lose(name) => {
                return Err(not_from(name, &file, &newest));
            }
            (Source::Latest, Some(newest)) => format!("its content comes from the snapshot {}", name_of(&newest)),
            (Source::Latest | Source::Empty, None) => "it is empty: there is no snapshot of it".to_owned(),
            (Source::Snapshot(snapshot), _) => format!("its content comes from the snapshot {snapshot}"),
            (Source::Backup(file), None) => format!("it is empty, for the database of {file}"),
            (Source::Backup(file), Some(newest)) => format!(
                "it is empty, for the database of {file}; the snapshot {} stays",
                name_of(&newest)
            ),
        };
        Ok(vec![words])
    }

    /// The newest snapshot that is whole. One that is still being taken is waited for.
    async fn latest(&self, cx: &Context<'_>, name: &str, id: &str) -> Result<Option<DbSnapshot>> {
        let label = format!("{KIND}/{name}");
        let limit = cx.engine.create_limit(&ABOUT);
        let mut waiter = Waiter::new(&label, limit, cx.engine.pace(), cx.engine.cancel());
        loop {
            let mut found = snapshots(&self.0, cx.scope, id).await?;
            found.sort_by_key(|snapshot| std::cmp::Reverse(taken(snapshot)));
            let mut broken = Vec::new();
            let mut waits = None;
            for snapshot in found {
                match status(&snapshot) {
                    "available" => {
                        for broken in broken {
                            cx.warn(&format!("{label}: {broken}: an older snapshot is restored"));
                        }
                        return Ok(Some(snapshot));
                    }
                    "creating" => {
                        waits = Some(format!("the snapshot {} is being taken", name_of(&snapshot)));
                        break;
                    }
                    other => broken.push(format!("the snapshot {} is {other}", name_of(&snapshot))),
                }
            }
            match (waits, broken.first()) {
                (Some(reason), _) => {
                    cx.engine.progress().waiting(&label, &reason);
                    waiter.pause(&reason).await?;
                }
                // There was a database: an empty one in its place is not what anybody wants.
                (None, Some(broken)) => {
                    return Err(Error::failed(format!(
                        "{label}: {broken}, and there is no other to restore"
                    )));
                }
                (None, None) => return Ok(None),
            }
        }
    }

    /// Refuses a snapshot from which the wanted instance cannot come, before anything is made.
    pub(super) fn fits(name: &str, spec: &Spec, snapshot: &DbSnapshot) -> Result<()> {
        let id = snapshot.db_snapshot_identifier().unwrap_or_default();
        let refused = |what: String| Error::failed(format!("{KIND}/{name} cannot be restored from {id}: {what}"));
        let (engine, user) = (snapshot.engine(), snapshot.master_username());
        let storage = snapshot.allocated_storage().unwrap_or_default();
        if engine.is_some_and(|engine| engine != spec.engine) {
            return Err(refused(format!(
                "it is of {}, not of {}",
                engine.unwrap_or_default(),
                spec.engine
            )));
        }
        if user.is_some_and(|user| user != spec.user) {
            let user = user.unwrap_or_default();
            return Err(refused(format!("its master user is {user}, not {}", spec.user))
                .hint(format!("a restore keeps it: make `user` {user}")));
        }
        if storage > super::super::whole(spec.storage) && spec.max_storage.is_none() {
            return Err(
                refused(format!("it needs {storage} GiB, and `storage` is {}", spec.storage))
                    .hint("a restore cannot be smaller than what it comes from"),
            );
        }
        match (snapshot.encrypted().unwrap_or_default(), spec.encryption) {
            (false, true) => Err(refused("it is not encrypted".into()).hint(
                "copy it with a key (aws rds copy-db-snapshot --kms-key-id ...) and name the copy in `source`, or switch \
                 encryption off",
            )),
            (true, false) => Err(refused("it is encrypted".into()).hint("a restore stays encrypted: switch encryption on")),
            _ => Ok(()),
        }
    }

    /// Restores. The instance comes up with the password of the snapshot and settings of its own; its tag says so, and
    /// the comparison that follows puts them right.
    pub(super) async fn restore(
        &self,
        cx: &Context<'_>,
        name: &str,
        id: &str,
        spec: &Spec,
        snapshot: &DbSnapshot,
    ) -> Result<(DbInstance, Tags)> {
        Self::fits(name, spec, snapshot)?;
        let from = snapshot.db_snapshot_identifier().unwrap_or_default();
        cx.engine.progress().note(&format!(
            "{KIND}/{name} is restored from the snapshot {from} of {}",
            meant::moment(snapshot.snapshot_create_time())
        ));
        let mut with = cx.tags.clone();
        with.insert(TAG.into(), RESTORED.into());
        with.insert(RESTORED_FROM.into(), from.to_owned());
        let call = self
            .0
            .rds
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(id)
            .db_snapshot_identifier(from)
            .db_instance_class(&spec.class)
            .set_storage_type(spec.storage_type.clone())
            .set_iops(spec.iops.map(super::super::whole))
            .multi_az(spec.multi_az)
            .db_subnet_group_name(&spec.subnet_group)
            .set_vpc_security_group_ids(Some(spec.security_groups.clone()))
            .set_db_parameter_group_name(spec.parameter_group.clone())
            .set_option_group_name(spec.option_group.clone())
            .port(i32::from(spec.port))
            .publicly_accessible(spec.publicly_accessible)
            .auto_minor_version_upgrade(spec.auto_minor_version_upgrade)
            .deletion_protection(spec.deletion_protection)
            .copy_tags_to_snapshot(true)
            .set_tags(Some(tag_list(&with)));
        let answer = call.send().await.call("rds:RestoreDBInstanceFromDBSnapshot")?;
        match answer.db_instance {
            Some(instance) => Ok((instance, with)),
            None => Err(Error::failed(
                "rds:RestoreDBInstanceFromDBSnapshot: the answer holds no instance",
            )),
        }
    }
}
