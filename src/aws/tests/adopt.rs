//! What was made by other means becomes ours by its tags alone, and what is ours can be called otherwise.

use crate::aws::testing::World;
use crate::error::{Exit, Result};
use crate::map;
use crate::resource::{Engine, Mode, Origin, Outcome, prune};
use crate::value::{Map, Value};

async fn adopt(engine: &Engine, kind: &str, id: &str, options: &Map, yes: bool) -> Result<Map> {
    let options = Value::Map(options.clone());
    let handle = engine.adopt(kind, id, options, Origin::default(), &|_| Ok(yes)).await?;
    Ok(handle.promise.wait().await?.as_ref().clone())
}

async fn moved(world: &World, from: &str, to: &str) -> Result<bool> {
    world.engine().moved(from, to, Origin::default()).await
}

/// What a plan would do with a resource.
async fn planned(world: &World, kind: &str, options: &Map) -> Outcome {
    let engine = world.engine_in(Mode::Plan);
    engine
        .ensure(kind, Value::Map(options.clone()), Origin::default())
        .unwrap();
    engine.settle().await.unwrap();
    engine.report().records.remove(0).outcome
}

#[tokio::test]
async fn only_tags_are_written_and_only_after_a_yes() {
    let world = World::sandbox();
    let (vpc, ..) = world.network().await;
    let options = map! { "name" => "main", "cidr" => "10.0.0.0/16" };
    // The hand that made it switched host names off: that is told, and nothing of it is changed.
    let refused = adopt(&world.engine(), "vpc", &vpc, &options, false).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Declined);
    let told = world.told.all().join("\n");
    assert!(told.contains("dns: false -> true"), "{told}");
    assert_eq!(planned(&world, "vpc", &options).await, Outcome::Created);

    // A plan says what would be, also to what comes after it.
    let plan = world.engine_in(Mode::Plan);
    adopt(&plan, "vpc", &vpc, &options, false).await.unwrap();
    plan.ensure("vpc", Value::Map(options.clone()), Origin::default())
        .unwrap();
    plan.settle().await.unwrap();
    let outcomes: Vec<_> = plan.report().records.into_iter().map(|record| record.outcome).collect();
    assert!(matches!(outcomes.as_slice(), [Outcome::Acted(_), Outcome::Changed(changes)] if changes[0].field == "dns"));
    assert_eq!(world.count("vpc").await, 0);

    let outputs = adopt(&world.engine(), "vpc", &vpc, &options, true).await.unwrap();
    assert_eq!(outputs["id"].as_str(), Some(vpc.as_str()));
    match planned(&world, "vpc", &options).await {
        Outcome::Changed(changes) => assert_eq!((changes.len(), changes[0].field.as_str()), (1, "dns")),
        other => panic!("{other:?}"),
    }
    // Again: it is ours, and nobody is asked.
    let engine = world.engine();
    adopt(&engine, "vpc", &vpc, &options, false).await.unwrap();
    assert_eq!(engine.report().records[0].outcome, Outcome::Unchanged);

    // Another one under this name, and this one under another.
    let (second, ..) = world.network().await;
    let error = adopt(&world.engine(), "vpc", &second, &options, true)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("vpc/main is there already"), "{error}");
    let other = map! { "name" => "other", "cidr" => "10.0.0.0/16" };
    let error = adopt(&world.engine(), "vpc", &vpc, &other, true).await.unwrap_err();
    assert_eq!(error.help(), Some("moved(\"vpc/main\", \"vpc/other\") renames it"));
    let error = adopt(&world.engine(), "vpc", "vpc-0123456789abcdef0", &other, true)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("there is no VPC"), "{error}");
}

