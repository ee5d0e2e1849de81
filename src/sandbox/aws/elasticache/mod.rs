//! ElastiCache: replication groups of Redis OSS and Valkey with cluster mode disabled, their member clusters, subnet
//! groups, parameter groups, events.
//!
//! Source: the ElastiCache API reference, version 2015-02-02. Snapshots, serverless caches, users, global data stores
//! and sharding are refused by name.

mod engine;
mod event;
mod parameter_group;
mod replication_group;
mod subnet_group;
mod view;

use serde_json::{Value, json};

use super::answers::{Page, answer, limit, page, page_of};
use super::call::{Answer, Call, Fault};
use super::dispatch;
use super::tags::{self, Tags};

pub fn handle(call: &mut Call<'_>) -> Answer {
    replication_group::settle(call)?;
    match call.operation {
        "CreateReplicationGroup" => replication_group::create(call),
        "DescribeReplicationGroups" => replication_group::describe(call),
        "ModifyReplicationGroup" => replication_group::modify(call),
        "DeleteReplicationGroup" => replication_group::delete(call),
        "IncreaseReplicaCount" | "DecreaseReplicaCount" => replication_group::set_replicas(call),
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
        "DeleteCacheParameterGroup" => parameter_group::delete(call),
        "DescribeCacheEngineVersions" => engine::describe(call),
        "DescribeEvents" => event::describe(call),
        // No snapshot can be made here, so none is there.
        "DescribeSnapshots" => match call.text("SnapshotName") {
            "" => answer(json!({ "Snapshots": [] })),
            name => Err(Fault::new("SnapshotNotFoundFault", format!("Snapshot not found: {name}")).status(404)),
        },
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
    let limit = limit(call, "MaxRecords", 100);
    if !(20..=100).contains(&limit) {
        return Err(invalid(&format!("MaxRecords must be between 20 and 100, not {limit}.")));
    }
    let Page { items, next } = page(
        items,
        |(key, _)| key.clone(),
        call.text("Marker"),
        limit,
        || invalid("The marker is invalid."),
    )?;
    answer(json!({ member: items.into_iter().map(|(_, view)| view).collect::<Vec<_>>(), "Marker": next }))
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
    let Page { items, next } = page_of(
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
    let mut parts = arn.split(':').skip(5);
    match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
        ("replicationgroup", name) => {
            replication_group::existing(call, name)?;
        }
        ("cluster", name) => {
            replication_group::of_cluster(call, name)?;
        }
        ("subnetgroup", name) => {
            subnet_group::existing(call, name)?;
        }
        ("parametergroup", name) => {
            parameter_group::existing(call, name)?;
        }
        _ => return Err(Fault::new("InvalidARN", format!("The ARN {arn} is invalid."))),
    }
    Ok(arn.to_owned())
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
