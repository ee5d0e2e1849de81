//! What a service stands on: network, registry, load balancer, cluster, roles.

use aws_sdk_ec2::types::{IpPermission, UserIdGroupPair};
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Compatibility, ContainerDefinition, DeploymentCircuitBreaker,
    DeploymentConfiguration, LaunchType, LoadBalancer, LogConfiguration, LogDriver, NetworkConfiguration, NetworkMode,
    PortMapping, Secret, Service, ServiceDeployment,
};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetTypeEnum};

use super::*;

const REPOSITORY: &str = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/shop";

pub struct Shop {
    pub cloud: Cloud,
    pub ecs: aws_sdk_ecs::Client,
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub iam: aws_sdk_iam::Client,
    pub vpc: String,
    /// What lets the load balancer reach the tasks.
    pub ingress: IpPermission,
    pub subnets: [String; 2],
    pub group: String,
    pub balancer: String,
    pub listener: String,
    pub target_group: String,
}

impl Shop {
    /// Everything that a service stands on. The image `shop:1` is pushed.
    pub async fn new() -> Self {
        let cloud = Cloud::new();
        let vpc = cloud.vpc("10.0.0.0/16").await;
        let subnets = [
            cloud.subnet(&vpc, "10.0.0.0/24").await,
            cloud.subnet(&vpc, "10.0.1.0/24").await,
        ];
        let gateway = cloud.gateway(&vpc).await;
        cloud.open(&vpc, &gateway).await;
        let group = cloud.group(&vpc, "shop").await;
        let itself = UserIdGroupPair::builder().group_id(&group).build();
        let ingress = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(8080)
            .to_port(8080)
            .user_id_group_pairs(itself)
            .build();
        cloud
            .ec2
            .authorize_security_group_ingress()
            .group_id(&group)
            .ip_permissions(ingress.clone())
            .send()
            .await
            .unwrap();
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
        let managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
        iam.attach_role_policy()
            .role_name("execution")
            .policy_arn(managed)
            .send()
            .await
            .unwrap();
        let read = r#"{"Statement":{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}}"#;
        iam.put_role_policy()
            .role_name("execution")
            .policy_name("secrets")
            .policy_document(read)
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
            iam,
            vpc,
            ingress,
            subnets,
            group,
            balancer,
            listener,
            target_group,
        }
    }

    pub fn pass(&self, seconds: u64) {
        self.cloud.pass(Duration::from_secs(seconds));
    }

    pub async fn define(&self, tag: &str, secret: Option<&str>) -> String {
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

    pub async fn create(&self, definition: &str, desired: i32) -> Service {
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

    pub async fn update(&self, definition: &str) -> Service {
        let made = self
            .ecs
            .update_service()
            .cluster("main")
            .service("shop")
            .task_definition(definition);
        made.send().await.unwrap().service.unwrap()
    }

    pub async fn service(&self) -> Service {
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
    pub async fn deployment(&self) -> ServiceDeployment {
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

    pub async fn health(&self) -> Vec<String> {
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
