//! A snapshot of a database server. It outlives the server: nothing in here ever deletes one.

use std::time::Duration;

use aws_sdk_rds::types::DbSnapshot;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{present, read_tags, tag_list};
use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::tags::{ENVIRONMENT, PROJECT};
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

pub const KIND: &str = "db-snapshot";

/// CreateDBSnapshot: "Must contain from 1 to 255 letters, numbers, or hyphens".
const LONGEST_NAME: usize = 255;

/// A snapshot of a database server, taken once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The instance: `instance.id`. A snapshot of this name of another instance stops the run.
    pub instance: String,
}

/// What RDS says of a snapshot.
#[derive(Clone, Debug)]
pub struct State {
    arn: String,
    status: String,
    progress: i32,
    instance: String,
    created_at: Value,
    /// `manual`, `automated` or `awsbackup`.
    made: String,
    engine: String,
    engine_version: String,
    storage: i32,
    encryption: bool,
    user: String,
}

/// See [`Spec`].
pub struct DbSnapshots(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "rds",
    noun: "snapshot",
    plural: "snapshots",
    help: "Ensures a snapshot of a database server: one that is there is never taken again, and never deleted. \
           `source: \"snapshot:ID\"` of an instance restores it.",
    retention: Retention::Retained,
    gone_before: &[],
    outputs: &[
        OutputField::text("id", "the name at the service: what `source: \"snapshot:ID\"` takes"),
        OutputField::text("arn", "the ARN"),
        OutputField::text("instance", "the instance that it was taken of"),
        OutputField::text("state", "the state, in the service's words"),
    ],
    create_limit: Duration::from_secs(60 * 60),
    delete_limit: Duration::from_secs(600),
    actions: &[
        "rds:AddTagsToResource",
        "rds:CreateDBSnapshot",
        "rds:DescribeDBSnapshots",
        "rds:RemoveTagsFromResource",
    ],
};

pub(super) fn state(snapshot: &DbSnapshot) -> State {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    State {
        arn: text(snapshot.db_snapshot_arn()),
        status: text(snapshot.status()),
        progress: snapshot.percent_progress().unwrap_or_default(),
        instance: text(snapshot.db_instance_identifier()),
        created_at: meant::moment(snapshot.snapshot_create_time()),
        made: text(snapshot.snapshot_type()),
        engine: text(snapshot.engine()),
        engine_version: text(snapshot.engine_version()),
        storage: snapshot.allocated_storage().unwrap_or_default(),
        encryption: snapshot.encrypted().unwrap_or_default(),
        user: text(snapshot.master_username()),
    }
}

/// The name of one of ours. One that the service took by itself has the tags of its instance, and is called what the
/// service calls it.
fn name_of(scope: &Scope, id: &str, tags: &Tags) -> Option<String> {
    if let Some(name) = scope.name_of(KIND, tags) {
        return Some(name.to_owned());
    }
    let is = |key: &str, value: &str| tags.get(key).is_some_and(|tag| tag == value);
    let ours = is(PROJECT, &scope.project) && is(ENVIRONMENT, &scope.environment);
    ours.then(|| scope.logical(id).unwrap_or(id).to_owned())
}

impl DbSnapshots {
    async fn describe(&self, id: &str) -> Result<Option<DbSnapshot>> {
        let call = self.0.rds.describe_db_snapshots().db_snapshot_identifier(id);
        let answer = present(call.send().await.call("rds:DescribeDBSnapshots"))?;
        Ok(answer.and_then(|answer| answer.db_snapshots.unwrap_or_default().into_iter().next()))
    }

    /// Takes one. The name is unique, so that a call that is sent twice is refused the second time.
    pub(super) async fn take(&self, id: &str, instance: &str, tags: &Tags) -> Result<DbSnapshot> {
        let call = self.0.rds.create_db_snapshot().db_snapshot_identifier(id);
        let call = call.db_instance_identifier(instance).set_tags(Some(tag_list(tags)));
        let answer = call.send().await.call("rds:CreateDBSnapshot")?;
        answer
            .db_snapshot
            .ok_or_else(|| Error::failed("rds:CreateDBSnapshot: the answer holds no snapshot"))
    }
}

impl Kind for DbSnapshots {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, _: &Spec) -> Result<()> {
        super::check_name(scope, name, "DB snapshot", LONGEST_NAME)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.rds.describe_db_snapshots();
        let found = pages.into_paginator().items().send().try_collect().await;
        let snapshots = found.call("rds:DescribeDBSnapshots")?;
        let ours = snapshots.iter().filter_map(|snapshot| {
            let tags = read_tags(snapshot.tag_list());
            let id = snapshot.db_snapshot_identifier()?.to_owned();
            Some(Live {
                name: name_of(scope, &id, &tags)?,
                state: state(snapshot),
                id,
                tags,
            })
        });
        Ok(ours.collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical(name);
        let snapshot = self.take(&id, &spec.instance, &cx.tags).await?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: state(&snapshot),
        })
    }

    /// A snapshot is what was; one of another instance is not taken away for this one.
    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let instance = Change::between("instance", &live.state.instance, &spec.instance, Class::ReplaceWithLoss);
        instance.into_iter().collect()
    }

    async fn update(&self, _: &Context<'_>, _: &Spec, _: &Live<State>, _: &[Change]) -> Result<()> {
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let snapshot = self.describe(&live.id).await?;
        Ok(snapshot.map(|snapshot| Live {
            state: state(&snapshot),
            ..live.clone()
        }))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        let state = &live.state;
        match state.status.as_str() {
            "available" => Readiness::Ready,
            "deleting" => Readiness::Leaving("deleting".into()),
            "failed" | "incompatible-restore" => Readiness::Failed(
                Error::failed(format!("the snapshot {} is {}", live.id, state.status))
                    .hint("rds::events() has the service's words"),
            ),
            status => Readiness::Waiting(format!("{status}, {} %", state.progress)),
        }
    }

    /// Never: it may be the last one of its data.
    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        Err(
            Error::declined(format!("the snapshot {} is never deleted by iacsh", live.id)).hint(format!(
                "aws rds delete-db-snapshot --db-snapshot-identifier {}",
                live.id
            )),
        )
    }

    fn kept_because(&self, live: &Live<State>) -> Option<&'static str> {
        Some(match live.state.made.as_str() {
            "automated" => "a daily backup: the service deletes it with its instance",
            _ => "a snapshot is never deleted by iacsh",
        })
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "id" => live.id.as_str(),
            "arn" => live.state.arn.as_str(),
            "instance" => live.state.instance.as_str(),
            "state" => live.state.status.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "id" => live.id.as_str(), "instance" => state.instance.as_str(), "state" => state.status.as_str(),
            "created_at" => state.created_at.clone(), "made" => state.made.as_str(), "engine" => state.engine.as_str(),
            "engine_version" => state.engine_version.as_str(), "storage" => state.storage,
            "encryption" => state.encryption, "user" => state.user.as_str(), "arn" => state.arn.as_str(),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Reference {
            id: String,
        }
        let Reference { id } = Value::Map(options.clone()).read()?;
        match self.describe(&id).await? {
            Some(snapshot) => Ok(Live {
                name: id.clone(),
                tags: read_tags(snapshot.tag_list()),
                state: state(&snapshot),
                id,
            }),
            None => Err(Error::failed(format!("there is no snapshot {id} in {}", self.0.region))),
        }
    }

    /// The instance is being changed or backed up; a snapshot can be taken afterwards.
    fn is_transient(&self, error: &Error) -> bool {
        error.code() == "InvalidDBInstanceState"
    }
}
