//! `help("ecs::services")`: what a function is for, from the same texts as everything else.

use std::sync::Arc;

use rhai::{Engine as Rhai, ImmutableString, NativeCallContext};

use super::engine::Shared;
use crate::error::{Error, Result, nearest};
use crate::resource::{AnyKind, Verb};
use crate::schema;
use crate::value::Value;

/// What every script has at hand, beside Rhai's own functions.
pub const COMMON: &[(&str, &str)] = &[
    (
        "step(title, closure)",
        "A named part of the run. Gives what the closure gives.",
    ),
    (
        "param(name, #{preset, about, type, choices})",
        "A parameter of the script, at its top level: --NAME VALUE.",
    ),
    ("env()", "The environment file's values, as a map."),
    (
        "publish(name, value)",
        "Publishes a contract for other scripts, in SSM Parameter Store.",
    ),
    ("lookup(name)", "Reads what a script published under that name."),
    ("variable(name)", "A secret from the variable of that name."),
    (
        "wait(x)",
        "Waits until everything in x is known, and throws if it failed.",
    ),
    (
        "parallel([closures])",
        "Runs closures side by side. Gives their results in order.",
    ),
    (
        "par_map(list, closure)",
        "Calls the closure for each item, side by side.",
    ),
    ("print(x)", "Prints a result: a list of maps is a table."),
    ("section(title)", "A heading among results."),
    ("note(text)", "Tells something in passing."),
    ("warn(text)", "Tells that something may be wrong."),
    (
        "confirm(question)",
        "Asks yes or no. Without a terminal and without --yes the run ends with code 77.",
    ),
    (
        "exit(code, value)",
        "Ends the script with this exit code, from 0 to 255, and with this value, which may be left out.",
    ),
    (
        "assert(x)",
        "Fails at this line unless x is true. Like all assertions it takes a text as last argument that says what was meant.",
    ),
    (
        "assert_eq(a, b)",
        "Fails and shows both sides unless a and b are the same: text, numbers, lists, maps, outputs, secrets.",
    ),
    ("assert_ne(a, b)", "Fails when a and b are the same."),
    (
        "assert_contains(whole, part)",
        "Looks for text in text, an item in a list, a key or some entries in a map, a map with some entries in a list.",
    ),
    (
        "assert_throws(closure, part)",
        "Fails unless the closure fails with an error that says `part`. Gives the error: message, code, hint.",
    ),
    (
        "run(file, #{parameters}, #{options})",
        "In a test: runs a whole script. Gives value, printed, created, changed, deleted, unchanged, summary, resources, \
         seconds. Options: env, environment, only, with_data, allow_replace, purge_secrets, confirm, yes, plan.",
    ),
    (
        "plan(file, #{parameters})",
        "What a run of that script would change, as --plan --json tells it. Writes nothing.",
    ),
    (
        "adopt(kind, id, #{options})",
        "Takes over what was made by other means: shows how it differs from the options, asks, and writes tags and nothing \
         else. Gives what ensure gives. A name at the service that is not PROJECT-ENV-NAME stands in [adopt] of the \
         environment file.",
    ),
    (
        "moved(old, new)",
        "Renames a resource of this environment: moved(\"vpc/main\", \"vpc/primary\"). True when there was one to rename.",
    ),
    ("help(name)", "What a function, a module or a library is for."),
];

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn("help", move |cx: NativeCallContext, name: ImmutableString| {
        s.give(cx.call_position(), s.help(&name).map(Value::text))
    });
    let s = shared.clone();
    rhai.register_fn("help", move |cx: NativeCallContext| {
        let mut text = String::from("Functions:\n");
        for (form, about) in COMMON {
            text.push_str(&format!("  {form:<48} {about}\n"));
        }
        text.push_str(&format!("\nModules: {}\nLibraries: ", s.modules().join(", ")));
        text.push_str(&super::stdlib::names().collect::<Vec<_>>().join(", "));
        text.push_str("\n\nhelp(\"NAME\") says more about each.");
        s.give(cx.call_position(), Ok(Value::text(text)))
    });
}

