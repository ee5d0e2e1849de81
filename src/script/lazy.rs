//! What scripts can do with outputs, secrets and handles.
//!
//! `+` and backticks join them without waiting. Comparing an output, or taking it apart, waits for it. A secret can be
//! joined, compared and passed on, and never be taken apart.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine as Rhai, EvalAltResult, INT, ImmutableString, NativeCallContext, Position};

use super::diagnostics::{Stop, Thrown};
use super::engine::Shared;
use super::markers::has_marker;
use super::values::{Lazy, Thing};
use crate::error::{Error, Result};
use crate::value::{Part, Text, Unknown, Value};

type Outcome<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Functions of text that look into it.
const READERS: [&str; 21] = [
    "len",
    "is_empty",
    "contains",
    "starts_with",
    "ends_with",
    "split",
    "split_rev",
    "to_upper",
    "to_lower",
    "sub_string",
    "index_of",
    "chars",
    "bytes",
    "to_blob",
    "parse_int",
    "parse_float",
    "to_int",
    "pad",
    "replaced",
    "trimmed",
    "get",
];

/// Functions that change a text in place, which an output cannot be.
const CHANGERS: [&str; 11] = [
    "trim",
    "make_upper",
    "make_lower",
    "replace",
    "crop",
    "truncate",
    "clear",
    "append",
    "remove",
    "pop",
    "set",
];

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    text(rhai, shared);
    comparisons(rhai, shared);
    joining(rhai, shared);
    readers(rhai, shared);
    deciding(rhai, shared);
    handles(rhai, shared);
    errors(rhai);
}

impl Shared {
    /// A text that is looked into: known, and no secret.
    fn open(&self, text: Text) -> Result<String> {
        if let Some(plain) = text.as_plain() {
            return Ok(plain.to_owned());
        }
        let resolved = self.wait(text.resolve())?;
        match (resolved.as_plain(), resolved.unknown()) {
            (Some(plain), _) => Ok(plain.to_owned()),
            (None, Some(unknown)) => Err(unknown.horizon()),
            (None, None) => Err(Error::failed("a secret cannot be taken apart")
                .hint("it can be joined with text, compared, and passed to a function that takes a secret")),
        }
    }

    /// Waits for everything in a value. What a plan does not know is its horizon.
    pub fn known(&self, value: &Dynamic) -> Result<Value> {
        let value = self.foreseen(value)?;
        match value.unknown() {
            Some(unknown) if !matches!(value, Value::Object(_)) => Err(unknown.horizon()),
            _ => Ok(value),
        }
    }

    /// Waits for everything in a value, as far as a plan knows it: for what is only shown.
    pub fn foreseen(&self, value: &Dynamic) -> Result<Value> {
        let value = self.values.value_of(value)?;
        self.wait(value.resolve())
    }

    fn compare(&self, operator: &str, left: &Dynamic, right: &Dynamic) -> Result<bool> {
        let (left, right) = (self.known(left)?, self.known(right)?);
        let equal = || match (exposed(&left), exposed(&right)) {
            (Some(left), Some(right)) => left == right,
            _ => left.type_name() == right.type_name() && left.to_json() == right.to_json(),
        };
        Ok(match operator {
            "==" => equal(),
            "!=" => !equal(),
            _ => match (left.as_str(), right.as_str()) {
                (Some(left), Some(right)) => match operator {
                    "<" => left < right,
                    "<=" => left <= right,
                    ">" => left > right,
                    _ => left >= right,
                },
                _ => {
                    let (left, right) = (left.type_name(), right.type_name());
                    return Err(Error::failed(format!(
                        "`{operator}` does not work on {left} and {right}"
                    )));
                }
            },
        })
    }

    fn as_text(&self, value: &Dynamic) -> Result<Text> {
        match self.values.value_of(value)? {
            Value::Text(text) => Ok(text),
            value @ (Value::Bool(_) | Value::Int(_) | Value::Float(_)) => Ok(Text::plain(value.to_string())),
            Value::Null => Ok(Text::default()),
            other => Err(Error::failed(format!(
                "`+` does not join text and {}",
                other.type_name()
            ))),
        }
    }
}

