//! The [`Shell`]: a Rhai engine with everything that a script can call.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rhai::{AST, Dynamic, Engine as Rhai, OptimizationLevel, Scope};

use super::diagnostics::{Stop, Thrown};
use super::driver::Driver;
use super::resolver::{Imports, Resolver};
use super::sources::{Source, Sources};
use super::step::Stepper;
use super::values::{Lazy, Thing, Values};
use super::{assert, flow, help, lazy, natives, parallel, trial};
use crate::error::{Error, Result};
use crate::resource::wait::unless_interrupted;
use crate::resource::{Engine, Origin};
use crate::secret::Secret;
use crate::value::{Map, Value};

/// How deep calls may be inside each other. The stack below holds more, so endless recursion is an error with a line and
/// never a crash.
pub const MOST_CALLS: usize = 400;

/// Reserved, not taken: the system gives the pages that are used.
const STACK: usize = 512 << 20;

/// How deep an expression may be. A sum of 100 terms is 100 deep.
const MOST_EXPRESSIONS: usize = 400;

/// What scripts need of a person and of the run's surroundings.
pub trait Interface: Send + Sync {
    /// `print(x)`: a result, on standard output. The value is known.
    fn print(&self, value: &Value);

    /// `section("Redis")`: a heading among results, on standard output.
    fn section(&self, title: &str);

    /// Asks yes or no. Without a terminal and without `--yes` it fails with [`crate::error::Exit::Declined`].
    fn confirm(&self, question: &str) -> Result<bool>;

    /// The value of a variable that the environment file names, or of any other of the process.
    fn variable(&self, name: &str) -> Result<Secret>;

    /// A step begins. `depth` counts the steps that it is in.
    fn step_started(&self, title: &str, depth: usize);

    /// A step is over.
    fn step_finished(&self, title: &str, depth: usize, took: Duration, ok: bool);

    /// `run("scripts/recreate.rhai", #{parameters}, #{options})`: runs a whole script, as a run of its own, and gives its
    /// value and its report.
    ///
    /// # Errors
    /// The script's; and that there is no such thing outside of tests.
    fn run(&self, file: &str, _parameters: Value, _options: Value) -> Result<Value> {
        Err(Error::failed(format!("run(\"{file}\") works in tests only"))
            .hint("`iacsh test` runs the functions `test_*` of a script; what scripts share belongs into stdlib/"))
    }
}

/// What a script runs in.
#[derive(Clone)]
pub struct ScriptContext {
    /// The folder that holds `environments/`.
    pub root: PathBuf,
    /// What `env()` gives.
    pub env: Map,
    pub interface: Arc<dyn Interface>,
    pub runtime: Driver,
    /// Asked before each step, with `--step`.
    pub stepper: Option<Arc<dyn Stepper>>,
}

/// What natives share.
pub struct Shared {
    pub engine: Engine,
    pub context: ScriptContext,
    pub sources: Sources,
    pub values: Values,
    pub imports: Imports,
    /// The script's parameters, converted.
    pub parameters: Mutex<Map>,
    pub steps: super::step::Steps,
    functions: OnceLock<Vec<Function>>,
    modules: OnceLock<Vec<String>>,
}

/// A native function, for help, completion and checks.
#[derive(Clone, Debug)]
pub struct Function {
    /// With its module: `ecs::services`.
    pub name: String,
    pub params: usize,
}

impl Shared {
    /// Waits for something on the runtime, unless the run is interrupted.
    pub fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = unless_interrupted(self.engine.cancel(), work);
        self.context.runtime.block_on(work)
    }

    /// Waits for something that may write. Once the run has begun to, an interruption does not cut it short: its own waits
    /// end, and what it sent is answered.
    pub fn wait_for_act<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let engine = &self.engine;
        self.context.runtime.block_on(async move {
            tokio::pin!(work);
            tokio::select! {
                biased;
                () = engine.cancel().cancelled() => {}
                done = &mut work => return done,
            }
            match engine.lease().is_held() {
                true => work.await,
                false => Err(Error::interrupted()),
            }
        })
    }

    /// Where a call stands, for what it makes.
    pub fn origin(&self, position: rhai::Position) -> Origin {
        match self.sources.find(position) {
            Some(source) => Origin {
                section: source.section(),
                at: self.sources.locate(position),
            },
            None => Origin::default(),
        }
    }

    /// Parses a text that has its place among the sources.
    pub fn parse(&self, rhai: &Rhai, source: &Source, scope: &Scope) -> Result<AST> {
        let mut ast = rhai
            .compile_with_scope(scope, source.placed())
            .map_err(|error| self.explain_parse(&error))?;
        ast.set_source(source.name.as_str());
        Ok(ast)
    }

    /// Every native function, without operators and what Rhai uses itself.
    pub fn functions(&self) -> &[Function] {
        self.functions.get().map_or(&[], Vec::as_slice)
    }

    /// The names of the native modules.
    pub fn modules(&self) -> &[String] {
        self.modules.get().map_or(&[], Vec::as_slice)
    }
}

