//! What a revision says, in one form for what is wanted and for what is there, so that the two can be compared.
//!
//! What the service fills in (defaults of health checks, host ports, an empty list) is brought to the same form.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    ContainerDefinition, CpuArchitecture, HealthCheck, KeyValuePair, LogConfiguration, LogDriver, OsFamily,
    PortMapping, RuntimePlatform, Secret, TaskDefinition, TransportProtocol,
};

use super::spec::{Architecture, Container, Spec};
use crate::resource::{Change, Class};

/// Everything that is managed of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Settings of the whole task, by name.
    pub task: BTreeMap<String, String>,
    /// Settings of each container, by container and name.
    pub containers: BTreeMap<String, BTreeMap<String, String>>,
}

impl Content {
    /// What the options want.
    pub fn wanted(spec: &Spec, region: &str) -> Self {
        let mut task = BTreeMap::new();
        let mut put = |name: &str, value: String| task.insert(name.to_owned(), value);
        put("cpu", spec.cpu.to_string());
        put("memory", spec.memory.to_string());
        put("architecture", architecture(spec.architecture).as_str().to_owned());
        put("execution_role", spec.execution_role.clone().unwrap_or_default());
        put("task_role", spec.task_role.clone().unwrap_or_default());
        let containers = spec.all();
        let containers = containers.iter().map(|container| {
            let definition = definition(container, &spec.name, region);
            (container.name.clone(), settings(&definition))
        });
        Self {
            task,
            containers: containers.collect(),
        }
    }

    /// What a revision says.
    pub fn live(revision: &TaskDefinition) -> Self {
        let mut task = BTreeMap::new();
        let mut put =
            |name: &str, value: Option<&str>| task.insert(name.to_owned(), value.unwrap_or_default().to_owned());
        let platform = revision.runtime_platform();
        let cpu = platform
            .and_then(|platform| platform.cpu_architecture())
            .map(CpuArchitecture::as_str);
        put("cpu", revision.cpu());
        put("memory", revision.memory());
        put("architecture", Some(cpu.unwrap_or("X86_64")));
        put("execution_role", revision.execution_role_arn());
        put("task_role", revision.task_role_arn());
        let containers = revision.container_definitions().iter();
        let containers = containers.map(|found| (found.name().unwrap_or_default().to_owned(), settings(found)));
        Self {
            task,
            containers: containers.collect(),
        }
    }

    /// What is different. A change is a new revision: nothing of the old one is touched.
    pub fn changes(&self, wanted: &Self) -> Vec<Change> {
        let mut changes = differences("", &self.task, &wanted.task);
        for (name, settings) in &wanted.containers {
            match self.containers.get(name) {
                Some(live) => {
                    let prefix = if wanted.containers.len() == 1 {
                        String::new()
                    } else {
                        format!("{name}.")
                    };
                    changes.extend(differences(&prefix, live, settings));
                }
                None => changes.push(Change::new("containers", "", name, Class::InPlace)),
            }
        }
        let gone = self
            .containers
            .keys()
            .filter(|name| !wanted.containers.contains_key(*name));
        changes.extend(gone.map(|name| Change::new("containers", name, "", Class::InPlace)));
        changes
    }
}

