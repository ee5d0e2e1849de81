//! The kinds as scripts use them.

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::secret::Secret;
use crate::value::{Map, Value};

fn group(subnets: &str, security_group: &str) -> Map {
    map! {
        "name" => "redis",
        "node_type" => "cache.t4g.micro",
        "replicas" => 1,
        "subnet_group" => subnets,
        "security_groups" => vec![security_group.to_owned()],
        "auth_token" => Secret::new("correct-horse-battery"),
    }
}

/// What every peer can play.
async fn create_find_destroy(world: &World) {
    let (_, subnets, security_group) = world.network().await;
    let options = map! { "name" => "cache", "subnets" => subnets.clone() };
    let (outcome, subnet_group) = world.ensure("cache-subnet-group", options.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let (outcome, again) = world.ensure("cache-subnet-group", options).await.unwrap();
    assert_eq!(
        (outcome, &again["id"].to_string()),
        (Outcome::Unchanged, &subnet_group["id"].to_string())
    );

    let options = group(&subnet_group["id"].to_string(), &security_group);
    let (outcome, redis) = world.ensure("replication-group", options.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert!(
        redis["endpoint"].as_str().is_some_and(|endpoint| !endpoint.is_empty()),
        "{redis:?}"
    );
    let (outcome, _) = world.ensure("replication-group", options).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn the_sandbox_creates_finds_and_destroys() {
    let world = World::sandbox();
    create_find_destroy(&world).await;
    world.destroy(&[]).await.unwrap();
    for kind in ["replication-group", "cache-subnet-group"] {
        assert_eq!(world.count(kind).await, 0, "{kind}");
    }
}

/// The fields of which a run changed something.
async fn changed(world: &World, kind: &str, options: &Map) -> Vec<String> {
    match world.ensure(kind, options.clone()).await.unwrap().0 {
        Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect(),
        other => panic!("{kind}: {other:?}"),
    }
}

#[tokio::test]
async fn a_parameter_set_by_hand_is_set_back() {
    let world = World::sandbox();
    let mut options = map! {
        "name" => "redis",
        "family" => "redis7",
        "parameters" => map! { "maxmemory-policy" => "allkeys-lru", "timeout" => 300 },
    };
    let (outcome, parameters) = world.ensure("cache-parameter-group", options.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let (outcome, _) = world.ensure("cache-parameter-group", options.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);

    let by_hand = aws_sdk_elasticache::types::ParameterNameValue::builder();
    let by_hand = by_hand.parameter_name("tcp-keepalive").parameter_value("60").build();
    let call = world.aws.elasticache.modify_cache_parameter_group();
    let call = call.cache_parameter_group_name(parameters["id"].as_str().unwrap());
    call.parameter_name_values(by_hand).send().await.unwrap();
    assert_eq!(
        changed(&world, "cache-parameter-group", &options).await,
        ["parameters.tcp-keepalive"]
    );

    options.insert("parameters".into(), Value::Map(map! { "timeout" => 60 }));
    let fields = changed(&world, "cache-parameter-group", &options).await;
    assert_eq!(fields, ["parameters.timeout", "parameters.maxmemory-policy"]);
    let (outcome, _) = world.ensure("cache-parameter-group", options).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("cache-parameter-group").await, 0);
}

#[tokio::test]
async fn a_group_grows_shrinks_and_fails_over() {
    let world = World::sandbox();
    let (_, subnets, security_group) = world.network().await;
    let subnets = map! { "name" => "cache", "subnets" => subnets };
    let (_, subnet_group) = world.ensure("cache-subnet-group", subnets).await.unwrap();
    let mut options = group(&subnet_group["id"].to_string(), &security_group);
    world.ensure("replication-group", options.clone()).await.unwrap();

    let done = world
        .call("elasticache::test_failover", vec![Value::text("redis")])
        .await
        .unwrap();
    let done = done.as_map().unwrap().clone();
    assert_ne!(done["primary"].to_string(), done["primary_before"].to_string());

    options.insert("replicas".into(), Value::Int(2));
    options.insert("multi_az".into(), Value::Bool(true));
    options.insert("snapshot_retention_days".into(), Value::Int(3));
    options.insert("node_type".into(), Value::text("cache.t4g.small"));
    let fields = changed(&world, "replication-group", &options).await;
    assert_eq!(fields, ["node_type", "replicas", "multi_az", "snapshot_retention_days"]);
    let (outcome, redis) = world.ensure("replication-group", options.clone()).await.unwrap();
    assert_eq!(
        (outcome, redis["replicas"].to_string()),
        (Outcome::Unchanged, "2".to_owned())
    );

    options.insert("replicas".into(), Value::Int(0));
    options.insert("multi_az".into(), Value::Bool(false));
    let fields = changed(&world, "replication-group", &options).await;
    assert_eq!(fields, ["replicas", "automatic_failover", "multi_az"]);
    let (outcome, redis) = world.ensure("replication-group", options.clone()).await.unwrap();
    assert_eq!(
        (outcome, redis["replicas"].to_string()),
        (Outcome::Unchanged, "0".to_owned())
    );

    let token = Value::from(Secret::new("another-horse-battery"));
    for verb in ["elasticache::rotate_auth_token", "elasticache::settle_auth_token"] {
        world
            .call(verb, vec![Value::text("redis"), token.clone()])
            .await
            .unwrap();
    }

    options.insert("encryption_at_rest".into(), Value::Bool(false));
    let refused = world.ensure("replication-group", options).await.unwrap_err();
    assert!(
        refused.message().contains("encryption_at_rest: true -> false"),
        "{refused}"
    );

    let events = world.call("elasticache::events", vec![]).await.unwrap();
    assert!(matches!(events, Value::List(events) if !events.is_empty()));
}

#[tokio::test]
async fn a_group_that_is_still_being_deleted_is_made_anew() {
    let world = World::sandbox();
    let (_, subnets, security_group) = world.network().await;
    let subnets = map! { "name" => "cache", "subnets" => subnets };
    let (_, subnet_group) = world.ensure("cache-subnet-group", subnets).await.unwrap();
    let options = group(&subnet_group["id"].to_string(), &security_group);
    let (_, redis) = world.ensure("replication-group", options.clone()).await.unwrap();
    let call = world.aws.elasticache.delete_replication_group();
    call.replication_group_id(redis["id"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let (outcome, _) = world.ensure("replication-group", options).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
}

#[tokio::test]
async fn moto_creates_and_finds() {
    let Some(world) = World::moto("aws::elasticache::moto_creates_and_finds").await else {
        return;
    };
    create_find_destroy(&world).await;
    // moto leaves a deleted group in `deleting` and cannot delete a subnet group, so that the end is not shown here.
}

#[tokio::test]
async fn a_name_the_service_would_refuse_is_refused_first() {
    let scope = crate::resource::Scope::new("identity", "staging").unwrap();
    let long = "a".repeat(40);
    let error = super::check_name(&scope, &long, "replication group", 40).unwrap_err();
    assert!(error.message().contains("57 characters, the most are 40"), "{error}");
    assert!(super::check_name(&scope, "Redis", "replication group", 40).is_err());
    assert!(super::check_name(&scope, "redis--2", "replication group", 40).is_err());
    assert!(super::check_name(&scope, "redis", "replication group", 40).is_ok());
}

#[test]
fn a_token_is_judged_without_being_shown() {
    use super::replication_group::check_token;
    assert!(check_token(&Secret::new("correct-horse-battery")).is_ok());
    for bad in ["short", "sixteen characters and a space", "sixteen-characters-@"] {
        let error = check_token(&Secret::new(bad)).unwrap_err();
        assert!(!error.message().contains(bad));
    }
}
