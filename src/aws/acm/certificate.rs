//! `acm::certificate`: a certificate that exists, by its ARN or by the name that it covers.

use aws_sdk_acm::types::{CertificateDetail, CertificateStatus, CertificateSummary, Filters, KeyAlgorithm};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::Verb;
use crate::value::{Map, Value};

/// Which certificate is meant. With both, the one of this ARN must cover the name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its ARN.
    #[serde(default)]
    arn: Option<String>,
    /// A host name that it covers: of several the one that is valid longest.
    #[serde(default)]
    domain: Option<String>,
}

/// The verbs of the module `acm`.
pub fn verbs(aws: &Aws) -> Vec<Verb> {
    vec![certificate(aws), certificates(aws)]
}

fn certificate(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "acm",
        "certificate",
        "A certificate that exists, by `arn` or by a host name that it covers (`domain`), as a map with `arn`, `domain`, \
         `names`, `status` and `expires`. It must be issued, and in the environment's region. It is used and never changed.",
    )
    .param::<Which>("which", "`arn`, `domain` or both.")
    .actions(&["acm:DescribeCertificate", "acm:ListCertificates"])
    .run(move |cx, args| {
        let aws = aws.clone();
        async move {
            let which: Which = args.into_iter().next().unwrap_or_default().read()?;
            cx.engine.pass_gate().await?;
            let found = match (&which.arn, &which.domain) {
                (Some(arn), domain) => by_arn(&aws, arn, domain.as_deref()).await?,
                (None, Some(domain)) => by_name(&aws, domain).await?,
                (None, None) => return Err(Error::failed("give `arn` or `domain`: which certificate is meant?")),
            };
            Ok(Value::Map(shown(&found)))
        }
    })
}

fn certificates(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "acm",
        "certificates",
        "All certificates of the account in the environment's region: their names, status, and when they expire.",
    )
    .actions(&["acm:DescribeCertificate", "acm:ListCertificates"])
    .run(move |cx, _| {
        let aws = aws.clone();
        async move {
            cx.engine.pass_gate().await?;
            let found = all(&aws, None).await?;
            let row = |summary: &CertificateSummary| {
                Value::Map(map! {
                    "domain" => summary.domain_name().unwrap_or_default(),
                    "status" => summary.status().map(CertificateStatus::as_str).unwrap_or_default(),
                    "expires" => meant::moment(summary.not_after()),
                    "in_use" => summary.in_use().unwrap_or_default(),
                    "arn" => summary.certificate_arn().unwrap_or_default(),
                })
            };
            Ok(Value::List(found.iter().map(row).collect()))
        }
    })
}

async fn describe(aws: &Aws, arn: &str) -> Result<CertificateDetail> {
    let call = aws.acm.describe_certificate().certificate_arn(arn);
    let answer = call.send().await.call("acm:DescribeCertificate")?;
    answer
        .certificate
        .ok_or_else(|| Error::failed(format!("acm:DescribeCertificate: the answer does not hold {arn}")))
}

/// Every certificate, every page. Without the key types only those with RSA keys of 1,024 and 2,048 bits are listed.
async fn all(aws: &Aws, status: Option<CertificateStatus>) -> Result<Vec<CertificateSummary>> {
    let keys = KeyAlgorithm::values().iter().map(|key| KeyAlgorithm::from(*key));
    let filter = Filters::builder().set_key_types(Some(keys.collect())).build();
    let call = aws.acm.list_certificates().includes(filter);
    let pages = call.set_certificate_statuses(status.map(|status| vec![status]));
    let found = pages.into_paginator().items().send().try_collect().await;
    found.call("acm:ListCertificates")
}

async fn by_arn(aws: &Aws, arn: &str, domain: Option<&str>) -> Result<CertificateDetail> {
    // arn:aws:acm:REGION:ACCOUNT:certificate/ID
    let region = arn.split(':').nth(3).unwrap_or_default();
    if region != aws.region {
        return Err(Error::failed(format!(
            "the certificate {arn} is in {region}, the environment in {}",
            aws.region
        ))
        .hint("a load balancer takes certificates of its own region only"));
    }
    let found = describe(aws, arn).await.map_err(|error| absent(aws, error))?;
    match domain {
        Some(domain)
            if !found
                .subject_alternative_names()
                .iter()
                .any(|name| covers(name, domain)) =>
        {
            Err(Error::failed(format!(
                "the certificate {arn} does not cover {domain}: it is for {}",
                found.subject_alternative_names().join(", ")
            )))
        }
        _ => issued(found),
    }
}

