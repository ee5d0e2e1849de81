//! ElastiCache: snapshots and what is made from them; reboots, events, node types.

use aws_sdk_elasticache::Client;

use super::*;

/// A replication group `redis` of two nodes that is available.
async fn group(cloud: &Cloud) -> Client {
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let client = Client::new(&cloud.config);
    let subnets = client
        .create_cache_subnet_group()
        .cache_subnet_group_name("cache")
        .cache_subnet_group_description("for a test")
        .subnet_ids(cloud.subnet(&vpc, "10.0.0.0/24").await)
        .subnet_ids(cloud.subnet(&vpc, "10.0.1.0/24").await);
    subnets.send().await.unwrap();
    let create = client
        .create_replication_group()
        .replication_group_id("redis")
        .replication_group_description("sessions")
        .cache_node_type("cache.t4g.small")
        .engine_version("7.0")
        .num_cache_clusters(2)
        .automatic_failover_enabled(true)
        .cache_subnet_group_name("cache");
    create.send().await.unwrap();
    cloud.pass(Duration::from_secs(15 * 60));
    client
}

fn snapshot(
    client: &Client,
    name: &str,
) -> aws_sdk_elasticache::operation::create_snapshot::builders::CreateSnapshotFluentBuilder {
    client
        .create_snapshot()
        .replication_group_id("redis")
        .snapshot_name(name)
}

#[tokio::test]
async fn a_group_is_made_from_a_snapshot_that_outlives_it() {
    let cloud = Cloud::new();
    let client = group(&cloud).await;
    assert_eq!(
        code(client.describe_snapshots().snapshot_name("none").send().await),
        "SnapshotNotFoundFault"
    );
    let taken = snapshot(&client, "Before").send().await.unwrap().snapshot.unwrap();
    assert_eq!(
        (taken.snapshot_status(), taken.snapshot_source()),
        (Some("creating"), Some("manual"))
    );
    assert_eq!(taken.snapshot_name(), Some("before"), "kept in lower case");
    let busy = client.describe_replication_groups().send().await.unwrap();
    assert_eq!(busy.replication_groups()[0].status(), Some("snapshotting"));
    assert_eq!(
        code(snapshot(&client, "second").send().await),
        "InvalidReplicationGroupState"
    );
    assert_eq!(
        code(client.delete_snapshot().snapshot_name("before").send().await),
        "InvalidSnapshotState"
    );
    cloud.pass(Duration::from_secs(600));
    assert_eq!(
        code(snapshot(&client, "before").send().await),
        "SnapshotAlreadyExistsFault"
    );

    let delete = client.delete_replication_group().replication_group_id("redis");
    delete.final_snapshot_identifier("last").send().await.unwrap();
    cloud.pass(Duration::from_secs(1200));
    assert_eq!(
        code(
            client
                .describe_replication_groups()
                .replication_group_id("redis")
                .send()
                .await
        ),
        "ReplicationGroupNotFoundFault"
    );
    let listed = client
        .describe_snapshots()
        .show_node_group_config(true)
        .send()
        .await
        .unwrap();
    let names: Vec<_> = listed
        .snapshots()
        .iter()
        .map(|one| one.snapshot_name().unwrap())
        .collect();
    assert_eq!(names, ["before", "last"]);
    assert_eq!(listed.snapshots()[1].snapshot_status(), Some("available"));
    assert_eq!(listed.snapshots()[1].node_snapshots().len(), 1);

    let restore = client
        .create_replication_group()
        .replication_group_id("again")
        .replication_group_description("from the last one")
        .cache_subnet_group_name("cache");
    let restored = restore
        .clone()
        .snapshot_name("last")
        .send()
        .await
        .unwrap()
        .replication_group
        .unwrap();
    assert_eq!(
        restored.cache_node_type(),
        Some("cache.t4g.small"),
        "what the call leaves out, the snapshot gives"
    );
    assert_eq!(
        code(restore.snapshot_name("none").send().await),
        "ReplicationGroupAlreadyExists"
    );
    client.delete_snapshot().snapshot_name("before").send().await.unwrap();
    cloud.pass(Duration::from_secs(60));
    let left = client.describe_snapshots().send().await.unwrap();
    assert_eq!(left.snapshots().len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_group_that_keeps_snapshots_takes_one_a_day() {
    let cloud = Cloud::new();
    let client = group(&cloud).await;
    let modify = client
        .modify_replication_group()
        .replication_group_id("redis")
        .apply_immediately(true);
    assert_eq!(
        code(modify.clone().snapshot_window("03:00-03:30").send().await),
        "InvalidParameterValue",
        "too short"
    );
    modify
        .snapshot_retention_limit(2)
        .snapshot_window("03:00-04:00")
        .send()
        .await
        .unwrap();
    for _ in 0..5 {
        cloud.pass(Duration::from_secs(24 * 3600));
        client.describe_replication_groups().send().await.unwrap();
    }
    let taken = client
        .describe_snapshots()
        .snapshot_source("system")
        .send()
        .await
        .unwrap();
    assert_eq!(taken.snapshots().len(), 2, "older ones are gone");
    assert_eq!(taken.snapshots()[0].snapshot_source(), Some("automated"));
    assert!(
        taken.snapshots()[0]
            .snapshot_name()
            .unwrap()
            .starts_with("automatic.redis-002-")
    );
    let by_hand = client
        .describe_snapshots()
        .snapshot_source("user")
        .send()
        .await
        .unwrap();
    assert!(by_hand.snapshots().is_empty());
}

#[tokio::test]
async fn a_node_reboots_and_knows_what_it_can_become() {
    let cloud = Cloud::new();
    let client = group(&cloud).await;
    let sizes = client
        .list_allowed_node_type_modifications()
        .replication_group_id("redis")
        .send()
        .await
        .unwrap();
    assert_eq!(sizes.scale_up_modifications(), ["cache.t4g.medium"]);
    assert_eq!(sizes.scale_down_modifications(), ["cache.t4g.micro"]);
    let defaults = client
        .describe_engine_default_parameters()
        .cache_parameter_group_family("redis7")
        .max_records(20)
        .send()
        .await
        .unwrap();
    assert_eq!(defaults.engine_defaults().unwrap().parameters().len(), 20);
    assert!(defaults.engine_defaults().unwrap().marker().is_some());
    let status = || async {
        let found = client
            .describe_cache_clusters()
            .cache_cluster_id("redis-001")
            .send()
            .await
            .unwrap();
        found.cache_clusters()[0].cache_cluster_status().unwrap().to_owned()
    };
    let reboot = client.reboot_cache_cluster().cache_cluster_id("redis-001");
    reboot.cache_node_ids_to_reboot("0001").send().await.unwrap();
    assert_eq!(status().await, "rebooting cache cluster nodes");
    cloud.pass(Duration::from_secs(90));
    assert_eq!(status().await, "available");
    let events = client
        .describe_events()
        .source_type(aws_sdk_elasticache::types::SourceType::CacheCluster);
    let events = events.send().await.unwrap();
    let told = |text: &str| events.events().iter().any(|event| event.message() == Some(text));
    assert!(
        told("Cache cluster created") && told("Cache node 0001 restarted"),
        "{events:?}"
    );
    assert_eq!(
        code(client.describe_events().duration(20_161).send().await),
        "InvalidParameterValue",
        "14 days"
    );
    let wrong = client
        .modify_replication_group()
        .replication_group_id("redis")
        .cache_node_type("cache.t9.huge");
    assert_eq!(code(wrong.send().await), "InvalidParameterValue");
}
