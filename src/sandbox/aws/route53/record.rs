//! Record sets: one for each name and type of a zone.
//!
//! Source: Route 53 API reference, `ResourceRecordSet`, `ListResourceRecordSets`, `TestDNSAnswer`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::super::store::{Order, Store};
use super::zone::{self, Zone};
use super::{HOME, alias, invalid, max_items, name, only, page, value};

pub const KIND: &str = "route53/record";

/// A page of records: "ListResourceRecordSets returns up to 300 resource record sets at a time".
const PAGE: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// In its canonical form, as all names here.
    pub name: String,
    pub kind: String,
    /// Seconds. An alias has none of its own.
    pub ttl: Option<i64>,
    pub values: Vec<String>,
    pub alias: Option<Alias>,
}

/// Where an alias leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    pub zone: String,
    pub name: String,
    pub health: bool,
}

impl Record {
    pub fn plain(name: &str, kind: &str, ttl: i64, values: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ttl: Some(ttl),
            values,
            alias: None,
        }
    }

    /// Whether two say the same; the order of values does not count.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let sorted = |record: &Self| {
            let mut record = record.clone();
            record.values.sort();
            record
        };
        sorted(self) == sorted(other)
    }

    fn view(&self) -> Value {
        let values: Vec<_> = self.values.iter().map(|value| json!({ "Value": value })).collect();
        json!({
            "Name": self.name,
            "Type": self.kind,
            "TTL": self.ttl,
            "ResourceRecords": Some(values).filter(|values| !values.is_empty()),
            "AliasTarget": self.alias.as_ref().map(|alias| json!({
                "HostedZoneId": alias.zone,
                "DNSName": alias.name,
                "EvaluateTargetHealth": alias.health,
            })),
        })
    }
}

/// What sorts as listings do: a space stands before everything that is in a name.
fn id(zone: &str, name: &str, kind: &str) -> String {
    format!("{zone} {} {kind}", name::order(name))
}

pub fn find(store: &Store<'_>, zone: &str, name: &str, kind: &str) -> Result<Option<Record>, Fault> {
    store.get(KIND, &id(zone, name, kind))
}

pub fn put(store: &Store<'_>, zone: &str, record: &Record) -> Result<(), Fault> {
    store.put(KIND, &id(zone, &record.name, &record.kind), zone, record)
}

pub fn forget(store: &Store<'_>, zone: &str, name: &str, kind: &str) -> Result<(), Fault> {
    store.delete(KIND, &id(zone, name, kind)).map(|_| ())
}

/// The types of the records with this name.
pub fn types(store: &Store<'_>, zone: &str, name: &str) -> Result<Vec<String>, Fault> {
    let named = id(zone, name, "");
    let found: Vec<(String, Record)> = store
        .next(KIND, Order::Id(&named), "", value::TYPES.len())?
        .unwrap_or_default();
    Ok(found.into_iter().map(|(_, record)| record.kind).collect())
}

/// Whether the world sees this value under a name: in the public zone that says most about it. A certificate is
/// validated by such a record.
pub fn is_public(call: &Call<'_>, name: &str, kind: &str, wanted: &str) -> Result<bool, Fault> {
    let store = call.store.in_region(HOME);
    let (Ok(name), Ok(wanted)) = (name::canonical(name), name::canonical(wanted)) else {
        return Ok(false);
    };
    let mut above = Some(name.as_str());
    while let Some(domain) = above {
        let zones = zone::named(&store, domain)?;
        let mut public = zones.iter().filter(|zone| !zone.is_private).peekable();
        if public.peek().is_none() {
            above = domain
                .split_once('.')
                .map(|(_, rest)| rest)
                .filter(|rest| !rest.is_empty());
            continue;
        }
        // Of two zones of the same name the delegation decides, which the sandbox does not see: either will do.
        for zone in public {
            if let Some(record) = find(&store, &zone.id, &name, kind)?
                && record
                    .values
                    .iter()
                    .any(|value| name::canonical(value).as_ref() == Ok(&wanted))
            {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    Ok(false)
}

pub fn list(call: &Call<'_>) -> Answer {
    only(
        call,
        &["HostedZoneId", "StartRecordName", "StartRecordType", "MaxItems"],
    )?;
    let zone = zone::existing(call, call.text("HostedZoneId"))?;
    let most = max_items(call, PAGE)?;
    let own = format!("{} ", zone.id);
    let (first, after) = match (call.text("StartRecordName"), call.text("StartRecordType")) {
        ("", "") => (None, String::new()),
        ("", _) => return Err(invalid("The type of a record was given without its name.")),
        (name, kind) => {
            let name = name::canonical(name).map_err(invalid)?;
            (find(call.store, &zone.id, &name, kind)?, id(&zone.id, &name, kind))
        }
    };
    let rest: Vec<(String, Record)> = call
        .store
        .next(KIND, Order::Id(&own), &after, most + 1)?
        .unwrap_or_default();
    let records = first.into_iter().chain(rest.into_iter().map(|(_, record)| record));
    let page = page(records.collect(), |_| false, most);
    answer(json!({
        "ResourceRecordSets": page.items.iter().map(Record::view).collect::<Vec<_>>(),
        "IsTruncated": page.next.is_some(),
        "NextRecordName": page.next.as_ref().map(|next| &next.name),
        "NextRecordType": page.next.as_ref().map(|next| &next.kind),
        "MaxItems": most.to_string(),
    }))
}

/// What a name server would answer. An alias gives the addresses behind it; a name that a wildcard covers gives what the
/// wildcard says.
pub fn test(call: &Call<'_>) -> Answer {
    only(call, &["HostedZoneId", "RecordName", "RecordType"])?;
    let zone = zone::existing(call, call.text("HostedZoneId"))?;
    if zone.is_private {
        return Err(invalid("TestDNSAnswer works only with public hosted zones."));
    }
    let asked = name::canonical(call.text("RecordName")).map_err(invalid)?;
    let kind = call.text("RecordType");
    let (code, values) = resolve(call, &zone, &asked, kind)?;
    answer(json!({
        "Nameserver": zone.servers.first(),
        "RecordName": asked,
        "RecordType": kind,
        "RecordData": values,
        "ResponseCode": code,
        "Protocol": "UDP",
    }))
}

fn resolve(call: &Call<'_>, zone: &Zone, asked: &str, kind: &str) -> Result<(&'static str, Vec<String>), Fault> {
    let wildcard = asked.split_once('.').map(|(_, rest)| format!("\\052.{rest}"));
    for name in [Some(asked.to_owned()), wildcard].into_iter().flatten() {
        let found = match find(call.store, &zone.id, &name, kind)? {
            None => find(call.store, &zone.id, &name, "CNAME")?,
            found => found,
        };
        if let Some(record) = found {
            return Ok(match &record.alias {
                Some(target) => ("NOERROR", alias::addresses(call, zone, target, kind)?),
                None => ("NOERROR", record.values),
            });
        }
        if !types(call.store, &zone.id, &name)?.is_empty() {
            return Ok(("NOERROR", Vec::new()));
        }
    }
    Ok(("NXDOMAIN", Vec::new()))
}
