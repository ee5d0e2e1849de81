//! Which resource a verb's argument means: a handle, a row of a listing, a name, an id or an ARN.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::error::{Error, Result, nearest};
use crate::resource::{Engine, Handle};
use crate::value::{Map, Value};

/// The fields by which an argument names a resource.
pub async fn fields(argument: &Value) -> Result<Map> {
    match argument {
        Value::Map(map) => Ok(map.clone()),
        Value::Text(_) => match argument.as_str() {
            Some(text) => Ok(crate::map! { "text" => text }),
            None => Err(Error::failed("a secret names no resource")),
        },
        Value::Object(object) => {
            let Some(promise) = object.promise() else {
                return Err(Error::failed(format!("a {} is no resource", object.type_name())));
            };
            let mut fields = promise.wait().await?.as_ref().clone();
            if let Some(handle) = object.downcast::<Handle>() {
                fields.insert("name".into(), Value::text(&handle.name));
            }
            Ok(fields)
        }
        other => Err(Error::failed(format!(
            "a resource is named by its handle, a row of its listing, or its name, not by {}",
            other.type_name()
        ))),
    }
}

/// The row of this environment's listing that an argument means. What is not this environment's is not found, so that
/// no verb ever acts on it.
pub async fn find(engine: &Engine, kind: &str, argument: &Value) -> Result<Map> {
    let wanted = fields(argument).await?;
    let rows = engine.list(kind).await?;
    let text = |map: &Map, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let is_meant = |row: &&Map| match text(&wanted, "text") {
        Some(given) => ["name", "id", "arn"]
            .iter()
            .any(|key| text(row, key).as_deref() == Some(&given)),
        // The most exact field that is given decides.
        None => ["arn", "id", "name"]
            .iter()
            .find_map(|key| Some(text(row, key)? == text(&wanted, key)?))
            .unwrap_or_default(),
    };
    if let Some(row) = rows.iter().find(is_meant) {
        return Ok(row.clone());
    }
    let meant = ["text", "name", "id", "arn"]
        .iter()
        .find_map(|key| text(&wanted, key))
        .unwrap_or_default();
    let error = Error::failed(format!("this environment has no {kind} \"{meant}\""));
    let names: Vec<_> = rows.iter().filter_map(|row| text(row, "name")).collect();
    Err(match nearest(&meant, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean \"{near}\"?")),
        None if names.is_empty() => error,
        None => error.hint(format!("there is: {}", names.join(", "))),
    })
}

/// A text field of a row, or the empty text.
pub fn text(row: &Map, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A point in time as listings show it, in UTC: `2026-01-31T12:00:00Z`.
pub fn moment(at: Option<&DateTime>) -> Value {
    // Without fractions of a second, which nobody reads.
    let at = at.map(|at| DateTime::from_secs(at.secs()));
    Value::from(at.and_then(|at| at.fmt(Format::DateTime).ok()))
}
