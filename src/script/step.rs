//! `step("title", || ...)`: named parts of a run, told as they begin and end, and asked for one by one with `--step`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine as Rhai, EvalAltResult, FnPtr, ImmutableString, NativeCallContext, Scope};

use super::diagnostics::{Ended, Stop};
use super::engine::Shared;
use super::lex::{self, Kind};
use super::sources::Source;
use super::values::{Skipped, Thing};
use crate::error::{Error, Location, Result};
use crate::value::Value;

/// A step as a person sees it before it runs.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub title: String,
    /// The comment above it, without its marks.
    pub about: String,
    /// The statement, as it is written.
    pub code: String,
    pub at: Option<Location>,
    /// How many steps it is in.
    pub depth: usize,
}

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Run,
    Skip,
    /// Run this and all that follow without asking.
    Continue,
    Quit,
}

/// Evaluates an expression with the script's variables as they are before the step. What it changes is lost, except
/// what it does to the world.
pub type Inspect<'a> = &'a mut dyn FnMut(&str) -> Result<Value>;

/// The person who is asked.
pub trait Stepper: Send + Sync {
    /// Shows the step and asks. Inspecting is done in here, as often as wanted.
    fn ask(&self, step: &Step, inspect: Inspect<'_>) -> Result<Answer>;

    /// Shows what came of it.
    fn finished(&self, step: &Step, result: &Result<Value>, took: Duration);
}

/// What is known about the steps of a run.
#[derive(Default)]
pub struct Steps {
    depth: AtomicUsize,
    /// The person said: continue.
    unasked: AtomicBool,
    /// A step was left out.
    pub skipped: AtomicBool,
    /// The script's variables before the present top-level statement, for inspecting.
    pub scope: Mutex<Option<Scope<'static>>>,
}

pub fn register(rhai: &mut Rhai, shared: &Arc<Shared>) {
    let s = shared.clone();
    rhai.register_fn(
        "step",
        move |cx: NativeCallContext, title: ImmutableString, closure: FnPtr| run(&s, &cx, &title, &closure),
    );
}

fn run(
    shared: &Arc<Shared>,
    cx: &NativeCallContext,
    title: &str,
    closure: &FnPtr,
) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
    let position = cx.call_position();
    let title = shared.values.text(title).to_string();
    let depth = shared.steps.depth.fetch_add(1, Ordering::Relaxed);
    // However the step ends, the next one is not inside it.
    let _leave = Leave(&shared.steps.depth);
    let stepper = shared.context.stepper.as_ref();
    let stepper = stepper.filter(|_| !shared.steps.unasked.load(Ordering::Relaxed));
    let step = match stepper {
        Some(_) => describe(shared, cx, &title, depth),
        None => Step::default(),
    };
    if let Some(stepper) = stepper {
        let answer = stepper.ask(&step, &mut |expression| inspect(shared, cx.engine(), expression));
        match answer.map_err(|error| shared.raise(position, error))? {
            Answer::Run => {}
            Answer::Continue => shared.steps.unasked.store(true, Ordering::Relaxed),
            Answer::Skip => {
                shared.steps.skipped.store(true, Ordering::Relaxed);
                return Ok(Dynamic::from(Thing(Arc::new(Skipped { title }))));
            }
            Answer::Quit => {
                let stop = Stop::Refused(Error::declined(format!("quit before step \"{title}\"")));
                return Err(EvalAltResult::ErrorTerminated(Dynamic::from(stop), position).into());
            }
        }
    }
    shared.context.interface.step_started(&title, depth);
    let began = Instant::now();
    let mut result = closure.call_within_context::<Dynamic>(cx, ());
    // Step by step means that a step is over before the next one is asked for.
    if shared.context.stepper.is_some()
        && result.is_ok()
        && let Err(error) = shared.settle()
    {
        result = Err(shared.raise(position, error));
    }
    let took = began.elapsed();
    shared
        .context
        .interface
        .step_finished(&title, depth, took, result.is_ok());
    if let Some(stepper) = stepper {
        let shown = match &result {
            Ok(value) => shared.values.value_of(value),
            Err(error) => Err(match shared.explain(copy(error)) {
                Ended::Failed(error) => error,
                Ended::Exit(code, _) => Error::failed(format!("exit({code})")),
            }),
        };
        stepper.finished(&step, &shown, took);
    }
    result
}

struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The parts of an error that tell what happened; Rhai's errors cannot be cloned.
pub fn copy(error: &EvalAltResult) -> EvalAltResult {
    use EvalAltResult as E;
    match error {
        E::ErrorInFunctionCall(name, source, inner, position) => {
            E::ErrorInFunctionCall(name.clone(), source.clone(), copy(inner).into(), *position)
        }
        E::ErrorRuntime(value, position) => E::ErrorRuntime(value.clone(), *position),
        E::ErrorTerminated(value, position) => E::ErrorTerminated(value.clone(), *position),
        E::ErrorFunctionNotFound(signature, position) => E::ErrorFunctionNotFound(signature.clone(), *position),
        other => E::ErrorRuntime(other.to_string().into(), other.position()),
    }
}

impl Shared {
    /// Waits for the work in the background.
    pub fn settle(&self) -> Result<()> {
        // Not cut short by an interruption: what has begun ends by itself, and says how.
        self.context.runtime.block_on(self.engine.settle())
    }
}

fn inspect(shared: &Arc<Shared>, rhai: &Rhai, expression: &str) -> Result<Value> {
    let scope = shared
        .steps
        .scope
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut scope = scope.unwrap_or_default();
    let source = shared.sources.add("inspect", None, expression)?;
    let ast = shared.parse(rhai, &source, &scope)?;
    match rhai.eval_ast_with_scope::<Dynamic>(&mut scope, &ast) {
        Ok(value) => shared.known(&value),
        Err(error) => Err(match shared.explain(*error) {
            Ended::Failed(error) => error,
            Ended::Exit(..) => Error::failed("`exit` does nothing here"),
        }),
    }
}

fn describe(shared: &Shared, cx: &NativeCallContext, title: &str, depth: usize) -> Step {
    let position = cx.call_position();
    let mut step = Step {
        title: title.to_owned(),
        depth,
        at: shared.sources.locate(position),
        ..Step::default()
    };
    if let Some(source) = shared.sources.find(position) {
        step.code = statement(&source, source.offset_of(position));
        step.about = comment(&source, source.line_of(position));
    }
    step
}

/// The statement that a call is in: from the beginning of its line to the call's end.
fn statement(source: &Source, call: usize) -> String {
    let text = &source.text;
    let line = text[..call].rfind('\n').map_or(0, |end| end + 1);
    let open = lex::tokens(text, call).find(|token| token.kind == Kind::Open);
    let length = open.and_then(|open| Some(open.start + lex::group(&text[open.start..])?));
    let mut end = length.unwrap_or(text.len());
    if let Some(next) = lex::tokens(text, end).next().filter(|token| token.text == ";") {
        end = next.end();
    }
    let code = &text[line..end];
    // A step inside a function is shown as if it stood at the margin.
    let indent = code.len() - code.trim_start().len();
    let lines = code
        .lines()
        .map(|line| match line.len() - line.trim_start().len() >= indent {
            true => line.get(indent..).unwrap_or(line),
            false => line.trim_start(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// The comment that stands directly above a line.
fn comment(source: &Source, line: usize) -> String {
    let above: Vec<_> = source.text.lines().take(line.saturating_sub(1)).collect();
    let mut lines: Vec<_> = above
        .iter()
        .rev()
        .map_while(|line| line.trim().strip_prefix("//"))
        .take_while(|line| !line.starts_with('!'))
        .map(|line| line.trim_start_matches('/').trim())
        .collect();
    lines.reverse();
    lines.join("\n")
}
