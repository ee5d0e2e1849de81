//! IAM: the roles with which tasks work.

pub mod document;
mod policies;
pub mod role;
#[cfg(test)]
mod tests;
