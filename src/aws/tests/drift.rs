//! What somebody changed by hand is seen and put right: whole sets, not only what the script names.

use aws_sdk_acm::primitives::Blob;
use aws_sdk_ec2::types as ec2;
use aws_sdk_elasticloadbalancingv2::types as elb;

use crate::aws::testing::World;
use crate::map;
use crate::resource::{Mode, Origin, Outcome};
use crate::sandbox::aws::acm::x509::testing::self_signed;
use crate::value::{Map, Value};

/// What a plan says of one resource: the fields that differ.
async fn planned(world: &World, kind: &str, options: &Map) -> Vec<String> {
    let engine = world.engine_in(Mode::Plan);
    engine
        .ensure(kind, Value::Map(options.clone()), Origin::default())
        .unwrap();
    engine.settle().await.unwrap();
    match engine.report().records.remove(0).outcome {
        Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect(),
        Outcome::Unchanged => Vec::new(),
        other => panic!("{kind}: {other:?}"),
    }
}

/// A plan shows exactly these fields, a run changes them, and then there is nothing left to change.
async fn put_right(world: &World, kind: &str, options: &Map, fields: &[&str]) {
    assert_eq!(planned(world, kind, options).await, fields, "{kind}");
    match world.ensure(kind, options.clone()).await.unwrap().0 {
        Outcome::Changed(_) => {}
        other => panic!("{kind}: {other:?}"),
    }
    assert_eq!(planned(world, kind, options).await, [""; 0], "{kind}");
}

