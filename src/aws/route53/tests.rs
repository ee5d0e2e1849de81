//! Zones and alias records as scripts use them.

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::value::{Map, Value};

const HOST: &str = "login.example.org";

async fn put(world: &World, zone: &str, action: ChangeAction, set: ResourceRecordSet) {
    let change = Change::builder()
        .action(action)
        .resource_record_set(set)
        .build()
        .unwrap();
    let batch = ChangeBatch::builder().changes(change).build().unwrap();
    let call = world.aws.route53.change_resource_record_sets().hosted_zone_id(zone);
    call.change_batch(batch).send().await.unwrap();
}

/// Where the host leads to.
async fn target(world: &World, zone: &str) -> Option<String> {
    let call = world.aws.route53.list_resource_record_sets().hosted_zone_id(zone);
    let sets = call.send().await.unwrap().resource_record_sets;
    let set = sets.into_iter().find(|set| set.name.trim_end_matches('.') == HOST)?;
    Some(set.alias_target?.dns_name.trim_end_matches('.').to_owned())
}

async fn front(world: &World, name: &str, subnets: &[String], group: &str) -> Map {
    let options = map! { "name" => name, "subnets" => subnets.to_vec(), "security_groups" => vec![group.to_owned()] };
    world.ensure("load-balancer", options).await.unwrap().1
}

fn leading_to(front: &Map) -> Map {
    map! {
        "name" => "address", "zone" => "example.org", "host" => HOST, "target" => front["dns_name"].clone(),
        "target_zone" => front["zone_id"].clone(),
    }
}

/// A name leads to the load balancer, outlives it, and leads to the next one.
async fn a_name_outlives_its_load_balancer(mut world: World) {
    world.aws.address = Some((HOST.to_owned(), "example.org".to_owned()));
    let world = &world;
    let call = world.aws.route53.create_hosted_zone().name("example.org");
    let zone = call
        .caller_reference("test")
        .send()
        .await
        .unwrap()
        .hosted_zone
        .unwrap()
        .id;
    let zone = zone.trim_start_matches("/hostedzone/").to_owned();
    let (_, subnets, group) = world.network().await;
    let first = front(world, "front", &subnets, &group).await;
    let dns = |front: &Map| front["dns_name"].as_str().unwrap().to_ascii_lowercase();

    let (outcome, record) = world.ensure("alias-record", leading_to(&first)).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert_eq!(
        (record["zone"].as_str(), record["host"].as_str()),
        (Some(zone.as_str()), Some(HOST))
    );
    assert_eq!(target(world, &zone).await, Some(dns(&first)));
    let (outcome, _) = world.ensure("alias-record", leading_to(&first)).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);

    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("load-balancer").await, 0);
    assert_eq!(target(world, &zone).await, Some(dns(&first)), "the record is kept");
    assert_eq!(world.count("alias-record").await, 1);

    let second = front(world, "front", &subnets, &group).await;
    let (outcome, _) = world.ensure("alias-record", leading_to(&second)).await.unwrap();
    let is_new = dns(&second) != dns(&first);
    assert!(!is_new || matches!(outcome, Outcome::Changed(_)), "{outcome:?}");
    assert_eq!(target(world, &zone).await, Some(dns(&second)));

    // Somebody else's load balancer, and a record that is no alias, are not touched unasked.
    let other = front(world, "other", &subnets, &group).await;
    let error = world.ensure("alias-record", leading_to(&other)).await.unwrap_err();
    assert!(error.message().contains("which is not this environment's"), "{error}");
    let listed = world
        .aws
        .route53
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .send()
        .await
        .unwrap();
    let there = listed
        .resource_record_sets
        .into_iter()
        .find(|set| set.name.starts_with(HOST))
        .unwrap();
    put(world, &zone, ChangeAction::Delete, there).await;
    let plain = ResourceRecord::builder().value("192.0.2.1").build().unwrap();
    let plain = ResourceRecordSet::builder()
        .name(HOST)
        .r#type(RrType::A)
        .ttl(60)
        .resource_records(plain);
    put(world, &zone, ChangeAction::Create, plain.build().unwrap()).await;
    let error = world.ensure("alias-record", leading_to(&second)).await.unwrap_err();
    assert!(
        error.message().contains("login.example.org leads to 192.0.2.1"),
        "{error}"
    );
    let mut taken = leading_to(&second);
    taken.insert("take_over".into(), Value::Bool(true));
    let (outcome, _) = world.ensure("alias-record", taken).await.unwrap();
    assert!(matches!(outcome, Outcome::Changed(_)), "{outcome:?}");
    assert_eq!(target(world, &zone).await, Some(dns(&second)));

    let by_name = map! { "name" => "Example.org." };
    let found = world.call("route53::zone", vec![Value::Map(by_name)]).await.unwrap();
    assert_eq!(found.as_map().unwrap()["id"].as_str(), Some(zone.as_str()));
    let by_id = map! { "id" => zone.as_str() };
    let found = world.call("route53::zone", vec![Value::Map(by_id)]).await.unwrap();
    assert_eq!(found.as_map().unwrap()["name"].as_str(), Some("example.org"));
    let none = map! { "name" => "example.net" };
    let error = world.call("route53::zone", vec![Value::Map(none)]).await.unwrap_err();
    assert!(
        error.message().contains("there is no public hosted zone example.net"),
        "{error}"
    );
    let outside = map! {
        "name" => "x", "zone" => "example.org", "host" => "login.example.net", "target" => second["dns_name"].clone(),
        "target_zone" => second["zone_id"].clone(),
    };
    let error = world.ensure("alias-record", outside).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("login.example.net is not in the zone example.org"),
        "{error}"
    );
}

#[tokio::test]
async fn the_sandbox_lets_a_name_outlive_its_load_balancer() {
    a_name_outlives_its_load_balancer(World::sandbox()).await;
}

#[tokio::test]
async fn moto_lets_a_name_outlive_its_load_balancer() {
    let Some(world) = World::moto("aws::route53::moto_lets_a_name_outlive_its_load_balancer").await else {
        return;
    };
    a_name_outlives_its_load_balancer(world).await;
}
