//! An application load balancer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerStateEnum, LoadBalancerTypeEnum,
};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::plain::Plain;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

pub const KIND: &str = "load-balancer";

const IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";
const DELETION_PROTECTION: &str = "deletion_protection.enabled";

fn yes() -> bool {
    true
}

fn a_minute() -> u32 {
    60
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME, cut to 32 characters with a hash when
    /// it is longer.
    pub name: String,
    /// The ids of the subnets, at least two in different zones.
    pub subnets: Vec<String>,
    /// The ids of the security groups: all of them.
    pub security_groups: Vec<String>,
    /// Whether it can be reached from the internet (the default), or only inside the VPC. A change replaces it.
    #[serde(default = "yes")]
    pub internet_facing: bool,
    /// After how many seconds a connection on which nothing happens is closed, 1 to 4000.
    #[serde(default = "a_minute")]
    #[schemars(range(min = 1, max = 4000))]
    pub idle_timeout: u32,
    /// Refuse to be deleted, by iacsh too, until this is false again.
    #[serde(default)]
    pub deletion_protection: bool,
    /// More attributes by the service's names: `#{ "routing.http.drop_invalid_header_fields.enabled": true }`. One that
    /// decides how requests are treated and is not named has the service's default.
    #[serde(default)]
    pub attributes: BTreeMap<String, Plain>,
}

impl Spec {
    fn attributes(&self) -> BTreeMap<String, String> {
        let text = |(key, value): (&String, &Plain)| Some((key.clone(), value.text()?.to_owned()));
        let mut attributes: BTreeMap<_, _> = self.attributes.iter().filter_map(text).collect();
        attributes.insert(IDLE_TIMEOUT.into(), self.idle_timeout.to_string());
        attributes.insert(DELETION_PROTECTION.into(), self.deletion_protection.to_string());
        attributes
    }

    /// Those that are compared: what is named, and the defaults of what the load balancer has beside that.
    fn expected(&self, live: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let defaults = DEFAULTS.iter().filter(|(key, _)| live.contains_key(*key));
        let mut attributes: BTreeMap<_, _> = defaults
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        attributes.extend(self.attributes());
        attributes
    }
}

