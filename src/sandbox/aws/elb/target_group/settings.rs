//! Health checks and attributes, with what the service refuses and fills in.

use serde_json::{Map, Value, json};

use super::super::super::call::Fault;
use super::super::super::durations;
use super::super::validation;
use super::DELAY;

pub fn check_health(members: &Map<String, Value>) -> Result<(), Fault> {
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

pub fn default_attributes() -> Map<String, Value> {
    // *Edit target group attributes for your Application Load Balancer*, the defaults.
    let defaults = [
        (DELAY, durations::DEREGISTRATION_DELAY.time.as_secs().to_string()),
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
