//! A resolved value as a Rust type, by serde.

use std::fmt;

use serde::de::{self, IntoDeserializer};

use super::{Part, Promise, Value};
use crate::secret::SERDE_NAME;

/// Why a value could not be read as a Rust type.
#[derive(Debug)]
pub(super) struct ReadError(pub(super) String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        ReadError(message.to_string())
    }
}

/// serde's view of a resolved value.
pub(super) struct Reader(pub(super) Value);

impl Reader {
    fn unexpected(value: &Value, expected: &dyn de::Expected) -> ReadError {
        ReadError(format!("{} stands where {expected} is expected", value.type_name()))
    }
}

impl<'de> IntoDeserializer<'de, ReadError> for Value {
    type Deserializer = Reader;

    fn into_deserializer(self) -> Reader {
        Reader(self)
    }
}

impl<'de> de::Deserializer<'de> for Reader {
    type Error = ReadError;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Text(text) => match text.readable() {
                Some(plain) => visitor.visit_string(plain),
                None => Err(Self::unexpected(&Value::Text(text), &"plain text")),
            },
            Value::List(list) => visitor.visit_seq(de::value::SeqDeserializer::new(list.into_iter())),
            Value::Map(map) => visitor.visit_map(de::value::MapDeserializer::new(map.into_iter())),
            // A resource that is passed whole is read as the map of its outputs.
            Value::Object(object) => match object.promise().and_then(Promise::peek) {
                Some(Ok(outputs)) => {
                    visitor.visit_map(de::value::MapDeserializer::new(outputs.as_ref().clone().into_iter()))
                }
                _ => Err(Self::unexpected(&Value::Object(object), &"a value")),
            },
        }
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == SERDE_NAME
            && let Value::Text(text) = &self.0
            && text.0.iter().any(|part| matches!(part, Part::Secret(_)))
        {
            return visitor.visit_string(text.exposed());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Text(text) => match text.as_plain() {
                Some(plain) => visitor.visit_enum(plain.to_owned().into_deserializer()),
                None => Err(Self::unexpected(&Value::Text(text), &"a word")),
            },
            Value::Map(map) => visitor.visit_enum(de::value::MapAccessDeserializer::new(
                de::value::MapDeserializer::new(map.into_iter()),
            )),
            other => Err(Self::unexpected(&other, &"a word")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
