//! Certificates and how they come to be issued.
//!
//! Source: ACM API reference, `RequestCertificate`, `CertificateDetail`, `ListCertificates`, `DeleteCertificate`; user
//! guide, "DNS validation" (the records are the same for every certificate of a name in an account) and "Troubleshoot DNS
//! validation problems"; hashicorp/terraform-provider-aws 3866 and dfds/infrastructure-modules 5 for the words of a refusal.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::answers::{Page, answer, limit, only, page, seconds};
use super::super::call::{Answer, Call, Fault};
use super::super::route53::record;
use super::super::{durations, elb, tags};
use super::wanted_tags;

const KIND: &str = "acm/certificate";
/// The parent of those whose records have not been seen: the only ones that are looked at in every call.
const PENDING: &str = "pending";

/// Names in one certificate, *Quotas*.
const MOST_NAMES: usize = 10;
/// How long an idempotency token holds, `RequestCertificate`.
const TOKEN_HOLDS: i64 = 3_600_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    pub arn: String,
    /// The name it is for, and all names that it covers: this one first.
    pub domain: String,
    pub names: Vec<String>,
    pub key_algorithm: String,
    pub transparency: String,
    pub token: String,
    /// Milliseconds since 1970, as all moments here.
    pub created: i64,
    /// When a certificate that was requested is issued: its records have been seen.
    #[serde(default)]
    pub issued: Option<i64>,
    /// What an imported certificate is.
    #[serde(default)]
    pub imported: Option<Imported>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Imported {
    pub at: i64,
    pub not_before: i64,
    pub not_after: i64,
    pub serial: String,
    pub subject: String,
    pub issuer: String,
    pub signature: String,
    /// The certificate and its chain, as they came.
    pub pem: String,
    pub chain: Option<String>,
}

impl Certificate {
    pub fn status(&self, now: i64) -> &'static str {
        match (&self.imported, self.issued) {
            (Some(imported), _) if now >= imported.not_after => "EXPIRED",
            (Some(_), _) => "ISSUED",
            (None, Some(issued)) if now >= issued + millis(durations::CERTIFICATE_LIFE.time) => "EXPIRED",
            (None, Some(issued)) if now >= issued => "ISSUED",
            (None, _) if now >= self.times_out() => "VALIDATION_TIMED_OUT",
            (None, _) => "PENDING_VALIDATION",
        }
    }

    fn times_out(&self) -> i64 {
        self.created + millis(durations::CERTIFICATE_TIMES_OUT.time)
    }

    /// The domains that each need a record: a wildcard's is that of the domain below it.
    fn validated(&self) -> Vec<&str> {
        let mut domains: Vec<&str> = Vec::new();
        for name in &self.names {
            let domain = name.strip_prefix("*.").unwrap_or(name);
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        domains
    }
}

fn millis(time: std::time::Duration) -> i64 {
    time.as_millis() as i64
}

/// Name and value of the record that proves that this account may have certificates for the domain.
fn proof(call: &Call<'_>, domain: &str) -> (String, String) {
    let digest = |what: &str| {
        let digest = Sha256::digest(format!("{} {} {what}", call.account, domain.to_ascii_lowercase()));
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (name, value) = (digest("name"), digest("value"));
    (
        format!("_{}.{domain}.", &name[..32]),
        format!("_{}.{}.acm-validations.aws.", &value[..32], &value[32..42]),
    )
}

/// Whether the world sees the record of a domain. The value's underscore may be missing, for providers that refuse it.
fn is_proved(call: &Call<'_>, domain: &str) -> Result<bool, Fault> {
    let (name, value) = proof(call, domain);
    Ok(record::is_public(call, &name, "CNAME", &value)? || record::is_public(call, &name, "CNAME", &value[1..])?)
}

/// Issues what has become valid since the last look.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    for mut certificate in call.store.children::<Certificate>(KIND, PENDING)? {
        if certificate.status(call.now) != "PENDING_VALIDATION" {
            save(call, &certificate)?;
            continue;
        }
        let mut proved = true;
        for domain in certificate.validated() {
            proved &= is_proved(call, domain)?;
        }
        if proved {
            certificate.issued = Some(call.after(call.usual(durations::CERTIFICATE_ISSUE)));
            save(call, &certificate)?;
        }
    }
    Ok(())
}

