//! The kinds as scripts use them.

use std::collections::BTreeMap;

use crate::aws::testing::World;
use crate::map;
use crate::resource::{Change, Class, Origin, Outcome, destroy, prune};
use crate::secret::Secret;
use crate::value::{Map, Value};

/// What a database server stands on: a network, groups, and the secret with its password.
struct Ground {
    subnet_group: String,
    parameter_group: String,
    security_group: String,
    secret: String,
}

async fn ground(world: &World) -> Ground {
    let (_, subnets, security_group) = world.network().await;
    let options = map! { "name" => "database", "subnets" => subnets };
    let (_, subnet_group) = world.ensure("db-subnet-group", options).await.unwrap();
    let options = map! { "name" => "database-15", "family" => "sqlserver-se-15.0" };
    let (_, parameter_group) = world.ensure("db-parameter-group", options).await.unwrap();
    let options = map! { "name" => "password", "value" => Secret::new("correct-horse-battery") };
    let (_, secret) = world.ensure("secret", options).await.unwrap();
    Ground {
        subnet_group: subnet_group["id"].to_string(),
        parameter_group: parameter_group["id"].to_string(),
        security_group,
        secret: secret["arn"].to_string(),
    }
}

fn instance(ground: &Ground) -> Map {
    map! {
        "name" => "main",
        "engine" => "sqlserver-se",
        "engine_version" => "15.00",
        "class" => "db.m5.large",
        "storage" => 20,
        "storage_type" => "gp2",
        "backup_window" => "01:00-01:30",
        "maintenance_window" => "sun:02:00-sun:03:00",
        "subnet_group" => ground.subnet_group.as_str(),
        "parameter_group" => ground.parameter_group.as_str(),
        "security_groups" => vec![ground.security_group.clone()],
        "user" => "iacsh",
        "password_secret" => ground.secret.as_str(),
    }
}

fn with(options: &Map, more: Map) -> Map {
    let mut options = options.clone();
    options.extend(more);
    options
}

async fn outcome(world: &World, options: &Map) -> Outcome {
    world.ensure("db-instance", options.clone()).await.unwrap().0
}

/// The changes of a run that changed something.
async fn changes(world: &World, kind: &str, options: &Map) -> Vec<Change> {
    match world.ensure(kind, options.clone()).await.unwrap().0 {
        Outcome::Changed(changes) => changes,
        other => panic!("{kind}: {other:?}"),
    }
}

fn fields(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.field.as_str()).collect()
}

/// The tag that says which password the instance has, as the service has it.
async fn password_tag(world: &World, id: &str) -> String {
    let answer = world.aws.rds.describe_db_instances().db_instance_identifier(id);
    let answer = answer.send().await.unwrap();
    let tags: BTreeMap<_, _> = answer.db_instances()[0]
        .tag_list()
        .iter()
        .map(|tag| (tag.key().unwrap(), tag.value().unwrap()))
        .collect();
    tags["iacsh:password"].to_owned()
}

