//! The options of a task definition, and what they mean for the service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::plain::Plain;
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    #[default]
    #[serde(rename = "x86_64")]
    X86,
    Arm64,
}

fn thirty() -> u32 {
    30
}

fn five() -> u32 {
    5
}

fn three() -> u32 {
    3
}

fn yes() -> bool {
    true
}

/// A command that the container's health is judged by.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// `["CMD-SHELL", "curl -f http://localhost:8080/health || exit 1"]`.
    pub command: Vec<String>,
    /// How many seconds lie between two checks, 5 to 300.
    #[serde(default = "thirty")]
    #[schemars(range(min = 5, max = 300))]
    pub interval: u32,
    /// After how many seconds a check has failed, 2 to 60.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 60))]
    pub timeout: u32,
    /// How many failed checks in a row make the container unhealthy, 1 to 10.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 10))]
    pub retries: u32,
    /// How many seconds after its start failed checks do not count, 0 to 300.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    pub start_period: u32,
}

/// One container of a task.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Its name within the task.
    pub name: String,
    /// The image with its tag or digest.
    pub image: String,
    /// Whether the task stops when it stops.
    #[serde(default = "yes")]
    pub essential: bool,
    /// The TCP port on which it listens.
    pub port: Option<u16>,
    /// What it runs instead of the image's command.
    #[serde(default)]
    pub command: Vec<String>,
    /// What it runs instead of the image's entry point.
    #[serde(default)]
    pub entry_point: Vec<String>,
    /// Environment variables in clear. Secrets go into `secrets`.
    #[serde(default)]
    pub environment: BTreeMap<String, Plain>,
    /// Environment variables whose values are read at the start of a task: names, and ARNs of secrets or parameters.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The log group that gets what it writes.
    pub log_group: Option<String>,
    /// How its health is judged.
    pub health_check: Option<HealthCheck>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The family. At the service it is PROJECT-ENV-NAME.
    pub name: String,
    /// CPU units, 1024 for a core: 256, 512, 1024, 2048, 4096, 8192 or 16384.
    pub cpu: u32,
    /// Memory in MiB. Fargate takes certain pairs of CPU and memory.
    pub memory: u32,
    /// The ARN of the role with which ECS itself reads the image and the secrets, and writes the logs.
    pub execution_role: Option<String>,
    /// The ARN of the role that the program in the containers has.
    pub task_role: Option<String>,
    /// `x86_64` (the default) or `arm64`.
    #[serde(default)]
    pub architecture: Architecture,
    /// For a task of one container: its image with tag or digest. Either this or `containers`.
    pub image: Option<String>,
    /// The name of the one container; `name` when it is not given.
    pub container: Option<String>,
    /// The TCP port on which the one container listens.
    pub port: Option<u16>,
    /// What the one container runs instead of the image's command.
    #[serde(default)]
    pub command: Vec<String>,
    /// What the one container runs instead of the image's entry point.
    #[serde(default)]
    pub entry_point: Vec<String>,
    /// Environment variables of the one container, in clear. Secrets go into `secrets`.
    #[serde(default)]
    pub environment: BTreeMap<String, Plain>,
    /// Environment variables of the one container whose values are read at the start of a task: names, and ARNs of
    /// secrets or parameters.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The log group that gets what the one container writes.
    pub log_group: Option<String>,
    /// How the health of the one container is judged.
    pub health_check: Option<HealthCheck>,
    /// The containers of a task that has several.
    #[serde(default)]
    pub containers: Vec<Container>,
}

impl Spec {
    /// The containers, in either form.
    pub fn all(&self) -> Vec<Container> {
        let Some(image) = &self.image else {
            return self.containers.clone();
        };
        vec![Container {
            name: self.container.clone().unwrap_or_else(|| self.name.clone()),
            image: image.clone(),
            essential: true,
            port: self.port,
            command: self.command.clone(),
            entry_point: self.entry_point.clone(),
            environment: self.environment.clone(),
            secrets: self.secrets.clone(),
            log_group: self.log_group.clone(),
            health_check: self.health_check.clone(),
        }]
    }

