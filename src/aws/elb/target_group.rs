//! Where a load balancer sends requests, and how it judges the health of what answers.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{Matcher, ProtocolEnum, TargetGroup, TargetGroupAttribute, TargetTypeEnum};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

pub const KIND: &str = "target-group";

const DELAY: &str = "deregistration_delay.timeout_seconds";

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Http,
    Https,
}

impl Protocol {
    pub(super) fn sdk(self) -> ProtocolEnum {
        match self {
            Protocol::Http => ProtocolEnum::Http,
            Protocol::Https => ProtocolEnum::Https,
        }
    }
}

fn root() -> String {
    "/".into()
}

fn ok() -> String {
    "200".into()
}

fn fifteen() -> u32 {
    15
}

fn five() -> u32 {
    5
}

fn two() -> u32 {
    2
}

fn three() -> u32 {
    3
}

fn half_a_minute() -> u32 {
    30
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME, cut to 32 characters with a hash when
    /// it is longer.
    pub name: String,
    /// The id of the VPC.
    pub vpc: String,
    /// The TCP port of the targets.
    pub port: u16,
    /// `http` (the default) or `https`: what the targets speak.
    #[serde(default)]
    pub protocol: Protocol,
    /// The path that is asked for to judge a target's health.
    #[serde(default = "root")]
    pub health_path: String,
    /// The status codes of a healthy target: `200`, `200,302`, `200-399`.
    #[serde(default = "ok")]
    pub health_codes: String,
    /// How many seconds lie between two checks, 5 to 300.
    #[serde(default = "fifteen")]
    #[schemars(range(min = 5, max = 300))]
    pub health_interval: u32,
    /// After how many seconds without an answer a check has failed, 2 to 120; less than the interval.
    #[serde(default = "five")]
    #[schemars(range(min = 2, max = 120))]
    pub health_timeout: u32,
    /// How many good checks in a row make a target healthy, 2 to 10.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy_threshold: u32,
    /// How many failed checks in a row make it unhealthy, 2 to 10.
    #[serde(default = "three")]
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy_threshold: u32,
    /// How many seconds a target that leaves may still finish its requests, 0 to 3600. The service's own default of 300
    /// makes each deployment five minutes longer.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 0, max = 3600))]
    pub deregistration_delay: u32,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    service_name: String,
    vpc: String,
    port: i32,
    protocol: String,
    target_type: String,
    health_path: String,
    health_codes: String,
    health_interval: i32,
    health_timeout: i32,
    healthy_threshold: i32,
    unhealthy_threshold: i32,
    /// The port that checks go to: `traffic-port` for the targets' own.
    health_port: String,
    attributes: BTreeMap<String, String>,
    load_balancers: Vec<String>,
}

/// Attributes that no option names, with their defaults. Source: TargetGroupAttribute of the API reference.
const DEFAULTS: [(&str, &str); 3] = [
    ("load_balancing.algorithm.type", "round_robin"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.enabled", "false"),
];

const OWN_PORT: &str = "traffic-port";

impl State {
    fn delay(&self) -> String {
        self.attributes.get(DELAY).cloned().unwrap_or_default()
    }

    fn new(group: &TargetGroup) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Self {
            service_name: text(group.target_group_name()),
            vpc: text(group.vpc_id()),
            port: group.port().unwrap_or_default(),
            protocol: text(group.protocol().map(ProtocolEnum::as_str)).to_lowercase(),
            target_type: text(group.target_type().map(TargetTypeEnum::as_str)),
            health_path: text(group.health_check_path()),
            health_codes: text(group.matcher().and_then(|matcher| matcher.http_code())),
            health_interval: group.health_check_interval_seconds().unwrap_or_default(),
            health_timeout: group.health_check_timeout_seconds().unwrap_or_default(),
            healthy_threshold: group.healthy_threshold_count().unwrap_or_default(),
            unhealthy_threshold: group.unhealthy_threshold_count().unwrap_or_default(),
            health_port: text(group.health_check_port()),
            attributes: BTreeMap::new(),
            load_balancers: group.load_balancer_arns().to_vec(),
        }
    }
}

