//! Network ACLs: the default one that every VPC comes with, to which its subnets belong, and those that are put in its
//! place to cut subnets off.
//!
//! Source: EC2 API reference, `CreateNetworkAcl`, `CreateNetworkAclEntry`, `ReplaceNetworkAclAssociation`; VPC user guide,
//! *Default network ACL for a VPC*: it allows all traffic in both directions, and the rule whose number is an asterisk
//! (32767 in the API) denies the rest; *Network ACL rules*: they are gone through by number, the first that matches
//! decides, and answers need rules of their own.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};
use super::{cidr, in_use, new_id, tags, vpc};

pub const KIND: &str = "ec2/network-acl";
const ASSOCIATION: &str = "ec2/network-acl-association";

/// The number of the last rule.
const LAST: i64 = 32_767;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct NetworkAcl {
    id: String,
    vpc: String,
    /// Not the one that came with the VPC.
    #[serde(default)]
    custom: bool,
    /// Without the last ones, which deny everything else.
    #[serde(default = "all_traffic")]
    entries: Vec<Entry>,
    /// The client token of the call that made it.
    #[serde(default)]
    token: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    number: i64,
    egress: bool,
    /// A number, or `-1` for all.
    protocol: String,
    allow: bool,
    block: Ipv4Net,
    /// First and last port of TCP and UDP.
    ports: Option<(i64, i64)>,
}

/// The entries of a default one.
fn all_traffic() -> Vec<Entry> {
    [true, false]
        .into_iter()
        .map(|egress| Entry {
            number: 100,
            egress,
            protocol: "-1".to_owned(),
            allow: true,
            block: Ipv4Net::default(),
            ports: None,
        })
        .collect()
}

impl Entry {
    fn shown(&self) -> Value {
        let mut shown = json!({
            "RuleNumber": self.number,
            "Egress": self.egress,
            "Protocol": self.protocol,
            "CidrBlock": self.block,
            "RuleAction": if self.allow { "allow" } else { "deny" },
        });
        if let Some((from, to)) = self.ports {
            shown["PortRange"] = json!({ "From": from, "To": to });
        }
        shown
    }
}

impl NetworkAcl {
    /// Whether TCP passes, to or from a peer. Of a range of ports all must.
    fn lets(&self, egress: bool, peer: Ipv4Addr, (from, to): (i64, i64)) -> bool {
        let about = |entry: &&Entry| {
            entry.egress == egress
                && matches!(entry.protocol.as_str(), "-1" | "6")
                && entry.block.contains(&peer)
                && entry.ports.is_none_or(|(first, last)| first <= to && from <= last)
        };
        let mut entries: Vec<&Entry> = self.entries.iter().filter(about).collect();
        entries.sort_by_key(|entry| entry.number);
        let whole = |entry: &&&Entry| entry.ports.is_none_or(|(first, last)| first <= from && to <= last);
        match entries.first() {
            Some(first) if !first.allow => false,
            _ => entries.iter().find(whole).is_some_and(|entry| entry.allow),
        }
    }
}

/// The ports from which clients call, and to which answers go: *Network ACL rules*, "Ephemeral ports".
const EPHEMERAL: (i64, i64) = (1024, 65_535);

/// Whether a subnet's ACL lets a call of TCP out to a port, and the answer in; or the other way round.
pub fn lets(call: &Call<'_>, subnet: &str, out: bool, peer: Ipv4Addr, port: i64) -> Result<bool, Fault> {
    let Some(association) = call.store.get::<Association>(ASSOCIATION, subnet)? else {
        return Ok(true);
    };
    let Some(acl) = call.store.get::<NetworkAcl>(KIND, &association.acl)? else {
        return Ok(true);
    };
    Ok(acl.lets(out, peer, (port, port)) && acl.lets(!out, peer, EPHEMERAL))
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
        custom: false,
        entries: all_traffic(),
        token: String::new(),
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
    keep(call, &association)
}

fn keep(call: &Call<'_>, association: &Association) -> Result<(), Fault> {
    call.store
        .entry(ASSOCIATION, &association.subnet)
        .parent(&association.acl)
        .links(std::slice::from_ref(&association.id))
        .put(association)
}

/// Whether a VPC has another one than that which came with it.
pub fn has_custom(call: &Call<'_>, vpc: &str) -> Result<bool, Fault> {
    let acls: Vec<NetworkAcl> = call.store.children(KIND, vpc)?;
    Ok(acls.iter().any(|acl| acl.custom))
}

fn get(call: &Call<'_>, id: &str) -> Result<NetworkAcl, Fault> {
    call.store.get(KIND, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidNetworkAclID.NotFound",
            format!("The networkAcl ID '{id}' does not exist"),
        )
    })
}

fn save(call: &Call<'_>, acl: &NetworkAcl) -> Result<(), Fault> {
    call.store.put(KIND, &acl.id, &acl.vpc, acl)
}

