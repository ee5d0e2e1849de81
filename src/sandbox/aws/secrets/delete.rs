//! Scheduled deletion and its end.

use serde_json::json;

use super::super::answers::{answer, seconds};
use super::super::call::{Answer, Call};
use super::super::tags;
use super::{DAY, KIND, existing, find, not_found, parameter, policy, save};

pub fn delete(call: &Call<'_>) -> Answer {
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
        policy::forget(call, &secret)?;
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
pub fn restore(call: &Call<'_>) -> Answer {
    let mut secret = existing(call)?;
    secret.deleted = None;
    save(call, &secret)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name }))
}
