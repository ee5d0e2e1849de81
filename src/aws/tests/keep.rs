//! `keep` leaves what it names, of every kind, also where the service takes several settings in one call.

use crate::aws::testing::World;
use crate::map;
use crate::resource::Outcome;
use crate::value::{Map, Value};

/// One kind with two sets of options, and the fields in which they differ.
struct Case {
    kind: &'static str,
    base: Map,
    other: Map,
    fields: Vec<&'static str>,
}

fn case(kind: &'static str, same: Map, base: Map, other: Map, fields: &[&'static str]) -> Case {
    let with = |more: Map| same.clone().into_iter().chain(more).collect();
    Case {
        kind,
        base: with(base),
        other: with(other),
        fields: fields.to_vec(),
    }
}

async fn changed(world: &World, kind: &str, options: &Map) -> Vec<String> {
    let (outcome, _) = world
        .ensure(kind, options.clone())
        .await
        .unwrap_or_else(|error| panic!("{kind}: {error}"));
    let mut fields: Vec<_> = match outcome {
        Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect(),
        Outcome::Created | Outcome::Unchanged => Vec::new(),
        other => panic!("{kind}: {other:?}"),
    };
    fields.sort();
    fields
}

/// Both fields of every pair differ; one is kept. The other is put right, and the kept one is as it was.
async fn keeps(world: &World, case: Case) {
    let Case {
        kind,
        base,
        other,
        mut fields,
    } = case;
    fields.sort_unstable();
    changed(world, kind, &base).await;
    for field in &fields {
        let mut keeping = other.clone();
        keeping.insert("keep".into(), Value::List(vec![Value::text(*field)]));
        let rest: Vec<_> = fields.iter().filter(|other| *other != field).copied().collect();
        assert_eq!(changed(world, kind, &keeping).await, rest, "{kind} keeps {field}");
        assert_eq!(changed(world, kind, &keeping).await, [""; 0], "{kind} keeps {field}");
        assert_eq!(changed(world, kind, &other).await, [*field], "{kind} kept {field}");
        assert_eq!(changed(world, kind, &base).await, fields, "{kind}");
    }
}

fn list(items: &[&String]) -> Vec<String> {
    items.iter().map(|item| (*item).clone()).collect()
}

/// A text that is JSON in a script.
fn json(text: &str) -> Value {
    Value::from(serde_json::from_str::<serde_json::Value>(text).unwrap())
}

#[tokio::test]
async fn the_kinds_of_a_network_keep() {
    let world = World::sandbox();
    let (vpc, subnets, group) = world.network().await;
    let gateways = world.aws.ec2.describe_internet_gateways().send().await.unwrap();
    let gateway = gateways.internet_gateways()[0].internet_gateway_id().unwrap();
    let (one, two) = (&subnets[0], &subnets[1]);
    let route = map! { "destination" => "0.0.0.0/0", "gateway" => gateway };
    let same = map! { "name" => "public", "vpc" => vpc.as_str() };
    let base = map! { "routes" => vec![Value::Map(route)], "subnets" => list(&[one]) };
    let other = map! { "subnets" => list(&[two]) };
    keeps(
        &world,
        case("route-table", same.clone(), base, other, &["routes", "subnets"]),
    )
    .await;

    let rule = |port: i64| {
        vec![Value::Map(
            map! { "port" => port, "cidrs" => vec!["10.0.0.0/8".to_owned()] },
        )]
    };
    let base = map! { "ingress" => rule(443), "egress" => rule(1433) };
    let other = map! { "ingress" => rule(8443), "egress" => rule(6379) };
    keeps(
        &world,
        case("security-group", same, base, other, &["ingress", "egress"]),
    )
    .await;

    let second = map! { "name" => "second", "vpc" => vpc.as_str() };
    let (_, second) = world.ensure("security-group", second).await.unwrap();
    let second = second["id"].as_str().unwrap().to_owned();
    // The private name of an interface endpoint needs it.
    let names = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
    let call = world.aws.ec2.modify_vpc_attribute().vpc_id(&vpc);
    call.enable_dns_hostnames(names).send().await.unwrap();
    let same = map! { "name" => "logs", "vpc" => vpc.as_str(), "service" => "logs" };
    let base = map! { "subnets" => list(&[one]), "security_groups" => list(&[&group]) };
    let other = map! { "subnets" => list(&[one, two]), "security_groups" => list(&[&second]) };
    let fields = ["subnets", "security_groups"];
    keeps(&world, case("vpc-endpoint", same, base, other, &fields)).await;
}

