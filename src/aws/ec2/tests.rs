//! The network as scripts make it.

use crate::aws::testing::World;
use crate::error::Exit;
use crate::map;
use crate::resource::{Engine, Origin, Outcome};
use crate::value::{Map, Value};

/// What a whole network ensures, in one run; returns what happened to each resource.
async fn network(world: &World) -> Vec<(String, Outcome)> {
    let engine = world.engine();
    let ensure = |kind: &str, options: Map| engine.ensure(kind, Value::Map(options), Origin::default()).unwrap();
    let id = |handle: crate::resource::Handle| field(handle, "id");
    let vpc = id(ensure("vpc", map! { "name" => "main", "cidr" => "10.0.0.0/16" }));
    let gateway = id(ensure(
        "internet-gateway",
        map! { "name" => "main", "vpc" => vpc.clone() },
    ));
    let subnet = |name: &str, cidr: &str, public: bool| {
        let options = map! {
            "name" => name, "vpc" => vpc.clone(), "cidr" => cidr, "zone" => "eu-west-1a", "assign_public_ip" => public,
        };
        id(ensure("subnet", options))
    };
    let (open, inner) = (
        subnet("public-1", "10.0.0.0/20", true),
        subnet("private-1", "10.0.16.0/20", false),
    );
    let address = field(ensure("address", map! { "name" => "outgoing" }), "allocation_id");
    let nat =
        map! { "name" => "main", "subnet" => open.clone(), "allocation" => address, "after" => vec![gateway.clone()] };
    let nat = id(ensure("nat-gateway", nat));
    let table = |name: &str, subnet: &Value, route: Map| {
        let options = map! {
            "name" => name, "vpc" => vpc.clone(), "subnets" => vec![subnet.clone()],
            "routes" => vec![Value::Map(route)],
        };
        ensure("route-table", options)
    };
    table(
        "public",
        &open,
        map! { "destination" => "0.0.0.0/0", "gateway" => gateway },
    );
    table("inner", &inner, map! { "destination" => "0.0.0.0/0", "nat" => nat });
    // These two name each other.
    for (name, other) in [("front", "service"), ("service", "front")] {
        let rules = vec![
            Value::Map(map! { "port" => 443, "cidrs" => vec![Value::text("0.0.0.0/0")], "description" => "HTTPS" }),
            Value::Map(map! { "port" => 8080, "security_groups" => vec![Value::text(other)] }),
        ];
        ensure(
            "security-group",
            map! { "name" => name, "vpc" => vpc.clone(), "ingress" => rules },
        );
    }
    engine.settle().await.unwrap();
    let records = engine.report().records;
    records
        .into_iter()
        .map(|record| (format!("{}/{}", record.kind, record.name), record.outcome))
        .collect()
}

fn field(handle: crate::resource::Handle, name: &str) -> Value {
    use crate::value::Object;
    handle.field(name).unwrap()
}

/// What the run changed, as fields.
fn changes(outcomes: &[(String, Outcome)]) -> Vec<String> {
    let mut changed = Vec::new();
    for (label, outcome) in outcomes {
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Changed(changes) => {
                changed.extend(changes.iter().map(|change| format!("{label} {}", change.field)));
            }
            other => changed.push(format!("{label} {}", other.words())),
        }
    }
    changed
}

async fn row(engine: &Engine, kind: &str, name: &str) -> Map {
    let rows = engine.list(kind).await.unwrap();
    rows.into_iter().find(|row| row["name"].as_str() == Some(name)).unwrap()
}

fn id(row: &Map) -> String {
    row["id"].as_str().unwrap().to_owned()
}

