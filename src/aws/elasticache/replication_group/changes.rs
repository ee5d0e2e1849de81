//! What differs between the options and a group, and how each difference is put right.
//!
//! The service takes one change at a time and refuses the next until the group is available again, so that each step
//! waits for the one before. A run that dies between two steps leaves a group that the next run compares anew.

use aws_sdk_elasticache::types::AuthTokenUpdateStrategyType;

use super::{Engine, KIND, ReplicationGroups, Spec, State, state, whole};
use crate::aws::error::Call;
use crate::error::{Error, Result};
use crate::resource::wait::Waiter;
use crate::resource::{Change, Class, Context, Live};
use crate::secret::Secret;

/// The differences, whole sets.
pub fn between(spec: &Spec, live: &State) -> Vec<Change> {
    use Class::{InPlace, Interrupting, Replace};
    let mut changes = Vec::new();
    let mut add = |change: Option<Change>| changes.extend(change);

    let engine = spec.engine.as_str().to_owned();
    // The service upgrades Redis to Valkey in place, and not back.
    let engine_class = if spec.engine == Engine::Valkey {
        Interrupting
    } else {
        Replace
    };
    add(Change::between("engine", &live.engine, &engine, engine_class));
    if let (Some(wanted), Some(version)) = (&spec.engine_version, &live.engine_version)
        && live.engine == engine
        && let Some(class) = version_class(version, wanted, live.auto_minor_version_upgrade)
    {
        add(Some(Change::new("engine_version", version, wanted, class)));
    }
    add(Change::between(
        "node_type",
        &live.node_type,
        &spec.node_type,
        Interrupting,
    ));
    add(Change::between("replicas", &live.replicas, &spec.replicas, InPlace));
    let failover = spec.replicas > 0;
    add(Change::between(
        "automatic_failover",
        &live.automatic_failover,
        &failover,
        InPlace,
    ));
    add(Change::between("multi_az", &live.multi_az, &spec.multi_az, InPlace));
    if let Some(subnet_group) = &live.subnet_group {
        add(Change::between(
            "subnet_group",
            subnet_group,
            &spec.subnet_group,
            Replace,
        ));
    }
    if let Some(groups) = &live.security_groups {
        add(Change::of_sets(
            "security_groups",
            groups,
            &spec.security_groups,
            InPlace,
        ));
    }
    if let (Some(wanted), Some(group)) = (&spec.parameter_group, &live.parameter_group) {
        add(Change::between("parameter_group", group, wanted, InPlace));
    }
    // Not known before there is an endpoint.
    if live.port != 0 {
        add(Change::between("port", &live.port, &i32::from(spec.port), Replace));
    }
    add(Change::between(
        "encryption_in_transit",
        &live.encryption_in_transit,
        &spec.encryption_in_transit,
        Replace,
    ));
    add(Change::between(
        "encryption_at_rest",
        &live.encryption_at_rest,
        &spec.encryption_at_rest,
        Replace,
    ));
    // Whether there is a token, never which. The service takes one away only in exchange for user groups.
    let wants_token = spec.wants_token();
    let token_class = if wants_token { InPlace } else { Replace };
    add(Change::between(
        "auth_token",
        &live.has_auth_token,
        &wants_token,
        token_class,
    ));
    let days = whole(spec.snapshot_retention_days);
    add(Change::between(
        "snapshot_retention_days",
        &live.snapshot_retention_days,
        &days,
        InPlace,
    ));
    if let (Some(wanted), Some(window)) = (&spec.maintenance_window, &live.maintenance_window) {
        add(Change::between(
            "maintenance_window",
            window,
            &wanted.to_lowercase(),
            InPlace,
        ));
    }
    if let Some(wanted) = &spec.description {
        add(Change::between("description", &live.description, wanted, InPlace));
    }
    changes
}

/// What it means to go from one version to the other; `None` when they are the same. `7.1` means any 7.1, and `6.x`,
/// which the service once used, any 6. A newer minor version that the service installed by itself is no difference.
fn version_class(live: &str, wanted: &str, upgrades_itself: bool) -> Option<Class> {
    let numbers = |version: &str| -> Vec<u32> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    let (have, want) = (numbers(live), numbers(wanted));
    if have.starts_with(&want) {
        return None;
    }
    if have > want {
        let is_same_major = have.first() == want.first();
        // The service does not go back.
        return (!(is_same_major && upgrades_itself)).then_some(Class::Replace);
    }
    Some(Class::Interrupting)
}

impl ReplicationGroups {
    pub(super) async fn apply(
        &self,
        cx: &Context<'_>,
        spec: &Spec,
        live: &Live<State>,
        changes: &[Change],
    ) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        let client = &self.0.elasticache;
        let replicas = whole(spec.replicas);

