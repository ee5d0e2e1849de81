//! Labels of versions.

use serde_json::json;

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::{KIND, existing, validation};

/// "A parameter version can have a maximum of 10 labels."
pub const LABELS: usize = 10;

pub fn label(call: &Call<'_>) -> Answer {
    let name = call.text("Name");
    let mut parameter = existing(call, name)?;
    let latest = parameter.versions.last().map_or(0, |version| version.number);
    let number = call.int("ParameterVersion").unwrap_or(latest);
    let right =
        regex::Regex::new("^[A-Za-z_.-][A-Za-z0-9_.-]{0,99}$").map_err(|error| validation(&error.to_string()))?;
    let reserved = |label: &str| {
        let label = label.to_ascii_lowercase();
        label.starts_with("aws") || label.starts_with("ssm")
    };
    let (good, bad): (Vec<_>, Vec<_>) = call
        .texts("Labels")
        .into_iter()
        .partition(|label| right.is_match(label) && !reserved(label));
    let Some(target) = parameter.versions.iter().position(|version| version.number == number) else {
        return Err(Fault::new(
            "ParameterVersionNotFound",
            format!("Systems Manager could not find version {number} of {name}."),
        ));
    };
    // A label is on one version only: it moves.
    for version in &mut parameter.versions {
        version.labels.retain(|label| !good.contains(label));
    }
    if let Some(version) = parameter.versions.get_mut(target) {
        version.labels.extend(good);
        if version.labels.len() > LABELS {
            return Err(Fault::new(
                "ParameterVersionLabelLimitExceeded",
                "A parameter version can have maximum 10 labels.",
            ));
        }
    }
    call.store.put(KIND, name, "", &parameter)?;
    answer(json!({ "InvalidLabels": bad, "ParameterVersion": number }))
}

/// Labels that the version does not have are told, and are no error.
pub fn unlabel(call: &Call<'_>) -> Answer {
    let mut parameter = existing(call, call.text("Name"))?;
    let number = call.int("ParameterVersion").unwrap_or_default();
    let Some(version) = parameter.versions.iter_mut().find(|version| version.number == number) else {
        return Err(Fault::new(
            "ParameterVersionNotFound",
            format!("Systems Manager could not find version {number} of {}.", parameter.name),
        ));
    };
    let (removed, invalid): (Vec<_>, Vec<_>) = call
        .texts("Labels")
        .into_iter()
        .partition(|label| version.labels.contains(label));
    version.labels.retain(|label| !removed.contains(label));
    call.store.put(KIND, &parameter.name, "", &parameter)?;
    answer(json!({ "RemovedLabels": removed, "InvalidLabels": invalid }))
}
