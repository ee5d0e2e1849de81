//! AWS: one file for each kind of resource, and what the services share.
//!
//! Every type of the SDK stays in here. A kind is registered with one line in [`kinds`], the verbs of a service with one
//! line in [`verbs`].

pub mod acm;
pub mod calls;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elasticache;
pub mod elb;
pub mod error;
pub mod events;
pub mod gate;
pub mod iam;
mod leased;
pub mod logs;
pub mod meant;
pub mod named;
pub mod plain;
#[cfg(test)]
mod plan_tests;
pub mod policy;
pub mod preflight;
pub mod queue;
pub mod rds;
mod read_only;
pub mod reads;
pub mod route53;
pub mod secrets;
pub mod shared;
pub mod ssm;
pub mod sweep;
pub mod tagged;
pub mod tags;
pub mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod unsupported;
mod untagged;

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, OnceLock};

use aws_config::SdkConfig;
use aws_sdk_ecr::types::Repository;
use aws_sdk_elasticloadbalancingv2::types::LoadBalancer;

use self::shared::Shared;
use crate::resource::{AnyKind, Lease, Mode, Tags, Verb};

/// A client that is made when it is called first: a run uses a few of them, and each takes a tenth of the time and a
/// tenth of the memory of a start.
pub struct Lazy<T>(Arc<Made<T>>);

type Made<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send + Sync>>;

impl<T> Lazy<T> {
    fn new(make: impl FnOnce() -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy")
    }
}

/// The clients of one account and region. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Aws {
    pub acm: Lazy<aws_sdk_acm::Client>,
    pub ec2: Lazy<aws_sdk_ec2::Client>,
    pub ecr: Lazy<aws_sdk_ecr::Client>,
    pub ecs: Lazy<aws_sdk_ecs::Client>,
    pub elasticache: Lazy<aws_sdk_elasticache::Client>,
    pub elb: Lazy<aws_sdk_elasticloadbalancingv2::Client>,
    pub iam: Lazy<aws_sdk_iam::Client>,
    pub logs: Lazy<aws_sdk_cloudwatchlogs::Client>,
    pub rds: Lazy<aws_sdk_rds::Client>,
    pub route53: Lazy<aws_sdk_route53::Client>,
    pub secrets: Lazy<aws_sdk_secretsmanager::Client>,
    pub ssm: Lazy<aws_sdk_ssm::Client>,
    pub sts: Lazy<aws_sdk_sts::Client>,
    pub tagging: Lazy<aws_sdk_resourcegroupstagging::Client>,
    writes: shared::Writes,
    /// Asked before each attempt of a call that writes.
    leased: leased::Leased,
    /// What the Tagging API tells of tags; see [`Aws::known_tags`].
    tags: Shared<HashMap<String, Tags>>,
    /// The load balancers whose names can be the environment's.
    balancers: Shared<Vec<LoadBalancer>>,
    /// The ARNs of the clusters whose names can be the environment's.
    clusters: Shared<Vec<String>>,
    /// The repositories whose names can be the project's.
    repositories: Shared<Vec<Repository>>,
    pub region: String,
    /// The 12 digits of the account.
    pub account: String,
    /// The embedded one: images are simulated there.
    pub is_sandbox: bool,
    /// The environment names an endpoint of its own, which may know only a part of AWS.
    pub has_endpoint: bool,
    /// Host and zone of the environment's public address, where the file names both. Records have no tags: the one of
    /// the address is found by these.
    pub address: Option<(String, String)>,
    /// The ARN of whoever calls, once it was asked for.
    pub caller: Arc<OnceLock<String>>,
}

