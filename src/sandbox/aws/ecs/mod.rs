//! Elastic Container Service on Fargate: clusters, task definitions, services, deployments, tasks.
//!
//! Source: the Amazon ECS API reference and developer guide. No container runs: a task is its time line, computed from
//! the moment at which it started ([`task`]). What happens in between, a scheduler replays up to now before each answer
//! ([`scheduler`]), so that the state is right whoever asks, and whenever.

mod cluster;
mod definition;
mod deployment;
mod scheduler;
mod service;
mod start;
mod task;

use serde_json::{Value, json};

use super::answers::{Page, answer, limit, page, page_of};
use super::call::{Answer, Call, Fault};
use super::dispatch;
use super::tags::{self, Tags};

pub use scheduler::settle;
pub use service::{behind, wake};

pub fn handle(call: &mut Call<'_>) -> Answer {
    settle(call)?;
    match call.operation {
        "CreateCluster" => cluster::create(call),
        "DescribeClusters" => cluster::describe(call),
        "ListClusters" => cluster::list(call),
        "UpdateCluster" | "UpdateClusterSettings" => cluster::update(call),
        "DescribeCapacityProviders" => cluster::describe_providers(call),
        "PutClusterCapacityProviders" => cluster::put_capacity_providers(call),
        "DeleteCluster" => cluster::delete(call),
        "RegisterTaskDefinition" => definition::register(call),
        "DescribeTaskDefinition" => definition::describe(call),
        "ListTaskDefinitions" => definition::list(call),
        "ListTaskDefinitionFamilies" => definition::list_families(call),
        "DeregisterTaskDefinition" => definition::deregister(call),
        "DeleteTaskDefinitions" => definition::delete(call),
        "CreateService" => service::create(call),
        "UpdateService" => service::update(call),
        "DeleteService" => service::delete(call),
        "DescribeServices" => service::describe(call),
        "ListServices" => service::list(call),
        "ListServiceDeployments" => deployment::list(call),
        "DescribeServiceDeployments" => deployment::describe(call),
        "DescribeServiceRevisions" => deployment::describe_revisions(call),
        "StopServiceDeployment" => deployment::stop(call),
        "RunTask" => task::run(call),
        "StopTask" => task::stop_one(call),
        "DescribeTasks" => task::describe(call),
        "ListTasks" => task::list(call),
        "TagResource" => {
            let arn = tagged(call)?;
            let added = wanted_tags(call)?;
            let mut all = tags::of(call, &arn)?;
            all.extend(added.clone());
            if all.len() > tags::MOST {
                return Err(invalid("Too many tags: a resource can have no more than 50."));
            }
            tags::put(call, &arn, &added)?;
            answer(json!({}))
        }
        "UntagResource" => {
            let arn = tagged(call)?;
            tags::remove(call, &arn, &call.texts("tagKeys"))?;
            answer(json!({}))
        }
        "ListTagsForResource" => {
            let arn = tagged(call)?;
            answer(json!({ "tags": tags::to_lower_list(&tags::of(call, &arn)?) }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// A page of ARNs as this service gives it.
fn paged(call: &Call<'_>, member: &str, arns: Vec<(String, Value)>, default: usize) -> Answer {
    let limit = limit(call, "maxResults", default);
    if limit > 100 {
        return Err(invalid("maxResults must be between 1 and 100."));
    }
    let Page { items, next } = page(
        arns,
        |(key, _)| key.clone(),
        call.text("nextToken"),
        limit,
        || invalid("Invalid token"),
    )?;
    answer(json!({ member: items.into_iter().map(|(_, view)| view).collect::<Vec<_>>(), "nextToken": next }))
}

/// The same from the documents of a kind whose id begins with `prefix`, without reading those of other pages.
fn paged_of<T: serde::de::DeserializeOwned>(
    call: &Call<'_>,
    member: &str,
    of: (&str, &str),
    default: usize,
    keep: impl Fn(&T) -> bool,
    arn: impl Fn(&T) -> &str,
) -> Answer {
    let limit = limit(call, "maxResults", default);
    if limit > 100 {
        return Err(invalid("maxResults must be between 1 and 100."));
    }
    let Page { items, next } = page_of(
        call,
        of,
        |item| Ok(keep(item)),
        call.text("nextToken"),
        limit,
        || invalid("Invalid token"),
    )?;
    answer(json!({ member: items.iter().map(arn).collect::<Vec<_>>(), "nextToken": next }))
}

/// The last part of an ARN, or the name itself.
fn name_in(arn_or_name: &str) -> &str {
    arn_or_name.rsplit('/').next().unwrap_or_default()
}

/// What `include` asks for.
fn includes(call: &Call<'_>, what: &str) -> bool {
    call.list("include").iter().any(|item| item == what)
}

fn missing(arn: &str) -> Value {
    json!({ "arn": arn, "reason": "MISSING" })
}

fn wanted_tags(call: &Call<'_>) -> Result<Tags, Fault> {
    let wanted = tags::from_list(call.list("tags"));
    tags::check(&wanted).map_err(|message| invalid(&message))?;
    Ok(wanted)
}

/// The resource whose tags a call is about, which must be there.
fn tagged(call: &Call<'_>) -> Result<String, Fault> {
    let arn = call.text("resourceArn");
    let rest = arn.splitn(6, ':').nth(5).unwrap_or_default();
    if !KINDS.contains(&rest.split('/').next().unwrap_or_default()) {
        return Err(invalid("The resource ARN is not valid."));
    }
    if has(call, arn, rest)? {
        return Ok(arn.to_owned());
    }
    Err(invalid("The specified resource cannot be found."))
}

/// What can have tags.
const KINDS: &[&str] = &["cluster", "service", "task", "task-definition"];

/// Whether there is what an ARN names; `rest` is what stands behind the account in it.
pub fn has(call: &Call<'_>, arn: &str, rest: &str) -> Result<bool, Fault> {
    let (kind, name) = rest.split_once('/').unwrap_or_default();
    Ok(match kind {
        "cluster" => cluster::find(call, name)?.is_some(),
        "service" => service::find(call, name)?.is_some_and(|service| service.status != "INACTIVE"),
        "task" => task::find(call, name)?.is_some(),
        "task-definition" => definition::find(call, arn)?.is_some(),
        _ => false,
    })
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn client(message: &str) -> Fault {
    Fault::new("ClientException", message)
}