pub struct TargetGroups(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "elb",
    noun: "target_group",
    plural: "target_groups",
    help: "Where a load balancer sends requests: the addresses of a service's tasks, and how their health is judged.",
    retention: Retention::Disposable,
    gone_before: &["listener", "load-balancer", "service"],
    outputs: &[
        OutputField::text("arn", "the ARN: what a listener and a service take"),
        OutputField::text("vpc", "the id of the VPC"),
        OutputField::other("port", "the TCP port of the targets"),
        OutputField::text("protocol", "what the targets speak"),
        OutputField::text("health_path", "the path that is asked for to judge their health"),
    ],
    create_limit: Duration::from_secs(60),
    delete_limit: Duration::from_secs(300),
    actions: &[
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTags",
        "tag:GetResources",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:RemoveTags",
    ],
};

/// The API's whole numbers are signed.
fn whole(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl TargetGroups {
    /// The attributes; `None` when the group went away meanwhile.
    async fn attributes(&self, arn: &str) -> Result<Option<BTreeMap<String, String>>> {
        let answer = self
            .0
            .elb
            .describe_target_group_attributes()
            .target_group_arn(arn)
            .send()
            .await
            .call("elasticloadbalancing:DescribeTargetGroupAttributes");
        match answer {
            Ok(answer) => {
                let pair = |attribute: &TargetGroupAttribute| {
                    let value = attribute.value().unwrap_or_default();
                    Some((attribute.key()?.to_owned(), value.to_owned()))
                };
                Ok(Some(answer.attributes().iter().filter_map(pair).collect()))
            }
            Err(error) if super::is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets attributes. To set one twice is to set it once.
    async fn set(&self, arn: &str, attributes: &[(&str, String)]) -> Result<()> {
        let attribute = |(key, value): &(&str, String)| TargetGroupAttribute::builder().key(*key).value(value).build();
        self.0
            .elb
            .modify_target_group_attributes()
            .target_group_arn(arn)
            .set_attributes(Some(attributes.iter().map(attribute).collect()))
            .send()
            .await
            .call("elasticloadbalancing:ModifyTargetGroupAttributes")?;
        Ok(())
    }
}

impl Kind for TargetGroups {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        if spec.health_timeout >= spec.health_interval {
            return Err(Error::failed(format!(
                "`health_timeout` ({} s) must be less than `health_interval` ({} s)",
                spec.health_timeout, spec.health_interval
            )));
        }
        if !spec.health_path.starts_with('/') {
            return Err(Error::failed("`health_path` must begin with `/`"));
        }
        super::check_name(scope, name, "target group")
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut pages = self.0.elb.describe_target_groups().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("elasticloadbalancing:DescribeTargetGroups")?;
            for group in page.target_groups() {
                if super::may_be_ours(scope, group.target_group_name().unwrap_or_default()) {
                    found.push((
                        group.target_group_arn().unwrap_or_default().to_owned(),
                        State::new(group),
                    ));
                }
            }
        }
        let arns: Vec<_> = found.iter().map(|(arn, _)| arn.clone()).collect();
        let tags = super::read_tags(&self.0, scope, &arns).await?;
        let ours = found.into_iter().filter_map(|(id, state)| {
            let tags = tags.get(&id)?.clone();
            let name = scope.name_of(KIND, &tags)?.to_owned();
            Some(Live { id, name, tags, state })
        });
        let ours = try_join_all(ours.map(async |mut live| {
            let attributes = self.attributes(&live.id).await?;
            Ok::<_, Error>(attributes.map(|attributes| {
                live.state.attributes = attributes;
                live
            }))
        }))
        .await?;
        Ok(ours.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        // The service takes the same call twice for one group, and refuses another of that name.
        let answer = self
            .0
            .elb
            .create_target_group()
            .name(super::physical_of(cx.scope, KIND, name))
            .vpc_id(&spec.vpc)
            .port(i32::from(spec.port))
            .protocol(spec.protocol.sdk())
            .target_type(TargetTypeEnum::Ip)
            .health_check_enabled(true)
            .health_check_protocol(spec.protocol.sdk())
            .health_check_path(&spec.health_path)
            .health_check_interval_seconds(whole(spec.health_interval))
            .health_check_timeout_seconds(whole(spec.health_timeout))
            .healthy_threshold_count(whole(spec.healthy_threshold))
            .unhealthy_threshold_count(whole(spec.unhealthy_threshold))
            .matcher(Matcher::builder().http_code(&spec.health_codes).build())
            .set_tags(Some(super::tag_list(&cx.tags)))
            .send()
            .await
            .call("elasticloadbalancing:CreateTargetGroup")?;
        let group = answer
            .target_groups()
            .first()
            .ok_or_else(|| Error::failed("elasticloadbalancing:CreateTargetGroup: the answer holds none"))?;
        let id = group.target_group_arn().unwrap_or_default().to_owned();
        // When a run dies between the two calls, the next one sees that the delay differs.
        self.set(&id, &[(DELAY, spec.deregistration_delay.to_string())]).await?;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state: State {
                attributes: BTreeMap::from([(DELAY.to_owned(), spec.deregistration_delay.to_string())]),
                ..State::new(group)
            },
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        use Class::{InPlace, Replace};
        let state = &live.state;
        let protocol = spec.protocol.sdk().as_str().to_lowercase();
        let attributes = DEFAULTS.iter().filter_map(|(key, default)| {
            let now = state.attributes.get(*key)?.clone();
            Change::between(&format!("attributes.{key}"), &now, &(*default).to_owned(), InPlace)
        });
        let health_port = Some(&state.health_port).filter(|port| !port.is_empty());
        let health_port =
            health_port.and_then(|port| Change::between("health_port", port, &OWN_PORT.to_owned(), InPlace));
        let own = [
            Change::between("vpc", &state.vpc, &spec.vpc, Replace),
            Change::between("port", &state.port, &i32::from(spec.port), Replace),
            Change::between("protocol", &state.protocol, &protocol, Replace),
            Change::between("target_type", &state.target_type, &"ip".to_owned(), Replace),
            Change::between("health_path", &state.health_path, &spec.health_path, InPlace),
            Change::between("health_codes", &state.health_codes, &spec.health_codes, InPlace),
            Change::between(
                "health_interval",
                &state.health_interval,
                &whole(spec.health_interval),
                InPlace,
            ),
            Change::between(
                "health_timeout",
                &state.health_timeout,
                &whole(spec.health_timeout),
                InPlace,
            ),
            Change::between(
                "healthy_threshold",
                &state.healthy_threshold,
                &whole(spec.healthy_threshold),
                InPlace,
            ),
            Change::between(
                "unhealthy_threshold",
                &state.unhealthy_threshold,
                &whole(spec.unhealthy_threshold),
                InPlace,
            ),
            Change::between(
                "deregistration_delay",
                &state.delay(),
                &spec.deregistration_delay.to_string(),
                InPlace,
            ),
            health_port,
        ];
        own.into_iter().flatten().chain(attributes).collect()
    }

    fn more_fields(&self, _: &Map) -> Vec<String> {
        ["target_type", "health_port", "attributes"].map(str::to_owned).to_vec()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        let is_attribute =
            |change: &Change| change.field == "deregistration_delay" || change.field.starts_with("attributes.");
        if changes.iter().any(|change| !is_attribute(change)) {
            let when = |field: &str, value: u32| is(field).then(|| whole(value));
            let matcher = || Matcher::builder().http_code(&spec.health_codes).build();
            // Says what is, so that it may be sent twice; what is left out stays.
            self.0
                .elb
                .modify_target_group()
                .target_group_arn(&live.id)
                .set_health_check_port(is("health_port").then(|| OWN_PORT.to_owned()))
                .set_health_check_path(is("health_path").then(|| spec.health_path.clone()))
                .set_health_check_interval_seconds(when("health_interval", spec.health_interval))
                .set_health_check_timeout_seconds(when("health_timeout", spec.health_timeout))
                .set_healthy_threshold_count(when("healthy_threshold", spec.healthy_threshold))
                .set_unhealthy_threshold_count(when("unhealthy_threshold", spec.unhealthy_threshold))
                .set_matcher(is("health_codes").then(matcher))
                .send()
                .await
                .call("elasticloadbalancing:ModifyTargetGroup")?;
        }
        let mut attributes = vec![(DELAY, spec.deregistration_delay.to_string())];
        attributes.retain(|_| is("deregistration_delay"));
        let defaults = DEFAULTS.iter().filter(|(key, _)| is(&format!("attributes.{key}")));
        attributes.extend(defaults.map(|(key, value)| (*key, (*value).to_owned())));
        if !attributes.is_empty() {
            self.set(&live.id, &attributes).await?;
        }
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let answer = self
            .0
            .elb
            .describe_target_groups()
            .target_group_arns(&live.id)
            .send()
            .await
            .call("elasticloadbalancing:DescribeTargetGroups");
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if super::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let group = answer.target_groups().first();
        Ok(group.map(|group| Live {
            state: State {
                attributes: live.state.attributes.clone(),
                ..State::new(group)
            },
            ..live.clone()
        }))
    }

    fn readiness(&self, _: &Live<State>) -> Readiness {
        Readiness::Ready
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let answer = self
            .0
            .elb
            .delete_target_group()
            .target_group_arn(&live.id)
            .send()
            .await
            .call("elasticloadbalancing:DeleteTargetGroup");
        match answer {
            Err(error) if !super::is_not_found(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "arn" => live.id.as_str(),
            "vpc" => state.vpc.as_str(),
            "port" => state.port,
            "protocol" => state.protocol.as_str(),
            "health_path" => state.health_path.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let mut row = self.outputs(live);
        row.extend(map! {
            "id" => state.service_name.as_str(),
            "health_codes" => state.health_codes.as_str(),
            "deregistration_delay" => state.delay(),
            "load_balancers" => state.load_balancers.clone(),
        });
        row
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        Some(live.state.service_name.clone())
    }

    fn physical(&self, scope: &Scope, name: &str) -> String {
        super::physical_of(scope, KIND, name)
    }

    async fn complete(&self, scope: &Scope, mut found: Live<State>) -> Result<Live<State>> {
        let mut tags = super::read_tags(&self.0, scope, std::slice::from_ref(&found.id)).await?;
        found.tags = tags.remove(&found.id).unwrap_or_default();
        found.state.attributes = self.attributes(&found.id).await?.unwrap_or_default();
        Ok(found)
    }

    /// By its ARN or its name.
    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference(options)?;
        let call = self.0.elb.describe_target_groups();
        let call = match id.starts_with("arn:") {
            true => call.target_group_arns(&id),
            false => call.names(&id),
        };
        let answer = match call.send().await.call("elasticloadbalancing:DescribeTargetGroups") {
            Err(error) if super::is_not_found(&error) => None,
            other => Some(other?),
        };
        match answer.as_ref().and_then(|answer| answer.target_groups().first()) {
            Some(group) => Ok(Live {
                id: group.target_group_arn().unwrap_or_default().to_owned(),
                name: id,
                tags: Tags::new(),
                state: State::new(group),
            }),
            None => Err(named::missing("target group", &id, &self.0.region)),
        }
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.id).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.id, set, remove).await
    }
}
