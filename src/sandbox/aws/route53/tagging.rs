//! Tags of hosted zones.
//!
//! Source: Route 53 API reference, `ChangeTagsForResource`, `ListTagsForResource`, `ListTagsForResources`.

use serde_json::{Value, json};

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{bare, invalid, zone};

pub fn change(call: &Call<'_>) -> Answer {
    let (_, arn) = resource(call, call.text("ResourceId"))?;
    let added = tags::from_list(call.list("AddTags"));
    tags::check(&added).map_err(invalid)?;
    tags::remove(call, &arn, &call.texts("RemoveTagKeys"))?;
    let mut all = tags::of(call, &arn)?;
    all.extend(added.clone());
    if all.len() > tags::MOST {
        return Err(invalid(format!("A hosted zone can have at most {} tags.", tags::MOST)));
    }
    tags::put(call, &arn, &added)?;
    answer(json!({}))
}

pub fn list(call: &Call<'_>) -> Answer {
    answer(json!({ "ResourceTagSet": set(call, call.text("ResourceId"))? }))
}

pub fn list_many(call: &Call<'_>) -> Answer {
    let ids = call.texts("ResourceIds");
    let sets = ids.iter().map(|id| set(call, id)).collect::<Result<Vec<_>, _>>()?;
    answer(json!({ "ResourceTagSets": sets }))
}

fn set(call: &Call<'_>, id: &str) -> Result<Value, Fault> {
    let (id, arn) = resource(call, id)?;
    Ok(json!({ "ResourceType": "hostedzone", "ResourceId": id, "Tags": tags::to_list(&tags::of(call, &arn)?) }))
}

/// Id and ARN of what a call is about.
fn resource(call: &Call<'_>, id: &str) -> Result<(String, String), Fault> {
    let id = bare(id, "hostedzone/");
    if call.text("ResourceType") == "healthcheck" {
        let told = format!("The health check {id} does not exist: there are none in the sandbox.");
        return Err(Fault::new("NoSuchHealthCheck", told));
    }
    let zone = zone::existing(call, id)?;
    let arn = zone::arn(&zone.id);
    Ok((zone.id, arn))
}
