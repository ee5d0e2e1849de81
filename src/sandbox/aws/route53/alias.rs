//! Alias targets: load balancers, and records of the same zone.
//!
//! Source: Route 53 API reference, `AliasTarget`; the words of refusals are those that users report
//! (harmony-one/harmony-ops 491).

use super::super::call::{Call, Fault};
use super::super::{elb, interfaces};
use super::name::{canonical, is_within};
use super::record::{self, Alias};
use super::zone::Zone;

/// What is wrong with a target, in Route 53's words. Nothing, when it is right.
pub fn check(call: &Call<'_>, zone: &Zone, target: &Alias, kind: &str) -> Result<Vec<String>, Fault> {
    let told = |what: &str| {
        format!(
            "Tried to create an alias that targets {}, type {kind} in zone {}, but {what}",
            target.name, target.zone
        )
    };
    let (lies_within, is_there) = if target.zone == zone.id {
        (
            is_within(&target.name, &zone.name),
            record::find(call.store, &zone.id, &target.name, kind)?.is_some(),
        )
    } else if let Some(region) = elb::region_of_zone(&target.zone) {
        (
            target.name.ends_with(&format!(".{region}.elb.amazonaws.com.")),
            // The sandbox's load balancers have no IPv6 addresses.
            kind == "A" && load_balancer(call, target)?.is_some(),
        )
    } else {
        return Err(Fault::new(
            "UnsupportedOperation",
            format!(
                "not in the sandbox: an alias to the zone {}; targets are load balancers (by their canonical hosted \
                 zone) and records of the same zone",
                target.zone
            ),
        ));
    };
    let mut problems = Vec::new();
    if !lies_within {
        problems.push(told("the alias target name does not lie within the target zone"));
    }
    if !is_there {
        problems.push(told("that target was not found"));
    }
    Ok(problems)
}

/// The addresses behind an alias.
pub fn addresses(call: &Call<'_>, zone: &Zone, target: &Alias, kind: &str) -> Result<Vec<String>, Fault> {
    if target.zone == zone.id {
        let record = record::find(call.store, &zone.id, &target.name, kind)?;
        return Ok(record.map(|record| record.values).unwrap_or_default());
    }
    let Some((region, arn)) = load_balancer(call, target)? else {
        return Ok(Vec::new());
    };
    let interfaces: Vec<interfaces::Interface> = call.store.in_region(region).all(interfaces::KIND)?;
    let own = interfaces
        .into_iter()
        .filter(|one| one.owner == arn && one.gone_at.is_none());
    Ok(own
        .map(|one| one.public_ip.unwrap_or(one.private_ip).to_string())
        .collect())
}

/// Region and ARN of the load balancer that a target names, with or without `dualstack.`.
fn load_balancer(call: &Call<'_>, target: &Alias) -> Result<Option<(&'static str, String)>, Fault> {
    let Some(region) = elb::region_of_zone(&target.zone) else {
        return Ok(None);
    };
    let wanted = target.name.strip_prefix("dualstack.").unwrap_or(&target.name);
    let names = elb::dns_names(&call.store.in_region(region))?;
    Ok(names
        .into_iter()
        .find(|(name, _)| canonical(name).as_deref() == Ok(wanted))
        .map(|(_, arn)| (region, arn)))
}
