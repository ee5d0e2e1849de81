//! Changing records: all changes of a batch, or none.
//!
//! Source: Route 53 API reference, `ChangeResourceRecordSets` and `GetChange`. The words of refusals are those that
//! Route 53 answers (aws/aws-sdk-kotlin 1435, which also shows that `InvalidChangeBatch` comes in the form of every other
//! error today; aws/aws-sdk-java 1996, RJPearson94/terraform-aws-open-next 24, agorapulse/grails-aws-sdk 95).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, random, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::record::{self, Alias, Record};
use super::zone::{self, Zone};
use super::{alias, bare, invalid, name, only_members, value};

const KIND: &str = "route53/change";
/// "A request cannot contain more than 1,000 ResourceRecord elements", *Maximums for ChangeResourceRecordSets requests*;
/// an UPSERT counts twice.
const MOST: usize = 1000;

#[derive(Serialize, Deserialize)]
pub struct Change {
    id: String,
    submitted: i64,
    /// When every name server knows it.
    in_sync: i64,
    comment: Option<String>,
}

/// Notes a change that was just made, and gives its `ChangeInfo`.
pub fn submit(call: &Call<'_>, comment: Option<&str>) -> Answer {
    let change = Change {
        id: format!("C{}", random(20, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        submitted: call.now,
        in_sync: call.after(call.usual(durations::DNS_PROPAGATION)),
        comment: comment.filter(|comment| !comment.is_empty()).map(str::to_owned),
    };
    call.store.put(KIND, &change.id, "", &change)?;
    Ok(view(call, &change))
}

fn view(call: &Call<'_>, change: &Change) -> Value {
    json!({
        "Id": format!("/change/{}", change.id),
        "Status": if call.now < change.in_sync { "PENDING" } else { "INSYNC" },
        "SubmittedAt": seconds(change.submitted),
        "Comment": change.comment,
    })
}

pub fn get(call: &Call<'_>) -> Answer {
    let id = bare(call.text("Id"), "change/");
    let change: Option<Change> = call.store.get(KIND, id)?;
    match change {
        Some(change) => answer(json!({ "ChangeInfo": view(call, &change) })),
        None => Err(Fault::new(
            "NoSuchChange",
            "A change with the specified change ID does not exist.",
        )),
    }
}

pub fn change(call: &Call<'_>) -> Answer {
    let mut zone = zone::existing(call, call.text("HostedZoneId"))?;
    let batch = call.input.get("ChangeBatch").cloned().unwrap_or_default();
    let changes = batch["Changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut batch_of = Batch {
        call,
        zone: &zone,
        problems: Vec::new(),
        touched: Vec::new(),
        count: 0,
    };
    let (mut elements, mut read) = (0, Vec::new());
    for change in changes {
        let action = change["Action"].as_str().unwrap_or_default();
        let record = batch_of.read(action, &change["ResourceRecordSet"])?;
        elements += record.values.len().max(1) * if action == "UPSERT" { 2 } else { 1 };
        read.push((action, record));
    }
    if elements > MOST {
        return Err(refused(&[format!("Number of records limit of {MOST} exceeded.")]));
    }
    for (action, record) in read {
        batch_of.make(action, record)?;
    }
    batch_of.check_conflicts()?;
    let Batch { problems, count, .. } = batch_of;
    if !problems.is_empty() {
        // What was made on the way goes with the transaction.
        return Err(refused(&problems));
    }
    zone.records = zone.records.saturating_add_signed(count);
    zone::save(call, &zone)?;
    answer(json!({ "ChangeInfo": submit(call, batch["Comment"].as_str())? }))
}

fn refused(problems: &[String]) -> Fault {
    Fault::new("InvalidChangeBatch", format!("[{}]", problems.join(", ")))
}

struct Batch<'a> {
    call: &'a Call<'a>,
    zone: &'a Zone,
    problems: Vec<String>,
    /// What the batch is about, and whether the last change made it (and not deleted it).
    touched: Vec<(Record, bool)>,
    /// How many records there are more than before.
    count: isize,
}

impl Batch<'_> {
    /// A record set as the request gives it. What is wrong with its form ends the call; what is wrong with its content
    /// is one of the batch's problems.
    fn read(&mut self, action: &str, given: &Value) -> Result<Record, Fault> {
        only_members(
            self.call,
            given,
            &["Name", "Type", "TTL", "ResourceRecords", "AliasTarget"],
        )?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (asked, kind) = (text(&given["Name"]), text(&given["Type"]));
        let (ttl, values) = (given["TTL"].as_i64(), given["ResourceRecords"].as_array());
        let found = match (&given["AliasTarget"], ttl, values) {
            (Value::Object(_), None, None) => "",
            (Value::Null, Some(_), Some(_)) => "",
            (Value::Null, ..) => "none",
            _ => "more than one",
        };
        if !found.is_empty() {
            return Err(invalid(format!(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
                 TrafficPolicyInstanceId], but found {found} in Change with [Action={action}, Name={asked}, Type={kind}, \
                 SetIdentifier=null]"
            )));
        }
        if !value::TYPES.contains(&kind.as_str()) {
            return Err(Fault::new(
                "UnsupportedOperation",
                format!("not in the sandbox: records of type {kind}"),
            ));
        }
        let name = self.name(&asked);
        let alias = match &given["AliasTarget"] {
            Value::Object(target) => Some(Alias {
                zone: bare(target["HostedZoneId"].as_str().unwrap_or_default(), "hostedzone/").to_owned(),
                name: self.name(target["DNSName"].as_str().unwrap_or_default()),
                health: target["EvaluateTargetHealth"].as_bool().unwrap_or_default(),
            }),
            _ => None,
        };
        let values: Vec<String> = values
            .into_iter()
            .flatten()
            .map(|value| text(&value["Value"]))
            .collect();
        Ok(Record {
            name,
            kind,
            ttl,
            values,
            alias,
        })
    }

    fn name(&mut self, given: &str) -> String {
        name::canonical(given).unwrap_or_else(|problem| {
            self.problems.push(problem);
            String::new()
        })
    }

    fn make(&mut self, action: &str, record: Record) -> Result<(), Fault> {
        let (store, zone) = (self.call.store, self.zone);
        let Record { name, kind, .. } = &record;
        if name.is_empty() {
            return Ok(());
        }
        let there = record::find(store, &zone.id, name, kind)?;
        let tried = |what: &str| {
            let verb = if action == "DELETE" { "delete" } else { "create" };
            format!("Tried to {verb} resource record set [name='{name}', type='{kind}'] but {what}")
        };
        let earlier = self
            .touched
            .iter()
            .position(|(other, _)| other.name == *name && other.kind == *kind);
        // Deleted and made again is a change; anything else twice cannot be meant.
        if earlier.is_some_and(|place| self.touched[place].1 || action == "DELETE") {
            self.problems.push(format!(
                "The request contains an invalid set of changes for a resource record set '{kind} {name}'"
            ));
            return Ok(());
        }
        let problem = match (action, &there) {
            ("DELETE", None) => Some(tried("it was not found")),
            ("DELETE", Some(there)) if !there.says_the_same(&record) => {
                Some(tried("the values provided do not match the current values"))
            }
            ("CREATE", Some(_)) => Some(tried("it already exists")),
            _ => None,
        };
        if let Some(problem) = problem {
            self.problems.push(problem);
            return Ok(());
        }
        if action == "DELETE" {
            if *name == zone.name && kind == "SOA" {
                self.problems
                    .push("A HostedZone must contain exactly one SOA record.".to_owned());
            }
            if *name == zone.name && kind == "NS" {
                let told = "A HostedZone must contain at least one NS record for the zone itself.";
                self.problems.push(told.to_owned());
            }
            record::forget(store, &zone.id, name, kind)?;
            self.count -= 1;
        } else {
            self.check(&record)?;
            record::put(store, &zone.id, &record)?;
            self.count += isize::from(there.is_none());
        }
        self.touched
            .retain(|(other, _)| other.name != record.name || other.kind != record.kind);
        self.touched.push((record, action != "DELETE"));
        Ok(())
    }

    /// What is wrong with a record by itself.
    fn check(&mut self, record: &Record) -> Result<(), Fault> {
        let Record { name, kind, values, .. } = record;
        let zone = self.zone;
        if !name::is_within(name, &zone.name) {
            self.problems.push(format!(
                "RRSet with DNS name {name} is not permitted in zone {}",
                zone.name
            ));
        }
        if kind == "SOA" && *name != zone.name {
            self.problems
                .push("A HostedZone must contain exactly one SOA record.".to_owned());
        }
        if kind == "CNAME" && *name == zone.name {
            self.problems.push(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {}",
                zone.name
            ));
        }
        for (place, value) in values.iter().enumerate() {
            self.problems.extend(value::check(kind, value).err());
            if values[..place].contains(value) {
                self.problems.push(format!("Duplicate Resource Record: '{value}'"));
            }
        }
        if matches!(kind.as_str(), "CNAME" | "SOA") && values.len() > 1 {
            self.problems.push(format!(
                "RRSet of type {kind} with DNS name {name} can have only one resource record"
            ));
        }
        Ok(())
    }

    /// What is wrong with the zone after all changes: the order within a batch does not matter.
    fn check_conflicts(&mut self) -> Result<(), Fault> {
        let (store, zone) = (self.call.store, self.zone);
        for (record, _) in self.touched.iter().filter(|(_, made)| *made) {
            let others = record::types(store, &zone.id, &record.name)?;
            if record.kind == "CNAME" && others.len() > 1 {
                self.problems.push(format!(
                    "RRSet of type CNAME with DNS name {} is not permitted as it conflicts with other records with the \
                     same DNS name in zone {}",
                    record.name, zone.name
                ));
            } else if record.kind != "CNAME" && others.iter().any(|other| other == "CNAME") {
                self.problems.push(format!(
                    "RRSet of type {} with DNS name {} is not permitted because a conflicting RRSet of type CNAME with \
                     the same DNS name already exists in zone {}",
                    record.kind, record.name, zone.name
                ));
            }
            if let Some(target) = &record.alias {
                self.problems
                    .extend(alias::check(self.call, zone, target, &record.kind)?);
            }
        }
        Ok(())
    }
}
