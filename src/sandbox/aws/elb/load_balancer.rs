//! Application load balancers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::answers::{answer, hex, only, random, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::ec2::{gateway, security_group, subnet};
use super::super::interfaces::{self, InterfaceSpec};
use super::super::store::Store;
use super::super::{durations, tags};
use super::{attribute_list, change_attributes, check_name, listener, paged, paged_of, validation, wanted_tags};

const KIND: &str = "elb/load-balancer";

/// The hosted zones of load balancers, *Elastic Load Balancing endpoints and quotas*.
const HOSTED_ZONES: &[(&str, &str)] = &[
    ("us-east-1", "Z35SXDOTRQ7X7K"),
    ("us-east-2", "Z3AADJGX6KTTL2"),
    ("us-west-1", "Z368ELLRRE2KJ0"),
    ("us-west-2", "Z1H1FL5HABSF5"),
    ("eu-central-1", "Z215JYRZR1TBD5"),
    ("eu-west-1", "Z32O12XQLNTSW2"),
    ("eu-west-2", "ZHURV8PSTC4K8"),
    ("eu-west-3", "Z3Q77PNBQS71R4"),
    ("eu-north-1", "Z23TAZ6LKFMNIO"),
];

#[derive(Clone, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub arn: String,
    pub name: String,
    dns: String,
    scheme: String,
    pub vpc: String,
    /// Subnet and zone.
    subnets: Vec<(String, String)>,
    pub groups: Vec<String>,
    created: i64,
    /// When it is `active`.
    active: i64,
    attributes: Map<String, Value>,
}

