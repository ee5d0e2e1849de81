use super::run;
use super::world::{World, fails, told, world};

fn shows(script: &str) -> String {
    run(script)
        .map(|value| value.to_string())
        .unwrap_or_else(|error| told(&error))
}

#[test]
fn values_go_through_a_script() {
    assert_eq!(shows("1 + 2"), "3");
    assert_eq!(shows("`a${1}b`"), "a1b");
    assert_eq!(shows("env().redis.node_type"), "cache.t4g.micro");
    assert_eq!(shows(r#""redis" in env()"#), "true");
    assert_eq!(shows("let a = 0; for i in 0..10 { a += i; } a"), "45");
    let sum = vec!["1"; 120].join(" + ");
    assert_eq!(shows(&sum), "120");
}

#[test]
fn a_handle_is_there_at_once_and_its_outputs_come_later() {
    let world = world(&[]);
    let script = r#"
        let a = things::ensure_widget(#{ name: "slow-a" });
        let url = `http://${a.address}/` + a.id;
        let b = things::ensure_widget(#{ name: "b", links: [url, "x" + a.id] });
        print("not waiting");
        #{ url: url, id: b.id }
    "#;
    let value = std::thread::scope(|threads| {
        let run = threads.spawn(|| world.text(script).unwrap().value);
        until(|| world.log.take() == ["not waiting"]);
        world.gate.send_replace(true);
        run.join().unwrap()
    });
    assert_eq!(
        value.to_string(),
        r#"{"id":"w-b","url":"http://slow-a.example/w-slow-a"}"#
    );
}

pub fn until(mut done: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < end, "it did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn comparing_and_printing_an_output_waits() {
    let widget = r#"let w = things::ensure_widget(#{ name: "slow", size: 7 }); "#;
    let with = |rest: &str| {
        let world = world(&[]);
        std::thread::scope(|threads| {
            let run = threads.spawn(|| world.text(&format!("{widget}{rest}")).unwrap().value.to_string());
            world.gate.send_replace(true);
            run.join().unwrap()
        })
    };
    assert_eq!(with(r#"w.id == "w-slow""#), "true");
    assert_eq!(with(r#""w-slow" == w.id"#), "true");
    assert_eq!(with(r#"w.id != "w-slow""#), "false");
    assert_eq!(with(r#"`${w.id}!` == "w-slow!""#), "true");
    assert_eq!(with(r#"w.id < "x""#), "true");
    assert_eq!(with(r#"if w.id == "" { 1 } else { 2 }"#), "2");
    assert_eq!(with(r#"w.port + 1"#), "8");
    assert_eq!(with(r#"w.address.split(".")[1]"#), "example");
    assert_eq!(with(r#"`${w.address}`.contains("slow.")"#), "true");
    assert_eq!(with(r#"w.id in ["w-slow"]"#), "true");
    assert_eq!(with("wait(w).id"), "w-slow");
    assert_eq!(with("switch wait(w.id) { \"w-slow\" => 1, _ => 2 }"), "1");
    assert_eq!(with("type_of(w.id)"), "string");
    assert_eq!(with("things::poke(w, 3)"), "poked 3 times");
    assert_eq!(with("things::poke(w)"), "poked 1 times");
    assert_eq!(
        with(r#"w == things::ensure_widget(#{ name: "slow", size: 7 })"#),
        "true"
    );
    assert_eq!(with("wait(w); things::widgets()[0].id"), "w-slow");
}

#[test]
fn printing_waits_and_masks() {
    let world = world(&[]);
    world.gate.send_replace(true);
    let script = r#"
        let w = things::ensure_widget(#{ name: "slow" });
        let password = secret_variable("REDIS_PASSWORD");
        section("One");
        print(w.id);
        print(`${w.id}:${password}`);
        print("p=" + password);
        print([password, 1]);
        print(#{ a: password });
        note(`n ${password}`);
        warn("w " + password);
        things::reveal("x" + password)
    "#;
    let value = world.text(script).unwrap().value;
    assert_eq!(
        world.log.take(),
        [
            "== One",
            "w-slow",
            "********",
            "********",
            r#"["********",1]"#,
            r#"{"a":"********"}"#,
            "note: n ********",
            "warning: w ********"
        ]
    );
    assert_eq!(value.to_string(), "10");
}

#[test]
fn a_secret_cannot_be_taken_apart() {
    let error = fails(r#"let s = variable("REDIS_PASSWORD"); s.split("w")"#);
    assert!(
        error.starts_with("1: a secret cannot be taken apart\n  at -c:1:"),
        "{error}"
    );
    let error = fails(r#"let s = `${variable("REDIS_PASSWORD")}`; s.to_upper()"#);
    assert!(error.starts_with("1: a secret cannot be taken apart"), "{error}");
    assert_eq!(shows(r#"variable("REDIS_PASSWORD") == "swordfish""#), "true");
}

#[test]
fn contracts_are_published_and_looked_up() {
    let world = world(&[]);
    world.gate.send_replace(true);
    let script = r#"
        publish("w.id", things::ensure_widget(#{ name: "slow" }).id);
        publish("port", 6379);
        lookup("w.id") + ":" + lookup("port")
    "#;
    assert_eq!(world.text(script).unwrap().value.to_string(), "w-slow:6379");
    let error = fails(r#"publish("redis.endpoint", "x"); wait(lookup("redis.endpont"))"#);
    assert!(
        error.starts_with("1: nothing is published as \"redis.endpont\" in test\n  at -c:1:38"),
        "{error}"
    );
}

#[test]
fn exit_has_its_number_and_no_try_catches_it() {
    let world = world(&[]);
    assert_eq!(world.text("exit(3)").unwrap().code, 3);
    assert_eq!(
        world.text("fn f() { try { exit(4); } catch { } 5 } f()").unwrap().code,
        4
    );
    assert_eq!(world.text("exit()").unwrap().code, 0);
    assert!(fails("exit(300)").contains("from 0 to 255"));
}

#[test]
fn closures_run_side_by_side() {
    assert_eq!(shows("par_map([1, 2, 3], |x| x * 2)"), "[2,4,6]");
    let many = "let l = []; for i in 0..200 { l.push(i); } let t = 0; for x in par_map(l, |x| x + 1) { t += x; } t";
    assert_eq!(shows(many), "20100");
    // Each waits until all three have begun.
    let world = world(&[]);
    let script = r#"
        fn f(i) { print(`begun ${i}`); wait(things::ensure_widget(#{ name: `slow-${i}` })).id }
        parallel([|| f(1), || f(2), || f(3)])
    "#;
    let value = std::thread::scope(|threads| {
        let run = threads.spawn(|| world.text(script).unwrap().value);
        let mut begun = 0;
        until(|| {
            begun += world.log.take().len();
            begun == 3
        });
        world.gate.send_replace(true);
        run.join().unwrap()
    });
    assert_eq!(value.to_string(), r#"["w-slow-1","w-slow-2","w-slow-3"]"#);
    let error = fails(r#"parallel([|| 1, || throw "a", || throw "b"])"#);
    assert!(error.starts_with("1: a\n") && error.contains("--\n1: b\n"), "{error}");
}

#[test]
fn an_interruption_ends_a_wait_a_loop_and_what_is_parallel() {
    for script in [
        "wait(things::ensure_widget(#{ name: \"slow\" }))",
        "print(\"on\"); loop { }",
        "fn f() { try { print(\"on\"); loop { } } catch { } } par_map([1, 2], |x| f())",
    ] {
        let world: World = world(&[]);
        std::thread::scope(|threads| {
            let run = threads.spawn(|| world.text(script));
            if script.contains("print") {
                until(|| !world.log.take().is_empty());
            }
            world.cancel.cancel();
            world.gate.send_replace(true);
            let error = run.join().unwrap().unwrap_err();
            assert_eq!((error.exit() as u8, error.message()), (130, "interrupted"), "{script}");
        });
    }
}

#[test]
fn a_file_imports_the_library_its_own_and_its_neighbours() {
    let world = world(&[
        (
            "scripts/main.rhai",
            "import \"lib\" as lib;\nimport \"./near\" as near;\nlib::f() + near::g()",
        ),
        (
            "scripts/near.rhai",
            "import \"../other/far\" as far;\nfn g() { far::h() }",
        ),
        ("other/far.rhai", "fn h() { \" far\" }"),
        ("stdlib/lib.rhai", "fn f() { things::describe(env().redis.node_type) }"),
    ]);
    let value = world.file("scripts/main.rhai", &[]).unwrap().value;
    assert_eq!(value.to_string(), "text from section \"lib\": cache.t4g.micro far");
}

#[test]
fn imports_work_in_functions_closures_and_steps() {
    let world = world(&[
        (
            "scripts/main.rhai",
            "import \"lib\" as lib;\nfn f() { lib::f(1) }\nlet x = 2;\nlet r = step(\"One\", || { let y = step(\"Two\", || lib::f(x)); y + f() });\nr",
        ),
        (
            "stdlib/lib.rhai",
            "fn f(x) { private_one(x) }\nprivate fn private_one(x) { x * 10 }",
        ),
    ]);
    assert_eq!(world.file("scripts/main.rhai", &[]).unwrap().value.to_string(), "30");
    assert_eq!(world.log.take(), ["> One", "  > Two", "  < Two", "< One"]);
}

#[test]
fn confirm_asks() {
    assert_eq!(shows("confirm(\"are you sure?\")"), "true");
    let error = fails("try { confirm(\"really?\"); } catch { } 1");
    assert!(error.starts_with("77: not confirmed: really?"), "{error}");
}