fn differences(prefix: &str, live: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Vec<Change> {
    let nothing = String::new();
    let change = |key: &String| {
        let (from, to) = (live.get(key).unwrap_or(&nothing), wanted.get(key).unwrap_or(&nothing));
        Change::between(&format!("{prefix}{key}"), from, to, Class::InPlace)
    };
    let only_live = live.keys().filter(|key| !wanted.contains_key(*key));
    wanted.keys().chain(only_live).filter_map(change).collect()
}

/// A container's settings by name. An empty setting is left out: the service returns it as empty or not at all.
fn settings(container: &ContainerDefinition) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut put = |name: String, value: String| {
        if !value.is_empty() {
            settings.insert(name, value);
        }
    };
    put("image".into(), container.image().unwrap_or_default().to_owned());
    put("essential".into(), container.essential().unwrap_or(true).to_string());
    put("command".into(), container.command().join(" "));
    put("entry_point".into(), container.entry_point().join(" "));
    let ports: Vec<_> = container
        .port_mappings()
        .iter()
        .filter_map(|mapping| mapping.container_port().map(|port| port.to_string()))
        .collect();
    put("port".into(), ports.join(", "));
    for variable in container.environment() {
        let name = variable.name().unwrap_or_default();
        put(
            format!("environment.{name}"),
            variable.value().unwrap_or_default().to_owned(),
        );
    }
    for secret in container.secrets() {
        put(format!("secrets.{}", secret.name()), secret.value_from().to_owned());
    }
    if let Some(log) = container.log_configuration() {
        put("log_driver".into(), log.log_driver().as_str().to_owned());
        for (name, value) in log.options().into_iter().flatten() {
            put(format!("log.{name}"), value.clone());
        }
    }
    if let Some(check) = container.health_check() {
        put("health_check.command".into(), check.command().join(" "));
        // RegisterTaskDefinition's defaults.
        put(
            "health_check.interval".into(),
            check.interval().unwrap_or(30).to_string(),
        );
        put("health_check.timeout".into(), check.timeout().unwrap_or(5).to_string());
        put("health_check.retries".into(), check.retries().unwrap_or(3).to_string());
        let start = check.start_period().filter(|seconds| *seconds > 0);
        put(
            "health_check.start_period".into(),
            start.map(|seconds| seconds.to_string()).unwrap_or_default(),
        );
    }
    settings
}

fn architecture(architecture: Architecture) -> CpuArchitecture {
    match architecture {
        Architecture::X86 => CpuArchitecture::X8664,
        Architecture::Arm64 => CpuArchitecture::Arm64,
    }
}

pub fn platform(spec: &Spec) -> RuntimePlatform {
    RuntimePlatform::builder()
        .operating_system_family(OsFamily::Linux)
        .cpu_architecture(architecture(spec.architecture))
        .build()
}

/// The container definitions for RegisterTaskDefinition.
pub fn definitions(spec: &Spec, region: &str) -> Vec<ContainerDefinition> {
    spec.all()
        .iter()
        .map(|container| definition(container, &spec.name, region))
        .collect()
}

fn definition(container: &Container, family: &str, region: &str) -> ContainerDefinition {
    let mut definition = ContainerDefinition::builder()
        .name(&container.name)
        .image(&container.image)
        .essential(container.essential);
    if !container.command.is_empty() {
        definition = definition.set_command(Some(container.command.clone()));
    }
    if !container.entry_point.is_empty() {
        definition = definition.set_entry_point(Some(container.entry_point.clone()));
    }
    if let Some(port) = container.port {
        // With awsvpc, the host's port is the container's.
        let mapping = PortMapping::builder()
            .container_port(i32::from(port))
            .host_port(i32::from(port))
            .protocol(TransportProtocol::Tcp);
        definition = definition.port_mappings(mapping.build());
    }
    for (name, value) in &container.environment {
        let value = value.text().unwrap_or_default();
        definition = definition.environment(KeyValuePair::builder().name(name).value(value).build());
    }
    for (name, from) in &container.secrets {
        if let Ok(secret) = Secret::builder().name(name).value_from(from).build() {
            definition = definition.secrets(secret);
        }
    }
    if let Some(group) = &container.log_group {
        let log = LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", group)
            .options("awslogs-region", region)
            .options("awslogs-stream-prefix", family);
        if let Ok(log) = log.build() {
            definition = definition.log_configuration(log);
        }
    }
    if let Some(check) = &container.health_check {
        let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let mut built = HealthCheck::builder()
            .set_command(Some(check.command.clone()))
            .interval(whole(check.interval))
            .timeout(whole(check.timeout))
            .retries(whole(check.retries));
        if check.start_period > 0 {
            built = built.start_period(whole(check.start_period));
        }
        if let Ok(built) = built.build() {
            definition = definition.health_check(built);
        }
    }
    definition.build()
}

/// Where a container writes its log: the group, and what its streams begin with.
pub fn log_of(container: &ContainerDefinition) -> Option<(String, String)> {
    let log = container.log_configuration()?;
    let options = log.options()?;
    Some((
        options.get("awslogs-group")?.clone(),
        options.get("awslogs-stream-prefix")?.clone(),
    ))
}
