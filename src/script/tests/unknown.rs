//! What a plan does not know, where a script decides by it.

use super::world::{planned, told};

/// The end of a plan whose widget is not there yet.
fn ends(script: &str) -> String {
    let widget = "let w = things::ensure_widget(#{ name: \"w\" });\nlet given = things::describe(w.id);\n";
    told(
        &planned(&format!("{widget}{script}"))
            .map(|finished| finished.value.to_string())
            .unwrap_err(),
    )
}

#[test]
fn a_plan_ends_where_a_script_decides_by_what_a_call_would_give() {
    for (script, because) in [
        (
            "if given { 1 } else { 2 }",
            "what is decided by here is known only after a run",
        ),
        ("while given { 1 }", "what is decided by here is known only after a run"),
        (
            "let both = true && given;",
            "what is decided by here is known only after a run",
        ),
        (
            "if given.ready || true { 1 }",
            "what is decided by here is known only after a run",
        ),
        ("if !given { 1 }", "things::describe(...) is known only after a run"),
        (
            "let half = given / 2;",
            "things::describe(...) is known only after a run",
        ),
        (
            "let more = 10 - given.count;",
            "things::describe(...).count is known only after a run",
        ),
        (
            "for one in given { print(1); }",
            "things::describe(...) is known only after a run",
        ),
        (
            "if given[0] == 1 { 1 }",
            "things::describe(...)[0] is known only after a run",
        ),
    ] {
        let told = ends(script);
        assert!(told.starts_with(&format!("2: {because}\n  at ")), "{script}: {told}");
        assert!(told.contains(":3:") && told.contains(script), "{script}: {told}");
    }
}

#[test]
fn what_is_only_handed_on_does_not_end_a_plan() {
    let script = "let w = things::ensure_widget(#{ name: \"w\" });
let given = things::describe(w.id);
things::ensure_widget(#{ name: \"x\", links: [given[0].url, `${given}`] });
1";
    assert_eq!(planned(script).unwrap().value.to_string(), "1");
}

#[test]
fn a_mistake_is_told_as_one_outside_of_a_plan() {
    let told = super::world::fails("let w = things::ensure_widget(#{ name: \"w\" }); if w.id { 1 }");
    assert!(
        told.starts_with("1: true or false is expected here, not text"),
        "{told}"
    );
}
