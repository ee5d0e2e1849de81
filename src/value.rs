//! Values between a script and the resources: what an option map holds, and what a resource gives back.
//!
//! A text can hold what is not known yet. [`Text`] is made of parts: plain text, a [`Secret`], or an [`Output`] of a
//! resource that is still being created. [`Value::resolve`] waits for the outputs; what is joined with a secret stays a
//! secret. In a plan nothing is created, so what only a run would know stays [`Part::Unknown`].

mod promise;
mod read;
mod text;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

pub use self::promise::{Output, Promise};
use self::read::Reader;
pub use self::text::{KNOWN_AFTER_APPLY, Part, Text, Unknown, is_unknown, shown};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Keys in the order in which they were written, so that tables and JSON read as the author meant them.
pub type Map = IndexMap<String, Value>;

/// Anything a script can pass to a native function or get from one.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text),
    List(Vec<Value>),
    Map(Map),
    /// A resource, a database: something with fields and an identity.
    Object(Arc<dyn Object>),
}

/// Something with an identity that a script holds: the handle of a resource, a connection.
pub trait Object: Any + Send + Sync + fmt::Debug {
    /// What it is called in errors and by `type_of`: `replication_group`, `database`.
    fn type_name(&self) -> String;

    /// A field, or an error that names the fields there are.
    fn field(&self, name: &str) -> Result<Value>;

    /// What the prompt prints.
    fn show(&self) -> Value;

    /// The resource behind it, when it is one: passing it on records an edge.
    fn promise(&self) -> Option<&Promise> {
        None
    }

    /// Whether a field can be read before the resource is there. Reading any other field waits for it.
    fn lazy(&self, _field: &str) -> bool {
        true
    }
}

