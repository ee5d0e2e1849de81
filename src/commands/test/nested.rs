//! `run("scripts/recreate.rhai", #{parameters}, #{options})` in a test: a whole script as a run of its own, on the test's
//! sandbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::one::{Bench, Output};
use crate::cli::Options;
use crate::commands::interface::check_directories;
use crate::commands::plan;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::map;
use crate::resource::Engine;
use crate::schema;
use crate::script::Input;
use crate::value::{Map, Value};

/// What it takes beside the script's parameters: options of the command line, and another environment.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Given {
    /// `--env`. It must be on the sandbox too.
    env: Option<String>,
    /// `--yes`; `true` when not given.
    yes: Option<bool>,
    /// `--confirm`.
    confirm: Option<String>,
    /// `--only`.
    only: Vec<String>,
    /// `--allow-replace`.
    allow_replace: Vec<String>,
    /// `--with-data`.
    with_data: Vec<String>,
    /// `--purge-secrets`.
    purge_secrets: bool,
    /// `--plan`: nothing is written.
    plan: bool,
    /// What is different in the environment's file, as it is written there; `()` takes a key away.
    environment: serde_json::Map<String, serde_json::Value>,
}

/// What a test needs to run other scripts.
#[derive(Clone)]
pub struct Nested {
    pub bench: Arc<Bench>,
    pub root: PathBuf,
    /// The test's own.
    pub options: Options,
    /// Where the test prints.
    pub output: Output,
}

impl Nested {
    /// Runs a file below the root. Gives `value`, `code`, `printed`, the report's `summary`, counts and `resources`, and how
    /// many `seconds` it would have taken.
    pub fn run(&self, file: &str, parameters: Value, options: Value) -> Result<Value> {
        let function = format!("run(\"{file}\")");
        let (options, changes) = self.options(options).map_err(|error| error.context(&function))?;
        let parameters = given(parameters).map_err(|error| error.context(&function))?;
        let environment = Environment::load_changed(&self.root, &options.env, &changes)?;
        let path = self.root.join(file);
        if !path.is_file() {
            return Err(Error::failed(format!(
                "{function}: there is no such file below {}",
                self.root.display()
            )));
        }
        let output = Output::default();
        let opened = self.bench.open(environment, &options, &output, None)?;
        let began = self.bench.isolated.elapsed();
        let finished = opened.shell.check(&Input::File(path)).and_then(|checked| {
            check_directories(&self.root, &checked.directories)?;
            opened.shell.run(&checked, &parameters)
        });
        let took = self.bench.isolated.elapsed() - began;
        let printed = output.text();
        self.output.push(&printed);
        if options.plan {
            return self.planned(
                &opened.session.engine,
                finished.map(|finished| finished.code),
                printed,
                took,
            );
        }
        let finished = finished.map_err(|error| {
            let code = error.exit() as u8;
            error.note(format!("{function} ended with exit code {code}"))
        })?;
        let report = opened.session.engine.report().to_map();
        let mut ran = map! {
            "value" => finished.value,
            "code" => i64::from(finished.code),
            "printed" => printed,
            "seconds" => took.as_secs_f64(),
        };
        // The counts stand beside the summary, so that `ran.created` is one.
        if let Some(Value::Map(counts)) = report.get("counts") {
            ran.extend(counts.clone());
        }
        for key in ["summary", "resources"] {
            ran.insert(key.into(), report.get(key).cloned().unwrap_or_default());
        }
        Ok(Value::Map(ran))
    }

    /// What a plan gives: its `summary`, `actions` and `horizon`, and whether it `changes` anything.
    fn planned(&self, engine: &Engine, ended: Result<u8>, printed: String, took: Duration) -> Result<Value> {
        let (plan, failed) = plan::planned(engine, ended);
        if let Some(error) = failed {
            return Err(error);
        }
        let mut planned = map! {
            "changes" => plan.has_changes(),
            "printed" => printed,
            "seconds" => took.as_secs_f64(),
        };
        if let Value::Map(document) = Value::from_serialize(&plan)? {
            let keys = ["summary", "actions", "horizon"];
            planned.extend(document.into_iter().filter(|(key, _)| keys.contains(&key.as_str())));
        }
        Ok(Value::Map(planned))
    }

    /// The options of the run, and what is different in its environment.
    fn options(&self, options: Value) -> Result<(Options, Map)> {
        let options = match options {
            Value::Null => Value::Map(Map::new()),
            options => options,
        };
        if let Some(problem) = schema::check(&schema::of::<Given>(), &options).into_iter().next() {
            let place = match problem.path.join(".") {
                path if path.is_empty() => "options".to_owned(),
                path => format!("`{path}`"),
            };
            let error = Error::failed(format!("{place}: {}", problem.message));
            return Err(match problem.hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        let given: Given = options.read()?;
        let changes = given.environment.into_iter();
        let changes = changes.map(|(key, value)| (key, Value::from(value))).collect();
        let options = Options {
            env: given.env.unwrap_or_else(|| self.options.env.clone()),
            yes: given.yes.unwrap_or(true),
            confirm: given.confirm,
            only: given.only,
            allow_replace: given.allow_replace,
            with_data: given.with_data,
            purge_secrets: given.purge_secrets,
            plan: given.plan,
            ..self.options.clone()
        };
        Ok((options, changes))
    }
}

/// Parameters as the command line gives them.
fn given(parameters: Value) -> Result<Vec<(String, String)>> {
    match parameters {
        Value::Null => Ok(Vec::new()),
        Value::Map(map) => Ok(map.into_iter().map(|(name, value)| (name, value.to_string())).collect()),
        other => Err(
            Error::failed(format!("the parameters are a map, not {}", other.type_name()))
                .hint("run(\"scripts/x.rhai\", #{ name: value })"),
        ),
    }
}
