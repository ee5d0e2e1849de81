//! Values of option maps whose keys are the user's own: parameters, environment variables.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::secret::{SERDE_NAME, Secret};

/// Text, or a number or a boolean that is meant as text: `#{ timeout: 300 }`. A secret is recognised, so that a kind can
/// refuse it with a word on where secrets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    Text(String),
    Secret(Secret),
}

impl Plain {
    /// The text; `None` for a secret.
    pub fn text(&self) -> Option<&str> {
        match self {
            Plain::Text(text) => Some(text),
            Plain::Secret(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Told apart by the way in which [`crate::value::Value`] hands a secret over.
        struct Outer;
        impl<'de> serde::de::Visitor<'de> for Outer {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number or true/false")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Plain, D::Error> {
                deserializer.deserialize_any(Inner)
            }

            fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain::Secret(Secret::new(text)))
            }
        }

        struct Inner;
        impl serde::de::Visitor<'_> for Inner {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number or true/false")
            }

            fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain::Text(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Plain, E> {
                Ok(Plain::Text(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Plain, E> {
                Ok(Plain::Text(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Plain, E> {
                Ok(Plain::Text(number.to_string()))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Plain, E> {
                Ok(Plain::Text(flag.to_string()))
            }
        }
        deserializer.deserialize_newtype_struct(SERDE_NAME, Outer)
    }
}

impl schemars::JsonSchema for Plain {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Plain".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "integer", "number", "boolean"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn numbers_are_text_and_secrets_are_told_apart() {
        let read = |value: Value| value.read::<Plain>().unwrap();
        assert_eq!(read(Value::Int(300)), Plain::Text("300".into()));
        assert_eq!(read(Value::Bool(true)), Plain::Text("true".into()));
        assert_eq!(read(Value::text("allkeys-lru")).text(), Some("allkeys-lru"));
        assert_eq!(read(Value::from(Secret::new("swordfish"))).text(), None);
    }
}
