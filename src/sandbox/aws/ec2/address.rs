//! Elastic addresses.
//!
//! Source: EC2 API reference, `AllocateAddress`, `AssociateAddress`, `ReleaseAddress`.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces::{self, Elastic, Interface};
use super::filters::{self, Listing};
use super::{interface, new_id, tags};

pub const KIND: &str = "ec2/address";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    pub id: String,
    pub public_ip: Ipv4Addr,
}

/// The address, or `InvalidAllocationID.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Address, Fault> {
    call.store.get(KIND, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidAllocationID.NotFound",
            format!("The allocation ID '{id}' does not exist"),
        )
    })
}

/// The interface that has this address, and the association.
pub fn holder(call: &Call<'_>, allocation: &str) -> Result<Option<(Interface, String)>, Fault> {
    Ok(interfaces::with_elastic(call, allocation)?.and_then(|interface| {
        let association = interface.elastic.clone()?.association;
        Some((interface, association))
    }))
}

/// Maps an address to an interface; the association's id.
pub fn map(call: &Call<'_>, address: &Address, interface: &mut Interface) -> Result<String, Fault> {
    let association = new_id("eipassoc");
    interface.public_ip = Some(address.public_ip);
    interface.elastic = Some(Elastic {
        allocation: address.id.clone(),
        association: association.clone(),
    });
    interfaces::save(call, interface)?;
    Ok(association)
}

fn unmap(call: &Call<'_>, mut interface: Interface) -> Result<(), Fault> {
    interface.public_ip = None;
    interface.elastic = None;
    interfaces::save(call, &interface)
}

/// What a call answers that needs an address which is already mapped.
pub fn already_associated(allocation: &str, association: &str) -> Fault {
    Fault::new(
        "Resource.AlreadyAssociated",
        format!("resource {allocation} is already associated with associate-id {association}"),
    )
}

pub fn allocate(call: &Call<'_>) -> Answer {
    if call.text("Domain") == "standard" {
        return Err(Fault::new(
            "InvalidParameterValue",
            "Addresses outside a VPC (domain standard) are retired.",
        ));
    }
    let mut free = None;
    for candidate in std::iter::repeat_with(interfaces::public_address).take(64) {
        if !call.store.is_linked(KIND, &candidate.to_string())? {
            free = Some(candidate);
            break;
        }
    }
    let address = Address {
        id: new_id("eipalloc"),
        public_ip: free.ok_or_else(|| Fault::new("InsufficientAddressCapacity", "There are no addresses left."))?,
    };
    tags::on_create(call, "elastic-ip", &address.id)?;
    let links = [address.public_ip.to_string()];
    call.store.entry(KIND, &address.id).links(&links).put(&address)?;
    Ok(json!({
        "AllocationId": address.id,
        "PublicIp": address.public_ip,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": call.region,
    }))
}

pub fn associate(call: &Call<'_>) -> Answer {
    let address = get(call, call.text("AllocationId"))?;
    let mut interface = interface::get(call, call.text("NetworkInterfaceId"))?;
    if let Some((holder, association)) = holder(call, &address.id)? {
        if !call.flag("AllowReassociation") {
            return Err(already_associated(&address.id, &association));
        }
        if holder.id != interface.id {
            unmap(call, holder)?;
        }
    }
    let association = map(call, &address, &mut interface)?;
    Ok(json!({ "AssociationId": association }))
}

pub fn disassociate(call: &Call<'_>) -> Answer {
    let id = call.text("AssociationId");
    let holder = interfaces::with_elastic(call, id)?
        .filter(|interface| {
            interface
                .elastic
                .as_ref()
                .is_some_and(|elastic| elastic.association == id)
        })
        .ok_or_else(|| {
            Fault::new(
                "InvalidAssociationID.NotFound",
                format!("The association ID '{id}' does not exist"),
            )
        })?;
    if holder.owner.starts_with("nat-") {
        return Err(Fault::new(
            "AuthFailure",
            "You do not have permission to access the specified resource.",
        ));
    }
    unmap(call, holder)?;
    Ok(json!({}))
}

