//! What an interface can reach, by routes, gateways and security groups. No packet is sent: the rules are read.
//!
//! Source: VPC user guide, "Configure route tables" (the most specific route), "Internet gateways" (an interface needs a
//! public address), "NAT gateways", "Security groups" (stateful: an answer needs no rule of its own).

use std::net::Ipv4Addr;

use super::super::call::{Call, Fault};
use super::super::interfaces::{self, Interface};
use super::route_table::{self, Table, Target};
use super::rule::{self, Rule, Source};
use super::{endpoint, gateway, nat, network_acl};

/// HTTPS, which every service of AWS speaks.
const HTTPS: i64 = 443;
/// Stands for any public address.
const A_SERVICE: Ipv4Addr = Ipv4Addr::new(52, 94, 0, 1);

/// Whether an interface reaches servers on the internet, at a moment in milliseconds since 1970: its groups let HTTPS
/// out, and its subnet leads to an internet gateway (with a public address of its own) or to a NAT gateway.
pub fn internet(call: &Call<'_>, from: &Interface, at: i64) -> Result<bool, Fault> {
    Ok(lets_out_to_internet(call, from)?
        && network_acl::lets(call, &from.subnet, true, A_SERVICE, HTTPS)?
        && leads_to_internet(call, from, at)?)
}

/// Whether an interface reaches a service of AWS (`ecr.api`, `logs`) at a moment: over an endpoint of its VPC, or over the
/// internet.
///
/// Where an interface endpoint has private DNS, the service's name leads to it and nowhere else, even if its groups let
/// nothing in (AWS PrivateLink guide, "Private DNS"). A gateway endpoint is a route of the subnet's table; the service keeps
/// its public addresses, so the groups must let those out.
pub fn service(call: &Call<'_>, from: &Interface, service: &str, at: i64) -> Result<bool, Fault> {
    let there = endpoint::serving(call, &from.vpc, service, at)?;
    if let Some(endpoint) = there.iter().find(|endpoint| !endpoint.is_gateway) {
        for to in interfaces::of_owner(call, &endpoint.id)? {
            if between(call, std::slice::from_ref(from), &to, HTTPS)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if let Some(table) = table_of(call, &from.vpc, &from.subnet)?
        && there.iter().any(|endpoint| endpoint.tables.contains(&table.id))
    {
        return lets_out_to_internet(call, from);
    }
    internet(call, from, at)
}

/// Whether any of these interfaces reaches a TCP port of another one in the same VPC.
pub fn between(call: &Call<'_>, from: &[Interface], to: &Interface, port: i64) -> Result<bool, Fault> {
    for from in from {
        if from.vpc == to.vpc
            && lets(call, from, true, to, port)?
            && lets(call, to, false, from, port)?
            && acls_let(call, from, to, port)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The interface with this private address in a VPC.
pub fn at_address(call: &Call<'_>, vpc: &str, address: &str) -> Result<Option<Interface>, Fault> {
    interfaces::at_address(call, vpc, address)
}

/// Network ACLs are between subnets, not within one.
fn acls_let(call: &Call<'_>, from: &Interface, to: &Interface, port: i64) -> Result<bool, Fault> {
    Ok(from.subnet == to.subnet
        || (network_acl::lets(call, &from.subnet, true, to.private_ip, port)?
            && network_acl::lets(call, &to.subnet, false, from.private_ip, port)?))
}

/// Whether the groups of an interface let a port pass, to or from a peer.
fn lets(call: &Call<'_>, interface: &Interface, out: bool, peer: &Interface, port: i64) -> Result<bool, Fault> {
    let any = |rule: &Rule| {
        rule.egress == out
            && is_about(rule, port)
            && match &rule.source {
                Source::V4(block) => block.contains(&peer.private_ip),
                Source::Group(id) => peer.groups.contains(id),
                _ => false,
            }
    };
    has(call, interface, any)
}

/// A rule for a part of the public addresses counts: whoever wrote it knows where the service is.
fn lets_out_to_internet(call: &Call<'_>, interface: &Interface) -> Result<bool, Fault> {
    let public = |rule: &Rule| {
        rule.egress
            && is_about(rule, HTTPS)
            && match &rule.source {
                Source::V4(block) => block.prefix_len() < 8 || !is_private(block.network()),
                _ => false,
            }
    };
    has(call, interface, public)
}

fn has(call: &Call<'_>, interface: &Interface, fits: impl Fn(&Rule) -> bool) -> Result<bool, Fault> {
    for group in &interface.groups {
        if rule::of_group(call, group)?.iter().any(&fits) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_about(rule: &Rule, port: i64) -> bool {
    match rule.protocol.as_str() {
        "-1" => true,
        "tcp" | "6" => (rule.from..=rule.to).contains(&port) || rule.from == -1,
        _ => false,
    }
}

/// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598), 169.254.0.0/16.
fn is_private(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private() || address.is_link_local() || (a == 100 && (64..128).contains(&b))
}

fn leads_to_internet(call: &Call<'_>, from: &Interface, at: i64) -> Result<bool, Fault> {
    match default_route(call, &from.vpc, &from.subnet)? {
        Some(Target::Gateway(id)) => Ok(from.public_ip.is_some() && is_attached(call, &id, &from.vpc)?),
        Some(Target::Nat(id)) => {
            let Some(nat) = call.store.get::<nat::Nat>(nat::KIND, &id)? else {
                return Ok(false);
            };
            if nat.private || nat.state(at) != Some("available") {
                return Ok(false);
            }
            match default_route(call, &nat.vpc, &nat.subnet)? {
                Some(Target::Gateway(id)) => is_attached(call, &id, &nat.vpc),
                _ => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

/// Where 0.0.0.0/0 leads from a subnet.
fn default_route(call: &Call<'_>, vpc: &str, id: &str) -> Result<Option<Target>, Fault> {
    let table = table_of(call, vpc, id)?;
    Ok(table.and_then(|table| {
        let default = table
            .routes
            .into_iter()
            .find(|route| route.destination.prefix_len() == 0);
        default.map(|route| route.target)
    }))
}

/// The table that a subnet is associated with: the VPC's main one when with none.
pub fn table_of(call: &Call<'_>, vpc: &str, subnet: &str) -> Result<Option<Table>, Fault> {
    let tables = route_table::of_vpc(call, vpc)?;
    let own = tables.iter().find(|table| {
        table
            .associations
            .iter()
            .any(|association| association.subnet.as_deref() == Some(subnet))
    });
    Ok(own.or_else(|| tables.iter().find(|table| table.is_main())).cloned())
}

fn is_attached(call: &Call<'_>, gateway: &str, vpc: &str) -> Result<bool, Fault> {
    let gateway: Option<gateway::Gateway> = call.store.get(gateway::KIND, gateway)?;
    Ok(gateway.is_some_and(|gateway| gateway.vpc.as_deref() == Some(vpc)))
}
