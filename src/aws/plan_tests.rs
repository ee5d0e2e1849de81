//! A plan says what a run then does: for pairs of environments, one that is there and one that is wanted.
//!
//! `IACSH_PLANS=N` sets how many pairs are made; 200 when it is not set.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::testing::World;
use crate::map;
use crate::resource::plan::Action;
use crate::resource::{Engine, Handle, Mode, Origin, Outcome, Record};
use crate::value::{Map, Object, Value, is_unknown};

/// An environment, as a script would ensure it. What is `None` or shorter is not asked for.
#[derive(Clone, Debug)]
struct Wanted {
    dns: bool,
    /// Whether new addresses are public, for each subnet; there are at least two.
    subnets: Vec<bool>,
    gateway: bool,
    route: bool,
    /// For each group its rules: a port, and whether it is open to the world or to the group before it.
    groups: Vec<Vec<(u16, bool)>>,
    /// Retention in days.
    logs: Option<i32>,
    role: Option<Role>,
    /// The description of a secret.
    secret: Option<String>,
    /// What is published, by name.
    parameters: BTreeMap<String, String>,
    /// How many images a repository keeps.
    repository: Option<u32>,
    insights: Option<bool>,
    task: Option<Task>,
    cache: Option<Cache>,
    /// The path of the health check, whether there is a listener, and the port, which only a new target group can have.
    front: Option<(String, bool, u16)>,
    owner: Option<String>,
}

#[derive(Clone, Debug)]
struct Role {
    managed: bool,
    inline: Option<String>,
}

#[derive(Clone, Debug)]
struct Task {
    image: String,
    /// Needs the role's ARN and the secret's, when they are there.
    environment: BTreeMap<String, String>,
    size: (u32, u32),
}

#[derive(Clone, Debug)]
struct Cache {
    family: String,
    memory: Option<String>,
    subnets: usize,
}

fn some<T: std::fmt::Debug + Clone>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![1 => Just(None), 4 => of.prop_map(Some)]
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["alpha", "beta", "gamma"]).prop_map(str::to_owned)
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let network = (
        any::<bool>(),
        prop::collection::vec(any::<bool>(), 2..4),
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(
            prop::collection::vec((prop::sample::select(vec![80_u16, 443, 6379]), any::<bool>()), 0..3),
            0..4,
        ),
    );
    let role = (any::<bool>(), some(word())).prop_map(|(managed, inline)| Role { managed, inline });
    let task = (
        word(),
        prop::collection::btree_map(word(), word(), 0..3),
        prop::sample::select(vec![(256_u32, 512_u32), (512, 1024)]),
    );
    let task = task.prop_map(|(image, environment, size)| Task {
        image,
        environment,
        size,
    });
    let family = prop::sample::select(vec!["redis7", "valkey8"]).prop_map(str::to_owned);
    let policy = prop::sample::select(vec!["allkeys-lru", "noeviction"]).prop_map(str::to_owned);
    let cache = (family, some(policy), 1..3_usize);
    let cache = cache.prop_map(|(family, memory, subnets)| Cache {
        family,
        memory,
        subnets,
    });
    let front = (word(), any::<bool>(), prop::sample::select(vec![80_u16, 8080]));
    let rest = (
        some(prop::sample::select(vec![7_i32, 30])),
        some(role),
        some(word()),
        prop::collection::btree_map(word(), word(), 0..3),
        some(1..3_u32),
        some(any::<bool>()),
        some(task),
        some(cache),
        some(front),
        some(word()),
    );
    (network, rest).prop_map(|(network, rest)| {
        let (dns, subnets, gateway, route, groups) = network;
        let (logs, role, secret, parameters, repository, insights, task, cache, front, owner) = rest;
        Wanted {
            dns,
            subnets,
            gateway,
            route,
            groups,
            logs,
            role,
            secret,
            parameters,
            repository,
            insights,
            task,
            cache,
            front,
            owner,
        }
    })
}

