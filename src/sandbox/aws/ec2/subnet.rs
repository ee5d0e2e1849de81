//! Subnets.
//!
//! Source: EC2 API reference, `CreateSubnet`, `DeleteSubnet`, `ModifySubnetAttribute`; VPC user guide, "Subnet CIDR
//! blocks" (sizes /16 to /28, the first four addresses and the last one are reserved).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces;
use super::filters::{self, Listing};
use super::{arn, cidr, network_acl, new_id, route_table, tags, vpc, zones};

pub const KIND: &str = "ec2/subnet";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Subnet {
    pub subnet_id: String,
    pub vpc_id: String,
    pub cidr_block: Ipv4Net,
    pub availability_zone: String,
    pub availability_zone_id: String,
    pub map_public_ip_on_launch: bool,
}

impl Subnet {
    /// The addresses that interfaces can have.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let (first, last) = (
            self.cidr_block.network().to_bits() + 4,
            self.cidr_block.broadcast().to_bits(),
        );
        (first..last).map(Ipv4Addr::from_bits)
    }

    /// The same from one of them on.
    pub fn addresses_from(&self, address: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> + use<> {
        (address.to_bits()..self.cidr_block.broadcast().to_bits()).map(Ipv4Addr::from_bits)
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        let (first, last) = (
            self.cidr_block.network().to_bits(),
            self.cidr_block.broadcast().to_bits(),
        );
        usize::try_from(last - first).unwrap_or_default().saturating_sub(4)
    }
}

/// The subnet, or `InvalidSubnetID.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Subnet, Fault> {
    call.store.get(KIND, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{id}' does not exist"),
        )
    })
}

/// The subnets of one VPC.
pub fn of_vpc(call: &Call<'_>, vpc: &str) -> Result<Vec<Subnet>, Fault> {
    call.store.children(KIND, vpc)
}

pub fn create(call: &Call<'_>) -> Answer {
    let vpc = vpc::get(call, call.text("VpcId"))?;
    if call.text("CidrBlock").is_empty() {
        return Err(Fault::new(
            "MissingParameter",
            "Either 'cidrBlock' or 'ipv6CidrBlock' should be provided.",
        ));
    }
    let block = cidr(call.text("CidrBlock"), "cidrBlock")?;
    if !(16..=28).contains(&block.prefix_len()) || !vpc.cidr_block.contains(&block) {
        return Err(Fault::new(
            "InvalidSubnet.Range",
            format!("The CIDR '{block}' is invalid."),
        ));
    }
    let others = of_vpc(call, &vpc.vpc_id)?;
    if others
        .iter()
        .any(|other| other.cidr_block.contains(&block) || block.contains(&other.cidr_block))
    {
        return Err(Fault::new(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{block}' conflicts with another subnet"),
        ));
    }
    let zone = zones::choose(
        call,
        call.text("AvailabilityZone"),
        call.text("AvailabilityZoneId"),
        others.len(),
    )?;
    let subnet = Subnet {
        subnet_id: new_id("subnet"),
        vpc_id: vpc.vpc_id,
        cidr_block: block,
        availability_zone: zone.name,
        availability_zone_id: zone.id,
        map_public_ip_on_launch: false,
    };
    tags::on_create(call, "subnet", &subnet.subnet_id)?;
    call.store.put(KIND, &subnet.subnet_id, &subnet.vpc_id, &subnet)?;
    network_acl::associate(call, &subnet.vpc_id, &subnet.subnet_id)?;
    Ok(json!({ "Subnet": shown(call, &subnet)? }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let subnet = get(call, call.text("SubnetId"))?;
    if interfaces::count_in(call, &subnet.subnet_id)? > 0 {
        return Err(Fault::new(
            "DependencyViolation",
            format!(
                "The subnet '{}' has dependencies and cannot be deleted.",
                subnet.subnet_id
            ),
        ));
    }
    route_table::forget_subnet(call, &subnet)?;
    network_acl::disassociate(call, &subnet.subnet_id)?;
    call.store.delete(KIND, &subnet.subnet_id)?;
    tags::clear(call, "subnet", &subnet.subnet_id)?;
    Ok(json!({}))
}

pub fn modify_attribute(call: &Call<'_>) -> Answer {
    let mut subnet = get(call, call.text("SubnetId"))?;
    let attribute = |name: &str| {
        call.input
            .get(name)
            .and_then(|value| value.get("Value"))
            .and_then(Value::as_bool)
    };
    if let Some(public) = attribute("MapPublicIpOnLaunch") {
        subnet.map_public_ip_on_launch = public;
    }
    call.store.put(KIND, &subnet.subnet_id, &subnet.vpc_id, &subnet)?;
    Ok(json!({}))
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "VpcId", &LISTING, |subnet| shown(call, subnet).map(Some))
}

const LISTING: Listing = Listing {
    answer: "Subnets",
    ids: "SubnetIds",
    id: "SubnetId",
    missing: ("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    filters: &[
        ("availability-zone", "AvailabilityZone"),
        ("availabilityZone", "AvailabilityZone"),
        ("availability-zone-id", "AvailabilityZoneId"),
        ("available-ip-address-count", "AvailableIpAddressCount"),
        ("cidr", "CidrBlock"),
        ("cidr-block", "CidrBlock"),
        ("cidrBlock", "CidrBlock"),
        ("default-for-az", "DefaultForAz"),
        ("defaultForAz", "DefaultForAz"),
        ("map-public-ip-on-launch", "MapPublicIpOnLaunch"),
        ("owner-id", "OwnerId"),
        ("state", "State"),
        ("subnet-arn", "SubnetArn"),
        ("subnet-id", "SubnetId"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, subnet: &Subnet) -> Answer {
    let used = interfaces::count_in(call, &subnet.subnet_id)?;
    Ok(json!({
        "SubnetId": subnet.subnet_id,
        "SubnetArn": arn(call, "subnet", &subnet.subnet_id),
        "VpcId": subnet.vpc_id,
        "OwnerId": call.account,
        "State": "available",
        "CidrBlock": subnet.cidr_block,
        "AvailabilityZone": subnet.availability_zone,
        "AvailabilityZoneId": subnet.availability_zone_id,
        "AvailableIpAddressCount": subnet.size().saturating_sub(used),
        "DefaultForAz": false,
        "MapPublicIpOnLaunch": subnet.map_public_ip_on_launch,
        "AssignIpv6AddressOnCreation": false,
        "MapCustomerOwnedIpOnLaunch": false,
        "EnableDns64": false,
        "Ipv6Native": false,
        "Ipv6CidrBlockAssociationSet": [],
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": false,
            "EnableResourceNameDnsAAAARecord": false,
        },
        "Tags": tags::shown(call, "subnet", &subnet.subnet_id)?,
    }))
}
