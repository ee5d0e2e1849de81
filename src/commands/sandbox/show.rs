//! `iacsh sandbox show`.

use std::path::Path;

use jiff::Timestamp;

use super::list;
use crate::error::{Error, Result};
use crate::map;
use crate::output::Printer;
use crate::sandbox::{Sandbox, Summary};
use crate::session;
use crate::value::{Map, Value};

/// What the embedded cloud holds.
pub fn show(root: &Path, printer: &Printer) -> Result<u8> {
    let folder = session::sandbox_folder(root);
    let Some(summary) = Sandbox::summary(&folder)? else {
        if printer.json() {
            printer.result(&Value::Null)?;
        } else {
            printer.message(&format!("there is nothing in {}", folder.display()));
        }
        return Ok(0);
    };
    let now = Timestamp::from_millisecond(summary.now)
        .map_err(|error| Error::failed(format!("the sandbox's time is out of range: {error}")))?;
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (resources, rules) = (resources(&summary), rules(&summary));
    if printer.json() {
        let document: Map = map! {
            "folder" => folder.display().to_string(),
            "bytes" => i64::try_from(summary.size).unwrap_or(i64::MAX),
            "now" => now,
            "ahead_seconds" => summary.ahead / 1000,
            "resources" => resources,
            "rules" => rules,
        };
        printer.result(&Value::Map(document))?;
        return Ok(0);
    }
    printer.heading("Resources")?;
    printer.print(&table(printer, &resources, "none"))?;
    printer.heading("Rules")?;
    printer.print(&table(printer, &rules, "none"))?;
    printer.heading("Folder and clock")?;
    let ahead = match summary.ahead {
        0 => String::new(),
        ahead => format!(", moved on by {} s", ahead / 1000),
    };
    printer.print(&format!("{}, {}", folder.display(), list::size(summary.size)))?;
    printer.print(&format!("{now}{ahead}"))?;
    Ok(0)
}

fn table(printer: &Printer, rows: &Value, nothing: &str) -> String {
    match rows {
        Value::List(rows) if rows.is_empty() => nothing.to_owned(),
        rows => printer.table(rows),
    }
}

fn resources(summary: &Summary) -> Value {
    let rows = summary.counts.iter().map(|count| {
        let row: Map = map! {
            "account" => count.account.as_str(),
            "region" => count.region.as_str(),
            "kind" => count.kind.as_str(),
            "count" => i64::try_from(count.count).unwrap_or(i64::MAX),
        };
        Value::Map(row)
    });
    Value::List(rows.collect())
}

fn rules(summary: &Summary) -> Value {
    Value::List(summary.rules.iter().map(session::rule_row).collect())
}
