//! The embedded cloud: an AWS and a SQL Server that run inside this process, for the first command of a newcomer and for
//! every test. It is honest: what it cannot do is an error that says so.
//!
//! Nothing here knows the rules of [`crate::identity`] or the kinds of [`crate::aws`]: what checks a thing must not be
//! the thing.

pub mod aws;
pub mod mssql;
pub mod vault;