impl Aws {
    /// The clients, with every call counted and logged. Those of a plan send only what reads.
    pub fn new(config: &SdkConfig, account: &str, is_sandbox: bool, calls: calls::Calls, mode: Mode) -> Self {
        let writes = shared::Writes::default();
        let leased = leased::Leased::default();
        let has_endpoint = config.endpoint_url().is_some();
        macro_rules! client {
            ($sdk:ident) => {{
                let (config, calls, writes) = (config.clone(), calls.clone(), writes.clone());
                let leased = leased.clone();
                Lazy::new(move || {
                    use $sdk::config::StalledStreamProtectionConfig;
                    use $sdk::config::retry::{RetryPartition, TokenBucket};
                    let http_client = config.http_client();
                    let mut config = $sdk::config::Builder::from(&config)
                        .interceptor(calls)
                        .interceptor(writes)
                        // How often a call is sent is bounded for each call; how many are sent at once, by the queue.
                        .retry_partition(
                            RetryPartition::custom(stringify!($sdk))
                                .token_bucket(TokenBucket::unlimited())
                                .build(),
                        );
                    // While a request waits for its turn nothing of it is sent, which the SDK would take for a network that
                    // stalls and give up after 20 s. How long an answer may take is bounded without that.
                    let stalled = StalledStreamProtectionConfig::enabled().upload_enabled(false);
                    config = config.stalled_stream_protection(stalled.build());
                    if has_endpoint {
                        config = config.retry_classifier(unsupported::NoPages);
                    }
                    if let Some(inner) = http_client {
                        let queue = queue::Queue::default();
                        config = config
                            .interceptor(queue::Turns)
                            .interceptor(leased)
                            .http_client(queue::Queued { inner, queue });
                    }
                    if mode == Mode::Plan {
                        config = config.interceptor(read_only::ReadOnly);
                    }
                    $sdk::Client::from_conf(config.build())
                })
            }};
        }
        Self {
            acm: client!(aws_sdk_acm),
            ec2: client!(aws_sdk_ec2),
            ecr: client!(aws_sdk_ecr),
            ecs: client!(aws_sdk_ecs),
            elasticache: client!(aws_sdk_elasticache),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            iam: client!(aws_sdk_iam),
            logs: client!(aws_sdk_cloudwatchlogs),
            rds: client!(aws_sdk_rds),
            route53: client!(aws_sdk_route53),
            secrets: client!(aws_sdk_secretsmanager),
            ssm: client!(aws_sdk_ssm),
            sts: client!(aws_sdk_sts),
            tagging: client!(aws_sdk_resourcegroupstagging),
            tags: Shared::new("tag", &writes),
            balancers: Shared::new("elasticloadbalancing", &writes),
            clusters: Shared::new("ecs", &writes),
            repositories: Shared::new("ecr", &writes),
            writes,
            leased,
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            account: account.to_owned(),
            is_sandbox,
            has_endpoint,
            address: None,
            caller: Arc::default(),
        }
    }

    /// From now on nothing is written while this lease is not fresh.
    pub fn write_under(&self, lease: &Lease) {
        self.leased.ask(lease.watch());
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:REST`, in the partition of the region.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        let partition = crate::s3::partition(&self.region);
        format!("arn:{partition}:{service}:{}:{}:{rest}", self.region, self.account)
    }
}

/// Every kind of resource, in the order of listings.
pub fn kinds(aws: &Aws) -> Vec<Arc<dyn AnyKind>> {
    vec![
        Arc::new(ec2::vpc::Vpc(aws.clone())),
        Arc::new(ec2::subnet::Subnet(aws.clone())),
        Arc::new(ec2::internet_gateway::InternetGateway(aws.clone())),
        Arc::new(ec2::address::Address(aws.clone())),
        Arc::new(ec2::nat_gateway::NatGateway(aws.clone())),
        Arc::new(ec2::route_table::RouteTable(aws.clone())),
        Arc::new(ec2::security_group::SecurityGroup(aws.clone())),
        Arc::new(ec2::vpc_endpoint::VpcEndpoint(aws.clone())),
        Arc::new(elasticache::cache_subnet_group::CacheSubnetGroups(aws.clone())),
        Arc::new(elasticache::cache_parameter_group::CacheParameterGroups(aws.clone())),
        Arc::new(elasticache::replication_group::ReplicationGroups(aws.clone())),
        Arc::new(rds::db_subnet_group::DbSubnetGroups(aws.clone())),
        Arc::new(rds::db_parameter_group::DbParameterGroups(aws.clone())),
        Arc::new(rds::option_group::OptionGroups(aws.clone())),
        Arc::new(rds::db_instance::DbInstances(aws.clone())),
        Arc::new(rds::db_snapshot::DbSnapshots(aws.clone())),
        Arc::new(elb::load_balancer::LoadBalancers(aws.clone())),
        Arc::new(elb::target_group::TargetGroups(aws.clone())),
        Arc::new(elb::listener::Listeners(aws.clone())),
        Arc::new(route53::alias_record::AliasRecord(aws.clone())),
        Arc::new(ecs::cluster::Clusters(aws.clone())),
        Arc::new(ecs::task_definition::TaskDefinitions(aws.clone())),
        Arc::new(ecs::service::Services::new(aws)),
        Arc::new(ecr::repository::Repository(aws.clone())),
        Arc::new(iam::role::Role(aws.clone())),
        Arc::new(logs::log_group::LogGroup(aws.clone())),
        Arc::new(secrets::secret::Secret(aws.clone())),
        Arc::new(ssm::parameter::Parameter(aws.clone())),
    ]
}

/// Every verb of every service.
pub fn verbs(aws: &Aws) -> Vec<Verb> {
    [
        acm::verbs(aws),
        ec2::verbs::all(aws),
        ecr::verbs::all(aws),
        ecs::verbs::all(aws),
        elasticache::verbs::all(aws),
        elb::verbs::all(aws),
        logs::verbs::all(aws),
        rds::verbs::all(aws),
        route53::verbs(aws),
        secrets::verbs::all(aws),
        tagged::verbs(aws),
    ]
    .concat()
}