/// The characters of a text that is known, a secret's too: for comparing only.
fn exposed(value: &Value) -> Option<String> {
    let Value::Text(text) = value else { return None };
    let mut found = String::new();
    for part in &text.0 {
        match part {
            Part::Plain(plain) => found.push_str(plain),
            Part::Secret(secret) => found.push_str(secret.expose()),
            Part::Output(_) | Part::Unknown(_) => return None,
        }
    }
    Some(found)
}

fn text(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn("to_string", move |lazy: &mut Lazy| s.values.markers.hide(&lazy.0));
    rhai.register_fn("to_debug", |lazy: &mut Lazy| lazy.0.to_string());
}

fn comparisons(rhai: &mut Rhai, shared: &Arc<Shared>) {
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        let s = shared.clone();
        rhai.register_fn(operator, move |cx: NativeCallContext, left: Lazy, right: Dynamic| {
            s.compare(operator, &Dynamic::from(left), &right)
                .map_err(|error| s.raise(cx.call_position(), error))
        });
        let s = shared.clone();
        rhai.register_fn(operator, move |cx: NativeCallContext, left: Dynamic, right: Lazy| {
            s.compare(operator, &left, &Dynamic::from(right))
                .map_err(|error| s.raise(cx.call_position(), error))
        });
        // A text from backticks is an ordinary string to Rhai; its markers show what it is.
        let s = shared.clone();
        let strings = move |cx: NativeCallContext, left: ImmutableString, right: ImmutableString| {
            if has_marker(&left) || has_marker(&right) {
                return s
                    .compare(operator, &left.into(), &right.into())
                    .map_err(|error| s.raise(cx.call_position(), error));
            }
            let (left, right) = (left.as_str(), right.as_str());
            Ok(match operator {
                "==" => left == right,
                "!=" => left != right,
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            })
        };
        rhai.register_fn(operator, strings);
    }
    // Two handles are the same if they are the same resource.
    rhai.register_fn("==", |left: Thing, right: Thing| same(&left, &right));
    rhai.register_fn("!=", |left: Thing, right: Thing| !same(&left, &right));
    for operator in ["==", "!="] {
        rhai.register_fn(operator, move |_: Thing, (): ()| operator == "!=");
        rhai.register_fn(operator, move |(): (), _: Thing| operator == "!=");
    }
}

fn same(left: &Thing, right: &Thing) -> bool {
    match (left.0.promise(), right.0.promise()) {
        (Some(left), Some(right)) => left.same(right),
        _ => Arc::ptr_eq(&left.0, &right.0),
    }
}

fn joining(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let join = |s: &Arc<Shared>, cx: &NativeCallContext, left: &Dynamic, right: &Dynamic| -> Outcome<Dynamic> {
        let joined = s.as_text(left).and_then(|left| Ok(left.join(s.as_text(right)?)));
        match joined {
            Ok(text) => Ok(s.values.to_dynamic(Value::Text(text))),
            Err(error) => Err(s.raise(cx.call_position(), error)),
        }
    };
    let s = shared.clone();
    rhai.register_fn("+", move |cx: NativeCallContext, left: Lazy, right: Dynamic| {
        join(&s, &cx, &Dynamic::from(left), &right)
    });
    let s = shared.clone();
    rhai.register_fn("+", move |cx: NativeCallContext, left: Dynamic, right: Lazy| {
        join(&s, &cx, &left, &Dynamic::from(right))
    });
}

