//! DB subnet groups.
//!
//! Source: RDS API reference, `CreateDBSubnetGroup`, `ModifyDBSubnetGroup`, `DeleteDBSubnetGroup`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::ec2::subnet;
use super::super::{interfaces, tags};
use super::{filter, instance, invalid, listed, name_of, settings, wanted_tags};

const KIND: &str = "rds/subnet-group";
/// *Quotas and constraints for Amazon RDS*: subnets in a group.
const SUBNETS: usize = 20;

#[derive(Clone, Serialize, Deserialize)]
pub struct SubnetGroup {
    pub name: String,
    description: String,
    pub vpc: String,
    /// Subnet and zone.
    pub subnets: Vec<(String, String)>,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &["DBSubnetGroupName", "DBSubnetGroupDescription", "SubnetIds", "Tags"],
    )?;
    let name = check_name(call.text("DBSubnetGroupName"))?;
    if find(call, &name)?.is_some() {
        return Err(Fault::new(
            "DBSubnetGroupAlreadyExists",
            format!("The DB subnet group '{name}' already exists."),
        ));
    }
    if call.text("DBSubnetGroupDescription").is_empty() {
        return Err(settings::blank("DBSubnetGroupDescription"));
    }
    let wanted = wanted_tags(call)?;
    let (vpc, subnets) = places(call)?;
    let group = SubnetGroup {
        name,
        description: call.text("DBSubnetGroupDescription").to_owned(),
        vpc,
        subnets,
    };
    save(call, &group)?;
    tags::put(call, &group.arn(call), &wanted)?;
    answer(json!({ "DBSubnetGroup": group.view(call) }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    filter::none(call)?;
    let named = match call.text("DBSubnetGroupName") {
        "" => None,
        name => Some(existing(call, name)?),
    };
    let view = |group: &SubnetGroup| Ok(group.view(call));
    listed(call, "DBSubnetGroups", KIND, named, |_| Ok(true), view)
}

pub fn modify(call: &Call<'_>) -> Answer {
    let mut group = existing(call, call.text("DBSubnetGroupName"))?;
    if !call.text("DBSubnetGroupDescription").is_empty() {
        group.description = call.text("DBSubnetGroupDescription").to_owned();
    }
    let (vpc, subnets) = places(call)?;
    if vpc != group.vpc {
        return Err(Fault::new(
            "InvalidSubnet",
            "The new Subnets are not in the same Vpc as the existing subnet group",
        ));
    }
    for (gone, _) in group.subnets.iter().filter(|old| !subnets.contains(old)) {
        let owners: Vec<String> = interfaces::in_subnet(call, gone)?
            .into_iter()
            .map(|interface| interface.owner)
            .collect();
        let used = instance::in_group(call, &group.name)?
            .iter()
            .any(|user| owners.contains(&user.owner()));
        if used {
            return Err(Fault::new(
                "SubnetAlreadyInUse",
                format!("Some of the subnets to be deleted are currently in use: {gone}"),
            ));
        }
    }
    group.subnets = subnets;
    save(call, &group)?;
    answer(json!({ "DBSubnetGroup": group.view(call) }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let group = existing(call, call.text("DBSubnetGroupName"))?;
    if let Some(user) = instance::in_group(call, &group.name)?.first() {
        return Err(Fault::new(
            "InvalidDBSubnetGroupStateFault",
            format!(
                "Cannot delete the subnet group '{}' because at least one database instance: {} is still using it.",
                group.name, user.id
            ),
        ));
    }
    call.store.delete(KIND, &group.name)?;
    tags::clear(call, &group.arn(call))?;
    answer(json!({}))
}

impl SubnetGroup {
    fn arn(&self, call: &Call<'_>) -> String {
        call.arn("rds", &format!("subgrp:{}", self.name))
    }

    pub fn view(&self, call: &Call<'_>) -> Value {
        let subnets: Vec<_> = self
            .subnets
            .iter()
            .map(|(id, zone)| {
                json!({
                    "SubnetIdentifier": id,
                    "SubnetAvailabilityZone": { "Name": zone },
                    "SubnetOutpost": {},
                    "SubnetStatus": "Active",
                })
            })
            .collect();
        json!({
            "DBSubnetGroupName": self.name,
            "DBSubnetGroupDescription": self.description,
            "VpcId": self.vpc,
            "SubnetGroupStatus": "Complete",
            "Subnets": subnets,
            "DBSubnetGroupArn": self.arn(call),
            "SupportedNetworkTypes": ["IPV4"],
        })
    }
}

/// The subnets of the call, which must be of one VPC and two zones.
fn places(call: &Call<'_>) -> Result<(String, Vec<(String, String)>), Fault> {
    let mut vpc = String::new();
    let mut places: Vec<(String, String)> = Vec::new();
    for id in call.texts("SubnetIds") {
        let subnet = subnet::get(call, &id).map_err(|fault| match fault.status {
            500 => fault,
            _ => Fault::new("InvalidSubnet", format!("Some input subnets in :[{id}] are invalid.")),
        })?;
        if !vpc.is_empty() && vpc != subnet.vpc_id {
            return Err(Fault::new("InvalidSubnet", "Subnets are not in the same VPC."));
        }
        vpc = subnet.vpc_id;
        if !places.iter().any(|(known, _)| *known == id) {
            places.push((id, subnet.availability_zone));
        }
    }
    if places.len() > SUBNETS {
        return Err(Fault::new(
            "DBSubnetQuotaExceededFault",
            format!("A DB subnet group can have {SUBNETS} subnets at most."),
        ));
    }
    let zones: BTreeSet<&str> = places.iter().map(|(_, zone)| zone.as_str()).collect();
    if zones.len() < 2 {
        let zones: Vec<_> = zones.into_iter().collect();
        return Err(Fault::new(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            format!(
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {}. \
                 Add subnets to cover at least 2 AZs.",
                zones.join(", ")
            ),
        ));
    }
    Ok((vpc, places))
}

/// "Must contain no more than 255 letters, numbers, periods, underscores, spaces, or hyphens. Must not be Default. First
/// character must be a letter." It is stored in lower case.
fn check_name(name: &str) -> Result<String, Fault> {
    if name.is_empty() {
        return Err(settings::blank("DBSubnetGroupName"));
    }
    let lower = name.to_ascii_lowercase();
    let right = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 255
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._ -".contains(c));
    if !right || lower == "default" {
        return Err(invalid(&format!(
            "The parameter DBSubnetGroupName is not a valid identifier: '{name}'. It must begin with a letter, have no \
             more than 255 letters, numbers, periods, underscores, spaces, or hyphens, and must not be default."
        )));
    }
    Ok(lower)
}

pub fn find(call: &Call<'_>, name: &str) -> Result<Option<SubnetGroup>, Fault> {
    call.store.get(KIND, &name_of(name, "subgrp"))
}

pub fn existing(call: &Call<'_>, name: &str) -> Result<SubnetGroup, Fault> {
    let missing = || {
        Fault::new(
            "DBSubnetGroupNotFoundFault",
            format!("DB subnet group '{name}' does not exist."),
        )
        .status(404)
    };
    find(call, name)?.ok_or_else(missing)
}

/// The subnet group that a call names. Without one RDS takes the default VPC, which the sandbox does not have.
pub fn chosen(call: &Call<'_>) -> Result<SubnetGroup, Fault> {
    match call.text("DBSubnetGroupName") {
        "" | "default" => Err(Fault::new(
            "InvalidSubnet",
            "No default subnet detected in VPC. Please contact AWS Support to recreate the default Subnets.",
        )),
        name => existing(call, name),
    }
}

fn save(call: &Call<'_>, group: &SubnetGroup) -> Result<(), Fault> {
    call.store.put(KIND, &group.name, &group.vpc, group)
}
