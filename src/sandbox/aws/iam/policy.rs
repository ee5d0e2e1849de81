//! Managed policies: the customer's, with versions, and AWS's, which cannot be changed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::document::{self, Use};
use super::managed::{self, Managed};
use super::{add_tags, check_name, encoded, no_such, paged, path, role, unique_id};

const KIND: &str = "iam/policy";
/// "A managed policy can have up to five versions."
const VERSIONS: usize = 5;

#[derive(Clone, Serialize, Deserialize)]
pub struct Policy {
    pub arn: String,
    pub name: String,
    id: String,
    path: String,
    description: Option<String>,
    created: i64,
    updated: i64,
    default: String,
    versions: Vec<Version>,
    next: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    id: String,
    document: String,
    created: i64,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(call, &["PolicyName", "Path", "PolicyDocument", "Description", "Tags"])?;
    let name = call.text("PolicyName");
    check_name("policyName", name, 128)?;
    let path = path(call, "Path")?;
    document::check(call.text("PolicyDocument"), Use::Permission)?;
    let exists = call
        .store
        .in_region("aws-global")
        .is_linked(KIND, &name.to_ascii_lowercase())?;
    if exists {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(Fault::new("EntityAlreadyExists", message).status(409));
    }
    let policy = Policy {
        arn: format!("arn:aws:iam::{}:policy{path}{name}", call.account),
        name: name.to_owned(),
        id: unique_id("ANPA"),
        path,
        description: Some(call.text("Description"))
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        created: call.now,
        updated: call.now,
        default: "v1".to_owned(),
        versions: vec![Version {
            id: "v1".to_owned(),
            document: call.text("PolicyDocument").to_owned(),
            created: call.now,
        }],
        next: 2,
    };
    save(call, &policy)?;
    add_tags(call, &policy.arn)?;
    answer(json!({ "Policy": policy.view(call)? }))
}

pub fn get(call: &Call<'_>) -> Answer {
    let arn = call.text("PolicyArn");
    if let Some(managed) = managed::find(arn) {
        return answer(json!({ "Policy": managed_view(call, managed)? }));
    }
    answer(json!({ "Policy": existing(call)?.view(call)? }))
}

pub fn get_version(call: &Call<'_>) -> Answer {
    let (arn, id) = (call.text("PolicyArn"), call.text("VersionId"));
    if let Some(managed) = managed::find(arn).filter(|_| id == "v1") {
        let version = json!({
            "Document": encoded(&managed.document()),
            "VersionId": "v1",
            "IsDefaultVersion": true,
            "CreateDate": seconds(0),
        });
        return answer(json!({ "PolicyVersion": version }));
    }
    let policy = existing(call)?;
    let version = policy.versions.iter().find(|version| version.id == id);
    let version = version.ok_or_else(|| {
        no_such(format!(
            "Policy {arn} version {id} does not exist or is not attachable."
        ))
    })?;
    answer(json!({ "PolicyVersion": policy.version_view(version) }))
}

pub fn list_versions(call: &Call<'_>) -> Answer {
    let policy = existing(call)?;
    paged(
        call,
        "Versions",
        policy.versions.clone(),
        |version| version.id.clone(),
        |version| Ok(policy.version_view(version)),
    )
}

pub fn create_version(call: &Call<'_>) -> Answer {
    let mut policy = existing(call)?;
    document::check(call.text("PolicyDocument"), Use::Permission)?;
    if policy.versions.len() >= VERSIONS {
        return Err(Fault::new(
            "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
        )
        .status(409));
    }
    let id = format!("v{}", policy.next);
    policy.next += 1;
    let version = Version {
        id: id.clone(),
        document: call.text("PolicyDocument").to_owned(),
        created: call.now,
    };
    if call.flag("SetAsDefault") {
        policy.default = id;
    }
    policy.updated = call.now;
    policy.versions.push(version.clone());
    save(call, &policy)?;
    answer(json!({ "PolicyVersion": policy.version_view(&version) }))
}

