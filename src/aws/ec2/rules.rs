//! The rules of a security group, as both sides can be compared.
//!
//! A script may write several sources in one rule, EC2 groups its answer by protocol and ports. Here a rule has one
//! source, and a group's rules are a set.
//! Source: EC2 API Reference, `IpPermission`.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result};

/// Who may talk, over which protocol and ports.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// `tcp` (when not given), `udp`, `icmp`, `icmpv6`, `all`, or the number of an IP protocol.
    #[serde(default)]
    pub protocol: Option<String>,
    /// One port. Not given, with `from_port` and `to_port` neither: all ports.
    #[serde(default)]
    pub port: Option<u16>,
    /// The first port of a range. For ICMP the type, -1 for all.
    #[serde(default)]
    pub from_port: Option<i32>,
    /// The last port of a range. For ICMP the code, -1 for all.
    #[serde(default)]
    pub to_port: Option<i32>,
    /// Ranges of IPv4 or IPv6 addresses, as `0.0.0.0/0`.
    #[serde(default)]
    pub cidrs: Vec<String>,
    /// Security groups: their ids, or their names in this environment, so that two groups can name each other and a
    /// group itself.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
}

/// Where the traffic comes from, or goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    V4(String),
    V6(String),
    /// The id of a security group.
    Group(String),
    PrefixList(String),
}

/// One rule with one peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `tcp`, `-1` for all.
    protocol: String,
    from: i32,
    to: i32,
    peer: Peer,
    pub description: String,
}

/// The egress rule that a new group has.
pub fn all_out() -> Rule {
    Rule {
        protocol: "-1".into(),
        from: -1,
        to: -1,
        peer: Peer::V4("0.0.0.0/0".into()),
        description: String::new(),
    }
}

impl Rule {
    /// Whether two rules are the same at EC2, where the description does not count.
    pub fn is_same(&self, other: &Rule) -> bool {
        (&self.protocol, self.from, self.to, &self.peer) == (&other.protocol, other.from, other.to, &other.peer)
    }

    /// The id of the security group that it names.
    pub fn group(&self) -> Option<&str> {
        match &self.peer {
            Peer::Group(id) => Some(id),
            Peer::V4(_) | Peer::V6(_) | Peer::PrefixList(_) => None,
        }
    }

    /// `tcp 443 with 0.0.0.0/0 (HTTPS)`; groups by name where that is known.
    pub fn shown(&self, name_of: &dyn Fn(&str) -> Option<String>) -> String {
        let ports = match (self.protocol.as_str(), self.from, self.to) {
            ("-1", _, _) => "all".to_owned(),
            (protocol, -1, _) | (protocol, 0, 65535) => protocol.to_owned(),
            (protocol, from, to) if from == to => format!("{protocol} {from}"),
            (protocol, from, to) => format!("{protocol} {from}-{to}"),
        };
        let peer = match &self.peer {
            Peer::V4(range) | Peer::V6(range) => range.clone(),
            Peer::Group(id) => name_of(id).unwrap_or_else(|| id.clone()),
            Peer::PrefixList(id) => id.clone(),
        };
        match self.description.as_str() {
            "" => format!("{ports} {peer}"),
            description => format!("{ports} {peer} ({description})"),
        }
    }

