//! SQL Server: the language, the connection, the values and the migrations.

pub mod batches;
pub mod lexer;
