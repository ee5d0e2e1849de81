//! The kinds as scripts use them.

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::sandbox::aws::rules::{Effect, Rule};
use crate::secret::Secret;
use crate::value::{Map, Value};

const IMAGE: &str = "public.ecr.aws/nginx/nginx:1.27";

fn definition() -> Map {
    map! {
        "name" => "web",
        "image" => IMAGE,
        "cpu" => 256,
        "memory" => 512,
        "port" => 8080,
        "environment" => map! { "LEVEL" => "info", "WORKERS" => 2 },
        "health_check" => map! { "command" => vec!["CMD-SHELL".to_owned(), "true".to_owned()] },
    }
}

fn service(cluster: &Map, definition: &Map, subnets: &[String], security_group: &str) -> Map {
    map! {
        "name" => "web",
        "cluster" => cluster["arn"].clone(),
        "task_definition" => definition["arn"].clone(),
        "subnets" => subnets.to_vec(),
        "security_groups" => vec![security_group.to_owned()],
        "assign_public_ip" => true,
    }
}

/// The fields of which a run changed something.
async fn changed(world: &World, kind: &str, options: &Map) -> Vec<String> {
    match world.ensure(kind, options.clone()).await.unwrap().0 {
        Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect(),
        other => panic!("{kind}: {other:?}"),
    }
}

