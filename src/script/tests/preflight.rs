use super::world::{told, world};
use crate::script::Input;

/// What the check says of a text; nothing has run then.
fn refused(script: &str) -> String {
    let world = world(&[]);
    let text = Input::Text(format!("print(\"it runs\");\n{script}"));
    let error = world.shell.check(&text).map(|_| ()).unwrap_err();
    assert!(world.log.take().is_empty());
    told(&error)
}

#[test]
fn a_script_that_does_not_parse() {
    assert_eq!(
        refused("let x = ;"),
        "65: expecting expression\n  at -c:2:9: let x = ;".replace("expecting expression", "unexpected ';'")
    );
    assert!(refused("let x = 1\nlet y = 2;").starts_with("65: `;` is missing"));
    assert!(refused("let sync = 1;").contains("`sync` is a word of the language"));
    assert_eq!(
        refused("print(x);"),
        "65: there is no variable `x`\n  at -c:2:7: print(x);\n  hint: declare it first: let x = ...;"
    );
    assert_eq!(
        refused("let net = 1;\nfn f() { net }"),
        "65: there is no variable `net`\n  at -c:3:10: fn f() { net }\n  \
         hint: a function does not see the script's variables, and a block's end with it: pass it on"
    );
    assert!(refused("let a = \"x").contains("the text is not closed"));
    assert!(refused("eval(\"1\")").starts_with("65: "));
}

#[test]
fn unknown_functions_and_modules_name_the_nearest() {
    assert_eq!(
        refused("things::widgts()"),
        "65: there is no function `things::widgts`\n  at -c:2:9: things::widgts()\n  \
         hint: did you mean `things::widgets`?"
    );
    assert_eq!(
        refused("thing::widgets()"),
        "65: there is no module `thing`\n  at -c:2:1: thing::widgets()\n  hint: did you mean `things`?"
    );
    assert_eq!(
        refused("fn ensure_it() { 1 }\nensure_itt()"),
        "65: there is no function `ensure_itt`\n  at -c:3:1: ensure_itt()\n  hint: did you mean `ensure_it`?"
    );
    assert!(refused("things::widgets(1)").starts_with("65: `things::widgets` takes 0 arguments, not 1"));
    assert!(
        refused("[1].pus(2)")
            .contains("there is no method `pus`\n  at -c:2:5: [1].pus(2)\n  hint: did you mean `push`?")
    );
    assert!(refused("fn f(a) { a }\nf()").starts_with("65: `f` takes 1 argument, not 0"));
}

#[test]
fn imports_are_followed() {
    let files = [
        ("scripts/main.rhai", "import \"lib\" as lib;\nlib::ensrue();"),
        ("stdlib/lib.rhai", "fn ensure() {\n    nothing()\n}"),
        ("scripts/lost.rhai", "import \"rediss\" as redis;"),
        ("scripts/near.rhai", "import \"./far\" as far;"),
        ("scripts/a.rhai", "import \"./b\" as b;\nfn f() { 1 }"),
        ("scripts/b.rhai", "import \"./a\" as a;\nfn f() { 1 }"),
    ];
    let world = world(&files);
    let refused = |name: &str| told(&world.file(name, &[]).map(|_| ()).unwrap_err());
    assert_eq!(
        refused("scripts/main.rhai"),
        "65: there is no function `nothing`\n  at stdlib/lib.rhai:2:5: nothing()\n--\n\
         65: there is no function `lib::ensrue`\n  at scripts/main.rhai:2:6: lib::ensrue();\n  \
         hint: did you mean `lib::ensure`?"
    );
    assert_eq!(
        refused("scripts/lost.rhai"),
        "65: import \"rediss\": there is no stdlib/rediss.rhai\n  at scripts/lost.rhai:1:1: import \"rediss\" as redis;\n  \
         hint: did you mean \"redis\"?"
    );
    assert!(refused("scripts/near.rhai").starts_with("65: import \"./far\": there is no scripts/far.rhai\n"));
    assert!(
        refused("scripts/a.rhai")
            .starts_with("65: these import each other: scripts/a.rhai -> scripts/b.rhai -> scripts/a.rhai")
    );
    assert_eq!(refused("scripts/none.rhai"), "65: there is no file scripts/none.rhai");
}

#[test]
fn options_that_are_written_out_are_checked_with_their_lines() {
    assert_eq!(
        refused("things::ensure_widget(#{\n    name: \"a\",\n    sise: 3,\n    parts: [#{ port: 99999 }]\n});"),
        "65: things::ensure_widget: unknown key `sise`\n  at -c:4:5: sise: 3,\n  \
         note: line 5: `parts.0.port`: 99999 is too large: the most is 65535\n  hint: did you mean `size`?"
    );
    assert_eq!(
        refused("let w = things::ensure_widget(#{ size: 3 });"),
        "65: things::ensure_widget: `name` is missing\n  at -c:2:31: let w = things::ensure_widget(#{ size: 3 });\n  \
         hint: `name`: What it is called."
    );
    assert!(refused("things::poke(1, \"often\")").starts_with(
        "65: things::poke: whole number is expected here, not text\n  at -c:2:17: things::poke(1, \"often\")"
    ));
    let fine = "let n = 1; things::ensure_widget(#{ name: \"a\", size: n, links: [`${n}`] })";
    assert!(world(&[]).shell.check(&Input::Text(fine.into())).is_ok());
}