pub fn request(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "DomainName",
            "ValidationMethod",
            "SubjectAlternativeNames",
            "IdempotencyToken",
            "Options",
            "Tags",
            "KeyAlgorithm",
        ],
    )?;
    match call.text("ValidationMethod") {
        "DNS" => {}
        other => {
            let other = if other.is_empty() { "EMAIL" } else { other };
            return Err(Fault::new(
                "UnsupportedOperation",
                format!("not in the sandbox: certificates that are validated by {other}; use DNS"),
            ));
        }
    }
    let domain = call.text("DomainName").to_ascii_lowercase();
    let mut names = vec![domain.clone()];
    for name in call.texts("SubjectAlternativeNames") {
        let name = name.to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MOST_NAMES {
        return Err(Fault::new(
            "LimitExceededException",
            format!("A certificate can have at most {MOST_NAMES} domain names."),
        ));
    }
    let wanted = wanted_tags(call)?;
    let token = call.text("IdempotencyToken");
    let is_retry = |other: &Certificate| {
        !token.is_empty() && other.token == token && other.names == names && call.now - other.created < TOKEN_HOLDS
    };
    if let Some(earlier) = all(call)?.into_iter().find(is_retry) {
        return answer(json!({ "CertificateArn": earlier.arn }));
    }
    let certificate = Certificate {
        arn: new_arn(call),
        domain,
        names,
        key_algorithm: match call.text("KeyAlgorithm") {
            "" => "RSA_2048".to_owned(),
            algorithm => algorithm.to_owned(),
        },
        transparency: transparency(call)?,
        token: token.to_owned(),
        created: call.now,
        issued: None,
        imported: None,
    };
    save(call, &certificate)?;
    tags::put(call, &certificate.arn, &wanted)?;
    answer(json!({ "CertificateArn": certificate.arn }))
}

pub fn new_arn(call: &Call<'_>) -> String {
    call.arn("acm", &format!("certificate/{}", uuid::Uuid::new_v4()))
}

fn transparency(call: &Call<'_>) -> Result<String, Fault> {
    let options = call.input.get("Options").cloned().unwrap_or_default();
    if options["Export"] == json!("ENABLED") {
        return Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: certificates that can be exported",
        ));
    }
    let wanted = options["CertificateTransparencyLoggingPreference"].as_str();
    Ok(wanted.unwrap_or("ENABLED").to_owned())
}

pub fn update_options(call: &Call<'_>) -> Answer {
    let mut certificate = existing(call)?;
    if certificate.imported.is_some() {
        return Err(Fault::new(
            "InvalidStateException",
            "The options of an imported certificate cannot be changed.",
        ));
    }
    certificate.transparency = transparency(call)?;
    save(call, &certificate)?;
    answer(json!({}))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let certificate = existing(call)?;
    let status = certificate.status(call.now);
    let in_use = elb::users_of_certificate(call, &certificate.arn)?;
    let mut detail = json!({
        "CertificateArn": certificate.arn,
        "DomainName": certificate.domain,
        "SubjectAlternativeNames": certificate.names,
        "Status": status,
        "Type": if certificate.imported.is_some() { "IMPORTED" } else { "AMAZON_ISSUED" },
        "KeyAlgorithm": certificate.key_algorithm,
        "RenewalEligibility": "INELIGIBLE",
        "InUseBy": in_use,
        "Options": { "CertificateTransparencyLoggingPreference": certificate.transparency },
    });
    match &certificate.imported {
        Some(imported) => {
            detail["CreatedAt"] = seconds(certificate.created);
            detail["ImportedAt"] = seconds(imported.at);
            detail["NotBefore"] = seconds(imported.not_before);
            detail["NotAfter"] = seconds(imported.not_after);
            detail["Serial"] = json!(imported.serial);
            detail["Subject"] = json!(imported.subject);
            detail["Issuer"] = json!(imported.issuer);
            detail["SignatureAlgorithm"] = json!(imported.signature);
        }
        None => {
            detail["CreatedAt"] = seconds(certificate.created);
            detail["Subject"] = json!(format!("CN={}", certificate.domain));
            detail["Issuer"] = json!("Amazon");
            detail["SignatureAlgorithm"] = json!("SHA256WITHRSA");
            if let Some(issued) = certificate.issued.filter(|issued| call.now >= *issued) {
                detail["IssuedAt"] = seconds(issued);
                detail["NotBefore"] = seconds(issued);
                detail["NotAfter"] = seconds(issued + millis(durations::CERTIFICATE_LIFE.time));
                detail["RenewalEligibility"] = json!(if in_use.is_empty() { "INELIGIBLE" } else { "ELIGIBLE" });
            }
            detail["DomainValidationOptions"] = validations(call, &certificate, status)?;
        }
    }
    answer(json!({ "Certificate": detail }))
}

