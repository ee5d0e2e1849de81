//! ECS: clusters, task definitions and services on Fargate. Source of limits, states and error codes: the ECS API
//! reference, version 2014-11-13.

pub mod cluster;
pub mod service;
pub mod task_definition;
#[cfg(test)]
mod tests;
pub mod verbs;

use aws_sdk_ecs::types::Tag;

use crate::aws::error::Call;
use crate::aws::{Aws, tags};
use crate::error::{Error, Result};
use crate::resource::{Scope, Tags};

/// CreateCluster, CreateService and RegisterTaskDefinition: "Up to 255 letters (uppercase and lowercase), numbers,
/// underscores, and hyphens are allowed."
const LONGEST_NAME: usize = 255;

pub(crate) fn check_name(scope: &Scope, name: &str, what: &str) -> Result<()> {
    let physical = scope.physical(name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if physical.len() > LONGEST_NAME {
        return Err(Error::failed(format!(
            "the name of a {what} has at most {LONGEST_NAME} characters, \"{physical}\" has {}",
            physical.len()
        )));
    }
    match physical.chars().all(allowed) {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "the name of a {what}, here \"{physical}\", may have only letters, digits, hyphens and underscores"
        ))),
    }
}

/// The last part of an ARN, or the whole of what is a name already.
pub(crate) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

pub(crate) fn read_tags(list: &[Tag]) -> Tags {
    tags::read(list, |tag| (tag.key(), tag.value()))
}

pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags::write(tags, |key, value| Tag::builder().key(key).value(value).build())
}

pub(crate) async fn retag(aws: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<()> {
    if !set.is_empty() {
        aws.ecs
            .tag_resource()
            .resource_arn(arn)
            .set_tags(Some(tag_list(set)))
            .send()
            .await
            .call("ecs:TagResource")?;
    }
    if !remove.is_empty() {
        aws.ecs
            .untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(remove.to_vec()))
            .send()
            .await
            .call("ecs:UntagResource")?;
    }
    Ok(())
}
