//! What `ensure` gives to a script at once, while the work goes on.

use std::fmt;
use std::sync::Arc;

use super::kind::About;
use crate::error::{Error, Result, nearest};
use crate::map;
use crate::value::{Object, Output, Part, Promise, Text, Value};

/// A resource in a script. Its fields are outputs, known or not yet.
#[derive(Clone)]
pub struct Handle {
    pub about: &'static About,
    pub name: String,
    pub promise: Promise,
    /// An existing resource that is only used.
    pub is_reference: bool,
}

impl Handle {
    pub fn into_value(self) -> Value {
        Value::Object(Arc::new(self))
    }

    fn output(&self, field: &str) -> Value {
        let output = Output {
            promise: self.promise.clone(),
            field: field.to_owned(),
        };
        Value::Text(Text(vec![Part::Output(output)]))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.promise.resource())
    }
}

impl Object for Handle {
    fn type_name(&self) -> String {
        self.about.noun.to_owned()
    }

    fn field(&self, name: &str) -> Result<Value> {
        if name == "name" {
            return Ok(Value::text(&self.name));
        }
        let declared = self.about.outputs.iter().find(|output| output.name == name);
        match (self.promise.peek(), declared) {
            // A failed resource says so where it is used.
            (Some(Err(error)), _) => return Err(error),
            // Also one that is known by now stays an output: what a script gets is no matter of timing, and passing it
            // on records an edge.
            (Some(Ok(_)), Some(output)) if output.lazy && !self.is_reference => return Ok(self.output(name)),
            (Some(Ok(outputs)), _) => {
                if let Some(value) = outputs.get(name) {
                    return Ok(value.clone());
                }
            }
            (None, Some(_)) => return Ok(self.output(name)),
            (None, None) => {}
        }
        let known: Vec<_> = self.about.outputs.iter().map(|output| output.name).collect();
        let error = Error::failed(format!("a {} has no field `{name}`", self.about.noun));
        Err(match nearest(name, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it has: name, {}", known.join(", "))),
        })
    }

    fn show(&self) -> Value {
        let mut shown = map! { "kind" => self.about.kind, "name" => self.name.as_str() };
        match self.promise.peek() {
            Some(Ok(outputs)) => {
                for (key, value) in outputs.iter() {
                    shown.insert(key.clone(), value.clone());
                }
            }
            Some(Err(error)) => {
                shown.insert("failed".into(), Value::text(error.message()));
            }
            None => {
                shown.insert("state".into(), Value::text("being ensured"));
            }
        }
        Value::Map(shown)
    }

    fn promise(&self) -> Option<&Promise> {
        Some(&self.promise)
    }

    fn lazy(&self, field: &str) -> bool {
        field == "name"
            || self
                .about
                .outputs
                .iter()
                .all(|output| output.name != field || output.lazy)
    }
}
