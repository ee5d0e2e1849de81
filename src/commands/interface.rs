//! What scripts need of a person: printing, asking, and going step by step.

use std::path::Path;
use std::time::Duration;

use super::planner::Planner;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::output::confirm::Choice;
use crate::output::progress::human;
use crate::script::{Answer, Directory, Interface, Step, Stepper};
use crate::secret::Secret;
use crate::session::{Purpose, Variables};
use crate::value::{Map, Value};
use crate::{identity, mssql};

/// The terminal, or what stands in its place.
pub struct Person {
    pub printer: Printer,
    pub variables: Variables,
    /// Whether a variable that is not set may be made: on the sandbox.
    pub generate: bool,
    /// `--yes`.
    pub yes: bool,
    /// For `plan(...)`; a test of scripts has none.
    pub planner: Option<Planner>,
}

impl Interface for Person {
    fn print(&self, value: &Value) {
        // A reader that went away ends the output and not the work; a disk that is full is told once, at the end.
        let _ = self.printer.print(&self.printer.table(value));
    }

    fn section(&self, title: &str) {
        let _ = self.printer.heading(title);
    }

    fn confirm(&self, question: &str) -> Result<bool> {
        self.printer.confirm(question, self.yes)
    }

    fn variable(&self, name: &str) -> Result<Secret> {
        self.variables.get(name, Purpose::Secret, self.generate)
    }

    fn plan(&self, file: &str, parameters: &Map) -> Result<Value> {
        match &self.planner {
            Some(planner) => Value::from_serialize(&planner.plan(file, parameters)?),
            None => Err(Error::failed("a test has no plan of its own")
                .hint("run(file, #{}, #{ plan: true }) gives what a run would do")),
        }
    }

    fn step_started(&self, title: &str, depth: usize) {
        tracing::debug!("{}step: {title}", "  ".repeat(depth));
    }

    fn step_finished(&self, title: &str, depth: usize, took: Duration, ok: bool) {
        let outcome = if ok { "done" } else { "failed" };
        tracing::debug!("{}step: {title} {outcome} in {}", "  ".repeat(depth), human(took));
    }
}

const RUN: Choice = Choice { key: 'r', word: "run" };
const SKIP: Choice = Choice { key: 's', word: "skip" };
const INSPECT: Choice = Choice {
    key: 'i',
    word: "inspect",
};
const CONTINUE: Choice = Choice {
    key: 'c',
    word: "continue",
};
const QUIT: Choice = Choice { key: 'q', word: "quit" };

/// `--step`: shows each step, and asks.
pub struct Guide {
    pub printer: Printer,
}

impl Stepper for Guide {
    fn ask(&self, step: &Step, inspect: &mut dyn FnMut(&str) -> Result<Value>) -> Result<Answer> {
        self.printer
            .step(&step.title, &step.about, &step.code, step.at.as_ref());
        loop {
            let choice = self
                .printer
                .choose("This step?", &[RUN, SKIP, INSPECT, CONTINUE, QUIT])?;
            match choice.key {
                'r' => return Ok(Answer::Run),
                's' => return Ok(Answer::Skip),
                'c' => return Ok(Answer::Continue),
                'q' => return Ok(Answer::Quit),
                _ => self.inspect(inspect)?,
            }
        }
    }

    fn finished(&self, step: &Step, result: &Result<Value>, took: Duration) {
        let outcome = match result {
            Ok(Value::Null) => "done".to_owned(),
            Ok(value) => format!("done\n{}", self.printer.table(value)),
            Err(error) => format!("failed: {error}"),
        };
        self.printer
            .message(&format!("{} took {}: {outcome}\n", step.title, human(took)));
    }
}

impl Guide {
    /// Expressions with the script's variables, until an empty line.
    fn inspect(&self, evaluate: &mut dyn FnMut(&str) -> Result<Value>) -> Result<()> {
        self.printer
            .message("An expression shows its value; an empty line goes back to the step.");
        while let Some(line) = self.printer.ask("inspect> ")?.filter(|line| !line.trim().is_empty()) {
            match evaluate(&line) {
                Ok(value) => self.printer.message(&self.printer.table(&value)),
                Err(error) => self.printer.error(&error),
            }
        }
        Ok(())
    }
}

/// Checks the folders that a script names, before it runs: all of them, so that all errors are told.
pub fn check_directories(root: &Path, directories: &[Directory]) -> Result<()> {
    let check = |directory: &Directory| {
        let path = root.join(&directory.path);
        let checked = match directory.call.split("::").next() {
            Some("migrate") => mssql::migrate::check(&path),
            Some("identity") => identity::check(&path),
            _ => Ok(()),
        };
        checked.err().map(|error| match &directory.at {
            Some(at) => error.at(at.clone()),
            None => error,
        })
    };
    Error::all(directories.iter().filter_map(check).collect()).map_or(Ok(()), Err)
}
