//! A database server on RDS.

mod apply;
mod changes;
mod final_snapshot;
mod password;
mod restore;
mod spec;
mod state;

use std::time::Duration;

use aws_sdk_rds::types::DbInstance;

use self::password::Password;
use super::{read_tags, tag_list, whole};
use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags, Used};
use crate::value::{Map, Value};

pub use spec::{Source, Spec};
pub use state::State;

pub const KIND: &str = "db-instance";

/// See [`Spec`].
pub struct DbInstances(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "rds",
    noun: "instance",
    plural: "instances",
    help: "Ensures a database server. Where there is none it is restored from our newest snapshot, and empty only if there \
           never was one. Destroy leaves it, and what it stands on; with --with-data NAME it takes a last snapshot first, \
           which nothing ever deletes.",
    retention: Retention::Data,
    // Nothing may write any more when the last snapshot is taken.
    gone_before: &["service"],
    outputs: &[
        OutputField::text("id", "the name at the service"),
        OutputField::text("arn", "the ARN"),
        OutputField::text("endpoint", "the host name"),
        OutputField::other("port", "the TCP port"),
        OutputField::text("user", "the login of the master user"),
        OutputField::text("password_secret", "the ARN of the secret with the master password"),
        OutputField::text("state", "the state, in the service's words"),
        OutputField::text("engine", "the engine and its edition"),
        OutputField::text("engine_version", "the version of the engine"),
        OutputField::text("ca_certificate", "the certificate authority of its certificate"),
        OutputField::text("vpc", "the id of the VPC"),
    ],
    // RDS for SQL Server takes 15 to 30 minutes, over several zones longer; a restore up to 40.
    create_limit: Duration::from_secs(90 * 60),
    delete_limit: Duration::from_secs(60 * 60),
    actions: &[
        "iam:CreateServiceLinkedRole",
        "rds:AddTagsToResource",
        "rds:CreateDBInstance",
        "rds:DeleteDBInstance",
        "rds:DescribeDBEngineVersions",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
        "rds:DescribeEvents",
        "rds:ListTagsForResource",
        "rds:ModifyDBInstance",
        "rds:RemoveTagsFromResource",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
    ],
};

/// One instance as it is; `None` when it is gone.
pub(super) async fn look(aws: &Aws, id: &str) -> Result<Option<State>> {
    match state::describe(aws, id).await? {
        Some(instance) => DbInstances(aws.clone()).state(&instance).await.map(Some),
        None => Ok(None),
    }
}

impl DbInstances {
    async fn live(&self, name: String, instance: &DbInstance) -> Result<Live<State>> {
        Ok(Live {
            id: instance.db_instance_identifier().unwrap_or_default().to_owned(),
            name,
            tags: read_tags(instance.tag_list()),
            state: self.state(instance).await?,
        })
    }

    async fn create_empty(&self, cx: &Context<'_>, id: &str, spec: &Spec) -> Result<(DbInstance, Tags)> {
        let (version, value) = password::read(&self.0, &spec.password_secret).await?;
        let engine_version = match &spec.engine_version {
            Some(wanted) => Some(self.full_version(spec, wanted).await?),
            None => None,
        };
        let mut tags = cx.tags.clone();
        // In the same call as the password, so that the one is never there without the other.
        tags.insert(password::TAG.into(), version.tag());
        let call = self
            .0
            .rds
            .create_db_instance()
            .db_instance_identifier(id)
            .engine(&spec.engine)
            .set_engine_version(engine_version)
            .set_license_model(
                spec.engine
                    .starts_with("sqlserver-")
                    .then(|| "license-included".to_owned()),
            )
            .db_instance_class(&spec.class)
            .allocated_storage(whole(spec.storage))
            .set_max_allocated_storage(spec.max_storage.map(whole))
            .set_storage_type(spec.storage_type.clone())
            .set_iops(spec.iops.map(whole))
            .storage_encrypted(spec.encryption)
            .set_kms_key_id(spec.kms_key.clone())
            .multi_az(spec.multi_az)
            .backup_retention_period(whole(spec.backup_days))
            .set_preferred_backup_window(spec.backup_window.clone())
            .set_preferred_maintenance_window(spec.maintenance_window.clone())
            .auto_minor_version_upgrade(spec.auto_minor_version_upgrade)
            .set_db_parameter_group_name(spec.parameter_group.clone())
            .set_option_group_name(spec.option_group.clone())
            .deletion_protection(spec.deletion_protection)
            .publicly_accessible(spec.publicly_accessible)
            .copy_tags_to_snapshot(true)
            .db_subnet_group_name(&spec.subnet_group)
            .set_vpc_security_group_ids(Some(spec.security_groups.clone()))
            .port(i32::from(spec.port))
            .master_username(&spec.user)
            .master_user_password(value.expose())
            .set_ca_certificate_identifier(spec.ca_certificate.clone())
            .set_character_set_name(spec.collation.clone())
            .set_timezone(spec.timezone.clone())
            .set_tags(Some(tag_list(&tags)));
        let answer = call.send().await.call("rds:CreateDBInstance")?;
        match answer.db_instance {
            Some(instance) => Ok((instance, tags)),
            None => Err(Error::failed("rds:CreateDBInstance: the answer holds no instance")),
        }
    }
}

