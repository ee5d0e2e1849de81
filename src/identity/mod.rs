//! The clients of IdentityServer: what the files declare, what the database has, and how the one becomes the other.
//!
//! Nothing here knows the sandbox, and the sandbox knows no rule of these: what checks a thing must not be the thing.

pub mod files;
pub mod model;
pub mod rules;
pub mod secrets;

pub use files::check;
