//! CloudWatch Logs: where containers write.

pub mod log_group;
#[cfg(test)]
mod tests;
pub mod verbs;
