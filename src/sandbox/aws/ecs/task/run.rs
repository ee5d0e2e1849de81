//! Tasks that a user starts.

use serde_json::json;

use super::super::super::answers::{answer, only};
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::tags::{self, Tags};
use super::super::definition::Definition;
use super::super::{cluster, definition, invalid, service, wanted_tags};
use super::begin::{Spec, start};
use super::{find, key_of};

pub fn run(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "cluster",
            "taskDefinition",
            "count",
            "launchType",
            "capacityProviderStrategy",
            "networkConfiguration",
            "overrides",
            "group",
            "startedBy",
            "tags",
            "enableECSManagedTags",
            "propagateTags",
            "platformVersion",
            "enableExecuteCommand",
            "clientToken",
            "referenceId",
        ],
    )?;
    let cluster = cluster::existing(call)?;
    let strategy = service::strategy(call, &cluster)?.unwrap_or_default();
    let definition = definition::find(call, call.text("taskDefinition"))?;
    let definition = definition
        .filter(|definition| definition.status == "ACTIVE")
        .ok_or_else(|| super::super::client("TaskDefinition is inactive"))?;
    let network = service::network(call, call.input.get("networkConfiguration"))?;
    let count = call.int("count").unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(invalid("Count must be between 1 and 10."));
    }
    // Idempotent by the client token: the same token answers the tasks that it started.
    let token = call.text("clientToken");
    if !token.is_empty() {
        let known: Option<Vec<String>> = call.store.get("ecs/run-token", token)?;
        if let Some(ids) = known {
            let tasks = ids
                .iter()
                .filter_map(|id| find(call, id).transpose())
                .collect::<Result<Vec<_>, _>>()?;
            let views = tasks
                .iter()
                .map(|task| task.view(call, true))
                .collect::<Result<Vec<_>, _>>()?;
            return answer(json!({ "tasks": views, "failures": [] }));
        }
    }
    check_overrides(call, &definition)?;
    let mut wanted = match call.text("propagateTags") {
        "SERVICE" => {
            return Err(invalid(
                "propagateTags SERVICE is not valid for RunTask: only TASK_DEFINITION is.",
            ));
        }
        "TASK_DEFINITION" => tags::of(call, &definition.arn)?,
        _ => Tags::new(),
    };
    // "Tags specified in the call overwrite" what is propagated.
    wanted.extend(wanted_tags(call)?);
    if call.flag("enableECSManagedTags") {
        wanted.insert("aws:ecs:clusterName".to_owned(), cluster.name.clone());
    }
    let (mut views, mut ids) = (Vec::new(), Vec::new());
    for place in 0..usize::try_from(count).unwrap_or_default() {
        let group = Some(call.text("group"))
            .filter(|text| !text.is_empty())
            .map_or_else(|| format!("family:{}", definition.family), str::to_owned);
        let spec = Spec {
            cluster: &cluster.name,
            definition: &definition,
            network: &network,
            service: None,
            rollout: None,
            started_by: Some(call.text("startedBy")).filter(|text| !text.is_empty()),
            group,
            exec: call.flag("enableExecuteCommand"),
            capacity_provider: service::share(&strategy, place),
            overrides: call
                .input
                .get("overrides")
                .cloned()
                .unwrap_or_else(|| json!({ "containerOverrides": [] })),
            tags: wanted.clone(),
            place,
            at: call.now,
        };
        let task = start(call, spec)?;
        ids.push(key_of(&task));
        views.push(task.view(call, true)?);
    }
    if !token.is_empty() {
        call.store.put("ecs/run-token", token, "", &ids)?;
    }
    answer(json!({ "tasks": views, "failures": [] }))
}

/// Overrides are of containers that the definition has.
fn check_overrides(call: &Call<'_>, definition: &Definition) -> Result<(), Fault> {
    let overrides = call.input.get("overrides").cloned().unwrap_or_default();
    for container in overrides["containerOverrides"].as_array().into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default();
        if !definition.containers().iter().any(|known| known["name"] == name) {
            return Err(invalid(&format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
    }
    Ok(())
}
