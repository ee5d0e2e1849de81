//! ElastiCache: replication groups of Redis OSS and Valkey with cluster mode disabled, their member clusters, subnet
//! groups, parameter groups, events.
//!
//! Source: the ElastiCache API reference, version 2015-02-02. Serverless caches, users, global data stores and sharding
//! are refused by name.

mod engine;
mod event;
mod node_type;
mod parameter_group;
mod replication_group;
mod snapshot;
mod subnet_group;
mod view;
mod window;

use serde_json::{Value, json};

use super::answers::{self, Page, answer, limit, page};
use super::call::{Answer, Call, Fault};
use super::dispatch;
use super::tags::{self, Tags};

pub fn handle(call: &mut Call<'_>) -> Answer {
    replication_group::settle(call)?;
    snapshot::settle(call)?;
    match call.operation {
        "CreateReplicationGroup" => replication_group::create(call),
        "DescribeReplicationGroups" => replication_group::describe(call),
        "ModifyReplicationGroup" => replication_group::modify(call),
        "DeleteReplicationGroup" => replication_group::delete(call),
        "IncreaseReplicaCount" | "DecreaseReplicaCount" => replication_group::set_replicas(call),
        "RebootCacheCluster" => replication_group::reboot(call),
        "ListAllowedNodeTypeModifications" => node_type::allowed_modifications(call),
        "TestFailover" => replication_group::test_failover(call),
        "DescribeCacheClusters" => replication_group::describe_clusters(call),
        "CreateCacheSubnetGroup" => subnet_group::create(call),
        "DescribeCacheSubnetGroups" => subnet_group::describe(call),
        "ModifyCacheSubnetGroup" => subnet_group::modify(call),
        "DeleteCacheSubnetGroup" => subnet_group::delete(call),
        "CreateCacheParameterGroup" => parameter_group::create(call),
        "DescribeCacheParameterGroups" => parameter_group::describe(call),
        "DescribeCacheParameters" => parameter_group::parameters(call),
        "ModifyCacheParameterGroup" => parameter_group::modify(call),
        "ResetCacheParameterGroup" => parameter_group::reset(call),
        "DescribeEngineDefaultParameters" => parameter_group::defaults(call),
        "DeleteCacheParameterGroup" => parameter_group::delete(call),
        "DescribeCacheEngineVersions" => engine::describe(call),
        "DescribeEvents" => event::describe(call),
        "CreateSnapshot" => snapshot::create(call),
        "DescribeSnapshots" => snapshot::describe(call),
        "DeleteSnapshot" => snapshot::delete(call),
        "AddTagsToResource" => {
            let arn = tagged(call)?;
            let added = wanted_tags(call)?;
            let mut all = tags::of(call, &arn)?;
            all.extend(added.clone());
            if all.len() > tags::MOST {
                return Err(Fault::new(
                    "TagQuotaPerResourceExceeded",
                    "The maximum number of tags per resource is 50.",
                ));
            }
            tags::put(call, &arn, &added)?;
            answer(json!({ "TagList": tags::to_list(&all) }))
        }
        "RemoveTagsFromResource" => {
            let arn = tagged(call)?;
            tags::remove(call, &arn, &call.texts("TagKeys"))?;
            answer(json!({ "TagList": tags::to_list(&tags::of(call, &arn)?) }))
        }
        "ListTagsForResource" => {
            let arn = tagged(call)?;
            answer(json!({ "TagList": tags::to_list(&tags::of(call, &arn)?) }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// A page as this service gives it: `Marker`, 100 items unless `MaxRecords` (20 to 100) says less.
fn paged(call: &Call<'_>, member: &str, items: Vec<(String, Value)>) -> Answer {
    paged_up_to(call, member, items, 100)
}

/// The same with another limit.
fn paged_up_to(call: &Call<'_>, member: &str, items: Vec<(String, Value)>, most: usize) -> Answer {
    let (items, next) = cut(call, items, most)?;
    answer(json!({ member: items, "Marker": next }))
}

fn cut(call: &Call<'_>, items: Vec<(String, Value)>, most: usize) -> Result<(Vec<Value>, Option<String>), Fault> {
    let limit = limit(call, "MaxRecords", most);
    if !(20..=most).contains(&limit) {
        return Err(invalid(&format!(
            "MaxRecords must be between 20 and {most}, not {limit}."
        )));
    }
    let Page { items, next } = page(
        items,
        |(key, _)| key.clone(),
        call.text("Marker"),
        limit,
        || invalid("The marker is invalid."),
    )?;
    Ok((items.into_iter().map(|(_, view)| view).collect(), next))
}

/// The same from the documents of a kind, without reading those of other pages.
fn paged_of<T: serde::de::DeserializeOwned>(
    call: &Call<'_>,
    member: &str,
    kind: &str,
    view: impl Fn(&T) -> Value,
) -> Answer {
    let limit = limit(call, "MaxRecords", 100);
    if !(20..=100).contains(&limit) {
        return Err(invalid(&format!("MaxRecords must be between 20 and 100, not {limit}.")));
    }
    let Page { items, next } = answers::page_of(
        call,
        (kind, ""),
        |_| Ok(true),
        call.text("Marker"),
        limit,
        || invalid("The marker is invalid."),
    )?;
    answer(json!({ member: items.iter().map(view).collect::<Vec<_>>(), "Marker": next }))
}

fn wanted_tags(call: &Call<'_>) -> Result<Tags, Fault> {
    let wanted = tags::from_list(call.list("Tags"));
    tags::check(&wanted).map_err(|message| invalid(&message))?;
    Ok(wanted)
}

/// The resource whose tags a call is about, which must be there.
fn tagged(call: &Call<'_>) -> Result<String, Fault> {
    let arn = call.text("ResourceName");
    check_there(call, arn.splitn(6, ':').nth(5).unwrap_or_default()).map_err(|fault| match fault.code.as_str() {
        "InvalidARN" => Fault::new("InvalidARN", format!("The ARN {arn} is invalid.")),
        _ => fault,
    })?;
    Ok(arn.to_owned())
}

/// Whether there is what an ARN names behind its account.
pub fn has(call: &Call<'_>, rest: &str) -> bool {
    check_there(call, rest).is_ok()
}

fn check_there(call: &Call<'_>, rest: &str) -> Result<(), Fault> {
    let (kind, name) = rest.split_once(':').unwrap_or_default();
    match kind {
        "replicationgroup" => replication_group::existing(call, name).map(|_| ()),
        "cluster" => replication_group::of_cluster(call, name).map(|_| ()),
        "subnetgroup" => subnet_group::existing(call, name).map(|_| ()),
        "parametergroup" => parameter_group::existing(call, name).map(|_| ()),
        "snapshot" => snapshot::existing(call, name).map(|_| ()),
        _ => Err(Fault::new(
            "InvalidARN",
            format!("{rest} is no resource of ElastiCache."),
        )),
    }
}

/// The rules for the names of groups: letters, digits and hyphens, beginning with a letter, no hyphen at the end, no two
/// in a row. They are kept in lower case.
fn check_name(noun: &str, name: &str, longest: usize) -> Result<String, Fault> {
    let right = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !right || name.len() > longest {
        return Err(invalid(&format!(
            "The parameter {noun} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII \
             letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens. (It is \
             '{name}', and {longest} characters are the most.)"
        )));
    }
    Ok(name.to_ascii_lowercase())
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

fn combination(message: &str) -> Fault {
    Fault::new("InvalidParameterCombination", message)
}
