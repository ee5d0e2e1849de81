//! Policy documents: what IAM refuses as malformed.
//!
//! Source: IAM user guide, *Grammar of the IAM JSON policy language*.

use serde_json::{Map, Value};

use super::super::call::Fault;

/// What a document is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Says who may take a role: needs a principal, names no resource.
    Trust,
    /// Says what may be done: needs a resource, names no principal.
    Permission,
}

/// # Errors
/// `MalformedPolicyDocument`.
pub fn check(text: &str, used: Use) -> Result<(), Fault> {
    let document: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    match document
        .get("Version")
        .map(|version| version.as_str().unwrap_or_default())
    {
        None | Some("2012-10-17" | "2008-10-17") => (),
        Some(_) => return Err(malformed("The policy must contain a valid version string")),
    }
    if document
        .keys()
        .any(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
    {
        return Err(malformed("Syntax errors in policy."));
    }
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err(malformed("Syntax errors in policy.")),
    };
    statements
        .iter()
        .try_for_each(|statement| check_statement(statement, used))
}

const MEMBERS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

fn check_statement(statement: &Value, used: Use) -> Result<(), Fault> {
    let Value::Object(members) = statement else {
        return Err(malformed("Syntax errors in policy."));
    };
    if members.keys().any(|key| !MEMBERS.contains(&key.as_str())) {
        return Err(malformed("Syntax errors in policy."));
    }
    if !matches!(members.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err(malformed("Syntax errors in policy."));
    }
    let one_of = |a: &str, b: &str| members.get(a).or_else(|| members.get(b));
    let actions = texts(one_of("Action", "NotAction"));
    if actions.is_empty() {
        return Err(malformed("Policy statement must contain actions."));
    }
    if actions.iter().any(|action| *action != "*" && !action.contains(':')) {
        return Err(malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ));
    }
    let principal = one_of("Principal", "NotPrincipal");
    let resources = one_of("Resource", "NotResource");
    match used {
        Use::Trust => {
            if resources.is_some() {
                return Err(malformed("Has prohibited field Resource"));
            }
            let Some(principal) = principal else {
                return Err(malformed("Missing required field Principal"));
            };
            let known = ["AWS", "Service", "Federated", "CanonicalUser"];
            let right = match principal {
                Value::String(text) => text == "*",
                Value::Object(kinds) => {
                    !kinds.is_empty()
                        && kinds
                            .iter()
                            .all(|(kind, who)| known.contains(&kind.as_str()) && !texts(Some(who)).is_empty())
                }
                _ => false,
            };
            if !right {
                return Err(malformed("Invalid principal in policy"));
            }
            if actions
                .iter()
                .any(|action| *action != "*" && !action.to_ascii_lowercase().starts_with("sts:"))
            {
                return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
            }
        }
        Use::Permission => {
            if principal.is_some() {
                return Err(malformed("Policy document should not specify a principal."));
            }
            let resources = texts(resources);
            if resources.is_empty() {
                return Err(malformed("Policy statement must contain resources."));
            }
            if let Some(wrong) = resources
                .iter()
                .find(|resource| **resource != "*" && !resource.starts_with("arn:"))
            {
                return Err(malformed(&format!("Resource {wrong} must be in ARN format or \"*\".")));
            }
        }
    }
    Ok(())
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn malformed(message: &str) -> Fault {
    Fault::new("MalformedPolicyDocument", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_iam_refuses_is_refused() {
        for (text, message) in [
            ("{", "invalid Json"),
            ("{}", "Syntax errors"),
            (r#"{"Version":"2013-01-01","Statement":[]}"#, "version"),
            (
                r#"{"Statement":[{"Effect":"Maybe","Action":"s3:*","Resource":"*"}]}"#,
                "Syntax errors",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
                "must contain actions",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#,
                "must contain resources",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}]}"#,
                "ARN format",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"GetObject","Resource":"*"}]}"#,
                "vendor",
            ),
        ] {
            let fault = check(text, Use::Permission).unwrap_err();
            assert_eq!(fault.code, "MalformedPolicyDocument");
            assert!(fault.message.contains(message), "{text}: {}", fault.message);
        }
        let trust = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}"#;
        assert!(check(trust, Use::Trust).unwrap_err().message.contains("Principal"));
    }

    #[test]
    fn what_iam_takes_is_taken() {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
            "Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        check(trust, Use::Trust).unwrap();
        let permission = r#"{"Statement":{"Effect":"Deny","NotAction":["s3:*"],"Resource":["arn:aws:s3:::b"]}}"#;
        check(permission, Use::Permission).unwrap();
    }
}
