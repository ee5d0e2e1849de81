//! One test: its sandbox, its session, and what came of it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Setting;
use super::find::File;
use super::nested::Nested;
use super::report::{Ran, Verdict};
use crate::cli::Options;
use crate::commands::interface::Person;
use crate::commands::verbs;
use crate::environment::Environment;
use crate::error::{Error, Exit, Location, Result};
use crate::output::Printer;
use crate::output::progress::human;
use crate::resource::cancel::Cancel;
use crate::resource::progress::Progress;
use crate::script::{Driver, Input, Interface, ScriptContext, Shell};
use crate::secret::Secret;
use crate::session::isolated::Isolated;
use crate::session::{Session, facts};
use crate::value::Value;

/// A sandbox of its own, and what is printed there.
pub struct Bench {
    pub isolated: Isolated,
    pub output: Output,
    pub cancel: Cancel,
}

/// What one run on a bench has: the first one is the test, others are what it runs with `run(...)`.
pub struct Opened {
    pub shell: Shell,
    pub session: Session,
}

impl Bench {
    pub fn new(cancel: &Cancel) -> Result<Self> {
        Ok(Self {
            isolated: Isolated::new()?,
            output: Output::default(),
            cancel: cancel.clone(),
        })
    }

    /// A session with everything that its script can call. What it prints goes to `output`.
    pub fn open(
        &self,
        environment: Environment,
        options: &Options,
        output: &Output,
        nested: Option<Nested>,
    ) -> Result<Opened> {
        let printer = output.printer(options);
        let progress = Arc::new(Failures(printer.clone()));
        let verbs = verbs(&environment, &printer, options);
        let session = self
            .isolated
            .open(environment, options, progress, self.cancel.clone(), verbs)?;
        let person = Person {
            printer,
            variables: session.variables.clone(),
            generate: true,
            yes: options.yes,
            planner: None,
        };
        let context = ScriptContext {
            root: session.environment.root.clone(),
            env: facts(&session.environment),
            interface: Arc::new(Tester { person, nested }),
            runtime: Driver::Here(self.isolated.runtime().clone()),
            stepper: None,
        };
        let shell = Shell::new(session.engine.clone(), context);
        Ok(Opened { shell, session })
    }

    /// A shell that checks and runs nothing.
    pub fn shell(&self, setting: &Setting<'_>) -> Result<Shell> {
        let environment = Environment::load(setting.root, &setting.options.env)?;
        let opened = self.open(environment, &setting.options.clone(), &self.output, None)?;
        Ok(opened.shell)
    }
}

/// Runs the test with this number. Whatever happens in it is its result.
pub fn run(setting: &Setting<'_>, file: &File, number: usize) -> Ran {
    let began = Instant::now();
    let test = &file.tests[number];
    let output = Output::default();
    let mut simulated = Duration::ZERO;
    let watch = Watch::begin(setting);
    let ended = match setting.cancel.is_cancelled() {
        true => Err(Error::interrupted()),
        false => catch_unwind(AssertUnwindSafe(|| {
            let bench = Arc::new(Bench::new(&watch.cancel)?);
            let ended = attempt(setting, &bench, file, &test.name, &output);
            simulated = bench.isolated.elapsed();
            ended
        }))
        .unwrap_or_else(|panic| Err(crate::output::error::of_panic(panic.as_ref()))),
    };
    let verdict = match ended {
        Ok(()) => Verdict::Passed,
        Err(error) if error.exit() == Exit::Interrupted && watch.is_over() => {
            let at = error.location().or(test.at.as_ref());
            Verdict::Failed(too_long(setting.timeout, at))
        }
        Err(error) if error.exit() == Exit::Interrupted => Verdict::NotRun,
        Err(error) => Verdict::Failed(error),
    };
    Ran {
        file: file.shown.clone(),
        name: test.name.clone(),
        line: test.at.as_ref().map_or(1, |at| at.line),
        verdict,
        output: output.text(),
        took: began.elapsed(),
        simulated,
    }
}

