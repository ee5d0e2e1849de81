//! What exists is used like what is ensured, and never tagged, changed or destroyed.

mod adopt;
mod drift;
mod keep;
mod taken;
mod told_tags;

use super::testing::World;
use crate::error::Exit;
use crate::map;
use crate::resource::destroy::{self, DestroyOptions};
use crate::value::{Map, Value};

async fn refer(world: &World, kind: &str, id: &str) -> crate::error::Result<Map> {
    let options = Value::Map(map! { "id" => id });
    let handle = world.engine().reference(kind, options).await?;
    assert!(handle.is_reference);
    Ok(handle.promise.wait().await?.as_ref().clone())
}

#[tokio::test]
async fn what_somebody_else_made_is_found_by_its_id() {
    let world = World::sandbox();
    let (vpc, subnets, group) = world.network().await;
    let aws = &world.aws;
    let gateways = aws.ec2.describe_internet_gateways().send().await.unwrap();
    let gateway = gateways.internet_gateways()[0]
        .internet_gateway_id()
        .unwrap()
        .to_owned();
    let address = aws.ec2.allocate_address().send().await.unwrap().allocation_id.unwrap();
    let nat = aws
        .ec2
        .create_nat_gateway()
        .subnet_id(&subnets[0])
        .allocation_id(&address);
    let nat = nat.send().await.unwrap().nat_gateway.unwrap().nat_gateway_id.unwrap();
    let table = aws.ec2.create_route_table().vpc_id(&vpc).send().await.unwrap();
    let table = table.route_table.unwrap().route_table_id.unwrap();
    let endpoint = aws
        .ec2
        .create_vpc_endpoint()
        .vpc_id(&vpc)
        .service_name("com.amazonaws.eu-west-1.s3");
    let endpoint = endpoint
        .send()
        .await
        .unwrap()
        .vpc_endpoint
        .unwrap()
        .vpc_endpoint_id
        .unwrap();
    let balancer = aws
        .elb
        .create_load_balancer()
        .name("shared")
        .set_subnets(Some(subnets.clone()));
    let balancer = balancer.send().await.unwrap().load_balancers.unwrap().remove(0);
    let balancer = balancer.load_balancer_arn.unwrap();
    let targets = aws.elb.create_target_group().name("shared").vpc_id(&vpc).port(80);
    let targets = targets
        .protocol(aws_sdk_elasticloadbalancingv2::types::ProtocolEnum::Http)
        .target_type(aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum::Ip);
    targets.send().await.unwrap();
    aws.ecs.create_cluster().cluster_name("shared").send().await.unwrap();
    aws.ecr
        .create_repository()
        .repository_name("shared/identity")
        .send()
        .await
        .unwrap();
    aws.logs
        .create_log_group()
        .log_group_name("/shared")
        .send()
        .await
        .unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role = aws
        .iam
        .create_role()
        .role_name("shared")
        .assume_role_policy_document(trust);
    let role = role.send().await.unwrap().role.unwrap().arn;
    let secret = aws.secrets.create_secret().name("shared").secret_string("x");
    let secret = secret.send().await.unwrap().arn.unwrap();
    let parameter = aws.ssm.put_parameter().name("/shared/smtp").value("mail.example.org");
    let parameter = parameter.r#type(aws_sdk_ssm::types::ParameterType::String);
    parameter.send().await.unwrap();
    let cache = aws
        .elasticache
        .create_cache_subnet_group()
        .cache_subnet_group_name("shared");
    let cache = cache
        .cache_subnet_group_description("shared")
        .set_subnet_ids(Some(subnets.clone()));
    cache.send().await.unwrap();
    let cache = aws
        .elasticache
        .create_replication_group()
        .replication_group_id("shared");
    let cache = cache.replication_group_description("shared").engine("redis");
    let cache = cache
        .cache_node_type("cache.t4g.micro")
        .cache_subnet_group_name("shared");
    cache.security_group_ids(&group).send().await.unwrap();

    for (kind, id, output, expected) in [
        ("internet-gateway", gateway.as_str(), "id", gateway.as_str()),
        ("address", &address, "allocation_id", &address),
        ("nat-gateway", &nat, "id", &nat),
        ("route-table", &table, "id", &table),
        ("vpc-endpoint", &endpoint, "service", "com.amazonaws.eu-west-1.s3"),
        ("load-balancer", "shared", "arn", &balancer),
        ("load-balancer", &balancer, "vpc", &vpc),
        (
            "cluster",
            "shared",
            "arn",
            "arn:aws:ecs:eu-west-1:000000000000:cluster/shared",
        ),
        ("repository", "shared/identity", "name_at_aws", "shared/identity"),
        ("log-group", "/shared", "name_at_aws", "/shared"),
        ("role", "shared", "arn", &role),
        ("role", &role, "name_at_aws", "shared"),
        ("secret", "shared", "arn", &secret),
        ("parameter", "/shared/smtp", "value", "mail.example.org"),
    ] {
        let found = refer(&world, kind, id)
            .await
            .unwrap_or_else(|error| panic!("{kind} {id}: {error}"));
        assert_eq!(found[output].as_str(), Some(expected), "{kind} {id}");
    }
    let group = aws.rds.create_db_subnet_group().db_subnet_group_name("shared");
    let group = group.db_subnet_group_description("shared");
    group.set_subnet_ids(Some(subnets.clone())).send().await.unwrap();
    assert!(refer(&world, "db-subnet-group", "shared").await.is_ok());
    let family = refer(&world, "db-parameter-group", "default.sqlserver-ex-15.0").await;
    assert!(family.is_ok());
    assert!(refer(&world, "target-group", "shared").await.is_ok());
    assert!(refer(&world, "cache-subnet-group", "shared").await.is_ok());
    assert!(refer(&world, "cache-parameter-group", "default.redis7").await.is_ok());
    assert!(refer(&world, "replication-group", "shared").await.is_ok());

    for (kind, id) in [
        ("internet-gateway", "igw-0123456789abcdef0"),
        ("address", "eipalloc-0123456789abcdef0"),
        ("nat-gateway", "nat-0123456789abcdef0"),
        ("route-table", "rtb-0123456789abcdef0"),
        ("vpc-endpoint", "vpce-0123456789abcdef0"),
        ("load-balancer", "none"),
        ("target-group", "none"),
        ("cluster", "none"),
        ("repository", "none"),
        ("log-group", "/none"),
        ("role", "none"),
        ("secret", "none"),
        ("parameter", "/none"),
        ("replication-group", "none"),
        ("cache-subnet-group", "none"),
        ("cache-parameter-group", "none"),
        ("db-subnet-group", "none"),
        ("db-parameter-group", "none"),
        ("option-group", "none"),
        ("service", "none/none"),
        ("task-definition", "none"),
        (
            "listener",
            "arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener/app/a/0/1",
        ),
    ] {
        let error = refer(&world, kind, id).await.unwrap_err();
        assert!(error.message().starts_with("there is no "), "{kind}: {error}");
    }
    let error = refer(&world, "address", "203.0.113.1").await.unwrap_err();
    assert!(error.message().contains("it begins with `eipalloc-`"), "{error}");
    // Nothing of it became this environment's.
    world.destroy(&[]).await.unwrap();
    assert!(refer(&world, "nat-gateway", &nat).await.is_ok() && refer(&world, "secret", "shared").await.is_ok());
}

