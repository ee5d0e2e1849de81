//! A create call that was refused because the name is taken, while the listings lag behind.

use std::time::{Duration, Instant};

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::resource::lease::Timings;
use crate::sandbox::aws::rules::{Effect, Rule};
use crate::value::Map;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

fn role() -> Map {
    map! { "name" => "task", "service" => "ecs-tasks.amazonaws.com" }
}

/// In which listings lag by 700 ms, of which a run knows that they may lag by `consistency`.
fn lagging(noun: &str, consistency: Duration) -> World {
    let mut world = World::sandbox();
    world.leases = Some(Timings {
        consistency,
        ..Timings::AWS
    });
    let noun = noun.to_owned();
    world.rule(Rule::new("*", "*", Effect::Eventually { noun, time: 700 }));
    world
}

#[tokio::test]
async fn what_an_attempt_made_whose_answer_was_lost_is_found_although_the_listing_lags() {
    let world = lagging("roles", Duration::from_secs(5));
    world.rule(Rule::new("iam", "CreateRole", Effect::LoseAnswer).times(1));
    // The SDK sends it again. The service says that the name is taken, and shows nothing of that name.
    let (_, outputs) = world.ensure("role", role()).await.unwrap();
    assert_eq!(outputs["name_at_aws"].as_str(), Some("shop-dev-task"));
    assert_eq!(world.count("role").await, 1);
    assert_eq!(world.ensure("role", role()).await.unwrap().0, Outcome::Unchanged);
}

#[tokio::test]
async fn what_a_run_that_died_made_is_found_although_the_listing_lags() {
    let world = lagging("roles", Duration::from_secs(5));
    let context = world.scope.for_create("role", "task", "");
    let create = world
        .aws
        .iam
        .create_role()
        .role_name("shop-dev-task")
        .path("/shop/dev/");
    let create = context.iter().fold(create, |create, (key, value)| {
        let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value);
        create.tags(tag.build().unwrap())
    });
    create.assume_role_policy_document(TRUST).send().await.unwrap();
    world.ensure("role", role()).await.unwrap();
    assert_eq!(world.count("role").await, 1);
}

#[tokio::test]
async fn what_the_service_shows_by_its_name_is_not_waited_for() {
    let mut world = World::sandbox_at_once();
    world.leases = Some(Timings::AWS);
    let tags = world.scope.wanted("role", "task", "");
    // Ours are listed by their path, which this one does not have.
    let create = world.aws.iam.create_role().role_name("shop-dev-task");
    let create = tags.iter().fold(create, |create, (key, value)| {
        let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value);
        create.tags(tag.build().unwrap())
    });
    create.assume_role_policy_document(TRUST).send().await.unwrap();
    assert_eq!(world.count("role").await, 0);
    let began = Instant::now();
    assert_eq!(world.ensure("role", role()).await.unwrap().0, Outcome::Created);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let there = world.aws.iam.list_roles().send().await.unwrap();
    assert_eq!(there.roles().len(), 1);
}

#[tokio::test]
async fn what_is_never_seen_is_not_called_somebody_elses() {
    let world = lagging("roles", Duration::from_millis(100));
    world.rule(Rule::new("iam", "CreateRole", Effect::LoseAnswer).times(1));
    let error = world.ensure("role", role()).await.unwrap_err();
    assert_eq!(error.code(), "EntityAlreadyExists");
    let note = &error.notes()[0];
    assert!(
        note.contains("was not found") && note.contains("within 0.1 s"),
        "{note}"
    );
}

#[tokio::test]
async fn what_is_somebody_elses_is_told_at_once() {
    let mut world = World::sandbox_at_once();
    world.leases = Some(Timings::AWS);
    let create = world.aws.iam.create_role().role_name("shop-dev-task");
    create.assume_role_policy_document(TRUST).send().await.unwrap();
    let (vpc, ..) = world.network().await;
    let create = world.aws.ec2.create_security_group().group_name("shop-dev-app");
    create.description("theirs").vpc_id(&vpc).send().await.unwrap();
    let create = world.aws.logs.create_log_group().log_group_name("shop-dev-app");
    let tags = [
        ("iacsh:project", "shop"),
        ("iacsh:env", "prod"),
        ("iacsh:id", "log-group/app"),
    ];
    let create = create.set_tags(Some(tags.map(|(key, value)| (key.into(), value.into())).into()));
    create.send().await.unwrap();

    let began = Instant::now();
    let group = map! { "name" => "app", "vpc" => vpc.as_str() };
    for (kind, options) in [("role", role()), ("security-group", group)] {
        let error = world.ensure(kind, options).await.unwrap_err();
        let note = &error.notes()[0];
        assert!(note.contains("does not carry this environment's tags"), "{note}");
        assert!(error.help().unwrap().starts_with("adopt("), "{:?}", error.help());
    }
    let error = world.ensure("log-group", map! { "name" => "app" }).await.unwrap_err();
    assert!(
        error.notes()[0].ends_with("belongs to shop prod"),
        "{:?}",
        error.notes()
    );
    // Not after the minute in which listings may lag.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
