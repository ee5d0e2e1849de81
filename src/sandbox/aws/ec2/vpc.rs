//! VPCs.
//!
//! Source: EC2 API reference, `CreateVpc`, `DeleteVpc`, `ModifyVpcAttribute`; VPC user guide, "VPC CIDR blocks" (/16 to
//! /28) and "Delete your VPC".

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::protocol::lower_first;
use super::filters::{self, Listing};
use super::{
    cidr, endpoint, gateway, in_use, network_acl, new_id, route_table, security_group, subnet, tags, unsupported,
};

pub const KIND: &str = "ec2/vpc";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Vpc {
    pub vpc_id: String,
    pub cidr_block: Ipv4Net,
    pub instance_tenancy: String,
    /// `vpc-cidr-assoc-...`
    pub association_id: String,
    pub enable_dns_support: bool,
    pub enable_dns_hostnames: bool,
    #[serde(default)]
    pub enable_network_address_usage_metrics: bool,
}

/// The VPC, or `InvalidVpcID.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Vpc, Fault> {
    call.store
        .get(KIND, id)?
        .ok_or_else(|| Fault::new("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")))
}

pub fn create(call: &Call<'_>) -> Answer {
    if call.flag("AmazonProvidedIpv6CidrBlock") {
        return Err(unsupported(call, "AmazonProvidedIpv6CidrBlock"));
    }
    if call.text("CidrBlock").is_empty() {
        return Err(Fault::new(
            "MissingParameter",
            "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.",
        ));
    }
    let block = cidr(call.text("CidrBlock"), "cidrBlock")?;
    if !(16..=28).contains(&block.prefix_len()) {
        return Err(Fault::new(
            "InvalidVpc.Range",
            format!("The CIDR '{block}' is invalid."),
        ));
    }
    let vpc = Vpc {
        vpc_id: new_id("vpc"),
        cidr_block: block,
        instance_tenancy: match call.text("InstanceTenancy") {
            "" => "default".to_owned(),
            tenancy => tenancy.to_owned(),
        },
        association_id: new_id("vpc-cidr-assoc"),
        enable_dns_support: true,
        enable_dns_hostnames: false,
        enable_network_address_usage_metrics: false,
    };
    tags::on_create(call, "vpc", &vpc.vpc_id)?;
    call.store.put(KIND, &vpc.vpc_id, "", &vpc)?;
    route_table::create_main(call, &vpc)?;
    network_acl::create_default(call, &vpc.vpc_id)?;
    security_group::create_default(call, &vpc.vpc_id)?;
    let mut shown = shown(call, &vpc)?;
    // The answer of the create call shows it on its way; every later one shows it available.
    shown["State"] = "pending".into();
    Ok(json!({ "Vpc": shown }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let vpc = get(call, call.text("VpcId"))?;
    let id = &vpc.vpc_id;
    let groups = security_group::of_vpc(call, id)?;
    let tables = route_table::of_vpc(call, id)?;
    if !subnet::of_vpc(call, id)?.is_empty()
        || gateway::of_vpc(call, id)?.is_some()
        || groups.iter().any(|group| group.group_name != "default")
        || tables.iter().any(|table| !table.is_main())
        || !endpoint::of_vpc(call, id)?.is_empty()
        || network_acl::has_custom(call, id)?
    {
        return Err(in_use("vpc", id));
    }
    for group in groups {
        security_group::forget(call, &group)?;
    }
    for table in tables {
        route_table::forget(call, &table)?;
    }
    network_acl::forget(call, id)?;
    call.store.delete(KIND, id)?;
    tags::clear(call, "vpc", id)?;
    Ok(json!({}))
}

pub fn modify_attribute(call: &Call<'_>) -> Answer {
    let mut vpc = get(call, call.text("VpcId"))?;
    let attribute = |name: &str| {
        call.input
            .get(name)
            .and_then(|value| value.get("Value"))
            .and_then(Value::as_bool)
    };
    let names = [
        "EnableDnsHostnames",
        "EnableDnsSupport",
        "EnableNetworkAddressUsageMetrics",
    ];
    let mut given = names.iter().filter_map(|name| Some((*name, attribute(name)?)));
    match (given.next(), given.next()) {
        (Some((one, _)), Some((other, _))) => {
            return Err(Fault::new(
                "InvalidParameterCombination",
                format!(
                    "Fields for multiple attribute types specified: {}, {}",
                    lower_first(one),
                    lower_first(other)
                ),
            ));
        }
        (Some(("EnableDnsSupport", value)), None) => vpc.enable_dns_support = value,
        (Some(("EnableDnsHostnames", value)), None) => vpc.enable_dns_hostnames = value,
        (Some((_, value)), None) => vpc.enable_network_address_usage_metrics = value,
        (None, _) => return Err(Fault::new("InvalidParameterCombination", "No attributes specified.")),
    }
    call.store.put(KIND, &vpc.vpc_id, "", &vpc)?;
    Ok(json!({}))
}

pub fn describe_attribute(call: &Call<'_>) -> Answer {
    let vpc = get(call, call.text("VpcId"))?;
    let (member, value) = match call.text("Attribute") {
        "enableDnsSupport" => ("EnableDnsSupport", vpc.enable_dns_support),
        "enableDnsHostnames" => ("EnableDnsHostnames", vpc.enable_dns_hostnames),
        "enableNetworkAddressUsageMetrics" => (
            "EnableNetworkAddressUsageMetrics",
            vpc.enable_network_address_usage_metrics,
        ),
        other => {
            return Err(Fault::new(
                "UnsupportedOperation",
                format!("not in the sandbox: the attribute {other} of ec2:DescribeVpcAttribute"),
            ));
        }
    };
    Ok(json!({ "VpcId": vpc.vpc_id, member: { "Value": value } }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "", &LISTING, |vpc| shown(call, vpc).map(Some))
}

const LISTING: Listing = Listing {
    answer: "Vpcs",
    ids: "VpcIds",
    id: "VpcId",
    missing: ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    filters: &[
        ("cidr", "CidrBlock"),
        ("cidr-block", "CidrBlock"),
        (
            "cidr-block-association.association-id",
            "CidrBlockAssociationSet.AssociationId",
        ),
        ("cidr-block-association.cidr-block", "CidrBlockAssociationSet.CidrBlock"),
        (
            "cidr-block-association.state",
            "CidrBlockAssociationSet.CidrBlockState.State",
        ),
        ("dhcp-options-id", "DhcpOptionsId"),
        ("is-default", "IsDefault"),
        ("isDefault", "IsDefault"),
        ("owner-id", "OwnerId"),
        ("state", "State"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, vpc: &Vpc) -> Answer {
    Ok(json!({
        "VpcId": vpc.vpc_id,
        "OwnerId": call.account,
        "State": "available",
        "CidrBlock": vpc.cidr_block,
        "CidrBlockAssociationSet": [{
            "AssociationId": vpc.association_id,
            "CidrBlock": vpc.cidr_block,
            "CidrBlockState": { "State": "associated" },
        }],
        "DhcpOptionsId": "default",
        "InstanceTenancy": vpc.instance_tenancy,
        "IsDefault": false,
        "Tags": tags::shown(call, "vpc", &vpc.vpc_id)?,
    }))
}
