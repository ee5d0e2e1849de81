//! Secrets Manager: credentials that outlive the environment.

pub mod secret;
pub mod verbs;
