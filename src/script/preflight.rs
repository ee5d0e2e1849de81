//! What can be known of a script before it runs: it parses, its imports are there, its functions exist and are called
//! with as many arguments as they take, options that are written out are right, and which directories it names.

use std::collections::{BTreeSet, HashMap, HashSet};

use rhai::{ASTNode, Engine as Rhai, Expr, FnAccess, FnCallExpr, Position, Stmt};
use schemars::Schema;

use super::engine::{Function, Shared};
use super::params::Parameter;
use super::resolver::Script;
use crate::error::{Error, Exit, Location, Result, nearest};
use crate::value::{Map, Output, Part, Promise, Text, Value};

/// Functions whose second argument is a directory.
const DIRECTORIES: &[&str] = &["migrate::up", "migrate::status", "identity::apply"];

/// Rhai's own words that look like functions.
const BUILT_IN: &[&str] = &[
    "print",
    "debug",
    "type_of",
    "Fn",
    "call",
    "curry",
    "is_shared",
    "is_def_var",
    "is_def_fn",
    "this",
];

/// Functions that give plain values, on which `switch` works.
const PLAIN: &[&str] = &["wait", "param", "type_of", "env"];

/// A directory that a script names in a literal: the caller checks what is in it.
#[derive(Clone, Debug)]
pub struct Directory {
    /// `migrate::up`.
    pub call: String,
    /// As it is written.
    pub path: String,
    pub at: Option<Location>,
}

/// A script that may run.
pub struct Checked {
    pub(super) script: Script,
    /// The `//!` comment.
    pub about: String,
    pub parameters: Vec<Parameter>,
    pub directories: Vec<Directory>,
    /// The native functions that it calls, and all that it imports.
    pub calls: BTreeSet<String>,
}

/// What a name in front of `::` stands for.
type Aliases = HashMap<String, Vec<Function>>;

impl Shared {
    /// Checks a script and everything that it imports. All that is wrong is told.
    pub(super) fn check(&self, rhai: &Rhai, script: Script) -> Result<Checked> {
        let mut check = Check {
            shared: self,
            rhai,
            seen: HashSet::new(),
            way: Vec::new(),
            errors: Vec::new(),
            directories: Vec::new(),
            called: BTreeSet::new(),
        };
        check.script(&script, &[], &Aliases::new());
        let Check {
            errors,
            directories,
            called,
            ..
        } = check;
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        let parameters = self.find_parameters(&script)?;
        Ok(Checked {
            about: about(script.ast.doc()),
            parameters,
            directories,
            calls: called,
            script,
        })
    }

    /// Checks a line of the prompt, which sees what earlier lines defined and imported.
    pub(super) fn check_line(
        &self,
        rhai: &Rhai,
        script: &Script,
        defined: &[Function],
        imported: &HashMap<String, Script>,
    ) -> Result<()> {
        let mut check = Check {
            shared: self,
            rhai,
            seen: HashSet::new(),
            way: Vec::new(),
            errors: Vec::new(),
            directories: Vec::new(),
            called: BTreeSet::new(),
        };
        let aliases = imported
            .iter()
            .map(|(alias, script)| (alias.clone(), public(script)))
            .collect();
        check.script(script, defined, &aliases);
        self.engine.will_call(std::mem::take(&mut check.called));
        Error::all(check.errors).map_or(Ok(()), Err)
    }
}

/// The `//!` lines without their marks.
fn about(doc: &str) -> String {
    let lines = doc.lines().map(|line| line.trim_start_matches("//!").trim());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The functions that a library offers.
pub(super) fn public(script: &Script) -> Vec<Function> {
    let functions = script.ast.iter_functions();
    let public = functions.filter(|function| function.access == FnAccess::Public && !function.name.contains('$'));
    public
        .map(|function| Function {
            name: function.name.to_owned(),
            params: function.params.len(),
        })
        .collect()
}

/// The imports that a script writes at any place: alias, name, and where.
pub(super) fn imports(script: &Script) -> Vec<(String, Option<String>, Position)> {
    let mut found = Vec::new();
    script.ast.walk(&mut |nodes| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = nodes.last() {
            let name = match &import.0 {
                Expr::StringConstant(name, _) => Some(name.to_string()),
                _ => None,
            };
            found.push((import.1.name.to_string(), name, *position));
        }
        true
    });
    found
}

struct Check<'a> {
    shared: &'a Shared,
    rhai: &'a Rhai,
    seen: HashSet<String>,
    /// The scripts that import each other, from the first on.
    way: Vec<String>,
    errors: Vec<Error>,
    directories: Vec<Directory>,
    called: BTreeSet<String>,
}

