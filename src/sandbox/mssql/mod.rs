//! An embedded SQL Server.
pub mod ast;
pub mod datetime;
pub mod errors;
pub mod parser;
pub mod tds;
pub mod value;
