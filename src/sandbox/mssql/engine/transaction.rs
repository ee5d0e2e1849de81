//! Transactions: the turn to write, savepoints, and what an error does to them.

use super::Engine;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::tds::token;

impl Engine {
    /// Before anything is written: takes the turn, and begins SQLite's transaction over all databases.
    pub(super) fn begin_write(&mut self) -> Result<()> {
        if self.doomed {
            return Err(SqlError::new(
                3930,
                16,
                "The current transaction cannot be committed and cannot support operations that write to the log file. \
                 Roll back the transaction.",
            ));
        }
        if self.writing {
            return Ok(());
        }
        self.locks.take_turn(self.turn_timeout())?;
        let begun = self.attach_all().and_then(|()| {
            self.connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(|error| self.sqlite(error))
        });
        if let Err(error) = begun {
            self.locks.give_turn();
            return Err(error);
        }
        self.writing = true;
        Ok(())
    }

    /// Runs a statement that writes. It is undone as a whole when it fails; outside of a transaction it is committed.
    pub(super) fn write<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.begin_write()?;
        self.connection
            .execute_batch("SAVEPOINT statement")
            .map_err(|error| self.sqlite(error))?;
        let result = work(self);
        match result {
            Ok(value) => {
                self.connection
                    .execute_batch("RELEASE statement")
                    .map_err(|error| self.sqlite(error))?;
                if self.tran_count == 0 {
                    self.commit_sqlite()?;
                }
                Ok(value)
            }
            Err(error) => {
                // An interrupted statement may have rolled back everything already.
                if self.connection.is_autocommit() {
                    self.forget_write();
                } else {
                    let undone = self
                        .connection
                        .execute_batch("ROLLBACK TO statement; RELEASE statement");
                    self.catalogs.clear();
                    if undone.is_err() || self.tran_count == 0 {
                        self.rollback_sqlite();
                    }
                }
                Err(error)
            }
        }
    }

    fn commit_sqlite(&mut self) -> Result<()> {
        if self.writing {
            if let Err(error) = self.connection.execute_batch("COMMIT") {
                let error = self.sqlite(error);
                self.rollback_sqlite();
                return Err(error);
            }
            self.writing = false;
        }
        self.locks.give_turn();
        Ok(())
    }

    fn rollback_sqlite(&mut self) {
        if !self.connection.is_autocommit() {
            // It can only fail when there is no transaction.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.forget_write();
    }

    fn forget_write(&mut self) {
        self.writing = false;
        self.catalogs.clear();
        self.locks.give_turn();
    }

    pub(super) fn begin_transaction(&mut self) {
        self.tran_count += 1;
        if self.tran_count == 1 {
            self.descriptor = rand::random::<u64>() | 1;
            let descriptor = self.descriptor;
            self.out.change(|out| token::transaction_begun(out, descriptor));
        }
    }

    pub(super) fn commit_transaction(&mut self) -> Result<()> {
        match self.tran_count {
            0 => Err(SqlError::new(
                3902,
                16,
                "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            )),
            _ if self.doomed => Err(SqlError::new(
                3930,
                16,
                "The current transaction cannot be committed and cannot support operations that write to the log file. \
                 Roll back the transaction.",
            )),
            1 => {
                let committed = self.commit_sqlite();
                self.tran_count = 0;
                self.savepoints.clear();
                self.locks.end_transaction();
                let descriptor = self.descriptor;
                match &committed {
                    Ok(()) => self.out.change(|out| token::transaction_committed(out, descriptor)),
                    Err(_) => self.out.change(|out| token::transaction_rolled_back(out, descriptor)),
                }
                committed
            }
            _ => {
                self.tran_count -= 1;
                Ok(())
            }
        }
    }

    /// Everything back to before the outermost BEGIN.
    pub(super) fn rollback_all(&mut self) {
        if self.tran_count == 0 {
            return;
        }
        self.rollback_sqlite();
        self.tran_count = 0;
        self.doomed = false;
        self.savepoints.clear();
        self.locks.end_transaction();
        let descriptor = self.descriptor;
        self.out.change(|out| token::transaction_rolled_back(out, descriptor));
    }

    pub(super) fn rollback_transaction(&mut self, name: Option<&str>) -> Result<()> {
        if let Some(name) = name
            && let Some(at) = self.savepoints.iter().rposition(|savepoint| savepoint == name)
        {
            if self.doomed {
                return Err(SqlError::new(
                    3931,
                    16,
                    "The current transaction cannot be committed and cannot be rolled back to a savepoint. Roll back the \
                     entire transaction.",
                ));
            }
            self.connection
                .execute_batch(&format!("ROLLBACK TO save{at}"))
                .map_err(|error| self.sqlite(error))?;
            self.savepoints.truncate(at + 1);
            self.catalogs.clear();
            return Ok(());
        }
        if self.tran_count == 0 {
            return Err(SqlError::new(
                3903,
                16,
                "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
            ));
        }
        self.rollback_all();
        Ok(())
    }

    pub(super) fn save_transaction(&mut self, name: &str) -> Result<()> {
        if self.tran_count == 0 {
            return Err(SqlError::new(
                628,
                16,
                "Cannot issue SAVE TRANSACTION when there is no active transaction.",
            ));
        }
        self.begin_write()?;
        let at = self.savepoints.len();
        self.connection
            .execute_batch(&format!("SAVEPOINT save{at}"))
            .map_err(|error| self.sqlite(error))?;
        self.savepoints.push(name.to_owned());
        Ok(())
    }

    /// CREATE DATABASE and its kin run alone.
    pub(super) fn refuse_in_transaction(&self, what: &str) -> Result<()> {
        if self.tran_count == 0 {
            return Ok(());
        }
        Err(SqlError::new(
            226,
            16,
            format!("{what} statement not allowed within multi-statement transaction."),
        ))
    }
}

impl Drop for Engine {
    /// The end of a session: what is not committed is undone, and its locks are freed.
    fn drop(&mut self) {
        self.rollback_sqlite();
    }
}
