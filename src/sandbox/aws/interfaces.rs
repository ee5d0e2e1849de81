//! Network interfaces, which load balancers, tasks, cache nodes and NAT gateways have in their subnets. They are what
//! keeps a subnet or a security group from being deleted while something uses it.
//!
//! Source: EC2 API reference, `NetworkInterface`; VPC user guide, "Requester-managed network interfaces".

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::{Call, Fault};
use super::ec2::subnet::{self, Subnet};
use super::ec2::{self, security_group};

pub const KIND: &str = "ec2/interface";

/// What an interface is made of.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceSpec<'a> {
    pub subnet: &'a str,
    /// Ids of security groups of the subnet's VPC; none means the VPC's default group.
    pub groups: &'a [String],
    /// As EC2 shows it: `ELB app/name/id`.
    pub description: &'a str,
    /// Whose it is: any text that is unique in the account and region, such as the ARN of a load balancer or a task.
    pub owner: &'a str,
}

/// An interface as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interface {
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub zone: String,
    pub groups: Vec<String>,
    pub description: String,
    pub owner: String,
    pub private_ip: Ipv4Addr,
    /// The public address, when it has one.
    #[serde(default)]
    pub public_ip: Option<Ipv4Addr>,
    /// What stands behind the public address, when that is an elastic one.
    #[serde(default)]
    pub elastic: Option<Elastic>,
    pub mac: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// When it disappears, in milliseconds since 1970: its owner is gone, and EC2 takes its time.
    #[serde(default)]
    pub gone_at: Option<i64>,
}

/// An elastic address on an interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Elastic {
    /// `eipalloc-...`
    pub allocation: String,
    /// `eipassoc-...`
    pub association: String,
}

/// Makes an interface with a free private address of the subnet. EC2's codes: `InvalidSubnetID.NotFound`,
/// `InvalidGroup.NotFound`, `InvalidParameterValue` for a group of another VPC, `InsufficientFreeAddressesInSubnet`.
pub fn attach(call: &Call<'_>, spec: InterfaceSpec<'_>) -> Result<Interface, Fault> {
    let subnet = subnet::get(call, spec.subnet)?;
    let mut groups = spec.groups.to_vec();
    if groups.is_empty() {
        groups.extend(security_group::default_of(call, &subnet.vpc_id)?.map(|group| group.group_id));
    }
    for id in &groups {
        let group = security_group::get(call, id)?;
        if group.vpc_id != subnet.vpc_id {
            return Err(Fault::new(
                "InvalidParameterValue",
                format!(
                    "The security group '{id}' and the subnet '{}' belong to different networks.",
                    spec.subnet
                ),
            ));
        }
    }
    let private_ip = free_address(call, &subnet)?.ok_or_else(|| {
        Fault::new(
            "InsufficientFreeAddressesInSubnet",
            format!("The subnet '{}' has no free addresses.", spec.subnet),
        )
    })?;
    let id = ec2::new_id("eni");
    let octets = rand::random::<[u8; 5]>().map(|octet| format!("{octet:02x}"));
    let interface = Interface {
        id,
        subnet: subnet.subnet_id,
        vpc: subnet.vpc_id,
        zone: subnet.availability_zone,
        groups,
        description: spec.description.to_owned(),
        owner: spec.owner.to_owned(),
        private_ip,
        public_ip: None,
        elastic: None,
        mac: format!("02:{}", octets.join(":")),
        created: call.now,
        gone_at: None,
    };
    save(call, &interface)?;
    Ok(interface)
}

/// As [`attach`], with a public address from Amazon's pool: what a task with `assignPublicIp` or a load balancer that
/// faces the internet has.
pub fn attach_public(call: &Call<'_>, spec: InterfaceSpec<'_>) -> Result<Interface, Fault> {
    let mut interface = attach(call, spec)?;
    interface.public_ip = Some(public_address());
    save(call, &interface)?;
    Ok(interface)
}

/// Takes away all interfaces of this owner. Nothing happens when it has none, so doing it twice is safe.
pub fn release(call: &Call<'_>, owner: &str) -> Result<(), Fault> {
    for interface in of_owner(call, owner)? {
        call.store.delete(KIND, &interface.id)?;
    }
    Ok(())
}

/// As [`release`], but they linger for that long (real time, see [`Call::after`]), as those of a deleted load balancer do.
pub fn release_after(call: &Call<'_>, owner: &str, real: Duration) -> Result<(), Fault> {
    for mut interface in of_owner(call, owner)? {
        interface.gone_at = Some(call.after(real));
        save(call, &interface)?;
    }
    Ok(())
}

/// The interfaces of one owner, in the order of their creation.
pub fn of_owner(call: &Call<'_>, owner: &str) -> Result<Vec<Interface>, Fault> {
    linked(call, &format!("owner:{owner}"))
}