/// A Rhai engine for one run or one prompt.
pub struct Shell {
    pub(super) rhai: Rhai,
    pub(super) shared: Arc<Shared>,
}

impl Shell {
    /// For scripts: a variable that is not declared is found before the run.
    pub fn new(engine: Engine, context: ScriptContext) -> Self {
        Self::build(engine, context, true)
    }

    /// For the prompt, whose lines use what earlier lines imported.
    pub(super) fn for_prompt(engine: Engine, context: ScriptContext) -> Self {
        Self::build(engine, context, false)
    }

    fn build(engine: Engine, context: ScriptContext, strict: bool) -> Self {
        let shared = Arc::new(Shared {
            engine,
            context,
            sources: Sources::default(),
            values: Values::default(),
            imports: Imports::default(),
            parameters: Mutex::default(),
            steps: super::step::Steps::default(),
            functions: OnceLock::new(),
            modules: OnceLock::new(),
        });
        let mut rhai = Rhai::new();
        // Statements and positions stay as they were written.
        rhai.set_optimization_level(OptimizationLevel::None);
        rhai.set_strict_variables(strict);
        // A misspelled key of a map would read as nothing. `"key" in map` asks whether there is one.
        rhai.set_fail_on_invalid_map_property(true);
        // Rhai's fast operators do not see that an output is compared.
        rhai.set_fast_operators(false);
        rhai.set_max_expr_depths(MOST_EXPRESSIONS, MOST_EXPRESSIONS);
        rhai.set_max_call_levels(MOST_CALLS);
        // `eval` would hide a script from the preflight, and `sleep` could not be interrupted.
        rhai.disable_symbol("eval");
        rhai.disable_symbol("sleep");
        rhai.set_module_resolver(Resolver(shared.clone()));
        let cancel = shared.engine.cancel().clone();
        rhai.on_progress(move |_| cancel.is_cancelled().then(|| Dynamic::from(Stop::Interrupted)));
        // `print` writes by itself, and gives Rhai an empty text.
        rhai.on_print(|_| ());
        rhai.on_debug(|_, _, _| ());
        rhai.register_type_with_name::<Lazy>("string");
        rhai.register_type_with_name::<Thing>("handle");
        rhai.register_type_with_name::<Thrown>("error");
        lazy::register(&mut rhai, &shared);
        flow::register(&mut rhai, &shared);
        super::step::register(&mut rhai, &shared);
        parallel::register(&mut rhai, &shared);
        assert::register(&mut rhai, &shared);
        trial::register(&mut rhai, &shared);
        help::register(&mut rhai, &shared);
        let modules = natives::register(&mut rhai, &shared);

        let functions = rhai.collect_fn_metadata(
            None,
            |found| {
                let name = found.metadata.name.as_str();
                if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') || name.contains('$') {
                    return None;
                }
                let name = match found.namespace.as_str() {
                    "" => name.to_owned(),
                    namespace => format!("{namespace}::{name}"),
                };
                (name != "sleep").then_some(Function {
                    name,
                    params: found.metadata.num_params,
                })
            },
            true,
        );
        // The only other writer would be this function again.
        let _ = shared.functions.set(functions);
        let _ = shared.modules.set(modules);
        Self { rhai, shared }
    }

    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// The run's context.
    pub fn context(&self) -> &ScriptContext {
        &self.shared.context
    }
}

/// Runs something on a thread with a stack that is large enough for every script that the limits let through. A panic
/// in there is a bug of ours; it becomes an error.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(STACK);
        let thread = thread
            .spawn_scoped(threads, work)
            .map_err(|error| Error::failed(format!("no thread for the script: {error}")))?;
        thread.join().map_err(|panic| bug(panic.as_ref()))
    })
}

/// What a panic says.
pub fn bug(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Error::failed(format!("a bug in iacsh: {text}"))
}
