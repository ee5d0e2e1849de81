//! The NAT gateway.

use std::time::Duration;

use aws_sdk_ec2::types::{NatGateway as Described, NatGatewayAddress, ResourceType};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{filter, ours, read_tags, retag, specification};
use crate::aws::error::Call;
use crate::aws::{Aws, named};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Scope, Tags};
use crate::value::Map;

/// A public NAT gateway: the way from private subnets to the internet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name in this environment.
    pub name: String,
    /// The id of the public subnet that it stands in.
    pub subnet: String,
    /// The allocation id of its elastic IP address.
    pub allocation: String,
    /// Ids of what must be there first: the internet gateway, without which the NAT gateway fails.
    #[serde(default)]
    pub after: Vec<String>,
}

/// What EC2 says of a NAT gateway.
#[derive(Clone, Debug)]
pub struct State {
    state: String,
    failure: Option<String>,
    vpc: String,
    subnet: String,
    allocation: String,
    public_ip: String,
}

static ABOUT: About = About {
    kind: "nat-gateway",
    module: "ec2",
    noun: "nat_gateway",
    plural: "nat_gateways",
    help: "Ensures a public NAT gateway with an elastic IP address. It costs money by the hour and by the gigabyte.",
    retention: Retention::Disposable,
    gone_before: &[],
    outputs: &[
        OutputField::text("id", "The id, as `nat-0123456789abcdef0`."),
        OutputField::text("public_ip", "The address that the world sees."),
    ],
    create_limit: Duration::from_secs(600),
    delete_limit: Duration::from_secs(600),
    actions: &[
        "ec2:CreateNatGateway",
        "ec2:CreateTags",
        "ec2:DeleteNatGateway",
        "ec2:DeleteTags",
        "ec2:DescribeNatGateways",
    ],
};

/// See [`Spec`].
pub struct NatGateway(pub Aws);

fn live(name: String, gateway: &Described) -> Live<State> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let addresses = gateway.nat_gateway_addresses();
    // While it is pending, the address may not be marked as the primary one yet.
    let primary = addresses
        .iter()
        .find(|address| address.is_primary() == Some(true))
        .or(addresses.first());
    Live {
        id: text(gateway.nat_gateway_id()),
        name,
        tags: read_tags(gateway.tags()),
        state: State {
            state: text(gateway.state().map(|state| state.as_str())),
            failure: gateway.failure_message().map(str::to_owned),
            vpc: text(gateway.vpc_id()),
            subnet: text(gateway.subnet_id()),
            allocation: text(primary.and_then(NatGatewayAddress::allocation_id)),
            public_ip: text(primary.and_then(NatGatewayAddress::public_ip)),
        },
    }
}

