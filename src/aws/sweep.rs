//! Finds whatever carries the environment's tags, also what no kind lists.
//!
//! Source: Resource Groups Tagging API, GetResources. It lags behind the services and knows neither IAM roles nor what
//! was never tagged, so it finds leftovers and never proves absence.

use aws_sdk_ecs::types::TaskDefinitionStatus;
use futures::future::try_join_all;

use super::Aws;
use super::error::Call;
use crate::error::{Error, Result};
use crate::resource::{Scope, Tags};

/// The ARNs, of every page.
pub async fn sweep(aws: &Aws, scope: &Scope) -> Result<Vec<String>> {
    let found = tagged(aws, scope, None).await?;
    let found = try_join_all(found.into_iter().map(async |(arn, _)| {
        let is_gone = arn.contains(":task-definition/") && !is_active(aws, &arn).await?;
        Ok::<_, Error>((!is_gone).then_some(arn))
    }));
    Ok(found.await?.into_iter().flatten().collect())
}

/// A task definition keeps its tags when it has been deregistered, and while it is being deleted, which ECS does in its own
/// time.
async fn is_active(aws: &Aws, arn: &str) -> Result<bool> {
    let answer = aws.ecs.describe_task_definition().task_definition(arn).send().await;
    match answer.call("ecs:DescribeTaskDefinition") {
        Ok(answer) => {
            Ok(answer.task_definition().and_then(|task| task.status()) == Some(&TaskDefinitionStatus::Active))
        }
        Err(error) if error.code() == "ClientException" => Ok(false),
        Err(error) => Err(error),
    }
}

/// What carries the environment's tags, with all its tags; of one type, as `ssm:parameter`, or of all.
pub async fn tagged(aws: &Aws, scope: &Scope, of_type: Option<&str>) -> Result<Vec<(String, Tags)>> {
    use aws_sdk_resourcegroupstagging::types::TagFilter;
    let filters = scope
        .filter()
        .map(|(key, value)| TagFilter::builder().key(key).values(value).build());
    let pages = aws
        .tagging
        .get_resources()
        .set_tag_filters(Some(filters.to_vec()))
        .set_resource_type_filters(of_type.map(|of_type| vec![of_type.to_owned()]));
    let found = pages.into_paginator().items().send().try_collect().await;
    let found = found.call("tag:GetResources")?;
    Ok(found
        .iter()
        .filter_map(|resource| {
            let tags = super::tags::read(resource.tags(), |tag| (Some(tag.key()), Some(tag.value())));
            Some((resource.resource_arn()?.to_owned(), tags))
        })
        .collect())
}
