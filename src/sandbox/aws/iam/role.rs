//! Roles, with their inline and attached policies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::document::{self, Use};
use super::{add_tags, check_name, encoded, no_such, paged, path, policy, unique_id};

const KIND: &str = "iam/role";
/// Deletions of service-linked roles that were asked for.
const DELETION: &str = "iam/role-deletion";
/// Managed policies that a role can have: *IAM and AWS STS quotas*, the default.
const ATTACHED: usize = 10;
/// Characters of all inline policies of a role, without white space.
const INLINE: usize = 10_240;

#[derive(Clone, Serialize, Deserialize)]
pub struct Role {
    name: String,
    id: String,
    arn: String,
    path: String,
    trust: String,
    description: Option<String>,
    max_session: i64,
    boundary: Option<String>,
    created: i64,
    inline: BTreeMap<String, String>,
    attached: Vec<String>,
    /// The service that it is linked to.
    linked: Option<String>,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "Path",
            "RoleName",
            "AssumeRolePolicyDocument",
            "Description",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "Tags",
        ],
    )?;
    let name = call.text("RoleName");
    check_name("roleName", name, 64)?;
    let path = path(call, "Path")?;
    document::check(call.text("AssumeRolePolicyDocument"), Use::Trust)?;
    // "Names are not distinguished by case", CreateRole.
    if at(call, name)?.is_some() {
        return Err(taken(name));
    }
    let boundary = call.text("PermissionsBoundary");
    if !boundary.is_empty() && !policy::is(call, boundary)? {
        return Err(no_boundary(boundary));
    }
    let role = Role {
        arn: format!("arn:aws:iam::{}:role{path}{name}", call.account),
        id: unique_id("AROA"),
        name: name.to_owned(),
        path,
        trust: call.text("AssumeRolePolicyDocument").to_owned(),
        description: Some(call.text("Description"))
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        max_session: session(call)?.unwrap_or(3600),
        boundary: Some(boundary).filter(|text| !text.is_empty()).map(str::to_owned),
        created: call.now,
        inline: BTreeMap::new(),
        attached: Vec::new(),
        linked: None,
    };
    save(call, &role)?;
    add_tags(call, &role.arn)?;
    answer(json!({ "Role": role.view(call, true)? }))
}

pub fn get(call: &Call<'_>) -> Answer {
    answer(json!({ "Role": existing(call)?.view(call, true)? }))
}

/// "ListRoles does not return PermissionsBoundary, RoleLastUsed and Tags."
pub fn list(call: &Call<'_>) -> Answer {
    let prefix = call.text("PathPrefix").to_owned();
    let mut roles: Vec<Role> = call.store.in_region("aws-global").all(KIND)?;
    roles.retain(|role| role.path.starts_with(&prefix));
    paged(
        call,
        "Roles",
        roles,
        |role| role.name.to_lowercase(),
        |role| role.view(call, false),
    )
}

/// The roles with all that they have, in pages. Of the other parts of the account there is nothing here.
pub fn details(call: &Call<'_>) -> Answer {
    only(call, &["Filter", "MaxItems", "Marker"])?;
    if call.texts("Filter") != ["Role"] {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: iam:GetAccountAuthorizationDetails without the filter Role alone",
        ));
    }
    let roles: Vec<Role> = call.store.in_region("aws-global").all(KIND)?;
    let key = |role: &Role| role.name.to_lowercase();
    paged(call, "RoleDetailList", roles, key, |role| {
        let inline = role.inline.iter();
        let inline = inline.map(|(name, document)| json!({ "PolicyName": name, "PolicyDocument": encoded(document) }));
        let attached = role.attached.iter();
        let attached = attached.map(|arn| json!({ "PolicyName": policy::name_of(arn), "PolicyArn": arn }));
        let mut view = role.view(call, true)?;
        view["RolePolicyList"] = inline.collect();
        view["AttachedManagedPolicies"] = attached.collect();
        view["InstanceProfileList"] = json!([]);
        // RoleDetail has neither.
        if let Some(view) = view.as_object_mut() {
            view.remove("Description");
            view.remove("MaxSessionDuration");
        }
        Ok(view)
    })
}