/// What a script does with a boolean, a number or a list that a call would give: a plan does not know it.
fn deciding(rhai: &mut Rhai, shared: &Arc<Shared>) {
    /// The end of a plan, or what is wrong with text that is none.
    fn end(operator: &str, texts: &[&Dynamic]) -> Error {
        let unknown = texts
            .iter()
            .find_map(|text| text.read_lock::<Lazy>()?.0.unknown().cloned());
        match unknown {
            Some(unknown) => unknown.horizon(),
            None => Error::failed(format!("`{operator}` does not work on text")),
        }
    }
    let s = shared.clone();
    rhai.register_fn("!", move |cx: NativeCallContext, lazy: Lazy| -> Outcome<bool> {
        Err(s.raise(cx.call_position(), end("!", &[&Dynamic::from(lazy)])))
    });
    for operator in ["-", "*", "/", "%", "**"] {
        let s = shared.clone();
        rhai.register_fn(
            operator,
            move |cx: NativeCallContext, left: Lazy, right: Dynamic| -> Outcome<Dynamic> {
                let error = end(operator, &[&Dynamic::from(left), &right]);
                Err(s.raise(cx.call_position(), error))
            },
        );
        let s = shared.clone();
        rhai.register_fn(
            operator,
            move |cx: NativeCallContext, left: Dynamic, right: Lazy| -> Outcome<Dynamic> {
                let error = end(operator, &[&left, &Dynamic::from(right)]);
                Err(s.raise(cx.call_position(), error))
            },
        );
    }
    rhai.register_iterator_result::<Lazy, Dynamic>();
}

/// What `for` does with it: a list that a call would give is not known in a plan, and text has no items.
impl IntoIterator for Lazy {
    type Item = Outcome<Dynamic>;
    type IntoIter = std::iter::Once<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        let error = match self.0.unknown() {
            Some(unknown) => {
                let stop = Stop::Refused(unknown.horizon());
                EvalAltResult::ErrorTerminated(Dynamic::from(stop), Position::NONE)
            }
            None => EvalAltResult::ErrorFor(Position::NONE),
        };
        std::iter::once(Err(error.into()))
    }
}

fn readers(rhai: &mut Rhai, shared: &Arc<Shared>) {
    for name in READERS {
        let open = |s: &Arc<Shared>, cx: &NativeCallContext, text: Text| -> Outcome<Dynamic> {
            let opened = s.open(text).map_err(|error| s.raise(cx.call_position(), error))?;
            Ok(opened.into())
        };
        let s = shared.clone();
        rhai.register_fn(
            name,
            move |cx: NativeCallContext, lazy: &mut Lazy| -> Outcome<Dynamic> {
                cx.call_native_fn(name, (open(&s, &cx, lazy.0.clone())?,))
            },
        );
        let s = shared.clone();
        rhai.register_fn(
            name,
            move |cx: NativeCallContext, lazy: &mut Lazy, one: Dynamic| -> Outcome<Dynamic> {
                cx.call_native_fn(name, (open(&s, &cx, lazy.0.clone())?, one))
            },
        );
        let s = shared.clone();
        rhai.register_fn(
            name,
            move |cx: NativeCallContext, lazy: &mut Lazy, one: Dynamic, two: Dynamic| -> Outcome<Dynamic> {
                cx.call_native_fn(name, (open(&s, &cx, lazy.0.clone())?, one, two))
            },
        );
    }
    for name in CHANGERS {
        let refuse = move |s: &Arc<Shared>, cx: &NativeCallContext| -> Outcome<Dynamic> {
            let error = Error::failed(format!(
                "`{name}` changes text in place, and this text is an output or a secret"
            ));
            Err(s.raise(cx.call_position(), error))
        };
        let s = shared.clone();
        rhai.register_fn(name, move |cx: NativeCallContext, _: &mut Lazy| refuse(&s, &cx));
        let s = shared.clone();
        rhai.register_fn(name, move |cx: NativeCallContext, _: &mut Lazy, _: Dynamic| {
            refuse(&s, &cx)
        });
        let s = shared.clone();
        rhai.register_fn(
            name,
            move |cx: NativeCallContext, _: &mut Lazy, _: Dynamic, _: Dynamic| refuse(&s, &cx),
        );
    }

    // The same for strings with markers: these take the place of Rhai's own.
    macro_rules! reader {
        ($name:literal, |$text:ident $(, $arg:ident : $type:ty)*| $body:expr) => {
            let s = shared.clone();
            rhai.register_fn($name, move |cx: NativeCallContext, $text: ImmutableString $(, $arg: $type)*| {
                if !has_marker(&$text) {
                    return Ok($body);
                }
                let $text = s
                    .open(s.values.text(&$text))
                    .map_err(|error| s.raise(cx.call_position(), error))?;
                Outcome::Ok($body)
            });
        };
    }
    reader!("len", |text| text.chars().count() as i64);
    reader!("contains", |text, part: ImmutableString| text.contains(part.as_str()));
    reader!("starts_with", |text, part: ImmutableString| text
        .starts_with(part.as_str()));
    reader!("ends_with", |text, part: ImmutableString| text.ends_with(part.as_str()));
    reader!("to_upper", |text| text.to_uppercase());
    reader!("to_lower", |text| text.to_lowercase());
    reader!("replaced", |text, from: ImmutableString, to: ImmutableString| text
        .replace(from.as_str(), to.as_str()));
    reader!("trimmed", |text| text.trim().to_owned());
    reader!("split", |text, by: ImmutableString| text
        .split(by.as_str())
        .map(|part| Dynamic::from(part.to_owned()))
        .collect::<Array>());
}

