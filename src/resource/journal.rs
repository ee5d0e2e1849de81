//! The journal: what runs did, as JSON lines under `.iacsh/`. For people, audit and time estimates; deleting it costs
//! convenience, never correctness, so a journal that cannot be written is told once and stops nothing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Appends entries of one run.
pub struct Journal {
    file: Mutex<Option<File>>,
    run: String,
}

impl Journal {
    /// A journal that keeps nothing.
    pub fn none() -> Self {
        Self {
            file: Mutex::new(None),
            run: String::new(),
        }
    }

    /// Opens `journal.jsonl` in the folder, which is made when it is not there.
    pub fn open(folder: &Path, run: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("journal.jsonl"))?;
        Ok(Self {
            file: Mutex::new(Some(file)),
            run: run.to_owned(),
        })
    }

    /// Appends one entry. One line is one write of an append-only file, so two processes do not mix their lines, and a
    /// crash leaves at most one torn line at the end. Secrets are masked.
    pub fn write(&self, event: &str, facts: Value) {
        let mut guard = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(file) = guard.as_mut() else { return };
        let mut entry = json!({ "at": Timestamp::now().to_string(), "run": self.run, "event": event });
        if let (Some(entry), Value::Object(facts)) = (entry.as_object_mut(), facts) {
            entry.extend(facts);
        }
        let line = format!("{}\n", crate::secret::mask(&entry.to_string()));
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!("the journal cannot be written and is off for this run: {error}");
            *guard = None;
        }
    }
}
