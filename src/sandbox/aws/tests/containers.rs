//! Registry, load balancer, service, tasks and logs: how a service comes up, is changed, and goes.

use aws_sdk_ecs::types::ServiceDeploymentStatus;
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum};

use super::shop::Shop;
use super::*;

#[tokio::test]
async fn a_service_comes_up_serves_and_goes() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    let made = shop.create(&definition, 2).await;
    assert_eq!(
        shop.create(&definition, 2).await.service_arn(),
        made.service_arn(),
        "the same token again"
    );
    assert_eq!(
        (
            shop.service().await.pending_count(),
            shop.service().await.running_count()
        ),
        (2, 0)
    );
    let tasks = shop
        .ecs
        .list_tasks()
        .cluster("main")
        .service_name("shop")
        .send()
        .await
        .unwrap();
    let describe = || {
        shop.ecs
            .describe_tasks()
            .cluster("main")
            .set_tasks(tasks.task_arns.clone())
            .send()
    };
    assert_eq!(describe().await.unwrap().tasks()[0].last_status(), Some("PROVISIONING"));
    shop.pass(30);
    assert_eq!(describe().await.unwrap().tasks()[0].last_status(), Some("PENDING"));

    shop.pass(40);
    assert_eq!(
        shop.health().await,
        ["initial", "initial"],
        "the load balancer sees it though ECS was not asked"
    );
    assert_eq!(shop.service().await.running_count(), 2);
    assert_eq!(
        shop.deployment().await.status(),
        Some(&ServiceDeploymentStatus::InProgress)
    );
    shop.pass(30);
    assert_eq!(shop.health().await, ["healthy", "healthy"]);
    let deployment = shop.deployment().await;
    assert_eq!(deployment.status(), Some(&ServiceDeploymentStatus::Successful));
    let service = shop.service().await;
    assert_eq!(service.deployments()[0].rollout_state().unwrap().as_str(), "COMPLETED");
    assert!(
        service.events()[0]
            .message()
            .unwrap()
            .contains("has reached a steady state.")
    );
    let revision = deployment.target_service_revision().unwrap().arn().unwrap();
    let revisions = shop
        .ecs
        .describe_service_revisions()
        .service_revision_arns(revision)
        .send()
        .await
        .unwrap();
    assert_eq!(
        revisions.service_revisions()[0].task_definition(),
        Some(definition.as_str())
    );
    let lines = shop
        .logs
        .filter_log_events()
        .log_group_name("/shop")
        .filter_pattern("listening")
        .send()
        .await
        .unwrap();
    assert_eq!(lines.events().len(), 2);

    // What is in use stays.
    assert_eq!(
        code(shop.ecs.delete_cluster().cluster("main").send().await),
        "ClusterContainsServicesException"
    );
    let group = || {
        shop.elb
            .delete_target_group()
            .target_group_arn(&shop.target_group)
            .send()
    };
    assert_eq!(code(group().await), "ResourceInUse");
    assert_eq!(
        code(shop.cloud.ec2.delete_subnet().subnet_id(&shop.subnets[0]).send().await),
        "DependencyViolation"
    );
    let early = shop.ecs.delete_service().cluster("main").service("shop").send().await;
    assert_eq!(code(early), "InvalidParameterException");

    shop.ecs
        .delete_service()
        .cluster("main")
        .service("shop")
        .force(true)
        .send()
        .await
        .unwrap();
    assert_eq!(shop.service().await.status(), Some("DRAINING"));
    assert_eq!(shop.health().await, ["draining", "draining"]);
    shop.pass(400);
    assert_eq!(shop.service().await.status(), Some("INACTIVE"));
    shop.ecs.delete_cluster().cluster("main").send().await.unwrap();
    shop.elb
        .delete_listener()
        .listener_arn(&shop.listener)
        .send()
        .await
        .unwrap();
    group().await.unwrap();
    shop.elb
        .delete_load_balancer()
        .load_balancer_arn(&shop.balancer)
        .send()
        .await
        .unwrap();
    let lingering = shop.cloud.ec2.delete_subnet().subnet_id(&shop.subnets[0]).send().await;
    assert_eq!(code(lingering), "DependencyViolation", "its interfaces linger");
    shop.pass(180);
    shop.cloud
        .ec2
        .delete_subnet()
        .subnet_id(&shop.subnets[0])
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_bad_revision_is_rolled_back_while_the_old_tasks_serve() {
    let shop = Shop::new().await;
    let good = shop.define("1", None).await;
    shop.create(&good, 2).await;
    shop.pass(600);
    let absent = shop.define("2", None).await;
    shop.update(&absent).await;
    shop.pass(70);
    let stopped = shop
        .ecs
        .list_tasks()
        .cluster("main")
        .desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped)
        .send()
        .await
        .unwrap();
    let stopped = shop
        .ecs
        .describe_tasks()
        .cluster("main")
        .set_tasks(stopped.task_arns)
        .send()
        .await
        .unwrap();
    let reason = stopped.tasks()[0].stopped_reason().unwrap();
    assert!(
        reason.starts_with("CannotPullContainerError") && reason.ends_with("not found"),
        "{reason}"
    );
    assert_eq!(shop.service().await.running_count(), 2);
    shop.pass(3600);
    let deployment = shop.deployment().await;
    assert_eq!(deployment.status(), Some(&ServiceDeploymentStatus::RollbackSuccessful));
    assert!(
        deployment
            .rollback()
            .unwrap()
            .reason()
            .unwrap()
            .contains("circuit breaker")
    );
    let service = shop.service().await;
    assert_eq!(service.task_definition(), Some(good.as_str()));
    assert_eq!((service.running_count(), service.deployments().len()), (2, 1));
}

