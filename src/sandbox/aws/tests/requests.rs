//! What the container services and the stores of settings refuse, list and page: the small print of their references.

use aws_sdk_ecs::types::{
    AssignPublicIp, CapacityProviderStrategyItem, ContainerOverride, DeploymentAlarms, DeploymentConfiguration,
    DesiredStatus, LaunchType, TaskOverride,
};
use aws_sdk_ssm::types::ParameterType;

use super::shop::Shop;
use super::*;

#[tokio::test]
async fn what_a_service_cannot_have_here_is_refused_by_name() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    let create = || {
        shop.ecs
            .create_service()
            .cluster("main")
            .service_name("other")
            .task_definition(&definition)
            .desired_count(1)
            .launch_type(LaunchType::Fargate)
            .network_configuration(shop.network(&shop.group, AssignPublicIp::Enabled))
    };
    let configured = |configuration: DeploymentConfiguration| create().deployment_configuration(configuration).send();
    let alarms = DeploymentAlarms::builder()
        .alarm_names("cpu")
        .enable(true)
        .rollback(true)
        .build()
        .unwrap();
    let (code, message) = refused(configured(DeploymentConfiguration::builder().alarms(alarms).build()).await);
    assert_eq!(code, "UnsupportedOperation");
    assert!(message.contains("not in the sandbox: alarms"), "{message}");
    let blocked = DeploymentConfiguration::builder()
        .minimum_healthy_percent(100)
        .maximum_percent(100);
    assert_eq!(
        super::code(configured(blocked.build()).await),
        "InvalidParameterException"
    );
    let grace = create().health_check_grace_period_seconds(60).send().await;
    let (_, message) = refused(grace);
    assert!(message.contains("only valid for services configured to use load balancers"));
    let both = CapacityProviderStrategyItem::builder()
        .capacity_provider("FARGATE")
        .build()
        .unwrap();
    let (_, message) = refused(create().capacity_provider_strategy(both).send().await);
    assert!(message.starts_with("Specifying both a launch type and capacity provider strategy"));
}

#[tokio::test]
async fn a_strategy_spreads_tasks_over_the_providers_of_the_cluster() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    let item = |name: &str, base: i32, weight: i32| {
        let item = CapacityProviderStrategyItem::builder().capacity_provider(name);
        item.base(base).weight(weight).build().unwrap()
    };
    let run = || {
        shop.ecs
            .run_task()
            .cluster("main")
            .task_definition(&definition)
            .count(4)
            .network_configuration(shop.network(&shop.group, AssignPublicIp::Enabled))
    };
    let (_, message) = refused(run().capacity_provider_strategy(item("FARGATE", 1, 1)).send().await);
    assert!(message.contains("not associated with the cluster"), "{message}");
    shop.ecs
        .put_cluster_capacity_providers()
        .cluster("main")
        .capacity_providers("FARGATE")
        .capacity_providers("FARGATE_SPOT")
        .default_capacity_provider_strategy(item("FARGATE", 2, 0))
        .default_capacity_provider_strategy(item("FARGATE_SPOT", 0, 1))
        .send()
        .await
        .unwrap();
    let tasks = run().send().await.unwrap().tasks.unwrap();
    let providers: Vec<_> = tasks
        .iter()
        .map(|task| task.capacity_provider_name().unwrap())
        .collect();
    assert_eq!(providers, ["FARGATE", "FARGATE", "FARGATE_SPOT", "FARGATE_SPOT"]);
    let known = shop.ecs.describe_capacity_providers().capacity_providers("none");
    let known = known.send().await.unwrap();
    assert_eq!(known.failures()[0].reason(), Some("MISSING"));

    // Listings have their own rules.
    let list = || shop.ecs.list_tasks().cluster("main");
    assert_eq!(list().family("shop").send().await.unwrap().task_arns().len(), 4);
    let none = list().desired_status(DesiredStatus::Pending).send().await.unwrap();
    assert!(none.task_arns().is_empty(), "PENDING returns nothing");
    assert_eq!(
        code(list().family("shop").started_by("me").send().await),
        "InvalidParameterException"
    );
    let first = list().max_results(3).send().await.unwrap();
    let rest = list().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((first.task_arns().len(), rest.task_arns().len()), (3, 1));
    let container = ContainerOverride::builder().name("none").build();
    let overrides = TaskOverride::builder().container_overrides(container).build();
    let (_, message) = refused(run().overrides(overrides).send().await);
    assert_eq!(
        message,
        "Override for container named none is not a container in the TaskDefinition."
    );
}

#[tokio::test]
async fn the_tagging_api_gives_any_resource_its_first_tag() {
    let shop = Shop::new().await;
    let tagging = aws_sdk_resourcegroupstagging::Client::new(&shop.cloud.config);
    let region = "eu-central-1:000000000000";
    let repository = format!("arn:aws:ecr:{region}:repository/shop");
    let group = format!("arn:aws:logs:{region}:log-group:/shop");
    let cluster = format!("arn:aws:ecs:{region}:cluster/main");
    let absent = format!("arn:aws:ecr:{region}:repository/none");
    let call = tagging
        .tag_resources()
        .set_resource_arn_list(Some(vec![
            repository.clone(),
            group,
            cluster,
            shop.balancer.clone(),
            shop.target_group.clone(),
            absent.clone(),
        ]))
        .tags("owner", "me");
    let failed = call.send().await.unwrap().failed_resources_map.unwrap();
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&absent]);
    let found = tagging.get_resources().send().await.unwrap();
    assert_eq!(found.resource_tag_mapping_list().len(), 5);
    let tags = shop.ecr.list_tags_for_resource().resource_arn(repository);
    assert_eq!(tags.send().await.unwrap().tags()[0].value(), "me");
}

