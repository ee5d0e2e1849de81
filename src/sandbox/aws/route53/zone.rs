//! Hosted zones, public and private.
//!
//! Source: Route 53 API reference, `CreateHostedZone`, `DeleteHostedZone`, `ListHostedZones`, `ListHostedZonesByName`,
//! `AssociateVPCWithHostedZone`; developer guide, "NS and SOA records that Amazon Route 53 creates for a public hosted
//! zone" (four name servers, their lifetimes, the start of authority).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, random};
use super::super::call::{Answer, Call, Fault};
use super::super::ec2::vpc;
use super::super::store::Store;
use super::super::tags;
use super::record::{self, Record};
use super::{bare, change, invalid, max_items, name, only, only_members, page};

const KIND: &str = "route53/zone";

/// "Amazon Route 53 returns a maximum of 100 items in each response."
const PAGE: usize = 100;
/// Seconds.
const NS_TTL: i64 = 172_800;
const SOA_TTL: i64 = 900;
/// The name servers and the start of authority.
const OWN_RECORDS: usize = 2;
/// How many records a zone can have, *Quotas*.
const MOST_RECORDS: usize = 10_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Zone {
    pub id: String,
    pub name: String,
    pub is_private: bool,
    /// The four name servers.
    pub servers: Vec<String>,
    /// How many records it has.
    pub records: usize,
    reference: String,
    comment: Option<String>,
    /// Of a private zone: region and id.
    vpcs: Vec<(String, String)>,
}

/// The zone, or `NoSuchHostedZone`.
pub fn existing(call: &Call<'_>, id: &str) -> Result<Zone, Fault> {
    let id = bare(id, "hostedzone/");
    call.store.get(KIND, id)?.ok_or_else(|| {
        let told = format!("No hosted zone found with ID: {id}");
        Fault::new("NoSuchHostedZone", told)
    })
}

pub fn all(store: &Store<'_>) -> Result<Vec<Zone>, Fault> {
    store.all(KIND)
}

/// The zones with this name.
pub fn named(store: &Store<'_>, name: &str) -> Result<Vec<Zone>, Fault> {
    store.children(KIND, name)
}

pub fn save(call: &Call<'_>, zone: &Zone) -> Result<(), Fault> {
    call.store.put(KIND, &zone.id, &zone.name, zone)
}

pub fn arn(id: &str) -> String {
    format!("arn:aws:route53:::hostedzone/{id}")
}