impl Kind for NatGateway {
    type Spec = Spec;
    type State = State;

    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, scope: &Scope, name: &str, _: &Spec) -> Result<()> {
        named::check_tag(&scope.physical(name))
    }

    /// Not the deleted ones, which EC2 goes on listing for about an hour, nor the failed ones, which it deletes by
    /// itself: neither keeps a new one from being made. One that is being deleted still holds its address. Source: User
    /// Guide, "NAT gateway states".
    async fn list(&self, scope: &Scope) -> Result<Vec<Live<State>>> {
        let mut filters = ours(scope);
        filters.push(filter("state", ["pending", "available", "deleting"]));
        let pages = self.0.ec2.describe_nat_gateways().set_filter(Some(filters));
        let found = pages.into_paginator().items().send().try_collect().await;
        let gateways = found.call("ec2:DescribeNatGateways")?;
        let ours = gateways.iter().filter_map(|gateway| {
            let tags = read_tags(gateway.tags());
            Some(live(scope.name_of(ABOUT.kind, &tags)?.to_owned(), gateway))
        });
        Ok(ours.collect())
    }

    /// Why this is safe: the tags and a client token are in the call.
    async fn create(&self, cx: &Context<'_>, name: &str, spec: &Spec) -> Result<Live<State>> {
        let call = self
            .0
            .ec2
            .create_nat_gateway()
            .client_token(cx.token(&format!("nat-gateway/{name} {} {}", spec.subnet, spec.allocation)))
            .subnet_id(&spec.subnet)
            .allocation_id(&spec.allocation)
            .tag_specifications(specification(ResourceType::Natgateway, &cx.tags));
        let answer = call.send().await.call("ec2:CreateNatGateway")?;
        let gateway = answer.nat_gateway.unwrap_or_else(|| Described::builder().build());
        Ok(live(name.to_owned(), &gateway))
    }

    fn changes(&self, spec: &Spec, live: &Live<State>) -> Vec<Change> {
        let subnet = Change::between("subnet", &live.state.subnet, &spec.subnet, Class::Replace);
        let address = Change::between("allocation", &live.state.allocation, &spec.allocation, Class::Replace);
        subnet.into_iter().chain(address).collect()
    }

    async fn update(&self, _: &Context<'_>, _: &Spec, _: &Live<State>, _: &[Change]) -> Result<()> {
        Ok(())
    }

    async fn refresh(&self, before: &Live<State>) -> Result<Option<Live<State>>> {
        let call = self.0.ec2.describe_nat_gateways().nat_gateway_ids(&before.id);
        let answer = super::present(call.send().await.call("ec2:DescribeNatGateways"))?;
        let gateway = answer.as_ref().and_then(|answer| answer.nat_gateways().first());
        let now = gateway.map(|gateway| live(before.name.clone(), gateway));
        Ok(now.filter(|now| now.state.state != "deleted"))
    }

    fn readiness(&self, live: &Live<State>) -> Readiness {
        match live.state.state.as_str() {
            "available" => Readiness::Ready,
            "failed" => {
                let why = live.state.failure.as_deref().unwrap_or("EC2 does not say why");
                Readiness::Failed(
                    Error::failed(format!("the NAT gateway {} failed: {why}", live.id))
                        .hint("run the same command again: it makes a new one; EC2 removes the failed one by itself"),
                )
            }
            "deleting" => Readiness::Leaving("deleting".into()),
            state => Readiness::Waiting(state.to_owned()),
        }
    }

    async fn delete(&self, _: &Context<'_>, live: &Live<State>) -> Result<()> {
        let call = self.0.ec2.delete_nat_gateway().nat_gateway_id(&live.id);
        super::absent_is_fine(call.send().await.call("ec2:DeleteNatGateway"))
    }

    fn outputs(&self, live: &Live<State>) -> Map {
        map! { "id" => live.id.as_str(), "public_ip" => live.state.public_ip.as_str() }
    }

    fn row(&self, live: &Live<State>) -> Map {
        let mut row = self.outputs(live);
        row.extend(map! {
            "vpc" => live.state.vpc.as_str(), "subnet" => live.state.subnet.as_str(),
            "state" => live.state.state.as_str(),
        });
        row
    }

    async fn reference(&self, options: &Map) -> Result<Live<State>> {
        let id = named::reference_id("NAT gateway", "nat-", options)?;
        let by_id = filter("nat-gateway-id", [id.as_str()]);
        let answer = self.0.ec2.describe_nat_gateways().filter(by_id).send().await;
        let answer = answer.call("ec2:DescribeNatGateways")?;
        let found = answer.nat_gateways().first().map(|gateway| live(id.clone(), gateway));
        found
            .filter(|found| matches!(found.state.state.as_str(), "pending" | "available"))
            .ok_or_else(|| named::missing("NAT gateway", &id, &self.0.region))
    }

    async fn retag(&self, live: &Live<State>, set: &Tags, remove: &[String]) -> Result<()> {
        retag(&self.0, &live.id, set, remove).await
    }

    /// The address is still held by a gateway that is being deleted.
    fn is_transient(&self, error: &Error) -> bool {
        matches!(
            error.code(),
            "InvalidAllocationID.InUse" | "Resource.AlreadyAssociated" | "InvalidAllocationID.NotFound"
        )
    }
}
