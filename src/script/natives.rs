//! Every kind of resource and every verb as a function of a native module.
//!
//! A kind gives three: `MODULE::ensure_NOUN(#{...})`, `MODULE::PLURAL()` and the reference `MODULE::NOUN(#{...})`. A verb
//! gives one, with as many forms as it has optional arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine as Rhai, EvalAltResult, FuncRegistration, Module, NativeCallContext};

use super::engine::Shared;
use crate::resource::{AnyKind, Effect, Verb, VerbContext};
use crate::value::Value;

type Outcome = Result<Dynamic, Box<EvalAltResult>>;
type Native = Arc<dyn Fn(&NativeCallContext, Vec<Dynamic>) -> Outcome + Send + Sync>;

/// Registers all of them and returns the names of the modules.
pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) -> Vec<String> {
    let mut modules: BTreeMap<&'static str, Module> = BTreeMap::new();
    for kind in shared.engine.kinds() {
        add_kind(modules.entry(kind.about().module).or_default(), kind, shared);
    }
    for verb in shared.engine.verbs() {
        add_verb(modules.entry(verb.module).or_default(), verb, shared);
    }
    let names = modules.keys().map(|name| (*name).to_owned()).collect();
    for (name, mut module) in modules {
        module.build_index();
        rhai.register_static_module(name, module.into());
    }
    names
}

fn add_kind(module: &mut Module, kind: &Arc<dyn AnyKind>, shared: &Arc<Shared>) {
    let about = kind.about();
    let s = shared.clone();
    let ensure: Native = Arc::new(move |cx, args| {
        let position = cx.call_position();
        let name = format!("{}::ensure_{}", about.module, about.noun);
        let ensured = s.values_of(args).and_then(|mut args| {
            let options = args.pop().unwrap_or_default();
            if let Some(schema) = s.engine.schema(about.kind) {
                s.check_argument(&name, 0, position, schema, &options)?;
            }
            s.engine.ensure(about.kind, options, s.origin(position))
        });
        s.give(position, ensured.map(|handle| handle.into_value()))
    });
    add(
        module,
        &format!("ensure_{}", about.noun),
        &["options: map"],
        1,
        about.help,
        &ensure,
    );

    let s = shared.clone();
    let list: Native = Arc::new(move |cx, _| {
        let rows = s.wait(s.engine.list(about.kind));
        let rows = rows.map(|rows| Value::List(rows.into_iter().map(Value::Map).collect()));
        s.give(cx.call_position(), rows)
    });
    add(
        module,
        about.plural,
        &[],
        0,
        "What there is in this environment, as a list of maps.",
        &list,
    );

    let s = shared.clone();
    let reference: Native = Arc::new(move |cx, args| {
        let referenced = s.values_of(args).and_then(|mut args| {
            let options = args.pop().unwrap_or_default();
            s.wait(s.engine.reference(about.kind, options))
        });
        s.give(cx.call_position(), referenced.map(|handle| handle.into_value()))
    });
    let help = "One that exists already: used like any other, and never changed or destroyed.";
    add(module, about.noun, &["which: map"], 1, help, &reference);
}

fn add_verb(module: &mut Module, verb: &Verb, shared: &Arc<Shared>) {
    let needed = verb.params.iter().filter(|param| !param.optional).count();
    let params: Vec<_> = verb.params.iter().map(|param| param.name).collect();
    let (s, called) = (shared.clone(), verb.clone());
    let native: Native = Arc::new(move |cx, args| {
        let position = cx.call_position();
        let name = format!("{}::{}", called.module, called.name);
        let run = || {
            let mut known = Vec::with_capacity(args.len());
            for (number, (argument, param)) in s.values_of(args)?.into_iter().zip(&called.params).enumerate() {
                s.check_argument(&name, number, position, &param.schema, &argument)?;
                known.push(argument);
            }
            let origin = s.origin(position);
            let work = async {
                let mut resolved = Vec::with_capacity(known.len());
                for argument in known {
                    resolved.push(argument.resolve().await?);
                }
                // What an output turned out to be is checked as well.
                for (number, (argument, param)) in resolved.iter().zip(&called.params).enumerate() {
                    s.check_argument(&name, number, position, &param.schema, argument)?;
                }
                let engine = s.engine.clone();
                called.call(VerbContext { engine, origin }, resolved).await
            };
            match called.effect {
                Effect::Reads => s.wait(work),
                Effect::Acts => s.wait_for_act(work),
            }
        };
        s.give(position, run())
    });
    for count in needed..=verb.params.len() {
        add(module, verb.name, &params[..count], count, verb.about, &native);
    }
}

