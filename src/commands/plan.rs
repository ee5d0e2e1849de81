//! `--plan`: the end of a run that wrote nothing.

use super::Run;
use crate::error::{Error, Exit, Result};
use crate::output;
use crate::output::progress::human;
use crate::resource::Engine;
use crate::resource::plan::PlanDocument;
use crate::value::Value;

/// The plan of a run, by how its script ended: with an exit code or an error. What failed otherwise than at the horizon comes
/// beside it.
pub(super) fn planned(engine: &Engine, ended: Result<u8>) -> (PlanDocument, Option<Error>) {
    let (horizon, failed) = match ended {
        Ok(0) => (None, None),
        Ok(code) => (None, Some(Error::failed(format!("the script ended with exit({code})")))),
        Err(error) => {
            let (ends, errors): (Vec<_>, Vec<_>) = error
                .split()
                .into_iter()
                .partition(|error| error.exit() == Exit::Changes);
            (ends.into_iter().next(), Error::all(errors))
        }
    };
    (PlanDocument::of(engine, horizon.as_ref()), failed)
}

impl Run<'_> {
    /// Prints the plan and keeps it. Exit code 0 when there is nothing to change, 2 when there is, or when the script goes
    /// on where a plan cannot see, and the script's own where it said one; what failed otherwise is an error.
    pub(super) fn finish_plan(self, outcome: Result<(Value, u8)>) -> Result<u8> {
        // A script that ends with a code of its own, as one that only looks, is planned as far as it went.
        let said = outcome.as_ref().map_or(0, |(_, code)| *code);
        let (plan, failed) = planned(&self.session.engine, outcome.map(|_| 0));
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
        match (failed, said, plan.has_changes()) {
            (Some(error), ..) => Err(error),
            (None, 0, true) => Ok(Exit::Changes as u8),
            (None, said, _) => Ok(said),
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

fn counted(count: usize) -> String {
    match count {
        1 => "1 resource looked at".into(),
        count => format!("{count} resources looked at"),
    }
}
