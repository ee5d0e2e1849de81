//! Rhai's errors in the words of [`crate::error`]: what went wrong, on which line of which file, and the chain of calls.

use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};

use super::engine::Shared;
use super::lex;
use crate::error::{Error, Exit, nearest};
use crate::value::Value;

/// A native's error on its way through a script. `catch` gets it with its fields, and `throw` passes it on unharmed.
#[derive(Clone, Debug)]
pub struct Thrown {
    pub error: Error,
    /// It happened in the call itself, so the chain of calls belongs to it. What failed in the background has its own
    /// place.
    pub here: bool,
}

/// Why a script is over although it did not fail: `try` cannot catch it.
#[derive(Clone, Debug)]
pub enum Stop {
    Interrupted,
    /// `exit(n)`, with the value that it gives.
    Exit(u8, Value),
    /// Told by the person at the prompt, or by a guard.
    Refused(Error),
}

/// How many calls of a chain are told at each end of a long one.
const CALLS_TOLD: usize = 4;

/// How a script ended.
#[derive(Debug)]
pub enum Ended {
    Failed(Error),
    Exit(u8, Value),
}

impl Shared {
    /// What a native returns when it failed.
    pub fn raise(&self, position: Position, error: Error) -> Box<EvalAltResult> {
        let stop = match error.exit() {
            Exit::Interrupted => Stop::Interrupted,
            Exit::Declined | Exit::Changes => Stop::Refused(self.place(error, position)),
            _ => {
                let here = error.location().is_none();
                let error = self.place(error, position);
                return EvalAltResult::ErrorRuntime(Dynamic::from(Thrown { error, here }), position).into();
            }
        };
        EvalAltResult::ErrorTerminated(Dynamic::from(stop), position).into()
    }

    fn place(&self, error: Error, position: Position) -> Error {
        match self.sources.locate(position) {
            Some(location) => error.at(location),
            None => error,
        }
    }

    /// A script that does not parse.
    pub fn explain_parse(&self, error: &ParseError) -> Error {
        let position = error.position();
        let kind = error.err_type();
        let (message, hint) = parse_message(kind);
        let hint = hint.or_else(|| match kind {
            ParseErrorType::VariableUndefined(name) => Some(self.undefined(name, position)),
            ParseErrorType::ModuleUndefined(name) => {
                let modules = self.modules();
                Some(match nearest(name, modules.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("a library is imported first: import \"{name}\" as {name};"),
                })
            }
            _ => None,
        });
        let error = self.place(Error::invalid(message), position);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn undefined(&self, name: &str, position: Position) -> String {
        let Some(source) = self.sources.find(position) else {
            return String::new();
        };
        let words: Vec<_> = lex::tokens(&source.text, 0)
            .filter(|token| token.kind == lex::Kind::Word)
            .collect();
        let declared: Vec<_> = words
            .windows(2)
            .filter(|pair| matches!(pair[0].text, "let" | "const"))
            .map(|pair| pair[1].text)
            .collect();
        if declared.contains(&name) {
            return "a function does not see the script's variables, and a block's end with it: pass it on".into();
        }
        match nearest(name, declared) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it first: let {name} = ...;"),
        }
    }

