//! Each script alone: they know what is published, not each other.

use crate::project::Project;

#[test]
fn the_scripts_run_one_after_the_other() {
    let project = Project::new();
    project.iacsh(&["scripts/redis.rhai"]).code(0).says("endpoint");
    project.iacsh(&["scripts/migrate.rhai"]).code(0).says("0001");
    project.iacsh(&["scripts/clients.rhai"]).code(0);
    project.iacsh(&["scripts/ecs.rhai"]).code(0).says("http://");
    // Together they made what recreate makes.
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("no changes");
}

#[test]
fn a_script_names_the_contract_that_is_missing() {
    let project = Project::new();
    project
        .iacsh(&["scripts/ecs.rhai"])
        .code(1)
        .says("redis.token-secret")
        .says("scripts/redis.rhai");
}

#[test]
fn a_parameter_is_checked_and_helped_with() {
    let project = Project::new();
    project.write(
        "scripts/greet.rhai",
        "//! Greets.\nlet count = param(\"count\", #{ preset: 1, about: \"how often\" });\nprint(`hello ${count}`);\n",
    );
    project
        .iacsh(&["scripts/greet.rhai", "--count", "3"])
        .code(0)
        .says("hello 3");
    project
        .iacsh(&["scripts/greet.rhai", "--help"])
        .code(0)
        .says("Greets.")
        .says("how often");
    project
        .iacsh(&["scripts/greet.rhai", "--cuont", "3"])
        .code(64)
        .says("did you mean");
    project.iacsh(&["scripts/greet.rhai", "--count", "many"]).code(64);
}

#[test]
fn standard_input_and_exit_codes() {
    use std::io::Write;
    let project = Project::new();
    let mut command = project.command(&["-"]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"print(6 * 7); exit(9)")
        .expect("written");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stdout).trim()),
        (Some(9), "42")
    );
}

#[test]
fn exploring_and_acting() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    project
        .iacsh(&["--yes", "-c", "ecs::scale(\"identityserver\", 2)"])
        .code(0);
    let tasks = project.iacsh(&["--json", "-c", "ecs::tasks()"]).code(0).json();
    assert_eq!(tasks.as_array().map(Vec::len), Some(2), "{tasks:#}");
    // The count belongs to whoever scales, not to the script.
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("no changes");
    project.iacsh(&["-c", "ecs::redeploy(\"identityserver\")"]).code(0);
    project.iacsh(&["-c", "ecs::logs(\"identityserver\")"]).code(0);
    let count = project.iacsh(&[
        "--json",
        "-c",
        "mssql::query(mssql::connect(), \"SELECT COUNT(*) AS n FROM Clients\")",
    ]);
    assert!(count.code(0).json()[0]["n"].as_i64() >= Some(3));
}

#[test]
fn a_part_is_destroyed_and_the_rest_stays() {
    let project = Project::new();
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    let names = |expression: &str| {
        let listed = project.iacsh(&["--json", "-c", expression]).code(0).json();
        let mut names: Vec<_> = listed
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| row["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    };
    let groups = names("ec2::security_groups()");
    project
        .iacsh(&["destroy", "--only", "redsi", "--yes"])
        .code(1)
        .says("nothing of this environment is called `redsi`")
        .says("did you mean `redis`?");
    let ran = project
        .iacsh(&[
            "destroy",
            "--only",
            "replication-group/redis",
            "--only",
            "parameter",
            "--yes",
        ])
        .code(0)
        .says("nothing disposable is left of replication-group/redis, parameter");
    assert!(!ran.err.contains("vpc/main"), "{ran}");
    assert!(names("elasticache::replication_groups()").is_empty() && names("ssm::parameters()").is_empty());
    assert_eq!(names("elasticache::cache_subnet_groups()"), ["redis"]);
    assert_eq!(names("ec2::security_groups()"), groups);
    // A section: what the library `redis` ensured.
    project.iacsh(&["destroy", "--only", "redis", "--yes"]).code(0);
    assert!(names("elasticache::cache_subnet_groups()").is_empty());
    assert_eq!(names("ec2::vpcs()"), ["main"]);
    assert!(!names("secrets::secrets()").is_empty(), "what is retained stays");
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    assert_eq!(names("elasticache::replication_groups()"), ["redis"]);
}
