//! The services that an endpoint can lead to, and the prefix lists of those that are reached through a route.
//!
//! Source: AWS PrivateLink guide, "AWS services that integrate with AWS PrivateLink" and "Gateway endpoints"; EC2 API
//! reference, `DescribeVpcEndpointServices`, `DescribePrefixLists`, `DescribeManagedPrefixLists`.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};
use super::zones;

/// A service, by the last part of its name.
pub struct Service {
    pub suffix: &'static str,
    /// A gateway endpoint is a route; an interface endpoint is a network interface in each subnet.
    pub is_gateway: bool,
    /// The name that tasks ask for, without `.REGION.amazonaws.com`.
    host: &'static str,
}

const fn interface(suffix: &'static str, host: &'static str) -> Service {
    Service {
        suffix,
        is_gateway: false,
        host,
    }
}

const fn gateway(suffix: &'static str) -> Service {
    Service {
        suffix,
        is_gateway: true,
        host: suffix,
    }
}

/// Those that the tasks of an environment need.
const SERVICES: &[Service] = &[
    gateway("dynamodb"),
    interface("ecr.api", "api.ecr"),
    interface("ecr.dkr", "*.dkr.ecr"),
    interface("ecs", "ecs"),
    interface("kms", "kms"),
    interface("logs", "logs"),
    gateway("s3"),
    interface("secretsmanager", "secretsmanager"),
    interface("ssm", "ssm"),
    interface("ssmmessages", "ssmmessages"),
    interface("sts", "sts"),
];

/// The ranges behind a gateway endpoint here: of the block for tests of network devices (RFC 2544), so that nothing real
/// is meant.
const RANGES: &[&str] = &["198.19.0.0/17", "198.19.128.0/17"];

impl Service {
    /// `com.amazonaws.REGION.SUFFIX`
    pub fn name(&self, region: &str) -> String {
        format!("com.amazonaws.{region}.{}", self.suffix)
    }

    pub fn kind(&self) -> &'static str {
        if self.is_gateway { "Gateway" } else { "Interface" }
    }

    /// The name in DNS that leads to the endpoint inside of its VPC.
    pub fn private_name(&self, region: &str) -> String {
        format!("{}.{region}.amazonaws.com", self.host)
    }

    /// `pl-` and 8 digits, the same for everybody in a region.
    pub fn prefix_list(&self, region: &str) -> String {
        let digest = Sha256::digest(self.name(region));
        let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("pl-{digits}")
    }
}

/// The service of that name in the call's region.
pub fn find(call: &Call<'_>, name: &str) -> Result<&'static Service, Fault> {
    SERVICES
        .iter()
        .find(|service| service.name(call.region) == name)
        .ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Fault {
    Fault::new(
        "InvalidServiceName",
        format!("The Vpc Endpoint Service '{name}' does not exist"),
    )
}

pub fn describe(call: &Call<'_>) -> Answer {
    let zones: Vec<String> = zones::all(call).into_iter().map(|zone| zone.name).collect();
    let shown = SERVICES.iter().map(|service| {
        let name = service.name(call.region);
        let private = (!service.is_gateway).then(|| service.private_name(call.region));
        json!({
            "ServiceName": name,
            "ServiceId": format!("vpce-svc-0{}", &service.prefix_list(call.region)[3..].repeat(2)),
            "ServiceType": [{ "ServiceType": service.kind() }],
            "ServiceRegion": call.region,
            "AvailabilityZones": zones,
            "Owner": "amazon",
            "BaseEndpointDnsNames": [format!("{}.{}.vpce.amazonaws.com", service.suffix, call.region)],
            "PrivateDnsName": private,
            "PrivateDnsNames": private.iter().map(|name| json!({ "PrivateDnsName": name })).collect::<Vec<_>>(),
            "PrivateDnsNameVerificationState": private.as_ref().map(|_| "verified"),
            "VpcEndpointPolicySupported": true,
            "AcceptanceRequired": false,
            "ManagesVpcEndpoints": false,
            "SupportedIpAddressTypes": ["ipv4"],
            "Tags": [],
        })
    });
    let mut answer = filters::list(call, shown.collect(), &SERVICE_LISTING)?;
    let details = answer["ServiceDetails"].as_array().into_iter().flatten();
    answer["ServiceNames"] = details.map(|detail| detail["ServiceName"].clone()).collect();
    Ok(answer)
}

const SERVICE_LISTING: Listing = Listing {
    answer: "ServiceDetails",
    ids: "ServiceNames",
    id: "ServiceName",
    missing: ("InvalidServiceName", "The Vpc Endpoint Service '{}' does not exist"),
    filters: &[
        ("owner", "Owner"),
        ("service-name", "ServiceName"),
        ("service-region", "ServiceRegion"),
        ("service-type", "ServiceType.ServiceType"),
        ("supported-ip-address-types", "SupportedIpAddressTypes"),
    ],
};

pub fn prefix_lists(call: &Call<'_>) -> Answer {
    let shown = lists(call).map(|(id, name)| json!({ "PrefixListId": id, "PrefixListName": name, "Cidrs": RANGES }));
    filters::list(call, shown.collect(), &PREFIX_LISTING)
}

pub fn managed_prefix_lists(call: &Call<'_>) -> Answer {
    let shown = lists(call).map(|(id, name)| {
        json!({
            "PrefixListId": id,
            "PrefixListName": name,
            "PrefixListArn": format!("arn:aws:ec2:{}:aws:prefix-list/{id}", call.region),
            "AddressFamily": "IPv4",
            "State": "create-complete",
            "OwnerId": "AWS",
            "Tags": [],
        })
    });
    let listing = Listing {
        missing: ("InvalidPrefixListID.NotFound", "The prefix list ID '{}' does not exist"),
        ..PREFIX_LISTING
    };
    filters::list(call, shown.collect(), &listing)
}

/// Id and name of each prefix list. The user's own are not in the sandbox.
fn lists(call: &Call<'_>) -> impl Iterator<Item = (String, String)> {
    let gateways = SERVICES.iter().filter(|service| service.is_gateway);
    gateways.map(|service| (service.prefix_list(call.region), service.name(call.region)))
}

const PREFIX_LISTING: Listing = Listing {
    answer: "PrefixLists",
    ids: "PrefixListIds",
    id: "PrefixListId",
    missing: ("InvalidPrefixListId.NotFound", "The prefix list ID '{}' does not exist"),
    filters: &[
        ("owner-id", "OwnerId"),
        ("prefix-list-id", "PrefixListId"),
        ("prefix-list-name", "PrefixListName"),
    ],
};

/// Names in DNS that lead to an interface endpoint: its own, those of its zones, and the service's if that is wanted.
pub fn dns_entries(call: &Call<'_>, service: &Service, base: &str, zones: &[String], private: bool) -> Value {
    let suffix = format!("{}.{}.vpce.amazonaws.com", service.suffix, call.region);
    let mut names = vec![format!("{base}.{suffix}")];
    names.extend(zones.iter().map(|zone| format!("{base}-{zone}.{suffix}")));
    names.extend(private.then(|| service.private_name(call.region)));
    names.iter().map(|name| json!({ "DnsName": name })).collect()
}
