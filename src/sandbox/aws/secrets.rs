//! Secrets Manager.
//!
//! Source: the Secrets Manager API reference. Values are sealed before they are written to the state. A secret whose
//! deletion is scheduled blocks its name until the recovery window is over, or until it is restored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::{answer, limit, only, page, random, seconds};
use super::call::{Answer, Call, Fault};
use super::{dispatch, tags};

const KIND: &str = "secretsmanager/secret";

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const DAY: i64 = 24 * 60 * 60 * 1000;
/// "Staging labels ... A secret can have up to 20", `PutSecretValue`.
const STAGES: usize = 20;
/// `SecretString`: at most 65,536 bytes.
const LONGEST: usize = 65_536;
const PUNCTUATION: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

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
        "TagResource" => {
            let secret = existing(call)?;
            let added = tags::from_list(call.list("Tags"));
            tags::check(&added).map_err(|message| parameter(&message))?;
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

/// Idempotent by `ClientRequestToken`: the same token with the same content answers the first call's result.
fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "Name",
            "ClientRequestToken",
            "Description",
            "KmsKeyId",
            "SecretBinary",
            "SecretString",
            "Tags",
        ],
    )?;
    let name = call.text("Name");
    if name.is_empty() || name.len() > 512 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
    {
        return Err(Fault::new(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    let token = call.text("ClientRequestToken");
    if let Some(secret) = find(call, name)? {
        if secret.deleted.is_some() {
            return Err(request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ));
        }
        let same = secret
            .versions
            .get(token)
            .map(|version| version.holds(call))
            .transpose()?
            .unwrap_or_default();
        return match same {
            true => answer(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": token })),
            false => Err(Fault::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            )),
        };
    }
    let wanted = tags::from_list(call.list("Tags"));
    tags::check(&wanted).map_err(|message| parameter(&message))?;
    // The six characters keep the ARN of a secret from being that of an earlier one of the same name.
    let suffix = random(6, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    let mut secret = Secret {
        arn: call.arn("secretsmanager", &format!("secret:{name}-{suffix}")),
        name: name.to_owned(),
        description: text(call, "Description"),
        kms_key_id: text(call, "KmsKeyId"),
        created: call.now,
        changed: call.now,
        accessed: None,
        deleted: None,
        versions: BTreeMap::new(),
    };
    let version = secret.add(call, &[CURRENT.to_owned()])?;
    save(call, &secret)?;
    tags::put(call, &secret.arn, &wanted)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version }))
}

fn get_value(call: &Call<'_>) -> Answer {
    let mut secret = existing(call)?;
    secret.not_deleted("You can't perform this operation on the secret because it was marked for deletion.")?;
    let (id, stage) = (call.text("VersionId"), call.text("VersionStage"));
    let found = match (id, stage) {
        ("", stage) => {
            let stage = if stage.is_empty() { CURRENT } else { stage };
            secret.with_stage(stage).ok_or_else(|| {
                not_found(&format!(
                    "Secrets Manager can't find the specified secret value for staging label: {stage}"
                ))
            })
        }
        (id, stage) => secret
            .versions
            .get_key_value(id)
            .filter(|(_, version)| stage.is_empty() || version.stages.iter().any(|other| other == stage))
            .map(|(id, version)| (id.as_str(), version))
            .ok_or_else(|| {
                not_found(&format!(
                    "Secrets Manager can't find the specified secret value for VersionId: {id}"
                ))
            }),
    };
    let (id, version) = found?;
    let value = secret_value(call, &secret, id, version)?;
    // "Secrets Manager truncates the date to the day": a read writes at most once a day.
    let today = call.now - call.now.rem_euclid(DAY);
    if secret.accessed != Some(today) {
        secret.accessed = Some(today);
        save(call, &secret)?;
    }
    answer(value)
}

