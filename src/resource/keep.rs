//! `keep: [...]`: the differences that a script leaves to somebody else.

use schemars::Schema;

use super::any_kind::AnyKind;
use super::kind::KEEP;
use crate::error::{Error, Result, nearest};
use crate::schema;
use crate::value::Value;

/// Refuses what no difference is called by: it would silently keep nothing.
pub(super) fn check(kind: &dyn AnyKind, schema: &Schema, options: &Value) -> Result<()> {
    let Some(options) = options.as_map() else {
        return Ok(());
    };
    let Some(Value::List(kept)) = options.get(KEEP) else {
        return Ok(());
    };
    let mut known: Vec<String> = schema::fields(schema).into_iter().map(|field| field.name).collect();
    // The name is what it is found by, not a difference.
    known.retain(|field| field != KEEP && field != "name");
    known.extend(kind.more_fields(options));
    known.push("tags".into());
    for field in kept.iter().filter_map(Value::as_str) {
        let first = field.split(['.', '[', ' ']).next().unwrap_or_default();
        let is_tag = field.strip_prefix("tag ").is_some_and(|key| !key.is_empty());
        if is_tag || known.iter().any(|known| known == field || known == first) {
            continue;
        }
        let error = Error::failed(format!("`keep`: a {} has no field `{field}`", kind.about().noun));
        return Err(match nearest(first, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it has: {}", known.join(", "))),
        });
    }
    Ok(())
}
