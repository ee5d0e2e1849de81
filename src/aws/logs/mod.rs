//! CloudWatch Logs: where containers write.

pub mod log_group;
pub mod verbs;
