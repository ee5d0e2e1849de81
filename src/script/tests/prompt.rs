use super::world::{parts, told};
use crate::repl::{Completeness, Evaluator, Outcome};
use crate::script::Prompt;

struct Session {
    prompt: Prompt,
    root: tempfile::TempDir,
    // The gate closes when its sender is dropped.
    _gate: tokio::sync::watch::Sender<bool>,
}

fn session() -> Session {
    let (engine, context, (_, _, gate, root)) = parts(&[("stdlib/lib.rhai", "fn f(x) { x + 1 }")], None);
    gate.send_replace(true);
    Session {
        prompt: Prompt::new(engine, context),
        root,
        _gate: gate,
    }
}

impl Session {
    fn say(&mut self, line: &str) -> String {
        match self.prompt.evaluate(line) {
            Outcome::Value(value) => value.to_string(),
            Outcome::Failed(error) => told(&error),
            Outcome::Exit(code) => format!("exit {code}"),
        }
    }

    fn offers(&self, line: &str) -> Vec<String> {
        let (start, found) = self.prompt.candidates(line, line.len());
        found
            .into_iter()
            .map(|found| format!("{}{}", &line[..start], found.replacement))
            .collect()
    }
}

#[test]
fn what_a_line_makes_is_there_in_the_next() {
    let mut session = session();
    assert_eq!(session.say("let x = 2"), "");
    assert_eq!(session.say("x * 3"), "6");
    assert_eq!(session.say("last + 1"), "7");
    assert_eq!(session.say("out[0] + out[1]"), "13");
    assert_eq!(session.say("fn g(a) { a * 10 }"), "");
    assert_eq!(session.say("g(x)"), "20");
    assert_eq!(session.say("fn g(a) { a * 100 }"), "");
    assert_eq!(session.say("g(x)"), "200");
    assert_eq!(session.say("import \"lib\" as lib"), "");
    assert_eq!(session.say("lib::f(x)"), "3");
    assert_eq!(session.say("fn h() { lib::f(5) }"), "");
    assert_eq!(session.say("h()"), "6");
    assert_eq!(session.say("let c = |a| a + x"), "");
    assert_eq!(session.say("x = 40; c.call(2)"), "42");
    // A file that has changed is read again when it is imported again.
    std::fs::write(session.root.path().join("stdlib/lib.rhai"), "fn f(x) { x + 2 }").unwrap();
    assert_eq!(session.say("import \"lib\" as lib"), "");
    assert_eq!(session.say("lib::f(1)"), "3");
    let names: Vec<_> = session.prompt.variables().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x", "c"]);
    assert_eq!(session.say("exit(5)"), "exit 5");
}

#[test]
fn a_failure_does_not_end_the_session() {
    let mut session = session();
    assert!(session.say("let y = ;").starts_with("65: "));
    assert!(
        session
            .say("nothing()")
            .starts_with("65: there is no function `nothing`")
    );
    assert!(session.say("things::crash()").starts_with("1: a bug in iacsh"));
    assert!(
        session
            .say("fn r(x) { r(x) + 1 } r(1)")
            .starts_with("1: endless recursion")
    );
    assert!(
        session
            .say("things::ensure_widget(#{ name: \"bad\" })")
            .starts_with("1: widget/bad: no room")
    );
    assert!(
        session
            .say("z")
            .starts_with("1: there is no variable `z`\n  at prompt:1:1: z")
    );
    assert_eq!(
        session.say("let w = things::ensure_widget(#{ name: \"slow\" }); 1"),
        "1"
    );
    assert_eq!(session.say("w.id"), "w-slow");
    assert!(
        session.say("let a = 1;\nw.idd").contains("at prompt:2:2: w.idd"),
        "{}",
        session.say("w.idd")
    );
    assert_eq!(session.say("a"), "1");
}

#[test]
fn more_lines_are_asked_for_where_they_are_missing() {
    let session = session();
    let ask = |text: &str| session.prompt.complete_input(text);
    for text in [
        "f(1,",
        "let x =",
        "fn f() {",
        "#{ a: 1",
        "`abc",
        "`a${ b",
        "/* x",
        "1 +",
        "if true {\n 1",
        "\"a\" +\n",
    ] {
        assert_eq!(ask(text), Completeness::Incomplete, "{text}");
    }
    for text in [
        "",
        "1",
        "f(1))",
        "let x = 1;",
        "\"abc",
        "`a`",
        "/* x */",
        "let = 3",
        "`a${\"}\"}`",
        "fn f() { 1 }",
    ] {
        assert_eq!(ask(text), Completeness::Complete, "{text}");
    }
}

#[test]
fn completion_knows_names_functions_fields_and_options() {
    let mut session = session();
    session.say("let widget_one = things::ensure_widget(#{ name: \"a\" }); let m = #{ colour: #{ red: 1 } };");
    session.say("import \"lib\" as lib");
    assert_eq!(session.offers("wid"), ["widget_one"]);
    assert_eq!(session.offers("1 + thi"), ["1 + things::"]);
    assert_eq!(session.offers("things::ens"), ["things::ensure_widget("]);
    assert_eq!(session.offers("lib::"), ["lib::f("]);
    assert_eq!(session.offers("widget_one.a"), ["widget_one.address"]);
    assert_eq!(session.offers("m.colour.r"), ["m.colour.red"]);
    assert_eq!(
        session.offers("things::ensure_widget(#{ name: \"a\", s"),
        ["things::ensure_widget(#{ name: \"a\", size: "]
    );
    assert!(
        session
            .offers("things::ensure_widget(#{ name: wid")
            .contains(&"things::ensure_widget(#{ name: widget_one".into())
    );
    assert_eq!(session.offers("import \"net"), ["import \"network"]);
    assert_eq!(session.offers("é.x"), [""; 0]);
}
