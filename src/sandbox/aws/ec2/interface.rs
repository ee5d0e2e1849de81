//! Listing network interfaces. They are made by the services that use them: [`super::super::interfaces`].
//!
//! Source: EC2 API reference, `DescribeNetworkInterfaces`.

use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces::{self, Interface};
use super::filters::{self, Listing};
use super::{security_group, tags};

/// The interface, or `InvalidNetworkInterfaceID.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Interface, Fault> {
    interfaces::get(call, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidNetworkInterfaceID.NotFound",
            format!("The networkInterface ID '{id}' does not exist"),
        )
    })
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, interfaces::KIND, "SubnetId", &LISTING, |interface: &Interface| {
        let there = interface.gone_at.is_none_or(|gone| gone > call.now);
        there.then(|| shown(call, interface)).transpose()
    })
}

const LISTING: Listing = Listing {
    answer: "NetworkInterfaces",
    ids: "NetworkInterfaceIds",
    id: "NetworkInterfaceId",
    missing: (
        "InvalidNetworkInterfaceID.NotFound",
        "The networkInterface ID '{}' does not exist",
    ),
    filters: &[
        ("addresses.private-ip-address", "PrivateIpAddresses.PrivateIpAddress"),
        ("association.allocation-id", "Association.AllocationId"),
        ("association.association-id", "Association.AssociationId"),
        ("association.public-ip", "Association.PublicIp"),
        ("availability-zone", "AvailabilityZone"),
        ("description", "Description"),
        ("group-id", "Groups.GroupId"),
        ("group-name", "Groups.GroupName"),
        ("interface-type", "InterfaceType"),
        ("mac-address", "MacAddress"),
        ("network-interface-id", "NetworkInterfaceId"),
        ("owner-id", "OwnerId"),
        ("private-ip-address", "PrivateIpAddress"),
        ("requester-managed", "RequesterManaged"),
        ("status", "Status"),
        ("subnet-id", "SubnetId"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, interface: &Interface) -> Answer {
    let mut groups = Vec::new();
    for id in &interface.groups {
        groups.push(json!({ "GroupId": id, "GroupName": security_group::get(call, id)?.group_name }));
    }
    let mut shown = json!({
        "NetworkInterfaceId": interface.id,
        "SubnetId": interface.subnet,
        "VpcId": interface.vpc,
        "AvailabilityZone": interface.zone,
        "Description": interface.description,
        "OwnerId": call.account,
        "RequesterManaged": true,
        "InterfaceType": match interface.owner.split_once('-') {
            Some(("nat", _)) => "nat_gateway",
            Some(("vpce", _)) => "vpc_endpoint",
            _ => "interface",
        },
        "Status": "in-use",
        "SourceDestCheck": true,
        "MacAddress": interface.mac,
        "PrivateIpAddress": interface.private_ip,
        "PrivateIpAddresses": [{ "Primary": true, "PrivateIpAddress": interface.private_ip }],
        "Groups": groups,
        "Attachment": { "Status": "attached", "DeviceIndex": 1, "DeleteOnTermination": false },
        "TagSet": tags::shown(call, "network-interface", &interface.id)?,
    });
    // Filters look for tags by the name that other kinds have.
    shown["Tags"] = shown["TagSet"].clone();
    if let Some(public) = interface.public_ip {
        let mut association = json!({ "PublicIp": public, "IpOwnerId": "amazon" });
        if let Some(elastic) = &interface.elastic {
            association["AllocationId"] = Value::String(elastic.allocation.clone());
            association["AssociationId"] = Value::String(elastic.association.clone());
            association["IpOwnerId"] = Value::String(call.account.to_owned());
        }
        shown["Association"] = association;
    }
    Ok(shown)
}
