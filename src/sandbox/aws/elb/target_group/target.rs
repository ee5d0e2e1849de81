//! Targets and their health.
//!
//! Source: *Health checks for Application Load Balancer target groups*, "Target health status" and its reason codes. The
//! sandbox's targets answer every check that reaches them; whether one does, the security groups say.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::ec2::reach;
use super::super::super::interfaces::{self, Interface};
use super::super::super::rules::{self, Condition};
use super::super::super::{durations, ecs};
use super::super::load_balancer::LoadBalancer;
use super::super::{load_balancer, validation};
use super::{DELAY, KIND, TargetGroup, existing, find, save};

#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    id: String,
    port: i64,
    zone: Option<String>,
    /// When enough checks have passed; far away while none passes.
    healthy: i64,
    /// When enough checks have failed.
    #[serde(default)]
    unhealthy: Option<i64>,
    /// What keeps the load balancer from it.
    #[serde(default)]
    closed: Option<Closed>,
    /// When it is gone, once it is deregistered.
    gone: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closed {
    /// No security group lets the check through, or nothing has the address.
    Timeout,
    /// The load balancer has no subnet in the target's zone.
    Zone,
    /// A rule says that the checks fail.
    Failing,
}

impl Closed {
    /// As ECS quotes it in its events.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Timeout => "Request timed out",
            Self::Zone => "Target is in an Availability Zone that is not enabled for the load balancer",
            Self::Failing => "Health checks failed with these codes: [503]",
        }
    }
}

/// Between a load balancer and its targets: what it has, and where.
struct Front {
    interfaces: Vec<Interface>,
    zones: Vec<String>,
}

impl Front {
    /// Of the load balancers in front of a group; `None`: there is none.
    fn of(call: &Call<'_>, group: &TargetGroup) -> Result<Option<Self>, Fault> {
        let arns = load_balancer::of_target_group(call, &group.arn)?;
        let mut interfaces = Vec::new();
        for arn in &arns {
            interfaces.extend(interfaces::of_owner(call, arn)?);
        }
        let zones = load_balancer::find(call, arns.first().map(String::as_str).unwrap_or_default())?;
        let zones = zones.as_ref().map(LoadBalancer::zone_names);
        Ok(zones.map(|zones| Self { interfaces, zones }))
    }

    /// What keeps it from an address.
    fn closed(
        &self,
        call: &Call<'_>,
        group: &TargetGroup,
        id: &str,
        port: i64,
        zone: Option<&str>,
    ) -> Result<Option<Closed>, Fault> {
        let port = match group.members.get("HealthCheckPort").and_then(Value::as_str) {
            Some(own) if own != "traffic-port" => own.parse().unwrap_or(port),
            _ => port,
        };
        if is_failing(call, group)? {
            return Ok(Some(Closed::Failing));
        }
        let Some(target) = reach::at_address(call, group.vpc.as_deref().unwrap_or_default(), id)? else {
            return Ok(Some(Closed::Timeout));
        };
        let zone = zone.unwrap_or(&target.zone);
        if zone != "all" && !self.zones.iter().any(|other| other == zone) {
            return Ok(Some(Closed::Zone));
        }
        let open = reach::between(call, &self.interfaces, &target, port)?;
        Ok((!open).then_some(Closed::Timeout))
    }
}

/// Looks at the ways to all targets again, after something changed that can open or close them.
pub fn observe(call: &Call<'_>) -> Result<(), Fault> {
    for group in call.store.linked(KIND, "targets")? {
        look(call, group)?;
    }
    Ok(())
}

/// The same where a rule changed.
pub fn observe_due(call: &Call<'_>) -> Result<(), Fault> {
    for group in call.store.due::<TargetGroup>(KIND)? {
        save(call, &group)?;
        look(call, group)?;
    }
    Ok(())
}

fn look(call: &Call<'_>, mut group: TargetGroup) -> Result<(), Fault> {
    let Some(front) = Front::of(call, &group)? else {
        return Ok(());
    };
    let (good, bad) = group.thresholds(call);
    let mut targets = group.targets.clone();
    let mut changed = false;
    for target in targets.iter_mut().filter(|target| target.gone.is_none()) {
        let closed = front.closed(call, &group, &target.id, target.port, target.zone.as_deref())?;
        if closed != target.closed {
            target.turn(closed, call.now, good, bad);
            changed = true;
        }
    }
    if changed {
        group.targets = targets;
        save(call, &group)?;
    }
    Ok(())
}

/// Whether a rule fails the checks of a group, by its own name or by that of a service behind it.
fn is_failing(call: &Call<'_>, group: &TargetGroup) -> Result<bool, Fault> {
    let services = ecs::behind(call, &group.arn)?;
    let mut names = vec![group.arn.as_str(), group.name.as_str()];
    names.extend(services.iter().map(String::as_str));
    rules::of(call, Condition::Unhealthy, &names)
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
        )?;
    }
    save(call, &group)?;
    answer(json!({}))
}

