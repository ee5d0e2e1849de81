//! What a call that makes or changes a service must get right.

use serde_json::Value;

use super::super::super::call::{Call, Fault};
use super::super::super::elb;
use super::super::super::elb::target_group;
use super::super::definition::Definition;
use super::super::{client, definition, invalid, task};

/// The capacity provider of a call that names one. Only Fargate is there: the sandbox has no container instances.
pub fn provider(call: &Call<'_>) -> Result<Option<String>, Fault> {
    let strategy = call
        .list("capacityProviderStrategy")
        .first()
        .and_then(|item| item["capacityProvider"].as_str());
    match (call.text("launchType"), strategy) {
        (_, Some(provider @ ("FARGATE" | "FARGATE_SPOT"))) => Ok(Some(provider.to_owned())),
        (_, Some(other)) => Err(invalid(&format!(
            "The specified capacity provider '{other}' was not found."
        ))),
        ("FARGATE", None) => Ok(None),
        (launch, None) => Err(Fault::new(
            "UnsupportedOperation",
            format!(
                "not in the sandbox: launch type {}; it has FARGATE",
                if launch.is_empty() {
                    "EC2 (the default when none is given)"
                } else {
                    launch
                }
            ),
        )),
    }
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
