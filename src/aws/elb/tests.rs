//! The kinds as scripts use them.

use crate::aws::testing::World;
use crate::error::Exit;
use crate::map;
use crate::resource::{Outcome, Scope};
use crate::value::Value;

/// A front is made, found, changed, put right, and taken down.
async fn a_front_comes_and_goes(world: &World) {
    let (vpc, subnets, security_group) = world.network().await;
    let balancer = map! { "name" => "front", "subnets" => subnets, "security_groups" => vec![security_group] };
    let group = map! { "name" => "web", "vpc" => vpc, "port" => 8080, "health_path" => "/health" };
    let (outcome, front) = world.ensure("load-balancer", balancer.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    assert!(front["url"].as_str().unwrap().starts_with("http://"));
    let (outcome, web) = world.ensure("target-group", group.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let listener = map! {
        "name" => "http",
        "load_balancer" => front["arn"].clone(),
        "port" => 80,
        "target_group" => web["arn"].clone(),
    };
    let (outcome, _) = world.ensure("listener", listener.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);

    for (kind, options) in [
        ("load-balancer", &balancer),
        ("target-group", &group),
        ("listener", &listener),
    ] {
        let (outcome, _) = world.ensure(kind, options.clone()).await.unwrap();
        assert_eq!(outcome, Outcome::Unchanged, "{kind}");
    }

    // Somebody else changes things by hand.
    let elb = &world.aws.elb;
    let arn = |map: &crate::value::Map| map["arn"].as_str().unwrap().to_owned();
    elb.modify_target_group()
        .target_group_arn(arn(&web))
        .health_check_path("/")
        .send()
        .await
        .unwrap();
    let idle = aws_sdk_elasticloadbalancingv2::types::LoadBalancerAttribute::builder();
    let idle = idle.key("idle_timeout.timeout_seconds").value("5").build();
    elb.modify_load_balancer_attributes()
        .load_balancer_arn(arn(&front))
        .attributes(idle)
        .send()
        .await
        .unwrap();
    let fields =
        async |kind: &str, options: &crate::value::Map| match world.ensure(kind, options.clone()).await.unwrap().0 {
            Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect::<Vec<_>>(),
            other => panic!("{kind}: {other:?}"),
        };
    assert_eq!(fields("target-group", &group).await, ["health_path"]);
    assert_eq!(
        fields("load-balancer", &balancer).await,
        ["idle_timeout.timeout_seconds"]
    );

    // The script asks for something else.
    let mut moved = listener.clone();
    moved.insert("port".into(), Value::Int(8080));
    assert_eq!(fields("listener", &moved).await, ["port"]);
    let (outcome, now) = world.ensure("listener", moved).await.unwrap();
    assert_eq!(
        (outcome, now["port"].to_string()),
        (Outcome::Unchanged, "8080".to_owned())
    );

    let mut internal = balancer.clone();
    internal.insert("internet_facing".into(), Value::Bool(false));
    let refused = world.ensure("load-balancer", internal).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Declined);

    let health = world
        .call("elb::target_health", vec![Value::text("web")])
        .await
        .unwrap();
    assert!(matches!(health, Value::List(_)));
    let wrong = world
        .call("elb::target_health", vec![Value::text("wbe")])
        .await
        .unwrap_err();
    assert_eq!(wrong.help(), Some("did you mean \"web\"?"));

    world.destroy(&[]).await.unwrap();
    for kind in ["load-balancer", "target-group", "listener"] {
        assert_eq!(world.count(kind).await, 0, "{kind}");
    }
}

#[tokio::test]
async fn the_sandbox_plays_a_front() {
    a_front_comes_and_goes(&World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_a_front() {
    let Some(world) = World::moto("aws::elb::moto_plays_a_front").await else {
        return;
    };
    a_front_comes_and_goes(&world).await;
}

#[test]
fn a_long_name_is_cut_and_still_found() {
    let scope = Scope::new("identity", "staging").unwrap();
    let (one, two) = ("a-very-long-name-of-a-front", "a-very-long-name-of-a-back");
    let (first, second) = (super::physical(&scope, one), super::physical(&scope, two));
    assert!(
        first.len() <= 32 && second.len() <= 32 && first != second,
        "{first} {second}"
    );
    assert!(super::may_be_ours(&scope, &first));
    assert!(!super::may_be_ours(
        &Scope::new("identity", "production").unwrap(),
        &first
    ));

    let scope = Scope::new("an-exceptionally-long-project", "and-environment").unwrap();
    assert!(super::may_be_ours(&scope, &super::physical(&scope, "web")));
    assert_eq!(
        super::physical(&Scope::new("shop", "dev").unwrap(), "web"),
        "shop-dev-web"
    );
}
