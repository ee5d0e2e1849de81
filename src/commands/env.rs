//! `iacsh env list` and `iacsh env check`.

use std::path::Path;

use crate::environment::{Environment, Need};
use crate::error::{Exit, Result};
use crate::identity;
use crate::map;
use crate::output::Printer;
use crate::value::Value;

/// The environments there are.
pub fn list(root: &Path, printer: &Printer) -> Result<u8> {
    let mut rows = Vec::new();
    for name in Environment::names(root)? {
        rows.push(Value::Map(match Environment::load(root, &name) {
            Ok(environment) => map! {
                "name" => name,
                "project" => environment.project,
                "aws" => if environment.aws.is_sandbox() { "sandbox" } else { "aws" },
                "region" => environment.aws.region,
                "database" => environment.database.target.as_str(),
                "protect" => environment.protect,
            },
            Err(error) => map! { "name" => name, "project" => format!("invalid: {error}") },
        }));
    }
    printer.result(&Value::List(rows))?;
    Ok(0)
}

/// What an environment needs, and what is missing. Exit code 78 when something is.
pub fn check(root: &Path, name: &str, printer: &Printer) -> Result<u8> {
    let environment = Environment::load(root, name)?;
    let clients = root.join("clients");
    let mut extra = Vec::new();
    if clients.is_dir() {
        for (variable, needed_by) in identity::files::variables(&clients)? {
            extra.push(Need::variable(variable, needed_by));
        }
    }
    let needs = environment.needs(&extra);
    let rows = needs.iter().map(|need| {
        let present = match need.present {
            Some(present) => Value::Bool(present),
            None => Value::text("unknown before it is asked for"),
        };
        Value::Map(map! {
            "name" => need.name.as_str(),
            "kind" => need.kind.as_str(),
            "present" => present,
            "needed_by" => need.needed_by.as_str(),
        })
    });
    let rows: Vec<_> = rows.collect();
    if printer.json() {
        printer.document(&serde_json::to_value(&needs).unwrap_or_default())?;
    } else {
        printer.result(&Value::List(rows))?;
    }
    let missing: Vec<_> = needs.iter().filter(|need| need.present == Some(false)).collect();
    if missing.is_empty() {
        printer.message(&format!("{name} has what it needs"));
        return Ok(Exit::Done as u8);
    }
    let names: Vec<_> = missing.iter().map(|need| need.name.as_str()).collect();
    printer.message(&format!("{name} lacks {}", names.join(", ")));
    Ok(Exit::Config as u8)
}
