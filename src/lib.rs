//! iacsh: a shell in which a small team recreates and destroys a whole environment.
//!
//! The arrows point one way: `main` uses `repl` and `script`, these use `aws`, `mssql` and `identity`, and these use
//! `resource`. [`session`] puts a run together: it alone knows which clients are the sandbox's; beside it only the
//! commands of `iacsh sandbox` look at the sandbox itself. At the bottom stand
//! [`error`], [`secret`], [`value`], [`schema`] and [`s3`], which everything uses and which use nothing.

pub mod error;
pub mod s3;
pub mod schema;
pub mod secret;
pub mod value;

pub mod resource;

pub mod aws;
pub mod identity;
pub mod mssql;

pub mod sandbox;

pub mod environment;
pub mod output;
pub mod session;

pub mod cli;
pub mod commands;
pub mod repl;
pub mod script;
