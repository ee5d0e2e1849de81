//! The log group.
//!
//! A listing has no tags: groups are found by their name at AWS, `PROJECT-ENV-NAME`, and then by their tags, which the
//! Tagging API tells of all of them, and which are read singly where it does not.
//! Source: Amazon CloudWatch Logs API Reference.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::LogGroup as Described;
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

/// CreateLogGroup: 512 characters of letters, digits and `_-/.#`.
const LONGEST_NAME: usize = 512;

/// PutRetentionPolicy: the possible values, in days.
const RETENTIONS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// A log group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// For how many days lines are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
    /// 2557, 2922, 3288 or 3653; for ever when not given.
    #[serde(default)]
    pub retention_days: Option<i32>,
}

/// What CloudWatch Logs says of a log group.
#[derive(Clone, Debug)]
pub struct State {
    name_at_aws: String,
    retention_days: Option<i32>,
    stored_bytes: i64,
}

static ABOUT: About = About {
    kind: "log-group",
    module: "logs",
    noun: "log_group",
    plural: "log_groups",
    help: "Ensures a log group. Destroy deletes it with its lines.",
    retention: Retention::Disposable,
    gone_before: &["service", "task-definition"],
    outputs: &[
        OutputField::text("arn", "The ARN."),
        OutputField::text("name_at_aws", "The name in the account, as `PROJECT-ENV-NAME`."),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(60),
    actions: &[
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DeleteRetentionPolicy",
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "logs:UntagResource",
        "tag:GetResources",
    ],
};

/// See [`Spec`].
pub struct LogGroup(pub Aws);

/// The ARN without `:*` at its end: as the tagging calls take it, and as the Tagging API lists it.
fn arn(group: &Described) -> String {
    let arn = group.log_group_arn().or(group.arn()).unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn).to_owned()
}

fn live(name: String, tags: Tags, group: &Described) -> Live<State> {
    Live {
        id: arn(group),
        name,
        tags,
        state: State {
            name_at_aws: group.log_group_name().unwrap_or_default().to_owned(),
            retention_days: group.retention_in_days(),
            stored_bytes: group.stored_bytes().unwrap_or_default(),
        },
    }
}

fn is_absent(error: &Error) -> bool {
    error.code() == "ResourceNotFoundException"
}

fn shown(days: Option<i32>) -> String {
    days.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days"))
}

impl LogGroup {
    /// Both calls say what is, so they can be repeated.
    async fn keep_for(&self, physical: &str, days: Option<i32>) -> Result<()> {
        match days {
            Some(days) => {
                let call = self.0.logs.put_retention_policy().log_group_name(physical);
                let answer = call.retention_in_days(days).send().await;
                answer.call("logs:PutRetentionPolicy").map(|_| ())
            }
            None => {
                let call = self.0.logs.delete_retention_policy().log_group_name(physical);
                call.send().await.call("logs:DeleteRetentionPolicy").map(|_| ())
            }
        }
    }

    async fn found(&self, prefix: &str) -> Result<Vec<Described>> {
        let pages = self.0.logs.describe_log_groups().log_group_name_prefix(prefix);
        let found = pages.into_paginator().items().send().try_collect().await;
        found.call("logs:DescribeLogGroups")
    }