fn field(handle: &Handle, name: &str) -> Value {
    handle.field(name).unwrap()
}

/// What a script would do, with outputs passed on as they come.
fn ensure(engine: &Engine, wanted: &Wanted) {
    let ensure = |kind: &str, options: Map| engine.ensure(kind, Value::Map(options), Origin::default()).unwrap();
    let vpc = ensure(
        "vpc",
        map! { "name" => "main", "cidr" => "10.0.0.0/16", "dns" => wanted.dns },
    );
    let vpc = field(&vpc, "id");
    let mut subnets = Vec::new();
    for (number, public) in wanted.subnets.iter().enumerate() {
        let zone = ["eu-west-1a", "eu-west-1b", "eu-west-1c"][number];
        let options = map! {
            "name" => format!("s{number}"), "vpc" => vpc.clone(), "cidr" => format!("10.0.{}.0/24", number + 1),
            "zone" => zone, "assign_public_ip" => *public,
        };
        subnets.push(field(&ensure("subnet", options), "id"));
    }
    // Without a gateway no load balancer can be reached from outside, and none is made.
    if wanted.gateway || wanted.front.as_ref().is_some_and(|(_, listener, _)| *listener) {
        let gateway = ensure("internet-gateway", map! { "name" => "main", "vpc" => vpc.clone() });
        let mut routes = Vec::new();
        if wanted.route {
            routes.push(Value::Map(
                map! { "destination" => "0.0.0.0/0", "gateway" => field(&gateway, "id") },
            ));
        }
        let options = map! { "name" => "main", "vpc" => vpc.clone(), "subnets" => subnets.clone(), "routes" => routes };
        ensure("route-table", options);
    }
    let mut groups: Vec<Value> = Vec::new();
    for (number, rules) in wanted.groups.iter().enumerate() {
        let mut ingress = Vec::new();
        for (port, open) in rules {
            let mut rule = map! { "port" => i64::from(*port) };
            match (open, groups.last()) {
                (false, Some(group)) => rule.insert("security_groups".into(), Value::List(vec![group.clone()])),
                _ => rule.insert("cidrs".into(), Value::List(vec![Value::text("0.0.0.0/0")])),
            };
            let rule = Value::Map(rule);
            if !ingress.iter().any(|known: &Value| known.is_asked_like(&rule)) {
                ingress.push(rule);
            }
        }
        let options = map! { "name" => format!("g{number}"), "vpc" => vpc.clone(), "ingress" => ingress };
        groups.push(field(&ensure("security-group", options), "id"));
    }
    if let Some(days) = wanted.logs {
        ensure("log-group", map! { "name" => "web", "retention_days" => days });
    }
    let secret = wanted.secret.as_ref().map(|description| {
        let generate = map! { "length" => 20 };
        let options = map! { "name" => "token", "description" => description.as_str(), "generate" => generate };
        field(&ensure("secret", options), "arn")
    });
    let role = wanted.role.as_ref().map(|role| {
        let mut options = map! { "name" => "task", "service" => "ecs-tasks.amazonaws.com" };
        if role.managed {
            let policy = "service-role/AmazonECSTaskExecutionRolePolicy";
            options.insert("managed_policies".into(), Value::List(vec![Value::text(policy)]));
        }
        if let Some(action) = &role.inline {
            let resource = secret.clone().unwrap_or_else(|| Value::text("*"));
            let statement = map! {
                "Effect" => "Allow", "Action" => format!("secretsmanager:{action}"), "Resource" => resource,
            };
            let document = map! { "Version" => "2012-10-17", "Statement" => vec![Value::Map(statement)] };
            options.insert("inline_policies".into(), Value::Map(map! { "secrets" => document }));
        }
        field(&ensure("role", options), "arn")
    });
    for (name, value) in &wanted.parameters {
        engine.publish(name, Value::text(value), Origin::default()).unwrap();
    }
    if let Some(arn) = &secret {
        engine.publish("secret", arn.clone(), Origin::default()).unwrap();
    }
    if let Some(keep) = wanted.repository {
        ensure("repository", map! { "name" => "web", "keep_images" => keep });
    }
    if let Some(insights) = wanted.insights {
        ensure("cluster", map! { "name" => "main", "container_insights" => insights });
    }
    if let Some(task) = &wanted.task {
        let environment: Map = task
            .environment
            .iter()
            .map(|(key, value)| (key.clone(), Value::text(value)))
            .collect();
        let mut options = map! {
            "name" => "web", "image" => format!("example.org/{}:1", task.image), "cpu" => task.size.0,
            "memory" => task.size.1, "environment" => environment,
        };
        if let Some(role) = &role {
            options.insert("execution_role".into(), role.clone());
            if let Some(secret) = &secret {
                options.insert("secrets".into(), Value::Map(map! { "TOKEN" => secret.clone() }));
            }
        }
        let task = ensure("task-definition", options);
        engine.publish("task", field(&task, "arn"), Origin::default()).unwrap();
    }
    if let Some(cache) = &wanted.cache {
        let options = map! {
            "name" => "redis", "description" => "Redis", "subnets" => subnets[..cache.subnets].to_vec(),
        };
        ensure("cache-subnet-group", options);
        let mut options = map! { "name" => "redis", "description" => "Redis", "family" => cache.family.as_str() };
        if let Some(policy) = &cache.memory {
            let parameters = map! { "maxmemory-policy" => policy.as_str() };
            options.insert("parameters".into(), Value::Map(parameters));
        }
        ensure("cache-parameter-group", options);
    }
    if let Some((path, listener, port)) = &wanted.front {
        // A target group that a listener uses cannot be deleted, so the port of such a one stays.
        let port = if *listener { 80 } else { *port };
        let options = map! {
            "name" => if *listener { "web" } else { "alone" }, "vpc" => vpc.clone(), "port" => i64::from(port),
            "health_path" => format!("/{path}"),
        };
        let targets = ensure("target-group", options);
        if *listener {
            let group = ensure("security-group", map! { "name" => "front", "vpc" => vpc });
            let options = map! {
                "name" => "front", "subnets" => subnets[..2].to_vec(), "security_groups" => vec![field(&group, "id")],
            };
            let balancer = ensure("load-balancer", options);
            let options = map! {
                "name" => "http", "load_balancer" => field(&balancer, "arn"), "port" => 80, "protocol" => "http",
                "target_group" => field(&targets, "arn"),
            };
            ensure("listener", options);
            engine
                .publish("url", field(&balancer, "url"), Origin::default())
                .unwrap();
        }
    }
}

