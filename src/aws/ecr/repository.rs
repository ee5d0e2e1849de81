//! The repository: the project's, not the environment's.
//!
//! An image is built once and goes through the environments, so all environments of a project share its repositories.
//! At AWS a repository is called like the project, or `PROJECT/NAME`. Whose it is is said by the tags `iacsh:project`
//! and `iacsh:id` alone; it carries no environment, so no environment's sweep finds it, and its descriptive tags are
//! those of the environment that made it. Destroy leaves it. Source: Amazon ECR API Reference.

use std::time::Duration;

use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability, Repository as Described, Tag};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::aws::error::Call;
use crate::aws::{Aws, meant, named, tags};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::tags::{CHAOS, ENVIRONMENT, EXPIRES_AT, ID, NAME, PROJECT, PROTECT};
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

/// A repository for container images, shared by the project's environments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in the project. One that is named like the project is called so at AWS, another one `PROJECT/NAME`.
    pub name: String,
    /// Whether a tag, once pushed, always means the same image: `false` when not given.
    #[serde(default)]
    pub immutable_tags: bool,
    /// Whether images are scanned for known vulnerabilities when they are pushed: `true` when not given.
    #[serde(default = "yes")]
    pub scan_on_push: bool,
    /// How many images are kept; older ones expire. All of them when not given.
    #[serde(default)]
    pub keep_images: Option<u32>,
}

fn yes() -> bool {
    true
}

/// What ECR says of a repository.
#[derive(Clone, Debug)]
pub struct State {
    name_at_aws: String,
    uri: String,
    mutability: String,
    scan_on_push: bool,
    created_at: Value,
    /// The lifecycle policy; read for a repository that a script ensures.
    lifecycle: Option<Json>,
}

static ABOUT: About = About {
    kind: "repository",
    module: "ecr",
    noun: "repository",
    plural: "repositories",
    help: "Ensures a repository of the project, which all its environments share and destroy leaves.",
    retention: Retention::Retained,
    gone_before: &[],
    outputs: &[
        OutputField::text("arn", "The ARN."),
        OutputField::text("name_at_aws", "The name in the registry."),
        OutputField::text("uri", "What an image is pushed to and pulled from, without a tag."),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(60),
    actions: &[
        "ecr:CreateRepository",
        "ecr:DeleteLifecyclePolicy",
        "ecr:DeleteRepository",
        "ecr:DescribeRepositories",
        "ecr:GetLifecyclePolicy",
        "ecr:ListTagsForResource",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:TagResource",
        "ecr:UntagResource",
        "tag:GetResources",
    ],
};

/// See [`Spec`].
pub struct Repository(pub Aws);

/// The name in the registry.
pub(super) fn physical(scope: &Scope, name: &str) -> String {
    if let Some(adopted) = scope.adopted_as(ABOUT.kind, name) {
        return adopted.to_owned();
    }
    let project = &scope.project;
    match name == project || name.starts_with(&format!("{project}/")) {
        true => name.to_owned(),
        false => format!("{project}/{name}"),
    }
}

/// Whether a repository can be the project's, by its name.
fn may_be_ours(scope: &Scope, physical: &str) -> bool {
    physical == scope.project
        || physical.starts_with(&format!("{}/", scope.project))
        || scope.adopted_of(ABOUT.kind).any(|adopted| adopted == physical)
}

/// The name of one of the project's, whichever environment made it.
fn name_of<'a>(scope: &Scope, tags: &'a Tags) -> Option<&'a str> {
    let project = tags.get(PROJECT).filter(|project| **project == scope.project);
    project.and_then(|_| tags.get(ID)?.strip_prefix(ABOUT.kind)?.strip_prefix('/'))
}

/// The tags as this environment may see them: what belongs to an environment is as it wants it, so that two environments
/// do not tag back and forth.
fn as_seen(scope: &Scope, name: &str, mut tags: Tags) -> Tags {
    tags.retain(|key, _| is_projects(key));
    tags.extend(scope.wanted(ABOUT.kind, name, ""));
    tags
}

