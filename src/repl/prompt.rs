//! The loop of the prompt.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use super::editor::{COMMANDS, Editor, Input, Typed};
use super::{Evaluator, Outcome};
use crate::environment::{Environment, NetworkPlan};
use crate::error::{Error, Exit, Result, nearest};
use crate::map;
use crate::output::Printer;
use crate::output::error::of_panic;
use crate::output::progress::human;
use crate::value::Value;

const HELP: &str = "\
Type an expression to see its value: ecs::services(), env(), 1 + 1. A statement may span lines.
The last value is `last`, earlier ones are out[0], out[1], ...

  :help        this page
  :env         the environment
  :vars        the variables that you made
  :time EXPR   how long an expression takes
  :quit        leave, as Ctrl-D

  Tab completes, Up and Ctrl-R recall, Ctrl-C throws the line away or stops what runs.
  A line that begins with a space is not kept in the history.";

/// Reads, evaluates and prints until the person leaves. The result is the exit code. When standard input is no terminal
/// all of it is one input, and an error of it is the result.
pub fn run<E: Evaluator>(evaluator: E, printer: &Printer, environment: &Environment, history: &Path) -> Result<u8> {
    let mut evaluator = evaluator;
    if !io::stdin().is_terminal() {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Error::invalid(format!("standard input cannot be read: {error}")))?;
        return match guarded(&mut evaluator, &text) {
            Outcome::Value(value) => printer.result(&value).map(|()| 0),
            Outcome::Failed(error) => Err(error),
            Outcome::Exit(code) => Ok(code),
        };
    }
    let evaluator = Rc::new(RefCell::new(evaluator));
    let (mut editor, warning) = Editor::new(Rc::clone(&evaluator), history, printer.colors())?;
    if let Some(warning) = warning {
        printer.warn(&warning);
    }
    printer.message(&format!(
        "iacsh {} on {}. :help tells more.",
        env!("CARGO_PKG_VERSION"),
        environment.name
    ));
    repeat(&evaluator, &mut editor, printer, environment)
}

/// The loop itself. No error of a statement ends it.
fn repeat<E: Evaluator>(
    evaluator: &RefCell<E>,
    input: &mut dyn Input,
    printer: &Printer,
    environment: &Environment,
) -> Result<u8> {
    let prompt = format!("{}> ", environment.name);
    loop {
        let line = match input.read(&prompt)? {
            Typed::Line(line) => line,
            Typed::Cancelled => continue,
            Typed::End => return Ok(Exit::Done as u8),
        };
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        let outcome = match text.strip_prefix(':').filter(|rest| !rest.starts_with(':')) {
            Some(command) => match obey(command, evaluator, printer, environment) {
                Some(outcome) => outcome,
                None => continue,
            },
            None => guarded(&mut *evaluator.borrow_mut(), text),
        };
        match outcome {
            Outcome::Value(value) => printer.result_at_prompt(&value)?,
            Outcome::Failed(error) => printer.error(&error),
            Outcome::Exit(code) => return Ok(code),
        }
    }
}

/// A command of the prompt itself. `None` when nothing is to be printed any more.
fn obey<E: Evaluator>(
    command: &str,
    evaluator: &RefCell<E>,
    printer: &Printer,
    environment: &Environment,
) -> Option<Outcome> {
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    Some(match (name, rest) {
        ("help" | "h" | "?", "") => {
            printer.message(HELP);
            return None;
        }
        ("env", "") => Outcome::Value(about(environment)),
        ("vars", "") => {
            let variables = evaluator.borrow().variables();
            let rows = variables.into_iter().map(|(name, value)| {
                Value::Map(map! { "name" => name, "type" => value.type_name(), "value" => value })
            });
            Outcome::Value(Value::List(rows.collect()))
        }
        ("quit" | "q" | "exit", "") => Outcome::Exit(Exit::Done as u8),
        ("time", "") => Outcome::Failed(Error::usage("`:time` needs an expression").hint(":time ecs::services()")),
        ("time", text) => {
            let start = Instant::now();
            let outcome = guarded(&mut *evaluator.borrow_mut(), text);
            printer.message(&human(start.elapsed()));
            outcome
        }
        (known, _) if COMMANDS.iter().any(|command| command.strip_prefix(':') == Some(known)) => {
            Outcome::Failed(Error::usage(format!("`:{known}` takes nothing behind it")))
        }
        _ => {
            let error = Error::usage(format!("there is no command `:{name}`"));
            let known = COMMANDS.iter().filter_map(|command| command.strip_prefix(':'));
            Outcome::Failed(match nearest(name, known) {
                Some(near) => error.hint(format!("did you mean `:{near}`?")),
                None => error.hint("`:help` tells the commands"),
            })
        }
    })
}

/// A panic in a native function is a mistake of iacsh, and still no reason to lose the session.
fn guarded<E: Evaluator>(evaluator: &mut E, text: &str) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| evaluator.evaluate(text)))
        .unwrap_or_else(|panic| Outcome::Failed(of_panic(&*panic)))
}