/// Idempotent as the service documents it: "If you attempt to create multiple load balancers with the same settings,
/// each call succeeds" and answers the first one.
pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "Name",
            "Subnets",
            "SubnetMappings",
            "SecurityGroups",
            "Scheme",
            "Tags",
            "Type",
            "IpAddressType",
        ],
    )?;
    let name = call.text("Name");
    check_name("load balancer", name)?;
    if !matches!(call.text("Type"), "" | "application") {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: load balancers other than of type application",
        ));
    }
    if !matches!(call.text("IpAddressType"), "" | "ipv4") {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: load balancers with IPv6",
        ));
    }
    let (vpc, subnets) = places(call)?;
    let groups = groups(call, &vpc)?;
    let scheme = match call.text("Scheme") {
        "" => "internet-facing",
        scheme => scheme,
    };
    if scheme == "internet-facing" && gateway::of_vpc(call, &vpc)?.is_none() {
        return Err(Fault::new(
            "InvalidSubnet",
            format!("VPC {vpc} has no internet gateway"),
        ));
    }
    let wanted = wanted_tags(call)?;
    let existing: Vec<LoadBalancer> = call.store.linked(KIND, name)?;
    if let Some(existing) = existing.into_iter().next() {
        let same = existing.scheme == scheme
            && sorted(&existing.groups) == sorted(&groups)
            && existing.subnets == subnets
            && tags::of(call, &existing.arn)? == wanted;
        return match same {
            true => answer(json!({ "LoadBalancers": [existing.view(call)] })),
            false => Err(Fault::new(
                "DuplicateLoadBalancerName",
                format!("A load balancer with the same name '{name}' exists, but with different settings"),
            )),
        };
    }
    let prefix = if scheme == "internal" { "internal-" } else { "" };
    let number = random(9, b"123456789");
    let balancer = LoadBalancer {
        arn: call.arn("elasticloadbalancing", &format!("loadbalancer/app/{name}/{}", hex(16))),
        dns: format!("{prefix}{name}-{number}.{}.elb.amazonaws.com", call.region),
        name: name.to_owned(),
        scheme: scheme.to_owned(),
        vpc,
        subnets,
        groups,
        created: call.now,
        active: call.after(call.usual(durations::LOAD_BALANCER_CREATE)),
        attributes: default_attributes(),
    };
    balancer.attach(call, None)?;
    save(call, &balancer)?;
    tags::put(call, &balancer.arn, &wanted)?;
    answer(json!({ "LoadBalancers": [balancer.view(call)] }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let (arns, names) = (call.texts("LoadBalancerArns"), call.texts("Names"));
    if !arns.is_empty() && !names.is_empty() {
        return Err(validation(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ));
    }
    if arns.is_empty() && names.is_empty() {
        return paged_of(call, "LoadBalancers", KIND, |balancer: &LoadBalancer| {
            Ok(balancer.view(call))
        });
    }
    let mut balancers = all(call)?;
    if let Some(missing) = arns
        .iter()
        .find(|arn| !balancers.iter().any(|balancer| balancer.arn == **arn))
    {
        return Err(not_found(missing));
    }
    if let Some(missing) = names
        .iter()
        .find(|name| !balancers.iter().any(|balancer| balancer.name == **name))
    {
        return Err(Fault::new(
            "LoadBalancerNotFound",
            format!("Load balancers '[{missing}]' not found"),
        ));
    }
    balancers.retain(|balancer| {
        (arns.is_empty() || arns.contains(&balancer.arn)) && (names.is_empty() || names.contains(&balancer.name))
    });
    paged(
        call,
        "LoadBalancers",
        balancers,
        |balancer| balancer.arn.clone(),
        |balancer| balancer.view(call),
    )
}

/// "If the load balancer does not exist or has already been deleted, the call succeeds." Its listeners go with it, and
/// its network interfaces linger.
pub fn delete(call: &Call<'_>) -> Answer {
    let Some(balancer) = find(call, call.text("LoadBalancerArn"))? else {
        return answer(json!({}));
    };
    if balancer.attributes.get("deletion_protection.enabled") == Some(&json!("true")) {
        return Err(Fault::new(
            "OperationNotPermitted",
            format!(
                "Load balancer '{}' cannot be deleted because deletion protection is enabled",
                balancer.arn
            ),
        ));
    }
    for listener in listener::of(call, &balancer.arn)? {
        listener::remove(call, &listener)?;
    }
    interfaces::release_after(
        call,
        &balancer.arn,
        call.usual(durations::LOAD_BALANCER_INTERFACES_LINGER),
    )?;
    call.store.delete(KIND, &balancer.arn)?;
    tags::clear(call, &balancer.arn)?;
    answer(json!({}))
}

pub fn set_groups(call: &Call<'_>) -> Answer {
    only(call, &["LoadBalancerArn", "SecurityGroups"])?;
    let mut balancer = existing(call)?;
    balancer.groups = groups(call, &balancer.vpc)?;
    for mut interface in interfaces::of_owner(call, &balancer.arn)? {
        interface.groups.clone_from(&balancer.groups);
        interfaces::save(call, &interface)?;
    }
    save(call, &balancer)?;
    answer(json!({ "SecurityGroupIds": balancer.groups }))
}

pub fn set_subnets(call: &Call<'_>) -> Answer {
    only(call, &["LoadBalancerArn", "Subnets", "SubnetMappings", "IpAddressType"])?;
    let mut balancer = existing(call)?;
    let (vpc, subnets) = places(call)?;
    if vpc != balancer.vpc {
        return Err(Fault::new(
            "InvalidConfigurationRequest",
            "The subnets must belong to the load balancer's VPC.",
        ));
    }
    balancer.subnets = subnets;
    balancer.attach(call, Some(&balancer.subnets))?;
    save(call, &balancer)?;
    answer(json!({ "AvailabilityZones": balancer.zones(), "IpAddressType": "ipv4" }))
}

/// Nothing is reserved, as `ModifyCapacityReservation` is not in the sandbox. Source: *Capacity reservations for your
/// Application Load Balancer*: it can be decreased twice a day.
pub fn capacity_reservation(call: &Call<'_>) -> Answer {
    existing(call)?;
    answer(json!({ "DecreaseRequestsRemaining": 2, "CapacityReservationState": [] }))
}

pub fn attributes(call: &Call<'_>) -> Answer {
    answer(json!({ "Attributes": attribute_list(&existing(call)?.attributes) }))
}

pub fn modify_attributes(call: &Call<'_>) -> Answer {
    let mut balancer = existing(call)?;
    change_attributes(call, &mut balancer.attributes)?;
    save(call, &balancer)?;
    answer(json!({ "Attributes": attribute_list(&balancer.attributes) }))
}

/// The region whose load balancers a hosted zone is of.
pub fn region_of_zone(zone: &str) -> Option<&'static str> {
    HOSTED_ZONES
        .iter()
        .find(|(_, known)| *known == zone)
        .map(|(region, _)| *region)
}

