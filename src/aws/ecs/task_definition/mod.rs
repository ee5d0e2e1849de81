//! What a task consists of: images, sizes, roles, variables, secrets.
//!
//! RegisterTaskDefinition has no token and no unique name: every call is a new revision. So the content of the newest
//! revision is compared first, and a revision is registered only when something differs; a run that dies after the call
//! finds its revision, and one whose answer is lost looks for it before it is registered again. Revisions are never changed, and old ones stay, so that a service can go back to them.

pub mod content;
mod revision;
mod spec;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionOutput;
use aws_sdk_ecs::types::{
    Compatibility, NetworkMode, SortOrder, TaskDefinition, TaskDefinitionFamilyStatus, TaskDefinitionField,
    TaskDefinitionStatus,
};
use futures::future::try_join_all;

use crate::aws::error::{Call, is_unsure};
use crate::aws::queue::is_throttled;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::wait::Waiter;
use crate::resource::{About, Change, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};
use content::Content;
use revision::Revision;
pub use spec::Spec;

pub const KIND: &str = "task-definition";

#[derive(Clone, Debug, Default)]
pub struct State {
    /// With the revision.
    arn: String,
    revision: i32,
    content: Content,
    /// As the service tells it, for what a new revision leaves as it is.
    described: Option<Arc<TaskDefinition>>,
}

/// The id is the family, which all revisions share.
pub struct TaskDefinitions(pub Aws);

/// A revision that is about to be registered.
struct New<'a> {
    family: &'a str,
    /// The number of the newest revision so far; 0 without one.
    before: i32,
    content: Revision,
    /// In what it differs from the options, because `keep` leaves it.
    left: Vec<Change>,
    tags: &'a Tags,
}

/// How long a registration is tried again that was throttled, or of which nobody knows.
const UNSURE: Duration = Duration::from_secs(60);

static ABOUT: About = About {
    kind: KIND,
    module: "ecs",
    noun: "task_definition",
    plural: "task_definitions",
    help: "What a task consists of. A change registers a new revision and leaves the old ones.",
    retention: Retention::Disposable,
    gone_before: &["service"],
    outputs: &[
        OutputField::text(
            "arn",
            "the ARN of the newest revision: what `task_definition` of a service takes",
        ),
        OutputField::text("id", "the family: the name at the service"),
        OutputField::text("family", "the family"),
        OutputField::other("revision", "the number of the newest revision"),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(120),
    actions: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:RegisterTaskDefinition",
        "ecs:DeregisterTaskDefinition",
        "ecs:DeleteTaskDefinitions",
        "ecs:TagResource",
        "ecs:UntagResource",
        "tag:GetResources",
        "iam:PassRole",
    ],
};