/// What every peer can play: an instance is made, found, changed, kept, taken away with its data, and restored.
async fn live_and_live_again(world: &mut World) {
    let ground = ground(world).await;
    let options = instance(&ground);
    let (made, outputs) = world.ensure("db-instance", options.clone()).await.unwrap();
    assert_eq!(made, Outcome::Created);
    assert!(
        outputs["endpoint"].as_str().is_some_and(|host| !host.is_empty()),
        "{outputs:?}"
    );
    assert_eq!(outputs["port"].to_string(), "1433");
    assert_eq!(outcome(world, &options).await, Outcome::Unchanged);
    let id = outputs["id"].to_string();
    let first = password_tag(world, &id).await;

    // Another version of the secret is another password.
    let renewed = map! { "name" => "password", "value" => Secret::new("another-horse-battery") };
    world.ensure("secret", renewed).await.unwrap();
    assert_eq!(fields(&changes(world, "db-instance", &options).await), ["password"]);
    assert_ne!(password_tag(world, &id).await, first);
    assert_eq!(outcome(world, &options).await, Outcome::Unchanged);

    let larger = with(
        &options,
        map! { "storage" => 30, "backup_days" => 3, "deletion_protection" => true },
    );
    assert_eq!(
        fields(&changes(world, "db-instance", &larger).await),
        ["storage", "backup_days", "deletion_protection"]
    );
    assert_eq!(outcome(world, &larger).await, Outcome::Unchanged);
    let refused = world.ensure("db-instance", options.clone()).await.unwrap_err();
    assert!(refused.message().contains("storage: 30 -> 20"), "{refused}");
    let other = with(&larger, map! { "encryption" => false });
    let refused = world.ensure("db-instance", other).await.unwrap_err();
    assert!(refused.message().contains("encryption: true -> false"), "{refused}");

    // Kept with what it stands on, and protected from those who name it.
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("db-instance").await, 1);
    assert_eq!(world.count("db-subnet-group").await, 1);
    assert_eq!(world.count("db-parameter-group").await, 1);
    world.data_may_go = vec!["main".into()];
    let refused = world.destroy(&["db-instance"]).await.unwrap_err();
    assert!(refused.message().contains("protected from deletion"), "{refused}");

    let options = with(&larger, map! { "deletion_protection" => false });
    changes(world, "db-instance", &options).await;
    world.destroy(&[]).await.unwrap();
    for kind in ["db-instance", "db-subnet-group", "db-parameter-group"] {
        assert_eq!(world.count(kind).await, 0, "{kind}");
    }
    let snapshots = world.engine().list("db-snapshot").await.unwrap();
    let last = snapshots
        .iter()
        .find(|row| row["id"].to_string().contains("-main-final-"))
        .unwrap_or_else(|| panic!("{snapshots:?}"));
    assert_eq!(last["state"].to_string(), "available");

    // It is there again, with what is wanted now and not with what was.
    let options = with(&options, map! { "backup_days" => 5 });
    let empty = with(&options, map! { "source" => "empty" });
    let subnets: Vec<String> = world.subnets().await;
    let group = map! { "name" => "database", "subnets" => subnets };
    world.ensure("db-subnet-group", group).await.unwrap();
    let group = map! { "name" => "database-15", "family" => "sqlserver-se-15.0" };
    world.ensure("db-parameter-group", group).await.unwrap();
    let refused = world.ensure("db-instance", empty).await.unwrap_err();
    assert!(refused.message().contains("there is a snapshot of it"), "{refused}");
    let existing = with(&options, map! { "source" => "existing" });
    let refused = world.ensure("db-instance", existing).await.unwrap_err();
    assert!(refused.message().contains("must be"), "{refused}");
    assert_eq!(outcome(world, &options).await, Outcome::Created);
    assert!(
        world
            .told
            .all()
            .iter()
            .any(|told| told.contains("is restored from the snapshot"))
    );
    assert!(password_tag(world, &id).await.starts_with("arn:"));
    assert_eq!(outcome(world, &options).await, Outcome::Unchanged);
    let rows = world.engine().list("db-instance").await.unwrap();
    assert_eq!(rows[0]["backup_days"].to_string(), "5");

    let told = format!("{:?} {rows:?}", world.told.all());
    assert!(!told.contains("horse"), "a password was told: {told}");
}

#[tokio::test]
async fn moto_lives_and_lives_again() {
    let Some(mut world) = World::moto("aws::rds::moto_lives_and_lives_again").await else {
        return;
    };
    live_and_live_again(&mut world).await;
}

#[tokio::test]
async fn the_sandbox_lives_and_lives_again() {
    live_and_live_again(&mut World::sandbox()).await;
}

