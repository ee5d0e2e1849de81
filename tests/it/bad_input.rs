//! What goes wrong says so: a clear message, the right exit code, and nothing half done.

use crate::project::{Project, Ran};

/// Nothing was made.
fn untouched(project: &Project) {
    assert_eq!(
        project.iacsh(&["--json", "-c", "ec2::vpcs()"]).code(0).json(),
        serde_json::json!([])
    );
}

fn expression(project: &Project, text: &str) -> Ran {
    project.iacsh(&["-c", text])
}

#[test]
fn an_unknown_option_names_the_nearest() {
    let project = Project::new();
    project.write(
        "scripts/x.rhai",
        "let vpc = ec2::ensure_vpc(#{\n    name: \"main\",\n    cdir: \"10.0.0.0/16\"\n});\n",
    );
    project
        .iacsh(&["scripts/x.rhai"])
        .code(65)
        .says("cdir")
        .says("did you mean `cidr`?")
        .says("scripts/x.rhai:3:5");
    untouched(&project);
}

#[test]
fn one_name_is_one_thing() {
    let project = Project::new();
    project.write(
        "scripts/x.rhai",
        "let group = |days| logs::ensure_log_group(#{ name: \"web\", retention_days: days });\n\
         logs::ensure_log_group(#{ name: \"one\", retention_days: 7 });\n\
         logs::ensure_log_group(#{ name: \"one\", retention_days: 7 });\n\
         logs::ensure_log_group(#{ name: \"one\", retention_days: 30 });\n",
    );
    project
        .iacsh(&["scripts/x.rhai"])
        .code(1)
        .says("log-group/one is wanted twice, with different options")
        .says("first at scripts/x.rhai:2:")
        .says("scripts/x.rhai:4:");
}

#[test]
fn what_failed_side_by_side_is_told_each() {
    let project = Project::new();
    project.write(
        "scripts/x.rhai",
        "sandbox::fail(\"logs\", \"CreateLogGroup\", #{ code: \"LimitExceededException\", resource: \"*-one\" });\n\
         sandbox::fail(\"ecs\", \"CreateCluster\", #{ code: \"ClientException\" });\n\
         let one = logs::ensure_log_group(#{ name: \"one\" });\n\
         ecs::ensure_cluster(#{ name: \"main\" });\n\
         logs::ensure_log_group(#{ name: \"two\" });\n\
         publish(\"of.one\", one.arn);\n",
    );
    let ran = project
        .iacsh(&["scripts/x.rhai"])
        .code(1)
        .says("log-group/one")
        .says("LimitExceededException")
        .says("scripts/x.rhai:3:")
        .says("cluster/main")
        .says("scripts/x.rhai:4:")
        .says("2 errors");
    // What depends on it did not start, the rest was finished.
    assert!(ran.out.contains("not started"), "{ran}");
    let groups = project.iacsh(&["--json", "-c", "logs::log_groups()"]).code(0).json();
    assert_eq!(groups[0]["name"], "two", "{groups}");
    project.iacsh(&["-c", "lookup(\"of.one\")"]).code(1);
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    let project = Project::new();
    expression(&project, "ec2::ensure_vpc(#{ name: \"main\", cidr: 10 })")
        .code(65)
        .says("text is expected here");
    untouched(&project);
}

#[test]
fn an_unknown_function_is_found_before_anything_runs() {
    let project = Project::new();
    project.write(
        "scripts/x.rhai",
        "ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" });\nec2::ensure_subnett(#{ name: \"a\" });\n",
    );
    project
        .iacsh(&["scripts/x.rhai"])
        .code(65)
        .says("scripts/x.rhai:2")
        .says("ensure_subnet");
    untouched(&project);
}

#[test]
fn a_missing_file() {
    let project = Project::new();
    project
        .iacsh(&["scripts/recraete.rhai"])
        .code(65)
        .says("scripts/recraete.rhai");
    project.write("scripts/x.rhai", "import \"./nowhere\" as nowhere;\n");
    project
        .iacsh(&["scripts/x.rhai"])
        .code(65)
        .says("nowhere")
        .says("scripts/x.rhai:1");
    project.write(
        "scripts/y.rhai",
        "let db = mssql::connect();\nmigrate::up(db, \"migrationz\");\n",
    );
    project
        .iacsh(&["scripts/y.rhai"])
        .code(65)
        .says("migrationz")
        .says("scripts/y.rhai:2");
}

#[test]
fn an_unknown_environment() {
    let project = Project::new();
    project
        .iacsh(&["-c", "1", "--env", "sandbx"])
        .code(65)
        .says("did you mean `sandbox`?");
}

#[test]
fn an_unknown_key_in_an_environment() {
    let project = Project::new();
    let text = project.read("environments/sandbox.toml") + "\n[redis]\nreplcas = 1\n";
    project.write("environments/sandbox.toml", &text);
    let line = text.lines().count();
    project
        .iacsh(&["-c", "1"])
        .code(65)
        .says("replcas")
        .says("did you mean `replicas`?")
        .says(&format!("environments/sandbox.toml:{line}"));
}

const SERVER: &str = r#"
project = "identity"
[aws]
target = "sandbox"
region = "eu-central-1"
[ecs]
image = "identity:1.0"
[database]
target = "server"
host = "127.0.0.1"
port = 1
"#;