        // More replicas first: failover and several zones need them.
        if is("replicas") && spec.replicas > live.state.replicas {
            client
                .increase_replica_count()
                .replication_group_id(&live.id)
                .new_replica_count(replicas)
                .apply_immediately(true)
                .send()
                .await
                .call("elasticache:IncreaseReplicaCount")?;
            self.until_available(cx, live).await?;
        }

        let settings = [
            "engine",
            "engine_version",
            "node_type",
            "automatic_failover",
            "multi_az",
            "security_groups",
            "parameter_group",
            "snapshot_retention_days",
            "maintenance_window",
            "description",
        ];
        if settings.into_iter().any(is) {
            let mut call = client
                .modify_replication_group()
                .replication_group_id(&live.id)
                .apply_immediately(true);
            if is("engine") {
                call = call.engine(spec.engine.as_str());
            }
            if is("engine") || is("engine_version") {
                call = call.set_engine_version(spec.engine_version.clone());
            }
            if is("node_type") {
                call = call.cache_node_type(&spec.node_type);
            }
            if is("automatic_failover") {
                call = call.automatic_failover_enabled(spec.replicas > 0);
            }
            if is("multi_az") {
                call = call.multi_az_enabled(spec.multi_az);
            } else if is("automatic_failover") {
                call = call.multi_az_enabled(live.state.multi_az);
            }
            if is("security_groups") {
                call = call.set_security_group_ids(Some(spec.security_groups.clone()));
            }
            if is("parameter_group") || is("engine") {
                call = call.set_cache_parameter_group_name(spec.parameter_group.clone());
            }
            if is("snapshot_retention_days") {
                call = call.snapshot_retention_limit(whole(spec.snapshot_retention_days));
            }
            if is("maintenance_window") {
                call = call.set_preferred_maintenance_window(spec.maintenance_window.clone());
            }
            if is("description") {
                call = call.set_replication_group_description(spec.description.clone());
            }
            call.send().await.call("elasticache:ModifyReplicationGroup")?;
            self.until_available(cx, live).await?;
        }

        // Fewer replicas after failover was switched off, which needs one.
        if is("replicas") && spec.replicas < live.state.replicas {
            client
                .decrease_replica_count()
                .replication_group_id(&live.id)
                .new_replica_count(replicas)
                .apply_immediately(true)
                .send()
                .await
                .call("elasticache:DecreaseReplicaCount")?;
            self.until_available(cx, live).await?;
        }

        if is("auth_token")
            && let Some(token) = &self.token(spec).await?
        {
            // With ROTATE both no token and this one are accepted, with SET only this one. SET is refused before ROTATE.
            self.set_token(&live.id, token, AuthTokenUpdateStrategyType::Rotate)
                .await?;
            self.until_available(cx, live).await?;
            self.set_token(&live.id, token, AuthTokenUpdateStrategyType::Set)
                .await?;
            self.until_available(cx, live).await?;
        }
        Ok(())
    }

    pub(in crate::aws::elasticache) async fn set_token(
        &self,
        id: &str,
        token: &Secret,
        strategy: AuthTokenUpdateStrategyType,
    ) -> Result<()> {
        self.0
            .elasticache
            .modify_replication_group()
            .replication_group_id(id)
            .auth_token(token.expose())
            .auth_token_update_strategy(strategy)
            .apply_immediately(true)
            .send()
            .await
            .call("elasticache:ModifyReplicationGroup")?;
        Ok(())
    }

    /// Waits until the service is through with a step.
    async fn until_available(&self, cx: &Context<'_>, live: &Live<State>) -> Result<()> {
        let label = format!("{KIND}/{}", live.name);
        let limit = cx.engine.create_limit(&super::ABOUT);
        let mut waiter = Waiter::new(&label, limit, cx.engine.pace(), cx.engine.cancel());
        loop {
            let Some(group) = state::describe(&self.0, &live.id).await? else {
                return Err(Error::failed(format!("{label} is gone while it was being changed")));
            };
            match group.status().unwrap_or_default() {
                "available" => return Ok(()),
                status => {
                    cx.engine.progress().waiting(&label, status);
                    waiter.pause(status).await?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_means_all_that_begin_with_it() {
        assert_eq!(version_class("7.1.0", "7.1", false), None);
        assert_eq!(version_class("6.2.6", "6.x", false), None);
        assert_eq!(version_class("7.0.7", "7.1", false), Some(Class::Interrupting));
        assert_eq!(version_class("7.1.0", "7.0", true), None);
        assert_eq!(version_class("7.1.0", "7.0", false), Some(Class::Replace));
        assert_eq!(version_class("7.1.0", "6.2", true), Some(Class::Replace));
    }
}