pub fn update(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    if call.input.contains_key("Description") {
        role.description = Some(call.text("Description"))
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
    }
    if let Some(session) = session(call)? {
        role.max_session = session;
    }
    save(call, &role)?;
    answer(json!({}))
}

/// The older form of [`update`].
pub fn update_description(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    role.description = Some(call.text("Description"))
        .filter(|text| !text.is_empty())
        .map(str::to_owned);
    save(call, &role)?;
    answer(json!({ "Role": role.view(call, true)? }))
}

fn no_boundary(arn: &str) -> Fault {
    no_such(format!("Scope ARN: {arn} does not exist or is not attachable."))
}

pub fn put_boundary(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    let boundary = call.text("PermissionsBoundary");
    if !policy::is(call, boundary)? {
        return Err(no_boundary(boundary));
    }
    role.boundary = Some(boundary.to_owned());
    save(call, &role)?;
    answer(json!({}))
}

pub fn delete_boundary(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    if role.boundary.take().is_none() {
        return Err(no_such(format!(
            "Role {} does not have a permissions boundary",
            role.name
        )));
    }
    save(call, &role)?;
    answer(json!({}))
}

pub fn update_trust(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    document::check(call.text("PolicyDocument"), Use::Trust)?;
    role.trust = call.text("PolicyDocument").to_owned();
    save(call, &role)?;
    answer(json!({}))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let role = changeable(call)?;
    let conflict = |message: &str| Err(Fault::new("DeleteConflict", message).status(409));
    if !role.attached.is_empty() {
        return conflict("Cannot delete entity, must detach all policies first.");
    }
    if !role.inline.is_empty() {
        return conflict("Cannot delete entity, must delete policies first.");
    }
    call.store
        .in_region("aws-global")
        .delete(KIND, &role.name.to_ascii_lowercase())?;
    tags::clear(call, &role.arn)?;
    answer(json!({}))
}

/// `ecs.amazonaws.com` gives `AWSServiceRoleForECS`. One role for each service, so a second call is refused.
pub fn create_service_linked(call: &Call<'_>) -> Answer {
    let service = call.text("AWSServiceName");
    let known = [
        ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
        ("elasticache.amazonaws.com", "AWSServiceRoleForElastiCache"),
        (
            "elasticloadbalancing.amazonaws.com",
            "AWSServiceRoleForElasticLoadBalancing",
        ),
        ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
        (
            "ecs.application-autoscaling.amazonaws.com",
            "AWSServiceRoleForApplicationAutoScaling_ECSService",
        ),
    ];
    let Some((_, name)) = known.iter().find(|(known, _)| *known == service) else {
        return Err(Fault::new(
            "InvalidInput",
            format!("the sandbox has no service-linked role of {service}"),
        ));
    };
    if !call.text("CustomSuffix").is_empty() {
        return Err(Fault::new(
            "InvalidInput",
            format!("Custom suffix is not allowed for {service}"),
        ));
    }
    if find(call, name)?.is_some() {
        return Err(Fault::new(
            "InvalidInput",
            format!("Service role name {name} has been taken in this account, please try a different suffix."),
        ));
    }
    let path = format!("/aws-service-role/{service}/");
    let role = Role {
        arn: format!("arn:aws:iam::{}:role{path}{name}", call.account),
        id: unique_id("AROA"),
        name: (*name).to_owned(),
        path,
        trust: json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
        })
        .to_string(),
        description: Some(call.text("Description"))
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        max_session: 3600,
        boundary: None,
        created: call.now,
        inline: BTreeMap::new(),
        attached: Vec::new(),
        linked: Some(service.to_owned()),
    };
    save(call, &role)?;
    answer(json!({ "Role": role.view(call, true)? }))
}

