//! The prompt: a line editor, and the loop that reads a statement, evaluates it and prints its value.
//!
//! It knows nothing of the language: [`Evaluator`] does.

pub mod editor;
pub mod prompt;

use crate::error::Error;
use crate::value::Value;

/// Whether a text can be evaluated as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It can, or is wrong in a way that more lines would not mend.
    Complete,
    /// More lines have to follow.
    Incomplete,
}

/// What could be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What the list of candidates shows.
    pub display: String,
    /// What stands in the line afterwards.
    pub replacement: String,
}

/// What became of a statement.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its value; [`Value::Null`] prints nothing.
    Value(Value),
    /// It failed, and the prompt goes on.
    Failed(Error),
    /// It said `exit(n)`.
    Exit(u8),
}

/// The language behind the prompt.
pub trait Evaluator {
    /// Whether the text is a whole statement. Called at each Enter, with all lines typed so far.
    fn complete_input(&self, text: &str) -> Completeness;

    /// Evaluates one or more statements. A value that is something is kept as `last` and as the next item of `out`.
    fn evaluate(&mut self, text: &str) -> Outcome;

    /// What could stand at this byte of the line, and where what it would replace begins. Called at each Tab: it must be
    /// quick and change nothing.
    fn candidates(&self, line: &str, position: usize) -> (usize, Vec<Candidate>);

    /// The variables that were made at the prompt, in their order.
    fn variables(&self) -> Vec<(String, Value)>;
}