fn batch_get(call: &Call<'_>) -> Answer {
    let limit = limit(call, "MaxResults", 20);
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    let mut wanted = Vec::new();
    for id in call.texts("SecretIdList") {
        match find(call, &id)? {
            Some(secret) => wanted.push(secret),
            None => errors.push(json!({
                "SecretId": id,
                "ErrorCode": "ResourceNotFoundException",
                "Message": "Secrets Manager can't find the specified secret.",
            })),
        }
    }
    if !call.list("Filters").is_empty() {
        wanted.extend(filtered(call)?);
    }
    wanted.retain(|secret| secret.deleted.is_none());
    let page = page(
        wanted,
        |secret| secret.name.clone(),
        call.text("NextToken"),
        limit,
        invalid_token,
    )?;
    for secret in &page.items {
        if let Some((id, version)) = secret.with_stage(CURRENT) {
            values.push(secret_value(call, secret, id, version)?);
        }
    }
    answer(json!({ "SecretValues": values, "Errors": errors, "NextToken": page.next }))
}

fn secret_value(call: &Call<'_>, secret: &Secret, id: &str, version: &Version) -> Answer {
    let value = version.open(call)?;
    let member = if version.binary { "SecretBinary" } else { "SecretString" };
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": id,
        member: value,
        "VersionStages": version.stages,
        "CreatedDate": seconds(version.created),
    }))
}

fn put_value(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "SecretId",
            "ClientRequestToken",
            "SecretBinary",
            "SecretString",
            "VersionStages",
        ],
    )?;
    let mut secret = existing(call)?;
    secret.not_deleted("You can't perform this operation on the secret because it was marked for deletion.")?;
    if !call.input.contains_key("SecretString") && !call.input.contains_key("SecretBinary") {
        return Err(request("You must provide either SecretString or SecretBinary."));
    }
    let stages = match call.texts("VersionStages") {
        stages if stages.is_empty() => vec![CURRENT.to_owned()],
        stages => stages,
    };
    let id = secret.add(call, &stages)?.unwrap_or_default();
    secret.changed = call.now;
    save(call, &secret)?;
    let stages = secret
        .versions
        .get(&id)
        .map(|version| version.stages.clone())
        .unwrap_or_default();
    answer(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": id, "VersionStages": stages }))
}

fn update(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "SecretId",
            "ClientRequestToken",
            "Description",
            "KmsKeyId",
            "SecretBinary",
            "SecretString",
        ],
    )?;
    let mut secret = existing(call)?;
    secret.not_deleted("You can't perform this operation on the secret because it was marked for deletion.")?;
    if call.input.contains_key("Description") {
        secret.description = text(call, "Description");
    }
    if let Some(key) = text(call, "KmsKeyId") {
        secret.kms_key_id = Some(key);
    }
    let version = secret.add(call, &[CURRENT.to_owned()])?;
    secret.changed = call.now;
    save(call, &secret)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version }))
}

fn move_stage(call: &Call<'_>) -> Answer {
    let mut secret = existing(call)?;
    secret.not_deleted("You can't perform this operation on the secret because it was marked for deletion.")?;
    let stage = call.text("VersionStage").to_owned();
    let (from, to) = (call.text("RemoveFromVersionId"), call.text("MoveToVersionId"));
    let holder = secret.with_stage(&stage).map(|(id, _)| id.to_owned());
    if let Some(holder) = &holder
        && from != holder
        && to != holder
    {
        return Err(parameter(&format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version \
             {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )));
    }
    if stage == CURRENT && to.is_empty() {
        return Err(parameter(
            "You can't remove the staging label AWSCURRENT from a version without moving it to another.",
        ));
    }
    if !to.is_empty() {
        if !secret.versions.contains_key(to) {
            return Err(not_found("Secrets Manager can't find the specified secret version."));
        }
        secret.attach(to, &stage);
    } else if let Some(version) = secret.versions.get_mut(from) {
        version.stages.retain(|other| *other != stage);
    }
    secret.changed = call.now;
    save(call, &secret)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name }))
}

fn describe(call: &Call<'_>) -> Answer {
    let secret = existing(call)?;
    let mut view = secret.view(call)?;
    view["VersionIdsToStages"] = secret.stages();
    answer(view)
}

