//! Checks a value against the schema of a Rust type, before anything is done with it.
//!
//! The options of every function, the environment files and the client files are all described by Rust structs with
//! [`schemars`]; this is the one place that compares what was written with what is known. An unknown key names the
//! nearest right one, and every problem carries the path to it, so that the caller can point at the line.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::Value as Json;

use crate::error::nearest;
use crate::value::Value;

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The way to it: keys, and positions in lists counted from 0 as text.
    pub path: Vec<String>,
    /// Without the path: `unknown option`, `text is expected here, not a whole number`.
    pub message: String,
    pub hint: Option<String>,
}

/// One key that a map may have, for help and completion.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// `text`, `whole number`, `list of text`, `one of: a, b`.
    pub kind: String,
    pub required: bool,
    /// The doc comment.
    pub about: String,
    pub default: Option<Json>,
}

/// The schema of a type, with everything inlined.
pub fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    SchemaGenerator::new(settings).into_root_schema_for::<T>()
}

/// The keys of a map schema, in the order of the struct.
pub fn fields(schema: &Schema) -> Vec<Field> {
    let json = schema.as_value();
    let required = required(json);
    properties(json)
        .map(|(name, property)| Field {
            name: name.clone(),
            kind: expected(property),
            required: required.contains(&name.as_str()),
            about: property
                .get("description")
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned(),
            default: property.get("default").filter(|default| !default.is_null()).cloned(),
        })
        .collect()
}

/// Everything that is wrong with the value; empty when nothing is. An output that is not known yet passes for text,
/// and a text that is one whole output passes for anything: its type shows when it is known.
pub fn check(schema: &Schema, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(schema.as_value(), value, &mut Vec::new(), &mut problems);
    problems
}

fn properties(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    schema.get("properties").and_then(Json::as_object).into_iter().flatten()
}

fn required(schema: &Json) -> Vec<&str> {
    schema
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

/// The alternatives of `anyOf` and `oneOf`.
fn alternatives(schema: &Json) -> Option<&Vec<Json>> {
    schema
        .get("anyOf")
        .or_else(|| schema.get("oneOf"))
        .and_then(Json::as_array)
}

/// The words of an enumeration, whether written as `enum` or as one `const` for each documented variant.
fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return Some(words.iter().filter_map(Json::as_str).collect());
    }
    if let Some(word) = schema.get("const").and_then(Json::as_str) {
        return Some(vec![word]);
    }
    let variants = alternatives(schema)?;
    let words: Vec<_> = variants.iter().map(words).collect::<Option<_>>()?;
    Some(words.concat())
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_null(schema: &Json) -> bool {
    types(schema) == ["null"]
}

/// What is expected, in the words of a script's author.
fn expected(schema: &Json) -> String {
    if let Some(words) = words(schema) {
        return format!("one of: {}", words.join(", "));
    }
    if let Some(variants) = alternatives(schema) {
        let names: Vec<_> = variants
            .iter()
            .filter(|variant| !is_null(variant))
            .map(expected)
            .collect();
        return names.join(" or ");
    }
    let names: Vec<_> = types(schema)
        .into_iter()
        .filter_map(|name| {
            Some(match name {
                "string" if schema.get("format").and_then(Json::as_str) == Some("secret") => "secret".to_owned(),
                "string" => "text".to_owned(),
                "integer" => "whole number".to_owned(),
                "number" => "number".to_owned(),
                "boolean" => "true or false".to_owned(),
                "array" => match schema.get("items") {
                    Some(items) => format!("list of {}", expected(items)),
                    None => "list".to_owned(),
                },
                "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
                    Some(values) => format!("map of {}", expected(values)),
                    None => "map".to_owned(),
                },
                _ => return None,
            })
        })
        .collect();
    if names.is_empty() {
        "anything".to_owned()
    } else {
        names.join(" or ")
    }
}

