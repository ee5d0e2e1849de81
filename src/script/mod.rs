//! The Rhai engine: what a script can call, how it is checked before it runs, and how its errors are told.
//!
//! [`Shell`] puts everything together for one run or one prompt. A script's text goes through [`preflight`] before
//! anything is done; while it runs, its values cross to [`crate::value`] in [`values`] and its errors to
//! [`crate::error`] in [`diagnostics`]. The engine runs on a thread of its own with a large stack, never on a worker of
//! the runtime, so that natives can wait.

mod adoption;
mod assert;
mod complete;
pub mod contracts;
mod diagnostics;
mod difference;
mod driver;
mod engine;
mod flow;
mod help;
mod lazy;
mod lex;
mod markers;
mod natives;
mod options;
mod parallel;
mod params;
mod plan;
mod preflight;
mod prompt;
mod publishers;
mod resolver;
mod run;
mod sections;
mod sources;
mod stdlib;
mod step;
mod trial;
mod values;

#[cfg(test)]
mod tests;

pub use driver::Driver;
pub use engine::{Interface, ScriptContext, Shell};
pub use params::{Parameter, ScriptHelp};
pub use preflight::{Checked, Directory};
pub use prompt::Prompt;

pub use run::{Finished, Input};
pub use step::{Answer, Step, Stepper};
pub use trial::TestFunction;