    async fn tags(&self, arn: &str) -> Result<Option<Tags>> {
        let call = self.0.logs.list_tags_for_resource().resource_arn(arn);
        match call.send().await.call("logs:ListTagsForResource") {
            Ok(answer) => Ok(Some(answer.tags.unwrap_or_default().into_iter().collect())),
            // It went away between the two calls.
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Kind for LogGroup {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check("log group", &scope.physical(name), LONGEST_NAME, "_-/.#")?;
        match spec.retention_days {
            Some(days) if !RETENTIONS.contains(&days) => {
                let near = RETENTIONS.iter().min_by_key(|known| known.abs_diff(days));
                let error = Error::failed(format!("CloudWatch Logs cannot keep lines for {days} days"));
                Err(match near {
                    Some(near) => error.hint(format!("the nearest it can is {near}")),
                    None => error,
                })
            }
            _ => Ok(()),
        }
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let prefix = scope.physical("");
        let mut groups = self.found(&prefix).await?;
        let elsewhere = |adopted: &&str| !adopted.starts_with(&prefix);
        for adopted in scope.adopted_of(ABOUT.kind).filter(elsewhere) {
            let found = self.found(adopted).await?;
            groups.extend(
                found
                    .into_iter()
                    .filter(|group| group.log_group_name() == Some(adopted)),
            );
        }
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.0.known_tags(scope, "logs").await?;
        let ours = try_join_all(groups.iter().map(async |group| {
            let tags = match known.of(&arn(group)) {
                Some(tags) => Some(tags),
                None => self.tags(&arn(group)).await?,
            };
            let Some(tags) = tags else {
                return Ok::<_, Error>(None);
            };
            let name = scope.name_of(ABOUT.kind, &tags).map(str::to_owned);
            Ok(name.map(|name| live(name, tags, group)))
        }))
        .await?;
        Ok(ours.into_iter().flatten().collect())
    }

    /// Why this is safe: the name is unique and the tags are in the create call; a retention that is missing is found
    /// by the next comparison.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let physical = cx.scope.physical_of(ABOUT.kind, name);
        let call = self.0.logs.create_log_group().log_group_name(&physical);
        let call = call.set_tags(Some(cx.tags.clone().into_iter().collect()));
        call.send().await.call("logs:CreateLogGroup")?;
        if spec.retention_days.is_some() {
            self.keep_for(&physical, spec.retention_days).await?;
        }
        let created = Live {
            id: self.0.arn("logs", &format!("log-group:{physical}")),
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State {
                name_at_aws: physical,
                retention_days: spec.retention_days,
                stored_bytes: 0,
            },
        };
        // The answer is empty, and an environment that names no account does not know its own.
        match self.0.account.is_empty() {
            true => Ok(self.refresh(&created).await?.unwrap_or(created)),
            false => Ok(created),
        }
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let (was, is) = (live.state.retention_days, spec.retention_days);
        let change = (was != is).then(|| Change::new("retention_days", shown(was), shown(is), Class::InPlace));
        change.into_iter().collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, _: &[Change]) -> Result<()> {
        self.keep_for(&live.state.name_at_aws, spec.retention_days).await
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let physical = &before.state.name_at_aws;
        let groups = self.found(physical).await?;
        let now = groups.iter().find(|group| group.log_group_name() == Some(physical));
        Ok(now.map(|group| live(before.name.clone(), before.tags.clone(), group)))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.logs.delete_log_group().log_group_name(&live.state.name_at_aws);
        match call.send().await.call("logs:DeleteLogGroup") {
            Err(error) if is_absent(&error) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "arn" => live.id.as_str(), "name_at_aws" => live.state.name_at_aws.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "name_at_aws" => state.name_at_aws.as_str(),
            "retention_days" => state.retention_days.map_or(Value::Null, Value::from),
            "stored_bytes" => state.stored_bytes, "arn" => live.id.as_str(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.name_at_aws.clone())
    }

    async fn complete(&self, _: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.tags = self.tags(&found.id).await?.unwrap_or_default();
        Ok(found)
    }

    /// By its name.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let groups = self.found(&id).await?;
        match groups.iter().find(|group| group.log_group_name() == Some(&id)) {
            Some(group) => Ok(live(id, Tags::new(), group)),
            None => Err(named::missing("log group", &id, &self.0.region)),
        }
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        self.tags(&live.id).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        if !set.is_empty() {
            let call = self.0.logs.tag_resource().resource_arn(&live.id);
            let call = call.set_tags(Some(set.clone().into_iter().collect()));
            call.send().await.call("logs:TagResource")?;
        }
        if !remove.is_empty() {
            let call = self.0.logs.untag_resource().resource_arn(&live.id);
            let call = call.set_tag_keys(Some(remove.to_vec()));
            call.send().await.call("logs:UntagResource")?;
        }
        Ok(())
    }

    /// "Multiple concurrent requests to update the same resource were in conflict."
    fn is_transient(&self, error: &Error) -> bool {
        error.code() == "OperationAbortedException"
    }
}
