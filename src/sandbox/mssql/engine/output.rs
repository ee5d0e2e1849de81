//! What a session answers, on its way to the client.

use tokio::sync::mpsc;

use super::SERVER_NAME;
use crate::sandbox::mssql::errors::SqlError;
use crate::sandbox::mssql::tds::token::{self, Column, Done};
use crate::sandbox::mssql::value::Value;

/// So much is collected before it is sent.
const CHUNK: usize = 32 << 10;

/// A response being written. The last DONE is held back until it is known whether more follows it.
pub struct Output {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Vec<u8>>,
    pending: Option<(Done, u16, u64)>,
    /// In a procedure its statements end with DONEINPROC.
    depth: usize,
    failed: bool,
}

impl Output {
    pub fn new(sender: mpsc::Sender<Vec<u8>>) -> Self {
        Self {
            buffer: Vec::new(),
            sender,
            pending: None,
            depth: 0,
            failed: false,
        }
    }

    /// Sends what is collected. When the client has gone there is no one to send to, and the session ends by itself.
    pub fn flush(&mut self) {
        if !self.buffer.is_empty() {
            let _ = self.sender.blocking_send(std::mem::take(&mut self.buffer));
        }
    }

    /// Room for tokens that come after what is pending.
    fn tokens(&mut self) -> &mut Vec<u8> {
        if let Some((kind, status, rows)) = self.pending.take() {
            token::done(&mut self.buffer, kind, status | token::MORE, rows);
        }
        if self.buffer.len() > CHUNK {
            self.flush();
        }
        &mut self.buffer
    }

    /// Writes a change of the environment.
    pub fn change(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.tokens());
    }

    pub fn error(&mut self, error: &SqlError) {
        self.failed = true;
        token::error(self.tokens(), error, SERVER_NAME);
        let kind = self.kind();
        self.pending = Some((kind, token::FAILED, 0));
    }

    pub fn info(&mut self, info: &SqlError) {
        token::info(self.tokens(), info, SERVER_NAME);
    }

    pub fn columns(&mut self, columns: &[Column]) {
        token::columns(self.tokens(), columns);
    }

    pub fn row(&mut self, columns: &[Column], values: &[Value]) -> Result<(), SqlError> {
        token::row(self.tokens(), columns, values)
    }

    fn kind(&self) -> Done {
        if self.depth > 0 { Done::InProcedure } else { Done::Batch }
    }

    /// The end of a statement with a number of rows.
    pub fn done(&mut self, rows: Option<u64>) {
        self.tokens();
        let status = if rows.is_some() { token::COUNT } else { 0 };
        self.pending = Some((self.kind(), status, rows.unwrap_or_default()));
    }

    pub fn enter_procedure(&mut self) {
        self.depth += 1;
    }

    pub fn leave_procedure(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub fn return_value(
        &mut self,
        ordinal: u16,
        name: &str,
        sql_type: crate::sandbox::mssql::value::SqlType,
        value: &Value,
    ) -> Result<(), SqlError> {
        token::return_value(self.tokens(), ordinal, name, sql_type, value)
    }

    /// The end of a batch.
    pub fn finish_batch(&mut self) {
        match self.pending.take() {
            Some((kind, status, rows)) => token::done(&mut self.buffer, kind, status, rows),
            None => token::done(&mut self.buffer, Done::Batch, 0, 0),
        }
        self.end();
    }

    /// The end of a procedure call.
    pub fn finish_procedure(&mut self, status: i32) {
        token::return_status(self.tokens(), status);
        let failed = if self.failed { token::FAILED } else { 0 };
        token::done(&mut self.buffer, Done::Procedure, failed, 0);
        self.end();
    }

    fn end(&mut self) {
        self.pending = None;
        self.depth = 0;
        self.failed = false;
        self.flush();
    }

    /// Whether an error was sent since the response began.
    pub fn has_failed(&self) -> bool {
        self.failed
    }
}
