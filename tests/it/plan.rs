//! Plans: what they say, that they write nothing, and runs that are held to one.

use crate::project::{Project, Ran};

fn plan(project: &Project, more: &[&str]) -> Ran {
    project.iacsh(&[&["scripts/recreate.rhai", "--plan"], more].concat())
}

fn rows(project: &Project, expression: &str) -> usize {
    let listed = project.iacsh(&["--json", "-c", expression]).code(0).json();
    listed.as_array().map(Vec::len).unwrap_or_default()
}

/// What the plan would do with a resource.
fn action(plan: &serde_json::Value, label: &str) -> serde_json::Value {
    let actions = plan["actions"].as_array().expect("actions");
    let is = |action: &&serde_json::Value| {
        format!(
            "{}/{}",
            action["kind"].as_str().unwrap_or_default(),
            action["name"].as_str().unwrap_or_default()
        ) == label
    };
    actions.iter().find(is).cloned().unwrap_or_default()
}

#[test]
fn a_plan_from_nothing_says_everything_and_writes_nothing() {
    let project = Project::new();
    plan(&project, &[])
        .code(2)
        .says("+ create vpc/main")
        .says("cidr: 10.0.0.0/16")
        .says("vpc: (known after apply)")
        .says("value: http://(known after apply)")
        .says("value: ********")
        .says("> run migrations/IdentityServer")
        .says("apply 0001_identityserver_resources.sql")
        .says("create client shop")
        .says("2 to run");
    for listing in [
        "ec2::vpcs()",
        "ssm::parameters()",
        "secrets::secrets()",
        "iam::roles()",
        "ecr::repositories()",
    ] {
        assert_eq!(rows(&project, listing), 0, "{listing}");
    }
    project
        .iacsh(&["-c", "mssql::databases(mssql::connect())", "--json"])
        .code(0);
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let after = plan(&project, &["--json"]).code(0).json();
    assert_eq!(after["summary"], "nothing to change");
    assert_eq!(after["horizon"], serde_json::Value::Null);
}

#[test]
fn what_differs_is_told_with_its_class() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let file = project.read("environments/sandbox.toml");
    let changed = file.replace("image = \"identity:1.0\"", "image = \"identity:2.0\"\ncount = 2")
        + "\n[redis]\nnode_type = \"cache.t4g.small\"\n";
    project.write("environments/sandbox.toml", &changed);
    let planned = plan(&project, &["--json"]).code(2).json();
    let redis = action(&planned, "replication-group/redis");
    assert_eq!(redis["action"], "change", "{redis}");
    assert_eq!(redis["changes"][0]["field"], "node_type");
    assert_eq!(redis["changes"][0]["class"], "interrupting");
    assert_eq!(action(&planned, "task-definition/identityserver")["action"], "change");
    // The next revision has an ARN that only a run knows.
    let service = action(&planned, "service/identityserver");
    assert_eq!(service["changes"][0]["to"], "(known after apply)", "{service}");
    plan(&project, &[])
        .code(2)
        .says("node_type: cache.t4g.micro -> cache.t4g.small  (interrupts)");
    let markdown = plan(&project, &["--markdown"]).code(2);
    assert!(
        markdown.out.starts_with("### Plan for identity sandbox: "),
        "{markdown}"
    );
    markdown.says("```diff").says("! change replication-group/redis");
}