async fn made(world: &World, kind: &str, options: &Map) -> String {
    let (outcome, outputs) = world
        .ensure(kind, options.clone())
        .await
        .unwrap_or_else(|error| panic!("{kind}: {error}"));
    assert_eq!(outcome, Outcome::Created, "{kind}");
    let id = outputs.get("arn").or_else(|| outputs.get("id"));
    id.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_rule_opened_to_the_world_and_an_inline_policy_are_found_and_put_right() {
    let world = World::sandbox();
    let (vpc, ..) = world.network().await;
    let ports = vec![Value::Map(
        map! { "port" => 6379, "cidrs" => vec!["10.0.0.0/16".to_owned()] },
    )];
    let group = map! { "name" => "redis", "vpc" => vpc, "ingress" => ports };
    let id = made(&world, "security-group", &group).await;
    let open = ec2::IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(6379)
        .to_port(6379)
        .ip_ranges(ec2::IpRange::builder().cidr_ip("0.0.0.0/0").build());
    let call = world.aws.ec2.authorize_security_group_ingress().group_id(&id);
    call.ip_permissions(open.build()).send().await.unwrap();
    put_right(&world, "security-group", &group, &["ingress"]).await;

    let role = map! { "name" => "task", "service" => "ecs-tasks.amazonaws.com" };
    made(&world, "role", &role).await;
    let physical = world.scope.physical("task");
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let iam = &world.aws.iam;
    let call = iam.put_role_policy().role_name(&physical).policy_name("by-hand");
    call.policy_document(everything).send().await.unwrap();
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let call = iam.attach_role_policy().role_name(&physical).policy_arn(administrator);
    call.send().await.unwrap();
    let call = iam.put_role_permissions_boundary().role_name(&physical);
    call.permissions_boundary(administrator).send().await.unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    let call = iam.update_assume_role_policy().role_name(&physical);
    call.policy_document(trust).send().await.unwrap();
    let fields = [
        "trust",
        "permissions_boundary",
        "managed_policies",
        "inline_policies.by-hand",
    ];
    put_right(&world, "role", &role, &fields).await;

    // A bound that the script names and that somebody takes away is put back.
    let mut bounded = role.clone();
    bounded.insert("permissions_boundary".into(), Value::text(administrator));
    put_right(&world, "role", &bounded, &["permissions_boundary"]).await;
    let call = iam.delete_role_permissions_boundary().role_name(&physical);
    call.send().await.unwrap();
    put_right(&world, "role", &bounded, &["permissions_boundary"]).await;
}

#[tokio::test]
async fn routes_associations_and_tags_are_found_and_put_right() {
    let mut world = World::sandbox();
    world.scope.descriptive.insert("owner".into(), "identity".into());
    let (vpc, subnets, _) = world.network().await;
    let ec2 = &world.aws.ec2;
    let gateways = ec2.describe_internet_gateways().send().await.unwrap();
    let gateway = gateways.internet_gateways()[0].internet_gateway_id().unwrap();
    let table = map! { "name" => "private", "vpc" => vpc.as_str(), "subnets" => vec![subnets[0].clone()] };
    let id = made(&world, "route-table", &table).await;
    let call = ec2
        .create_route()
        .route_table_id(&id)
        .destination_cidr_block("0.0.0.0/0");
    call.gateway_id(gateway).send().await.unwrap();
    let call = ec2.associate_route_table().route_table_id(&id).subnet_id(&subnets[1]);
    call.send().await.unwrap();
    put_right(&world, "route-table", &table, &["routes", "subnets"]).await;

    // Who answers for it is put right; what somebody else tagged stays.
    let tag = |key: &str, value: &str| ec2::Tag::builder().key(key).value(value).build();
    let call = ec2.create_tags().resources(&id).tags(tag("owner", "nobody"));
    call.tags(tag("backup", "daily")).send().await.unwrap();
    put_right(&world, "route-table", &table, &["tag owner"]).await;
    let found = ec2.describe_route_tables().route_table_ids(&id).send().await.unwrap();
    let tags = found.route_tables()[0].tags();
    assert!(tags.iter().any(|tag| tag.key() == Some("backup")));
}

#[tokio::test]
async fn rules_certificates_and_attributes_of_a_front_are_found_and_put_right() {
    let world = World::sandbox();
    let (vpc, subnets, group) = world.network().await;
    let client = &world.aws.elb;
    let balancer = map! { "name" => "front", "subnets" => subnets, "security_groups" => vec![group] };
    let front = made(&world, "load-balancer", &balancer).await;
    let targets = map! { "name" => "web", "vpc" => vpc, "port" => 8080 };
    let web = made(&world, "target-group", &targets).await;
    let other = map! { "name" => "other", "vpc" => targets["vpc"].clone(), "port" => 8080 };
    let other = made(&world, "target-group", &other).await;
    let (certificate, second) = (
        issued(&world, "a.example.org").await,
        issued(&world, "b.example.org").await,
    );
    let admin = map! { "priority" => 10, "paths" => vec!["/admin/*".to_owned()], "redirect_to_https" => true };
    let listener = map! {
        "name" => "https", "load_balancer" => front.as_str(), "port" => 443, "protocol" => "https",
        "certificate" => certificate.as_str(), "target_group" => web.as_str(), "rules" => vec![Value::Map(admin)],
    };
    let arn = made(&world, "listener", &listener).await;
    assert_eq!(planned(&world, "listener", &listener).await, [""; 0]);

    let forward = |arn: &str| {
        let action = elb::Action::builder().r#type(elb::ActionTypeEnum::Forward);
        action.target_group_arn(arn).build()
    };
    let host = |name: &str| {
        let config = elb::HostHeaderConditionConfig::builder().values(name).build();
        let condition = elb::RuleCondition::builder().field("host-header");
        condition.host_header_config(config).build()
    };
    let call = client.create_rule().listener_arn(&arn).priority(5);
    let call = call.conditions(host("evil.example")).actions(forward(&other));
    call.send().await.unwrap();
    let rules = client.describe_rules().listener_arn(&arn).send().await.unwrap();
    let ours = rules.rules().iter().find(|rule| rule.priority() == Some("10")).unwrap();
    let call = client.modify_rule().rule_arn(ours.rule_arn().unwrap());
    call.actions(forward(&other)).send().await.unwrap();
    let shown = elb::Certificate::builder().certificate_arn(&second).build();
    let call = client.add_listener_certificates().listener_arn(&arn);
    call.certificates(shown).send().await.unwrap();
    put_right(
        &world,
        "listener",
        &listener,
        &["more_certificates", "rules.10", "rules.5"],
    )
    .await;

    // What a script leaves to somebody else stays.
    let call = client.create_rule().listener_arn(&arn).priority(7);
    let call = call.conditions(host("canary.example")).actions(forward(&other));
    call.send().await.unwrap();
    let mut keeping = listener.clone();
    keeping.insert("keep".into(), Value::List(vec![Value::text("rules")]));
    assert_eq!(planned(&world, "listener", &keeping).await, [""; 0]);
    put_right(&world, "listener", &listener, &["rules.7"]).await;

    // The same port, but everybody is sent to another host.
    let away = elb::RedirectActionConfig::builder()
        .protocol("HTTPS")
        .port("443")
        .host("evil.example")
        .status_code(elb::RedirectActionStatusCodeEnum::Http301);
    let away = elb::Action::builder()
        .r#type(elb::ActionTypeEnum::Redirect)
        .redirect_config(away.build());
    let plain = map! {
        "name" => "http", "load_balancer" => front.as_str(), "port" => 80, "redirect_to_https" => true,
    };
    let arn = made(&world, "listener", &plain).await;
    let call = client.modify_listener().listener_arn(&arn);
    call.default_actions(away.build()).send().await.unwrap();
    put_right(&world, "listener", &plain, &["action"]).await;

    let attribute = elb::LoadBalancerAttribute::builder();
    let attribute = attribute.key("routing.http.desync_mitigation_mode").value("monitor");
    let call = client.modify_load_balancer_attributes().load_balancer_arn(&front);
    call.attributes(attribute.build()).send().await.unwrap();
    let field = "attributes.routing.http.desync_mitigation_mode";
    put_right(&world, "load-balancer", &balancer, &[field]).await;
    let attribute = elb::TargetGroupAttribute::builder()
        .key("stickiness.enabled")
        .value("true");
    let call = client.modify_target_group_attributes().target_group_arn(&web);
    call.attributes(attribute.build()).send().await.unwrap();
    put_right(&world, "target-group", &targets, &["attributes.stickiness.enabled"]).await;
}

/// A certificate that a listener can show.
async fn issued(world: &World, host: &str) -> String {
    let (text, key) = self_signed(&[host], host, 1);
    let call = world.aws.acm.import_certificate().certificate(Blob::new(text));
    let answer = call.private_key(Blob::new(key)).send().await.unwrap();
    answer.certificate_arn.unwrap()
}

#[tokio::test]
async fn a_shell_into_the_tasks_is_found_and_put_right() {
    let world = World::sandbox();
    let (_, subnets, group) = world.network().await;
    let cluster = made(&world, "cluster", &map! { "name" => "main" }).await;
    let definition =
        map! { "name" => "web", "image" => "public.ecr.aws/nginx/nginx:1.27", "cpu" => 256, "memory" => 512 };
    let definition = made(&world, "task-definition", &definition).await;
    let service = map! {
        "name" => "web", "cluster" => cluster.as_str(), "task_definition" => definition.as_str(), "subnets" => subnets,
        "security_groups" => vec![group], "assign_public_ip" => true,
    };
    made(&world, "service", &service).await;
    let percents = aws_sdk_ecs::types::DeploymentConfiguration::builder()
        .minimum_healthy_percent(0)
        .maximum_percent(100);
    let call = world
        .aws
        .ecs
        .update_service()
        .cluster(&cluster)
        .service(world.scope.physical("web"));
    let call = call
        .enable_execute_command(true)
        .deployment_configuration(percents.build());
    call.send().await.unwrap();
    let fields = planned(&world, "service", &service).await;
    assert!(
        fields.contains(&"execute_command".to_owned()) && fields.contains(&"percents".to_owned()),
        "{fields:?}"
    );
    world.ensure("service", service.clone()).await.unwrap();
    assert_eq!(planned(&world, "service", &service).await, [""; 0]);
}
