//! Task definitions: revisions of families, which never change.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, echo, only, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{client, includes, paged, wanted_tags};

const KIND: &str = "ecs/task-definition";
const FAMILY: &str = "ecs/task-definition-family";

/// What a call gives and an answer repeats.
const MEMBERS: &[&str] = &[
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
];

/// Fargate's pairs of CPU units and memory in MiB: *Task definition parameters for Fargate*, "Task size".
const SIZES: &[(i64, &[i64], i64, i64, i64)] = &[
    (256, &[512, 1024, 2048], 0, 0, 0),
    (512, &[], 1024, 4096, 1024),
    (1024, &[], 2048, 8192, 1024),
    (2048, &[], 4096, 16384, 1024),
    (4096, &[], 8192, 30720, 1024),
    (8192, &[], 16384, 61440, 4096),
    (16384, &[], 32768, 122_880, 8192),
];

#[derive(Clone, Serialize, Deserialize)]
pub struct Definition {
    pub arn: String,
    pub family: String,
    revision: u32,
    pub status: String,
    registered: i64,
    deregistered: Option<i64>,
    pub members: Map<String, Value>,
}

/// Numbers go on after revisions were deleted.
#[derive(Default, Serialize, Deserialize)]
struct Family {
    last: u32,
}

/// Not idempotent, as in AWS: each call gives a new revision.
pub fn register(call: &Call<'_>) -> Answer {
    let family = call.text("family");
    if family.is_empty() || family.len() > 255 || !family.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    {
        return Err(client("Family contains invalid characters."));
    }
    let mut known = vec!["tags"];
    known.extend(MEMBERS);
    only(call, &known)?;
    let mut members = echo(call, MEMBERS);
    check(&members)?;
    defaults(&mut members);
    let wanted = wanted_tags(call)?;
    let mut counter: Family = call.store.get(FAMILY, family)?.unwrap_or_default();
    counter.last += 1;
    call.store.put(FAMILY, family, "", &counter)?;
    let definition = Definition {
        arn: call.arn("ecs", &format!("task-definition/{family}:{}", counter.last)),
        family: family.to_owned(),
        revision: counter.last,
        status: "ACTIVE".to_owned(),
        registered: call.now,
        deregistered: None,
        members,
    };
    save(call, &definition)?;
    tags::put(call, &definition.arn, &wanted)?;
    answer(json!({ "taskDefinition": definition.view(call), "tags": tags::to_lower_list(&wanted) }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let definition = existing(call, call.text("taskDefinition"))?;
    let tags = if includes(call, "TAGS") {
        tags::to_lower_list(&tags::of(call, &definition.arn)?)
    } else {
        Value::Null
    };
    answer(json!({ "taskDefinition": definition.view(call), "tags": tags }))
}

pub fn list(call: &Call<'_>) -> Answer {
    let (prefix, status) = (call.text("familyPrefix"), call.text("status"));
    let status = if status.is_empty() { "ACTIVE" } else { status };
    let descending = call.text("sort") == "DESC";
    let mut found: Vec<Definition> = call.store.all(KIND)?;
    found.retain(|definition| (prefix.is_empty() || definition.family == prefix) && definition.status == status);
    let key = |definition: &Definition| {
        let number = if descending {
            u32::MAX - definition.revision
        } else {
            definition.revision
        };
        format!("{} {number:010}", definition.family)
    };
    paged(
        call,
        "taskDefinitionArns",
        found.iter().map(|found| (key(found), json!(found.arn))).collect(),
        100,
    )
}

pub fn list_families(call: &Call<'_>) -> Answer {
    let (prefix, status) = (call.text("familyPrefix"), call.text("status"));
    let mut families: Vec<String> = call
        .store
        .all::<Definition>(KIND)?
        .into_iter()
        .filter(|definition| matches!(status, "" | "ALL") || definition.status == status)
        .map(|definition| definition.family)
        .filter(|family| family.starts_with(prefix))
        .collect();
    families.sort();
    families.dedup();
    paged(
        call,
        "families",
        families
            .into_iter()
            .map(|family| (family.clone(), json!(family)))
            .collect(),
        100,
    )
}

/// What runs on it goes on running.
pub fn deregister(call: &Call<'_>) -> Answer {
    let mut definition = existing(call, call.text("taskDefinition"))?;
    if !call.text("taskDefinition").contains(':') {
        return Err(client(
            "Unable to deregister: the revision must be given, as family:revision.",
        ));
    }
    definition.status = "INACTIVE".to_owned();
    definition.deregistered.get_or_insert(call.now);
    save(call, &definition)?;
    answer(json!({ "taskDefinition": definition.view(call) }))
}

/// Only what is INACTIVE. The sandbox deletes at once, where ECS first waits for what still uses the definition.
pub fn delete(call: &Call<'_>) -> Answer {
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in call.texts("taskDefinitions") {
        match find(call, &id)? {
            Some(mut definition) if definition.status == "INACTIVE" => {
                definition.status = "DELETE_IN_PROGRESS".to_owned();
                call.store.delete(KIND, &key_of(&definition))?;
                tags::clear(call, &definition.arn)?;
                deleted.push(definition.view(call));
            }
            Some(definition) => failures.push(json!({
                "arn": definition.arn,
                "reason": "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
            })),
            None => failures.push(json!({ "arn": id, "reason": "The specified task definition does not exist." })),
        }
    }
    answer(json!({ "taskDefinitions": deleted, "failures": failures }))
}

impl Definition {
    fn view(&self, call: &Call<'_>) -> Value {
        let mut view = self.members.clone();
        for (member, value) in [
            ("taskDefinitionArn", json!(self.arn)),
            ("revision", json!(self.revision)),
            ("status", json!(self.status)),
            ("requiresAttributes", json!([])),
            ("compatibilities", json!(["EC2", "FARGATE"])),
            ("registeredAt", seconds(self.registered)),
            ("deregisteredAt", self.deregistered.map_or(Value::Null, seconds)),
            (
                "registeredBy",
                json!(format!("arn:aws:iam::{}:user/sandbox", call.account)),
            ),
        ] {
            view.insert(member.to_owned(), value);
        }
        Value::Object(view)
    }

    pub fn containers(&self) -> &[Value] {
        self.members
            .get("containerDefinitions")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub fn text(&self, member: &str) -> &str {
        self.members.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What `RegisterTaskDefinition` refuses.
fn check(members: &Map<String, Value>) -> Result<(), Fault> {
    let containers = members
        .get("containerDefinitions")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if containers.is_empty() {
        return Err(client("Container definitions should not be null or empty."));
    }
    let text = |member: &str| members.get(member).and_then(Value::as_str).unwrap_or_default();
    let mut names = Vec::new();
    for container in containers {
        let name = container["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            return Err(client("Container.name should not be null or empty."));
        }
        if container["image"].as_str().unwrap_or_default().is_empty() {
            return Err(client("Container.image should not be null or empty."));
        }
        if names.contains(&name) {
            return Err(client("Container names should be unique."));
        }
        names.push(name);
    }
    if !containers
        .iter()
        .any(|container| container["essential"].as_bool().unwrap_or(true))
    {
        return Err(client("At least one container should be essential."));
    }
    let fargate = members.get("requiresCompatibilities").and_then(Value::as_array);
    if !fargate.is_some_and(|kinds| kinds.iter().any(|kind| kind == "FARGATE")) {
        return Ok(());
    }
    for volume in members.get("volumes").and_then(Value::as_array).into_iter().flatten() {
        for kind in ["efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration"] {
            if !volume[kind].is_null() {
                return Err(Fault::new(
                    "UnsupportedOperation",
                    format!("not in the sandbox: volumes with {kind}"),
                ));
            }
        }
        if volume["host"]["sourcePath"].is_string() || !volume["dockerVolumeConfiguration"].is_null() {
            return Err(client("Volumes of hosts and of Docker are not supported on Fargate."));
        }
    }
    if text("networkMode") != "awsvpc" {
        return Err(client("Fargate only supports network mode 'awsvpc'."));
    }
    if text("cpu").is_empty() || text("memory").is_empty() {
        return Err(client(
            "Fargate requires that 'cpu' and 'memory' be defined at the task level.",
        ));
    }
    let (cpu, memory) = (units(text("cpu"), 1024), units(text("memory"), 1024));
    let right = SIZES.iter().any(|(size, list, least, most, step)| {
        cpu == Some(*size)
            && memory.is_some_and(|memory| {
                list.contains(&memory) || (*step > 0 && (*least..=*most).contains(&memory) && memory % *step == 0)
            })
    });
    if !right {
        return Err(client(
            "No Fargate configuration exists for given values: see the documentation for valid pairs of CPU and memory.",
        ));
    }
    if text("executionRoleArn").is_empty() {
        let logs = containers
            .iter()
            .any(|container| container["logConfiguration"]["logDriver"] == "awslogs");
        let secrets = containers
            .iter()
            .any(|container| container["secrets"].as_array().is_some_and(|list| !list.is_empty()));
        let ecr = containers.iter().any(|container| {
            container["image"]
                .as_str()
                .is_some_and(|image| image.contains(".dkr.ecr."))
        });
        let why = if secrets {
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        } else if logs {
            "Fargate requires task definition to have execution role ARN to support log driver awslogs."
        } else if ecr {
            "Fargate requires task definition to have execution role ARN to support ECR images."
        } else {
            return Ok(());
        };
        return Err(client(why));
    }
    Ok(())
}

/// `256` or `.25 vCPU`, `512` or `0.5 GB`.
fn units(text: &str, scale: i64) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let lower = text.to_lowercase();
    let number = lower.trim_end_matches(|c: char| !c.is_ascii_digit()).trim();
    number
        .parse::<f64>()
        .ok()
        .map(|number| (number * scale as f64).round() as i64)
}

/// What ECS fills in.
fn defaults(members: &mut Map<String, Value>) {
    members.entry("volumes").or_insert_with(|| json!([]));
    members.entry("placementConstraints").or_insert_with(|| json!([]));
    let awsvpc = members.get("networkMode").is_some_and(|mode| mode == "awsvpc");
    let Some(Value::Array(containers)) = members.get_mut("containerDefinitions") else {
        return;
    };
    for container in containers {
        let Some(container) = container.as_object_mut() else {
            continue;
        };
        for member in [
            "environment",
            "mountPoints",
            "volumesFrom",
            "portMappings",
            "systemControls",
        ] {
            container.entry(member).or_insert_with(|| json!([]));
        }
        container.entry("essential").or_insert(json!(true));
        container.entry("cpu").or_insert(json!(0));
        if let Some(Value::Array(ports)) = container.get_mut("portMappings") {
            for port in ports {
                let Some(port) = port.as_object_mut() else { continue };
                port.entry("protocol").or_insert(json!("tcp"));
                if awsvpc && let Some(number) = port.get("containerPort").cloned() {
                    port.entry("hostPort").or_insert(number);
                }
            }
        }
        if let Some(Value::Object(check)) = container.get_mut("healthCheck") {
            check.entry("interval").or_insert(json!(30));
            check.entry("timeout").or_insert(json!(5));
            check.entry("retries").or_insert(json!(3));
        }
    }
}

/// By ARN, `family:revision`, or `family` for its newest active revision.
pub fn find(call: &Call<'_>, id: &str) -> Result<Option<Definition>, Fault> {
    let name = id.split_once(":task-definition/").map_or(id, |(_, name)| name);
    if name.contains(':') {
        return call.store.get(KIND, name);
    }
    let family: Vec<Definition> = call.store.children(KIND, name)?;
    Ok(family
        .into_iter()
        .rev()
        .find(|definition| definition.status == "ACTIVE"))
}

pub fn existing(call: &Call<'_>, id: &str) -> Result<Definition, Fault> {
    find(call, id)?.ok_or_else(|| client("Unable to describe task definition."))
}

fn save(call: &Call<'_>, definition: &Definition) -> Result<(), Fault> {
    call.store
        .put(KIND, &key_of(definition), &definition.family, definition)
}

fn key_of(definition: &Definition) -> String {
    format!("{}:{}", definition.family, definition.revision)
}
