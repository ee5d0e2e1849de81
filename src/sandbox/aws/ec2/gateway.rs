//! Internet gateways.
//!
//! Source: EC2 API reference, `AttachInternetGateway`, `DetachInternetGateway` ("the VPC must not contain any running
//! instances with Elastic IP addresses or public IPv4 addresses").

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces;
use super::filters::{self, Listing};
use super::{in_use, new_id, tags, vpc};

pub const KIND: &str = "ec2/internet-gateway";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gateway {
    pub id: String,
    /// The VPC that it is attached to.
    pub vpc: Option<String>,
}

/// The gateway, or `InvalidInternetGatewayID.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Gateway, Fault> {
    call.store.get(KIND, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidInternetGatewayID.NotFound",
            format!("The internetGateway ID '{id}' does not exist"),
        )
    })
}

/// The gateway that is attached to this VPC.
pub fn of_vpc(call: &Call<'_>, vpc: &str) -> Result<Option<Gateway>, Fault> {
    Ok(call.store.children(KIND, vpc)?.into_iter().next())
}

fn save(call: &Call<'_>, gateway: &Gateway) -> Result<(), Fault> {
    call.store
        .put(KIND, &gateway.id, gateway.vpc.as_deref().unwrap_or_default(), gateway)
}

pub fn create(call: &Call<'_>) -> Answer {
    let gateway = Gateway {
        id: new_id("igw"),
        vpc: None,
    };
    tags::on_create(call, "internet-gateway", &gateway.id)?;
    save(call, &gateway)?;
    Ok(json!({ "InternetGateway": shown(call, &gateway)? }))
}

pub fn attach(call: &Call<'_>) -> Answer {
    let mut gateway = get(call, call.text("InternetGatewayId"))?;
    let vpc = vpc::get(call, call.text("VpcId"))?.vpc_id;
    if let Some(attached) = &gateway.vpc {
        return Err(Fault::new(
            "Resource.AlreadyAssociated",
            format!("resource {} is already attached to network {attached}", gateway.id),
        ));
    }
    if of_vpc(call, &vpc)?.is_some() {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("Network {vpc} already has an internet gateway attached"),
        ));
    }
    gateway.vpc = Some(vpc);
    save(call, &gateway)?;
    Ok(json!({}))
}

pub fn detach(call: &Call<'_>) -> Answer {
    let mut gateway = get(call, call.text("InternetGatewayId"))?;
    let vpc = vpc::get(call, call.text("VpcId"))?.vpc_id;
    if gateway.vpc.as_ref() != Some(&vpc) {
        return Err(Fault::new(
            "Gateway.NotAttached",
            format!("resource {} is not attached to network {vpc}", gateway.id),
        ));
    }
    if !interfaces::public_in(call, &vpc)?.is_empty() {
        return Err(Fault::new(
            "DependencyViolation",
            format!(
                "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before \
                 detaching the gateway."
            ),
        ));
    }
    gateway.vpc = None;
    save(call, &gateway)?;
    Ok(json!({}))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let gateway = get(call, call.text("InternetGatewayId"))?;
    if gateway.vpc.is_some() {
        return Err(in_use("internetGateway", &gateway.id));
    }
    call.store.delete(KIND, &gateway.id)?;
    tags::clear(call, "internet-gateway", &gateway.id)?;
    Ok(json!({}))
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "", &LISTING, |gateway| shown(call, gateway).map(Some))
}

const LISTING: Listing = Listing {
    answer: "InternetGateways",
    ids: "InternetGatewayIds",
    id: "InternetGatewayId",
    missing: (
        "InvalidInternetGatewayID.NotFound",
        "The internetGateway ID '{}' does not exist",
    ),
    filters: &[
        ("attachment.state", "Attachments.State"),
        ("attachment.vpc-id", "Attachments.VpcId"),
        ("internet-gateway-id", "InternetGatewayId"),
        ("owner-id", "OwnerId"),
    ],
};

fn shown(call: &Call<'_>, gateway: &Gateway) -> Answer {
    let attachments: Vec<_> = gateway
        .vpc
        .iter()
        .map(|vpc| json!({ "VpcId": vpc, "State": "available" }))
        .collect();
    Ok(json!({
        "InternetGatewayId": gateway.id,
        "OwnerId": call.account,
        "Attachments": attachments,
        "Tags": tags::shown(call, "internet-gateway", &gateway.id)?,
    }))
}
