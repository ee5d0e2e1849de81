//! Verbs to explore the region and to lay out a network.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use super::filter;
use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result, nearest};
use crate::resource::Verb;
use crate::value::Value;

/// How many zones, or which.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Zones {
    Count(usize),
    Names(Vec<String>),
}

/// The verbs of the module `ec2`.
pub fn all(aws: &Aws) -> Vec<Verb> {
    vec![zones(aws), pick_zones(aws), split_cidr()]
}

/// The names of the region's availability zones that can be used, in order; no local or wavelength zones.
async fn available(aws: &Aws) -> Result<Vec<String>> {
    let call = aws
        .ec2
        .describe_availability_zones()
        .filters(filter("zone-type", ["availability-zone"]))
        .filters(filter("state", ["available"]));
    let answer = call.send().await.call("ec2:DescribeAvailabilityZones")?;
    let zones = answer.availability_zones().iter().filter_map(|zone| zone.zone_name());
    let mut zones: Vec<_> = zones.map(str::to_owned).collect();
    zones.sort();
    Ok(zones)
}

fn zones(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "ec2",
        "zones",
        "The names of the region's availability zones, as a list in the order of the alphabet.",
    )
    .actions(&["ec2:DescribeAvailabilityZones"])
    .run(move |cx, _| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            Ok(available(&aws).await?.into())
        }
    })
}

fn pick_zones(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "ec2",
        "pick_zones",
        "The availability zones to use, or those that are named. When a number is given: the zones in which this \
         environment has subnets already, so that they stay when the region gets others, else the first ones of the \
         region. Fails when the region has not that many, or not these.",
    )
    .param::<Zones>("zones", "How many, or a list of names.")
    .actions(&["ec2:DescribeAvailabilityZones"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            let wanted: Zones = args.into_iter().next().unwrap_or_default().read()?;
            cx.engine.pass_gate().await?;
            if let Zones::Count(count) = wanted {
                let subnets = cx.engine.seen("subnet").await?;
                let used: BTreeSet<_> = subnets.iter().map(|subnet| meant::text(subnet, "zone")).collect();
                if used.len() >= count {
                    return Ok(used.into_iter().take(count).collect::<Vec<_>>().into());
                }
            }
            Ok(pick(wanted, available(&aws).await?, &aws.region)?.into())
        }
    })
}

fn pick(wanted: Zones, available: Vec<String>, region: &str) -> Result<Vec<String>> {
    let there_are = || format!("{region} has {}", available.join(", "));
    match wanted {
        Zones::Count(count) if count > available.len() => Err(Error::failed(format!(
            "{count} availability zones are wanted, {region} has {}",
            available.len()
        ))),
        Zones::Count(count) => Ok(available.into_iter().take(count).collect()),
        Zones::Names(names) => match names.iter().find(|name| !available.contains(name)) {
            None => Ok(names),
            Some(strange) => {
                let error = Error::failed(format!("there is no availability zone \"{strange}\" to use"));
                Err(match nearest(strange, available.iter().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean \"{near}\"?")).note(there_are()),
                    None => error.note(there_are()),
                })
            }
        },
    }
}

fn split_cidr() -> Verb {
    Verb::reads(
        "ec2",
        "split_cidr",
        "Splits a range of IPv4 addresses into equal parts: `ec2::split_cidr(\"10.0.0.0/16\", 4)` gives sixteen ranges, \
         from 10.0.0.0/20 to 10.0.240.0/20.",
    )
    .param::<String>("cidr", "The range, as `10.0.0.0/16`.")
    .param::<u8>("bits", "By how many bits the parts' prefixes are longer; 8 at most.")
    .run(|_, args| async move {
        let mut args = args.into_iter();
        let cidr: String = args.next().unwrap_or_default().read()?;
        let bits: u8 = args.next().unwrap_or_default().read()?;
        let parts = split(&cidr, bits)?;
        Ok(Value::List(parts.into_iter().map(Value::from).collect()))
    })
}

fn split(cidr: &str, bits: u8) -> Result<Vec<String>> {
    let net: Ipv4Net = cidr
        .parse()
        .map_err(|_| Error::failed(format!("\"{cidr}\" is not a range of IPv4 addresses")).hint("as 10.0.0.0/16"))?;
    let longer = net.prefix_len().saturating_add(bits);
    if bits > 8 || longer > 32 {
        return Err(Error::failed(format!(
            "{cidr} cannot be split by {bits} bits: 8 at most, and no prefix is longer than 32"
        )));
    }
    let parts = net
        .subnets(longer)
        .map_err(|_| Error::failed(format!("{cidr} cannot be split by {bits} bits")))?;
    Ok(parts.map(|part| part.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_split_into_equal_parts() {
        let parts = split("10.0.0.0/16", 4).unwrap();
        assert_eq!(
            (parts.len(), parts[0].as_str(), parts[15].as_str()),
            (16, "10.0.0.0/20", "10.0.240.0/20")
        );
        assert!(split("10.0.0.0/28", 8).is_err());
        assert!(split("10.0.0.0/33", 1).is_err());
    }

    #[test]
    fn zones_that_are_not_there_are_refused() {
        let there = || vec!["eu-central-1a".to_owned(), "eu-central-1b".to_owned()];
        assert_eq!(
            pick(Zones::Count(1), there(), "eu-central-1").unwrap(),
            ["eu-central-1a"]
        );
        assert!(pick(Zones::Count(3), there(), "eu-central-1").is_err());
        let error = pick(Zones::Names(vec!["eu-central-1c".into()]), there(), "eu-central-1").unwrap_err();
        assert_eq!(error.notes(), ["eu-central-1 has eu-central-1a, eu-central-1b"]);
    }
}
