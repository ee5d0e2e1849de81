//! `iacsh runs` and `iacsh runs show N`.

use std::path::Path;
use std::time::Duration;

use crate::error::Result;
use crate::map;
use crate::output::Printer;
use crate::output::progress::human;
use crate::resource::runs::{Call, Run, Runs};
use crate::session::RUN_FOLDER;
use crate::value::{Map, Value};

/// Columns from which on the ids of requests have room beside the rest.
const WIDE: usize = 130;

/// So many runs are shown unless all are asked for.
const LAST: usize = 20;

/// The runs so far, the newest last.
pub fn list(root: &Path, all: bool, printer: &Printer) -> Result<u8> {
    let runs = Runs::read(&root.join(RUN_FOLDER))?;
    let hidden = match all {
        true => 0,
        false => runs.runs.len().saturating_sub(LAST),
    };
    let shown = &runs.runs[hidden..];
    if printer.json() {
        printer.document(&serde_json::to_value(shown).unwrap_or_default())?;
        return Ok(0);
    }
    if runs.runs.is_empty() {
        printer.message("no run has left anything in this project's journal yet");
        return Ok(0);
    }
    printer.result(&Value::List(shown.iter().map(row).collect()))?;
    if hidden > 0 {
        printer.message(&format!("{hidden} older ones: `iacsh runs --all`"));
    }
    unreadable(&runs, printer);
    Ok(0)
}

/// All of one run.
pub fn show(root: &Path, which: &str, printer: &Printer) -> Result<u8> {
    let runs = Runs::read(&root.join(RUN_FOLDER))?;
    let run = runs.find(which)?;
    if printer.json() {
        printer.document(&serde_json::to_value(run).unwrap_or_default())?;
        return Ok(0);
    }
    printer.result(&Value::Map(facts(run)))?;
    if !run.resources.is_empty() {
        let rows = run.resources.iter().map(|done| {
            Value::Map(map! {
                "kind" => done.kind.as_str(),
                "name" => done.name.as_str(),
                "result" => done.words.as_str(),
                "took" => human(Duration::from_millis(done.ms)),
                "id" => done.id.as_str(),
            })
        });
        printer.result(&Value::List(rows.collect()))?;
    }
    if !run.writes.is_empty() {
        let is_wide = printer.width() >= WIDE;
        printer.result(&Value::List(
            run.writes.iter().map(|write| call(write, is_wide)).collect(),
        ))?;
        if !is_wide {
            printer.message("the ids of the requests are in --json, or in a wider window");
        }
    }
    unreadable(&runs, printer);
    Ok(0)
}

fn row(run: &Run) -> Value {
    Value::Map(map! {
        "n" => i64::try_from(run.number).unwrap_or(i64::MAX),
        "began" => moment(&run.began),
        "by" => run.by.as_str(),
        "environment" => run.environment.as_str(),
        "command" => run.command.as_str(),
        "took" => took(run),
        "result" => run.result.as_str(),
    })
}

fn facts(run: &Run) -> Map {
    let mut facts = map! {
        "run" => run.id.as_str(),
        "began" => format!("{} UTC", moment(&run.began)),
        "took" => took(run),
        "by" => format!("{} on {}", run.by, run.host),
    };
    let calls = run
        .calls
        .map(|calls| format!("{calls}, of which {} write", run.writes.len()));
    for (key, text) in [
        ("caller", run.caller.clone()),
        ("environment", format!("{} of {}", run.environment, run.project)),
        ("commit", run.commit.clone()),
        ("command", run.command.clone()),
        ("iacsh", run.version.clone()),
        ("calls", calls.unwrap_or_default()),
        ("result", run.result.clone()),
        ("exit", run.exit.map(|exit| exit.to_string()).unwrap_or_default()),
        ("error", run.error.clone()),
    ] {
        if !text.is_empty() {
            facts.insert(key.into(), Value::text(&text));
        }
    }
    facts
}

/// `ids`: also the id of the request, which is as wide as all the rest.
fn call(call: &Call, ids: bool) -> Value {
    let status = match (call.status, call.error.as_str()) {
        (0, error) => error.to_owned(),
        (status, "") => status.to_string(),
        (status, error) => format!("{status} {error}"),
    };
    let again = match call.attempts {
        0 | 1 => String::new(),
        attempts => format!(", sent {attempts} times"),
    };
    let mut row = map! {
        "at" => call.at.get(11..19).unwrap_or_default(),
        "call" => call.call.as_str(),
        "resource" => call.resource.as_str(),
        "status" => format!("{status}{again}"),
        "took" => human(Duration::from_millis(call.ms)),
    };
    if ids {
        row.insert("request".into(), Value::text(&call.request));
    }
    Value::Map(row)
}

/// `2026-01-31 12:00:07`, from RFC 3339 in UTC.
fn moment(at: &str) -> String {
    at.get(..19).unwrap_or(at).replace('T', " ")
}

fn took(run: &Run) -> String {
    let time = run
        .seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.map(human).unwrap_or_default()
}

fn unreadable(runs: &Runs, printer: &Printer) {
    match runs.unreadable {
        0 => {}
        1 => printer.warn("one line of the journal could not be read"),
        count => printer.warn(&format!("{count} lines of the journal could not be read")),
    }
}