pub fn deregister_targets(call: &Call<'_>) -> Answer {
    let mut group = existing(call)?;
    for target in call.list("Targets") {
        let id = target["Id"].as_str().unwrap_or_default();
        if !group
            .targets
            .iter()
            .any(|known| known.is(&target["Id"], &target["Port"]))
        {
            return Err(Fault::new(
                "InvalidTarget",
                format!(
                    "The following targets are not registered with target group '{}': '{id}'",
                    group.name
                ),
            ));
        }
        group.drain(call, id, target["Port"].as_i64(), call.now);
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
    /// How long it takes until a target counts as healthy, and as unhealthy, in milliseconds.
    fn thresholds(&self, call: &Call<'_>) -> (i64, i64) {
        let span = |threshold: &str| {
            let real = Duration::from_secs(self.number("HealthCheckIntervalSeconds") * self.number(threshold));
            call.after(real) - call.now
        };
        (span("HealthyThresholdCount"), span("UnhealthyThresholdCount"))
    }

    fn add(
        &mut self,
        call: &Call<'_>,
        id: &str,
        port: Option<i64>,
        zone: Option<&str>,
        from: i64,
    ) -> Result<(), Fault> {
        let port = port.or(self.port).unwrap_or_default();
        let (good, bad) = self.thresholds(call);
        let closed = match Front::of(call, self)? {
            Some(front) => front.closed(call, self, id, port, zone)?,
            None => None,
        };
        self.targets
            .retain(|target| target.gone.is_none_or(|gone| gone > call.now));
        let known = |target: &Target| target.id == id && target.port == port;
        if self.targets.iter().any(|target| known(target) && target.gone.is_none()) {
            return Ok(());
        }
        // One that is draining comes back as a new one.
        self.targets.retain(|target| !known(target));
        let mut target = Target {
            id: id.to_owned(),
            port,
            zone: zone.map(str::to_owned),
            healthy: from + good,
            unhealthy: None,
            closed: None,
            gone: None,
        };
        if closed.is_some() {
            target.turn(closed, from, good, bad);
        }
        self.targets.push(target);
        Ok(())
    }

    fn drain(&mut self, call: &Call<'_>, id: &str, port: Option<i64>, from: i64) {
        let delay = self
            .attributes
            .get(DELAY)
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        let delay = delay.map_or(call.usual(durations::DEREGISTRATION_DELAY), Duration::from_secs);
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

    /// The way to it opens or closes at the moment `at`: its health follows after so many checks.
    fn turn(&mut self, closed: Option<Closed>, at: i64, good: i64, bad: i64) {
        let turns = self.turns();
        match closed {
            None => {
                if !turns.is_healthy(at) {
                    self.healthy = at + good;
                }
                self.unhealthy = self.unhealthy.filter(|moment| *moment <= at);
            }
            Some(_) => {
                if !turns.is_healthy(at) {
                    self.healthy = i64::MAX;
                }
                if !turns.is_unhealthy(at) {
                    self.unhealthy = Some(at + bad);
                }
            }
        }
        self.closed = closed;
    }

    fn turns(&self) -> Turns {
        Turns {
            healthy: self.healthy,
            unhealthy: self.unhealthy,
            closed: self.closed.unwrap_or(Closed::Timeout),
        }
    }

    fn health(&self, now: i64, used: bool) -> Value {
        let because =
            |state: &str, reason: &str, text: &str| json!({ "State": state, "Reason": reason, "Description": text });
        let turns = self.turns();
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
        } else if self.closed == Some(Closed::Zone) {
            because("unused", "Target.NotInUse", Closed::Zone.in_words())
        } else if turns.is_unhealthy(now) {
            match self.closed {
                Some(Closed::Failing) => {
                    because("unhealthy", "Target.ResponseCodeMismatch", Closed::Failing.in_words())
                }
                _ => because("unhealthy", "Target.Timeout", Closed::Timeout.in_words()),
            }
        } else if turns.is_healthy(now) {
            json!({ "State": "healthy" })
        } else {
            because(
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            )
        }
    }
}

/// When a target turns healthy and unhealthy, in milliseconds since 1970. The later one holds.
#[derive(Clone, Copy)]
pub struct Turns {
    pub healthy: i64,
    pub unhealthy: Option<i64>,
    pub closed: Closed,
}

impl Turns {
    pub fn is_healthy(&self, at: i64) -> bool {
        self.healthy <= at && !self.is_unhealthy(at)
    }

    pub fn is_unhealthy(&self, at: i64) -> bool {
        let newest = |moment: i64| self.healthy > at || moment >= self.healthy;
        self.unhealthy.is_some_and(|moment| moment <= at && newest(moment))
    }
}

/// Registers a task's address from the moment `from` on, as the service's scheduler does.
pub fn register(call: &Call<'_>, arn: &str, address: &str, port: i64, zone: &str, from: i64) -> Result<(), Fault> {
    // A target group that was deleted under a service is the service's trouble: it writes an event, and goes on.
    let Some(mut group) = find(call, arn)? else {
        return Ok(());
    };
    group.add(call, address, Some(port), Some(zone), from)?;
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

/// The health of a task's address. `None`: it is no target.
pub fn turns(call: &Call<'_>, arn: &str, address: &str, port: i64) -> Result<Option<Turns>, Fault> {
    let Some(group) = find(call, arn)? else { return Ok(None) };
    let target = group
        .targets
        .iter()
        .find(|target| target.id == address && target.port == port && target.gone.is_none());
    Ok(target.map(Target::turns))
}
