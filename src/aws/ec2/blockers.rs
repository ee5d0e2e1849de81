//! What keeps a part of a network from being deleted, whoever made it: EC2 itself says only that something depends on it.
//!
//! A function, a load balancer or a database of somebody else is seen by its network interface, whose description says
//! whose it is, such as `AWS Lambda VPC ENI-audit-...`. Source: EC2 API Reference, `DescribeNetworkInterfaces` and the filters
//! of the other listings; EC2 user guide, "Requester-managed network interfaces".

use aws_sdk_ec2::types::{Filter, NetworkInterface};

use super::filter;
use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::Result;

/// The network interfaces in a security group, a subnet or a VPC: `filter` is `group-id`, `subnet-id` or `vpc-id`.
pub async fn interfaces(aws: &Aws, by: &str, id: &str) -> Result<Vec<String>> {
    let call = aws.ec2.describe_network_interfaces().filters(filter(by, [id]));
    let found = call.into_paginator().items().send().try_collect().await;
    let found = found.call("ec2:DescribeNetworkInterfaces")?;
    Ok(found.iter().map(shown).collect())
}

/// `network interface eni-1 in subnet-1 ("ELB app/front/1", of an instance i-1)`.
fn shown(interface: &NetworkInterface) -> String {
    let id = interface.network_interface_id().unwrap_or_default();
    let subnet = interface.subnet_id().unwrap_or_default();
    let mut whose = Vec::new();
    if let Some(description) = interface.description().filter(|text| !text.is_empty()) {
        whose.push(format!("\"{description}\""));
    }
    if let Some(kind) = interface.interface_type().filter(|kind| kind.as_str() != "interface") {
        whose.push(kind.as_str().to_owned());
    }
    let attachment = interface.attachment();
    if let Some(instance) = attachment.and_then(|attachment| attachment.instance_id()) {
        whose.push(format!("of {instance}"));
    }
    match whose.is_empty() {
        true => format!("network interface {id} in {subnet}"),
        false => format!("network interface {id} in {subnet} ({})", whose.join(", ")),
    }
}

/// The security groups with a rule that names this one.
pub async fn referring_groups(aws: &Aws, id: &str) -> Result<Vec<String>> {
    let mut named = Vec::new();
    for by in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        for group in groups(aws, filter(by, [id])).await? {
            let (other, name) = group;
            let line = format!("a rule of security group {other} ({name})");
            if other != id && !named.contains(&line) {
                named.push(line);
            }
        }
    }
    Ok(named)
}

/// What else is in a VPC.
pub async fn in_vpc(aws: &Aws, id: &str) -> Result<Vec<String>> {
    let mut found = interfaces(aws, "vpc-id", id).await?;
    let call = aws.ec2.describe_subnets().filters(filter("vpc-id", [id]));
    let subnets = call.into_paginator().items().send().try_collect().await;
    for subnet in subnets.call("ec2:DescribeSubnets")? {
        let (id, block) = (subnet.subnet_id(), subnet.cidr_block());
        found.push(format!(
            "subnet {} ({})",
            id.unwrap_or_default(),
            block.unwrap_or_default()
        ));
    }
    // The group `default` goes with the VPC.
    let groups = groups(aws, filter("vpc-id", [id])).await?;
    let groups = groups.into_iter().filter(|(_, name)| name != "default");
    found.extend(groups.map(|(id, name)| format!("security group {id} ({name})")));
    Ok(found)
}

/// Ids and names.
async fn groups(aws: &Aws, by: Filter) -> Result<Vec<(String, String)>> {
    let call = aws.ec2.describe_security_groups().filters(by);
    let found = call.into_paginator().items().send().try_collect().await;
    let found = found.call("ec2:DescribeSecurityGroups")?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(found
        .iter()
        .map(|group| (text(group.group_id()), text(group.group_name())))
        .collect())
}