#[test]
fn a_plan_ends_where_the_script_decides_by_what_nobody_knows() {
    let project = Project::new();
    project.write(
        "scripts/decides.rhai",
        "let vpc = ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" });\n\
         print(vpc.id);\n\
         try {\n    if vpc.id == \"vpc-1\" { print(\"one\"); }\n} catch { print(\"caught\"); }\n\
         logs::ensure_log_group(#{ name: \"later\" });\n",
    );
    let ran = project.iacsh(&["scripts/decides.rhai", "--plan"]).code(2);
    let ran = ran
        .says("(known after apply)")
        .says("vpc/main.id is known only after a run")
        .says("scripts/decides.rhai:4:");
    assert!(!ran.out.contains("caught") && !ran.out.contains("later"), "{ran}");

    // A run that is held to it asks for what lies behind, and does it when the answer is yes.
    project
        .iacsh(&["scripts/decides.rhai", "--plan", "--out", "plan.json"])
        .code(2);
    project
        .iacsh(&["scripts/decides.rhai", "--expect", "plan.json"])
        .code(77)
        .says("log-group/later");
    assert_eq!(
        (rows(&project, "ec2::vpcs()"), rows(&project, "logs::log_groups()")),
        (1, 0)
    );
    project
        .iacsh(&["scripts/decides.rhai", "--expect", "plan.json", "--yes"])
        .code(0);
    assert_eq!(rows(&project, "logs::log_groups()"), 1);
}

#[test]
fn a_run_that_is_held_to_a_plan_does_that_and_nothing_else() {
    let project = Project::new();
    plan(&project, &["--out", "plan.json"])
        .code(2)
        .says("kept in plan.json");
    let kept = project.read("plan.json");
    assert!(kept.contains("\"********\"") || !kept.contains("Password="), "{kept}");
    project
        .iacsh(&["scripts/recreate.rhai", "--expect", "plan.json"])
        .code(0);
    // Again it is done already, and that is no difference.
    project
        .iacsh(&["scripts/recreate.rhai", "--expect", "plan.json"])
        .code(0)
        .says("no changes");

    let file = project.read("environments/sandbox.toml");
    project.write(
        "environments/sandbox.toml",
        &(file.clone() + "\n[redis]\nreplicas = 1\n"),
    );
    plan(&project, &["--out", "plan.json"]).code(2);
    project.write("environments/sandbox.toml", &(file + "\n[redis]\nreplicas = 2\n"));
    project
        .iacsh(&["scripts/recreate.rhai", "--expect", "plan.json", "--yes"])
        .code(77)
        .says("replication-group/redis: changing it is not what plan.json says")
        .says("the plan says: change (")
        .says("make the plan again");
    let caches = project
        .iacsh(&["--json", "-c", "elasticache::replication_groups()"])
        .json();
    assert_eq!(caches[0]["replicas"], 0, "{caches}");

    project.write("environments/other.toml", &project.read("environments/sandbox.toml"));
    project
        .iacsh(&["scripts/recreate.rhai", "--env", "other", "--expect", "plan.json"])
        .code(77)
        .says("is a plan for identity sandbox");
    project.write("plan.json", "{}");
    project
        .iacsh(&["scripts/recreate.rhai", "--expect", "plan.json"])
        .code(65)
        .says("is no plan");
}