fn walk(schema: &Json, value: &Value, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    let mut problem = |path: &[String], message: String, hint: Option<String>| {
        problems.push(Problem {
            path: path.to_vec(),
            message,
            hint,
        });
    };
    // An output on its own can turn out to be of any type.
    if let Value::Text(text) = value
        && text.0.len() == 1
        && text.outputs().next().is_some()
    {
        return;
    }
    if let Some(words) = words(schema) {
        match value.as_str() {
            Some(word) if words.contains(&word) => {}
            Some(word) => {
                let hint = nearest(word, words.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
                problem(path, format!("\"{word}\" is not one of: {}", words.join(", ")), hint);
            }
            None if matches!(value, Value::Text(_)) => {}
            None => problem(path, mismatch(schema, value), None),
        }
        return;
    }
    if let Some(variants) = alternatives(schema) {
        // The variant that comes nearest tells what is wrong; a variant of another type tells nothing.
        let mut best: Option<Vec<Problem>> = None;
        for variant in variants {
            let mut found = Vec::new();
            walk(variant, value, &mut path.clone(), &mut found);
            if found.is_empty() {
                return;
            }
            let of_this_type = !found
                .iter()
                .any(|problem| problem.path == *path && problem.message.contains("expected"));
            if of_this_type && best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        match best {
            Some(found) => problems.extend(found),
            None => problem(path, mismatch(schema, value), None),
        }
        return;
    }
    let types = types(schema);
    let fits = |name: &str| types.is_empty() || types.contains(&name);
    match value {
        Value::Null if fits("null") => {}
        Value::Bool(_) if fits("boolean") => {}
        Value::Int(_) if fits("integer") || fits("number") => range(schema, value, path, problems),
        Value::Float(_) if fits("number") => range(schema, value, path, problems),
        Value::Text(_) if fits("string") => {}
        Value::List(items) if fits("array") => {
            if let Some(schema) = schema.get("items") {
                for (position, item) in items.iter().enumerate() {
                    path.push(position.to_string());
                    walk(schema, item, path, problems);
                    path.pop();
                }
            }
        }
        Value::Map(map) if fits("object") => {
            let extra = schema.get("additionalProperties");
            for (key, item) in map {
                path.push(key.clone());
                match schema.get("properties").and_then(|properties| properties.get(key)) {
                    Some(schema) => walk(schema, item, path, problems),
                    None => match extra {
                        Some(Json::Bool(false)) => {
                            let known: Vec<_> = properties(schema).map(|(name, _)| name.as_str()).collect();
                            let hint = match nearest(key, known.iter().copied()) {
                                Some(near) => format!("did you mean `{near}`?"),
                                None => format!("known here: {}", known.join(", ")),
                            };
                            let path = path.clone();
                            problems.push(Problem {
                                path,
                                message: format!("unknown key `{key}`"),
                                hint: Some(hint),
                            });
                        }
                        Some(schema @ Json::Object(_)) => walk(schema, item, path, problems),
                        _ => {}
                    },
                }
                path.pop();
            }
            for name in required(schema) {
                if !map.contains_key(name) {
                    let about = properties(schema).find(|(known, _)| *known == name);
                    let about = about
                        .and_then(|(_, property)| property.get("description"))
                        .and_then(Json::as_str);
                    let hint = about.map(|about| format!("`{name}`: {}", about.replace('\n', " ")));
                    problems.push(Problem {
                        path: path.clone(),
                        message: format!("`{name}` is missing"),
                        hint,
                    });
                }
            }
        }
        // A resource passed whole stands for the map of its outputs.
        Value::Object(_) if fits("object") => {}
        other => problem(path, mismatch(schema, other), None),
    }
}

fn mismatch(schema: &Json, value: &Value) -> String {
    format!("{} is expected here, not {}", expected(schema), value.type_name())
}

fn range(schema: &Json, value: &Value, path: &[String], problems: &mut Vec<Problem>) {
    let number = match value {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        _ => return,
    };
    let bound = |name: &str| schema.get(name).and_then(Json::as_f64);
    let message = match (bound("minimum"), bound("maximum")) {
        (Some(least), _) if number < least => format!("{number} is too small: the least is {least}"),
        (_, Some(most)) if number > most => format!("{number} is too large: the most is {most}"),
        _ => return,
    };
    problems.push(Problem {
        path: path.to_vec(),
        message,
        hint: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Rule {
        /// TCP port.
        port: u16,
        #[serde(default)]
        from: Vec<String>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code)]
    enum Encryption {
        On,
        Off,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Group {
        /// What it is called.
        name: String,
        encryption: Option<Encryption>,
        #[serde(default)]
        rules: Vec<Rule>,
    }

    fn messages(value: Value) -> Vec<String> {
        check(&of::<Group>(), &value)
            .into_iter()
            .map(|problem| {
                format!(
                    "{}: {} {}",
                    problem.path.join("."),
                    problem.message,
                    problem.hint.unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn what_is_right_passes() {
        let rules = vec![Value::Map(
            map! { "port" => 443_i64, "from" => vec!["0.0.0.0/0".to_owned()] },
        )];
        assert_eq!(
            messages(Value::Map(
                map! { "name" => "web", "rules" => rules, "encryption" => "on" }
            )),
            [""; 0]
        );
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let rules = vec![Value::Map(map! { "prot" => 443_i64, "port" => 70000_i64 })];
        assert_eq!(
            messages(Value::Map(map! { "rules" => rules, "encryption" => "onn" })),
            [
                "rules.0.prot: unknown key `prot` did you mean `port`?",
                "rules.0.port: 70000 is too large: the most is 65535 ",
                "encryption: \"onn\" is not one of: on, off did you mean \"on\"?",
                ": `name` is missing `name`: What it is called.",
            ]
        );
    }

    #[test]
    fn a_wrong_type_says_what_is_expected() {
        assert_eq!(
            messages(Value::Map(map! { "name" => 3_i64, "rules" => "all" })),
            [
                "name: text is expected here, not a whole number ",
                "rules: list of map is expected here, not text "
            ]
        );
    }

    #[test]
    fn fields_come_in_order_with_their_help() {
        let fields = fields(&of::<Group>());
        let names: Vec<_> = fields
            .iter()
            .map(|field| (field.name.as_str(), field.kind.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("name", "text"),
                ("encryption", "one of: on, off"),
                ("rules", "list of map")
            ]
        );
        assert_eq!(fields[0].about, "What it is called.");
        assert!(fields[0].required && !fields[2].required);
    }
}
