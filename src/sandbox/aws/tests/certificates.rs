//! Certificates: requested ones, imported ones, and who takes them.

use aws_sdk_acm::primitives::Blob;
use aws_sdk_acm::types::{CertificateStatus, DomainStatus, Filters, KeyAlgorithm, ValidationMethod};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, Certificate, ProtocolEnum};
use aws_sdk_route53::types::{ChangeAction, RrType};

use super::super::acm::x509::testing::self_signed;
use super::names::{Names, set};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

struct Certificates {
    client: aws_sdk_acm::Client,
}

impl Certificates {
    fn of(names: &Names) -> Self {
        Self {
            client: aws_sdk_acm::Client::new(&names.cloud.config),
        }
    }

    async fn request(&self, domain: &str, others: &[&str]) -> String {
        let call = self.client.request_certificate().domain_name(domain);
        let others = others.iter().map(|other| (*other).to_owned()).collect::<Vec<_>>();
        let call = call
            .validation_method(ValidationMethod::Dns)
            .set_subject_alternative_names(Some(others).filter(|others| !others.is_empty()));
        call.send().await.unwrap().certificate_arn.unwrap()
    }

    async fn certificate(&self, arn: &str) -> aws_sdk_acm::types::CertificateDetail {
        let call = self.client.describe_certificate().certificate_arn(arn);
        call.send().await.unwrap().certificate.unwrap()
    }
}

#[tokio::test]
async fn a_certificate_is_issued_once_its_record_is_there() {
    let names = Names::new();
    let acm = Certificates::of(&names);
    let (arn, late) = (
        acm.request("login.example.org", &["*.login.example.org"]).await,
        acm.request("example.net", &[]).await,
    );
    let fresh = acm.certificate(&arn).await;
    assert_eq!(fresh.status, Some(CertificateStatus::PendingValidation));
    assert!(
        fresh.domain_validation_options.unwrap()[0].resource_record.is_none(),
        "the records come later"
    );
    names.cloud.pass(Duration::from_secs(6));
    let options = acm.certificate(&arn).await.domain_validation_options.unwrap();
    let record = options[0].resource_record.clone().unwrap();
    assert_eq!(
        options[1].resource_record.as_ref(),
        Some(&record),
        "a wildcard needs no record of its own"
    );
    assert_eq!(options[0].validation_status, Some(DomainStatus::PendingValidation));

    // The record goes into the public zone of the name.
    let zone = names.zone("example.org").await;
    let proof = set(&record.name, RrType::Cname, &[&record.value]);
    names.change(&zone, &[(ChangeAction::Create, proof)]).await.unwrap();
    assert_eq!(
        acm.certificate(&arn).await.status,
        Some(CertificateStatus::PendingValidation)
    );
    names.cloud.pass(HOUR);
    let issued = acm.certificate(&arn).await;
    assert_eq!(issued.status, Some(CertificateStatus::Issued));
    assert!(issued.issued_at.is_some() && issued.not_after.unwrap() > issued.not_before.unwrap());

    // The other one never gets its record.
    names.cloud.pass(HOUR * 72);
    assert_eq!(
        acm.certificate(&late).await.status,
        Some(CertificateStatus::ValidationTimedOut)
    );
    let listed = acm
        .client
        .list_certificates()
        .certificate_statuses(CertificateStatus::Issued);
    let listed = listed.send().await.unwrap().certificate_summary_list.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].certificate_arn.as_deref(), Some(arn.as_str()));
    // A second certificate for the same name needs no new record.
    let second = acm.request("login.example.org", &[]).await;
    acm.certificate(&second).await;
    names.cloud.pass(HOUR);
    assert_eq!(acm.certificate(&second).await.status, Some(CertificateStatus::Issued));
    let email = acm.client.request_certificate().domain_name("example.org").send().await;
    assert!(
        refused(email)
            .1
            .contains("not in the sandbox: certificates that are validated by EMAIL")
    );
    let none = acm.client.describe_certificate().certificate_arn(arn.replace('4', "5"));
    let (code, message) = refused(none.send().await);
    assert_eq!(code, "ResourceNotFoundException");
    assert!(
        message.starts_with("Could not find certificate arn:aws:acm:eu-central-1:"),
        "{message}"
    );
}