/// Each action of its own kind: what is made, called, renamed and deleted.
#[test]
fn what_changed_since_the_plan_stops_the_run() {
    let project = Project::new();
    let script = |text: &str| project.write("scripts/own.rhai", text);
    let own = |more: &[&str]| project.iacsh(&[&["scripts/own.rhai"], more].concat());
    script("wait(logs::ensure_log_group(#{ name: \"one\", retention_days: 30 }));\n");
    own(&["--plan", "--out", "plan.json"]).code(2);
    // Made of something else.
    script("wait(logs::ensure_log_group(#{ name: \"one\", retention_days: 90 }));\n");
    own(&["--expect", "plan.json", "--yes"])
        .code(77)
        .says("log-group/one: creating it is not what plan.json says")
        .says("the plan says: retention_days: 30")
        .says("now it is: retention_days: 90")
        .says("scripts/own.rhai:1:");
    script("wait(logs::ensure_log_group(#{ name: \"one\" }));\n");
    own(&["--expect", "plan.json", "--yes"])
        .code(77)
        .says("the plan says: retention_days: 30");
    assert_eq!(rows(&project, "logs::log_groups()"), 0);
    // Nothing more than that, and what was there is not what was to be made.
    script(
        "wait(logs::ensure_log_group(#{ name: \"one\", retention_days: 30 }));\n\
         wait(logs::ensure_log_group(#{ name: \"two\" }));\n",
    );
    own(&["--expect", "plan.json", "--yes"])
        .code(77)
        .says("log-group/two: creating it is not in plan.json")
        .says("scripts/own.rhai:2:");
    assert_eq!(rows(&project, "logs::log_groups()"), 1);
    script("logs::ensure_log_group(#{ name: \"one\", retention_days: 90 });\n");
    own(&["--expect", "plan.json", "--yes"])
        .code(77)
        .says("log-group/one: changing it is not what plan.json says");

    // A name.
    script("ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" });\n");
    own(&[]).code(0);
    own(&["--plan", "--out", "plan.json"]).code(0);
    script("moved(\"vpc/main\", \"vpc/other\");\nec2::ensure_vpc(#{ name: \"other\", cidr: \"10.0.0.0/16\" });\n");
    own(&["--expect", "plan.json", "--yes"])
        .code(77)
        .says("is not in plan.json");
    assert_eq!(rows(&project, "ec2::vpcs().filter(|vpc| vpc.name == \"main\")"), 1);

    // A destroy.
    project.iacsh(&["destroy", "--plan", "--out", "gone.json"]).code(2);
    project
        .iacsh(&["-c", "logs::ensure_log_group(#{ name: \"late\" })"])
        .code(0);
    project
        .iacsh(&["destroy", "--yes", "--expect", "gone.json"])
        .code(77)
        .says("log-group/late: deleting it is not in gone.json");
    assert_eq!(rows(&project, "logs::log_groups()"), 1);
    assert_eq!(rows(&project, "ec2::vpcs()"), 0);
}

#[test]
fn a_migration_and_a_client_that_no_plan_has_seen_are_not_run() {
    let project = Project::new();
    let parts = "import \"database\" as database;\nlet db = database::ensure();\n\
                 migrate::up(db, \"migrations\");\nidentity::apply(db, \"clients\");\n";
    project.write("scripts/parts.rhai", parts);
    project
        .iacsh(&["scripts/parts.rhai", "--plan", "--out", "plan.json"])
        .code(2);
    project.write(
        "migrations/0004_extra.sql",
        "CREATE TABLE dbo.Extra (Id INT NOT NULL);\nGO\n",
    );
    project
        .iacsh(&["scripts/parts.rhai", "--expect", "plan.json", "--yes"])
        .code(77)
        .says("migrations/IdentityServer")
        .says("now it is: apply 0004_extra.sql")
        .says("scripts/parts.rhai:3:");
    let databases = "mssql::databases(mssql::connect()).filter(|one| one.name == \"IdentityServer\")";
    assert_eq!(rows(&project, databases), 0, "nothing was run");
    std::fs::remove_file(project.path().join("migrations/0004_extra.sql")).expect("it goes again");

    let worker = project.read("clients/orders-worker.toml");
    project.write("clients/more.toml", &worker.replace("orders-worker", "more"));
    project
        .iacsh(&["scripts/parts.rhai", "--expect", "plan.json", "--yes"])
        .code(77)
        .says("now it is: create client more")
        .says("scripts/parts.rhai:4:");
    std::fs::remove_file(project.path().join("clients/more.toml")).expect("it goes again");
    // The migrations were run meanwhile: what is done already is no difference.
    project.iacsh(&["scripts/parts.rhai", "--expect", "plan.json"]).code(0);
}

#[test]
fn a_destroy_is_planned_too() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    for args in [&["destroy", "--plan"][..], &["scripts/destroy.rhai", "--plan"]] {
        project
            .iacsh(args)
            .code(2)
            .says("- delete vpc/main")
            .says("= keep secret/redis-token");
    }
    assert_eq!(rows(&project, "ec2::vpcs()"), 1);
    project
        .iacsh(&[
            "-c",
            "environment::destroy(); ec2::ensure_vpc(#{ name: \"a\", cidr: \"10.0.0.0/16\" })",
            "--plan",
        ])
        .code(2)
        .says("known only after a run");
    project.iacsh(&["destroy", "--yes"]).code(0);
    project.iacsh(&["destroy", "--plan"]).code(0);
}