#[tokio::test]
async fn options_are_included_and_removed() {
    let world = World::sandbox();
    let role = map! { "IAM_ROLE_ARN" => format!("arn:aws:iam::{}:role/backup", world.aws.account) };
    let with_backup = map! { "SQLSERVER_BACKUP_RESTORE" => role };
    let mut options = map! {
        "name" => "backup", "engine" => "sqlserver-se", "engine_version" => "15.00", "options" => with_backup,
    };
    let (made, outputs) = world.ensure("option-group", options.clone()).await.unwrap();
    assert_eq!(
        (made, outputs["options"].to_json().to_string()),
        (Outcome::Created, r#"["SQLSERVER_BACKUP_RESTORE"]"#.into())
    );
    let (again, _) = world.ensure("option-group", options.clone()).await.unwrap();
    assert_eq!(again, Outcome::Unchanged);
    options.insert("options".into(), Value::Map(Map::new()));
    let changes = changes(&world, "option-group", &options).await;
    assert_eq!(fields(&changes), ["options.SQLSERVER_BACKUP_RESTORE"]);
    let (again, _) = world.ensure("option-group", options).await.unwrap();
    assert_eq!(again, Outcome::Unchanged);
    // Snapshots hold on to their option group: it is left.
    world.destroy(&[]).await.unwrap();
    assert_eq!(world.count("option-group").await, 1);
}

#[tokio::test]
async fn parameters_are_set_and_set_back() {
    let world = World::sandbox();
    let mut options = map! {
        "name" => "database-15", "family" => "sqlserver-se-15.0",
        "parameters" => map! { "max degree of parallelism" => 2, "cost threshold for parallelism" => 20 },
    };
    let (made, _) = world.ensure("db-parameter-group", options.clone()).await.unwrap();
    assert_eq!(made, Outcome::Created);
    let (again, _) = world.ensure("db-parameter-group", options.clone()).await.unwrap();
    assert_eq!(again, Outcome::Unchanged);
    options.insert(
        "parameters".into(),
        Value::Map(map! { "max degree of parallelism" => 4 }),
    );
    assert_eq!(
        fields(&changes(&world, "db-parameter-group", &options).await),
        [
            "parameters.max degree of parallelism",
            "parameters.cost threshold for parallelism"
        ]
    );
    let (again, _) = world.ensure("db-parameter-group", options).await.unwrap();
    assert_eq!(again, Outcome::Unchanged);
}

#[tokio::test]
async fn what_waits_for_the_window_is_told_and_no_drift() {
    let world = World::sandbox();
    let ground = ground(&world).await;
    let options = with(&instance(&ground), map! { "apply" => "window" });
    assert_eq!(outcome(&world, &options).await, Outcome::Created);
    let larger = with(&options, map! { "class" => "db.m5.xlarge", "multi_az" => true });
    let made = changes(&world, "db-instance", &larger).await;
    assert_eq!(fields(&made), ["class", "multi_az"]);
    assert!(
        made.iter().all(|change| change.class == Class::MaintenanceWindow),
        "{made:?}"
    );
    let told = world.told.all().join("\n");
    assert!(
        told.contains("class db.m5.large -> db.m5.xlarge waits for the maintenance window sun:02:00"),
        "{told}"
    );
    assert_eq!(outcome(&world, &larger).await, Outcome::Unchanged);
    let rows = world.engine().list("db-instance").await.unwrap();
    assert_eq!(rows[0]["class"].to_string(), "db.m5.large");
    // Wanting what was takes it back.
    assert_eq!(
        fields(&changes(&world, "db-instance", &options).await),
        ["class", "multi_az"]
    );
    let rows = world.engine().list("db-instance").await.unwrap();
    assert_eq!(rows[0]["pending"].to_json().to_string(), "[]");
    // And wanting it now does not wait.
    let now = with(&larger, map! { "apply" => "now" });
    changes(&world, "db-instance", &now).await;
    let rows = world.engine().list("db-instance").await.unwrap();
    assert_eq!(rows[0]["class"].to_string(), "db.m5.xlarge");
    assert_eq!(outcome(&world, &now).await, Outcome::Unchanged);
}

#[tokio::test]
async fn a_server_is_rebooted_stopped_started_and_looked_at() {
    let world = World::sandbox();
    let ground = ground(&world).await;
    let options = instance(&ground);
    world.ensure("db-instance", options.clone()).await.unwrap();
    let main = || vec![Value::text("main")];
    world.call("rds::reboot", main()).await.unwrap();
    let taken = world
        .call("rds::create_snapshot", vec![Value::text("main"), Value::text("before")])
        .await
        .unwrap();
    assert_eq!(taken.as_map().unwrap()["state"].to_string(), "available");
    let kept = map! { "name" => "before", "instance" => world.scope.physical("main") };
    let (again, _) = world.ensure("db-snapshot", kept).await.unwrap();
    assert_eq!(again, Outcome::Unchanged);
    let events = world.call("rds::events", vec![]).await.unwrap();
    assert!(events.to_json().to_string().contains("restarted"), "{events:?}");

    world.call("rds::stop", main()).await.unwrap();
    let error = world.ensure("db-instance", options.clone()).await.unwrap_err();
    assert!(
        error.message().contains("stopped") && error.help().unwrap().contains("rds::start"),
        "{error}"
    );
    world.call("rds::start", main()).await.unwrap();
    assert_eq!(outcome(&world, &options).await, Outcome::Unchanged);
    let versions = world
        .call("rds::engine_versions", vec![Value::text("sqlserver-se")])
        .await
        .unwrap();
    assert!(versions.to_json().to_string().contains("sqlserver-se-15.0"));

    // It is used by its id, and by nobody's name but that.
    let engine = world.engine();
    let id = map! { "id" => world.scope.physical("main") };
    let used = engine.reference("db-instance", Value::Map(id)).await.unwrap();
    assert_eq!(used.promise.wait().await.unwrap()["port"].to_string(), "1433");
    let missing = engine
        .reference("db-instance", Value::Map(map! { "id" => "nobody" }))
        .await
        .unwrap_err();
    assert!(
        missing.message().contains("there is no database instance nobody"),
        "{missing}"
    );
}

/// A run that died after RestoreDBInstanceFromDBSnapshot: the next one sees that the password is the snapshot's.
#[tokio::test]
async fn a_restore_that_nobody_finished_is_finished() {
    let mut world = World::sandbox();
    let ground = ground(&world).await;
    let options = instance(&ground);
    let (_, outputs) = world.ensure("db-instance", options.clone()).await.unwrap();
    let (id, host) = (outputs["id"].to_string(), outputs["endpoint"].to_string());
    world.data_may_go = vec!["main".into()];
    world.destroy(&["db-instance"]).await.unwrap();
    let renewed = map! { "name" => "password", "value" => Secret::new("another-horse-battery") };
    world.ensure("secret", renewed).await.unwrap();

    let snapshots = world.engine().list("db-snapshot").await.unwrap();
    let last = snapshots
        .iter()
        .find(|row| row["made"].to_string() == "manual")
        .unwrap();
    let tags = world.scope.for_create("db-instance", "main", "");
    let tags = tags
        .into_iter()
        .chain([("iacsh:password".to_owned(), "of the snapshot".to_owned())]);
    let tag = |(key, value): (String, String)| aws_sdk_rds::types::Tag::builder().key(key).value(value).build();
    let call = world.aws.rds.restore_db_instance_from_db_snapshot();
    let call = call
        .db_instance_identifier(&id)
        .db_snapshot_identifier(last["id"].to_string());
    let call = call
        .db_subnet_group_name(&ground.subnet_group)
        .set_tags(Some(tags.map(tag).collect()));
    call.send().await.unwrap();

    let changes = changes(&world, "db-instance", &options).await;
    let fields = fields(&changes);
    assert!(
        fields.contains(&"password") && fields.contains(&"security_groups"),
        "{fields:?}"
    );
    let at = world.database_at(&host);
    assert_eq!(at, Secret::new("another-horse-battery"));
    assert_eq!(outcome(&world, &options).await, Outcome::Unchanged);
}

#[tokio::test]
async fn one_that_is_replaced_keeps_its_data() {
    let mut world = World::sandbox();
    let ground = ground(&world).await;
    let options = instance(&ground);
    world.ensure("db-instance", options.clone()).await.unwrap();
    let group = map! { "name" => "elsewhere", "subnets" => world.subnets().await };
    let (_, group) = world.ensure("db-subnet-group", group).await.unwrap();
    let moved = with(&options, map! { "subnet_group" => group["id"].to_string() });
    let refused = world.ensure("db-instance", moved.clone()).await.unwrap_err();
    assert!(
        refused.help().is_some_and(|help| help.contains("--allow-replace main")),
        "{refused}"
    );
    // A snapshot of another day in its place would be a loss.
    world.replaceable = vec!["main".into()];
    let other = with(&moved, map! { "source" => "existing" });
    let refused = world.ensure("db-instance", other).await.unwrap_err();
    assert!(
        refused.notes().iter().any(|note| note.contains("data would be lost")),
        "{refused}"
    );
    let replaced = outcome(&world, &moved).await;
    assert!(matches!(replaced, Outcome::Replaced(_)), "{replaced:?}");
    let told = world.told.all().join("\n");
    assert!(
        told.contains("is restored from the snapshot shop-dev-main-final-"),
        "{told}"
    );
    assert_eq!(outcome(&world, &moved).await, Outcome::Unchanged);
}

#[tokio::test]
async fn what_the_service_would_refuse_is_refused_first() {
    let world = World::sandbox();
    let ground = Ground {
        subnet_group: "x".into(),
        parameter_group: "x".into(),
        security_group: "sg-0123456789abcdef0".into(),
        secret: "x".into(),
    };
    let options = instance(&ground);
    let wrong = [
        (map! { "name" => "a".repeat(60) }, "69 characters, the most are 63"),
        (map! { "class" => "m5.large" }, "not a class"),
        (map! { "storage" => 10 }, "20 to 16384"),
        (map! { "engine" => "sqlserver-ex", "multi_az" => true }, "no `multi_az`"),
        (
            map! { "security_groups" => Value::List(vec![]) },
            "at least one security group",
        ),
        (map! { "user" => "sa" }, "the name is taken"),
        (map! { "port" => 1434 }, "cannot listen on port 1434"),
        (map! { "backup_window" => "at night" }, "not a window"),
        (map! { "source" => "bak:/home/me/file.bak" }, "is no file in S3"),
    ];
    for (more, words) in wrong {
        let error = world.ensure("db-instance", with(&options, more)).await.unwrap_err();
        assert!(error.message().contains(words), "{words:?} is missing in {error}");
    }
}

/// What the script no longer names is not deleted with its data, nor what the data stands on.
#[tokio::test]
async fn prune_keeps_data_and_what_it_stands_on() {
    let mut world = World::sandbox();
    let ground = ground(&world).await;
    let sections = ["database".to_owned()].into();
    let made = world.engine();
    let origin = || Origin {
        section: "database".into(),
        ..Origin::default()
    };
    let group = map! { "name" => "database", "subnets" => world.subnets().await };
    for (kind, options) in [("db-subnet-group", group), ("db-instance", instance(&ground))] {
        made.ensure(kind, Value::Map(options), origin()).unwrap();
    }
    made.settle().await.unwrap();

    let left = async |world: &World| {
        let engine = world.engine();
        for kind in ["db-instance", "db-subnet-group"] {
            engine.list(kind).await.unwrap();
        }
        let unclaimed = prune::unclaimed(&engine, &sections).await.unwrap();
        (engine, unclaimed.left)
    };
    let (engine, plan) = left(&world).await;
    let kept: Vec<_> = plan.kept().map(|planned| planned.kept.clone().unwrap()).collect();
    assert_eq!((plan.deleted().count(), kept.len()), (0, 2), "{kept:?}");
    assert!(
        kept[0].contains("it holds data: --prune --with-data main deletes it"),
        "{kept:?}"
    );
    assert!(kept[1].contains("db-instance/main cannot do without it"), "{kept:?}");
    destroy::delete(&engine, &plan).await.unwrap();
    assert_eq!(world.count("db-instance").await, 1);

    world.data_may_go = vec!["main".into()];
    let (engine, plan) = left(&world).await;
    assert_eq!(plan.deleted().count(), 2);
    destroy::delete(&engine, &plan).await.unwrap();
    assert_eq!(world.count("db-instance").await, 0);
    assert_eq!(world.count("db-snapshot").await, 1, "the last one");
}
