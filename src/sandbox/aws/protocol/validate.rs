//! Checks an input against the model: what is required, enums, lengths, ranges and patterns, with AWS's own words.
//!
//! Most services share one framework, whose message lists every broken constraint; EC2 has codes of its own and stops at
//! the first (EC2 API reference, "Error codes": MissingParameter, InvalidParameterValue).

use serde_json::{Map, Value};

use super::super::call::Fault;
use super::super::model::{Kind, Member, Model, Shape};
use super::lower_first;

/// The framework tells at most so many.
const MOST_TOLD: usize = 10;

pub fn check(service: &str, model: &Model, shape: &Shape, input: &Map<String, Value>) -> Result<(), Fault> {
    let mut checker = Checker {
        model,
        found: Vec::new(),
    };
    checker.structure(shape, input, "");
    let Some(first) = checker.found.first() else {
        return Ok(());
    };
    if service == "ec2" {
        return Err(first.for_ec2());
    }
    let (count, plural) = (checker.found.len(), if checker.found.len() == 1 { "" } else { "s" });
    let told: Vec<String> = checker.found.iter().take(MOST_TOLD).map(Violation::in_words).collect();
    Err(Fault::new(
        code(service),
        format!("{count} validation error{plural} detected: {}", told.join("; ")),
    ))
}

/// What a broken constraint is called.
fn code(service: &str) -> &'static str {
    match service {
        "acm" | "ssm" | "secretsmanager" => "ValidationException",
        "route53" => "InvalidInput",
        "ecs" | "ecr" | "logs" | "tagging" => "InvalidParameterException",
        _ => "ValidationError",
    }
}

struct Violation {
    path: String,
    /// `None`: the member is missing.
    value: Option<String>,
    constraint: String,
}

impl Violation {
    fn in_words(&self) -> String {
        let value = self
            .value
            .as_ref()
            .map_or("null".to_owned(), |value| format!("'{value}'"));
        format!(
            "Value {value} at '{}' failed to satisfy constraint: {}",
            self.path, self.constraint
        )
    }

    fn for_ec2(&self) -> Fault {
        match &self.value {
            None => {
                let text = format!("The request must contain the parameter {}", self.path);
                Fault::new("MissingParameter", text)
            }
            Some(value) => Fault::new(
                "InvalidParameterValue",
                format!(
                    "Value ({value}) for parameter {} is invalid. {}",
                    self.path, self.constraint
                ),
            ),
        }
    }
}

struct Checker<'a> {
    model: &'a Model,
    found: Vec<Violation>,
}

impl Checker<'_> {
    fn structure(&mut self, shape: &Shape, input: &Map<String, Value>, path: &str) {
        for name in &shape.required {
            if !input.contains_key(name) {
                self.found.push(Violation {
                    path: join(path, &lower_first(name)),
                    value: None,
                    constraint: "Member must not be null".to_owned(),
                });
            }
        }
        for (name, value) in input {
            if let Some(member) = shape.members.get(name) {
                self.value(member, value, &join(path, &lower_first(name)));
            }
        }
    }

    fn value(&mut self, member: &Member, value: &Value, path: &str) {
        let Some(shape) = self.model.shape(&member.shape) else {
            return;
        };
        match value {
            Value::Object(members) if shape.kind == Kind::Structure => self.structure(shape, members, path),
            Value::Object(entries) => {
                self.length(shape, entries.len(), path, || format!("{{{} entries}}", entries.len()));
                for (key, value) in entries {
                    if let Some(member) = &shape.key {
                        self.value(member, &Value::String(key.clone()), &join(path, "key"));
                    }
                    if let Some(member) = &shape.value {
                        self.value(member, value, &format!("{path}.{key}.member"));
                    }
                }
            }
            Value::Array(items) => {
                self.length(shape, items.len(), path, || format!("[{} items]", items.len()));
                for (number, item) in (1..).zip(items) {
                    if let Some(member) = &shape.member {
                        self.value(member, item, &format!("{path}.{number}.member"));
                    }
                }
            }
            Value::String(text) => self.text(shape, text, path),
            Value::Number(number) => self.number(shape, number.as_f64().unwrap_or_default(), path),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn text(&mut self, shape: &Shape, text: &str, path: &str) {
        // A blob is base64 here; its limits count bytes.
        if shape.kind == Kind::Blob {
            return;
        }
        self.length(shape, text.chars().count(), path, || text.to_owned());
        if !shape.values.is_empty() && !shape.values.iter().any(|value| value == text) {
            let set = shape.values.join(", ");
            self.broken(
                shape,
                path,
                text,
                format!("Member must satisfy enum value set: [{set}]"),
            );
        }
        if let Some((pattern, regex)) = shape.pattern()
            // A text on which matching gives up (it may backtrack without end) counts as one that matches not.
            && !regex.is_match(text).unwrap_or(false)
        {
            self.broken(
                shape,
                path,
                text,
                format!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, path: &str, value: impl Fn() -> String) {
        let length = length as f64;
        if let Some(min) = shape.min.filter(|min| length < *min) {
            self.broken(
                shape,
                path,
                &value(),
                format!("Member must have length greater than or equal to {min}"),
            );
        }
        if let Some(max) = shape.max.filter(|max| length > *max) {
            self.broken(
                shape,
                path,
                &value(),
                format!("Member must have length less than or equal to {max}"),
            );
        }
    }

    fn number(&mut self, shape: &Shape, number: f64, path: &str) {
        if let Some(min) = shape.min.filter(|min| number < *min) {
            self.broken(
                shape,
                path,
                &number.to_string(),
                format!("Member must have value greater than or equal to {min}"),
            );
        }
        if let Some(max) = shape.max.filter(|max| number > *max) {
            self.broken(
                shape,
                path,
                &number.to_string(),
                format!("Member must have value less than or equal to {max}"),
            );
        }
    }

    fn broken(&mut self, shape: &Shape, path: &str, value: &str, constraint: String) {
        let value = if shape.sensitive {
            "***Sensitive Data Redacted***"
        } else {
            value
        };
        self.found.push(Violation {
            path: path.to_owned(),
            value: Some(value.to_owned()),
            constraint,
        });
    }
}

fn join(path: &str, part: &str) -> String {
    if path.is_empty() {
        part.to_owned()
    } else {
        format!("{path}.{part}")
    }
}