/// The interfaces in a security group.
pub fn in_group(call: &Call<'_>, group: &str) -> Result<Vec<Interface>, Fault> {
    linked(call, &format!("group:{group}"))
}

/// The interfaces of a VPC that have a public address.
pub fn public_in(call: &Call<'_>, vpc: &str) -> Result<Vec<Interface>, Fault> {
    linked(call, &format!("public:{vpc}"))
}

/// The interface with this elastic address, by the id of its allocation or its association.
pub fn with_elastic(call: &Call<'_>, id: &str) -> Result<Option<Interface>, Fault> {
    Ok(linked(call, &format!("elastic:{id}"))?.into_iter().next())
}

/// The interface with this private address in a VPC.
pub fn at_address(call: &Call<'_>, vpc: &str, address: &str) -> Result<Option<Interface>, Fault> {
    Ok(linked(call, &format!("private:{vpc}/{address}"))?.into_iter().next())
}

/// The interface with this id.
pub fn get(call: &Call<'_>, id: &str) -> Result<Option<Interface>, Fault> {
    let found = call.store.get(KIND, id)?;
    Ok(present(call, found.into_iter().collect()).pop())
}

fn linked(call: &Call<'_>, link: &str) -> Result<Vec<Interface>, Fault> {
    Ok(present(call, call.store.linked(KIND, link)?))
}

/// Every interface that is there now.
pub fn all(call: &Call<'_>) -> Result<Vec<Interface>, Fault> {
    Ok(present(call, call.store.all(KIND)?))
}

/// The interfaces in one subnet.
pub fn in_subnet(call: &Call<'_>, subnet: &str) -> Result<Vec<Interface>, Fault> {
    Ok(present(call, call.store.children(KIND, subnet)?))
}

/// How many interfaces are in one subnet.
pub fn count_in(call: &Call<'_>, subnet: &str) -> Result<usize, Fault> {
    let store = call.store;
    let count: Option<i64> = store.row(
        "SELECT count(*) FROM document WHERE account = ?1 AND region = ?2 AND kind = ?3 AND parent = ?4
         AND (due IS NULL OR due > ?5)",
        rusqlite::params![store.account, store.region, KIND, subnet, call.now],
    )?;
    Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
}

/// Keeps a changed interface.
pub fn save(call: &Call<'_>, interface: &Interface) -> Result<(), Fault> {
    let mut links = vec![
        format!("owner:{}", interface.owner),
        format!("address:{}/{}", interface.subnet, interface.private_ip),
    ];
    links.push(format!("private:{}/{}", interface.vpc, interface.private_ip));
    links.extend(interface.groups.iter().map(|group| format!("group:{group}")));
    if interface.public_ip.is_some() {
        links.push(format!("public:{}", interface.vpc));
    }
    if let Some(elastic) = &interface.elastic {
        links.push(format!("elastic:{}", elastic.allocation));
        links.push(format!("elastic:{}", elastic.association));
    }
    call.store
        .entry(KIND, &interface.id)
        .parent(&interface.subnet)
        .due(interface.gone_at)
        .links(&links)
        .put(interface)
}

/// Addresses that are tried behind the last one that was given away, before all of a subnet's are looked at.
const TRIED: usize = 64;

/// An address of the subnet that no interface has. EC2 gives them in no order; here the next one is tried first, so that
/// it costs the same however many are taken.
fn free_address(call: &Call<'_>, subnet: &Subnet) -> Result<Option<Ipv4Addr>, Fault> {
    for gone in call.store.due::<Interface>(KIND)? {
        call.store.delete(KIND, &gone.id)?;
    }
    let free = |address: &Ipv4Addr| {
        let link = format!("address:{}/{address}", subnet.subnet_id);
        call.store.is_linked(KIND, &link).map(|taken| !taken)
    };
    if let Some(newest) = call.store.newest_below::<Interface>(KIND, &subnet.subnet_id)? {
        let next = subnet.addresses_from(newest.private_ip).skip(1);
        for address in next.take(TRIED) {
            if free(&address)? {
                return Ok(Some(address));
            }
        }
    }
    for address in subnet.addresses() {
        if free(&address)? {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

/// An address that looks public and belongs to nobody: 198.18.0.0/15 is kept for tests of network devices (RFC 2544).
pub fn public_address() -> Ipv4Addr {
    Ipv4Addr::from_bits(0xC612_0000 | (rand::random::<u32>() & 0x0001_FFFF))
}

fn present(call: &Call<'_>, interfaces: Vec<Interface>) -> Vec<Interface> {
    interfaces
        .into_iter()
        .filter(|interface| interface.gone_at.is_none_or(|gone| gone > call.now))
        .collect()
}
