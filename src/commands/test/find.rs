//! Which tests there are. Nothing is run for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Setting, shown};
use crate::commands::interface::check_directories;
use crate::error::{Error, Result};
use crate::script::{Input, TestFunction};

use super::one::Bench;

/// Where a project has its tests.
const FOLDER: &str = "tests";

/// A script with tests.
pub struct File {
    pub path: PathBuf,
    pub shown: String,
    pub tests: Vec<TestFunction>,
}

/// The files that are meant, each checked. What is wrong with any of them is told before one of them runs.
///
/// # Errors
/// A file that is not there or not valid (exit code 65), and when there is no test at all (64).
pub fn files(setting: &Setting<'_>, given: &[PathBuf]) -> Result<Vec<File>> {
    let default = setting.root.join(FOLDER);
    let mut paths = Vec::new();
    let mut errors = Vec::new();
    for given in if given.is_empty() {
        std::slice::from_ref(&default)
    } else {
        given
    } {
        match given.is_dir() {
            true => scripts(given, &mut paths),
            false if given.is_file() => paths.push((given.clone(), true)),
            false if *given == default => {}
            false => errors.push(Error::invalid(format!("there is no file {}", given.display()))),
        }
    }
    let bench = Arc::new(Bench::new(&setting.cancel)?);
    let mut files: Vec<File> = Vec::new();
    for (path, is_named) in paths {
        let shown = shown(setting.root, &path);
        if files.iter().any(|known| known.shown == shown) {
            continue;
        }
        match tests(setting, &bench, &path) {
            Ok(tests) if tests.is_empty() => {
                // In a folder it may be what the tests share.
                if is_named {
                    let error = Error::invalid(format!("{shown} has no tests"));
                    errors.push(error.hint("a test is a function without parameters: fn test_something() { ... }"));
                }
            }
            Ok(tests) => files.push(File { path, shown, tests }),
            Err(error) => errors.push(error),
        }
    }
    if let Some(error) = Error::all(errors) {
        return Err(error);
    }
    if files.is_empty() {
        return Err(Error::usage("there are no tests").hint(format!(
            "write one: fn test_something() {{ ... }} in {FOLDER}/something.rhai"
        )));
    }
    Ok(files)
}

/// Every script in a folder and below, sorted.
fn scripts(folder: &Path, found: &mut Vec<(PathBuf, bool)>) {
    // What cannot be read holds no tests that could be run.
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !is_hidden {
            scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rhai") {
            found.push((path, false));
        }
    }
}

fn tests(setting: &Setting<'_>, bench: &Bench, path: &Path) -> Result<Vec<TestFunction>> {
    // A shell for each: together the texts of all could have more lines than Rhai counts.
    let shell = bench.shell(setting)?;
    let (checked, tests) = shell.tests(&Input::File(path.to_owned()))?;
    check_directories(setting.root, &checked.directories)?;
    Ok(tests)
}
