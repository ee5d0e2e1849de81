//! Service deployments: stopped by hand, and what is known of revisions.

use aws_sdk_ecs::types::{ServiceDeploymentStatus, StopServiceDeploymentStopType};

use super::shop::Shop;
use super::*;

#[tokio::test]
async fn a_deployment_that_is_stopped_goes_back_to_what_served() {
    let shop = Shop::new().await;
    let good = shop.define("1", None).await;
    shop.create(&good, 2).await;
    shop.pass(600);
    let next = shop.define("1", None).await;
    shop.update(&next).await;
    shop.pass(30);
    let running = shop.deployment().await;
    assert_eq!(running.status(), Some(&ServiceDeploymentStatus::InProgress));
    let arn = running.service_deployment_arn().unwrap();
    let stop = |how: Option<StopServiceDeploymentStopType>| {
        shop.ecs
            .stop_service_deployment()
            .service_deployment_arn(arn)
            .set_stop_type(how)
            .send()
    };
    let abort = stop(Some(StopServiceDeploymentStopType::Abort)).await;
    assert_eq!(code(abort), "UnsupportedOperation");
    stop(None).await.unwrap();
    assert_eq!(
        shop.deployment().await.status(),
        Some(&ServiceDeploymentStatus::RollbackInProgress)
    );
    assert_eq!(code(stop(None).await), "ConflictException");
    shop.pass(1200);
    let ended = shop.deployment().await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::RollbackSuccessful));
    assert!(
        ended
            .rollback()
            .unwrap()
            .reason()
            .unwrap()
            .contains("because of a request")
    );
    let service = shop.service().await;
    assert_eq!(service.task_definition(), Some(good.as_str()));
    assert_eq!((service.running_count(), service.deployments().len()), (2, 1));

    let unknown = arn.replace("/shop/", "/none/");
    let found = shop.ecs.describe_service_deployments().service_deployment_arns(unknown);
    let found = found.send().await.unwrap();
    assert_eq!(found.failures()[0].reason(), Some("MISSING"));
    let listed = shop.ecs.list_service_deployments().cluster("main").service("shop");
    let listed = listed
        .status(ServiceDeploymentStatus::RollbackSuccessful)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.service_deployments().len(), 1);
}

#[tokio::test]
async fn a_service_gives_its_tags_to_its_tasks() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    let tag = aws_sdk_ecs::types::Tag::builder().key("owner").value("me").build();
    let create = shop
        .ecs
        .create_service()
        .cluster("main")
        .service_name("tagged")
        .task_definition(&definition)
        .desired_count(1)
        .launch_type(aws_sdk_ecs::types::LaunchType::Fargate)
        .enable_ecs_managed_tags(true)
        .propagate_tags(aws_sdk_ecs::types::PropagateTags::Service)
        .tags(tag)
        .network_configuration(shop.network(&shop.group, aws_sdk_ecs::types::AssignPublicIp::Enabled));
    create.send().await.unwrap();
    let tasks = shop.ecs.list_tasks().cluster("main").service_name("tagged");
    let tasks = tasks.send().await.unwrap().task_arns.unwrap();
    let found = shop
        .ecs
        .describe_tasks()
        .cluster("main")
        .set_tasks(Some(tasks))
        .include(aws_sdk_ecs::types::TaskField::Tags)
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = found.tasks()[0].tags().iter().map(|tag| tag.key().unwrap()).collect();
    assert_eq!(keys, ["aws:ecs:clusterName", "aws:ecs:serviceName", "owner"]);
}
