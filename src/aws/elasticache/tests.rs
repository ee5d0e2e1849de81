//! The kinds as scripts use them.

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::secret::Secret;
use crate::value::Map;

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
#[ignore = "needs a moto server: see testing.rs"]
async fn moto_creates_and_finds() {
    let world = World::moto().await;
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
