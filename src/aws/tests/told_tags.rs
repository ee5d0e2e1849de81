//! Tags that the Tagging API tells: how many calls that spares, and that it is never believed too much.

use std::collections::BTreeMap;

use crate::aws::Aws;
use crate::aws::testing::World;
use crate::map;
use crate::resource::{Mode, Origin, Outcome, Scope};
use crate::value::{Map, Value};

const KINDS: [&str; 6] = [
    "log-group",
    "parameter",
    "cache-subnet-group",
    "cache-parameter-group",
    "target-group",
    "repository",
];

/// One of each kind whose listing tells no tags.
async fn options(world: &World) -> BTreeMap<&'static str, Map> {
    let (vpc, subnets, _) = world.network().await;
    let all = [
        map! { "name" => "web" },
        map! { "name" => "limit", "value" => "10" },
        map! { "name" => "redis", "subnets" => subnets },
        map! { "name" => "redis", "family" => "redis7" },
        map! { "name" => "web", "vpc" => vpc, "port" => 8080, "health_path" => "/" },
        map! { "name" => "web" },
    ];
    KINDS.into_iter().zip(all).collect()
}

/// What a plan with these clients says of each kind.
async fn plan(world: &World, aws: &Aws, wanted: &BTreeMap<&'static str, Map>) -> BTreeMap<String, String> {
    let engine = world.engine_on(aws, Mode::Plan);
    for (kind, options) in wanted {
        let options = Value::Map(options.clone());
        engine.ensure(kind, options, Origin::default()).unwrap();
    }
    engine.settle().await.unwrap();
    let records = engine.report().records.into_iter();
    records.map(|record| (record.kind, record.outcome.words())).collect()
}

fn calls_between(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = |(action, count): (&String, &u64)| {
        let more = count - before.get(action).copied().unwrap_or_default();
        (more > 0).then(|| (action.clone(), more))
    };
    after.iter().filter_map(more).collect()
}

/// The calls of a plan with clients of its own.
async fn calls(world: &World, wanted: &BTreeMap<&'static str, Map>) -> BTreeMap<String, u64> {
    let before = world.calls.counts();
    let said = plan(world, &world.planning(), wanted).await;
    assert!(said.values().all(|words| words == "unchanged"), "{said:?}");
    calls_between(&before, &world.calls.counts())
}

async fn ensure_all(world: &World, wanted: &BTreeMap<&'static str, Map>) {
    for (kind, options) in wanted {
        let (outcome, _) = world.ensure(kind, options.clone()).await.unwrap();
        assert_eq!(outcome, Outcome::Created, "{kind}");
    }
}

#[tokio::test]
async fn one_call_tells_the_tags_of_all() {
    let world = World::sandbox();
    let wanted = options(&world).await;
    ensure_all(&world, &wanted).await;
    let sent = calls(&world, &wanted).await;
    assert_eq!(sent.get("tag:GetResources"), Some(&1), "{sent:?}");
    let singly: Vec<_> = sent.keys().filter(|action| action.contains("Tags")).collect();
    assert!(singly.is_empty(), "{singly:?}");
}

#[tokio::test]
async fn a_project_with_many_environments_is_read_by_the_page_of_one() {
    let mut world = World::sandbox();
    let wanted = options(&world).await;
    ensure_all(&world, &wanted).await;
    let here = std::mem::replace(&mut world.scope, Scope::new("shop", "another").unwrap());
    for number in 0..100 {
        let options = map! { "name" => format!("limit-{number}"), "value" => "10" };
        world.ensure("parameter", options).await.unwrap();
    }
    world.scope = here;
    let sent = calls(&world, &wanted).await;
    // A page of the project, and then one of this environment. The repository may be on a later page of the project.
    assert_eq!(sent.get("tag:GetResources"), Some(&2), "{sent:?}");
    let singly: Vec<_> = sent.keys().filter(|action| action.contains("Tags")).collect();
    assert!(singly.is_empty() || singly == ["ecr:ListTagsForResource"], "{singly:?}");
}

/// Takes a tag away behind iacsh's back, or gives it back, with other clients than those of the plan.
async fn retag(world: &World, owner: Option<&str>) {
    let aws = &world.aws;
    let all = aws.tagging.get_resources().send().await.unwrap();
    let arns = all.resource_tag_mapping_list().iter();
    let arns = arns.filter(|found| found.tags().iter().any(|tag| tag.key() == "iacsh:id"));
    let arns: Vec<_> = arns
        .filter_map(|found| found.resource_arn())
        .map(str::to_owned)
        .collect();
    assert_eq!(arns.len(), KINDS.len());
    for some in arns.chunks(20) {
        let some = Some(some.to_vec());
        let answer = match owner {
            Some(owner) => {
                let call = aws.tagging.tag_resources().set_resource_arn_list(some);
                call.tags("owner", owner).send().await.unwrap().failed_resources_map
            }
            None => {
                let call = aws.tagging.untag_resources().set_resource_arn_list(some);
                call.tag_keys("owner").send().await.unwrap().failed_resources_map
            }
        };
        assert!(answer.unwrap_or_default().is_empty());
    }
}

#[tokio::test]
async fn a_difference_that_the_tagging_api_tells_is_looked_at_again() {
    let mut world = World::sandbox();
    world.scope.descriptive.insert("owner".into(), "anna".into());
    let wanted = options(&world).await;
    ensure_all(&world, &wanted).await;
    retag(&world, Some("bert")).await;

    // A tag that was changed by hand shows. A repository's is of whichever environment made it.
    let clients = world.planning();
    let said = plan(&world, &clients, &wanted).await;
    for kind in KINDS.iter().filter(|kind| **kind != "repository") {
        assert_eq!(said[*kind], "changed tag owner", "{said:?}");
    }

    // These clients remember that for some seconds, as the Tagging API itself lags. It is put right meanwhile.
    retag(&world, Some("anna")).await;
    let before = world.calls.counts();
    let said = plan(&world, &clients, &wanted).await;
    assert!(said.values().all(|words| words == "unchanged"), "{said:?}");
    let sent = calls_between(&before, &world.calls.counts());
    assert!(!sent.contains_key("tag:GetResources"), "{sent:?}");
    assert_eq!(sent.get("logs:ListTagsForResource"), Some(&1), "{sent:?}");

    retag(&world, None).await;
    let said = plan(&world, &world.planning(), &wanted).await;
    assert_eq!(said["log-group"], "changed tag owner", "{said:?}");
}

#[tokio::test]
async fn what_this_process_has_written_is_asked_of_its_service() {
    let world = World::sandbox();
    let wanted = options(&world).await;
    ensure_all(&world, &wanted).await;
    let before = world.calls.counts();
    world.count("log-group").await;
    world.count("parameter").await;
    let sent = calls_between(&before, &world.calls.counts());
    assert_eq!(sent.get("logs:ListTagsForResource"), Some(&1), "{sent:?}");
    assert_eq!(sent.get("ssm:ListTagsForResource"), Some(&1), "{sent:?}");
    assert!(!sent.contains_key("tag:GetResources"), "{sent:?}");
}
