//! A secret is made.

use serde_json::json;
use std::collections::BTreeMap;

use super::super::answers::{answer, only, random};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{CURRENT, Secret, find, parameter, request, save, text};

/// Idempotent by `ClientRequestToken`: the same token with the same content answers the first call's result.
pub fn create(call: &Call<'_>) -> Answer {
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
