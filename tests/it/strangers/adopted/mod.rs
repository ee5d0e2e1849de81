//! What was clicked together, here made by the AWS CLI, is adopted, planned with no change, and then managed.

use std::process::Command;

use super::AWS_CLI;
use super::serving::Serving;
use crate::peer;
use crate::project::{Ran, run};

const TEST: &str = "strangers::adopted::what_the_aws_cli_made_is_adopted_and_then_managed";

#[test]
fn what_the_aws_cli_made_is_adopted_and_then_managed() {
    let Some(path) = peer::path_with(TEST, "aws", AWS_CLI) else {
        return;
    };
    let serving = Serving::with_lines();
    let pasted: String = serving
        .lines("# AWS CLI")
        .lines()
        .filter(|line| !line.starts_with("aws "))
        .map(|line| format!("{line}\n"))
        .collect();
    let shell = |text: &str| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{pasted}{text}"));
        command
            .env_clear()
            .env("PATH", &path)
            .env("HOME", serving.project.path());
        run(command).code(0)
    };
    let made = shell(include_str!("make.sh")).out;
    let ids: Vec<&str> = made.split_whitespace().collect();
    assert_eq!(ids.len(), 18, "{made}");
    let project = &serving.project;
    project.write("scripts/adopt.rhai", include_str!("adopt.rhai"));
    project.write("scripts/site.rhai", include_str!("site.rhai"));
    let adopt = |more: &[&str]| -> Ran { project.iacsh(&[&["scripts/adopt.rhai"], more, ids.as_slice()].concat()) };

    // What is found by a name made from ours needs its line in the environment file.
    adopt(&["--yes"])
        .code(1)
        .says("add to [adopt] of environments/sandbox.toml: \"cache-subnet-group/redis\" = \"legacy-redis\"");
    let file = "environments/sandbox.toml";
    let environment = project.read(file);
    project.write(file, &format!("{environment}{}", include_str!("adopt.toml")));

    // Nothing is doubled before it was adopted.
    project
        .iacsh(&["-c", "ecs::ensure_cluster(#{ name: \"main\" })"])
        .code(1)
        .says("adopt it first: adopt(\"cluster\", \"legacy\"");
    // Nobody said yes.
    adopt(&[]).code(77);
    adopt(&["--plan"]).code(2).says("gets this environment's tags");
    adopt(&["--yes"]).code(0);
    adopt(&["--plan"]).code(0);

    project.iacsh(&["scripts/site.rhai", "--plan"]).code(0);

    // It is managed: what somebody changes is put right.
    shell(
        "aws ec2 authorize-security-group-ingress --protocol tcp --port 6379 --cidr 0.0.0.0/0 \
         --group-id $(aws ec2 describe-security-groups --filters Name=group-name,Values=legacy-cache \
         --query 'SecurityGroups[0].GroupId' --output text)",
    );
    project.iacsh(&["scripts/site.rhai", "--plan"]).code(2).says("ingress");
    project.iacsh(&["scripts/site.rhai"]).code(0).says("1 changed");
    project.iacsh(&["scripts/site.rhai", "--plan"]).code(0);

    // Another environment does not take it.
    project.write(
        "environments/other.toml",
        &environment.replace("project = \"identity\"", "project = \"other\""),
    );
    adopt(&["--yes", "--env", "other"])
        .code(1)
        .says("it belongs to another environment: identity sandbox");

    // What is recreated has its name again.
    project.iacsh(&["destroy", "--yes"]).code(0);
    project.iacsh(&["scripts/site.rhai"]).code(0);
    project.iacsh(&["scripts/site.rhai", "--plan"]).code(0);
    shell("aws ecs describe-clusters --clusters legacy --query 'clusters[].status' --output text").says("ACTIVE");
    serving.end();
}