#[tokio::test]
async fn a_parameter_is_found_by_its_arn_and_loses_labels() {
    let cloud = Cloud::new();
    let client = aws_sdk_ssm::Client::new(&cloud.config);
    let put = client
        .put_parameter()
        .name("/shop/url")
        .value("x")
        .r#type(ParameterType::String);
    put.send().await.unwrap();
    let arn = "arn:aws:ssm:eu-central-1:000000000000:parameter/shop/url";
    let label = client.label_parameter_version().name("/shop/url").labels("live");
    label.send().await.unwrap();
    for id in [arn.to_owned(), format!("{arn}:live"), "/shop/url:1".to_owned()] {
        let found = client.get_parameter().name(&id).send().await.unwrap();
        assert_eq!(found.parameter().unwrap().name(), Some("/shop/url"), "{id}");
    }
    let unlabel = client
        .unlabel_parameter_version()
        .name("/shop/url")
        .parameter_version(1)
        .labels("live")
        .labels("old");
    let unlabelled = unlabel.send().await.unwrap();
    assert_eq!(
        (unlabelled.removed_labels(), unlabelled.invalid_labels()),
        (&["live".to_owned()][..], &["old".to_owned()][..])
    );
    assert_eq!(
        code(client.get_parameter().name("/shop/url:live").send().await),
        "ParameterVersionNotFound"
    );
}

#[tokio::test]
async fn events_go_when_the_retention_of_their_group_is_over() {
    let cloud = Cloud::new();
    let client = aws_sdk_cloudwatchlogs::Client::new(&cloud.config);
    client.create_log_group().log_group_name("/shop").send().await.unwrap();
    let stream = client
        .create_log_stream()
        .log_group_name("/shop")
        .log_stream_name("web");
    stream.send().await.unwrap();
    let put = |at: i64, text: &str| {
        let event = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder()
            .timestamp(at)
            .message(text)
            .build()
            .unwrap();
        client
            .put_log_events()
            .log_group_name("/shop")
            .log_stream_name("web")
            .log_events(event)
            .send()
    };
    put(1_800_000_000_000, "old").await.unwrap();
    cloud.pass(Duration::from_secs(2 * 24 * 3600));
    put(1_800_000_000_000 + 2 * 24 * 3600 * 1000, "new").await.unwrap();
    let messages = || async {
        let found = client.filter_log_events().log_group_name("/shop").send().await.unwrap();
        let text = |event: &aws_sdk_cloudwatchlogs::types::FilteredLogEvent| event.message().unwrap().to_owned();
        found.events().iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(messages().await, ["old", "new"]);
    let keep = |days| {
        client
            .put_retention_policy()
            .log_group_name("/shop")
            .retention_in_days(days)
            .send()
    };
    assert_eq!(code(keep(2).await), "InvalidParameterException");
    keep(1).await.unwrap();
    assert_eq!(messages().await, ["new"]);
}

#[tokio::test]
async fn a_repository_scans_in_its_time_and_checks_its_policy() {
    let shop = Shop::new().await;
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("1").build();
    let status = || async {
        let found = shop
            .ecr
            .describe_image_scan_findings()
            .repository_name("shop")
            .image_id(id.clone());
        let found = found.send().await?;
        let status = found.image_scan_status().unwrap().status().unwrap().as_str().to_owned();
        Ok::<_, aws_sdk_ecr::error::SdkError<_, _>>(status)
    };
    assert_eq!(code(status().await), "ScanNotFoundException");
    let start = shop.ecr.start_image_scan().repository_name("shop").image_id(id.clone());
    start.send().await.unwrap();
    assert_eq!(status().await.unwrap(), "IN_PROGRESS");
    shop.pass(60);
    assert_eq!(status().await.unwrap(), "COMPLETE");

    let put = |selection: &str| {
        let text =
            format!(r#"{{"rules":[{{"rulePriority":1,"selection":{selection},"action":{{"type":"expire"}}}}]}}"#);
        shop.ecr
            .put_lifecycle_policy()
            .repository_name("shop")
            .lifecycle_policy_text(text)
            .send()
    };
    for wrong in [
        r#"{"tagStatus":"tagged","countType":"imageCountMoreThan","countNumber":9}"#,
        r#"{"tagStatus":"any","countType":"sinceImagePushed","countNumber":9}"#,
        r#"{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":0}"#,
    ] {
        let (code, message) = refused(put(wrong).await);
        assert_eq!(code, "InvalidParameterException");
        assert!(message.contains("Lifecycle policy validation failure"), "{message}");
    }
    put(r#"{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9}"#)
        .await
        .unwrap();
    let registry = shop.ecr.describe_registry().send().await.unwrap();
    assert_eq!(registry.registry_id(), Some("000000000000"));
}

#[tokio::test]
async fn an_account_has_regions_and_no_instances() {
    let cloud = Cloud::new();
    let regions = cloud.ec2.describe_regions().send().await.unwrap();
    assert!(
        regions
            .regions()
            .iter()
            .any(|region| region.region_name() == Some("eu-central-1"))
    );
    let attributes = cloud.ec2.describe_account_attributes();
    let attributes = attributes.send().await.unwrap();
    assert!(
        attributes
            .account_attributes()
            .iter()
            .any(|one| one.attribute_name() == Some("default-vpc"))
    );
    assert!(
        cloud
            .ec2
            .describe_instances()
            .send()
            .await
            .unwrap()
            .reservations()
            .is_empty()
    );
    let unknown = cloud.ec2.describe_instances().instance_ids("i-0123456789abcdef0");
    assert_eq!(code(unknown.send().await), "InvalidInstanceID.NotFound");
}
