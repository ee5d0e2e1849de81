//! The program dies at a writing call, and the next run finishes the job with nothing doubled.
//!
//! Every test run does a sample of points; `IACSH_SWEEP=all cargo test --test it crash -- --nocapture` does all and prints
//! each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::dump::{Dump, difference, dump};
use crate::project::{Project, Ran, run};

/// Which run of what.
struct Sweep {
    name: &'static str,
    command: &'static [&'static str],
    /// The sandbox as it is before: nothing, or what a run made.
    begins_with: Option<&'static [&'static str]>,
    /// The next run is on another machine, some time later, and knows nothing of the first.
    elsewhere: bool,
    /// How many points every test run can afford.
    sample: u32,
}

pub fn project() -> Project {
    let project = Project::new();
    let more = "\n[network]\nnat = true\n[sandbox]\nclock = \"virtual\"\n";
    let file = project.read("environments/sandbox.toml") + more;
    project.write("environments/sandbox.toml", &file);
    project
}

impl Sweep {
    fn begin(&self, from: Option<&Project>) -> Project {
        let project = project();
        if let Some(from) = from {
            copy(&from.path().join(".sandbox"), &project.path().join(".sandbox"));
        }
        project
    }

    /// Dies at a point and runs again. `None` when the run was over before it; else the point, and what is wrong.
    fn point(&self, from: Option<&Project>, expected: &Dump, place: &str) -> Option<(String, Vec<String>)> {
        let project = self.begin(from);
        let mut command = project.command(self.command);
        command.env("IACSH_SANDBOX_CRASH", place);
        let died = run(command);
        if died.code == 0 {
            return None;
        }
        let point = died.err.lines().find_map(|line| line.strip_prefix("crash: "));
        let point = point.unwrap_or_else(|| panic!("{place}: {died}")).to_owned();
        if self.elsewhere {
            self.move_away(&project);
        }
        let again = project.iacsh(self.command);
        let mut wrong = Vec::new();
        if again.code != 0 {
            wrong.push(again.to_string());
        }
        wrong.extend(difference(expected, &dump(project.path())));
        Some((point, wrong))
    }

    /// What the process that died left behind is now that of another machine.
    fn move_away(&self, project: &Project) {
        let folder = project.path().join(".iacsh");
        if folder.exists() {
            std::fs::remove_dir_all(folder).expect("deleted");
        }
        let state = project.path().join(".sandbox/aws.sqlite");
        let state = rusqlite::Connection::open(state).expect("the sandbox's state");
        state
            .execute(
                "UPDATE document SET body = replace(body, '\\\"machine\\\":\\\"', '\\\"machine\\\":\\\"another ')
                 WHERE kind = 'ssm/parameter' AND id LIKE '%/lease/%'",
                [],
            )
            .expect("moved");
        drop(state);
        let held = project.iacsh(&["-c", "publish(\"x\", \"y\")"]);
        assert!(matches!(held.code, 0 | 75), "{held}");
        if held.code == 75 {
            project.iacsh(&["-c", "sandbox::advance(\"80s\")"]).code(0);
        } else {
            project.iacsh(&["destroy", "--yes", "--only", "parameter/x"]).code(0);
        }
    }

    fn run(&self) {
        let before = self.begins_with.map(|command| {
            let project = project();
            project.iacsh(command).code(0);
            project
        });
        let from = before.as_ref();
        let whole = self.begin(from);
        let mut command = self.command.to_vec();
        command.push("-v");
        let uninterrupted = whole.iacsh(&command).code(0);
        let total = writes(&uninterrupted);
        let expected = dump(whole.path());
        let all = std::env::var("IACSH_SWEEP").is_ok_and(|sweep| sweep == "all");
        // Of a sample every other point is before the call, and every other one after.
        let most = match all {
            true => 2 * (total + 20),
            false => self.sample,
        };
        let place = |number: u32| match all {
            true => (number / 2 + 1, number % 2 == 1),
            false => (1 + number * total / self.sample, number % 2 == 1),
        };
        let (next, done, over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(u32::MAX));
        let failed = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= most || number >= over.load(Ordering::SeqCst) {
                            return;
                        }
                        let (call, after) = place(number);
                        let place = format!("{} {call}", if after { "after" } else { "before" });
                        let Some((point, wrong)) = self.point(from, &expected, &place) else {
                            // No run makes this many calls.
                            over.fetch_min(if call > total { number } else { u32::MAX }, Ordering::SeqCst);
                            continue;
                        };
                        done.fetch_add(1, Ordering::SeqCst);
                        let outcome = if wrong.is_empty() { "ok" } else { "WRONG" };
                        println!("{}: {point}: {outcome}", self.name);
                        if !wrong.is_empty() {
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.push(format!("{point}:\n  {}", wrong.join("\n  ")));
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let done = done.into_inner();
        println!(
            "{}: {done} points of a run with {total} writing calls, {} wrong",
            self.name,
            failed.len()
        );
        assert!(failed.is_empty(), "{}:\n{}", self.name, failed.join("\n"));
        assert!(done >= self.sample - 2, "only {done} points were reached");
    }
}

/// Whether an action changes nothing.
pub fn is_read(action: &str) -> bool {
    let reads = [
        "Describe",
        "Get",
        "List",
        "BatchGet",
        "BatchCheck",
        "Filter",
        "Simulate",
    ];
    reads.iter().any(|reads| action.starts_with(reads))
}

/// How many writing calls a run with `-v` made.
fn writes(ran: &Ran) -> u32 {
    let calls = ran.err.lines().filter_map(|line| line.trim().strip_prefix("INFO "));
    let actions = calls.filter_map(|call| call.split_once(':')?.1.split(' ').next());
    let writes = actions.filter(|action| !is_read(action));
    u32::try_from(writes.count()).expect("not that many")
}

pub fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a file type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

const RECREATE: &[&str] = &["scripts/recreate.rhai"];
const DESTROY: &[&str] = &["destroy", "--yes"];

#[test]
fn recreate_survives_a_crash_at_every_call() {
    Sweep {
        name: "recreate",
        command: RECREATE,
        begins_with: None,
        elsewhere: false,
        sample: 12,
    }
    .run();
}

#[test]
fn recreate_survives_a_crash_also_on_another_machine() {
    Sweep {
        name: "recreate elsewhere",
        command: RECREATE,
        begins_with: None,
        elsewhere: true,
        sample: 6,
    }
    .run();
}

#[test]
fn destroy_survives_a_crash_at_every_call() {
    Sweep {
        name: "destroy",
        command: DESTROY,
        begins_with: Some(RECREATE),
        elsewhere: false,
        sample: 12,
    }
    .run();
}

#[test]
fn destroy_survives_a_crash_also_on_another_machine() {
    Sweep {
        name: "destroy elsewhere",
        command: DESTROY,
        begins_with: Some(RECREATE),
        elsewhere: true,
        sample: 6,
    }
    .run();
}