pub fn create(call: &Call<'_>) -> Answer {
    only(call, &["Name", "VPC", "CallerReference", "HostedZoneConfig"])?;
    let config = call.input.get("HostedZoneConfig").cloned().unwrap_or_default();
    only_members(call, &config, &["Comment", "PrivateZone"])?;
    let name = name::canonical(call.text("Name")).map_err(|problem| Fault::new("InvalidDomainName", problem))?;
    let zones = all(call.store)?;
    if zones.iter().any(|zone| zone.reference == call.text("CallerReference")) {
        return Err(Fault::new(
            "HostedZoneAlreadyExists",
            "A hosted zone has already been created with the specified caller reference.",
        ));
    }
    let vpc = vpc_of(call)?;
    if config["PrivateZone"] == json!(true) && vpc.is_none() {
        return Err(invalid(
            "When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify \
             values for VPCId and VPCRegion.",
        ));
    }
    if let Some(vpc) = &vpc {
        check_conflict(&zones, &name, vpc)?;
    }
    let is_private = vpc.is_some();
    let zone = Zone {
        id: format!("Z{}", random(20, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        servers: servers(is_private),
        name,
        is_private,
        records: OWN_RECORDS,
        reference: call.text("CallerReference").to_owned(),
        comment: config["Comment"].as_str().map(str::to_owned),
        vpcs: vpc.into_iter().collect(),
    };
    let dotted = zone.servers.iter().map(|server| format!("{server}.")).collect();
    record::put(call.store, &zone.id, &Record::plain(&zone.name, "NS", NS_TTL, dotted))?;
    let authority = format!(
        "{}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
        zone.servers.first().map(String::as_str).unwrap_or_default()
    );
    record::put(
        call.store,
        &zone.id,
        &Record::plain(&zone.name, "SOA", SOA_TTL, vec![authority]),
    )?;
    save(call, &zone)?;
    answer(json!({
        "HostedZone": zone.view(),
        "ChangeInfo": change::submit(call, None)?,
        "DelegationSet": zone.delegation(),
        "VPC": zone.vpcs().as_array().and_then(|vpcs| vpcs.first()),
        "Location": format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{}", zone.id),
    }))
}

/// Private zones all have the same four; of public ones each has four of its own, of four top-level domains.
fn servers(is_private: bool) -> Vec<String> {
    let block = |domain: usize, suffix: &str| {
        let number = if is_private {
            0
        } else {
            rand::random_range(0..512_usize)
        };
        format!("ns-{}.awsdns-{:02}.{suffix}", domain * 512 + number, number / 8)
    };
    vec![block(0, "com"), block(1, "net"), block(2, "org"), block(3, "co.uk")]
}

pub fn get(call: &Call<'_>) -> Answer {
    let zone = existing(call, call.text("Id"))?;
    answer(json!({
        "HostedZone": zone.view(),
        "DelegationSet": zone.delegation(),
        "VPCs": Some(zone.vpcs()).filter(|_| zone.is_private),
    }))
}

/// In the order of their ids, so that a marker stays good whatever comes and goes.
pub fn list(call: &Call<'_>) -> Answer {
    only(call, &["Marker", "MaxItems", "HostedZoneType"])?;
    let (marker, most) = (bare(call.text("Marker"), "hostedzone/"), max_items(call, PAGE)?);
    let mut zones = all(call.store)?;
    if call.text("HostedZoneType") == "PrivateHostedZone" {
        zones.retain(|zone| zone.is_private);
    }
    zones.sort_by(|one, other| one.id.cmp(&other.id));
    let page = page(zones, |zone| zone.id.as_str() < marker, most);
    answer(json!({
        "HostedZones": page.items.iter().map(Zone::view).collect::<Vec<_>>(),
        "Marker": call.text("Marker"),
        "IsTruncated": page.next.is_some(),
        "NextMarker": page.next.map(|next| next.id),
        "MaxItems": most.to_string(),
    }))
}

pub fn list_by_name(call: &Call<'_>) -> Answer {
    let most = max_items(call, PAGE)?;
    let (from, id) = (call.text("DNSName"), bare(call.text("HostedZoneId"), "hostedzone/"));
    let start = match (from, id) {
        ("", "") => (String::new(), String::new()),
        ("", _) => return Err(invalid("A hosted zone ID was given without a DNS name.")),
        (from, id) => (name::order(&name::canonical(from).map_err(invalid)?), id.to_owned()),
    };
    let order = |zone: &Zone| (name::order(&zone.name), zone.id.clone());
    let mut zones = all(call.store)?;
    zones.sort_by_cached_key(order);
    let page = page(zones, |zone| order(zone) < start, most);
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    answer(json!({
        "HostedZones": page.items.iter().map(Zone::view).collect::<Vec<_>>(),
        "DNSName": given(from),
        "HostedZoneId": given(id),
        "IsTruncated": page.next.is_some(),
        "NextDNSName": page.next.as_ref().map(|next| &next.name),
        "NextHostedZoneId": page.next.as_ref().map(|next| &next.id),
        "MaxItems": most.to_string(),
    }))
}

pub fn list_by_vpc(call: &Call<'_>) -> Answer {
    let vpc = (call.text("VPCRegion").to_owned(), call.text("VPCId").to_owned());
    let (token, most) = (call.text("NextToken"), max_items(call, PAGE)?);
    let mut zones = all(call.store)?;
    zones.retain(|zone| zone.vpcs.contains(&vpc));
    zones.sort_by(|one, other| one.id.cmp(&other.id));
    let page = page(zones, |zone| zone.id.as_str() < token, most);
    let summary =
        |zone: &Zone| json!({ "HostedZoneId": zone.id, "Name": zone.name, "Owner": { "OwningAccount": call.account } });
    answer(json!({
        "HostedZoneSummaries": page.items.iter().map(summary).collect::<Vec<_>>(),
        "MaxItems": most.to_string(),
        "NextToken": page.next.map(|next| next.id),
    }))
}

pub fn limit(call: &Call<'_>) -> Answer {
    let zone = existing(call, call.text("HostedZoneId"))?;
    let kind = call.text("Type");
    let (most, count) = match kind {
        "MAX_RRSETS_BY_ZONE" => (MOST_RECORDS, zone.records),
        "MAX_VPCS_ASSOCIATED_BY_ZONE" if zone.is_private => (300, zone.vpcs.len()),
        _ => {
            return Err(Fault::new(
                "HostedZoneNotPrivate",
                "The specified hosted zone is a public hosted zone, not a private hosted zone.",
            ));
        }
    };
    answer(json!({ "Limit": { "Type": kind, "Value": most }, "Count": count }))
}

pub fn update_comment(call: &Call<'_>) -> Answer {
    let mut zone = existing(call, call.text("Id"))?;
    // "If you don't specify a value for Comment, Amazon Route 53 deletes the existing value".
    zone.comment = Some(call.text("Comment").to_owned()).filter(|comment| !comment.is_empty());
    save(call, &zone)?;
    answer(json!({ "HostedZone": zone.view() }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let zone = existing(call, call.text("Id"))?;
    // The name servers and the authority cannot be deleted by themselves, so that two records are these two.
    if zone.records > OWN_RECORDS {
        return Err(Fault::new(
            "HostedZoneNotEmpty",
            "The specified hosted zone contains non-required resource record sets and so cannot be deleted.",
        ));
    }
    for kind in ["NS", "SOA"] {
        record::forget(call.store, &zone.id, &zone.name, kind)?;
    }
    call.store.delete(KIND, &zone.id)?;
    tags::clear(call, &arn(&zone.id))?;
    answer(json!({ "ChangeInfo": change::submit(call, None)? }))
}

pub fn associate(call: &Call<'_>) -> Answer {
    let mut zone = private(call)?;
    let vpc = vpc_of(call)?.ok_or_else(|| invalid("The VPC's id and region are required."))?;
    check_conflict(&all(call.store)?, &zone.name, &vpc)?;
    zone.vpcs.push(vpc);
    save(call, &zone)?;
    answer(json!({ "ChangeInfo": change::submit(call, Some(call.text("Comment")))? }))
}

pub fn disassociate(call: &Call<'_>) -> Answer {
    let mut zone = private(call)?;
    let asked = call.input.get("VPC").cloned().unwrap_or_default();
    let wanted = |(region, id): &(String, String)| asked["VPCRegion"] == json!(region) && asked["VPCId"] == json!(id);
    if !zone.vpcs.iter().any(wanted) {
        return Err(Fault::new(
            "VPCAssociationNotFound",
            "The specified VPC and hosted zone are not currently associated.",
        ));
    }
    if zone.vpcs.len() == 1 {
        return Err(Fault::new(
            "LastVPCAssociation",
            "The VPC that you are trying to disassociate from the private hosted zone is the last VPC that is \
             associated with the hosted zone.",
        ));
    }
    zone.vpcs.retain(|vpc| !wanted(vpc));
    save(call, &zone)?;
    answer(json!({ "ChangeInfo": change::submit(call, Some(call.text("Comment")))? }))
}

fn private(call: &Call<'_>) -> Result<Zone, Fault> {
    let zone = existing(call, call.text("HostedZoneId"))?;
    if zone.is_private {
        return Ok(zone);
    }
    Err(Fault::new(
        "PublicZoneVPCAssociation",
        "You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC \
         with a public hosted zone.",
    ))
}

/// The VPC of a request, which must be there.
fn vpc_of(call: &Call<'_>) -> Result<Option<(String, String)>, Fault> {
    let Some(given) = call.input.get("VPC") else {
        return Ok(None);
    };
    let text = |member: &str| given[member].as_str().unwrap_or_default().to_owned();
    let (region, id) = (text("VPCRegion"), text("VPCId"));
    let found: Option<vpc::Vpc> = call.store.in_region(&region).get(vpc::KIND, &id)?;
    match found {
        Some(_) => Ok(Some((region, id))),
        None => Err(Fault::new(
            "InvalidVPCId",
            format!("The VPC: {id} in region {region} that you provided is not authorized to make the association."),
        )),
    }
}

fn check_conflict(zones: &[Zone], name: &str, vpc: &(String, String)) -> Result<(), Fault> {
    match zones.iter().find(|zone| zone.name == name && zone.vpcs.contains(vpc)) {
        None => Ok(()),
        Some(zone) => Err(Fault::new(
            "ConflictingDomainExists",
            format!(
                "The VPC {} in region {} has already been associated with the hosted zone {} with the same domain name.",
                vpc.1, vpc.0, zone.id
            ),
        )),
    }
}

impl Zone {
    fn view(&self) -> Value {
        json!({
            "Id": format!("/hostedzone/{}", self.id),
            "Name": self.name,
            "CallerReference": self.reference,
            "Config": { "Comment": self.comment, "PrivateZone": self.is_private },
            "ResourceRecordSetCount": self.records,
        })
    }

    /// Only a public zone is delegated to.
    fn delegation(&self) -> Option<Value> {
        (!self.is_private).then(|| json!({ "NameServers": self.servers }))
    }

    fn vpcs(&self) -> Value {
        let view = |(region, id): &(String, String)| json!({ "VPCRegion": region, "VPCId": id });
        self.vpcs.iter().map(view).collect()
    }
}
