//! What belongs to the account and not to a network: its regions and limits; and instances, of which there are none.
//!
//! Source: EC2 API reference, `DescribeRegions`, `DescribeAccountAttributes`, `DescribeInstances`.

use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};

/// The regions that every account has without opting in.
const REGIONS: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

pub fn regions(call: &Call<'_>) -> Answer {
    let names = call.texts("RegionNames");
    if let Some(unknown) = names.iter().find(|name| !REGIONS.contains(&name.as_str())) {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("Invalid region provided: [{unknown}]"),
        ));
    }
    let shown = REGIONS
        .iter()
        .filter(|region| names.is_empty() || names.iter().any(|name| name == *region))
        .map(|region| {
            json!({
                "RegionName": region,
                "Endpoint": format!("ec2.{region}.amazonaws.com"),
                "OptInStatus": "opt-in-not-required",
            })
        })
        .collect();
    filters::list(call, shown, &REGION_LISTING)
}

const REGION_LISTING: Listing = Listing {
    answer: "Regions",
    // The names were checked above; the listing has nothing to look for.
    ids: "",
    id: "RegionName",
    missing: ("InvalidParameterValue", "Invalid region provided: [{}]"),
    filters: &[
        ("endpoint", "Endpoint"),
        ("opt-in-status", "OptInStatus"),
        ("region-name", "RegionName"),
    ],
};

/// No default VPC: the sandbox begins empty.
pub fn attributes(call: &Call<'_>) -> Answer {
    const ATTRIBUTES: &[(&str, &str)] = &[
        ("supported-platforms", "VPC"),
        ("default-vpc", "none"),
        ("max-instances", "20"),
        ("vpc-max-security-groups-per-interface", "5"),
        ("max-elastic-ips", "5"),
        ("vpc-max-elastic-ips", "5"),
    ];
    let wanted = call.texts("AttributeNames");
    let shown: Vec<Value> = ATTRIBUTES
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name))
        .map(|(name, value)| json!({ "AttributeName": name, "AttributeValues": [{ "AttributeValue": value }] }))
        .collect();
    Ok(json!({ "AccountAttributes": shown }))
}

/// The sandbox has no instances, so none is found, and one that is asked for by its id is not there.
pub fn instances(call: &Call<'_>) -> Answer {
    match call.texts("InstanceIds").first() {
        None => Ok(json!({ "Reservations": [] })),
        Some(id) => Err(Fault::new(
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{id}' does not exist"),
        )),
    }
}
