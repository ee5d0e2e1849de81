//! Which master password an instance has.
//!
//! RDS never tells a password, so it cannot be compared. Logging in would tell, but the machine that runs this need not
//! reach a private server; a digest of the password, in a tag that everybody may read, would invite guessing. What
//! Secrets Manager gives every value is a version id, which says nothing about the value: it is written to the tag
//! `iacsh:password` beside the secret's ARN, always after the service has taken the password. So a run that dies in
//! between leaves an instance whose tag is not the wanted one, and the next run sets the same password again. A restored
//! instance has the password of its snapshot, whatever its snapshot's tag says: it is made with the tag [`RESTORED`].
//!
//! The tag also says which secret the instance cannot do without: a destroy that purges secrets leaves it.

use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::{Error, Result};
use crate::resource::Tags;
use crate::secret::Secret;

pub const TAG: &str = "iacsh:password";

/// The tag of an instance that has the password of its snapshot.
pub const RESTORED: &str = "of the snapshot";

/// One version of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password {
    /// The ARN.
    pub secret: String,
    pub version: String,
}

impl Password {
    /// What the tag of an instance says.
    pub fn of(tags: &Tags) -> Option<Self> {
        // A version id holds no slash, the name in an ARN may.
        let (secret, version) = tags.get(TAG)?.rsplit_once('/')?;
        Some(Self {
            secret: secret.to_owned(),
            version: version.to_owned(),
        })
    }

    /// The tag's value. An ARN has the characters that a tag may have, and both together fit into its 256.
    pub fn tag(&self) -> String {
        format!("{}/{}", self.secret, self.version)
    }
}

/// The current version of a secret, without its value.
pub async fn current(aws: &Aws, secret: &str) -> Result<Password> {
    let call = aws.secrets.describe_secret().secret_id(secret);
    let answer = call.send().await.call("secretsmanager:DescribeSecret")?;
    let versions = answer.version_ids_to_stages().into_iter().flatten();
    let mut current = versions.filter(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
    match current.next() {
        Some((version, _)) => Ok(Password {
            secret: answer.arn().unwrap_or(secret).to_owned(),
            version: version.clone(),
        }),
        None => Err(no_value(secret)),
    }
}

/// The password itself, with the version that it is.
pub async fn read(aws: &Aws, secret: &str) -> Result<(Password, Secret)> {
    let call = aws.secrets.get_secret_value().secret_id(secret);
    let answer = call.send().await.call("secretsmanager:GetSecretValue")?;
    let Some(text) = answer.secret_string() else {
        return Err(no_value(secret));
    };
    let value = Secret::new(text);
    check(secret, &value)?;
    let password = Password {
        secret: answer.arn().unwrap_or(secret).to_owned(),
        version: answer.version_id().unwrap_or_default().to_owned(),
    };
    Ok((password, value))
}

fn no_value(secret: &str) -> Error {
    Error::failed(format!("the secret {secret} holds no password"))
}

/// Refuses a password that RDS would refuse, without showing it. Source: CreateDBInstance, `MasterUserPassword`.
fn check(secret: &str, value: &Secret) -> Result<()> {
    let text = value.expose();
    let problem = if !(8..=128).contains(&text.chars().count()) {
        "must have 8 to 128 characters"
    } else if text.chars().any(|c| !(' '..='~').contains(&c) || "/\"@".contains(c)) {
        "may have printable ASCII characters only, and none of / \" @"
    } else {
        return Ok(());
    };
    Err(Error::failed(format!("the master password in {secret} {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_secret_and_its_version() {
        let password = Password {
            secret: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/db-password-AbCdEf".into(),
            version: "0a1b2c3d".into(),
        };
        let mut tags = Tags::new();
        assert_eq!(Password::of(&tags), None);
        tags.insert(TAG.into(), password.tag());
        assert_eq!(Password::of(&tags), Some(password));
        tags.insert(TAG.into(), RESTORED.into());
        assert_eq!(Password::of(&tags), None);
    }

    #[test]
    fn a_password_is_judged_without_being_shown() {
        check("x", &Secret::new("correct-horse-battery")).unwrap();
        for bad in ["short", "with/a-slash-in-it", "with-ümlaut-in-it"] {
            assert!(!check("x", &Secret::new(bad)).unwrap_err().message().contains(bad));
        }
    }
}
