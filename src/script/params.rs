//! Parameters of a script: declared by a literal, top-level `param("name", #{...})`, found without running it.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::engine::Shared;
use super::resolver::Script;
use crate::error::{Error, Location, Result, nearest};
use crate::value::{Map, Value};

/// Options of iacsh. A parameter may not take their names.
const TAKEN: &[&str] = &[
    "env",
    "plan",
    "step",
    "yes",
    "confirm",
    "allow-replace",
    "with-data",
    "prune",
    "purge-secrets",
    "only",
    "out",
    "expect",
    "markdown",
    "json",
    "color",
    "help",
    "version",
    "verbose",
];

/// The keys of the map. `default` is a word of the language, so it is called `preset`; in quotes the other works too.
const KEYS: &[&str] = &["preset", "default", "about", "help", "type", "choices"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Whole,
    Number,
    Flag,
}

impl Type {
    fn words(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Whole => "a whole number",
            Type::Number => "a number",
            Type::Flag => "true or false",
        }
    }

    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Text(_) => Type::Text,
            Value::Int(_) => Type::Whole,
            Value::Float(_) => Type::Number,
            Value::Bool(_) => Type::Flag,
            _ => return None,
        })
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Type::Text => Some(Value::text(text)),
            Type::Whole => text.parse().ok().map(Value::Int),
            Type::Number => text.parse().ok().map(Value::Float),
            Type::Flag => text.parse().ok().map(Value::Bool),
        }
    }
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub about: String,
    /// `None`: it must be given.
    pub default: Option<Value>,
    /// Empty: anything of its type.
    pub choices: Vec<String>,
    kind: Type,
    pub at: Option<Location>,
}

/// What `iacsh FILE --help` tells.
#[derive(Clone, Debug)]
pub struct ScriptHelp {
    /// The script's `//!` comment.
    pub about: String,
    pub parameters: Vec<Parameter>,
}

impl ScriptHelp {
    /// The help text. `file` is how the script was named on the command line.
    pub fn text(&self, file: &str) -> String {
        let mut text = String::new();
        if !self.about.is_empty() {
            text.push_str(&format!("{}\n\n", self.about));
        }
        let needed: Vec<_> = self
            .parameters
            .iter()
            .filter(|parameter| parameter.default.is_none())
            .collect();
        text.push_str(&format!("Usage: iacsh {file} [OPTIONS]"));
        for parameter in needed {
            text.push_str(&format!(" --{0} <{0}>", parameter.name));
        }
        text.push('\n');
        if !self.parameters.is_empty() {
            text.push_str("\nParameters:\n");
        }
        for parameter in &self.parameters {
            let mut about = parameter.about.clone();
            if !parameter.choices.is_empty() {
                about.push_str(&format!(" [one of: {}]", parameter.choices.join(", ")));
            }
            match &parameter.default {
                Some(default) => about.push_str(&format!(" [default: {default}]")),
                None => about.push_str(" [required]"),
            }
            let left = format!("--{} <{}>", parameter.name, parameter.kind.words());
            text.push_str(&format!("  {left:<32} {}\n", about.trim()));
        }
        text.push_str("\nThe options of iacsh itself: iacsh --help\n");
        text
    }
}

impl Shared {
    /// The parameters that a script declares.
    pub(super) fn find_parameters(&self, script: &Script) -> Result<Vec<Parameter>> {
        let mut declared = Vec::new();
        let mut path = Vec::new();
        let mut at_top = Vec::new();
        for statement in script.ast.statements() {
            statement.walk(&mut path, &mut |nodes| {
                if let Some((call, position)) = call_of(nodes.last()) {
                    at_top.push(position);
                    declared.push(self.declared(call, position));
                }
                true
            });
            path.clear();
        }
        let mut elsewhere = None;
        script.ast.walk(&mut |nodes| {
            if let Some((_, position)) = call_of(nodes.last())
                && !at_top.contains(&position)
            {
                elsewhere.get_or_insert(position);
            }
            true
        });
        if let Some(position) = elsewhere {
            let error = Error::invalid("param(...) is for a script's top level, so that --help can tell of it");
            return Err(self.located(error.hint("pass the value on to the function"), position));
        }
        let declared: Vec<Parameter> = declared.into_iter().collect::<Result<_>>()?;
        for (number, parameter) in declared.iter().enumerate() {
            if declared[..number].iter().any(|earlier| earlier.name == parameter.name) {
                let error = Error::invalid(format!("param(\"{}\") is declared twice", parameter.name));
                return Err(match parameter.at.clone() {
                    Some(at) => error.at(at),
                    None => error,
                });
            }
        }
        Ok(declared)
    }

    fn located(&self, error: Error, position: Position) -> Error {
        match self.sources.locate(position) {
            Some(location) => error.at(location),
            None => error,
        }
    }