    /// A script that failed while running.
    pub fn explain(&self, error: EvalAltResult) -> Ended {
        // From the outermost call to the innermost. A position is in the text of the caller.
        let mut calls = Vec::new();
        let mut error = error;
        let leaf = loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(name, _, inner, position) => {
                    calls.push((self.name_call(&name, position), position));
                    error = *inner;
                }
                EvalAltResult::ErrorInModule(name, inner, position) => {
                    if !position.is_none() {
                        calls.push((format!("import \"{name}\""), position));
                    }
                    error = *inner;
                }
                leaf => break leaf,
            }
        };
        let position = leaf.position();
        let (error, here) = match leaf {
            EvalAltResult::ErrorRuntime(value, _) => self.thrown(&value),
            EvalAltResult::ErrorTerminated(value, _) => match value.try_cast::<Stop>() {
                Some(Stop::Exit(code, value)) => return Ended::Exit(code, value),
                // What Rhai itself asked for has no place yet.
                Some(Stop::Refused(error)) => {
                    let here = error.exit() == Exit::Changes && error.location().is_none();
                    (error, here)
                }
                // Where it was at.
                Some(Stop::Interrupted) | None => return Ended::Failed(self.place(Error::interrupted(), position)),
            },
            EvalAltResult::ErrorParsing(kind, position) => {
                (self.explain_parse(&ParseError(kind.into(), position)), true)
            }
            leaf => (self.message(&leaf), true),
        };
        if !here {
            return Ended::Failed(error);
        }
        let mut error = self.place(error, position);
        let total = calls.len();
        if total > 3 * CALLS_TOLD {
            error = error.note(format!("{} more calls in between", total - 2 * CALLS_TOLD));
        }
        for (depth, (name, position)) in calls.into_iter().rev().enumerate() {
            let told = total <= 3 * CALLS_TOLD || depth < CALLS_TOLD || depth >= total - CALLS_TOLD;
            if told && let Some(location) = self.sources.locate(position) {
                error = error.called(name, location);
            }
        }
        Ended::Failed(error)
    }

    /// A closure has no name that a person knows: it is called after the function that it was passed to.
    fn name_call(&self, name: &str, position: Position) -> String {
        if !name.starts_with("anon$") {
            return name.to_owned();
        }
        let Some(source) = self.sources.find(position) else {
            return "closure".into();
        };
        let mut tokens = lex::tokens(&source.text, source.offset_of(position)).filter(|token| token.text != ".");
        match tokens.next() {
            Some(token) if token.kind == lex::Kind::Word => match (token.text, tokens.nth(1)) {
                ("step", Some(title)) if title.kind == lex::Kind::Text => format!("step {}", title.text),
                (name, _) => format!("closure in {name}"),
            },
            _ => "closure".into(),
        }
    }

    /// What `throw` was given, or what a native raised; and whether the chain of calls belongs to it.
    fn thrown(&self, value: &Dynamic) -> (Error, bool) {
        if let Some(thrown) = value.read_lock::<Thrown>() {
            return (thrown.error.clone(), thrown.here);
        }
        let error = match self.values.value_of(value) {
            Ok(Value::Map(map)) => {
                let text = |key: &str| {
                    map.get(key)
                        .filter(|value| !matches!(value, Value::Null))
                        .map(Value::to_string)
                };
                let message = text("message").or_else(|| text("error"));
                let code = text("code");
                let mut error = Error::failed(match (message, &code) {
                    (Some(message), _) => message,
                    (None, Some(code)) => code.clone(),
                    (None, None) => Value::Map(map.clone()).to_string(),
                });
                if let Some(code) = code.filter(|code| code != error.message()) {
                    error = error.note(format!("code: {code}"));
                }
                match text("hint") {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            Ok(Value::Null) => Error::failed("the script threw nothing"),
            Ok(value) => Error::failed(value.to_string()),
            Err(error) => error,
        };
        (error, true)
    }

    fn message(&self, error: &EvalAltResult) -> Error {
        use EvalAltResult as E;
        match error {
            E::ErrorFunctionNotFound(signature, _) => self.function_not_found(signature),
            E::ErrorVariableNotFound(name, _) => Error::failed(format!("there is no variable `{name}`")),
            E::ErrorModuleNotFound(name, _) => Error::failed(format!("there is no module `{name}`")),
            E::ErrorPropertyNotFound(name, _) => {
                Error::failed(format!("there is no `{}` here", name.trim_matches('"'))).hint(format!(
                    "ask first: if \"{}\" in the_map {{ ... }}",
                    name.trim_matches('"')
                ))
            }
            E::ErrorIndexNotFound(index, _) => Error::failed(format!("there is nothing at {index}")),
            // What a call would give, and the script decides by it: Rhai has only its type. A secret in that place is a
            // mistake that a run tells.
            E::ErrorMismatchDataType(_, actual, _) if self.engine.is_plan() && is_lazy(actual) => {
                Error::new(Exit::Changes, "what is decided by here is known only after a run")
            }
            E::ErrorMismatchDataType(expected, actual, _) | E::ErrorMismatchOutputType(expected, actual, _) => {
                match expected.is_empty() {
                    true => Error::failed(format!("{} does not fit here", human(actual))),
                    false => Error::failed(format!("{} is expected here, not {}", human(expected), human(actual))),
                }
            }
            E::ErrorIndexingType(types, _) => {
                let of = types.split(['[', ' ']).next().unwrap_or(types);
                Error::failed(format!("{} has no fields and no items", human(of)))
            }
            E::ErrorArrayBounds(0, ..) => Error::failed("the list is empty"),
            E::ErrorArrayBounds(length, index, _) => Error::failed(format!(
                "there is no item {index}: the list has {length}, counted from 0"
            )),
            E::ErrorStringBounds(length, index, _) => Error::failed(format!(
                "there is no character {index}: the text has {length}, counted from 0"
            )),
            E::ErrorFor(_) => Error::failed("`for` needs a list, a range or a text"),
            E::ErrorStackOverflow(_) => Error::failed(format!(
                "endless recursion: {} calls inside each other",
                super::engine::MOST_CALLS
            ))
            .hint("a function calls itself, perhaps by way of others, and never stops"),
            E::ErrorAssignmentToConstant(name, _) => Error::failed(format!("`{name}` is a constant")),
            E::ErrorUnboundThis(_) => Error::failed("`this` means something only in a function called as a method"),
            E::ErrorDataRace(name, _) => Error::failed(format!("`{name}` is being changed by another call")),
            E::ErrorArithmetic(message, _) => Error::failed(format!("calculation: {message}")),
            E::ErrorDotExpr(message, _) => Error::failed(message.clone()),
            E::ErrorDataTooLarge(what, _) => Error::failed(format!("too large: {what}")),
            other => {
                let text = other.to_string();
                let text = match text.rfind(" (line ") {
                    Some(at) => text[..at].to_owned(),
                    None => text,
                };
                Error::failed(text)
            }
        }
    }

    fn function_not_found(&self, signature: &str) -> Error {
        let (name, rest) = signature.split_once(" (").unwrap_or((signature, ""));
        let name = name.trim();
        let types: Vec<_> = split_types(rest.trim_end_matches(')')).into_iter().map(human).collect();
        if !name.chars().any(char::is_alphanumeric) {
            return Error::failed(format!("`{name}` does not work on {}", types.join(" and ")));
        }
        if let Some(field) = name.strip_prefix("get$") {
            return Error::failed(format!("{} has no field `{field}`", types.join(", ")));
        }
        if let Some(field) = name.strip_prefix("set$") {
            let of = types.first().cloned().unwrap_or_default();
            return Error::failed(format!("`{field}` of {of} cannot be set"));
        }
        let known = self.functions();
        if known.iter().any(|function| function.name == name) {
            let error = Error::failed(format!("`{name}` cannot be called with ({})", types.join(", ")));
            return error.hint(format!("ask for help(\"{name}\")"));
        }
        let error = Error::failed(format!("there is no function `{name}`"));
        match nearest(name, known.iter().map(|function| function.name.as_str())) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}

/// The types of a signature: a comma within `<>` does not separate.
fn split_types(types: &str) -> Vec<&str> {
    types
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// Whether that is the type of a text that is not plain: Rhai has no other name for it where it tells what it met.
fn is_lazy(name: &str) -> bool {
    name.rsplit("::").next() == Some("Lazy")
}

/// Rhai's name of a type in the words of a script's author.
pub fn human(name: &str) -> String {
    // A signature tells all names of the same type.
    let name = name.split('|').next().unwrap_or(name);
    let name = name.trim().trim_start_matches("&mut ").trim_start_matches('&');
    // Where Rhai has no name at hand it gives that of the Rust type.
    let name = match name.rsplit("::").next() {
        Some("Lazy") => "string",
        Some("Thing") => "handle",
        Some("Thrown") => "error",
        _ => name,
    };
    match name {
        "()" => "nothing",
        "i64" | "INT" | "integer" => "a whole number",
        "f64" | "FLOAT" | "decimal" | "float" => "a number",
        "bool" => "true or false",
        "string" | "ImmutableString" | "str" | "String" | "&str" => "text",
        "char" => "a character",
        "array" | "Array" => "a list",
        "map" | "Map" => "a map",
        "Fn" | "FnPtr" | "closure" => "a function",
        "handle" => "a handle",
        "error" => "an error",
        "timestamp" => "a time stamp",
        "range" | "range=" => "a range",
        other => return format!("`{other}`"),
    }
    .to_owned()
}

/// The message, and a hint where the reason is known.
fn parse_message(kind: &ParseErrorType) -> (String, Option<String>) {
    use ParseErrorType as P;
    let text = |message: String| (message, None);
    match kind {
        P::UnexpectedEOF => text("the script ends in the middle of something".into()),
        P::VariableUndefined(name) => text(format!("there is no variable `{name}`")),
        P::ModuleUndefined(name) => text(format!("there is no module `{name}`")),
        P::Reserved(word) => (
            format!("`{word}` is a word of the language"),
            Some("take another name, or put a map's key in quotes".into()),
        ),
        P::MissingToken(token, what) => (
            format!("`{token}` is missing {what}"),
            (token == ";").then(|| "every statement but the last ends with `;`".into()),
        ),
        P::DuplicatedProperty(name) => text(format!("`{name}` stands twice in one map")),
        P::FnDuplicatedDefinition(name, _) => text(format!("the function `{name}` is defined twice")),
        P::AssignmentToConstant(name) => text(format!("`{name}` is a constant")),
        P::MismatchedType(expected, actual) => {
            let expected = match expected.as_str() {
                "a boolean expression" => "true or false".to_owned(),
                other => other.to_owned(),
            };
            let actual = actual.trim_start_matches("a ").trim_start_matches("an ");
            text(format!("{expected} is expected here, not {}", human(actual)))
        }
        P::BadInput(rhai::LexError::UnterminatedString) => text("the text is not closed".into()),
        other => {
            let message = other.to_string();
            let mut letters = message.chars();
            let lower = letters
                .next()
                .map(|first| first.to_lowercase().collect::<String>())
                .unwrap_or_default();
            text(lower + letters.as_str())
        }
    }
}