/// What `:env` shows.
fn about(environment: &Environment) -> Value {
    let aws = &environment.aws;
    let cloud = match (aws.is_sandbox(), &aws.endpoint) {
        (true, _) => "sandbox".to_owned(),
        (false, Some(endpoint)) => endpoint.clone(),
        (false, None) => "AWS".to_owned(),
    };
    let network = match environment.network.plan() {
        NetworkPlan::Make { cidr, .. } => cidr.to_string(),
        NetworkPlan::Use { vpc, .. } => vpc,
    };
    let database = match &environment.database.host {
        Some(host) => format!("{} on {host}", environment.database.name),
        None => format!("{} on the sandbox", environment.database.name),
    };
    Value::Map(map! {
        "name" => environment.name.as_str(),
        "project" => environment.project.as_str(),
        "aws" => cloud,
        "region" => aws.region.as_str(),
        "account" => aws.account.clone(),
        "network" => network,
        "database" => database,
        "protect" => environment.protect,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::Options;
    use crate::environment::Document;
    use crate::output::printer::Written;
    use crate::repl::{Candidate, Completeness};

    /// A language of sums: `1 + 2`, `exit 3`, `panic`.
    #[derive(Default)]
    pub(crate) struct Adder(Vec<i64>);

    impl Evaluator for Adder {
        fn complete_input(&self, text: &str) -> Completeness {
            match text.trim_end().ends_with('+') {
                true => Completeness::Incomplete,
                false => Completeness::Complete,
            }
        }

        fn evaluate(&mut self, text: &str) -> Outcome {
            if let Some(code) = text.strip_prefix("exit ") {
                return Outcome::Exit(code.parse().unwrap());
            }
            assert!(text != "panic", "a slip");
            match text.split('+').map(|part| part.trim().parse::<i64>()).sum() {
                Ok(sum) => {
                    self.0.push(sum);
                    Outcome::Value(Value::Int(sum))
                }
                Err(_) => Outcome::Failed(Error::failed(format!("`{text}` is no sum"))),
            }
        }

        fn candidates(&self, line: &str, position: usize) -> (usize, Vec<Candidate>) {
            let candidate = Candidate {
                display: "sum".into(),
                replacement: "sum".into(),
            };
            match line.is_ascii() {
                true => (line.rfind(' ').map_or(0, |space| space + 1), vec![candidate]),
                false => (position - 1, vec![candidate]),
            }
        }

        fn variables(&self) -> Vec<(String, Value)> {
            self.0
                .last()
                .map(|last| ("last".to_owned(), Value::Int(*last)))
                .into_iter()
                .collect()
        }
    }

    struct Lines(Vec<Typed>);

    impl Input for Lines {
        fn read(&mut self, prompt: &str) -> Result<Typed> {
            assert_eq!(prompt, "x> ");
            Ok(if self.0.is_empty() {
                Typed::End
            } else {
                self.0.remove(0)
            })
        }
    }

    fn environment() -> Environment {
        let text = "project = \"shop\"\n[aws]\nregion = \"eu-central-1\"\n[ecs]\nimage = \"shop:1\"\n";
        let document = Document::parse("x.toml", text).unwrap();
        Environment::from_document(&document, Path::new("/"), "x").unwrap()
    }

    /// The exit code, standard output and standard error of a conversation.
    fn talk(typed: Vec<Typed>) -> (u8, String, String) {
        let (printer, out, err) = Written::printer(&Options::default());
        let evaluator = RefCell::new(Adder::default());
        let code = repeat(&evaluator, &mut Lines(typed), &printer, &environment()).unwrap();
        (code, out.text(), err.text())
    }

    fn lines(lines: &[&str]) -> Vec<Typed> {
        lines.iter().map(|line| Typed::Line((*line).to_owned())).collect()
    }

    #[test]
    fn values_are_printed_and_errors_do_not_end_it() {
        let mut typed = lines(&["1 + 2", "", "one", "panic"]);
        typed.push(Typed::Cancelled);
        typed.extend(lines(&["4"]));
        let (code, out, err) = talk(typed);
        assert_eq!((code, out.as_str()), (0, "3\n4\n"));
        assert_eq!(
            err,
            "error: `one` is no sum\nerror: a mistake in iacsh itself: a slip\nhelp: please report it\n"
        );
    }

    #[test]
    fn exit_and_quit_leave() {
        assert_eq!(talk(lines(&["exit 3", "1"])), (3, String::new(), String::new()));
        assert_eq!(talk(lines(&[":quit", "1"])), (0, String::new(), String::new()));
    }

    #[test]
    fn commands_tell_about_the_session() {
        let (_, out, err) = talk(lines(&["1 + 1", ":vars", ":env", ":help", ":time 2"]));
        assert!(out.contains("│ last │ a whole number │     2 │"), "{out}");
        assert!(out.contains("│ project  │ shop"), "{out}");
        assert!(err.contains(":time EXPR") && err.contains(" ms\n"), "{err}");
    }

    #[test]
    fn a_wrong_command_names_the_nearest() {
        let (_, _, err) = talk(lines(&[":hlep", ":env x", ":time"]));
        assert_eq!(
            err,
            "error: there is no command `:hlep`\nhelp: did you mean `:help`?\n\
             error: `:env` takes nothing behind it\n\
             error: `:time` needs an expression\nhelp: :time ecs::services()\n"
        );
    }
}