/// One for each name. The record comes a few seconds after the request, which callers must wait for.
fn validations(call: &Call<'_>, certificate: &Certificate, status: &str) -> Answer {
    let known = call.now >= certificate.created + (call.after(call.usual(durations::CERTIFICATE_RECORDS)) - call.now);
    let mut shown = Vec::new();
    for name in &certificate.names {
        let domain = name.strip_prefix("*.").unwrap_or(name);
        let (record, value) = proof(call, domain);
        let validation = match status {
            // Clients wait for this, and then expect to use the certificate: it comes with the issue, not before.
            "PENDING_VALIDATION" => "PENDING_VALIDATION",
            "VALIDATION_TIMED_OUT" => "FAILED",
            _ => "SUCCESS",
        };
        shown.push(json!({
            "DomainName": name,
            "ValidationDomain": name,
            "ValidationStatus": validation,
            "ValidationMethod": "DNS",
            "ResourceRecord": known.then(|| json!({ "Name": record, "Type": "CNAME", "Value": value })),
        }));
    }
    Ok(Value::Array(shown))
}

/// "Default filtering returns only RSA_1024 and RSA_2048 certificates": others must be asked for.
pub fn list(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "CertificateStatuses",
            "Includes",
            "MaxItems",
            "NextToken",
            "SortBy",
            "SortOrder",
        ],
    )?;
    let includes = call.input.get("Includes").cloned().unwrap_or_default();
    if let Some(other) = includes
        .as_object()
        .and_then(|filters| filters.keys().find(|name| *name != "keyTypes"))
    {
        return Err(Fault::new(
            "UnsupportedOperation",
            format!("not in the sandbox: the parameter Includes.{other} of acm:ListCertificates"),
        ));
    }
    if call.text("SortBy").is_empty() != call.text("SortOrder").is_empty() {
        return Err(Fault::new(
            "ValidationException",
            "SortBy and SortOrder must be given together.",
        ));
    }
    let (statuses, keys) = (call.texts("CertificateStatuses"), includes["keyTypes"].as_array());
    let mut certificates = all(call)?;
    certificates.retain(|certificate| {
        let key = certificate.key_algorithm.as_str();
        let key = match keys {
            Some(keys) => keys.iter().any(|wanted| wanted == key),
            None => matches!(key, "RSA_1024" | "RSA_2048"),
        };
        key && (statuses.is_empty() || statuses.iter().any(|status| status == certificate.status(call.now)))
    });
    let descending = call.text("SortOrder") == "DESCENDING";
    let key = |certificate: &Certificate| {
        let moment = if descending {
            i64::MAX - certificate.created
        } else {
            certificate.created
        };
        format!("{moment:020} {}", certificate.arn)
    };
    let Page { items, next } = page(
        certificates,
        key,
        call.text("NextToken"),
        limit(call, "MaxItems", 1000),
        || Fault::new("ValidationException", "The token is not valid."),
    )?;
    let mut shown = Vec::new();
    for certificate in &items {
        let (issued, imported) = (
            certificate.issued.filter(|issued| call.now >= *issued),
            &certificate.imported,
        );
        let life = millis(durations::CERTIFICATE_LIFE.time);
        shown.push(json!({
            "CertificateArn": certificate.arn,
            "DomainName": certificate.domain,
            "SubjectAlternativeNameSummaries": certificate.names,
            "HasAdditionalSubjectAlternativeNames": false,
            "Status": certificate.status(call.now),
            "Type": if imported.is_some() { "IMPORTED" } else { "AMAZON_ISSUED" },
            "KeyAlgorithm": certificate.key_algorithm,
            "InUse": !elb::users_of_certificate(call, &certificate.arn)?.is_empty(),
            "RenewalEligibility": "INELIGIBLE",
            "CreatedAt": seconds(certificate.created),
            "IssuedAt": issued.map(seconds),
            "ImportedAt": imported.as_ref().map(|imported| seconds(imported.at)),
            "NotBefore": imported.as_ref().map(|imported| imported.not_before).or(issued).map(seconds),
            "NotAfter": imported.as_ref().map(|imported| imported.not_after).or(issued.map(|at| at + life)).map(seconds),
        }));
    }
    answer(json!({ "CertificateSummaryList": shown, "NextToken": next }))
}

