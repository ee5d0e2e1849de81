//! AWS JSON 1.1: the body is the input or output shape.

use serde_json::{Map, Value};

use super::super::call::Fault;
use super::super::model::{Kind, Member, Model, Shape};
use super::not_that;

/// Reads a request. As AWS does, members that the model does not have are ignored, and so is `null`.
pub fn parse(model: &Model, shape: &Shape, body: &[u8]) -> Result<Map<String, Value>, Fault> {
    let body: Value = match body {
        [] => Value::Object(Map::new()),
        body => serde_json::from_slice(body)
            .map_err(|error| Fault::new("SerializationException", format!("The body is not JSON: {error}")))?,
    };
    match body {
        Value::Object(members) => structure(model, shape, members),
        other => Err(mismatch(&other, Kind::Structure)),
    }
}

fn structure(model: &Model, shape: &Shape, mut members: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let mut found = Map::new();
    for (name, member) in &shape.members {
        let wire = member.location_name.as_deref().unwrap_or(name);
        if let Some(given) = members.remove(wire).filter(|given| !given.is_null()) {
            found.insert(name.clone(), value(model, member, given)?);
        }
    }
    Ok(found)
}

fn value(model: &Model, member: &Member, given: Value) -> Result<Value, Fault> {
    let Some(shape) = model.shape(&member.shape) else {
        return Ok(given);
    };
    Ok(match (shape.kind, given) {
        (Kind::Structure, Value::Object(members)) => Value::Object(structure(model, shape, members)?),
        (Kind::List, Value::Array(items)) => match &shape.member {
            Some(member) => items
                .into_iter()
                .map(|item| value(model, member, item))
                .collect::<Result<Vec<_>, _>>()?
                .into(),
            None => Value::Array(items),
        },
        (Kind::Map, Value::Object(entries)) => match &shape.value {
            Some(member) => {
                let read = entries
                    .into_iter()
                    .map(|(key, given)| Ok((key, value(model, member, given)?)));
                Value::Object(read.collect::<Result<_, Fault>>()?)
            }
            None => Value::Object(entries),
        },
        (Kind::String | Kind::Blob, given @ Value::String(_)) | (Kind::Boolean, given @ Value::Bool(_)) => given,
        (Kind::Double | Kind::Float | Kind::Timestamp, given @ Value::Number(_)) => given,
        (kind @ (Kind::Integer | Kind::Long), Value::Number(number)) => {
            let whole = number.as_i64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
            });
            let fits = |whole: &i64| kind == Kind::Long || i32::try_from(*whole).is_ok();
            Value::from(
                whole
                    .filter(fits)
                    .ok_or_else(|| mismatch(&Value::Number(number), kind))?,
            )
        }
        (kind, given) => return Err(mismatch(&given, kind)),
    })
}

fn mismatch(given: &Value, kind: Kind) -> Fault {
    let token = match given {
        Value::Null => "NULL_VALUE",
        Value::Bool(_) => "BOOLEAN_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    Fault::new(
        "SerializationException",
        format!("{token} can not be converted to {kind:?}"),
    )
}

/// Writes an answer: the members that the output shape has, and no others.
pub fn answer(model: &Model, shape: Option<&Shape>, answer: &Value) -> Result<Value, Fault> {
    match shape {
        Some(shape) => render(model, shape, answer, ""),
        None => Ok(Value::Object(Map::new())),
    }
}

fn render(model: &Model, shape: &Shape, given: &Value, path: &str) -> Result<Value, Fault> {
    let inner = |member: &Option<Member>| member.as_ref().and_then(|member| model.shape(&member.shape));
    Ok(match (shape.kind, given) {
        (Kind::Structure, Value::Object(members)) => {
            let mut shown = Map::new();
            for (name, member) in &shape.members {
                let (Some(given), Some(shape)) = (
                    members.get(name).filter(|given| !given.is_null()),
                    model.shape(&member.shape),
                ) else {
                    continue;
                };
                let wire = member.location_name.as_deref().unwrap_or(name);
                shown.insert(wire.to_owned(), render(model, shape, given, &format!("{path}.{name}"))?);
            }
            Value::Object(shown)
        }
        (Kind::List, Value::Array(items)) => match inner(&shape.member) {
            Some(member) => {
                let shown = items.iter().map(|item| render(model, member, item, path));
                Value::Array(shown.collect::<Result<_, _>>()?)
            }
            None => given.clone(),
        },
        (Kind::Map, Value::Object(entries)) => match inner(&shape.value) {
            Some(value) => {
                let shown = entries
                    .iter()
                    .map(|(key, given)| Ok((key.clone(), render(model, value, given, path)?)));
                Value::Object(shown.collect::<Result<_, Fault>>()?)
            }
            None => given.clone(),
        },
        (Kind::String | Kind::Blob, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Double | Kind::Float | Kind::Timestamp, Value::Number(_)) => given.clone(),
        (Kind::Integer | Kind::Long, Value::Number(number)) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => return Err(not_that(path, shape.kind, given)),
        },
        (kind, given) => return Err(not_that(path, kind, given)),
    })
}
