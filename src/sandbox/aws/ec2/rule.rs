//! The rules of security groups.
//!
//! Source: EC2 API reference, `AuthorizeSecurityGroupIngress`, `RevokeSecurityGroupIngress`, `SecurityGroupRule`; VPC
//! user guide, "Security group rules" and "Amazon VPC quotas" (60 rules in each direction).

use indexmap::IndexMap;
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::filters::{self, Listing};
use super::security_group::{self, Group};
use super::{arn, cidr, new_id, tags};

pub const KIND: &str = "ec2/security-group-rule";

/// The parameters of the calls that add rules.
pub const AUTHORIZE: &[&str] = &[
    "GroupId",
    "IpPermissions",
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
    "TagSpecifications",
];
/// The parameters of the calls that take rules away.
pub const REVOKE: &[&str] = &[
    "GroupId",
    "IpPermissions",
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
    "SecurityGroupRuleIds",
];

/// Rules of one group in one direction at most.
const MOST: usize = 60;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub group: String,
    pub egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub protocol: String,
    /// For ICMP the type; -1 for all.
    pub from: i64,
    /// For ICMP the code; -1 for all.
    pub to: i64,
    pub source: Source,
    pub description: Option<String>,
}

/// Where traffic comes from, or goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    V4(Ipv4Net),
    V6(Ipv6Net),
    Group(String),
}

impl Source {
    /// 0.0.0.0/0
    pub fn anywhere() -> Self {
        Self::V4(Ipv4Net::default())
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V4(block) => block.fmt(f),
            Self::V6(block) => block.fmt(f),
            Self::Group(id) => f.write_str(id),
        }
    }
}

impl Rule {
    /// Every protocol and port.
    pub fn everything(group: &str, egress: bool, source: Source) -> Self {
        Self {
            id: new_id("sgr"),
            group: group.to_owned(),
            egress,
            protocol: "-1".to_owned(),
            from: -1,
            to: -1,
            source,
            description: None,
        }
    }

    /// Whether both allow the same; descriptions do not count.
    fn same(&self, other: &Rule) -> bool {
        (self.egress, &self.protocol, self.from, self.to, &self.source)
            == (other.egress, &other.protocol, other.from, other.to, &other.source)
    }
}

/// The rules of one group, in the order in which they were made.
pub fn of_group(call: &Call<'_>, group: &str) -> Result<Vec<Rule>, Fault> {
    call.store.children(KIND, group)
}

/// Whether a rule of another group names this one.
pub fn refer_to(call: &Call<'_>, group: &str) -> Result<bool, Fault> {
    let rules: Vec<Rule> = call.store.linked(KIND, group)?;
    Ok(rules.iter().any(|rule| rule.group != group))
}

pub fn keep(call: &Call<'_>, rule: &Rule) -> Result<(), Fault> {
    let links: Vec<String> = match &rule.source {
        Source::Group(id) => vec![id.clone()],
        Source::V4(_) | Source::V6(_) => Vec::new(),
    };
    call.store
        .entry(KIND, &rule.id)
        .parent(&rule.group)
        .links(&links)
        .put(rule)
}

pub fn forget(call: &Call<'_>, rule: &Rule) -> Result<(), Fault> {
    call.store.delete(KIND, &rule.id)?;
    tags::clear(call, "security-group-rule", &rule.id)
}

pub fn authorize_ingress(call: &Call<'_>) -> Answer {
    authorize(call, false)
}

pub fn authorize_egress(call: &Call<'_>) -> Answer {
    authorize(call, true)
}

pub fn revoke_ingress(call: &Call<'_>) -> Answer {
    revoke(call, false)
}

pub fn revoke_egress(call: &Call<'_>) -> Answer {
    revoke(call, true)
}

pub fn update_descriptions_ingress(call: &Call<'_>) -> Answer {
    update_descriptions(call, false)
}

pub fn update_descriptions_egress(call: &Call<'_>) -> Answer {
    update_descriptions(call, true)
}

