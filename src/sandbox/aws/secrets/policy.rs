//! The policy that is attached to a secret. It is kept and shown; whether it allows a call is not asked.
//!
//! Source: Secrets Manager API reference, `GetResourcePolicy`, `PutResourcePolicy`, `DeleteResourcePolicy`.

use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::{Secret, existing};

/// A policy, under its secret's name.
const KIND: &str = "secretsmanager/policy";

pub fn get(call: &Call<'_>) -> Answer {
    let secret = existing(call)?;
    let policy: Option<String> = call.store.get(KIND, &secret.name)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name, "ResourcePolicy": policy }))
}

pub fn put(call: &Call<'_>) -> Answer {
    only(call, &["SecretId", "ResourcePolicy"])?;
    let secret = existing(call)?;
    secret.not_deleted(MARKED)?;
    let text = call.text("ResourcePolicy");
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    if parsed.is_none_or(|policy| policy.get("Statement").is_none()) {
        return Err(Fault::new(
            "MalformedPolicyDocumentException",
            "This resource policy contains a syntax error.",
        ));
    }
    call.store.put(KIND, &secret.name, "", &text)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let secret = existing(call)?;
    secret.not_deleted(MARKED)?;
    forget(call, &secret)?;
    answer(json!({ "ARN": secret.arn, "Name": secret.name }))
}

/// Deletes the policy of a secret that is deleted.
pub fn forget(call: &Call<'_>, secret: &Secret) -> Result<(), Fault> {
    call.store.delete(KIND, &secret.name).map(|_| ())
}

const MARKED: &str = "You can't perform this operation on the secret because it was marked for deletion.";
