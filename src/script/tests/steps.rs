use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::{stepped, told};
use crate::error::Result;
use crate::script::step::Inspect;
use crate::script::{Answer, Input, Step, Stepper};
use crate::value::Value;

/// Answers in order; `?x` inspects `x` first.
struct Person {
    answers: Mutex<Vec<&'static str>>,
    seen: Mutex<Vec<String>>,
}

impl Stepper for Person {
    fn ask(&self, step: &Step, inspect: Inspect<'_>) -> Result<Answer> {
        let mut seen = self.seen.lock().unwrap();
        seen.push(format!("{}|{}|{}", step.title, step.about, step.code));
        loop {
            let answer = self.answers.lock().unwrap().remove(0);
            match answer {
                "r" => return Ok(Answer::Run),
                "s" => return Ok(Answer::Skip),
                "c" => return Ok(Answer::Continue),
                "q" => return Ok(Answer::Quit),
                other => seen.push(match inspect(&other[1..]) {
                    Ok(value) => format!("{other} = {value}"),
                    Err(error) => format!("{other}: {error}"),
                }),
            }
        }
    }

    fn finished(&self, _: &Step, result: &Result<Value>, _: Duration) {
        let result = match result {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        self.seen.lock().unwrap().push(format!("= {result}"));
    }
}

const SCRIPT: &str = "let x = 5;

// First the widget.
// It is small.
let w = step(\"Widget\", || things::ensure_widget(#{
    name: \"slow\"
}));
step(\"Sum\", || x + 1); // six
let z = step(\"Last\", || w.id);
print(z);
";

fn steps(answers: &[&'static str]) -> (Vec<String>, Vec<String>, String) {
    let person = Arc::new(Person {
        answers: Mutex::new(answers.to_vec()),
        seen: Mutex::default(),
    });
    let world = stepped(&[("s.rhai", SCRIPT)], Some(person.clone()));
    world.gate.send_replace(true);
    let end = match world.file("s.rhai", &[]) {
        Ok(finished) => finished.value.to_string(),
        Err(error) => told(&error),
    };
    let seen = std::mem::take(&mut *person.seen.lock().unwrap());
    (seen, world.log.take(), end)
}

#[test]
fn each_step_is_shown_inspected_and_run() {
    let (seen, log, end) = steps(&["?x * 2", "?y", "?x = 9", "r", "?x", "r", "?w.id", "r"]);
    assert_eq!(
        seen,
        [
            "Widget|First the widget.\nIt is small.|let w = step(\"Widget\", || things::ensure_widget(#{\n    name: \"slow\"\n}));",
            "?x * 2 = 10",
            "?y: there is no variable `y`",
            "?x = 9 = ",
            r#"= {"kind":"widget","name":"slow","id":"w-slow","address":"slow.example","port":0}"#,
            "Sum||step(\"Sum\", || x + 1);",
            "?x = 5",
            "= 6",
            "Last||let z = step(\"Last\", || w.id);",
            "?w.id = w-slow",
            "= w-slow",
        ]
    );
    assert_eq!(
        log,
        ["> Widget", "< Widget", "> Sum", "< Sum", "> Last", "< Last", "w-slow"]
    );
    assert_eq!(end, "");
}

#[test]
fn a_skipped_step_says_so_where_its_result_is_needed() {
    let (_, log, end) = steps(&["s", "r", "r"]);
    assert_eq!(
        end,
        "1: step \"Widget\" was skipped: what it gives is not there\n  at s.rhai:9:26: let z = step(\"Last\", || w.id);\n  \
         in step \"Last\", called at s.rhai:9:9\n  hint: run it as well, or skip this step too"
    );
    assert_eq!(log, ["> Sum", "< Sum", "> Last", "< Last failed"]);
}

/// What was skipped was not executed: nothing is taken for no longer wanted.
#[test]
fn a_run_with_a_skipped_step_has_no_whole_part() {
    let whole = |answers: &[&'static str]| {
        let person = Arc::new(Person {
            answers: Mutex::new(answers.to_vec()),
            seen: Mutex::default(),
        });
        let world = stepped(&[("s.rhai", SCRIPT)], Some(person));
        world.gate.send_replace(true);
        let checked = world
            .shell
            .check(&Input::File(world.root.path().join("s.rhai")))
            .unwrap();
        world.shell.run(&checked, &[]).unwrap();
        world.shell.whole_sections(&checked)
    };
    assert_eq!(whole(&["r", "r", "r"]).len(), 1);
    assert_eq!(whole(&["r", "s", "r"]).len(), 0);
}

#[test]
fn continue_asks_no_more_and_quit_ends_with_77() {
    let (seen, log, _) = steps(&["c"]);
    assert_eq!((seen.len(), log.len()), (2, 7));
    let (_, log, end) = steps(&["r", "q"]);
    assert_eq!(log, ["> Widget", "< Widget"]);
    assert!(end.starts_with("77: quit before step \"Sum\""), "{end}");
}