fn handles(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_indexer_get(
        move |cx: NativeCallContext, thing: &mut Thing, field: ImmutableString| {
            let read = || {
                if thing.0.lazy(&field) {
                    return thing.0.field(&field);
                }
                if let Some(promise) = thing.0.promise() {
                    s.wait(promise.wait())?;
                }
                let value = thing.0.field(&field)?;
                match value.unknown() {
                    Some(unknown) => Err(unknown.horizon()),
                    None => Ok(value),
                }
            };
            match read() {
                Ok(value) => Ok(s.values.to_dynamic(value)),
                Err(error) => Err(s.raise(cx.call_position(), error)),
            }
        },
    );
    // What a verb would give in a plan has fields as well, and they are not known either.
    let s = shared.clone();
    rhai.register_indexer_get(
        move |cx: NativeCallContext, lazy: &mut Lazy, field: ImmutableString| -> Outcome<Dynamic> {
            match lazy.0.unknown() {
                Some(unknown) => {
                    let field = Unknown::new(format!("{}.{field}", unknown.what));
                    Ok(s.values.to_dynamic(Value::Text(Text(vec![Part::Unknown(field)]))))
                }
                None => {
                    let error = Error::failed(format!("text has no field `{field}`"));
                    Err(s.raise(cx.call_position(), error))
                }
            }
        },
    );
    let s = shared.clone();
    rhai.register_indexer_get(
        move |cx: NativeCallContext, lazy: &mut Lazy, place: INT| -> Outcome<Dynamic> {
            match lazy.0.unknown() {
                Some(unknown) => {
                    let item = Unknown::new(format!("{}[{place}]", unknown.what));
                    Ok(s.values.to_dynamic(Value::Text(Text(vec![Part::Unknown(item)]))))
                }
                None => Err(s.raise(cx.call_position(), Error::failed("text that is not plain has no items"))),
            }
        },
    );
    let label = |thing: &mut Thing| match thing.0.promise() {
        Some(promise) => promise.resource().to_owned(),
        None => thing.0.type_name(),
    };
    rhai.register_fn("to_string", label);
    rhai.register_fn("to_debug", label);
}

/// What `catch` sees of a native's error.
fn errors(rhai: &mut Rhai) {
    rhai.register_get("message", |thrown: &mut Thrown| thrown.error.to_string());
    rhai.register_get("code", |thrown: &mut Thrown| thrown.error.code().to_owned());
    rhai.register_get("hint", |thrown: &mut Thrown| {
        thrown.error.help().unwrap_or_default().to_owned()
    });
    rhai.register_get("line", |thrown: &mut Thrown| {
        thrown.error.location().map_or(0, |location| location.line as i64)
    });
    rhai.register_get("file", |thrown: &mut Thrown| {
        thrown
            .error
            .location()
            .map(|location| location.file.clone())
            .unwrap_or_default()
    });
    rhai.register_fn("to_string", |thrown: &mut Thrown| thrown.error.to_string());
    rhai.register_fn("to_debug", |thrown: &mut Thrown| thrown.error.to_string());
}
