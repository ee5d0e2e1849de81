//! The SDK's own waiters: they poll as they would poll AWS, at the real durations, and end. Tokio's clock is paused, and
//! the sandbox's goes with it, so that minutes take no time.

use aws_sdk_ec2::client::Waiters as _;
use aws_sdk_ecs::client::Waiters as _;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, LoadBalancer,
    NetworkConfiguration, NetworkMode, PortMapping,
};
use aws_sdk_elasticache::client::Waiters as _;
use aws_sdk_elasticloadbalancingv2::client::Waiters as _;
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetTypeEnum};
use aws_sdk_rds::client::Waiters as _;

use super::*;

/// Longer than anything takes; a waiter that does not end fails the test.
const LONG: Duration = Duration::from_secs(3 * 3600);

/// The sandbox's clock goes as Tokio's does. Gives the virtual time at which this began.
fn go(cloud: &Cloud) -> tokio::time::Instant {
    let clock = cloud.clock.clone();
    tokio::spawn(async move {
        let step = Duration::from_secs(1);
        loop {
            tokio::time::sleep(step).await;
            clock.fetch_add(1000, Ordering::SeqCst);
        }
    });
    tokio::time::Instant::now()
}

/// What a waiter gives, or a failure when it does not end.
async fn ends<T, E: std::fmt::Debug>(waiter: impl Future<Output = Result<T, E>>) -> T {
    let ended = tokio::time::timeout(LONG, waiter).await;
    ended.expect("the waiter ends").expect("what it waits for comes")
}

/// Two subnets that reach the internet.
async fn subnets(cloud: &Cloud, vpc: &str) -> [String; 2] {
    let subnets = [
        cloud.subnet(vpc, "10.0.0.0/24").await,
        cloud.subnet(vpc, "10.0.1.0/24").await,
    ];
    let gateway = cloud.gateway(vpc).await;
    let tables = cloud.ec2.describe_route_tables().send().await.unwrap();
    cloud
        .ec2
        .create_route()
        .route_table_id(tables.route_tables()[0].route_table_id().unwrap())
        .destination_cidr_block("0.0.0.0/0")
        .gateway_id(gateway)
        .send()
        .await
        .unwrap();
    subnets
}

