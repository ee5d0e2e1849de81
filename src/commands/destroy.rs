//! `iacsh destroy`, and the same as `environment::destroy()` for scripts.

use std::sync::Arc;

use super::Run;
use crate::cli::Options;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::map;
use crate::output::Printer;
use crate::resource::destroy::{self, DestroyOptions, DestroyPlan};
use crate::resource::{Engine, Verb};
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
}

impl Run<'_> {
    /// `iacsh destroy`.
    pub fn destroy(self) -> Result<u8> {
        let destroy = Destroy::new(&self.session.environment, self.printer, self.options);
        let engine = &self.session.engine;
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
