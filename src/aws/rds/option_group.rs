//! Features of the database engine beyond the ordinary, such as native backup and restore.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_rds::types::{OptionConfiguration, OptionGroup, OptionSetting};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::present;
use crate::aws::error::Call;
use crate::aws::plain::Plain;
use crate::aws::unsupported::is_unsupported;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

pub const KIND: &str = "option-group";

/// CreateOptionGroup: "Must be 1 to 255 letters, numbers, or hyphens".
const LONGEST_NAME: usize = 255;

/// Features of a database engine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// The engine: `sqlserver-ex`, `sqlserver-web`, `sqlserver-se`, `sqlserver-ee`. Cannot change.
    pub engine: String,
    /// The engine's major version, such as `15.00`. Cannot change.
    pub engine_version: String,
    /// The options with their settings: `#{ SQLSERVER_BACKUP_RESTORE: #{ IAM_ROLE_ARN: role.arn } }`. One that is in the
    /// group and not named here is removed.
    #[serde(default)]
    pub options: BTreeMap<String, BTreeMap<String, Plain>>,
    /// What it is for. Cannot change, and is not compared.
    pub description: Option<String>,
}

/// Options with their settings.
type Options = BTreeMap<String, BTreeMap<String, String>>;

impl Spec {
    fn wanted(&self) -> Options {
        let text = |(name, value): (&String, &Plain)| Some((name.clone(), value.text()?.to_owned()));
        let options = self.options.iter();
        options
            .map(|(option, settings)| (option.clone(), settings.iter().filter_map(text).collect()))
            .collect()
    }
}

/// What RDS says of an option group.
#[derive(Clone, Debug, Default)]
pub struct State {
    arn: String,
    engine: String,
    engine_version: String,
    /// With all settings, also those that have the engine's value.
    options: Options,
}

