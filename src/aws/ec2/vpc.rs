//! The VPC.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Vpc as Described, VpcAttributeName};
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{filter, found_after, is_throttled, once, ours, read_tags, retag, soon, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

/// A virtual private cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// Its IPv4 addresses, as `10.0.0.0/16`; between /16 and /28. Another range means another VPC.
    pub cidr: String,
    /// Whether instances get DNS names and the VPC's resolver answers: `true` when not given.
    #[serde(default = "yes")]
    pub dns: bool,
}

fn yes() -> bool {
    true
}

/// What EC2 says of a VPC.
#[derive(Clone, Debug)]
pub struct State {
    cidr: String,
    state: String,
    /// `None` in a listing: it costs two calls for each VPC, so it is read for one that a script ensures.
    dns: Option<bool>,
    is_default: bool,
}

static ABOUT: About = About {
    kind: "vpc",
    module: "ec2",
    noun: "vpc",
    plural: "vpcs",
    help: "Ensures a VPC with one IPv4 range.",
    retention: Retention::Disposable,
    gone_before: &[
        "nat-gateway",
        "internet-gateway",
        "route-table",
        "subnet",
        "security-group",
        "target-group",
        "load-balancer",
        "vpc-endpoint",
    ],
    outputs: &[
        OutputField::text("id", "The id, as `vpc-0123456789abcdef0`."),
        OutputField::text("cidr", "The IPv4 range."),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(600),
    actions: &[
        "ec2:CreateTags",
        "ec2:CreateVpc",
        "ec2:DeleteTags",
        "ec2:DeleteVpc",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcs",
        "ec2:ModifyVpcAttribute",
    ],
};

/// See [`Spec`].
pub struct Vpc(pub Aws);

impl Vpc {
    fn live(name: String, tags: Tags, vpc: &Described) -> Live<State> {
        let id = vpc.vpc_id().unwrap_or_default();
        Live {
            id: id.to_owned(),
            name,
            tags,
            state: State {
                cidr: vpc.cidr_block().unwrap_or_default().to_owned(),
                state: vpc.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
                dns: None,
                is_default: vpc.is_default().unwrap_or_default(),
            },
        }
    }

    /// Whether it resolves names and gives them.
    async fn dns(&self, id: &str) -> Result<bool> {
        let (support, names) = futures::try_join!(
            self.attribute(id, VpcAttributeName::EnableDnsSupport),
            self.attribute(id, VpcAttributeName::EnableDnsHostnames)
        )?;
        Ok(support && names)
    }

    async fn attribute(&self, id: &str, attribute: VpcAttributeName) -> Result<bool> {
        let call = self.0.ec2.describe_vpc_attribute().vpc_id(id).attribute(attribute);
        let answer = call.send().await.call("ec2:DescribeVpcAttribute")?;
        let on = |value: Option<&AttributeBooleanValue>| value.and_then(AttributeBooleanValue::value);
        Ok(on(answer.enable_dns_support())
            .or_else(|| on(answer.enable_dns_hostnames()))
            .unwrap_or_default())
    }

    /// DNS host names need DNS support, so the two are switched on in this order and off in the other. One call changes
    /// one attribute. Repeating is safe: the calls say what is.
    async fn switch_dns(&self, id: &str, on: bool) -> Result<()> {
        let value = AttributeBooleanValue::builder().value(on).build();
        let modify = || self.0.ec2.modify_vpc_attribute().vpc_id(id);
        let (first, second) = match on {
            true => (
                modify().enable_dns_support(value.clone()),
                modify().enable_dns_hostnames(value),
            ),
            false => (
                modify().enable_dns_hostnames(value.clone()),
                modify().enable_dns_support(value),
            ),
        };
        first.send().await.call("ec2:ModifyVpcAttribute")?;
        second.send().await.call("ec2:ModifyVpcAttribute")?;
        Ok(())
    }

    async fn describe(&self, id: &str) -> Result<Option<Described>> {
        let answer = super::present(
            self.0
                .ec2
                .describe_vpcs()
                .vpc_ids(id)
                .send()
                .await
                .call("ec2:DescribeVpcs"),
        )?;
        Ok(answer.and_then(|answer| answer.vpcs().first().cloned()))
    }
}

/// A range that EC2 takes: between /16 and /28, the network's own address. Source: CreateVpc, CreateSubnet.
pub(super) fn range(cidr: &str) -> Result<Ipv4Net> {
    let net: Ipv4Net = cidr
        .parse()
        .map_err(|_| Error::failed(format!("\"{cidr}\" is not a range of IPv4 addresses")).hint("as 10.0.0.0/16"))?;
    if !(16..=28).contains(&net.prefix_len()) {
        return Err(Error::failed(format!("{cidr}: EC2 takes ranges between /16 and /28")));
    }
    if net.trunc() != net {
        return Err(Error::failed(format!(
            "{cidr} does not begin where its range begins: {} does",
            net.trunc()
        )));
    }
    Ok(net)
}

impl Kind for Vpc {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))?;
        range(&spec.cidr).map(|_| ())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.ec2.describe_vpcs().set_filters(Some(ours(scope)));
        let found = pages.into_paginator().items().send().try_collect().await;
        let mut listing = Vec::new();
        for vpc in found.call("ec2:DescribeVpcs")? {
            let tags = read_tags(vpc.tags());
            if let Some(name) = scope.name_of(ABOUT.kind, &tags).map(str::to_owned) {
                listing.push(Self::live(name, tags, &vpc));
            }
        }
        Ok(listing)
    }

    fn needs_intent(&self) -> bool {
        true
    }

    /// Why this is safe: the tags are in the create call, which is sent once; what follows is found wanting by the next
    /// run's comparison.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let call = self
            .0
            .ec2
            .create_vpc()
            .cidr_block(&spec.cidr)
            .tag_specifications(specification(ResourceType::Vpc, &cx.tags));
        let answer = call
            .customize()
            .config_override(once())
            .send()
            .await
            .call("ec2:CreateVpc");
        let mut live = match answer {
            Ok(answer) => {
                let vpc = answer.vpc.unwrap_or_else(|| Described::builder().build());
                Live {
                    id: vpc.vpc_id().unwrap_or_default().to_owned(),
                    name: name.to_owned(),
                    tags: cx.tags.clone(),
                    state: State {
                        cidr: spec.cidr.clone(),
                        state: "pending".into(),
                        dns: Some(spec.dns),
                        is_default: false,
                    },
                }
            }
            Err(error) => found_after(self, cx, name, error).await?,
        };
        soon(cx, name, || Box::pin(self.switch_dns(&live.id, spec.dns))).await?;
        live.state.dns = Some(spec.dns);
        Ok(live)
    }

    async fn inspect(&self, _: &Spec, mut live: Live<State>) -> Result<Live<State>> {
        live.state.dns = Some(self.dns(&live.id).await?);
        Ok(live)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let cidr = Change::between("cidr", &live.state.cidr, &spec.cidr, Class::Replace);
        let dns = live.state.dns.as_ref();
        let dns = dns.and_then(|dns| Change::between("dns", dns, &spec.dns, Class::InPlace));
        cidr.into_iter().chain(dns).collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, _: &[Change]) -> Result<()> {
        self.switch_dns(&live.id, spec.dns).await
    }

    async fn refresh(&self, live: &Live<State>) -> Result<Option<Live<State>>> {
        // What waits wants the state; the attributes are not asked for again.
        let vpc = self.describe(&live.id).await?;
        Ok(vpc.map(|vpc| {
            let mut now = live.clone();
            now.tags = read_tags(vpc.tags());
            now.state.state = vpc.state().map(|state| state.as_str().to_owned()).unwrap_or_default();
            now
        }))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        match live.state.state.as_str() {
            "available" => Readiness::Ready,
            state => Readiness::Waiting(state.to_owned()),
        }
    }

    fn goes_at_once(&self) -> bool {
        true
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        super::absent_is_fine(
            self.0
                .ec2
                .delete_vpc()
                .vpc_id(&live.id)
                .send()
                .await
                .call("ec2:DeleteVpc"),
        )
    }

    async fn blockers(&self, live: &Live<State>) -> Result<Vec<String>> {
        super::blockers::in_vpc(&self.0, &live.id).await
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.id.as_str(), "cidr" => live.state.cidr.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let mut row = self.outputs(live);
        row.extend(map! { "state" => live.state.state.as_str() });
        if live.state.is_default {
            row.extend(map! { "is_default" => true });
        }
        row
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("vpc", "vpc-", options)?;
        let call = self.0.ec2.describe_vpcs().filters(filter("vpc-id", [id.as_str()]));
        let answer = call.send().await.call("ec2:DescribeVpcs")?;
        match answer.vpcs().first() {
            Some(vpc) => Ok(Self::live(id, read_tags(vpc.tags()), vpc)),
            None => Err(Error::failed(format!("there is no VPC {id} in {}", self.0.region))),
        }
    }

    fn is_transient(&self, error: &Error) -> bool {
        is_throttled(error)
    }
}
