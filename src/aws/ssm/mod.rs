//! Systems Manager: Parameter Store, where scripts publish what other scripts look up.

pub mod lease;
#[cfg(test)]
mod lease_tests;
pub mod parameter;
#[cfg(test)]
mod tests;
