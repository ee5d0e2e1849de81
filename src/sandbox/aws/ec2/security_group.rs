//! Security groups; their rules are in [`super::rule`].
//!
//! Source: EC2 API reference, `CreateSecurityGroup`, `DeleteSecurityGroup`, `DescribeSecurityGroups`; VPC user guide,
//! "Default security groups".

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::super::interfaces;
use super::filters::{self, Listing};
use super::rule::{self, Rule, Source};
use super::{arn, new_id, tags, vpc};

pub const KIND: &str = "ec2/security-group";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Group {
    pub group_id: String,
    pub group_name: String,
    pub description: String,
    pub vpc_id: String,
}

/// The group, or `InvalidGroup.NotFound`.
pub fn get(call: &Call<'_>, id: &str) -> Result<Group, Fault> {
    call.store.get(KIND, id)?.ok_or_else(|| {
        Fault::new(
            "InvalidGroup.NotFound",
            format!("The security group '{id}' does not exist"),
        )
    })
}

/// The groups of one VPC.
pub fn of_vpc(call: &Call<'_>, vpc: &str) -> Result<Vec<Group>, Fault> {
    call.store.children(KIND, vpc)
}

/// The group that came with the VPC.
pub fn default_of(call: &Call<'_>, vpc: &str) -> Result<Option<Group>, Fault> {
    named(call, vpc, "default")
}

/// The group of that name in a VPC.
fn named(call: &Call<'_>, vpc: &str, name: &str) -> Result<Option<Group>, Fault> {
    let found: Vec<Group> = call.store.linked(KIND, &format!("{vpc}/{name}"))?;
    Ok(found.into_iter().next())
}

fn keep(call: &Call<'_>, group: &Group) -> Result<(), Fault> {
    let links = [format!("{}/{}", group.vpc_id, group.group_name)];
    call.store
        .entry(KIND, &group.group_id)
        .parent(&group.vpc_id)
        .links(&links)
        .put(group)
}

/// Makes the default group of a new VPC: everything from itself, everything to anywhere.
pub fn create_default(call: &Call<'_>, vpc: &str) -> Result<(), Fault> {
    let group = Group {
        group_id: new_id("sg"),
        group_name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        vpc_id: vpc.to_owned(),
    };
    keep(call, &group)?;
    rule::keep(
        call,
        &Rule::everything(&group.group_id, false, Source::Group(group.group_id.clone())),
    )?;
    rule::keep(call, &Rule::everything(&group.group_id, true, Source::anywhere()))
}

