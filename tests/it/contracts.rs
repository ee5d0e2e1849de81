//! `contracts::list`: what scripts hand on to each other, and what is missing.

use crate::project::Project;

fn contract(project: &Project, name: &str) -> serde_json::Value {
    let listed = project.iacsh(&["--json", "-c", "contracts::list()"]).code(0).json();
    let rows = listed.as_array().cloned().unwrap_or_default();
    let found = rows.into_iter().find(|row| row["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {listed:#}"))
}

#[test]
fn contracts_tell_who_publishes_them_and_which_are_missing() {
    let project = Project::new();
    let missing = contract(&project, "redis.endpoint");
    assert_eq!(missing["state"], "missing");
    assert_eq!(missing["looked_up_by"], serde_json::json!(["scripts/ecs.rhai"]));
    assert_eq!(contract(&project, "identityserver.url")["state"], "not published");

    project.iacsh_with(&["scripts/redis.rhai"], &[("USER", "anna")]).code(0);
    let published = contract(&project, "redis.endpoint");
    let told = ["state", "section", "by"].map(|key| published[key].as_str().unwrap_or_default().to_owned());
    assert_eq!(told, ["published", "redis", "anna"]);
    assert!(
        published["value"]
            .as_str()
            .is_some_and(|value| value.contains("cache.amazonaws.com"))
    );
    let scripts = ["scripts/recreate.rhai", "scripts/redis.rhai"];
    assert_eq!(published["published_by"], serde_json::json!(scripts));

    // At the prompt, by nobody's script; a secret's value is not told.
    let text = "publish(\"own.word\", variable(\"OWN_WORD\"))";
    project
        .iacsh_with(&["-c", text], &[("OWN_WORD", "hunter2hunter2")])
        .code(0);
    let own = contract(&project, "own.word");
    assert_eq!(
        (&own["state"], &own["value"]),
        (&"left over".into(), &"********".into())
    );
    let told = project.iacsh(&["-c", "contracts::list()"]).code(0).says("left over");
    assert!(!told.out.contains("hunter2") && !told.err.contains("hunter2"), "{told}");
}

#[test]
fn a_plan_sees_what_its_own_run_would_publish() {
    let project = Project::new();
    let script = |value: &str| {
        let text = format!("publish(\"a\", \"{value}\");\nprint(`it is ${{lookup(\"a\")}}`);\n");
        project.write("scripts/a.rhai", &text);
    };
    script("first");
    project.iacsh(&["scripts/a.rhai", "--plan"]).code(2).says("it is first");
    project.iacsh(&["scripts/a.rhai"]).code(0).says("it is first");
    script("second");
    project
        .iacsh(&["scripts/a.rhai", "--plan"])
        .code(2)
        .says("it is second");
    project.iacsh(&["-c", "lookup(\"a\")"]).code(0).says("first");
}
