//! SQL Server's errors: numbers, severities and texts.
//!
//! Source: "Database Engine events and errors" in the SQL Server reference (the rows of `sys.messages`). What this server
//! cannot do is [`UNSUPPORTED`], a number that SQL Server itself does not use.

/// The number of every "not supported by the sandbox's SQL Server" error.
pub const UNSUPPORTED: u32 = 49999;

/// What an error does to the statements after it, when nothing catches it and `XACT_ABORT` is off. Source: "SET
/// XACT_ABORT", "TRY...CATCH", and what the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The statement is undone; the batch goes on.
    Statement,
    /// The batch ends; an open transaction stays open. A `TRY` of the same batch does not catch it.
    Compile,
    /// The batch ends; an open transaction stays open.
    Batch,
    /// The batch ends and an open transaction is rolled back; in a `TRY` the transaction is doomed.
    Transaction,
}

/// An error as the client sees it (the ERROR token, [MS-TDS] 2.2.7.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    pub number: u32,
    pub state: u8,
    /// Severity: 11 to 16 can be corrected by the user.
    pub class: u8,
    pub message: String,
    /// The line in the batch, from 1. 0 until it is known.
    pub line: u32,
    pub effect: Effect,
}

pub type Result<T, E = SqlError> = std::result::Result<T, E>;

impl SqlError {
    pub fn new(number: u32, class: u8, message: impl Into<String>) -> Self {
        let effect = match number {
            // What binds names or reads the text.
            102 | 105 | 113 | 137 | 156 | 195 | 206 | 207 | 208 | 209 | 402 | 529 | 1087 | 2714 | 4104 | 8120
            | UNSUPPORTED => Effect::Compile,
            241 | 242 | 245 | 1205 | 8114 | 8169 => Effect::Transaction,
            _ => Effect::Statement,
        };
        Self {
            number,
            state: 1,
            class,
            message: message.into(),
            line: 0,
            effect,
        }
    }

    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    pub fn state(mut self, state: u8) -> Self {
        self.state = state;
        self
    }

    /// The line, when it is not known yet.
    pub fn at(mut self, line: u32) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }

    /// The sandbox's own limits, by name.
    pub fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new(
            UNSUPPORTED,
            16,
            format!("not supported by the sandbox's SQL Server: {what}"),
        )
    }

    /// A failure of the sandbox itself: a full disk, a damaged file, a mistake in this program.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::new(UNSUPPORTED, 20, format!("the sandbox's SQL Server failed: {what}")).effect(Effect::Transaction)
    }

    pub fn syntax(near: &str) -> Self {
        Self::new(102, 15, format!("Incorrect syntax near '{near}'."))
    }

    pub fn syntax_keyword(near: &str) -> Self {
        Self::new(156, 15, format!("Incorrect syntax near the keyword '{near}'."))
    }

    pub fn invalid_column(name: &str) -> Self {
        Self::new(207, 16, format!("Invalid column name '{name}'."))
    }

    pub fn invalid_object(name: &str) -> Self {
        Self::new(208, 16, format!("Invalid object name '{name}'."))
    }

    pub fn undeclared(name: &str) -> Self {
        Self::new(137, 15, format!("Must declare the scalar variable \"{name}\"."))
    }

    pub fn conversion(from: &str, text: &str, to: &str) -> Self {
        Self::new(
            245,
            16,
            format!("Conversion failed when converting the {from} value '{text}' to data type {to}."),
        )
    }

    pub fn overflow(to: &str) -> Self {
        Self::new(
            8115,
            16,
            format!("Arithmetic overflow error converting expression to data type {to}."),
        )
    }

    pub fn divide_by_zero() -> Self {
        Self::new(8134, 16, "Divide by zero error encountered.")
    }

    pub fn cancelled() -> Self {
        Self::new(3617, 16, "The operation was cancelled by the client.").effect(Effect::Batch)
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::OperationInterrupted => {
                Self::cancelled()
            }
            error => Self::internal(error),
        }
    }
}