/// Nothing of what an interrupted run began gets as far as to a call that writes.
#[tokio::test]
async fn an_interrupted_run_starts_no_write() {
    let world = World::sandbox();
    let engine = world.engine();
    engine.begin_write().await.unwrap();
    engine.cancel().cancel();
    assert_eq!(engine.begin_write().await.unwrap_err().exit(), Exit::Interrupted);
    assert_eq!(engine.may_write().unwrap_err().exit(), Exit::Interrupted);
    assert_eq!(world.writes(), 0);
}

/// IAM's roles are in no answer of the Tagging API: the proof lists them itself.
#[tokio::test]
async fn what_came_while_an_environment_was_destroyed_is_told_as_left() {
    let world = World::sandbox();
    world.ensure("log-group", map! { "name" => "web" }).await.unwrap();
    let engine = world.engine();
    let plan = destroy::plan(&engine, &DestroyOptions::default()).await.unwrap();
    let late = map! { "name" => "late", "service" => "ecs-tasks.amazonaws.com" };
    world.ensure("role", late).await.unwrap();
    let error = destroy::destroy(&engine, plan).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("1 resource is left with this environment's tags"),
        "{error}"
    );
    assert!(error.notes().iter().any(|note| note.contains("role/late")), "{error}");
    assert!(error.help().is_some_and(|help| help.contains("run destroy again")));
    world.destroy(&[]).await.unwrap();
    assert_eq!((world.count("role").await, world.count("log-group").await), (0, 0));
}
