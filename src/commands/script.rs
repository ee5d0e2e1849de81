//! `iacsh FILE`, `iacsh -c TEXT` and `iacsh -`: a script from its check to its report.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Run;
use super::interface::{Guide, Person, check_directories};
use super::planner::Planner;
use crate::error::{Error, Result};
use crate::output;
use crate::output::progress::{self, human};
use crate::resource::{destroy, prune};
use crate::script::{Input, ScriptContext, Shell, Stepper};
use crate::session::facts;
use crate::value::Value;

/// What made a run long is told of one that was.
const WORTH_TELLING: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// The parameters of a script, without running it.
    pub fn help(self, file: &Path) -> Result<u8> {
        let help = self.shell()?.help_of(&Input::File(file.to_owned()))?;
        self.printer.show(&help.text(&file.display().to_string()))?;
        Ok(0)
    }

    /// A script file. `--json` gives the report of the run.
    pub fn file(self, file: &Path, parameters: &[(String, Option<String>)]) -> Result<u8> {
        let outcome = self.evaluate(&Input::File(file.to_owned()), parameters);
        self.finish(outcome)
    }

    /// An expression, or standard input. `--json` gives the value.
    pub fn text(self, input: &Input, parameters: &[(String, Option<String>)]) -> Result<u8> {
        if self.session.engine.is_plan() {
            let outcome = self.evaluate(input, parameters);
            return self.finish(outcome);
        }
        let (value, code) = self.evaluate(input, parameters)?;
        self.printer.result(&value)?;
        if self.session.engine.report().has_changes() {
            self.summary();
        }
        Ok(code)
    }

    fn evaluate(&self, input: &Input, parameters: &[(String, Option<String>)]) -> Result<(Value, u8)> {
        let given = parameters
            .iter()
            // A parameter without a value is a flag.
            .map(|(name, value)| (name.clone(), value.clone().unwrap_or_else(|| "true".into())))
            .collect::<Vec<_>>();
        let shell = self.shell()?;
        let checked = shell.check(input)?;
        check_directories(&self.root, &checked.directories)?;
        let finished = shell.run(&checked, &given)?;
        if finished.code == 0 {
            self.tell_left(&shell.whole_sections(&checked))?;
        }
        Ok((finished.value, finished.code))
    }

    /// What the script no longer names is told, and deleted when that is asked for.
    fn tell_left(&self, sections: &BTreeSet<String>) -> Result<()> {
        let engine = &self.session.engine;
        let prune = self.options.prune;
        let unclaimed = self.runtime.block_on(prune::unclaimed(engine, sections))?;
        if let Some(blind_spot) = unclaimed.blind_spot() {
            // That a listing is denied says nothing of what it would list. A plan with such a hole is no plan with nothing
            // to change, so it ends with exit code 2, as one that meets its horizon; it is told whole, because what it does
            // see is what a nightly job looks for. A run has done what it was asked for, unless that was to prune.
            match (engine.is_plan(), prune, unclaimed.unseen.clone()) {
                (true, ..) => engine.note_unseen(&blind_spot),
                (false, true, Some(error)) => return Err(error.context("--prune")),
                _ => self.printer.warn(&format!("It could not be seen {blind_spot}")),
            }
        }
        let left = unclaimed.left;
        let count = left.deleted().count();
        // A deletion is told when it is done; a plan tells what would be.
        prune::tell(engine, &left, prune && engine.is_plan());
        if !prune || count == 0 || engine.is_plan() {
            return Ok(());
        }
        let names: Vec<_> = left
            .deleted()
            .map(|planned| format!("{}/{}", planned.kind(), planned.live.name))
            .collect();
        let question = format!("Delete what is no longer in the script: {}?", names.join(", "));
        if !self.printer.confirm(&question, self.options.yes)? {
            return Err(Error::declined("what is no longer in the script was left"));
        }
        // The script's own lease was given back with its end.
        self.runtime
            .block_on(async { engine.finish(destroy::delete(engine, &left).await).await })
    }

    /// The engine with everything that a script can call.
    pub(super) fn shell(&self) -> Result<Shell> {
        let stepper: Option<Arc<dyn Stepper>> = match self.options.step {
            true => Some(Arc::new(Guide {
                printer: self.printer.clone(),
            })),
            false => None,
        };
        let context = ScriptContext {
            root: self.root.clone(),
            env: facts(&self.session.environment),
            interface: Arc::new(Person {
                printer: self.printer.clone(),
                variables: self.session.variables.clone(),
                generate: self.session.environment.aws.is_sandbox(),
                yes: self.options.yes,
                planner: Some(Planner {
                    root: self.root.clone(),
                    environment: self.session.environment.clone(),
                    options: self.options.clone(),
                    printer: self.printer.clone(),
                    cancel: self.session.engine.cancel().clone(),
                    runtime: self.runtime.handle().clone(),
                }),
            }),
            runtime: self.runtime.handle().clone().into(),
            stepper,
        };
        Ok(Shell::new(self.session.engine.clone(), context))
    }

    /// The end of a run: the report, the value, and one line that sums up.
    pub(super) fn finish(self, outcome: Result<(Value, u8)>) -> Result<u8> {
        if self.session.engine.is_plan() {
            return self.finish_plan(outcome);
        }
        let report = self.session.engine.report();
        if self.printer.json() {
            let mut document = Value::Map(report.to_map()).to_json();
            if let Some(document) = document.as_object_mut() {
                if let Some(chain) = self.session.engine.longest_chain() {
                    document.insert("longest_chain".into(), chain.to_json());
                }
                match &outcome {
                    Ok((value, _)) => document.insert("result".into(), value.to_json()),
                    Err(error) => document.insert("error".into(), output::error::to_json(error)),
                };
            }
            self.printer.document(&document)?;
            return outcome.map(|(_, code)| code);
        }
        let told: Vec<_> = report.rows_told();
        if !told.is_empty() {
            self.printer.result(&Value::List(told))?;
        }
        if let Ok((value, _)) = &outcome
            && !matches!(value, Value::Null)
        {
            self.printer.result(value)?;
        }
        // What is destroyed has been told by the destroy itself.
        if !report.records.is_empty() {
            self.summary();
        }
        outcome.map(|(_, code)| code)
    }

    fn summary(&self) {
        let report = self.session.engine.report();
        let took = human(self.began.elapsed());
        let calls = self.session.calls.total();
        let count = report.records.len();
        let summary = report.summary();
        let chain = self.session.engine.longest_chain();
        if let Some(chain) = chain.filter(|chain| chain.took() >= WORTH_TELLING && chain.links.len() > 1) {
            self.printer.message(&progress::chain(&chain));
        }
        let resources = if count == 1 { "resource" } else { "resources" };
        self.printer
            .message(&format!("{count} {resources} in {took} with {calls} calls: {summary}"));
    }
}
