//! Leases at Parameter Store, and what they are for: a VPC whose answer was lost is not made twice.

use std::time::Duration;

use super::lease::Leases;
use crate::aws::testing::World;
use crate::error::Exit;
use crate::map;
use crate::resource::Outcome;
use crate::resource::lease::{LeaseStore, Timings};
use crate::sandbox::aws::rules::{Effect, Rule};

async fn leases_are_kept(world: &World) {
    let store = Leases::new(&world.aws, &world.scope);
    assert!(store.list().await.unwrap().leases.is_empty());
    assert!(store.put(9, "nine").await.unwrap());
    assert!(store.put(10, "ten").await.unwrap());
    assert!(!store.put(10, "another").await.unwrap(), "one wins");
    store.overwrite(10, "ten again").await.unwrap();
    let mut listed = store.list().await.unwrap();
    listed.leases.sort_by_key(|kept| kept.number);
    let texts: Vec<_> = listed
        .leases
        .iter()
        .map(|kept| (kept.number, kept.text.as_str()))
        .collect();
    assert_eq!(texts, [(9, "nine"), (10, "ten again")]);
    // By the service's clock, to the second.
    let now = listed.now.expect("the service tells its time");
    let age = now.duration_since(listed.leases[1].modified.expect("when it was written"));
    assert!((-2..60).contains(&age.as_secs()), "{age}");
    // More than a page.
    for number in 11..=25 {
        assert!(store.put(number, "x").await.unwrap());
    }
    assert_eq!(store.list().await.unwrap().leases.len(), 17);
    assert_eq!(world.count("parameter").await, 0, "no contract");
    let numbers: Vec<_> = (9..=24).collect();
    store.remove(&numbers).await.unwrap();
    store.remove(&numbers).await.unwrap();
    assert_eq!(store.list().await.unwrap().leases.len(), 1);
    world.destroy(&[]).await.unwrap();
    assert_eq!(store.list().await.unwrap().leases.len(), 1, "no destroy deletes it");
}

#[tokio::test]
async fn the_sandbox_keeps_leases() {
    leases_are_kept(&World::sandbox()).await;
}

#[tokio::test]
async fn moto_keeps_leases() {
    let Some(world) = World::moto("aws::ssm::moto_keeps_leases").await else {
        return;
    };
    leases_are_kept(&world).await;
}

/// The answer to CreateVpc is lost, and no listing shows the VPC yet.
async fn unlucky(leases: Option<Timings>) -> (World, crate::value::Map) {
    let mut world = World::sandbox();
    world.leases = leases;
    let noun = "vpcs".to_owned();
    world.rule(Rule::new("*", "*", Effect::Eventually { noun, time: 700 }));
    world.rule(Rule::new("ec2", "CreateVpc", Effect::LoseAnswer).times(1));
    let vpc = map! { "name" => "main", "cidr" => "10.0.0.0/16" };
    let error = world.ensure("vpc", vpc.clone()).await.unwrap_err();
    assert!(error.message().contains("CreateVpc"), "{error}");
    (world, vpc)
}

#[tokio::test]
async fn what_an_unlucky_run_created_is_looked_for_before_it_is_created_again() {
    let timings = Timings {
        consistency: Duration::from_secs(2),
        ..Timings::AWS
    };
    let (world, vpc) = unlucky(Some(timings)).await;
    let (outcome, _) = world.ensure("vpc", vpc.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(world.count("vpc").await, 1);
    assert_eq!(world.ensure("vpc", vpc).await.unwrap().0, Outcome::Unchanged);

    // This is what it is for.
    let (world, vpc) = unlucky(None).await;
    world.ensure("vpc", vpc).await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(world.count("vpc").await, 2, "without a lease there are two");
}

#[tokio::test]
async fn a_destroy_waits_for_what_an_unlucky_run_may_have_created() {
    let timings = Timings {
        consistency: Duration::from_secs(2),
        ..Timings::AWS
    };
    let (world, _) = unlucky(Some(timings)).await;
    let group = map! { "name" => "app" };
    world.ensure("log-group", group).await.unwrap();
    // Either it appeared in time, or it is named as left: never is it said that nothing is.
    if let Err(error) = world.destroy(&[]).await {
        assert!(error.notes()[0].contains("vpc"), "{:?}", error.notes());
        world.destroy(&[]).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(world.count("vpc").await, 0);
}

#[tokio::test]
async fn a_destroy_that_finds_nothing_proves_nothing_before_what_may_be_there_would_show() {
    let timings = Timings {
        consistency: Duration::from_secs(2),
        ..Timings::AWS
    };
    let (world, _) = unlucky(Some(timings)).await;
    let error = world.destroy(&[]).await.unwrap_err();
    assert!(error.message().starts_with("1 resource is left"), "{error}");
    assert!(error.notes()[0].contains("vpc"), "{:?}", error.notes());
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("vpc").await, 0);
    // With everything settled it takes no lease.
    let writes = world.writes();
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.writes(), writes);
}

#[tokio::test]
async fn a_destroy_that_finds_nothing_while_another_run_is_at_work_is_refused() {
    let mut world = World::sandbox_at_once();
    world.leases = Some(Timings::AWS);
    world.destroy(&[]).await.unwrap();
    let other = world.engine();
    other.begin_write().await.unwrap();
    let error = world.destroy(&[]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Busy, "{error}");
    other.finish(Ok(())).await.unwrap();
    world.destroy(&[]).await.unwrap();
}

#[tokio::test]
async fn a_throttled_call_after_the_creation_makes_no_second_one() {
    let world = World::sandbox();
    // More often than the SDK tries again by itself.
    for action in ["ModifyVpcAttribute", "AttachInternetGateway"] {
        world.rule(Rule::new("ec2", action, Effect::Throttle).times(5));
    }
    let vpc = map! { "name" => "main", "cidr" => "10.0.0.0/16" };
    let (_, vpc) = world.ensure("vpc", vpc).await.unwrap();
    assert_eq!(world.count("vpc").await, 1);
    let gateway = map! { "name" => "main", "vpc" => vpc["id"].clone() };
    world.ensure("internet-gateway", gateway).await.unwrap();
    assert_eq!(world.count("internet-gateway").await, 1);
}
