//! How many calls to AWS a plan sends: it grows with pages and not with resources. What may not be asked for in bulk is
//! asked for singly, and what may not be asked for at all is an error.

use std::collections::BTreeMap;

use crate::project::{Project, Ran};

/// The main script's environment, with nothing to change.
const LIMIT: i64 = 30;

/// The calls that `-v` tells, by action.
fn calls(ran: &Ran) -> BTreeMap<String, i64> {
    let mut calls = BTreeMap::new();
    for line in ran.err.lines().filter(|line| line.ends_with(" ms")) {
        if let Some(action) = line.split_whitespace().find(|word| word.contains(':')) {
            *calls.entry(action.to_owned()).or_default() += 1;
        }
    }
    calls
}

/// A plan that finds nothing to change.
fn plan(project: &Project, script: &str) -> BTreeMap<String, i64> {
    let ran = project.iacsh(&[script, "--plan", "-v"]).code(0);
    calls(&ran)
}

/// What the second has more of than the first.
fn growth(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let more = after.iter().map(|(action, count)| {
        let before = before.get(action).copied().unwrap_or_default();
        (action.clone(), count - before)
    });
    more.filter(|(_, more)| *more != 0).collect()
}

const MORE: &str = r#"
let vpc = ec2::vpcs()[0];
for i in 1..=100 {
    ec2::ensure_security_group(#{ name: `more-${i}`, vpc: vpc.id });
    ssm::ensure_parameter(#{ name: `more-${i}`, value: i });
    logs::ensure_log_group(#{ name: `more-${i}` });
}
"#;

#[test]
fn a_plan_with_nothing_to_change_asks_in_bulk() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let alone = plan(&project, "scripts/recreate.rhai");
    assert!(alone.values().sum::<i64>() <= LIMIT, "{alone:#?}");

    project.write("scripts/more.rhai", MORE);
    project.iacsh(&["scripts/more.rhai"]).code(0);
    let beside = plan(&project, "scripts/recreate.rhai");
    // Pages of 10, of 50 and of 100.
    let pages = [
        ("logs:DescribeLogGroups", 2),
        ("ssm:GetParametersByPath", 10),
        ("tag:GetResources", 3),
    ];
    let pages: BTreeMap<_, _> = pages.map(|(action, more)| (action.to_owned(), more)).into();
    assert_eq!(growth(&alone, &beside), pages);

    // The same when a script ensures each of them.
    let among = plan(&project, "scripts/more.rhai");
    let total: i64 = among.values().sum();
    assert!(total < 25, "{among:#?}");
}

/// What is asked for in bulk has permissions of its own, which are not needed: each can be read for itself.
#[test]
fn what_may_not_be_asked_in_bulk_is_asked_singly() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    for (bulk, single, listing) in [
        ("tag:GetResources", "logs:ListTagsForResource", "logs::log_groups()"),
        ("iam:GetAccountAuthorizationDetails", "iam:ListRoles", "iam::roles()"),
    ] {
        let rows = || project.iacsh(&["-c", listing, "--json"]).code(0).json();
        let before = rows();
        assert!(before.as_array().is_some_and(|rows| !rows.is_empty()), "{before}");
        project.iacsh(&["-c", &format!("sandbox::deny(\"{bulk}\")")]).code(0);
        let sent = calls(&project.iacsh(&["-c", listing, "-v"]).code(0));
        assert!(sent.contains_key(single), "{sent:#?}");
        assert_eq!(rows(), before);
        // Nothing is taken for absent because it may not be seen.
        project.iacsh(&["-c", &format!("sandbox::deny(\"{single}\")")]).code(0);
        project.iacsh(&["-c", listing]).code(78).says(single);
        project.iacsh(&["-c", "sandbox::clear()"]).code(0);
    }
}