fn authorize(call: &Call<'_>, egress: bool) -> Answer {
    let group = group(call)?;
    let added = given(call, &group, egress)?;
    let mut all = of_group(call, &group.group_id)?;
    for rule in &added {
        if all.iter().any(|other| other.same(rule)) {
            return Err(Fault::new(
                "InvalidPermission.Duplicate",
                format!("the specified rule \"{}\" already exists", in_words(rule)),
            ));
        }
        all.push(rule.clone());
    }
    if all.iter().filter(|rule| rule.egress == egress).count() > MOST {
        return Err(Fault::new(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        ));
    }
    let mut shown = Vec::new();
    for rule in &added {
        keep(call, rule)?;
        tags::on_create(call, "security-group-rule", &rule.id)?;
        shown.push(self::shown(call, rule)?);
    }
    Ok(json!({ "Return": true, "SecurityGroupRules": shown }))
}

fn revoke(call: &Call<'_>, egress: bool) -> Answer {
    let group = group(call)?;
    let all = of_group(call, &group.group_id)?;
    let ids = call.texts("SecurityGroupRuleIds");
    let mut revoked = Vec::new();
    for id in &ids {
        let rule = all
            .iter()
            .find(|rule| rule.id == *id && rule.egress == egress)
            .ok_or_else(|| {
                Fault::new(
                    "InvalidSecurityGroupRuleId.NotFound",
                    format!("The security group rule ID '{id}' does not exist"),
                )
            })?;
        revoked.push(rule);
    }
    if ids.is_empty() {
        for wanted in given(call, &group, egress)? {
            let rule = all.iter().find(|rule| rule.same(&wanted)).ok_or_else(|| {
                Fault::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                )
            })?;
            revoked.push(rule);
        }
    }
    for rule in &revoked {
        forget(call, rule)?;
    }
    let shown: Vec<Value> = revoked
        .iter()
        .map(|rule| {
            let mut shown = core(rule);
            shown["SecurityGroupRuleId"] = Value::String(rule.id.clone());
            shown["GroupId"] = Value::String(rule.group.clone());
            if let Source::Group(id) = &rule.source {
                shown["ReferencedGroupId"] = Value::String(id.clone());
            }
            shown
        })
        .collect();
    Ok(json!({ "Return": true, "RevokedSecurityGroupRules": shown }))
}

fn update_descriptions(call: &Call<'_>, egress: bool) -> Answer {
    let group = group(call)?;
    let all = of_group(call, &group.group_id)?;
    for wanted in given(call, &group, egress)? {
        let mut rule = all.iter().find(|rule| rule.same(&wanted)).cloned().ok_or_else(|| {
            Fault::new(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            )
        })?;
        rule.description = wanted.description;
        keep(call, &rule)?;
    }
    Ok(json!({ "Return": true }))
}

fn group(call: &Call<'_>) -> Result<Group, Fault> {
    match call.text("GroupId") {
        "" => Err(Fault::new(
            "MissingParameter",
            "The request must contain the parameter groupName or groupId",
        )),
        id => security_group::get(call, id),
    }
}

/// The rules that a request gives, each with one source, under new ids.
fn given(call: &Call<'_>, group: &Group, egress: bool) -> Result<Vec<Rule>, Fault> {
    let mut permissions = call.list("IpPermissions").to_vec();
    if permissions.is_empty() {
        if call.text("IpProtocol").is_empty() {
            return Err(Fault::new(
                "MissingParameter",
                "The request must contain the parameter ipPermissions",
            ));
        }
        // The short form: one rule in the request's own members.
        let ranges = json!([{ "CidrIp": call.text("CidrIp") }]);
        permissions.push(
            json!({ "IpProtocol": call.text("IpProtocol"), "FromPort": call.input.get("FromPort"),
            "ToPort": call.input.get("ToPort"), "IpRanges": ranges }),
        );
    }
    let mut rules = Vec::new();
    for permission in &permissions {
        let (protocol, from, to) = ports(permission)?;
        let sources = sources(call, group, permission)?;
        if sources.is_empty() {
            return Err(Fault::new(
                "InvalidParameterValue",
                "Either an IPv4 or IPv6 range or a security group must be given for each permission.",
            ));
        }
        for (source, description) in sources {
            let (id, group) = (new_id("sgr"), group.group_id.clone());
            rules.push(Rule {
                id,
                group,
                egress,
                protocol: protocol.clone(),
                from,
                to,
                source,
                description,
            });
        }
    }
    Ok(rules)
}

