//! Target groups and the health of their targets.
//!
//! A target is `initial` until as many health checks as the healthy threshold asks for have passed, then `healthy`; a
//! deregistered one is `draining` for the deregistration delay. The sandbox's targets pass every check.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, hex, only};
use super::super::call::{Answer, Call, Fault};
use super::super::{durations, ecs, tags};
use super::{attribute_list, change_attributes, check_name, load_balancer, paged, validation, wanted_tags};

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

#[derive(Clone, Serialize, Deserialize)]
struct Target {
    id: String,
    port: i64,
    zone: Option<String>,
    /// When enough checks have passed.
    healthy: i64,
    /// When it is gone, once it is deregistered.
    gone: Option<i64>,
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
    if let Some(existing) = all(call)?.into_iter().find(|group| group.name == name) {
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

pub fn register_targets(call: &Call<'_>) -> Answer {
    let mut group = existing(call)?;
    for target in call.list("Targets") {
        let id = target["Id"].as_str().unwrap_or_default();
        if group.target_type == "ip" && id.parse::<std::net::IpAddr>().is_err() {
            return Err(validation(&format!("The IP address '{id}' is not a valid IP address")));
        }
        if group.target_type == "instance" {
            // The sandbox has no instances, so none of them is there.
            return Err(Fault::new(
                "InvalidTarget",
                format!("The following targets are not in a running state and cannot be registered: '{id}'"),
            ));
        }
        group.add(
            call,
            id,
            target["Port"].as_i64(),
            target["AvailabilityZone"].as_str(),
            call.now,
        );
    }
    save(call, &group)?;
    answer(json!({}))
}

pub fn deregister_targets(call: &Call<'_>) -> Answer {
    let mut group = existing(call)?;
    for target in call.list("Targets") {
        group.drain(
            call,
            target["Id"].as_str().unwrap_or_default(),
            target["Port"].as_i64(),
            call.now,
        );
    }
    save(call, &group)?;
    answer(json!({}))
}

pub fn health(call: &Call<'_>) -> Answer {
    // Tasks that have started by now are targets by now.
    ecs::settle(call)?;
    let group = existing(call)?;
    let used = !load_balancer::of_target_group(call, &group.arn)?.is_empty();
    let wanted = call.list("Targets");
    let mut descriptions = Vec::new();
    for target in group
        .targets
        .iter()
        .filter(|target| target.gone.is_none_or(|gone| gone > call.now))
    {
        if wanted.is_empty() || wanted.iter().any(|other| target.is(&other["Id"], &other["Port"])) {
            descriptions.push(json!({
                "Target": { "Id": target.id, "Port": target.port, "AvailabilityZone": target.zone },
                "HealthCheckPort": match group.members.get("HealthCheckPort").and_then(Value::as_str) {
                    Some("traffic-port") | None => target.port.to_string(),
                    Some(port) => port.to_owned(),
                },
                "TargetHealth": target.health(call.now, used),
            }));
        }
    }
    for other in wanted {
        if !descriptions.iter().any(|known| known["Target"]["Id"] == other["Id"]) {
            descriptions.push(json!({
                "Target": other,
                "TargetHealth": {
                    "State": "unused",
                    "Reason": "Target.NotRegistered",
                    "Description": "Target is not registered to the target group",
                },
            }));
        }
    }
    answer(json!({ "TargetHealthDescriptions": descriptions }))
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

    fn add(&mut self, call: &Call<'_>, id: &str, port: Option<i64>, zone: Option<&str>, from: i64) {
        let port = port.or(self.port).unwrap_or_default();
        let real =
            Duration::from_secs(self.number("HealthCheckIntervalSeconds") * self.number("HealthyThresholdCount"));
        let healthy = from + call.after(real) - call.now;
        self.targets
            .retain(|target| target.gone.is_none_or(|gone| gone > call.now));
        match self
            .targets
            .iter_mut()
            .find(|target| target.id == id && target.port == port)
        {
            Some(target) if target.gone.is_none() => (),
            Some(target) => (target.healthy, target.gone) = (healthy, None),
            None => self.targets.push(Target {
                id: id.to_owned(),
                port,
                zone: zone.map(str::to_owned),
                healthy,
                gone: None,
            }),
        }
    }

    fn drain(&mut self, call: &Call<'_>, id: &str, port: Option<i64>, from: i64) {
        let delay = self
            .attributes
            .get(DELAY)
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        let delay = delay.map_or(durations::DEREGISTRATION_DELAY, Duration::from_secs);
        for target in &mut self.targets {
            if target.id == id && port.is_none_or(|port| port == target.port) && target.gone.is_none() {
                target.gone = Some(from + call.after(delay) - call.now);
            }
        }
    }
}

impl Target {
    fn is(&self, id: &Value, port: &Value) -> bool {
        self.id == *id && port.as_i64().is_none_or(|port| port == self.port)
    }

    fn health(&self, now: i64, used: bool) -> Value {
        let because =
            |state: &str, reason: &str, text: &str| json!({ "State": state, "Reason": reason, "Description": text });
        if self.gone.is_some() {
            because(
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress",
            )
        } else if !used {
            because(
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            )
        } else if now < self.healthy {
            because(
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            )
        } else {
            json!({ "State": "healthy" })
        }
    }
}

/// Registers a task's address from the moment `from` on, as the service's scheduler does.
pub fn register(call: &Call<'_>, arn: &str, address: &str, port: i64, zone: &str, from: i64) -> Result<(), Fault> {
    // A target group that was deleted under a service is the service's trouble: it writes an event, and goes on.
    let Some(mut group) = find(call, arn)? else {
        return Ok(());
    };
    group.add(call, address, Some(port), Some(zone), from);
    save(call, &group)
}

/// Deregisters a task's address from the moment `from` on, and answers when it is drained.
pub fn deregister(call: &Call<'_>, arn: &str, address: &str, port: i64, from: i64) -> Result<i64, Fault> {
    let Some(mut group) = find(call, arn)? else {
        return Ok(from);
    };
    group.drain(call, address, Some(port), from);
    let drained = group
        .targets
        .iter()
        .filter(|target| target.id == address && target.port == port)
        .filter_map(|target| target.gone)
        .max();
    save(call, &group)?;
    Ok(drained.unwrap_or(from))
}

/// When a task's address has passed its checks. None: it is no target.
pub fn healthy_at(call: &Call<'_>, arn: &str, address: &str, port: i64) -> Result<Option<i64>, Fault> {
    let Some(group) = find(call, arn)? else { return Ok(None) };
    let target = group
        .targets
        .iter()
        .find(|target| target.id == address && target.port == port && target.gone.is_none());
    Ok(target.map(|target| target.healthy))
}

fn check_health(members: &Map<String, Value>) -> Result<(), Fault> {
    let number = |member: &str| members.get(member).and_then(Value::as_i64).unwrap_or_default();
    let (interval, timeout) = (
        number("HealthCheckIntervalSeconds"),
        number("HealthCheckTimeoutSeconds"),
    );
    if !(5..=300).contains(&interval) {
        return Err(validation(&format!(
            "Health check interval '{interval}' must be between 5 and 300 seconds"
        )));
    }
    if !(2..=120).contains(&timeout) {
        return Err(validation(&format!(
            "Health check timeout '{timeout}' must be between 2 and 120 seconds"
        )));
    }
    if timeout >= interval {
        return Err(validation(&format!(
            "Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        )));
    }
    for member in ["HealthyThresholdCount", "UnhealthyThresholdCount"] {
        if !(2..=10).contains(&number(member)) {
            return Err(validation(&format!(
                "{member} '{}' must be between 2 and 10",
                number(member)
            )));
        }
    }
    if !members
        .get("HealthCheckPath")
        .and_then(Value::as_str)
        .is_some_and(|path| path.starts_with('/'))
    {
        return Err(validation("Health check path must begin with '/' character"));
    }
    Ok(())
}

fn default_attributes() -> Map<String, Value> {
    // *Edit target group attributes for your Application Load Balancer*, the defaults.
    let defaults = [
        (DELAY, durations::DEREGISTRATION_DELAY.as_secs().to_string()),
        ("stickiness.enabled", "false".to_owned()),
        ("stickiness.type", "lb_cookie".to_owned()),
        ("stickiness.app_cookie.cookie_name", String::new()),
        ("stickiness.app_cookie.duration_seconds", "86400".to_owned()),
        ("stickiness.lb_cookie.duration_seconds", "86400".to_owned()),
        ("slow_start.duration_seconds", "0".to_owned()),
        ("load_balancing.algorithm.type", "round_robin".to_owned()),
        ("load_balancing.algorithm.anomaly_mitigation", "off".to_owned()),
        (
            "load_balancing.cross_zone.enabled",
            "use_load_balancer_configuration".to_owned(),
        ),
        (
            "target_group_health.dns_failover.minimum_healthy_targets.count",
            "1".to_owned(),
        ),
        (
            "target_group_health.dns_failover.minimum_healthy_targets.percentage",
            "off".to_owned(),
        ),
        (
            "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
            "1".to_owned(),
        ),
        (
            "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
            "off".to_owned(),
        ),
    ];
    defaults
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect()
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
    call.store
        .put(KIND, &group.arn, group.vpc.as_deref().unwrap_or_default(), group)?;
    ecs::wake(call, &group.arn)
}

pub fn not_found(arn: &str) -> Fault {
    Fault::new("TargetGroupNotFound", format!("Target group '{arn}' not found"))
}
