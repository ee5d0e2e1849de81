//! Security groups and their rules.

use aws_sdk_ec2::types::{IpPermission, IpRange, UserIdGroupPair};

use super::*;

fn from_block(port: i32, block: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(block).description("from there").build();
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port)
        .to_port(port)
        .ip_ranges(range)
        .build()
}

fn from_group(port: i32, group: &str) -> IpPermission {
    let pair = UserIdGroupPair::builder().group_id(group).build();
    IpPermission::builder()
        .ip_protocol("6")
        .from_port(port)
        .to_port(port)
        .user_id_group_pairs(pair)
        .build()
}

#[tokio::test]
async fn rules_are_added_shown_in_both_forms_and_taken_away() {
    let cloud = Cloud::new();
    let ec2 = &cloud.ec2;
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let (web, cache) = (cloud.group(&vpc, "web").await, cloud.group(&vpc, "cache").await);
    let allow = |permission| {
        ec2.authorize_security_group_ingress()
            .group_id(&cache)
            .ip_permissions(permission)
            .send()
    };
    let added = allow(from_group(6379, &web)).await.unwrap();
    let rule = &added.security_group_rules()[0];
    assert_eq!(rule.ip_protocol(), Some("tcp"), "6 is TCP");
    assert_eq!(rule.referenced_group_info().unwrap().group_id(), Some(web.as_str()));
    allow(from_block(6379, "10.1.2.3/16")).await.unwrap();
    let (code, message) = refused(allow(from_block(6379, "10.1.0.0/16")).await);
    assert_eq!(code, "InvalidPermission.Duplicate");
    assert!(
        message.contains("peer: 10.1.0.0/16, TCP, from port: 6379, to port: 6379, ALLOW"),
        "{message}"
    );

    let groups = ec2.describe_security_groups().group_ids(&cache).send().await.unwrap();
    let [permission] = groups.security_groups()[0].ip_permissions() else {
        panic!("{groups:?}")
    };
    assert_eq!(permission.ip_ranges()[0].cidr_ip(), Some("10.1.0.0/16"));
    assert_eq!(permission.ip_ranges()[0].description(), Some("from there"));
    assert_eq!(permission.user_id_group_pairs()[0].group_id(), Some(web.as_str()));
    let of_cache = aws_sdk_ec2::types::Filter::builder()
        .name("group-id")
        .values(&cache)
        .build();
    let rules = ec2
        .describe_security_group_rules()
        .filters(of_cache.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(
        rules.security_group_rules().len(),
        3,
        "two of ours, and everything to anywhere"
    );

    let id = rule.security_group_rule_id().unwrap();
    ec2.revoke_security_group_ingress()
        .group_id(&cache)
        .security_group_rule_ids(id)
        .send()
        .await
        .unwrap();
    let again = ec2
        .revoke_security_group_ingress()
        .group_id(&cache)
        .security_group_rule_ids(id)
        .send()
        .await;
    assert_eq!(super::code(again), "InvalidSecurityGroupRuleId.NotFound");
    let revoke = |permission| {
        ec2.revoke_security_group_ingress()
            .group_id(&cache)
            .ip_permissions(permission)
            .send()
    };
    revoke(from_block(6379, "10.1.0.0/16")).await.unwrap();
    assert_eq!(
        super::code(revoke(from_block(6379, "10.1.0.0/16")).await),
        "InvalidPermission.NotFound"
    );
    let everything = IpPermission::builder()
        .ip_protocol("-1")
        .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
    ec2.revoke_security_group_egress()
        .group_id(&cache)
        .ip_permissions(everything.build())
        .send()
        .await
        .unwrap();
    let rules = ec2
        .describe_security_group_rules()
        .filters(of_cache)
        .send()
        .await
        .unwrap();
    assert!(rules.security_group_rules().is_empty());
}

#[tokio::test]
async fn a_group_that_another_names_cannot_be_deleted() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let (web, cache) = (cloud.group(&vpc, "web").await, cloud.group(&vpc, "cache").await);
    let add = cloud.ec2.authorize_security_group_ingress();
    add.group_id(&cache)
        .ip_permissions(from_group(6379, &web))
        .send()
        .await
        .unwrap();
    let (code, message) = refused(cloud.ec2.delete_security_group().group_id(&web).send().await);
    assert_eq!(
        (code, message),
        (
            "DependencyViolation".into(),
            format!("resource {web} has a dependent object")
        )
    );
    assert_eq!(
        super::code(cloud.ec2.delete_vpc().vpc_id(&vpc).send().await),
        "DependencyViolation"
    );
    cloud.ec2.delete_security_group().group_id(&cache).send().await.unwrap();
    cloud.ec2.delete_security_group().group_id(&web).send().await.unwrap();
    cloud.ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
}

#[tokio::test]
async fn names_and_ports_are_checked() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let group = cloud.group(&vpc, "web").await;
    let make = |name: &str| {
        cloud
            .ec2
            .create_security_group()
            .vpc_id(&vpc)
            .group_name(name)
            .description("for a test")
            .send()
    };
    assert_eq!(code(make("web").await), "InvalidGroup.Duplicate");
    assert_eq!(code(make("sg-web").await), "InvalidParameterValue");
    assert_eq!(code(make("default").await), "InvalidParameterValue");
    assert_eq!(code(make("wéb").await), "InvalidParameterValue");
    let allow = |permission: IpPermission| {
        cloud
            .ec2
            .authorize_security_group_ingress()
            .group_id(&group)
            .ip_permissions(permission)
            .send()
    };
    let range = IpRange::builder().cidr_ip("10.0.0.0/8").build();
    let tcp = IpPermission::builder().ip_ranges(range).ip_protocol("tcp");
    for wrong in [
        tcp.clone().build(),
        tcp.clone().from_port(90).to_port(80).build(),
        tcp.clone().from_port(0).to_port(70_000).build(),
        tcp.clone().ip_protocol("tcpp").build(),
        from_block(80, "10.0.0.0/99"),
        IpPermission::builder().ip_protocol("-1").build(),
    ] {
        assert_eq!(code(allow(wrong.clone()).await), "InvalidParameterValue", "{wrong:?}");
    }
    assert_eq!(
        code(allow(from_group(80, "sg-0123456789abcdef0")).await),
        "InvalidGroup.NotFound"
    );
}