fn ports(permission: &Value) -> Result<(String, i64, i64), Fault> {
    let text = permission.get("IpProtocol").and_then(Value::as_str).unwrap_or_default();
    let protocol = match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(("-1".to_owned(), -1, -1)),
        "6" | "tcp" => "tcp",
        "17" | "udp" => "udp",
        "1" | "icmp" => "icmp",
        "58" | "icmpv6" => "icmpv6",
        other if other.parse::<u8>().is_ok() => return Ok((other.to_owned(), -1, -1)),
        _ => {
            return Err(Fault::new(
                "InvalidParameterValue",
                format!("Invalid value '{text}' for IP protocol. Unknown protocol."),
            ));
        }
    };
    let port = |member: &str| permission.get(member).and_then(Value::as_i64);
    let (from, to) = (port("FromPort"), port("ToPort"));
    if protocol.starts_with("icmp") {
        return Ok((protocol.to_owned(), from.unwrap_or(-1), to.unwrap_or(-1)));
    }
    match (from, to) {
        (Some(from), Some(to)) if from > to => Err(Fault::new(
            "InvalidParameterValue",
            format!("Invalid TCP/UDP port range ({from}:{to}). The first port must not be greater than the last."),
        )),
        (Some(from), Some(to)) if (0..=65535).contains(&from) && (0..=65535).contains(&to) => {
            Ok((protocol.to_owned(), from, to))
        }
        (Some(from), Some(to)) => Err(Fault::new(
            "InvalidParameterValue",
            format!("TCP/UDP port ({from}:{to}) out of range"),
        )),
        _ => Err(Fault::new(
            "InvalidParameterValue",
            format!(
                "Invalid value 'Must specify both from and to ports with {}.' for portRange.",
                protocol
            ),
        )),
    }
}

