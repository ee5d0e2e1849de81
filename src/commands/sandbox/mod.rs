//! `iacsh sandbox`: one file for each of its commands.

pub mod reset;
pub mod serve;