    /// The rule as the API takes it.
    pub fn permission(&self) -> IpPermission {
        let text = (!self.description.is_empty()).then(|| self.description.clone());
        let permission = IpPermission::builder().ip_protocol(&self.protocol);
        let permission = match self.protocol.as_str() {
            "-1" => permission,
            _ => permission.from_port(self.from).to_port(self.to),
        };
        match &self.peer {
            Peer::V4(range) => permission.ip_ranges(IpRange::builder().cidr_ip(range).set_description(text).build()),
            Peer::V6(range) => {
                permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(range).set_description(text).build())
            }
            Peer::Group(id) => {
                permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(id).set_description(text).build())
            }
            Peer::PrefixList(id) => {
                permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).set_description(text).build())
            }
        }
        .build()
    }

    /// The rules of an answer, each with one peer, in order.
    pub fn of(permissions: &[IpPermission]) -> Vec<Rule> {
        let mut rules: Vec<_> = permissions.iter().flat_map(Self::split).collect();
        rules.sort();
        rules
    }

    fn split(permission: &IpPermission) -> Vec<Rule> {
        let protocol = permission.ip_protocol().unwrap_or("-1").to_owned();
        let rule = |peer: Peer, description: Option<&str>| Rule {
            protocol: protocol.clone(),
            from: permission.from_port().unwrap_or(-1),
            to: permission.to_port().unwrap_or(-1),
            peer,
            description: description.unwrap_or_default().to_owned(),
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let v4 = permission.ip_ranges().iter();
        let v6 = permission.ipv6_ranges().iter();
        let groups = permission.user_id_group_pairs().iter();
        let lists = permission.prefix_list_ids().iter();
        v4.map(|range| rule(Peer::V4(text(range.cidr_ip())), range.description()))
            .chain(v6.map(|range| rule(Peer::V6(text(range.cidr_ipv6())), range.description())))
            .chain(groups.map(|pair| rule(Peer::Group(text(pair.group_id())), pair.description())))
            .chain(lists.map(|list| rule(Peer::PrefixList(text(list.prefix_list_id())), list.description())))
            .collect()
    }
}

