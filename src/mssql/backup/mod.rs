//! Backups of single databases on RDS: `.bak` files in S3, written and restored by tasks of the server.
//!
//! RDS refuses `BACKUP` and `RESTORE`; it has procedures in `msdb` that put a task on a list and return. What holds:
//!
//! - A database that is there is never restored over: RDS cannot, and nobody wants it.
//! - One task at a time: a task of the same file that is on its way is waited for, whoever began it, so that a run after
//!   a `kill -9` goes on and nothing is done twice.
//! - A file holds the users of a database and not the logins of the server, as with every `.bak`: a login that is made
//!   again is joined with its user by `ALTER USER name WITH LOGIN = name`.
//!
//! Source: RDS User Guide, "Importing and exporting SQL Server databases using native backup and restore": the
//! parameters, the columns and states of `rds_task_status`, and the errors under "Troubleshooting".

mod job;
mod task;
mod verbs;

pub use task::Task;
pub use verbs::verbs;
