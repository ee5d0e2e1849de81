//! Staging labels, and the versions that carry them.

use serde_json::json;

use super::super::answers::{answer, limit, page, seconds};
use super::super::call::{Answer, Call};
use super::{CURRENT, existing, invalid_token, not_found, parameter, save};

pub fn move_stage(call: &Call<'_>) -> Answer {
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

pub fn list_versions(call: &Call<'_>) -> Answer {
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
