//! What a task needs in order to start, in the words that ECS gives for what is missing.
//!
//! Source: *Amazon ECS stopped tasks error messages*.

use serde_json::Value;

use super::super::call::{Call, Fault};
use super::super::rules::{self, Condition};
use super::super::{ecr, iam, logs, secrets, ssm};
use super::definition::Definition;

/// How a start ends.
pub enum Start {
    /// It runs; with the digests of the images that are the sandbox's, in the order of the containers.
    Runs(Vec<Option<String>>),
    /// The task's stopped reason.
    Fails(String),
}

pub fn attempt(call: &Call<'_>, definition: &Definition) -> Result<Start, Fault> {
    let role = definition.text("executionRoleArn");
    if !role.is_empty() && !iam::role_exists(call, role)? {
        return Ok(Start::Fails(format!(
            "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being \
             passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this \
             role."
        )));
    }
    let mut digests = Vec::new();
    for container in definition.containers() {
        if let Some(reason) = secrets_missing(call, container)? {
            return Ok(Start::Fails(reason));
        }
        if let Some(reason) = log_group_missing(call, container)? {
            return Ok(Start::Fails(reason));
        }
        let image = container["image"].as_str().unwrap_or_default();
        if rules::of(call, Condition::BadImage, &[image])? {
            return Ok(Start::Fails(not_found(image)));
        }
        match ecr::pull(call, image)? {
            ecr::Pull::Found(digest) => digests.push(Some(digest)),
            ecr::Pull::Elsewhere => digests.push(None),
            ecr::Pull::NoImage => {
                return Ok(Start::Fails(not_found(image)));
            }
            ecr::Pull::NoRepository(name) => {
                return Ok(Start::Fails(format!(
                    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
                     {image}: pull access denied, repository {name} does not exist or may require authorization"
                )));
            }
        }
    }
    Ok(Start::Runs(digests))
}

fn not_found(image: &str) -> String {
    format!(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {image}: \
         not found"
    )
}

fn secrets_missing(call: &Call<'_>, container: &Value) -> Result<Option<String>, Fault> {
    const FAILED: &str = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
                          failed: unable to retrieve";
    for secret in container["secrets"].as_array().into_iter().flatten() {
        let from = secret["valueFrom"].as_str().unwrap_or_default();
        if from.contains(":secretsmanager:") {
            if rules::of(call, Condition::MissingSecret, &[from])? || secrets::current(call, from)?.is_none() {
                return Ok(Some(format!(
                    "{FAILED} secret from asm: service call has been retried 1 time(s): failed to fetch secret {from} from \
                     secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
                )));
            }
        } else if rules::of(call, Condition::MissingSecret, &[from])? || !ssm::exists(call, from)? {
            let name = from.split_once(":parameter").map_or(from, |(_, name)| name);
            return Ok(Some(format!(
                "{FAILED} secrets from ssm: service call has been retried 1 time(s): invalid parameters: {name}"
            )));
        }
    }
    Ok(None)
}

/// The group of the `awslogs` driver, and the stream's prefix.
fn awslogs(container: &Value) -> Option<(&str, Option<&str>)> {
    let configuration = &container["logConfiguration"];
    let options = &configuration["options"];
    let group = options["awslogs-group"]
        .as_str()
        .filter(|_| configuration["logDriver"] == "awslogs")?;
    Some((group, options["awslogs-stream-prefix"].as_str()))
}

fn log_group_missing(call: &Call<'_>, container: &Value) -> Result<Option<String>, Fault> {
    let Some((group, _)) = awslogs(container) else {
        return Ok(None);
    };
    if container["logConfiguration"]["options"]["awslogs-create-group"] == "true" {
        logs::ensure_group(call, group)?;
    }
    if logs::group_exists(call, group)? {
        return Ok(None);
    }
    Ok(Some(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to \
         create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
            .to_owned(),
    ))
}

/// Writes what a container would say first. **The container is simulated: no image runs, and the first line says so.**
/// The streams have the names that the driver gives them: `PREFIX/CONTAINER/TASK`.
pub fn write_logs(call: &Call<'_>, definition: &Definition, task: &str, at: i64) -> Result<(), Fault> {
    for container in definition.containers() {
        let Some((group, prefix)) = awslogs(container) else {
            continue;
        };
        if !logs::group_exists(call, group)? {
            continue;
        }
        let name = container["name"].as_str().unwrap_or_default();
        let image = container["image"].as_str().unwrap_or_default();
        let stream = match prefix {
            Some(prefix) => format!("{prefix}/{name}/{task}"),
            None => task.to_owned(),
        };
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
