//! Secrets Manager.
//!
//! Source: the Secrets Manager API reference. Values are sealed before they are written to the state. A secret whose
//! deletion is scheduled blocks its name until the recovery window is over, or until it is restored.

mod create;
mod delete;
mod list;
mod password;
mod policy;
mod stage;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::answers::answer;
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};
use create::create;
use delete::{delete, restore};
use list::{describe, list};
use password::random_password;
use stage::{list_versions, move_stage};
use value::{batch_get, get_value, put_value, update};

const KIND: &str = "secretsmanager/secret";

const CURRENT: &str = "AWSCURRENT";

const PREVIOUS: &str = "AWSPREVIOUS";

const DAY: i64 = 24 * 60 * 60 * 1000;

/// "Staging labels ... A secret can have up to 20", `PutSecretValue`.
const STAGES: usize = 20;

/// `SecretString`: at most 65,536 bytes.
const LONGEST: usize = 65_536;

#[derive(Clone, Serialize, Deserialize)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    kms_key_id: Option<String>,
    created: i64,
    changed: i64,
    accessed: Option<i64>,
    /// When its deletion was asked for, and when the recovery window ends.
    deleted: Option<(i64, i64)>,
    versions: BTreeMap<String, Version>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    /// Sealed. Binary values are base64 text before they are sealed.
    value: String,
    binary: bool,
    created: i64,
    stages: Vec<String>,
}

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "CreateSecret" => create(call),
        "GetSecretValue" => get_value(call),
        "BatchGetSecretValue" => batch_get(call),
        "PutSecretValue" => put_value(call),
        "UpdateSecret" => update(call),
        "UpdateSecretVersionStage" => move_stage(call),
        "DescribeSecret" => describe(call),
        "ListSecrets" => list(call),
        "ListSecretVersionIds" => list_versions(call),
        "DeleteSecret" => delete(call),
        "RestoreSecret" => restore(call),
        "GetRandomPassword" => random_password(call),
        "GetResourcePolicy" => policy::get(call),
        "PutResourcePolicy" => policy::put(call),
        "DeleteResourcePolicy" => policy::delete(call),
        "TagResource" => {
            let secret = existing(call)?;
            let added = tags::from_list(call.list("Tags"));
            tags::check(&added).map_err(|message| parameter(&message))?;
            let mut all = tags::of(call, &secret.arn)?;
            all.extend(added.clone());
            if all.len() > tags::MOST {
                return Err(Fault::new(
                    "LimitExceededException",
                    "A secret can have at most 50 tags.",
                ));
            }
            tags::put(call, &secret.arn, &added)?;
            answer(json!({}))
        }
        "UntagResource" => {
            let secret = existing(call)?;
            tags::remove(call, &secret.arn, &call.texts("TagKeys"))?;
            answer(json!({}))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

impl Secret {
    fn alive(&self, now: i64) -> bool {
        self.deleted.is_none_or(|(_, end)| now < end)
    }

    fn not_deleted(&self, message: &str) -> Result<(), Fault> {
        if self.deleted.is_some() {
            Err(request(message))
        } else {
            Ok(())
        }
    }

    fn with_stage(&self, stage: &str) -> Option<(&str, &Version)> {
        let holds = |version: &Version| version.stages.iter().any(|other| other == stage);
        self.versions
            .iter()
            .find(|(_, version)| holds(version))
            .map(|(id, version)| (id.as_str(), version))
    }

    fn stages(&self) -> Value {
        let staged = self.versions.iter().filter(|(_, version)| !version.stages.is_empty());
        staged
            .map(|(id, version)| (id.clone(), json!(version.stages)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Moves a label. The version that loses AWSCURRENT gets AWSPREVIOUS.
    fn attach(&mut self, id: &str, stage: &str) {
        let holder = self.with_stage(stage).map(|(id, _)| id.to_owned());
        if holder.as_deref() == Some(id) {
            return;
        }
        for version in self.versions.values_mut() {
            version.stages.retain(|other| other != stage);
        }
        if let Some(version) = self.versions.get_mut(id) {
            version.stages.push(stage.to_owned());
        }
        if stage == CURRENT
            && let Some(holder) = holder
        {
            self.attach(&holder, PREVIOUS);
        }
    }

    /// Adds the version that the call carries, if it carries one. Idempotent by the token: the same value again changes
    /// nothing, another value is refused.
    fn add(&mut self, call: &Call<'_>, stages: &[String]) -> Result<Option<String>, Fault> {
        let binary = call.input.contains_key("SecretBinary");
        if binary && call.input.contains_key("SecretString") {
            return Err(parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
        if !binary && !call.input.contains_key("SecretString") {
            return Ok(None);
        }
        let value = call.text(if binary { "SecretBinary" } else { "SecretString" });
        if value.len() > LONGEST {
            return Err(Fault::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have \
                     length less than or equal to {LONGEST}"
                ),
            ));
        }
        if stages.len() > STAGES {
            return Err(Fault::new(
                "LimitExceededException",
                "A secret version can have at most 20 staging labels.",
            ));
        }
        let id = text(call, "ClientRequestToken").unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        if let Some(version) = self.versions.get(&id) {
            return match version.holds(call)? {
                true => Ok(Some(id)),
                false => Err(Fault::new(
                    "ResourceExistsException",
                    format!(
                        "You can't use ClientRequestToken {id} because that value is already in use for a version of \
                         secret {}.",
                        self.arn
                    ),
                )),
            };
        }
        let version = Version {
            value: call.vault.seal(value),
            binary,
            created: call.now,
            stages: Vec::new(),
        };
        self.versions.insert(id.clone(), version);
        for stage in stages {
            self.attach(&id, stage);
        }
        // A first version is always the current one.
        if self.with_stage(CURRENT).is_none() {
            self.attach(&id, CURRENT);
        }
        // Versions without labels are deprecated: "Secrets Manager can delete them".
        if self.versions.len() > 100 {
            let oldest = self.versions.iter().filter(|(_, version)| version.stages.is_empty());
            let oldest = oldest
                .min_by_key(|(_, version)| version.created)
                .map(|(id, _)| id.clone());
            oldest.and_then(|id| self.versions.remove(&id));
        }
        Ok(Some(id))
    }
}

impl Version {
    fn open(&self, call: &Call<'_>) -> Result<String, Fault> {
        call.vault
            .unseal(&self.value)
            .map_err(|error| Fault::new("DecryptionFailure", error.message()))
    }

    /// Whether it has the value that the call carries.
    fn holds(&self, call: &Call<'_>) -> Result<bool, Fault> {
        let member = if self.binary { "SecretBinary" } else { "SecretString" };
        Ok(call.input.contains_key(member) && self.open(call)? == call.text(member))
    }
}

/// What ECS finds when a container's secret comes from here. Each with the secret's whole ARN.
pub enum Lookup {
    Found(String),
    Missing,
    /// Its deletion is scheduled.
    Deleted(String),
    NoVersion(String),
    /// Its value is no JSON object with that key.
    NoKey(String, String),
}

/// Looks for a secret by name, ARN or partial ARN, which may go on with `:json-key:version-stage:version-id`.
pub fn look_up(call: &Call<'_>, id: &str) -> Result<Lookup, Fault> {
    let parts: Vec<&str> = id.split(':').collect();
    let part = |place: usize| parts.get(place).copied().unwrap_or_default();
    let (secret, [key, stage, version]) = match parts.get(..7) {
        Some(arn) if id.starts_with("arn:") => (arn.join(":"), [part(7), part(8), part(9)]),
        _ => (id.to_owned(), [""; 3]),
    };
    let Some(secret) = find(call, &secret)? else {
        return Ok(Lookup::Missing);
    };
    if secret.deleted.is_some() {
        return Ok(Lookup::Deleted(secret.arn));
    }
    let found = match (version, stage) {
        ("", "") => secret.with_stage(CURRENT).map(|(_, version)| version),
        ("", stage) => secret.with_stage(stage).map(|(_, version)| version),
        (id, _) => secret.versions.get(id),
    };
    let Some(version) = found else {
        return Ok(Lookup::NoVersion(secret.arn));
    };
    if key.is_empty() {
        return Ok(Lookup::Found(secret.arn));
    }
    let document: Option<Value> = serde_json::from_str(&version.open(call)?).ok();
    match document.and_then(|document| document.get(key).cloned()) {
        Some(_) => Ok(Lookup::Found(secret.arn)),
        None => Ok(Lookup::NoKey(secret.arn, key.to_owned())),
    }
}

/// By name, ARN, or ARN without its six random characters.
fn find(call: &Call<'_>, id: &str) -> Result<Option<Secret>, Fault> {
    let mut found = call.store.get::<Secret>(KIND, id)?;
    if found.is_none()
        && let Some((_, rest)) = id.split_once(":secret:")
    {
        found = call.store.get::<Secret>(KIND, rest)?;
        if found.is_none()
            && let Some((name, _)) = rest.rsplit_once('-')
        {
            found = call.store.get::<Secret>(KIND, name)?.filter(|secret| secret.arn == id);
        }
    }
    match found {
        Some(secret) if !secret.alive(call.now) => {
            call.store.delete(KIND, &secret.name)?;
            policy::forget(call, &secret)?;
            tags::clear(call, &secret.arn)?;
            Ok(None)
        }
        found => Ok(found),
    }
}

/// Whether there is the secret of an ARN.
pub fn has(call: &Call<'_>, arn: &str) -> Result<bool, Fault> {
    Ok(find(call, arn)?.is_some_and(|secret| secret.arn == arn))
}

fn existing(call: &Call<'_>) -> Result<Secret, Fault> {
    find(call, call.text("SecretId"))?.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
}

fn save(call: &Call<'_>, secret: &Secret) -> Result<(), Fault> {
    call.store.put(KIND, &secret.name, "", secret)
}

fn text(call: &Call<'_>, member: &str) -> Option<String> {
    Some(call.text(member))
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn not_found(message: &str) -> Fault {
    Fault::new("ResourceNotFoundException", message)
}

fn request(message: &str) -> Fault {
    Fault::new("InvalidRequestException", message)
}

fn parameter(message: &str) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn invalid_token() -> Fault {
    Fault::new("InvalidNextTokenException", "The NextToken value is invalid.")
}
