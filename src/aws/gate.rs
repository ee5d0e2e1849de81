//! The guard before the first call: are there credentials, and do they belong to the right account?

use super::Aws;
use super::error::Call;
use crate::error::{Error, Result};

/// Asks who calls. Without an `account` in the environment any account will do.
pub async fn pass(aws: &Aws, expected: Option<&str>) -> Result<()> {
    let answer = aws.sts.get_caller_identity().send().await;
    let answer = answer.call("sts:GetCallerIdentity")?;
    let (account, caller) = (
        answer.account().unwrap_or_default(),
        answer.arn().unwrap_or("an unknown caller"),
    );
    match expected {
        Some(expected) if expected != account => Err(Error::declined(format!(
            "the environment is in account {expected}, but the credentials belong to account {account}"
        ))
        .note(format!("they are those of {caller}"))
        .hint("choose another profile, or correct `account` in the environment file")),
        _ => Ok(()),
    }
}
