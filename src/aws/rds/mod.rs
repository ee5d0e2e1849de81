//! RDS: a database server of the environment's own.
//!
//! DescribeDBInstances and DescribeDBSnapshots tell tags; the listings of subnet, parameter and option groups do not, so
//! what is ours of those is found by its name at the service, `PROJECT-ENV-NAME`, and then by its tags, read only for
//! names that can be ours. Source of limits, states and error codes: the RDS API reference, version 2014-10-31, and the
//! RDS User Guide where it is named.

pub mod db_instance;
pub mod db_parameter_group;
pub mod db_snapshot;
pub mod db_subnet_group;
pub mod option_group;
#[cfg(test)]
mod tests;
pub mod verbs;

use aws_sdk_rds::types::Tag;

use crate::aws::error::Call;
use crate::aws::named::check_lower as check_name;
use crate::aws::{Aws, tags};
use crate::error::{Error, Result};
use crate::resource::{Scope, Tags};

/// The tags of one resource; `None` when it was deleted between the listing and this call.
async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let call = aws.rds.list_tags_for_resource().resource_name(arn);
    match call.send().await.call("rds:ListTagsForResource") {
        Ok(answer) => Ok(Some(read_tags(answer.tag_list()))),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_tags(list: &[Tag]) -> Tags {
    tags::read(list, |tag| (tag.key(), tag.value()))
}

fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags::write(tags, |key, value| Tag::builder().key(key).value(value).build())
}

/// Sets and removes tags. Both calls say what is, so that they can be repeated.
async fn retag(aws: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<()> {
    if !set.is_empty() {
        let call = aws.rds.add_tags_to_resource().resource_name(arn);
        let answer = call.set_tags(Some(tag_list(set))).send().await;
        answer.call("rds:AddTagsToResource")?;
    }
    if !remove.is_empty() {
        let call = aws.rds.remove_tags_from_resource().resource_name(arn);
        let answer = call.set_tag_keys(Some(remove.to_vec())).send().await;
        answer.call("rds:RemoveTagsFromResource")?;
    }
    Ok(())
}

/// `DBInstanceNotFound`, `DBSubnetGroupNotFoundFault` and their kin.
fn is_not_found(error: &Error) -> bool {
    error.code().contains("NotFound")
}

/// `None` for what is not there.
fn present<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A description that is there although the user gave none: the API demands one.
fn description(given: Option<&str>, scope: &Scope, name: &str) -> String {
    match given {
        Some(given) => given.to_owned(),
        None => format!("{name} of {} {}", scope.project, scope.environment),
    }
}

/// The API's whole numbers are signed.
fn whole(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