#[tokio::test(start_paused = true)]
async fn network_available_and_deleted() {
    let cloud = Cloud::new();
    go(&cloud);
    let vpc = cloud.vpc("10.0.0.0/16").await;
    ends(cloud.ec2.wait_until_vpc_available().vpc_ids(&vpc).wait(LONG)).await;
    let [subnet, _] = subnets(&cloud, &vpc).await;
    ends(cloud.ec2.wait_until_subnet_available().subnet_ids(&subnet).wait(LONG)).await;
    let address = cloud.address().await;
    let nat = cloud
        .ec2
        .create_nat_gateway()
        .subnet_id(&subnet)
        .allocation_id(&address);
    let nat = nat.send().await.unwrap().nat_gateway.unwrap().nat_gateway_id.unwrap();
    ends(
        cloud
            .ec2
            .wait_until_nat_gateway_available()
            .nat_gateway_ids(&nat)
            .wait(LONG),
    )
    .await;
    cloud
        .ec2
        .delete_nat_gateway()
        .nat_gateway_id(&nat)
        .send()
        .await
        .unwrap();
    ends(
        cloud
            .ec2
            .wait_until_nat_gateway_deleted()
            .nat_gateway_ids(&nat)
            .wait(LONG),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn replication_group_available_and_deleted() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnets = subnets(&cloud, &vpc).await;
    let caches = aws_sdk_elasticache::Client::new(&cloud.config);
    caches
        .create_cache_subnet_group()
        .cache_subnet_group_name("main")
        .cache_subnet_group_description("for a test")
        .set_subnet_ids(Some(subnets.to_vec()))
        .send()
        .await
        .unwrap();
    let began = go(&cloud);
    caches
        .create_replication_group()
        .replication_group_id("redis")
        .replication_group_description("for a test")
        .engine("redis")
        .cache_node_type("cache.t4g.micro")
        .num_cache_clusters(1)
        .cache_subnet_group_name("main")
        .send()
        .await
        .unwrap();
    let available = caches.wait_until_replication_group_available();
    ends(available.replication_group_id("redis").wait(LONG)).await;
    assert!(
        began.elapsed() > Duration::from_secs(300),
        "it took its time: {:?}",
        began.elapsed()
    );
    let member = caches.wait_until_cache_cluster_available();
    ends(member.cache_cluster_id("redis-001").wait(LONG)).await;
    caches
        .delete_replication_group()
        .replication_group_id("redis")
        .send()
        .await
        .unwrap();
    let deleted = caches.wait_until_replication_group_deleted();
    ends(deleted.replication_group_id("redis").wait(LONG)).await;
}

#[tokio::test(start_paused = true)]
async fn db_instance_and_snapshot_available_and_deleted() {
    let cloud = Cloud::new();
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnets = subnets(&cloud, &vpc).await;
    let rds = aws_sdk_rds::Client::new(&cloud.config);
    rds.create_db_subnet_group()
        .db_subnet_group_name("main")
        .db_subnet_group_description("for a test")
        .set_subnet_ids(Some(subnets.to_vec()))
        .send()
        .await
        .unwrap();
    let began = go(&cloud);
    rds.create_db_instance()
        .db_instance_identifier("main")
        .engine("sqlserver-ex")
        .db_instance_class("db.t3.small")
        .allocated_storage(20)
        .master_username("admin")
        .master_user_password("a-password-of-some-length")
        .db_subnet_group_name("main")
        .send()
        .await
        .unwrap();
    let available = rds.wait_until_db_instance_available();
    ends(available.db_instance_identifier("main").wait(LONG)).await;
    assert!(
        began.elapsed() > Duration::from_secs(600),
        "it took its time: {:?}",
        began.elapsed()
    );
    rds.create_db_snapshot()
        .db_instance_identifier("main")
        .db_snapshot_identifier("one")
        .send()
        .await
        .unwrap();
    let available = rds.wait_until_db_snapshot_available();
    ends(available.db_snapshot_identifier("one").wait(LONG)).await;
    rds.delete_db_instance()
        .db_instance_identifier("main")
        .skip_final_snapshot(true)
        .send()
        .await
        .unwrap();
    let deleted = rds.wait_until_db_instance_deleted();
    ends(deleted.db_instance_identifier("main").wait(LONG)).await;
    rds.delete_db_snapshot()
        .db_snapshot_identifier("one")
        .send()
        .await
        .unwrap();
    let deleted = rds.wait_until_db_snapshot_deleted();
    ends(deleted.db_snapshot_identifier("one").wait(LONG)).await;
}

#[tokio::test(start_paused = true)]
async fn load_balancer_available_services_stable_and_inactive() {
    let cloud = Cloud::new();
    go(&cloud);
    let vpc = cloud.vpc("10.0.0.0/16").await;
    let subnets = subnets(&cloud, &vpc).await.to_vec();
    let group = cloud.group(&vpc, "web").await;
    cloud
        .ec2
        .authorize_security_group_ingress()
        .group_id(&group)
        .ip_permissions(
            aws_sdk_ec2::types::IpPermission::builder()
                .ip_protocol("-1")
                .ip_ranges(aws_sdk_ec2::types::IpRange::builder().cidr_ip("0.0.0.0/0").build())
                .build(),
        )
        .send()
        .await
        .unwrap();
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&cloud.config);
    let ecs = aws_sdk_ecs::Client::new(&cloud.config);

    let made = elb
        .create_load_balancer()
        .name("front")
        .set_subnets(Some(subnets.clone()))
        .security_groups(&group);
    let made = made.send().await.unwrap();
    let balancer = made.load_balancers()[0].load_balancer_arn().unwrap();
    let available = elb.wait_until_load_balancer_available();
    ends(available.load_balancer_arns(balancer).wait(LONG)).await;
    let made = elb
        .create_target_group()
        .name("web")
        .protocol(ProtocolEnum::Http)
        .port(8080)
        .vpc_id(&vpc)
        .target_type(TargetTypeEnum::Ip);
    let made = made.send().await.unwrap();
    let target_group = made.target_groups()[0].target_group_arn().unwrap();
    let forward = Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .target_group_arn(target_group);
    elb.create_listener()
        .load_balancer_arn(balancer)
        .protocol(ProtocolEnum::Http)
        .port(80)
        .default_actions(forward.build())
        .send()
        .await
        .unwrap();

    ecs.create_cluster().cluster_name("main").send().await.unwrap();
    let container = ContainerDefinition::builder()
        .name("web")
        .image("public.ecr.aws/docker/library/nginx:1.27")
        .port_mappings(PortMapping::builder().container_port(8080).build());
    ecs.register_task_definition()
        .family("web")
        .requires_compatibilities(Compatibility::Fargate)
        .network_mode(NetworkMode::Awsvpc)
        .cpu("256")
        .memory("512")
        .container_definitions(container.build())
        .send()
        .await
        .unwrap();
    let network = AwsVpcConfiguration::builder()
        .set_subnets(Some(subnets))
        .security_groups(&group)
        .assign_public_ip(AssignPublicIp::Enabled)
        .build()
        .unwrap();
    let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
    ecs.create_service()
        .cluster("main")
        .service_name("web")
        .task_definition("web")
        .desired_count(2)
        .launch_type(LaunchType::Fargate)
        .network_configuration(network)
        .load_balancers(
            LoadBalancer::builder()
                .target_group_arn(target_group)
                .container_name("web")
                .container_port(8080)
                .build(),
        )
        .send()
        .await
        .unwrap();
    ends(
        ecs.wait_until_services_stable()
            .cluster("main")
            .services("web")
            .wait(LONG),
    )
    .await;
    let tasks = ecs
        .list_tasks()
        .cluster("main")
        .send()
        .await
        .unwrap()
        .task_arns
        .unwrap();
    assert_eq!(tasks.len(), 2);
    let running = ecs.wait_until_tasks_running();
    ends(running.cluster("main").set_tasks(Some(tasks.clone())).wait(LONG)).await;
    let in_service = elb.wait_until_target_in_service();
    ends(in_service.target_group_arn(target_group).wait(LONG)).await;

    ecs.delete_service()
        .cluster("main")
        .service("web")
        .force(true)
        .send()
        .await
        .unwrap();
    ends(
        ecs.wait_until_services_inactive()
            .cluster("main")
            .services("web")
            .wait(LONG),
    )
    .await;
    let stopped = ecs.wait_until_tasks_stopped();
    ends(stopped.cluster("main").set_tasks(Some(tasks)).wait(LONG)).await;
    elb.delete_load_balancer()
        .load_balancer_arn(balancer)
        .send()
        .await
        .unwrap();
    let deleted = elb.wait_until_load_balancers_deleted();
    ends(deleted.load_balancer_arns(balancer).wait(LONG)).await;
}
