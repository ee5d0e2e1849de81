//! Another script as a plan, within a run: what `plan("scripts/recreate.rhai")` gives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::interface::check_directories;
use super::plan::planned;
use crate::cli::Options;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::resource::cancel::Cancel;
use crate::resource::plan::PlanDocument;
use crate::resource::progress::Silent;
use crate::script::{Input, Interface, ScriptContext, Shell};
use crate::secret::Secret;
use crate::session::{Purpose, Session, Variables, facts};
use crate::value::{Map, Value};

/// What a plan within a run is begun with. The clients are its own: they refuse every call that writes.
#[derive(Clone)]
pub struct Planner {
    pub root: PathBuf,
    pub environment: Arc<Environment>,
    pub options: Options,
    pub printer: Printer,
    pub cancel: Cancel,
    pub runtime: tokio::runtime::Handle,
}

impl Planner {
    /// What a run of the script would do. The file stands below the root.
    pub fn plan(&self, file: &str, parameters: &Map) -> Result<PlanDocument> {
        let options = Options {
            plan: true,
            expect: None,
            step: false,
            ..self.options.clone()
        };
        let session = self.runtime.block_on(Session::open(
            self.environment.as_ref().clone(),
            &options,
            Arc::new(Silent),
            self.cancel.clone(),
            super::verbs(&self.environment, &self.printer, &options),
            Box::new(|_| Ok(false)),
        ))?;
        let context = ScriptContext {
            root: self.root.clone(),
            env: facts(&session.environment),
            interface: Arc::new(Nobody {
                variables: session.variables.clone(),
                generate: session.environment.aws.is_sandbox(),
            }),
            runtime: self.runtime.clone().into(),
            stepper: None,
        };
        let shell = Shell::new(session.engine.clone(), context);
        let checked = shell.check(&Input::File(self.root.join(file)))?;
        check_directories(&self.root, &checked.directories)?;
        let given: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        let outcome = shell.run(&checked, &given);
        let (plan, failed) = planned(&session.engine, outcome.map(|finished| finished.code));
        failed.map_or(Ok(plan), Err)
    }
}

/// Nobody sees what the script prints: it is the plan that is asked for.
struct Nobody {
    variables: Variables,
    generate: bool,
}

impl Interface for Nobody {
    fn print(&self, _: &Value) {}

    fn section(&self, _: &str) {}

    fn confirm(&self, question: &str) -> Result<bool> {
        Err(Error::declined(format!("a plan asks nobody: {question}")))
    }

    fn variable(&self, name: &str) -> Result<Secret> {
        self.variables.get(name, Purpose::Secret, self.generate)
    }

    fn step_started(&self, _: &str, _: usize) {}

    fn step_finished(&self, _: &str, _: usize, _: Duration, _: bool) {}
}