/// Name in DNS and ARN of every load balancer of the store's region.
pub fn dns_names(store: &Store<'_>) -> Result<Vec<(String, String)>, Fault> {
    let balancers: Vec<LoadBalancer> = store.all(KIND)?;
    Ok(balancers
        .into_iter()
        .map(|balancer| (balancer.dns, balancer.arn))
        .collect())
}

/// The load balancers whose listeners or rules forward to a target group.
pub fn of_target_group(call: &Call<'_>, target_group: &str) -> Result<Vec<String>, Fault> {
    let mut arns: Vec<String> = Vec::new();
    for listener in listener::forwarding_to(call, target_group)? {
        if !arns.contains(&listener.load_balancer) {
            arns.push(listener.load_balancer);
        }
    }
    Ok(arns)
}

impl LoadBalancer {
    fn view(&self, call: &Call<'_>) -> Value {
        let zone = HOSTED_ZONES
            .iter()
            .find(|(region, _)| *region == call.region)
            .map(|(_, zone)| zone);
        json!({
            "LoadBalancerArn": self.arn,
            "DNSName": self.dns,
            "CanonicalHostedZoneId": zone,
            "CreatedTime": seconds(self.created),
            "LoadBalancerName": self.name,
            "Scheme": self.scheme,
            "VpcId": self.vpc,
            "State": { "Code": if call.now < self.active { "provisioning" } else { "active" } },
            "Type": "application",
            "AvailabilityZones": self.zones(),
            "SecurityGroups": self.groups,
            "IpAddressType": "ipv4",
        })
    }

    /// The zones in which it has a subnet.
    pub fn zone_names(&self) -> Vec<String> {
        self.subnets.iter().map(|(_, zone)| zone.clone()).collect()
    }

    fn zones(&self) -> Value {
        let zone = |(subnet, zone): &(String, String)| json!({ "ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": [] });
        self.subnets.iter().map(zone).collect()
    }

    /// One network interface in each subnet. `keep` are the subnets after a change: interfaces elsewhere go.
    fn attach(&self, call: &Call<'_>, keep: Option<&[(String, String)]>) -> Result<(), Fault> {
        let mut there = interfaces::of_owner(call, &self.arn)?;
        if let Some(keep) = keep {
            for mut interface in there.iter().cloned() {
                if !keep.iter().any(|(subnet, _)| *subnet == interface.subnet) {
                    interface.gone_at = Some(call.now);
                    interfaces::save(call, &interface)?;
                }
            }
            there.retain(|interface| keep.iter().any(|(subnet, _)| *subnet == interface.subnet));
        }
        let id = self.arn.rsplit('/').next().unwrap_or_default();
        let description = format!("ELB app/{}/{id}", self.name);
        for (subnet, _) in &self.subnets {
            if there.iter().any(|interface| interface.subnet == *subnet) {
                continue;
            }
            let spec = InterfaceSpec {
                subnet,
                groups: &self.groups,
                description: &description,
                owner: &self.arn,
            };
            match self.scheme.as_str() {
                "internal" => interfaces::attach(call, spec)?,
                _ => interfaces::attach_public(call, spec)?,
            };
        }
        Ok(())
    }
}

