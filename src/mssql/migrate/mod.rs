//! Migrations: the versioned SQL files that make a database what it is to be.
//!
//! `0001_tables.sql` (or `V1__tables.sql`) is applied once, in the order of the numbers, and recorded in
//! `dbo.iacsh_migrations`. What holds:
//!
//! - A file and its row in the history are one transaction: a file is applied and recorded, or neither. So an
//!   interrupted run is run again, and there is no "dirty" state to repair.
//! - What cannot run in a transaction (`ALTER DATABASE`, full-text catalogs) says `-- iacsh: no-transaction` in its
//!   header. Then each batch is recorded on its own, and the next run goes on at the batch that failed. A batch that was
//!   done while its record was lost is run again: write such batches so that this does no harm.
//! - One run at a time, by an application lock of the server's that vanishes with the connection.
//! - A file that was applied must not change. Line ends, a byte order mark and blank lines at the end do not count.
//! - An error names the file and its line.

pub mod checksum;
pub mod files;
pub mod history;
pub mod run;
pub mod status;
pub mod up;
pub mod variables;

pub use files::check;
pub use status::{Status, status};
pub use up::{EfHistory, EfMigration, Options, Report, up};
pub use variables::Variable;

#[cfg(test)]
mod tests;
