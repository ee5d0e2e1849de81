//! The role, with its trust policy and all its permissions.
//!
//! IAM is global. A role's path is `/PROJECT/ENV/`, by which ours are told. Where the account's roles fit into one page of
//! GetAccountAuthorizationDetails, that page tells all of every role; elsewhere IAM lists ours alone by the path, and their
//! tags and policies are read singly. All policies are compared, so that one put there by hand shows. Source: IAM API
//! Reference.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_iam::types::{EntityType, Role as Described, RoleDetail, Tag};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::document;
use super::policies::{Policies, absent_is_fine, is_absent};
use crate::aws::error::{self, Call};
use crate::aws::unsupported::is_unsupported;
use crate::aws::{Aws, meant, named, tags};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::{Map, Value};

/// CreateRole: 64 characters of letters, digits and `_+=,.@-`.
const LONGEST_NAME: usize = 64;
const ALPHABET: &str = "_+=,.@-";

/// How many roles are read in one call before they are read one by one: a few KB each. GetAccountAuthorizationDetails
/// gives 1,000 at most, and "might return fewer results".
const A_PAGE: i32 = 300;

/// One service, or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Services {
    One(String),
    Several(Vec<String>),
}

/// An IAM role, with exactly these permissions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// Which service may assume it, as `ecs-tasks.amazonaws.com`, or a list of them. Either this or `trust`.
    #[serde(default)]
    pub service: Option<Services>,
    /// Who may assume it, as a whole policy document.
    #[serde(default)]
    pub trust: Option<Json>,
    /// All managed policies: ARNs, or names of AWS's own, as `service-role/AmazonECSTaskExecutionRolePolicy`. One that
    /// is not here is detached.
    #[serde(default)]
    pub managed_policies: Vec<String>,
    /// All inline policies: a map from name to policy document. One that is not here is deleted.
    #[serde(default)]
    pub inline_policies: BTreeMap<String, Json>,
    /// The ARN of the managed policy that bounds its permissions. Without it there is no bound.
    #[serde(default)]
    pub permissions_boundary: Option<String>,
}

impl Spec {
    /// The trust policy. `check` has seen to it that there is one.
    fn trust(&self) -> Json {
        match (&self.trust, &self.service) {
            (Some(document), _) => document.clone(),
            (None, Some(Services::One(service))) => document::trust(std::slice::from_ref(service)),
            (None, Some(Services::Several(services))) => document::trust(services),
            (None, None) => Json::Null,
        }
    }
}

/// What IAM says of a role.
#[derive(Clone, Debug)]
pub struct State {
    name_at_aws: String,
    trust: Json,
    /// An ARN.
    boundary: Option<String>,
    created_at: Value,
    policies: Option<Policies>,
}

