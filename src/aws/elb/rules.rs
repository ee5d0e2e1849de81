//! The rules of a listener: what becomes of the requests that its default action does not get.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, HostHeaderConditionConfig, PathPatternConditionConfig, Rule as Described, RuleCondition,
    SourceIpConditionConfig,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::action;
use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::{Error, Result};
use crate::resource::{Change, Class};

/// A rule of a listener: which requests, and where they go. Of several conditions all must hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Its place, 1 to 50000: the lowest is tried first.
    #[schemars(range(min = 1, max = 50000))]
    pub priority: u32,
    /// Host names, one of which the request must have; `*` and `?` stand for any characters.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Paths, one of which the request must have; `*` and `?` stand for any characters.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Ranges of addresses, from one of which the request must come.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The ARN of the target group that gets the requests. Either this or `redirect_to_https`.
    pub target_group: Option<String>,
    /// Send everybody to the same address with https, on port 443.
    #[serde(default)]
    pub redirect_to_https: bool,
}

impl RuleSpec {
    fn conditions(&self) -> Vec<RuleCondition> {
        let some = |values: &Vec<String>| Some(values.clone()).filter(|values| !values.is_empty());
        let condition = |field: &str| RuleCondition::builder().field(field);
        let hosts = some(&self.hosts).map(|values| {
            let config = HostHeaderConditionConfig::builder().set_values(Some(values));
            condition("host-header").host_header_config(config.build()).build()
        });
        let paths = some(&self.paths).map(|values| {
            let config = PathPatternConditionConfig::builder().set_values(Some(values));
            condition("path-pattern").path_pattern_config(config.build()).build()
        });
        let sources = some(&self.sources).map(|values| {
            let config = SourceIpConditionConfig::builder().set_values(Some(values));
            condition("source-ip").source_ip_config(config.build()).build()
        });
        [hosts, paths, sources].into_iter().flatten().collect()
    }

    fn action(&self) -> Action {
        match &self.target_group {
            Some(arn) => action::forward(arn),
            None => action::redirect_to_https(),
        }
    }

    fn words(&self) -> String {
        words(&self.conditions(), &[self.action()])
    }
}

/// A rule as the service tells it.
#[derive(Clone, Debug)]
pub struct Rule {
    arn: String,
    priority: String,
    words: String,
}

impl Rule {
    /// `None` for the default rule, which is the listener's default action.
    fn new(rule: &Described) -> Option<Self> {
        let is_default = rule.is_default() == Some(true) || rule.priority() == Some("default");
        (!is_default).then(|| Self {
            arn: rule.rule_arn().unwrap_or_default().to_owned(),
            priority: rule.priority().unwrap_or_default().to_owned(),
            words: words(rule.conditions(), rule.actions()),
        })
    }
}

/// `host-header a.example or b.example and path-pattern /x: forward to ARN`.
fn words(conditions: &[RuleCondition], actions: &[Action]) -> String {
    let mut told: Vec<_> = conditions.iter().map(condition).collect();
    told.sort();
    format!("{}: {}", told.join(" and "), action::words(actions))
}

fn condition(condition: &RuleCondition) -> String {
    let mut values: Vec<String> = condition.values().to_vec();
    let mut add = |more: &[String]| values.extend(more.iter().cloned());
    if let Some(config) = condition.host_header_config() {
        add(config.values());
    }
    if let Some(config) = condition.path_pattern_config() {
        add(config.values());
    }
    if let Some(config) = condition.source_ip_config() {
        add(config.values());
    }
    if let Some(config) = condition.http_request_method_config() {
        add(config.values());
    }
    if let Some(config) = condition.http_header_config() {
        add(&[format!("{}:", config.http_header_name().unwrap_or_default())]);
        add(config.values());
    }
    for pair in condition
        .query_string_config()
        .into_iter()
        .flat_map(|config| config.values())
    {
        add(&[format!(
            "{}={}",
            pair.key().unwrap_or("*"),
            pair.value().unwrap_or_default()
        )]);
    }
    // The older form of a value and its configuration say the same.
    values.sort();
    values.dedup();
    format!("{} {}", condition.field().unwrap_or_default(), values.join(" or "))
}

