//! `--plan`: the end of a run that wrote nothing.

use super::Run;
use crate::error::{Error, Exit, Result};
use crate::output;
use crate::output::progress::human;
use crate::resource::plan::PlanDocument;
use crate::value::Value;

impl Run<'_> {
    /// Prints the plan and keeps it. Exit code 0 when there is nothing to change, 2 when there is, or when the script goes
    /// on where a plan cannot see; what failed otherwise is an error.
    pub(super) fn finish_plan(self, outcome: Result<(Value, u8)>) -> Result<u8> {
        let (horizon, failed) = split(outcome.map(|(_, code)| code));
        let plan = PlanDocument::of(&self.session.engine, horizon.as_ref());
        self.print_plan(&plan, failed.as_ref())?;
        if let Some(file) = &self.options.out {
            match &failed {
                None => {
                    plan.write(file)?;
                    self.printer.message(&format!(
                        "kept in {0}: a run with --expect {0} does this and nothing else",
                        file.display()
                    ));
                }
                // Half a plan would be taken for a whole one.
                Some(_) => self.printer.warn(&format!("{} was not written", file.display())),
            }
        }
        match (failed, plan.has_changes()) {
            (Some(error), _) => Err(error),
            (None, true) => Ok(Exit::Changes as u8),
            (None, false) => Ok(Exit::Done as u8),
        }
    }

    fn print_plan(&self, plan: &PlanDocument, failed: Option<&Error>) -> Result<()> {
        let calls = self.session.calls.total();
        if self.printer.json() {
            let mut document = serde_json::to_value(plan).unwrap_or_default();
            if let Some(document) = document.as_object_mut() {
                document.insert("calls".into(), calls.into());
                if let Some(error) = failed {
                    document.insert("error".into(), output::error::to_json(error));
                }
            }
            return self.printer.document(&document);
        }
        match self.options.markdown {
            true => self.printer.show(&output::plan::markdown(plan))?,
            false => self.printer.show(&output::plan::text(plan, self.printer.width()))?,
        }
        self.printer.message(&format!(
            "{} in {} with {calls} calls: {}",
            counted(plan.actions.len()),
            human(self.began.elapsed()),
            plan.summary
        ));
        Ok(())
    }
}

/// The horizon of a plan, and what failed otherwise, by how its script ended.
pub(super) fn split(outcome: Result<u8>) -> (Option<Error>, Option<Error>) {
    match outcome {
        Ok(0) => (None, None),
        Ok(code) => (None, Some(Error::failed(format!("the script ended with exit({code})")))),
        Err(error) => {
            let (ends, errors): (Vec<_>, Vec<_>) = error
                .split()
                .into_iter()
                .partition(|error| error.exit() == Exit::Changes);
            (ends.into_iter().next(), Error::all(errors))
        }
    }
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 resource looked at".into(),
        count => format!("{count} resources looked at"),
    }
}