/// The VPC and the subnets with their zones: at least two zones, one subnet in each.
fn places(call: &Call<'_>) -> Result<(String, Vec<(String, String)>), Fault> {
    let mut ids = call.texts("Subnets");
    for mapping in call.list("SubnetMappings") {
        if !mapping["AllocationId"].is_null() {
            return Err(validation(
                "You can't specify Elastic IP addresses for an application load balancer",
            ));
        }
        ids.extend(mapping["SubnetId"].as_str().map(str::to_owned));
    }
    let mut vpc = String::new();
    let mut places: Vec<(String, String)> = Vec::new();
    for id in ids {
        let subnet = subnet::get(call, &id)
            .map_err(|_| Fault::new("SubnetNotFound", format!("The subnet ID '{id}' does not exist")))?;
        if !vpc.is_empty() && vpc != subnet.vpc_id {
            return Err(Fault::new("InvalidSubnet", "All subnets must belong to the same VPC"));
        }
        if places.iter().any(|(_, zone)| *zone == subnet.availability_zone) {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
        vpc = subnet.vpc_id;
        places.push((id, subnet.availability_zone));
    }
    if places.len() < 2 {
        return Err(validation(
            "At least two subnets in two different Availability Zones must be specified",
        ));
    }
    Ok((vpc, places))
}

fn groups(call: &Call<'_>, vpc: &str) -> Result<Vec<String>, Fault> {
    let groups = call.texts("SecurityGroups");
    if groups.is_empty() {
        return Ok(security_group::default_of(call, vpc)?
            .into_iter()
            .map(|group| group.group_id)
            .collect());
    }
    for id in &groups {
        let group = security_group::get(call, id).map_err(|_| {
            Fault::new(
                "InvalidSecurityGroup",
                format!("The security group '{id}' does not exist"),
            )
        })?;
        if group.vpc_id != vpc {
            return Err(Fault::new(
                "InvalidConfigurationRequest",
                format!("One or more security groups are invalid: '{id}' is not in VPC '{vpc}'"),
            ));
        }
    }
    Ok(groups)
}

fn default_attributes() -> Map<String, Value> {
    // *Edit attributes for your Application Load Balancer*, the defaults.
    let defaults = [
        ("access_logs.s3.enabled", "false"),
        ("access_logs.s3.bucket", ""),
        ("access_logs.s3.prefix", ""),
        ("deletion_protection.enabled", "false"),
        ("idle_timeout.timeout_seconds", "60"),
        ("client_keep_alive.seconds", "3600"),
        ("routing.http.desync_mitigation_mode", "defensive"),
        ("routing.http.drop_invalid_header_fields.enabled", "false"),
        ("routing.http.preserve_host_header.enabled", "false"),
        ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
        ("routing.http.xff_client_port.enabled", "false"),
        ("routing.http.xff_header_processing.mode", "append"),
        ("routing.http2.enabled", "true"),
        ("waf.fail_open.enabled", "false"),
        ("load_balancing.cross_zone.enabled", "true"),
        ("zonal_shift.config.enabled", "false"),
        ("connection_logs.s3.enabled", "false"),
        ("connection_logs.s3.bucket", ""),
        ("connection_logs.s3.prefix", ""),
    ];
    defaults
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect()
}

fn sorted(items: &[String]) -> Vec<String> {
    let mut items = items.to_vec();
    items.sort();
    items
}

pub fn find(call: &Call<'_>, arn: &str) -> Result<Option<LoadBalancer>, Fault> {
    call.store.get(KIND, arn)
}

pub fn existing(call: &Call<'_>) -> Result<LoadBalancer, Fault> {
    let arn = call.text("LoadBalancerArn");
    find(call, arn)?.ok_or_else(|| not_found(arn))
}

fn all(call: &Call<'_>) -> Result<Vec<LoadBalancer>, Fault> {
    call.store.all(KIND)
}

fn save(call: &Call<'_>, balancer: &LoadBalancer) -> Result<(), Fault> {
    call.store
        .entry(KIND, &balancer.arn)
        .parent(&balancer.vpc)
        .links(std::slice::from_ref(&balancer.name))
        .put(balancer)
}

pub fn not_found(arn: &str) -> Fault {
    Fault::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"))
}
