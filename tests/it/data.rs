//! Attempts to lose data, each refused with the words that explain it. More of them are among the tests of RDS and of
//! backups: `empty` where a snapshot exists, and a `.bak` over one.

use crate::project::Project;

fn on_rds(more: &str) -> Project {
    let project = Project::new();
    let text = project.read("environments/sandbox.toml");
    let rds = format!("[database]\ntarget = \"rds\"\n{more}");
    let text = text.replace("[database]\ntarget = \"sandbox\"\n", &rds);
    assert!(text.contains("\"rds\""), "{text}");
    project.write("environments/sandbox.toml", &text);
    project
}

fn rows(project: &Project, expression: &str) -> Vec<serde_json::Value> {
    let listed = project.iacsh(&["--json", "-c", expression]).code(0).json();
    listed.as_array().cloned().unwrap_or_default()
}

#[test]
fn a_destroy_keeps_the_server_and_every_snapshot_whatever_is_answered() {
    let project = on_rds("");
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    project
        .iacsh(&["destroy", "--yes", "--prune", "--purge-secrets"])
        .code(0)
        .says("kept: holds data");
    assert_eq!(rows(&project, "rds::instances()").len(), 1);
    project.iacsh(&["destroy", "--yes", "--with-data", "database"]).code(0);
    assert_eq!(rows(&project, "rds::instances()").len(), 0);
    let snapshots = rows(&project, "rds::snapshots()");
    assert_eq!(snapshots.len(), 1, "the last one: {snapshots:?}");
    // It carries the environment's tags, and no sweep over them takes it.
    project.iacsh(&["destroy", "--yes", "--prune"]).code(0);
    assert_eq!(rows(&project, "rds::snapshots()").len(), 1);
}

#[test]
fn a_change_that_would_replace_the_server_is_refused_also_with_yes() {
    let project = on_rds("engine_version = \"16.00\"\n");
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let text = project.read("environments/sandbox.toml");
    project.write("environments/sandbox.toml", &text.replace("\"16.00\"", "\"15.00\""));
    project
        .iacsh(&["scripts/recreate.rhai", "--plan"])
        .code(2)
        .says("-/+ delete, and create anew db-instance/database")
        .says("replaces, and loses its data")
        .says("--allow-replace database allows it");
    project
        .iacsh(&["scripts/recreate.rhai", "--yes"])
        .code(77)
        .says("db-instance/database would have to be replaced")
        .says("--allow-replace database allows it");
    project
        .iacsh(&["scripts/recreate.rhai", "--yes", "--allow-replace", "database"])
        .code(77)
        .says("its data would be lost")
        .says("--with-data database allows it");
    assert_eq!(rows(&project, "rds::instances()").len(), 1);
}

#[test]
fn a_listing_that_is_denied_is_never_an_absence() {
    let project = on_rds("");
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    for action in ["rds:DescribeDBInstances", "rds:DescribeDBSnapshots"] {
        let deny = format!("sandbox::deny(\"{action}\")");
        project.iacsh(&["-c", &deny]).code(0);
        if action == "rds:DescribeDBInstances" {
            project.iacsh(&["scripts/recreate.rhai"]).code(78).says(action);
            project
                .iacsh(&["scripts/recreate.rhai", "--plan"])
                .code(78)
                .says(action);
        }
        project.iacsh(&["destroy", "--yes"]).code(78).says(action);
        project.iacsh(&["-c", "sandbox::clear()"]).code(0);
    }
    assert_eq!(rows(&project, "rds::instances()").len(), 1);
    assert_eq!(rows(&project, "ec2::vpcs()").len(), 1, "nothing was deleted");
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("no changes");
}
