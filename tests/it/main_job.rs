//! The main job: recreate, recreate again, destroy, recreate.

use crate::project::Project;

#[test]
fn recreate_twice_then_destroy_then_recreate() {
    let project = Project::new();

    let first = project
        .iacsh(&["scripts/recreate.rhai"])
        .code(0)
        .says("created")
        .says("replication-group")
        .says("http://");
    assert!(
        !first.err.contains("no changes") && !first.out.contains("no changes"),
        "{first}"
    );

    let second = project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let last = second.err.trim_end().lines().last().unwrap_or_default().to_owned();
    assert!(last.ends_with("no changes"), "the last words are {last:?} in {second}");

    let destroyed = project
        .iacsh(&["scripts/destroy.rhai", "--yes"])
        .code(0)
        .says("deleted")
        .says("kept");
    assert!(destroyed.err.contains("nothing else is left"), "{destroyed}");
    assert_eq!(
        project.iacsh(&["--json", "-c", "ec2::vpcs()"]).code(0).json(),
        serde_json::json!([])
    );
    assert_eq!(
        project.iacsh(&["--json", "-c", "ecs::services()"]).code(0).json(),
        serde_json::json!([])
    );

    let third = project.iacsh(&["scripts/recreate.rhai"]).code(0).says("created");
    // Secrets were kept: they are found, not made anew.
    assert!(
        !third.out.contains("secret                  redis-token  created"),
        "{third}"
    );
}

#[test]
fn what_was_created_can_be_looked_at() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);

    let clients = project.iacsh(&["--json", "-c", "identity::clients()"]).code(0).json();
    let clients = clients.as_array().expect("a list");
    assert!(clients.len() >= 3, "{clients:?}");

    project
        .iacsh(&["scripts/inventory.rhai"])
        .code(0)
        .says("cache.t4g.micro")
        .says("10.0.0.0/16")
        .says("redis-token")
        .says("identity-sandbox");

    let report = project.iacsh(&["--json", "scripts/recreate.rhai"]).code(0).json();
    assert_eq!(report["summary"], "no changes", "{report:#}");
}

#[test]
fn a_change_in_the_environment_is_made_and_only_that() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let changed = project.read("environments/sandbox.toml") + "\n[redis]\nreplicas = 1\n";
    project.write("environments/sandbox.toml", &changed);

    let report = project.iacsh(&["--json", "scripts/recreate.rhai"]).code(0).json();
    let changed: Vec<_> = report["resources"]
        .as_array()
        .expect("resources")
        .iter()
        .filter(|record| record["result"] != "unchanged")
        .map(|record| record["kind"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(changed, ["replication-group"], "{report:#}");
}

/// Killed at any moment, the same command finishes the job, with nothing doubled.
#[test]
fn killed_half_way_the_next_run_finishes() {
    let whole = Project::new();
    whole.iacsh(&["scripts/recreate.rhai"]).code(0);
    let counts = |project: &Project| {
        let count = |listing: &str| {
            let rows = project.iacsh(&["--json", "-c", listing]).code(0).json();
            rows.as_array().map(Vec::len).unwrap_or_default()
        };
        [
            count("ec2::vpcs()"),
            count("ec2::subnets()"),
            count("ec2::security_groups()"),
            count("elasticache::replication_groups()"),
            count("elb::load_balancers()"),
            count("ecs::services()"),
            count("identity::clients()"),
        ]
    };
    let expected = counts(&whole);

    for milliseconds in [50, 150, 300, 600, 1000] {
        let project = Project::new();
        let mut child = project
            .command(&["scripts/recreate.rhai"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        child.kill().expect("killed by its id");
        child.wait().expect("gone");
        project.iacsh(&["scripts/recreate.rhai"]).code(0);
        assert_eq!(counts(&project), expected, "killed after {milliseconds} ms");
    }
}