    fn declared(&self, call: &FnCallExpr, position: Position) -> Result<Parameter> {
        let fail = |message: String| Err(self.located(Error::invalid(message), position));
        let Some(Expr::StringConstant(name, _)) = call.args.first() else {
            return fail("the name of a parameter is a text that is written out".into());
        };
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plain || !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return fail(format!(
                "param(\"{name}\"): a name has letters, digits, `-` and `_`, and begins with a letter"
            ));
        }
        if TAKEN.contains(&name.as_str()) {
            return fail(format!("param(\"{name}\"): --{name} is an option of iacsh"));
        }
        let map = match call.args.get(1) {
            None => Map::new(),
            Some(written) => match written
                .get_literal_value(None)
                .map(|value| self.values.value_of(&value))
            {
                Some(Ok(Value::Map(map))) => map,
                _ => {
                    let message = "the map of a parameter is written out: it is read without running the script";
                    return fail(format!("param(\"{name}\"): {message}"));
                }
            },
        };
        for key in map.keys() {
            if !KEYS.contains(&key.as_str()) {
                let error = Error::invalid(format!("param(\"{name}\"): unknown key `{key}`"));
                let error = match nearest(key, KEYS.iter().copied()) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint(format!("known here: {}", KEYS.join(", "))),
                };
                return Err(self.located(error, position));
            }
        }
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let default = map
            .get("preset")
            .or_else(|| map.get("default"))
            .filter(|value| !matches!(value, Value::Null))
            .cloned();
        let kind = match (text("type"), &default) {
            (Some("text"), _) => Type::Text,
            (Some("integer" | "int"), _) => Type::Whole,
            (Some("number" | "float"), _) => Type::Number,
            (Some("boolean" | "bool"), _) => Type::Flag,
            (Some(other), _) => {
                let message = format!("param(\"{name}\"): no type \"{other}\": text, integer, number, boolean");
                return fail(message);
            }
            (None, Some(default)) => match Type::of(default) {
                Some(kind) => kind,
                None => return fail(format!("param(\"{name}\"): a default is text, a number, true or false")),
            },
            (None, None) => Type::Text,
        };
        if let Some(default) = &default
            && Type::of(default) != Some(kind)
        {
            let (kind, given) = (kind.words(), default.type_name());
            return fail(format!(
                "param(\"{name}\"): the default is {given}, and the type is {kind}"
            ));
        }
        let choices = match map.get("choices") {
            None => Vec::new(),
            Some(Value::List(list)) => list.iter().map(Value::to_string).collect(),
            Some(other) => {
                return fail(format!(
                    "param(\"{name}\"): choices are a list, not {}",
                    other.type_name()
                ));
            }
        };
        if let Some(default) = &default
            && !choices.is_empty()
            && !choices.contains(&default.to_string())
        {
            return fail(format!(
                "param(\"{name}\"): the default {default} is not one of the choices"
            ));
        }
        Ok(Parameter {
            name: name.to_string(),
            about: text("about").or_else(|| text("help")).unwrap_or_default().to_owned(),
            default,
            choices,
            kind,
            at: self.sources.locate(position),
        })
    }
}

/// What was given on the command line (names without dashes), checked and converted; defaults for the rest.
pub fn convert(parameters: &[Parameter], given: &[(String, String)]) -> Result<Map> {
    let mut values = Map::new();
    for (name, text) in given {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == *name) else {
            let error = Error::usage(format!("the script has no parameter --{name}"));
            let names = parameters.iter().map(|parameter| parameter.name.as_str());
            return Err(match nearest(name, names.clone()) {
                Some(near) => error.hint(format!("did you mean --{near}?")),
                None if parameters.is_empty() => error.hint("it has none"),
                None => error.hint(format!("it has: --{}", names.collect::<Vec<_>>().join(", --"))),
            });
        };
        if values.contains_key(name) {
            return Err(Error::usage(format!("--{name} is given twice")));
        }
        let Some(value) = parameter.kind.read(text) else {
            return Err(Error::usage(format!(
                "--{name} {text}: {} is expected",
                parameter.kind.words()
            )));
        };
        if !parameter.choices.is_empty() && !parameter.choices.contains(&value.to_string()) {
            let choices = parameter.choices.join(", ");
            return Err(Error::usage(format!("--{name} {text}: it is one of: {choices}")));
        }
        values.insert(name.clone(), value);
    }
    for parameter in parameters {
        if values.contains_key(&parameter.name) {
            continue;
        }
        match &parameter.default {
            Some(default) => {
                values.insert(parameter.name.clone(), default.clone());
            }
            None => {
                let error = Error::usage(format!("--{} is missing", parameter.name));
                return Err(match parameter.about.is_empty() {
                    true => error,
                    false => error.hint(parameter.about.clone()),
                });
            }
        }
    }
    Ok(values)
}

/// The call of `param` that a node is.
fn call_of<'a>(node: Option<&ASTNode<'a>>) -> Option<(&'a FnCallExpr, Position)> {
    let (call, position) = match node? {
        ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position)) => (call, *position),
        _ => return None,
    };
    (call.name == "param" && !call.is_qualified()).then_some((&**call, position))
}
