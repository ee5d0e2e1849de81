//! What every script has at hand: printing, waiting, questions, contracts, variables.

use std::sync::Arc;
use std::sync::PoisonError;

use rhai::{Array, Dynamic, Engine as Rhai, EvalAltResult, FLOAT, ImmutableString, NativeCallContext};

use super::diagnostics::{Stop, Thrown};
use super::engine::Shared;
use super::values::{Lazy, Thing};
use crate::error::{Error, Result, nearest};
use crate::value::Value;

type Outcome<T> = std::result::Result<T, Box<EvalAltResult>>;

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    printing(rhai, shared);
    control(rhai, shared);
    data(rhai, shared);
}

impl Shared {
    /// `Result` for Rhai, with the place of the call.
    fn at<T>(&self, cx: &NativeCallContext, result: Result<T>) -> Outcome<T> {
        result.map_err(|error| self.raise(cx.call_position(), error))
    }
}

fn printing(rhai: &mut Rhai, shared: &Arc<Shared>) {
    // Rhai has forms of its own for these types, and an exact form comes before one that takes anything.
    macro_rules! print {
        ($($type:ty),*) => {
            $(for name in ["print", "debug"] {
                let s = shared.clone();
                rhai.register_fn(name, move |cx: NativeCallContext, value: $type| -> Outcome<String> {
                    let value = s.at(&cx, s.foreseen(&Dynamic::from(value)))?;
                    s.context.interface.print(&value);
                    Ok(String::new())
                });
            })*
        };
    }
    print!(
        ImmutableString,
        i64,
        FLOAT,
        bool,
        char,
        (),
        Array,
        rhai::Map,
        Lazy,
        Thing,
        Thrown,
        Dynamic
    );
    let s = shared.clone();
    rhai.register_fn("print", move || {
        s.context.interface.print(&Value::text(""));
        String::new()
    });

    let s = shared.clone();
    rhai.register_fn("section", move |title: ImmutableString| {
        s.context.interface.section(&s.values.text(&title).to_string());
    });
    let s = shared.clone();
    rhai.register_fn("note", move |text: Dynamic| {
        s.engine.progress().note(&s.shown_text(&text))
    });
    let s = shared.clone();
    rhai.register_fn("warn", move |text: Dynamic| {
        s.engine.progress().warn(&s.shown_text(&text))
    });
}

impl Shared {
    /// A text for people, without waiting.
    fn shown_text(&self, value: &Dynamic) -> String {
        match self.values.value_of(value) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

fn control(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn("wait", move |cx: NativeCallContext, value: Dynamic| {
        let known = s.at(&cx, s.foreseen(&value))?;
        Outcome::Ok(s.values.to_dynamic(known))
    });
    let s = shared.clone();
    rhai.register_fn("confirm", move |cx: NativeCallContext, question: Dynamic| {
        let question = s.at(&cx, s.foreseen(&question))?.to_string();
        // A plan goes where a run goes that nobody stops.
        if s.engine.is_plan() {
            s.engine.progress().note(&format!("a run would ask: {question}"));
            return Ok(true);
        }
        s.at(&cx, s.context.interface.confirm(&question))
    });
    // Rhai's own looks like an ordinary end, and its number is lost.
    let exit = |s: &Arc<Shared>, cx: &NativeCallContext, code: i64, value: Value| -> Outcome<()> {
        match u8::try_from(code) {
            Ok(code) => {
                let stop = Dynamic::from(Stop::Exit(code, value));
                Err(EvalAltResult::ErrorTerminated(stop, cx.call_position()).into())
            }
            Err(_) => s.at(
                cx,
                Err(Error::failed(format!(
                    "exit({code}): an exit code is a whole number from 0 to 255"
                ))),
            ),
        }
    };
    let s = shared.clone();
    rhai.register_fn("exit", move |cx: NativeCallContext| exit(&s, &cx, 0, Value::Null));
    let s = shared.clone();
    rhai.register_fn("exit", move |cx: NativeCallContext, code: i64| {
        exit(&s, &cx, code, Value::Null)
    });
    let s = shared.clone();
    rhai.register_fn("exit", move |cx: NativeCallContext, code: i64, value: Dynamic| {
        let value = s.at(&cx, s.known(&value))?;
        exit(&s, &cx, code, value)
    });
}

fn data(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn("env", move || s.values.to_dynamic(Value::Map(s.context.env.clone())));

    let s = shared.clone();
    let publish = move |cx: NativeCallContext, name: ImmutableString, value: Dynamic| {
        let position = cx.call_position();
        let published = s.values.value_of(&value).and_then(|value| match value {
            Value::Text(_) => s.engine.publish(&name, value, s.origin(position)),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                s.engine
                    .publish(&name, Value::text(value.to_string()), s.origin(position))
            }
            other => Err(Error::failed(format!(
                "publish(\"{name}\", ...) takes text, not {}",
                other.type_name()
            ))),
        });
        s.give(position, published.map(|handle| handle.into_value()))
    };
    rhai.register_fn("publish", publish);
    let s = shared.clone();
    rhai.register_fn("lookup", move |cx: NativeCallContext, name: ImmutableString| {
        let found = s
            .wait(s.engine.lookup(&name))
            .map_err(|error| match s.publishers(&name) {
                publishers if publishers.is_empty() || error.help().is_some() => error,
                publishers => error.hint(format!("{} publishes it", publishers.join(" or "))),
            });
        s.give(cx.call_position(), found)
    });

    for name in ["variable", "secret_variable"] {
        let s = shared.clone();
        rhai.register_fn(name, move |cx: NativeCallContext, name: ImmutableString| {
            s.give(
                cx.call_position(),
                s.context.interface.variable(&name).map(Value::secret),
            )
        });
    }

    let s = shared.clone();
    rhai.register_fn("param", move |cx: NativeCallContext, name: ImmutableString| {
        s.give(cx.call_position(), s.parameter(&name))
    });
    let s = shared.clone();
    rhai.register_fn(
        "param",
        move |cx: NativeCallContext, name: ImmutableString, _: rhai::Map| {
            s.give(cx.call_position(), s.parameter(&name))
        },
    );
}

impl Shared {
    fn parameter(&self, name: &str) -> Result<Value> {
        let parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = parameters.get(name) {
            return Ok(value.clone());
        }
        let error = Error::failed(format!("param(\"{name}\") is not declared"));
        Err(match nearest(name, parameters.keys().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean \"{near}\"?")),
            None => error.hint("a parameter is declared at the script's top level, with a literal name and map"),
        })
    }
}
