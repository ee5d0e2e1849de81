//! Client secrets: given by the name of a variable, kept in the database as a hash.
//!
//! A secret whose hash is in the database already changes nothing. A new value adds a row, and the old rows stay: the
//! server accepts any of them, so that the callers can change over one by one, and nobody is locked out by an apply.
//! Taking the old ones away is a rotation, and is asked for by name.
//!
//! Source: IdentityServer4 4.1.2, `HashedSharedSecretValidator.cs` and `SecretValidator.cs`.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use super::model::SecretSource;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// `Type` of a row whose value is a hashed text.
pub const SHARED_SECRET: &str = "SharedSecret";

/// A longer one is refused when a token is asked for (`InputLengthRestrictions.ClientSecret`).
const LONGEST: usize = 100;

/// Gives the secret that a variable holds, or says that there is none.
pub type Variables<'a> = dyn Fn(&str) -> Result<Secret> + Send + Sync + 'a;

/// base64 of the SHA-256 of the text's UTF-8: what a new row holds.
pub fn hash(secret: &Secret) -> String {
    STANDARD.encode(Sha256::digest(secret.expose().as_bytes()))
}

/// base64 of the SHA-512, which the server takes as well: rows that others made.
pub fn hash_512(secret: &Secret) -> String {
    STANDARD.encode(Sha512::digest(secret.expose().as_bytes()))
}

/// Whether a row of the type `SharedSecret` can ever match. One that cannot makes every login fail that meets it.
pub fn is_hash(value: &str) -> bool {
    STANDARD.decode(value).is_ok_and(|bytes| matches!(bytes.len(), 32 | 64))
}

/// A secret that the files want, hashed.
#[derive(Clone, Debug)]
pub struct Hashed {
    pub source: SecretSource,
    pub sha256: String,
    pub sha512: String,
}

/// Asks for each secret and hashes it. All that is missing or unfit is told at once.
pub fn resolve(owner: &str, sources: &[SecretSource], variables: &Variables<'_>) -> Result<Vec<Hashed>, Vec<Error>> {
    let mut hashed = Vec::new();
    let mut errors = Vec::new();
    for source in sources {
        match variables(&source.variable).and_then(|secret| fit(source, secret)) {
            Ok(secret) => hashed.push(Hashed {
                source: source.clone(),
                sha256: hash(&secret),
                sha512: hash_512(&secret),
            }),
            Err(error) => errors.push(error.context(owner)),
        }
    }
    if errors.is_empty() { Ok(hashed) } else { Err(errors) }
}

/// What the server would never accept is refused here, where the reason can be told.
fn fit(source: &SecretSource, secret: Secret) -> Result<Secret> {
    let text = secret.expose();
    let mut why = String::new();
    if text.is_empty() {
        why.push_str("is empty");
    } else if text.trim() != text {
        why.push_str("begins or ends with a blank or a line end, which would be part of the secret");
    } else if text.chars().count() > LONGEST {
        // Writing to a string cannot fail.
        let _ = write!(why, "is longer than {LONGEST} characters, which IdentityServer refuses");
    }
    if why.is_empty() {
        return Ok(secret);
    }
    Err(Error::config(format!("the secret in {} {why}", source.variable))
        .hint("a good one: 32 random bytes in base64url, 43 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_the_servers() {
        // Made by `printf secret | openssl dgst -sha256 -binary | base64`, and with -sha512.
        let secret = Secret::new("secret");
        assert_eq!(hash(&secret), "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=");
        assert_eq!(
            hash_512(&secret),
            "vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg=="
        );
        assert!(is_hash(&hash(&secret)) && is_hash(&hash_512(&secret)));
        assert!(!is_hash("secret") && !is_hash("c2VjcmV0"));
    }

    #[test]
    fn a_secret_that_the_server_would_refuse_is_refused() {
        let source = |name: &str| SecretSource {
            variable: name.to_owned(),
            description: None,
            expires: None,
        };
        let variables = |name: &str| match name {
            "LINE" => Ok(Secret::new("a secret with a line end\n")),
            "LONG" => Ok(Secret::new("x".repeat(101))),
            "GOOD" => Ok(Secret::new("x".repeat(100))),
            name => Err(Error::config(format!("{name} is not set"))),
        };
        let sources = [source("LINE"), source("LONG"), source("NONE")];
        let errors = resolve("client a", &sources, &variables).unwrap_err();
        assert_eq!(errors.len(), 3);
        assert!(!format!("{errors:?}").contains("a secret with"));
        assert_eq!(resolve("client a", &[source("GOOD")], &variables).unwrap().len(), 1);
    }
}
