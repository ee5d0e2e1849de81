//! `iacsh`: the prompt.

use super::Run;
use crate::error::Result;
use crate::repl;
use crate::session::RUN_FOLDER;

impl Run<'_> {
    /// Reads and evaluates until the person leaves. Each statement is a run of its own: what it began is waited for
    /// before the next one.
    pub fn prompt(self) -> Result<u8> {
        let history = self.root.join(RUN_FOLDER).join("history");
        let evaluator = self.shell()?.into_prompt();
        repl::prompt::run(evaluator, self.printer, &self.session.environment, &history)
    }
}