#[tokio::test]
async fn a_first_revision_that_never_starts_fails_and_a_push_heals_the_next() {
    let shop = Shop::new().await;
    let secret = shop
        .define(
            "1",
            Some("arn:aws:secretsmanager:eu-central-1:000000000000:secret:none-AbCdEf"),
        )
        .await;
    shop.create(&secret, 1).await;
    shop.pass(3600);
    assert_eq!(
        shop.deployment().await.status(),
        Some(&ServiceDeploymentStatus::RollbackFailed)
    );
    let service = shop.service().await;
    assert_eq!(service.deployments()[0].rollout_state().unwrap().as_str(), "FAILED");
    let told = service
        .events()
        .iter()
        .any(|event| event.message().unwrap().contains("ResourceInitializationError"));
    assert!(told, "{:?}", service.events());

    let pushed = shop.define("2", None).await;
    shop.ecr
        .put_image()
        .repository_name("shop")
        .image_tag("2")
        .image_manifest("{ }")
        .send()
        .await
        .unwrap();
    shop.update(&pushed).await;
    shop.pass(600);
    assert_eq!(
        shop.deployment().await.status(),
        Some(&ServiceDeploymentStatus::Successful)
    );
}

#[tokio::test]
async fn a_stopped_task_is_replaced_and_keeps_its_reason() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    shop.create(&definition, 1).await;
    shop.pass(600);
    let tasks = shop.ecs.list_tasks().cluster("main").send().await.unwrap();
    let old = tasks.task_arns()[0].clone();
    shop.ecs
        .stop_task()
        .cluster("main")
        .task(&old)
        .reason("chaos")
        .send()
        .await
        .unwrap();
    shop.pass(600);
    let tasks = shop.ecs.list_tasks().cluster("main").send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), 1);
    assert_ne!(tasks.task_arns()[0], old);
    assert_eq!(shop.health().await, ["healthy"]);
    let stopped = shop
        .ecs
        .describe_tasks()
        .cluster("main")
        .tasks(&old)
        .send()
        .await
        .unwrap();
    assert_eq!(stopped.tasks()[0].stopped_reason(), Some("chaos"));
    assert_eq!(stopped.tasks()[0].containers()[0].exit_code(), Some(0));
    // A new deployment by force, and a scale to none.
    let forced = shop
        .ecs
        .update_service()
        .cluster("main")
        .service("shop")
        .force_new_deployment(true);
    assert_eq!(forced.send().await.unwrap().service.unwrap().deployments().len(), 2);
    shop.pass(900);
    assert_eq!(
        shop.deployment().await.status(),
        Some(&ServiceDeploymentStatus::Successful)
    );
    shop.ecs
        .update_service()
        .cluster("main")
        .service("shop")
        .desired_count(0)
        .send()
        .await
        .unwrap();
    shop.pass(900);
    assert_eq!(
        (shop.service().await.running_count(), shop.health().await.len()),
        (0, 0)
    );
}

#[tokio::test]
async fn unknown_names_are_failures_and_errors_of_their_own() {
    let shop = Shop::new().await;
    let found = shop
        .ecs
        .describe_services()
        .cluster("main")
        .services("none")
        .send()
        .await
        .unwrap();
    assert_eq!(found.failures()[0].reason(), Some("MISSING"));
    assert_eq!(
        code(shop.ecs.describe_services().cluster("none").services("x").send().await),
        "ClusterNotFoundException"
    );
    assert_eq!(
        code(shop.ecs.describe_task_definition().task_definition("none").send().await),
        "ClientException"
    );
    let twice = shop
        .elb
        .create_listener()
        .load_balancer_arn(&shop.balancer)
        .port(80)
        .protocol(ProtocolEnum::Http);
    let forward = Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .target_group_arn(&shop.target_group)
        .build();
    assert_eq!(code(twice.default_actions(forward).send().await), "DuplicateListener");
    let group = shop.elb.describe_target_groups().names("none").send().await;
    assert_eq!(code(group), "TargetGroupNotFound");
    let state = || async {
        let found = shop.elb.describe_load_balancers().names("front").send().await.unwrap();
        found.load_balancers()[0]
            .state()
            .unwrap()
            .code()
            .unwrap()
            .as_str()
            .to_owned()
    };
    assert_eq!(state().await, "provisioning");
    shop.pass(300);
    assert_eq!(state().await, "active");
}
