//! ElastiCache: what takes its time, what it refuses.

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::types::{AuthTokenUpdateStrategyType, ParameterNameValue, Tag};

use super::*;

/// A VPC with a subnet in each of two zones, and a subnet group on them.
async fn ready(cloud: &Cloud) -> (Client, String, String) {
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let one = cloud.subnet(&vpc, "10.0.0.0/24").await;
    let two = cloud.subnet(&vpc, "10.0.1.0/24").await;
    let client = Client::new(&cloud.config);
    client
        .create_cache_subnet_group()
        .cache_subnet_group_name("Cache")
        .cache_subnet_group_description("for a test")
        .subnet_ids(&one)
        .subnet_ids(&two)
        .send()
        .await
        .unwrap();
    (client, vpc, one)
}

async fn status(client: &Client) -> String {
    let group = client
        .describe_replication_groups()
        .replication_group_id("redis")
        .send()
        .await
        .unwrap();
    group.replication_groups()[0].status().unwrap().to_owned()
}

#[tokio::test]
async fn a_replication_group_lives_and_holds_what_it_stands_on() {
    let cloud = Cloud::new();
    let (client, vpc, subnet) = ready(&cloud).await;
    let guard = cloud.group(&vpc, "redis").await;
    let create = || {
        client
            .create_replication_group()
            .replication_group_id("redis")
            .replication_group_description("sessions")
            .cache_node_type("cache.t4g.micro")
            .engine("redis")
            .engine_version("7.1")
            .num_cache_clusters(2)
            .automatic_failover_enabled(true)
            .multi_az_enabled(true)
            .cache_subnet_group_name("cache")
            .security_group_ids(&guard)
            .at_rest_encryption_enabled(true)
            .auth_token("abcdefghijklmnop0123")
            .tags(Tag::builder().key("team").value("one").build())
    };
    assert_eq!(
        code(create().send().await),
        "InvalidParameterCombination",
        "a token needs encryption"
    );
    let made = create().transit_encryption_enabled(true).send().await.unwrap();
    let made = made.replication_group.unwrap();
    assert_eq!(made.status(), Some("creating"));
    assert!(made.node_groups().is_empty(), "no endpoint yet");
    assert_eq!(made.member_clusters(), ["redis-001", "redis-002"]);
    let again = create().transit_encryption_enabled(true).send().await;
    assert_eq!(code(again), "ReplicationGroupAlreadyExists");
    let early = client
        .delete_replication_group()
        .replication_group_id("redis")
        .send()
        .await;
    assert_eq!(code(early), "InvalidReplicationGroupState");

    cloud.pass(Duration::from_secs(15 * 60));
    let group = client.describe_replication_groups().send().await.unwrap();
    let group = &group.replication_groups()[0];
    assert_eq!(group.status(), Some("available"));
    assert_eq!(group.auth_token_enabled(), Some(true));
    let nodes = &group.node_groups()[0];
    let host = nodes.primary_endpoint().unwrap().address().unwrap();
    assert!(
        host.starts_with("master.redis.") && host.ends_with(".euc1.cache.amazonaws.com"),
        "{host}"
    );
    let tags = client
        .list_tags_for_resource()
        .resource_name(group.arn().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_list()[0].key(), Some("team"));
    let clusters = client
        .describe_cache_clusters()
        .show_cache_node_info(true)
        .send()
        .await
        .unwrap();
    assert_eq!(clusters.cache_clusters().len(), 2);
    assert_eq!(clusters.cache_clusters()[0].cache_nodes().len(), 1);

    // What it stands on cannot go.
    let used = client
        .delete_cache_subnet_group()
        .cache_subnet_group_name("cache")
        .send()
        .await;
    assert_eq!(code(used), "CacheSubnetGroupInUse");
    assert_eq!(
        code(cloud.ec2.delete_subnet().subnet_id(&subnet).send().await),
        "DependencyViolation"
    );
    assert_eq!(
        code(cloud.ec2.delete_security_group().group_id(&guard).send().await),
        "DependencyViolation"
    );

    client
        .delete_replication_group()
        .replication_group_id("redis")
        .send()
        .await
        .unwrap();
    assert_eq!(status(&client).await, "deleting");
    cloud.pass(Duration::from_secs(15 * 60));
    let gone = client
        .describe_replication_groups()
        .replication_group_id("redis")
        .send()
        .await;
    assert_eq!(code(gone), "ReplicationGroupNotFoundFault");
    client
        .delete_cache_subnet_group()
        .cache_subnet_group_name("cache")
        .send()
        .await
        .unwrap();
    cloud.ec2.delete_subnet().subnet_id(&subnet).send().await.unwrap();
    cloud.ec2.delete_security_group().group_id(&guard).send().await.unwrap();
}

