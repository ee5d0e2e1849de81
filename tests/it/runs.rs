//! What was done, when, and by whom.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::project::{Project, run};

fn runs(project: &Project) -> Vec<Value> {
    let listed = project.iacsh(&["runs", "--json"]).code(0).json();
    listed.as_array().expect("a list").clone()
}

#[test]
fn a_run_is_told_with_each_call_that_wrote() {
    let project = Project::new();
    project.iacsh(&["runs"]).code(0).says("no run has left anything");
    project.iacsh_with(&["scripts/redis.rhai"], &[("USER", "anna")]).code(0);
    // What only looks around is not kept.
    project.iacsh(&["-c", "ec2::vpcs()"]).code(0);
    project.iacsh(&["scripts/redis.rhai"]).code(0);

    project
        .iacsh(&["runs"])
        .code(0)
        .says("anna")
        .says("iacsh scripts/redis.rhai")
        .says("created")
        .says("no changes");
    let listed = runs(&project);
    assert_eq!(listed.len(), 2, "{listed:#?}");
    let shown = project.iacsh(&["runs", "show", "2", "--json"]).code(0).json();
    assert_eq!(shown["by"], "anna");
    assert_eq!(shown["exit"], 0);
    assert_eq!(shown["environment"], "sandbox");
    assert_eq!(shown["caller"], "arn:aws:iam::000000000000:user/sandbox");
    let writes = shown["writes"].as_array().expect("calls");
    let vpc = writes
        .iter()
        .find(|call| call["call"] == "ec2:CreateVpc")
        .expect("a VPC");
    assert_eq!((&vpc["resource"], &vpc["status"]), (&"vpc/main".into(), &200.into()));
    assert!(vpc["request"].as_str().is_some_and(|id| !id.is_empty()), "{vpc}");
    assert!(
        writes.iter().all(|call| call["call"] != "ec2:DescribeVpcs"),
        "{writes:#?}"
    );
    let named = writes.iter().filter(|call| call["resource"] != "").count();
    assert!(named + 1 >= writes.len(), "{writes:#?}");
    assert_eq!(
        project.iacsh(&["runs", "show", "1", "--json"]).code(0).json()["writes"],
        Value::Array(vec![])
    );
    project
        .iacsh(&["runs", "show", shown["id"].as_str().expect("an id")])
        .code(0)
        .says("ec2:CreateVpc")
        .says("replication-group");
    project
        .iacsh(&["runs", "show", "3"])
        .code(1)
        .says("1 is the newest of 2");
}

#[test]
fn a_run_says_which_commit_of_the_scripts_it_was() {
    let project = Project::new();
    project.write(".git/HEAD", "ref: refs/heads/main\n");
    project.write(".git/refs/heads/main", "0123456789abcdef0123456789abcdef01234567\n");
    project.iacsh(&["-c", "publish(\"a\", \"b\")"]).code(0);
    let shown = project.iacsh(&["runs", "show", "1", "--json"]).code(0).json();
    assert_eq!(shown["commit"], "0123456789ab", "{shown}");
    project.iacsh(&["runs", "show", "1"]).code(0).says("0123456789ab");
}

/// In a nightly job no variable names the user.
#[cfg(unix)]
#[test]
fn a_run_says_who_it_was_also_where_no_variable_does() {
    let project = Project::new();
    project.iacsh(&["-c", "publish(\"a\", \"b\")"]).code(0);
    let shown = project.iacsh(&["runs", "show", "1", "--json"]).code(0).json();
    let id = std::process::Command::new("id")
        .arg("-un")
        .output()
        .expect("id(1) is there");
    let name = String::from_utf8_lossy(&id.stdout).trim().to_owned();
    if id.status.success() {
        assert_eq!(shown["by"], name, "{shown}");
    }
}

/// A short run is not worth a word on what made it long.
#[test]
fn a_run_that_took_long_says_which_resources_made_it_long() {
    let project = Project::new();
    project.write(
        "scripts/chain.rhai",
        "sandbox::delay(\"logs\", \"CreateLogGroup\", #{ time: \"5s\" });\n\
         publish(\"arn\", logs::ensure_log_group(#{ name: \"slow\" }).arn);\n\
         ssm::ensure_parameter(#{ name: \"aside\", value: \"x\" });\n",
    );
    let ran = project.iacsh(&["scripts/chain.rhai"]).code(0);
    let told = ran
        .err
        .lines()
        .find(|line| line.starts_with("longest chain 5."))
        .unwrap_or_default();
    assert!(
        told.contains(": log-group/slow 5.") && told.contains(" > parameter/arn ") && !told.contains("aside"),
        "{ran}"
    );
    project.iacsh(&["-c", "sandbox::clear()"]).code(0);
    let again = project.iacsh(&["scripts/chain.rhai"]).code(0);
    assert!(!again.err.contains("longest chain"), "{again}");
}

