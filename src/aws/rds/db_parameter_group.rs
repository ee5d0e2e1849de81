//! Settings of the database engine, for the instances that name them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup, Parameter};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::present;
use crate::aws::error::Call;
use crate::aws::plain::Plain;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

pub const KIND: &str = "db-parameter-group";

/// CreateDBParameterGroup: "Must be 1 to 255 letters, numbers, or hyphens".
const LONGEST_NAME: usize = 255;

/// ModifyDBParameterGroup: "A maximum of 20 parameters can be modified in a single request".
const AT_ONCE: usize = 20;

/// How a parameter is written that the family sets.
const OF_THE_FAMILY: &str = "(the family's)";

/// Settings of a database engine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The family of the engine and its version: `sqlserver-ex-15.0`, `sqlserver-se-16.0`.
    pub family: String,
    /// The parameters that differ from the family's: `#{ "max degree of parallelism": 2 }`. One that is set at the
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

/// What RDS says of a parameter group.
#[derive(Clone, Debug, Default)]
pub struct State {
    arn: String,
    family: String,
    /// Those that a user has set.
    parameters: BTreeMap<String, String>,
}

/// See [`Spec`].
pub struct DbParameterGroups(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "rds",
    noun: "parameter_group",
    plural: "parameter_groups",
    help: "Ensures settings of a database engine, for the instances that name them.",
    retention: Retention::Disposable,
    gone_before: &["db-instance"],
    outputs: &[
        OutputField::text(
            "id",
            "the name at the service: what `parameter_group` of an instance takes",
        ),
        OutputField::text("arn", "the ARN"),
        OutputField::text("family", "the family of the engine"),
        OutputField::other("parameters", "the parameters that differ from the family's"),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(300),
    actions: &[
        "rds:AddTagsToResource",
        "rds:CreateDBParameterGroup",
        "rds:DeleteDBParameterGroup",
        "rds:DescribeDBParameterGroups",
        "rds:DescribeDBParameters",
        "rds:ListTagsForResource",
        "rds:ModifyDBParameterGroup",
        "rds:RemoveTagsFromResource",
        "rds:ResetDBParameterGroup",
    ],
};

impl DbParameterGroups {
    /// The parameters of a group, those of a user or all; `None` when the group went away meanwhile.
    async fn parameters(&self, id: &str, of_a_user: bool) -> Result<Option<Vec<Parameter>>> {
        let call = self.0.rds.describe_db_parameters().db_parameter_group_name(id);
        let call = call.set_source(of_a_user.then(|| "user".to_owned()));
        let found = call.into_paginator().items().send().try_collect().await;
        present(found.call("rds:DescribeDBParameters"))
    }

    /// The group with the parameters that a user has set; `None` when it went away meanwhile.
    async fn state(&self, group: &DbParameterGroup) -> Result<Option<State>> {
        let id = group.db_parameter_group_name().unwrap_or_default();
        let Some(found) = self.parameters(id, true).await? else {
            return Ok(None);
        };
        let set = found.iter().filter_map(|parameter| {
            let name = parameter.parameter_name()?.to_owned();
            Some((name, parameter.parameter_value()?.to_owned()))
        });
        Ok(Some(State {
            arn: group.db_parameter_group_arn().unwrap_or_default().to_owned(),
            family: group.db_parameter_group_family().unwrap_or_default().to_owned(),
            parameters: set.collect(),
        }))
    }

    /// Which of the family's parameters take effect at once; the others wait for a reboot, and the service refuses
    /// `immediate` for them (ModifyDBParameterGroup, `ApplyMethod`).
    async fn dynamic(&self, id: &str) -> Result<Vec<String>> {
        let all = self.parameters(id, false).await?.unwrap_or_default();
        let dynamic = all
            .into_iter()
            .filter(|parameter| parameter.apply_type() == Some("dynamic"));
        Ok(dynamic.filter_map(|parameter| parameter.parameter_name).collect())
    }

    /// Sets parameters, and sets those without a value back. To set one twice is to set it once. Gives the names of those
    /// that wait for a reboot.
    async fn set(&self, id: &str, parameters: &[(&String, Option<&String>)]) -> Result<Vec<String>> {
        if parameters.is_empty() {
            return Ok(Vec::new());
        }
        let dynamic = self.dynamic(id).await?;
        let method = |name: &String| match dynamic.contains(name) {
            true => ApplyMethod::Immediate,
            false => ApplyMethod::PendingReboot,
        };
        let parameter = |(name, value): &(&String, Option<&String>)| {
            Parameter::builder()
                .parameter_name(*name)
                .set_parameter_value(value.cloned())
                .apply_method(method(name))
                .build()
        };
        let (set, reset): (Vec<_>, Vec<_>) = parameters.iter().partition(|(_, value)| value.is_some());
        for some in set.chunks(AT_ONCE) {
            let call = self.0.rds.modify_db_parameter_group().db_parameter_group_name(id);
            let call = call.set_parameters(Some(some.iter().map(parameter).collect()));
            call.send().await.call("rds:ModifyDBParameterGroup")?;
        }
        for some in reset.chunks(AT_ONCE) {
            let call = self.0.rds.reset_db_parameter_group().db_parameter_group_name(id);
            let call = call.reset_all_parameters(false);
            let call = call.set_parameters(Some(some.iter().map(parameter).collect()));
            call.send().await.call("rds:ResetDBParameterGroup")?;
        }
        let names = parameters.iter().map(|(name, _)| (*name).clone());
        Ok(names.filter(|name| !dynamic.contains(name)).collect())
    }
}

impl Kind for DbParameterGroups {
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
        super::check_name(scope, name, "DB parameter group", LONGEST_NAME)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.rds.describe_db_parameter_groups();
        let found = pages.into_paginator().items().send().try_collect().await;
        let groups = found.call("rds:DescribeDBParameterGroups")?;
        let can_be_ours = |group: &&DbParameterGroup| {
            let id = group.db_parameter_group_name().unwrap_or_default();
            scope.logical(id).is_some()
        };
        let ours = try_join_all(groups.iter().filter(can_be_ours).map(async |group| {
            let Some(tags) = super::tags_of(&self.0, group.db_parameter_group_arn().unwrap_or_default()).await? else {
                return Ok::<_, Error>(None);
            };
            let Some(name) = scope.name_of(KIND, &tags).map(str::to_owned) else {
                return Ok(None);
            };
            let id = group.db_parameter_group_name().unwrap_or_default().to_owned();
            let state = self.state(group).await?;
            Ok(state.map(|state| Live { id, name, tags, state }))
        }));
        Ok(ours.await?.into_iter().flatten().collect())
    }

    /// Why this is safe: the name is unique. When a run dies between the two calls, the next one finds the group and sees
    /// that its parameters differ.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let call = self
            .0
            .rds
            .create_db_parameter_group()
            .db_parameter_group_name(&id)
            .db_parameter_group_family(&spec.family)
            .description(super::description(spec.description.as_deref(), cx.scope, name))
            .set_tags(Some(super::tag_list(&cx.tags)));
        let answer = call.send().await.call("rds:CreateDBParameterGroup")?;
        let wanted = spec.wanted();
        self.set(&id, &some(wanted.iter())).await?;
        let arn = answer
            .db_parameter_group()
            .and_then(|group| group.db_parameter_group_arn());
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State {
                arn: arn.unwrap_or_default().to_owned(),
                family: spec.family.clone(),
                parameters: wanted,
            },
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let wanted = spec.wanted();
        let now = &live.state.parameters;
        let family = Change::between("family", &live.state.family, &spec.family, Class::Replace);
        let set = wanted
            .iter()
            .filter(|(name, value)| now.get(*name) != Some(*value))
            .map(|(name, value)| {
                (
                    name,
                    now.get(name).map_or(OF_THE_FAMILY, String::as_str),
                    value.as_str(),
                )
            });
        let stale = now
            .iter()
            .filter(|(name, _)| !wanted.contains_key(*name))
            .map(|(name, value)| (name, value.as_str(), OF_THE_FAMILY));
        let parameters = set
            .chain(stale)
            .map(|(name, from, to)| Change::new(&format!("parameters.{name}"), from, to, Class::InPlace));
        family.into_iter().chain(parameters).collect()
    }

    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |name: &String| {
            changes
                .iter()
                .any(|change| change.field == format!("parameters.{name}"))
        };
        let wanted = spec.wanted();
        let now = &live.state.parameters;
        let mut parameters = some(wanted.iter().filter(|(name, value)| now.get(*name) != Some(*value)));
        let stale = now.keys().filter(|name| !wanted.contains_key(*name));
        parameters.extend(stale.map(|name| (name, None)));
        parameters.retain(|(name, _)| is(name));
        let waiting = self.set(&live.id, &parameters).await?;
        if !waiting.is_empty() {
            cx.warn(&format!(
                "{KIND}/{}: {} takes effect when the instance is rebooted: rds::reboot(...)",
                live.name,
                waiting.join(", ")
            ));
        }
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.rds.describe_db_parameter_groups();
        let answer = call.db_parameter_group_name(&live.id).send().await;
        let answer = present(answer.call("rds:DescribeDBParameterGroups"))?;
        let Some(group) = answer.as_ref().and_then(|answer| answer.db_parameter_groups().first()) else {
            return Ok(None);
        };
        let state = self.state(group).await?;
        Ok(state.map(|state| Live { state, ..live.clone() }))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.rds.delete_db_parameter_group().db_parameter_group_name(&live.id);
        present(call.send().await.call("rds:DeleteDBParameterGroup")).map(|_| ())
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let parameters = live.state.parameters.iter();
        let parameters: Map = parameters
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
        found.tags = super::tags_of(&self.0, &found.state.arn).await?.unwrap_or_default();
        Ok(found)
    }

    /// By its name.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        named::refreshed(self, options, "database parameter group", &self.0.region).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }
}

fn some<'a>(parameters: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<(&'a String, Option<&'a String>)> {
    parameters.map(|(name, value)| (name, Some(value))).collect()
}
