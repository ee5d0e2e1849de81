//! Calls that fail at random: every run ends well or with a clear error, and the next one ends well.
//!
//! `IACSH_FAULTS=1000 cargo test --test it faults -- --nocapture` does so many runs; every test run does a handful.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::crash::{copy, project};
use crate::dump::{Dump, difference, dump};
use crate::project::{Project, Ran};

const REVISIONS: &str = "ecs/task-definition";

/// Throttling, broken services, refused and reset connections, lost answers, late answers, and answers that come after the
/// run has gone away (the call is carried out all the same, perhaps while it is sent again): every seed meets other calls.
fn rules(seed: u32) -> String {
    let rule = |rule: &str, share: f64, more: &str| {
        format!("\n[[sandbox.rules]]\nrule = \"{rule}\"\nservice = \"*\"\nshare = {share}\nseed = {seed}\n{more}")
    };
    [
        "\n[waits]\nanswer = \"500ms\"\n".to_owned(),
        rule("delay", 0.05, "time = \"200ms\"\n"),
        rule("delay", 0.02, "time = \"700ms\"\n"),
        rule("throttle", 0.08, ""),
        rule("fail", 0.04, ""),
        rule("fail", 0.02, "code = \"ServiceUnavailable\"\nstatus = 503\n"),
        rule("unreachable", 0.03, ""),
        rule("lose_answer", 0.03, ""),
    ]
    .concat()
}

struct Whole {
    command: &'static [&'static str],
    before: Option<Project>,
    expected: Dump,
}

impl Whole {
    fn new(command: &'static [&'static str], first: Option<&[&str]>) -> Self {
        let before = first.map(|first| {
            let project = project();
            project.iacsh(first).code(0);
            project
        });
        let whole = begin(before.as_ref());
        whole.iacsh(command).code(0);
        Self {
            command,
            expected: dump(whole.path()),
            before,
        }
    }

    /// Whether the run under faults ended well, and what is wrong.
    fn meet(&self, seed: u32) -> (bool, Vec<String>) {
        let project = begin(self.before.as_ref());
        let file = project.read("environments/sandbox.toml");
        project.write("environments/sandbox.toml", &(file.clone() + rules(seed).as_str()));
        let met = project.iacsh(self.command);
        project.write("environments/sandbox.toml", &file);
        let again = project.iacsh(self.command);
        let mut wrong = Vec::new();
        if !is_clear(&met) {
            wrong.push(format!("no clear error: {met}"));
        }
        if again.code != 0 {
            wrong.push(format!("after {met}\nagain: {again}"));
        }
        let mut found = dump(project.path());
        // A registration that takes effect after it was looked for makes an equal revision: nothing can be done about it,
        // and nothing uses it.
        if let Some(revisions) = found.get_mut(REVISIONS) {
            revisions.dedup();
        }
        wrong.extend(difference(&self.expected, &found));
        (met.code == 0, wrong)
    }
}

fn begin(from: Option<&Project>) -> Project {
    let project = project();
    if let Some(from) = from {
        copy(&from.path().join(".sandbox"), &project.path().join(".sandbox"));
    }
    project
}

/// Done, or an error that says what failed.
fn is_clear(ran: &Ran) -> bool {
    let is_bug = ["a bug in iacsh", "a mistake in iacsh", "panicked"]
        .iter()
        .any(|words| ran.err.contains(words));
    !is_bug && (ran.code == 0 || (matches!(ran.code, 1 | 75 | 78) && ran.err.contains("error: ")))
}

#[test]
fn faults_at_random() {
    let runs: u32 = std::env::var("IACSH_FAULTS").map_or(6, |runs| runs.parse().expect("a number"));
    let recreate = Whole::new(&["scripts/recreate.rhai"], None);
    let destroy = Whole::new(&["destroy", "--yes"], Some(&["scripts/recreate.rhai"]));
    let (next, good) = (AtomicU32::new(0), AtomicU32::new(0));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        // Most of a run is waiting.
        for _ in 0..(runs / 3).clamp(2, 16) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= runs {
                        return;
                    }
                    if seed % 50 == 49 {
                        println!("{} of {runs}", seed + 1);
                    }
                    let whole = if seed % 2 == 0 { &recreate } else { &destroy };
                    let (is_good, wrong) = whole.meet(seed);
                    good.fetch_add(u32::from(is_good), Ordering::SeqCst);
                    if !wrong.is_empty() {
                        let told = format!("seed {seed}:\n  {}", wrong.join("\n  "));
                        println!("{told}");
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let good = good.into_inner();
    println!(
        "{runs} runs under faults: {good} ended well, {} with a clear error; after {} of them the next run was wrong",
        runs - good,
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
