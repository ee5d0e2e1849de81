//! The statements of a policy document, read for a decision.
//!
//! Source: IAM user guide, *Policy evaluation logic*, *IAM JSON policy elements reference*.
//!
//! Conditions are read as far as the sandbox knows what they ask for: string, ARN and Boolean operators on keys that the
//! caller of [`Statement::applies`] gives. A statement with any other condition, or with a policy variable, counts as
//! one that does not match, and [`Match::Unknown`] names what it asked for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wildcard::{matches, matches_any_case};

/// What is known of a request: keys in lower case (`aws:requestedregion`), each with its values.
pub type Context = BTreeMap<String, Vec<String>>;

pub struct Statement {
    pub allows: bool,
    principals: Vec<String>,
    actions: Scope,
    resources: Scope,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
enum Scope {
    Of(Vec<String>),
    AllBut(Vec<String>),
}

struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// Whether a statement is about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Match {
    Yes,
    No,
    /// It would be, if its conditions hold, which the sandbox does not know: their keys.
    Unknown(Vec<String>),
}

/// The statements of a document. What is malformed has none: documents are checked when they are stored.
pub fn read(document: &str) -> Vec<Statement> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    statements.iter().map(Statement::read).collect()
}

impl Statement {
    fn read(statement: &Value) -> Self {
        let scope = |of: &str, all_but: &str| match statement.get(of) {
            Some(value) => Scope::Of(texts(value)),
            None => Scope::AllBut(texts(&statement[all_but])),
        };
        let principals = match &statement["Principal"] {
            Value::Object(kinds) => kinds.values().flat_map(texts).collect(),
            other => texts(other),
        };
        let mut conditions = Vec::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                conditions.push(Condition {
                    operator: operator.clone(),
                    key: key.clone(),
                    values: texts(values),
                });
            }
        }
        Self {
            allows: statement["Effect"] == "Allow",
            principals,
            actions: scope("Action", "NotAction"),
            resources: scope("Resource", "NotResource"),
            conditions,
        }
    }

    /// Whether the statement is about this action on this resource.
    pub fn applies(&self, action: &str, resource: &str, context: &Context) -> Match {
        let about = self.actions.has(|pattern| matches_any_case(pattern, action))
            && self.resources.has(|pattern| matches(pattern, resource));
        if !about {
            return Match::No;
        }
        self.under(context)
    }

    /// Whether the statement lets a service take a role.
    pub fn trusts(&self, service: &str, context: &Context) -> Match {
        let about = self
            .principals
            .iter()
            .any(|principal| principal == service || principal == "*")
            && self.actions.has(|pattern| matches_any_case(pattern, "sts:AssumeRole"));
        if !about {
            return Match::No;
        }
        self.under(context)
    }

    fn under(&self, context: &Context) -> Match {
        let mut unknown = Vec::new();
        let mut holds = true;
        for condition in &self.conditions {
            match condition.holds(context) {
                Some(true) => (),
                Some(false) => holds = false,
                None => unknown.push(condition.key.clone()),
            }
        }
        match (holds, unknown.is_empty()) {
            (false, _) => Match::No,
            (true, true) => Match::Yes,
            (true, false) => Match::Unknown(unknown),
        }
    }
}

impl Scope {
    fn has(&self, fits: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Of(patterns) => patterns.iter().any(|pattern| fits(pattern)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| fits(pattern)),
        }
    }
}

impl Condition {
    /// `None`: the sandbox does not know the key or the operator.
    fn holds(&self, context: &Context) -> Option<bool> {
        let given = context.get(&self.key.to_ascii_lowercase())?;
        if self.values.iter().any(|value| value.contains("${")) {
            return None;
        }
        let any = |fits: &dyn Fn(&str, &str) -> bool| {
            given
                .iter()
                .any(|given| self.values.iter().any(|value| fits(value, given)))
        };
        Some(match self.operator.trim_end_matches("IfExists") {
            "StringEquals" => any(&|value, given| value == given),
            "StringNotEquals" => !any(&|value, given| value == given),
            "StringEqualsIgnoreCase" => any(&|value, given| value.eq_ignore_ascii_case(given)),
            "StringLike" | "ArnLike" | "ArnEquals" => any(&|value, given| matches(value, given)),
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !any(&|value, given| matches(value, given)),
            "Bool" => any(&|value, given| value.eq_ignore_ascii_case(given)),
            _ => return None,
        })
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applies(statement: &str, action: &str, resource: &str) -> Match {
        let document = format!(r#"{{"Statement":{statement}}}"#);
        let context = Context::from([("aws:requestedregion".to_owned(), vec!["eu-west-1".to_owned()])]);
        read(&document)[0].applies(action, resource, &context)
    }

    #[test]
    fn actions_and_resources_have_wildcards_and_opposites() {
        let reads = r#"{"Effect":"Allow","Action":"ssm:get*","Resource":"arn:aws:ssm:*:*:parameter/shop/*"}"#;
        assert_eq!(
            applies(reads, "ssm:GetParameters", "arn:aws:ssm:r:1:parameter/shop/a"),
            Match::Yes
        );
        assert_eq!(
            applies(reads, "ssm:PutParameter", "arn:aws:ssm:r:1:parameter/shop/a"),
            Match::No
        );
        assert_eq!(
            applies(reads, "ssm:GetParameters", "arn:aws:ssm:r:1:parameter/other"),
            Match::No
        );
        let rest = r#"{"Effect":"Deny","NotAction":["s3:*"],"NotResource":"arn:aws:ecr:*"}"#;
        assert_eq!(applies(rest, "s3:GetObject", "arn:aws:s3:::b"), Match::No);
        assert_eq!(applies(rest, "ssm:GetParameters", "arn:aws:ssm:r:1:x"), Match::Yes);
    }

    #[test]
    fn a_condition_is_judged_where_its_key_is_known() {
        let with =
            |condition: &str| format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
        let here = with(r#"{"StringEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}}"#);
        assert_eq!(applies(&here, "s3:GetObject", "*"), Match::Yes);
        let there = with(r#"{"StringLike":{"aws:RequestedRegion":"us-*"}}"#);
        assert_eq!(applies(&there, "s3:GetObject", "*"), Match::No);
        let unknown = with(r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#);
        assert_eq!(
            applies(&unknown, "s3:GetObject", "*"),
            Match::Unknown(vec!["aws:SourceVpc".to_owned()])
        );
    }
}
