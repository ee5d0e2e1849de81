//! `iacsh env diff A B`: what differs between two environments.

use serde_json::json;

use crate::project::{Project, Ran};

/// The sandbox's environment and a twin of it, in the same embedded cloud.
fn twins() -> Project {
    let project = Project::new();
    twin(&project, "");
    project
}

fn twin(project: &Project, more: &str) {
    let text = project.read("environments/sandbox.toml");
    project.write("environments/twin.toml", &(text + more));
}

/// Both are on the same embedded SQL Server, so they have the same login.
fn recreate(project: &Project, name: &str) {
    let login = [("DB_USER", "identity"), ("DB_PASSWORD", "Correct-Horse-7")];
    project
        .iacsh_with(&["scripts/recreate.rhai", "--env", name], &login)
        .code(0);
}

fn diff(project: &Project, more: &[&str]) -> Ran {
    project.iacsh(&[&["env", "diff", "sandbox", "twin"], more].concat())
}

/// `RESOURCE FIELD: FIRST SECOND` of each live difference.
fn live(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let rows = document["live"].as_array().unwrap_or_else(|| panic!("{ran}"));
    let told = |row: &serde_json::Value| {
        let field = row["field"].as_str().unwrap_or_default();
        format!(
            "{} {field}: {} {}",
            row["resource"].as_str().unwrap_or_default(),
            row["first"],
            row["second"]
        )
    };
    rows.iter().map(told).collect()
}

#[test]
fn the_same_environment_in_two_places_does_not_differ() {
    let project = twins();
    diff(&project, &[]).code(0).says("In what exists: no difference");
    recreate(&project, "sandbox");
    let ran = diff(&project, &["--json"]).code(2);
    assert!(live(&ran).contains(&"vpc/main : \"exists\" null".to_owned()), "{ran}");

    // Its own network, and its own names, ids, addresses and times.
    twin(&project, "\n[network]\ncidr = \"10.20.0.0/16\"\n");
    recreate(&project, "twin");
    let ran = diff(&project, &["--json"]).code(2);
    assert_eq!(live(&ran), Vec::<String>::new());
    assert_eq!(
        ran.json()["files"],
        json!([{ "key": "network.cidr", "first": "10.0.0.0/16", "second": "10.20.0.0/16" }])
    );
}

#[test]
fn what_differs_is_told_field_by_field() {
    let project = twins();
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    twin(
        &project,
        "\n[network]\nnat = true\n\n[redis]\nreplicas = 1\nnode_type = \"cache.t4g.small\"\n\
         parameters = { \"maxmemory-policy\" = \"allkeys-lru\" }\n",
    );
    project.iacsh(&["scripts/redis.rhai", "--env", "twin"]).code(0);
    let ran = diff(&project, &["--json"]).code(2);
    let live = live(&ran);
    for expected in [
        "nat-gateway/main : null \"exists\"",
        "address/outgoing : null \"exists\"",
        "replication-group/redis node_type: \"cache.t4g.micro\" \"cache.t4g.small\"",
        "replication-group/redis replicas: 0 1",
    ] {
        assert!(live.contains(&expected.to_owned()), "{expected}: {live:#?}");
    }
    let of = |kind: &str| live.iter().any(|told| told.starts_with(kind));
    assert!(of("cache-parameter-group/redis parameters"), "{live:#?}");
    assert!(
        !of("subnet/") && !of("vpc/") && !of("secret/") && !of("parameter/"),
        "{live:#?}"
    );
    diff(&project, &[])
        .code(2)
        .says("redis.node_type")
        .says("replication-group/redis")
        .says("In what exists");
    // Nothing of a secret is told.
    assert!(!ran.out.contains("token"), "{ran}");
}

#[test]
fn files_are_compared_alone_and_what_cannot_be_read_is_an_error() {
    let project = twins();
    let ran = project
        .iacsh(&["env", "diff", "staging", "production", "--files", "--json"])
        .code(2)
        .json();
    let keys: Vec<_> = ran["files"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["key"].clone())
        .collect();
    for key in [
        "aws.account",
        "database.class",
        "ecs.count",
        "network.vpc",
        "protect",
        "tags.purpose",
    ] {
        assert!(keys.contains(&key.into()), "{key}: {keys:?}");
    }
    assert_eq!(ran["live"], serde_json::Value::Null);
    diff(&project, &["--files"]).code(0).says("In the files: no difference");

    project
        .iacsh(&["env", "diff", "sandbox", "staging"])
        .code(78)
        .says("the environment staging");
    project
        .iacsh(&["env", "diff", "sandbox", "twn"])
        .code(65)
        .says("did you mean `twin`?");
    project.iacsh(&["env", "diff", "sandbox"]).code(64);
    let file = project.read("environments/twin.toml");
    let rule = "\n[[sandbox.rules]]\nrule = \"deny\"\nservice = \"ec2\"\naction = \"DescribeVpcs\"\n";
    project.write("environments/twin.toml", &(file + rule));
    diff(&project, &[])
        .code(78)
        .says("the environment twin")
        .says("DescribeVpcs");
}
