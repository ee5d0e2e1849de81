//! One run changes one environment at a time.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Project, Ran, run};

/// A script that changes something, and then goes on until it is stopped.
const HANGS: &str = r#"
publish("who", "the first");
wait(ssm::ensure_parameter(#{ name: "begun", value: "yes" }));
print("begun");
loop { }
"#;

/// A script that changes something and ends.
const QUICK: &str = r#"publish("who", "the second");"#;

/// It is stopped with this value: a test that fails leaves nothing running.
struct First(Child);

impl Drop for First {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl First {
    /// Starts it, and waits until it has written.
    fn start(project: &Project) -> Self {
        project.write("scripts/hangs.rhai", HANGS);
        project.write("scripts/quick.rhai", QUICK);
        let mut child = project
            .command(&["scripts/hangs.rhai"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = [0; 5];
        let out = child.stdout.as_mut().expect("its output");
        out.read_exact(&mut said).expect("it writes and says so");
        assert_eq!(&said, b"begun");
        Self(child)
    }

    #[cfg(unix)]
    fn signal(&self, signal: i32) {
        let id = i32::try_from(self.0.id()).expect("a process id");
        // SAFETY: the process is a child of ours that was not waited for, so that the id is still its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }

    fn end(mut self) -> Ran {
        let mut output = std::process::Output {
            status: self.0.wait().expect("its end"),
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        // Less than a pipe holds.
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        out.expect("its output").read_to_end(&mut output.stdout).expect("read");
        err.expect("its messages")
            .read_to_end(&mut output.stderr)
            .expect("read");
        Ran::from(output)
    }
}

fn leases(project: &Project) -> Vec<serde_json::Value> {
    let file = project.path().join(".sandbox/aws.sqlite");
    let state = rusqlite::Connection::open(file).expect("the sandbox's state");
    let mut rows = state
        .prepare("SELECT body FROM document WHERE kind = 'ssm/parameter' AND id LIKE '%/lease/%' ORDER BY id")
        .expect("parameters");
    let bodies = rows.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    bodies
        .map(|body| {
            let body: serde_json::Value = serde_json::from_str(&body.expect("a body")).expect("JSON");
            let versions = body["versions"].as_array().expect("versions");
            let newest = versions.last().expect("a version")["value"].as_str().expect("a value");
            serde_json::from_str(newest).expect("the lease's JSON")
        })
        .collect()
}

#[test]
fn of_two_runs_one_works_and_the_other_is_told_who_does() {
    let project = Project::new();
    let first = First::start(&project);
    let id = format!("process {}", first.0.id());
    let refused = project
        .iacsh(&["scripts/quick.rhai"])
        .code(75)
        .says(&id)
        .says("iacsh unlock");
    assert!(refused.err.contains("identity/sandbox is held by"), "{refused}");
    // Reads are never kept out, nor is what has nothing to change.
    project.iacsh(&["-c", "lookup(\"who\")"]).code(0).says("the first");
    project.iacsh(&["-c", "publish(\"who\", \"the first\")"]).code(0);
    first.signal(libc::SIGTERM);
    first.end().code(130).says("run the same command again");
    project.iacsh(&["scripts/quick.rhai"]).code(0);
    project.iacsh(&["-c", "lookup(\"who\")"]).code(0).says("the second");
}

#[test]
fn a_holder_that_was_killed_on_this_machine_is_replaced_at_once() {
    let project = Project::new();
    let mut first = First::start(&project);
    first.0.kill().expect("killed");
    first.0.wait().expect("gone");
    assert_eq!(leases(&project)[0]["state"], "held");
    project.iacsh(&["scripts/quick.rhai"]).code(0);
    let leases = leases(&project);
    assert_eq!(leases.len(), 2);
    assert_eq!(leases[1]["state"], "free");
}

/// The time of the embedded cloud is moved on, so that nobody has to wait.
#[test]
fn a_holder_on_another_machine_is_replaced_when_it_has_expired() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml") + "\n[sandbox]\nclock = \"virtual\"\n";
    project.write("environments/sandbox.toml", &file);
    project.write("scripts/quick.rhai", QUICK);
    let elsewhere = r#"{"state":"held","by":"ben","host":"build-7","machine":"b00t","process":4711,"started":"1","run":"r",
        "id":"0","since":"2026-01-31T12:00:00Z","seed":"5eed"}"#;
    // As the run on the other machine put it, which the program itself does not let a script do.
    let state_of = |project: &Project| project.path().join(".sandbox/aws.sqlite");
    project.iacsh(&["scripts/quick.rhai"]).code(0);
    let state = rusqlite::Connection::open(state_of(&project)).expect("the sandbox's state");
    let changed = state
        .execute(
            "UPDATE document SET body = json_set(body, '$.versions[#-1].value', ?1, '$.versions[#-1].modified',
                CAST(unixepoch('subsec') * 1000 AS INTEGER)) WHERE kind = 'ssm/parameter' AND id LIKE '%/lease/1'",
            [elsewhere],
        )
        .expect("changed");
    assert_eq!(changed, 1);
    drop(state);

    let change = ["-c", "publish(\"who\", \"the third\")"];
    project
        .iacsh(&change)
        .code(75)
        .says("ben on build-7 (process 4711)")
        .says("expires");
    project.iacsh(&["-c", "sandbox::advance(\"70s\")"]).code(0);
    project.iacsh(&change).code(75);
    project.iacsh(&["-c", "sandbox::advance(\"10s\")"]).code(0);
    project.iacsh(&change).code(0);
    assert_eq!(leases(&project).len(), 2);
}

#[test]
fn an_unlock_stops_the_run_that_hangs_and_the_next_one_goes_on() {
    let project = Project::new();
    project.write("scripts/quick.rhai", QUICK);
    project.iacsh(&["unlock"]).code(0).says("nobody holds sandbox");
    let first = First::start(&project);
    project.iacsh(&["unlock"]).code(77).says("Take sandbox from that run?");
    let found = project.iacsh(&["unlock", "--json", "--yes"]).code(0).json();
    assert_eq!(found["unlocked"], true, "{found}");
    assert_eq!(found["holder"]["process"], i64::from(first.0.id()), "{found}");
    // The next run waits until the first one has looked.
    let began = Instant::now();
    project.iacsh(&["scripts/quick.rhai"]).code(0);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    let ended = first.end().code(75);
    assert!(ended.err.contains("was taken from this run by"), "{ended}");
    project.iacsh(&["-c", "lookup(\"who\")"]).code(0).says("the second");
}

#[test]
fn a_protected_environment_is_unlocked_only_by_its_name() {
    let project = Project::new();
    let first = First::start(&project);
    let file = format!("protect = true\n{}", project.read("environments/sandbox.toml"));
    project.write("environments/sandbox.toml", &file);
    project.iacsh(&["unlock", "--yes"]).code(77).says("protected");
    project.iacsh(&["unlock", "--yes", "--confirm", "sandbox"]).code(0);
    drop(first.end().code(75));
}

/// Nobody is kept waiting by statements that are over.
#[test]
fn the_prompt_has_it_for_a_statement() {
    let project = Project::new();
    project.open().end("publish(\"who\", \"typed\")").code(0);
    let all = leases(&project);
    assert_eq!((all.len(), all[0]["state"].as_str()), (1, Some("free")));
    assert_eq!(all[0].get("seed"), None, "a clean run leaves no seed");
}

#[test]
fn a_run_with_nothing_to_change_takes_no_lease() {
    let project = Project::new();
    let first = project.iacsh(&["scripts/recreate.rhai", "-v"]).code(0);
    let puts = |ran: &Ran| ran.err.matches("ssm:PutParameter").count();
    let contracts = project.iacsh(&["--json", "-c", "ssm::parameters()"]).code(0).json();
    let contracts = contracts.as_array().expect("a list");
    assert!(
        contracts.iter().all(|row| row["name"] != "lease" && row["name"] != "1"),
        "{contracts:?}"
    );
    let of_lease = puts(&first) - contracts.len();
    assert!((2..=4).contains(&of_lease), "{of_lease} writes of the lease");
    let before = leases(&project);
    let second = project
        .iacsh(&["scripts/recreate.rhai", "-v"])
        .code(0)
        .says("no changes");
    assert_eq!(puts(&second), 0, "{second}");
    assert_eq!(
        second.err.matches("GetParametersByPath").count(),
        1,
        "the contracts: {second}"
    );
    assert_eq!(leases(&project), before);
    // Neither swept nor counted as left.
    project
        .iacsh(&["destroy", "--yes"])
        .code(0)
        .says("nothing else is left");
    assert!(!leases(&project).is_empty(), "the newest is never deleted");
}

/// Two commands at the same moment: one after the other, or one of them is refused.
#[test]
fn two_runs_at_once() {
    let project = Project::new();
    let script = r#"for n in range(0, 20) { wait(ssm::ensure_parameter(#{ name: `p${n}`, value: "x" })) }"#;
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| run(project.command(&["-c", script]))))
            .collect();
        let codes: Vec<_> = runs.into_iter().map(|run| run.join().expect("a run").code).collect();
        assert!(codes.contains(&0), "{codes:?}");
        assert!(codes.iter().all(|code| matches!(code, 0 | 75)), "{codes:?}");
    });
    let count = project
        .iacsh(&["--json", "-c", "ssm::parameters().len()"])
        .code(0)
        .json();
    assert_eq!(count, 20);
}