impl Check<'_> {
    fn error(&mut self, error: Error, position: Position) {
        let error = match self.shared.sources.locate(position) {
            Some(location) => error.at(location),
            None => error,
        };
        self.errors.push(error.with_exit(Exit::Invalid));
    }

    fn script(&mut self, script: &Script, defined: &[Function], known: &Aliases) {
        let name = script.source.name.clone();
        if !self.seen.insert(name.clone()) {
            return;
        }
        self.way.push(name);
        let mut aliases = known.clone();
        for (alias, import, position) in imports(script) {
            let Some(import) = import else {
                let error = Error::invalid("import takes a text that is written out, so that it can be checked");
                self.error(error, position);
                continue;
            };
            match self.shared.imported(self.rhai, &import, position) {
                Ok(imported) if self.way.contains(&imported.source.name) => {
                    let way = self.way.iter().skip_while(|name| **name != imported.source.name);
                    let way: Vec<_> = way.map(String::as_str).chain([imported.source.name.as_str()]).collect();
                    let error = Error::invalid(format!("these import each other: {}", way.join(" -> ")));
                    self.error(error, position);
                }
                Ok(imported) => {
                    self.script(&imported, &[], &Aliases::new());
                    if self.shared.modules().contains(&alias) {
                        let error = Error::invalid(format!("`{alias}` is a native module: take another name"));
                        self.error(error.hint(format!("import \"{import}\" as my_{alias};")), position);
                    }
                    aliases.insert(alias, public(&imported));
                }
                Err(error) => self.error(error, position),
            }
        }
        self.way.pop();
        self.calls(script, defined, &aliases);
    }

    fn calls(&mut self, script: &Script, defined: &[Function], aliases: &Aliases) {
        let mut own: Vec<Function> = script
            .ast
            .iter_functions()
            .map(|function| Function {
                name: function.name.to_owned(),
                params: function.params.len(),
            })
            .collect();
        own.extend_from_slice(defined);
        // A closure in a map can be called like a method, so the keys of maps may be methods.
        let mut keys = HashSet::new();
        let mut seen = HashSet::new();
        let mut calls: Vec<(FnCallExpr, Position, bool)> = Vec::new();
        let mut switches = Vec::new();
        script.ast.walk(&mut |nodes| {
            match nodes.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) => {
                    calls.push(((**call).clone(), *position, false));
                }
                Some(ASTNode::Expr(Expr::MethodCall(call, position))) => {
                    calls.push(((**call).clone(), *position, true));
                }
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    keys.insert(property.2.to_string());
                }
                Some(ASTNode::Stmt(Stmt::Switch(switch, position))) if !is_plain(&switch.0) => {
                    switches.push(*position);
                }
                _ => {}
            }
            true
        });
        for position in switches {
            let error = Error::invalid("`switch` does not wait for an output, and would always take its default");
            self.error(error.hint("wait for it first: switch wait(...) { ... }"), position);
        }
        for (call, position, method) in calls {
            if call.is_operator_call() || !seen.insert((call.name.clone(), position)) {
                continue;
            }
            match method {
                true => self.method(&call, position, &own, &keys),
                false if call.is_qualified() => self.qualified(&call, position, aliases),
                false => self.plain(&call, position, &own),
            }
        }
    }

    fn plain(&mut self, call: &FnCallExpr, position: Position, own: &[Function]) {
        let name = call.name.as_str();
        if BUILT_IN.contains(&name) || name.contains('$') {
            return;
        }
        self.called.insert(name.to_owned());
        let known: Vec<&Function> = own.iter().chain(self.shared.functions()).collect();
        self.known(name, name, call.args.len(), &known, position);
    }

    fn method(&mut self, call: &FnCallExpr, position: Position, own: &[Function], keys: &HashSet<String>) {
        let name = call.name.as_str();
        if BUILT_IN.contains(&name) || keys.contains(name) {
            return;
        }
        let mut names = own
            .iter()
            .chain(self.shared.functions())
            .map(|function| function.name.as_str());
        if names.clone().any(|known| known == name) {
            return;
        }
        let error = Error::invalid(format!("there is no method `{name}`"));
        let near = nearest(name, names.by_ref().filter(|known| !known.contains("::")));
        let error = match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        self.error(error, position);
    }

    fn qualified(&mut self, call: &FnCallExpr, position: Position, aliases: &Aliases) {
        let path: Vec<_> = call.namespace.path.iter().map(|part| part.name.as_str()).collect();
        let full = format!("{}::{}", path.join("::"), call.name);
        let Some(root) = path.first().copied() else { return };
        if let Some(functions) = aliases.get(root)
            && path.len() == 1
        {
            let known: Vec<&Function> = functions.iter().collect();
            self.known(&call.name, &full, call.args.len(), &known, position);
            return;
        }
        self.called.insert(full.clone());
        if !self.shared.modules().iter().any(|module| module == root) {
            let error = Error::invalid(format!("there is no module `{root}`"));
            let modules = self
                .shared
                .modules()
                .iter()
                .map(String::as_str)
                .chain(aliases.keys().map(String::as_str));
            let error = match nearest(root, modules) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("a library is imported first: import \"{root}\" as {root};")),
            };
            return self.error(error, position);
        }
        let prefix = format!("{root}::");
        let functions = self.shared.functions().iter();
        let known: Vec<&Function> = functions
            .filter(|function| function.name.starts_with(&prefix))
            .collect();
        if self.known(&full, &full, call.args.len(), &known, position) {
            self.arguments(&full, call, position);
        }
    }

    /// Whether a function exists and takes so many arguments; else an error.
    fn known(&mut self, name: &str, shown: &str, count: usize, known: &[&Function], position: Position) -> bool {
        let mut takes: Vec<_> = known
            .iter()
            .filter(|function| function.name == name)
            .map(|found| found.params)
            .collect();
        if takes.contains(&count) {
            return true;
        }
        let error = if takes.is_empty() {
            let error = Error::invalid(format!("there is no function `{shown}`"));
            let short = !name.contains("::");
            let names = known.iter().map(|function| function.name.as_str());
            match nearest(name, names.filter(|known| !short || !known.contains("::"))) {
                Some(near) => error.hint(format!(
                    "did you mean `{}{near}`?",
                    shown.strip_suffix(name).unwrap_or("")
                )),
                None => error,
            }
        } else {
            takes.sort_unstable();
            takes.dedup();
            let takes: Vec<_> = takes.iter().map(usize::to_string).collect();
            let words = match takes.as_slice() {
                [one] if one == "1" => "1 argument".to_owned(),
                _ => format!("{} arguments", takes.join(" or ")),
            };
            Error::invalid(format!("`{shown}` takes {words}, not {count}")).hint(format!("ask for help(\"{shown}\")"))
        };
        self.error(error, position);
        false
    }

    /// Arguments that are written out are checked against the schema; what is not known yet passes.
    fn arguments(&mut self, name: &str, call: &FnCallExpr, position: Position) {
        if DIRECTORIES.contains(&name)
            && let Some(Expr::StringConstant(path, at)) = call.args.get(1)
        {
            self.directories.push(Directory {
                call: name.to_owned(),
                path: path.to_string(),
                at: self.shared.sources.locate(*at),
            });
        }
        for (number, schema) in self.schemas(name).iter().enumerate() {
            let Some(argument) = call.args.get(number) else { return };
            let value = self.written(argument);
            if let Err(error) = self.shared.check_argument(name, number, position, schema, &value) {
                self.error(error, position);
            }
        }
    }

    fn schemas(&self, name: &str) -> Vec<Schema> {
        let engine = &self.shared.engine;
        let Some((module, function)) = name.split_once("::") else {
            return Vec::new();
        };
        if let Some(verb) = engine
            .verbs()
            .iter()
            .find(|verb| (verb.module, verb.name) == (module, function))
        {
            return verb.params.iter().map(|param| param.schema.clone()).collect();
        }
        let kinds = engine.kinds().iter().map(|kind| kind.about());
        let kind = kinds
            .filter(|about| about.module == module)
            .find(|about| function.strip_prefix("ensure_") == Some(about.noun));
        kind.and_then(|about| engine.schema(about.kind))
            .cloned()
            .into_iter()
            .collect()
    }

    /// What is written, with an output in the place of everything that only a run can know: an output passes for any
    /// type.
    fn written(&self, expression: &Expr) -> Value {
        let unknown = || {
            let promise = Promise::new("known when it runs");
            let field = String::new();
            Value::Text(Text(vec![Part::Output(Output { promise, field })]))
        };
        match expression {
            Expr::Map(map, _) => {
                let entries = map
                    .0
                    .iter()
                    .map(|(key, value)| (key.name.to_string(), self.written(value)));
                Value::Map(entries.collect::<Map>())
            }
            Expr::Array(items, _) => Value::List(items.iter().map(|item| self.written(item)).collect()),
            other => match other
                .get_literal_value(None)
                .map(|value| self.shared.values.value_of(&value))
            {
                Some(Ok(value)) => value,
                _ => unknown(),
            },
        }
    }
}

/// Whether `switch` can look at it: it is not, as far as can be seen, an output.
fn is_plain(expression: &Expr) -> bool {
    match expression {
        Expr::FnCall(call, _) => {
            call.is_operator_call() || (!call.is_qualified() && PLAIN.contains(&call.name.as_str()))
        }
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => match &chain.lhs {
            Expr::FnCall(call, _) => !call.is_qualified() && call.name == "env",
            Expr::Dot(..) | Expr::Index(..) => is_plain(&chain.lhs),
            _ => false,
        },
        Expr::InterpolatedString(..) => false,
        _ => true,
    }
}
