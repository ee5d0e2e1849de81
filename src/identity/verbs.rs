//! What scripts call: `identity::`.

use std::sync::Arc;

use tokio::time::Instant;

use super::apply::{self, Report};
use super::list;
use crate::error::Result;
use crate::mssql::verbs::{self as mssql, Address, Database};
use crate::resource::verb::Anything;
use crate::resource::{Foreseen, Outcome, Record, Verb, VerbContext};
use crate::secret::Secret;
use crate::value::Value;

/// Gives the secret that a variable holds.
pub type Variables = Arc<dyn Fn(&str) -> Result<Secret> + Send + Sync>;

/// What the verbs need of the environment.
#[derive(Clone)]
pub struct Setup {
    pub database: mssql::Setup,
    pub variables: Variables,
}

/// The verbs of `identity::`.
pub fn verbs(setup: &Setup) -> Vec<Verb> {
    let apply = {
        let setup = setup.clone();
        Verb::acts(
            "identity",
            "apply",
            "Makes the scopes, APIs and clients of a database what the files of a directory declare. What no file declares \
             is left alone, and told. Gives what was changed.",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("directory", "relative to the root, such as \"clients\"")
        .run({
            let setup = setup.clone();
            move |cx, args| apply(setup.clone(), cx, args)
        })
        .foreseen(move |cx, args| foresee(setup.clone(), cx, args))
    };
    let clients = {
        let setup = setup.clone();
        Verb::reads(
            "identity",
            "clients",
            "The clients of a database: grant types, scopes, secrets by number.",
        )
        .optional::<Anything>(
            "database",
            "what `mssql::connect` gives; the environment's when not given",
        )
        .run(move |cx, args| {
            let setup = setup.clone();
            async move {
                let own;
                let database = match args.first() {
                    Some(database) => Database::of(Some(database))?,
                    None => {
                        own = setup.database.open(&cx.engine, None, Address::default()).await?;
                        &own
                    }
                };
                let mut connection = database.open().await.map_err(|error| match error.code() {
                    "4060" => error.hint("`iacsh scripts/migrate.rhai` creates the database"),
                    _ => error,
                })?;
                let clients = list::clients(&mut connection).await?;
                connection.close().await?;
                Value::from_serialize(&clients)
            }
        })
    };
    vec![apply, clients]
}

/// What `identity::apply` would change. Where the database or its tables are not there yet, everything that is declared.
async fn foresee(setup: Setup, cx: VerbContext, args: Vec<Value>) -> Result<Foreseen> {
    let database = Database::of(args.first())?;
    let directory = setup
        .database
        .root
        .join(args.get(1).and_then(Value::as_str).unwrap_or_default());
    let report: Result<Option<Report>> = async {
        let mut connection = match database.open().await {
            Err(error) if error.code() == "4060" => return Ok(None),
            opened => opened?,
        };
        if !apply::has_tables(&mut connection).await? {
            return Ok(None);
        }
        let report = apply::plan(&mut connection, &directory, &*setup.variables).await?;
        connection.close().await?;
        Ok(Some(report))
    }
    .await;
    let (outcome, lines, value) = match report? {
        Some(report) => {
            for warning in &report.warnings {
                cx.engine.progress().warn(warning);
            }
            let outcome = match report.changed {
                true => Outcome::Acted(report.to_string()),
                false => Outcome::Unchanged,
            };
            (outcome, report.lines(), Value::from_serialize(&report)?)
        }
        None => {
            let names = apply::declared_names(&directory)?;
            let lines = names.iter().map(|name| format!("create {name}")).collect();
            let outcome = Outcome::Acted(format!("{} created", names.len()));
            (outcome, lines, Value::Null)
        }
    };
    Ok(Foreseen {
        records: vec![Record {
            kind: "clients".into(),
            name: database.name.clone(),
            id: database.connector.server().address(),
            outcome,
            lines,
            ..Record::default()
        }],
        value,
    })
}

async fn apply(setup: Setup, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let database = Database::of(args.first())?;
    let directory = setup
        .database
        .root
        .join(args.get(1).and_then(Value::as_str).unwrap_or_default());
    let label = format!("clients/{}", database.name);
    cx.engine.progress().started(&label);
    let began = Instant::now();
    let applied: Result<Report> = async {
        let mut connection = database.open().await?;
        let report = apply::apply(&mut connection, &directory, &*setup.variables, &cx.engine.permit()).await?;
        connection.close().await?;
        Ok(report)
    }
    .await;
    let took = began.elapsed();
    let report = applied.inspect_err(|error| cx.engine.progress().finished(&label, error.message(), took, false))?;
    let outcome = match report.changed {
        true => Outcome::Acted(report.to_string()),
        false => Outcome::Unchanged,
    };
    cx.engine.progress().finished(&label, &outcome.words(), took, true);
    for warning in &report.warnings {
        cx.engine.progress().warn(warning);
    }
    for undeclared in &report.undeclared {
        cx.engine.progress().note(&format!(
            "the {} {} is in the database and in no file; it is left alone",
            undeclared.kind, undeclared.name
        ));
    }
    cx.engine
        .journal_entry("applied clients", serde_json::to_value(&report).unwrap_or_default());
    cx.engine.record(Record {
        kind: "clients".into(),
        name: database.name.clone(),
        id: database.connector.server().address(),
        outcome,
        took,
        ..Record::default()
    });
    Value::from_serialize(&report)
}
