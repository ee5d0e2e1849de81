//! What the command line can ask for: one file for each command.

mod destroy;
mod env;
mod env_diff;
mod iam;
mod interface;
mod plan;
mod planner;
mod prompt;
mod record;
mod runs;
mod sandbox;
mod script;
mod test;
mod unlock;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use crate::resource::Verb;
use crate::resource::cancel::Cancel;

use crate::cli::{Action, Invocation, Options};
use crate::environment::{Environment, find_root};
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::output::progress::Told;
use crate::resource::plan::Ask;
use crate::resource::runs::Runs;
use crate::script::Input;
use crate::session::{RUN_FOLDER, Session};

/// Does what a command line says.
pub fn run(invocation: Invocation) -> ExitCode {
    let printer = Printer::new(&invocation.options);
    logging(&invocation.options);
    let code = dispatch(&invocation, &printer).unwrap_or_else(|error| {
        printer.error(&error);
        error.exit() as u8
    });
    ExitCode::from(code)
}

/// An error of the command line itself, before there are options.
pub fn refuse(error: &Error) -> ExitCode {
    Printer::new(&Options::default()).error(error);
    ExitCode::from(error.exit() as u8)
}

fn dispatch(invocation: &Invocation, printer: &Printer) -> Result<u8> {
    match &invocation.action {
        Action::Show(text) => printer.show(text).map(|()| 0),
        Action::EnvList => env::list(&root(None)?, printer),
        Action::EnvCheck(name) => {
            let name = name.as_deref().unwrap_or(&invocation.options.env);
            env::check(&root(None)?, name, printer)
        }
        Action::EnvDiff(diff) => {
            let names = (diff.first.as_str(), diff.second.as_str());
            env_diff::diff(&root(None)?, &invocation.options, names, diff.files, printer)
        }
        Action::Test(test) => {
            // A folder is its own place to look for the project from.
            let inside = test.files.first().map(|file| match file.is_dir() {
                true => file.join("any"),
                false => file.clone(),
            });
            test::test(&root(inside.as_deref())?, &invocation.options, test, printer)
        }
        Action::SandboxReset => sandbox::reset::reset(&root(None)?, &invocation.options, printer),
        Action::SandboxSave(name) => sandbox::save::save(&root(None)?, &invocation.options, name, printer),
        Action::SandboxLoad(name) => sandbox::load::load(&root(None)?, &invocation.options, name, printer),
        Action::SandboxList => sandbox::list::list(&root(None)?, printer),
        Action::SandboxShow => sandbox::show::show(&root(None)?, printer),
        Action::SandboxConformance(slow) => {
            sandbox::conformance::conformance(&root(None)?, &invocation.options, *slow, printer)
        }
        Action::SandboxServe(serve) => sandbox::serve::serve(&root(None)?, &invocation.options, serve, printer),
        Action::IamPolicy(adopts) => {
            let options = &invocation.options;
            iam::policy(&root(None)?, &options.env, options.plan, *adopts, printer)
        }
        Action::Runs(all) => runs::list(&root(None)?, *all, printer),
        Action::RunsShow(which) => runs::show(&root(None)?, which, printer),
        Action::ScriptHelp(file) => Run::begin(invocation, printer, Some(file))?.help(file),
        Action::Script(file) => {
            if !file.is_file() {
                return Err(missing(file));
            }
            Run::begin(invocation, printer, Some(file))?
                .recorded(&invocation.line, true, |run| run.file(file, &invocation.parameters))
        }
        Action::Expression(text) => {
            let input = Input::Text(text.clone());
            Run::begin(invocation, printer, None)?
                .recorded(&invocation.line, false, |run| run.text(&input, &invocation.parameters))
        }
        Action::Stdin => Run::begin(invocation, printer, None)?.recorded(&invocation.line, false, |run| {
            run.text(&Input::Stdin, &invocation.parameters)
        }),
        Action::Destroy => Run::begin(invocation, printer, None)?.recorded(&invocation.line, true, Run::destroy),
        Action::Unlock => Run::begin(invocation, printer, None)?.recorded(&invocation.line, true, Run::unlock),
        Action::Prompt => Run::begin(invocation, printer, None)?.recorded(&invocation.line, false, Run::prompt),
    }
}

/// The project's folder: the nearest parent of the script, without one of the working directory, with `environments/`.
fn root(script: Option<&Path>) -> Result<PathBuf> {
    let start = match script.and_then(Path::parent) {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    find_root(start)
}

fn missing(file: &Path) -> Error {
    let shown = file.display();
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect()
        })
        .unwrap_or_default();
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let error = Error::invalid(format!("there is no script {shown}"));
    match crate::error::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {}?", folder.join(near).display())),
        None => error.hint("`iacsh --help` shows how scripts are run"),
    }
}

