//! The Resource Groups Tagging API: one listing of what every service tagged.
//!
//! Source: Resource Groups Tagging API reference, `GetResources` (50 resources a page unless told otherwise, the token
//! of the last page is empty), `TagResources`, `UntagResources`, `GetTagKeys`, `GetTagValues`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::call::{Answer, Call, Fault};
use super::tags::{self, Tags};
use super::{dispatch, ec2, ecr, ecs, elasticache, elb, logs, page, secrets, ssm};

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "GetResources" => resources(call),
        "GetTagKeys" => {
            let keys = tags::all(call)?.into_iter().flat_map(|(_, tags)| tags.into_keys());
            listing(call, "TagKeys", keys.collect())
        }
        "GetTagValues" => {
            let key = call.text("Key");
            let values = tags::all(call)?
                .into_iter()
                .filter_map(|(_, mut tags)| tags.remove(key));
            listing(call, "TagValues", values.collect())
        }
        "TagResources" => {
            let added = tags::from_map(call.input.get("Tags"));
            tags::check(&added).map_err(|message| Fault::new("InvalidParameterException", message))?;
            each(call, |call, arn| {
                let mut all = tags::of(call, arn)?;
                all.extend(added.clone());
                tags::check(&all).map_err(|message| Fault::new("InvalidParameterException", message))?;
                tags::put(call, arn, &added)
            })
        }
        "UntagResources" => {
            let keys = call.texts("TagKeys");
            each(call, |call, arn| tags::remove(call, arn, &keys))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

fn resources(call: &Call<'_>) -> Answer {
    for parameter in ["IncludeComplianceDetails", "ExcludeCompliantResources"] {
        if call.flag(parameter) {
            return Err(invalid(format!(
                "not in the sandbox: the parameter {parameter} of tagging:GetResources"
            )));
        }
    }
    let arns = call.texts("ResourceARNList");
    let types = call.texts("ResourceTypeFilters");
    let filters = call.list("TagFilters");
    if !arns.is_empty() && (!types.is_empty() || !filters.is_empty() || call.input.contains_key("ResourcesPerPage")) {
        return Err(invalid("ResourceARNList cannot be combined with filters or pages."));
    }
    let keep = |arn: &str, tags: &Tags| {
        (arns.is_empty() || arns.iter().any(|wanted| wanted == arn))
            && (types.is_empty() || types.iter().any(|wanted| is_of_type(arn, wanted)))
            && filters.iter().all(|filter| accepts(filter, tags))
    };
    let limit = call
        .int("ResourcesPerPage")
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(invalid("ResourcesPerPage must be between 1 and 100."));
    }
    let service = match types.as_slice() {
        [one] => one.split(':').next(),
        _ => None,
    };
    let (page, next) = tags::page(call, service, (limit, call.text("PaginationToken")), keep, expired)?;
    let list: Vec<Value> = page
        .iter()
        .map(|(arn, tags)| json!({ "ResourceARN": arn, "Tags": tags::to_list(tags) }))
        .collect();
    Ok(json!({ "ResourceTagMappingList": list, "PaginationToken": next.unwrap_or_default() }))
}

/// Values of one filter are joined with OR; a filter without values asks for the key.
fn accepts(filter: &Value, tags: &Tags) -> bool {
    let key = filter.get("Key").and_then(Value::as_str).unwrap_or_default();
    let values = filter
        .get("Values")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    tags.get(key)
        .is_some_and(|tag| values.is_empty() || values.iter().any(|value| value.as_str() == Some(tag)))
}

/// `ec2` or `ec2:vpc`, against `arn:aws:ec2:REGION:ACCOUNT:vpc/ID`.
fn is_of_type(arn: &str, wanted: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or_default();
    let resource = parts.nth(2).unwrap_or_default();
    match wanted.split_once(':') {
        None => service == wanted,
        Some((of, kind)) => {
            let rest = resource.strip_prefix(kind);
            of == service && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        }
    }
}

fn listing(call: &Call<'_>, member: &str, all: BTreeSet<String>) -> Answer {
    let (page, next) = cut(call, all.into_iter().collect(), 1000, String::clone)?;
    Ok(json!({ member: page, "PaginationToken": next }))
}

fn cut<T>(call: &Call<'_>, items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Result<(Vec<T>, String), Fault> {
    page::cut(items, limit, call.text("PaginationToken"), key)
        .map(|(page, next)| (page, next.unwrap_or_default()))
        .map_err(|_| expired())
}

fn expired() -> Fault {
    Fault::new("PaginationTokenExpiredException", "The pagination token is not valid.")
}

/// Does something to each resource; what fails is told for each of them, and the others are done.
fn each(call: &Call<'_>, change: impl Fn(&Call<'_>, &str) -> Result<(), Fault>) -> Answer {
    let mut failed = Map::new();
    for arn in call.texts("ResourceARNList") {
        if let Err(fault) = is_known(call, &arn).and_then(|()| change(call, &arn)) {
            failed.insert(
                arn,
                json!({
                    "StatusCode": fault.status,
                    // There are only these two here.
                    "ErrorCode": if fault.status < 500 { "InvalidParameterException" } else { "InternalServiceException" },
                    "ErrorMessage": fault.message,
                }),
            );
        }
    }
    Ok(json!({ "FailedResourcesMap": failed }))
}

/// Only what exists can be tagged. What has tags exists; of what has none, its service is asked.
fn is_known(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    if !tags::of(call, arn)?.is_empty() {
        return Ok(());
    }
    let [_, _, service, region, account, rest] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return Err(invalid(format!("{arn} is not a valid ARN")));
    };
    if account != call.account || region != call.region {
        return Err(invalid(format!("{arn} is not of this account and region")));
    }
    let known = match service {
        "ecs" => Some(ecs::has(call, arn, rest)?),
        "ecr" => Some(ecr::has(call, rest)?),
        "elasticache" => Some(elasticache::has(call, rest)),
        "elasticloadbalancing" => Some(elb::has(call, arn)?),
        "logs" => Some(logs::has(call, rest)?),
        "secretsmanager" => Some(secrets::has(call, arn)?),
        "ssm" => Some(ssm::has(call, rest)?),
        _ => None,
    };
    match known {
        Some(true) => return Ok(()),
        Some(false) => return Err(invalid(format!("{arn} does not exist"))),
        None => (),
    }
    match arn
        .strip_prefix(&call.arn("ec2", ""))
        .and_then(|rest| rest.split_once('/'))
    {
        Some((_, id)) if ec2::tags::find(call, id)? == arn => Ok(()),
        Some(_) => Err(invalid(format!("{arn} does not exist"))),
        None => Err(invalid(format!(
            "not in the sandbox: the first tag of {arn} through the Tagging API; use the service's own call"
        ))),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use super::is_of_type;

    #[test]
    fn types_are_read_from_arns() {
        let vpc = "arn:aws:ec2:us-east-1:000000000000:vpc/vpc-1";
        let secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-Ab12";
        assert!(is_of_type(vpc, "ec2") && is_of_type(vpc, "ec2:vpc") && is_of_type(secret, "secretsmanager:secret"));
        assert!(!is_of_type(vpc, "ec2:subnet") && !is_of_type(vpc, "ecs") && !is_of_type(vpc, "ec2:vp"));
    }
}
