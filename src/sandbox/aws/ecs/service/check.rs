//! What a call that makes or changes a service must get right.

use serde_json::Value;

use super::super::super::call::{Call, Fault};
use super::super::super::elb;
use super::super::super::elb::target_group;
use super::super::cluster::{Cluster, PROVIDERS};
use super::super::definition::Definition;
use super::super::{client, definition, invalid, task};

/// The capacity provider strategy of a call: its own, or the cluster's default when it names no launch type either.
/// `None`: it names the launch type FARGATE. The sandbox has no container instances, so there is nothing else.
pub fn strategy(call: &Call<'_>, cluster: &Cluster) -> Result<Option<Vec<Value>>, Fault> {
    let (launch, given) = (call.text("launchType"), call.list("capacityProviderStrategy"));
    if !launch.is_empty() && !given.is_empty() {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    let strategy = match (launch, given) {
        ("FARGATE", _) => return Ok(None),
        ("", []) => cluster.list("defaultCapacityProviderStrategy"),
        ("", given) => given.to_vec(),
        (launch, _) => return Err(not_fargate(launch)),
    };
    if strategy.is_empty() {
        return Err(not_fargate("EC2 (the default when none is given)"));
    }
    let associated = cluster.list("capacityProviders");
    for item in &strategy {
        let name = item["capacityProvider"].as_str().unwrap_or_default();
        if !PROVIDERS.contains(&name) {
            return Err(invalid(&format!(
                "The specified capacity provider '{name}' was not found."
            )));
        }
        if !associated.iter().any(|known| known == name) {
            return Err(invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with \
                 the cluster. Associate the capacity provider with the cluster and try again.",
            ));
        }
    }
    let base = |item: &&Value| item["base"].as_i64().unwrap_or_default() > 0;
    if strategy.iter().filter(base).count() > 1 {
        return Err(invalid(
            "Only one capacity provider in a strategy can have a base defined.",
        ));
    }
    Ok(Some(strategy))
}

fn not_fargate(launch: &str) -> Fault {
    not_here(&format!("launch type {launch}; it has FARGATE"))
}

fn not_here(what: &str) -> Fault {
    Fault::new("UnsupportedOperation", format!("not in the sandbox: {what}"))
}

/// What a service can ask for and the sandbox does not have, and what Fargate refuses.
pub fn check_settings(call: &Call<'_>) -> Result<(), Fault> {
    if call.text("schedulingStrategy") == "DAEMON" {
        return Err(invalid(
            "The Fargate launch type does not support the DAEMON scheduling strategy.",
        ));
    }
    let member = |name: &str| call.input.get(name).cloned().unwrap_or_default();
    if let Some(kind @ ("CODE_DEPLOY" | "EXTERNAL")) = member("deploymentController")["type"].as_str() {
        return Err(not_here(&format!("the deployment controller {kind}; it has ECS")));
    }
    for (name, what) in [
        ("placementConstraints", "Placement constraints"),
        ("placementStrategy", "Placement strategies"),
    ] {
        if !call.list(name).is_empty() {
            return Err(invalid(&format!("{what} are not supported with FARGATE launch type.")));
        }
    }
    if !call.list("serviceRegistries").is_empty() {
        return Err(not_here("service registries (Cloud Map)"));
    }
    let configuration = member("deploymentConfiguration");
    if let Some(strategy) = configuration["strategy"]
        .as_str()
        .filter(|strategy| *strategy != "ROLLING")
    {
        return Err(not_here(&format!("the deployment strategy {strategy}; it has ROLLING")));
    }
    if configuration["alarms"]["enable"] == true {
        return Err(not_here("alarms of a deployment"));
    }
    if configuration["lifecycleHooks"]
        .as_array()
        .is_some_and(|hooks| !hooks.is_empty())
    {
        return Err(not_here("lifecycle hooks of a deployment"));
    }
    let percent = |name: &str, default: i64| configuration[name].as_i64().unwrap_or(default);
    let (least, most) = (percent("minimumHealthyPercent", 100), percent("maximumPercent", 200));
    if least == 100 && most == 100 {
        return Err(invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    if !(0..=100).contains(&least) || most < 100 {
        return Err(invalid(
            "minimumHealthyPercent must be between 0 and 100, and maximumPercent 100 or more.",
        ));
    }
    Ok(())
}

/// `awsvpcConfiguration`, checked.
pub fn network(call: &Call<'_>, given: Option<&Value>) -> Result<Value, Fault> {
    let network = given
        .map(|given| given["awsvpcConfiguration"].clone())
        .unwrap_or_default();
    if network["subnets"].as_array().is_none_or(Vec::is_empty) {
        return Err(invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    }
    task::check_subnets(call, &network)?;
    Ok(network)
}

pub fn active_definition(call: &Call<'_>, id: &str) -> Result<Definition, Fault> {
    let definition = definition::find(call, id)?.ok_or_else(|| client("Unable to find task definition."))?;
    if definition.status != "ACTIVE" {
        return Err(client("TaskDefinition is inactive"));
    }
    if definition.text("networkMode") != "awsvpc" {
        return Err(invalid(
            "The launch type FARGATE requires a task definition with network mode awsvpc.",
        ));
    }
    Ok(definition)
}

pub fn check_load_balancers(call: &Call<'_>, given: &[Value], definition: &Definition) -> Result<(), Fault> {
    for balancer in given {
        let arn = balancer["targetGroupArn"].as_str().unwrap_or_default();
        if arn.is_empty() {
            return Err(invalid(
                "The sandbox has no Classic Load Balancers: targetGroupArn must be given.",
            ));
        }
        let Some(group) = target_group::find(call, arn)? else {
            return Err(invalid(&format!("The target group {arn} does not exist.")));
        };
        if group.target_type != "ip" {
            return Err(invalid(&format!(
                "The provided target group {arn} has target type {}, which is incompatible with the awsvpc network mode \
                 specified in the task definition.",
                group.target_type
            )));
        }
        if elb::of_target_group(call, arn)?.is_empty() {
            return Err(invalid(&format!(
                "The target group with targetGroupArn {arn} does not have an associated load balancer."
            )));
        }
        let name = balancer["containerName"].as_str().unwrap_or_default();
        let Some(container) = definition
            .containers()
            .iter()
            .find(|container| container["name"] == name)
        else {
            return Err(invalid(&format!(
                "The container {name} does not exist in the task definition."
            )));
        };
        let port = &balancer["containerPort"];
        let mapped = container["portMappings"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|mapping| mapping["containerPort"] == *port);
        if !mapped {
            return Err(invalid(&format!(
                "The container {name} did not have a container port {port} defined."
            )));
        }
    }
    Ok(())
}
