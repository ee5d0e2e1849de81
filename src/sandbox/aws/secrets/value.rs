//! Values: read and written.

use serde_json::json;

use super::super::answers::{answer, limit, only, page, seconds};
use super::super::call::{Answer, Call};
use super::list::filtered;
use super::{CURRENT, DAY, Secret, Version, existing, find, invalid_token, not_found, request, save, text};

pub fn get_value(call: &Call<'_>) -> Answer {
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

pub fn batch_get(call: &Call<'_>) -> Answer {
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

pub fn secret_value(call: &Call<'_>, secret: &Secret, id: &str, version: &Version) -> Answer {
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

pub fn put_value(call: &Call<'_>) -> Answer {
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

pub fn update(call: &Call<'_>) -> Answer {
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
