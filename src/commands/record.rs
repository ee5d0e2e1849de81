//! The beginning and the end of a run in the journal.

use serde_json::json;

use super::Run;
use crate::error::Result;
use crate::resource::tags;

impl Run<'_> {
    /// Does the work of a run, and keeps when it began, by whom, and how it ended. `at_once`: also when nothing else is
    /// told of it, because it was a script.
    pub(super) fn recorded(self, line: &str, at_once: bool, work: impl FnOnce(Self) -> Result<u8>) -> Result<u8> {
        let (engine, calls, began) = (self.session.engine.clone(), self.session.calls.clone(), self.began);
        let scope = engine.scope();
        let said = |tag: &str| scope.volatile.get(tag).cloned().unwrap_or_default();
        let facts = json!({
            "by": said(tags::CREATED_BY),
            "host": host(),
            "project": scope.project,
            "environment": scope.environment,
            "commit": said(tags::COMMIT),
            "version": env!("CARGO_PKG_VERSION"),
            "command": line,
        });
        // A plan changes nothing and is no run.
        engine.run_journal().begin(facts, at_once && !engine.is_plan());
        let outcome = work(self);
        let (exit, error) = match &outcome {
            Ok(code) => (*code, String::new()),
            Err(error) => (error.exit() as u8, error.message().to_owned()),
        };
        engine.run_journal().end(json!({
            "exit": exit,
            "error": error,
            "ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "calls": calls.total(),
        }));
        outcome
    }
}

/// This machine's name, for people.
fn host() -> String {
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let command = || {
        let output = std::process::Command::new("hostname").output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let name = kernel().or_else(command).unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}