/// Whether a tag may be written: none that names an environment, or says how long it lives and what may be done to it.
fn is_projects(key: &str) -> bool {
    ![ENVIRONMENT, NAME, EXPIRES_AT, PROTECT, CHAOS].contains(&key)
}

fn live(name: String, tags: Tags, repository: &Described) -> Live<State> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let scanning = repository.image_scanning_configuration();
    Live {
        id: text(repository.repository_arn()),
        name,
        tags,
        state: State {
            name_at_aws: text(repository.repository_name()),
            uri: text(repository.repository_uri()),
            mutability: text(repository.image_tag_mutability().map(|known| known.as_str())),
            scan_on_push: scanning.is_some_and(|scanning| scanning.scan_on_push()),
            created_at: meant::moment(repository.created_at()),
            lifecycle: None,
        },
    }
}

/// The lifecycle policy that keeps the newest images. Source: ECR User Guide, "Lifecycle policy properties".
fn lifecycle(keep: u32) -> Json {
    serde_json::json!({
        "rules": [{
            "rulePriority": 1,
            "description": format!("keep {keep} images"),
            "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep },
            "action": { "type": "expire" },
        }],
    })
}

fn mutability(spec: &Spec) -> ImageTagMutability {
    match spec.immutable_tags {
        true => ImageTagMutability::Immutable,
        false => ImageTagMutability::Mutable,
    }
}

fn shown(lifecycle: Option<&Json>) -> String {
    let count = |policy: &Json| policy.pointer("/rules/0/selection/countNumber").and_then(Json::as_u64);
    match lifecycle {
        None => "all images".to_owned(),
        Some(policy) => match count(policy).and_then(|count| u32::try_from(count).ok()) {
            Some(keep) if *policy == self::lifecycle(keep) => format!("{keep} images"),
            _ => policy.to_string(),
        },
    }
}

/// Every repository whose name can be the project's, every page.
async fn by_name(aws: &Aws, scope: &Scope) -> Result<Vec<Described>> {
    let pages = aws.ecr.describe_repositories();
    let found = pages.into_paginator().items().send().try_collect().await;
    let mut found: Vec<_> = found.call("ecr:DescribeRepositories")?;
    found.retain(|repository| may_be_ours(scope, repository.repository_name().unwrap_or_default()));
    Ok(found)
}

/// What an image of a repository is pulled from, without a tag; `None` when there is no such repository.
pub(super) async fn uri(aws: &Aws, scope: &Scope, physical: &str) -> Result<Option<String>> {
    let found = aws.repositories.get(scope, by_name(aws, scope)).await?;
    let named = |repository: &&Described| repository.repository_name() == Some(physical);
    let repository = found.iter().find(named);
    Ok(repository.and_then(|repository| repository.repository_uri().map(str::to_owned)))
}

impl Repository {
    async fn tags(&self, arn: &str) -> Result<Tags> {
        let call = self.0.ecr.list_tags_for_resource().resource_arn(arn);
        let answer = call.send().await.call("ecr:ListTagsForResource")?;
        Ok(tags::read(answer.tags(), |tag| (Some(tag.key()), Some(tag.value()))))
    }

