use super::run;
use super::world::{fails, told, world};

#[test]
fn an_error_shows_its_line_and_the_chain_of_calls() {
    let world = world(&[
        (
            "scripts/main.rhai",
            "import \"lib\" as lib;\nfn f(x) {\n    lib::outer(x)\n}\nstep(\"First\", || f(2));\n",
        ),
        (
            "stdlib/lib.rhai",
            "// One\nfn outer(x) {\n    inner(x)\n}\nfn inner(x) {\n    x + #{}\n}\n",
        ),
    ]);
    assert_eq!(
        told(&world.file("scripts/main.rhai", &[]).unwrap_err()),
        "1: `+` does not work on a whole number and a map
  at stdlib/lib.rhai:6:7: x + #{}
  in inner, called at stdlib/lib.rhai:3:5
  in outer, called at scripts/main.rhai:3:10
  in f, called at scripts/main.rhai:5:18
  in step \"First\", called at scripts/main.rhai:5:1"
    );
}

#[test]
fn endless_recursion_is_an_error_and_no_crash() {
    let error = fails("fn f(x) { f(x + 1) + 1 }\nf(1)");
    assert_eq!(
        error,
        "1: endless recursion: 400 calls inside each other\n  at -c:2:1: f(1)\n  \
         hint: a function calls itself, perhaps by way of others, and never stops"
    );
    // Through natives, and in threads of their own.
    let error = fails("fn f(x) { par_map([1], |y| f(y)) }\nf(1)");
    assert!(error.starts_with("1: endless recursion"), "{error}");
    let error = fails("fn f(x) { step(\"s\", || f(x)) }\nf(1)");
    assert!(error.starts_with("1: endless recursion"), "{error}");
}

#[test]
fn a_native_error_keeps_its_exit_code_and_gets_its_line() {
    assert_eq!(
        fails("fn f() {\n  variable(\"NONE\")\n}\nf();"),
        "78: the variable NONE is not set\n  at -c:2:3: variable(\"NONE\")\n  in f, called at -c:4:1"
    );
}

#[test]
fn what_failed_in_the_background_is_told_once_with_its_own_line() {
    let error = fails("let w = things::ensure_widget(#{ name: \"bad\" });\nlet x = w.id;\nprint(x);");
    assert_eq!(
        error,
        "1: widget/bad: no room for another widget\n  at -c:1:17: let w = things::ensure_widget(#{ name: \"bad\" });"
    );
    // Nobody needed it: it is told all the same, and so is the other one.
    let error = fails("things::ensure_widget(#{ name: \"bad-a\" });\nthings::ensure_widget(#{ name: \"bad-b\" });\n1");
    assert!(
        error.contains("widget/bad-a: no room") && error.contains("widget/bad-b: no room"),
        "{error}"
    );
}

#[test]
fn catch_sees_the_fields_of_an_error_and_throw_passes_it_on() {
    let caught = r#"
        let told = ();
        try { wait(things::ensure_widget(#{ name: "other", links: [variable("NONE")] })); }
        catch (e) { told = e.message + "|" + e.line + "|" + type_of(e); }
        told
    "#;
    assert_eq!(run(caught).unwrap().to_string(), "the variable NONE is not set|3|error");
    let thrown = fails("try {\n variable(\"NONE\");\n} catch (e) {\n throw e;\n}");
    assert!(
        thrown.starts_with("78: the variable NONE is not set\n  at -c:2:2"),
        "{thrown}"
    );
    let own = fails("throw #{ code: \"E1\", message: \"the cache is cold\", hint: \"warm it\" };");
    assert!(own.starts_with("1: the cache is cold\n  at -c:1:1"), "{own}");
    assert!(own.ends_with("note: code: E1\n  hint: warm it"), "{own}");
    assert!(fails("throw \"no\";").starts_with("1: no\n  at -c:1:1"));
    assert_eq!(
        run("let c = 0; try { throw #{ code: 7 }; } catch (e) { c = e.code; } c")
            .unwrap()
            .to_string(),
        "7"
    );
}

#[test]
fn type_errors_are_in_human_words() {
    let error = fails("if \"x\" { 1 }");
    assert!(
        error.starts_with("65: true or false is expected here, not text\n  at -c:1:4"),
        "{error}"
    );
    let error = fails("if things::ensure_widget(#{ name: \"a\" }).id { 1 }");
    assert!(
        error.starts_with("1: true or false is expected here, not text\n  at -c:1:"),
        "{error}"
    );
    assert!(fails("let m = #{ a: 1 };\nm.b").starts_with("1: there is no `b` here\n  at -c:2:3"));
    assert!(
        fails("let l = [1];\nl[3]").starts_with("1: there is no item 3: the list has 1, counted from 0\n  at -c:2:")
    );
    assert!(
        fails("let w = things::ensure_widget(#{ name: \"a\" });\nw.adress")
            .contains("1: a widget has no field `adress`\n  at -c:2:2: w.adress\n  hint: did you mean `address`?")
    );
    assert!(fails("1 - \"x\"").starts_with("1: `-` does not work on a whole number and text"));
    assert!(fails("\"abc\".sub_string([])").starts_with("1: `sub_string` cannot be called with (text, a list)"));
    assert!(fails("things::describe(|| 1)").starts_with("1: a function cannot be passed on from the script"));
}

#[test]
fn a_bug_of_ours_is_an_error() {
    let error = fails("things::crash()");
    assert!(error.starts_with("1: a bug in iacsh: ******** boom"), "{error}");
}

#[test]
fn options_that_only_a_run_can_know_are_checked_when_it_knows_them() {
    let error = fails("let o = #{ name: \"a\", sise: 3 };\nthings::ensure_widget(o);");
    assert_eq!(
        error,
        "1: things::ensure_widget: unknown key `sise`\n  at -c:2:9: things::ensure_widget(o);\n  \
         hint: did you mean `size`?"
    );
    let error = fails("let n = 3;\nthings::ensure_widget(#{\n  name: \"a\",\n  parts: [#{ port: \"x\" + n }]\n});");
    assert_eq!(
        error,
        "1: things::ensure_widget: `parts.0.port`: whole number is expected here, not text\n  \
         at -c:4:14: parts: [#{ port: \"x\" + n }]"
    );
}
