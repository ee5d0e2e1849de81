//! Filters and pages.

use aws_sdk_ec2::types::{Filter, ResourceType};

use super::*;

fn filter(name: &str, values: &[&str]) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.iter().map(|value| (*value).to_owned()).collect()))
        .build()
}

#[tokio::test]
async fn filters_are_joined() {
    let cloud = Cloud::new();
    let make = async |block: &str, environment: &str| {
        let tags = tagged(ResourceType::Vpc, &[("iacsh:env", environment), ("Name", block)]);
        let made = cloud
            .ec2
            .create_vpc()
            .cidr_block(block)
            .tag_specifications(tags)
            .send()
            .await
            .unwrap();
        made.vpc.unwrap().vpc_id.unwrap()
    };
    let (staging, production) = (
        make("10.0.0.0/16", "staging").await,
        make("10.1.0.0/16", "production").await,
    );
    let find = async |filters: Vec<Filter>| {
        let listed = cloud
            .ec2
            .describe_vpcs()
            .set_filters(Some(filters))
            .send()
            .await
            .unwrap();
        listed
            .vpcs()
            .iter()
            .map(|vpc| vpc.vpc_id().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        find(vec![filter("tag:iacsh:env", &["staging"])]).await,
        [staging.as_str()]
    );
    assert_eq!(
        find(vec![filter("tag:iacsh:env", &["prod*", "none"])]).await,
        [production.as_str()]
    );
    assert_eq!(
        find(vec![filter("tag-key", &["Name"])]).await,
        [staging.clone(), production.clone()]
    );
    let both = vec![filter("tag-key", &["Name"]), filter("cidr", &["10.1.0.0/16"])];
    assert_eq!(find(both).await, [production]);
    assert!(find(vec![filter("is-default", &["true"])]).await.is_empty());
    let unknown = cloud
        .ec2
        .describe_vpcs()
        .filters(filter("colour", &["red"]))
        .send()
        .await;
    assert_eq!(
        refused(unknown),
        ("InvalidParameterValue".into(), "The filter 'colour' is invalid".into())
    );
    let empty = cloud.ec2.describe_vpcs().filters(filter("state", &[])).send().await;
    assert_eq!(code(empty), "MissingParameter");
}

#[tokio::test]
async fn listings_come_in_pages() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let mut made = Vec::new();
    for number in 0..12 {
        made.push(cloud.subnet(&vpc, &format!("10.0.{number}.0/24")).await);
    }
    let mut pages = cloud.ec2.describe_subnets().max_results(5).into_paginator().send();
    let mut sizes = Vec::new();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.subnets().len());
        listed.extend(
            page.subnets()
                .iter()
                .map(|subnet| subnet.subnet_id().unwrap().to_owned()),
        );
    }
    assert_eq!(sizes, [5, 5, 2]);
    assert_eq!(listed, made);
    assert_eq!(
        code(cloud.ec2.describe_subnets().max_results(3).send().await),
        "InvalidParameterValue"
    );
    let foreign = cloud
        .ec2
        .describe_subnets()
        .max_results(5)
        .next_token("nonsense")
        .send()
        .await;
    assert_eq!(code(foreign), "InvalidParameterValue");
}
