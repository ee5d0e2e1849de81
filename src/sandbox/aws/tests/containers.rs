//! Registry, load balancer, service, tasks and logs: how a service comes up, is changed, and goes.

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Compatibility, ContainerDefinition, DeploymentCircuitBreaker,
    DeploymentConfiguration, LaunchType, LoadBalancer, LogConfiguration, LogDriver, NetworkConfiguration, NetworkMode,
    PortMapping, Secret, Service, ServiceDeployment, ServiceDeploymentStatus,
};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetTypeEnum};

use super::*;

const REPOSITORY: &str = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/shop";

struct Shop {
    cloud: Cloud,
    ecs: aws_sdk_ecs::Client,
    elb: aws_sdk_elasticloadbalancingv2::Client,
    ecr: aws_sdk_ecr::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    subnets: [String; 2],
    group: String,
    balancer: String,
    listener: String,
    target_group: String,
}

impl Shop {
    /// Everything that a service stands on. The image `shop:1` is pushed.
    async fn new() -> Self {
        let cloud = Cloud::new();
        let vpc = cloud.vpc("10.0.0.0/16").await;
        let subnets = [
            cloud.subnet(&vpc, "10.0.0.0/24").await,
            cloud.subnet(&vpc, "10.0.1.0/24").await,
        ];
        let group = cloud.group(&vpc, "shop").await;
        let ecs = aws_sdk_ecs::Client::new(&cloud.config);
        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&cloud.config);
        let ecr = aws_sdk_ecr::Client::new(&cloud.config);
        let logs = aws_sdk_cloudwatchlogs::Client::new(&cloud.config);
        let iam = aws_sdk_iam::Client::new(&cloud.config);
        let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        iam.create_role()
            .role_name("execution")
            .assume_role_policy_document(trust)
            .send()
            .await
            .unwrap();
        logs.create_log_group().log_group_name("/shop").send().await.unwrap();
        ecr.create_repository().repository_name("shop").send().await.unwrap();
        ecr.put_image()
            .repository_name("shop")
            .image_tag("1")
            .image_manifest("{}")
            .send()
            .await
            .unwrap();
        ecs.create_cluster().cluster_name("main").send().await.unwrap();
        let made = elb
            .create_load_balancer()
            .name("front")
            .set_subnets(Some(subnets.to_vec()))
            .security_groups(&group);
        let balancer = made.send().await.unwrap().load_balancers()[0]
            .load_balancer_arn()
            .unwrap()
            .to_owned();
        let made = elb
            .create_target_group()
            .name("shop")
            .protocol(ProtocolEnum::Http)
            .port(8080)
            .vpc_id(&vpc)
            .target_type(TargetTypeEnum::Ip)
            .health_check_interval_seconds(10)
            .healthy_threshold_count(2);
        let target_group = made.send().await.unwrap().target_groups()[0]
            .target_group_arn()
            .unwrap()
            .to_owned();
        let forward = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .target_group_arn(&target_group)
            .build();
        let made = elb
            .create_listener()
            .load_balancer_arn(&balancer)
            .protocol(ProtocolEnum::Http)
            .port(80)
            .default_actions(forward);
        let listener = made.send().await.unwrap().listeners()[0]
            .listener_arn()
            .unwrap()
            .to_owned();
        Self {
            cloud,
            ecs,
            elb,
            ecr,
            logs,
            subnets,
            group,
            balancer,
            listener,
            target_group,
        }
    }

    fn pass(&self, seconds: u64) {
        self.cloud.pass(Duration::from_secs(seconds));
    }

    async fn define(&self, tag: &str, secret: Option<&str>) -> String {
        let logging = LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", "/shop")
            .options("awslogs-region", "eu-central-1")
            .options("awslogs-stream-prefix", "web")
            .build()
            .unwrap();
        let secret = secret.map(|from| Secret::builder().name("PASSWORD").value_from(from).build().unwrap());
        let container = ContainerDefinition::builder()
            .name("web")
            .image(format!("{REPOSITORY}:{tag}"))
            .port_mappings(PortMapping::builder().container_port(8080).build())
            .log_configuration(logging)
            .set_secrets(secret.map(|secret| vec![secret]))
            .build();
        let made = self
            .ecs
            .register_task_definition()
            .family("shop")
            .requires_compatibilities(Compatibility::Fargate)
            .network_mode(NetworkMode::Awsvpc)
            .cpu("256")
            .memory("512")
            .execution_role_arn("arn:aws:iam::000000000000:role/execution")
            .container_definitions(container);
        made.send()
            .await
            .unwrap()
            .task_definition
            .unwrap()
            .task_definition_arn
            .unwrap()
    }

    async fn create(&self, definition: &str, desired: i32) -> Service {
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(self.subnets.to_vec()))
            .security_groups(&self.group)
            .assign_public_ip(AssignPublicIp::Enabled)
            .build()
            .unwrap();
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
        let balancer = LoadBalancer::builder()
            .target_group_arn(&self.target_group)
            .container_name("web")
            .container_port(8080);
        let made = self
            .ecs
            .create_service()
            .cluster("main")
            .service_name("shop")
            .task_definition(definition)
            .desired_count(desired)
            .launch_type(LaunchType::Fargate)
            .client_token("token")
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
            .load_balancers(balancer.build())
            .deployment_configuration(
                DeploymentConfiguration::builder()
                    .deployment_circuit_breaker(breaker)
                    .build(),
            );
        made.send().await.unwrap().service.unwrap()
    }

    async fn update(&self, definition: &str) -> Service {
        let made = self
            .ecs
            .update_service()
            .cluster("main")
            .service("shop")
            .task_definition(definition);
        made.send().await.unwrap().service.unwrap()
    }

    async fn service(&self) -> Service {
        let found = self
            .ecs
            .describe_services()
            .cluster("main")
            .services("shop")
            .send()
            .await
            .unwrap();
        found.services.unwrap().remove(0)
    }

    /// The newest service deployment.
    async fn deployment(&self) -> ServiceDeployment {
        let listed = self
            .ecs
            .list_service_deployments()
            .cluster("main")
            .service("shop")
            .send()
            .await
            .unwrap();
        let arn = listed.service_deployments()[0].service_deployment_arn().unwrap();
        let found = self
            .ecs
            .describe_service_deployments()
            .service_deployment_arns(arn)
            .send()
            .await
            .unwrap();
        found.service_deployments.unwrap().remove(0)
    }

    async fn health(&self) -> Vec<String> {
        let found = self
            .elb
            .describe_target_health()
            .target_group_arn(&self.target_group)
            .send()
            .await
            .unwrap();
        let state = |target: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
            target.target_health().unwrap().state().unwrap().as_str().to_owned()
        };
        found.target_health_descriptions().iter().map(state).collect()
    }
}

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
