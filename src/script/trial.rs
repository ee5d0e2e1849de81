//! Tests in a script: its functions `test_*`, found without running anything, and run one by one. Beside it `run(...)`, with
//! which a test runs a whole script.

use std::sync::Arc;

use rhai::{CallFnOptions, Dynamic, Engine as Rhai, FnAccess, ImmutableString, NativeCallContext, Scope};

use super::engine::{Shared, Shell, on_large_stack};
use super::lex::{self, Kind};
use super::preflight::Checked;
use super::run::{Finished, Input};
use crate::error::{Error, Exit, Location, Result};
use crate::value::Value;

/// With what the name of a test begins.
const TEST: &str = "test_";

/// One function that is a test.
#[derive(Clone, Debug)]
pub struct TestFunction {
    pub name: String,
    /// Where it is defined, when that can be found.
    pub at: Option<Location>,
}

impl Shell {
    /// Checks a script and gives its tests in the order in which they are written.
    ///
    /// # Errors
    /// What [`Shell::check`] finds, and a `test_*` that could never be run: private, or with parameters.
    pub fn tests(&self, input: &Input) -> Result<(Checked, Vec<TestFunction>)> {
        let checked = self.check(input)?;
        let source = &checked.script.source;
        let mut errors = Vec::new();
        let mut tests = Vec::new();
        for function in checked.script.ast.iter_functions() {
            if !function.name.starts_with(TEST) {
                continue;
            }
            let at = defined(&source.text, function.name).map(|offset| source.place_of(offset));
            let problem = match (function.access, function.params.len()) {
                (FnAccess::Private, _) => "is private: nobody could call it",
                (_, 0) => {
                    let name = function.name.to_owned();
                    tests.push(TestFunction { name, at });
                    continue;
                }
                _ => "takes parameters: nobody would give them",
            };
            let error = Error::invalid(format!("the test {} {problem}", function.name));
            let error = error.hint("a function that is no test has another beginning than `test_`");
            errors.push(match at {
                Some(at) => error.at(at),
                None => error,
            });
        }
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        tests.sort_by_key(|test| test.at.as_ref().map_or(0, |at| at.line));
        Ok((checked, tests))
    }

    /// Runs the statements of a script and then one of its functions, and waits for all that they began.
    pub fn run_test(&self, checked: &Checked, name: &str) -> Result<Finished> {
        on_large_stack(|| {
            let options = CallFnOptions::new().eval_ast(true);
            let ast = &checked.script.ast;
            let result = self
                .rhai
                .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), ast, name, ());
            // What a test gives means nothing, and need not be a value.
            self.finish(result.map(|_| Dynamic::UNIT))
        })?
    }
}

/// Where a function's name is written.
fn defined(text: &str, name: &str) -> Option<usize> {
    let words: Vec<_> = lex::tokens(text, 0).filter(|token| token.kind == Kind::Word).collect();
    let pair = words
        .windows(2)
        .find(|pair| pair[0].text == "fn" && pair[1].text == name)?;
    Some(pair[1].start)
}

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let run = |s: &Arc<Shared>, cx: &NativeCallContext, file: &str, given: [Dynamic; 2]| {
        let ran = s.values_of(given.into()).and_then(|given| {
            let mut given = given.into_iter().map(|given| s.wait(given.resolve()));
            let parameters = given.next().unwrap_or(Ok(Value::Null))?;
            let options = given.next().unwrap_or(Ok(Value::Null))?;
            // What this script began belongs to the world that the other one sees.
            s.settle()?;
            // The other one is a run of its own, and takes the environment's lease for itself.
            s.wait(s.engine.finish(Ok(())))?;
            s.context.interface.run(file, parameters, options)
        });
        // A script that was declined, or that has changes, ends itself and not the test.
        let ran = ran.map_err(|error| match error.exit() {
            Exit::Interrupted => error,
            _ => {
                let error = error.with_exit(Exit::Failed);
                // Its own place is in the other script; this one leads there.
                match (error.location(), s.sources.locate(cx.call_position())) {
                    (Some(_), Some(from)) => error.called(format!("run(\"{file}\")"), from),
                    _ => error,
                }
            }
        });
        s.give(cx.call_position(), ran)
    };
    let s = shared.clone();
    rhai.register_fn("run", move |cx: NativeCallContext, file: ImmutableString| {
        run(&s, &cx, &file, [Dynamic::UNIT, Dynamic::UNIT])
    });
    let s = shared.clone();
    rhai.register_fn(
        "run",
        move |cx: NativeCallContext, file: ImmutableString, parameters: Dynamic| {
            run(&s, &cx, &file, [parameters, Dynamic::UNIT])
        },
    );
    let s = shared.clone();
    rhai.register_fn(
        "run",
        move |cx: NativeCallContext, file: ImmutableString, parameters: Dynamic, options: Dynamic| {
            run(&s, &cx, &file, [parameters, options])
        },
    );
}