fn list(call: &Call<'_>) -> Answer {
    let planned = call.flag("IncludePlannedDeletion");
    let mut secrets = filtered(call)?;
    secrets.retain(|secret| planned || secret.deleted.is_none());
    let descending = call.text("SortOrder") == "desc";
    let key = |secret: &Secret| {
        let date = match call.text("SortBy") {
            "name" => return secret.name.clone(),
            "last-changed-date" => secret.changed,
            "last-accessed-date" => secret.accessed.unwrap_or_default(),
            _ => secret.created,
        };
        // Sorted ascending by one key: a descending order counts backwards.
        let date = if descending { i64::MAX - date } else { date };
        format!("{date:020} {}", secret.name)
    };
    let page = page(
        secrets,
        key,
        call.text("NextToken"),
        limit(call, "MaxResults", 100),
        invalid_token,
    )?;
    let mut views = Vec::new();
    for secret in &page.items {
        let mut view = secret.view(call)?;
        view["SecretVersionsToStages"] = secret.stages();
        views.push(view);
    }
    answer(json!({ "SecretList": views, "NextToken": page.next }))
}

fn filtered(call: &Call<'_>) -> Result<Vec<Secret>, Fault> {
    let mut found = Vec::new();
    'secrets: for secret in call.store.all::<Secret>(KIND)? {
        if !secret.alive(call.now) {
            continue;
        }
        let tags = tags::of(call, &secret.arn)?;
        for filter in call.list("Filters") {
            // "!" before a value negates it.
            let any = |test: &dyn Fn(&str) -> bool| {
                filter["Values"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .any(|value| match value.strip_prefix('!') {
                        Some(value) => !test(value),
                        None => test(value),
                    })
            };
            let description = secret.description.clone().unwrap_or_default();
            let words = |text: &str, value: &str| {
                text.to_lowercase()
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word.starts_with(&value.to_lowercase()))
            };
            let hit = match filter["Key"].as_str().unwrap_or_default() {
                "name" => any(&|value| secret.name.starts_with(value)),
                "description" => any(&|value| words(&description, value)),
                "tag-key" => any(&|value| tags.keys().any(|key| key.starts_with(value))),
                "tag-value" => any(&|value| tags.values().any(|tag| tag.starts_with(value))),
                "primary-region" => any(&|value| call.region.starts_with(value)),
                "owning-service" => any(&|_| false),
                "all" => any(&|value| {
                    secret.name.to_lowercase().contains(&value.to_lowercase())
                        || words(&description, value)
                        || tags.iter().any(|(k, v)| words(k, value) || words(v, value))
                }),
                other => return Err(parameter(&format!("Invalid filter key: {other}"))),
            };
            if !hit {
                continue 'secrets;
            }
        }
        found.push(secret);
    }
    Ok(found)
}

fn list_versions(call: &Call<'_>) -> Answer {
    let secret = existing(call)?;
    let deprecated = call.flag("IncludeDeprecated");
    let versions: Vec<_> = secret
        .versions
        .iter()
        .filter(|(_, version)| deprecated || !version.stages.is_empty())
        .map(|(id, version)| (id.clone(), version.clone()))
        .collect();
    let page = page(
        versions,
        |(id, _)| id.clone(),
        call.text("NextToken"),
        limit(call, "MaxResults", 100),
        invalid_token,
    )?;
    let versions: Vec<_> = page
        .items
        .iter()
        .map(|(id, version)| {
            json!({ "VersionId": id, "VersionStages": version.stages, "CreatedDate": seconds(version.created) })
        })
        .collect();
    answer(json!({ "Versions": versions, "ARN": secret.arn, "Name": secret.name, "NextToken": page.next }))
}

