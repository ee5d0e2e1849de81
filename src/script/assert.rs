//! `assert` and its kin. They are there in every script, not only in tests: what a script takes for granted can be said.
//!
//! They wait for the outputs in what they are given, and show both sides, with secrets masked.

use std::sync::Arc;

use rhai::{Dynamic, Engine as Rhai, EvalAltResult, FnPtr, NativeCallContext};

use super::diagnostics::{Ended, Thrown};
use super::difference::{exposed, same, shown, tell};
use super::engine::Shared;
use super::step::copy;
use crate::error::{Error, Exit, Result};
use crate::value::Value;

type Outcome<T> = std::result::Result<T, Box<EvalAltResult>>;

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    /// Each function with and without a text that says what was expected.
    macro_rules! assertion {
        ($name:literal, $check:expr, $($arg:ident),+) => {
            let s = shared.clone();
            rhai.register_fn($name, move |cx: NativeCallContext, $($arg: Dynamic),+| {
                let held = || { $(let $arg = s.known(&$arg)?;)+ $check($(&$arg),+) };
                s.asserted(&cx, held(), None)
            });
            let s = shared.clone();
            rhai.register_fn($name, move |cx: NativeCallContext, $($arg: Dynamic),+, message: Dynamic| {
                let held = || { $(let $arg = s.known(&$arg)?;)+ $check($(&$arg),+) };
                s.asserted(&cx, held(), Some(&message))
            });
        };
    }
    assertion!("assert", assert, value);
    assertion!("assert_eq", assert_eq, left, right);
    assertion!("assert_ne", assert_ne, left, right);
    assertion!("assert_contains", assert_contains, whole, part);

    let s = shared.clone();
    rhai.register_fn("assert_throws", move |cx: NativeCallContext, closure: FnPtr| {
        throws(&s, &cx, &closure, "")
    });
    let s = shared.clone();
    rhai.register_fn(
        "assert_throws",
        move |cx: NativeCallContext, closure: FnPtr, part: Dynamic| {
            let part = s.known(&part).map_err(|error| s.raise(cx.call_position(), error))?;
            throws(&s, &cx, &closure, &part.to_string())
        },
    );
}

impl Shared {
    /// What an assertion found, at the line of its call.
    fn asserted(&self, cx: &NativeCallContext, held: Result<()>, message: Option<&Dynamic>) -> Outcome<()> {
        let Err(error) = held else { return Ok(()) };
        let error = match message.map(|message| self.known(message)) {
            None => error,
            Some(Ok(message)) => {
                let said = Error::failed(message.to_string()).note(error.message());
                error.notes().iter().fold(said, Error::note)
            }
            Some(Err(unknown)) => unknown,
        };
        Err(self.raise(cx.call_position(), error))
    }
}

fn assert(value: &Value) -> Result<()> {
    match value {
        Value::Bool(true) => Ok(()),
        Value::Bool(false) => Err(Error::failed("this is not so")),
        other => Err(
            Error::failed(format!("assert takes true or false, not {}", other.type_name()))
                .note(format!("it is {}", shown(other))),
        ),
    }
}

fn assert_eq(left: &Value, right: &Value) -> Result<()> {
    match same(left, right) {
        true => Ok(()),
        false => Err(tell(left, right)
            .into_iter()
            .fold(Error::failed("the two differ"), Error::note)),
    }
}

fn assert_ne(left: &Value, right: &Value) -> Result<()> {
    match same(left, right) {
        true => Err(Error::failed("the two are the same").note(format!("both: {}", shown(left)))),
        false => Ok(()),
    }
}

/// Text contains text, a list an item, a map a key, or all entries of a map.
fn assert_contains(whole: &Value, part: &Value) -> Result<()> {
    let held = match (whole, part) {
        (Value::Text(whole), Value::Text(part)) => exposed(whole).contains(&exposed(part)),
        (Value::List(items), part) => items.iter().any(|item| same(item, part) || has(item, part)),
        (Value::Map(map), Value::Text(key)) => map.contains_key(&exposed(key)),
        (whole @ Value::Map(_), part @ Value::Map(_)) => has(whole, part),
        (whole, part) => {
            let (whole, part) = (whole.type_name(), part.type_name());
            return Err(
                Error::failed(format!("assert_contains does not look for {part} in {whole}")).hint(
                    "it looks for text in text, an item in a list, a key in a map, and some entries among a map's",
                ),
            );
        }
    };
    match held {
        true => Ok(()),
        false => Err(Error::failed("the one does not contain the other")
            .note(format!("whole: {}", shown(whole)))
            .note(format!("part:  {}", shown(part)))),
    }
}

/// Whether a map has all entries of another one.
fn has(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Map(whole), Value::Map(part)) => part
            .iter()
            .all(|(key, wanted)| whole.get(key).is_some_and(|found| same(found, wanted))),
        _ => false,
    }
}

/// Gives the error that the closure ends with. What it began in the background belongs to it.
fn throws(shared: &Arc<Shared>, cx: &NativeCallContext, closure: &FnPtr, part: &str) -> Outcome<Dynamic> {
    let position = cx.call_position();
    let raise = |error: Error| shared.raise(position, error);
    // What failed before is not its error.
    shared.settle().map_err(raise)?;
    let ended = closure.call_within_context::<Dynamic>(cx, ());
    let ended = ended.and_then(|value| shared.known(&value).map_err(raise));
    let settled = shared.settle();
    let error = match (ended, settled) {
        (Ok(value), Ok(())) => {
            let error = Error::failed("nothing was thrown").note(format!("it gave {}", shown(&value)));
            return Err(raise(expected(error, part)));
        }
        (Ok(_), Err(error)) => error,
        (Err(error), _) => match shared.explain(copy(&error)) {
            Ended::Failed(error) => error,
            Ended::Exit(code, _) => {
                let error = Error::failed(format!("nothing was thrown: the script ended with exit({code})"));
                return Err(raise(expected(error, part)));
            }
        },
    };
    if error.exit() == Exit::Interrupted {
        return Err(raise(error));
    }
    if !said(&error).contains(part) {
        let told = Error::failed("another error was thrown").note(format!("thrown: {}", said(&error)));
        return Err(raise(expected(told, part)));
    }
    Ok(Dynamic::from(Thrown {
        error: error.with_exit(Exit::Failed),
        here: false,
    }))
}

fn expected(error: Error, part: &str) -> Error {
    match part.is_empty() {
        true => error,
        false => error.note(format!("wanted: {part}")),
    }
}

/// Everything that an error says.
fn said(error: &Error) -> String {
    let mut said = vec![error.to_string()];
    said.extend(error.notes().iter().cloned());
    said.extend(error.help().map(str::to_owned));
    said.extend(error.others().iter().map(self::said));
    crate::secret::mask(&said.join("\n")).into_owned()
}
