//! The access keys that a server takes.

use crate::sandbox::aws::answers::random;
use crate::secret::Secret;

/// An access key of the account. Source: IAM user guide, *IAM identifiers*: `AKIA` begins a long-lived key.
#[derive(Clone, Debug)]
pub struct Keys {
    pub id: String,
    pub secret: Secret,
}

/// Characters of an id behind its prefix: those of base32.
const ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters and digits only, so that a secret is safe in every shell and file. AWS's also have `/` and `+`.
const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Keys {
    /// New ones: 20 characters, and 40 of more than 230 bits.
    pub fn generate() -> Self {
        Self {
            id: format!("AKIA{}", random(16, ID)),
            secret: Secret::new(random(40, SECRET)),
        }
    }

    /// One text, as [`Keys::parse`] reads it.
    pub fn joined(&self) -> Secret {
        Secret::new(format!("{}:{}", self.id, self.secret.expose()))
    }

    pub fn parse(joined: &Secret) -> Option<Self> {
        let (id, secret) = joined.expose().split_once(':')?;
        Some(Self {
            id: id.to_owned(),
            secret: Secret::new(secret),
        })
    }
}
