//! The journal: what runs did, as JSON lines under `.iacsh/`. For people, audit and time estimates; deleting it costs
//! convenience, never correctness, so a journal that cannot be written is told once and stops nothing.
//!
//! A run begins with an entry `began` and ends with `ended`. One that was killed has no end; whether it still goes on, its
//! mark says: a file that the process holds locked for as long as it lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

/// The file's name.
pub const FILE: &str = "journal.jsonl";

/// The folder of the marks of running runs.
const RUNNING: &str = "running";

/// What the entries look like. A reader takes what it knows from others too.
const FORMAT: u32 = 1;

/// Appends entries of one run. Clones write to the same.
#[derive(Clone, Debug, Default)]
pub struct Journal(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    run: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    /// The entries that wait until there is something to tell.
    held: Vec<String>,
    /// Held locked while the run goes on.
    mark: Option<File>,
}

impl Journal {
    /// A journal that keeps nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// Opens the journal in the folder, which is made when it is not there. Nothing is written yet.
    pub fn open(folder: &Path, run: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(folder.join(FILE))?;
        Ok(Self(Some(Arc::new(Inner {
            folder: folder.to_owned(),
            run: run.to_owned(),
            state: Mutex::new(State {
                file: Some(file),
                held: Vec::new(),
                mark: None,
            }),
        }))))
    }

    /// The id of the run; empty where nothing is kept.
    pub fn run(&self) -> &str {
        self.0.as_ref().map_or("", |inner| inner.run.as_str())
    }

    /// The run begins. It is kept at once, or with the first entry that follows: an expression that only looks around leaves
    /// nothing.
    pub fn begin(&self, facts: Value, at_once: bool) {
        let Some(inner) = &self.0 else { return };
        let mut facts = facts;
        if let Some(facts) = facts.as_object_mut() {
            facts.insert("format".into(), FORMAT.into());
        }
        let mut state = inner.state();
        state.held.push(inner.line("began", facts));
        if at_once {
            inner.tell(&mut state, None);
        }
    }

    /// Keeps an entry that is told only if something else is.
    pub fn hold(&self, event: &str, facts: Value) {
        let Some(inner) = &self.0 else { return };
        let line = inner.line(event, facts);
        let mut state = inner.state();
        match state.held.is_empty() {
            true => inner.tell(&mut state, Some(line)),
            false => state.held.push(line),
        }
    }

    /// Appends one entry. One line is one write of an append-only file, so two processes do not mix their lines, and a
    /// crash leaves at most one torn line at the end. Secrets are masked.
    pub fn write(&self, event: &str, facts: Value) {
        let Some(inner) = &self.0 else { return };
        inner.tell(&mut inner.state(), Some(inner.line(event, facts)));
    }

    /// The run is over. One that left nothing leaves no end either.
    pub fn end(&self, facts: Value) {
        let Some(inner) = &self.0 else { return };
        let mut state = inner.state();
        if state.held.is_empty() {
            inner.tell(&mut state, Some(inner.line("ended", facts)));
            // It was there for others to see; a file that cannot be removed is held by nobody.
            std::fs::remove_file(inner.folder.join(RUNNING).join(&inner.run)).ok();
            state.mark = None;
        }
        state.held.clear();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, event: &str, facts: Value) -> String {
        let mut entry = json!({ "at": Timestamp::now().to_string(), "run": self.run, "event": event });
        if let (Some(entry), Value::Object(facts)) = (entry.as_object_mut(), facts) {
            entry.extend(facts);
        }
        format!("{}\n", crate::secret::mask(&entry.to_string()))
    }

    /// Appends what was held back, and this.
    fn tell(&self, state: &mut State, line: Option<String>) {
        let Some(file) = state.file.as_mut() else { return };
        let held = std::mem::take(&mut state.held);
        if !held.is_empty() {
            state.mark = self.mark();
        }
        let written = held.iter().chain(&line).try_for_each(|line| {
            // A line that a crash tore must not take this one with it.
            let whole = is_whole(file).unwrap_or(true);
            let line = if whole { line.clone() } else { format!("\n{line}") };
            file.write_all(line.as_bytes())
        });
        if let Err(error) = written {
            tracing::warn!("the journal cannot be written and is off for this run: {error}");
            state.file = None;
        }
    }

    /// The file that says that this run goes on. Without it the run is taken for one that was killed until it ends.
    fn mark(&self) -> Option<File> {
        let folder = self.folder.join(RUNNING);
        std::fs::create_dir_all(&folder).ok()?;
        let mark = File::create(folder.join(&self.run)).ok()?;
        mark.try_lock().ok()?;
        Some(mark)
    }
}

/// Whether the file ends with a whole line.
fn is_whole(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Whether the process of a run is still there. The mark of one that is not is taken away.
pub(super) fn is_running(folder: &Path, run: &str) -> bool {
    // An id is a name of a file, whatever a journal says.
    if run.is_empty() || run.contains(['/', '\\']) || run.starts_with('.') {
        return false;
    }
    let path = folder.join(RUNNING).join(run);
    let Ok(mark) = OpenOptions::new().write(true).open(&path) else {
        return false;
    };
    match mark.try_lock() {
        Err(TryLockError::WouldBlock) => true,
        _ => {
            std::fs::remove_file(&path).ok();
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(folder: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join(FILE)).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    #[test]
    fn what_only_looks_around_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "a").unwrap();
        journal.begin(json!({ "command": "iacsh" }), false);
        journal.hold("caller", json!({ "arn": "arn" }));
        journal.end(json!({ "exit": 0 }));
        assert_eq!(lines(folder.path()), Vec::<Value>::new());

        let journal = Journal::open(folder.path(), "b").unwrap();
        journal.begin(json!({ "command": "iacsh" }), false);
        journal.hold("caller", json!({ "arn": "arn" }));
        journal.write("creating", json!({ "kind": "vpc" }));
        assert!(is_running(folder.path(), "b"));
        journal.end(json!({ "exit": 0 }));
        assert!(!is_running(folder.path(), "b"));
        let events: Vec<_> = lines(folder.path()).iter().map(|line| line["event"].clone()).collect();
        assert_eq!(events, ["began", "caller", "creating", "ended"]);
        assert_eq!(std::fs::read_dir(folder.path().join(RUNNING)).unwrap().count(), 0);
    }

    #[test]
    fn a_torn_line_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{\"run\":\"x\",\"event\":\"cre").unwrap();
        let journal = Journal::open(folder.path(), "a").unwrap();
        journal.begin(json!({}), true);
        assert_eq!(lines(folder.path())[0]["run"], "a");
    }

    #[test]
    fn two_runs_at_once_keep_their_lines_whole() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for run in ["a", "b", "c"] {
                let journal = Journal::open(folder.path(), run).unwrap();
                scope.spawn(move || {
                    journal.begin(json!({}), true);
                    for count in 0..200 {
                        journal.write("call", json!({ "count": count, "text": "x".repeat(300) }));
                    }
                    journal.end(json!({}));
                });
            }
        });
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        let whole = text.lines().filter(|line| !line.is_empty());
        assert!(whole.clone().all(|line| serde_json::from_str::<Value>(line).is_ok()));
        assert_eq!(lines(folder.path()).len(), 3 * 202);
    }

    #[test]
    fn a_run_that_was_killed_leaves_a_mark_that_nobody_holds() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "a").unwrap();
        journal.begin(json!({}), true);
        assert!(is_running(folder.path(), "a"));
        drop(journal);
        assert!(!is_running(folder.path(), "a"));
        assert!(!is_running(folder.path(), "../../etc/passwd"));
    }
}