impl TaskDefinitions {
    /// One revision by its ARN, or the newest active one of a family; `None` when there is none.
    async fn describe(&self, name: &str) -> Result<Option<DescribeTaskDefinitionOutput>> {
        let answer = self
            .0
            .ecs
            .describe_task_definition()
            .task_definition(name)
            .include(TaskDefinitionField::Tags)
            .send()
            .await
            .call("ecs:DescribeTaskDefinition");
        match answer {
            Ok(answer) => {
                let status = answer.task_definition().and_then(|revision| revision.status());
                let is_active = status.is_none_or(|status| *status == TaskDefinitionStatus::Active);
                Ok(is_active.then_some(answer))
            }
            // "Unable to describe task definition."
            Err(error) if error.code() == "ClientException" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The active revisions of a family, newest first, every page.
    async fn revisions(&self, family: &str) -> Result<Vec<String>> {
        let mut pages = self
            .0
            .ecs
            .list_task_definitions()
            .family_prefix(family)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .into_paginator()
            .send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            arns.extend(
                page.call("ecs:ListTaskDefinitions")?
                    .task_definition_arns
                    .unwrap_or_default(),
            );
        }
        // The service takes a whole family here; what takes it for a prefix returns others too.
        arns.retain(|arn| {
            super::short(arn)
                .rsplit_once(':')
                .is_some_and(|(name, _)| name == family)
        });
        Ok(arns)
    }

    /// The newest revision of a family that is ours. One that somebody else registered by hand is passed over.
    async fn newest(&self, scope: &Scope, family: &str) -> Result<Option<Live<State>>> {
        let Some(newest) = self.describe(family).await? else {
            return Ok(None);
        };
        if let Some(live) = live(scope, family, &newest) {
            return Ok(Some(live));
        }
        for arn in self.revisions(family).await? {
            if let Some(older) = self.describe(&arn).await?
                && let Some(live) = live(scope, family, &older)
            {
                return Ok(Some(live));
            }
        }
        Ok(None)
    }

    /// Registers a revision, once: the SDK's own retries would make one each. A revision of ours that is newer than the
    /// one `before`, and from which only `left` differs, is the one whose answer was lost.
    async fn register(&self, cx: &Context<'_>, spec: &Spec, new: New<'_>) -> Result<State> {
        let mut waiter = Waiter::new(new.family, UNSURE, cx.engine.pace(), cx.engine.cancel());
        loop {
            let error = match self.register_once(&new).await {
                Err(error) if (is_unsure(&error) || is_throttled(error.code())) && !waiter.is_over() => error,
                other => return other,
            };
            waiter.pause(error.message()).await?;
            if is_unsure(&error)
                && let Some(found) = self.newest(cx.scope, new.family).await?
                && found.state.revision > new.before
                && Kind::changes(self, spec, &found) == new.left
            {
                return Ok(found.state);
            }
        }
    }

    async fn register_once(&self, new: &New<'_>) -> Result<State> {
        let content = new.content.clone();
        let answer = self
            .0
            .ecs
            .register_task_definition()
            .family(new.family)
            .requires_compatibilities(Compatibility::Fargate)
            .network_mode(NetworkMode::Awsvpc)
            .set_runtime_platform(content.platform)
            .set_cpu(content.cpu)
            .set_memory(content.memory)
            .set_execution_role_arn(content.execution_role)
            .set_task_role_arn(content.task_role)
            .set_container_definitions(Some(content.containers))
            .set_tags(Some(super::tag_list(new.tags)))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .call("ecs:RegisterTaskDefinition")?;
        let revision = answer
            .task_definition()
            .ok_or_else(|| Error::failed("ecs:RegisterTaskDefinition: the answer holds no task definition"))?;
        Ok(state(revision))
    }
}

fn state(revision: &TaskDefinition) -> State {
    State {
        arn: revision.task_definition_arn().unwrap_or_default().to_owned(),
        revision: revision.revision(),
        content: Content::live(revision),
        described: Some(Arc::new(revision.clone())),
    }
}

fn live(scope: &Scope, family: &str, answer: &DescribeTaskDefinitionOutput) -> Option<Live<State>> {
    let tags = super::read_tags(answer.tags());
    Some(Live {
        id: family.to_owned(),
        name: scope.name_of(KIND, &tags)?.to_owned(),
        state: state(answer.task_definition()?),
        tags,
    })
}

impl Kind for TaskDefinitions {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        spec.check()?;
        super::check_name(scope, name, "task definition")
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut pages = self
            .0
            .ecs
            .list_task_definition_families()
            .family_prefix(scope.physical(""))
            .status(TaskDefinitionFamilyStatus::Active)
            .into_paginator()
            .send();
        let mut families = Vec::new();
        while let Some(page) = pages.next().await {
            families.extend(
                page.call("ecs:ListTaskDefinitionFamilies")?
                    .families
                    .unwrap_or_default(),
            );
        }
        families.extend(scope.adopted_of(KIND).map(str::to_owned));
        families.retain(|family| scope.logical(family).is_some());
        families.sort();
        families.dedup();
        let found = try_join_all(families.iter().map(|family| self.newest(scope, family))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Those of which the Tagging API names a revision.
    async fn list_known(&self, scope: &Scope) -> Result<Option<Vec<Live<State>>>> {
        let arns = self.0.known_tags(scope, "ecs").await?.arns(":task-definition/");
        let families = arns.iter().filter_map(|arn| super::short(arn).rsplit_once(':'));
        let mut families: Vec<&str> = families.map(|(family, _)| family).collect();
        families.retain(|family| scope.logical(family).is_some());
        families.sort_unstable();
        families.dedup();
        let found = try_join_all(families.into_iter().map(|family| self.newest(scope, family))).await?;
        Ok(Some(found.into_iter().flatten().collect()))
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let id = cx.scope.physical_of(ABOUT.kind, name);
        let content = Revision::wanted(spec, &self.0.region);
        let new = New {
            family: &id,
            before: 0,
            content,
            left: Vec::new(),
            tags: &cx.tags,
        };
        let state = self.register(cx, spec, new).await?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state,
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        live.state.content.changes(&Content::wanted(spec, &self.0.region))
    }

    /// A change is a new revision.
    fn unsettled(&self, _: &[Change]) -> &'static [&'static str] {
        &["arn", "revision"]
    }