#[tokio::test]
async fn what_has_a_name_at_the_service_keeps_it_by_the_environment_file() {
    let mut world = World::sandbox();
    let logs = &world.aws.logs;
    logs.create_log_group().log_group_name("/by/hand").send().await.unwrap();
    let options = map! { "name" => "web" };
    let error = adopt(&world.engine(), "log-group", "/by/hand", &options, true)
        .await
        .unwrap_err();
    assert_eq!(
        error.help(),
        Some("add to [adopt] of environments/dev.toml: \"log-group/web\" = \"/by/hand\"")
    );
    world.scope.adopted.insert("log-group/web".into(), "/by/hand".into());
    // Nothing is doubled.
    let error = world.ensure("log-group", options.clone()).await.unwrap_err();
    assert_eq!(
        error.help(),
        Some("adopt it first: adopt(\"log-group\", \"/by/hand\", #{ name: \"web\", ... })")
    );
    adopt(&world.engine(), "log-group", "/by/hand", &options, true)
        .await
        .unwrap();
    assert_eq!(planned(&world, "log-group", &options).await, Outcome::Unchanged);
    // After a destroy it has its name again.
    world.destroy(&["log-group"]).await.unwrap();
    let (outcome, outputs) = world.ensure("log-group", options).await.unwrap();
    assert_eq!(
        (outcome, outputs["name_at_aws"].as_str()),
        (Outcome::Created, Some("/by/hand"))
    );
}

#[tokio::test]
async fn what_another_environment_owns_is_refused() {
    let mut world = World::sandbox();
    let options = map! { "name" => "main", "cidr" => "10.0.0.0/16" };
    let (_, made) = world.ensure("vpc", options.clone()).await.unwrap();
    world.scope = crate::resource::Scope::new("shop", "production").unwrap();
    let id = made["id"].as_str().unwrap();
    let error = adopt(&world.engine(), "vpc", id, &options, true).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it belongs to another environment: shop dev"),
        "{error}"
    );
}

#[tokio::test]
async fn a_resource_is_renamed_once() {
    let mut world = World::sandbox();
    let named = |name: &str| map! { "name" => name, "cidr" => "10.0.0.0/16" };
    let (_, made) = world.ensure("vpc", named("main")).await.unwrap();
    assert!(moved(&world, "vpc/main", "vpc/primary").await.unwrap());
    assert!(!moved(&world, "vpc/main", "vpc/primary").await.unwrap());
    let (outcome, now) = world.ensure("vpc", named("primary")).await.unwrap();
    assert_eq!((outcome, now["id"].as_str()), (Outcome::Unchanged, made["id"].as_str()));
    world.ensure("vpc", named("main")).await.unwrap();
    let error = moved(&world, "vpc/main", "vpc/primary").await.unwrap_err();
    assert!(
        error.message().starts_with("both vpc/main and vpc/primary are there"),
        "{error}"
    );
    // A run that renames does not take the old name for one that the script gave up.
    world.destroy(&["vpc/main"]).await.unwrap();
    let engine = world.engine();
    let origin = || Origin {
        section: "network".into(),
        ..Origin::default()
    };
    engine.ensure("vpc", Value::Map(named("primary")), origin()).unwrap();
    engine.settle().await.unwrap();
    let engine = world.engine();
    assert!(engine.moved("vpc/primary", "vpc/first", origin()).await.unwrap());
    engine.ensure("vpc", Value::Map(named("first")), origin()).unwrap();
    engine.settle().await.unwrap();
    let left = prune::unclaimed(&engine, &["network".to_owned()].into()).await.unwrap();
    assert_eq!(left.left.resources.len(), 0);

    let error = moved(&world, "vpc/main", "subnet/main").await.unwrap_err();
    assert_eq!(error.message(), "a vpc cannot become subnet/main");

    // What is found by its name at AWS needs the environment file to say that it keeps it.
    world.ensure("cluster", map! { "name" => "main" }).await.unwrap();
    let error = moved(&world, "cluster/main", "cluster/primary").await.unwrap_err();
    let line = "add to [adopt] of environments/dev.toml: \"cluster/primary\" = \"shop-dev-main\"";
    assert_eq!(error.help(), Some(line));
    world
        .scope
        .adopted
        .insert("cluster/primary".into(), "shop-dev-main".into());
    assert!(moved(&world, "cluster/main", "cluster/primary").await.unwrap());
    let (outcome, _) = world.ensure("cluster", map! { "name" => "primary" }).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
}
