//! A parameter is written.

use serde_json::json;

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{KIND, Parameter, Version, arn, find, validation};

/// "Parameter Store retains 100 versions of a parameter."
pub const VERSIONS: usize = 100;

/// Characters of a value in the standard and in the advanced tier.
pub const STANDARD: usize = 4096;

pub const ADVANCED: usize = 8192;

/// "Hierarchies can have a maximum of fifteen levels."
pub const LEVELS: usize = 15;

/// The key that encrypts a SecureString when the call names none.
pub const DEFAULT_KEY: &str = "alias/aws/ssm";

/// Idempotent only with `Overwrite`; without it the second of two equal calls is refused, which is what makes a put
/// without overwrite usable as a lock.
pub fn put(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "Name",
            "Description",
            "Value",
            "Type",
            "KeyId",
            "Overwrite",
            "AllowedPattern",
            "Tags",
            "Tier",
            "DataType",
        ],
    )?;
    let name = call.text("Name");
    check_name(call, name)?;
    let existing = find(call, name)?;
    let overwrite = call.flag("Overwrite");
    if existing.is_some() && !overwrite {
        return Err(Fault::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let wanted = tags::from_list(call.list("Tags"));
    if overwrite && !wanted.is_empty() {
        return Err(validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    tags::check(&wanted).map_err(|message| validation(&message))?;

    let last = existing
        .as_ref()
        .and_then(|parameter| parameter.versions.last().cloned());
    let kind = match (call.text("Type"), &last) {
        ("", Some(last)) => last.kind.clone(),
        ("", None) => return Err(validation("A parameter type is required when you create a parameter.")),
        (given, Some(last)) if given != last.kind && (given == "SecureString" || last.kind == "SecureString") => {
            return Err(Fault::new(
                "HierarchyTypeMismatchException",
                format!(
                    "Parameter store does not support changing a parameter type from {} to {given}. You must create \
                     a new, unique parameter.",
                    last.kind
                ),
            ));
        }
        (given, _) => given.to_owned(),
    };
    let value = call.text("Value");
    if value.is_empty() {
        return Err(validation(
            "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        ));
    }
    let tier = match call.text("Tier") {
        "Advanced" => "Advanced",
        "Intelligent-Tiering" if value.len() > STANDARD => "Advanced",
        _ => last
            .as_ref()
            .filter(|last| last.tier == "Advanced")
            .map_or("Standard", |_| "Advanced"),
    };
    let longest = if tier == "Advanced" { ADVANCED } else { STANDARD };
    if value.len() > longest {
        return Err(validation(&format!(
            "{tier} tier parameters support a maximum parameter value of {longest} characters. To create a larger \
             parameter value, upgrade the parameter to use the advanced-parameter tier."
        )));
    }
    let pattern = call.text("AllowedPattern");
    if !pattern.is_empty() {
        let regex = regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
            Fault::new(
                "InvalidAllowedPatternException",
                "The pattern is not a valid regular expression.",
            )
        })?;
        if !regex.is_match(value) {
            return Err(Fault::new(
                "ParameterPatternMismatchException",
                format!("Parameter value, cannot be validated against allowedPattern: {pattern}"),
            ));
        }
    }
    let secure = kind == "SecureString";
    if !secure && !call.text("KeyId").is_empty() {
        return Err(validation(
            "KeyId is only applicable to parameters of type SecureString.",
        ));
    }
    let number = last.as_ref().map_or(1, |last| last.number + 1);
    let text = |member: &str| {
        Some(call.text(member))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let version = Version {
        number,
        value: if secure {
            call.vault.seal(value)
        } else {
            value.to_owned()
        },
        description: text("Description").or_else(|| last.as_ref().and_then(|last| last.description.clone())),
        key_id: secure.then(|| text("KeyId").unwrap_or_else(|| DEFAULT_KEY.to_owned())),
        allowed_pattern: text("AllowedPattern"),
        tier: tier.to_owned(),
        data_type: text("DataType").unwrap_or_else(|| "text".to_owned()),
        modified: call.now,
        labels: Vec::new(),
        kind,
    };
    let mut parameter = existing.unwrap_or_else(|| Parameter {
        name: name.to_owned(),
        versions: Vec::new(),
    });
    parameter.versions.push(version);
    if parameter.versions.len() > VERSIONS {
        if parameter
            .versions
            .first()
            .is_some_and(|oldest| !oldest.labels.is_empty())
        {
            return Err(Fault::new(
                "ParameterMaxVersionLimitExceeded",
                format!(
                    "You attempted to create a new version of {name} by calling the PutParameter API with the overwrite \
                     flag. Version 1, the oldest version, can't be deleted because it has a label associated with it."
                ),
            ));
        }
        parameter.versions.remove(0);
    }
    call.store.put(KIND, name, "", &parameter)?;
    tags::put(call, &arn(call, name), &wanted)?;
    answer(json!({ "Version": number, "Tier": tier }))
}

/// The rules for names: *Requirements and constraints for parameter names*.
pub fn check_name(call: &Call<'_>, name: &str) -> Result<(), Fault> {
    let lower = name.trim_start_matches('/').to_ascii_lowercase();
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        let word = if lower.starts_with("aws") { "aws" } else { "ssm" };
        return Err(validation(&format!(
            "Parameter name: can't be prefixed with \"{word}\" (case-insensitive). If formed as a path, it can consist \
             of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the \
             following 3 symbols .-_"
        )));
    }
    let good = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let path = name.strip_prefix('/').unwrap_or(name);
    if !path.split('/').all(good) {
        return Err(validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the \
             following 3 symbols .-_",
        ));
    }
    if path.contains('/') && !name.starts_with('/') {
        return Err(validation("Parameter name must be a fully qualified name."));
    }
    if path.split('/').count() > LEVELS {
        return Err(Fault::new(
            "HierarchyLevelLimitExceededException",
            "A hierarchy can have a maximum of 15 levels.",
        ));
    }
    // "The maximum length for the fully qualified parameter name is 1011 characters", which counts the ARN's prefix.
    if arn(call, name).len() > 1011 {
        return Err(validation(
            "The parameter name exceeds the maximum length of 1011 characters with its ARN.",
        ));
    }
    Ok(())
}
