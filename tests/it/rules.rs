//! What goes wrong on purpose, from scripts and from the environment's file; copies of the sandbox.

use crate::project::Project;

const VPC: &str = "ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" })";

#[test]
fn a_script_adds_rules_that_the_next_process_meets_lists_and_clears() {
    let project = Project::new();
    let run = |text: &str| project.iacsh(&["-c", text, "--json"]);
    run("sandbox::deny(\"ec2:DescribeVpcs\")").code(0);
    run(VPC).code(78).says("UnauthorizedOperation");
    let rules = run("sandbox::rules()").code(0).json();
    assert_eq!(
        (&rules[0]["rule"], &rules[0]["action"]),
        (&"deny".into(), &"DescribeVpcs".into())
    );
    assert!(rules[0]["met"].as_i64().is_some_and(|met| met >= 1), "{rules}");
    run("sandbox::clear(sandbox::rules()[0].id)").code(0);
    // That a write is denied is known before it is sent.
    run("sandbox::deny(\"ec2:CreateVpc\")").code(0);
    run(VPC).code(78).says("missing: ec2:CreateVpc");
    run("sandbox::clear()").code(0);
    run(VPC).code(0);
    run("sandbox::throttle(\"ec2\", \"DescribeVpcz\")")
        .code(1)
        .says("did you mean `DescribeVpcs`?");
    run("sandbox::fail(\"ec2\", \"CreateVpc\", #{ tims: 2 })")
        .code(65)
        .says("times");
    run("sandbox::limit(\"ec2\", \"vpcs\", 1)").code(0);
    run("ec2::ensure_vpc(#{ name: \"second\", cidr: \"10.1.0.0/16\" })")
        .code(1)
        .says("VpcLimitExceeded");
}

#[test]
fn the_environments_rules_hold_and_are_checked() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml");
    let rule =
        "\n[[sandbox.rules]]\nrule = \"fail\"\nservice = \"ec2\"\naction = \"CreateVpc\"\ncode = \"SomeError\"\n";
    project.write("environments/sandbox.toml", &(file.clone() + rule));
    project.iacsh(&["-c", VPC]).code(1).says("SomeError");
    project.iacsh(&["-c", VPC]).code(1).says("SomeError");
    let rules = project.iacsh(&["-c", "sandbox::rules()", "--json"]).code(0).json();
    assert_eq!(rules.as_array().map(Vec::len), Some(1), "{rules}");
    assert_eq!(rules[0]["from"], "environments/sandbox.toml");
    // What the file no longer says is gone.
    project.write("environments/sandbox.toml", &file);
    project.iacsh(&["-c", VPC]).code(0);
    let line = file.lines().count() + 2;
    project.write(
        "environments/sandbox.toml",
        &(file + "\n[[sandbox.rules]]\nrule = \"delay\"\nservice = \"ec2\"\n"),
    );
    project
        .iacsh(&["-c", "1"])
        .code(65)
        .says("the rule `delay` needs `time`")
        .says(&format!("environments/sandbox.toml:{line}"));
}

#[test]
fn elsewhere_than_on_the_sandbox_its_verbs_say_so() {
    let project = Project::new();
    for text in [
        "sandbox::rules()",
        "sandbox::throttle(\"*\", \"*\")",
        "sandbox::advance(\"1m\")",
    ] {
        project
            .iacsh(&["-c", text, "--env", "staging"])
            .code(1)
            .says("this environment's AWS is not the sandbox");
    }
    project
        .iacsh(&["-c", "sandbox::advance(\"1m\")"])
        .code(1)
        .says("clock = \"virtual\"");
    let file = project.read("environments/sandbox.toml");
    let rule = "\n[[sandbox.rules]]\nrule = \"deny\"\nservice = \"ecs\"\naction = \"CreateServce\"\n";
    project.write("environments/sandbox.toml", &(file + rule));
    project
        .iacsh(&["-c", "1"])
        .code(65)
        .says("rule 1 of [[sandbox.rules]]")
        .says("did you mean `CreateService`?");
}

#[test]
fn virtual_time_is_moved_and_states_pass() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml") + "\n[sandbox]\nclock = \"virtual\"\ntime_scale = 1\n";
    project.write("environments/sandbox.toml", &file);
    let text = "let before = sandbox::now(); let after = sandbox::advance(\"2h\"); [before, after]";
    let times = project.iacsh(&["-c", text, "--json"]).code(0).json();
    let hour = |place: usize| times[place].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let passed = hour(1).duration_since(hour(0)).as_secs();
    assert!((7200..7260).contains(&passed), "{times}");
    let usual = project.iacsh(&["-c", "sandbox::durations()", "--json"]).code(0).json();
    let cache = usual
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "cache_create")
        .unwrap();
    assert_eq!(
        (cache["seconds"].as_i64(), cache["here_ms"].as_i64()),
        (Some(540), Some(540_000))
    );
}

#[test]
fn a_sandbox_is_saved_shown_and_loaded() {
    let project = Project::new();
    project
        .iacsh(&["sandbox", "save", "empty"])
        .code(1)
        .says("there is no sandbox");
    project.iacsh(&["-c", VPC]).code(0);
    project
        .iacsh(&["sandbox", "save", "with-vpc"])
        .code(0)
        .says("saved as with-vpc");
    project
        .iacsh(&["sandbox", "reset", "--yes"])
        .code(0)
        .says("saved copies stay: with-vpc");
    project
        .iacsh(&["sandbox", "load", "with-vpx"])
        .code(65)
        .says("did you mean `with-vpc`?");
    project.iacsh(&["sandbox", "load", "with-vpc"]).code(0);
    let shown = project.iacsh(&["sandbox", "show", "--json"]).code(0).json();
    let vpcs = shown["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["kind"] == "ec2/vpc");
    assert_eq!(vpcs.map(|row| &row["count"]), Some(&1.into()), "{shown}");
    project.iacsh(&["sandbox", "show"]).code(0).says("ec2/vpc");
    let listed = project.iacsh(&["sandbox", "list", "--json"]).code(0).json();
    assert_eq!(listed[0]["name"], "with-vpc");
    // What is there is replaced only when that is meant.
    project.iacsh(&["sandbox", "load", "with-vpc"]).code(77);
    project.iacsh(&["sandbox", "load", "with-vpc", "--yes"]).code(0);
    project.iacsh(&["sandbox", "save", "../out"]).code(64);
}

#[test]
fn without_time_everything_is_there_at_once() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml") + "\n[sandbox]\ntime_scale = 0\n";
    project.write("environments/sandbox.toml", &file);
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("http://");
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("no changes");
    project.iacsh(&["scripts/destroy.rhai", "--yes"]).code(0);
}

#[test]
fn a_wait_has_the_bound_that_the_environment_sets() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml");
    let slow = "\n[sandbox]\ntime_scale = 1\n\n[waits]\n";
    project.write("environments/sandbox.toml", &format!("{file}{slow}resource = \"1s\"\n"));
    project
        .iacsh(&["scripts/redis.rhai"])
        .code(1)
        .says("replication-group/redis took longer than 1.0 s: ")
        .says("raise the bound in [waits]");
    // Of one kind, and the run goes on waiting for what is there.
    let kind = format!("{file}{slow}resource = \"20m\"\nkinds = {{ replication_group = \"500ms\" }}\n");
    project.write("environments/sandbox.toml", &kind);
    let ran = project
        .iacsh(&["scripts/redis.rhai", "-v"])
        .code(1)
        .says("took longer than 0.5 s: ");
    assert!(!ran.err.contains("CreateReplicationGroup"), "{ran}");
}
