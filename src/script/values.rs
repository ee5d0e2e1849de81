//! Values on their way between Rhai and [`crate::value`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Array, Dynamic, ImmutableString};

use super::markers::{Markers, has_marker};
use crate::error::{Error, Result};
use crate::value::{Map, Object, Text, Value};

/// Text that is not plain: an output that is not known yet, a secret, or text joined with one.
#[derive(Clone, Debug)]
pub struct Lazy(pub Text);

/// A resource, a database: anything with fields and an identity.
#[derive(Clone)]
pub struct Thing(pub Arc<dyn Object>);

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a step that was skipped stands for.
#[derive(Debug)]
pub struct Skipped {
    pub title: String,
}

impl Skipped {
    fn error(&self) -> Error {
        Error::failed(format!(
            "step \"{}\" was skipped: what it gives is not there",
            self.title
        ))
        .hint("run it as well, or skip this step too")
    }
}

impl Object for Skipped {
    fn type_name(&self) -> String {
        "skipped step".into()
    }

    fn field(&self, _: &str) -> Result<Value> {
        Err(self.error())
    }

    fn show(&self) -> Value {
        Value::text(format!("(step \"{}\" was skipped)", self.title))
    }
}

/// Converts values. It remembers the order of a map's keys, which Rhai sorts, so that tables keep their columns.
#[derive(Debug, Default)]
pub struct Values {
    pub markers: Markers,
    orders: Mutex<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    known: Vec<Arc<[String]>>,
    numbers: HashMap<Arc<[String]>, i32>,
}

impl Values {
    /// A script's value, as natives take it.
    pub fn value_of(&self, value: &Dynamic) -> Result<Value> {
        if value.is_shared() {
            return self.value_of(&value.flatten_clone());
        }
        if value.is_unit() {
            return Ok(Value::Null);
        }
        if let Ok(value) = value.as_bool() {
            return Ok(Value::Bool(value));
        }
        if let Ok(value) = value.as_int() {
            return Ok(Value::Int(value));
        }
        if let Ok(value) = value.as_float() {
            return Ok(Value::Float(value));
        }
        if let Ok(value) = value.as_char() {
            return Ok(Value::text(value));
        }
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return Ok(Value::Text(self.text(&text)));
        }
        if let Some(lazy) = value.read_lock::<Lazy>() {
            return Ok(Value::Text(lazy.0.clone()));
        }
        if let Some(thing) = value.read_lock::<Thing>() {
            return match thing.0.downcast::<Skipped>() {
                Some(skipped) => Err(skipped.error()),
                None => Ok(Value::Object(thing.0.clone())),
            };
        }
        if let Some(list) = value.read_lock::<Array>() {
            return list
                .iter()
                .map(|item| self.value_of(item))
                .collect::<Result<_>>()
                .map(Value::List);
        }
        if let Some(map) = value.read_lock::<rhai::Map>() {
            let mut found = Map::with_capacity(map.len());
            for key in self
                .order(value.tag())
                .iter()
                .filter(|key| map.contains_key(key.as_str()))
            {
                found.insert(key.clone(), Value::Null);
            }
            for (key, item) in map.iter() {
                found.insert(key.to_string(), self.value_of(item)?);
            }
            return Ok(Value::Map(found));
        }
        if let Some(error) = value.read_lock::<super::diagnostics::Thrown>() {
            return Ok(Value::text(error.error.to_string()));
        }
        let what = match value.type_name() {
            "Fn" => "a function".to_owned(),
            "timestamp" => "a time stamp".to_owned(),
            other if other.contains("Range") => "a range".to_owned(),
            other => format!("a value of type {other}"),
        };
        Err(Error::failed(format!("{what} cannot be passed on from the script"))
            .hint("pass text, numbers, true or false, lists, maps, or what a function gave"))
    }

    /// A value as scripts see it.
    pub fn to_dynamic(&self, value: Value) -> Dynamic {
        match value {
            Value::Null => Dynamic::UNIT,
            Value::Bool(value) => value.into(),
            Value::Int(value) => value.into(),
            Value::Float(value) => value.into(),
            Value::Text(text) => match text.as_plain() {
                Some(plain) => plain.to_owned().into(),
                None => Dynamic::from(Lazy(text)),
            },
            Value::List(list) => {
                let list: Array = list.into_iter().map(|item| self.to_dynamic(item)).collect();
                list.into()
            }
            Value::Map(map) => {
                let tag = self.remember(map.keys());
                let map: rhai::Map = map
                    .into_iter()
                    .map(|(key, item)| (key.into(), self.to_dynamic(item)))
                    .collect();
                let mut map: Dynamic = map.into();
                map.set_tag(tag);
                map
            }
            Value::Object(object) => Dynamic::from(Thing(object)),
        }
    }

    /// The text that a string of a script stands for.
    pub fn text(&self, string: &str) -> Text {
        match has_marker(string) {
            true => self.markers.reveal(string),
            false => Text::plain(string),
        }
    }

    /// The number of an order of keys. Zero, Rhai's own, is no order.
    fn remember<'a>(&self, keys: impl Iterator<Item = &'a String>) -> i32 {
        let keys: Vec<String> = keys.cloned().collect();
        if keys.is_sorted() {
            return 0;
        }
        let keys: Arc<[String]> = keys.into();
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = orders.numbers.get(&keys) {
            return *number;
        }
        orders.known.push(keys.clone());
        let number = i32::try_from(orders.known.len()).unwrap_or(0);
        orders.numbers.insert(keys, number);
        number
    }

    fn order(&self, tag: i32) -> Arc<[String]> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = usize::try_from(tag)
            .ok()
            .and_then(|tag| orders.known.get(tag.checked_sub(1)?));
        known.cloned().unwrap_or_else(|| Arc::new([]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::secret::Secret;

    #[test]
    fn values_come_back_as_they_went_with_their_keys_in_order() {
        let values = Values::default();
        let row = map! { "name" => "web", "desired" => 2_i64, "cpu" => 0.5, "secret" => Secret::new("swordfish") };
        let value = Value::Map(map! { "rows" => vec![Value::Map(row)], "none" => Value::Null, "flag" => true });
        let dynamic = values.to_dynamic(value.clone());
        assert!(!format!("{dynamic:?}").contains("swordfish"));
        let back = values.value_of(&dynamic).unwrap();
        assert_eq!(back.to_json().to_string(), value.to_json().to_string());
        assert_eq!(
            back.to_string(),
            r#"{"rows":[{"name":"web","desired":2,"cpu":0.5,"secret":"********"}],"none":null,"flag":true}"#
        );
    }

    #[test]
    fn a_function_is_not_a_value() {
        let function = Dynamic::from(rhai::FnPtr::new("f").unwrap());
        let error = Values::default().value_of(&function).unwrap_err();
        assert_eq!(error.message(), "a function cannot be passed on from the script");
    }
}