/// Refuses what the service would refuse.
pub fn check(specs: &[RuleSpec]) -> Result<()> {
    for (at, spec) in specs.iter().enumerate() {
        let place = format!("`rules.{}`", spec.priority);
        if specs[..at].iter().any(|other| other.priority == spec.priority) {
            return Err(Error::failed(format!("{place}: two rules have this priority")));
        }
        if spec.target_group.is_some() == spec.redirect_to_https {
            return Err(Error::failed(format!(
                "{place}: give either `target_group` or `redirect_to_https: true`"
            )));
        }
        if spec.conditions().is_empty() {
            return Err(Error::failed(format!("{place}: give `hosts`, `paths` or `sources`"))
                .hint("what is true of every request belongs into the listener itself"));
        }
    }
    Ok(())
}

/// Every rule beside the default one.
pub async fn read(aws: &Aws, listener: &str) -> Result<Vec<Rule>> {
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let call = aws.elb.describe_rules().listener_arn(listener).set_marker(marker);
        let page = call.send().await.call("elasticloadbalancing:DescribeRules")?;
        found.extend(page.rules().iter().filter_map(Rule::new));
        marker = page.next_marker;
        if marker.as_ref().is_none_or(String::is_empty) {
            return Ok(found);
        }
    }
}

fn field(priority: &str) -> String {
    format!("rules.{priority}")
}

/// What differs, rule by rule: what was added by hand shows.
pub fn changes(specs: &[RuleSpec], live: &[Rule]) -> Vec<Change> {
    let wanted = specs.iter().map(|spec| {
        let priority = spec.priority.to_string();
        let now = live.iter().find(|rule| rule.priority == priority);
        let now = now.map_or("none", |rule| rule.words.as_str()).to_owned();
        Change::between(&field(&priority), &now, &spec.words(), Class::InPlace)
    });
    let is_wanted = |rule: &&Rule| specs.iter().any(|spec| spec.priority.to_string() == rule.priority);
    let gone = live.iter().filter(|rule| !is_wanted(rule));
    let gone = gone.map(|rule| Some(Change::new(&field(&rule.priority), &rule.words, "none", Class::InPlace)));
    wanted.chain(gone).flatten().collect()
}

/// Makes the rules that `is` names what is wanted. Each call says what is, so that the whole can be repeated.
pub async fn converge(
    aws: &Aws,
    listener: &str,
    specs: &[RuleSpec],
    live: &[Rule],
    is: impl Fn(&str) -> bool,
) -> Result<()> {
    for spec in specs.iter().filter(|spec| is(&field(&spec.priority.to_string()))) {
        let priority = spec.priority.to_string();
        match live.iter().find(|rule| rule.priority == priority) {
            Some(rule) => modify(aws, &rule.arn, spec).await?,
            None => create(aws, listener, spec).await?,
        }
    }
    let is_wanted = |rule: &&Rule| specs.iter().any(|spec| spec.priority.to_string() == rule.priority);
    for rule in live
        .iter()
        .filter(|rule| !is_wanted(rule) && is(&field(&rule.priority)))
    {
        let answer = aws.elb.delete_rule().rule_arn(&rule.arn).send().await;
        match answer.call("elasticloadbalancing:DeleteRule") {
            Err(error) if !super::is_not_found(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn create(aws: &Aws, listener: &str, spec: &RuleSpec) -> Result<()> {
    let call = aws.elb.create_rule().listener_arn(listener);
    let call = call
        .priority(i32::try_from(spec.priority).unwrap_or(i32::MAX))
        .set_conditions(Some(spec.conditions()))
        .actions(spec.action());
    match call.send().await.call("elasticloadbalancing:CreateRule") {
        // An earlier attempt made it, whose answer was lost, or somebody did just now.
        Err(error) if error.code() == "PriorityInUse" => {
            let priority = spec.priority.to_string();
            let found = read(aws, listener).await?;
            match found.iter().find(|rule| rule.priority == priority) {
                Some(rule) => modify(aws, &rule.arn, spec).await,
                None => Err(error),
            }
        }
        other => other.map(|_| ()),
    }
}

async fn modify(aws: &Aws, arn: &str, spec: &RuleSpec) -> Result<()> {
    let call = aws.elb.modify_rule().rule_arn(arn);
    let call = call.set_conditions(Some(spec.conditions())).actions(spec.action());
    call.send().await.call("elasticloadbalancing:ModifyRule").map(|_| ())
}