#[tokio::test]
async fn a_group_changes_fails_over_and_rotates_its_token() {
    let cloud = Cloud::new();
    let (client, ..) = ready(&cloud).await;
    client
        .create_replication_group()
        .replication_group_id("redis")
        .replication_group_description("sessions")
        .cache_node_type("cache.t4g.micro")
        .num_cache_clusters(2)
        .automatic_failover_enabled(true)
        .cache_subnet_group_name("cache")
        .transit_encryption_enabled(true)
        .auth_token("abcdefghijklmnop0123")
        .send()
        .await
        .unwrap();
    cloud.pass(Duration::from_secs(15 * 60));

    let token = |token: &str, strategy| {
        client
            .modify_replication_group()
            .replication_group_id("redis")
            .auth_token(token)
            .auth_token_update_strategy(strategy)
            .apply_immediately(true)
            .send()
    };
    let unknown = token("another-token-0123456", AuthTokenUpdateStrategyType::Set).await;
    assert_eq!(code(unknown), "InvalidParameterValue", "SET only after ROTATE");
    token("another-token-0123456", AuthTokenUpdateStrategyType::Rotate)
        .await
        .unwrap();
    assert_eq!(status(&client).await, "modifying");
    cloud.pass(Duration::from_secs(15 * 60));
    token("another-token-0123456", AuthTokenUpdateStrategyType::Set)
        .await
        .unwrap();
    cloud.pass(Duration::from_secs(15 * 60));

    client
        .increase_replica_count()
        .replication_group_id("redis")
        .new_replica_count(2)
        .apply_immediately(true)
        .send()
        .await
        .unwrap();
    cloud.pass(Duration::from_secs(15 * 60));
    client
        .test_failover()
        .replication_group_id("redis")
        .node_group_id("0001")
        .send()
        .await
        .unwrap();
    cloud.pass(Duration::from_secs(15 * 60));
    let group = client.describe_replication_groups().send().await.unwrap();
    let roles: Vec<_> = group.replication_groups()[0].node_groups()[0]
        .node_group_members()
        .iter()
        .map(|node| node.current_role().unwrap())
        .collect();
    assert_eq!(roles, ["replica", "primary", "replica"]);
    let events = client.describe_events().duration(120).send().await.unwrap();
    assert!(events.events().iter().any(|event| {
        event
            .message()
            .unwrap()
            .contains("Failover from primary node redis-001")
    }));
}

#[tokio::test]
async fn parameter_groups_know_their_family() {
    let cloud = Cloud::new();
    let client = Client::new(&cloud.config);
    let create = |family: &'static str| {
        client
            .create_cache_parameter_group()
            .cache_parameter_group_name("sessions")
            .cache_parameter_group_family(family)
            .description("for a test")
            .send()
    };
    assert_eq!(code(create("redis99").await), "InvalidParameterValue");
    create("redis7").await.unwrap();
    assert_eq!(code(create("redis7").await), "CacheParameterGroupAlreadyExists");
    let set = |group: &'static str, value: &'static str| {
        let pair = ParameterNameValue::builder()
            .parameter_name("maxmemory-policy")
            .parameter_value(value)
            .build();
        client
            .modify_cache_parameter_group()
            .cache_parameter_group_name(group)
            .parameter_name_values(pair)
            .send()
    };
    assert_eq!(code(set("sessions", "sometimes").await), "InvalidParameterValue");
    assert_eq!(code(set("default.redis7", "noeviction").await), "InvalidParameterValue");
    set("sessions", "noeviction").await.unwrap();
    let changed = client
        .describe_cache_parameters()
        .cache_parameter_group_name("sessions")
        .source("user")
        .send()
        .await
        .unwrap();
    assert_eq!(changed.parameters()[0].parameter_value(), Some("noeviction"));
    client
        .delete_cache_parameter_group()
        .cache_parameter_group_name("sessions")
        .send()
        .await
        .unwrap();
    let gone = client
        .describe_cache_parameter_groups()
        .cache_parameter_group_name("sessions")
        .send()
        .await;
    assert_eq!(code(gone), "CacheParameterGroupNotFound");
}
