//! What keeps a task from starting, and a started one from serving: ways out, rights, roles, security groups.

use aws_sdk_ec2::types::{IpPermission, IpRange};
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Compatibility, ContainerDefinition, HealthCheck, LaunchType,
    NetworkConfiguration, NetworkMode, ServiceDeploymentStatus, Task,
};

use super::shop::Shop;
use super::*;

impl Shop {
    pub fn network(&self, group: &str, public: AssignPublicIp) -> NetworkConfiguration {
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(self.subnets.to_vec()))
            .security_groups(group)
            .assign_public_ip(public)
            .build()
            .unwrap();
        NetworkConfiguration::builder().awsvpc_configuration(network).build()
    }

    /// Runs a task and lets ten minutes pass.
    pub async fn run(&self, definition: &str, public: AssignPublicIp) -> Task {
        let started = self
            .ecs
            .run_task()
            .cluster("main")
            .task_definition(definition)
            .launch_type(LaunchType::Fargate)
            .network_configuration(self.network(&self.group, public));
        let started = started.send().await.unwrap().tasks.unwrap().remove(0);
        self.pass(600);
        let found = self
            .ecs
            .describe_tasks()
            .cluster("main")
            .tasks(started.task_arn().unwrap())
            .send()
            .await
            .unwrap();
        found.tasks.unwrap().remove(0)
    }

    async fn close_egress(&self) {
        let everything = IpPermission::builder()
            .ip_protocol("-1")
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
        let revoke = self.cloud.ec2.revoke_security_group_egress().group_id(&self.group);
        revoke.ip_permissions(everything.build()).send().await.unwrap();
    }

    /// A definition without roles, logs and secrets.
    async fn define_plain(&self, image: &str) -> String {
        let check = HealthCheck::builder().command("CMD-SHELL").command("true").interval(15);
        let container = ContainerDefinition::builder()
            .name("web")
            .image(image)
            .health_check(check.build().unwrap())
            .build();
        let made = self
            .ecs
            .register_task_definition()
            .family("plain")
            .requires_compatibilities(Compatibility::Fargate)
            .network_mode(NetworkMode::Awsvpc)
            .cpu("256")
            .memory("512")
            .container_definitions(container);
        let made = made.send().await.unwrap().task_definition.unwrap();
        made.task_definition_arn.unwrap()
    }

    async fn secret(&self, value: &str) -> String {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.cloud.config);
        let made = secrets.create_secret().name("shop/db").secret_string(value);
        made.send().await.unwrap().arn.unwrap()
    }
}

#[track_caller]
fn says(task: &Task, words: &[&str]) {
    let reason = task.stopped_reason().unwrap_or_default();
    for words in words {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert_eq!(
        (task.last_status(), task.stop_code().map(|code| code.as_str())),
        (Some("STOPPED"), Some("TaskFailedToStart"))
    );
}

#[tokio::test]
async fn a_private_task_without_a_way_out_cannot_pull_its_image() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    says(
        &shop.run(&definition, AssignPublicIp::Disabled).await,
        &[
            "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from \
             Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration.",
            "https://api.ecr.eu-central-1.amazonaws.com/",
        ],
    );
    let public = shop.define_plain("public.ecr.aws/nginx/nginx:1.27").await;
    says(
        &shop.run(&public, AssignPublicIp::Disabled).await,
        &[
            "CannotPullContainerError: The task cannot pull public.ecr.aws/nginx/nginx:1.27 from the registry \
           public.ecr.aws/nginx/nginx:1.27. There is a connection issue between the task and the registry.",
        ],
    );
    let running = shop.run(&public, AssignPublicIp::Enabled).await;
    assert_eq!(running.last_status(), Some("RUNNING"));
    assert_eq!(
        running.health_status().unwrap().as_str(),
        "HEALTHY",
        "its own check has passed"
    );

    // A group that lets nothing out closes the way as well.
    shop.close_egress().await;
    says(
        &shop.run(&definition, AssignPublicIp::Enabled).await,
        &["There is a connection issue between the task and Amazon ECR"],
    );
}

