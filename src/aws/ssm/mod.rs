//! Systems Manager: Parameter Store, where scripts publish what other scripts look up.

pub mod lease;
pub mod parameter;
#[cfg(test)]
mod tests;