/// It denies everything until it has entries.
pub fn create(call: &Call<'_>) -> Answer {
    let vpc = vpc::get(call, call.text("VpcId"))?;
    let token = call.text("ClientToken");
    let acls: Vec<NetworkAcl> = call.store.children(KIND, &vpc.vpc_id)?;
    let earlier = acls.into_iter().find(|acl| !token.is_empty() && acl.token == token);
    let acl = match earlier {
        // A retry of the call whose answer was lost.
        Some(acl) => acl,
        None => {
            let acl = NetworkAcl {
                id: new_id("acl"),
                vpc: vpc.vpc_id,
                custom: true,
                entries: Vec::new(),
                token: token.to_owned(),
            };
            tags::on_create(call, "network-acl", &acl.id)?;
            save(call, &acl)?;
            acl
        }
    };
    Ok(json!({ "NetworkAcl": shown(call, &acl)?, "ClientToken": token }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let acl = get(call, call.text("NetworkAclId"))?;
    if !acl.custom {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("cannot delete default network ACL {}", acl.id),
        ));
    }
    if !call.store.children::<Association>(ASSOCIATION, &acl.id)?.is_empty() {
        return Err(in_use("networkAcl", &acl.id));
    }
    tags::clear(call, "network-acl", &acl.id)?;
    call.store.delete(KIND, &acl.id)?;
    Ok(json!({}))
}

pub fn create_entry(call: &Call<'_>) -> Answer {
    let mut acl = get(call, call.text("NetworkAclId"))?;
    let (number, egress) = (call.int("RuleNumber").unwrap_or_default(), call.flag("Egress"));
    if !(1..LAST).contains(&number) {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("Value ({number}) for parameter ruleNumber is invalid. It must be between 1 and 32766."),
        ));
    }
    if acl
        .entries
        .iter()
        .any(|entry| (entry.number, entry.egress) == (number, egress))
    {
        return Err(Fault::new(
            "NetworkAclEntryAlreadyExists",
            format!("The network acl entry identified by {number} already exists."),
        ));
    }
    if call.text("CidrBlock").is_empty() {
        return Err(Fault::new(
            "MissingParameter",
            "The request must contain the parameter cidrBlock or ipv6CidrBlock",
        ));
    }
    let protocol = match call.text("Protocol").to_ascii_lowercase().as_str() {
        "all" => "-1".to_owned(),
        "tcp" => "6".to_owned(),
        "udp" => "17".to_owned(),
        "icmp" => "1".to_owned(),
        other => other.to_owned(),
    };
    if protocol.parse::<i16>().is_err() {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!("Invalid value '{protocol}' for IP protocol. Unknown protocol."),
        ));
    }
    let range = call.input.get("PortRange").cloned().unwrap_or_default();
    let ports = match (range["From"].as_i64(), range["To"].as_i64()) {
        (Some(from), Some(to)) if matches!(protocol.as_str(), "6" | "17") => Some((from, to)),
        (None, None) if matches!(protocol.as_str(), "6" | "17") => {
            return Err(Fault::new(
                "MissingParameter",
                "The request must contain the parameter portRange",
            ));
        }
        _ => None,
    };
    acl.entries.push(Entry {
        number,
        egress,
        protocol,
        allow: call.text("RuleAction") == "allow",
        block: cidr(call.text("CidrBlock"), "cidrBlock")?,
        ports,
    });
    save(call, &acl)?;
    Ok(json!({}))
}

pub fn delete_entry(call: &Call<'_>) -> Answer {
    let mut acl = get(call, call.text("NetworkAclId"))?;
    let (number, egress) = (call.int("RuleNumber").unwrap_or_default(), call.flag("Egress"));
    let before = acl.entries.len();
    acl.entries
        .retain(|entry| (entry.number, entry.egress) != (number, egress));
    if acl.entries.len() == before {
        return Err(Fault::new(
            "InvalidNetworkAclEntry.NotFound",
            format!("The network acl entry identified by {number} does not exist"),
        ));
    }
    save(call, &acl)?;
    Ok(json!({}))
}

/// A subnet goes over to another ACL of its VPC.
pub fn replace_association(call: &Call<'_>) -> Answer {
    let id = call.text("AssociationId");
    let found: Vec<Association> = call.store.linked(ASSOCIATION, id)?;
    let Some(mut association) = found.into_iter().next() else {
        return Err(Fault::new(
            "InvalidAssociationID.NotFound",
            format!("The association ID '{id}' does not exist"),
        ));
    };
    let (from, to) = (get(call, &association.acl)?, get(call, call.text("NetworkAclId"))?);
    if from.vpc != to.vpc {
        return Err(Fault::new(
            "InvalidParameterValue",
            format!(
                "network acl {} and subnet {} belong to different networks",
                to.id, association.subnet
            ),
        ));
    }
    association.acl = to.id;
    association.id = new_id("aclassoc");
    keep(call, &association)?;
    Ok(json!({ "NewAssociationId": association.id }))
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
    let mut entries = acl.entries.clone();
    // The last ones deny the rest.
    entries.extend(all_traffic().into_iter().map(|entry| Entry {
        number: LAST,
        allow: false,
        ..entry
    }));
    entries.sort_by_key(|entry| (!entry.egress, entry.number));
    let entries: Vec<Value> = entries.iter().map(Entry::shown).collect();
    Ok(json!({
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc,
        "OwnerId": call.account,
        "IsDefault": !acl.custom,
        "Associations": associations,
        "Entries": entries,
        "Tags": tags::shown(call, "network-acl", &acl.id)?,
    }))
}