#[tokio::test]
async fn the_kinds_of_a_cache_and_of_a_database_keep() {
    let world = World::sandbox();
    let (_, subnets, group) = world.network().await;
    let (one, two) = (&subnets[0], &subnets[1]);
    let base = map! { "subnets" => list(&[one, two]), "description" => "one" };
    let other = map! { "subnets" => list(&[one]), "description" => "two" };
    let fields = ["subnets", "description"];
    let same = map! { "name" => "redis" };
    keeps(&world, case("cache-subnet-group", same, base.clone(), other, &fields)).await;
    // A database's group needs two zones: a third subnet makes the difference.
    let vpc = world.aws.ec2.describe_subnets().subnet_ids(one).send().await.unwrap();
    let vpc = vpc.subnets()[0].vpc_id().unwrap();
    let third = world.aws.ec2.create_subnet().vpc_id(vpc).cidr_block("10.0.3.0/24");
    let third = third.availability_zone("eu-west-1c").send().await.unwrap();
    let third = third.subnet().unwrap().subnet_id().unwrap().to_owned();
    let other = map! { "subnets" => list(&[one, two, &third]), "description" => "two" };
    let same = map! { "name" => "sql" };
    keeps(&world, case("db-subnet-group", same, base, other, &fields)).await;

    let same = map! { "name" => "redis", "family" => "redis7" };
    let base = map! { "parameters" => map! { "maxmemory-policy" => "allkeys-lru", "timeout" => 300 } };
    let other = map! { "parameters" => map! { "maxmemory-policy" => "noeviction", "notify-keyspace-events" => "KEA" } };
    let fields = [
        "parameters.maxmemory-policy",
        "parameters.timeout",
        "parameters.notify-keyspace-events",
    ];
    keeps(&world, case("cache-parameter-group", same, base, other, &fields)).await;

    let same = map! { "name" => "sql", "family" => "sqlserver-ex-15.0" };
    let base = map! { "parameters" => map! { "max degree of parallelism" => 2 } };
    let other = map! { "parameters" => map! { "cost threshold for parallelism" => 20 } };
    let fields = [
        "parameters.max degree of parallelism",
        "parameters.cost threshold for parallelism",
    ];
    keeps(&world, case("db-parameter-group", same, base, other, &fields)).await;

    let options = map! { "name" => "redis", "subnets" => subnets.clone() };
    let (_, subnet_group) = world.ensure("cache-subnet-group", options).await.unwrap();
    let same =
        map! { "name" => "redis", "subnet_group" => subnet_group["id"].clone(), "security_groups" => list(&[&group]) };
    let base = map! { "node_type" => "cache.t4g.micro", "snapshot_retention_days" => 1, "description" => "one" };
    let other = map! { "node_type" => "cache.t4g.small", "snapshot_retention_days" => 2, "description" => "two" };
    let fields = ["node_type", "snapshot_retention_days", "description"];
    keeps(&world, case("replication-group", same, base, other, &fields)).await;
}

