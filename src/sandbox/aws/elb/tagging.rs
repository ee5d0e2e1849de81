//! Tags of load balancers, listeners, rules and target groups. This service does not return them with its listings.

use serde_json::json;

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{listener, load_balancer, rule, target_group, validation, wanted_tags};

/// "You can specify up to 20 resources in a single call", `DescribeTags`.
const MOST: usize = 20;

pub fn describe(call: &Call<'_>) -> Answer {
    let mut descriptions = Vec::new();
    for arn in resources(call)? {
        let tags = tags::to_list(&tags::of(call, &arn)?);
        descriptions.push(json!({ "ResourceArn": arn, "Tags": tags }));
    }
    answer(json!({ "TagDescriptions": descriptions }))
}

pub fn add(call: &Call<'_>) -> Answer {
    let added = wanted_tags(call)?;
    for arn in resources(call)? {
        let mut all = tags::of(call, &arn)?;
        all.extend(added.clone());
        if all.len() > tags::MOST {
            return Err(Fault::new(
                "TooManyTags",
                "You've reached the limit on the number of tags per resource.",
            ));
        }
        tags::put(call, &arn, &added)?;
    }
    answer(json!({}))
}

pub fn remove(call: &Call<'_>) -> Answer {
    let keys = call.texts("TagKeys");
    for arn in resources(call)? {
        tags::remove(call, &arn, &keys)?;
    }
    answer(json!({}))
}

/// The resources that the call names, all of which must be there.
fn resources(call: &Call<'_>) -> Result<Vec<String>, Fault> {
    let arns = call.texts("ResourceArns");
    if arns.len() > MOST {
        return Err(validation(&format!(
            "The maximum number of resources in a call is {MOST}, but {} are specified",
            arns.len()
        )));
    }
    for arn in &arns {
        check_there(call, arn)?;
    }
    Ok(arns)
}

/// Whether there is what an ARN names.
pub fn has(call: &Call<'_>, arn: &str) -> Result<bool, Fault> {
    match check_there(call, arn) {
        Ok(()) => Ok(true),
        Err(fault) if fault.status < 500 => Ok(false),
        Err(fault) => Err(fault),
    }
}

fn check_there(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let part = arn.split(':').nth(5).unwrap_or_default();
    match part.split('/').next().unwrap_or_default() {
        "loadbalancer" => load_balancer::find(call, arn)?
            .map(|_| ())
            .ok_or_else(|| load_balancer::not_found(arn)),
        "targetgroup" => target_group::find(call, arn)?
            .map(|_| ())
            .ok_or_else(|| target_group::not_found(arn)),
        "listener" => listener::existing(call, arn).map(|_| ()),
        "listener-rule" => rule::holder(call, arn).map(|_| ()),
        _ => Err(validation(&format!("'{arn}' is not a valid ARN of this service"))),
    }
}
