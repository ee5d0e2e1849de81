//! The language behind the prompt: what a line defines, imports and gives is there in the next.

use std::collections::HashMap;

use rhai::{Array, Dynamic, GlobalRuntimeState, Position, Scope};

use super::diagnostics::Ended;
use super::engine::{Function, ScriptContext, Shell, on_large_stack};
use super::lex;
use super::preflight;
use super::resolver::Script;
use crate::error::{Error, Result};
use crate::repl::{Candidate, Completeness, Evaluator, Outcome};
use crate::resource::Engine;
use crate::value::Value;

/// From how many lines on the texts of earlier statements are forgotten: Rhai counts no further than 65,535.
const MANY_LINES: usize = 50_000;

impl Shell {
    /// The same functions for the prompt, where each line sees what earlier ones made.
    pub fn into_prompt(self) -> Prompt {
        Prompt::new(self.shared.engine.clone(), self.shared.context.clone())
    }
}

/// A session at the prompt.
pub struct Prompt {
    pub(super) shell: Shell,
    pub(super) scope: Scope<'static>,
    global: GlobalRuntimeState,
    pub(super) defined: Vec<Function>,
    pub(super) imported: HashMap<String, Script>,
}

impl Prompt {
    /// The context's stepper is not asked: the prompt goes line by line anyway.
    pub fn new(engine: Engine, context: ScriptContext) -> Self {
        let context = ScriptContext {
            stepper: None,
            ..context
        };
        let shell = Shell::for_prompt(engine, context);
        let global = shell.rhai.new_global_runtime_state();
        let mut scope = Scope::new();
        scope.push("last", ());
        scope.push("out", Array::new());
        Self {
            shell,
            scope,
            global,
            defined: Vec::new(),
            imported: HashMap::new(),
        }
    }

    /// The help text of a function, a module or a library.
    pub fn help(&self, name: &str) -> Result<String> {
        self.shell.shared.help(name)
    }

    fn read(&mut self, text: &str) -> Result<Script> {
        let shared = self.shell.shared.clone();
        if shared.sources.lines_used() > MANY_LINES {
            shared.sources.clear();
            shared.imports.clear();
        }
        let source = shared.sources.add("prompt", None, text)?;
        let ast = shared.parse(&self.shell.rhai, &source, &self.scope)?;
        let script = Script { source, ast };
        // Whoever imports again wants the file as it is now.
        let imports = preflight::imports(&script);
        if !imports.is_empty() {
            shared.imports.clear();
        }
        shared.check_line(&self.shell.rhai, &script, &self.defined, &self.imported)?;
        for (alias, name, position) in imports {
            if let Some(name) = name
                && !alias.is_empty()
            {
                self.imported
                    .insert(alias, shared.imported(&self.shell.rhai, &name, position)?);
            }
        }
        Ok(script)
    }

    fn run(&mut self, text: &str) -> Outcome {
        let script = match self.read(text) {
            Ok(script) => script,
            Err(error) => return Outcome::Failed(error),
        };
        for function in script
            .ast
            .iter_functions()
            .filter(|function| !function.name.contains('$'))
        {
            let function = Function {
                name: function.name.to_owned(),
                params: function.params.len(),
            };
            self.defined
                .retain(|known| (&known.name, known.params) != (&function.name, function.params));
            self.defined.push(function);
        }
        let libraries = self.global.lib.len();
        let result = self.shell.evaluate(&script, &mut self.scope, &mut self.global);
        // What a statement that failed half way left behind.
        self.global.level = 0;
        self.global.scope_level = 0;
        self.global
            .lib
            .truncate(libraries + usize::from(script.ast.has_functions()));
        let kept = result.as_ref().ok().cloned();
        let exit = match &result {
            Err(error) => match self.shell.shared.explain(super::step::copy(error)) {
                Ended::Exit(code, _) => Some(code),
                Ended::Failed(_) => None,
            },
            Ok(_) => None,
        };
        match self.shell.finish(result) {
            Err(error) => Outcome::Failed(error),
            Ok(finished) => match exit {
                Some(code) => Outcome::Exit(code),
                None => {
                    self.keep(kept);
                    Outcome::Value(finished.value)
                }
            },
        }
    }

    fn keep(&mut self, value: Option<Dynamic>) {
        let Some(value) = value.filter(|value| !value.is_unit()) else {
            return;
        };
        if let Some(mut out) = self.scope.get_mut("out").and_then(|out| out.write_lock::<Array>()) {
            out.push(value.clone());
        }
        self.scope.set_or_push("last", value);
    }
}

impl Evaluator for Prompt {
    fn complete_input(&self, text: &str) -> Completeness {
        let mut depth = 0i64;
        for token in lex::tokens(text, 0) {
            match token.kind {
                lex::Kind::Open => depth += 1,
                lex::Kind::Close => depth -= 1,
                lex::Kind::Comment if token.text.starts_with("/*") && lex::is_open(&token) => {
                    return Completeness::Incomplete;
                }
                lex::Kind::Text if token.text.starts_with('`') && lex::is_open(&token) => {
                    return Completeness::Incomplete;
                }
                _ => {}
            }
        }
        if depth > 0 {
            return Completeness::Incomplete;
        }
        if depth < 0 || text.trim().is_empty() {
            return Completeness::Complete;
        }
        let parsed = on_large_stack(|| self.shell.rhai.compile(text));
        match parsed {
            Ok(Err(error)) if is_at_end(text, error.position()) => Completeness::Incomplete,
            _ => Completeness::Complete,
        }
    }

    fn evaluate(&mut self, text: &str) -> Outcome {
        // Ctrl-C ended the statement before, not the prompt.
        self.shell.shared.engine.cancel().reset();
        self.shell.shared.engine.forget();
        on_large_stack(|| self.run(text)).unwrap_or_else(Outcome::Failed)
    }

    fn candidates(&self, line: &str, position: usize) -> (usize, Vec<Candidate>) {
        self.complete(line, position)
    }

    fn variables(&self) -> Vec<(String, Value)> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for (name, _, value) in self.scope.iter() {
            if matches!(name, "last" | "out") {
                continue;
            }
            let value = self.shell.shared.values.value_of(&value);
            let value = value.unwrap_or_else(|error: Error| Value::text(format!("({})", error.message())));
            found.retain(|(known, _)| known != name);
            found.push((name.to_owned(), value));
        }
        found
    }
}

/// Whether a parser stopped where the text ends, so that more of it may mend the error.
fn is_at_end(text: &str, position: Position) -> bool {
    let text = text.trim_end();
    let lines = text.matches('\n').count() + 1;
    let columns = text.rsplit('\n').next().unwrap_or_default().chars().count();
    match position.line() {
        None => true,
        Some(line) => line > lines || (line == lines && position.position().unwrap_or(0) > columns),
    }
}