/// Registers one form of a function, which takes anything: what it may take is checked where the line can be told.
fn add(module: &mut Module, name: &str, params: &[&str], count: usize, about: &str, native: &Native) {
    let mut info: Vec<String> = params.iter().map(|param| (*param).to_owned()).collect();
    info.push("Dynamic".to_owned());
    let comments: Vec<_> = about.lines().map(|line| format!("/// {line}")).collect();
    let registration = FuncRegistration::new(name)
        .with_params_info(info)
        .with_comments(comments)
        .with_volatility(true);
    type Cx<'a> = NativeCallContext<'a>;
    type D = Dynamic;
    let f = native.clone();
    match count {
        0 => registration.set_into_module(module, move |cx: Cx| f(&cx, vec![])),
        1 => registration.set_into_module(module, move |cx: Cx, a: D| f(&cx, vec![a])),
        2 => registration.set_into_module(module, move |cx: Cx, a: D, b: D| f(&cx, vec![a, b])),
        3 => registration.set_into_module(module, move |cx: Cx, a: D, b: D, c: D| f(&cx, vec![a, b, c])),
        4 => registration.set_into_module(module, move |cx: Cx, a: D, b: D, c: D, d: D| f(&cx, vec![a, b, c, d])),
        // A verb with more would better take a map.
        _ => registration.set_into_module(module, move |cx: Cx, a: D, b: D, c: D, d: D, e: D| {
            f(&cx, vec![a, b, c, d, e])
        }),
    };
}

impl Shared {
    /// The arguments of a native, as values.
    pub fn values_of(&self, args: Vec<Dynamic>) -> crate::error::Result<Vec<Value>> {
        args.iter().map(|argument| self.values.value_of(argument)).collect()
    }

    /// What a native returns.
    pub fn give(&self, position: rhai::Position, result: crate::error::Result<Value>) -> Outcome {
        match result {
            Ok(value) => Ok(self.values.to_dynamic(value)),
            Err(error) => Err(self.raise(position, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::script::tests::world;

    /// Every word of the Rhai book's keyword list, active and reserved.
    const WORDS: &[&str] = &[
        "true",
        "false",
        "let",
        "const",
        "if",
        "else",
        "switch",
        "do",
        "while",
        "until",
        "loop",
        "for",
        "in",
        "continue",
        "break",
        "return",
        "throw",
        "try",
        "catch",
        "import",
        "export",
        "as",
        "global",
        "fn",
        "private",
        "this",
        "is",
        "Fn",
        "call",
        "curry",
        "type_of",
        "eval",
        "is_def_fn",
        "is_def_var",
        "is_shared",
        "var",
        "static",
        "shared",
        "goto",
        "exit",
        "match",
        "case",
        "default",
        "void",
        "null",
        "nil",
        "public",
        "protected",
        "new",
        "use",
        "with",
        "is",
        "module",
        "package",
        "super",
        "spawn",
        "thread",
        "go",
        "sync",
        "async",
        "await",
        "yield",
    ];

    #[test]
    fn no_name_is_a_word_of_the_language() {
        let world = world(&[]);
        let names = world
            .shell
            .shared
            .functions()
            .iter()
            .flat_map(|function| function.name.split("::"));
        for name in names.filter(|name| *name != "exit") {
            assert!(!WORDS.contains(&name) || rhai_own(name), "{name}");
        }
        for kind in world.shell.shared.engine.kinds() {
            for output in kind.about().outputs {
                assert!(!WORDS.contains(&output.name), "{}.{}", kind.about().kind, output.name);
            }
        }
    }

    fn rhai_own(name: &str) -> bool {
        matches!(
            name,
            "is_shared" | "type_of" | "call" | "curry" | "Fn" | "is_def_fn" | "is_def_var"
        )
    }
}