pub fn release(call: &Call<'_>) -> Answer {
    if call.text("AllocationId").is_empty() {
        return Err(Fault::new(
            "MissingParameter",
            "The request must contain the parameter allocationId",
        ));
    }
    let address = get(call, call.text("AllocationId"))?;
    // "If you provide an incorrect network border group, you receive an InvalidAddress.NotFound error", `ReleaseAddress`.
    let group = call.text("NetworkBorderGroup");
    if !group.is_empty() && group != call.region {
        return Err(Fault::new(
            "InvalidAddress.NotFound",
            format!("Address '{}' not found.", address.public_ip),
        ));
    }
    if holder(call, &address.id)?.is_some() {
        return Err(Fault::new(
            "InvalidIPAddress.InUse",
            format!(
                "The address with allocation id {} cannot be released because it is in use.",
                address.id
            ),
        ));
    }
    call.store.delete(KIND, &address.id)?;
    tags::clear(call, "elastic-ip", &address.id)?;
    Ok(json!({}))
}

/// The name that each address has in reverse DNS, with the dot at its end.
pub fn attributes(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "", &NAMES, |address: &Address| {
        Ok(Some(json!({
            "AllocationId": address.id,
            "PublicIp": address.public_ip,
            "PtrRecord": format!("{}.", public_name(call.region, address.public_ip)),
        })))
    })
}

const NAMES: Listing = Listing {
    answer: "Addresses",
    ids: "AllocationIds",
    id: "AllocationId",
    missing: ("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
    filters: &[],
};

/// Source: VPC user guide, *View DNS hostnames for your EC2 instance*.
fn public_name(region: &str, address: Ipv4Addr) -> String {
    let domain = match region {
        "us-east-1" => "compute-1.amazonaws.com".to_owned(),
        region => format!("{region}.compute.amazonaws.com"),
    };
    format!("ec2-{}.{domain}", address.to_string().replace('.', "-"))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let wanted = call.texts("PublicIps");
    for ip in &wanted {
        if !call.store.is_linked(KIND, ip)? {
            return Err(Fault::new(
                "InvalidAddress.NotFound",
                format!("Address '{ip}' not found."),
            ));
        }
    }
    filters::kept(call, KIND, "", &LISTING, |address: &Address| {
        let asked = wanted.is_empty() || wanted.contains(&address.public_ip.to_string());
        asked.then(|| shown(call, address)).transpose()
    })
}

const LISTING: Listing = Listing {
    answer: "Addresses",
    ids: "AllocationIds",
    id: "AllocationId",
    missing: ("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
    filters: &[
        ("allocation-id", "AllocationId"),
        ("association-id", "AssociationId"),
        ("domain", "Domain"),
        ("network-border-group", "NetworkBorderGroup"),
        ("network-interface-id", "NetworkInterfaceId"),
        ("network-interface-owner-id", "NetworkInterfaceOwnerId"),
        ("private-ip-address", "PrivateIpAddress"),
        ("public-ip", "PublicIp"),
    ],
};

fn shown(call: &Call<'_>, address: &Address) -> Answer {
    let mut shown = json!({
        "AllocationId": address.id,
        "PublicIp": address.public_ip,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": call.region,
        "Tags": tags::shown(call, "elastic-ip", &address.id)?,
    });
    if let Some((interface, association)) = holder(call, &address.id)? {
        shown["AssociationId"] = Value::String(association);
        shown["NetworkInterfaceId"] = Value::String(interface.id);
        shown["NetworkInterfaceOwnerId"] = Value::String(call.account.to_owned());
        shown["PrivateIpAddress"] = Value::String(interface.private_ip.to_string());
    }
    Ok(shown)
}