#[test]
fn what_the_script_no_longer_names_is_told_and_goes_with_prune() {
    let project = Project::new();
    let both = "logs::ensure_log_group(#{ name: \"one\" });\nlogs::ensure_log_group(#{ name: \"two\" });\n";
    let one = "logs::ensure_log_group(#{ name: \"one\" });\n";
    project.write("scripts/own.rhai", both);
    project.iacsh(&["scripts/own.rhai"]).code(0);
    project.write("scripts/own.rhai", one);
    let left = "log-group/two";
    project
        .iacsh(&["scripts/own.rhai", "--plan"])
        .code(0)
        .says(left)
        .says("no longer in the script: --prune deletes it");
    project
        .iacsh(&["scripts/own.rhai"])
        .code(0)
        .says("no longer in the script");
    assert_eq!(rows(&project, "logs::log_groups()"), 2);
    project
        .iacsh(&["scripts/own.rhai", "--plan", "--prune"])
        .code(2)
        .says(&format!("- delete {left}"));
    // Nobody is there to be asked.
    let declined = project.iacsh(&["scripts/own.rhai", "--prune"]).code(77);
    assert!(!declined.out.contains("deleted"), "{declined}");
    assert_eq!(rows(&project, "logs::log_groups()"), 2);
    project
        .iacsh(&["scripts/own.rhai", "--prune", "--yes"])
        .code(0)
        .says("deleted");
    assert_eq!(rows(&project, "logs::log_groups()"), 1);
    project.iacsh(&["scripts/own.rhai"]).code(0).says("no changes");
}

/// A run that did not get to its end says nothing of what it did not get to.
#[test]
fn a_run_that_was_cut_off_gives_nothing_up() {
    let project = Project::new();
    let (one, two) = (
        "wait(logs::ensure_log_group(#{ name: \"one\" }));\n",
        "logs::ensure_log_group(#{ name: \"two\" });\n",
    );
    project.write("scripts/own.rhai", &[one, two].concat());
    project.iacsh(&["scripts/own.rhai"]).code(0);
    for (end, code) in [("throw \"broken\";\n", 1), ("exit(3);\n", 3)] {
        project.write("scripts/own.rhai", &[one, end, two].concat());
        let ran = project.iacsh(&["scripts/own.rhai", "--prune", "--yes"]).code(code);
        assert!(!format!("{ran}").contains("log-group/two"), "{ran}");
    }
    // A plan ends where it cannot see.
    let unseen = "if ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" }).id == \"x\" { }\n";
    project.write("scripts/own.rhai", &[one, unseen].concat());
    let planned = project.iacsh(&["scripts/own.rhai", "--plan", "--prune"]).code(2);
    assert!(!format!("{planned}").contains("log-group/two"), "{planned}");
    assert_eq!(rows(&project, "logs::log_groups()"), 2);
}

