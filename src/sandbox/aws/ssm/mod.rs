//! Systems Manager Parameter Store.
//!
//! Source: the Systems Manager API reference, actions `PutParameter`, `GetParametersByPath`, `DescribeParameters` and
//! their neighbours. A value of type SecureString is sealed before it is written to the state.

mod describe;
mod get;
mod label;
mod put;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::{answer, limit, seconds};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};
use describe::describe;
use get::{by_path, get, get_many, history};
use label::{label, unlabel};
use put::put;

const KIND: &str = "ssm/parameter";

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
        "UnlabelParameterVersion" => unlabel(call),
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

/// By name, or by the ARN, which has no other slash before the name than the name's own.
fn find(call: &Call<'_>, id: &str) -> Result<Option<Parameter>, Fault> {
    let Some(rest) = id.strip_prefix(&arn(call, "")) else {
        return call.store.get(KIND, id);
    };
    match call.store.get(KIND, &format!("/{rest}"))? {
        Some(parameter) => Ok(Some(parameter)),
        None => call.store.get(KIND, rest),
    }
}

/// Whether there is what an ARN names behind its account.
pub fn has(call: &Call<'_>, rest: &str) -> Result<bool, Fault> {
    let name = rest.strip_prefix("parameter/").unwrap_or_default();
    Ok(find(call, &arn(call, name))?.is_some())
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