#[tokio::test]
async fn a_listener_takes_only_a_certificate_that_is_issued_and_holds_it() {
    let names = Names::new();
    let acm = Certificates::of(&names);
    let vpc = names.cloud.vpc("10.0.0.0/16").await;
    let subnets = vec![
        names.cloud.subnet(&vpc, "10.0.1.0/24").await,
        names.cloud.subnet_in(&vpc, "10.0.2.0/24", "eu-central-1b").await,
    ];
    names.cloud.gateway(&vpc).await;
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&names.cloud.config);
    let front = elb
        .create_load_balancer()
        .name("front")
        .set_subnets(Some(subnets))
        .send()
        .await
        .unwrap();
    let front = front.load_balancers.unwrap().remove(0).load_balancer_arn.unwrap();
    let fixed = aws_sdk_elasticloadbalancingv2::types::FixedResponseActionConfig::builder();
    let action = Action::builder()
        .r#type(ActionTypeEnum::FixedResponse)
        .fixed_response_config(fixed.status_code("200").build())
        .build();
    let listen = |certificate: &str| {
        elb.create_listener()
            .load_balancer_arn(&front)
            .port(443)
            .protocol(ProtocolEnum::Https)
            .certificates(Certificate::builder().certificate_arn(certificate).build())
            .default_actions(action.clone())
    };
    let unknown = "arn:aws:acm:eu-central-1:000000000000:certificate/0a1b2c3d-0000-4000-8000-000000000000";
    assert_eq!(code(listen(unknown).send().await), "CertificateNotFound");
    let pending = acm.request("login.example.org", &[]).await;
    assert_eq!(code(listen(&pending).send().await), "UnsupportedCertificate");

    let (text, key) = self_signed(&["login.example.org", "www.example.org"], "login.example.org", 1);
    let import = |text: &str, key: &str| {
        acm.client
            .import_certificate()
            .certificate(Blob::new(text))
            .private_key(Blob::new(key))
    };
    let arn = import(&text, &key).send().await.unwrap().certificate_arn.unwrap();
    let detail = acm.certificate(&arn).await;
    assert_eq!(detail.status, Some(CertificateStatus::Issued));
    assert_eq!(
        detail.subject_alternative_names(),
        ["login.example.org", "www.example.org"]
    );
    let (chained, chained_key) = self_signed(&["login.example.org"], "an authority", 1);
    let (_, other_key) = self_signed(&["login.example.org"], "login.example.org", 2);
    for (text, key, told) in [
        (chained.as_str(), chained_key.as_str(), "not a valid self signed"),
        (text.as_str(), other_key.as_str(), "does not match"),
        ("nonsense", key.as_str(), "PEM"),
    ] {
        let (code, message) = refused(import(text, key).send().await);
        assert_eq!(code, "ValidationException");
        assert!(message.contains(told), "{message}");
    }

    let made = listen(&arn).send().await.unwrap().listeners.unwrap().remove(0);
    assert_eq!(acm.certificate(&arn).await.in_use_by(), [front]);
    let held = acm.client.delete_certificate().certificate_arn(&arn).send().await;
    let (code, message) = refused(held);
    assert_eq!(code, "ResourceInUseException");
    assert!(message.ends_with("in account 000000000000 is in use."), "{message}");
    elb.delete_listener()
        .listener_arn(made.listener_arn.unwrap())
        .send()
        .await
        .unwrap();
    acm.client
        .delete_certificate()
        .certificate_arn(&arn)
        .send()
        .await
        .unwrap();
    let none = Filters::builder().key_types(KeyAlgorithm::EcPrime256v1).build();
    let none = acm.client.list_certificates().includes(none).send().await.unwrap();
    assert!(none.certificate_summary_list().is_empty());
}