fn sources(call: &Call<'_>, group: &Group, permission: &Value) -> Result<Vec<(Source, Option<String>)>, Fault> {
    let list = |member: &str| {
        permission
            .get(member)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let text = |item: &Value, member: &str| item.get(member).and_then(Value::as_str).map(str::to_owned);
    if !list("PrefixListIds").is_empty() {
        return Err(Fault::new(
            "UnsupportedOperation",
            format!("not in the sandbox: prefix lists (ec2:{})", call.operation),
        ));
    }
    let mut sources = Vec::new();
    for range in list("IpRanges") {
        let block = cidr(&text(&range, "CidrIp").unwrap_or_default(), "cidrIp")
            .map_err(|_| bad_block(&text(&range, "CidrIp").unwrap_or_default()))?;
        sources.push((Source::V4(block), text(&range, "Description")));
    }
    for range in list("Ipv6Ranges") {
        let given = text(&range, "CidrIpv6").unwrap_or_default();
        let block = given.parse::<Ipv6Net>().map_err(|_| bad_block(&given))?;
        sources.push((Source::V6(block.trunc()), text(&range, "Description")));
    }
    for pair in list("UserIdGroupPairs") {
        let Some(id) = text(&pair, "GroupId") else {
            return Err(Fault::new(
                "InvalidParameterValue",
                "A group outside the default VPC is named by its id (GroupId).",
            ));
        };
        let other = security_group::get(call, &id)?;
        if other.vpc_id != group.vpc_id {
            return Err(Fault::new(
                "InvalidGroup.NotFound",
                "You have specified two resources that belong to different networks.",
            ));
        }
        sources.push((Source::Group(id), text(&pair, "Description")));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    for description in sources.iter().filter_map(|(_, description)| description.as_deref()) {
        if description.len() > 255 || !description.chars().all(allowed) {
            return Err(Fault::new(
                "InvalidParameterValue",
                "Invalid rule description. Valid descriptions are strings less than 256 characters from the following \
                 set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
            ));
        }
    }
    Ok(sources)
}

fn bad_block(text: &str) -> Fault {
    Fault::new("InvalidParameterValue", format!("CIDR block {text} is malformed"))
}

/// `peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW`
fn in_words(rule: &Rule) -> String {
    let what = match rule.protocol.as_str() {
        "-1" => "ALL".to_owned(),
        protocol => {
            format!(
                "{}, from port: {}, to port: {}",
                protocol.to_ascii_uppercase(),
                rule.from,
                rule.to
            )
        }
    };
    format!("peer: {}, {what}, ALLOW", rule.source)
}

pub fn describe(call: &Call<'_>) -> Answer {
    filters::kept(call, KIND, "GroupId", &LISTING, |rule| shown(call, rule).map(Some))
}

const LISTING: Listing = Listing {
    answer: "SecurityGroupRules",
    ids: "SecurityGroupRuleIds",
    id: "SecurityGroupRuleId",
    missing: (
        "InvalidSecurityGroupRuleId.NotFound",
        "The security group rule ID '{}' does not exist",
    ),
    filters: &[
        ("group-id", "GroupId"),
        ("security-group-rule-id", "SecurityGroupRuleId"),
    ],
};

/// What all forms of a rule show.
fn core(rule: &Rule) -> Value {
    let mut shown = json!({
        "IsEgress": rule.egress,
        "IpProtocol": rule.protocol,
        "FromPort": rule.from,
        "ToPort": rule.to,
    });
    match &rule.source {
        Source::V4(block) => shown["CidrIpv4"] = json!(block),
        Source::V6(block) => shown["CidrIpv6"] = json!(block),
        Source::Group(_) => {}
    }
    if let Some(description) = &rule.description {
        shown["Description"] = Value::String(description.clone());
    }
    shown
}

fn shown(call: &Call<'_>, rule: &Rule) -> Answer {
    let mut shown = core(rule);
    shown["SecurityGroupRuleId"] = Value::String(rule.id.clone());
    shown["SecurityGroupRuleArn"] = Value::String(arn(call, "security-group-rule", &rule.id));
    shown["GroupId"] = Value::String(rule.group.clone());
    shown["GroupOwnerId"] = Value::String(call.account.to_owned());
    if let Source::Group(id) = &rule.source {
        shown["ReferencedGroupInfo"] = json!({ "GroupId": id, "UserId": call.account });
    }
    shown["Tags"] = tags::shown(call, "security-group-rule", &rule.id)?;
    Ok(shown)
}

/// The rules as DescribeSecurityGroups shows them: one permission for each protocol and range of ports.
pub fn permissions<'a>(call: &Call<'_>, rules: impl Iterator<Item = &'a Rule>) -> Value {
    let mut permissions: IndexMap<(&str, i64, i64), Vec<&Rule>> = IndexMap::new();
    for rule in rules {
        permissions
            .entry((&rule.protocol, rule.from, rule.to))
            .or_default()
            .push(rule);
    }
    permissions
        .into_iter()
        .map(|(ports, rules)| permission(call, ports, &rules))
        .collect()
}

fn permission(call: &Call<'_>, (protocol, from, to): (&str, i64, i64), rules: &[&Rule]) -> Value {
    let with = |rule: &Rule, mut shown: Value| {
        if let Some(description) = &rule.description {
            shown["Description"] = Value::String(description.clone());
        }
        shown
    };
    let (mut v4, mut v6, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for rule in rules {
        match &rule.source {
            Source::V4(block) => v4.push(with(rule, json!({ "CidrIp": block }))),
            Source::V6(block) => v6.push(with(rule, json!({ "CidrIpv6": block }))),
            Source::Group(id) => groups.push(with(rule, json!({ "GroupId": id, "UserId": call.account }))),
        }
    }
    let mut shown = json!({ "IpProtocol": protocol, "IpRanges": v4, "Ipv6Ranges": v6, "UserIdGroupPairs": groups,
        "PrefixListIds": [] });
    if ["tcp", "udp", "icmp", "icmpv6"].contains(&protocol) {
        shown["FromPort"] = json!(from);
        shown["ToPort"] = json!(to);
    }
    shown
}
