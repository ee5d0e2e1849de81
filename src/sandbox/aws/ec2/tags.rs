//! Tags of EC2's resources, by id.
//!
//! Source: EC2 API reference, `CreateTags`, `DeleteTags`, `DescribeTags`, `TagSpecification`.

use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces;
use super::super::tags::{self, Tags};
use super::filters::{self, Listing};
use super::{address, arn, endpoint, gateway, nat, network_acl, route_table, rule, security_group, subnet, vpc};

/// What is behind an id: its prefix, the kind as ARNs and tag specifications name it, and where it is kept.
struct Taggable {
    prefix: &'static str,
    kind: &'static str,
    document: &'static str,
    /// The code and the noun when it does not exist.
    missing: (&'static str, &'static str),
}

const TAGGABLE: &[Taggable] = &[
    taggable(
        "acl-",
        "network-acl",
        network_acl::KIND,
        ("InvalidNetworkAclID.NotFound", "networkAcl ID"),
    ),
    taggable(
        "eipalloc-",
        "elastic-ip",
        address::KIND,
        ("InvalidAllocationID.NotFound", "allocation ID"),
    ),
    taggable(
        "eni-",
        "network-interface",
        interfaces::KIND,
        ("InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
    ),
    taggable(
        "igw-",
        "internet-gateway",
        gateway::KIND,
        ("InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    ),
    taggable("nat-", "natgateway", nat::KIND, ("NatGatewayNotFound", "natGateway ID")),
    taggable(
        "rtb-",
        "route-table",
        route_table::KIND,
        ("InvalidRouteTableID.NotFound", "routeTable ID"),
    ),
    taggable(
        "sg-",
        "security-group",
        security_group::KIND,
        ("InvalidGroup.NotFound", "security group"),
    ),
    taggable(
        "sgr-",
        "security-group-rule",
        rule::KIND,
        ("InvalidSecurityGroupRuleId.NotFound", "security group rule ID"),
    ),
    taggable(
        "subnet-",
        "subnet",
        subnet::KIND,
        ("InvalidSubnetID.NotFound", "subnet ID"),
    ),
    taggable(
        "vpce-",
        "vpc-endpoint",
        endpoint::KIND,
        ("InvalidVpcEndpointId.NotFound", "vpcEndpoint ID"),
    ),
    taggable("vpc-", "vpc", vpc::KIND, ("InvalidVpcID.NotFound", "vpc ID")),
];

const fn taggable(
    prefix: &'static str,
    kind: &'static str,
    document: &'static str,
    missing: (&'static str, &'static str),
) -> Taggable {
    Taggable {
        prefix,
        kind,
        document,
        missing,
    }
}

/// Keeps the tags that a create call brings for what it makes.
pub fn on_create(call: &Call<'_>, kind: &str, id: &str) -> Result<(), Fault> {
    for specification in call.list("TagSpecifications") {
        let given = specification
            .get("ResourceType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if given != kind {
            return Err(Fault::new(
                "InvalidParameterValue",
                format!("'{given}' is not a valid taggable resource type for this operation."),
            ));
        }
        let list = specification
            .get("Tags")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut keys: Vec<_> = list
            .iter()
            .filter_map(|tag| tag.get("Key").and_then(Value::as_str))
            .collect();
        keys.sort_unstable();
        if let Some([twice, _]) = keys.array_windows().find(|[one, other]| one == other) {
            return Err(Fault::new(
                "InvalidParameterValue",
                format!("Duplicate tag key '{twice}' specified."),
            ));
        }
        add(call, &arn(call, kind, id), &tags::from_list(list))?;
    }
    Ok(())
}

/// The tags of a resource, as answers show them.
pub fn shown(call: &Call<'_>, kind: &str, id: &str) -> Answer {
    Ok(tags::to_list(&tags::of(call, &arn(call, kind, id))?))
}

/// Forgets the tags of what is gone.
pub fn clear(call: &Call<'_>, kind: &str, id: &str) -> Result<(), Fault> {
    tags::clear(call, &arn(call, kind, id))
}

pub fn create(call: &Call<'_>) -> Answer {
    let added = tags::from_list(call.list("Tags"));
    for id in call.texts("Resources") {
        add(call, &find(call, &id)?, &added)?;
    }
    Ok(json!({}))
}

pub fn delete(call: &Call<'_>) -> Answer {
    for id in call.texts("Resources") {
        let arn = find(call, &id)?;
        let mut kept = tags::of(call, &arn)?;
        if call.list("Tags").is_empty() {
            kept.clear();
        }
        // With a value, even an empty one, a tag goes only when it has that value.
        for tag in call.list("Tags") {
            let key = tag.get("Key").and_then(Value::as_str).unwrap_or_default();
            let value = tag.get("Value").and_then(Value::as_str);
            if kept
                .get(key)
                .is_some_and(|current| value.is_none_or(|value| value == current))
            {
                kept.remove(key);
            }
        }
        tags::set(call, &arn, kept)?;
    }
    Ok(json!({}))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let mut shown = Vec::new();
    for (arn, tags) in tags::all_of(call, "ec2")? {
        let Some((kind, id)) = arn
            .strip_prefix(&call.arn("ec2", ""))
            .and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        for (key, value) in tags {
            shown.push(
                json!({ "ResourceId": id, "ResourceType": kind, "Key": key, "Value": value,
                "Identity": format!("{id}/{key}"), "Tags": [{ "Key": key, "Value": value }] }),
            );
        }
    }
    filters::list(call, shown, &LISTING)
}

const LISTING: Listing = Listing {
    answer: "Tags",
    ids: "",
    // Not shown: it tells one tag from the next when pages are cut.
    id: "Identity",
    missing: ("InvalidID", "The ID '{}' is not valid"),
    filters: &[
        ("key", "Key"),
        ("resource-id", "ResourceId"),
        ("resource-type", "ResourceType"),
        ("value", "Value"),
    ],
};

fn add(call: &Call<'_>, arn: &str, added: &Tags) -> Result<(), Fault> {
    let mut all = tags::of(call, arn)?;
    all.extend(added.clone());
    if all.len() > tags::MOST {
        return Err(Fault::new(
            "TagLimitExceeded",
            format!(
                "The maximum number of Tags for the resource has been reached: {}",
                tags::MOST
            ),
        ));
    }
    tags::check_limits(added).map_err(|message| Fault::new("InvalidParameterValue", message))?;
    tags::put(call, arn, added)
}

/// The ARN of what has this id, if it exists.
pub fn find(call: &Call<'_>, id: &str) -> Result<String, Fault> {
    let taggable = TAGGABLE
        .iter()
        .find(|taggable| id.starts_with(taggable.prefix))
        .ok_or_else(|| Fault::new("InvalidID", format!("The ID '{id}' is not valid")))?;
    if call.store.get::<Value>(taggable.document, id)?.is_none() {
        let (code, noun) = taggable.missing;
        return Err(Fault::new(code, format!("The {noun} '{id}' does not exist")));
    }
    Ok(arn(call, taggable.kind, id))
}