async fn by_name(aws: &Aws, domain: &str) -> Result<CertificateDetail> {
    let mut candidates = Vec::new();
    let mut pending = Vec::new();
    for summary in all(aws, None).await? {
        let names = summary.subject_alternative_name_summaries();
        let known = names.iter().map(String::as_str).chain(summary.domain_name());
        // A summary holds the first hundred names of a certificate.
        let may = summary.has_additional_subject_alternative_names() == Some(true)
            || known.into_iter().any(|name| covers(name, domain));
        let Some(arn) = summary.certificate_arn().filter(|_| may) else {
            continue;
        };
        match summary.status() {
            Some(CertificateStatus::Issued) | None => candidates.push(arn.to_owned()),
            Some(status) => pending.push(format!("{arn} is {}", status.as_str())),
        }
    }
    let mut best: Option<CertificateDetail> = None;
    for arn in candidates {
        let found = describe(aws, &arn).await?;
        let ends = |certificate: &CertificateDetail| certificate.not_after().map_or(i64::MAX, |end| end.secs());
        let fits = found.status() == Some(&CertificateStatus::Issued)
            && found
                .subject_alternative_names()
                .iter()
                .any(|name| covers(name, domain));
        if fits && best.as_ref().is_none_or(|best| ends(&found) > ends(best)) {
            best = Some(found);
        }
    }
    best.ok_or_else(|| {
        let error = Error::failed(format!("no certificate in {} is issued for {domain}", aws.region));
        let error = pending.into_iter().fold(error, Error::note);
        how_to_get_one(aws, error)
    })
}

/// Whether a name of a certificate is for a host: `*.example.org` covers one label (RFC 6125, 6.4.3).
fn covers(name: &str, host: &str) -> bool {
    let (name, host) = (
        name.to_ascii_lowercase(),
        host.trim_end_matches('.').to_ascii_lowercase(),
    );
    match name.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
        None => name == host,
    }
}

fn issued(found: CertificateDetail) -> Result<CertificateDetail> {
    let status = found.status().map(CertificateStatus::as_str).unwrap_or("UNKNOWN");
    if status == CertificateStatus::Issued.as_str() {
        return Ok(found);
    }
    let arn = found.certificate_arn().unwrap_or_default();
    let mut error = Error::failed(format!("the certificate {arn} cannot be used: it is {status}"));
    for validation in found.domain_validation_options() {
        if let Some(record) = validation.resource_record() {
            error = error.note(format!(
                "{} {} {}",
                record.name(),
                record.r#type().as_str(),
                record.value()
            ));
        }
    }
    Err(match status {
        "PENDING_VALIDATION" => {
            error.hint("put the record above into the zone of the name, and wait until it is issued")
        }
        _ => error.hint("ask for a new one: `aws acm request-certificate --validation-method DNS`"),
    })
}

fn absent(aws: &Aws, error: Error) -> Error {
    match error.code() {
        "ResourceNotFoundException" => how_to_get_one(aws, error),
        _ => error,
    }
}

fn how_to_get_one(aws: &Aws, error: Error) -> Error {
    match aws.is_sandbox {
        true => error.hint(
            "the sandbox begins without zones and certificates: `iacsh sandbox serve` lets the AWS CLI make them, with the \
             same commands as on AWS",
        ),
        false => error.hint(
            "`aws acm request-certificate --validation-method DNS` asks for one; its record in the zone of the name proves \
             that the name is yours",
        ),
    }
}

fn shown(certificate: &CertificateDetail) -> Map {
    map! {
        "arn" => certificate.certificate_arn().unwrap_or_default(),
        "domain" => certificate.domain_name().unwrap_or_default(),
        "names" => certificate.subject_alternative_names().to_vec(),
        "status" => certificate.status().map(CertificateStatus::as_str).unwrap_or_default(),
        "expires" => meant::moment(certificate.not_after()),
    }
}

#[cfg(test)]
mod unit {
    use super::covers;

    #[test]
    fn a_wildcard_covers_one_label() {
        assert!(covers("login.example.org", "Login.example.org."));
        assert!(covers("*.example.org", "login.example.org"));
        assert!(!covers("*.example.org", "a.login.example.org") && !covers("*.example.org", "example.org"));
        assert!(!covers("example.org", "login.example.org"));
    }
}
