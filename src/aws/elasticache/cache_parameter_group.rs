//! Settings of the engine, shared by the groups that name them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_elasticache::types::{CacheParameterGroup, ChangeType, ParameterNameValue};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::TagsOf;
use crate::aws::error::Call;
use crate::aws::plain::Plain;
use crate::aws::unsupported::is_unsupported;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

pub const KIND: &str = "cache-parameter-group";

/// The API reference gives no length; the console refuses more than this.
const LONGEST_NAME: usize = 255;

/// ModifyCacheParameterGroup and ResetCacheParameterGroup: "a maximum of 20 parameters may be modified per request".
const AT_ONCE: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The family of the engine and its version: `redis7`, `valkey8`.
    pub family: String,
    /// The parameters that differ from the family's: `#{ "maxmemory-policy": "allkeys-lru" }`. One that is set at the
    /// service and not named here is set back.
    #[serde(default)]
    pub parameters: BTreeMap<String, Plain>,
    /// What it is for.
    pub description: Option<String>,
}

impl Spec {
    fn wanted(&self) -> BTreeMap<String, String> {
        let text = |(name, value): (&String, &Plain)| Some((name.clone(), value.text()?.to_owned()));
        self.parameters.iter().filter_map(text).collect()
    }
}

#[derive(Clone, Debug, Default)]
pub struct State {
    arn: String,
    family: String,
    /// Those that a user has set.
    parameters: BTreeMap<String, String>,
    /// Of these, those that take effect at a reboot.
    at_reboot: Vec<String>,
}

