//! `scripts/drift.rhai`: what was changed behind the scripts' back, for a nightly job.

use crate::project::Project;

#[test]
fn a_nightly_job_sees_what_was_changed_and_writes_nothing() {
    let project = Project::new();
    project
        .iacsh(&["scripts/drift.rhai"])
        .code(0)
        .says("The environment is not there");
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    project
        .iacsh(&["scripts/drift.rhai"])
        .code(0)
        .says("Nothing was changed behind the scripts' back");

    let by_hand = "logs::ensure_log_group(#{ name: \"identityserver\", retention_days: 1 })";
    project.iacsh(&["-c", by_hand]).code(0);
    for _ in 0..2 {
        // The second time as well: nothing was put right.
        project
            .iacsh(&["scripts/drift.rhai"])
            .code(2)
            .says("log-group/identityserver")
            .says("retention_days");
    }
    let told = project.iacsh(&["scripts/drift.rhai", "--json"]).code(2).json();
    assert_eq!(told["result"][0]["field"], "retention_days", "{told}");
    assert_eq!(told["result"][0]["found"], "1 days", "{told}");
    assert_eq!(told["resources"], serde_json::json!([]), "{told}");

    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("1 changed");
    project.iacsh(&["scripts/drift.rhai"]).code(0);
}

#[test]
fn what_is_left_to_somebody_else_is_told() {
    let project = Project::new();
    let script = |keep: &str| {
        let text = format!("logs::ensure_log_group(#{{ name: \"web\", retention_days: 30{keep} }});\n");
        project.write("scripts/own.rhai", &text);
    };
    script("");
    project.iacsh(&["scripts/own.rhai"]).code(0);
    let by_hand = "logs::ensure_log_group(#{ name: \"web\", retention_days: 1 })";
    project.iacsh(&["-c", by_hand]).code(0);
    script(", keep: [\"retention_days\"]");
    let told = "log-group/web: left as it is, as `keep` says: retention_days is 1 days, the script says 30 days";
    project.iacsh(&["scripts/own.rhai"]).code(0).says(told);
    let planned = project.iacsh(&["scripts/own.rhai", "--plan"]).code(0);
    planned.says("left as it is, as `keep` says: retention_days is 1 days");
    let groups = project.iacsh(&["--json", "-c", "logs::log_groups()"]).code(0).json();
    assert_eq!(groups[0]["retention_days"], 1, "{groups}");
    // Nobody else any more.
    script("");
    project.iacsh(&["scripts/own.rhai"]).code(0).says("1 changed");
}