#[test]
fn a_missing_variable() {
    let project = Project::new();
    project.write("environments/server.toml", SERVER);
    project
        .iacsh(&["--env", "server", "-c", "mssql::tables(mssql::connect())"])
        .code(78)
        .says("DB_USER")
        .says("iacsh env check");
    let needs = project.iacsh(&["--json", "env", "check", "server"]).code(78).json();
    let missing: Vec<_> = needs
        .as_array()
        .expect("a list")
        .iter()
        .filter(|need| need["present"] == false)
        .map(|need| need["name"].as_str().unwrap_or_default())
        .collect();
    assert!(
        missing.contains(&"DB_USER") && missing.contains(&"DB_PASSWORD"),
        "{needs:#}"
    );
}

#[test]
fn an_unreachable_database() {
    let project = Project::new();
    project.write("environments/server.toml", SERVER);
    project
        .iacsh_with(
            &["--env", "server", "-c", "mssql::tables(mssql::connect())"],
            &[("DB_USER", "sa"), ("DB_PASSWORD", "not-a-real-one")],
        )
        .code(1)
        .says("127.0.0.1:1")
        .says("cannot be reached");
}

#[test]
fn a_wrong_password() {
    let project = Project::new();
    let tables = "mssql::tables(mssql::connect())";
    project
        .iacsh_with(&["scripts/migrate.rhai"], &[("DB_PASSWORD", "the-first-Passw0rd")])
        .code(0);
    project
        .iacsh_with(&["-c", tables], &[("DB_PASSWORD", "another-Passw0rd")])
        .code(78)
        .says("18456")
        .says("DB_PASSWORD");
}

const AWS: &str = r#"
project = "identity"
[aws]
target = "aws"
region = "eu-central-1"
account = "123456789012"
endpoint = "http://127.0.0.1:1"
[ecs]
image = "identity:1.0"
"#;

#[test]
fn no_credentials() {
    let project = Project::new();
    project.write("environments/aws.toml", AWS);
    project
        .iacsh_with(
            &["--env", "aws", "-c", "ec2::vpcs()"],
            &[("AWS_EC2_METADATA_DISABLED", "true")],
        )
        .code(78)
        .says("there are no AWS credentials");
}

#[test]
fn an_unreachable_endpoint() {
    let project = Project::new();
    project.write("environments/aws.toml", AWS);
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-real-one"),
    ];
    project
        .iacsh_with(&["--env", "aws", "-c", "ec2::vpcs()"], &keys)
        .code(1)
        .says("cannot be reached")
        .says("endpoint");
}

#[test]
fn an_invalid_script() {
    let project = Project::new();
    project.write("scripts/x.rhai", "let a = 1;\nlet b = (2;\n");
    project
        .iacsh(&["scripts/x.rhai"])
        .code(65)
        .says("scripts/x.rhai:2")
        .says("let b = (2;");
}

#[test]
fn endless_recursion() {
    let project = Project::new();
    project.write("scripts/x.rhai", "fn again(n) { again(n + 1) }\nagain(0);\n");
    project
        .iacsh(&["scripts/x.rhai"])
        .code(1)
        .says("scripts/x.rhai:2")
        .says("endless recursion");
}

#[test]
fn an_invalid_client_file_is_found_before_anything_is_made() {
    let project = Project::new();
    project.write(
        "clients/bad.toml",
        "[[client]]\nid = \"x\"\ngrant_typs = [\"client_credentials\"]\n",
    );
    project
        .iacsh(&["scripts/recreate.rhai"])
        .code(65)
        .says("clients/bad.toml:")
        .says("did you mean");
    untouched(&project);
}

#[test]
fn a_migration_that_fails_in_its_third_batch_leaves_nothing() {
    let project = Project::new();
    project.write(
        "migrations/0009_wrong.sql",
        "CREATE TABLE dbo.First (Id int NOT NULL);\nGO\nCREATE TABLE dbo.Second (Id int NOT NULL);\nGO\n\n\
         INSERT INTO dbo.Nowhere (Id) VALUES (1);\nGO\n",
    );
    project
        .iacsh(&["scripts/migrate.rhai"])
        .code(1)
        .says("migrations/0009_wrong.sql:6")
        .says("208");
    let tables = project
        .iacsh(&["--json", "-c", "mssql::tables(mssql::connect())"])
        .code(0)
        .json();
    let names: Vec<_> = tables
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert!(
        names.contains(&"Clients") && !names.contains(&"First") && !names.contains(&"Second"),
        "{names:?}"
    );

    // Mended, it goes on where it stopped.
    project.write(
        "migrations/0009_wrong.sql",
        "CREATE TABLE dbo.First (Id int NOT NULL);\n",
    );
    project.iacsh(&["scripts/migrate.rhai"]).code(0);
}

#[test]
fn the_command_line() {
    let project = Project::new();
    project.iacsh(&["--jsno", "-c", "1"]).code(64);
    project
        .iacsh(&["scripts/recreate.rhai", "--plan", "--step"])
        .code(64)
        .says("--plan");
    project.iacsh(&["scripts/destroy.rhai"]).code(0);
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    // Without a terminal an unanswered question is a failure, and nothing happens.
    project.iacsh(&["scripts/destroy.rhai"]).code(77).says("--yes");
    assert_ne!(
        project.iacsh(&["--json", "-c", "ec2::vpcs()"]).code(0).json(),
        serde_json::json!([])
    );
}
