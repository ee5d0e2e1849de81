//! A script from its text to its exit code: preflight, run, then the end of all work in the background.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use rhai::{Caches, Dynamic, EvalAltResult, GlobalRuntimeState, Scope, Stmt};

use super::diagnostics::Ended;
use super::engine::{Shell, on_large_stack};
use super::params::{ScriptHelp, convert};
use super::preflight::Checked;
use super::resolver::Script;
use super::sources::Source;
use crate::error::{Error, Exit, Result};
use crate::value::Value;

/// Where a script comes from.
#[derive(Clone, Debug)]
pub enum Input {
    File(PathBuf),
    /// `-c TEXT`.
    Text(String),
    /// `-`.
    Stdin,
}

/// How a script ended.
#[derive(Debug)]
pub struct Finished {
    /// Its last expression, with nothing unknown in it.
    pub value: Value,
    /// 0, or what it gave to `exit`.
    pub code: u8,
}

impl Shell {
    fn read(&self, input: &Input) -> Result<Arc<Source>> {
        match input {
            Input::File(path) => {
                let shown = self.shared.shown(path);
                let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Error::invalid(format!("there is no file {shown}")),
                    std::io::ErrorKind::InvalidData => Error::invalid(format!("{shown} is not UTF-8 text")),
                    _ => Error::invalid(format!("{shown} cannot be read: {error}")),
                })?;
                self.shared.sources.add(shown, Some(path.clone()), text)
            }
            Input::Text(text) => self.shared.sources.add("-c", None, text.as_str()),
            Input::Stdin => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|error| Error::invalid(format!("standard input cannot be read: {error}")))?;
                self.shared.sources.add("standard input", None, text)
            }
        }
    }

    /// Everything that can be checked before anything is done. Errors have exit code 65.
    pub fn check(&self, input: &Input) -> Result<Checked> {
        let source = self.read(input)?;
        on_large_stack(|| {
            let ast = self.shared.parse(&self.rhai, &source, &Scope::new())?;
            self.shared.check(&self.rhai, Script { source, ast })
        })?
    }

    /// What `iacsh FILE --help` tells, without running anything.
    pub fn help_of(&self, input: &Input) -> Result<ScriptHelp> {
        let source = self.read(input)?;
        on_large_stack(|| {
            let ast = self.shared.parse(&self.rhai, &source, &Scope::new())?;
            let checked = self.shared.check(&self.rhai, Script { source, ast })?;
            Ok(ScriptHelp {
                about: checked.about,
                parameters: checked.parameters,
            })
        })?
    }

    /// Runs a checked script with its parameters (names without dashes), waits for all that it began, and tells every
    /// error once.
    pub fn run(&self, checked: &Checked, given: &[(String, String)]) -> Result<Finished> {
        let parameters = convert(&checked.parameters, given)?;
        self.shared.engine.will_call(checked.calls.iter().cloned());
        *self.shared.parameters.lock().unwrap_or_else(PoisonError::into_inner) = parameters;
        on_large_stack(|| {
            let mut scope = Scope::new();
            let mut global = self.rhai.new_global_runtime_state();
            let result = self.evaluate(&checked.script, &mut scope, &mut global);
            self.finish(result)
        })?
    }

    /// Evaluates the statements of a script. With a stepper it goes from one to the next, so that there are variables
    /// to inspect.
    pub(super) fn evaluate(
        &self,
        script: &Script,
        scope: &mut Scope<'static>,
        global: &mut GlobalRuntimeState,
    ) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
        global.source = Some(script.source.name.as_str().into());
        if script.ast.has_functions() {
            global.lib.push(script.ast.shared_lib().clone());
        }
        let mut caches = Caches::new();
        let statements = script.ast.statements();
        // A `return` ends the statements around it, so they are run as one.
        if self.shared.context.stepper.is_none() || returns(statements) {
            return self.statements(global, &mut caches, scope, statements);
        }
        let mut last = Dynamic::UNIT;
        for statement in statements {
            let before = Some(scope.clone());
            *self.shared.steps.scope.lock().unwrap_or_else(PoisonError::into_inner) = before;
            last = self.statements(global, &mut caches, scope, std::slice::from_ref(statement))?;
        }
        Ok(last)
    }

    // Rhai marks this function as one that may go with its next major version. There is no other way to keep imports
    // from one statement to the next.
    #[allow(deprecated)]
    fn statements(
        &self,
        global: &mut GlobalRuntimeState,
        caches: &mut Caches,
        scope: &mut Scope<'static>,
        statements: &[Stmt],
    ) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
        self.rhai.eval_statements_raw(global, caches, scope, statements)
    }

    /// Waits for the work in the background, and puts its errors and the script's together.
    pub(super) fn finish(&self, result: std::result::Result<Dynamic, Box<EvalAltResult>>) -> Result<Finished> {
        let settled = self.shared.settle();
        let ended = match result {
            Ok(value) => match self.shared.foreseen(&value) {
                Ok(value) => Ok(Finished { value, code: 0 }),
                Err(error) => Err(error),
            },
            Err(error) => match self.shared.explain(*error) {
                Ended::Exit(code, value) => Ok(Finished { value, code }),
                Ended::Failed(error) => Err(error),
            },
        };
        let outcome = match (ended, settled) {
            (Ok(finished), Ok(())) => Ok(finished),
            (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
            (Err(ended), Err(settled)) => Err(together(ended, settled)),
        };
        self.shared.context.runtime.block_on(self.shared.engine.finish(outcome))
    }
}

/// One error of two, each failure once.
fn together(script: Error, background: Error) -> Error {
    let mut all: Vec<Error> = Vec::new();
    for error in script.split().into_iter().chain(background.split()) {
        let same = |known: &Error| known.message() == error.message() && known.location() == error.location();
        // What is missing in the configuration stops each resource for the same reason.
        let same = |known: &Error| {
            let are_interrupted = known.exit() == Exit::Interrupted && error.exit() == Exit::Interrupted;
            let is_missing = known.exit() == Exit::Config && !known.notes().is_empty();
            same(known)
                || are_interrupted
                || (is_missing && error.exit() == Exit::Config && known.notes() == error.notes())
        };
        if !all.iter().any(same) {
            all.push(error);
        }
    }
    // An interruption says why the rest failed.
    all.sort_by_key(|error| error.exit() != Exit::Interrupted);
    Error::all(all).unwrap_or_else(|| Error::failed("the script failed"))
}

/// Whether a `return` stands among the statements themselves, not in a function or a closure.
fn returns(statements: &[Stmt]) -> bool {
    let mut found = false;
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |nodes| {
            if let Some(rhai::ASTNode::Stmt(Stmt::Return(_, flags, _))) = nodes.last()
                && !flags.intersects(rhai::ASTFlags::BREAK)
            {
                found = true;
            }
            !found
        });
    }
    found
}
