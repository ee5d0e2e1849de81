//! What a task needs in order to start, in the words that ECS gives for what is missing: roles that ECS may take, a way to
//! the services, the right to use them, and the image, secrets and log group themselves.
//!
//! Source: *Amazon ECS stopped tasks error messages*, *Amazon ECS task execution IAM role*, *Fargate task networking*
//! (platform version 1.4.0: all traffic of a task goes through its own interface).

mod image;
mod logs;
mod secret;

use std::time::Duration;

use serde_json::Value;

use super::super::call::{Call, Fault};
use super::super::durations;
use super::super::iam::decision::{self, Rights};
use super::super::iam::statement::Context;
use super::super::interfaces::Interface;
use super::client;
use super::definition::Definition;

pub use logs::write_logs;

/// The principal that takes a task's roles.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// How a start ends.
pub enum Start {
    /// It runs; with the digests of the images that are the sandbox's, in the order of the containers.
    Runs(Vec<Option<String>>),
    Fails {
        /// The task's stopped reason.
        reason: String,
        /// How long it tries before it says so.
        after: Duration,
    },
}

/// Where a task stands when it starts.
pub struct Ground<'a> {
    /// The task's id, which is also the name of its session.
    task: &'a str,
    interface: &'a Interface,
    /// The moment, in milliseconds since 1970.
    at: i64,
    /// Those of the execution role; `None` without one.
    rights: Option<Rights>,
    session: String,
    context: Context,
}

impl Ground<'_> {
    /// AWS's words when the execution role may not do this; `None` when it may.
    fn denied(&self, action: &str, resource: &str) -> Option<String> {
        match &self.rights {
            Some(rights) => rights.refusal(&self.session, action, resource, &self.context),
            None => Some(format!(
                "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy \
                 allows the {action} action",
                self.session
            )),
        }
    }
}

/// A role of the task: what the call overrides, else what the definition names; empty for none.
fn role<'a>(definition: &'a Definition, overrides: &'a Value, member: &str) -> &'a str {
    match overrides[member].as_str() {
        Some(role) if !role.is_empty() => role,
        _ => definition.text(member),
    }
}

/// Refuses a task whose roles ECS cannot take, before it is a task: `ClientException`.
pub fn check_roles(call: &Call<'_>, definition: &Definition, overrides: &Value) -> Result<(), Fault> {
    for member in ["executionRoleArn", "taskRoleArn"] {
        let role = role(definition, overrides, member);
        if !role.is_empty() && !decision::trusts(call, role, TASKS)? {
            return Err(client(&format!(
                "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role \
                 being passed has the proper trust relationship and permissions and that your IAM user has permissions to \
                 pass this role."
            )));
        }
    }
    Ok(())
}

/// Goes through a start in Fargate's order: authorization of the registry, secrets, logs, images.
pub fn attempt(
    call: &Call<'_>,
    definition: &Definition,
    overrides: &Value,
    task: &str,
    interface: &Interface,
    at: i64,
) -> Result<Start, Fault> {
    let role = role(definition, overrides, "executionRoleArn");
    let ground = Ground {
        task,
        interface,
        at,
        rights: match role {
            "" => None,
            role => Rights::of_role(call, role)?,
        },
        session: format!(
            "arn:aws:sts::{}:assumed-role/{}/{task}",
            call.account,
            role.rsplit('/').next().unwrap_or_default()
        ),
        context: decision::context(call),
    };
    let fails = |reason: String| {
        // Who cannot connect tries for minutes; who is refused knows at once.
        let after = if reason.contains("connection issue") {
            call.usual(durations::TASK_UNREACHABLE)
        } else {
            call.usual(durations::TASK_PULL)
        };
        Ok(Start::Fails { reason, after })
    };
    let containers = definition.containers();
    if let Some(reason) = image::unauthorized(call, &ground, containers)? {
        return fails(reason);
    }
    for container in containers {
        if let Some(reason) = secret::refused(call, &ground, container)? {
            return fails(reason);
        }
    }
    for container in containers {
        if let Some(reason) = logs::refused(call, &ground, container)? {
            return fails(reason);
        }
    }
    let mut digests = Vec::new();
    for container in containers {
        match image::pull(call, &ground, container["image"].as_str().unwrap_or_default())? {
            Ok(digest) => digests.push(digest),
            Err(reason) => return fails(reason),
        }
    }
    Ok(Start::Runs(digests))
}

/// How the agent quotes a call that a service refused, up to the service's message.
fn failed(service: &str, operation: &str, code: &str) -> String {
    format!(
        "operation error {service}: {operation}, https response error StatusCode: 400, RequestID: {}, api error {code}: ",
        uuid::Uuid::new_v4()
    )
}