impl Kind for DbInstances {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        spec.check(scope, name)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.rds.describe_db_instances();
        let found = pages.into_paginator().items().send().try_collect().await;
        let mut ours = Vec::new();
        for instance in found.call("rds:DescribeDBInstances")? {
            let tags = read_tags(instance.tag_list());
            if let Some(name) = scope.name_of(KIND, &tags).map(str::to_owned) {
                ours.push(self.live(name, &instance).await?);
            }
        }
        Ok(ours)
    }

    /// Why this is safe: the name is unique, so that a call that is sent twice is refused the second time; the tags are
    /// in the call, and with them whether the instance still has to be compared.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let (made, tags) = match self.content(cx, name, &id, spec).await? {
            Some(snapshot) => self.restore(cx, name, &id, spec, &snapshot).await?,
            None => self.create_empty(cx, &id, spec).await?,
        };
        let mut live = self.live(name.to_owned(), &made).await?;
        // The answer need not repeat the tags.
        live.state.password = Password::of(&tags);
        live.tags = tags;
        Ok(live)
    }

    async fn foresee(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Vec<String>> {
        self.content_in_words(cx, name, spec).await
    }

    /// Which password it should have, without reading it. A server that is full works no more unless this run makes it
    /// larger.
    async fn inspect(&self, spec: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        if live.state.status == "storage-full" && whole(spec.storage) <= live.state.storage {
            let mut error = Error::failed(format!(
                "{} is storage-full: its {} GiB are used up",
                live.id, live.state.storage
            ))
            .hint("raise `storage` and run the same command again");
            for event in &live.state.events {
                error = error.note(event.clone());
            }
            return Err(error);
        }
        live.state.wanted_password = Some(password::current(&self.0, &spec.password_secret).await?);
        Ok(live)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        changes::between(spec, &live.state)
    }

    fn remarks(&self, spec: &Spec, live: &Live<State>) -> Vec<String> {
        let state = &live.state;
        let window = &state.maintenance_window;
        let pending = state.pending.shown(state).into_iter();
        let mut remarks: Vec<_> = pending
            .map(|what| format!("{what} waits for the maintenance window {window} (UTC)"))
            .collect();
        if state.parameter_status == "pending-reboot" {
            remarks.push("its parameter group takes effect when it is rebooted: rds::reboot(...)".into());
        }
        if whole(spec.storage) < state.storage {
            remarks.push(format!("its storage grew by itself to {} GiB", state.storage));
        }
        remarks
    }

    /// Until the restored one has its password.
    fn is_unfinished(&self, live: &Live<State>) -> bool {
        live.state.password.is_none()
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        vec!["copy_tags_to_snapshot".into(), "password".into()]
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        self.apply(cx, spec, live, changes).await
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        match state::describe(&self.0, &before.id).await? {
            Some(instance) => {
                let mut now = self.live(before.name.clone(), &instance).await?;
                // Some tell no tags with a single instance.
                if now.tags.is_empty() {
                    now.tags = before.tags.clone();
                    now.state.password = before.state.password.clone();
                }
                Ok(Some(now))
            }
            None => Ok(None),
        }
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        live.state.readiness(&live.id)
    }

    async fn delete(&self, cx: &Context<'_>, live: &Live<State>) -> Result<()> {
        self.delete_with_snapshot(cx, live).await
    }

    fn uses(&self, live: &Live<State>) -> Vec<Used> {
        let state = &live.state;
        let mut uses = vec![
            Used::new(super::db_subnet_group::KIND, &state.subnet_group),
            Used::new(super::db_parameter_group::KIND, &state.parameter_group),
            Used::new(super::option_group::KIND, &state.option_group),
            Used::new("vpc", &state.vpc),
        ];
        uses.extend(state.subnets.iter().map(|subnet| Used::new("subnet", subnet)));
        uses.extend(
            state
                .security_groups
                .iter()
                .map(|group| Used::new("security-group", group)),
        );
        uses.extend(
            state
                .password
                .iter()
                .map(|password| Used::new("secret", &password.secret)),
        );
        // A gateway cannot be detached while a public address is behind it, and who uses that address needs the way.
        if state.publicly_accessible {
            uses.push(Used::new("internet-gateway", &state.vpc));
            uses.extend(state.subnets.iter().map(|subnet| Used::new("route-table", subnet)));
        }
        uses
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "id" => live.id.as_str(),
            "arn" => state.arn.as_str(),
            "endpoint" => state.endpoint.as_str(),
            "port" => state.port,
            "user" => state.user.as_str(),
            "password_secret" => state.password.as_ref().map(|password| password.secret.as_str()),
            "state" => state.status.as_str(),
            "engine" => state.engine.as_str(),
            "engine_version" => state.engine_version.as_str(),
            "ca_certificate" => state.ca_certificate.as_str(),
            "vpc" => state.vpc.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let mut row = self.outputs(live);
        let pending: Vec<_> = state.pending.shown(state).into_iter().map(Value::from).collect();
        row.extend(map! {
            "class" => state.class.as_str(),
            "storage" => state.storage,
            "storage_type" => state.storage_type.as_str(),
            "multi_az" => state.multi_az,
            "zone" => state.zone.as_str(),
            "encryption" => state.encryption,
            "publicly_accessible" => state.publicly_accessible,
            "deletion_protection" => state.deletion_protection,
            "backup_days" => state.backup_days,
            "backup_window" => state.backup_window.as_str(),
            "maintenance_window" => state.maintenance_window.as_str(),
            "pending" => pending,
            "parameter_group" => state.parameter_group.as_str(),
            "option_group" => state.option_group.as_str(),
            "subnet_group" => state.subnet_group.as_str(),
            "security_groups" => state.security_groups.clone(),
        });
        row
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.id.clone())
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Reference {
            id: String,
        }
        let Reference { id } = Value::Map(options.clone()).read()?;
        match state::describe(&self.0, &id).await? {
            Some(instance) => self.live(id, &instance).await,
            None => Err(Error::failed(format!(
                "there is no database instance {id} in {}",
                self.0.region
            ))),
        }
    }

    /// Another change of the same instance is on its way; the service takes one at a time.
    fn is_transient(&self, error: &Error) -> bool {
        error.code() == "InvalidDBInstanceState"
    }
}
