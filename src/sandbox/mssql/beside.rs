//! What whoever runs a server puts beside SQL Server itself: procedures in `msdb`, as RDS does with `msdb.dbo.rds_*`.
//!
//! A server without it answers their names as any SQL Server does: error 2812, "Could not find stored procedure".

use std::fmt::Debug;

use super::errors::Result;
use super::value::{SqlType, Value};

/// A parameter of a procedure.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Without `@`.
    pub name: &'static str,
    pub sql_type: SqlType,
    pub required: bool,
}

/// A procedure of `msdb.dbo`.
#[derive(Clone, Copy, Debug)]
pub struct Procedure {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
}

/// What a procedure gives: what it prints, and one result set.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub message: Option<String>,
    pub columns: Vec<(&'static str, SqlType)>,
    pub rows: Vec<Vec<Value>>,
}

/// Procedures beside SQL Server's own. They are called outside of transactions and by the login that may do everything.
pub trait Beside: Debug + Send + Sync {
    fn procedures(&self) -> &'static [Procedure];

    /// Runs one. The arguments are in the order of its parameters and of their types; NULL for what was not given.
    fn run(&self, procedure: &'static str, arguments: &[Value]) -> Result<Answer>;
}
