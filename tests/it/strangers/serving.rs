//! A running `iacsh sandbox serve`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::project::Project;

/// Durations are divided by so much: the clients' own pauses are long enough.
const TIME_SCALE: u32 = 20_000;

pub struct Serving {
    running: Running,
    pub project: Project,
    /// What it printed on standard output.
    pub printed: String,
    err: ChildStderr,
}

/// The process, which does not outlive a failed test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Serving {
    /// On free ports, with a document for machines.
    pub fn start() -> Self {
        Self::start_in(project(), &["--json"])
    }

    /// On free ports, with the lines for people.
    pub fn with_lines() -> Self {
        Self::start_in(project(), &[])
    }

    /// Starts it, and waits until it has printed what its clients need.
    pub fn start_in(project: Project, more: &[&str]) -> Self {
        let args = ["sandbox", "serve", "--port", "0", "--sql-port", "0"];
        let mut child = project
            .command(&[&args, more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut err = child.stderr.take().expect("a pipe");
        let running = Running(child);
        let mut printed = String::new();
        for line in out.lines().map_while(Result::ok) {
            printed.push_str(&line);
            printed.push('\n');
            // The last line of the document, or of the lines.
            if line == "}" && printed.starts_with('{') || line.starts_with("Server=") {
                return Self {
                    running,
                    project,
                    printed,
                    err,
                };
            }
        }
        let mut told = String::new();
        let _ = err.read_to_string(&mut told);
        panic!("it ended: {printed}\n{told}")
    }

    pub fn document(&self) -> serde_json::Value {
        serde_json::from_str(&self.printed).unwrap_or_else(|error| panic!("no document ({error}): {}", self.printed))
    }

    /// The printed lines of a paragraph, without its heading.
    pub fn lines(&self, heading: &str) -> &str {
        let rest = self.printed.split_once(heading).map(|(_, rest)| rest);
        let paragraph = rest.and_then(|rest| rest.split_once('\n')?.1.split("\n\n").next());
        paragraph.unwrap_or_else(|| panic!("no {heading}: {}", self.printed))
    }

    /// Ctrl-C. It must end by itself with 0.
    pub fn end(mut self) -> Project {
        let id = self.running.0.id().to_string();
        let told = Command::new("kill").args(["-INT", &id]).status();
        assert!(told.is_ok_and(|status| status.success()));
        let mut told = String::new();
        self.err.read_to_string(&mut told).expect("text");
        let status = self.running.0.wait().expect("an end");
        assert_eq!(status.code(), Some(0), "{told}");
        self.project
    }
}

fn project() -> Project {
    let project = Project::new();
    let file = "environments/sandbox.toml";
    let environment = project.read(file);
    project.write(file, &format!("{environment}\n[sandbox]\ntime_scale = {TIME_SCALE}\n"));
    project
}
