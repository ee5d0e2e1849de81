//! Certificate Manager: certificates that are requested and validated by DNS, and imported ones.
//!
//! Source: the ACM API reference, version 2015-12-08; ACM user guide, "DNS validation". Validation by email or HTTP,
//! private authorities, renewal and export are refused by name. No key is kept and no certificate is signed: load
//! balancers only ask whether there is one.

mod certificate;
mod import;
pub mod x509;

use serde_json::json;

use super::answers::answer;
use super::call::{Answer, Call, Fault};
use super::dispatch;
use super::tags::{self, Tags};

pub use certificate::{Usable, usable};

pub fn handle(call: &mut Call<'_>) -> Answer {
    certificate::settle(call)?;
    match call.operation {
        "RequestCertificate" => certificate::request(call),
        "DescribeCertificate" => certificate::describe(call),
        "ListCertificates" => certificate::list(call),
        "GetCertificate" => certificate::get(call),
        "UpdateCertificateOptions" => certificate::update_options(call),
        "DeleteCertificate" => certificate::delete(call),
        "ImportCertificate" => import::import(call),
        "AddTagsToCertificate" => {
            let certificate = certificate::existing(call)?;
            add_tags(call, &certificate.arn)?;
            answer(json!({}))
        }
        "RemoveTagsFromCertificate" => {
            let certificate = certificate::existing(call)?;
            remove_tags(call, &certificate.arn)?;
            answer(json!({}))
        }
        "ListTagsForCertificate" => {
            let certificate = certificate::existing(call)?;
            answer(json!({ "Tags": tags::to_list(&tags::of(call, &certificate.arn)?) }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

fn wanted_tags(call: &Call<'_>) -> Result<Tags, Fault> {
    let wanted = tags::from_list(call.list("Tags"));
    tags::check(&wanted).map_err(|message| Fault::new("InvalidTagException", message))?;
    Ok(wanted)
}

fn add_tags(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let added = wanted_tags(call)?;
    let mut all = tags::of(call, arn)?;
    all.extend(added.clone());
    if all.len() > tags::MOST {
        return Err(Fault::new(
            "TooManyTagsException",
            format!("A certificate can have at most {} tags.", tags::MOST),
        ));
    }
    tags::put(call, arn, &added)
}

/// "If you do not specify the value part of the tag, the tag will be removed regardless of value. If you specify a value,
/// the tag is removed only if it is associated with the specified value."
fn remove_tags(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let there = tags::of(call, arn)?;
    let mut gone = Vec::new();
    for tag in call.list("Tags") {
        let key = tag["Key"].as_str().unwrap_or_default();
        let value = tag["Value"].as_str();
        if there
            .get(key)
            .is_some_and(|current| value.is_none_or(|value| value == current))
        {
            gone.push(key.to_owned());
        }
    }
    tags::remove(call, arn, &gone)
}