fn delete(call: &Call<'_>) -> Answer {
    let window = call.int("RecoveryWindowInDays");
    let force = call.flag("ForceDeleteWithoutRecovery");
    if force && window.is_some() {
        return Err(parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let days = window.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let id = call.text("SecretId");
    let Some(mut secret) = find(call, id)? else {
        // "If you forcibly delete an already deleted or nonexistent secret, the operation does not return
        // ResourceNotFoundException."
        if force {
            let arn = call.arn("secretsmanager", &format!("secret:{id}"));
            return answer(json!({ "ARN": arn, "Name": id, "DeletionDate": seconds(call.now) }));
        }
        return Err(not_found("Secrets Manager can't find the specified secret."));
    };
    if force {
        call.store.delete(KIND, &secret.name)?;
        tags::clear(call, &secret.arn)?;
        return answer(json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(call.now) }));
    }
    secret
        .not_deleted("You can't perform this operation on the secret because it was already scheduled for deletion.")?;
    let end = call.now + days * DAY;
    secret.deleted = Some((call.now, end));
    save(call, &secret)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(end) }))
}

/// Idempotent: a secret that is not scheduled for deletion stays as it is.
fn restore(call: &Call<'_>) -> Answer {
    let mut secret = existing(call)?;
    secret.deleted = None;
    save(call, &secret)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name }))
}

fn random_password(call: &Call<'_>) -> Answer {
    let length = call.int("PasswordLength").unwrap_or(32);
    let excluded = call.text("ExcludeCharacters").as_bytes();
    let mut kinds: Vec<Vec<u8>> = Vec::new();
    for (off, alphabet) in [
        ("ExcludeLowercase", &b"abcdefghijklmnopqrstuvwxyz"[..]),
        ("ExcludeUppercase", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", b"0123456789"),
        ("ExcludePunctuation", PUNCTUATION),
    ] {
        let alphabet: Vec<u8> = alphabet
            .iter()
            .copied()
            .filter(|byte| !excluded.contains(byte))
            .collect();
        if !call.flag(off) && !alphabet.is_empty() {
            kinds.push(alphabet);
        }
    }
    if call.flag("IncludeSpace") {
        kinds.push(b" ".to_vec());
    }
    let all: Vec<u8> = kinds.concat();
    let length = usize::try_from(length)
        .ok()
        .filter(|length| (1..=4096).contains(length));
    let (Some(length), false) = (length, all.is_empty()) else {
        return Err(parameter(
            "The password length must be between 1 and 4096, with at least one type of character.",
        ));
    };
    let each = call
        .input
        .get("RequireEachIncludedType")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if each && length < kinds.len() {
        return Err(parameter(
            "The password length is too short to have each included type of character.",
        ));
    }
    // Drawn again until each type is there: no place in the password is then more likely to hold one type.
    let mut password = random(length, &all);
    while each
        && !kinds
            .iter()
            .all(|kind| password.bytes().any(|byte| kind.contains(&byte)))
    {
        password = random(length, &all);
    }
    answer(json!({ "RandomPassword": password }))
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

    fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
        Ok(json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.kms_key_id,
            "LastChangedDate": seconds(self.changed),
            "LastAccessedDate": self.accessed.map(seconds),
            "DeletedDate": self.deleted.map(|(asked, _)| seconds(asked)),
            "Tags": tags::to_list(&tags::of(call, &self.arn)?),
            "CreatedDate": seconds(self.created),
        }))
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

/// What ECS reads when a container's secret comes from here: whether the name, ARN or partial ARN has a current value.
/// An ARN may be followed by `:json-key:version-stage:version-id`.
pub fn current(call: &Call<'_>, id: &str) -> Result<Option<String>, Fault> {
    let parts: Vec<&str> = id.split(':').collect();
    let (secret, key) = match parts.get(..7) {
        Some(arn) if id.starts_with("arn:") => (arn.join(":"), parts.get(7).copied().unwrap_or_default()),
        _ => (id.to_owned(), ""),
    };
    let Some(secret) = find(call, &secret)?.filter(|secret| secret.deleted.is_none()) else {
        return Ok(None);
    };
    let Some((_, version)) = secret.with_stage(CURRENT) else {
        return Ok(None);
    };
    let value = version.open(call)?;
    if key.is_empty() {
        return Ok(Some(value));
    }
    let document: Option<Value> = serde_json::from_str(&value).ok();
    Ok(document.and_then(|document| document.get(key).map(Value::to_string)))
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
            tags::clear(call, &secret.arn)?;
            Ok(None)
        }
        found => Ok(found),
    }
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