#[tokio::test]
async fn the_kinds_of_a_front_keep() {
    let world = World::sandbox();
    let (vpc, subnets, group) = world.network().await;
    let second = map! { "name" => "second", "vpc" => vpc.as_str() };
    let (_, second) = world.ensure("security-group", second).await.unwrap();
    let second = second["id"].as_str().unwrap().to_owned();
    let drop = |on: bool| map! { "routing.http.drop_invalid_header_fields.enabled" => on };
    let same = map! { "name" => "front", "subnets" => subnets };
    let base = map! { "security_groups" => list(&[&group]), "attributes" => drop(true) };
    let other = map! { "security_groups" => list(&[&second]), "attributes" => drop(false), "idle_timeout" => 30 };
    let fields = [
        "security_groups",
        "idle_timeout.timeout_seconds",
        "attributes.routing.http.drop_invalid_header_fields.enabled",
    ];
    keeps(&world, case("load-balancer", same, base.clone(), other, &fields)).await;

    let same = map! { "name" => "web", "vpc" => vpc.as_str(), "port" => 8080 };
    let other = map! {
        "health_path" => "/health", "health_codes" => "200-299", "health_interval" => 20, "health_timeout" => 7,
        "healthy_threshold" => 4, "unhealthy_threshold" => 5, "deregistration_delay" => 10,
    };
    let fields: Vec<&'static str> = vec![
        "health_path",
        "health_codes",
        "health_interval",
        "health_timeout",
        "healthy_threshold",
        "unhealthy_threshold",
        "deregistration_delay",
    ];
    keeps(&world, case("target-group", same.clone(), Map::new(), other, &fields)).await;

    let front = world.engine().list("load-balancer").await.unwrap().remove(0);
    let web = world.engine().list("target-group").await.unwrap().remove(0);
    let same = map! { "name" => "http", "load_balancer" => front["arn"].clone() };
    let base = map! { "port" => 80, "target_group" => web["arn"].clone() };
    let other = map! { "port" => 8080, "redirect_to_https" => true };
    keeps(&world, case("listener", same, base, other, &["port", "action"])).await;
}

#[tokio::test]
async fn the_kinds_of_a_service_keep() {
    let world = World::sandbox();
    let (_, subnets, group) = world.network().await;
    let same = map! { "name" => "web", "memory" => 1024 };
    let base = map! {
        "cpu" => 256, "image" => "public.ecr.aws/nginx/nginx:1.27", "port" => 8080,
        "environment" => map! { "LEVEL" => "info", "OLD" => "yes" },
        "health_check" => map! { "command" => vec!["CMD-SHELL".to_owned(), "true".to_owned()] },
    };
    let other = map! {
        "cpu" => 512, "image" => "public.ecr.aws/nginx/nginx:1.28", "port" => 9090,
        "environment" => map! { "LEVEL" => "debug", "NEW" => "yes" },
        "health_check" => map! { "command" => vec!["CMD-SHELL".to_owned(), "false".to_owned()], "interval" => 10 },
        "command" => vec!["run".to_owned()],
    };
    let fields = [
        "cpu",
        "image",
        "port",
        "environment.LEVEL",
        "environment.OLD",
        "environment.NEW",
        "health_check.command",
        "health_check.interval",
        "command",
    ];
    keeps(&world, case("task-definition", same, base, other, &fields)).await;

    let container = |name: &str, image: &str| Value::Map(map! { "name" => name, "image" => image });
    let same = map! { "name" => "pair", "memory" => 512, "cpu" => 256 };
    let base = map! { "containers" => vec![container("web", "a:1"), container("old", "b:1")] };
    let other = map! { "containers" => vec![container("web", "a:2"), container("other", "c:1")] };
    world.ensure("task-definition", with(&same, &base)).await.unwrap();
    let mut keeping = with(&same, &other);
    keeping.insert("keep".into(), Value::List(vec![Value::text("containers")]));
    assert_eq!(changed(&world, "task-definition", &keeping).await, ["web.image"]);
    let mut keeping = with(&same, &base);
    keeping.insert("keep".into(), Value::List(vec![Value::text("web")]));
    assert_eq!(changed(&world, "task-definition", &keeping).await, [""; 0]);

    let (_, cluster) = world.ensure("cluster", map! { "name" => "main" }).await.unwrap();
    let definition = world.engine().list("task-definition").await.unwrap();
    let definition = definition
        .iter()
        .find(|row| row["name"].as_str() == Some("web"))
        .unwrap();
    let same = map! {
        "name" => "web", "cluster" => cluster["arn"].clone(), "task_definition" => definition["arn"].clone(),
        "enforce_count" => true,
    };
    let base = map! { "subnets" => subnets.clone(), "security_groups" => list(&[&group]), "assign_public_ip" => true };
    let other = map! {
        "subnets" => list(&[&subnets[0]]), "security_groups" => list(&[&group]), "assign_public_ip" => true, "count" => 2,
    };
    keeps(&world, case("service", same, base, other, &["subnets", "count"])).await;
}