/// What every peer can play: a service is made, found, given a new revision, and taken down.
async fn a_service_comes_and_goes(world: &World) {
    let (_, subnets, security_group) = world.network().await;
    let cluster_options = map! { "name" => "main" };
    let (outcome, cluster) = world.ensure("cluster", cluster_options.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let mut web = definition();
    let (outcome, first) = world.ensure("task-definition", web.clone()).await.unwrap();
    assert_eq!(
        (outcome, first["revision"].to_string()),
        (Outcome::Created, "1".to_owned())
    );
    let options = service(&cluster, &first, &subnets, &security_group);
    let (outcome, made) = world.ensure("service", options.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert_eq!(made["task_definition"].to_string(), first["arn"].to_string());

    for (kind, options) in [
        ("cluster", &cluster_options),
        ("task-definition", &web),
        ("service", &options),
    ] {
        let (outcome, _) = world.ensure(kind, options.clone()).await.unwrap();
        assert_eq!(outcome, Outcome::Unchanged, "{kind}");
    }

    // A new revision, and the service that runs it.
    web.insert(
        "environment".into(),
        Value::Map(map! { "LEVEL" => "debug", "WORKERS" => 2 }),
    );
    assert_eq!(changed(world, "task-definition", &web).await, ["environment.LEVEL"]);
    let (outcome, second) = world.ensure("task-definition", web).await.unwrap();
    assert_eq!(
        (outcome, second["revision"].to_string()),
        (Outcome::Unchanged, "2".to_owned())
    );
    let options = service(&cluster, &second, &subnets, &security_group);
    assert_eq!(changed(world, "service", &options).await, ["task_definition"]);
    let (outcome, now) = world.ensure("service", options).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(now["task_definition"].to_string(), second["arn"].to_string());

    world.destroy(&[]).await.unwrap();
    for kind in ["service", "task-definition", "cluster"] {
        assert_eq!(world.count(kind).await, 0, "{kind}");
    }
}

#[tokio::test]
async fn the_sandbox_plays_a_service() {
    let world = World::sandbox();
    a_service_comes_and_goes(&world).await;
    // The sandbox tells service deployments, so nothing is said of another judge.
    assert!(world.told.all().is_empty(), "{:?}", world.told.all());
}

/// Needs a server that runs as many tasks as the service wants: `MOTO_ECS_SERVICE_RUNNING=1 moto_server`.
#[tokio::test]
async fn moto_plays_a_service() {
    let Some(world) = World::moto("aws::ecs::moto_plays_a_service").await else {
        return;
    };
    a_service_comes_and_goes(&world).await;
    let told = world.told.all();
    assert!(
        told.iter().any(|note| note.contains("judged by DescribeServices")),
        "{told:?}"
    );
}

/// A cluster, a definition and a service, for what is tried on them.
async fn running(world: &World) -> (Map, Map) {
    let (_, subnets, security_group) = world.network().await;
    let (_, cluster) = world.ensure("cluster", map! { "name" => "main" }).await.unwrap();
    let (_, web) = world.ensure("task-definition", definition()).await.unwrap();
    let options = service(&cluster, &web, &subnets, &security_group);
    let (_, made) = world.ensure("service", options.clone()).await.unwrap();
    (options, made)
}

#[tokio::test]
async fn a_service_is_scaled_looked_at_and_redeployed() {
    let world = World::sandbox();
    let (options, _) = running(&world).await;
    let web = || Value::text("web");

    let scaled = world.call("ecs::scale", vec![web(), Value::Int(3)]).await.unwrap();
    assert_eq!(scaled.as_map().unwrap()["running"].to_string(), "3");
    // The number belongs to whoever scaled.
    let (outcome, made) = world.ensure("service", options.clone()).await.unwrap();
    assert_eq!(
        (outcome, made["desired"].to_string()),
        (Outcome::Unchanged, "3".to_owned())
    );

    let running = |tasks: &Value| match tasks {
        Value::List(tasks) => tasks
            .iter()
            .filter(|task| task.as_map().unwrap()["state"].as_str() == Some("RUNNING"))
            .count(),
        other => panic!("{other:?}"),
    };
    let tasks = world.call("ecs::tasks", vec![web()]).await.unwrap();
    assert_eq!(running(&tasks), 3);
    let Value::List(rows) = &tasks else { unreachable!() };
    let reason = Value::Map(map! { "reason" => "a test" });
    let stopped = world
        .call("ecs::stop_task", vec![rows[0].clone(), reason])
        .await
        .unwrap();
    let stopped = stopped.as_map().unwrap().clone();
    assert_eq!(
        (stopped["state"].as_str(), stopped["reason"].as_str()),
        (Some("STOPPED"), Some("a test"))
    );

    let again = world.call("ecs::redeploy", vec![web()]).await.unwrap();
    assert_eq!(again.as_map().unwrap()["running"].to_string(), "3");
    let Value::List(deployments) = world.call("ecs::deployments", vec![web()]).await.unwrap() else {
        panic!()
    };
    assert_eq!(deployments.len(), 2);
    assert!(
        deployments
            .iter()
            .all(|row| row.as_map().unwrap()["state"].as_str() == Some("SUCCESSFUL"))
    );
    let events = world.call("ecs::events", vec![web()]).await.unwrap();
    assert!(matches!(events, Value::List(events) if !events.is_empty()));
    assert!(matches!(
        world.call("ecs::logs", vec![web()]).await.unwrap(),
        Value::List(_)
    ));

    let mut enforced = options;
    enforced.insert("enforce_count".into(), Value::Bool(true));
    assert_eq!(changed(&world, "service", &enforced).await, ["count"]);
    let error = world
        .call("ecs::stop_task", vec![Value::text("0123456789")])
        .await
        .unwrap_err();
    assert!(error.message().contains("no task"), "{error}");
}

#[tokio::test]
async fn what_was_changed_by_hand_is_put_right() {
    let world = World::sandbox();
    let (options, made) = running(&world).await;
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    let breaker = aws_sdk_ecs::types::DeploymentCircuitBreaker::builder()
        .enable(false)
        .rollback(false)
        .build();
    let deployment = aws_sdk_ecs::types::DeploymentConfiguration::builder()
        .deployment_circuit_breaker(breaker)
        .build();
    let call = world
        .aws
        .ecs
        .update_service()
        .cluster(text("cluster"))
        .service(text("arn"));
    call.deployment_configuration(deployment).send().await.unwrap();
    assert_eq!(changed(&world, "service", &options).await, ["rollback_on_failure"]);
    let (outcome, _) = world.ensure("service", options).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_revision_whose_answer_is_lost_is_not_registered_twice() {
    let world = World::sandbox();
    world.rule(Rule::new("ecs", "RegisterTaskDefinition", Effect::Throttle).times(2));
    world.rule(Rule::new("ecs", "RegisterTaskDefinition", Effect::LoseAnswer).times(1));
    let (_, first) = world.ensure("task-definition", definition()).await.unwrap();
    assert_eq!(first["revision"].to_string(), "1");

    world.rule(Rule::new("ecs", "RegisterTaskDefinition", Effect::LoseAnswer).times(1));
    let mut wanted = definition();
    wanted.insert("cpu".into(), 512.into());
    wanted.insert("memory".into(), 1024.into());
    let (_, second) = world.ensure("task-definition", wanted).await.unwrap();
    assert_eq!(second["revision"].to_string(), "2");
    let all = world.aws.ecs.list_task_definitions().send().await.unwrap();
    assert_eq!(all.task_definition_arns().len(), 2);
}

#[tokio::test]
async fn a_service_that_drains_is_made_anew() {
    let world = World::sandbox();
    let (options, made) = running(&world).await;
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    let call = world
        .aws
        .ecs
        .delete_service()
        .cluster(text("cluster"))
        .service(text("arn"));
    call.force(true).send().await.unwrap();
    let (outcome, _) = world.ensure("service", options).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
}

#[tokio::test]
async fn a_secret_in_the_environment_is_refused_with_a_word_on_secrets() {
    let world = World::sandbox();
    let mut web = definition();
    web.insert(
        "environment".into(),
        Value::Map(map! { "TOKEN" => Secret::new("swordfish") }),
    );
    let error = world.ensure("task-definition", web).await.unwrap_err();
    assert!(error.message().contains("environment.TOKEN"), "{error}");
    assert!(error.help().unwrap().contains("secrets: #{ TOKEN:"), "{error:?}");
    assert_eq!(world.calls.counts().get("ecs:RegisterTaskDefinition"), None);
}

#[tokio::test]
async fn options_that_fargate_would_refuse_are_refused_first() {
    let world = World::sandbox();
    let mut web = definition();
    web.insert("memory".into(), Value::Int(600));
    let error = world.ensure("task-definition", web).await.unwrap_err();
    assert!(error.message().contains("`memory` 600"), "{error}");
}

#[tokio::test]
async fn a_deployment_that_was_rolled_back_is_a_failure_with_its_reasons() {
    let mut world = World::sandbox();
    world.limit = std::time::Duration::from_secs(60);
    let (good, _) = running(&world).await;
    let mut web = definition();
    let missing = format!("{}.dkr.ecr.eu-west-1.amazonaws.com/missing:1", crate::sandbox::ACCOUNT);
    web.insert("image".into(), Value::text(missing));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role = world
        .aws
        .iam
        .create_role()
        .role_name("execution")
        .assume_role_policy_document(trust);
    let role = role.send().await.unwrap().role().unwrap().arn().to_owned();
    web.insert("execution_role".into(), Value::text(role));
    let managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    let attach = world.aws.iam.attach_role_policy().role_name("execution");
    attach.policy_arn(managed).send().await.unwrap();
    let (_, second) = world.ensure("task-definition", web.clone()).await.unwrap();
    let mut bad = good.clone();
    bad.insert("task_definition".into(), second["arn"].clone());

    // Each run that wants it tries it, and says why it failed.
    for _ in 0..2 {
        let error = world.ensure("service", bad.clone()).await.unwrap_err();
        assert!(
            error.message().contains("was rolled back (ROLLBACK_SUCCESSFUL)"),
            "{error}"
        );
        let notes = error.notes().join("\n");
        assert!(notes.contains("CannotPullContainerError"), "{notes}");
        assert!(notes.contains("event: "), "{notes}");
    }
    // What ran before still runs, and a better revision gets there.
    let (outcome, _) = world.ensure("service", good.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    web.insert("image".into(), Value::text("public.ecr.aws/nginx/nginx:1.28"));
    let (_, third) = world.ensure("task-definition", web).await.unwrap();
    let mut better = good;
    better.insert("task_definition".into(), third["arn"].clone());
    assert_eq!(changed(&world, "service", &better).await, ["task_definition"]);
}