#[tokio::test]
async fn a_nat_gateway_is_a_way_out_once_it_is_available() {
    let shop = Shop::new().await;
    let ec2 = &shop.cloud.ec2;
    let definition = shop.define("1", None).await;
    let address = shop.cloud.address().await;
    // The NAT gateway stands in a public subnet; the task in one that leads to it.
    let made = ec2
        .create_nat_gateway()
        .subnet_id(&shop.subnets[0])
        .allocation_id(address)
        .send()
        .await
        .unwrap();
    let nat = made.nat_gateway.unwrap().nat_gateway_id.unwrap();
    let table = ec2.create_route_table().vpc_id(&shop.vpc).send().await.unwrap();
    let table = table.route_table.unwrap().route_table_id.unwrap();
    let route = ec2
        .create_route()
        .route_table_id(&table)
        .destination_cidr_block("0.0.0.0/0")
        .nat_gateway_id(&nat);
    route.send().await.unwrap();
    let inner = shop.cloud.subnet(&shop.vpc, "10.0.9.0/24").await;
    let associate = ec2.associate_route_table().route_table_id(&table).subnet_id(&inner);
    associate.send().await.unwrap();
    let shop = Shop {
        subnets: [inner.clone(), inner],
        ..shop
    };
    says(
        &shop.run(&definition, AssignPublicIp::Disabled).await,
        &["There is a connection issue between the task and Amazon ECR"],
    );
    let task = shop.run(&definition, AssignPublicIp::Disabled).await;
    assert_eq!(task.last_status(), Some("RUNNING"), "{:?}", task.stopped_reason());
    shop.cloud
        .ec2
        .delete_nat_gateway()
        .nat_gateway_id(nat)
        .send()
        .await
        .unwrap();
    shop.pass(120);
    says(
        &shop.run(&definition, AssignPublicIp::Disabled).await,
        &["There is a connection issue between the task and Amazon ECR"],
    );
}

#[tokio::test]
async fn endpoints_are_a_way_to_the_registry_without_the_internet() {
    let shop = Shop::new().await;
    let ec2 = &shop.cloud.ec2;
    for attribute in ["support", "hostnames"] {
        let on = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
        let modify = ec2.modify_vpc_attribute().vpc_id(&shop.vpc);
        let modify = match attribute {
            "support" => modify.enable_dns_support(on),
            _ => modify.enable_dns_hostnames(on),
        };
        modify.send().await.unwrap();
    }
    let definition = shop.define("1", None).await;
    let https = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(443)
        .to_port(443)
        .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/16").build())
        .build();
    let door = shop.cloud.group(&shop.vpc, "door").await;
    for service in ["ecr.api", "ecr.dkr", "logs"] {
        let make = ec2
            .create_vpc_endpoint()
            .vpc_id(&shop.vpc)
            .service_name(format!("com.amazonaws.eu-central-1.{service}"))
            .vpc_endpoint_type(aws_sdk_ec2::types::VpcEndpointType::Interface)
            .subnet_ids(&shop.subnets[0])
            .security_group_ids(&door)
            .private_dns_enabled(true);
        make.send().await.unwrap();
    }
    shop.pass(600);
    // The endpoints' own group lets nobody in: not even a task with a public address gets through, as the name of the
    // service leads to them now.
    for public in [AssignPublicIp::Disabled, AssignPublicIp::Enabled] {
        says(
            &shop.run(&definition, public).await,
            &["There is a connection issue between the task and Amazon ECR"],
        );
    }
    let allow = ec2.authorize_security_group_ingress().group_id(&door);
    allow.ip_permissions(https).send().await.unwrap();
    says(
        &shop.run(&definition, AssignPublicIp::Disabled).await,
        &["failed to copy: httpReadSeeker: failed open: failed to do request: Get"],
    );
    // The layers are in S3, to which a gateway endpoint is a route.
    let of_vpc = aws_sdk_ec2::types::Filter::builder()
        .name("vpc-id")
        .values(&shop.vpc)
        .build();
    let tables = ec2.describe_route_tables().filters(of_vpc).send().await.unwrap();
    let make = ec2
        .create_vpc_endpoint()
        .vpc_id(&shop.vpc)
        .service_name("com.amazonaws.eu-central-1.s3")
        .vpc_endpoint_type(aws_sdk_ec2::types::VpcEndpointType::Gateway)
        .route_table_ids(tables.route_tables()[0].route_table_id().unwrap());
    make.send().await.unwrap();
    shop.pass(600);
    let task = shop.run(&definition, AssignPublicIp::Disabled).await;
    assert_eq!(task.last_status(), Some("RUNNING"), "{:?}", task.stopped_reason());
}

