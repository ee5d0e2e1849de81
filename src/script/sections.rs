//! Which parts of the scripts a run executes whole.
//!
//! What a part does not ensure any more can be told only of one that was executed whole: `scripts/ecs.rhai` uses the
//! library `redis` to read what Redis published, and does not say by that that there shall be no Redis. A part counts as
//! whole when every function in it that ensures something can be reached from the script, and the run ensured something
//! of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::engine::Shell;
use super::preflight::{Checked, imports};
use super::resolver::Script;

/// A function of a text: its text, its name, and how many parameters it has. The statements of a text outside of all
/// functions are one without a name.
type Function = (String, String, usize);

/// What one function does.
#[derive(Default)]
struct Body {
    ensures: bool,
    calls: Vec<Function>,
}

impl Shell {
    /// The parts that the run executed whole: all of them are looked at for what they no longer ensure. None after a step
    /// was skipped.
    pub fn whole_sections(&self, checked: &Checked) -> BTreeSet<String> {
        if self.shared.steps.skipped.load(Ordering::Relaxed) {
            return BTreeSet::new();
        }
        let executed = self.shared.engine.sections();
        let mut known = HashMap::new();
        let mut sections = HashMap::new();
        self.read_functions(&checked.script, &mut known, &mut sections);
        let reached = reached(&known, (checked.script.source.name.clone(), String::new(), 0));
        let partial: HashSet<&String> = known
            .iter()
            .filter(|(function, body)| body.ensures && !reached.contains(*function))
            .map(|((text, ..), _)| text)
            .collect();
        let whole = sections.iter().filter(|(text, _)| !partial.contains(text));
        let whole = whole.map(|(_, section)| section.clone());
        whole.filter(|section| executed.contains(section)).collect()
    }

    /// The functions of a script and of everything that it imports.
    fn read_functions(
        &self,
        script: &Script,
        known: &mut HashMap<Function, Body>,
        sections: &mut HashMap<String, String>,
    ) {
        let text = script.source.name.clone();
        if sections.insert(text.clone(), script.source.section()).is_some() {
            return;
        }
        let mut aliases = HashMap::new();
        for (alias, name, position) in imports(script) {
            // Whatever cannot be imported has ended the run before.
            let Some(Ok(imported)) = name.map(|name| self.shared.imported(&self.rhai, &name, position)) else {
                continue;
            };
            aliases.insert(alias, imported.source.name.clone());
            self.read_functions(&imported, known, sections);
        }
        let lib = script.ast.shared_lib();
        let functions = script
            .ast
            .iter_functions()
            .filter(|function| !function.name.contains('$'));
        let spans: Vec<_> = functions
            .filter_map(|function| {
                let (name, params) = (function.name, function.params.len());
                let body = &lib.get_script_fn(name, params)?.body;
                known.entry((text.clone(), name.to_owned(), params)).or_default();
                Some((name.to_owned(), params, body.start_position(), body.end_position()))
            })
            .collect();
        script.ast.walk(&mut |nodes| {
            if let Some(
                ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))
                | ASTNode::Stmt(Stmt::FnCall(call, at)),
            ) = nodes.last()
            {
                // A closure is a function of its own to Rhai; it stands in the one that it is written in.
                let place = |at: &Position| (at.line(), at.position());
                let within = spans
                    .iter()
                    .find(|(_, _, start, end)| (place(start)..=place(end)).contains(&place(at)));
                let function = match within {
                    Some((name, params, ..)) => (text.clone(), name.clone(), *params),
                    None => (text.clone(), String::new(), 0),
                };
                known.entry(function).or_default().add(&text, &aliases, call);
            }
            true
        });
        // A text is evaluated when it is imported.
        let start: Vec<_> = aliases.values().map(|text| (text.clone(), String::new(), 0)).collect();
        known.entry((text, String::new(), 0)).or_default().calls.extend(start);
    }
}

impl Body {
    fn add(&mut self, text: &str, aliases: &HashMap<String, String>, call: &FnCallExpr) {
        let name = call.name.as_str();
        let root = call.namespace.path.first().map(|root| root.name.as_str());
        match root.map(|root| (root, aliases.get(root))) {
            None if name == "publish" => self.ensures = true,
            None => self.calls.push((text.to_owned(), name.to_owned(), call.args.len())),
            Some((_, Some(imported))) => self.calls.push((imported.clone(), name.to_owned(), call.args.len())),
            Some((_, None)) => self.ensures |= name.starts_with("ensure_"),
        }
    }
}

fn reached(known: &HashMap<Function, Body>, from: Function) -> HashSet<Function> {
    let mut reached = HashSet::new();
    let mut next = vec![from];
    while let Some(function) = next.pop() {
        if let Some(body) = known.get(&function)
            && reached.insert(function)
        {
            next.extend(body.calls.iter().cloned());
        }
    }
    reached
}