/// The sandbox deletes at once; the task that IAM would carry out can be asked for.
pub fn delete_service_linked(call: &Call<'_>) -> Answer {
    let role = existing(call)?;
    let Some(service) = &role.linked else {
        return Err(Fault::new(
            "InvalidInput",
            format!("The role {} is not a service-linked role.", role.name),
        ));
    };
    let task = format!("task/aws-service-role/{service}/{}/{}", role.name, uuid::Uuid::new_v4());
    call.store
        .in_region("aws-global")
        .delete(KIND, &role.name.to_ascii_lowercase())?;
    tags::clear(call, &role.arn)?;
    call.store
        .in_region("aws-global")
        .put(DELETION, &task, "", &json!({ "deleted": call.now }))?;
    answer(json!({ "DeletionTaskId": task }))
}

pub fn deletion_status(call: &Call<'_>) -> Answer {
    let task = call.text("DeletionTaskId");
    match call.store.in_region("aws-global").get::<Value>(DELETION, task)? {
        Some(_) => answer(json!({ "Status": "SUCCEEDED" })),
        None => Err(no_such(format!("The deletion task {task} cannot be found."))),
    }
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
    let list: Vec<_> = tags.into_iter().collect();
    paged(
        call,
        "Tags",
        list,
        |(key, _)| key.clone(),
        |(key, value)| Ok(json!({ "Key": key, "Value": value })),
    )
}

/// Idempotent: the same name again replaces the document.
pub fn put_policy(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    check_name("policyName", call.text("PolicyName"), 128)?;
    document::check(call.text("PolicyDocument"), Use::Permission)?;
    role.inline.insert(
        call.text("PolicyName").to_owned(),
        call.text("PolicyDocument").to_owned(),
    );
    let size: usize = role
        .inline
        .values()
        .map(|text| text.chars().filter(|c| !c.is_whitespace()).count())
        .sum();
    if size > INLINE {
        let message = format!("Maximum policy size of {INLINE} bytes exceeded for role {}", role.name);
        return Err(Fault::new("LimitExceeded", message).status(409));
    }
    save(call, &role)?;
    answer(json!({}))
}