    fn write_tags(set: &Tags) -> Result<Vec<Tag>> {
        let set: Tags = set
            .iter()
            .filter(|(key, _)| is_projects(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        tags::write(&set, |key, value| Tag::builder().key(key).value(value).build())
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| Error::failed(error.to_string()))
    }

    async fn lifecycle(&self, physical: &str) -> Result<Option<Json>> {
        let call = self.0.ecr.get_lifecycle_policy().repository_name(physical);
        match call.send().await.call("ecr:GetLifecyclePolicy") {
            Ok(answer) => {
                let text = answer.lifecycle_policy_text().unwrap_or_default();
                Ok(Some(
                    serde_json::from_str(text).unwrap_or(Json::String(text.to_owned())),
                ))
            }
            Err(error) if error.code() == "LifecyclePolicyNotFoundException" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says what is, so it can be repeated.
    async fn keep(&self, physical: &str, keep: Option<u32>) -> Result<()> {
        match keep {
            Some(keep) => {
                let call = self.0.ecr.put_lifecycle_policy().repository_name(physical);
                let answer = call.lifecycle_policy_text(lifecycle(keep).to_string()).send().await;
                answer.call("ecr:PutLifecyclePolicy").map(|_| ())
            }
            None => {
                let call = self.0.ecr.delete_lifecycle_policy().repository_name(physical);
                match call.send().await.call("ecr:DeleteLifecyclePolicy") {
                    Err(error) if error.code() == "LifecyclePolicyNotFoundException" => Ok(()),
                    other => other.map(|_| ()),
                }
            }
        }
    }
}

impl Kind for Repository {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// CreateRepository: 2 to 256 characters, lower case, with single separators between letters and digits.
    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        let physical = physical(scope, name);
        named::check("repository", &physical, 256, "._-/")?;
        let is_separator = |c: char| "._-/".contains(c);
        let wrong = physical.chars().any(|c| c.is_ascii_uppercase())
            || physical.len() < 2
            || physical.starts_with(is_separator)
            || physical.ends_with(is_separator);
        if wrong {
            return Err(Error::failed(format!(
                "ECR takes no repository \"{physical}\": it has 2 characters or more, all of lower case, and begins and \
                 ends with a letter or digit"
            )));
        }
        match spec.keep_images {
            Some(0) => Err(Error::failed(
                "`keep_images` must be 1 or more: a repository that keeps nothing is no use",
            )),
            _ => Ok(()),
        }
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let found = self.0.repositories.ask(scope, by_name(&self.0, scope)).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.0.known_tags(scope, "ecr").await?;
        let listed = try_join_all(found.iter().map(async |repository| {
            let arn = repository.repository_arn().unwrap_or_default();
            let tags = match known.of(arn) {
                Some(tags) => tags,
                None => self.tags(arn).await?,
            };
            let name = name_of(scope, &tags).map(str::to_owned);
            Ok::<_, Error>(name.map(|name| live(name.clone(), as_seen(scope, &name, tags), repository)))
        }))
        .await?;
        Ok(listed.into_iter().flatten().collect())
    }

    /// Why this is safe: the name is unique, also when two environments make it at once; the tags are in the create
    /// call; a lifecycle that is missing is found by the next comparison.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let physical = physical(cx.scope, name);
        let scanning = ImageScanningConfiguration::builder().scan_on_push(spec.scan_on_push);
        let call = self
            .0
            .ecr
            .create_repository()
            .repository_name(&physical)
            .image_tag_mutability(mutability(spec))
            .image_scanning_configuration(scanning.build())
            .set_tags(Some(Self::write_tags(&cx.tags)?));
        let answer = call.send().await.call("ecr:CreateRepository")?;
        if spec.keep_images.is_some() {
            self.keep(&physical, spec.keep_images).await?;
        }
        let repository = answer.repository.unwrap_or_else(|| Described::builder().build());
        Ok(live(name.to_owned(), cx.tags.clone(), &repository))
    }

    async fn inspect(&self, _: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        live.state.lifecycle = self.lifecycle(&live.state.name_at_aws).await?;
        Ok(live)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let mutability = mutability(spec).as_str().to_owned();
        let wanted = spec.keep_images.map(lifecycle);
        let keep = (state.lifecycle != wanted).then(|| {
            let (was, is) = (shown(state.lifecycle.as_ref()), shown(wanted.as_ref()));
            Change::new("keep_images", was, is, Class::InPlace)
        });
        [
            Change::between("immutable_tags", &state.mutability, &mutability, Class::InPlace),
            Change::between("scan_on_push", &state.scan_on_push, &spec.scan_on_push, Class::InPlace),
            keep,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let physical = &live.state.name_at_aws;
        for change in changes {
            match change.field.as_str() {
                "immutable_tags" => {
                    let call = self.0.ecr.put_image_tag_mutability().repository_name(physical);
                    let answer = call.image_tag_mutability(mutability(spec)).send().await;
                    answer.call("ecr:PutImageTagMutability")?;
                }
                "scan_on_push" => {
                    let scanning = ImageScanningConfiguration::builder().scan_on_push(spec.scan_on_push);
                    let call = self.0.ecr.put_image_scanning_configuration().repository_name(physical);
                    let answer = call.image_scanning_configuration(scanning.build()).send().await;
                    answer.call("ecr:PutImageScanningConfiguration")?;
                }
                _ => self.keep(physical, spec.keep_images).await?,
            }
        }
        Ok(())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let physical = &before.state.name_at_aws;
        let call = self.0.ecr.describe_repositories().repository_names(physical);
        match call.send().await.call("ecr:DescribeRepositories") {
            Ok(answer) => Ok(answer
                .repositories()
                .first()
                .map(|repository| live(before.name.clone(), before.tags.clone(), repository))),
            Err(error) if error.code() == "RepositoryNotFoundException" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    /// Never with images in it: ECR refuses that, and this does not force it.
    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.ecr.delete_repository().repository_name(&live.state.name_at_aws);
        match call.send().await.call("ecr:DeleteRepository") {
            Err(error) if error.code() == "RepositoryNotFoundException" => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "arn" => live.id.as_str(), "name_at_aws" => state.name_at_aws.as_str(), "uri" => state.uri.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "uri" => state.uri.as_str(), "name_at_aws" => state.name_at_aws.as_str(),
            "tag_mutability" => state.mutability.as_str(), "scan_on_push" => state.scan_on_push,
            "created_at" => state.created_at.clone(), "arn" => live.id.as_str(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.name_at_aws.clone())
    }

    fn physical(&self, scope: &Scope, name: &str) -> String {
        physical(scope, name)
    }

    async fn complete(&self, _: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        found.tags = self.tags(&found.id).await?;
        Ok(found)
    }

    /// By its name in the registry.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let call = self.0.ecr.describe_repositories().repository_names(&id);
        let answer = match call.send().await.call("ecr:DescribeRepositories") {
            Err(error) if error.code() == "RepositoryNotFoundException" => None,
            other => Some(other?),
        };
        match answer.as_ref().and_then(|answer| answer.repositories().first()) {
            Some(repository) => Ok(live(id, Tags::new(), repository)),
            None => Err(named::missing("repository", &id, &self.0.region)),
        }
    }

    async fn tags_now(&self, scope: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        match self.tags(&live.id).await {
            Err(error) if error.code() == "RepositoryNotFoundException" => Ok(None),
            tags => Ok(Some(as_seen(scope, &live.name, tags?))),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        let set = Self::write_tags(set)?;
        if !set.is_empty() {
            let call = self.0.ecr.tag_resource().resource_arn(&live.id).set_tags(Some(set));
            call.send().await.call("ecr:TagResource")?;
        }
        if !remove.is_empty() {
            let call = self.0.ecr.untag_resource().resource_arn(&live.id);
            let call = call.set_tag_keys(Some(remove.to_vec()));
            call.send().await.call("ecr:UntagResource")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_environments_share_a_repository() {
        let (one, two) = (
            Scope::new("shop", "staging").unwrap(),
            Scope::new("shop", "production").unwrap(),
        );
        assert_eq!(physical(&one, "shop"), "shop");
        assert_eq!(physical(&one, "web"), "shop/web");
        assert_eq!(physical(&one, "shop/web"), "shop/web");
        assert!(may_be_ours(&two, "shop/web") && !may_be_ours(&two, "shopping"));
        let mut tags = one.identity(ABOUT.kind, "web");
        tags.retain(|key, _| is_projects(key));
        assert_eq!(name_of(&two, &tags), Some("web"));
        assert_eq!(name_of(&Scope::new("other", "staging").unwrap(), &tags), None);
    }
}
