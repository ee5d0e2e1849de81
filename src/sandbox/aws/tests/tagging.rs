//! Tags, who calls, and the Tagging API.

use aws_sdk_ec2::types::{Filter, ResourceType};
use aws_sdk_resourcegroupstagging::types::TagFilter;

use super::*;

#[tokio::test]
async fn tags_are_set_at_creation_changed_and_removed() {
    let cloud = Cloud::new();
    let ec2 = &cloud.ec2;
    let made = ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .tag_specifications(tagged(ResourceType::Vpc, &[("owner", "a")]));
    let vpc = made.send().await.unwrap().vpc.unwrap();
    assert_eq!(vpc.tags()[0].value(), Some("a"));
    let id = vpc.vpc_id.unwrap();
    ec2.create_tags()
        .resources(&id)
        .tags(tag("owner", "b & <c>"))
        .tags(tag("Name", "net"))
        .send()
        .await
        .unwrap();
    let tags = async || {
        let listed = ec2.describe_vpcs().vpc_ids(&id).send().await.unwrap();
        let tags = listed.vpcs()[0].tags().iter();
        tags.map(|tag| format!("{}={}", tag.key().unwrap(), tag.value().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tags().await, ["Name=net", "owner=b & <c>"]);
    ec2.delete_tags()
        .resources(&id)
        .tags(Tag::builder().key("owner").build())
        .send()
        .await
        .unwrap();
    assert_eq!(tags().await, ["Name=net"]);
}

#[tokio::test]
async fn wrong_tags_are_refused_and_right_ones_found() {
    let cloud = Cloud::new();
    let ec2 = &cloud.ec2;
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let set = |key: &str, value: &str| ec2.create_tags().resources(&vpc).tags(tag(key, value)).send();
    assert_eq!(code(set("aws:mine", "x").await), "InvalidParameterValue");
    assert_eq!(code(set("owner", &"v".repeat(257)).await), "InvalidParameterValue");
    assert_eq!(code(set(&"k".repeat(129), "x").await), "InvalidParameterValue");
    for number in 0..50 {
        set(&format!("key-{number:02}"), "x").await.unwrap();
    }
    assert_eq!(code(set("one-more", "x").await), "TagLimitExceeded");
    let unknown = ec2
        .create_tags()
        .resources("vpc-0123456789abcdef0")
        .tags(tag("a", "b"))
        .send()
        .await;
    assert_eq!(code(unknown), "InvalidVpcID.NotFound");
    assert_eq!(
        code(ec2.create_tags().resources("x-1").tags(tag("a", "b")).send().await),
        "InvalidID"
    );
    // A tag goes only when its value is the one that was named.
    ec2.delete_tags()
        .resources(&vpc)
        .tags(tag("key-00", "y"))
        .tags(Tag::builder().key("key-01").build())
        .send()
        .await
        .unwrap();
    let listed = ec2
        .describe_tags()
        .filters(Filter::builder().name("resource-id").values(&vpc).build());
    let listed = listed.send().await.unwrap();
    let keys: Vec<_> = listed.tags().iter().filter_map(|tag| tag.key()).collect();
    assert_eq!(keys.len(), 49);
    assert!(keys.contains(&"key-00") && !keys.contains(&"key-01"));
    assert_eq!(listed.tags()[0].resource_type, Some(ResourceType::Vpc));
}

#[tokio::test]
async fn the_tagging_api_sees_what_was_tagged_in_pages() {
    let cloud = Cloud::new();
    let api = aws_sdk_resourcegroupstagging::Client::new(&cloud.config);
    let mut arns = Vec::new();
    for number in 0..3 {
        let tags = tagged(ResourceType::Vpc, &[("iacsh:env", "sandbox")]);
        let made = cloud
            .ec2
            .create_vpc()
            .cidr_block(format!("10.{number}.0.0/16"))
            .tag_specifications(tags);
        let id = made.send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        arns.push(format!("arn:aws:ec2:eu-central-1:000000000000:vpc/{id}"));
    }
    cloud.vpc("10.9.0.0/16").await;
    let ours = TagFilter::builder().key("iacsh:env").values("sandbox").build();
    let mut pages = api
        .get_resources()
        .tag_filters(ours.clone())
        .resources_per_page(2)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(resource) = pages.next().await {
        found.push(resource.unwrap().resource_arn.unwrap());
    }
    assert_eq!(found, arns);
    let subnets = api
        .get_resources()
        .tag_filters(ours)
        .resource_type_filters("ec2:subnet")
        .send()
        .await
        .unwrap();
    assert!(subnets.resource_tag_mapping_list().is_empty());

    let missing = "arn:aws:ec2:eu-central-1:000000000000:vpc/vpc-0123456789abcdef0";
    let tagged = api
        .tag_resources()
        .resource_arn_list(&arns[0])
        .resource_arn_list(missing)
        .tags("owner", "me");
    let failed = tagged.send().await.unwrap().failed_resources_map.unwrap();
    assert_eq!(failed.keys().collect::<Vec<_>>(), [missing]);
    api.untag_resources()
        .resource_arn_list(&arns[0])
        .tag_keys("iacsh:env")
        .send()
        .await
        .unwrap();
    let all = api.get_resources().resource_arn_list(&arns[0]).send().await.unwrap();
    let keys: Vec<_> = all.resource_tag_mapping_list()[0]
        .tags()
        .iter()
        .map(|tag| tag.key())
        .collect();
    assert_eq!(keys, ["owner"]);
    assert_eq!(
        api.get_tag_keys().send().await.unwrap().tag_keys(),
        ["iacsh:env", "owner"]
    );
    assert_eq!(
        api.get_tag_values().key("owner").send().await.unwrap().tag_values(),
        ["me"]
    );
}

#[tokio::test]
async fn the_caller_has_the_sandboxs_account() {
    let cloud = Cloud::new();
    let identity = aws_sdk_sts::Client::new(&cloud.config)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(identity.account(), Some("000000000000"));
    assert_eq!(identity.arn(), Some("arn:aws:iam::000000000000:user/sandbox"));
}