pub fn get(call: &Call<'_>) -> Answer {
    let certificate = existing(call)?;
    match (&certificate.imported, certificate.status(call.now)) {
        (Some(imported), _) => answer(json!({ "Certificate": imported.pem, "CertificateChain": imported.chain })),
        (None, "PENDING_VALIDATION") => Err(Fault::new(
            "RequestInProgressException",
            format!("The certificate {} has not been issued yet.", certificate.arn),
        )),
        _ => Err(Fault::new(
            "UnsupportedOperation",
            "not in the sandbox: the text of a certificate that ACM issued; nothing is signed here",
        )),
    }
}

pub fn delete(call: &Call<'_>) -> Answer {
    let certificate = existing(call)?;
    if !elb::users_of_certificate(call, &certificate.arn)?.is_empty() {
        return Err(Fault::new(
            "ResourceInUseException",
            format!("Certificate {} in account {} is in use.", certificate.arn, call.account),
        ));
    }
    call.store.delete(KIND, &certificate.arn)?;
    tags::clear(call, &certificate.arn)?;
    answer(json!({}))
}

/// Whether a load balancer takes a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    Yes,
    /// There is none.
    No,
    /// It is not issued, or not valid any more.
    NotIssued,
}

pub fn usable(call: &Call<'_>, arn: &str) -> Result<Usable, Fault> {
    settle(call)?;
    let certificate: Option<Certificate> = call.store.get(KIND, arn)?;
    Ok(match certificate.map(|certificate| certificate.status(call.now)) {
        None => Usable::No,
        Some("ISSUED") => Usable::Yes,
        Some(_) => Usable::NotIssued,
    })
}

pub fn existing(call: &Call<'_>) -> Result<Certificate, Fault> {
    let arn = call.text("CertificateArn");
    call.store.get(KIND, arn)?.ok_or_else(|| {
        Fault::new(
            "ResourceNotFoundException",
            format!("Could not find certificate {arn}."),
        )
    })
}

fn all(call: &Call<'_>) -> Result<Vec<Certificate>, Fault> {
    call.store.all(KIND)
}

pub fn save(call: &Call<'_>, certificate: &Certificate) -> Result<(), Fault> {
    let pending = certificate.issued.is_none() && certificate.status(call.now) == "PENDING_VALIDATION";
    let group = if pending { PENDING } else { "" };
    call.store.put(KIND, &certificate.arn, group, certificate)
}
