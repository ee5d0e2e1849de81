//! Secrets of a container: from Secrets Manager (`asm`) and from Parameter Store (`ssm`).
//!
//! Source: developer guide, *Pass Secrets Manager secrets through environment variables* (the ARN may go on with
//! `:json-key:version-stage:version-id`), *Pass Systems Manager parameters*.

use serde_json::Value;

use super::super::super::call::{Call, Fault};
use super::super::super::ec2::reach;
use super::super::super::rules::{self, Condition};
use super::super::super::secrets::Lookup;
use super::super::super::{secrets, ssm};
use super::{Ground, failed};

const FAILED: &str = "ResourceInitializationError: unable to pull secrets or registry auth:";
const RETRIED: &str = "execution resource retrieval failed: unable to retrieve";
const ONCE: &str = "service call has been retried 1 time(s):";

/// What keeps a task from a container's secrets.
pub fn refused(call: &Call<'_>, ground: &Ground<'_>, container: &Value) -> Result<Option<String>, Fault> {
    for secret in container["secrets"].as_array().into_iter().flatten() {
        let from = secret["valueFrom"].as_str().unwrap_or_default();
        let reason = if from.contains(":secretsmanager:") {
            of_secret(call, ground, from)?
        } else {
            of_parameter(call, ground, from)?
        };
        if reason.is_some() {
            return Ok(reason);
        }
    }
    Ok(None)
}

fn of_secret(call: &Call<'_>, ground: &Ground<'_>, from: &str) -> Result<Option<String>, Fault> {
    let parts: Vec<&str> = from.split(':').collect();
    let id = parts.get(..7).map_or_else(|| from.to_owned(), |arn| arn.join(":"));
    if !reach::service(call, ground.interface, "secretsmanager", ground.at)? {
        return Ok(Some(format!(
            "{FAILED} unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets \
             Manager. Check your task network configuration. failed to fetch secret {id} from secrets manager: operation \
             error Secrets Manager: GetSecretValue, https response error StatusCode: 0, RequestID: , canceled, context \
             deadline exceeded"
        )));
    }
    let refused = |code: &str, message: &str| {
        Ok(Some(format!(
            "{FAILED} {RETRIED} secret from asm: {ONCE} failed to fetch secret {id} from secrets manager: {}{message}",
            failed("Secrets Manager", "GetSecretValue", code)
        )))
    };
    let lookup = secrets::look_up(call, from)?;
    // Policies are about the whole ARN, also where the definition names a part of it.
    let resource = match &lookup {
        Lookup::Found(arn) | Lookup::Deleted(arn) | Lookup::NoVersion(arn) | Lookup::NoKey(arn, _) => arn,
        Lookup::Missing => &id,
    };
    if let Some(denied) = ground.denied("secretsmanager:GetSecretValue", resource) {
        return refused("AccessDeniedException", &denied);
    }
    if rules::of(call, Condition::MissingSecret, &[from])? {
        return refused(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        );
    }
    match lookup {
        Lookup::Found(_) => Ok(None),
        Lookup::Missing => refused(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        ),
        Lookup::NoVersion(_) => refused(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
        ),
        Lookup::Deleted(_) => refused(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        ),
        Lookup::NoKey(_, key) => Ok(Some(format!(
            "{FAILED} {RETRIED} secret from asm: {ONCE} retrieved secret from Secrets Manager did not contain json key {key}"
        ))),
    }
}

fn of_parameter(call: &Call<'_>, ground: &Ground<'_>, from: &str) -> Result<Option<String>, Fault> {
    let name = from.split_once(":parameter").map_or(from, |(_, name)| name);
    if !reach::service(call, ground.interface, "ssm", ground.at)? {
        return Ok(Some(format!(
            "{FAILED} unable to retrieve secrets from ssm: The task cannot pull secrets from AWS Systems Manager. There is a \
             connection issue between the task and AWS Systems Manager Parameter Store. Check your task network \
             configuration. operation error SSM: GetParameters, https response error StatusCode: 0, RequestID: , canceled, \
             context deadline exceeded"
        )));
    }
    let resource = call.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')));
    if let Some(denied) = ground.denied("ssm:GetParameters", &resource) {
        return Ok(Some(format!(
            "{FAILED} {RETRIED} secrets from ssm: {ONCE} {}{denied}",
            failed("SSM", "GetParameters", "AccessDeniedException")
        )));
    }
    if !rules::of(call, Condition::MissingSecret, &[from, name])? && ssm::exists(call, from)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "{FAILED} {RETRIED} secrets from ssm: {ONCE} invalid parameters: {name}"
    )))
}