fn with(same: &Map, more: &Map) -> Map {
    same.clone().into_iter().chain(more.clone()).collect()
}

#[tokio::test]
async fn the_other_kinds_keep() {
    let world = World::sandbox();
    let policy = |action: &str| {
        json(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#
        ))
    };
    let base = map! {
        "service" => "ecs-tasks.amazonaws.com",
        "managed_policies" => vec!["service-role/AmazonECSTaskExecutionRolePolicy".to_owned()],
        "inline_policies" => map! { "read" => policy("s3:GetObject"), "old" => policy("ssm:GetParameter") },
    };
    let other = map! {
        "service" => "ec2.amazonaws.com",
        "inline_policies" => map! { "read" => policy("s3:ListBucket"), "fresh" => policy("secretsmanager:GetSecretValue") },
    };
    let fields = [
        "trust",
        "managed_policies",
        "inline_policies.read",
        "inline_policies.old",
        "inline_policies.fresh",
    ];
    keeps(&world, case("role", map! { "name" => "task" }, base, other, &fields)).await;

    let other = map! { "immutable_tags" => true, "scan_on_push" => false, "keep_images" => 3 };
    let base = map! { "immutable_tags" => false, "scan_on_push" => true, "keep_images" => 10 };
    let fields = ["immutable_tags", "scan_on_push", "keep_images"];
    keeps(
        &world,
        case("repository", map! { "name" => "web" }, base, other, &fields),
    )
    .await;

    let base = map! { "description" => "one", "value" => crate::secret::Secret::new("swordfish") };
    let other = map! { "description" => "two", "value" => crate::secret::Secret::new("marlinspike") };
    let same = map! { "name" => "smtp" };
    keeps(&world, case("secret", same, base, other, &["description", "value"])).await;
}

#[tokio::test]
async fn what_keep_does_not_know_is_an_error() {
    let world = World::sandbox();
    let refused = async |kind: &str, options: Map, kept: &str| {
        let mut options = options;
        options.insert("keep".into(), Value::List(vec![Value::text(kept)]));
        world.ensure(kind, options).await.unwrap_err()
    };
    let vpc = map! { "name" => "main", "cidr" => "10.0.0.0/16" };
    let error = refused("vpc", vpc.clone(), "dsn").await;
    assert_eq!(error.message(), "`keep`: a vpc has no field `dsn`");
    assert_eq!(error.help(), Some("did you mean `dns`?"));
    let error = refused("vpc", vpc.clone(), "name").await;
    assert!(error.message().contains("no field `name`"), "{error}");
    let error = refused(
        "cache-parameter-group",
        map! { "name" => "redis", "family" => "redis7" },
        "parameter.timeout",
    )
    .await;
    assert_eq!(error.help(), Some("did you mean `parameters`?"));
    for kept in ["tags", "tag owner"] {
        let mut options = vpc.clone();
        options.insert("keep".into(), Value::List(vec![Value::text(kept)]));
        world.ensure("vpc", options).await.unwrap();
    }
}
