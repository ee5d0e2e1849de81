//! Filters of listings: values of one filter are joined with OR, filters with AND.
//!
//! Source: RDS API reference, `Filter` and the `Filters` of each operation. A filter that an operation does not know is
//! refused, as RDS does.

use serde_json::Value;

use super::super::call::{Call, Fault};
use super::invalid;

/// The filters of a call, each with the values that it accepts.
pub struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    pub fn read(call: &Call<'_>, known: &[&str]) -> Result<Self, Fault> {
        let mut filters = Vec::new();
        for filter in call.list("Filters") {
            let name = filter.get("Name").and_then(Value::as_str).unwrap_or_default();
            if !known.contains(&name) {
                return Err(invalid(&format!("Unrecognized filter name: {name}")));
            }
            let values = filter.get("Values").and_then(Value::as_array);
            let values: Vec<String> = values
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            if values.is_empty() {
                return Err(invalid(&format!("The filter {name} must have at least one value.")));
            }
            filters.push((name.to_owned(), values));
        }
        Ok(Self(filters))
    }

    /// Whether every filter of this name accepts one of these values (an id and an ARN, perhaps).
    pub fn accept(&self, name: &str, values: &[&str]) -> bool {
        self.0
            .iter()
            .filter(|(filter, _)| filter == name)
            .all(|(_, wanted)| wanted.iter().any(|wanted| values.contains(&wanted.as_str())))
    }
}

/// For listings whose `Filters` "isn't currently supported".
pub fn none(call: &Call<'_>) -> Result<(), Fault> {
    Filters::read(call, &[]).map(|_| ())
}
