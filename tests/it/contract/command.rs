//! `iacsh sandbox conformance` as its user meets it.

use crate::peer::Moto;
use crate::project::Project;

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")];

fn environment(project: &Project, name: &str, port: u16, more: &str) {
    project.write(
        &format!("environments/{name}.toml"),
        &format!(
            r#"
project = "identity"
{more}
[aws]
target = "aws"
region = "eu-central-1"
endpoint = "http://127.0.0.1:{port}"
ACCOUNT
[ecs]
image = "identity:1.0"
[database]
target = "sandbox"
"#
        )
        .replace(
            "ACCOUNT",
            if more.contains("# no account") {
                ""
            } else {
                "account = \"123456789012\""
            },
        ),
    );
}

#[test]
fn the_sandbox_of_a_run_is_its_own() {
    let project = Project::new();
    let ran = project
        .iacsh(&["sandbox", "conformance", "--only", "sts: ", "--only", "ssm: a path"])
        .code(0);
    assert!(
        ran.out.contains("a caller learns who it is") && !ran.out.contains("differs"),
        "{ran}"
    );
    assert!(
        !project.path().join(".sandbox").exists(),
        "the environment's sandbox is left alone"
    );
    let ran = project
        .iacsh(&["sandbox", "conformance", "--only", "sts: ", "--json"])
        .code(0);
    let report = ran.json();
    assert_eq!(
        (&report["passed"], &report["differing"]),
        (&1.into(), &0.into()),
        "{ran}"
    );
    project
        .iacsh(&["sandbox", "conformance", "--only", "nothing is called so"])
        .code(64);
}

#[test]
fn it_runs_only_where_it_was_meant_to() {
    let project = Project::new();
    environment(&project, "closed", 1, "protect = true");
    project
        .iacsh(&[
            "sandbox",
            "conformance",
            "--env",
            "closed",
            "--confirm",
            "closed",
            "--yes",
        ])
        .code(77)
        .says("scratch");
    environment(&project, "nowhere", 1, "# no account");
    project
        .iacsh(&["sandbox", "conformance", "--env", "nowhere", "--yes"])
        .code(77)
        .says("account");
}

#[test]
fn it_tells_where_a_peer_differs() {
    let Some(moto) = Moto::start("contract::command::it_tells_where_a_peer_differs") else {
        return;
    };
    let project = Project::new();
    environment(&project, "moto", moto.port, "");
    let iacsh = |args: &[&str]| {
        let line = [
            "sandbox",
            "conformance",
            "--env",
            "moto",
            "--only",
            "iam: a trust policy",
        ];
        let line: Vec<_> = line.iter().chain(args).copied().collect();
        project.iacsh_with(&line, &KEYS)
    };
    // Nobody said yes.
    iacsh(&[]).code(77).says("US dollars");
    let ran = iacsh(&["--yes"]).code(1);
    assert!(ran.out.contains("expected  the error MalformedPolicyDocument"), "{ran}");
    assert!(
        ran.out
            .contains("https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"),
        "{ran}"
    );
}
