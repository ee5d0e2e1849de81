//! Text that must never be seen.
//!
//! A [`Secret`] prints as `********`, serialises as `********`, and is wiped when its last copy is dropped. Where it is
//! really needed, [`Secret::expose`] says so in the code. [`mask`] is the second line of defence: whatever is written
//! for people or kept in a file goes through it, so that a secret which a foreign message repeats is not printed either.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// What is shown instead.
pub const MASK: &str = "********";

/// The name under which serde carries a secret, so that [`crate::value::Value`] can hand one over and refuse to hand it
/// to a field that is ordinary text.
pub const SERDE_NAME: &str = "$iacsh::Secret";

/// Shorter ones are not masked: they occur in ordinary words, and masking them would tell more than it hides.
const SHORTEST_MASKED: usize = 6;

/// The living secrets, weakly held: being on this list does not keep one from being wiped.
static LIVING: Mutex<Vec<Weak<Zeroizing<String>>>> = Mutex::new(Vec::new());

/// A password, a token, a connection string with a password in it.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        let secret = Arc::new(Zeroizing::new(text.into()));
        let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        living.retain(|weak| weak.strong_count() > 0);
        living.push(Arc::downgrade(&secret));
        Self(secret)
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text with every living secret replaced by [`MASK`].
pub fn mask(text: &str) -> Cow<'_, str> {
    let living: Vec<_> = {
        let guard = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
        guard.iter().filter_map(Weak::upgrade).collect()
    };
    let mut masked = Cow::Borrowed(text);
    for secret in living.iter().filter(|secret| secret.len() >= SHORTEST_MASKED) {
        if masked.contains(secret.as_str()) {
            masked = Cow::Owned(masked.replace(secret.as_str(), MASK));
        }
    }
    masked
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret, D::Error> {
                deserializer.deserialize_str(self)
            }

            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }

            fn visit_string<E>(self, text: String) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }
        }
        deserializer.deserialize_newtype_struct(SERDE_NAME, Visitor)
    }
}

impl schemars::JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "secret" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("correct horse battery staple");
        assert_eq!(format!("{secret} {secret:?}"), "******** ********");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"********\"");
        assert_eq!(mask("it was correct horse battery staple!"), "it was ********!");
    }

    #[test]
    fn a_dropped_secret_is_forgotten() {
        drop(Secret::new("gone with the wind"));
        assert_eq!(mask("gone with the wind"), "gone with the wind");
    }
}
