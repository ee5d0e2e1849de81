//! `iacsh destroy`, and the same as `environment::destroy()` for scripts.

use std::sync::Arc;

use super::Run;
use crate::cli::Options;
use crate::environment::Environment;
use crate::error::{Error, Exit, Result};
use crate::map;
use crate::output::Printer;
use crate::resource::destroy::{self, DestroyOptions, DestroyPlan, Planned};
use crate::resource::{Engine, Foreseen, Outcome, Record, Verb};
use crate::value::Value;

/// What a destroy needs to know beside the engine.
#[derive(Clone)]
struct Destroy {
    environment: String,
    options: Options,
    printer: Printer,
}

/// `environment::destroy()`.
pub fn verb(environment: &Environment, printer: &Printer, options: &Options) -> Verb {
    let destroy = Arc::new(Destroy::new(environment, printer, options));
    let foreseeing = destroy.clone();
    Verb::acts(
        "environment",
        "destroy",
        "Deletes everything disposable of the environment, after asking, and proves that it is gone. What holds data, and \
         what recreate should find again, is kept and told. `--only` names a part.",
    )
    .run(move |cx, _| {
        let destroy = destroy.clone();
        async move {
            destroy.run(&cx.engine).await?;
            Ok(Value::Null)
        }
    })
    .foreseen(move |cx, _| {
        let destroy = foreseeing.clone();
        async move {
            Ok(Foreseen {
                records: destroy.foresee(&cx.engine).await?,
                value: Value::Null,
            })
        }
    })
}

impl Run<'_> {
    /// `iacsh destroy`.
    pub fn destroy(self) -> Result<u8> {
        let destroy = Destroy::new(&self.session.environment, self.printer, self.options);
        let engine = &self.session.engine;
        if engine.is_plan() {
            let records = self.runtime.block_on(destroy.foresee(engine));
            let outcome = records.map(|records| records.into_iter().for_each(|record| engine.record(record)));
            return self.finish(outcome.map(|()| (Value::Null, 0)));
        }
        let outcome = self
            .runtime
            .block_on(async { engine.finish(destroy.run(engine).await).await });
        self.finish(outcome.map(|()| (Value::Null, 0)))
    }
}

impl Destroy {
    fn new(environment: &Environment, printer: &Printer, options: &Options) -> Self {
        Self {
            environment: environment.name.clone(),
            options: options.clone(),
            printer: printer.clone(),
        }
    }

    async fn run(&self, engine: &Engine) -> Result<()> {
        let options = DestroyOptions {
            only: self.options.only.clone(),
        };
        engine.will_destroy();
        let plan = destroy::plan(engine, &options).await?;
        let count = plan.deleted().count();
        if count == 0 {
            self.printer.message("there is nothing disposable to delete");
        } else {
            self.show(&plan)?;
            self.allowed(engine, count)?;
        }
        destroy::destroy(engine, plan).await?;
        let scope = engine.scope();
        self.printer.message(&match self.options.only.is_empty() {
            true => format!(
                "nothing else is left with the tags of {}/{}",
                scope.project, scope.environment
            ),
            false => format!("nothing disposable is left of {}", self.options.only.join(", ")),
        });
        Ok(())
    }

    /// What would be deleted, and what would stay. What a script ensures afterwards cannot be foreseen.
    async fn foresee(&self, engine: &Engine) -> Result<Vec<Record>> {
        let options = DestroyOptions {
            only: self.options.only.clone(),
        };
        let plan = destroy::plan(engine, &options).await?;
        if plan.deleted().next().is_some() && engine.is_plan() {
            engine.end_plan(Error::new(
                Exit::Changes,
                "what is there after the environment was destroyed is known only after a run",
            ));
        }
        let record = |planned: &Planned| Record {
            kind: planned.kind().to_owned(),
            name: planned.live.name.clone(),
            id: planned.live.id.clone(),
            outcome: match &planned.kept {
                Some(why) => Outcome::Kept(why.clone()),
                None => Outcome::Deleted,
            },
            ..Record::default()
        };
        Ok(plan.resources.iter().map(record).collect())
    }

    fn show(&self, plan: &DestroyPlan) -> Result<()> {
        let rows = plan.deleted().map(|planned| {
            Value::Map(map! {
                "kind" => planned.kind(), "name" => planned.live.name.as_str(), "id" => short(&planned.live.id),
            })
        });
        let table = self.printer.table(&Value::List(rows.collect()));
        self.printer.message(&format!("These will be deleted:\n{table}"));
        Ok(())
    }

    /// A protected environment is refused before anybody is asked.
    fn allowed(&self, engine: &Engine, count: usize) -> Result<()> {
        engine.may_write()?;
        let name = &self.environment;
        let question = format!("Delete these {count} resources of {name}?");
        match self.printer.confirm(&question, self.options.yes)? {
            true => Ok(()),
            false => Err(Error::declined("nothing was deleted")),
        }
    }
}

/// An ARN without its account: the part that tells one resource from another.
fn short(id: &str) -> &str {
    match id.starts_with("arn:") {
        true => id.splitn(6, ':').last().unwrap_or(id),
        false => id,
    }
}
