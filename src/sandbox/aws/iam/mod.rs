//! Identity and Access Management: roles, their policies, customer-managed policies, service-linked roles.
//!
//! Source: the IAM API reference. IAM is global; its documents are in the region `aws-global`. The sandbox lets every call
//! of its users pass; [`decision`] says what services may do in a role's name.

pub mod decision;
mod document;
mod managed;
mod policy;
mod role;
mod simulate;
pub mod statement;
mod wildcard;

use serde_json::{Value, json};

use super::answers::{Page, answer, limit, page};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "CreateRole" => role::create(call),
        "GetRole" => role::get(call),
        "ListRoles" => role::list(call),
        "GetAccountAuthorizationDetails" => role::details(call),
        "UpdateRole" => role::update(call),
        "UpdateAssumeRolePolicy" => role::update_trust(call),
        "DeleteRole" => role::delete(call),
        "UpdateRoleDescription" => role::update_description(call),
        "CreateServiceLinkedRole" => role::create_service_linked(call),
        "PutRolePermissionsBoundary" => role::put_boundary(call),
        "DeleteRolePermissionsBoundary" => role::delete_boundary(call),
        "DeleteServiceLinkedRole" => role::delete_service_linked(call),
        "GetServiceLinkedRoleDeletionStatus" => role::deletion_status(call),
        "SimulatePrincipalPolicy" => simulate::principal(call),
        "TagRole" => role::tag(call),
        "UntagRole" => role::untag(call),
        "ListRoleTags" => role::list_tags(call),
        "PutRolePolicy" => role::put_policy(call),
        "GetRolePolicy" => role::get_policy(call),
        "DeleteRolePolicy" => role::delete_policy(call),
        "ListRolePolicies" => role::list_policies(call),
        "AttachRolePolicy" => role::attach(call),
        "DetachRolePolicy" => role::detach(call),
        "ListAttachedRolePolicies" => role::list_attached(call),
        // The sandbox has no instances, hence no instance profile that a role could be in.
        "ListInstanceProfilesForRole" => {
            role::existing(call)?;
            answer(json!({ "InstanceProfiles": [], "IsTruncated": false }))
        }
        "CreatePolicy" => policy::create(call),
        "GetPolicy" => policy::get(call),
        "GetPolicyVersion" => policy::get_version(call),
        "ListPolicyVersions" => policy::list_versions(call),
        "CreatePolicyVersion" => policy::create_version(call),
        "DeletePolicyVersion" => policy::delete_version(call),
        "DeletePolicy" => policy::delete(call),
        "ListPolicies" => policy::list(call),
        "ListEntitiesForPolicy" => policy::list_entities(call),
        "TagPolicy" => policy::tag(call),
        "UntagPolicy" => policy::untag(call),
        "ListPolicyTags" => policy::list_tags(call),
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// A page as IAM gives it: `IsTruncated` and `Marker`, 100 items unless `MaxItems` says less.
fn paged<T>(
    call: &Call<'_>,
    member: &str,
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    view: impl Fn(&T) -> Result<Value, Fault>,
) -> Answer {
    let limit = limit(call, "MaxItems", 100).min(1000);
    let Page { items, next } = page(items, key, call.text("Marker"), limit, || {
        Fault::new("ValidationError", "Invalid Marker.")
    })?;
    let views = items.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    answer(json!({ member: views, "IsTruncated": next.is_some(), "Marker": next }))
}

/// Checks tags and adds them.
fn add_tags(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let added = tags::from_list(call.list("Tags"));
    tags::check(&added).map_err(|message| Fault::new("InvalidInput", message))?;
    let mut all = tags::of(call, arn)?;
    all.extend(added.clone());
    if all.len() > tags::MOST {
        return Err(Fault::new("LimitExceeded", "The number of tags has reached the maximum limit.").status(409));
    }
    tags::put(call, arn, &added)
}

/// `/`, or a text that begins and ends with a slash.
fn path(call: &Call<'_>, member: &str) -> Result<String, Fault> {
    let path = match call.text(member) {
        "" => "/",
        path => path,
    };
    if path.starts_with('/') && path.ends_with('/') && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        return Ok(path.to_owned());
    }
    Err(Fault::new(
        "ValidationError",
        format!(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
             characters and/or / characters. (it is {path})"
        ),
    ))
}

/// The alphabet and length of names: *IAM and AWS STS quotas*, "Names of ... can contain ... `+=,.@_-`".
fn check_name(member: &str, name: &str, longest: usize) -> Result<(), Fault> {
    let right = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if !name.is_empty() && name.len() <= longest && name.chars().all(right) {
        return Ok(());
    }
    Err(Fault::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: it must have 1 to \
             {longest} characters of [\\w+=,.@-]"
        ),
    ))
}

fn no_such(message: String) -> Fault {
    Fault::new("NoSuchEntity", message).status(404)
}

/// `AROA...`: four letters for the kind and 17 characters.
fn unique_id(prefix: &str) -> String {
    format!(
        "{prefix}{}",
        super::answers::random(17, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    )
}

/// IAM answers policy documents percent-encoded, as RFC 3986 has it.
fn encoded(document: &str) -> String {
    document
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
