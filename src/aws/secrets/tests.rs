//! Secrets that outlive the environment.

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::secret::Secret;
use crate::value::{Map, Value};

fn generated() -> Map {
    let how = map! { "length" => 48, "exclude_punctuation" => true };
    map! { "name" => "redis-token", "description" => "Redis auth token", "generate" => how }
}

async fn read(world: &World, name: &str) -> Secret {
    world
        .call("secrets::value", vec![Value::text(name)])
        .await
        .unwrap()
        .read()
        .unwrap()
}

async fn a_secret_is_generated_once(world: &mut World) {
    let (outcome, made) = world.ensure("secret", generated()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert!(made["arn"].as_str().unwrap().starts_with("arn:aws:secretsmanager:"));
    let value = read(world, "redis-token").await;
    assert_eq!(value.expose().len(), 48);
    assert!(value.expose().chars().all(|c| c.is_ascii_alphanumeric()));
    assert_eq!(world.ensure("secret", generated()).await.unwrap().0, Outcome::Unchanged);

    // A given value is compared, and told without being shown.
    let given = |value: &str| map! { "name" => "password", "value" => Secret::new(value) };
    world.ensure("secret", given("correct horse")).await.unwrap();
    assert_eq!(
        world.ensure("secret", given("correct horse")).await.unwrap().0,
        Outcome::Unchanged
    );
    let (outcome, _) = world.ensure("secret", given("battery staple")).await.unwrap();
    let Outcome::Changed(changes) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(changes.len(), 1);
    assert!(!format!("{changes:?}").contains("staple"));
    assert_eq!(read(world, "password").await.expose(), "battery staple");

    // Destroy leaves both.
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("secret").await, 2);

    // One that somebody deleted comes back with its value.
    let id = made["arn"].as_str().unwrap();
    let delete = world
        .aws
        .secrets
        .delete_secret()
        .secret_id(id)
        .recovery_window_in_days(7);
    delete.send().await.unwrap();
    assert_eq!(world.count("secret").await, 1);
    world.ensure("secret", generated()).await.unwrap();
    assert_eq!(read(world, "redis-token").await, value);
    assert!(
        world.told.all().iter().any(|told| told.contains("restored")),
        "{:?}",
        world.told.all()
    );

    world.purge_secrets = true;
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("secret").await, 0);
    world.purge_secrets = false;
    world.ensure("secret", generated()).await.unwrap();
    assert_ne!(read(world, "redis-token").await, value);
}

#[tokio::test]
async fn the_sandbox_plays_secrets() {
    a_secret_is_generated_once(&mut World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_secrets() {
    let Some(mut world) = World::moto("aws::secrets::moto_plays_secrets").await else {
        return;
    };
    a_secret_is_generated_once(&mut world).await;
}

#[tokio::test]
async fn a_listing_reads_no_values() {
    let world = World::sandbox();
    world.ensure("secret", generated()).await.unwrap();
    assert_eq!(world.count("secret").await, 1);
    assert_eq!(world.calls.counts().get("secretsmanager:GetSecretValue"), None);
}
