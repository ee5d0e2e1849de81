//! Text that may hold what is secret, what is not known yet, and what a plan does not know.

use std::fmt;

use super::{Output, Value};
use crate::error::{Error, Exit, Result};
use crate::secret::{MASK, Secret};

/// Text made of parts. One plain part is the ordinary case.
#[derive(Clone, Debug, Default)]
pub struct Text(pub Vec<Part>);

#[derive(Clone, Debug)]
pub enum Part {
    Plain(String),
    Secret(Secret),
    Output(Output),
    /// In a plan: what is known only after the run that it foretells.
    Unknown(Unknown),
}

/// The output of a resource that a plan would create, or what a call on it would give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// `vpc/main.id`.
    pub what: String,
}

/// What people read where a value is not known in a plan.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

impl Unknown {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }

    /// Stands for the value where a kind reads its options. Each is another text, so that a set of them stays a set.
    /// It has no character at which an ARN or a path is taken apart.
    fn placeholder(&self) -> String {
        format!("(known after apply {})", self.what.replace(['/', ':', '(', ')'], " "))
    }

    /// The end of a plan: the script would go one way or the other, and only a run knows which.
    pub fn horizon(&self) -> Error {
        Error::new(Exit::Changes, format!("{} is known only after a run", self.what))
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KNOWN_AFTER_APPLY)
    }
}

/// A text as a person reads it, with what stands in a plan for values that are not known.
pub fn shown(text: &str) -> String {
    const START: &str = "(known after apply ";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START)
        && let Some((_, behind)) = after.split_once(')')
    {
        shown.push_str(before);
        shown.push_str(KNOWN_AFTER_APPLY);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// Whether a text that a kind made of its options holds what is not known in a plan.
pub fn is_unknown(text: &str) -> bool {
    text.contains("(known after apply")
}

impl Text {
    pub fn plain(text: impl Into<String>) -> Self {
        Self(vec![Part::Plain(text.into())])
    }

    /// The text, when no part is a secret or not known yet.
    pub fn as_plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Plain(text)] => Some(text),
            _ => None,
        }
    }

    /// Joins two texts; neighbouring plain parts become one.
    pub fn join(mut self, other: Text) -> Self {
        for part in other.0 {
            match (self.0.last_mut(), part) {
                (Some(Part::Plain(last)), Part::Plain(next)) => last.push_str(&next),
                (_, part) => self.0.push(part),
            }
        }
        self
    }

    /// The outputs in it that a run has to wait for.
    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.0.iter().filter_map(|part| match part {
            Part::Output(output) => Some(output),
            _ => None,
        })
    }

    /// Waits for the outputs. The result has one part: plain, or a secret if any part was one. In a plan it has more
    /// when some of them are not known.
    pub async fn resolve(self) -> Result<Text> {
        let mut known = Text::default();
        for part in self.0 {
            match part {
                Part::Output(output) => match output.wait().await? {
                    Value::Text(value) => {
                        if let Some(output) = value.outputs().next() {
                            return Err(Error::failed(format!("{output} depends on another output")));
                        }
                        known = known.join(value);
                    }
                    other => known = known.join(Text::plain(other.to_string())),
                },
                part => known = known.join(Text(vec![part])),
            }
        }
        if known.unknown().is_some() {
            return Ok(known);
        }
        let is_secret = known.0.iter().any(|part| matches!(part, Part::Secret(_)));
        let text = known.exposed();
        Ok(Text(vec![match is_secret {
            true => Part::Secret(Secret::new(text)),
            false => Part::Plain(text),
        }]))
    }

    /// What in it is not known in a plan.
    pub fn unknown(&self) -> Option<&Unknown> {
        self.0.iter().find_map(|part| match part {
            Part::Unknown(unknown) => Some(unknown),
            _ => None,
        })
    }

    /// The characters of a resolved text, a secret's too.
    pub(super) fn exposed(&self) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Secret(secret) => text.push_str(secret.expose()),
                Part::Unknown(unknown) => text.push_str(&unknown.placeholder()),
                Part::Output(output) => text.push_str(&output.to_string()),
            }
        }
        text
    }

    /// A text that is not a secret, as a kind reads it among its options.
    pub(super) fn readable(&self) -> Option<String> {
        let is_open = |part: &Part| matches!(part, Part::Plain(_) | Part::Unknown(_));
        self.0.iter().all(is_open).then(|| self.exposed())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Plain(text) => f.write_str(text)?,
                Part::Secret(_) => f.write_str(MASK)?,
                Part::Unknown(unknown) => unknown.fmt(f)?,
                Part::Output(output) => match output.peek() {
                    Some(Ok(value)) => write!(f, "{value}")?,
                    _ => write!(f, "<{output}>")?,
                },
            }
        }
        Ok(())
    }
}
