//! Target groups and the health of their targets.
//!
//! A target is `initial` until as many health checks as the healthy threshold asks for have passed, then `healthy`;
//! `unhealthy` when the load balancer does not reach it; a deregistered one is `draining` for the deregistration delay.

mod settings;
mod target;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, hex, only};
use super::super::call::{Answer, Call, Fault};
use super::super::{ecs, tags};
use super::{attribute_list, change_attributes, check_name, load_balancer, paged, paged_of, validation, wanted_tags};
use settings::{check_health, default_attributes};
use target::Target;

pub use target::{
    Closed, deregister, deregister_targets, health, observe, observe_due, register, register_targets, turns,
};

const KIND: &str = "elb/target-group";

const DELAY: &str = "deregistration_delay.timeout_seconds";

/// The members of the health check, which a modification can change one by one.
const HEALTH: &[&str] = &[
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];

#[derive(Clone, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: String,
    pub name: String,
    /// `instance`, `ip` or `lambda`.
    pub target_type: String,
    pub vpc: Option<String>,
    port: Option<i64>,
    /// The other members, as they are answered.
    members: Map<String, Value>,
    attributes: Map<String, Value>,
    targets: Vec<Target>,
}

/// Idempotent as documented: "If you attempt to create multiple target groups with the same settings, each call
/// succeeds."
pub fn create(call: &Call<'_>) -> Answer {
    let mut known = vec![
        "Name",
        "Protocol",
        "ProtocolVersion",
        "Port",
        "VpcId",
        "TargetType",
        "Tags",
        "IpAddressType",
    ];
    known.extend(HEALTH);
    only(call, &known)?;
    let name = call.text("Name");
    check_name("target group", name)?;
    let target_type = match call.text("TargetType") {
        "" => "instance",
        kind @ ("instance" | "ip") => kind,
        other => {
            return Err(Fault::new(
                "UnsupportedOperation",
                format!("not in the sandbox: target groups of type {other}"),
            ));
        }
    };
    let protocol = call.text("Protocol");
    if !matches!(protocol, "HTTP" | "HTTPS") {
        return Err(match protocol {
            "" => validation("A target group protocol must be specified"),
            other => Fault::new(
                "UnsupportedOperation",
                format!("not in the sandbox: target groups of protocol {other}"),
            ),
        });
    }
    let port = call.int("Port").filter(|port| (1..=65535).contains(port));
    let port = port.ok_or_else(|| validation("A target group port must be specified"))?;
    let vpc = call.text("VpcId");
    if vpc.is_empty() {
        return Err(validation("A VPC ID must be specified"));
    }
    if call.store.get::<Value>("ec2/vpc", vpc)?.is_none() {
        return Err(validation(&format!("The VPC ID '{vpc}' is not found")));
    }
    let mut members = Map::new();
    for (member, default) in [
        ("Protocol", json!(protocol)),
        ("ProtocolVersion", json!("HTTP1")),
        ("HealthCheckProtocol", json!("HTTP")),
        ("HealthCheckPort", json!("traffic-port")),
        ("HealthCheckEnabled", json!(true)),
        ("HealthCheckPath", json!("/")),
        ("HealthCheckIntervalSeconds", json!(30)),
        ("HealthCheckTimeoutSeconds", json!(5)),
        ("HealthyThresholdCount", json!(5)),
        ("UnhealthyThresholdCount", json!(2)),
        ("Matcher", json!({ "HttpCode": "200" })),
        ("IpAddressType", json!("ipv4")),
    ] {
        members.insert(member.to_owned(), call.input.get(member).cloned().unwrap_or(default));
    }
    check_health(&members)?;
    let wanted = wanted_tags(call)?;
    let named: Vec<TargetGroup> = call.store.linked(KIND, &format!("name:{name}"))?;
    if let Some(existing) = named.into_iter().next() {
        let same = existing.members == members
            && existing.port == Some(port)
            && existing.vpc.as_deref() == Some(vpc)
            && existing.target_type == target_type;
        return match same {
            true => answer(json!({ "TargetGroups": [existing.view(call)?] })),
            false => Err(Fault::new(
                "DuplicateTargetGroupName",
                format!("A target group with the same name '{name}' exists, but with different settings"),
            )),
        };
    }
    let group = TargetGroup {
        arn: call.arn("elasticloadbalancing", &format!("targetgroup/{name}/{}", hex(16))),
        name: name.to_owned(),
        target_type: target_type.to_owned(),
        vpc: Some(vpc.to_owned()),
        port: Some(port),
        members,
        attributes: default_attributes(),
        targets: Vec::new(),
    };
    save(call, &group)?;
    tags::put(call, &group.arn, &wanted)?;
    answer(json!({ "TargetGroups": [group.view(call)?] }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (arns, names, balancer) = (
        call.texts("TargetGroupArns"),
        call.texts("Names"),
        call.text("LoadBalancerArn"),
    );
    if [!arns.is_empty(), !names.is_empty(), !balancer.is_empty()]
        .into_iter()
        .filter(|given| *given)
        .count()
        > 1
    {
        return Err(validation(
            "Target group names, target group ARNs, and load balancer ARN cannot be specified at the same time",
        ));
    }
    if !balancer.is_empty() {
        load_balancer::existing(call)?;
    }
    if arns.is_empty() && names.is_empty() && balancer.is_empty() {
        return paged_of(call, "TargetGroups", KIND, |group: &TargetGroup| group.view(call));
    }
    let mut groups = all(call)?;
    if let Some(missing) = arns.iter().find(|arn| !groups.iter().any(|group| group.arn == **arn)) {
        return Err(not_found(missing));
    }
    if names.iter().any(|name| !groups.iter().any(|group| group.name == *name)) {
        return Err(Fault::new("TargetGroupNotFound", "One or more target groups not found"));
    }
    groups.retain(|group| {
        (arns.is_empty() || arns.contains(&group.arn)) && (names.is_empty() || names.contains(&group.name))
    });
    let mut views = Vec::new();
    for group in groups {
        let view = group.view(call)?;
        let behind = view["LoadBalancerArns"]
            .as_array()
            .is_some_and(|arns| arns.iter().any(|arn| arn == balancer));
        if balancer.is_empty() || behind {
            views.push(view);
        }
    }
    paged(
        call,
        "TargetGroups",
        views,
        |view| view["TargetGroupArn"].to_string(),
        Value::clone,
    )
}

pub fn modify(call: &Call<'_>) -> Answer {
    let mut known = vec!["TargetGroupArn"];
    known.extend(HEALTH);
    only(call, &known)?;
    let mut group = existing(call)?;
    for member in HEALTH {
        if let Some(value) = call.input.get(*member) {
            group.members.insert((*member).to_owned(), value.clone());
        }
    }
    check_health(&group.members)?;
    save(call, &group)?;
    answer(json!({ "TargetGroups": [group.view(call)?] }))
}

/// A target group that is not there is no error.
pub fn delete(call: &Call<'_>) -> Answer {
    let arn = call.text("TargetGroupArn");
    if !load_balancer::of_target_group(call, arn)?.is_empty() {
        return Err(Fault::new(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    call.store.delete(KIND, arn)?;
    tags::clear(call, arn)?;
    answer(json!({}))
}

pub fn attributes(call: &Call<'_>) -> Answer {
    answer(json!({ "Attributes": attribute_list(&existing(call)?.attributes) }))
}

pub fn modify_attributes(call: &Call<'_>) -> Answer {
    let mut group = existing(call)?;
    change_attributes(call, &mut group.attributes)?;
    save(call, &group)?;
    answer(json!({ "Attributes": attribute_list(&group.attributes) }))
}

impl TargetGroup {
    fn view(&self, call: &Call<'_>) -> Result<Value, Fault> {
        let mut view = self.members.clone();
        view.insert("TargetGroupArn".to_owned(), json!(self.arn));
        view.insert("TargetGroupName".to_owned(), json!(self.name));
        view.insert("TargetType".to_owned(), json!(self.target_type));
        view.insert("Port".to_owned(), json!(self.port));
        view.insert("VpcId".to_owned(), json!(self.vpc));
        view.insert(
            "LoadBalancerArns".to_owned(),
            json!(load_balancer::of_target_group(call, &self.arn)?),
        );
        Ok(Value::Object(view))
    }

    fn number(&self, member: &str) -> u64 {
        self.members.get(member).and_then(Value::as_u64).unwrap_or_default()
    }
}

pub fn find(call: &Call<'_>, arn: &str) -> Result<Option<TargetGroup>, Fault> {
    call.store.get(KIND, arn)
}

fn existing(call: &Call<'_>) -> Result<TargetGroup, Fault> {
    let arn = call.text("TargetGroupArn");
    find(call, arn)?.ok_or_else(|| not_found(arn))
}

fn all(call: &Call<'_>) -> Result<Vec<TargetGroup>, Fault> {
    call.store.all(KIND)
}

fn save(call: &Call<'_>, group: &TargetGroup) -> Result<(), Fault> {
    let mut links = vec![format!("name:{}", group.name)];
    if !group.targets.is_empty() {
        links.push("targets".to_owned());
    }
    call.store
        .entry(KIND, &group.arn)
        .parent(group.vpc.as_deref().unwrap_or_default())
        .links(&links)
        .put(group)?;
    ecs::wake(call, &group.arn)
}

pub fn not_found(arn: &str) -> Fault {
    Fault::new("TargetGroupNotFound", format!("Target group '{arn}' not found"))
}
