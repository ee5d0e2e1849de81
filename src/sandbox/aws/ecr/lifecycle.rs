//! Lifecycle policies: checked and kept. **Nothing expires here**: ECR applies a policy within a day, and what the sandbox
//! holds is not worth a day's wait.
//!
//! Source: ECR user guide, *Lifecycle policy properties in Amazon ECR*.

use serde_json::Value;

use super::super::call::{Call, Fault};
use super::invalid;
use super::repository::document;

/// The policy of the call, when it is one.
pub fn check(call: &Call<'_>) -> Result<String, Fault> {
    let text = document(call, "lifecyclePolicyText")?;
    let policy: Value = serde_json::from_str(&text).unwrap_or_default();
    let wrong = |what: &str| {
        Err(invalid(&format!(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: \
             {what}'"
        )))
    };
    let Some(rules) = policy["rules"].as_array().filter(|rules| !rules.is_empty()) else {
        return wrong("object has missing required properties ([\"rules\"])");
    };
    let mut priorities = Vec::new();
    for rule in rules {
        let Some(priority) = rule["rulePriority"].as_i64().filter(|priority| *priority >= 1) else {
            return wrong("rulePriority must be a whole number of 1 or more");
        };
        if priorities.contains(&priority) {
            return wrong("rulePriority must be unique");
        }
        priorities.push(priority);
        let selection = &rule["selection"];
        match selection["tagStatus"].as_str() {
            Some("tagged") => {
                let named = |list: &str| selection[list].as_array().is_some_and(|list| !list.is_empty());
                if !named("tagPrefixList") && !named("tagPatternList") {
                    return wrong("tagPrefixList or tagPatternList must be given when tagStatus is tagged");
                }
            }
            Some("untagged" | "any") => (),
            _ => return wrong("tagStatus must be tagged, untagged or any"),
        }
        match selection["countType"].as_str() {
            Some("imageCountMoreThan") => (),
            Some("sinceImagePushed") if selection["countUnit"] == "days" => (),
            Some("sinceImagePushed") => return wrong("countUnit must be days when countType is sinceImagePushed"),
            _ => return wrong("countType must be imageCountMoreThan or sinceImagePushed"),
        }
        if selection["countNumber"].as_i64().is_none_or(|count| count < 1) {
            return wrong("countNumber must be a whole number of 1 or more");
        }
        if rule["action"]["type"] != "expire" {
            return wrong("the type of an action must be expire");
        }
    }
    // "If tagStatus any is used, it must have the highest value for rulePriority and be evaluated last."
    let any = rules.iter().filter(|rule| rule["selection"]["tagStatus"] == "any");
    let any: Vec<_> = any.filter_map(|rule| rule["rulePriority"].as_i64()).collect();
    if any.len() > 1
        || any
            .iter()
            .any(|priority| priorities.iter().any(|other| other > priority))
    {
        return wrong("a rule with tagStatus any must be the only one and have the highest rulePriority");
    }
    Ok(text)
}
