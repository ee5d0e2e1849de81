//! The subnet.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Subnet as Described};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{filter, found_after, is_throttled, once, ours, read_tags, retag, soon, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{
    About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags, Used,
};
use crate::value::Map;

/// A subnet of a VPC, in one availability zone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The id of the VPC.
    pub vpc: String,
    /// Its IPv4 addresses, as `10.0.16.0/20`: a part of the VPC's range, between /16 and /28.
    pub cidr: String,
    /// The availability zone, as `eu-central-1a`.
    pub zone: String,
    /// Whether network interfaces made in it get a public address of their own: `false` when not given.
    #[serde(default)]
    pub assign_public_ip: bool,
}

/// What EC2 says of a subnet.
#[derive(Clone, Debug)]
pub struct State {
    vpc: String,
    cidr: String,
    zone: String,
    assign_public_ip: bool,
    state: String,
    free: i64,
}

static ABOUT: About = About {
    kind: "subnet",
    module: "ec2",
    noun: "subnet",
    plural: "subnets",
    help: "Ensures a subnet of a VPC. Its range, zone and VPC cannot change: other ones mean another subnet.",
    retention: Retention::Disposable,
    gone_before: &[
        "nat-gateway",
        "load-balancer",
        "service",
        "replication-group",
        "db-subnet-group",
        "cache-subnet-group",
        "route-table",
        "vpc-endpoint",
    ],
    outputs: &[
        OutputField::text("id", "The id, as `subnet-0123456789abcdef0`."),
        OutputField::text("zone", "The availability zone."),
        OutputField::text("cidr", "The IPv4 range."),
        OutputField::text("vpc", "The id of the VPC."),
    ],
    create_limit: Duration::from_secs(120),
    delete_limit: Duration::from_secs(1200),
    actions: &[
        "ec2:CreateSubnet",
        "ec2:CreateTags",
        "ec2:DeleteSubnet",
        "ec2:DeleteTags",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:ModifySubnetAttribute",
    ],
};

/// See [`Spec`].
pub struct Subnet(pub Aws);

fn live(name: String, subnet: &Described) -> Live<State> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Live {
        id: text(subnet.subnet_id()),
        name,
        tags: read_tags(subnet.tags()),
        state: State {
            vpc: text(subnet.vpc_id()),
            cidr: text(subnet.cidr_block()),
            zone: text(subnet.availability_zone()),
            assign_public_ip: subnet.map_public_ip_on_launch().unwrap_or_default(),
            state: text(subnet.state().map(|state| state.as_str())),
            free: subnet.available_ip_address_count().unwrap_or_default().into(),
        },
    }
}

impl Subnet {
    /// Says what is, so it can be repeated.
    async fn assign(&self, id: &str, on: bool) -> Result<()> {
        let value = AttributeBooleanValue::builder().value(on).build();
        let call = self.0.ec2.modify_subnet_attribute().subnet_id(id);
        let answer = call.map_public_ip_on_launch(value).send().await;
        answer.call("ec2:ModifySubnetAttribute").map(|_| ())
    }
}

impl Kind for Subnet {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, spec: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))?;
        super::vpc::range(&spec.cidr).map(|_| ())
    }

    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let pages = self.0.ec2.describe_subnets().set_filters(Some(ours(scope)));
        let found = pages.into_paginator().items().send().try_collect().await;
        let subnets = found.call("ec2:DescribeSubnets")?;
        let ours = subnets.iter().filter_map(|subnet| {
            let tags = read_tags(subnet.tags());
            Some(live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), subnet))
        });
        Ok(ours.collect())
    }

    fn needs_intent(&self) -> bool {
        true
    }

    /// Why this is safe: the tags are in the create call, which is sent once, and EC2 refuses a second subnet with the
    /// same range.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let call = self
            .0
            .ec2
            .create_subnet()
            .vpc_id(&spec.vpc)
            .cidr_block(&spec.cidr)
            .availability_zone(&spec.zone)
            .tag_specifications(specification(ResourceType::Subnet, &cx.tags));
        let answer = call.customize().config_override(once()).send().await;
        let mut created = match answer.call("ec2:CreateSubnet") {
            Ok(answer) => live(
                name.to_owned(),
                &answer.subnet.unwrap_or_else(|| Described::builder().build()),
            ),
            Err(error) => found_after(self, cx, name, error).await?,
        };
        if created.state.assign_public_ip != spec.assign_public_ip {
            soon(cx, name, || Box::pin(self.assign(&created.id, spec.assign_public_ip))).await?;
            created.state.assign_public_ip = spec.assign_public_ip;
        }
        Ok(created)
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let state = &live.state;
        [
            Change::between("vpc", &state.vpc, &spec.vpc, Class::Replace),
            Change::between("cidr", &state.cidr, &spec.cidr, Class::Replace),
            Change::between("zone", &state.zone, &spec.zone, Class::Replace),
            Change::between(
                "assign_public_ip",
                &state.assign_public_ip,
                &spec.assign_public_ip,
                Class::InPlace,
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    async fn update(&self, _: &Context<'_>, spec: &Spec, live: &Live<State>, _: &[Change]) -> Result<()> {
        self.assign(&live.id, spec.assign_public_ip).await
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.ec2.describe_subnets().subnet_ids(&before.id);
        let answer = super::present(call.send().await.call("ec2:DescribeSubnets"))?;
        let subnet = answer.as_ref().and_then(|answer| answer.subnets().first());
        Ok(subnet.map(|subnet| live(before.name.clone(), subnet)))
    }

    fn uses(&self, live: &Live<State>) -> Vec<Used> {
        vec![Used::new("vpc", &live.state.vpc)]
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
        let call = self.0.ec2.delete_subnet().subnet_id(&live.id);
        super::absent_is_fine(call.send().await.call("ec2:DeleteSubnet"))
    }

    async fn blockers(&self, live: &Live<State>) -> Result<Vec<String>> {
        super::blockers::interfaces(&self.0, "subnet-id", &live.id).await
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        let state = &live.state;
        map! {
            "id" => live.id.as_str(), "zone" => state.zone.as_str(), "cidr" => state.cidr.as_str(),
            "vpc" => state.vpc.as_str(),
        }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let mut row = self.outputs(live);
        row.extend(map! {
            "assign_public_ip" => live.state.assign_public_ip, "free_addresses" => live.state.free,
            "state" => live.state.state.as_str(),
        });
        row
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("subnet", "subnet-", options)?;
        let call = self
            .0
            .ec2
            .describe_subnets()
            .filters(filter("subnet-id", [id.as_str()]));
        let answer = call.send().await.call("ec2:DescribeSubnets")?;
        match answer.subnets().first() {
            Some(subnet) => Ok(live(id, subnet)),
            None => Err(Error::failed(format!("there is no subnet {id} in {}", self.0.region))),
        }
    }

    fn is_transient(&self, error: &Error) -> bool {
        is_throttled(error)
    }
}
