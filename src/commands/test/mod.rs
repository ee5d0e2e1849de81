//! `iacsh test`: the functions `test_*` of scripts, each in a sandbox of its own, side by side.

mod find;
mod junit;
mod nested;
mod one;
mod report;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cli::{Options, Test};
use crate::commands::heed_signals;
use crate::environment::Environment;
use crate::error::{Error, Exit, Result, nearest};
use crate::output::Printer;
use crate::resource::cancel::Cancel;
use crate::session::isolated;

use find::File;
use report::{Ran, Report, Verdict};

/// What all tests share.
pub(super) struct Setting<'a> {
    pub root: &'a Path,
    pub options: &'a Options,
    pub cancel: Cancel,
    /// How long one test may take.
    pub timeout: Duration,
    /// Has its own threads, and time that goes on.
    pub clock: tokio::runtime::Handle,
}

/// One test among all.
struct Chosen<'a> {
    file: &'a File,
    number: usize,
}

impl Chosen<'_> {
    /// `tests/redis.rhai::test_failover`: what `--only` looks into.
    fn title(&self) -> String {
        format!("{}::{}", self.file.shown, self.file.tests[self.number].name)
    }
}

/// Runs the tests. Exit code 1 when one fails.
pub fn test(root: &Path, options: &Options, test: &Test, printer: &Printer) -> Result<u8> {
    isolated::refuse(&Environment::load(root, &options.env)?)?;
    // Signals have a thread of their own: the tests' runtimes stand still while scripts compute.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))?;
    let setting = Setting {
        root,
        options,
        cancel: Cancel::new(),
        timeout: test.timeout,
        clock: runtime.handle().clone(),
    };
    heed_signals(&runtime, setting.cancel.clone(), printer.clone());

    let files = find::files(&setting, &test.files)?;
    let chosen = choose(&files, options)?;
    if test.list {
        return report::list(&chosen, printer);
    }
    // A report that cannot be written is told before minutes are spent.
    if let Some(path) = &test.junit {
        junit::check(path)?;
    }
    let began = (Instant::now(), Timestamp::now());
    let ran = run_all(&setting, &chosen, test, printer);
    let report = Report {
        ran,
        took: began.0.elapsed(),
        at: began.1,
    };
    if let Some(path) = &test.junit {
        junit::write(path, &report)?;
    }
    report.tell(printer)?;
    if setting.cancel.is_cancelled() {
        return Err(Error::interrupted().hint("the same command again runs all of them"));
    }
    Ok(match report.failed() {
        0 => Exit::Done as u8,
        _ => Exit::Failed as u8,
    })
}

/// The tests that `--only` leaves, in their order.
fn choose<'a>(files: &'a [File], options: &Options) -> Result<Vec<Chosen<'a>>> {
    let all = files.iter().flat_map(|file| {
        let numbers = 0..file.tests.len();
        numbers.map(move |number| Chosen { file, number })
    });
    let all: Vec<_> = all.collect();
    let titles: Vec<_> = all.iter().map(Chosen::title).collect();
    // One that fits nothing is a slip, and would make everything pass.
    for only in &options.only {
        if !titles.iter().any(|title| title.contains(only.as_str())) {
            let error = Error::usage(format!("no test has `{only}` in its name"));
            let names = titles.iter().filter_map(|title| title.rsplit("::").next());
            return Err(match nearest(only, names) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`iacsh test --list` shows them"),
            });
        }
    }
    let is_chosen = |title: &String| options.only.is_empty() || options.only.iter().any(|only| title.contains(only));
    let chosen = all.into_iter().zip(&titles).filter(|(_, title)| is_chosen(title));
    Ok(chosen.map(|(chosen, _)| chosen).collect())
}

/// Runs them side by side and tells each as it ends. The results come in the order of the tests.
fn run_all(setting: &Setting<'_>, chosen: &[Chosen<'_>], test: &Test, printer: &Printer) -> Vec<Ran> {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let jobs = test.jobs.unwrap_or_else(cores).get().min(chosen.len());
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Ran>>> = chosen.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some(chosen), Some(place)) = (chosen.get(number), done.get(number)) else {
                return;
            };
            let ran = one::run(setting, chosen.file, chosen.number);
            if ran.verdict != Verdict::NotRun {
                report::line(&ran, test.show_output, printer);
            }
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(ran);
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..jobs {
            let thread = std::thread::Builder::new().name("test".into());
            if thread.spawn_scoped(threads, work).is_err() {
                // Fewer threads do the same work more slowly; without any, this one does it.
                break;
            }
        }
    });
    work();
    let results = done.into_iter();
    results
        .filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// A path as it is told: relative to the root where it is inside.
fn shown(root: &Path, path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    let inside = path.strip_prefix(root).unwrap_or(&path);
    let parts: Vec<_> = inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    match path.starts_with(root) {
        true => parts.join("/"),
        false => path.display().to_string(),
    }
}
