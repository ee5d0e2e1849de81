//! Variables: the credentials that files name and never hold.

use rand::RngExt;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::sandbox::Sandbox;
use crate::secret::Secret;

/// What a variable is for, which decides what is generated on a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    User,
    /// Of a database login: SQL Server asks for several classes of characters.
    Password,
    /// Of a client, or of the application.
    Secret,
}

/// Looks variables up in the process's environment. On a sandbox one that is not set is generated once and kept
/// encrypted, so that the first command needs none.
#[derive(Clone)]
pub struct Variables {
    environment: String,
    sandbox: Option<Sandbox>,
}

impl Variables {
    pub fn new(environment: &Environment, sandbox: Option<&Sandbox>) -> Self {
        Self {
            environment: environment.name.clone(),
            sandbox: sandbox.cloned(),
        }
    }

    /// The value of a variable. `generate`: whether one that is not set may be made, because only a sandbox uses it.
    pub fn get(&self, name: &str, purpose: Purpose, generate: bool) -> Result<Secret> {
        match std::env::var(name) {
            Ok(value) if !value.is_empty() => return Ok(Secret::new(value)),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Error::config(format!("the variable {name} is not UTF-8")));
            }
            Ok(_) | Err(std::env::VarError::NotPresent) => {}
        }
        match self.sandbox.as_ref().filter(|_| generate) {
            Some(sandbox) => sandbox
                .vault()
                .variable(&format!("{}/{name}", self.environment), || made(purpose)),
            None => Err(Error::config(format!("the variable {name} is not set")).hint(format!(
                "`iacsh env check {}` lists what the environment needs",
                self.environment
            ))),
        }
    }
}

/// 32 letters and digits carry more than 190 bits, and are safe in every connection string, header and form.
fn made(purpose: Purpose) -> Secret {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
    if purpose == Purpose::User {
        return Secret::new("iacsh");
    }
    let mut rng = rand::rng();
    let mut text = zeroize::Zeroizing::new(String::with_capacity(36));
    for _ in 0..32 {
        text.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    }
    if purpose == Purpose::Password {
        // One of each class that SQL Server's password policy counts.
        text.push_str("-aZ7");
    }
    Secret::new(text.as_str())
}