/// See [`Spec`].
pub struct OptionGroups(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "rds",
    noun: "option_group",
    plural: "option_groups",
    help: "Ensures features of a database engine, for the instances that name them. Destroy leaves it: the service refuses \
           to delete one that a snapshot was made with, and a restore wants it.",
    retention: Retention::Retained,
    gone_before: &["db-instance"],
    outputs: &[
        OutputField::text(
            "id",
            "the name at the service: what `option_group` of an instance takes",
        ),
        OutputField::text("arn", "the ARN"),
        OutputField::other("options", "the names of the options"),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(300),
    actions: &[
        // The role of an option is handed to RDS.
        "iam:PassRole",
        "rds:AddTagsToResource",
        "rds:CreateOptionGroup",
        "rds:DeleteOptionGroup",
        "rds:DescribeOptionGroups",
        "rds:ListTagsForResource",
        "rds:ModifyOptionGroup",
        "rds:RemoveTagsFromResource",
    ],
};

fn state(group: &OptionGroup) -> State {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let settings = |option: &aws_sdk_rds::types::Option| {
        let settings = option.option_settings().iter();
        settings
            .map(|setting| (text(setting.name()), text(setting.value())))
            .collect()
    };
    State {
        arn: text(group.option_group_arn()),
        engine: text(group.engine_name()),
        engine_version: text(group.major_engine_version()),
        options: group
            .options()
            .iter()
            .map(|option| (text(option.option_name()), settings(option)))
            .collect(),
    }
}

impl OptionGroups {
    /// Includes and removes options. To include one twice is to include it once.
    async fn modify(&self, id: &str, include: &Options, remove: &[String]) -> Result<()> {
        if include.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let setting = |(name, value): (&String, &String)| OptionSetting::builder().name(name).value(value).build();
        let configurations = include
            .iter()
            .map(|(option, settings)| {
                let settings = settings.iter().map(setting).collect();
                OptionConfiguration::builder()
                    .option_name(option)
                    .set_option_settings(Some(settings))
                    .build()
            })
            .collect();
        let call = self
            .0
            .rds
            .modify_option_group()
            .option_group_name(id)
            .set_options_to_include(Some(configurations).filter(|_| !include.is_empty()))
            .set_options_to_remove(Some(remove.to_vec()).filter(|_| !remove.is_empty()))
            .apply_immediately(true);
        call.send().await.call("rds:ModifyOptionGroup").map(|_| ())
    }
}

/// Those that are wanted and are not there, or have another setting.
fn missing(wanted: &Options, live: &Options) -> Options {
    let fits = |option: &String, settings: &BTreeMap<String, String>| {
        let now = live.get(option);
        now.is_some_and(|now| settings.iter().all(|(name, value)| now.get(name) == Some(value)))
    };
    let missing = wanted.iter().filter(|(option, settings)| !fits(option, settings));
    missing
        .map(|(option, settings)| (option.clone(), settings.clone()))
        .collect()
}

fn stale(wanted: &Options, live: &Options) -> Vec<String> {
    live.keys()
        .filter(|option| !wanted.contains_key(*option))
        .cloned()
        .collect()
}

impl Kind for OptionGroups {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        for (option, settings) in &spec.options {
            if let Some((setting, _)) = settings.iter().find(|(_, value)| value.text().is_none()) {
                return Err(
                    Error::failed(format!("`options.{option}.{setting}` may not be a secret"))
                        .hint("the service shows settings in clear to everybody who may list them"),
                );
            }
        }
        super::check_name(scope, name, "option group", LONGEST_NAME)
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.rds.describe_option_groups();
        let found = pages.into_paginator().items().send().try_collect().await;
        // Where nobody can list them, none of them can be found again.
        if found.as_ref().is_err_and(|error| is_unsupported(&self.0, error)) {
            tracing::warn!("the endpoint lists no option groups");
            return Ok(Vec::new());
        }
        let groups = found.call("rds:DescribeOptionGroups")?;
        let can_be_ours = |group: &&OptionGroup| scope.logical(group.option_group_name().unwrap_or_default()).is_some();
        let ours = try_join_all(groups.iter().filter(can_be_ours).map(async |group| {
            let state = state(group);
            let Some(tags) = super::tags_of(&self.0, &state.arn).await? else {
                return Ok::<_, Error>(None);
            };
            let name = scope.name_of(KIND, &tags).map(str::to_owned);
            let id = group.option_group_name().unwrap_or_default().to_owned();
            Ok(name.map(|name| Live { id, name, tags, state }))
        }));
        Ok(ours.await?.into_iter().flatten().collect())
    }

    /// Why this is safe: the name is unique. When a run dies between the two calls, the next one finds the group and sees
    /// that its options differ.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let call = self
            .0
            .rds
            .create_option_group()
            .option_group_name(&id)
            .engine_name(&spec.engine)
            .major_engine_version(&spec.engine_version)
            .option_group_description(super::description(spec.description.as_deref(), cx.scope, name))
            .set_tags(Some(super::tag_list(&cx.tags)));
        let answer = call.send().await.call("rds:CreateOptionGroup")?;
        let group = answer
            .option_group()
            .ok_or_else(|| Error::failed("rds:CreateOptionGroup: the answer holds no group"))?;
        self.modify(&id, &spec.wanted(), &[]).await?;
        let mut state = state(group);
        state.options.extend(spec.wanted());
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state,
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let (state, wanted) = (&live.state, spec.wanted());
        let engine = Change::between("engine", &state.engine, &spec.engine, Class::Replace);
        let version = Change::between(
            "engine_version",
            &state.engine_version,
            &spec.engine_version,
            Class::Replace,
        );
        let shown = |settings: &BTreeMap<String, String>| {
            let settings = settings.iter().map(|(name, value)| format!("{name}={value}"));
            settings.collect::<Vec<_>>().join(", ")
        };
        let included = missing(&wanted, &state.options).into_iter().map(|(option, settings)| {
            let from = state.options.get(&option).map_or("(not there)".to_owned(), |now| {
                let now = now.iter().filter(|(name, _)| settings.contains_key(*name));
                shown(&now.map(|(name, value)| (name.clone(), value.clone())).collect())
            });
            let to = match shown(&settings) {
                settings if settings.is_empty() => "there".to_owned(),
                settings => settings,
            };
            Change::new(&format!("options.{option}"), from, to, Class::InPlace)
        });
        let removed = stale(&wanted, &state.options)
            .into_iter()
            .map(|option| Change::new(&format!("options.{option}"), "there", "(not there)", Class::InPlace));
        engine
            .into_iter()
            .chain(version)
            .chain(included)
            .chain(removed)
            .collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |option: &String| changes.iter().any(|change| change.field == format!("options.{option}"));
        let (wanted, now) = (spec.wanted(), &live.state.options);
        let (mut include, mut remove) = (missing(&wanted, now), stale(&wanted, now));
        include.retain(|option, _| is(option));
        remove.retain(is);
        self.modify(&live.id, &include, &remove).await
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.rds.describe_option_groups().option_group_name(&live.id);
        let answer = present(call.send().await.call("rds:DescribeOptionGroups"))?;
        let group = answer.as_ref().and_then(|answer| answer.option_groups_list().first());
        Ok(group.map(|group| Live {
            state: state(group),
            ..live.clone()
        }))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.rds.delete_option_group().option_group_name(&live.id);
        present(call.send().await.call("rds:DeleteOptionGroup")).map(|_| ())
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "id" => live.id.as_str(),
            "arn" => live.state.arn.as_str(),
            "options" => live.state.options.keys().cloned().collect::<Vec<_>>(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let options = state.options.keys().map(Value::text).collect::<Vec<_>>();
        map! {
            "id" => live.id.as_str(), "engine" => state.engine.as_str(),
            "engine_version" => state.engine_version.as_str(), "options" => options, "arn" => state.arn.as_str(),
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
        named::refreshed(self, options, "option group", &self.0.region).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.state.arn, set, remove).await
    }

    /// A new role is unknown to RDS for some seconds.
    fn is_transient(&self, error: &Error) -> bool {
        error.code() == "InvalidParameterValue" && error.message().contains("role")
    }
}
