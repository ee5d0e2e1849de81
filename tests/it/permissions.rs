//! What AWS has to allow: the policies, held against what is really called.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::project::{Project, Ran};

/// The actions that the policies allow.
fn allowed(project: &Project, args: &[&str]) -> BTreeSet<String> {
    let printed = project
        .iacsh(&[&["iam", "policy", "--json"], args].concat())
        .code(0)
        .json();
    let policies = printed["policies"].as_array().expect("policies");
    let statements = policies
        .iter()
        .flat_map(|policy| policy["document"]["Statement"].as_array().expect("statements"));
    let actions = statements.flat_map(|statement| statement["Action"].as_array().expect("actions"));
    actions.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a run called, from the lines of `-v`.
fn called(ran: &Ran) -> BTreeSet<String> {
    let lines = ran.err.lines().filter_map(|line| {
        let (_, call) = line.split_once("INFO ")?;
        let action = call.split(' ').next()?;
        let (service, operation) = action.split_once(':')?;
        let is_action = service.chars().all(|c| c.is_ascii_alphanumeric())
            && operation.starts_with(|c: char| c.is_ascii_uppercase());
        is_action.then(|| action.to_owned())
    });
    let called: BTreeSet<_> = lines.collect();
    assert!(!called.is_empty(), "{called:?} in {ran}");
    called
}

fn missing(called: &BTreeSet<String>, allowed: &BTreeSet<String>) -> Vec<String> {
    called.difference(allowed).cloned().collect()
}

#[test]
fn all_that_the_main_job_calls_is_allowed() {
    let project = Project::new();
    let whole = allowed(&project, &[]);
    let plan = allowed(&project, &["--plan"]);
    let none: Vec<String> = Vec::new();

    let planned = called(&project.iacsh(&["-v", "scripts/recreate.rhai", "--plan"]).code(2));
    assert_eq!(missing(&planned, &plan), none);
    let mut made = called(&project.iacsh(&["-v", "scripts/recreate.rhai"]).code(0));
    assert!(made.len() > 40, "{made:?}");
    // The sandbox's own: on AWS a pipeline pushes the image.
    assert!(made.remove("ecr:PutImage"));
    assert_eq!(missing(&made, &whole), none);
    // With everything there, a plan compares more.
    let planned = called(&project.iacsh(&["-v", "scripts/recreate.rhai", "--plan"]).code(0));
    assert_eq!(missing(&planned, &plan), none);
    let destroyed = called(&project.iacsh(&["-v", "destroy", "--yes"]).code(0));
    assert!(
        destroyed.iter().any(|action| action.contains(":Delete")),
        "{destroyed:?}"
    );
    assert_eq!(missing(&destroyed, &whole), none);
    // The plan's policy is less.
    assert!(plan.is_subset(&whole) && !missing(&made, &plan).is_empty());
}

#[test]
fn all_that_a_database_on_rds_needs_is_allowed() {
    let project = Project::new();
    let environment = project.read("environments/sandbox.toml");
    project.write(
        "environments/sandbox.toml",
        &environment.replace("[database]\ntarget = \"sandbox\"", "[database]\ntarget = \"rds\""),
    );
    let whole = allowed(&project, &[]);
    let made = called(&project.iacsh(&["-v", "scripts/database.rhai"]).code(0));
    assert!(made.contains("rds:CreateDBInstance"), "{made:?}");
    assert_eq!(missing(&made, &whole), Vec::<String>::new());
    let destroyed = called(&project.iacsh(&["-v", "destroy", "--yes", "--with-data", "main"]));
    assert_eq!(missing(&destroyed, &whole), Vec::<String>::new());
}

#[test]
fn a_policy_is_printed_as_iam_takes_it() {
    let project = Project::new();
    let ran = project
        .iacsh(&["iam", "policy", "--plan"])
        .code(0)
        .says("is about all resources");
    let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran}"));
    assert_eq!(document["Version"], "2012-10-17");
    project
        .iacsh(&["iam", "policy"])
        .code(0)
        .says("Network")
        .says("attach all of them");
    project.iacsh(&["iam", "policy", "--env", "nowhere"]).code(65);
}

fn deny(project: &Project, service: &str, action: &str) {
    let environment = project.read("environments/sandbox.toml");
    let rule = format!("\n[[sandbox.rules]]\nrule = \"deny\"\nservice = \"{service}\"\naction = \"{action}\"\n");
    project.write("environments/sandbox.toml", &format!("{environment}{rule}"));
}

#[test]
fn what_is_missing_is_told_before_anything_is_made() {
    let project = Project::new();
    deny(&project, "elasticache", "CreateReplicationGroup");
    deny(&project, "elasticache", "IncreaseReplicaCount");
    let ran = project
        .iacsh(&["scripts/redis.rhai"])
        .code(78)
        .says("2 permissions that this run needs are missing: nothing was changed")
        .says("missing: elasticache:CreateReplicationGroup")
        .says("missing: elasticache:IncreaseReplicaCount")
        .says("`iacsh iam policy --env sandbox` prints policies that have them");
    assert_eq!(
        ran.err.matches("missing: elasticache:CreateReplicationGroup").count(),
        1,
        "{ran}"
    );
    let made = project.iacsh(&["runs", "show", "1", "--json"]).code(0).json();
    assert_eq!(made["writes"], Value::Array(Vec::new()), "{made:#}");
    // A script that does not need them is not held up.
    project.iacsh(&["-c", "publish(\"a\", \"b\")"]).code(0);
    // What only reads never asks.
    let listed = called(
        &project
            .iacsh(&["-v", "-c", "elasticache::replication_groups()"])
            .code(0),
    );
    assert!(!listed.contains("iam:SimulatePrincipalPolicy"), "{listed:?}");
}

#[test]
fn a_run_that_may_not_ask_goes_on() {
    let project = Project::new();
    deny(&project, "iam", "SimulatePrincipalPolicy");
    let ran = project
        .iacsh(&["-v", "scripts/redis.rhai"])
        .code(0)
        .says("permissions could not be checked before the first write")
        .says("created");
    assert!(called(&ran).contains("iam:SimulatePrincipalPolicy"));
    let again = called(&project.iacsh(&["-v", "scripts/redis.rhai"]).code(0));
    assert!(!again.contains("iam:SimulatePrincipalPolicy"), "{again:?}");
}
