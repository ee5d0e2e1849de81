//! EC2, as far as a network needs it: VPCs and what is in them. No instances.
//!
//! Codes and texts of errors: EC2 API reference, "Error codes for the Amazon EC2 API".

pub mod account;
pub mod address;
pub mod endpoint;
pub mod endpoint_service;
pub mod filters;
pub mod gateway;
pub mod interface;
pub mod nat;
pub mod network_acl;
pub mod reach;
pub mod route_table;
pub mod rule;
pub mod security_group;
pub mod subnet;
pub mod tags;
pub mod vpc;
pub mod zones;

use ipnet::Ipv4Net;

use super::call::{Answer, Call, Fault};
use super::ecs;
use super::elb::target_group;

type Handler = fn(&Call<'_>) -> Answer;

/// What this service answers, and with which parameters. A parameter that is missing here is refused by name, because
/// ignoring it would be a silent yes.
const OPERATIONS: &[(&str, Handler, &[&str])] = &[
    ("AllocateAddress", address::allocate, &["Domain", "TagSpecifications"]),
    (
        "AssociateAddress",
        address::associate,
        &["AllocationId", "NetworkInterfaceId", "AllowReassociation"],
    ),
    (
        "AssociateRouteTable",
        route_table::associate,
        &["RouteTableId", "SubnetId"],
    ),
    (
        "AttachInternetGateway",
        gateway::attach,
        &["InternetGatewayId", "VpcId"],
    ),
    ("AuthorizeSecurityGroupEgress", rule::authorize_egress, rule::AUTHORIZE),
    (
        "AuthorizeSecurityGroupIngress",
        rule::authorize_ingress,
        rule::AUTHORIZE,
    ),
    ("CreateInternetGateway", gateway::create, &["TagSpecifications"]),
    (
        "CreateNatGateway",
        nat::create,
        &[
            "AllocationId",
            "ClientToken",
            "SubnetId",
            "TagSpecifications",
            "ConnectivityType",
        ],
    ),
    ("CreateRoute", route_table::create_route, route_table::ROUTE),
    (
        "CreateRouteTable",
        route_table::create,
        &["VpcId", "TagSpecifications", "ClientToken"],
    ),
    (
        "CreateSecurityGroup",
        security_group::create,
        &["Description", "GroupName", "VpcId", "TagSpecifications"],
    ),
    (
        "CreateSubnet",
        subnet::create,
        &[
            "VpcId",
            "CidrBlock",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "TagSpecifications",
        ],
    ),
    ("CreateTags", tags::create, &["Resources", "Tags"]),
    (
        "CreateVpc",
        vpc::create,
        &[
            "AmazonProvidedIpv6CidrBlock",
            "CidrBlock",
            "InstanceTenancy",
            "TagSpecifications",
        ],
    ),
    (
        "CreateVpcEndpoint",
        endpoint::create,
        &[
            "ClientToken",
            "PolicyDocument",
            "PrivateDnsEnabled",
            "RouteTableIds",
            "SecurityGroupIds",
            "ServiceName",
            "SubnetIds",
            "TagSpecifications",
            "VpcEndpointType",
            "VpcId",
        ],
    ),
    ("DeleteInternetGateway", gateway::delete, &["InternetGatewayId"]),
    ("DeleteNatGateway", nat::delete, &["NatGatewayId"]),
    (
        "DeleteRoute",
        route_table::delete_route,
        &["RouteTableId", "DestinationCidrBlock"],
    ),
    ("DeleteRouteTable", route_table::delete, &["RouteTableId"]),
    ("DeleteSecurityGroup", security_group::delete, &["GroupId", "GroupName"]),
    ("DeleteSubnet", subnet::delete, &["SubnetId"]),
    ("DeleteTags", tags::delete, &["Resources", "Tags"]),
    ("DeleteVpc", vpc::delete, &["VpcId"]),
    ("DeleteVpcEndpoints", endpoint::delete, &["VpcEndpointIds"]),
    (
        "CreateNetworkAcl",
        network_acl::create,
        &["VpcId", "TagSpecifications", "ClientToken"],
    ),
    (
        "CreateNetworkAclEntry",
        network_acl::create_entry,
        &[
            "NetworkAclId",
            "RuleNumber",
            "Protocol",
            "RuleAction",
            "Egress",
            "CidrBlock",
            "PortRange",
        ],
    ),
    ("DeleteNetworkAcl", network_acl::delete, &["NetworkAclId"]),
    (
        "DeleteNetworkAclEntry",
        network_acl::delete_entry,
        &["NetworkAclId", "RuleNumber", "Egress"],
    ),
    (
        "ReplaceNetworkAclAssociation",
        network_acl::replace_association,
        &["AssociationId", "NetworkAclId"],
    ),
    ("DescribeAccountAttributes", account::attributes, &["AttributeNames"]),
    (
        "DescribeInstances",
        account::instances,
        &["Filters", "InstanceIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeRegions",
        account::regions,
        &["Filters", "RegionNames", "AllRegions"],
    ),
    (
        "DescribeAddresses",
        address::describe,
        &["Filters", "PublicIps", "AllocationIds"],
    ),
    (
        "DescribeAddressesAttribute",
        address::attributes,
        &["AllocationIds", "Attribute", "MaxResults", "NextToken"],
    ),
    (
        "DescribeAvailabilityZones",
        zones::describe,
        &["Filters", "ZoneNames", "ZoneIds", "AllAvailabilityZones"],
    ),
    (
        "DescribeInternetGateways",
        gateway::describe,
        &["Filters", "InternetGatewayIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeManagedPrefixLists",
        endpoint_service::managed_prefix_lists,
        &["Filters", "PrefixListIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeNatGateways",
        nat::describe,
        &["Filter", "NatGatewayIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeNetworkAcls",
        network_acl::describe,
        &["Filters", "NetworkAclIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeNetworkInterfaces",
        interface::describe,
        &["Filters", "NetworkInterfaceIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribePrefixLists",
        endpoint_service::prefix_lists,
        &["Filters", "PrefixListIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeRouteTables",
        route_table::describe,
        &["Filters", "RouteTableIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeSecurityGroupRules",
        rule::describe,
        &["Filters", "SecurityGroupRuleIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeSecurityGroups",
        security_group::describe,
        &["Filters", "GroupIds", "GroupNames", "MaxResults", "NextToken"],
    ),
    (
        "DescribeSubnets",
        subnet::describe,
        &["Filters", "SubnetIds", "MaxResults", "NextToken"],
    ),
    ("DescribeTags", tags::describe, &["Filters", "MaxResults", "NextToken"]),
    ("DescribeVpcAttribute", vpc::describe_attribute, &["Attribute", "VpcId"]),
    (
        "DescribeVpcEndpoints",
        endpoint::describe,
        &["Filters", "VpcEndpointIds", "MaxResults", "NextToken"],
    ),
    (
        "DescribeVpcEndpointServices",
        endpoint_service::describe,
        &["Filters", "ServiceNames", "MaxResults", "NextToken"],
    ),
    (
        "DescribeVpcs",
        vpc::describe,
        &["Filters", "VpcIds", "MaxResults", "NextToken"],
    ),
    (
        "DetachInternetGateway",
        gateway::detach,
        &["InternetGatewayId", "VpcId"],
    ),
    ("DisassociateAddress", address::disassociate, &["AssociationId"]),
    ("DisassociateRouteTable", route_table::disassociate, &["AssociationId"]),
    (
        "ModifySubnetAttribute",
        subnet::modify_attribute,
        &["SubnetId", "MapPublicIpOnLaunch"],
    ),
    (
        "ModifyVpcAttribute",
        vpc::modify_attribute,
        &[
            "VpcId",
            "EnableDnsHostnames",
            "EnableDnsSupport",
            "EnableNetworkAddressUsageMetrics",
        ],
    ),
    (
        "ReleaseAddress",
        address::release,
        &["AllocationId", "NetworkBorderGroup"],
    ),
    (
        "ModifyVpcEndpoint",
        endpoint::modify,
        &[
            "AddRouteTableIds",
            "AddSecurityGroupIds",
            "AddSubnetIds",
            "PolicyDocument",
            "PrivateDnsEnabled",
            "RemoveRouteTableIds",
            "RemoveSecurityGroupIds",
            "RemoveSubnetIds",
            "ResetPolicy",
            "VpcEndpointId",
        ],
    ),
    ("ReplaceRoute", route_table::replace_route, route_table::ROUTE),
    (
        "ReplaceRouteTableAssociation",
        route_table::replace_association,
        &["AssociationId", "RouteTableId"],
    ),
    ("RevokeSecurityGroupEgress", rule::revoke_egress, rule::REVOKE),
    ("RevokeSecurityGroupIngress", rule::revoke_ingress, rule::REVOKE),
    (
        "UpdateSecurityGroupRuleDescriptionsEgress",
        rule::update_descriptions_egress,
        &["GroupId", "IpPermissions"],
    ),
    (
        "UpdateSecurityGroupRuleDescriptionsIngress",
        rule::update_descriptions_ingress,
        &["GroupId", "IpPermissions"],
    ),
];

/// How the operations begin that open or close a way between a load balancer and its targets.
const OPENING: &[&str] = &[
    "AuthorizeSecurityGroup",
    "RevokeSecurityGroup",
    "ModifySecurityGroupRules",
    "CreateNetworkAclEntry",
    "DeleteNetworkAclEntry",
    "ReplaceNetworkAclAssociation",
];

pub fn handle(call: &mut Call<'_>) -> Answer {
    let Some((_, handler, parameters)) = OPERATIONS.iter().find(|(name, ..)| *name == call.operation) else {
        return super::dispatch::not_in_the_sandbox(call);
    };
    if let Some(other) = call
        .input
        .keys()
        .find(|name| *name != "DryRun" && !parameters.contains(&name.as_str()))
    {
        return Err(unsupported(call, other));
    }
    let opens = OPENING.iter().any(|verb| call.operation.starts_with(verb));
    if opens {
        // What happened up to now happened under the old rules.
        ecs::settle(call)?;
    }
    let answer = handler(call);
    if opens && answer.is_ok() {
        target_group::observe(call)?;
    }
    if call.flag("DryRun") && answer.is_ok() {
        // A fault rolls back what the call changed.
        return Err(Fault::new(
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        )
        .status(412));
    }
    answer
}

/// A parameter that the sandbox does not know what to do with.
fn unsupported(call: &Call<'_>, parameter: &str) -> Fault {
    Fault::new(
        "UnsupportedOperation",
        format!(
            "not in the sandbox: the parameter {parameter} of {}:{}",
            call.service, call.operation
        ),
    )
}

/// A new id: the prefix and 17 hex digits, of which AWS keeps the first at 0.
pub fn new_id(prefix: &str) -> String {
    format!("{prefix}-0{:016x}", rand::random::<u64>())
}

/// `arn:aws:ec2:REGION:ACCOUNT:KIND/ID`.
pub fn arn(call: &Call<'_>, kind: &str, id: &str) -> String {
    call.arn("ec2", &format!("{kind}/{id}"))
}

/// Reads an IPv4 block and gives its canonical form: EC2 makes 100.68.0.0/18 of 100.68.0.18/18.
fn cidr(text: &str, parameter: &str) -> Result<Ipv4Net, Fault> {
    text.parse::<Ipv4Net>().map(|block| block.trunc()).map_err(|_| {
        Fault::new(
            "InvalidParameterValue",
            format!("Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."),
        )
    })
}

/// What something that others depend on answers when it is to be deleted.
fn in_use(noun: &str, id: &str) -> Fault {
    Fault::new(
        "DependencyViolation",
        format!("The {noun} '{id}' has dependencies and cannot be deleted."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::aws::model;

    #[test]
    fn operations_and_parameters_are_those_of_the_model() {
        let (_, model) = model::of("ec2").unwrap();
        for (name, _, parameters) in OPERATIONS {
            let input = model.operations[*name]
                .input
                .as_deref()
                .and_then(|shape| model.shape(shape))
                .unwrap();
            for parameter in *parameters {
                assert!(input.members.contains_key(*parameter), "{name} {parameter}");
            }
        }
    }
}