pub fn get_policy(call: &Call<'_>) -> Answer {
    let role = existing(call)?;
    let name = call.text("PolicyName");
    let document = role
        .inline
        .get(name)
        .ok_or_else(|| no_such(format!("The role policy with name {name} cannot be found.")))?;
    answer(json!({ "RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document) }))
}

pub fn delete_policy(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    let name = call.text("PolicyName");
    if role.inline.remove(name).is_none() {
        return Err(no_such(format!("The role policy with name {name} cannot be found.")));
    }
    save(call, &role)?;
    answer(json!({}))
}

pub fn list_policies(call: &Call<'_>) -> Answer {
    let names: Vec<String> = existing(call)?.inline.into_keys().collect();
    paged(call, "PolicyNames", names, String::clone, |name| Ok(json!(name)))
}

/// Idempotent: what is attached stays attached.
pub fn attach(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    let arn = call.text("PolicyArn");
    if !arn.starts_with("arn:") {
        return Err(Fault::new("InvalidInput", format!("ARN {arn} is not valid.")));
    }
    if !policy::is(call, arn)? {
        return Err(policy::unknown(arn));
    }
    if !role.attached.iter().any(|other| other == arn) {
        if role.attached.len() >= ATTACHED {
            let message = format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED}");
            return Err(Fault::new("LimitExceeded", message).status(409));
        }
        role.attached.push(arn.to_owned());
        save(call, &role)?;
    }
    answer(json!({}))
}

pub fn detach(call: &Call<'_>) -> Answer {
    let mut role = changeable(call)?;
    let arn = call.text("PolicyArn");
    let before = role.attached.len();
    role.attached.retain(|other| other != arn);
    if role.attached.len() == before {
        return Err(no_such(format!("Policy {arn} was not found.")));
    }
    save(call, &role)?;
    answer(json!({}))
}

pub fn list_attached(call: &Call<'_>) -> Answer {
    let role = existing(call)?;
    paged(call, "AttachedPolicies", role.attached, String::clone, |arn| {
        Ok(json!({ "PolicyName": policy::name_of(arn), "PolicyArn": arn }))
    })
}

/// Name and id of the roles that have the policy.
pub fn attached_to(call: &Call<'_>, arn: &str) -> Result<Vec<(String, String)>, Fault> {
    let roles: Vec<Role> = call.store.in_region("aws-global").all(KIND)?;
    let having = roles
        .into_iter()
        .filter(|role| role.attached.iter().any(|other| other == arn));
    Ok(having.map(|role| (role.name, role.id)).collect())
}

/// The role of that ARN or name. An ARN with another path or account is another role's.
pub fn by_arn(call: &Call<'_>, arn: &str) -> Result<Option<Role>, Fault> {
    let role = find(call, arn.rsplit('/').next().unwrap_or_default())?;
    Ok(role.filter(|role| !arn.starts_with("arn:") || role.arn == arn))
}

pub fn existing(call: &Call<'_>) -> Result<Role, Fault> {
    let name = call.text("RoleName");
    find(call, name)?.ok_or_else(|| no_such(format!("The role with name {name} cannot be found.")))
}

impl Role {
    pub fn trust(&self) -> &str {
        &self.trust
    }

    /// Name and document.
    pub fn inline_policies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inline
            .iter()
            .map(|(name, document)| (name.as_str(), document.as_str()))
    }

    /// ARNs.
    pub fn attached_policies(&self) -> &[String] {
        &self.attached
    }

    /// An ARN.
    pub fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }

    fn view(&self, call: &Call<'_>, whole: bool) -> Result<Value, Fault> {
        let mut view = json!({
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": seconds(self.created),
            "AssumeRolePolicyDocument": encoded(&self.trust),
            "Description": self.description,
            "MaxSessionDuration": self.max_session,
        });
        if whole {
            let tags = tags::of(call, &self.arn)?;
            if !tags.is_empty() {
                view["Tags"] = tags::to_list(&tags);
            }
            view["RoleLastUsed"] = json!({});
            if let Some(boundary) = &self.boundary {
                view["PermissionsBoundary"] =
                    json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary });
            }
        }
        Ok(view)
    }
}

/// A service-linked role belongs to its service.
fn changeable(call: &Call<'_>) -> Result<Role, Fault> {
    let role = existing(call)?;
    match &role.linked {
        None => Ok(role),
        Some(service) => Err(Fault::new(
            "UnmodifiableEntity",
            format!(
                "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS ({service})",
                role.name
            ),
        )),
    }
}

fn session(call: &Call<'_>) -> Result<Option<i64>, Fault> {
    match call.int("MaxSessionDuration") {
        Some(seconds) if !(3600..=43200).contains(&seconds) => Err(Fault::new(
            "ValidationError",
            format!("The requested MaxSessionDuration {seconds} is not between 3600 and 43200 seconds."),
        )),
        other => Ok(other),
    }
}

fn taken(name: &str) -> Fault {
    Fault::new("EntityAlreadyExists", format!("Role with name {name} already exists.")).status(409)
}

fn find(call: &Call<'_>, name: &str) -> Result<Option<Role>, Fault> {
    Ok(at(call, name)?.filter(|role| role.name == name))
}

/// The role that has this name in whatever case.
fn at(call: &Call<'_>, name: &str) -> Result<Option<Role>, Fault> {
    call.store.in_region("aws-global").get(KIND, &name.to_ascii_lowercase())
}

fn save(call: &Call<'_>, role: &Role) -> Result<(), Fault> {
    let id = role.name.to_ascii_lowercase();
    call.store.in_region("aws-global").put(KIND, &id, "", role)
}