impl RuleSpec {
    /// The rules that it stands for. `id_of` finds a group by its name in this environment.
    pub fn rules(&self, id_of: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Rule>> {
        let protocol = self.protocol()?;
        let (from, to) = self.ports(&protocol)?;
        let description = self.description.clone().unwrap_or_default();
        check_description(&description)?;
        if self.cidrs.is_empty() && self.security_groups.is_empty() {
            return Err(Error::failed("a rule needs `cidrs` or `security_groups`"));
        }
        let mut peers = Vec::new();
        for cidr in &self.cidrs {
            peers.push(peer(cidr)?);
        }
        for group in &self.security_groups {
            let id = match group.starts_with("sg-") {
                true => group.clone(),
                false => id_of(group).ok_or_else(|| {
                    Error::failed(format!(
                        "there is no security group \"{group}\" in this environment (yet)"
                    ))
                })?,
            };
            peers.push(Peer::Group(id));
        }
        let rule = |peer| Rule {
            protocol: protocol.clone(),
            from,
            to,
            peer,
            description: description.clone(),
        };
        Ok(peers.into_iter().map(rule).collect())
    }

    fn protocol(&self) -> Result<String> {
        let given = self.protocol.as_deref().unwrap_or("tcp").to_lowercase();
        let known = match given.as_str() {
            "all" | "-1" => "-1",
            "tcp" | "6" => "tcp",
            "udp" | "17" => "udp",
            "icmp" | "1" => "icmp",
            "icmpv6" | "58" => "icmpv6",
            number if number.parse::<u8>().is_ok() => number,
            other => {
                return Err(Error::failed(format!("\"{other}\" is not a protocol"))
                    .hint("tcp, udp, icmp, icmpv6, all, or a protocol number"));
            }
        };
        Ok(known.to_owned())
    }

    fn ports(&self, protocol: &str) -> Result<(i32, i32)> {
        let given = (self.port, self.from_port, self.to_port);
        match (protocol, given) {
            ("tcp" | "udp", (Some(port), None, None)) => Ok((port.into(), port.into())),
            ("tcp" | "udp", (None, Some(from), Some(to)))
                if (0..=65535).contains(&from) && from <= to && to <= 65535 =>
            {
                Ok((from, to))
            }
            ("tcp" | "udp", (None, None, None)) => Ok((0, 65535)),
            ("icmp" | "icmpv6", (None, from, to)) => Ok((from.unwrap_or(-1), to.unwrap_or(-1))),
            ("tcp" | "udp", (None, Some(from), Some(to))) => {
                Err(Error::failed(format!("{from} to {to} is not a range of ports")))
            }
            ("tcp" | "udp", _) => Err(Error::failed(
                "a rule has either `port`, or `from_port` and `to_port`, or none of them for all ports",
            )),
            (_, (None, None, None)) => Ok((-1, -1)),
            (protocol, _) => Err(Error::failed(match protocol {
                "icmp" | "icmpv6" => {
                    "a rule for ICMP has no `port`; `from_port` is the type, `to_port` the code".to_owned()
                }
                _ => "a rule with ports needs the protocol `tcp` or `udp`".to_owned(),
            })),
        }
    }
}

/// A range as EC2 stores it: without host bits, IPv6 in its shortest form.
fn peer(cidr: &str) -> Result<Peer> {
    let wrong =
        || Error::failed(format!("\"{cidr}\" is not a range of addresses")).hint("as 0.0.0.0/0, or 203.0.113.7/32");
    match cidr.parse::<ipnet::IpNet>().map_err(|_| wrong())? {
        ipnet::IpNet::V4(net) => Ok(Peer::V4(net.trunc().to_string())),
        ipnet::IpNet::V6(net) => Ok(Peer::V6(net.trunc().to_string())),
    }
}

/// Up to 255 characters: a-z, A-Z, 0-9, spaces, and `._-:/()#,@[]+=&;{}!$*`. Source: CreateSecurityGroup, IpRange.
pub fn check_description(text: &str) -> Result<()> {
    crate::aws::named::check(
        "description of a security group or rule",
        text,
        255,
        " ._-:/()#,@[]+=&;{}!$*",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec(cidrs: &[&str], groups: &[&str]) -> RuleSpec {
        RuleSpec {
            protocol: None,
            port: Some(443),
            from_port: None,
            to_port: None,
            cidrs: cidrs.iter().map(ToString::to_string).collect(),
            security_groups: groups.iter().map(ToString::to_string).collect(),
            description: None,
        }
    }

    fn nobody(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_rule_with_two_sources_is_two_rules() {
        let rules = spec(&["10.0.0.7/16", "2001:db8::1/32"], &["web"])
            .rules(&|name| (name == "web").then(|| "sg-1".into()))
            .unwrap();
        let shown: Vec<_> = rules.iter().map(|rule| rule.shown(&nobody)).collect();
        assert_eq!(shown, ["tcp 443 10.0.0.0/16", "tcp 443 2001:db8::/32", "tcp 443 sg-1"]);
    }

    #[test]
    fn what_ec2_would_refuse_is_refused_with_words() {
        let message = |spec: RuleSpec| spec.rules(&nobody).unwrap_err().message().to_owned();
        assert_eq!(message(spec(&[], &[])), "a rule needs `cidrs` or `security_groups`");
        assert_eq!(
            message(spec(&["10.0.0.0"], &[])),
            "\"10.0.0.0\" is not a range of addresses"
        );
        let backwards = RuleSpec {
            port: None,
            from_port: Some(9),
            to_port: Some(1),
            ..spec(&["0.0.0.0/0"], &[])
        };
        assert_eq!(message(backwards), "9 to 1 is not a range of ports");
        let all = RuleSpec {
            protocol: Some("all".into()),
            ..spec(&["0.0.0.0/0"], &[])
        };
        assert_eq!(message(all), "a rule with ports needs the protocol `tcp` or `udp`");
    }

    proptest! {
        /// What is sent to EC2 and read back is the same set, however EC2 groups it.
        #[test]
        fn rules_survive_the_api(ports in proptest::collection::vec((0u16..=65535, any::<[u8; 4]>(), 0u8..=32), 1..8)) {
            let mut rules = Vec::new();
            for (port, address, length) in ports {
                let cidr = format!("{}/{length}", std::net::Ipv4Addr::from(address));
                let one = RuleSpec { port: Some(port), ..spec(&[&cidr], &[]) };
                rules.extend(one.rules(&nobody).unwrap());
            }
            rules.sort();
            let permissions: Vec<_> = rules.iter().map(Rule::permission).collect();
            prop_assert_eq!(Rule::of(&permissions), rules);
        }
    }
}
