//! `iacsh sandbox list`.

use std::path::Path;

use jiff::Timestamp;

use crate::error::Result;
use crate::map;
use crate::output::Printer;
use crate::sandbox::Sandbox;
use crate::session;
use crate::value::{Map, Value};

/// The copies that were saved.
pub fn list(root: &Path, printer: &Printer) -> Result<u8> {
    let folder = session::sandbox_folder(root);
    let rows = Sandbox::saved(&folder)?.into_iter().map(|saved| {
        let at = Timestamp::from_second(saved.at).unwrap_or_default();
        let row: Map = map! {
            "name" => saved.name,
            "saved" => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "bytes" => i64::try_from(saved.size).unwrap_or(i64::MAX),
            "iacsh" => saved.version,
        };
        Value::Map(row)
    });
    let rows: Vec<Value> = rows.collect();
    if rows.is_empty() && !printer.json() {
        printer.message("nothing was saved; `iacsh sandbox save NAME` does it");
        return Ok(0);
    }
    printer.result(&Value::List(rows))?;
    Ok(0)
}

/// A size for people: `12 KB`, `3.4 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        ..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KB", bytes / 1024),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
    }
}
