//! The one error type: written for the person at the prompt.
//!
//! An [`Error`] says what failed, where, what the service said, and what to do next. It is cheap to clone, because one
//! failed resource fails everything that waits for its outputs.

use std::fmt;

/// How a run ends. The numbers are the process's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// The script failed while running.
    Failed = 1,
    /// `--plan` found changes.
    Changes = 2,
    /// The command line is wrong.
    Usage = 64,
    /// A file is missing or invalid, found before anything was done.
    Invalid = 65,
    /// Another run holds the environment.
    Busy = 75,
    /// Declined, quit, or refused by a guard.
    Declined = 77,
    /// Configuration is missing: a variable, credentials, a permission.
    Config = 78,
    /// Interrupted by Ctrl-C or SIGTERM.
    Interrupted = 130,
}

/// A place in a file of the user's. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as a person would name it, relative to the root where possible.
    pub file: String,
    pub line: usize,
    /// 0 when only the line is known.
    pub column: usize,
    /// The text of the line, when it is known.
    pub text: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            0 => write!(f, "{}:{}", self.file, self.line),
            column => write!(f, "{}:{}:{}", self.file, self.line, column),
        }
    }
}

/// What a service answered, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// For AWS `service:Action`, for SQL Server the server's name.
    pub call: String,
    /// `DependencyViolation`, or the number of a SQL Server error.
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
}

#[derive(Clone, Debug)]
struct Inner {
    exit: Exit,
    message: String,
    at: Option<Location>,
    /// The chain of calls from the innermost to the outermost: a function's name and where it was called.
    calls: Vec<(String, Location)>,
    service: Option<ServiceError>,
    notes: Vec<String>,
    hint: Option<String>,
    /// All errors of a run that failed in several places; the first is this one.
    others: Vec<Error>,
}

/// What went wrong. See the module's page.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with the exit code that it leads to.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            exit,
            message: message.into(),
            at: None,
            calls: Vec::new(),
            service: None,
            notes: Vec::new(),
            hint: None,
            others: Vec::new(),
        }))
    }

    /// The script, or a service, failed while running.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file is missing or invalid.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Exit::Invalid, message)
    }

    /// Declined by a person, or refused by a guard.
    pub fn declined(message: impl Into<String>) -> Self {
        Self::new(Exit::Declined, message)
    }

    /// Configuration is missing.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Config, message)
    }

    /// Ctrl-C or SIGTERM.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted").hint("run the same command again: it finishes what is left")
    }

    /// What to do next. Replaces an earlier hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// One more fact, on a line of its own.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Where it happened. The innermost place wins: a later call changes nothing.
    pub fn at(mut self, location: Location) -> Self {
        self.0.at.get_or_insert(location);
        self
    }

    /// The function in which it happened was called from there.
    pub fn called(mut self, function: impl Into<String>, from: Location) -> Self {
        self.0.calls.push((function.into(), from));
        self
    }

    /// What the service said.
    pub fn service(mut self, service: ServiceError) -> Self {
        self.0.service = Some(service);
        self
    }

    /// Puts words before the message: `Redis: ...`.
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        let what = what.to_string();
        // Said once is enough.
        if !self.0.message.starts_with(&what) {
            self.0.message = format!("{what}: {}", self.0.message);
        }
        self
    }

    /// The message where it is said already what it is about.
    pub fn message_about(&self, what: &str) -> &str {
        let message = self.message();
        let rest = message.strip_prefix(what);
        let rest = rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' ')));
        rest.unwrap_or(message)
    }

    /// The same error with another exit code.
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// One error that tells all of them. `None` when there are none.
    pub fn all(mut errors: Vec<Error>) -> Option<Self> {
        if errors.is_empty() {
            return None;
        }
        let mut first = errors.remove(0);
        first.0.others.extend(errors);
        Some(first)
    }

    /// The errors that were put together with [`Error::all`], one by one.
    pub fn split(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.0.others);
        let mut all = vec![self];
        all.extend(others.into_iter().flat_map(Error::split));
        all
    }

    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn location(&self) -> Option<&Location> {
        self.0.at.as_ref()
    }

    pub fn calls(&self) -> &[(String, Location)] {
        &self.0.calls
    }

    pub fn service_error(&self) -> Option<&ServiceError> {
        self.0.service.as_ref()
    }

    /// The service's error code, or the empty string.
    pub fn code(&self) -> &str {
        self.0.service.as_ref().map_or("", |service| &service.code)
    }

    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    pub fn help(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn others(&self) -> &[Error] {
        &self.0.others
    }
}

/// One line: the message. [`crate::output`] prints the rest.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(service) = &self.0.service
            && !self.0.message.contains(&service.message)
        {
            write!(f, ": {} ({})", service.message, service.code)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The candidate nearest to what was typed, when it is near enough to be meant.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = typed.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(typed.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_a_slip_and_refuses_a_guess() {
        assert_eq!(nearest("replcas", ["replicas", "node_type"]), Some("replicas"));
        assert_eq!(nearest("Node_Type", ["replicas", "node_type"]), Some("node_type"));
        assert_eq!(nearest("colour", ["replicas", "node_type"]), None);
    }

    #[test]
    fn the_innermost_place_wins() {
        let place = |line| Location {
            file: "a.rhai".into(),
            line,
            column: 1,
            text: None,
        };
        let error = Error::failed("x").at(place(3)).at(place(9));
        assert_eq!(error.location().unwrap().line, 3);
    }
}
