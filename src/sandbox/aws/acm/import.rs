//! Importing a certificate, or a newer one in its place.
//!
//! Source: ACM API reference, `ImportCertificate`; user guide, "Prerequisites for importing ACM certificates" and
//! "Troubleshoot certificate import problems".

use base64::Engine;
use serde_json::json;

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::certificate::{self, Certificate, Imported};
use super::{wanted_tags, x509};

pub fn import(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "CertificateArn",
            "Certificate",
            "PrivateKey",
            "CertificateChain",
            "Tags",
        ],
    )?;
    let pem = text(call, "Certificate")?;
    let chain = call
        .input
        .contains_key("CertificateChain")
        .then(|| text(call, "CertificateChain"))
        .transpose()?;
    let found = x509::pem(&pem);
    let [(label, der)] = found.as_slice() else {
        return Err(refused(match found.len() {
            0 => "The certificate is not in PEM format.",
            _ => {
                "The certificate field contains more than one certificate. You must specify only one certificate in this \
                  field."
            }
        }));
    };
    let read = (label == "CERTIFICATE").then(|| x509::certificate(der)).flatten();
    let Some(read) = read else {
        return Err(refused(
            "The certificate could not be read: it is not an X.509 certificate.",
        ));
    };
    // The key is looked at and forgotten: nothing here needs it.
    let key = x509::pem(&text(call, "PrivateKey")?);
    match key.as_slice() {
        [(label, der)] => match x509::belongs(&read, label, der) {
            Some(true) => {}
            Some(false) => return Err(refused("The private key does not match the certificate.")),
            None => return Err(refused("The private key is not supported.")),
        },
        _ => return Err(refused("The private key is not in PEM format.")),
    }
    if call.now < read.not_before || call.now >= read.not_after {
        return Err(refused("The certificate is not in its validity period."));
    }
    match &chain {
        Some(chain) if x509::pem(chain).is_empty() => {
            return Err(refused("The certificate chain is not in PEM format."));
        }
        None if read.issuer != read.subject => {
            return Err(refused(
                "Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate \
                 or certificate chain.",
            ));
        }
        _ => {}
    }
    let domain = read.names.first().cloned().unwrap_or_default();
    let imported = Imported {
        at: call.now,
        not_before: read.not_before,
        not_after: read.not_after,
        serial: read.serial,
        subject: read.subject,
        issuer: read.issuer,
        signature: read.signature,
        pem,
        chain,
    };
    if call.text("CertificateArn").is_empty() {
        let made = Certificate {
            arn: certificate::new_arn(call),
            domain,
            names: read.names,
            key_algorithm: read.key_algorithm,
            transparency: "DISABLED".to_owned(),
            token: String::new(),
            created: call.now,
            issued: None,
            imported: Some(imported),
        };
        let wanted = wanted_tags(call)?;
        certificate::save(call, &made)?;
        tags::put(call, &made.arn, &wanted)?;
        return answer(json!({ "CertificateArn": made.arn }));
    }
    let mut there = certificate::existing(call)?;
    if !call.list("Tags").is_empty() {
        return Err(refused("Tags cannot be given when a certificate is imported again."));
    }
    if there.imported.is_none() {
        return Err(refused("Only a certificate that was imported can be imported again."));
    }
    there.domain = domain;
    there.names = read.names;
    there.key_algorithm = read.key_algorithm;
    there.imported = Some(imported);
    certificate::save(call, &there)?;
    answer(json!({ "CertificateArn": there.arn }))
}

fn text(call: &Call<'_>, member: &str) -> Result<String, Fault> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(call.text(member)).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| refused(&format!("{member} is not in PEM format.")))
}

fn refused(message: &str) -> Fault {
    Fault::new("ValidationException", message)
}
