//! Rules of listeners.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, hex, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::listener::{self, Listener};
use super::{paged, validation, wanted_tags};

/// The conditions of a rule: field, and the member that carries its values.
const FIELDS: &[(&str, &str)] = &[
    ("host-header", "HostHeaderConfig"),
    ("path-pattern", "PathPatternConfig"),
    ("http-header", "HttpHeaderConfig"),
    ("query-string", "QueryStringConfig"),
    ("http-request-method", "HttpRequestMethodConfig"),
    ("source-ip", "SourceIpConfig"),
];

#[derive(Clone, Serialize, Deserialize)]
pub struct Rule {
    pub arn: String,
    /// None: the default rule, which comes last.
    priority: Option<i64>,
    conditions: Vec<Value>,
    pub actions: Vec<Value>,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(call, &["ListenerArn", "Conditions", "Priority", "Actions", "Tags"])?;
    let mut listener = listener::existing(call, call.text("ListenerArn"))?;
    let priority = priority(call.int("Priority"))?;
    if listener.rules.iter().any(|rule| rule.priority == Some(priority)) {
        return Err(in_use(priority));
    }
    let conditions = conditions(call.list("Conditions"))?;
    let actions = listener::check_actions(call, call.list("Actions"), &listener.load_balancer)?;
    let wanted = wanted_tags(call)?;
    let (prefix, rest) = listener.arn.split_once(":listener/").unwrap_or_default();
    let rule = Rule {
        arn: format!("{prefix}:listener-rule/{rest}/{}", hex(16)),
        priority: Some(priority),
        conditions,
        actions,
    };
    tags::put(call, &rule.arn, &wanted)?;
    let view = rule.view();
    listener.rules.push(rule);
    listener.rules.sort_by_key(|rule| rule.priority);
    listener::save(call, &listener)?;
    answer(json!({ "Rules": [view] }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (listener, arns) = (call.text("ListenerArn"), call.texts("RuleArns"));
    if listener.is_empty() == arns.is_empty() {
        return Err(validation(
            "You must specify either listener rule ARNs or a listener ARN",
        ));
    }
    let rules: Vec<Rule> = if listener.is_empty() {
        let mut rules = Vec::new();
        for arn in &arns {
            let listener = holder(call, arn)?;
            rules.extend(listener.all_rules().find(|rule| rule.arn == *arn).cloned());
        }
        rules
    } else {
        listener::existing(call, listener)?.all_rules().cloned().collect()
    };
    paged(
        call,
        "Rules",
        rules,
        |rule| format!("{:010}", rule.priority.unwrap_or(i64::from(i32::MAX))),
        Rule::view,
    )
}

pub fn modify(call: &Call<'_>) -> Answer {
    only(call, &["RuleArn", "Conditions", "Actions"])?;
    let arn = call.text("RuleArn");
    let mut listener = holder(call, arn)?;
    let actions = match call.list("Actions") {
        [] => None,
        actions => Some(listener::check_actions(call, actions, &listener.load_balancer)?),
    };
    let conditions = match call.list("Conditions") {
        [] => None,
        given => Some(conditions(given)?),
    };
    let Some(rule) = listener.rules.iter_mut().find(|rule| rule.arn == arn) else {
        return Err(Fault::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be modified"),
        ));
    };
    if let Some(actions) = actions {
        rule.actions = actions;
    }
    if let Some(conditions) = conditions {
        rule.conditions = conditions;
    }
    let view = rule.view();
    listener::save(call, &listener)?;
    answer(json!({ "Rules": [view] }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let arn = call.text("RuleArn");
    let mut listener = holder(call, arn)?;
    if listener.default.arn == arn {
        return Err(Fault::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be deleted"),
        ));
    }
    listener.rules.retain(|rule| rule.arn != arn);
    tags::clear(call, arn)?;
    listener::save(call, &listener)?;
    answer(json!({}))
}

/// All or nothing: the new order is checked as a whole.
pub fn set_priorities(call: &Call<'_>) -> Answer {
    let mut views = Vec::new();
    let mut listeners: Vec<Listener> = Vec::new();
    for pair in call.list("RulePriorities") {
        let arn = pair["RuleArn"].as_str().unwrap_or_default();
        let wanted = priority(pair["Priority"].as_i64())?;
        let place = match listeners
            .iter()
            .position(|listener| listener.rules.iter().any(|rule| rule.arn == arn))
        {
            Some(place) => place,
            None => {
                listeners.push(holder(call, arn)?);
                listeners.len() - 1
            }
        };
        let rule = listeners
            .get_mut(place)
            .and_then(|listener| listener.rules.iter_mut().find(|rule| rule.arn == arn));
        let Some(rule) = rule else {
            return Err(Fault::new(
                "OperationNotPermitted",
                "The priority of a default rule cannot be changed",
            ));
        };
        rule.priority = Some(wanted);
        views.push(rule.view());
    }
    for listener in &mut listeners {
        listener.rules.sort_by_key(|rule| rule.priority);
        if let Some(pair) = listener
            .rules
            .windows(2)
            .find(|pair| pair[0].priority == pair[1].priority)
        {
            return Err(in_use(pair[0].priority.unwrap_or_default()));
        }
        listener::save(call, listener)?;
    }
    answer(json!({ "Rules": views }))
}

impl Rule {
    pub fn default_of(arn: String, actions: Vec<Value>) -> Self {
        Self {
            arn,
            priority: None,
            conditions: Vec::new(),
            actions,
        }
    }

    fn view(&self) -> Value {
        json!({
            "RuleArn": self.arn,
            "Priority": self.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string()),
            "Conditions": self.conditions,
            "Actions": self.actions,
            "IsDefault": self.priority.is_none(),
        })
    }
}

/// Checks conditions. The older form, `Values` beside the field, and the configuration's are kept alike, as the service
/// answers both.
fn conditions(given: &[Value]) -> Result<Vec<Value>, Fault> {
    if given.is_empty() {
        return Err(validation("A condition must be specified"));
    }
    let mut kept = Vec::new();
    for condition in given {
        let mut condition = condition.clone();
        let configured = FIELDS.iter().find(|(_, config)| !condition[*config].is_null());
        let field = condition["Field"]
            .as_str()
            .or(configured.map(|(field, _)| *field))
            .unwrap_or_default()
            .to_owned();
        let Some((_, config)) = FIELDS.iter().find(|(known, _)| *known == field) else {
            return Err(validation(&format!(
                "Condition field '{field}' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'"
            )));
        };
        condition["Field"] = json!(field);
        if condition[*config].is_null() {
            if condition["Values"].as_array().is_none_or(Vec::is_empty) {
                return Err(validation("A condition value must be specified"));
            }
            condition[*config] = json!({ "Values": condition["Values"] });
        } else if matches!(field.as_str(), "host-header" | "path-pattern") {
            condition["Values"] = condition[*config]["Values"].clone();
        }
        kept.push(condition);
    }
    Ok(kept)
}

fn priority(given: Option<i64>) -> Result<i64, Fault> {
    given
        .filter(|priority| (1..=50_000).contains(priority))
        .ok_or_else(|| validation("A rule's priority must be between 1 and 50000"))
}

/// The listener that has the rule.
pub fn holder(call: &Call<'_>, arn: &str) -> Result<Listener, Fault> {
    listener::with_rule(call, arn)?
        .ok_or_else(|| Fault::new("RuleNotFound", format!("One or more rules not found: {arn}")))
}

fn in_use(priority: i64) -> Fault {
    Fault::new("PriorityInUse", format!("Priority '{priority}' is currently in use"))
}
