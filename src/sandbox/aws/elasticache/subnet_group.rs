//! Cache subnet groups.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::ec2::subnet;
use super::super::{interfaces, tags};
use super::{check_name, paged, paged_of, replication_group, wanted_tags};

const KIND: &str = "elasticache/subnet-group";

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
        &[
            "CacheSubnetGroupName",
            "CacheSubnetGroupDescription",
            "SubnetIds",
            "Tags",
        ],
    )?;
    let name = check_name("CacheSubnetGroupName", call.text("CacheSubnetGroupName"), 255)?;
    if find(call, &name)?.is_some() {
        return Err(Fault::new(
            "CacheSubnetGroupAlreadyExists",
            format!("Cache subnet group {name} already exists."),
        ));
    }
    let wanted = wanted_tags(call)?;
    let (vpc, subnets) = places(call)?;
    let group = SubnetGroup {
        name,
        description: call.text("CacheSubnetGroupDescription").to_owned(),
        vpc,
        subnets,
    };
    save(call, &group)?;
    tags::put(call, &group.arn(call), &wanted)?;
    answer(json!({ "CacheSubnetGroup": group.view(call) }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let name = call.text("CacheSubnetGroupName");
    if name.is_empty() {
        return paged_of(call, "CacheSubnetGroups", KIND, |group: &SubnetGroup| group.view(call));
    }
    let group = existing(call, name)?;
    paged(call, "CacheSubnetGroups", vec![(group.name.clone(), group.view(call))])
}

pub fn modify(call: &Call<'_>) -> Answer {
    let mut group = existing(call, call.text("CacheSubnetGroupName"))?;
    if call.input.contains_key("CacheSubnetGroupDescription") {
        group.description = call.text("CacheSubnetGroupDescription").to_owned();
    }
    if !call.list("SubnetIds").is_empty() {
        let (vpc, subnets) = places(call)?;
        if vpc != group.vpc {
            return Err(Fault::new(
                "InvalidSubnet",
                "The subnets are not in the VPC of the subnet group.",
            ));
        }
        for (gone, _) in group.subnets.iter().filter(|old| !subnets.contains(old)) {
            let used = interfaces::in_subnet(call, gone)?
                .iter()
                .any(|interface| interface.owner.contains(":elasticache:"));
            if used {
                return Err(Fault::new("SubnetInUse", format!("The subnet ID {gone} is in use.")));
            }
        }
        group.subnets = subnets;
    }
    save(call, &group)?;
    answer(json!({ "CacheSubnetGroup": group.view(call) }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let group = existing(call, call.text("CacheSubnetGroupName"))?;
    if let Some(user) = replication_group::in_subnets(call, &group.name)? {
        return Err(Fault::new(
            "CacheSubnetGroupInUse",
            format!(
                "Cache subnet group {} is currently in use by a cache cluster. (It is {}.)",
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
        call.arn("elasticache", &format!("subnetgroup:{}", self.name))
    }

    fn view(&self, call: &Call<'_>) -> Value {
        let subnets: Vec<_> = self
            .subnets
            .iter()
            .map(|(id, zone)| {
                json!({
                    "SubnetIdentifier": id,
                    "SubnetAvailabilityZone": { "Name": zone },
                    "SupportedNetworkTypes": ["ipv4"],
                })
            })
            .collect();
        json!({
            "CacheSubnetGroupName": self.name,
            "CacheSubnetGroupDescription": self.description,
            "VpcId": self.vpc,
            "Subnets": subnets,
            "ARN": self.arn(call),
            "SupportedNetworkTypes": ["ipv4"],
        })
    }
}

fn places(call: &Call<'_>) -> Result<(String, Vec<(String, String)>), Fault> {
    let mut vpc = String::new();
    let mut places = Vec::new();
    for id in call.texts("SubnetIds") {
        let wrong = |_| Fault::new("InvalidSubnet", format!("Some input subnets :[{id}] are invalid."));
        let subnet = subnet::get(call, &id).map_err(wrong)?;
        if !vpc.is_empty() && vpc != subnet.vpc_id {
            return Err(Fault::new("InvalidSubnet", "The subnets are not in the same VPC."));
        }
        vpc = subnet.vpc_id;
        places.push((id, subnet.availability_zone));
    }
    if places.is_empty() {
        return Err(Fault::new("InvalidSubnet", "A subnet group needs at least one subnet."));
    }
    Ok((vpc, places))
}

fn find(call: &Call<'_>, name: &str) -> Result<Option<SubnetGroup>, Fault> {
    call.store.get(KIND, &name.to_ascii_lowercase())
}

pub fn existing(call: &Call<'_>, name: &str) -> Result<SubnetGroup, Fault> {
    let missing = || {
        Fault::new(
            "CacheSubnetGroupNotFoundFault",
            format!("Cache Subnet Group {name} does not exist."),
        )
    };
    find(call, name)?.ok_or_else(missing)
}

fn save(call: &Call<'_>, group: &SubnetGroup) -> Result<(), Fault> {
    call.store.put(KIND, &group.name, &group.vpc, group)
}