    pub fn check(&self) -> Result<()> {
        if self.image.is_some() != self.containers.is_empty() {
            return Err(Error::failed("give either `image` or `containers`"));
        }
        let single = self.port.is_some()
            || self.container.is_some()
            || self.log_group.is_some()
            || self.health_check.is_some()
            || !(self.command.is_empty()
                && self.entry_point.is_empty()
                && self.environment.is_empty()
                && self.secrets.is_empty());
        if self.image.is_none() && single {
            return Err(Error::failed(
                "with `containers`, port, command, environment, secrets, log_group and health_check are given for each \
                 container",
            ));
        }
        check_size(self.cpu, self.memory)?;
        for container in self.all() {
            check_container(&container)?;
            let needs_role = !container.secrets.is_empty() || container.log_group.is_some();
            if needs_role && self.execution_role.is_none() {
                return Err(Error::failed(
                    "`execution_role` is needed: ECS reads secrets and writes logs with it",
                ));
            }
        }
        Ok(())
    }
}

fn check_container(container: &Container) -> Result<()> {
    let place = |what: &str| format!("{what} of the container \"{}\"", container.name);
    for (name, value) in &container.environment {
        if value.text().is_none() {
            return Err(Error::failed(format!(
                "`environment.{name}` holds a secret, and everybody who may read a task definition would see it"
            ))
            .hint(format!("give its ARN in `secrets`: secrets: #{{ {name}: secret.arn }}")));
        }
        if container.secrets.contains_key(name) {
            return Err(Error::failed(format!(
                "{name} stands both in `environment` and in `secrets`"
            )));
        }
    }
    for (name, from) in &container.secrets {
        // A parameter of the same region may be given by its name.
        if from.is_empty() {
            return Err(Error::failed(place(&format!("`secrets.{name}`"))).hint("it is an ARN"));
        }
    }
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if container.name.is_empty() || container.name.len() > 255 || !is_name(&container.name) {
        return Err(Error::failed(format!(
            "the name of a container has up to 255 letters, digits, hyphens and underscores, not \"{}\"",
            container.name
        )));
    }
    match container.image.is_empty() {
        true => Err(Error::failed(place("the `image`")).hint("it is empty")),
        false => Ok(()),
    }
}

/// Refuses a size that Fargate does not have. Source: ECS developer guide, "Task CPU and memory" on Fargate.
fn check_size(cpu: u32, memory: u32) -> Result<()> {
    // CPU, least and most memory, and the step between.
    const SIZES: [(u32, u32, u32, u32); 7] = [
        (256, 512, 2048, 512),
        (512, 1024, 4096, 1024),
        (1024, 2048, 8192, 1024),
        (2048, 4096, 16384, 1024),
        (4096, 8192, 30720, 1024),
        (8192, 16384, 61440, 4096),
        (16384, 32768, 122_880, 8192),
    ];
    let Some((_, least, most, step)) = SIZES.iter().find(|(size, ..)| *size == cpu) else {
        let sizes: Vec<_> = SIZES.iter().map(|(size, ..)| size.to_string()).collect();
        return Err(Error::failed(format!("Fargate has no tasks with `cpu` {cpu}"))
            .hint(format!("it has: {}", sizes.join(", "))));
    };
    let fits = (*least..=*most).contains(&memory) && memory.is_multiple_of(*step) && !(cpu == 256 && memory == 1536);
    match fits {
        true => Ok(()),
        false => Err(
            Error::failed(format!("with `cpu` {cpu}, Fargate has no tasks with `memory` {memory}")).hint(match cpu {
                256 => "it has 512, 1024 and 2048 MiB".to_owned(),
                _ => format!("it has {least} to {most} MiB in steps of {step}"),
            }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_fargate_lacks_are_refused() {
        assert!(check_size(256, 512).is_ok());
        assert!(check_size(256, 1536).is_err());
        assert!(check_size(1024, 2048).is_ok());
        assert!(check_size(1024, 2500).is_err());
        assert!(check_size(300, 512).unwrap_err().help().unwrap().contains("256, 512"));
    }
}