/// Attributes that decide how requests are treated, with the defaults of an application load balancer. What only says
/// where logs go is left to whoever keeps them. Source: LoadBalancerAttribute of the API reference.
const DEFAULTS: [(&str, &str); 9] = [
    ("client_keep_alive.seconds", "3600"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
    ("routing.http.xff_client_port.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
    ("waf.fail_open.enabled", "false"),
];

/// The field that an attribute is compared as: below the option that sets it.
fn field(attribute: &str) -> String {
    match attribute {
        IDLE_TIMEOUT | DELETION_PROTECTION => attribute.to_owned(),
        other => format!("attributes.{other}"),
    }
}

#[derive(Clone, Debug, Default)]
pub struct State {
    dns_name: String,
    zone_id: String,
    status: String,
    reason: String,
    vpc: String,
    internet_facing: bool,
    subnets: Vec<String>,
    zones: Vec<String>,
    security_groups: Vec<String>,
    attributes: BTreeMap<String, String>,
}

impl State {
    fn new(balancer: &LoadBalancer) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let zones = balancer.availability_zones();
        let state = balancer.state();
        Self {
            dns_name: text(balancer.dns_name()),
            zone_id: text(balancer.canonical_hosted_zone_id()),
            status: text(state.and_then(|state| state.code()).map(LoadBalancerStateEnum::as_str)),
            reason: text(state.and_then(|state| state.reason())),
            vpc: text(balancer.vpc_id()),
            internet_facing: balancer.scheme() == Some(&LoadBalancerSchemeEnum::InternetFacing),
            subnets: zones
                .iter()
                .filter_map(|zone| zone.subnet_id().map(str::to_owned))
                .collect(),
            zones: zones
                .iter()
                .filter_map(|zone| zone.zone_name().map(str::to_owned))
                .collect(),
            security_groups: balancer.security_groups().to_vec(),
            attributes: BTreeMap::new(),
        }
    }
}

pub struct LoadBalancers(pub Aws);

static ABOUT: About = About {
    kind: KIND,
    module: "elb",
    noun: "load_balancer",
    plural: "load_balancers",
    help: "An application load balancer. Its listeners and target groups are ensured on their own.",
    retention: Retention::Disposable,
    gone_before: &["listener"],
    outputs: &[
        OutputField::text("arn", "the ARN: what `load_balancer` of a listener takes"),
        OutputField::text("dns_name", "the host name"),
        OutputField::text("url", "`http://` and the host name"),
        OutputField::text("zone_id", "the hosted zone for an alias record"),
        OutputField::text("vpc", "the id of the VPC"),
        OutputField::other("internet_facing", "whether it can be reached from the internet"),
    ],
    // Typical are 2 to 4 minutes.
    create_limit: Duration::from_secs(10 * 60),
    delete_limit: Duration::from_secs(10 * 60),
    actions: &[
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeTags",
        "tag:GetResources",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:SetSubnets",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:RemoveTags",
        "iam:CreateServiceLinkedRole",
    ],
};

/// Every load balancer whose name can be this environment's, every page.
pub(crate) async fn known(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<LoadBalancer>>> {
    aws.balancers.get(scope, by_name(aws, scope)).await
}

async fn by_name(aws: &Aws, scope: &Scope) -> Result<Vec<LoadBalancer>> {
    let mut pages = aws.elb.describe_load_balancers().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.call("elasticloadbalancing:DescribeLoadBalancers")?;
        let ours = page
            .load_balancers
            .unwrap_or_default()
            .into_iter()
            .filter(|balancer| super::may_be_ours(scope, balancer.load_balancer_name().unwrap_or_default()));
        found.extend(ours);
    }
    Ok(found)
}

impl LoadBalancers {
    /// The attributes; `None` when it went away meanwhile.
    async fn attributes(&self, arn: &str) -> Result<Option<BTreeMap<String, String>>> {
        let answer = self
            .0
            .elb
            .describe_load_balancer_attributes()
            .load_balancer_arn(arn)
            .send()
            .await
            .call("elasticloadbalancing:DescribeLoadBalancerAttributes");
        match answer {
            Ok(answer) => Ok(Some(
                answer
                    .attributes()
                    .iter()
                    .filter_map(|attribute| {
                        let value = attribute.value().unwrap_or_default();
                        Some((attribute.key()?.to_owned(), value.to_owned()))
                    })
                    .collect(),
            )),
            Err(error) if super::is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets attributes. To set one twice is to set it once.
    async fn set_attributes(&self, arn: &str, attributes: &BTreeMap<String, String>) -> Result<()> {
        let list = attributes
            .iter()
            .map(|(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build())
            .collect();
        self.0
            .elb
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn)
            .set_attributes(Some(list))
            .send()
            .await
            .call("elasticloadbalancing:ModifyLoadBalancerAttributes")?;
        Ok(())
    }
}

impl Kind for LoadBalancers {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        if spec.subnets.len() < 2 {
            return Err(Error::failed(
                "`subnets` must name at least two subnets, in different zones",
            ));
        }
        if spec.security_groups.is_empty() {
            return Err(Error::failed("`security_groups` must name at least one security group"));
        }
        if let Some((key, _)) = spec.attributes.iter().find(|(_, value)| value.text().is_none()) {
            return Err(Error::failed(format!("`attributes.{key}` may not be a secret")));
        }
        for (key, option) in [
            (IDLE_TIMEOUT, "idle_timeout"),
            (DELETION_PROTECTION, "deletion_protection"),
        ] {
            if spec.attributes.contains_key(key) {
                return Err(Error::failed(format!(
                    "`attributes.{key}` is given as the option `{option}`"
                )));
            }
        }
        super::check_name(scope, name, "load balancer")
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let found = self.0.balancers.ask(scope, by_name(&self.0, scope)).await?;
        let arns: Vec<_> = found
            .iter()
            .filter_map(|balancer| balancer.load_balancer_arn().map(str::to_owned))
            .collect();
        let mut tags = super::read_tags(&self.0, scope, &arns).await?;
        let mut ours = Vec::new();
        for balancer in found.iter() {
            let arn = balancer.load_balancer_arn().unwrap_or_default();
            let Some(tags) = tags.remove(arn) else { continue };
            if let Some(name) = scope.name_of(KIND, &tags).map(str::to_owned) {
                let state = State::new(balancer);
                let id = arn.to_owned();
                ours.push(Live { id, name, tags, state });
            }
        }
        let ours = try_join_all(ours.into_iter().map(async |mut live| {
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
        let scheme = match spec.internet_facing {
            true => LoadBalancerSchemeEnum::InternetFacing,
            false => LoadBalancerSchemeEnum::Internal,
        };
        // The service takes the same call twice for one load balancer, and refuses another of that name.
        let answer = self
            .0
            .elb
            .create_load_balancer()
            .name(super::physical_of(cx.scope, KIND, name))
            .r#type(LoadBalancerTypeEnum::Application)
            .scheme(scheme)
            .set_subnets(Some(spec.subnets.clone()))
            .set_security_groups(Some(spec.security_groups.clone()))
            .set_tags(Some(super::tag_list(&cx.tags)))
            .send()
            .await
            .call("elasticloadbalancing:CreateLoadBalancer")?;
        let balancer = answer
            .load_balancers()
            .first()
            .ok_or_else(|| Error::failed("elasticloadbalancing:CreateLoadBalancer: the answer holds none"))?;
        let id = balancer.load_balancer_arn().unwrap_or_default().to_owned();
        // When a run dies between the two calls, the next one sees that the attributes differ.
        let attributes = spec.attributes();
        self.set_attributes(&id, &attributes).await?;
        let mut state = State::new(balancer);
        state.attributes = attributes;
        Ok(Live {
            id,
            name: name.to_owned(),
            tags: cx.tags.clone(),
            state,
        })
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        let words = |internet_facing: bool| if internet_facing { "internet-facing" } else { "internal" };
        let mut changes: Vec<_> = [
            Change::between(
                "internet_facing",
                &words(state.internet_facing),
                &words(spec.internet_facing),
                Class::Replace,
            ),
            Change::of_sets("subnets", &state.subnets, &spec.subnets, Class::InPlace),
            Change::of_sets(
                "security_groups",
                &state.security_groups,
                &spec.security_groups,
                Class::InPlace,
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        for (key, wanted) in spec.expected(&state.attributes) {
            let from = state.attributes.get(&key).cloned().unwrap_or_default();
            changes.extend(Change::between(&field(&key), &from, &wanted, Class::InPlace));
        }
        changes
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, changes: &[Change]) -> Result<()> {
        let is = |field: &str| changes.iter().any(|change| change.field == field);
        // Each call sends a whole set, so that it may be sent twice.
        if is("subnets") {
            self.0
                .elb
                .set_subnets()
                .load_balancer_arn(&live.id)
                .set_subnets(Some(spec.subnets.clone()))
                .send()
                .await
                .call("elasticloadbalancing:SetSubnets")?;
        }
        if is("security_groups") {
            self.0
                .elb
                .set_security_groups()
                .load_balancer_arn(&live.id)
                .set_security_groups(Some(spec.security_groups.clone()))
                .send()
                .await
                .call("elasticloadbalancing:SetSecurityGroups")?;
        }
        let mut attributes = spec.expected(&live.state.attributes);
        attributes.retain(|key, _| is(&field(key)));
        if !attributes.is_empty() {
            self.set_attributes(&live.id, &attributes).await?;
        }
        Ok(())
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        let answer = self
            .0
            .elb
            .describe_load_balancers()
            .load_balancer_arns(&live.id)
            .send()
            .await
            .call("elasticloadbalancing:DescribeLoadBalancers");
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if super::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(balancer) = answer.load_balancers().first() else {
            return Ok(None);
        };
        // What waits wants the state; the attributes are not asked for again.
        let mut state = State::new(balancer);
        state.attributes = live.state.attributes.clone();
        Ok(Some(Live { state, ..live.clone() }))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        match live.state.status.as_str() {
            // It works, but the service could not give it all that it needs to grow.
            "active" | "active_impaired" => Readiness::Ready,
            "failed" => Readiness::Failed(Error::failed(format!(
                "the service could not set up {}: {}",
                live.id, live.state.reason
            ))),
            other => Readiness::Waiting(other.to_owned()),
        }
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let answer = self
            .0
            .elb
            .delete_load_balancer()
            .load_balancer_arn(&live.id)
            .send()
            .await
            .call("elasticloadbalancing:DeleteLoadBalancer");
        match answer {
            Ok(_) => Ok(()),
            Err(error) if super::is_not_found(&error) => Ok(()),
            Err(error) if error.code() == "OperationNotPermitted" => Err(error.hint(format!(
                "if it is protected against deletion, ensure {} with `deletion_protection: false` first",
                live.name
            ))),
            Err(error) => Err(error),
        }
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! {
            "arn" => live.id.as_str(),
            "dns_name" => live.state.dns_name.as_str(),
            "url" => format!("http://{}", live.state.dns_name),
            "zone_id" => live.state.zone_id.as_str(),
            "vpc" => live.state.vpc.as_str(),
            "internet_facing" => live.state.internet_facing,
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        let mut row = self.outputs(live);
        row.extend(map! {
            "state" => state.status.as_str(),
            "zones" => state.zones.clone(),
            "subnets" => state.subnets.clone(),
            "security_groups" => state.security_groups.clone(),
            "deletion_protection" => state.attributes.get(DELETION_PROTECTION).is_some_and(|value| value == "true"),
        });
        row
    }

    fn name_at_service(&self, live: &Live<State>) -> Option<String> {
        // arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID
        live.id.split('/').nth(2).map(str::to_owned)
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
        let call = self.0.elb.describe_load_balancers();
        let call = match id.starts_with("arn:") {
            true => call.load_balancer_arns(&id),
            false => call.names(&id),
        };
        let answer = match call.send().await.call("elasticloadbalancing:DescribeLoadBalancers") {
            Err(error) if super::is_not_found(&error) => None,
            other => Some(other?),
        };
        match answer.as_ref().and_then(|answer| answer.load_balancers().first()) {
            Some(balancer) => Ok(Live {
                id: balancer.load_balancer_arn().unwrap_or_default().to_owned(),
                name: id,
                tags: Tags::new(),
                state: State::new(balancer),
            }),
            None => Err(named::missing("load balancer", &id, &self.0.region)),
        }
    }

    async fn tags_now(&self, _: &Scope, live: &Live<State>) -> Result<Option<Tags>> {
        super::tags_now(&self.0, &live.id).await
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        super::retag(&self.0, &live.id, set, remove).await
    }

    fn is_transient(&self, error: &Error) -> bool {
        // The internet gateway of a VPC that was just made is not attached for everybody yet.
        error.code() == "InvalidSubnet" && error.to_string().contains("no internet gateway")
    }
}
