//! Listings and their filters.

use serde_json::{Value, json};

use super::super::answers::{answer, limit, page, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{KIND, Secret, existing, invalid_token, parameter};

pub fn describe(call: &Call<'_>) -> Answer {
    let secret = existing(call)?;
    let mut view = secret.view(call)?;
    view["VersionIdsToStages"] = secret.stages();
    answer(view)
}

pub fn list(call: &Call<'_>) -> Answer {
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

pub fn filtered(call: &Call<'_>) -> Result<Vec<Secret>, Fault> {
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

impl Secret {
    pub fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
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
