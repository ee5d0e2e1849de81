//! The `awslogs` driver: what keeps a task from its stream, and the first lines in it.

use serde_json::Value;

use super::super::super::call::{Call, Fault};
use super::super::super::ec2::reach;
use super::super::super::logs;
use super::super::definition::Definition;
use super::{Ground, failed};

const FAILED: &str = "ResourceInitializationError: failed to validate logger args";

/// The group of the `awslogs` driver, and the stream's prefix.
fn awslogs(container: &Value) -> Option<(&str, Option<&str>)> {
    let configuration = &container["logConfiguration"];
    let options = &configuration["options"];
    let group = options["awslogs-group"]
        .as_str()
        .filter(|_| configuration["logDriver"] == "awslogs")?;
    Some((group, options["awslogs-stream-prefix"].as_str()))
}

/// What keeps the `awslogs` driver from its stream.
pub fn refused(call: &Call<'_>, ground: &Ground<'_>, container: &Value) -> Result<Option<String>, Fault> {
    let Some((name, _)) = awslogs(container) else {
        return Ok(None);
    };
    let region = container["logConfiguration"]["options"]["awslogs-region"].as_str();
    if !reach::service(call, ground.interface, "logs", ground.at)? {
        return Ok(Some(format!(
            "{FAILED}: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a \
             connection issue between the task and Amazon CloudWatch. Check your network configuration. : exit status 1"
        )));
    }
    // A group of another region is out of sight.
    if region.is_some_and(|region| region != call.region) {
        return Ok(None);
    }
    let group = call.arn("logs", &format!("log-group:{name}"));
    if container["logConfiguration"]["options"]["awslogs-create-group"] == "true" && !logs::group_exists(call, name)? {
        if let Some(denied) = ground.denied("logs:CreateLogGroup", &group) {
            return Ok(Some(format!(
                "{FAILED}: failed to create Cloudwatch log group: {}{denied} : exit status 1",
                failed("CloudWatch Logs", "CreateLogGroup", "AccessDeniedException")
            )));
        }
        logs::ensure_group(call, name)?;
    }
    let stream = format!("{FAILED}: create stream has been retried 1 times: failed to create Cloudwatch log stream: ");
    if let Some(denied) = ground.denied(
        "logs:CreateLogStream",
        &format!("{group}:log-stream:{}", stream_of(container, ground.task)),
    ) {
        return Ok(Some(format!(
            "{stream}{}{denied} : exit status 1",
            failed("CloudWatch Logs", "CreateLogStream", "AccessDeniedException")
        )));
    }
    if logs::group_exists(call, name)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "{stream}ResourceNotFoundException: The specified log group does not exist. : exit status 1"
    )))
}

/// `PREFIX/CONTAINER/TASK`, as the driver names it.
fn stream_of(container: &Value, task: &str) -> String {
    let name = container["name"].as_str().unwrap_or_default();
    match awslogs(container) {
        Some((_, Some(prefix))) => format!("{prefix}/{name}/{task}"),
        _ => task.to_owned(),
    }
}

/// Writes what a container would say first. **The container is simulated: no image runs, and the first line says so.**
pub fn write_logs(call: &Call<'_>, definition: &Definition, task: &str, at: i64) -> Result<(), Fault> {
    for container in definition.containers() {
        let Some((group, _)) = awslogs(container) else {
            continue;
        };
        if !logs::group_exists(call, group)? {
            continue;
        }
        let name = container["name"].as_str().unwrap_or_default();
        let image = container["image"].as_str().unwrap_or_default();
        let stream = stream_of(container, task);
        let mut lines = vec![
            (
                at,
                format!("[sandbox] container {name} is simulated: nothing of {image} runs"),
            ),
            (at, format!("Starting {name}")),
        ];
        for port in container["portMappings"].as_array().into_iter().flatten() {
            if let Some(port) = port["containerPort"].as_i64() {
                lines.push((at, format!("Now listening on: http://[::]:{port}")));
            }
        }
        lines.push((at, "Application started.".to_owned()));
        logs::write(call, group, &stream, &lines)?;
    }
    Ok(())
}