/// The verbs that need more of a run than its session: every run has them, that of a test and that of a plan within a
/// script too.
fn verbs(environment: &Environment, printer: &Printer, options: &Options) -> Vec<Verb> {
    vec![
        destroy::verb(environment, printer, options),
        crate::script::contracts::verb(&environment.root),
    ]
}

/// One run: the session and what it needs of the process.
struct Run<'a> {
    printer: &'a Printer,
    options: &'a Options,
    root: PathBuf,
    session: Session,
    /// Keeps the session's work going; evaluation happens on a thread of its own.
    runtime: tokio::runtime::Runtime,
    began: Instant,
}

impl<'a> Run<'a> {
    fn begin(invocation: &'a Invocation, printer: &'a Printer, script: Option<&Path>) -> Result<Self> {
        let began = Instant::now();
        let root = root(script)?;
        let name = match invocation.options.env.as_str() {
            "" => "sandbox",
            name => name,
        };
        let environment = Environment::load(&root, name)?;
        let runtime = runtime()?;
        let cancel = Cancel::new();
        heed_signals(&runtime, cancel.clone(), printer.clone());
        let folder = root.join(RUN_FOLDER);
        let usual = move || Runs::read(&folder).unwrap_or_default().usual();
        let progress = Arc::new(Told::with_estimates(printer.clone(), usual));
        let ask: Ask = {
            let (printer, yes) = (printer.clone(), invocation.options.yes);
            Box::new(move |question| printer.confirm(question, yes))
        };
        let verbs = verbs(&environment, printer, &invocation.options);
        let session = runtime.block_on(Session::open(
            environment,
            &invocation.options,
            progress,
            cancel,
            verbs,
            ask,
        ))?;
        Ok(Self {
            printer,
            options: &invocation.options,
            root,
            session,
            runtime,
            began,
        })
    }
}

/// What keeps a session's work going.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))
}

/// Heeds signals from now on.
fn heed_signals(runtime: &tokio::runtime::Runtime, cancel: Cancel, printer: Printer) {
    let _entered = runtime.enter();
    // Not in the task: until it begins, a signal would end the process as if nobody listened.
    let signals = Signals::listen();
    runtime.spawn(interruptions(signals, cancel, printer));
}

/// The first Ctrl-C or SIGTERM starts nothing new, leaves every wait, and lets calls in flight be answered. The second
/// does not wait.
async fn interruptions(mut signals: Signals, cancel: Cancel, printer: Printer) {
    loop {
        signals.next().await;
        if cancel.is_cancelled() {
            printer.message("ended at once; run the same command again: it finishes what is left");
            std::process::exit(crate::error::Exit::Interrupted as i32);
        }
        printer.message("interrupted: calls in flight are waited for; once more ends at once");
        cancel.cancel();
    }
}

/// Ctrl-C and SIGTERM. From [`Signals::listen`] on they end the process no more.
#[cfg(unix)]
struct Signals(Option<[tokio::signal::unix::Signal; 2]>);

#[cfg(unix)]
impl Signals {
    /// Must be called within a Tokio runtime.
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // A process that cannot have a handler keeps the system's: the signal ends it, which is safe at any point.
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(interrupt), Ok(terminate)) => Self(Some([interrupt, terminate])),
            _ => Self(None),
        }
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        match &mut self.0 {
            Some([interrupt, terminate]) => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            None => std::future::pending().await,
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// `-v` shows each call and how long it took, `-vv` what iacsh itself does. `IACSH_LOG` takes filters of
/// tracing-subscriber. Every line is masked.
fn logging(options: &Options) {
    use tracing_subscriber::EnvFilter;
    let filter = match options.verbose {
        0 => "off",
        1 => "iacsh::calls=info",
        _ => "iacsh=debug",
    };
    let filter = std::env::var("IACSH_LOG").unwrap_or_else(|_| filter.to_owned());
    if filter == "off" {
        return;
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(Masked)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .init();
}

/// Standard error, with secrets masked.
#[derive(Clone, Copy)]
struct Masked;

impl tracing_subscriber::fmt::MakeWriter<'_> for Masked {
    type Writer = Masked;

    fn make_writer(&self) -> Masked {
        Masked
    }
}

impl std::io::Write for Masked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        std::io::stderr().write_all(crate::secret::mask(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
