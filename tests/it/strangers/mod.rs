//! `iacsh sandbox serve`, and the strangers who use it: boto3, the AWS CLI, Terraform and a foreign SQL client. Each that
//! is not to be had is skipped by its name.

mod adopted;
mod provider;
mod serving;
mod terraform;

use std::process::Command;

use crate::peer;
use crate::project::{Project, run};
use serving::Serving;

const BOTO3: &str = "boto3";
const AWS_CLI: &str = "awscli";
const PYTHON_TDS: &str = "python-tds";

/// A script of this folder.
fn script(name: &str) -> String {
    format!("{}/tests/it/strangers/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn boto3_runs_more_than_a_hundred_commands() {
    let Some(python) = peer::python("strangers::boto3_runs_more_than_a_hundred_commands", BOTO3, "boto3") else {
        return;
    };
    let serving = Serving::start();
    let document = serving.document();
    let mut command = Command::new(python);
    command.arg(script("sdk.py"));
    for part in ["endpoint", "access_key_id", "secret_access_key"] {
        command.arg(document["aws"][part].as_str().expect("a text"));
    }
    // The test's own profile and proxy have no say.
    for variable in [
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "HTTP_PROXY",
        "http_proxy",
    ] {
        command.env_remove(variable);
    }
    let ran = run(command).code(0);
    let count = ran
        .out
        .trim()
        .strip_suffix(" commands")
        .and_then(|count| count.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 150), "{ran}");
    serving.end();
}

#[test]
fn the_aws_cli_runs_a_sample_of_each_service() {
    let Some(path) = peer::path_with("strangers::the_aws_cli_runs_a_sample_of_each_service", "aws", AWS_CLI) else {
        return;
    };
    let serving = Serving::with_lines();
    // As a user pastes them, without the command at their end.
    let pasted: String = serving
        .lines("# AWS CLI")
        .lines()
        .filter(|line| !line.starts_with("aws "))
        .map(|line| format!("{line}\n"))
        .collect();
    let lines = include_str!("cli.txt").lines();
    let mut failed = String::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (error, line) = match line.strip_prefix('!').and_then(|rest| rest.split_once(' ')) {
            Some((error, line)) => (error, line),
            None => ("", line),
        };
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{pasted}{line}"));
        command
            .env_clear()
            .env("PATH", &path)
            .env("HOME", serving.project.path());
        let ran = run(command);
        if (ran.code == 0) != error.is_empty() || !ran.err.contains(error) {
            failed.push_str(&format!("{line}\n{ran}\n"));
        }
    }
    assert!(failed.is_empty(), "{failed}");
    serving.end();
}

#[test]
fn a_foreign_sql_client_logs_in_and_works() {
    let Some(python) = peer::python("strangers::a_foreign_sql_client_logs_in_and_works", PYTHON_TDS, "pytds") else {
        return;
    };
    let serving = Serving::start();
    let document = serving.document();
    let sql = &document["sql"];
    let mut command = Command::new(python);
    command.arg(script("sql.py")).arg(sql["host"].as_str().expect("a host"));
    command.arg(sql["port"].to_string());
    for part in ["user", "password"] {
        command.arg(sql[part].as_str().expect("a text"));
    }
    run(command).code(0).says("a commit, seen by another connection");
    serving.end();
}

#[test]
fn iacsh_and_a_server_work_on_one_sandbox() {
    let serving = Serving::start();
    serving.project.iacsh(&["scripts/redis.rhai"]).code(0);
    // The sandbox is in use, so it is not emptied under the server.
    serving.project.iacsh(&["sandbox", "reset", "--yes"]).code(75);
    let project = serving.end();
    project.iacsh(&["sandbox", "reset", "--yes"]).code(0);
}

#[test]
fn the_key_is_new_at_each_start_unless_it_is_kept() {
    let key = |serving: &Serving| serving.document()["aws"]["access_key_id"].clone();
    let first = Serving::start_in(Project::new(), &["--json", "--keep-key"]);
    let kept = key(&first);
    let other = Serving::start_in(first.end(), &["--json"]);
    assert_ne!(key(&other), kept);
    let again = Serving::start_in(other.end(), &["--json", "--keep-key"]);
    assert_eq!(key(&again), kept);
    again.end();
}

#[test]
fn an_address_that_others_reach_and_an_environment_without_a_sandbox_are_refused() {
    let project = Project::new();
    project
        .iacsh(&["sandbox", "serve", "--host", "0.0.0.0"])
        .code(64)
        .says("not loopback");
    project
        .iacsh(&["sandbox", "serve", "--env", "staging"])
        .code(64)
        .says("nothing to serve");
}