async fn a_network_comes_and_goes(world: &World) {
    let first = network(world).await;
    assert!(
        first.iter().all(|(_, outcome)| matches!(outcome, Outcome::Created)),
        "{first:?}"
    );
    assert_eq!(changes(&network(world).await), [] as [&str; 0]);

    // Somebody clicks.
    let (ec2, engine) = (&world.aws.ec2, world.engine());
    let front = row(&engine, "security-group", "front").await;
    let anyone = aws_sdk_ec2::types::IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = aws_sdk_ec2::types::IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22)
        .ip_ranges(anyone)
        .build();
    let open = ec2
        .authorize_security_group_ingress()
        .group_id(id(&front))
        .ip_permissions(ssh);
    open.send().await.unwrap();
    let table = row(&engine, "route-table", "inner").await;
    let delete = ec2
        .delete_route()
        .route_table_id(id(&table))
        .destination_cidr_block("0.0.0.0/0");
    delete.send().await.unwrap();
    let subnet = row(&engine, "subnet", "private-1").await;
    let on = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
    let modify = ec2
        .modify_subnet_attribute()
        .subnet_id(id(&subnet))
        .map_public_ip_on_launch(on);
    modify.send().await.unwrap();
    let vpc = row(&engine, "vpc", "main").await;
    let off = aws_sdk_ec2::types::AttributeBooleanValue::builder()
        .value(false)
        .build();
    let modify = ec2.modify_vpc_attribute().vpc_id(id(&vpc)).enable_dns_hostnames(off);
    modify.send().await.unwrap();

    let mut drift = changes(&network(world).await);
    drift.sort();
    assert_eq!(
        drift,
        [
            "route-table/inner routes",
            "security-group/front ingress",
            "subnet/private-1 assign_public_ip",
            "vpc/main dns",
        ]
    );
    assert_eq!(changes(&network(world).await), [] as [&str; 0]);
    let front = row(&engine, "security-group", "front").await;
    assert_eq!(
        front["ingress"].to_string(),
        r#"["tcp 443 0.0.0.0/0 (HTTPS)","tcp 8080 service"]"#
    );

    world.destroy(&[]).await.unwrap();
    for (kind, left) in [
        ("vpc", 0),
        ("subnet", 0),
        ("internet-gateway", 0),
        ("nat-gateway", 0),
        ("route-table", 0),
        ("security-group", 0),
        ("address", 1),
    ] {
        assert_eq!(world.count(kind).await, left, "{kind}");
    }

    // The address is found again. moto never gives it back when its NAT gateway is deleted, so this ends here for it.
    if !world.aws.is_sandbox {
        return;
    }
    let again = network(world).await;
    let of = |label: &str| again.iter().find(|(known, _)| known == label).unwrap().1.clone();
    assert_eq!(of("address/outgoing"), Outcome::Unchanged);
    assert_eq!(of("vpc/main"), Outcome::Created);
    world.destroy(&[]).await.unwrap();
}