/// Ends a test that takes too long: one that waits for ever would keep all others waiting.
struct Watch {
    /// The test's own, which an interruption of all reaches too.
    cancel: Cancel,
    is_over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn begin(setting: &Setting<'_>) -> Self {
        let (cancel, is_over) = (Cancel::new(), Arc::new(AtomicBool::new(false)));
        let task = {
            let (cancel, is_over) = (cancel.clone(), is_over.clone());
            let (all, timeout) = (setting.cancel.clone(), setting.timeout);
            setting.clock.spawn(async move {
                tokio::select! {
                    () = all.cancelled() => {}
                    () = tokio::time::sleep(timeout) => is_over.store(true, Ordering::Relaxed),
                }
                cancel.cancel();
            })
        };
        Self { cancel, is_over, task }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is told of a test that was ended: where it was, else where it begins.
fn too_long(timeout: Duration, at: Option<&Location>) -> Error {
    let error = Error::failed(format!("the test took longer than {} and was ended", human(timeout)))
        .hint("a loop that never ends? `--timeout 10m` gives each test more time");
    match at {
        Some(location) => error.at(location.clone()),
        None => error,
    }
}

fn attempt(setting: &Setting<'_>, bench: &Arc<Bench>, file: &File, name: &str, output: &Output) -> Result<()> {
    let environment = Environment::load(setting.root, &setting.options.env)?;
    let options = Options {
        json: false,
        // Nobody is there to be asked.
        yes: true,
        only: Vec::new(),
        ..setting.options.clone()
    };
    let nested = Nested {
        bench: bench.clone(),
        root: setting.root.to_owned(),
        options: options.clone(),
        output: output.clone(),
    };
    let opened = bench.open(environment, &options, output, Some(nested))?;
    let (checked, _) = opened.shell.tests(&Input::File(file.path.clone()))?;
    let finished = opened.shell.run_test(&checked, name)?;
    match finished.code {
        0 => Ok(()),
        code => Err(Error::failed(format!("the test ended with exit({code})"))),
    }
}

/// What is printed, kept until somebody wants it.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    pub fn text(&self) -> String {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// One that writes results and messages here, in their order.
    fn printer(&self, options: &Options) -> Printer {
        Printer::to(options, Box::new(self.clone()), Box::new(self.clone()))
    }

    pub fn push(&self, text: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(text.as_bytes());
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Progress of which only the notes and what fails is worth keeping.
struct Failures(Printer);

impl Progress for Failures {
    fn started(&self, _: &str) {}

    fn waiting(&self, _: &str, _: &str) {}

    fn finished(&self, label: &str, outcome: &str, _: Duration, ok: bool) {
        if !ok {
            self.0.message(&format!("failed {label} {outcome}"));
        }
    }

    fn note(&self, text: &str) {
        self.0.message(text);
    }

    fn warn(&self, text: &str) {
        self.0.warn(text);
    }

    fn suspend(&self, f: &mut dyn FnMut()) {
        f();
    }
}

/// A person who says yes, and who runs other scripts.
struct Tester {
    person: Person,
    nested: Option<Nested>,
}

impl Interface for Tester {
    fn print(&self, value: &Value) {
        self.person.print(value);
    }

    fn section(&self, title: &str) {
        self.person.section(title);
    }

    fn confirm(&self, question: &str) -> Result<bool> {
        self.person.confirm(question)
    }

    fn variable(&self, name: &str) -> Result<Secret> {
        self.person.variable(name)
    }

    fn step_started(&self, title: &str, depth: usize) {
        self.person.step_started(title, depth);
    }

    fn step_finished(&self, title: &str, depth: usize, took: Duration, ok: bool) {
        self.person.step_finished(title, depth, took, ok);
    }

    fn run(&self, file: &str, parameters: Value, options: Value) -> Result<Value> {
        match &self.nested {
            Some(nested) => nested.run(file, parameters, options),
            None => Err(Error::failed("run(...) is for the test itself, not for what it runs")),
        }
    }
}