/// One run or plan of it.
async fn run(world: &World, wanted: &Wanted, mode: Mode) -> Vec<Record> {
    let engine = world.engine_in(mode);
    ensure(&engine, wanted);
    if let Err(error) = engine.settle().await {
        panic!("{mode:?}: {error} {:?}", error.notes());
    }
    engine.report().records
}

/// What is said of a change; what a plan does not know is left out.
fn fields(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Changed(changes) | Outcome::Replaced(changes) => {
            changes.iter().map(|change| change.field.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a plan could not know that there is nothing to change after all: an ARN that becomes the same again.
fn may_be_nothing(planned: &Outcome) -> bool {
    match planned {
        Outcome::Changed(changes) => changes.iter().all(|change| is_unknown(&change.to)),
        _ => false,
    }
}

/// Whether a plan did not know what a field would become.
fn is_unknown_field(planned: &Outcome, field: &str) -> bool {
    match planned {
        Outcome::Changed(changes) | Outcome::Replaced(changes) => changes
            .iter()
            .any(|change| change.field == field && is_unknown(&change.to)),
        _ => false,
    }
}

/// Changes made by hand, past iacsh.
async fn drift(world: &World, kind: usize) {
    let aws = &world.aws;
    match kind {
        0 => {
            let groups = aws.ec2.describe_security_groups().send().await.unwrap();
            let ours = groups
                .security_groups()
                .iter()
                .find(|group| group.group_name().is_some_and(|name| name.starts_with("shop-dev-")));
            if let Some(group) = ours.and_then(|group| group.group_id()) {
                let call = aws.ec2.authorize_security_group_ingress().group_id(group);
                let call = call.ip_protocol("tcp").from_port(22).to_port(22).cidr_ip("0.0.0.0/0");
                call.send().await.unwrap();
            }
        }
        1 => {
            let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
            let call = aws.iam.put_role_policy().policy_name("by-hand").policy_document(policy);
            // Where there is no role, there is nothing to change.
            let roles = aws.iam.list_roles().send().await.unwrap();
            if let Some(role) = roles.roles().iter().find(|role| role.role_name() == "shop-dev-task") {
                call.role_name(role.role_name()).send().await.unwrap();
            }
        }
        2 => {
            let vpcs = aws.ec2.describe_vpcs().send().await.unwrap();
            let id = vpcs
                .vpcs()
                .iter()
                .find(|vpc| vpc.tags().iter().any(|tag| tag.value() == Some("vpc/main")))
                .and_then(|vpc| vpc.vpc_id());
            if let Some(id) = id {
                let tag = aws_sdk_ec2::types::Tag::builder().key("Name").value("by hand").build();
                aws.ec2.create_tags().resources(id).tags(tag).send().await.unwrap();
            }
        }
        _ => {}
    }
}

#[test]
fn a_plan_says_what_a_run_then_does() {
    let pairs = std::env::var("IACSH_PLANS").ok().and_then(|pairs| pairs.parse().ok());
    let mut runner = TestRunner::new(Config {
        cases: pairs.unwrap_or(200),
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let pair = (some(wanted()), 0..4_usize, wanted());
    let outcome = runner.run(&pair, |(before, drifted, after)| {
        runtime.block_on(async {
            let mut world = World::sandbox_at_once();
            for name in ["redis", "alone"] {
                world.replaceable.push(name.to_owned());
            }
            if let Some(before) = &before {
                describe(&mut world, before);
                run(&world, before, Mode::Apply).await;
                drift(&world, drifted).await;
            }
            describe(&mut world, &after);
            let writes = world.writes();
            let planned = run(&world, &after, Mode::Plan).await;
            prop_assert_eq!(world.writes(), writes, "a plan wrote");
            let done = run(&world, &after, Mode::Apply).await;
            prop_assert_eq!(planned.len(), done.len());
            for (planned, done) in planned.iter().zip(&done) {
                let label = format!("{}/{}", planned.kind, planned.name);
                prop_assert_eq!(&label, &format!("{}/{}", done.kind, done.name));
                let (was, is) = (Action::from(&planned.outcome), Action::from(&done.outcome));
                if is == Action::Nothing && may_be_nothing(&planned.outcome) {
                    continue;
                }
                prop_assert_eq!(was, is, "{}: {:?} and {:?}", label, planned.outcome, done.outcome);
                let mut foretold = fields(&planned.outcome);
                let became = fields(&done.outcome);
                foretold.retain(|field| became.contains(field) || !is_unknown_field(&planned.outcome, field));
                prop_assert_eq!(foretold, became, "{}", label);
            }
            for record in run(&world, &after, Mode::Plan).await {
                prop_assert_eq!(&record.outcome, &Outcome::Unchanged, "{}/{}", record.kind, record.name);
            }
            Ok(())
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn describe(world: &mut World, wanted: &Wanted) {
    world.scope.descriptive.clear();
    if let Some(owner) = &wanted.owner {
        world.scope.descriptive.insert("owner".into(), owner.clone());
    }
}
