//! `iacsh sandbox`: one file for each of its commands.

pub mod conformance;
pub mod list;
pub mod load;
pub mod reset;
pub mod save;
pub mod serve;
pub mod show;