#[tokio::test]
async fn the_sandbox_plays_a_network() {
    a_network_comes_and_goes(&World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_a_network() {
    let Some(world) = World::moto("aws::ec2::moto_plays_a_network").await else {
        return;
    };
    a_network_comes_and_goes(&world).await;
}

#[tokio::test]
async fn another_range_is_another_vpc_and_is_asked_for() {
    let mut world = World::sandbox();
    let options = |cidr: &str| map! { "name" => "main", "cidr" => cidr };
    let (_, before) = world.ensure("vpc", options("10.0.0.0/16")).await.unwrap();
    let refused = world.ensure("vpc", options("10.1.0.0/16")).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Declined);
    world.replaceable.push("main".into());
    let (outcome, after) = world.ensure("vpc", options("10.1.0.0/16")).await.unwrap();
    assert!(matches!(outcome, Outcome::Replaced(_)), "{outcome:?}");
    assert_ne!(before["id"].to_string(), after["id"].to_string());
    assert_eq!(world.count("vpc").await, 1);
}

#[tokio::test]
async fn what_ec2_would_refuse_is_refused_before_anything_is_made() {
    let world = World::sandbox();
    for (kind, options, message) in [
        (
            "vpc",
            map! { "name" => "a", "cidr" => "10.0.0.0/8" },
            "between /16 and /28",
        ),
        (
            "vpc",
            map! { "name" => "a", "cidr" => "10.0.0.1/16" },
            "does not begin where its range begins",
        ),
        ("vpc", map! { "name" => "a?", "cidr" => "10.0.0.0/16" }, "contains `?`"),
        (
            "security-group",
            map! { "name" => "a", "vpc" => "vpc-1", "ingress" => vec![Value::Map(map! { "port" => 1 })] },
            "a rule needs `cidrs` or `security_groups`",
        ),
        (
            "route-table",
            map! { "name" => "a", "vpc" => "vpc-1", "routes" => vec![Value::Map(map! { "destination" => "0.0.0.0/0" })] },
            "needs either `gateway` or `nat`",
        ),
    ] {
        let error = world.ensure(kind, options).await.unwrap_err();
        assert!(error.message().contains(message), "{error}");
    }
    assert_eq!(world.calls.total(), 0);
}

#[tokio::test]
async fn a_reference_is_looked_at_and_never_changed() {
    let world = World::sandbox();
    let (vpc, subnets, group) = world.network().await;
    let engine = world.engine();
    for (kind, id) in [("vpc", &vpc), ("subnet", &subnets[0]), ("security-group", &group)] {
        let handle = engine
            .reference(kind, Value::Map(map! { "id" => id.as_str() }))
            .await
            .unwrap();
        assert!(handle.is_reference);
        assert_eq!(handle.promise.wait().await.unwrap()["id"].as_str(), Some(id.as_str()));
    }
    let strange = Value::Map(map! { "id" => "vpc-00000000000000000" });
    let error = engine.reference("vpc", strange).await.unwrap_err();
    assert_eq!(error.message(), "there is no VPC vpc-00000000000000000 in eu-west-1");
    world.destroy(&[]).await.unwrap();
    assert!(
        engine
            .reference("vpc", Value::Map(map! { "id" => vpc.as_str() }))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn zones_are_picked_by_number_or_by_name() {
    let world = World::sandbox();
    let zones = world.call("ec2::pick_zones", vec![Value::Int(2)]).await.unwrap();
    assert_eq!(zones.to_string(), r#"["eu-west-1a","eu-west-1b"]"#);
    let wrong = vec![Value::from(vec!["eu-west-1x".to_owned()])];
    let error = world.call("ec2::pick_zones", wrong).await.unwrap_err();
    assert!(error.message().contains("eu-west-1x"), "{error}");
    let parts = world
        .call("ec2::split_cidr", vec![Value::text("10.0.0.0/16"), Value::Int(1)])
        .await;
    assert_eq!(parts.unwrap().to_string(), r#"["10.0.0.0/17","10.0.128.0/17"]"#);
}

/// The region may get a zone, or take one away, that comes before those in use.
#[tokio::test]
async fn an_environment_stays_in_its_zones() {
    let world = World::sandbox();
    let (_, made) = world
        .ensure("vpc", map! { "name" => "main", "cidr" => "10.0.0.0/16" })
        .await
        .unwrap();
    for (name, cidr, zone) in [
        ("one", "10.0.0.0/24", "eu-west-1b"),
        ("two", "10.0.1.0/24", "eu-west-1c"),
    ] {
        let vpc = made["id"].clone();
        let subnet = map! { "name" => name, "vpc" => vpc, "cidr" => cidr, "zone" => zone };
        world.ensure("subnet", subnet).await.unwrap();
    }
    let zones = async |count| {
        world
            .call("ec2::pick_zones", vec![Value::Int(count)])
            .await
            .unwrap()
            .to_string()
    };
    assert_eq!(zones(2).await, r#"["eu-west-1b","eu-west-1c"]"#);
    assert_eq!(zones(3).await, r#"["eu-west-1a","eu-west-1b","eu-west-1c"]"#);
}

/// Endpoints are made, found, put right and taken down.
async fn endpoints_come_and_go(world: &World) {
    let (vpc, subnets, group) = world.network().await;
    let on = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
    let call = world
        .aws
        .ec2
        .modify_vpc_attribute()
        .vpc_id(&vpc)
        .enable_dns_hostnames(on);
    call.send().await.unwrap();
    let table = world.aws.ec2.create_route_table().vpc_id(&vpc).send().await.unwrap();
    let table = table.route_table.unwrap().route_table_id.unwrap();
    let logs = |subnets: &[String]| {
        map! {
            "name" => "logs", "vpc" => vpc.as_str(), "service" => "logs", "subnets" => subnets.to_vec(),
            "security_groups" => vec![group.clone()],
        }
    };
    let layers = map! {
        "name" => "s3", "vpc" => vpc.as_str(), "service" => "s3", "route_tables" => vec![table.clone()],
    };
    let (outcome, made) = world.ensure("vpc-endpoint", logs(&subnets[..1])).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert_eq!(made["service"].as_str(), Some("com.amazonaws.eu-west-1.logs"));
    assert_eq!(
        world.ensure("vpc-endpoint", layers.clone()).await.unwrap().0,
        Outcome::Created
    );
    assert_eq!(
        world.ensure("vpc-endpoint", logs(&subnets[..1])).await.unwrap().0,
        Outcome::Unchanged
    );
    assert_eq!(
        world.ensure("vpc-endpoint", layers).await.unwrap().0,
        Outcome::Unchanged
    );
    let (outcome, now) = world.ensure("vpc-endpoint", logs(&subnets)).await.unwrap();
    assert!(matches!(outcome, Outcome::Changed(_)), "{outcome:?}");
    assert_eq!(now["id"].as_str(), made["id"].as_str());
    assert_eq!(
        world.ensure("vpc-endpoint", logs(&subnets)).await.unwrap().0,
        Outcome::Unchanged
    );

    let mut other = logs(&subnets);
    other.insert("service".into(), Value::text("ssm"));
    let error = world.ensure("vpc-endpoint", other).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Declined);
    let mut both = logs(&subnets);
    both.insert("route_tables".into(), vec![table].into());
    let error = world.ensure("vpc-endpoint", both).await.unwrap_err();
    assert!(
        error.message().contains("`route_tables` are for a gateway endpoint"),
        "{error}"
    );

    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("vpc-endpoint").await, 0);
}

#[tokio::test]
async fn the_sandbox_plays_endpoints() {
    endpoints_come_and_go(&World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_endpoints() {
    let Some(world) = World::moto("aws::ec2::moto_plays_endpoints").await else {
        return;
    };
    endpoints_come_and_go(&world).await;
}

/// EC2 says that something depends on it, and not what.
#[tokio::test]
async fn what_keeps_a_network_is_named_whoever_made_it() {
    let mut world = World::sandbox_at_once();
    let (_, vpc) = world
        .ensure("vpc", map! { "name" => "main", "cidr" => "10.0.0.0/16" })
        .await
        .unwrap();
    let vpc = vpc["id"].clone();
    let mut subnets = Vec::new();
    for (name, cidr, zone) in [("a", "10.0.0.0/20", "eu-west-1a"), ("b", "10.0.16.0/20", "eu-west-1b")] {
        let options = map! { "name" => name, "vpc" => vpc.clone(), "cidr" => cidr, "zone" => zone };
        let (_, subnet) = world.ensure("subnet", options).await.unwrap();
        subnets.push(subnet["id"].to_string());
    }
    let options = map! { "name" => "service", "vpc" => vpc.clone() };
    let (_, group) = world.ensure("security-group", options).await.unwrap();
    let group = group["id"].to_string();

    // Somebody else put a load balancer there, and lets our group in.
    let (ec2, elb) = (&world.aws.ec2, &world.aws.elb);
    let theirs = ec2
        .create_security_group()
        .vpc_id(vpc.to_string())
        .group_name("theirs")
        .description("x");
    let theirs = theirs.send().await.unwrap().group_id.unwrap();
    let ours = aws_sdk_ec2::types::UserIdGroupPair::builder().group_id(&group).build();
    let rule = aws_sdk_ec2::types::IpPermission::builder()
        .ip_protocol("-1")
        .user_id_group_pairs(ours)
        .build();
    let allow = ec2
        .authorize_security_group_ingress()
        .group_id(&theirs)
        .ip_permissions(rule);
    allow.send().await.unwrap();
    let balancer = elb
        .create_load_balancer()
        .name("theirs")
        .scheme(aws_sdk_elasticloadbalancingv2::types::LoadBalancerSchemeEnum::Internal);
    let balancer = balancer
        .set_subnets(Some(subnets.clone()))
        .security_groups(&theirs)
        .send()
        .await
        .unwrap();
    let balancer = balancer.load_balancers()[0].load_balancer_arn().unwrap().to_owned();

    world.limit = std::time::Duration::from_millis(300);
    let error = world.destroy(&[]).await.unwrap_err();
    let told: Vec<_> = error
        .split()
        .into_iter()
        .map(|error| {
            (
                error.message().to_owned(),
                error.notes().join("\n"),
                error.help().map(str::to_owned),
            )
        })
        .collect();
    let of = |label: &str| {
        let found = told.iter().find(|(message, ..)| message.starts_with(label));
        found.unwrap_or_else(|| panic!("nothing of {label}: {told:#?}"))
    };
    let interface = format!("in {} (\"ELB app/theirs/", subnets[0]);
    let (message, notes, help) = of("subnet/a");
    assert!(
        message.starts_with("subnet/a: could not be deleted within 0.3 s: "),
        "{message}"
    );
    assert!(
        notes.contains("it is used by network interface eni-") && notes.contains(&interface),
        "{notes}"
    );
    assert!(
        help.as_ref().is_some_and(|help| help.contains("iacsh never deletes")),
        "{told:#?}"
    );
    let rule = format!("it is used by a rule of security group {theirs} (theirs)");
    assert!(of("security-group/service").1.contains(&rule), "{told:#?}");
    let (_, notes, _) = of("vpc/main");
    assert!(
        notes.contains(&interface) && notes.contains(&format!("security group {theirs} (theirs)")),
        "{notes}"
    );
    assert_eq!(world.count("subnet").await, 2);

    // When its owner has taken it away, the same destroy goes through.
    elb.delete_load_balancer()
        .load_balancer_arn(&balancer)
        .send()
        .await
        .unwrap();
    ec2.delete_security_group().group_id(&theirs).send().await.unwrap();
    world.limit = std::time::Duration::from_secs(20);
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("vpc").await, 0);
}

/// To choose would be to guess.
#[tokio::test]
async fn two_that_are_one_stop_the_run() {
    let world = World::sandbox_at_once();
    let options = map! { "name" => "main", "cidr" => "10.0.0.0/16" };
    let (_, first) = world.ensure("vpc", options.clone()).await.unwrap();
    let tags = world.aws.ec2.describe_vpcs().send().await.unwrap().vpcs()[0]
        .tags()
        .to_vec();
    let tags = super::TagSpecification::builder()
        .resource_type(super::ResourceType::Vpc)
        .set_tags(Some(tags));
    let call = world
        .aws
        .ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .tag_specifications(tags.build());
    let second = call.send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    let before = world.writes();
    for changed in ["10.0.0.0/16", "10.1.0.0/16"] {
        let mut options = options.clone();
        options.insert("cidr".into(), Value::text(changed));
        let error = world.ensure("vpc", options).await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains("two resources are vpc/main: "), "{told}");
        assert!(
            told.contains(&first["id"].to_string()) && told.contains(&second),
            "{told}"
        );
    }
    assert_eq!(world.writes(), before, "nothing was changed");
}

/// A token that was used for what is gone again must not bring the old answer back.
#[tokio::test]
async fn what_was_replaced_and_comes_back_is_made_anew() {
    let mut world = World::sandbox_at_once();
    world.replaceable = vec!["main".into()];
    let (_, subnets, _) = world.network().await;
    let address = world.aws.ec2.allocate_address().send().await.unwrap();
    let address = address.allocation_id.unwrap();
    // One seed for all of them, as after runs that did not end cleanly.
    let engine = world.engine();
    let mut made = std::collections::BTreeSet::new();
    for subnet in [&subnets[0], &subnets[1], &subnets[0]] {
        let options = map! { "name" => "main", "subnet" => subnet.as_str(), "allocation" => address.as_str() };
        let handle = engine
            .ensure("nat-gateway", Value::Map(options), Origin::default())
            .unwrap();
        engine.settle().await.unwrap();
        made.insert(handle.promise.wait().await.unwrap()["id"].to_string());
        engine.forget();
    }
    assert_eq!(made.len(), 3, "{made:?}");
    assert_eq!(world.count("nat-gateway").await, 1);
}

/// What uses another goes first, so that nothing has to be asked for twice: between kinds, and among groups whose rules
/// name each other.
#[tokio::test]
async fn a_destroy_asks_once_for_each() {
    let world = World::sandbox_at_once();
    let engine = world.engine();
    let ensure = |kind: &str, options: Map| engine.ensure(kind, Value::Map(options), Origin::default()).unwrap();
    let vpc = field(ensure("vpc", map! { "name" => "main", "cidr" => "10.0.0.0/16" }), "id");
    ensure("internet-gateway", map! { "name" => "main", "vpc" => vpc.clone() });
    for (name, cidr) in [("a", "10.0.0.0/20"), ("b", "10.0.16.0/20")] {
        let options = map! { "name" => name, "vpc" => vpc.clone(), "cidr" => cidr, "zone" => "eu-west-1a" };
        let subnet = field(ensure("subnet", options), "id");
        ensure(
            "route-table",
            map! { "name" => name, "vpc" => vpc.clone(), "subnets" => vec![subnet] },
        );
    }
    let mut before: Option<Value> = None;
    for name in ["first", "second", "third"] {
        let rule = before.map(|group| Value::Map(map! { "port" => 443, "security_groups" => vec![group] }));
        let options = map! { "name" => name, "vpc" => vpc.clone(), "ingress" => rule.into_iter().collect::<Vec<_>>() };
        before = Some(field(ensure("security-group", options), "id"));
    }
    engine.settle().await.unwrap();
    world.destroy(&[]).await.unwrap();
    let counts = world.calls.counts();
    let sent: Vec<_> = ["Vpc", "InternetGateway", "Subnet", "RouteTable", "SecurityGroup"]
        .iter()
        .map(|what| counts.get(&format!("ec2:Delete{what}")).copied().unwrap_or_default())
        .collect();
    assert_eq!(sent, [1, 1, 2, 2, 3]);
}
