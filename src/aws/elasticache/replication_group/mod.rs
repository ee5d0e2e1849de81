//! A Redis or Valkey group: one primary and its replicas, cluster mode off.
//!
//! DescribeReplicationGroups leaves out the engine's version, the network and the maintenance window; they are joined
//! from the member clusters of DescribeCacheClusters. Where a service does not list the members, those fields are not
//! known and not compared.

mod changes;
pub(super) mod state;

use std::time::Duration;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::TagsOf;
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::secret::Secret;
use crate::value::Map;

pub use state::State;

pub const KIND: &str = "replication-group";

/// CreateReplicationGroup: "A name must contain from 1 to 40 alphanumeric characters or hyphens".
const LONGEST_NAME: usize = 40;

/// CreateReplicationGroup, AuthToken: "at least 16 characters and no more than 128", and of the characters that are
/// neither letters nor digits only these.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 16..=128;
const TOKEN_SPECIAL: &str = "!&#$^<>-";

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    #[default]
    Redis,
    Valkey,
}

impl Engine {
    fn as_str(self) -> &'static str {
        match self {
            Engine::Redis => "redis",
            Engine::Valkey => "valkey",
        }
    }
}

fn yes() -> bool {
    true
}

fn redis_port() -> u16 {
    6379
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME, 40 characters at most.
    pub name: String,
    /// `redis` (the default) or `valkey`. From Redis to Valkey is a change in place, back is a replacement.
    #[serde(default)]
    pub engine: Engine,
    /// Such as `7.1`. The service's newest when it is not given, and then not compared.
    pub engine_version: Option<String>,
    /// The size of each node, such as `cache.t4g.micro`. A change interrupts.
    pub node_type: String,
    /// How many nodes stand beside the primary, 0 to 5. With one or more, failover is automatic.
    #[serde(default)]
    #[schemars(range(min = 0, max = 5))]
    pub replicas: u32,
    /// The cache subnet group: `subnets.id`.
    pub subnet_group: String,
    /// The ids of the security groups: all of them.
    pub security_groups: Vec<String>,
    /// The cache parameter group: `parameters.id`, or one of the service's own such as `default.redis7`.
    pub parameter_group: Option<String>,
    /// The TCP port.
    #[serde(default = "redis_port")]
    pub port: u16,
    /// TLS between the clients and the nodes.
    #[serde(default = "yes")]
    pub encryption_in_transit: bool,
    /// Encryption of what is written to disk.
    #[serde(default = "yes")]
    pub encryption_at_rest: bool,
    /// The password of the clients, 16 to 128 characters; needs encryption in transit. The service never shows it, so
    /// another token here changes nothing: `elasticache::rotate_auth_token` does.
    pub auth_token: Option<Secret>,
    /// The same, as the ARN or name of a secret in Secrets Manager, which is read only when the token is needed.
    pub auth_token_secret: Option<String>,
    /// Spread over several zones; needs a replica.
    #[serde(default)]
    pub multi_az: bool,
    /// For how many days the daily snapshots are kept, 0 to 35; 0 takes none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 35))]
    pub snapshot_retention_days: u32,
    /// The weekly hour for maintenance in UTC, such as `sun:05:00-sun:06:00`. The service chooses one when it is not
    /// given.
    pub maintenance_window: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

pub struct ReplicationGroups(pub Aws);

impl Spec {
    fn wants_token(&self) -> bool {
        self.auth_token.is_some() || self.auth_token_secret.is_some()
    }
}

impl ReplicationGroups {
    /// The auth token that the options give or name.
    async fn token(&self, spec: &Spec) -> Result<Option<Secret>> {
        let Some(secret) = &spec.auth_token_secret else {
            return Ok(spec.auth_token.clone());
        };
        let answer = self.0.secrets.get_secret_value().secret_id(secret).send().await;
        let value = answer.call("secretsmanager:GetSecretValue")?.secret_string;
        let token = Secret::new(value.ok_or_else(|| Error::failed(format!("the secret {secret} holds no text")))?);
        check_token(&token)?;
        Ok(Some(token))
    }
}

static ABOUT: About = About {
    kind: KIND,
    module: "elasticache",
    noun: "replication_group",
    plural: "replication_groups",
    help: "A Redis or Valkey group: one primary and its replicas.",
    retention: Retention::Disposable,
    gone_before: &["service"],
    outputs: &[
        OutputField::text("id", "the name at the service"),
        OutputField::text("arn", "the ARN"),
        OutputField::text("endpoint", "the host name of the primary"),
        OutputField::text("reader_endpoint", "the host name that spreads reads over the replicas"),
        OutputField::other("port", "the TCP port"),
        OutputField::text("engine", "redis or valkey"),
        OutputField::text("engine_version", "the version of the engine"),
        OutputField::text("node_type", "the size of each node"),
        OutputField::other("replicas", "how many nodes stand beside the primary"),
        OutputField::other("tls", "whether clients must use TLS"),
    ],
    // Typical are 6 to 15 minutes to create and 5 to 10 to delete.
    create_limit: Duration::from_secs(30 * 60),
    delete_limit: Duration::from_secs(20 * 60),
    actions: &[
        "secretsmanager:GetSecretValue",
        "elasticache:DescribeReplicationGroups",
        "elasticache:DescribeCacheClusters",
        "elasticache:ListTagsForResource",
        "tag:GetResources",
        "elasticache:CreateReplicationGroup",
        "elasticache:ModifyReplicationGroup",
        "elasticache:IncreaseReplicaCount",
        "elasticache:DecreaseReplicaCount",
        "elasticache:DeleteReplicationGroup",
        "elasticache:AddTagsToResource",
        "elasticache:RemoveTagsFromResource",
        "iam:CreateServiceLinkedRole",
    ],
};

impl Kind for ReplicationGroups {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        super::check_name(scope, name, "replication group", LONGEST_NAME)?;
        if spec.multi_az && spec.replicas == 0 {
            return Err(Error::failed("`multi_az` needs `replicas` of 1 or more"));
        }
        if spec.security_groups.is_empty() {
            return Err(Error::failed("`security_groups` must name at least one security group")
                .hint("without one the service takes the default group of the VPC, which lets no client in"));
        }
        if let Some(token) = &spec.auth_token {
            check_token(token)?;
            if spec.auth_token_secret.is_some() {
                return Err(Error::failed("give either `auth_token` or `auth_token_secret`"));
            }
        }
        match spec.wants_token() && !spec.encryption_in_transit {
            false => Ok(()),
            true => Err(Error::failed("an auth token needs `encryption_in_transit`")
                .hint("without TLS the token would go over the network in clear")),
        }
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut pages = self.0.elasticache.describe_replication_groups().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("elasticache:DescribeReplicationGroups")?;
            for group in page.replication_groups() {
                if scope
                    .logical(group.replication_group_id().unwrap_or_default())
                    .is_some()
                {
                    found.push(group.clone());
                }
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let members = state::members(&self.0).await?;
        let known = self.0.known_tags(scope, "elasticache").await?;
        let ours = try_join_all(found.iter().map(async |group| {
            let mut state = State::new(group, &members);
            let id = group.replication_group_id().unwrap_or_default().to_owned();
            let (name, tags) = match super::tags_of(&self.0, &known, &state.arn).await? {
                TagsOf::Known(tags) => match scope.name_of(KIND, &tags) {
                    Some(name) => (name.to_owned(), tags),
                    None => return Ok::<_, Error>(None),
                },
                TagsOf::Gone => return Ok(None),
                // Its name says that it is ours; its tags prove it before anything is done to it.
                TagsOf::NotNow => {
                    state.owner_unproved = true;
                    let name = scope.logical(&id).unwrap_or_default().to_owned();
                    let tags = scope.identity(KIND, &name);
                    (name, tags)
                }
            };
            Ok(Some(Live { id, name, tags, state }))
        }))
        .await?;
        Ok(ours.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let token = self.token(spec).await?;
        // The name is unique, so that a call that is sent twice is refused the second time.
        let answer = self
            .0
            .elasticache
            .create_replication_group()
            .replication_group_id(&id)
            .replication_group_description(super::description(spec.description.as_deref(), cx.scope, name))
            .engine(spec.engine.as_str())
            .set_engine_version(spec.engine_version.clone())
            .cache_node_type(&spec.node_type)
            .num_node_groups(1)
            .replicas_per_node_group(whole(spec.replicas))
            .automatic_failover_enabled(spec.replicas > 0)
            .multi_az_enabled(spec.multi_az)
            .cache_subnet_group_name(&spec.subnet_group)
            .set_security_group_ids(Some(spec.security_groups.clone()))
            .set_cache_parameter_group_name(spec.parameter_group.clone())
            .port(i32::from(spec.port))
            .transit_encryption_enabled(spec.encryption_in_transit)
            .at_rest_encryption_enabled(spec.encryption_at_rest)
            .set_auth_token(token.map(|token| token.expose().to_owned()))
            .snapshot_retention_limit(whole(spec.snapshot_retention_days))
            .set_preferred_maintenance_window(spec.maintenance_window.clone())
            .set_tags(Some(super::tag_list(&cx.tags)))
            .send()
            .await
            .call("elasticache:CreateReplicationGroup")?;
        let group = answer
            .replication_group()
            .ok_or_else(|| Error::failed("elasticache:CreateReplicationGroup: the answer holds no group"))?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State::new(group, &[]),
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        changes::between(spec, &live.state)
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        vec!["automatic_failover".into()]
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        self.apply(cx, spec, live, changes).await
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let Some(group) = state::describe(&self.0, &live.id).await? else {
            return Ok(None);
        };
        let is_settled = group.status() == Some("available");
        let members = match is_settled {
            true => state::members_of(&self.0, &group).await?,
            false => Vec::new(),
        };
        let mut now = Live {
            state: State::new(&group, &members),
            ..live.clone()
        };
        now.state.owner_unproved = live.state.owner_unproved;
        if live.state.owner_unproved && is_settled {
            now.tags = self.prove_owner(&now).await?;
            now.state.owner_unproved = false;
        }
        Ok(Some(now))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        match live.state.status.as_str() {
            "available" => Readiness::Ready,
            "deleting" => Readiness::Leaving("deleting".into()),
            "create-failed" => Readiness::Failed(
                Error::failed(format!("the service could not create {}", live.id))
                    .hint("elasticache::events() has the service's words; destroy it and try again"),
            ),
            other => Readiness::Waiting(other.to_owned()),
        }
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        if live.state.owner_unproved {
            // Refused while the service does not tell: the engine asks again.
            match self.prove_owner(live).await {
                Err(error) if super::is_not_found(&error) => return Ok(()),
                proved => proved?,
            };
        }
        let answer = self
            .0
            .elasticache
            .delete_replication_group()
            .replication_group_id(&live.id)
            .retain_primary_cluster(false)
            .send()
            .await
            .call("elasticache:DeleteReplicationGroup");
        match answer {
            Ok(_) => Ok(()),
            Err(error) if super::is_not_found(&error) => Ok(()),
            // Refused because an earlier destroy was quicker: that is what is wanted.
            Err(error) => match state::describe(&self.0, &live.id).await? {
                None => Ok(()),
                Some(group) if group.status() == Some("deleting") => Ok(()),
                Some(_) => Err(error),
            },
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "id" => live.id.as_str(),
            "arn" => state.arn.as_str(),
            "endpoint" => state.endpoint.as_str(),
            "reader_endpoint" => state.reader_endpoint.as_str(),
            "port" => state.port,
            "engine" => state.engine.as_str(),
            "engine_version" => state.engine_version.clone(),
            "node_type" => state.node_type.as_str(),
            "replicas" => state.replicas,
            "tls" => state.encryption_in_transit,
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let mut row = self.outputs(live);
        row.extend(map! {
            "state" => state.status.as_str(),
            "multi_az" => state.multi_az,
            "encryption_at_rest" => state.encryption_at_rest,
            "auth_token" => state.has_auth_token,
            "subnet_group" => state.subnet_group.clone(),
            "security_groups" => state.security_groups.clone().unwrap_or_default(),
            "parameter_group" => state.parameter_group.clone(),
            "snapshot_retention_days" => state.snapshot_retention_days,
            "maintenance_window" => state.maintenance_window.clone(),
        });
        row
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.id.clone())
    }

    async fn complete(&self, _: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.tags = super::told_tags(&self.0, &found.id, &found.state.arn).await?;
        Ok(found)
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let Some(group) = state::describe(&self.0, &id).await? else {
            return Err(named::missing("replication group", &id, &self.0.region));
        };
        let members = state::members_of(&self.0, &group).await?;
        Ok(Live {
            name: id.clone(),
            tags: Tags::new(),
            state: State::new(&group, &members),
            id,
        })
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.state.arn).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        // Another change of the same group is on its way; the service takes one at a time.
        error.code().contains("InvalidReplicationGroupState")
    }
}

impl ReplicationGroups {
    /// The tags, when they say that it is this environment's. An error while the service does not tell them.
    async fn prove_owner(&self, live: &Live<State>) -> Result<Tags> {
        let answer = self
            .0
            .elasticache
            .list_tags_for_resource()
            .resource_name(&live.state.arn)
            .send()
            .await
            .call("elasticache:ListTagsForResource")?;
        let tags = crate::aws::tags::read(answer.tag_list(), |tag| (tag.key(), tag.value()));
        // Until now `tags` held the identity that the name stands for.
        match live.tags.iter().all(|(key, value)| tags.get(key) == Some(value)) {
            true => Ok(tags),
            false => Err(Error::failed(format!(
                "the replication group {} does not carry this environment's tags",
                live.id
            ))
            .hint("it has a name of this environment but belongs to somebody else; it is left alone")),
        }
    }
}

/// Refuses a token that the service would refuse, without showing it.
pub(super) fn check_token(token: &Secret) -> Result<()> {
    let text = token.expose();
    if !TOKEN_LENGTH.contains(&text.len()) {
        return Err(Error::failed(format!(
            "an auth token has {} to {} characters, this one has {}",
            TOKEN_LENGTH.start(),
            TOKEN_LENGTH.end(),
            text.chars().count()
        )));
    }
    match text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || TOKEN_SPECIAL.contains(c))
    {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "an auth token may have letters, digits and {TOKEN_SPECIAL}"
        ))),
    }
}

/// The API's whole numbers are signed.
fn whole(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
