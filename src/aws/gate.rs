//! The guard before the first call: are there credentials, and do they belong to the right account?

use super::Aws;
use super::error::Call;
use crate::error::{Error, Result};

/// Asks who calls, and gives the ARN. Without an `account` in the environment any account will do.
pub async fn pass(aws: &Aws, expected: Option<&str>) -> Result<String> {
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
        _ => {
            // The first answer holds for the run.
            Ok(aws.caller.get_or_init(|| caller.to_owned()).clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::World;
    use crate::error::Exit;

    #[tokio::test]
    async fn a_wrong_account_is_declined_with_both_named() {
        let world = World::sandbox();
        let aws = &world.aws;
        pass(aws, None).await.unwrap();
        pass(aws, Some(&aws.account)).await.unwrap();
        let error = pass(aws, Some("111122223333")).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Declined);
        assert!(error.message().contains("111122223333") && error.message().contains(&aws.account));
    }
}
