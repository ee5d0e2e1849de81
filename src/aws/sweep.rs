//! Finds whatever carries the environment's tags, also what no kind lists.
//!
//! Source: Resource Groups Tagging API, GetResources. It lags behind the services and knows neither IAM roles nor what
//! was never tagged, so it finds leftovers and never proves absence.

use std::collections::HashSet;

use aws_sdk_ec2::types::{Filter, NatGatewayState};

use super::Aws;
use super::error::Call;
use crate::error::Result;
use crate::resource::{Scope, Tags};

/// The ARNs, of every page, without the NAT gateways that are deleted: EC2 keeps these, tags and all, for about an hour,
/// so that a second destroy within the hour would find them. Source: VPC User Guide, "NAT gateway basics".
pub async fn sweep(aws: &Aws, scope: &Scope) -> Result<Vec<String>> {
    const NAT: &str = ":natgateway/";
    let found = tagged(aws, scope, None).await?;
    let mut arns: Vec<String> = found.into_iter().map(|(arn, _)| arn).collect();
    let id = |arn: &str| arn.split_once(NAT).map(|(_, id)| id.to_owned());
    let gateways: Vec<String> = arns.iter().filter_map(|arn| id(arn)).collect();
    let mut alive = HashSet::new();
    // DescribeNatGateways takes 200 values in a filter.
    for some in gateways.chunks(200) {
        let by_id = Filter::builder().name("nat-gateway-id").set_values(Some(some.to_vec()));
        let pages = aws.ec2.describe_nat_gateways().filter(by_id.build());
        let answer = pages.into_paginator().items().send().try_collect().await;
        for gateway in answer.call("ec2:DescribeNatGateways")? {
            if gateway.state() != Some(&NatGatewayState::Deleted) {
                alive.extend(gateway.nat_gateway_id);
            }
        }
    }
    arns.retain(|arn| id(arn).is_none_or(|id| alive.contains(&id)));
    Ok(arns)
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
