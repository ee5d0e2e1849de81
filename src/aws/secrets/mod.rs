//! Secrets Manager: credentials that outlive the environment.

pub mod secret;
#[cfg(test)]
mod tests;
pub mod verbs;
