//! `iacsh env diff A B`: what differs between two environments, in their files and in what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::heed_signals;
use crate::cli::Options;
use crate::environment::Environment;
use crate::error::{Exit, Result};
use crate::output::Printer;
use crate::output::progress::Told;
use crate::resource::cancel::Cancel;
use crate::resource::portrait::{self, Portrait};
use crate::session::Session;
use crate::value::{Map, Value};

/// One difference: what, and what each of the two says. `None`: it says nothing, or has no such resource.
#[derive(Debug, PartialEq)]
struct Difference {
    /// The key of a file, or `KIND/NAME` of a resource.
    of: String,
    /// The field of a resource; empty when the whole resource is missing in one of them.
    field: String,
    first: Option<Json>,
    second: Option<Json>,
}

/// Exit code 0: nothing differs; 2: something does.
pub fn diff(root: &Path, options: &Options, names: (&str, &str), files: bool, printer: &Printer) -> Result<u8> {
    let first = Environment::load(root, names.0)?;
    let second = Environment::load(root, names.1)?;
    let in_files = of_files(&first.settled()?, &second.settled()?);
    let live = match files {
        true => Vec::new(),
        false => {
            let runtime = super::runtime()?;
            let cancel = Cancel::new();
            heed_signals(&runtime, cancel.clone(), printer.clone());
            // One after the other: both may be in the same sandbox, which has the rules of one file at a time.
            let first = runtime.block_on(read(first, options, printer, &cancel))?;
            let second = runtime.block_on(read(second, options, printer, &cancel))?;
            of_resources(&first, &second)
        }
    };
    tell(names, &in_files, (!files).then_some(&live), printer)?;
    let is_same = in_files.is_empty() && live.is_empty();
    Ok(if is_same { Exit::Done } else { Exit::Changes } as u8)
}

/// What exists of an environment, read with its own clients and credentials.
async fn read(environment: Environment, options: &Options, printer: &Printer, cancel: &Cancel) -> Result<Portrait> {
    let (name, region) = (environment.name.clone(), environment.aws.region.clone());
    let progress = Arc::new(Told::new(printer.clone()));
    let portrait = async {
        // As in a plan: the clients refuse every call that is not a read.
        let options = Options {
            plan: true,
            ..options.clone()
        };
        let ask = Box::new(|_: &str| Ok(false));
        let session = Session::open(environment, &options, progress, cancel.clone(), Vec::new(), ask).await?;
        portrait::read(&session.engine, &region).await
    };
    portrait
        .await
        .map_err(|error| error.context(format!("the environment {name}")))
}

fn of_files(first: &BTreeMap<String, Json>, second: &BTreeMap<String, Json>) -> Vec<Difference> {
    let keys: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let differing = keys.into_iter().filter(|key| first.get(*key) != second.get(*key));
    differing
        .map(|key| Difference {
            of: key.clone(),
            field: String::new(),
            first: first.get(key).cloned(),
            second: second.get(key).cloned(),
        })
        .collect()
}

fn of_resources(first: &Portrait, second: &Portrait) -> Vec<Difference> {
    let names: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let exists = || Some(Json::from("exists"));
        match (first.get(name), second.get(name)) {
            (Some(first), Some(second)) => {
                let fields = of_files(first, second).into_iter().map(|difference| Difference {
                    of: name.clone(),
                    field: difference.of,
                    ..difference
                });
                differences.extend(fields);
            }
            (first, second) => differences.push(Difference {
                of: name.clone(),
                field: String::new(),
                first: first.and_then(|_| exists()),
                second: second.and_then(|_| exists()),
            }),
        }
    }
    differences
}

/// `live` is `None` when only the files were compared.
fn tell(names: (&str, &str), files: &[Difference], live: Option<&Vec<Difference>>, printer: &Printer) -> Result<()> {
    if printer.json() {
        let told = |difference: &Difference, key: &str| {
            let mut row = json!({ key: difference.of, "first": difference.first, "second": difference.second });
            if !difference.field.is_empty() {
                row["field"] = Json::from(difference.field.as_str());
            }
            row
        };
        let is_same = files.is_empty() && live.is_none_or(Vec::is_empty);
        return printer.document(&json!({
            "first": names.0,
            "second": names.1,
            "same": is_same,
            "files": files.iter().map(|difference| told(difference, "key")).collect::<Vec<_>>(),
            "live": live.map(|live| live.iter().map(|difference| told(difference, "resource")).collect::<Vec<_>>()),
        }));
    }
    let table = |of: &str, differences: &[Difference]| {
        let with_fields = of == "resource";
        let rows = differences.iter().map(|difference| {
            let mut row = Map::new();
            row.insert(of.to_owned(), Value::text(&difference.of));
            if with_fields {
                row.insert("field".to_owned(), Value::text(&difference.field));
            }
            row.insert(names.0.to_owned(), shown(difference.first.as_ref()));
            // An environment compared with itself has one column.
            row.insert(names.1.to_owned(), shown(difference.second.as_ref()));
            Value::Map(row)
        });
        Value::List(rows.collect())
    };
    for (title, of, differences) in [
        ("In the files", "key", Some(files)),
        ("In what exists", "resource", live.map(Vec::as_slice)),
    ] {
        match differences {
            Some([]) => printer.message(&format!("{title}: no difference")),
            Some(differences) => {
                printer.heading(title)?;
                printer.result(&table(of, differences))?;
            }
            None => {}
        }
    }
    Ok(())
}

/// A text as it is, anything else as JSON; nothing for what is not there.
fn shown(value: Option<&Json>) -> Value {
    match value {
        None => Value::text("-"),
        Some(Json::String(text)) => Value::text(text),
        Some(Json::Array(items)) => {
            let texts = items.iter().map(|item| match item {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            });
            Value::text(texts.collect::<Vec<_>>().join(", "))
        }
        Some(other) => Value::text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portrait(resources: &[(&str, &[(&str, Json)])]) -> Portrait {
        let of = |(key, value): &(&str, Json)| ((*key).to_owned(), value.clone());
        resources
            .iter()
            .map(|(name, fields)| ((*name).to_owned(), fields.iter().map(of).collect()))
            .collect()
    }

    #[test]
    fn what_is_in_one_only_and_what_differs_are_told() {
        let first = portrait(&[
            ("nat-gateway/main", &[]),
            (
                "service/web",
                &[("desired", json!(1)), ("launch_type", json!("FARGATE"))],
            ),
        ]);
        let second = portrait(&[(
            "service/web",
            &[("desired", json!(3)), ("launch_type", json!("FARGATE"))],
        )]);
        let told: Vec<_> = of_resources(&first, &second)
            .into_iter()
            .map(|found| (found.of, found.field, found.first, found.second))
            .collect();
        assert_eq!(
            told,
            [
                ("nat-gateway/main".into(), String::new(), Some(json!("exists")), None),
                ("service/web".into(), "desired".into(), Some(json!(1)), Some(json!(3))),
            ]
        );
        assert!(of_resources(&first, &first).is_empty());
    }
}
