//! Elastic Load Balancing v2: application load balancers, listeners with their rules, target groups with their targets.
//!
//! Source: the Elastic Load Balancing API reference, version 2015-12-01.

mod listener;
mod listener_attributes;
mod load_balancer;
mod rule;
mod tagging;
pub mod target_group;

use serde_json::{Map, Value, json};

use super::answers::{Page, answer, limit, page, page_of};
use super::call::{Answer, Call, Fault};
use super::{dispatch, ecs, tags};

pub use listener::users_of_certificate;
pub use load_balancer::{dns_names, of_target_group, region_of_zone};
pub use tagging::has;

pub fn handle(call: &mut Call<'_>) -> Answer {
    if call.operation.starts_with("Describe") {
        return route(call);
    }
    // What happened up to now happened under the old settings.
    ecs::settle(call)?;
    let answer = route(call)?;
    target_group::observe(call)?;
    Ok(answer)
}

fn route(call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateLoadBalancer" => load_balancer::create(call),
        "DescribeLoadBalancers" => load_balancer::describe(call),
        "DeleteLoadBalancer" => load_balancer::delete(call),
        "SetSecurityGroups" => load_balancer::set_groups(call),
        "SetSubnets" => load_balancer::set_subnets(call),
        "DescribeLoadBalancerAttributes" => load_balancer::attributes(call),
        "ModifyLoadBalancerAttributes" => load_balancer::modify_attributes(call),
        "DescribeCapacityReservation" => load_balancer::capacity_reservation(call),
        "CreateListener" => listener::create(call),
        "DescribeListeners" => listener::describe(call),
        "ModifyListener" => listener::modify(call),
        "DeleteListener" => listener::delete(call),
        "DescribeListenerCertificates" => listener::certificates(call),
        "AddListenerCertificates" => listener::add_certificates(call),
        "RemoveListenerCertificates" => listener::remove_certificates(call),
        "DescribeListenerAttributes" => listener_attributes::describe(call),
        "ModifyListenerAttributes" => listener_attributes::modify(call),
        "CreateRule" => rule::create(call),
        "DescribeRules" => rule::describe(call),
        "ModifyRule" => rule::modify(call),
        "DeleteRule" => rule::delete(call),
        "SetRulePriorities" => rule::set_priorities(call),
        "CreateTargetGroup" => target_group::create(call),
        "DescribeTargetGroups" => target_group::describe(call),
        "ModifyTargetGroup" => target_group::modify(call),
        "DeleteTargetGroup" => target_group::delete(call),
        "DescribeTargetGroupAttributes" => target_group::attributes(call),
        "ModifyTargetGroupAttributes" => target_group::modify_attributes(call),
        "RegisterTargets" => target_group::register_targets(call),
        "DeregisterTargets" => target_group::deregister_targets(call),
        "DescribeTargetHealth" => target_group::health(call),
        "DescribeTags" => tagging::describe(call),
        "AddTags" => tagging::add(call),
        "RemoveTags" => tagging::remove(call),
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// A page as this service gives it: `NextMarker`, 400 items unless `PageSize` says less.
fn paged<T>(
    call: &Call<'_>,
    member: &str,
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    view: impl Fn(&T) -> Value,
) -> Answer {
    let Page { items, next } = page(
        items,
        key,
        call.text("Marker"),
        limit(call, "PageSize", 400).min(400),
        || validation("The marker is not valid."),
    )?;
    answer(json!({ member: items.iter().map(view).collect::<Vec<_>>(), "NextMarker": next }))
}

/// The same from the documents of a kind, without reading those of other pages.
fn paged_of<T: serde::de::DeserializeOwned>(
    call: &Call<'_>,
    member: &str,
    kind: &str,
    view: impl Fn(&T) -> Answer,
) -> Answer {
    let Page { items, next } = page_of(
        call,
        (kind, ""),
        |_| Ok(true),
        call.text("Marker"),
        limit(call, "PageSize", 400).min(400),
        || validation("The marker is not valid."),
    )?;
    let views = items.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    answer(json!({ member: views, "NextMarker": next }))
}

/// The rules for the names of load balancers and target groups.
fn check_name(noun: &str, name: &str) -> Result<(), Fault> {
    if name.len() > 32 {
        return Err(validation(&format!(
            "The {noun} name '{name}' cannot be longer than '32' characters"
        )));
    }
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(validation(&format!(
            "The {noun} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(validation(&format!(
            "The {noun} name '{name}' cannot begin or end with a hyphen(-)"
        )));
    }
    if name.starts_with("internal-") {
        return Err(validation(&format!(
            "The {noun} name '{name}' cannot begin with 'internal-'"
        )));
    }
    Ok(())
}

/// Reads and checks the tags of a create call.
fn wanted_tags(call: &Call<'_>) -> Result<tags::Tags, Fault> {
    let list = call.list("Tags");
    let wanted = tags::from_list(list);
    if wanted.len() != list.len() {
        return Err(Fault::new("DuplicateTagKeys", "Tag keys must be unique."));
    }
    if wanted.len() > tags::MOST {
        return Err(Fault::new(
            "TooManyTags",
            "You've reached the limit on the number of tags per resource.",
        ));
    }
    tags::check(&wanted).map_err(|message| validation(&message))?;
    Ok(wanted)
}

/// Attributes as the service lists them.
fn attribute_list(attributes: &Map<String, Value>) -> Value {
    attributes
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}

/// Ranges of attributes: TargetGroupAttribute and LoadBalancerAttribute of the API reference.
const RANGES: &[(&str, std::ops::RangeInclusive<u64>)] = &[
    ("client_keep_alive.seconds", 60..=604_800),
    ("deregistration_delay.timeout_seconds", 0..=3600),
    ("idle_timeout.timeout_seconds", 1..=4000),
    ("slow_start.duration_seconds", 0..=900),
    ("stickiness.app_cookie.duration_seconds", 1..=604_800),
    ("stickiness.lb_cookie.duration_seconds", 1..=604_800),
];

/// Takes over the attributes of a call, refusing those that the resource does not have.
fn change_attributes(call: &Call<'_>, attributes: &mut Map<String, Value>) -> Result<(), Fault> {
    for attribute in call.list("Attributes") {
        let key = attribute["Key"].as_str().unwrap_or_default();
        let value = attribute["Value"].as_str().unwrap_or_default();
        let Some(current) = attributes.get_mut(key) else {
            return Err(validation(&format!("Attribute key '{key}' is not recognized")));
        };
        // What is a boolean or a number stays one.
        let before = current.as_str().unwrap_or_default();
        let boolean = matches!(before, "true" | "false");
        let number = before.parse::<u64>().is_ok();
        let range = RANGES.iter().find(|(name, _)| *name == key).map(|(_, range)| range);
        let fits = |value: u64| range.is_none_or(|range| range.contains(&value));
        if (boolean && !matches!(value, "true" | "false")) || (number && !value.parse::<u64>().is_ok_and(fits)) {
            return Err(validation(&format!(
                "'{value}' is not a valid value of attribute '{key}'"
            )));
        }
        *current = json!(value);
    }
    Ok(())
}

fn validation(message: &str) -> Fault {
    Fault::new("ValidationError", message)
}