#[test]
fn what_is_waited_for_is_told_with_the_time_that_it_took_before() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml") + "\n[sandbox]\ntime_scale = 1\n";
    project.write("environments/sandbox.toml", &file);
    let line = |number: u32, minutes: u32| {
        let (at, ms) = ("2026-01-01T10:00:00Z", minutes * 60_000);
        format!(
            "{{\"at\":\"{at}\",\"run\":\"run-{number}\",\"event\":\"finished\",\"kind\":\"replication-group\",\
             \"name\":\"redis\",\"outcome\":\"created\",\"words\":\"created\",\"ms\":{ms}}}\n"
        )
    };
    project.write(".iacsh/journal.jsonl", &[line(1, 7), line(2, 12), line(3, 9)].concat());
    let mut child = project
        .command(&["scripts/redis.rhai"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let told = BufReader::new(child.stderr.take().expect("its messages")).lines();
    // Where there is no terminal it is told every ten seconds.
    let line = told
        .map_while(Result::ok)
        .find(|line| line.contains("replication-group/redis: "));
    child.kill().expect("killed by its id");
    child.wait().expect("gone");
    let line = line.expect("a line on what is waited for");
    assert!(line.contains("creating") && line.contains(" of about 9 min)"), "{line}");
}

#[test]
fn the_report_names_the_longest_chain() {
    let project = Project::new();
    let report = project.iacsh(&["--json", "scripts/redis.rhai"]).code(0).json();
    let links = report["longest_chain"]["links"].as_array().expect("links").clone();
    let named: Vec<_> = links.iter().filter_map(|link| link["resource"].as_str()).collect();
    // Redis is slowest, and has to wait for its network.
    assert!(
        named.contains(&"vpc/main") && named.contains(&"replication-group/redis"),
        "{named:?}"
    );
    let place = |label: &str| named.iter().position(|named| *named == label);
    assert!(place("vpc/main") < place("replication-group/redis"), "{named:?}");
    let sum: f64 = links.iter().filter_map(|link| link["seconds"].as_f64()).sum();
    let told = report["longest_chain"]["seconds"].as_f64().expect("seconds");
    assert!((sum - told).abs() < 0.05, "{sum} and {told}");
    assert!(
        report["resources"]
            .as_array()
            .is_some_and(|all| all.len() > links.len())
    );
}

#[test]
fn no_secret_gets_into_the_journal() {
    let project = Project::new();
    project.write(
        "scripts/keep.rhai",
        "//! Keeps a password.\nlet password = param(\"password\", #{ preset: \"\", about: \"the password\" });\n\
         secrets::ensure_secret(#{ name: \"given\", value: password });\n",
    );
    project
        .iacsh(&["scripts/keep.rhai", "--password", "swordfish-4711"])
        .code(0);
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let journal = project.read(".iacsh/journal.jsonl");
    assert!(journal.contains("secretsmanager:CreateSecret"), "{journal}");
    assert!(!journal.contains("swordfish-4711"));
    project
        .iacsh(&["runs", "show", "2"])
        .code(0)
        .says("--password ********");
}

#[test]
fn a_run_that_was_killed_is_told_as_such() {
    let project = Project::new();
    let mut child = project
        .command(&["-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut keyboard = child.stdin.take().expect("a keyboard");
    std::io::Write::write_all(
        &mut keyboard,
        b"publish(\"a\", \"b\"); wait(ssm::ensure_parameter(#{ name: \"c\", value: \"d\" })); while true { }",
    )
    .expect("typed");
    drop(keyboard);
    // Until it wrote.
    let mut listed = Vec::new();
    for _ in 0..600 {
        listed = runs(&project);
        if listed
            .iter()
            .any(|run| run["resources"].as_array().is_some_and(|done| !done.is_empty()))
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(listed[0]["state"], "running", "{listed:#?}");
    child.kill().expect("killed by its id");
    child.wait().expect("gone");
    assert_eq!(runs(&project)[0]["state"], "broken");
    project.iacsh(&["runs"]).code(0).says("did not end");
    // A torn line takes nothing else with it, and a folder that is gone is an empty journal.
    let journal = project.read(".iacsh/journal.jsonl");
    project.write(".iacsh/journal.jsonl", &format!("{journal}{{\"at\":\"20"));
    project.iacsh(&["-c", "publish(\"e\", \"f\")"]).code(0);
    let ran = run(project.command(&["runs"]))
        .code(0)
        .says("one line of the journal could not be read");
    assert!(ran.out.contains("did not end") && ran.out.contains("publish"), "{ran}");
    std::fs::remove_dir_all(project.path().join(".iacsh")).expect("deleted");
    project.iacsh(&["runs"]).code(0).says("no run has left anything");
}
