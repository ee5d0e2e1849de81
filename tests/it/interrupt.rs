//! Ctrl-C and SIGTERM.
#![cfg(unix)]
// Every child is waited for where it ends well; where it does not, the test fails.
#![allow(clippy::zombie_processes)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Project, Ran};

/// A run that is at work.
struct Running {
    child: Child,
    told: Vec<String>,
}

impl Running {
    /// Starts it with `-v`, and reads what it says until a line holds the text.
    fn until(project: &Project, args: &[&str], text: &str) -> (Self, BufReader<std::process::ChildStderr>) {
        let mut child = project
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut errors = BufReader::new(child.stderr.take().expect("its messages"));
        let mut told = Vec::new();
        loop {
            let mut line = String::new();
            assert!(
                errors.read_line(&mut line).expect("a line") > 0,
                "{told:?} says no {text}"
            );
            let is_it = line.contains(text);
            told.push(line);
            if is_it {
                return (Self { child, told }, errors);
            }
        }
    }

    fn signal(&self, signal: i32) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        // SAFETY: the process is a child of ours that was not waited for, so that the id is still its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }

    fn end(self, errors: BufReader<std::process::ChildStderr>) -> Ran {
        let rest: Vec<_> = errors.lines().map_while(Result::ok).collect();
        let output = self.child.wait_with_output().expect("its end");
        let mut ran = Ran::from(output);
        ran.err = self.told.concat() + rest.join("\n").as_str();
        ran
    }
}

/// A project whose cloud takes its time for one call.
fn slow(call: &str, time: &str) -> Project {
    let project = Project::new();
    let rule =
        format!("\n[[sandbox.rules]]\nrule = \"delay\"\nservice = \"ec2\"\naction = \"{call}\"\ntime = \"{time}\"\n");
    project.write(
        "environments/sandbox.toml",
        &(project.read("environments/sandbox.toml") + rule.as_str()),
    );
    project
}

#[test]
fn a_call_in_flight_is_answered_and_nothing_new_starts() {
    let project = slow("CreateVpc", "2s");
    // What is said at the latest before the call is sent.
    let (running, errors) = Running::until(&project, &["scripts/recreate.rhai", "-v"], "PutParameter");
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    running.signal(libc::SIGINT);
    let ended = running.end(errors).code(130).says("run the same command again");
    assert!(
        began.elapsed() > Duration::from_secs(1),
        "the call was not waited for: {ended}"
    );
    assert!(ended.err.contains("ec2:CreateVpc 200"), "{ended}");
    assert!(!ended.err.contains("CreateSubnet"), "{ended}");
    let vpcs = project.iacsh(&["--json", "-c", "ec2::vpcs().len()"]).code(0).json();
    assert_eq!(vpcs, 1);
    // It was given back, and the next run finishes what is left.
    project.iacsh(&["scripts/recreate.rhai"]).code(0);
    let vpcs = project.iacsh(&["--json", "-c", "ec2::vpcs().len()"]).code(0).json();
    assert_eq!(vpcs, 1);
}

#[test]
fn waits_are_left_at_once() {
    let project = Project::new();
    let file = project.read("environments/sandbox.toml") + "\n[sandbox]\ntime_scale = 1\n";
    project.write("environments/sandbox.toml", &file);
    let (running, errors) = Running::until(&project, &["scripts/redis.rhai", "-v"], "CreateReplicationGroup");
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    running.signal(libc::SIGTERM);
    let ended = running.end(errors).code(130).says("run the same command again");
    // 100 ms of its own, and what a loaded machine takes.
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}: {ended}",
        began.elapsed()
    );
}

#[test]
fn a_second_one_does_not_wait() {
    let project = slow("CreateVpc", "60s");
    let (running, errors) = Running::until(&project, &["scripts/recreate.rhai", "-v"], "PutParameter");
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    running.signal(libc::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    running.signal(libc::SIGINT);
    running.end(errors).code(130).says("run the same command again");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