pub fn create(call: &Call<'_>) -> Answer {
    let name = call.text("GroupName");
    let allowed = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c))
    };
    if name.is_empty() || name.len() > 255 || !allowed(name) {
        return Err(invalid(format!(
            "Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
        )));
    }
    if name.starts_with("sg-") {
        return Err(invalid("Group names may not be in the format sg-*."));
    }
    if name.eq_ignore_ascii_case("default") {
        return Err(Fault::new(
            "InvalidParameterValue",
            "Cannot use reserved security group name: default",
        ));
    }
    let description = call.text("Description");
    if description.is_empty() || description.len() > 255 || !allowed(description) {
        return Err(invalid(format!(
            "Value ({description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not \
             supported."
        )));
    }
    if call.text("VpcId").is_empty() {
        return Err(Fault::new("VPCIdNotSpecified", "No default VPC for this user"));
    }
    let vpc = vpc::get(call, call.text("VpcId"))?;
    if named(call, &vpc.vpc_id, name)?.is_some() {
        return Err(Fault::new(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{}'", vpc.vpc_id),
        ));
    }
    let group = Group {
        group_id: new_id("sg"),
        group_name: name.to_owned(),
        description: description.to_owned(),
        vpc_id: vpc.vpc_id,
    };
    tags::on_create(call, "security-group", &group.group_id)?;
    keep(call, &group)?;
    rule::keep(call, &Rule::everything(&group.group_id, true, Source::anywhere()))?;
    Ok(json!({
        "GroupId": group.group_id,
        "SecurityGroupArn": arn(call, "security-group", &group.group_id),
        "Tags": tags::shown(call, "security-group", &group.group_id)?,
    }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    if call.text("GroupId").is_empty() {
        return Err(match call.text("GroupName") {
            "" => Fault::new(
                "MissingParameter",
                "The request must contain the parameter groupName or groupId",
            ),
            _ => Fault::new(
                "InvalidParameterValue",
                "A group outside the default VPC is named by its id.",
            ),
        });
    }
    let group = get(call, call.text("GroupId"))?;
    if group.group_name == "default" {
        return Err(Fault::new(
            "CannotDelete",
            format!(
                "the specified group: \"{}\" name: \"default\" cannot be deleted by a user",
                group.group_id
            ),
        ));
    }
    let attached = !interfaces::in_group(call, &group.group_id)?.is_empty();
    if attached || rule::refer_to(call, &group.group_id)? {
        return Err(Fault::new(
            "DependencyViolation",
            format!("resource {} has a dependent object", group.group_id),
        ));
    }
    forget(call, &group)?;
    Ok(json!({ "Return": true, "GroupId": group.group_id }))
}

/// Deletes a group with its rules and tags, whatever depends on it.
pub fn forget(call: &Call<'_>, group: &Group) -> Result<(), Fault> {
    for rule in rule::of_group(call, &group.group_id)? {
        rule::forget(call, &rule)?;
    }
    call.store.delete(KIND, &group.group_id)?;
    tags::clear(call, "security-group", &group.group_id)
}

pub fn describe(call: &Call<'_>) -> Answer {
    let names = call.texts("GroupNames");
    if !names.is_empty() {
        let groups: Vec<Group> = call.store.all(KIND)?;
        if let Some(missing) = names
            .iter()
            .find(|name| !groups.iter().any(|group| group.group_name == **name))
        {
            return Err(Fault::new(
                "InvalidGroup.NotFound",
                format!("The security group '{missing}' does not exist"),
            ));
        }
    }
    filters::kept(call, KIND, "VpcId", &LISTING, |group: &Group| {
        let asked = names.is_empty() || names.contains(&group.group_name);
        asked.then(|| shown(call, group)).transpose()
    })
}

const LISTING: Listing = Listing {
    answer: "SecurityGroups",
    ids: "GroupIds",
    id: "GroupId",
    missing: ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    filters: &[
        ("description", "Description"),
        ("egress.ip-permission.cidr", "IpPermissionsEgress.IpRanges.CidrIp"),
        ("egress.ip-permission.from-port", "IpPermissionsEgress.FromPort"),
        (
            "egress.ip-permission.group-id",
            "IpPermissionsEgress.UserIdGroupPairs.GroupId",
        ),
        ("egress.ip-permission.protocol", "IpPermissionsEgress.IpProtocol"),
        ("egress.ip-permission.to-port", "IpPermissionsEgress.ToPort"),
        ("group-id", "GroupId"),
        ("group-name", "GroupName"),
        ("ip-permission.cidr", "IpPermissions.IpRanges.CidrIp"),
        ("ip-permission.from-port", "IpPermissions.FromPort"),
        ("ip-permission.group-id", "IpPermissions.UserIdGroupPairs.GroupId"),
        ("ip-permission.ipv6-cidr", "IpPermissions.Ipv6Ranges.CidrIpv6"),
        ("ip-permission.protocol", "IpPermissions.IpProtocol"),
        ("ip-permission.to-port", "IpPermissions.ToPort"),
        ("owner-id", "OwnerId"),
        ("vpc-id", "VpcId"),
    ],
};

fn shown(call: &Call<'_>, group: &Group) -> Result<Value, Fault> {
    let rules = rule::of_group(call, &group.group_id)?;
    Ok(json!({
        "GroupId": group.group_id,
        "GroupName": group.group_name,
        "Description": group.description,
        "VpcId": group.vpc_id,
        "OwnerId": call.account,
        "SecurityGroupArn": arn(call, "security-group", &group.group_id),
        "IpPermissions": rule::permissions(call, rules.iter().filter(|rule| !rule.egress)),
        "IpPermissionsEgress": rule::permissions(call, rules.iter().filter(|rule| rule.egress)),
        "Tags": tags::shown(call, "security-group", &group.group_id)?,
    }))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}