impl Shared {
    /// The help text of a function, a module or a library.
    pub fn help(&self, name: &str) -> Result<String> {
        let name = name.trim().trim_end_matches("()");
        if let Some((form, about)) = COMMON.iter().find(|(form, _)| form.split('(').next() == Some(name)) {
            return Ok(format!("{form}\n{about}"));
        }
        if let Some((module, function)) = name.split_once("::") {
            if let Some(verb) = self
                .engine
                .verbs()
                .iter()
                .find(|verb| (verb.module, verb.name) == (module, function))
            {
                return Ok(verb_help(verb));
            }
            for kind in self.engine.kinds().iter().filter(|kind| kind.about().module == module) {
                let about = kind.about();
                if function == format!("ensure_{}", about.noun) {
                    return Ok(kind_help(kind.as_ref()));
                }
                if function == about.plural {
                    return Ok(format!(
                        "{name}()\nWhat there is in this environment, as a list of maps."
                    ));
                }
                if function == about.noun {
                    let what = "One that exists already: used like any other, and never changed or destroyed.";
                    return Ok(format!("{name}(#{{...}})\n{what}"));
                }
            }
        }
        if self.modules().iter().any(|module| module == name) {
            let prefix = format!("{name}::");
            let mut names: Vec<_> = self.functions().iter().map(|known| known.name.as_str()).collect();
            names.retain(|known| known.starts_with(&prefix));
            names.sort_unstable();
            names.dedup();
            return Ok(names.join("\n"));
        }
        if let Some(text) = super::stdlib::text(name) {
            return Ok(library_help(name, text));
        }
        let mut known: Vec<&str> = self.functions().iter().map(|known| known.name.as_str()).collect();
        known.extend(self.modules().iter().map(String::as_str));
        known.extend(super::stdlib::names().map(|name| -> &str { name }));
        let error = Error::failed(format!("there is no help for `{name}`"));
        Err(match nearest(name, known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("help() lists what there is"),
        })
    }
}

fn verb_help(verb: &Verb) -> String {
    let params: Vec<_> = verb
        .params
        .iter()
        .map(|param| match param.optional {
            true => format!("[{}]", param.name),
            false => param.name.to_owned(),
        })
        .collect();
    let mut text = format!("{}::{}({})\n{}", verb.module, verb.name, params.join(", "), verb.about);
    for param in &verb.params {
        text.push_str(&format!("\n  {:<20} {}", param.name, param.about));
    }
    text
}

fn kind_help(kind: &dyn AnyKind) -> String {
    let about = kind.about();
    let mut text = format!(
        "{}::ensure_{}(#{{...}})\n{}\n\nOptions:",
        about.module, about.noun, about.help
    );
    for field in schema::fields(&kind.schema()) {
        let needed = match (field.required, &field.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("default {default}"),
            (false, None) => "optional".to_owned(),
        };
        text.push_str(&format!("\n  {:<24} {} ({needed})", field.name, field.kind));
        for line in field.about.lines() {
            text.push_str(&format!("\n      {line}"));
        }
    }
    text.push_str("\n\nIt gives:");
    for output in about.outputs {
        text.push_str(&format!("\n  {:<24} {}", output.name, output.about));
    }
    text
}

/// The doc comments of a library file: its own, and those of its functions.
fn library_help(name: &str, text: &str) -> String {
    let mut told = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("//!") {
            told.push(about.trim().to_owned());
        } else if let Some(about) = line.strip_prefix("///") {
            doc.push(about.trim());
        } else if let Some(function) = line.strip_prefix("fn ") {
            if !doc.is_empty() {
                told.push(format!("\n{name}::{}", function.trim_end_matches(['{', ' '])));
                told.extend(doc.drain(..).map(|line| format!("  {line}")));
            }
        } else {
            doc.clear();
        }
    }
    told.join("\n")
}