#[tokio::test]
async fn a_task_without_the_right_to_its_secret_stops_with_the_words_of_aws() {
    let shop = Shop::new().await;
    let arn = shop.secret(r#"{"user":"app"}"#).await;
    let definition = shop.define("1", Some(&format!("{arn}:user::"))).await;
    let task = shop.run(&definition, AssignPublicIp::Enabled).await;
    assert_eq!(task.last_status(), Some("RUNNING"), "{:?}", task.stopped_reason());
    let no_key = shop.define("1", Some(&format!("{arn}:password::"))).await;
    says(
        &shop.run(&no_key, AssignPublicIp::Enabled).await,
        &["retrieved secret from Secrets Manager did not contain json key password"],
    );

    let policy = |document: &str| {
        let put = shop.iam.put_role_policy().role_name("execution").policy_name("secrets");
        put.policy_document(document).send()
    };
    policy(r#"{"Statement":{"Effect":"Allow","Action":"secretsmanager:*","Resource":"arn:aws:secretsmanager:*:*:secret:other-??????"}}"#)
        .await
        .unwrap();
    let task = shop.run(&definition, AssignPublicIp::Enabled).await;
    let id = task.task_arn().unwrap().rsplit('/').next().unwrap();
    says(
        &task,
        &[
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable \
             to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret",
            &format!(
                "AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/execution/{id} is not authorized to perform: \
                 secretsmanager:GetSecretValue on resource: {arn} because no identity-based policy allows the \
                 secretsmanager:GetSecretValue action"
            ),
        ],
    );
    policy(r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"secretsmanager:Get*","Resource":"*"}]}"#)
        .await
        .unwrap();
    says(
        &shop.run(&definition, AssignPublicIp::Enabled).await,
        &["with an explicit deny in an identity-based policy"],
    );
    // A condition that the sandbox cannot judge does not count, and is told.
    policy(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}}"#)
        .await
        .unwrap();
    says(
        &shop.run(&definition, AssignPublicIp::Enabled).await,
        &["not in the sandbox: conditions on aws:SourceVpc"],
    );
}

