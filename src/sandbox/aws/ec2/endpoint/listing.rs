//! Showing endpoints.
//!
//! Source: EC2 API reference, `DescribeVpcEndpoints`, `VpcEndpoint`.

use serde_json::json;

use super::super::super::call::{Answer, Call};
use super::super::super::interfaces;
use super::super::endpoint_service as service;
use super::super::filters::{self, Listing};
use super::super::{security_group, tags};
use super::{Endpoint, KIND};

pub fn describe(call: &Call<'_>) -> Answer {
    let all: Vec<Endpoint> = call.store.all(KIND)?;
    let mut listed = Vec::new();
    for endpoint in &all {
        match endpoint.state(call.now) {
            Some(_) => listed.push(shown(call, endpoint)?),
            None => {
                call.store.delete(KIND, &endpoint.id)?;
                tags::clear(call, "vpc-endpoint", &endpoint.id)?;
            }
        }
    }
    filters::list(call, listed, &LISTING)
}

const LISTING: Listing = Listing {
    answer: "VpcEndpoints",
    ids: "VpcEndpointIds",
    id: "VpcEndpointId",
    missing: (
        "InvalidVpcEndpointId.NotFound",
        "The Vpc Endpoint Id '{}' does not exist",
    ),
    filters: &[
        ("ip-address-type", "IpAddressType"),
        ("service-name", "ServiceName"),
        ("service-region", "ServiceRegion"),
        ("vpc-endpoint-id", "VpcEndpointId"),
        ("vpc-endpoint-state", "State"),
        ("vpc-endpoint-type", "VpcEndpointType"),
        ("vpc-id", "VpcId"),
    ],
};

pub fn shown(call: &Call<'_>, endpoint: &Endpoint) -> Answer {
    let service = service::find(call, &endpoint.service)?;
    let mut groups = Vec::new();
    for id in &endpoint.groups {
        // A group can be deleted once the endpoint's interfaces are gone.
        let name = security_group::get(call, id)
            .map(|group| group.group_name)
            .unwrap_or_default();
        groups.push(json!({ "GroupId": id, "GroupName": name }));
    }
    let interfaces = interfaces::of_owner(call, &endpoint.id)?;
    let zones: Vec<String> = interfaces.iter().map(|interface| interface.zone.clone()).collect();
    let names = match endpoint.is_gateway {
        true => json!([]),
        false => service::dns_entries(call, service, &endpoint.base, &zones, endpoint.private_dns),
    };
    Ok(json!({
        "VpcEndpointId": endpoint.id,
        "VpcEndpointType": service.kind(),
        "VpcId": endpoint.vpc,
        "ServiceName": endpoint.service,
        "ServiceRegion": call.region,
        "State": endpoint.state(call.now).unwrap_or("deleted"),
        "PolicyDocument": endpoint.policy,
        "RouteTableIds": endpoint.tables,
        "SubnetIds": endpoint.subnets,
        "Groups": groups,
        "IpAddressType": "ipv4",
        "DnsOptions": { "DnsRecordIpType": if endpoint.is_gateway { "service-defined" } else { "ipv4" } },
        "PrivateDnsEnabled": endpoint.private_dns,
        "RequesterManaged": false,
        "NetworkInterfaceIds": interfaces.iter().map(|interface| &interface.id).collect::<Vec<_>>(),
        "DnsEntries": names,
        "CreationTimestamp": endpoint.created as f64 / 1000.0,
        "OwnerId": call.account,
        "Tags": tags::shown(call, "vpc-endpoint", &endpoint.id)?,
    }))
}