pub fn delete_version(call: &Call<'_>) -> Answer {
    let mut policy = existing(call)?;
    let id = call.text("VersionId");
    if id == policy.default {
        return Err(conflict("Cannot delete the default version of a policy."));
    }
    let before = policy.versions.len();
    policy.versions.retain(|version| version.id != id);
    if policy.versions.len() == before {
        return Err(no_such(format!(
            "Policy {} version {id} does not exist or is not attachable.",
            policy.arn
        )));
    }
    save(call, &policy)?;
    answer(json!({}))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let policy = existing(call)?;
    if !role::attached_to(call, &policy.arn)?.is_empty() {
        return Err(conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    call.store.in_region("aws-global").delete(KIND, &policy.arn)?;
    tags::clear(call, &policy.arn)?;
    answer(json!({}))
}

pub fn list(call: &Call<'_>) -> Answer {
    let scope = call.text("Scope");
    let prefix = path(call, "PathPrefix").or_else(|fault| {
        if call.text("PathPrefix").starts_with('/') {
            Ok(call.text("PathPrefix").to_owned())
        } else {
            Err(fault)
        }
    })?;
    let attached_only = call.flag("OnlyAttached");
    let mut views = Vec::new();
    if scope != "AWS" {
        for policy in all(call)?.into_iter().filter(|policy| policy.path.starts_with(&prefix)) {
            views.push(policy.view(call)?);
        }
    }
    if scope != "Local" {
        for managed in managed::POLICIES
            .iter()
            .filter(|managed| managed.path.starts_with(&prefix))
        {
            views.push(managed_view(call, managed)?);
        }
    }
    views.retain(|view| !attached_only || view["AttachmentCount"].as_u64().unwrap_or_default() > 0);
    // "This operation does not return Description and Tags."
    for view in &mut views {
        if let Some(members) = view.as_object_mut() {
            members.retain(|name, _| name != "Description" && name != "Tags");
        }
    }
    paged(
        call,
        "Policies",
        views,
        |view| view["Arn"].to_string(),
        |view| Ok(view.clone()),
    )
}

pub fn list_entities(call: &Call<'_>) -> Answer {
    let arn = call.text("PolicyArn");
    if !is(call, arn)? {
        return Err(unknown(arn));
    }
    let roles = role::attached_to(call, arn)?;
    paged(
        call,
        "PolicyRoles",
        roles,
        |(name, _)| name.clone(),
        |(name, id)| Ok(json!({ "RoleName": name, "RoleId": id })),
    )
}

pub fn tag(call: &Call<'_>) -> Answer {
    add_tags(call, &existing(call)?.arn)?;
    answer(json!({}))
}

pub fn untag(call: &Call<'_>) -> Answer {
    tags::remove(call, &existing(call)?.arn, &call.texts("TagKeys"))?;
    answer(json!({}))
}

pub fn list_tags(call: &Call<'_>) -> Answer {
    let tags = tags::of(call, &existing(call)?.arn)?;
    answer(json!({ "Tags": tags::to_list(&tags), "IsTruncated": false }))
}

/// Whether a policy of that ARN exists, AWS's own included.
pub fn is(call: &Call<'_>, arn: &str) -> Result<bool, Fault> {
    Ok(managed::find(arn).is_some() || find(call, arn)?.is_some())
}

pub fn unknown(arn: &str) -> Fault {
    no_such(format!("Policy {arn} does not exist or is not attachable."))
}

/// The name in a policy's ARN.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

impl Policy {
    fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
        Ok(json!({
            "PolicyName": self.name,
            "PolicyId": self.id,
            "Arn": self.arn,
            "Path": self.path,
            "DefaultVersionId": self.default,
            "AttachmentCount": role::attached_to(call, &self.arn)?.len(),
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": true,
            "Description": self.description,
            "CreateDate": seconds(self.created),
            "UpdateDate": seconds(self.updated),
            "Tags": tags::to_list(&tags::of(call, &self.arn)?),
        }))
    }

    fn version_view(&self, version: &Version) -> Value {
        json!({
            "Document": encoded(&version.document),
            "VersionId": version.id,
            "IsDefaultVersion": version.id == self.default,
            "CreateDate": seconds(version.created),
        })
    }
}

fn managed_view(call: &Call<'_>, managed: &Managed) -> Result<Value, Fault> {
    Ok(json!({
        "PolicyName": managed.name,
        "PolicyId": format!("ANPA{:0>17}", managed.name.to_ascii_uppercase().chars().filter(char::is_ascii_alphanumeric).take(17).collect::<String>()),
        "Arn": managed.arn(),
        "Path": managed.path,
        "DefaultVersionId": "v1",
        "AttachmentCount": role::attached_to(call, &managed.arn())?.len(),
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": true,
        "CreateDate": seconds(0),
        "UpdateDate": seconds(0),
    }))
}

/// The document that is in force: that of the default version.
pub fn document_of(call: &Call<'_>, arn: &str) -> Result<Option<String>, Fault> {
    if let Some(managed) = managed::find(arn) {
        return Ok(Some(managed.document()));
    }
    let document = |policy: Policy| {
        let version = policy.versions.into_iter().find(|version| version.id == policy.default);
        version.map(|version| version.document)
    };
    Ok(find(call, arn)?.and_then(document))
}

fn all(call: &Call<'_>) -> Result<Vec<Policy>, Fault> {
    call.store.in_region("aws-global").all(KIND)
}

fn find(call: &Call<'_>, arn: &str) -> Result<Option<Policy>, Fault> {
    call.store.in_region("aws-global").get(KIND, arn)
}

fn existing(call: &Call<'_>) -> Result<Policy, Fault> {
    let arn = call.text("PolicyArn");
    if managed::find(arn).is_some() && call.operation != "ListPolicyVersions" {
        return Err(Fault::new("AccessDenied", format!("{arn} is AWS's own and cannot be changed.")).status(403));
    }
    find(call, arn)?.ok_or_else(|| unknown(arn))
}

fn save(call: &Call<'_>, policy: &Policy) -> Result<(), Fault> {
    // Names are not distinguished by case.
    let links = [policy.name.to_ascii_lowercase()];
    let store = call.store.in_region("aws-global");
    store.entry(KIND, &policy.arn).links(&links).put(policy)
}

fn conflict(message: &str) -> Fault {
    Fault::new("DeleteConflict", message).status(409)
}