#[test]
fn switch_on_what_may_be_an_output_is_refused() {
    let error = refused("let w = things::ensure_widget(#{ name: \"a\" });\nswitch w.id { \"x\" => 1, _ => 2 }");
    assert!(error.starts_with("65: `switch` does not wait for an output"), "{error}");
    let fine = "let x = 1; switch x { 1 => 2, _ => 3 }; switch env().redis.node_type { \"a\" => 1, _ => 2 }";
    assert!(world(&[]).shell.check(&Input::Text(fine.into())).is_ok());
}

#[test]
fn directories_are_found_in_libraries_too() {
    let world = world(&[
        ("a.rhai", "import \"lib\" as lib;\nmigrate::up(1, \"migrations\");"),
        ("stdlib/lib.rhai", "fn f(db) { migrate::up(db, \"more\") }"),
    ]);
    let checked = world
        .shell
        .check(&Input::File(world.root.path().join("a.rhai")))
        .unwrap();
    let found: Vec<_> = checked
        .directories
        .iter()
        .map(|found| format!("{} {} {}", found.call, found.path, found.at.as_ref().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            "migrate::up more stdlib/lib.rhai:1:28",
            "migrate::up migrations a.rhai:2:16"
        ]
    );
}

#[test]
fn every_shipped_library_and_script_parses() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["stdlib", "scripts"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            // The made-up world has none of the native modules, so only what has to do with modules may be missing.
            let world = world(&[]);
            if let Err(error) = world.shell.check(&Input::File(path.clone())) {
                for error in error.split() {
                    let message = error.message();
                    let absent = ["there is no module", "there is no function `migrate::"];
                    let absent = absent.iter().any(|absent| message.starts_with(absent));
                    assert!(absent, "{}: {}", path.display(), told(&error));
                }
            }
        }
    }
}

const PARAMETERS: &str = "//! Does it.\n//! Twice.\nlet n = param(\"replicas\", #{ preset: 1, about: \"How many.\" });\n\
    let size = param(\"size\", #{ choices: [\"s\", \"m\"] });\nlet dry = param(\"dry-run\", #{ preset: false });\n`${n} ${size} ${dry}`";

#[test]
fn parameters_are_declared_converted_and_told() {
    let world = world(&[("p.rhai", PARAMETERS)]);
    let run = |given: &[(&str, &str)]| match world.file("p.rhai", given) {
        Ok(finished) => finished.value.to_string(),
        Err(error) => told(&error),
    };
    assert_eq!(
        run(&[("size", "m"), ("replicas", "3"), ("dry-run", "true")]),
        "3 m true"
    );
    assert_eq!(run(&[("size", "s")]), "1 s false");
    assert_eq!(run(&[]), "64: --size is missing");
    assert_eq!(run(&[("size", "xl")]), "64: --size xl: it is one of: s, m");
    assert_eq!(
        run(&[("size", "s"), ("replicas", "two")]),
        "64: --replicas two: a whole number is expected"
    );
    assert_eq!(
        run(&[("sise", "s")]),
        "64: the script has no parameter --sise\n  hint: did you mean --size?"
    );
    let help = world
        .shell
        .help_of(&Input::File(world.root.path().join("p.rhai")))
        .unwrap();
    assert_eq!(
        help.text("p.rhai"),
        "Does it.\nTwice.\n\nUsage: iacsh p.rhai [OPTIONS] --size <size>\n\nParameters:\n  \
         --replicas <a whole number>      How many. [default: 1]\n  \
         --size <text>                    [one of: s, m] [required]\n  \
         --dry-run <true or false>        [default: false]\n\nThe options of iacsh itself: iacsh --help\n"
    );
}

#[test]
fn a_parameter_that_cannot_be_is_refused() {
    assert!(refused("param(\"yes\")").contains("--yes is an option of iacsh"));
    assert!(refused("param(\"a\", #{ preste: 1 })").contains("unknown key `preste`"));
    assert!(refused("let x = 1; param(\"a\", #{ preset: x })").contains("is written out"));
    assert!(refused("fn f() { param(\"a\") }").contains("param(...) is for a script's top level"));
    assert!(refused("param(\"a\"); param(\"a\")").contains("declared twice"));
    assert!(refused("param(\"a\", #{ type: \"integer\", preset: \"x\" })").contains("the default is text"));
}
