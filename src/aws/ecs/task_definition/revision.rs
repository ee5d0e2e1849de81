//! What RegisterTaskDefinition is sent: the options, with what `keep` leaves taken from the newest revision.
//!
//! A revision is always sent whole, so that what is to stay as it is has to be carried over.

use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair, RuntimePlatform, Secret, TaskDefinition};

use super::content;
use super::spec::Spec;
use crate::resource::Change;

/// What a revision is registered with.
#[derive(Clone)]
pub struct Revision {
    pub cpu: Option<String>,
    pub memory: Option<String>,
    pub platform: Option<RuntimePlatform>,
    pub execution_role: Option<String>,
    pub task_role: Option<String>,
    pub containers: Vec<ContainerDefinition>,
}

impl Revision {
    /// What the options want.
    pub fn wanted(spec: &Spec, region: &str) -> Self {
        Self {
            cpu: Some(spec.cpu.to_string()),
            memory: Some(spec.memory.to_string()),
            platform: Some(content::platform(spec)),
            execution_role: spec.execution_role.clone(),
            task_role: spec.task_role.clone(),
            containers: content::definitions(spec, region),
        }
    }

    /// Takes these differences back: what they are about is as the newest revision has it.
    pub fn leave(mut self, differences: &[Change], live: &TaskDefinition) -> Self {
        // With one container its settings stand alone, with several behind its name.
        let only = match self.containers.as_slice() {
            [only] => only.name.clone(),
            _ => None,
        };
        for change in differences {
            match change.field.as_str() {
                "cpu" => self.cpu.clone_from(&live.cpu),
                "memory" => self.memory.clone_from(&live.memory),
                "architecture" => self.platform.clone_from(&live.runtime_platform),
                "execution_role" => self.execution_role.clone_from(&live.execution_role_arn),
                "task_role" => self.task_role.clone_from(&live.task_role_arn),
                "containers" => self.leave_container(change, live),
                field => {
                    let split = match &only {
                        Some(only) => Some((only.as_str(), field)),
                        None => field.split_once('.'),
                    };
                    let Some((container, setting)) = split else { continue };
                    let of_name = |found: &&ContainerDefinition| found.name() == Some(container);
                    let from = live.container_definitions().iter().find(of_name);
                    let to = self.containers.iter_mut().find(|found| found.name() == Some(container));
                    if let (Some(to), Some(from)) = (to, from) {
                        leave_setting(to, from, setting);
                    }
                }
            }
        }
        self
    }

    /// A container that only one side has: `to` names one that is new, `from` one that is gone.
    fn leave_container(&mut self, change: &Change, live: &TaskDefinition) {
        self.containers.retain(|container| container.name() != Some(&change.to));
        let gone = live.container_definitions().iter();
        let gone = gone.filter(|container| container.name() == Some(&change.from));
        self.containers.extend(gone.cloned());
    }
}

fn leave_setting(to: &mut ContainerDefinition, from: &ContainerDefinition, setting: &str) {
    let (group, name) = setting.split_once('.').unwrap_or((setting, ""));
    match group {
        "image" => to.image.clone_from(&from.image),
        "essential" => to.essential = from.essential,
        "command" => to.command.clone_from(&from.command),
        "entry_point" => to.entry_point.clone_from(&from.entry_point),
        "port" => to.port_mappings.clone_from(&from.port_mappings),
        "environment" => leave_one(&mut to.environment, from.environment(), |variable: &KeyValuePair| {
            variable.name() == Some(name)
        }),
        "secrets" => leave_one(&mut to.secrets, from.secrets(), |secret: &Secret| secret.name() == name),
        "log" => match (&mut to.log_configuration, &from.log_configuration) {
            (Some(to), Some(from)) => {
                let now = from.options().and_then(|options| options.get(name));
                let options = to.options.get_or_insert_default();
                match now {
                    Some(now) => options.insert(name.to_owned(), now.clone()),
                    None => options.remove(name),
                };
            }
            (to, from) => to.clone_from(from),
        },
        "log_driver" => to.log_configuration.clone_from(&from.log_configuration),
        "health_check" => match (&mut to.health_check, &from.health_check) {
            (Some(to), Some(from)) => match name {
                "command" => to.command.clone_from(&from.command),
                "interval" => to.interval = from.interval,
                "timeout" => to.timeout = from.timeout,
                "retries" => to.retries = from.retries,
                _ => to.start_period = from.start_period,
            },
            (to, from) => to.clone_from(from),
        },
        _ => {}
    }
}

/// Makes one entry of a list what it is in another, absence included.
fn leave_one<T: Clone>(to: &mut Option<Vec<T>>, from: &[T], is_meant: impl Fn(&T) -> bool) {
    let list = to.get_or_insert_default();
    list.retain(|entry| !is_meant(entry));
    list.extend(from.iter().filter(|entry| is_meant(entry)).cloned());
}
