//! IAM: the roles with which tasks work.

pub mod document;
pub mod role;
#[cfg(test)]
mod tests;
