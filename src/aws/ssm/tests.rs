//! Contracts between scripts.

use crate::aws::testing::World;
use crate::map;
use crate::resource::{Mode, Origin, Outcome};
use crate::secret::Secret;
use crate::value::Value;

async fn a_contract_is_published(world: &World) {
    let engine = world.engine();
    let handle = engine
        .publish("redis.endpoint", "cache.example:6379".into(), Origin::default())
        .unwrap();
    engine.settle().await.unwrap();
    assert_eq!(handle.promise.wait().await.unwrap()["version"].to_string(), "1");

    let other_run = world.engine();
    let value = other_run.lookup("redis.endpoint").await.unwrap();
    assert_eq!(value.as_str(), Some("cache.example:6379"));
    let error = other_run.lookup("redis.endpiont").await.unwrap_err();
    assert_eq!(error.help(), Some("did you mean \"redis.endpoint\"?"));

    let options = |value: Value| map! { "name" => "redis.endpoint", "value" => value };
    let (outcome, _) = world
        .ensure("parameter", options("cache.example:6379".into()))
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    let (outcome, now) = world
        .ensure("parameter", options("other.example:6379".into()))
        .await
        .unwrap();
    assert_eq!(outcome.words(), "changed value");
    assert_eq!(now["value"].as_str(), Some("other.example:6379"));

    // A number is text there; another environment's are not seen.
    world
        .ensure("parameter", map! { "name" => "port", "value" => 6379 })
        .await
        .unwrap();
    assert_eq!(world.engine().lookup("port").await.unwrap().as_str(), Some("6379"));
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("parameter").await, 0);
}

#[tokio::test]
async fn the_sandbox_plays_a_contract() {
    a_contract_is_published(&World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_a_contract() {
    let Some(world) = World::moto("aws::ssm::moto_plays_a_contract").await else {
        return;
    };
    a_contract_is_published(&world).await;
}

#[tokio::test]
async fn a_secret_is_stored_encrypted_and_comes_back_as_a_secret() {
    let world = World::sandbox();
    let options = |value: &str| map! { "name" => "token", "value" => Secret::new(value) };
    world.ensure("parameter", options("swordfish one")).await.unwrap();
    let (outcome, now) = world.ensure("parameter", options("swordfish two")).await.unwrap();
    let Outcome::Changed(changes) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(!format!("{changes:?}").contains("swordfish"));
    assert_eq!(now["value"].to_string(), "********");
    let rows = world.engine().list("parameter").await.unwrap();
    assert_eq!(rows[0]["value"].to_string(), "********");
    let plain = map! { "name" => "other", "value" => Secret::new("x y z"), "secure" => false };
    let error = world.ensure("parameter", plain).await.unwrap_err();
    assert!(error.message().contains("secure"), "{error}");
}

#[tokio::test]
async fn what_is_there_is_read_with_one_listing() {
    let world = World::sandbox();
    for name in ["a", "b", "c"] {
        world
            .ensure("parameter", map! { "name" => name, "value" => "x" })
            .await
            .unwrap();
    }
    // With clients of its own, as the next process has them.
    let before = world.calls.counts();
    let engine = world.engine_on(&world.planning(), Mode::Plan);
    for name in ["a", "b", "c"] {
        let options = map! { "name" => name, "value" => "x" };
        engine
            .ensure("parameter", Value::Map(options), Origin::default())
            .unwrap();
    }
    engine.settle().await.unwrap();
    let after = world.calls.counts();
    let new: Vec<_> = after
        .iter()
        .filter(|(call, count)| before.get(*call) != Some(count))
        .map(|(call, count)| format!("{call} {}", count - before.get(call).unwrap_or(&0)))
        .collect();
    assert_eq!(new.len(), 2, "{new:?}");
    assert!(new.iter().all(|call| call.ends_with(" 1")), "{new:?}");
}
