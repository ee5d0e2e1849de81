//! ElastiCache: Redis and Valkey.
//!
//! Its listings tell no tags, so what is ours is found by its name at the service, `PROJECT-ENV-NAME`, and then by its
//! tags: the Tagging API tells them all at once, and what it lacks is read singly. Source of limits, states and error codes: the ElastiCache API reference,
//! version 2015-02-02.

pub mod cache_parameter_group;
pub mod cache_subnet_group;
pub mod replication_group;
#[cfg(test)]
mod tests;
pub mod verbs;

use aws_sdk_elasticache::types::Tag;

use crate::aws::error::Call;
pub(crate) use crate::aws::named::check_lower as check_name;
use crate::aws::shared::KnownTags;
use crate::aws::{Aws, tags};
use crate::error::{Error, Result};
use crate::resource::{Scope, Tags};

/// What reading the tags of one resource gave.
pub(crate) enum TagsOf {
    Known(Tags),
    /// Deleted between the listing and this call.
    Gone,
    /// The service does not tell while the resource is being made or changed.
    NotNow,
}

/// The tags of one that was found by its name.
///
/// # Errors
/// The service does not tell them now.
async fn told_tags(aws: &Aws, id: &str, arn: &str) -> Result<Tags> {
    match read_tags(aws, arn).await? {
        TagsOf::Known(tags) => Ok(tags),
        TagsOf::Gone | TagsOf::NotNow => Err(Error::failed(format!("the service does not tell the tags of {id} now"))),
    }
}

/// The tags of one that was listed: as `known` has them, else as the service tells them.
pub(crate) async fn tags_of(aws: &Aws, known: &KnownTags, arn: &str) -> Result<TagsOf> {
    match known.of(arn) {
        Some(tags) => Ok(TagsOf::Known(tags)),
        None => read_tags(aws, arn).await,
    }
}

/// The tags as the service tells them.
pub(crate) async fn tags_now(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    Ok(match read_tags(aws, arn).await? {
        TagsOf::Known(tags) => Some(tags),
        TagsOf::Gone | TagsOf::NotNow => None,
    })
}

async fn read_tags(aws: &Aws, arn: &str) -> Result<TagsOf> {
    let answer = aws
        .elasticache
        .list_tags_for_resource()
        .resource_name(arn)
        .send()
        .await
        .call("elasticache:ListTagsForResource");
    match answer {
        Ok(answer) => Ok(TagsOf::Known(tags::read(answer.tag_list(), |tag| {
            (tag.key(), tag.value())
        }))),
        Err(error) if is_not_found(&error) => Ok(TagsOf::Gone),
        Err(error) if error.code().contains("InvalidReplicationGroupState") => Ok(TagsOf::NotNow),
        Err(error) => Err(error),
    }
}

/// The tags of one of our own, after its creation.
pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags::write(tags, |key, value| Tag::builder().key(key).value(value).build())
}

pub(crate) async fn retag(aws: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<()> {
    if !set.is_empty() {
        aws.elasticache
            .add_tags_to_resource()
            .resource_name(arn)
            .set_tags(Some(tag_list(set)))
            .send()
            .await
            .call("elasticache:AddTagsToResource")?;
    }
    if !remove.is_empty() {
        aws.elasticache
            .remove_tags_from_resource()
            .resource_name(arn)
            .set_tag_keys(Some(remove.to_vec()))
            .send()
            .await
            .call("elasticache:RemoveTagsFromResource")?;
    }
    Ok(())
}

/// `CacheSubnetGroupNotFoundFault`, `CacheParameterGroupNotFound`, `ReplicationGroupNotFoundFault` and their kin.
pub(crate) fn is_not_found(error: &Error) -> bool {
    error.code().contains("NotFound")
}

/// A description that is there although the user gave none: the API demands one.
pub(crate) fn description(given: Option<&str>, scope: &Scope, name: &str) -> String {
    match given {
        Some(given) => given.to_owned(),
        None => format!("{name} of {} {}", scope.project, scope.environment),
    }
}
