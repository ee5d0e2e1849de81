//! Roles and their policies.

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::value::{Map, Value};

fn role(action: &str) -> Map {
    let statement = map! { "Effect" => "Allow", "Action" => vec![Value::text(action)], "Resource" => "*" };
    let document = map! { "Version" => "2012-10-17", "Statement" => vec![Value::Map(statement)] };
    map! {
        "name" => "execution", "service" => "ecs-tasks.amazonaws.com",
        "managed_policies" => vec![Value::text("service-role/AmazonECSTaskExecutionRolePolicy")],
        "inline_policies" => map! { "secrets" => document },
    }
}

async fn fields(world: &World, options: Map) -> Vec<String> {
    match world.ensure("role", options).await.unwrap().0 {
        Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect(),
        Outcome::Unchanged => Vec::new(),
        other => panic!("{other:?}"),
    }
}

async fn a_role_has_exactly_its_policies(world: &World) {
    let (outcome, made) = world.ensure("role", role("ssm:GetParameters")).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let physical = made["name_at_aws"].as_str().unwrap().to_owned();
    assert!(fields(world, role("ssm:GetParameters")).await.is_empty());

    // Somebody opens the role wide.
    let iam = &world.aws.iam;
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let put = iam.put_role_policy().role_name(&physical).policy_name("by-hand");
    put.policy_document(everything).send().await.unwrap();
    let put = iam.put_role_policy().role_name(&physical).policy_name("secrets");
    put.policy_document(everything).send().await.unwrap();
    let detach = iam.detach_role_policy().role_name(&physical);
    let arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    detach.policy_arn(arn).send().await.unwrap();
    assert_eq!(
        fields(world, role("ssm:GetParameters")).await,
        ["managed_policies", "inline_policies.secrets", "inline_policies.by-hand"]
    );
    assert!(fields(world, role("ssm:GetParameters")).await.is_empty());
    assert_eq!(
        fields(world, role("ssm:GetParameter")).await,
        ["inline_policies.secrets"]
    );

    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("role").await, 0);
}

#[tokio::test]
async fn the_sandbox_plays_a_role() {
    a_role_has_exactly_its_policies(&World::sandbox()).await;
}

/// Needs `MOTO_IAM_LOAD_MANAGED_POLICIES=true`: without it moto has none of AWS's own policies.
#[tokio::test]
async fn moto_plays_a_role() {
    let Some(world) = World::moto("aws::iam::moto_plays_a_role").await else {
        return;
    };
    a_role_has_exactly_its_policies(&world).await;
}

/// Whether a run asked for roles one by one.
async fn asks_singly(world: &World) -> bool {
    let before = world.calls.counts().get("iam:GetRole").copied();
    assert!(fields(world, role("ssm:GetParameters")).await.is_empty());
    world.calls.counts().get("iam:GetRole").copied() != before
}

/// What by hand was put on a role shows however the account's roles are read.
#[tokio::test]
async fn where_an_account_has_many_roles_ours_are_read_singly() {
    let world = World::sandbox();
    assert_eq!(
        world.ensure("role", role("ssm:GetParameters")).await.unwrap().0,
        Outcome::Created
    );
    assert!(!asks_singly(&world).await);
    let iam = &world.aws.iam;
    for number in 0..300 {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let create = iam.create_role().role_name(format!("foreign-{number}"));
        create.assume_role_policy_document(trust).send().await.unwrap();
    }
    assert!(asks_singly(&world).await);
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let put = iam.put_role_policy().role_name(world.scope.physical("execution"));
    put.policy_name("by-hand")
        .policy_document(everything)
        .send()
        .await
        .unwrap();
    assert_eq!(
        fields(&world, role("ssm:GetParameters")).await,
        ["inline_policies.by-hand"]
    );
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("role").await, 0);
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_before_anything_is_made() {
    let world = World::sandbox();
    let mut options = role("ssm:GetParameters");
    options.insert("name".into(), Value::text("x".repeat(64)));
    let error = world.ensure("role", options).await.unwrap_err();
    assert!(error.message().contains("a role may have 64"), "{error}");
    assert_eq!(world.calls.total(), 0);
}