#[tokio::test]
async fn a_role_needs_the_rights_of_the_pull_and_the_log_and_the_trust_of_ecs() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    let managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    let detach = shop.iam.detach_role_policy().role_name("execution").policy_arn(managed);
    detach.send().await.unwrap();
    let policy = |document: String| {
        let put = shop.iam.put_role_policy().role_name("execution").policy_name("own");
        put.policy_document(document).send()
    };
    says(
        &shop.run(&definition, AssignPublicIp::Enabled).await,
        &[
            "unable to retrieve ecr registry auth",
            "is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
        ],
    );
    policy(
        r#"{"Statement":{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","logs:*"],"Resource":"*"}}"#.to_owned(),
    )
    .await
    .unwrap();
    says(
        &shop.run(&definition, AssignPublicIp::Enabled).await,
        &[
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref",
            "403 Forbidden",
        ],
    );
    policy(r#"{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#.to_owned())
        .await
        .unwrap();
    says(
        &shop.run(&definition, AssignPublicIp::Enabled).await,
        &[
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create \
             Cloudwatch log stream",
            "is not authorized to perform: logs:CreateLogStream on resource: \
             arn:aws:logs:eu-central-1:000000000000:log-group:/shop:log-stream:web/web/",
        ],
    );
    policy(r#"{"Statement":{"Effect":"Allow","Action":["ecr:*","logs:CreateLogStream"],"Resource":"*"}}"#.to_owned())
        .await
        .unwrap();
    let task = shop.run(&definition, AssignPublicIp::Enabled).await;
    assert_eq!(task.last_status(), Some("RUNNING"), "{:?}", task.stopped_reason());

    // Trust for the tasks of this account only, which is what they are; then for another service.
    let trust = |document: &str| {
        let update = shop.iam.update_assume_role_policy().role_name("execution");
        update.policy_document(document).send()
    };
    trust(r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole",
        "Condition":{"StringEquals":{"aws:SourceAccount":"000000000000"},"ArnLike":{"aws:SourceArn":"arn:aws:ecs:eu-central-1:000000000000:*"}}}}"#)
        .await
        .unwrap();
    let task = shop.run(&definition, AssignPublicIp::Enabled).await;
    assert_eq!(task.last_status(), Some("RUNNING"));
    trust(r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#)
        .await
        .unwrap();
    let run = shop
        .ecs
        .run_task()
        .cluster("main")
        .task_definition(&definition)
        .launch_type(LaunchType::Fargate)
        .network_configuration(shop.network(&shop.group, AssignPublicIp::Enabled));
    let (code, message) = refused(run.send().await);
    assert_eq!(code, "ClientException");
    assert!(
        message.starts_with("ECS was unable to assume the role 'arn:aws:iam::000000000000:role/execution'"),
        "{message}"
    );
    // A service tells it, and its deployment fails.
    shop.create(&definition, 1).await;
    shop.pass(3600);
    let service = shop.service().await;
    assert_eq!(service.deployments()[0].rollout_state().unwrap().as_str(), "FAILED");
    let told = |words: &str| {
        service
            .events()
            .iter()
            .any(|event| event.message().unwrap().contains(words))
    };
    assert!(
        told("failed to launch a task with (error ECS was unable to assume the role"),
        "{service:?}"
    );
    assert!(told("is unable to consistently start tasks successfully."));
}

#[tokio::test]
async fn tasks_that_the_load_balancer_does_not_reach_are_unhealthy_and_replaced() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    shop.create(&definition, 1).await;
    shop.pass(600);
    assert_eq!(shop.health().await, ["healthy"]);
    let first = shop.ecs.list_tasks().cluster("main").send().await.unwrap().task_arns()[0].clone();
    let ec2 = &shop.cloud.ec2;
    let revoke = ec2.revoke_security_group_ingress().group_id(&shop.group);
    revoke.ip_permissions(shop.ingress.clone()).send().await.unwrap();
    shop.pass(15);
    assert_eq!(shop.health().await, ["healthy"], "one failed check is not enough");
    shop.pass(5);
    let health = shop
        .elb
        .describe_target_health()
        .target_group_arn(&shop.target_group)
        .send()
        .await
        .unwrap();
    let draining = health.target_health_descriptions()[0].target_health().unwrap();
    assert_eq!(
        draining.state().unwrap().as_str(),
        "draining",
        "ECS has stopped it already"
    );
    shop.pass(600);
    let stopped = shop
        .ecs
        .describe_tasks()
        .cluster("main")
        .tasks(&first)
        .send()
        .await
        .unwrap();
    assert_eq!(
        stopped.tasks()[0].stopped_reason(),
        Some(format!("Task failed ELB health checks in (target-group {})", shop.target_group).as_str())
    );
    let events = shop.service().await;
    assert!(events.events().iter().any(|event| {
        let message = event.message().unwrap();
        message.contains("is unhealthy in (target-group") && message.contains("due to (reason Request timed out)")
    }));
    // Open again, and the service heals.
    let allow = ec2.authorize_security_group_ingress().group_id(&shop.group);
    allow.ip_permissions(shop.ingress.clone()).send().await.unwrap();
    shop.pass(3600);
    assert_eq!(shop.service().await.running_count(), 1);
    assert!(shop.health().await.contains(&"healthy".to_owned()));
}

#[tokio::test]
async fn a_deployment_whose_tasks_stay_unhealthy_is_rolled_back() {
    let shop = Shop::new().await;
    let definition = shop.define("1", None).await;
    shop.create(&definition, 1).await;
    shop.pass(600);
    let closed = shop.cloud.group(&shop.vpc, "closed").await;
    let update = shop
        .ecs
        .update_service()
        .cluster("main")
        .service("shop")
        .network_configuration(shop.network(&closed, AssignPublicIp::Enabled));
    update.send().await.unwrap();
    shop.pass(7200);
    let deployment = shop.deployment().await;
    assert_eq!(deployment.status(), Some(&ServiceDeploymentStatus::RollbackSuccessful));
    assert_eq!(shop.service().await.running_count(), 1);
    let network = shop.service().await.network_configuration.unwrap();
    assert_eq!(
        network.awsvpc_configuration().unwrap().security_groups(),
        std::slice::from_ref(&shop.group)
    );
}

#[tokio::test]
async fn an_address_that_nobody_has_is_no_healthy_target() {
    let shop = Shop::new().await;
    let target = aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder()
        .id("10.0.0.77")
        .port(8080);
    let register = shop.elb.register_targets().target_group_arn(&shop.target_group);
    register.targets(target.build()).send().await.unwrap();
    assert_eq!(shop.health().await, ["initial"]);
    shop.pass(60);
    assert_eq!(shop.health().await, ["unhealthy"]);
}
