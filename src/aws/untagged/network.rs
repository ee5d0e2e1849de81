//! The network: what Amazon EC2 lists, each with its tags.

use std::collections::HashSet;

use aws_sdk_ec2::types::{NatGatewayState, VpcEndpoint};

use super::Found;
use crate::aws::error::Call;
use crate::aws::{Aws, tags};
use crate::error::Result;
use crate::resource::Tags;

fn ec2_tags(tags: &[aws_sdk_ec2::types::Tag]) -> Tags {
    tags::read(tags, |tag| (tag.key(), tag.value()))
}

pub(super) async fn vpcs(aws: &Aws) -> Result<Vec<Found>> {
    let vpcs = aws
        .ec2
        .describe_vpcs()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await;
    let vpcs = vpcs.call("ec2:DescribeVpcs")?;
    let defaults: HashSet<_> = vpcs
        .iter()
        .filter(|vpc| vpc.is_default() == Some(true))
        .filter_map(|vpc| vpc.vpc_id())
        .collect();
    let gateways = aws.ec2.describe_internet_gateways();
    let gateways = gateways.into_paginator().items().send().try_collect().await;
    let gateways = gateways.call("ec2:DescribeInternetGateways")?;
    let of_default = |gateway: &&aws_sdk_ec2::types::InternetGateway| {
        let mut vpcs = gateway
            .attachments()
            .iter()
            .filter_map(|attachment| attachment.vpc_id());
        vpcs.any(|vpc| defaults.contains(vpc))
    };
    let made = vpcs.iter().filter(|vpc| vpc.is_default() != Some(true));
    let made = made.map(|vpc| Found::tagged("vpc", vpc.vpc_id(), ec2_tags(vpc.tags())));
    let attached = gateways.iter().filter(|gateway| !of_default(gateway)).map(|gateway| {
        Found::tagged(
            "internet-gateway",
            gateway.internet_gateway_id(),
            ec2_tags(gateway.tags()),
        )
    });
    Ok(made.chain(attached).collect())
}

pub(super) async fn subnets(aws: &Aws) -> Result<Vec<Found>> {
    let subnets = aws
        .ec2
        .describe_subnets()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await;
    let subnets = subnets.call("ec2:DescribeSubnets")?;
    let tables = aws.ec2.describe_route_tables().into_paginator().items().send();
    let tables = tables.try_collect().await.call("ec2:DescribeRouteTables")?;
    let groups = aws.ec2.describe_security_groups().into_paginator().items().send();
    let groups = groups.try_collect().await.call("ec2:DescribeSecurityGroups")?;

    let subnets = subnets.iter().filter(|subnet| subnet.default_for_az() != Some(true));
    let subnets = subnets.map(|subnet| Found::tagged("subnet", subnet.subnet_id(), ec2_tags(subnet.tags())));
    let is_main = |table: &&aws_sdk_ec2::types::RouteTable| {
        table
            .associations()
            .iter()
            .any(|association| association.main() == Some(true))
    };
    let tables = tables.iter().filter(|table| !is_main(table));
    let tables = tables.map(|table| Found::tagged("route-table", table.route_table_id(), ec2_tags(table.tags())));
    let groups = groups.iter().filter(|group| group.group_name() != Some("default"));
    let groups = groups.map(|group| {
        Found::tagged("security-group", group.group_id(), ec2_tags(group.tags())).named(group.group_name())
    });
    Ok(subnets.chain(tables).chain(groups).collect())
}

pub(super) async fn ways_out(aws: &Aws) -> Result<Vec<Found>> {
    let addresses = aws
        .ec2
        .describe_addresses()
        .send()
        .await
        .call("ec2:DescribeAddresses")?;
    let gateways = aws.ec2.describe_nat_gateways().into_paginator().items().send();
    let gateways = gateways.try_collect().await.call("ec2:DescribeNatGateways")?;
    let endpoints = aws.ec2.describe_vpc_endpoints().into_paginator().items().send();
    let endpoints = endpoints.try_collect().await.call("ec2:DescribeVpcEndpoints")?;

    let addresses = addresses.addresses().iter();
    let addresses =
        addresses.map(|address| Found::tagged("address", address.allocation_id(), ec2_tags(address.tags())));
    // Both are listed for a while after their end.
    let gone = [NatGatewayState::Deleted, NatGatewayState::Failed];
    let gateways = gateways
        .iter()
        .filter(|gateway| gateway.state().is_none_or(|state| !gone.contains(state)));
    let gateways =
        gateways.map(|gateway| Found::tagged("nat-gateway", gateway.nat_gateway_id(), ec2_tags(gateway.tags())));
    let is_there = |endpoint: &&VpcEndpoint| {
        let state = endpoint.state().map(|state| state.as_str()).unwrap_or_default();
        !state.eq_ignore_ascii_case("deleted") && endpoint.requester_managed() != Some(true)
    };
    let endpoints = endpoints.iter().filter(is_there);
    let endpoints =
        endpoints.map(|endpoint| Found::tagged("vpc-endpoint", endpoint.vpc_endpoint_id(), ec2_tags(endpoint.tags())));
    Ok(addresses.chain(gateways).chain(endpoints).collect())
}
