//! `route53::zone`: a hosted zone that exists, by its name or its id.

use aws_sdk_route53::types::HostedZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::Aws;
use crate::aws::error::Call;
use crate::error::{Error, Result};
use crate::map;
use crate::resource::Verb;
use crate::value::{Map, Value};

/// Which zone is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its id, as `Z0123456789ABCDEFGHIJ`.
    #[serde(default)]
    id: Option<String>,
    /// Its name, as `example.org`: a public zone.
    #[serde(default)]
    name: Option<String>,
}

/// What a zone is called, without the dot and the prefix of Route 53's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    pub id: String,
    pub name: String,
    pub is_private: bool,
}

/// The verbs of the module `route53`.
pub fn verbs(aws: &Aws) -> Vec<Verb> {
    vec![zone(aws), zones(aws)]
}

fn zone(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "route53",
        "zone",
        "A hosted zone that exists, by `id` or by `name`, as a map with `id`, `name`, `private` and, for a public one, \
         `name_servers`. It is used and never changed.",
    )
    .param::<Which>("which", "`id` or `name`.")
    .actions(&["route53:GetHostedZone", "route53:ListHostedZonesByName"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            let which: Which = args.into_iter().next().unwrap_or_default().read()?;
            cx.engine.pass_gate().await?;
            let wanted = match (which.id, which.name) {
                (Some(wanted), None) | (None, Some(wanted)) => wanted,
                _ => return Err(Error::failed("give either `id` or `name`: which zone is meant?")),
            };
            let found = find(&aws, &wanted).await?;
            let answer = aws.route53.get_hosted_zone().id(&found.id).send().await;
            let answer = answer.call("route53:GetHostedZone")?;
            let mut shown = shown(&found);
            if let Some(set) = answer.delegation_set() {
                shown.insert("name_servers".into(), Value::from(set.name_servers().to_vec()));
            }
            Ok(Value::Map(shown))
        }
    })
}

fn zones(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "route53",
        "zones",
        "All hosted zones of the account: name, id, how many records, and whether only VPCs see them.",
    )
    .actions(&["route53:ListHostedZones"])
    .run(move |cx, _| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let pages = aws.route53.list_hosted_zones().into_paginator();
            let found = pages
                .items()
                .send()
                .try_collect()
                .await
                .call("route53:ListHostedZones")?;
            let row = |zone: &HostedZone| {
                let mut row = shown(&read(zone));
                row.insert(
                    "records".into(),
                    zone.resource_record_set_count().unwrap_or_default().into(),
                );
                Value::Map(row)
            };
            Ok(Value::List(found.iter().map(row).collect()))
        }
    })
}

fn shown(zone: &Zone) -> Map {
    map! { "name" => zone.name.as_str(), "id" => zone.id.as_str(), "private" => zone.is_private }
}

fn read(zone: &HostedZone) -> Zone {
    Zone {
        id: zone.id().trim_start_matches("/hostedzone/").to_owned(),
        name: zone.name().trim_end_matches('.').to_owned(),
        is_private: zone.config().is_some_and(|config| config.private_zone()),
    }
}

/// The zone of this id or name, which must be there.
pub async fn find(aws: &Aws, wanted: &str) -> Result<Zone> {
    match look_for(aws, wanted).await? {
        Some(zone) => Ok(zone),
        None => {
            let error = Error::failed(format!("there is no public hosted zone {wanted} in this account"));
            Err(match aws.is_sandbox {
                true => error.hint(
                    "the sandbox begins without zones: `iacsh sandbox serve` lets the AWS CLI make one, with `aws route53 \
                     create-hosted-zone`",
                ),
                false => error.hint("`route53::zones()` lists those that the credentials see"),
            })
        }
    }
}

/// The zone of this id or name. Of zones with the same name only the public one is meant.
pub async fn look_for(aws: &Aws, wanted: &str) -> Result<Option<Zone>> {
    if is_id(wanted) {
        let answer = aws.route53.get_hosted_zone().id(wanted).send().await;
        return match answer.call("route53:GetHostedZone") {
            Err(error) if error.code() == "NoSuchHostedZone" => Ok(None),
            answer => Ok(answer?.hosted_zone().map(read)),
        };
    }
    let name = wanted.trim_end_matches('.').to_ascii_lowercase();
    // Sorted by name, so that those with this one come first, on one page.
    let call = aws.route53.list_hosted_zones_by_name().dns_name(&name);
    let answer = call.send().await.call("route53:ListHostedZonesByName")?;
    let zones = answer.hosted_zones().iter().map(read);
    let mut found: Vec<Zone> = zones.filter(|zone| zone.name == name && !zone.is_private).collect();
    if found.len() > 1 {
        let ids: Vec<_> = found.into_iter().map(|zone| zone.id).collect();
        return Err(
            Error::failed(format!("there are several hosted zones {name}: {}", ids.join(", ")))
                .hint("give the id instead of the name"),
        );
    }
    Ok(found.pop())
}

/// An id has no dot and no small letters. On AWS it begins with Z.
fn is_id(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
