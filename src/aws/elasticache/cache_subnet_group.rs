//! The subnets in which a cache may stand.

use std::time::Duration;

use aws_sdk_elasticache::types::CacheSubnetGroup;
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::TagsOf;
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

pub const KIND: &str = "cache-subnet-group";

/// CreateCacheSubnetGroup: "must contain no more than 255 alphanumeric characters or hyphens".
const LONGEST_NAME: usize = 255;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The ids of the subnets, at least one; for a group over several zones one in each.
    pub subnets: Vec<String>,
    /// What it is for. Not compared when it is not given.
    pub description: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    arn: String,
    description: String,
    vpc: String,
    subnets: Vec<String>,
    zones: Vec<String>,
}

pub struct CacheSubnetGroups(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "elasticache",
    noun: "cache_subnet_group",
    plural: "cache_subnet_groups",
    help: "The subnets in which a Redis or Valkey group may stand.",
    retention: Retention::Disposable,
    gone_before: &["replication-group"],
    outputs: &[
        OutputField::text(
            "id",
            "the name at the service: what `subnet_group` of a replication group takes",
        ),
        OutputField::text("arn", "the ARN"),
        OutputField::text("vpc", "the id of the VPC"),
        OutputField::other("subnets", "the ids of the subnets"),
        OutputField::other("zones", "the zones in which the subnets are"),
    ],
    create_limit: Duration::from_secs(120),
    // A cache that was just deleted holds it for a while.
    delete_limit: Duration::from_secs(300),
    actions: &[
        "elasticache:DescribeCacheSubnetGroups",
        "elasticache:ListTagsForResource",
        "tag:GetResources",
        "elasticache:CreateCacheSubnetGroup",
        "elasticache:ModifyCacheSubnetGroup",
        "elasticache:DeleteCacheSubnetGroup",
        "elasticache:AddTagsToResource",
        "elasticache:RemoveTagsFromResource",
    ],
};

fn state(group: &CacheSubnetGroup) -> State {
    let mut zones: Vec<String> = group
        .subnets()
        .iter()
        .filter_map(|subnet| subnet.subnet_availability_zone()?.name().map(str::to_owned))
        .collect();
    zones.sort();
    zones.dedup();
    State {
        arn: group.arn().unwrap_or_default().to_owned(),
        description: group.cache_subnet_group_description().unwrap_or_default().to_owned(),
        vpc: group.vpc_id().unwrap_or_default().to_owned(),
        subnets: group
            .subnets()
            .iter()
            .filter_map(|subnet| subnet.subnet_identifier().map(str::to_owned))
            .collect(),
        zones,
    }
}

impl Kind for CacheSubnetGroups {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        if spec.subnets.is_empty() {
            return Err(Error::failed("`subnets` must name at least one subnet"));
        }
        super::check_name(scope, name, "cache subnet group", LONGEST_NAME)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut pages = self
            .0
            .elasticache
            .describe_cache_subnet_groups()
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("elasticache:DescribeCacheSubnetGroups")?;
            for group in page.cache_subnet_groups() {
                let id = group.cache_subnet_group_name().unwrap_or_default();
                if scope.logical(id).is_some() {
                    found.push((id.to_owned(), state(group)));
                }
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.0.known_tags(scope, "elasticache").await?;
        let ours = try_join_all(found.into_iter().map(async |(id, state)| {
            let TagsOf::Known(tags) = super::tags_of(&self.0, &known, &state.arn).await? else {
                return Ok::<_, Error>(None);
            };
            let name = scope.name_of(KIND, &tags).map(str::to_owned);
            Ok(name.map(|name| Live { id, name, tags, state }))
        }))
        .await?;
        Ok(ours.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        // The name is unique, so that a call that is sent twice is refused the second time.
        let answer = self
            .0
            .elasticache
            .create_cache_subnet_group()
            .cache_subnet_group_name(&id)
            .cache_subnet_group_description(super::description(spec.description.as_deref(), cx.scope, name))
            .set_subnet_ids(Some(spec.subnets.clone()))
            .set_tags(Some(super::tag_list(&cx.tags)))
            .send()
            .await
            .call("elasticache:CreateCacheSubnetGroup")?;
        let group = answer
            .cache_subnet_group()
            .ok_or_else(|| Error::failed("elasticache:CreateCacheSubnetGroup: the answer holds no group"))?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: state(group),
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let subnets = Change::of_sets("subnets", &live.state.subnets, &spec.subnets, Class::InPlace);
        let description = spec
            .description
            .as_ref()
            .and_then(|wanted| Change::between("description", &live.state.description, wanted, Class::InPlace));
        subnets.into_iter().chain(description).collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        // Whole sets, so that it may be sent twice; what is left out stays.
        self.0
            .elasticache
            .modify_cache_subnet_group()
            .cache_subnet_group_name(&live.id)
            .set_cache_subnet_group_description(spec.description.clone().filter(|_| is("description")))
            .set_subnet_ids(is("subnets").then(|| spec.subnets.clone()))
            .send()
            .await
            .call("elasticache:ModifyCacheSubnetGroup")?;
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let answer = self
            .0
            .elasticache
            .describe_cache_subnet_groups()
            .cache_subnet_group_name(&live.id)
            .send()
            .await
            .call("elasticache:DescribeCacheSubnetGroups");
        match answer {
            Ok(answer) => Ok(answer.cache_subnet_groups().first().map(|group| Live {
                state: state(group),
                ..live.clone()
            })),
            Err(error) if super::is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let answer = self
            .0
            .elasticache
            .delete_cache_subnet_group()
            .cache_subnet_group_name(&live.id)
            .send()
            .await
            .call("elasticache:DeleteCacheSubnetGroup");
        match answer {
            Err(error) if !super::is_not_found(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "id" => live.id.as_str(),
            "arn" => live.state.arn.as_str(),
            "vpc" => live.state.vpc.as_str(),
            "subnets" => live.state.subnets.clone(),
            "zones" => live.state.zones.clone(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.id.clone())
    }

    async fn complete(&self, _: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.tags = super::told_tags(&self.0, &found.id, &found.state.arn).await?;
        Ok(found)
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        named::refreshed(self, options, "cache subnet group", &self.0.region).await
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.state.arn).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }
}
