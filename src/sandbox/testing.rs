//! Programs that are killed: a test of this very binary, run as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Names the folder to the test that is run as a process.
const FOLDER: &str = "IACSH_TEST_FOLDER";
/// What its lines begin with; the test's harness writes others.
const MARK: &str = "acknowledged ";

/// How often something is killed: the variable's number where it is set, else a sample that every test run can afford.
pub fn times(variable: &str, sample: u32) -> u32 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(sample)
}

/// A running process that says what it did.
pub struct Victim {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Victim {
    /// Starts an ignored test by its full name.
    pub fn start(test: &str, folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What it acknowledges next; `None` when it is dead and everything was read.
    pub fn next(&mut self) -> Option<String> {
        loop {
            // A kill can cut the last line short, and then it acknowledges nothing: only whole lines carry the dot.
            let line = self.lines.next()?.ok()?;
            if let Some(said) = line.strip_prefix(MARK).and_then(|said| said.strip_suffix('.')) {
                return Some(said.to_owned());
            }
        }
    }

    /// SIGKILL: it can do nothing more.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The folder of the process that a test starts.
pub fn folder() -> std::path::PathBuf {
    std::env::var_os(FOLDER).expect("a test starts this one").into()
}

/// Tells the test that started this process what is done. One write, so that lines of several threads do not mix.
pub fn acknowledge(what: &str) {
    use std::io::Write;
    let line = format!("{MARK}{what}.\n");
    let mut out = std::io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        // Nobody listens any more.
        std::process::exit(0);
    }
}
