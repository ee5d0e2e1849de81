//! `scripts/expire.rhai`: environments that are past their end are destroyed, and no others.

use jiff::{SignedDuration, Timestamp};

use crate::project::{Project, Ran};

const FILE: &str = "environments/sandbox.toml";
const VPC: &str = "ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" })";

/// The environment ends then; an empty text takes the line out.
fn ends(project: &Project, expires_at: &str) {
    let text = project.read(FILE);
    let lines = text.lines().filter(|line| !line.starts_with("expires_at"));
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    let line = match expires_at {
        "" => "[tags]\n".to_owned(),
        expires_at => format!("[tags]\nexpires_at = \"{expires_at}\"\n"),
    };
    project.write(FILE, &text.replace("[tags]\n", &line));
}

fn in_days(days: i64) -> String {
    let then = Timestamp::now() + SignedDuration::from_secs(days * 24 * 3600);
    then.strftime("%Y-%m-%d").to_string()
}

/// A project with one resource, made when the environment was to end then.
fn project(expires_at: &str) -> Project {
    let project = Project::new();
    ends(&project, expires_at);
    project.iacsh(&["-c", VPC]).code(0);
    project
}

fn expire(project: &Project, more: &[&str]) -> Ran {
    project.iacsh(&[&["scripts/expire.rhai", "--json"], more].concat())
}

fn is_there(project: &Project) -> bool {
    let vpcs = project.iacsh(&["--json", "-c", "ec2::vpcs()"]).code(0).json();
    vpcs.as_array().is_some_and(|vpcs| !vpcs.is_empty())
}

#[test]
fn what_is_past_its_end_is_destroyed_once_it_is_allowed() {
    let project = project(&in_days(-1));
    // A plan tells what would go.
    project
        .iacsh(&["scripts/expire.rhai", "--plan"])
        .code(2)
        .says("vpc/main");
    // Nobody answers the question.
    expire(&project, &[]).code(77);
    assert!(is_there(&project));
    let ran = expire(&project, &["--yes"]).code(0).json();
    assert_eq!(
        (&ran["result"]["done"], &ran["result"]["state"]),
        (&"destroyed".into(), &"past".into())
    );
    assert_eq!(ran["counts"]["deleted"], 1, "{ran:#}");
    assert!(!is_there(&project));
    expire(&project, &["--yes"]).code(0).says("nothing exists");
}

#[test]
fn what_ends_soon_or_has_no_end_is_told_and_stays() {
    let project = project(&in_days(1));
    let ran = expire(&project, &["--yes"]).code(2).says("whole days are left").json();
    assert_eq!(
        (&ran["result"]["done"], &ran["result"]["days_left"]),
        (&"nothing".into(), &1.into())
    );
    expire(&project, &["--yes", "--days-warning", "1"]).code(0);
    for (expires_at, code) in [("never", 0), ("2999-01-01T12:00:00+01:00", 0)] {
        ends(&project, expires_at);
        expire(&project, &["--yes"]).code(code).says(expires_at);
    }
    assert!(is_there(&project));
    let project = self::project("");
    expire(&project, &["--yes"]).code(2).says("has no end");
    assert!(is_there(&project));
}

#[test]
fn the_latest_end_counts_whoever_says_it() {
    // The file was changed after the last run.
    let project = project(&in_days(-1));
    ends(&project, &in_days(30));
    expire(&project, &["--yes"]).code(0).says(&in_days(-1));
    ends(&project, "");
    expire(&project, &["--yes"]).code(0).says("destroyed");
    // Or before it.
    let project = self::project(&in_days(30));
    ends(&project, &in_days(-1));
    let ran = expire(&project, &["--yes"]).code(0).says("vpc/main").json();
    assert_eq!(ran["result"]["state"], "valid");
    assert!(is_there(&project));
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_an_error_and_never_a_deletion() {
    let project = project(&in_days(-1));
    let id = project.iacsh(&["--json", "-c", "ec2::vpcs()[0].id"]).code(0).json();
    let cloud = crate::tags::Cloud::new(&project);
    cloud
        .tag(id.as_str().expect("an id"), "iacsh:expires-at", "31.12.2020")
        .await;
    expire(&project, &["--yes"])
        .code(1)
        .says("vpc/main expires at")
        .says("31.12.2020");
    assert!(is_there(&project));
    let text = project.read(FILE);
    project.write(FILE, &text.replace(&format!("\"{}\"", in_days(-1)), "\"soon\""));
    expire(&project, &["--yes"]).code(65).says("is not a day");
}

#[test]
fn a_protected_environment_stays() {
    let project = project(&in_days(-1));
    let protected = |protect: bool| {
        let text = project.read(FILE).replace("protect = true\n", "");
        let line = if protect { "protect = true\n" } else { "" };
        project.write(
            FILE,
            &text.replace("project = \"identity\"\n", &format!("project = \"identity\"\n{line}")),
        );
    };
    protected(true);
    expire(&project, &["--yes"]).code(77).says("protected");
    // Its resources say so too, and the file alone does not take that back.
    project.iacsh(&["--confirm", "sandbox", "-c", VPC]).code(0);
    protected(false);
    expire(&project, &["--yes"]).code(77).says("iacsh:protect");
    assert!(is_there(&project));
    project.iacsh(&["-c", VPC]).code(0);
    expire(&project, &["--yes"]).code(0);
    assert!(!is_there(&project));
}

#[test]
fn other_environments_that_are_past_are_told_with_the_command_for_them() {
    let project = project("never");
    let past = project
        .read(FILE)
        .replace("expires_at = \"never\"", "expires_at = \"2020-01-01\"");
    project.write("environments/second.toml", &past);
    project.iacsh(&["--env", "second", "-c", VPC]).code(0);
    let ran = expire(&project, &["--yes"]).code(2).says("--env second").json();
    assert_eq!(ran["result"]["past"], serde_json::json!(["second"]));
    let found = project.iacsh(&["--json", "-c", "tags::environments()"]).code(0).json();
    assert_eq!(found[1]["environment"], "second");
    assert_eq!(found[1]["state"], "past");
    expire(&project, &["--yes", "--env", "second"])
        .code(0)
        .says("destroyed");
    expire(&project, &["--yes"]).code(0);
    assert!(is_there(&project));
}