pub struct CacheParameterGroups(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "elasticache",
    noun: "cache_parameter_group",
    plural: "cache_parameter_groups",
    help: "Settings of Redis or Valkey, for the replication groups that name them.",
    retention: Retention::Disposable,
    gone_before: &["replication-group"],
    outputs: &[
        OutputField::text(
            "id",
            "the name at the service: what `parameter_group` of a replication group takes",
        ),
        OutputField::text("arn", "the ARN"),
        OutputField::text("family", "the family of the engine"),
        OutputField::other("parameters", "the parameters that differ from the family's"),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(300),
    actions: &[
        "elasticache:DescribeCacheParameterGroups",
        "elasticache:DescribeCacheParameters",
        "elasticache:ListTagsForResource",
        "tag:GetResources",
        "elasticache:CreateCacheParameterGroup",
        "elasticache:ModifyCacheParameterGroup",
        "elasticache:ResetCacheParameterGroup",
        "elasticache:DeleteCacheParameterGroup",
        "elasticache:AddTagsToResource",
        "elasticache:RemoveTagsFromResource",
    ],
};

impl CacheParameterGroups {
    /// The group with the parameters that a user has set; `None` when it went away meanwhile.
    async fn state(&self, group: &CacheParameterGroup) -> Result<Option<State>> {
        let mut state = State {
            arn: group.arn().unwrap_or_default().to_owned(),
            family: group.cache_parameter_group_family().unwrap_or_default().to_owned(),
            parameters: BTreeMap::new(),
            at_reboot: Vec::new(),
        };
        let mut pages = self
            .0
            .elasticache
            .describe_cache_parameters()
            .cache_parameter_group_name(group.cache_parameter_group_name().unwrap_or_default())
            .source("user")
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = match page.call("elasticache:DescribeCacheParameters") {
                Ok(page) => page,
                Err(error) if super::is_not_found(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            for parameter in page.parameters() {
                let (Some(name), Some(value)) = (parameter.parameter_name(), parameter.parameter_value()) else {
                    continue;
                };
                state.parameters.insert(name.to_owned(), value.to_owned());
                if parameter.change_type() == Some(&ChangeType::RequiresReboot) {
                    state.at_reboot.push(name.to_owned());
                }
            }
        }
        Ok(Some(state))
    }

    /// Sets parameters. To set one twice is to set it once.
    async fn set(&self, id: &str, parameters: &[(&String, &String)]) -> Result<()> {
        for some in parameters.chunks(AT_ONCE) {
            let list = some
                .iter()
                .map(|(name, value)| {
                    ParameterNameValue::builder()
                        .parameter_name(*name)
                        .parameter_value(*value)
                        .build()
                })
                .collect();
            self.0
                .elasticache
                .modify_cache_parameter_group()
                .cache_parameter_group_name(id)
                .set_parameter_name_values(Some(list))
                .send()
                .await
                .call("elasticache:ModifyCacheParameterGroup")?;
        }
        Ok(())
    }
}

impl Kind for CacheParameterGroups {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        if let Some((parameter, _)) = spec.parameters.iter().find(|(_, value)| value.text().is_none()) {
            return Err(Error::failed(format!("`parameters.{parameter}` may not be a secret"))
                .hint("the service shows parameters in clear to everybody who may list them"));
        }
        super::check_name(scope, name, "cache parameter group", LONGEST_NAME)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut pages = self
            .0
            .elasticache
            .describe_cache_parameter_groups()
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            // Where nobody can make one, there is none.
            if page.as_ref().is_err_and(|error| is_unsupported(&self.0, error)) {
                tracing::warn!("the endpoint knows no cache parameter groups");
                return Ok(Vec::new());
            }
            let page = page.call("elasticache:DescribeCacheParameterGroups")?;
            for group in page.cache_parameter_groups() {
                if scope
                    .logical(group.cache_parameter_group_name().unwrap_or_default())
                    .is_some()
                {
                    found.push(group.clone());
                }
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.0.known_tags(scope, "elasticache").await?;
        let ours = try_join_all(found.iter().map(async |group| {
            let TagsOf::Known(tags) = super::tags_of(&self.0, &known, group.arn().unwrap_or_default()).await? else {
                return Ok::<_, Error>(None);
            };
            let Some(name) = scope.name_of(KIND, &tags).map(str::to_owned) else {
                return Ok(None);
            };
            let id = group.cache_parameter_group_name().unwrap_or_default().to_owned();
            let state = self.state(group).await?;
            Ok(state.map(|state| Live { id, name, tags, state }))
        }))
        .await?;
        Ok(ours.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let answer = self
            .0
            .elasticache
            .create_cache_parameter_group()
            .cache_parameter_group_name(&id)
            .cache_parameter_group_family(&spec.family)
            .description(super::description(spec.description.as_deref(), cx.scope, name))
            .set_tags(Some(super::tag_list(&cx.tags)))
            .send()
            .await
            .call("elasticache:CreateCacheParameterGroup")?;
        // When a run dies between the two calls, the next one finds the group and sees that its parameters differ.
        let wanted = spec.wanted();
        self.set(&id, &wanted.iter().collect::<Vec<_>>()).await?;
        let arn = answer.cache_parameter_group().and_then(|group| group.arn());
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State {
                arn: arn.unwrap_or_default().to_owned(),
                family: spec.family.clone(),
                parameters: wanted,
                at_reboot: Vec::new(),
            },
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let wanted = spec.wanted();
        let live_ones = &live.state.parameters;
        let mut changes: Vec<_> = Change::between("family", &live.state.family, &spec.family, Class::Replace)
            .into_iter()
            .collect();
        for (name, value) in &wanted {
            if live_ones.get(name) != Some(value) {
                let from = live_ones.get(name).map_or("(the family's)", String::as_str);
                changes.push(Change::new(&format!("parameters.{name}"), from, value, Class::InPlace));
            }
        }
        for (name, value) in live_ones.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            changes.push(Change::new(
                &format!("parameters.{name}"),
                value,
                "(the family's)",
                Class::InPlace,
            ));
        }
        changes
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |name: &String| {
            changes
                .iter()
                .any(|change| change.field == format!("parameters.{name}"))
        };
        let wanted = spec.wanted();
        let differing: Vec<_> = wanted
            .iter()
            .filter(|(name, value)| live.state.parameters.get(*name) != Some(*value))
            .filter(|(name, _)| is(name))
            .collect();
        self.set(&live.id, &differing).await?;
        let stale: Vec<_> = live
            .state
            .parameters
            .keys()
            .filter(|name| !wanted.contains_key(*name) && is(name))
            .collect();
        for some in stale.chunks(AT_ONCE) {
            let list = some
                .iter()
                .map(|name| ParameterNameValue::builder().parameter_name(*name).build())
                .collect();
            self.0
                .elasticache
                .reset_cache_parameter_group()
                .cache_parameter_group_name(&live.id)
                .reset_all_parameters(false)
                .set_parameter_name_values(Some(list))
                .send()
                .await
                .call("elasticache:ResetCacheParameterGroup")?;
        }
        let at_reboot = |name: &String| live.state.at_reboot.contains(name);
        let names: Vec<_> = differing
            .iter()
            .map(|(name, _)| *name)
            .chain(stale)
            .filter(|name| at_reboot(name))
            .collect();
        if !names.is_empty() {
            let names = names.into_iter().cloned().collect::<Vec<_>>().join(", ");
            cx.warn(&format!(
                "{KIND}/{}: {names} takes effect when the nodes are rebooted",
                live.name
            ));
        }
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let answer = self
            .0
            .elasticache
            .describe_cache_parameter_groups()
            .cache_parameter_group_name(&live.id)
            .send()
            .await
            .call("elasticache:DescribeCacheParameterGroups");
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if super::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(group) = answer.cache_parameter_groups().first() else {
            return Ok(None);
        };
        let state = self.state(group).await?;
        Ok(state.map(|state| Live { state, ..live.clone() }))
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
            .delete_cache_parameter_group()
            .cache_parameter_group_name(&live.id)
            .send()
            .await
            .call("elasticache:DeleteCacheParameterGroup");
        match answer {
            Err(error) if !super::is_not_found(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let parameters: Map = live
            .state
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::text(value)))
            .collect();
        map! {
            "id" => live.id.as_str(),
            "arn" => live.state.arn.as_str(),
            "family" => live.state.family.as_str(),
            "parameters" => parameters,
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
        named::refreshed(self, options, "cache parameter group", &self.0.region).await
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.state.arn).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }
}
