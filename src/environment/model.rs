//! What an environment file can say. The doc comments are what `iacsh` shows as help for a key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::sandbox::Sandbox;

/// `environments/NAME.toml`: one environment of a project.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// The directory that holds `environments/`.
    #[serde(skip)]
    pub root: PathBuf,

    /// The project: small letters, digits and hyphens. It begins the names of all resources.
    pub project: String,
    /// Whether changes need `--confirm NAME`, which `--yes` does not answer.
    #[serde(default)]
    pub protect: bool,
    /// Whether faults may be injected on purpose, for a rehearsal. Not together with `protect`.
    #[serde(default)]
    pub chaos: bool,
    /// Which cloud.
    pub aws: Aws,
    /// Tags of every resource.
    #[serde(default)]
    pub tags: Tags,
    /// The network: one to make, or references to one that exists.
    #[serde(default)]
    pub network: Network,
    /// The public address. Without it the load balancer speaks HTTP under its own name.
    #[serde(default)]
    pub address: Option<Address>,
    /// The cache.
    #[serde(default)]
    pub redis: Redis,
    /// The service.
    pub ecs: Ecs,
    /// The database.
    #[serde(default)]
    pub database: Database,
    /// The longest time that each kind of waiting may take.
    #[serde(default)]
    pub waits: Waits,
    /// What was made by other means and keeps its name: `"replication-group/redis" = "my-redis"`. `adopt` takes it over.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub adopt: IndexMap<String, String>,
    /// The embedded cloud.
    #[serde(default)]
    pub sandbox: Sandbox,
}

/// Where the resources are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AwsTarget {
    /// The embedded cloud: no account, no cost.
    #[default]
    Sandbox,
    /// AWS, or what answers at `endpoint`.
    Aws,
}

/// Which cloud.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// `sandbox` for the embedded cloud, `aws` for AWS or what answers at `endpoint`.
    #[serde(default)]
    pub target: AwsTarget,
    /// The region, as `eu-central-1`.
    pub region: String,
    /// The account, 12 digits. A run stops when the credentials belong to another one.
    #[serde(default)]
    pub account: Option<String>,
    /// The profile in `~/.aws/config`. Without it the usual variables are read.
    #[serde(default)]
    pub profile: Option<String>,
    /// The address of an AWS-compatible server, as `http://127.0.0.1:5000`.
    #[serde(default)]
    pub endpoint: Option<String>,
}

impl Aws {
    pub fn is_sandbox(&self) -> bool {
        self.target == AwsTarget::Sandbox
    }
}

/// Tags of every resource: the owner's list, and any others as `name = "text"`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub struct Tags {
    /// Who answers for the environment: a team, an address. Tag `owner`.
    #[serde(default)]
    pub owner: Option<String>,
    /// Who pays for it. Tag `cost-center`.
    #[serde(default)]
    pub cost_center: Option<String>,
    /// The last day on which somebody needs it, as `2027-01-31`, a moment, as `2027-01-31T18:00:00Z`, or `never`. Tag
    /// `iacsh:expires-at`. `scripts/expire.rhai` destroys what is past it.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Any other tags.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub other: IndexMap<String, String>,
}

impl Tags {
    /// The tags under the names that they have in AWS.
    pub fn for_aws(&self) -> IndexMap<String, String> {
        let named = [
            ("owner", &self.owner),
            ("cost-center", &self.cost_center),
            ("iacsh:expires-at", &self.expires_at),
        ];
        let named = named
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        named.chain(self.other.clone()).collect()
    }
}

/// How many zones, or which.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Zones {
    Count(usize),
    Names(Vec<String>),
}

impl Zones {
    pub fn count(&self) -> usize {
        match self {
            Zones::Count(count) => *count,
            Zones::Names(names) => names.len(),
        }
    }
}

