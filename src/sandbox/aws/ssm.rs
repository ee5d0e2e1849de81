//! Systems Manager Parameter Store.
//!
//! Source: the Systems Manager API reference, actions `PutParameter`, `GetParametersByPath`, `DescribeParameters` and
//! their neighbours. A value of type SecureString is sealed before it is written to the state.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::{answer, limit, only, page, seconds};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};

const KIND: &str = "ssm/parameter";

/// "Parameter Store retains 100 versions of a parameter."
const VERSIONS: usize = 100;
/// Characters of a value in the standard and in the advanced tier.
const STANDARD: usize = 4096;
const ADVANCED: usize = 8192;
/// "Hierarchies can have a maximum of fifteen levels."
const LEVELS: usize = 15;
/// "A parameter version can have a maximum of 10 labels."
const LABELS: usize = 10;
/// The key that encrypts a SecureString when the call names none.
const DEFAULT_KEY: &str = "alias/aws/ssm";

#[derive(Serialize, Deserialize)]
struct Parameter {
    name: String,
    versions: Vec<Version>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    number: i64,
    kind: String,
    /// Sealed when the type is SecureString.
    value: String,
    description: Option<String>,
    key_id: Option<String>,
    allowed_pattern: Option<String>,
    tier: String,
    data_type: String,
    modified: i64,
    labels: Vec<String>,
}

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "PutParameter" => put(call),
        "GetParameter" => get(call),
        "GetParameters" => get_many(call),
        "GetParametersByPath" => by_path(call),
        "GetParameterHistory" => history(call),
        "DescribeParameters" => describe(call),
        "DeleteParameter" => delete(call),
        "DeleteParameters" => delete_many(call),
        "LabelParameterVersion" => label(call),
        "AddTagsToResource" => add_tags(call),
        "RemoveTagsFromResource" => {
            let arn = arn_of_tagged(call)?;
            tags::remove(call, &arn, &call.texts("TagKeys"))?;
            answer(json!({}))
        }
        "ListTagsForResource" => {
            let arn = arn_of_tagged(call)?;
            answer(json!({ "TagList": tags::to_list(&tags::of(call, &arn)?) }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// Idempotent only with `Overwrite`; without it the second of two equal calls is refused, which is what makes a put
/// without overwrite usable as a lock.
fn put(call: &Call<'_>) -> Answer {
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

fn get(call: &Call<'_>) -> Answer {
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

fn get_many(call: &Call<'_>) -> Answer {
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

fn by_path(call: &Call<'_>) -> Answer {
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
    let mut below = Vec::new();
    for parameter in call.store.all::<Parameter>(KIND)? {
        let inside = parameter
            .name
            .strip_prefix(&prefix)
            .is_some_and(|rest| recursive || !rest.contains('/'));
        if inside
            && matches(
                call,
                &parameter,
                call.list("ParameterFilters"),
                &["Type", "KeyId", "Label"],
            )?
        {
            below.push(parameter);
        }
    }
    let page = page(
        below,
        |parameter| parameter.name.clone(),
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

fn history(call: &Call<'_>) -> Answer {
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

fn describe(call: &Call<'_>) -> Answer {
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
    let mut found = Vec::new();
    for parameter in call.store.all::<Parameter>(KIND)? {
        if matches(call, &parameter, &filters, KEYS)? {
            found.push(parameter);
        }
    }
    let page = page(
        found,
        |parameter| parameter.name.clone(),
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

fn delete(call: &Call<'_>) -> Answer {
    let name = call.text("Name");
    if !call.store.delete(KIND, name)? {
        return Err(Fault::new("ParameterNotFound", format!("Parameter {name} not found.")));
    }
    tags::clear(call, &arn(call, name))?;
    answer(json!({}))
}

fn delete_many(call: &Call<'_>) -> Answer {
    let names = call.texts("Names");
    at_most_ten(&names)?;
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in &names {
        if call.store.delete(KIND, name)? {
            tags::clear(call, &arn(call, name))?;
            deleted.push(name);
        } else {
            invalid.push(name);
        }
    }
    answer(json!({ "DeletedParameters": deleted, "InvalidParameters": invalid }))
}

fn label(call: &Call<'_>) -> Answer {
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

fn add_tags(call: &Call<'_>) -> Answer {
    let arn = arn_of_tagged(call)?;
    let added = tags::from_list(call.list("Tags"));
    tags::check(&added).map_err(|message| validation(&message))?;
    let mut all = tags::of(call, &arn)?;
    all.extend(added.clone());
    if all.len() > tags::MOST {
        return Err(Fault::new(
            "TooManyTagsError",
            "The maximum number of tags per resource is 50.",
        ));
    }
    tags::put(call, &arn, &added)?;
    answer(json!({}))
}

impl Parameter {
    /// The version that a selector names: a number, a label, or (without one) the newest.
    fn select(&self, selector: Option<&str>) -> Option<&Version> {
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

    fn view(&self, call: &Call<'_>, version: &Version, selector: Option<&str>, decrypt: bool) -> Result<Value, Fault> {
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
    fn text(&self, call: &Call<'_>, decrypt: bool) -> Result<String, Fault> {
        if self.kind != "SecureString" || !decrypt {
            return Ok(self.value.clone());
        }
        call.vault
            .unseal(&self.value)
            .map_err(|error| Fault::new("InternalServerError", error.message()).status(500))
    }
}

/// What ECS reads when a container's secret comes from a parameter. `name` may be a name or an ARN.
pub fn exists(call: &Call<'_>, name: &str) -> Result<bool, Fault> {
    let prefix = arn(call, "/");
    let name = name
        .strip_prefix(&prefix)
        .map_or_else(|| name.to_owned(), |rest| format!("/{rest}"));
    Ok(find(call, &name)?.is_some() || find(call, name.trim_start_matches('/'))?.is_some())
}

fn metadata(call: &Call<'_>, name: &str, version: &Version) -> Value {
    json!({
        "Name": name,
        "ARN": arn(call, name),
        "Type": version.kind,
        "KeyId": version.key_id,
        "LastModifiedDate": seconds(version.modified),
        "LastModifiedUser": format!("arn:aws:iam::{}:user/sandbox", call.account),
        "Description": version.description,
        "AllowedPattern": version.allowed_pattern,
        "Version": version.number,
        "Tier": version.tier,
        "Policies": [],
        "DataType": version.data_type,
    })
}

fn find(call: &Call<'_>, name: &str) -> Result<Option<Parameter>, Fault> {
    call.store.get(KIND, name)
}

fn existing(call: &Call<'_>, name: &str) -> Result<Parameter, Fault> {
    find(call, name)?.ok_or_else(|| Fault::new("ParameterNotFound", format!("Parameter {name} not found.")))
}

fn arn(call: &Call<'_>, name: &str) -> String {
    call.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

fn arn_of_tagged(call: &Call<'_>) -> Result<String, Fault> {
    let kind = call.text("ResourceType");
    if kind != "Parameter" {
        return Err(Fault::new(
            "InvalidResourceType",
            format!("the sandbox has no {kind} of Systems Manager"),
        ));
    }
    let name = call.text("ResourceId");
    match find(call, name)? {
        Some(_) => Ok(arn(call, name)),
        None => Err(Fault::new(
            "InvalidResourceId",
            format!("The resource ID \"{name}\" is not valid. Verify the ID and try again."),
        )),
    }
}

/// `name:3` and `name:label`; an ARN keeps its colons.
fn split(asked: &str) -> (&str, Option<&str>) {
    if asked.starts_with("arn:") {
        return (asked, None);
    }
    match asked.rsplit_once(':') {
        Some((name, selector)) => (name, Some(selector)),
        None => (asked, None),
    }
}

/// The rules for names: *Requirements and constraints for parameter names*.
fn check_name(call: &Call<'_>, name: &str) -> Result<(), Fault> {
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

fn matches(call: &Call<'_>, parameter: &Parameter, filters: &[Value], known: &[&str]) -> Result<bool, Fault> {
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

/// The length of a page, refused when it is above what the operation allows.
fn bounded(call: &Call<'_>, default: usize, most: usize) -> Result<usize, Fault> {
    let asked = limit(call, "MaxResults", default);
    if asked > most {
        return Err(validation(&format!(
            "1 validation error detected: Value '{asked}' at 'maxResults' failed to satisfy constraint: Member must have \
             value less than or equal to {most}"
        )));
    }
    Ok(asked)
}

fn at_most_ten(names: &[String]) -> Result<(), Fault> {
    if names.len() > 10 {
        return Err(validation(&format!(
            "1 validation error detected: Value '[{}]' at 'names' failed to satisfy constraint: Member must have length \
             less than or equal to 10",
            names.join(", ")
        )));
    }
    Ok(())
}

fn validation(message: &str) -> Fault {
    Fault::new("ValidationException", message)
}

fn invalid_token() -> Fault {
    Fault::new("InvalidNextToken", "The specified token is not valid.")
}
