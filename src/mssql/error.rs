//! What a statement can end in: an error of the server's, or a connection that is of no more use.

use crate::error::{Error, Exit, Location, ServiceError};

/// An error that SQL Server reported (the ERROR token of MS-TDS 2.2.7.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// `208`: what `sys.messages` calls `message_id`.
    pub number: u32,
    /// Severity. From 20 on, the server closes the connection.
    pub class: u8,
    pub state: u8,
    /// The line of the batch, from 1; the line of the procedure when there is one.
    pub line: u32,
    /// The procedure in which it happened; empty for the batch itself.
    pub procedure: String,
    pub message: String,
    /// The server's own name.
    pub server: String,
}

/// Why a statement has no result.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The server refused the statement. The connection goes on.
    Server(ServerError),
    /// There is no answer to go on with: the connection was lost, timed out, or out of step.
    Lost(Error),
}

impl ServerError {
    /// The line of the batch in which it happened. `None` when the line is one of a procedure's body.
    pub fn batch_line(&self) -> Option<usize> {
        (self.procedure.is_empty() && self.line > 0).then(|| usize::try_from(self.line).unwrap_or_default())
    }

    /// A second transaction did the same at the same time: doing it again is right.
    pub fn is_conflict(&self) -> bool {
        matches!(self.number, 1205 | 2601 | 2627 | 3960)
    }
}

impl Failure {
    /// The number of the server's error; 0 when the connection was lost.
    pub fn number(&self) -> u32 {
        match self {
            Self::Server(error) => error.number,
            Self::Lost(_) => 0,
        }
    }

    /// The error for the person at the prompt, placed on a line of a file when the batch came from one: `place` takes
    /// the line of the batch.
    pub fn placed(self, place: impl FnOnce(usize) -> Location) -> Error {
        match self {
            Self::Server(error) => {
                let location = place(error.batch_line().unwrap_or(1));
                Error::from(error).at(location)
            }
            Self::Lost(error) => error.at(place(1)),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Server(error) => {
                let line = error.batch_line();
                let error = Error::from(error);
                match line {
                    Some(line) if line > 1 => error.note(format!("on line {line} of the batch")),
                    _ => error,
                }
            }
            Failure::Lost(error) => error,
        }
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        let result = Error::new(exit(error.number), "SQL Server refused the statement");
        let result = match error.procedure.as_str() {
            "" => result,
            procedure => result.note(format!("on line {} of {procedure}", error.line)),
        };
        let result = match hint(error.number) {
            Some(hint) => result.hint(hint),
            None => result,
        };
        result.service(ServiceError {
            call: if error.server.is_empty() {
                "SQL Server".to_owned()
            } else {
                error.server
            },
            code: error.number.to_string(),
            message: error.message,
            request_id: None,
        })
    }
}

/// Missing permissions and wrong credentials are configuration.
fn exit(number: u32) -> Exit {
    match number {
        229 | 230 | 262 | 297 | 300 | 916 | 4064 | 15247 | 18452 | 18456 | 18470 | 18486 | 18487 | 18488 => {
            Exit::Config
        }
        _ => Exit::Failed,
    }
}

/// What to do next, for the numbers that people meet.
fn hint(number: u32) -> Option<&'static str> {
    Some(match number {
        208 => "the table is not there: run the migrations first, and see that the connection is to the right database",
        229 | 230 | 262 | 297 | 300 | 916 | 15247 => "give the login this permission, or use another login",
        1205 => "another transaction held what this one needed: run it again",
        2714 => {
            "the object exists already: when the application made it, record its migrations with `ef_history` instead"
        }
        4060 => "the database is not there, or the login may not open it: `migrate::up` creates it",
        18456 => "check the variables that hold user and password; the server's error log has the exact reason",
        18470 => "the login is disabled",
        18486 => "the login is locked out",
        18487 | 18488 => "the password has to be changed first",
        40615 => "the server's firewall does not let this address in",
        _ => return None,
    })
}

/// An error of the driver's, told as what it means for the connection.
pub(super) fn failure(error: tiberius::error::Error, server: &str) -> Failure {
    use tiberius::error::{Error as Driver, IoErrorKind};
    match error {
        Driver::Server(token) => Failure::Server(ServerError {
            number: token.code(),
            class: token.class(),
            state: token.state(),
            line: token.line(),
            procedure: token.procedure().to_owned(),
            message: token.message().to_owned(),
            server: token.server().to_owned(),
        }),
        Driver::Io {
            kind: IoErrorKind::TimedOut,
            ..
        } => Failure::Lost(
            Error::failed(format!("{server} did not answer in time"))
                .hint("give the statement more time with the option `timeout`, or see what blocks it"),
        ),
        Driver::Tls(message) => Failure::Lost(
            Error::failed(format!("no encrypted connection to {server}"))
                .note(message)
                .hint(
                    "name the certificate authority's file, or trust the server's own certificate, in the environment",
                ),
        ),
        other => Failure::Lost(Error::failed(format!("the connection to {server} was lost")).note(other.to_string())),
    }
}
