//! The clients of IdentityServer: what the files declare, what the database has, and how the one becomes the other.
//!
//! Nothing here knows the sandbox, and the sandbox knows no rule of these: what checks a thing must not be the thing.

pub mod apply;
pub mod files;
pub mod list;
pub mod model;
pub mod plan;
pub mod rules;
pub mod secrets;
pub mod store;
pub mod verbs;
pub mod wanted;

pub use apply::{Report, apply, plan};
pub use files::check;
pub use list::{Summary, clients};

#[cfg(test)]
mod tests;
