//! NAT gateways. Their state is computed from the moments at which they were made and deleted.
//!
//! Source: EC2 API reference, `NatGateway` (pending, failed, available, deleting, deleted); VPC user guide, "NAT gateway
//! basics" and "Troubleshoot NAT gateways" (`Gateway.NotAttached`; a deleted one stays visible for about an hour).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::super::interfaces::{self, Interface, InterfaceSpec};
use super::filters::{self, Listing};
use super::{address, gateway, new_id, subnet, tags};

pub const KIND: &str = "ec2/nat-gateway";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nat {
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub private: bool,
    /// The client token of the call that made it: the same token gives the same gateway again.
    pub token: String,
    pub interface: Interface,
    /// Code and text.
    pub failure: Option<(String, String)>,
    /// Milliseconds since 1970.
    pub created: i64,
    pub available_at: i64,
    pub deletion: Option<Deletion>,
}

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Deletion {
    pub deleted_at: i64,
    pub gone_at: i64,
}

impl Nat {
    /// `None` when it is not even listed any more.
    pub fn state(&self, now: i64) -> Option<&'static str> {
        match self.deletion {
            Some(deletion) if now >= deletion.gone_at => None,
            Some(deletion) if now >= deletion.deleted_at => Some("deleted"),
            Some(_) => Some("deleting"),
            None if now < self.available_at => Some("pending"),
            None if self.failure.is_some() => Some("failed"),
            None => Some("available"),
        }
    }
}

/// The gateway, or `NatGatewayNotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Nat, Fault> {
    call.store
        .get(KIND, id)?
        .filter(|nat: &Nat| nat.state(call.now).is_some())
        .ok_or_else(|| Fault::new("NatGatewayNotFound", format!("NatGateway {id} was not found")))
}

pub fn create(call: &Call<'_>) -> Answer {
    let subnet = subnet::get(call, call.text("SubnetId"))?;
    let token = call.text("ClientToken");
    let earlier: Vec<Nat> = match token {
        "" => Vec::new(),
        token => call.store.linked(KIND, token)?,
    };
    if let Some(earlier) = earlier.first() {
        // A retry of the call whose answer was lost.
        if earlier.subnet != subnet.subnet_id {
            return Err(Fault::new(
                "IdempotentParameterMismatch",
                "The client token was used before with other parameters.",
            ));
        }
        return Ok(json!({ "NatGateway": shown(call, earlier)?, "ClientToken": token }));
    }
    let private = call.text("ConnectivityType") == "private";
    let allocation = call.text("AllocationId");
    let address = match (private, allocation) {
        (true, "") => None,
        (true, _) => {
            return Err(Fault::new(
                "InvalidParameterCombination",
                "A private NAT gateway takes no allocation ID.",
            ));
        }
        (false, "") => {
            return Err(Fault::new(
                "MissingParameter",
                "The request must contain the parameter allocationId",
            ));
        }
        (false, allocation) => Some(address::get(call, allocation)?),
    };
    if let Some((_, association)) = address::holder(call, allocation)? {
        return Err(address::already_associated(allocation, &association));
    }
    let id = new_id("nat");
    let description = format!("Interface for NAT Gateway {id}");
    // A NAT gateway has no security group (VPC user guide, "NAT gateway basics").
    let spec = InterfaceSpec {
        subnet: &subnet.subnet_id,
        groups: &[],
        description: &description,
        owner: &id,
    };
    let mut interface = interfaces::attach(call, spec)?;
    interface.groups.clear();
    interfaces::save(call, &interface)?;
    let mut failure = None;
    if let Some(address) = &address {
        if gateway::of_vpc(call, &subnet.vpc_id)?.is_some() {
            address::map(call, address, &mut interface)?;
        } else {
            failure = Some((
                "Gateway.NotAttached".to_owned(),
                format!("Network {} has no Internet gateway attached", subnet.vpc_id),
            ));
            interfaces::release(call, &id)?;
        }
    }
    let nat = Nat {
        id,
        subnet: subnet.subnet_id,
        vpc: subnet.vpc_id,
        private,
        token: token.to_owned(),
        interface,
        failure,
        created: call.now,
        available_at: call.after(call.usual(durations::NAT_CREATE)),
        deletion: None,
    };
    tags::on_create(call, "natgateway", &nat.id)?;
    let links: Vec<String> = Some(token)
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .into_iter()
        .collect();
    call.store
        .entry(KIND, &nat.id)
        .parent(&nat.vpc)
        .links(&links)
        .put(&nat)?;
    let mut shown = shown(call, &nat)?;
    shown["State"] = "pending".into();
    Ok(json!({ "NatGateway": shown, "ClientToken": token }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let mut nat = get(call, call.text("NatGatewayId"))?;
    if nat.deletion.is_none() {
        let deleted_at = call.after(call.usual(durations::NAT_DELETE));
        nat.deletion = Some(Deletion {
            deleted_at,
            gone_at: deleted_at + call.after(call.usual(durations::NAT_REMEMBERED)) - call.now,
        });
        interfaces::release_after(call, &nat.id, call.usual(durations::NAT_DELETE))?;
        call.store.put(KIND, &nat.id, &nat.vpc, &nat)?;
    }
    Ok(json!({ "NatGatewayId": nat.id }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "VpcId", &LISTING, |nat: &Nat| {
        let listed = nat.state(call.now).is_some();
        listed.then(|| shown(call, nat)).transpose()
    })
}

const LISTING: Listing = Listing {
    answer: "NatGateways",
    ids: "NatGatewayIds",
    id: "NatGatewayId",
    missing: ("NatGatewayNotFound", "NatGateway {} was not found"),
    filters: &[
        ("nat-gateway-id", "NatGatewayId"),
        ("state", "State"),
        ("subnet-id", "SubnetId"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, nat: &Nat) -> Answer {
    let state = nat.state(call.now).unwrap_or("deleted");
    let mut address = json!({
        "NetworkInterfaceId": nat.interface.id,
        "PrivateIp": nat.interface.private_ip,
        "IsPrimary": true,
        "Status": "succeeded",
    });
    if let (Some(elastic), Some(public)) = (&nat.interface.elastic, nat.interface.public_ip) {
        address["AllocationId"] = Value::String(elastic.allocation.clone());
        address["AssociationId"] = Value::String(elastic.association.clone());
        address["PublicIp"] = Value::String(public.to_string());
    }
    let mut shown = json!({
        "NatGatewayId": nat.id,
        "SubnetId": nat.subnet,
        "VpcId": nat.vpc,
        "State": state,
        "ConnectivityType": if nat.private { "private" } else { "public" },
        "CreateTime": nat.created as f64 / 1000.0,
        "NatGatewayAddresses": [address],
        "Tags": tags::shown(call, "natgateway", &nat.id)?,
    });
    if let Some((code, message)) = &nat.failure
        && state != "pending"
    {
        shown["FailureCode"] = Value::String(code.clone());
        shown["FailureMessage"] = Value::String(message.clone());
    }
    if let Some(deletion) = nat.deletion.filter(|_| state == "deleted") {
        shown["DeleteTime"] = json!(deletion.deleted_at as f64 / 1000.0);
    }
    Ok(shown)
}
