//! The embedded AWS seen by the real SDK clients.

mod acls;
mod caches;
mod certificates;
mod conditions;
mod containers;
mod crash;
mod database_groups;
mod database_snapshots;
mod databases;
mod deployments;
mod endpoints;
mod faults;
mod foreign;
mod fuzz;
mod growth;
mod listing;
mod names;
mod native;
mod network;
mod permissions;
mod requests;
mod rules;
mod settings;
mod shared;
mod shop;
mod snapshots;
mod starts;
mod tagging;
mod waiters;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use crate::sandbox::{Clock, Options, Sandbox};

/// A sandbox of its own, with a clock that the test moves.
struct Cloud {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
    clock: Arc<AtomicI64>,
    config: SdkConfig,
    ec2: aws_sdk_ec2::Client,
}

impl Cloud {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let options = Options {
            clock: Clock::Manual(clock.clone()),
            time_scale: 1,
            ..Options::default()
        };
        let sandbox = Sandbox::open(dir.path(), options).unwrap();
        let config = config(&sandbox, "eu-central-1");
        let ec2 = aws_sdk_ec2::Client::new(&config);
        Self {
            dir,
            sandbox,
            clock,
            config,
            ec2,
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(time.as_millis() as i64, Ordering::SeqCst);
    }

    async fn vpc(&self, block: &str) -> String {
        let made = self.ec2.create_vpc().cidr_block(block).send().await.unwrap();
        made.vpc.unwrap().vpc_id.unwrap()
    }

    async fn subnet(&self, vpc: &str, block: &str) -> String {
        let made = self
            .ec2
            .create_subnet()
            .vpc_id(vpc)
            .cidr_block(block)
            .send()
            .await
            .unwrap();
        made.subnet.unwrap().subnet_id.unwrap()
    }

    async fn subnet_in(&self, vpc: &str, block: &str, zone: &str) -> String {
        let call = self
            .ec2
            .create_subnet()
            .vpc_id(vpc)
            .cidr_block(block)
            .availability_zone(zone);
        call.send().await.unwrap().subnet.unwrap().subnet_id.unwrap()
    }

    async fn group(&self, vpc: &str, name: &str) -> String {
        let made = self
            .ec2
            .create_security_group()
            .vpc_id(vpc)
            .group_name(name)
            .description("for a test");
        made.send().await.unwrap().group_id.unwrap()
    }

    async fn gateway(&self, vpc: &str) -> String {
        let made = self.ec2.create_internet_gateway().send().await.unwrap();
        let id = made.internet_gateway.unwrap().internet_gateway_id.unwrap();
        self.ec2
            .attach_internet_gateway()
            .internet_gateway_id(&id)
            .vpc_id(vpc)
            .send()
            .await
            .unwrap();
        id
    }

    /// Leads the VPC's main route table to an internet gateway.
    async fn open(&self, vpc: &str, gateway: &str) {
        let of_vpc = aws_sdk_ec2::types::Filter::builder().name("vpc-id").values(vpc).build();
        let tables = self.ec2.describe_route_tables().filters(of_vpc).send().await.unwrap();
        self.ec2
            .create_route()
            .route_table_id(tables.route_tables()[0].route_table_id().unwrap())
            .destination_cidr_block("0.0.0.0/0")
            .gateway_id(gateway)
            .send()
            .await
            .unwrap();
    }

    async fn address(&self) -> String {
        self.ec2.allocate_address().send().await.unwrap().allocation_id.unwrap()
    }
}

fn config(sandbox: &Sandbox, region: &'static str) -> SdkConfig {
    let credentials = Credentials::new("AKIASANDBOX", "sandbox", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(sandbox.http_client())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new(region))
        .build()
}

/// Code and message of the error that AWS answered.
#[track_caller]
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    result: Result<T, SdkError<E, R>>,
) -> (String, String) {
    match result {
        Err(SdkError::ServiceError(error)) => {
            let error = error.err();
            (
                error.code().unwrap_or_default().to_owned(),
                error.message().unwrap_or_default().to_owned(),
            )
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// Only the code.
#[track_caller]
fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    result: Result<T, SdkError<E, R>>,
) -> String {
    refused(result).0
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn tagged(kind: ResourceType, tags: &[(&str, &str)]) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tags))
        .build()
}
