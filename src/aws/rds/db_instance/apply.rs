//! Makes changes in place, and waits until the service has made them.
//!
//! The service makes one modification at a time. It answers at once and begins a while later: until then the instance
//! is `available`, and only its pending values tell that something is to come. A run that dies in between leaves an
//! instance that the next run compares anew.

use aws_sdk_rds::types::DbInstance;

use super::changes::is_major;
use super::password;
use super::spec::{Apply, Spec};
use super::{ABOUT, DbInstances, KIND, State, state};
use crate::aws::error::Call;
use crate::aws::rds::{retag, whole};
use crate::aws::unsupported::is_unsupported;
use crate::error::{Error, Result};
use crate::resource::wait::Waiter;
use crate::resource::{Change, Class, Context, Live, Readiness, Tags};

impl DbInstances {
    pub(super) async fn apply(
        &self,
        cx: &Context<'_>,
        spec: &Spec,
        live: &Live<State>,
        changes: &[Change],
    ) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        if changes.iter().any(|change| change.field != "password") {
            self.until_modifiable(cx, live).await?;
            let mut call = self
                .0
                .rds
                .modify_db_instance()
                .db_instance_identifier(&live.id)
                .apply_immediately(spec.apply == Apply::Now);
            if is("engine_version")
                && let Some(wanted) = &spec.engine_version
            {
                call = call
                    .engine_version(self.full_version(spec, wanted).await?)
                    .allow_major_version_upgrade(is_major(&live.state.engine_version, wanted));
            }
            if is("class") {
                call = call.db_instance_class(&spec.class);
            }
            if is("storage") {
                call = call.allocated_storage(whole(spec.storage));
            }
            if is("storage_type") {
                call = call.set_storage_type(spec.storage_type.clone());
            }
            // "When you increase the allocated storage for a DB instance that uses Provisioned IOPS (gp3, io1, or io2
            // storage type), you must also specify the Iops parameter. You can use the current value" (ModifyDBInstance).
            if is("iops") {
                call = call.set_iops(spec.iops.map(whole));
            } else if is("storage_type") {
                call = call.set_iops(spec.iops.and(live.state.iops));
            } else if is("storage") {
                call = call.set_iops(live.state.iops);
            }
            if is("max_storage") {
                // The storage itself as the most means: no growing.
                call = call.max_allocated_storage(whole(spec.max_storage.unwrap_or(spec.storage)));
            }
            if is("multi_az") {
                call = call.multi_az(spec.multi_az);
            }
            if is("backup_days") {
                call = call.backup_retention_period(whole(spec.backup_days));
            }
            if is("backup_window") {
                call = call.set_preferred_backup_window(spec.backup_window.clone());
            }
            if is("maintenance_window") {
                call = call.set_preferred_maintenance_window(spec.maintenance_window.clone());
            }
            if is("auto_minor_version_upgrade") {
                call = call.auto_minor_version_upgrade(spec.auto_minor_version_upgrade);
            }
            if is("parameter_group") {
                call = call.set_db_parameter_group_name(spec.parameter_group.clone());
            }
            if is("option_group") {
                call = call.set_option_group_name(spec.option_group.clone());
            }
            if is("deletion_protection") {
                call = call.deletion_protection(spec.deletion_protection);
            }
            if is("publicly_accessible") {
                call = call.publicly_accessible(spec.publicly_accessible);
            }
            if is("copy_tags_to_snapshot") {
                call = call.copy_tags_to_snapshot(true);
            }
            if is("security_groups") {
                call = call.set_vpc_security_group_ids(Some(spec.security_groups.clone()));
            }
            if is("port") {
                call = call.db_port_number(i32::from(spec.port));
            }
            if is("ca_certificate") {
                call = call.set_ca_certificate_identifier(spec.ca_certificate.clone());
            }
            call.send().await.call("rds:ModifyDBInstance")?;
            let waits = |change: &&Change| change.class != Class::MaintenanceWindow;
            let awaited: Vec<_> = changes.iter().filter(waits).map(|c| c.field.as_str()).collect();
            self.until_made(cx, spec, live, &awaited).await?;
        }
        if is("password") {
            self.set_password(cx, spec, live).await?;
        }
        Ok(())
    }

    /// The wanted password, and then the tag that says so.
    async fn set_password(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>) -> Result<()> {
        let (version, value) = password::read(&self.0, &spec.password_secret).await?;
        self.until_modifiable(cx, live).await?;
        let call = self.0.rds.modify_db_instance().db_instance_identifier(&live.id);
        // Taken at once in any case; to ask for that would make what waits for the maintenance window too.
        let call = call.apply_immediately(spec.apply == Apply::Now);
        let answer = call.master_user_password(value.expose()).send().await;
        answer.call("rds:ModifyDBInstance")?;
        self.until_made(cx, spec, live, &[]).await?;
        let tag = Tags::from([(password::TAG.to_owned(), version.tag())]);
        retag(&self.0, &live.state.arn, &tag, &[]).await?;
        if live.state.password.is_some() {
            cx.warn(&format!(
                "{KIND}/{} has a new master password: what still holds the old one must be started again, a service by \
                 ecs::redeploy(...)",
                live.name
            ));
        }
        Ok(())
    }

    /// The newest version that begins with what is wanted: the service wants all of it.
    pub(super) async fn full_version(&self, spec: &Spec, wanted: &str) -> Result<String> {
        if wanted.contains(".v") {
            return Ok(wanted.to_owned());
        }
        let call = self.0.rds.describe_db_engine_versions().engine(&spec.engine);
        let found = call.into_paginator().items().send().try_collect().await;
        if found.as_ref().is_err_and(|error| is_unsupported(&self.0, error)) {
            return Ok(wanted.to_owned());
        }
        let versions = found.call("rds:DescribeDBEngineVersions")?;
        let numbers = |version: &str| -> Vec<u32> { version.split('.').map_while(|part| part.parse().ok()).collect() };
        let fitting = versions.iter().filter_map(|version| version.engine_version());
        let fitting = fitting.filter(|version| numbers(version).starts_with(&numbers(wanted)));
        match fitting.max_by_key(|version| numbers(version)) {
            Some(version) => Ok(version.to_owned()),
            None => Err(Error::failed(format!("there is no {} {wanted}", spec.engine))
                .hint("rds::engine_versions(...) lists those that there are")),
        }
    }

    /// Waits until the service takes a modification.
    async fn until_modifiable(&self, cx: &Context<'_>, live: &Live<State>) -> Result<()> {
        self.until(cx, live, |state| match state.status.as_str() {
            // More storage is what helps it.
            "available" | "storage-full" | "storage-optimization" | "storage-initialization" => None,
            status => Some(status.to_owned()),
        })
        .await
    }

    /// Waits until the instance is available with the wanted values, which the service may take a while to begin with.
    /// What waits for the maintenance window is not waited for.
    async fn until_made(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, fields: &[&str]) -> Result<()> {
        self.until(cx, live, |state| {
            if !matches!(
                state.status.as_str(),
                "available" | "storage-optimization" | "storage-initialization"
            ) {
                return Some(state.status.clone());
            }
            let is_pending = spec.apply == Apply::Now || state.pending.password;
            let pending = state.pending.shown(state).into_iter().next().filter(|_| is_pending);
            let differs = super::changes::between(spec, state).into_iter();
            let mut late = differs.filter(|change| fields.contains(&change.field.as_str()));
            pending.or_else(|| {
                late.next()
                    .map(|late| format!("{} {} -> {}", late.field, late.from, late.to))
            })
        })
        .await
    }

    /// Asks until `reason` has none to wait for.
    async fn until(
        &self,
        cx: &Context<'_>,
        live: &Live<State>,
        reason: impl Fn(&State) -> Option<String> + Send + Sync,
    ) -> Result<()> {
        let label = format!("{KIND}/{}", live.name);
        let limit = cx.engine.create_limit(&ABOUT);
        let mut waiter = Waiter::new(&label, limit, cx.engine.pace(), cx.engine.cancel());
        loop {
            let Some(instance) = state::describe(&self.0, &live.id).await? else {
                return Err(Error::failed(format!("{label} is gone while it was being changed")));
            };
            let now = self.state(&instance).await?;
            if let Readiness::Failed(error) = now.readiness(&live.id) {
                return Err(error);
            }
            let Some(reason) = reason(&now) else { return Ok(()) };
            cx.engine.progress().waiting(&label, &reason);
            waiter.pause(&reason).await?;
        }
    }

    /// What the service tells, with its last words where something went wrong.
    pub(super) async fn state(&self, instance: &DbInstance) -> Result<State> {
        let mut state = State::new(instance);
        if state.is_in_trouble() {
            let id = instance.db_instance_identifier().unwrap_or_default();
            state.events = state::last_events(&self.0, id).await?;
        }
        Ok(state)
    }
}
