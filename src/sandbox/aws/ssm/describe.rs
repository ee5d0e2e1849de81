//! Listings without values, and the filters of both kinds of listing.

use serde_json::{Value, json};

use super::super::answers::{answer, only, page_of};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{KIND, Parameter, arn, bounded, invalid_token, metadata};

pub fn describe(call: &Call<'_>) -> Answer {
    only(call, &["Filters", "ParameterFilters", "MaxResults", "NextToken"])?;
    let limit = bounded(call, 50, 50)?;
    const KEYS: &[&str] = &["Name", "Type", "KeyId", "Path", "Tier", "DataType", "Label"];
    let mut filters = call.list("ParameterFilters").to_vec();
    // The older form of filters has no options: Name begins with, the others equal.
    filters.extend(call.list("Filters").iter().map(|filter| {
        let option = if filter["Key"] == "Name" {
            "BeginsWith"
        } else {
            "Equals"
        };
        json!({ "Key": filter["Key"], "Option": option, "Values": filter["Values"] })
    }));
    let page = page_of(
        call,
        (KIND, ""),
        |parameter: &Parameter| matches(call, parameter, &filters, KEYS),
        call.text("NextToken"),
        limit,
        invalid_token,
    )?;
    let parameters: Vec<_> = page
        .items
        .iter()
        .filter_map(|parameter| {
            parameter
                .versions
                .last()
                .map(|version| metadata(call, &parameter.name, version))
        })
        .collect();
    answer(json!({ "Parameters": parameters, "NextToken": page.next }))
}

pub fn matches(call: &Call<'_>, parameter: &Parameter, filters: &[Value], known: &[&str]) -> Result<bool, Fault> {
    let Some(version) = parameter.versions.last() else {
        return Ok(false);
    };
    for filter in filters {
        let key = filter["Key"].as_str().unwrap_or_default();
        let option = filter["Option"]
            .as_str()
            .unwrap_or(if key == "Path" { "OneLevel" } else { "Equals" });
        let values: Vec<&str> = filter["Values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let compare = |text: &str| match option {
            "BeginsWith" => Ok(values.iter().any(|value| text.starts_with(value))),
            "Contains" => Ok(values.iter().any(|value| text.contains(value))),
            "Equals" => Ok(values.contains(&text)),
            _ => Err(Fault::new(
                "InvalidFilterOption",
                format!("The filter option {option} is not valid for {key}."),
            )),
        };
        let hit = match key {
            "Path" => {
                let inside = |path: &&str| {
                    let prefix = if path.ends_with('/') {
                        (*path).to_owned()
                    } else {
                        format!("{path}/")
                    };
                    parameter
                        .name
                        .strip_prefix(&prefix)
                        .is_some_and(|rest| option == "Recursive" || !rest.contains('/'))
                };
                values.iter().any(inside)
            }
            _ if key.starts_with("tag:") && known.contains(&"Name") => {
                let tags = tags::of(call, &arn(call, &parameter.name))?;
                let tag = tags.get(key.trim_start_matches("tag:"));
                tag.is_some_and(|tag| values.is_empty() || values.contains(&tag.as_str()))
            }
            _ if !known.contains(&key) => {
                return Err(Fault::new(
                    "InvalidFilterKey",
                    format!("The specified key {key} isn't valid."),
                ));
            }
            "Name" => compare(&parameter.name)?,
            "Type" => compare(&version.kind)?,
            "KeyId" => version.key_id.as_deref().map(compare).transpose()?.unwrap_or_default(),
            "Tier" => compare(&version.tier)?,
            "DataType" => compare(&version.data_type)?,
            _ => parameter
                .versions
                .iter()
                .flat_map(|version| &version.labels)
                .any(|label| values.contains(&label.as_str())),
        };
        if !hit {
            return Ok(false);
        }
    }
    Ok(true)
}
