//! What came of the tests: a line for each, what failed, and one line that sums up.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Chosen;
use crate::error::{Error, Result};
use crate::map;
use crate::output::progress::human;
use crate::output::{Printer, error, verdict};
use crate::value::Value;

/// How a test ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    Passed,
    Failed(Error),
    /// Interrupted, before or while it ran.
    NotRun,
}

impl PartialEq for Verdict {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed(_) => "failed",
            Self::NotRun => "not run",
        }
    }
}

/// One test that is over.
#[derive(Clone, Debug)]
pub struct Ran {
    pub file: String,
    pub name: String,
    /// Where it is defined.
    pub line: usize,
    pub verdict: Verdict,
    /// What it printed.
    pub output: String,
    /// By the clock on the wall.
    pub took: Duration,
    /// By the test's own.
    pub simulated: Duration,
}

impl Ran {
    pub fn error(&self) -> Option<&Error> {
        match &self.verdict {
            Verdict::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// All of them, in their order.
pub struct Report {
    pub ran: Vec<Ran>,
    pub took: Duration,
    pub at: Timestamp,
}

/// `ok tests/redis.rhai::test_failover (350 ms; 11 min 2 s simulated)`
pub fn line(ran: &Ran, shows_output: bool, printer: &Printer) {
    if printer.json() {
        return;
    }
    let simulated = match ran.simulated.as_secs() {
        0 => String::new(),
        _ => format!("; {} simulated", human(ran.simulated)),
    };
    let took = verdict::faint(&format!("({}{simulated})", human(ran.took)));
    let word = verdict::word(ran.verdict.word(), ran.verdict == Verdict::Passed);
    let mut text = format!("{word} {}::{} {took}\n", ran.file, ran.name);
    if shows_output && ran.verdict == Verdict::Passed {
        text.push_str(&indented(&ran.output));
    }
    // A reader that went away ends the output and not the tests.
    let _ = printer.show(&text);
}

/// `iacsh test --list`.
pub fn list(chosen: &[Chosen<'_>], printer: &Printer) -> Result<u8> {
    let rows = chosen.iter().map(|chosen| {
        let test = &chosen.file.tests[chosen.number];
        let line = test.at.as_ref().map_or(1, |at| at.line);
        Value::Map(map! {
            "file" => chosen.file.shown.as_str(),
            "name" => test.name.as_str(),
            "line" => i64::try_from(line).unwrap_or(1),
        })
    });
    printer.result(&Value::List(rows.collect()))?;
    Ok(0)
}

impl Report {
    fn count(&self, verdict: &Verdict) -> usize {
        self.ran.iter().filter(|ran| ran.verdict == *verdict).count()
    }

    pub fn failed(&self) -> usize {
        self.ran.iter().filter(|ran| ran.error().is_some()).count()
    }

    /// `12 tests in 3.4 s: 11 ok, 1 failed`
    fn summary(&self) -> String {
        let parts = [
            (self.count(&Verdict::Passed), "ok"),
            (self.failed(), "failed"),
            (self.count(&Verdict::NotRun), "not run"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        let count = self.ran.len();
        let tests = if count == 1 { "test" } else { "tests" };
        format!("{count} {tests} in {}: {}", human(self.took), parts.join(", "))
    }

    /// What failed, with what it printed; then the sum.
    pub fn tell(&self, printer: &Printer) -> Result<()> {
        if printer.json() {
            return printer.document(&self.to_json());
        }
        for ran in &self.ran {
            let Some(failure) = ran.error() else { continue };
            let title = verdict::strong(&format!("{}::{}", ran.file, ran.name));
            let error = error::render(failure, printer.width());
            printer.show(&format!("\n{title}\n{}{error}\n", indented(&ran.output)))?;
        }
        let between = if self.failed() > 0 { "\n" } else { "" };
        printer.show(&format!("{between}{}\n", self.summary()))
    }

    fn to_json(&self) -> serde_json::Value {
        let tests = self.ran.iter().map(|ran| {
            let mut test = json!({
                "file": ran.file,
                "name": ran.name,
                "line": ran.line,
                "result": ran.verdict.word(),
                "seconds": ran.took.as_secs_f64(),
                "simulated_seconds": ran.simulated.as_secs_f64(),
                "output": ran.output,
            });
            if let Some(failure) = ran.error() {
                test["error"] = error::to_json(failure);
            }
            test
        });
        json!({
            "summary": self.summary(),
            "passed": self.count(&Verdict::Passed),
            "failed": self.failed(),
            "not_run": self.count(&Verdict::NotRun),
            "seconds": self.took.as_secs_f64(),
            "tests": tests.collect::<Vec<_>>(),
        })
    }
}

/// What a test printed, set off from what is told about it.
fn indented(output: &str) -> String {
    output.lines().map(|line| format!("    {line}\n")).collect()
}
