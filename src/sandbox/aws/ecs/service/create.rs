//! A service is made.

use serde_json::{Map, Value, json};

use super::super::super::answers::{answer, echo, only};
use super::super::super::call::{Answer, Call};
use super::super::super::tags;
use super::super::{cluster, deployment, invalid, wanted_tags};
use super::check::{active_definition, check_load_balancers, check_settings, network, strategy};
use super::{KIND, MEMBERS, Service, find, key_of, save};

/// Idempotent by the client token: the same token with the same name answers the service as it is.
pub fn create(call: &Call<'_>) -> Answer {
    let mut known = vec![
        "cluster",
        "serviceName",
        "taskDefinition",
        "desiredCount",
        "clientToken",
        "tags",
    ];
    known.extend(MEMBERS);
    only(call, &known)?;
    let cluster = cluster::existing(call)?;
    let name = call.text("serviceName");
    if name.is_empty() || name.len() > 255 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(invalid("Service name contains invalid characters."));
    }
    let token = call.text("clientToken");
    if token.len() > 36 {
        return Err(invalid("Client token can be at most 36 characters long."));
    }
    if let Some(existing) = find(call, &format!("{}/{name}", cluster.name))? {
        match existing.status.as_str() {
            "ACTIVE" if !token.is_empty() && existing.token.as_deref() == Some(token) => {
                return answer(json!({ "service": existing.view(call, true)? }));
            }
            "ACTIVE" => return Err(invalid("Creation of service was not idempotent.")),
            "DRAINING" => return Err(invalid("Unable to Start a service that is still Draining.")),
            _ => {
                deployment::forget(call, &existing.arn)?;
                call.store.delete(KIND, &key_of(&existing))?;
            }
        }
    }
    let strategy = strategy(call, &cluster)?;
    check_settings(call)?;
    if call.int("healthCheckGracePeriodSeconds").is_some() && call.list("loadBalancers").is_empty() {
        return Err(invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    if call.int("desiredCount").is_some_and(|count| count < 0) {
        return Err(invalid("Desired count must not be negative."));
    }
    let definition = active_definition(call, call.text("taskDefinition"))?;
    network(call, call.input.get("networkConfiguration"))?;
    check_load_balancers(call, call.list("loadBalancers"), &definition)?;
    let mut members = echo(call, MEMBERS);
    if let Some(strategy) = strategy {
        members.insert("capacityProviderStrategy".to_owned(), json!(strategy));
    }
    fill(&mut members);
    let wanted = wanted_tags(call)?;
    let mut service = Service {
        name: name.to_owned(),
        arn: call.arn("ecs", &format!("service/{}/{name}", cluster.name)),
        cluster: cluster.name,
        status: "ACTIVE".to_owned(),
        desired: call.int("desiredCount").unwrap_or_default(),
        definition: definition.arn.clone(),
        created: call.now,
        token: Some(token).filter(|token| !token.is_empty()).map(str::to_owned),
        members,
        rollouts: Vec::new(),
        deployment: None,
        good: None,
        events: Vec::new(),
        settled: call.now,
        retry: call.now,
        steady: false,
    };
    tags::clear(call, &service.arn)?;
    tags::put(call, &service.arn, &wanted)?;
    service.roll_out(call, &definition, call.now)?;
    save(call, &service)?;
    let view = service.view(call, true)?;
    super::super::settle(call)?;
    answer(json!({ "service": view }))
}

/// The defaults that `CreateService` documents.
pub fn fill(members: &mut Map<String, Value>) {
    members.entry("loadBalancers").or_insert_with(|| json!([]));
    let network = members
        .get_mut("networkConfiguration")
        .and_then(|network| network.get_mut("awsvpcConfiguration")?.as_object_mut());
    if let Some(network) = network {
        network.entry("assignPublicIp").or_insert_with(|| json!("DISABLED"));
    }
    members.entry("serviceRegistries").or_insert_with(|| json!([]));
    members.entry("placementConstraints").or_insert_with(|| json!([]));
    members.entry("placementStrategy").or_insert_with(|| json!([]));
    members.entry("schedulingStrategy").or_insert_with(|| json!("REPLICA"));
    members
        .entry("deploymentController")
        .or_insert_with(|| json!({ "type": "ECS" }));
    members.entry("enableECSManagedTags").or_insert_with(|| json!(false));
    members.entry("enableExecuteCommand").or_insert_with(|| json!(false));
    members.entry("propagateTags").or_insert_with(|| json!("NONE"));
    members
        .entry("availabilityZoneRebalancing")
        .or_insert_with(|| json!("ENABLED"));
    if members.get("platformVersion").is_none_or(|version| version == "LATEST") {
        members.insert("platformVersion".to_owned(), json!("LATEST"));
    }
    let configuration = members.entry("deploymentConfiguration").or_insert_with(|| json!({}));
    if let Some(configuration) = configuration.as_object_mut() {
        configuration.entry("maximumPercent").or_insert(json!(200));
        configuration.entry("minimumHealthyPercent").or_insert(json!(100));
        configuration.entry("strategy").or_insert(json!("ROLLING"));
        configuration.entry("bakeTimeInMinutes").or_insert(json!(0));
        configuration
            .entry("deploymentCircuitBreaker")
            .or_insert(json!({ "enable": false, "rollback": false }));
    }
}
