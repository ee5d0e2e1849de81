//! Policy documents, as both sides can be compared.
//!
//! IAM keeps a policy as it was written, but URL-encodes it in answers, and lets one string stand for a list of one.
//! Source: IAM User Guide, "IAM JSON policy elements reference" and "Grammar of the IAM JSON policy language".

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};

/// The version of the policy language.
const VERSION: &str = "2012-10-17";

/// The document that an answer carries, URL-encoded.
pub fn read(encoded: &str) -> Json {
    // A `+` is a plus there, not a space, so this is no form.
    let text = percent_decode(encoded);
    serde_json::from_str(&text).unwrap_or(Json::String(text))
}

fn percent_decode(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%'
            && let [high, low, tail @ ..] = tail
            && let (Some(high), Some(low)) = ((*high as char).to_digit(16), (*low as char).to_digit(16))
        {
            bytes.push((high * 16 + low) as u8);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The document in one form: lists of one as their only item, lists of text in order, so that two documents that mean
/// the same are equal.
pub fn normal(document: &Json) -> Json {
    match document {
        Json::Array(items) => {
            let mut items: Vec<_> = items.iter().map(normal).collect();
            if items.iter().all(Json::is_string) {
                items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                items.dedup();
            }
            match items.as_slice() {
                [only] => only.clone(),
                _ => Json::Array(items),
            }
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Json::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// The trust policy that lets services assume the role.
pub fn trust(services: &[String]) -> Json {
    serde_json::json!({
        "Version": VERSION,
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": services },
            "Action": "sts:AssumeRole",
        }],
    })
}

/// Refuses what IAM would refuse as malformed, with the place; IAM does not say where.
pub fn check(what: &str, document: &Json) -> Result<()> {
    let wrong = |why: &str| Error::failed(format!("{what}: {why}"));
    let statements = match document.get("Statement") {
        Some(Json::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(one @ Json::Object(_)) => vec![one],
        _ => return Err(wrong("a policy needs `Statement`, a list of maps")),
    };
    for statement in statements {
        let members = statement.as_object().ok_or_else(|| wrong("a statement is a map"))?;
        if !matches!(members.get("Effect").and_then(Json::as_str), Some("Allow" | "Deny")) {
            return Err(wrong("a statement needs `Effect`, \"Allow\" or \"Deny\""));
        }
        if !has(members, &["Action", "NotAction"]) {
            return Err(wrong("a statement needs `Action`"));
        }
        if let Some(empty) = members
            .iter()
            .find(|(_, value)| value.as_array().is_some_and(Vec::is_empty))
        {
            return Err(wrong(&format!("`{}` is an empty list", empty.0)));
        }
    }
    Ok(())
}

fn has(members: &Map<String, Json>, names: &[&str]) -> bool {
    names.iter().any(|name| members.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_that_mean_the_same_are_equal() {
        let one = json!({ "Version": VERSION, "Statement": [{ "Effect": "Allow", "Action": ["b:B", "a:A"], "Resource": "*" }] });
        let two = json!({ "Statement": { "Resource": ["*"], "Action": ["a:A", "b:B"], "Effect": "Allow" }, "Version": VERSION });
        assert_eq!(normal(&one), normal(&two));
        let wider = json!({ "Version": VERSION, "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
        assert_ne!(normal(&one), normal(&wider));
    }

    #[test]
    fn an_answer_is_decoded() {
        assert_eq!(read("%7B%22a%22%3A%22x+y%20%C3%A9%22%7D"), json!({ "a": "x+y é" }));
        assert_eq!(read("100%"), json!("100%"));
    }

    #[test]
    fn a_malformed_policy_is_told_with_its_place() {
        let message = |document: Json| check("policy \"p\"", &document).unwrap_err().message().to_owned();
        assert_eq!(
            message(json!({})),
            "policy \"p\": a policy needs `Statement`, a list of maps"
        );
        let empty = json!({ "Statement": [{ "Effect": "Allow", "Action": "a:A", "Resource": [] }] });
        assert_eq!(message(empty), "policy \"p\": `Resource` is an empty list");
    }
}