static ABOUT: About = About {
    kind: "role",
    module: "iam",
    noun: "role",
    plural: "roles",
    help: "Ensures an IAM role with exactly these managed and inline policies.",
    retention: Retention::Disposable,
    gone_before: &["service", "task-definition"],
    outputs: &[
        OutputField::text("arn", "The ARN."),
        OutputField::text("name_at_aws", "The name in the account, as `PROJECT-ENV-NAME`."),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(120),
    actions: &[
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetAccountAuthorizationDetails",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoles",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
    ],
};

/// See [`Spec`].
pub struct Role(pub Aws);

fn path(scope: &Scope) -> String {
    format!("/{}/{}/", scope.project, scope.environment)
}

fn read_tags(tags: &[Tag]) -> Tags {
    tags::read(tags, |tag| (Some(tag.key()), Some(tag.value())))
}

fn live(name: String, role: &Described) -> Live<State> {
    Live {
        id: role.arn().to_owned(),
        name,
        tags: read_tags(role.tags()),
        state: State {
            name_at_aws: role.role_name().to_owned(),
            trust: role
                .assume_role_policy_document()
                .map(document::read)
                .unwrap_or_default(),
            boundary: role
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(str::to_owned),
            created_at: meant::moment(Some(role.create_date())),
            policies: None,
        },
    }
}

fn live_of(name: String, tags: Tags, role: &RoleDetail) -> Live<State> {
    Live {
        id: role.arn().unwrap_or_default().to_owned(),
        name,
        tags,
        state: State {
            name_at_aws: role.role_name().unwrap_or_default().to_owned(),
            trust: role
                .assume_role_policy_document()
                .map(document::read)
                .unwrap_or_default(),
            boundary: role
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(str::to_owned),
            created_at: meant::moment(role.create_date()),
            policies: Some(Policies::of(role)),
        },
    }
}

impl Role {
    /// Every role of the account, with all that it consists of, in one call. `None` where there are too many for one, and
    /// where this may not be asked.
    async fn all(&self) -> Result<Option<Vec<RoleDetail>>> {
        let call = self.0.iam.get_account_authorization_details();
        let answer = call.filter(EntityType::Role).max_items(A_PAGE).send().await;
        if answer.as_ref().is_err_and(|error| is_unsupported(&self.0, error)) {
            return Ok(None);
        }
        match answer.call("iam:GetAccountAuthorizationDetails") {
            Ok(answer) if answer.is_truncated() => Ok(None),
            Ok(answer) => Ok(Some(answer.role_detail_list.unwrap_or_default())),
            Err(error) if error::is_denied(&error) => {
                tracing::info!("roles are read one by one: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn get(&self, physical: &str) -> Result<Option<Described>> {
        let call = self.0.iam.get_role().role_name(physical);
        match call.send().await.call("iam:GetRole") {
            Ok(answer) => Ok(answer.role),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ARN of a managed policy that is named by its ARN, or by its name when it is AWS's own.
    fn policy_arn(&self, policy: &str) -> String {
        match policy.starts_with("arn:") {
            true => policy.to_owned(),
            false => {
                let own = self.0.arn("iam", "");
                let partition = own.split(':').nth(1).unwrap_or("aws").to_owned();
                format!("arn:{partition}:iam::aws:policy/{policy}")
            }
        }
    }

    fn managed(&self, spec: &Spec) -> Vec<String> {
        spec.managed_policies
            .iter()
            .map(|policy| self.policy_arn(policy))
            .collect()
    }

    /// All policies that the options want.
    fn wanted(&self, spec: &Spec) -> Policies {
        Policies {
            managed: self.managed(spec),
            inline: spec.inline_policies.clone(),
        }
    }

    async fn delete_with(&self, physical: &str, policies: &Policies) -> Result<()> {
        policies.remove(&self.0, physical).await?;
        let call = self.0.iam.delete_role().role_name(physical);
        absent_is_fine(call.send().await.call("iam:DeleteRole"))
    }
}

impl Kind for Role {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check("role", &scope.physical(name), LONGEST_NAME, ALPHABET)?;
        match (&spec.service, &spec.trust) {
            (Some(_), Some(_)) => return Err(Error::failed("a role has either `service` or `trust`")),
            (None, None) => {
                return Err(Error::failed("a role needs `service` or `trust`: who may assume it?")
                    .hint("service: \"ecs-tasks.amazonaws.com\""));
            }
            _ => document::check("the trust policy", &spec.trust())?,
        }
        for (name, policy) in &spec.inline_policies {
            named::check("inline policy", name, 128, ALPHABET)?;
            document::check(&format!("the policy \"{name}\""), policy)?;
        }
        Ok(())
    }

    /// IAM's listing tells no tags: they are read for the roles under our path.
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        if let Some(all) = self.all().await? {
            let path = path(scope);
            // Adopted ones have a path of their own.
            let is_adopted =
                |role: &RoleDetail| scope.adopted_of(ABOUT.kind).any(|name| role.role_name() == Some(name));
            let ours = all
                .iter()
                .filter(|role| role.path().is_some_and(|of| of.starts_with(&path)) || is_adopted(role));
            let ours = ours.filter_map(|role| {
                let tags = read_tags(role.tags());
                let name = scope.name_of(ABOUT.kind, &tags)?.to_owned();
                Some(live_of(name, tags, role))
            });
            return Ok(ours.collect());
        }
        let pages = self.0.iam.list_roles().path_prefix(path(scope));
        let found = pages.into_paginator().items().send().try_collect().await;
        let roles = found.call("iam:ListRoles")?;
        // Adopted ones have a path of their own.
        let mut names: Vec<_> = roles.iter().map(|role| role.role_name()).collect();
        names.extend(scope.adopted_of(ABOUT.kind));
        // One that was made again has ours.
        names.sort_unstable();
        names.dedup();
        let roles = try_join_all(names.into_iter().map(async |name| self.get(name).await)).await?;
        let ours = roles.iter().flatten().filter_map(|role| {
            let tags = read_tags(role.tags());
            Some(live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), role))
        });
        Ok(ours.collect())
    }

    /// Why this is safe: the name is unique and the tags are in the create call; a policy that is missing is found by
    /// the next comparison.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let physical = cx.scope.physical_of(ABOUT.kind, name);
        let tags = tags::write(&cx.tags, |key, value| Tag::builder().key(key).value(value).build());
        let tags = tags.into_iter().collect::<Result<Vec<_>, _>>();
        let call = self
            .0
            .iam
            .create_role()
            .role_name(&physical)
            .path(path(cx.scope))
            .set_permissions_boundary(spec.permissions_boundary.clone())
            .assume_role_policy_document(spec.trust().to_string())
            .set_tags(Some(tags.map_err(|error| Error::failed(error.to_string()))?));
        let answer = call.send().await.call("iam:CreateRole")?;
        let role = answer
            .role
            .ok_or_else(|| Error::failed("iam:CreateRole: the answer holds no role"))?;
        Policies::default()
            .change(&self.0, &physical, &self.wanted(spec))
            .await?;
        let mut created = live(name.to_owned(), &role);
        created.tags = cx.tags.clone();
        Ok(created)
    }

    async fn inspect(&self, _: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        if live.state.policies.is_none() {
            live.state.policies = Some(Policies::read(&self.0, &live.state.name_at_aws).await?);
        }
        Ok(live)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let none = Policies::default();
        let now = live.state.policies.as_ref().unwrap_or(&none);
        let mut changes = Vec::new();
        let (was, is) = (document::normal(&live.state.trust), document::normal(&spec.trust()));
        changes.extend(Change::between("trust", &was, &is, Class::InPlace));
        let none_or = |arn: &Option<String>| arn.clone().unwrap_or_else(|| "none".into());
        changes.extend(Change::between(
            "permissions_boundary",
            &none_or(&live.state.boundary),
            &none_or(&spec.permissions_boundary),
            Class::InPlace,
        ));
        let managed = self.managed(spec);
        changes.extend(Change::of_sets(
            "managed_policies",
            &now.managed,
            &managed,
            Class::InPlace,
        ));
        for (name, wanted) in &spec.inline_policies {
            let was = now.inline.get(name).map(document::normal).unwrap_or_default();
            let field = format!("inline_policies.{name}");
            changes.extend(Change::between(&field, &was, &document::normal(wanted), Class::InPlace));
        }
        for (name, was) in &now.inline {
            if !spec.inline_policies.contains_key(name) {
                changes.push(Change::new(
                    &format!("inline_policies.{name}"),
                    was,
                    "none",
                    Class::InPlace,
                ));
            }
        }
        changes
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        vec!["trust".into()]
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let physical = &live.state.name_at_aws;
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        if is("trust") {
            let call = self.0.iam.update_assume_role_policy().role_name(physical);
            let call = call.policy_document(spec.trust().to_string());
            call.send().await.call("iam:UpdateAssumeRolePolicy")?;
        }
        if is("permissions_boundary") {
            match &spec.permissions_boundary {
                Some(arn) => {
                    let call = self.0.iam.put_role_permissions_boundary().role_name(physical);
                    let answer = call.permissions_boundary(arn).send().await;
                    answer.call("iam:PutRolePermissionsBoundary")?;
                }
                None => {
                    let call = self.0.iam.delete_role_permissions_boundary().role_name(physical);
                    absent_is_fine(call.send().await.call("iam:DeleteRolePermissionsBoundary"))?;
                }
            }
        }
        let now = match &live.state.policies {
            Some(policies) => policies.clone(),
            None => Policies::read(&self.0, physical).await?,
        };
        // What does not differ, or is kept, is wanted as it is.
        let mut wanted = self.wanted(spec);
        if !is("managed_policies") {
            wanted.managed.clone_from(&now.managed);
        }
        let kept = |name: &String| !is(&format!("inline_policies.{name}"));
        wanted.inline.retain(|name, _| !kept(name));
        let left = now.inline.iter().filter(|(name, _)| kept(name));
        wanted
            .inline
            .extend(left.map(|(name, policy)| (name.clone(), policy.clone())));
        now.change(&self.0, physical, &wanted).await
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let role = self.get(&before.state.name_at_aws).await?;
        Ok(role.map(|role| live(before.name.clone(), &role)))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    fn is_swept(&self) -> bool {
        false
    }

    /// A role with policies cannot be deleted, so they go first.
    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let physical = &live.state.name_at_aws;
        if let Some(policies) = &live.state.policies {
            match self.delete_with(physical, policies).await {
                // It got others after it was listed.
                Err(error) if error.code().starts_with("DeleteConflict") => {}
                other => return other,
            }
        }
        match Policies::read(&self.0, physical).await {
            Err(error) if is_absent(&error) => Ok(()),
            policies => self.delete_with(physical, &policies?).await,
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "arn" => live.id.as_str(), "name_at_aws" => live.state.name_at_aws.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let principal = state.trust.pointer("/Statement/0/Principal").unwrap_or(&Json::Null);
        let trusted = document::normal(principal);
        map! {
            "name_at_aws" => state.name_at_aws.as_str(), "trusts" => trusted.to_string(),
            "created_at" => state.created_at.clone(), "arn" => live.id.as_str(),
        }
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.name_at_aws.clone())
    }

    /// By its name or its ARN.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let name = match id.starts_with("arn:") {
            true => id.rsplit('/').next().unwrap_or(&id),
            false => &id,
        };
        match self.get(name).await? {
            Some(role) => Ok(live(name.to_owned(), &role)),
            None => Err(Error::failed(format!("there is no role {id} in this account"))),
        }
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        let physical = &live.state.name_at_aws;
        if !set.is_empty() {
            let tags = tags::write(set, |key, value| Tag::builder().key(key).value(value).build());
            let tags = tags.into_iter().collect::<Result<Vec<_>, _>>();
            let call = self.0.iam.tag_role().role_name(physical);
            let call = call.set_tags(Some(tags.map_err(|error| Error::failed(error.to_string()))?));
            call.send().await.call("iam:TagRole")?;
        }
        if !remove.is_empty() {
            let call = self.0.iam.untag_role().role_name(physical);
            let call = call.set_tag_keys(Some(remove.to_vec()));
            call.send().await.call("iam:UntagRole")?;
        }
        Ok(())
    }

    /// A principal or a role that was made a moment ago is not known everywhere yet. Source: IAM User Guide,
    /// "Troubleshoot IAM": changes that I make are not always immediately visible.
    fn is_transient(&self, error: &Error) -> bool {
        let text = error.to_string();
        match error.code() {
            "MalformedPolicyDocument" => text.contains("Invalid principal"),
            "NoSuchEntity" => text.contains("role with name"),
            code => code.starts_with("ConcurrentModification"),
        }
    }
}
