//! Repositories and images.

use crate::aws::testing::World;
use crate::map;
use crate::resource::{Outcome, Scope};
use crate::value::{Map, Value};

fn repository() -> Map {
    map! { "name" => "web", "keep_images" => 10 }
}

async fn fields(world: &World, options: Map) -> Vec<String> {
    match world.ensure("repository", options).await.unwrap().0 {
        Outcome::Changed(changes) => changes.into_iter().map(|change| change.field).collect(),
        Outcome::Unchanged => Vec::new(),
        other => panic!("{other:?}"),
    }
}

async fn a_repository_is_the_projects(world: &mut World) {
    let (outcome, made) = world.ensure("repository", repository()).await.unwrap();
    assert_eq!(outcome, Outcome::Created);
    let physical = format!("{}/web", world.scope.project);
    assert_eq!(made["name_at_aws"].as_str(), Some(physical.as_str()));
    assert!(fields(world, repository()).await.is_empty());
    let mut stricter = repository();
    stricter.insert("immutable_tags".into(), Value::Bool(true));
    assert_eq!(fields(world, stricter.clone()).await, ["immutable_tags"]);
    let drop = world.aws.ecr.delete_lifecycle_policy().repository_name(&physical);
    drop.send().await.unwrap();
    assert_eq!(fields(world, stricter.clone()).await, ["keep_images"]);

    // Another environment of the project finds the same, and nothing to change.
    let here = world.scope.clone();
    world.scope = Scope::new(&here.project, "other").unwrap();
    assert!(fields(world, stricter.clone()).await.is_empty());
    world.destroy(&[]).await.unwrap();
    world.scope = here;
    assert!(fields(world, stricter).await.is_empty());
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("repository").await, 1);
}

#[tokio::test]
async fn the_sandbox_plays_a_repository() {
    a_repository_is_the_projects(&mut World::sandbox()).await;
}

#[tokio::test]
async fn moto_plays_a_repository() {
    let Some(mut world) = World::moto("aws::ecr::moto_plays_a_repository").await else {
        return;
    };
    a_repository_is_the_projects(&mut world).await;
}

#[tokio::test]
async fn an_image_that_is_not_there_stops_a_deployment_early() {
    let mut world = World::sandbox();
    world.ensure("repository", repository()).await.unwrap();
    let wanted = || vec![Value::text("web"), Value::text("1.0")];
    world.aws.is_sandbox = false;
    let error = world.call("ecr::require_image", wanted()).await.unwrap_err();
    assert!(
        error.notes().iter().any(|note| note.starts_with("docker push ")),
        "{error:?}"
    );

    // The sandbox makes one up, says so, and does so once.
    world.aws.is_sandbox = true;
    let uri = world.call("ecr::require_image", wanted()).await.unwrap();
    assert!(uri.as_str().unwrap().ends_with("/shop/web:1.0"), "{uri}");
    world.call("ecr::require_image", wanted()).await.unwrap();
    let told = world.told.all();
    assert_eq!(
        told.iter().filter(|told| told.contains("simulated")).count(),
        1,
        "{told:?}"
    );
    let images = world.call("ecr::images", vec![Value::text("web")]).await.unwrap();
    let Value::List(images) = images else {
        panic!("{images:?}")
    };
    assert_eq!(images.len(), 1);
    world.aws.is_sandbox = false;
    world.call("ecr::require_image", wanted()).await.unwrap();
}
