//! The sandbox as scripts see it: `sandbox::`. On an environment whose AWS is another, each of its verbs is an error that
//! says so.

mod rules;
mod time;

use crate::error::{Error, Result};
use crate::resource::Verb;
use crate::sandbox::Sandbox;

pub use rules::{row, rule};
pub use time::durations;

/// The verbs of the module `sandbox`. `sandbox`: the one whose AWS the environment has.
pub fn all(sandbox: Option<&Sandbox>) -> Vec<Verb> {
    let mut verbs = rules::all(sandbox);
    verbs.extend(time::all(sandbox));
    verbs
}

/// The sandbox, or why there is none.
fn opened(sandbox: Option<&Sandbox>) -> Result<&Sandbox> {
    sandbox.ok_or_else(|| {
        Error::failed("this environment's AWS is not the sandbox")
            .hint("`sandbox::` works where the environment says `target = \"sandbox\"` in [aws]")
    })
}