/// The network: `cidr`, `zones`, `nat` and `endpoints` for one to make, or `vpc`, `public_subnets` and `private_subnets` for one that
/// exists, which is then used and never changed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The addresses of the VPC to make, as `10.0.0.0/16` (the default).
    #[serde(default)]
    pub cidr: Option<String>,
    /// How many availability zones (2 when not given), or a list of their names.
    #[serde(default)]
    pub zones: Option<Zones>,
    /// Whether private subnets reach the internet through a NAT gateway, which costs money by the hour. Without it the
    /// service runs in the public subnets, unless `endpoints` is true.
    #[serde(default)]
    pub nat: Option<bool>,
    /// Whether the service in the private subnets reaches ECR, the logs, its secrets and parameters through VPC endpoints
    /// instead of a NAT gateway. They cost money by the hour too, but nothing else can be reached from there.
    #[serde(default)]
    pub endpoints: Option<bool>,
    /// The id of the VPC that exists, as `vpc-0123456789abcdef0`.
    #[serde(default)]
    pub vpc: Option<String>,
    /// The ids of its subnets with a route to an internet gateway, in at least two zones.
    #[serde(default)]
    pub public_subnets: Vec<String>,
    /// The ids of its subnets without one.
    #[serde(default)]
    pub private_subnets: Vec<String>,
}

/// The two meanings of the section `network`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkPlan {
    Make {
        cidr: Ipv4Net,
        zones: Zones,
        nat: bool,
        endpoints: bool,
    },
    Use {
        vpc: String,
        public_subnets: Vec<String>,
        private_subnets: Vec<String>,
    },
}

impl Network {
    /// The addresses of a VPC when none are given.
    pub const DEFAULT_CIDR: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 0, 0, 0), 16);

    /// Whether the section refers to a network that exists.
    pub fn is_reference(&self) -> bool {
        self.vpc.is_some()
    }

    /// What the section means, with the defaults filled in.
    pub fn plan(&self) -> NetworkPlan {
        match &self.vpc {
            Some(vpc) => NetworkPlan::Use {
                vpc: vpc.clone(),
                public_subnets: self.public_subnets.clone(),
                private_subnets: self.private_subnets.clone(),
            },
            None => NetworkPlan::Make {
                // A loaded environment has a right one: the rules refuse others.
                cidr: self
                    .cidr
                    .as_deref()
                    .and_then(|cidr| cidr.parse().ok())
                    .unwrap_or(Self::DEFAULT_CIDR),
                zones: self.zones.clone().unwrap_or(Zones::Count(2)),
                nat: self.nat.unwrap_or(false),
                endpoints: self.endpoints.unwrap_or(false),
            },
        }
    }
}

/// The public address, for HTTPS.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The host name, as `login.example.org`. It is the issuer of the tokens and must outlive the environment.
    pub host: String,
    /// The ARN of its certificate in ACM, in the region of the environment. With a `zone` it may be left out: then the
    /// one that is issued for the host is looked up.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The hosted zone in Route 53 that the host is in, by name or id. With it the host gets an alias record that leads
    /// to the load balancer; without it somebody sees to that elsewhere.
    #[serde(default)]
    pub zone: Option<String>,
}

/// The engine of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RedisEngine {
    #[default]
    Redis,
    Valkey,
}

impl RedisEngine {
    pub fn as_str(self) -> &'static str {
        match self {
            RedisEngine::Redis => "redis",
            RedisEngine::Valkey => "valkey",
        }
    }
}

/// The cache: an ElastiCache replication group.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// `redis` or `valkey`.
    pub engine: RedisEngine,
    /// The version of the engine, as `7.1`.
    pub engine_version: String,
    /// The size of a node, as `cache.t4g.micro`.
    pub node_type: String,
    /// Copies beside the primary, 0 to 5. With one or more a failed primary is replaced by itself.
    pub replicas: u8,
    /// Whether connections are encrypted and need a token, which is generated and kept in Secrets Manager.
    pub transit_encryption: bool,
    /// Whether what is stored is encrypted.
    pub at_rest_encryption: bool,
    /// The name of a parameter group that exists, as `default.redis7`. Without it one is made.
    pub parameter_group: Option<String>,
    /// The parameters of the group that is made, as `maxmemory-policy = "allkeys-lru"`.
    #[schemars(with = "BTreeMap<String, String>")]
    pub parameters: IndexMap<String, String>,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            engine: RedisEngine::Redis,
            engine_version: "7.1".into(),
            node_type: "cache.t4g.micro".into(),
            replicas: 0,
            transit_encryption: true,
            at_rest_encryption: true,
            parameter_group: None,
            parameters: IndexMap::new(),
        }
    }
}

