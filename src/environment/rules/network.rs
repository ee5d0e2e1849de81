//! The network.

use ipnet::Ipv4Net;

use super::{Problems, SUBNET, VPC};
use crate::environment::model::{Environment, Network, Zones};

pub(super) fn check(environment: &Environment, problems: &mut Problems) {
    let network = &environment.network;
    let path = |key| ["network", key];
    if let Some(vpc) = &network.vpc {
        problems.form(
            &path("vpc"),
            &VPC,
            vpc,
            "the id of a VPC",
            "as \"vpc-0123456789abcdef0\"",
        );
        for (key, given) in [
            ("cidr", network.cidr.is_some()),
            ("zones", network.zones.is_some()),
            ("nat", network.nat.is_some()),
            ("endpoints", network.endpoints.is_some()),
        ] {
            if given {
                let message = format!("`{key}` describes a network to make, and `vpc` names one that exists");
                problems.add(&path(key), message, "keep one of the two");
            }
        }
        subnets(network, problems);
        return;
    }
    for (key, ids) in [
        ("public_subnets", &network.public_subnets),
        ("private_subnets", &network.private_subnets),
    ] {
        if !ids.is_empty() {
            let message = format!("`{key}` needs the `vpc` in which they are");
            problems.add(&path(key), message, None);
        }
    }
    if network.nat == Some(true) && network.endpoints == Some(true) {
        let message = "`nat` and `endpoints` are two ways out of the private subnets";
        problems.add(
            &path("endpoints"),
            message,
            "keep one: with endpoints the service reaches ECR, logs and secrets, with NAT everything",
        );
    }
    zones(environment, problems);
}

fn subnets(network: &Network, problems: &mut Problems) {
    let lists = [
        (
            "public_subnets",
            &network.public_subnets,
            2,
            "a load balancer needs two, in two zones",
        ),
        (
            "private_subnets",
            &network.private_subnets,
            1,
            "the cache needs one or more",
        ),
    ];
    for (key, ids, least, why) in lists {
        if ids.len() < least {
            let path: &[&str] = if ids.is_empty() {
                &["network"]
            } else {
                &["network", key]
            };
            problems.add(path, format!("`{key}` has too few subnets: {why}"), None);
        }
        for (position, id) in ids.iter().enumerate() {
            let path = ["network", key, &position.to_string()];
            problems.form(
                &path,
                &SUBNET,
                id,
                "the id of a subnet",
                "as \"subnet-0123456789abcdef0\"",
            );
            if ids.iter().take(position).any(|other| other == id) {
                problems.add(&path, format!("{id} is there twice"), None);
            }
        }
    }
}

/// Source: Amazon VPC User Guide, "VPC CIDR blocks" (/16 to /28) and "Subnet CIDR blocks" (the same).
fn zones(environment: &Environment, problems: &mut Problems) {
    let network = &environment.network;
    let zones = network.zones.as_ref().map_or(2, Zones::count);
    if !(2..=6).contains(&zones) {
        let message = format!("{zones} zones: 2 to 6 are possible");
        problems.add(&["network", "zones"], message, "a load balancer needs at least two");
    }
    if let Some(Zones::Names(names)) = &network.zones {
        for (position, name) in names.iter().enumerate() {
            let path = ["network", "zones", &position.to_string()];
            let letter = name.strip_prefix(&environment.aws.region).unwrap_or_default();
            if letter.len() != 1 || !letter.chars().all(|letter| letter.is_ascii_lowercase()) {
                let message = format!("\"{name}\" is not a zone of {}", environment.aws.region);
                problems.add(&path, message, "as \"eu-central-1a\"");
            } else if names.iter().take(position).any(|other| other == name) {
                problems.add(&path, format!("{name} is there twice"), None);
            }
        }
    }
    let Some(cidr) = &network.cidr else { return };
    let path = ["network", "cidr"];
    match cidr.parse::<Ipv4Net>() {
        Err(_) => problems.add(&path, format!("\"{cidr}\" is not a CIDR block"), "as \"10.0.0.0/16\""),
        Ok(block) if !(16..=28).contains(&block.prefix_len()) => {
            let message = format!("/{} is not possible for a VPC: /16 to /28 are", block.prefix_len());
            problems.add(&path, message, None);
        }
        Ok(block) if block.trunc() != block => {
            let message = format!("{cidr} has bits set behind the prefix: the block is {}", block.trunc());
            problems.add(&path, message, None);
        }
        Ok(block) => {
            // One public and one private subnet in each zone, each a /28 or larger.
            let subnets = (2 * zones.min(6)).next_power_of_two();
            if u32::from(block.prefix_len()) + subnets.ilog2() > 28 {
                let message = format!("{cidr} is too small for two subnets in each of {zones} zones");
                problems.add(&path, message, "a subnet needs at least a /28");
            }
        }
    }
}