impl dyn Object {
    /// The object as the type that it was made from.
    pub fn downcast<T: Object>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(Text::plain(text))
    }

    pub fn secret(secret: Secret) -> Self {
        Value::Text(Text(vec![Part::Secret(secret)]))
    }

    /// What it is, in the words of a script's author.
    pub fn type_name(&self) -> String {
        match self {
            Value::Null => "nothing".into(),
            Value::Bool(_) => "a boolean".into(),
            Value::Int(_) => "a whole number".into(),
            Value::Float(_) => "a number".into(),
            Value::Text(text) => match text.0.iter().any(|part| matches!(part, Part::Secret(_))) {
                true => "a secret".into(),
                false => "text".into(),
            },
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Object(object) => format!("a {}", object.type_name()),
        }
    }

    /// The text, when it is plain and known.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => text.as_plain(),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Every output in it, and every resource that is passed on whole.
    pub fn dependencies(&self) -> Vec<Promise> {
        fn walk(value: &Value, found: &mut Vec<Promise>) {
            let mut push = |promise: &Promise| {
                if !found.iter().any(|known| known.same(promise)) {
                    found.push(promise.clone());
                }
            };
            match value {
                Value::Text(text) => text.outputs().for_each(|output| push(&output.promise)),
                Value::Object(object) => object.promise().into_iter().for_each(push),
                Value::List(list) => list.iter().for_each(|item| walk(item, found)),
                Value::Map(map) => map.values().for_each(|item| walk(item, found)),
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
            }
        }
        let mut found = Vec::new();
        walk(self, &mut found);
        found
    }

    /// Waits for every output in it. A text that is one output of another type (a list of subnet ids) becomes that
    /// value; an object whose resource is passed whole stays an object, and its outputs are known afterwards.
    pub async fn resolve(self) -> Result<Value> {
        Ok(match self {
            Value::Text(text) => match text.0.as_slice() {
                [Part::Output(output)] => output.wait().await?,
                _ => Value::Text(text.resolve().await?),
            },
            Value::List(list) => {
                let mut resolved = Vec::with_capacity(list.len());
                for item in list {
                    resolved.push(Box::pin(item.resolve()).await?);
                }
                Value::List(resolved)
            }
            Value::Map(map) => {
                let mut resolved = Map::with_capacity(map.len());
                for (key, item) in map {
                    resolved.insert(key, Box::pin(item.resolve()).await?);
                }
                Value::Map(resolved)
            }
            Value::Object(object) => {
                if let Some(promise) = object.promise() {
                    promise.wait().await?;
                }
                Value::Object(object)
            }
            other => other,
        })
    }

    /// What in a resolved value is not known in a plan, also of a resource that is passed whole.
    pub fn unknown(&self) -> Option<Unknown> {
        match self {
            Value::Text(text) => text.unknown().cloned(),
            Value::List(list) => list.iter().find_map(Value::unknown),
            Value::Map(map) => map.values().find_map(Value::unknown),
            Value::Object(object) => match object.promise()?.peek()? {
                Ok(outputs) => outputs.values().find_map(Value::unknown),
                Err(_) => None,
            },
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => None,
        }
    }

    /// Reads a resolved value as a Rust type. A secret goes only into a field that is a [`Secret`].
    pub fn read<T: DeserializeOwned>(self) -> Result<T> {
        T::deserialize(Reader(self)).map_err(|error| Error::failed(error.0))
    }

    /// The value as JSON, with secrets masked.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.to_string().into(),
            Value::List(list) => list.iter().map(Value::to_json).collect(),
            Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
            Value::Object(object) => object.show().to_json(),
        }
    }

    /// Whether both ask for the same: outputs are compared by what they are outputs of, not by what is known of them.
    pub fn is_asked_like(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Text(one), Value::Text(other)) => {
                one.0.len() == other.0.len()
                    && one.0.iter().zip(&other.0).all(|parts| match parts {
                        (Part::Plain(one), Part::Plain(other)) => one == other,
                        (Part::Secret(one), Part::Secret(other)) => one == other,
                        (Part::Unknown(one), Part::Unknown(other)) => one == other,
                        (Part::Output(one), Part::Output(other)) => {
                            one.field == other.field && one.promise.same(&other.promise)
                        }
                        _ => false,
                    })
            }
            (Value::List(one), Value::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_asked_like(other))
            }
            (Value::Map(one), Value::Map(other)) => {
                let same =
                    |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| value.is_asked_like(other));
                one.len() == other.len() && one.iter().all(same)
            }
            (Value::Object(one), Value::Object(other)) => match (one.promise(), other.promise()) {
                (Some(one), Some(other)) => one.same(other),
                _ => Arc::ptr_eq(one, other),
            },
            _ => self.type_name() == other.type_name() && self.to_json() == other.to_json(),
        }
    }

    /// Any serialisable Rust value. Secrets in it come out masked, not as secrets.
    pub fn from_serialize(value: &impl serde::Serialize) -> Result<Value> {
        serde_json::to_value(value)
            .map(Value::from)
            .map_err(|error| Error::failed(error.to_string()))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Text(text) => text.fmt(f),
            other => other.to_json().fmt(f),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(value) => Value::Int(value),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Value::text(text),
            serde_json::Value::Array(list) => Value::List(list.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(map) => {
                Value::Map(map.into_iter().map(|(key, value)| (key, Value::from(value))).collect())
            }
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Value::$variant(value.into())
            }
        })*
    };
}
value_from!(bool => Bool, i64 => Int, i32 => Int, u16 => Int, u32 => Int, f64 => Float, Vec<Value> => List, Map => Map);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::text(text)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Value::List(list.into_iter().map(Value::from).collect())
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Value::secret(secret)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A map written in place: `map! { "id" => id, "zones" => zones }`.
#[macro_export]
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut map = $crate::value::Map::new();
        $(map.insert($key.to_string(), $crate::value::Value::from($value));)*
        map
    }};
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MASK;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    struct Options {
        name: String,
        token: Option<Secret>,
        #[serde(default)]
        zones: Vec<String>,
    }

    #[test]
    fn a_secret_goes_into_a_secret_field_only() {
        let options: Options = Value::Map(map! { "name" => "redis", "token" => Secret::new("swordfish") })
            .read()
            .unwrap();
        assert_eq!(options.token.unwrap().expose(), "swordfish");
        assert_eq!(options.name, "redis");
        assert!(options.zones.is_empty());

        let error = Value::Map(map! { "name" => Secret::new("swordfish") })
            .read::<Options>()
            .unwrap_err();
        assert_eq!(error.message(), "a secret stands where plain text is expected");
    }

    #[tokio::test]
    async fn text_joined_with_a_secret_output_is_a_secret() {
        let promise = Promise::new("secret/redis");
        let output = Part::Output(Output {
            promise: promise.clone(),
            field: "value".into(),
        });
        let text = Text::plain("password=").join(Text(vec![output]));
        assert_eq!(text.to_string(), "password=<secret/redis.value>");

        promise.settle(Ok(map! { "value" => Secret::new("swordfish") }));
        let resolved = Value::Text(text).resolve().await.unwrap();
        assert_eq!(resolved.type_name(), "a secret");
        assert_eq!(resolved.to_string(), MASK);
    }

    #[tokio::test]
    async fn a_failed_resource_fails_what_depends_on_it() {
        let promise = Promise::new("vpc/main");
        promise.settle(Err(Error::failed("no room for another VPC")));
        let value = Value::Text(Text(vec![Part::Output(Output {
            promise,
            field: "id".into(),
        })]));
        assert_eq!(value.resolve().await.unwrap_err().message(), "no room for another VPC");
    }
}