    /// What a container's settings are called by, when there are several.
    fn more_fields(&self, options: &Map) -> Vec<String> {
        let containers = match options.get("containers") {
            Some(Value::List(containers)) => containers.as_slice(),
            _ => &[],
        };
        let names = containers
            .iter()
            .filter_map(|container| container.as_map()?.get("name")?.as_str());
        let fixed = ["essential", "command", "log_driver", "log"];
        fixed.into_iter().chain(names).map(str::to_owned).collect()
    }

    /// A new revision has the changes, and for the rest what the newest one has.
    async fn update(&self, cx: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let mut tags = live.tags.clone();
        tags.extend(cx.tags.clone());
        let mut left = Kind::changes(self, spec, live);
        left.retain(|change| !changes.contains(change));
        let mut content = Revision::wanted(spec, &self.0.region);
        if let Some(described) = &live.state.described {
            content = content.leave(&left, described);
        }
        let new = New {
            family: &live.id,
            before: live.state.revision,
            content,
            left,
            tags: &tags,
        };
        self.register(cx, spec, new).await.map(|_| ())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let answer = self.describe(&live.id).await?;
        let revision = answer.as_ref().and_then(|answer| answer.task_definition());
        Ok(revision.map(|revision| Live {
            state: state(revision),
            ..live.clone()
        }))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let revisions = self.revisions(&live.id).await?;
        for arn in &revisions {
            let answer = self
                .0
                .ecs
                .deregister_task_definition()
                .task_definition(arn)
                .send()
                .await;
            match answer.call("ecs:DeregisterTaskDefinition") {
                // Somebody else was quicker, which is what is wanted.
                Err(error) if error.code() == "ClientException" && self.describe(arn).await?.is_none() => {}
                other => {
                    other?;
                }
            }
        }
        Kind::finish_delete(self, &revisions).await
    }

    /// Deregistered revisions stay for ever unless they are deleted too, 10 in a call. They are of no further use, and no
    /// service runs them any more: that this fails leaves litter and nothing that works.
    async fn finish_delete(&self, arns: &[String]) -> Result<()> {
        for batch in arns.chunks(10) {
            let call = self
                .0
                .ecs
                .delete_task_definitions()
                .set_task_definitions(Some(batch.to_vec()));
            if let Err(error) = call.send().await.call("ecs:DeleteTaskDefinitions") {
                tracing::info!("deregistered task definitions are left: {error}");
            }
        }
        Ok(())
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "arn" => live.state.arn.as_str(),
            "id" => live.id.as_str(),
            "family" => live.id.as_str(),
            "revision" => live.state.revision,
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let content = &live.state.content;
        let task = |name: &str| content.task.get(name).cloned().unwrap_or_default();
        let names = |prefix: &str| -> Vec<Value> {
            let settings = content.containers.values().flat_map(|settings| settings.keys());
            settings
                .filter_map(|name| name.strip_prefix(prefix))
                .map(Value::text)
                .collect()
        };
        let images = content.containers.values().filter_map(|settings| settings.get("image"));
        let mut row = self.outputs(live);
        row.extend(map! {
            "cpu" => task("cpu"),
            "memory" => task("memory"),
            "images" => images.cloned().collect::<Vec<_>>(),
            "environment" => names("environment."),
            "secrets" => names("secrets."),
            "execution_role" => task("execution_role"),
            "task_role" => task("task_role"),
        });
        row
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.id.clone())
    }

    /// By its family, for its newest revision, or by `FAMILY:REVISION`.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let answer = self.describe(&id).await?;
        match answer.as_ref().and_then(|answer| answer.task_definition()) {
            Some(revision) => Ok(Live {
                id: revision.family().unwrap_or_default().to_owned(),
                name: id,
                tags: answer
                    .as_ref()
                    .map(|answer| super::read_tags(answer.tags()))
                    .unwrap_or_default(),
                state: state(revision),
            }),
            None => Err(named::missing("task definition", &id, &self.0.region)),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        // After a change, what carries the tags is the newest revision, not the one that was listed.
        let newest = self.describe(&live.id).await?;
        let arn = newest
            .as_ref()
            .and_then(|answer| answer.task_definition()?.task_definition_arn());
        super::retag(&self.0, arn.unwrap_or(&live.state.arn), set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        // A role that was just made is not known everywhere yet.
        error.code() == "ClientException" && error.to_string().contains("Role is not valid")
    }
}
