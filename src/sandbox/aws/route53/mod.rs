//! Route 53: public and private hosted zones, their records, changes that take a while.
//!
//! Source: the Route 53 API reference, version 2013-04-01. The service is global; its documents are in the region
//! `aws-global`. Health checks, routing policies, traffic flow and DNSSEC are refused by name.

mod alias;
mod change;
mod name;
pub mod record;
mod tagging;
mod value;
mod zone;

use serde_json::{Value, json};

use super::answers::{answer, only};
use super::call::{Answer, Call, Fault};
use super::dispatch;

/// Where this service keeps its state.
pub const HOME: &str = "aws-global";

pub fn handle(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "CreateHostedZone" => zone::create(call),
        "GetHostedZone" => zone::get(call),
        "ListHostedZones" => zone::list(call),
        "ListHostedZonesByName" => zone::list_by_name(call),
        "ListHostedZonesByVPC" => zone::list_by_vpc(call),
        "GetHostedZoneCount" => answer(json!({ "HostedZoneCount": zone::all(call.store)?.len() })),
        "GetHostedZoneLimit" => zone::limit(call),
        "UpdateHostedZoneComment" => zone::update_comment(call),
        "DeleteHostedZone" => zone::delete(call),
        "AssociateVPCWithHostedZone" => zone::associate(call),
        "DisassociateVPCFromHostedZone" => zone::disassociate(call),
        // Signing cannot be switched on here, so it is off.
        "GetDNSSEC" => {
            zone::existing(call, call.text("HostedZoneId"))?;
            answer(json!({ "Status": { "ServeSignature": "NOT_SIGNING" }, "KeySigningKeys": [] }))
        }
        "ChangeResourceRecordSets" => change::change(call),
        "GetChange" => change::get(call),
        "ListResourceRecordSets" => record::list(call),
        "TestDNSAnswer" => record::test(call),
        "ChangeTagsForResource" => tagging::change(call),
        "ListTagsForResource" => tagging::list(call),
        "ListTagsForResources" => tagging::list_many(call),
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// `MaxItems`, which this service takes as text: at most so many, and so many when it is left out.
fn max_items(call: &Call<'_>, most: usize) -> Result<usize, Fault> {
    match call.text("MaxItems") {
        "" => Ok(most),
        text => match text.parse::<usize>() {
            Ok(count) if count > 0 => Ok(count.min(most)),
            _ => Err(invalid(format!(
                "The value '{text}' of MaxItems is not a positive number."
            ))),
        },
    }
}

/// An id without the prefix that answers carry: SDKs take it off, other callers may not.
fn bare<'a>(id: &'a str, prefix: &str) -> &'a str {
    id.trim_start_matches('/').strip_prefix(prefix).unwrap_or(id)
}

/// One page: from the first item that is not before `start`.
struct Page<T> {
    items: Vec<T>,
    next: Option<T>,
}

fn page<T>(mut items: Vec<T>, is_before: impl Fn(&T) -> bool, most: usize) -> Page<T> {
    items.retain(|item| !is_before(item));
    let mut rest = items.split_off(most.min(items.len()));
    let next = (!rest.is_empty()).then(|| rest.swap_remove(0));
    Page { items, next }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidInput", message)
}

/// Refuses what a record set or another part of a request has and the sandbox has not.
fn only_members(call: &Call<'_>, given: &Value, known: &[&str]) -> Result<(), Fault> {
    let members = given.as_object().into_iter().flatten();
    for (name, value) in members {
        if !known.contains(&name.as_str()) && !value.is_null() && *value != json!(false) {
            return Err(Fault::new(
                "UnsupportedOperation",
                format!(
                    "not in the sandbox: the parameter {name} of {}:{}",
                    call.service, call.operation
                ),
            ));
        }
    }
    Ok(())
}
