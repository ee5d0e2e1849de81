//! An environment with a public address in a zone, whose service reaches AWS through endpoints.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_acm::types::ValidationMethod;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use iacsh::sandbox::{Options, Sandbox};

use crate::project::Project;

const SECTIONS: &str = r#"
[network]
endpoints = true

[address]
host = "login.example.org"
zone = "example.org"
"#;

/// What belongs to no environment, made beforehand as somebody would on AWS: a zone and a certificate, with the record
/// that proves the name. Everything is done at once here; the program keeps its own time.
struct Owner {
    dns: aws_sdk_route53::Client,
    acm: aws_sdk_acm::Client,
}

impl Owner {
    fn new(project: &Project) -> Self {
        let options = Options {
            time_scale: 0,
            ..Options::default()
        };
        let sandbox = Sandbox::open(&project.path().join(".sandbox"), options).expect("a sandbox");
        let credentials = Credentials::new("AKIA", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(sandbox.http_client())
            .build();
        Self {
            dns: aws_sdk_route53::Client::new(&config),
            acm: aws_sdk_acm::Client::new(&config),
        }
    }

    async fn make_zone(&self) -> String {
        let call = self
            .dns
            .create_hosted_zone()
            .name("example.org")
            .caller_reference("owner");
        let zone = call.send().await.expect("a zone").hosted_zone.expect("a zone").id;
        zone.trim_start_matches("/hostedzone/").to_owned()
    }

    async fn make_certificate(&self, zone: &str) {
        let call = self.acm.request_certificate().domain_name("login.example.org");
        let made = call
            .validation_method(ValidationMethod::Dns)
            .send()
            .await
            .expect("a certificate");
        let arn = made.certificate_arn.expect("an ARN");
        let described = self
            .acm
            .describe_certificate()
            .certificate_arn(arn)
            .send()
            .await
            .expect("described");
        let certificate = described.certificate.expect("described");
        let proof = certificate.domain_validation_options()[0]
            .resource_record
            .clone()
            .expect("a record");
        let value = ResourceRecord::builder().value(proof.value).build().expect("a value");
        let set = ResourceRecordSet::builder()
            .name(proof.name)
            .r#type(RrType::Cname)
            .ttl(300);
        let set = set.resource_records(value).build().expect("a record");
        let change = Change::builder()
            .action(ChangeAction::Create)
            .resource_record_set(set)
            .build();
        let batch = ChangeBatch::builder()
            .changes(change.expect("a change"))
            .build()
            .expect("a batch");
        let call = self
            .dns
            .change_resource_record_sets()
            .hosted_zone_id(zone)
            .change_batch(batch);
        call.send().await.expect("the record is made");
        // From now on it is issued; this look notes that the record is there.
        self.acm.list_certificates().send().await.expect("a list");
    }

    /// The addresses behind the host.
    async fn ask(&self, zone: &str) -> Vec<String> {
        let call = self
            .dns
            .test_dns_answer()
            .hosted_zone_id(zone)
            .record_name("login.example.org");
        call.record_type(RrType::A).send().await.expect("an answer").record_data
    }
}

#[tokio::test]
async fn an_address_leads_to_a_private_service_and_stays_when_it_goes() {
    let project = Project::new();
    let file = "environments/sandbox.toml";
    project.write(file, &(project.read(file) + SECTIONS));
    let owner = Owner::new(&project);
    let none = project.iacsh(&["scripts/recreate.rhai"]).code(1);
    none.says("no certificate in eu-central-1 is issued for login.example.org")
        .says("iacsh sandbox serve");

    let zone = owner.make_zone().await;
    owner.make_certificate(&zone).await;
    project
        .iacsh(&["scripts/recreate.rhai"])
        .code(0)
        .says("https://login.example.org")
        .says("alias-record");
    assert_eq!(owner.ask(&zone).await.len(), 2, "an address in each public subnet");
    project.iacsh(&["scripts/recreate.rhai"]).code(0).says("no changes");

    // The tasks have no public address: what they need of AWS came through the endpoints.
    let tasks = project.iacsh(&["--json", "-c", "ecs::tasks()"]).code(0).json();
    assert!(tasks.to_string().contains("RUNNING"), "{tasks}");
    let endpoints = project.iacsh(&["--json", "-c", "ec2::vpc_endpoints()"]).code(0).json();
    assert_eq!(endpoints.as_array().map(Vec::len), Some(6), "{endpoints}");
    let gateways = project.iacsh(&["--json", "-c", "ec2::nat_gateways()"]).code(0).json();
    assert_eq!(gateways, serde_json::json!([]));
    project
        .iacsh(&["scripts/inventory.rhai"])
        .code(0)
        .says("login.example.org");

    let destroyed = project
        .iacsh(&["scripts/destroy.rhai", "--yes"])
        .code(0)
        .says("nothing else is left");
    let kept = |line: &str| line.contains("alias-record") && line.contains("kept");
    assert!(
        destroyed.out.lines().chain(destroyed.err.lines()).any(kept),
        "{destroyed}"
    );
    assert!(
        owner.ask(&zone).await.is_empty(),
        "the record leads to a load balancer that is gone"
    );

    let again = project.iacsh(&["--json", "scripts/recreate.rhai"]).code(0).json();
    let records = again["resources"].as_array().expect("resources");
    let record = records
        .iter()
        .find(|record| record["kind"] == "alias-record")
        .expect("the record");
    assert_eq!(record["result"], "changed target", "{again:#}");
    assert_eq!(owner.ask(&zone).await.len(), 2);
}