#[test]
fn a_part_does_not_give_up_what_the_whole_has() {
    let project = Project::new();
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    for script in ["ecs", "redis", "migrate", "clients", "recreate"] {
        let script = format!("scripts/{script}.rhai");
        let ran = project.iacsh(&[&script, "--prune", "--yes"]).code(0);
        assert!(!format!("{ran}").contains("no longer in the script"), "{script}: {ran}");
    }
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("no changes");

    // Nor does one that calls a part of a library.
    project.write(
        "stdlib/groups.rhai",
        "fn one() { logs::ensure_log_group(#{ name: \"one\" }); }\nfn two() { logs::ensure_log_group(#{ name: \"two\" }); }\n",
    );
    let import = "import \"groups\" as groups;\ngroups::one();\n";
    project.write("scripts/both.rhai", &format!("{import}groups::two();\n"));
    project.write("scripts/half.rhai", import);
    project.iacsh(&["scripts/both.rhai"]).code(0).says("2 created");
    let ran = project.iacsh(&["scripts/half.rhai", "--prune", "--yes"]).code(0);
    assert!(!format!("{ran}").contains("no longer in the script"), "{ran}");
    project.iacsh(&["scripts/both.rhai"]).code(0).says("no changes");
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    let project = Project::new();
    for (args, says) in [
        (&["--plan"][..], "`--plan` needs a script or destroy"),
        (&["scripts/recreate.rhai", "--plan", "--step"], "exclude each other"),
        (&["scripts/recreate.rhai", "--out", "x"], "`--out` belongs to `--plan`"),
        (
            &["scripts/recreate.rhai", "--plan", "--json", "--markdown"],
            "exclude each other",
        ),
    ] {
        project.iacsh(args).code(64).says(says);
    }
}

#[test]
fn what_a_plan_may_not_see_is_never_said_to_be_nothing() {
    let project = Project::new();
    project.iacsh(&["scripts/redis.rhai"]).code(0);
    let redis = ["scripts/redis.rhai", "--plan"];
    project.iacsh(&redis).code(0).says("nothing to change");
    project.iacsh(&["-c", "sandbox::deny(\"tag:GetResources\")"]).code(0);

    let ran = project
        .iacsh(&redis)
        .code(2)
        .says("The plan could not see")
        .says("whether anything is there that is no longer in the script: tag:GetResources: ")
        .says("nothing to change, as far as it can be seen");
    assert!(ran.out.contains("The plan could not see"), "{ran}");
    let document = project.iacsh(&[&redis[..], &["--json"]].concat()).code(2).json();
    let unseen = document["unseen"].as_array().expect("what was not seen");
    assert_eq!(unseen.len(), 1, "{document:#}");
    let needed = "the credentials in use need the permission tag:GetResources";
    assert!(
        unseen[0].as_str().is_some_and(|unseen| unseen.ends_with(needed)),
        "{unseen:?}"
    );
    project
        .iacsh(&[&redis[..], &["--markdown"]].concat())
        .code(2)
        .says("**The plan could not see** whether anything");

    // A run has done what it was asked for, unless it was asked for that.
    project
        .iacsh(&["scripts/redis.rhai"])
        .code(0)
        .says("It could not be seen whether anything is there that is no longer in the script");
    project
        .iacsh(&["scripts/redis.rhai", "--prune", "--yes"])
        .code(78)
        .says("--prune: tag:GetResources");
}

#[test]
fn what_a_plan_could_not_see_is_asked_for_in_the_run_that_is_held_to_it() {
    let project = Project::new();
    let kept = "logs::ensure_log_group(#{ name: \"app\" });\n";
    let more = "ecs::ensure_cluster(#{ name: \"more\" });\n";
    project.write("scripts/two.rhai", &format!("{kept}{more}"));
    project.iacsh(&["scripts/two.rhai"]).code(0);
    project.write("scripts/two.rhai", kept);
    let plan = ["scripts/two.rhai", "--prune", "--plan", "--out", "plan.json"];
    project.iacsh(&["-c", "sandbox::deny(\"tag:GetResources\")"]).code(0);
    project.iacsh(&plan).code(2).says("The plan could not see");
    project.iacsh(&["-c", "sandbox::clear()"]).code(0);

    let run = ["scripts/two.rhai", "--prune", "--expect", "plan.json"];
    project.iacsh(&run).code(77);
    assert_eq!(rows(&project, "ecs::clusters()"), 1);
    // A person says yes, to the deletion and to what the plan did not have.
    project.iacsh(&[&run[..], &["--yes"]].concat()).code(0).says("deleted");
    assert_eq!(rows(&project, "ecs::clusters()"), 0);
}
