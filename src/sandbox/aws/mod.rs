//! The embedded AWS.

pub mod call;
pub mod store;
