//! The suite on the sandbox, what is true of the suite itself, and the page that is made of both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use super::client::embedded::Embedded;
use super::client::encode;
use super::*;
use crate::sandbox::aws::model;

/// Each thread has a sandbox of its own, so that no case moves another one's clock.
const THREADS: usize = 2;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files, so that a case can be written without compiling again.
fn suite() -> Suite {
    Suite::read(&root().join("src/sandbox/contract/cases")).unwrap_or_else(|error| panic!("{error}"))
}

/// The cases in which the sandbox is known to differ, each with its reason. Empty is what it should be.
fn gaps() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("src/sandbox/contract/gaps.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

#[test]
fn the_sandbox_passes_every_case() {
    let (suite, gaps) = (suite(), gaps());
    // For those who write cases: a part of the title.
    let only = std::env::var("IACSH_CASES").unwrap_or_default();
    let cases: Vec<&Case> = suite.cases.iter().filter(|case| case.title().contains(&only)).collect();
    let verdicts: BTreeMap<String, (&Case, Verdict)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mine: Vec<&Case> = cases.iter().copied().skip(thread).step_by(THREADS).collect();
                let suite = &suite;
                scope.spawn(move || {
                    let folder = tempfile::tempdir().unwrap();
                    let client: Arc<dyn Client> = Arc::new(Embedded::open(folder.path()).unwrap());
                    let mut verdicts = Vec::new();
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(run_all(
                        suite,
                        &mine,
                        &[client],
                        &AtomicBool::new(false),
                        |number, verdict| {
                            verdicts.push((mine[number].title(), (mine[number], verdict)));
                        },
                    ));
                    verdicts
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut told = Vec::new();
    for (title, (case, verdict)) in &verdicts {
        match (
            verdict.difference.is_some() || !verdict.left.is_empty(),
            gaps.contains_key(title),
        ) {
            (true, false) => told.push(in_words(case, verdict)),
            (false, true) => told.push(format!("- {title}\n    passes, and is still in gaps.toml")),
            _ => {}
        }
    }
    assert!(
        told.is_empty(),
        "{} of {} cases:\n{}",
        told.len(),
        cases.len(),
        told.join("\n")
    );
    assert!(
        !only.is_empty() || gaps.keys().all(|title| verdicts.contains_key(title)),
        "gaps.toml names no case"
    );
}

fn in_words(case: &Case, verdict: &Verdict) -> String {
    let left = verdict
        .left
        .iter()
        .map(|left| format!("\n    left behind: {left}"))
        .collect::<String>();
    match &verdict.difference {
        Some(difference) => format!("- {}\n    {difference}\n    {}{left}", case.title(), case.citation()),
        None => format!("- {}{left}", case.title()),
    }
}

#[test]
fn there_are_enough_cases_and_each_has_a_title_of_its_own_and_a_source() {
    let suite = suite();
    let titles: BTreeSet<String> = suite.cases.iter().map(Case::title).collect();
    assert_eq!(titles.len(), suite.cases.len(), "two cases of one title");
    assert!(titles.len() >= 300, "{}", titles.len());
    for case in &suite.cases {
        assert!(case.source.len() > 5 && !case.steps.is_empty(), "{}", case.title());
        let checks = case
            .steps
            .iter()
            .any(|step| !step.expect.is_empty() || step.error.is_some());
        assert!(checks || case.steps.len() > 1, "{} expects nothing", case.title());
    }
    for service in model::SERVICES {
        assert!(
            suite.cases.iter().any(|case| case.service == *service),
            "{service} has no case"
        );
    }
}

#[test]
fn the_embedded_suite_is_the_one_in_the_folder() {
    let titles = |suite: Suite| suite.cases.iter().map(Case::title).collect::<Vec<_>>();
    assert_eq!(titles(Suite::embedded().unwrap()), titles(suite()));
}

/// A member that the model does not have, and a name that no step keeps, are mistakes of the case.
#[test]
fn every_step_can_be_sent() {
    let suite = suite();
    for case in &suite.cases {
        let plan = suite
            .plan(case)
            .unwrap_or_else(|error| panic!("{}: {error}", case.title()));
        for step in plan.steps {
            let (service, operation) = step.names();
            let input = Value::Object(step.with.clone());
            let sent = encode(service, operation, &without_repeats(&input));
            assert!(sent.is_ok(), "{}: {}: {}", case.title(), step.call, sent.unwrap_err());
            let output =
                model::of(service).and_then(|(_, model)| model.shape(model.operations[operation].output.as_deref()?));
            for place in step.expect.keys().chain(step.keep.values()) {
                let known = place
                    .first()
                    .is_none_or(|name| output.is_some_and(|shape| shape.members.contains_key(name)));
                assert!(known, "{}: {} answers no {place}", case.title(), step.call);
            }
        }
    }
}

/// Tables that stand for lists have their form only when they are filled in.
fn without_repeats(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("repeat") => Value::Array(Vec::new()),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), without_repeats(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_repeats).collect(),
        other => other.clone(),
    }
}

/// What makes something has an entry in `undo.toml`, so that a case leaves nothing behind.
#[test]
fn what_a_case_makes_is_taken_away() {
    let suite = suite();
    // These belong to what they are put into or on.
    let belongs = [
        "ec2:CreateRoute",
        "ec2:CreateTags",
        "logs:CreateLogStream",
        "iam:CreateServiceLinkedRole",
        "secretsmanager:RestoreSecret",
    ];
    let calls = suite.cases.iter().flat_map(|case| suite.plan(case).unwrap().steps);
    for call in calls.map(|step| step.call.as_str()).collect::<BTreeSet<_>>() {
        let (_, operation) = call.split_once(':').unwrap();
        let makes = ["Create", "Allocate", "Register", "Request", "Run", "Restore"];
        let makes = makes.iter().any(|verb| operation.starts_with(verb)) && operation != "RegisterTargets";
        assert!(
            !makes || belongs.contains(&call) || suite.undo(call).is_some(),
            "{call} has no undo"
        );
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path: PathBuf = root().join("docs/sandbox.md");
    let page = page::page(&suite(), &gaps());
    if std::env::var_os("IACSH_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = page.lines().zip(written.lines()).find(|(new, old)| new != old);
    assert!(
        page == written,
        "docs/sandbox.md is not what the tests give; IACSH_BLESS=1 writes it. First difference: {differing:?}"
    );
}

/// The sandbox is honest: what it does not take, it refuses by name.
#[test]
fn no_parameter_is_taken_and_ignored() {
    // To look at these would change nothing, here or on AWS.
    let harmless = [
        // "This parameter is deprecated. The returned token can be used to access any registry", GetAuthorizationToken.
        "ecr:GetAuthorizationToken registryIds",
        // "This parameter is ignored and the value is assumed to be true", FilterLogEvents.
        "logs:FilterLogEvents interleaved",
        // Nothing masks log events, nobody shares snapshots, and all versions are available.
        "logs:FilterLogEvents unmask",
        "logs:GetLogEvents unmask",
        "rds:DescribeDBEngineVersions IncludeAll",
        "rds:DescribeDBSnapshots IncludePublic",
        "rds:DescribeDBSnapshots IncludeShared",
    ];
    let mut ignored = page::ignored();
    ignored.retain(|parameter| !harmless.contains(&parameter.as_str()));
    assert!(
        ignored.is_empty(),
        "{} parameters:\n{}",
        ignored.len(),
        ignored.join("\n")
    );
}