/// The service: a Fargate service behind the load balancer.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ecs {
    /// `NAME:TAG` in the ECR repository of the project, or the full address of an image.
    pub image: String,
    /// CPU units, 1024 for each processor: 256, 512, 1024, 2048, 4096, 8192 or 16384.
    #[serde(default = "Ecs::default_cpu")]
    pub cpu: u32,
    /// Memory in MiB. Fargate has a range for each `cpu`.
    #[serde(default = "Ecs::default_memory")]
    pub memory: u32,
    /// How many tasks a new service starts with. An existing service keeps its count.
    #[serde(default = "Ecs::default_count")]
    pub count: u32,
    /// The port on which the container listens.
    #[serde(default = "Ecs::default_port")]
    pub port: u16,
    /// The path that answers 200 when the service is well.
    #[serde(default = "Ecs::default_health_path")]
    pub health_path: String,
    /// The issuer of the tokens, as `https://login.example.org`. Without it: the public address, or the load
    /// balancer's name.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Variables of the container. No credentials.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub environment: IndexMap<String, String>,
    /// Secret variables of the container: for each the name of a variable that iacsh reads and keeps in Secrets Manager,
    /// or the ARN of a secret or parameter that exists.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub secrets: IndexMap<String, String>,
}

impl Ecs {
    fn default_cpu() -> u32 {
        256
    }

    fn default_memory() -> u32 {
        512
    }

    fn default_count() -> u32 {
        1
    }

    fn default_port() -> u16 {
        80
    }

    /// Every IdentityServer answers here, and only when it can read its configuration.
    fn default_health_path() -> String {
        "/.well-known/openid-configuration".into()
    }
}

/// A time that may pass, written as `30s`, `10m` or `1h 30m`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Wait(String);

impl Wait {
    /// The longest that makes sense. It keeps sums of times in range.
    pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The time, when it is written rightly and between a millisecond and a week.
    pub fn parse(&self) -> Option<Duration> {
        let duration = self.0.parse::<jiff::SignedDuration>().ok()?.try_into().ok()?;
        (Duration::from_millis(1)..=Self::LONGEST)
            .contains(&duration)
            .then_some(duration)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest time that each kind of waiting may take: `30s`, `10m`, `1h 30m`. What is not given has the bound of its
/// kind of resource.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Waits {
    /// Until a resource is ready.
    pub resource: Option<Wait>,
    /// Until a deployment of the service is done.
    pub service: Option<Wait>,
    /// Until a resource is gone.
    pub delete: Option<Wait>,
    /// Until the database answers.
    pub database: Wait,
    /// Until a backup of a database on RDS is written or restored.
    pub backup: Wait,
    /// Until a call to AWS is answered, before it is sent again. At most 30 s: the lease of a run counts on that.
    pub answer: Wait,
    /// Single kinds of resources, as `replication_group = "20m"`; they come before `resource` and `delete`.
    #[schemars(with = "BTreeMap<String, Wait>")]
    pub kinds: IndexMap<String, Wait>,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            resource: None,
            service: None,
            delete: None,
            database: Wait::new("2m"),
            backup: Wait::new("4h"),
            answer: Wait::new("30s"),
            kinds: IndexMap::new(),
        }
    }
}

impl Waits {
    /// The longest `answer`: a call that is sent within [`crate::resource::lease::Timings::fresh`] has to be over before
    /// the lease expires.
    pub const LONGEST_ANSWER: Duration = Duration::from_secs(30);

    pub fn answer(&self) -> Duration {
        self.answer.parse().unwrap_or(Self::LONGEST_ANSWER)
    }

    pub fn database(&self) -> Duration {
        // A loaded environment has a right one: the rules refuse others.
        self.database.parse().unwrap_or(Duration::from_secs(120))
    }

    /// Large databases take hours.
    pub fn backup(&self) -> Duration {
        self.backup.parse().unwrap_or(Duration::from_secs(4 * 3600))
    }
}
