//! Log groups and their lines.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::value::{Map, Value};

fn group(days: i64) -> Map {
    map! { "name" => "web", "retention_days" => days }
}

async fn a_group_keeps_lines(world: &World) {
    let (outcome, made) = world.ensure("log-group", group(30)).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let physical = made["name_at_aws"].as_str().unwrap();
    assert!(made["arn"].as_str().unwrap().ends_with(physical));
    assert_eq!(
        world.ensure("log-group", group(30)).await.unwrap().0,
        Outcome::Unchanged
    );
    let (outcome, _) = world.ensure("log-group", group(7)).await.unwrap();
    assert_eq!(outcome.words(), "changed retention_days");

    let logs = &world.aws.logs;
    let delete = logs.delete_retention_policy().log_group_name(physical);
    delete.send().await.unwrap();
    let (outcome, _) = world.ensure("log-group", group(7)).await.unwrap();
    assert_eq!(outcome.words(), "changed retention_days");

    let stream = logs.create_log_stream().log_group_name(physical).log_stream_name("one");
    stream.send().await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut put = logs.put_log_events().log_group_name(physical).log_stream_name("one");
    for (age, message) in [(3_600_000, "an hour ago"), (2_000, "ERROR two"), (1_000, "three")] {
        let event = InputLogEvent::builder()
            .timestamp(now - age)
            .message(message)
            .build()
            .unwrap();
        put = put.log_events(event);
    }
    put.send().await.unwrap();
    let tail = async |options: Map| {
        let lines = world
            .call("logs::tail", vec![Value::text("web"), Value::Map(options)])
            .await
            .unwrap();
        let Value::List(lines) = lines else { panic!("{lines:?}") };
        let message = |line: &Value| line.as_map().unwrap()["message"].as_str().unwrap().to_owned();
        lines.iter().map(message).collect::<Vec<_>>()
    };
    assert_eq!(tail(map! { "lines" => 2 }).await, ["ERROR two", "three"]);
    assert_eq!(tail(map! {}).await, ["an hour ago", "ERROR two", "three"]);
    assert_eq!(tail(map! { "filter" => "ERROR" }).await, ["ERROR two"]);

    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("log-group").await, 0);
}

#[tokio::test]
async fn the_sandbox_plays_a_log_group() {
    a_group_keeps_lines(&World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_a_log_group() {
    let Some(world) = World::moto("aws::logs::moto_plays_a_log_group").await else {
        return;
    };
    a_group_keeps_lines(&world).await;
}

#[tokio::test]
async fn an_impossible_retention_names_the_nearest() {
    let error = World::sandbox().ensure("log-group", group(31)).await.unwrap_err();
    assert_eq!(error.help(), Some("the nearest it can is 30"));
}
