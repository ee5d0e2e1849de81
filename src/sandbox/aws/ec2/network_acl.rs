//! Network ACLs: the default one that every VPC comes with, to which its subnets belong.
//!
//! Source: EC2 API reference, `DescribeNetworkAcls`; VPC user guide, *Default network ACL for a VPC*: it allows all
//! traffic in both directions, and the rule whose number is an asterisk (32767 in the API) denies the rest.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};
use super::{new_id, tags};

pub const KIND: &str = "ec2/network-acl";
const ASSOCIATION: &str = "ec2/network-acl-association";

/// The number of the last rule.
const LAST: i64 = 32_767;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct NetworkAcl {
    id: String,
    vpc: String,
}

/// Kept under the subnet's id: each has one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Association {
    id: String,
    acl: String,
    subnet: String,
}

/// Makes the one that a new VPC comes with.
pub fn create_default(call: &Call<'_>, vpc: &str) -> Result<(), Fault> {
    let acl = NetworkAcl {
        id: new_id("acl"),
        vpc: vpc.to_owned(),
    };
    call.store.put(KIND, &acl.id, vpc, &acl)
}

/// Deletes what belongs to a VPC.
pub fn forget(call: &Call<'_>, vpc: &str) -> Result<(), Fault> {
    for acl in call.store.children::<NetworkAcl>(KIND, vpc)? {
        tags::clear(call, "network-acl", &acl.id)?;
        call.store.delete(KIND, &acl.id)?;
    }
    Ok(())
}

/// A new subnet belongs to its VPC's default one.
pub fn associate(call: &Call<'_>, vpc: &str, subnet: &str) -> Result<(), Fault> {
    let Some(acl) = call.store.children::<NetworkAcl>(KIND, vpc)?.into_iter().next() else {
        return Ok(());
    };
    let association = Association {
        id: new_id("aclassoc"),
        acl: acl.id,
        subnet: subnet.to_owned(),
    };
    call.store.put(ASSOCIATION, subnet, &association.acl, &association)
}

pub fn disassociate(call: &Call<'_>, subnet: &str) -> Result<(), Fault> {
    call.store.delete(ASSOCIATION, subnet).map(|_| ())
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "VpcId", &LISTING, |acl| shown(call, acl).map(Some))
}

const LISTING: Listing = Listing {
    answer: "NetworkAcls",
    ids: "NetworkAclIds",
    id: "NetworkAclId",
    missing: ("InvalidNetworkAclID.NotFound", "The networkAcl ID '{}' does not exist"),
    filters: &[
        ("association.association-id", "Associations.NetworkAclAssociationId"),
        ("association.network-acl-id", "Associations.NetworkAclId"),
        ("association.subnet-id", "Associations.SubnetId"),
        ("default", "IsDefault"),
        ("entry.cidr", "Entries.CidrBlock"),
        ("entry.egress", "Entries.Egress"),
        ("entry.protocol", "Entries.Protocol"),
        ("entry.rule-action", "Entries.RuleAction"),
        ("entry.rule-number", "Entries.RuleNumber"),
        ("network-acl-id", "NetworkAclId"),
        ("owner-id", "OwnerId"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, acl: &NetworkAcl) -> Answer {
    let associations: Vec<Association> = call.store.children(ASSOCIATION, &acl.id)?;
    let associations: Vec<Value> = associations
        .iter()
        .map(|association| {
            json!({
                "NetworkAclAssociationId": association.id,
                "NetworkAclId": association.acl,
                "SubnetId": association.subnet,
            })
        })
        .collect();
    let entry = |number: i64, egress: bool| {
        json!({
            "RuleNumber": number,
            "Egress": egress,
            "Protocol": "-1",
            "CidrBlock": "0.0.0.0/0",
            "RuleAction": if number == LAST { "deny" } else { "allow" },
        })
    };
    Ok(json!({
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc,
        "OwnerId": call.account,
        "IsDefault": true,
        "Associations": associations,
        "Entries": [entry(100, true), entry(LAST, true), entry(100, false), entry(LAST, false)],
        "Tags": tags::shown(call, "network-acl", &acl.id)?,
    }))
}
