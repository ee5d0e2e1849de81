//! Values: by name, by path, and of the past.

use serde_json::{Value, json};

use super::super::answers::{answer, page, page_of, seconds};
use super::super::call::{Answer, Call, Fault};
use super::describe::matches;
use super::{KIND, Parameter, Version, arn, at_most_ten, bounded, existing, find, invalid_token, metadata, validation};

pub fn get(call: &Call<'_>) -> Answer {
    let asked = call.text("Name");
    let (name, selector) = split(asked);
    let not_found = || Fault::new("ParameterNotFound", format!("Parameter {name} not found."));
    let parameter = find(call, name)?.ok_or_else(not_found)?;
    let Some(version) = parameter.select(selector) else {
        return Err(Fault::new(
            "ParameterVersionNotFound",
            format!(
                "Systems Manager could not find version {} of {name}.",
                selector.unwrap_or_default()
            ),
        ));
    };
    answer(json!({ "Parameter": parameter.view(call, version, selector, call.flag("WithDecryption"))? }))
}

pub fn get_many(call: &Call<'_>) -> Answer {
    let names = call.texts("Names");
    at_most_ten(&names)?;
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for asked in &names {
        let (name, selector) = split(asked);
        match find(call, name)? {
            Some(parameter) => match parameter.select(selector) {
                Some(version) => found.push(parameter.view(call, version, selector, call.flag("WithDecryption"))?),
                None => invalid.push(asked),
            },
            None => invalid.push(asked),
        }
    }
    answer(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

pub fn by_path(call: &Call<'_>) -> Answer {
    let path = call.text("Path");
    if !path.starts_with('/') {
        return Err(validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward \
             slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, \
             numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not \
             allowed. All sub-paths, if specified, must use the forward slash symbol \"/\".",
        ));
    }
    let limit = bounded(call, 10, 10)?;
    let prefix = if path.ends_with('/') {
        path.to_owned()
    } else {
        format!("{path}/")
    };
    let recursive = call.flag("Recursive");
    let page = page_of(
        call,
        (KIND, &prefix),
        |parameter: &Parameter| {
            let inside = parameter
                .name
                .strip_prefix(&prefix)
                .is_some_and(|rest| recursive || !rest.contains('/'));
            Ok(inside
                && matches(
                    call,
                    parameter,
                    call.list("ParameterFilters"),
                    &["Type", "KeyId", "Label"],
                )?)
        },
        call.text("NextToken"),
        limit,
        invalid_token,
    )?;
    let label = call
        .list("ParameterFilters")
        .iter()
        .find(|filter| filter["Key"] == "Label");
    let label = label.and_then(|filter| filter["Values"][0].as_str());
    let mut parameters = Vec::new();
    for parameter in &page.items {
        if let Some(version) = parameter.select(label) {
            parameters.push(parameter.view(call, version, None, call.flag("WithDecryption"))?);
        }
    }
    answer(json!({ "Parameters": parameters, "NextToken": page.next }))
}

pub fn history(call: &Call<'_>) -> Answer {
    let parameter = existing(call, call.text("Name"))?;
    let limit = bounded(call, 50, 50)?;
    let key = |version: &Version| format!("{:020}", version.number);
    let page = page(
        parameter.versions.clone(),
        key,
        call.text("NextToken"),
        limit,
        invalid_token,
    )?;
    let mut versions = Vec::new();
    for version in &page.items {
        let mut view = metadata(call, &parameter.name, version);
        view["Value"] = json!(version.text(call, call.flag("WithDecryption"))?);
        view["Labels"] = json!(version.labels);
        versions.push(view);
    }
    answer(json!({ "Parameters": versions, "NextToken": page.next }))
}

impl Parameter {
    /// The version that a selector names: a number, a label, or (without one) the newest.
    pub fn select(&self, selector: Option<&str>) -> Option<&Version> {
        match selector {
            None => self.versions.last(),
            Some(text) => match text.parse::<i64>() {
                Ok(number) => self.versions.iter().find(|version| version.number == number),
                Err(_) => self
                    .versions
                    .iter()
                    .find(|version| version.labels.iter().any(|label| label == text)),
            },
        }
    }

    pub fn view(
        &self,
        call: &Call<'_>,
        version: &Version,
        selector: Option<&str>,
        decrypt: bool,
    ) -> Result<Value, Fault> {
        Ok(json!({
            "Name": self.name,
            "Type": version.kind,
            "Value": version.text(call, decrypt)?,
            "Version": version.number,
            "Selector": selector.map(|selector| format!(":{selector}")),
            "LastModifiedDate": seconds(version.modified),
            "ARN": arn(call, &self.name),
            "DataType": version.data_type,
        }))
    }
}

impl Version {
    /// The value; undecrypted, a SecureString shows the text under which the state keeps it.
    pub fn text(&self, call: &Call<'_>, decrypt: bool) -> Result<String, Fault> {
        if self.kind != "SecureString" || !decrypt {
            return Ok(self.value.clone());
        }
        call.vault
            .unseal(&self.value)
            .map_err(|error| Fault::new("InternalServerError", error.message()).status(500))
    }
}

/// `name:3` and `name:label`; an ARN keeps its colons.
pub fn split(asked: &str) -> (&str, Option<&str>) {
    // An ARN has five colons of its own.
    if asked.starts_with("arn:") && asked.matches(':').count() <= 5 {
        return (asked, None);
    }
    match asked.rsplit_once(':') {
        Some((name, selector)) => (name, Some(selector)),
        None => (asked, None),
    }
}
