//! All of an account's roles and managed policies in pages, each with all that it consists of.
//!
//! Source: IAM API Reference, GetAccountAuthorizationDetails. The sandbox has no users and no groups, so none are listed.

use serde_json::{Value, json};

use super::super::answers::{Page, answer, limit, page};
use super::super::call::{Answer, Call, Fault};
use super::{policy, role};

/// `MaxItems`: "If you do not include this parameter, the number of items defaults to 100."
const A_PAGE: usize = 100;

pub fn details(call: &Call<'_>) -> Answer {
    let filters = call.texts("Filter");
    let is_wanted = |kind: &str| filters.is_empty() || filters.iter().any(|filter| filter == kind);
    // Roles come before policies.
    let mut entities = Vec::new();
    if is_wanted("Role") {
        entities.extend(
            role::details(call)?
                .into_iter()
                .map(|(name, view)| (format!("1{name}"), view)),
        );
    }
    for (kind, is_own) in [("LocalManagedPolicy", true), ("AWSManagedPolicy", false)] {
        if is_wanted(kind) {
            let policies = policy::details(call, is_own)?.into_iter();
            entities.extend(policies.map(|(arn, view)| (format!("2{arn}"), view)));
        }
    }
    entities.sort_by(|(one, _), (other, _)| one.cmp(other));
    let limit = limit(call, "MaxItems", A_PAGE).min(1000);
    let Page { items, next } = page(
        entities,
        |(key, _)| key.clone(),
        call.text("Marker"),
        limit,
        || Fault::new("ValidationError", "Invalid Marker."),
    )?;
    let (roles, policies): (Vec<_>, Vec<_>) = items.into_iter().partition(|(key, _)| key.starts_with('1'));
    let views = |entities: Vec<(String, Value)>| entities.into_iter().map(|(_, view)| view).collect::<Vec<_>>();
    answer(json!({
        "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": views(roles), "Policies": views(policies),
        "IsTruncated": next.is_some(), "Marker": next,
    }))
}
