//! What the types of an environment file cannot say: the forms of names, addresses and times, and what goes together.

mod database;
mod ecs;
mod network;
mod sandbox;

use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;

use super::expiry::Expiry;
use super::model::{AwsTarget, Environment, Redis, RedisEngine, Tags, Wait, Waits};
use crate::schema::Problem;

/// The longest `PROJECT-ENV`. A load balancer's name has 32 characters (Elastic Load Balancing API Reference,
/// CreateLoadBalancer), and `-` with a short hash or a role must fit behind.
const LONGEST_PREFIX: usize = 26;

/// AWS allows 50 tags (Tagging AWS Resources, "Tag naming limits and requirements"); iacsh writes up to 17 of its own, a
/// kind of resource two more.
const MOST_TAGS: usize = 30;

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident = $pattern:literal;)*) => {
        $($(#[$doc])* static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());)*

        #[cfg(test)]
        #[test]
        fn all_patterns_are_right() {
            $(assert!($name.is_some(), stringify!($name));)*
        }
    };
}

patterns! {
    /// What every service takes: ElastiCache wants no double hyphen and none at the end, and lower case.
    NAME = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
    REGION = "^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$";
    ACCOUNT = "^[0-9]{12}$";
    VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$";
    VPC = "^vpc-([0-9a-f]{8}|[0-9a-f]{17})$";
    SUBNET = "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$";
    HOST = "^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\\.)+[a-zA-Z]{2,63}$";
    SERVER = "^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$";
    CERTIFICATE = "^arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[A-Za-z0-9-]+$";
    /// An id of Route 53 has no small letters, and no dot.
    ZONE = "^Z[A-Z0-9]{5,31}$";
    KMS_KEY = "^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$";
    SECRET = "^arn:aws[a-z-]*:(secretsmanager|ssm):[a-z0-9-]+:[0-9]{12}:(secret:|parameter/).+$";
    NODE_TYPE = "^cache\\.[a-z][a-z0-9]*\\.[a-z0-9]+$";
    VERSION = "^[0-9]+\\.[0-9]+(\\.[0-9]+)?$";
    CLASS = "^db\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$";
    INSTANCE = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
    ENGINE_VERSION = "^[0-9]{2}\\.[0-9]{2}(\\.[0-9]+)*(\\.v[0-9]+)?$";
    MASTER_USER = "^[A-Za-z][A-Za-z0-9_]{0,15}$";
    BACKUP_WINDOW = "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$";
    MAINTENANCE_WINDOW = "^(?i)(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$";
    PARAMETER_GROUP = "^[a-z][a-z0-9]*([.-][a-z0-9]+)*$";
    IMAGE = "^[a-z0-9]+([._/-][a-z0-9]+)*(:[0-9]+/[a-z0-9]+([._/-][a-z0-9]+)*)?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$";
    TAG = r"^[\p{L}\p{Nd} +\-=._:/@]*$";
    MIGRATION = "^[0-9]{14}_[A-Za-z0-9_]+$";
    CONNECTION_STRING = "(?i)(^|;)\\s*(password|pwd)\\s*=";
    SECRET_NAME = "(?i)(password|passwd|pwd|secret|api_?key|access_?key|private_?key)$";
}

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// Whether this names a secret or parameter in AWS, not a variable.
pub(super) fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
}

/// Collects problems under a path.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: &[&str], message: impl Into<String>, hint: impl Into<Option<&'static str>>) {
        self.0.push(Problem {
            path: path.iter().map(|&part| part.to_owned()).collect(),
            message: message.into(),
            hint: hint.into().map(str::to_owned),
        });
    }

    fn form(
        &mut self,
        path: &[&str],
        pattern: &LazyLock<Option<Regex>>,
        text: &str,
        what: &str,
        hint: impl Into<Option<&'static str>>,
    ) {
        if !matches(pattern, text) {
            self.add(path, format!("\"{text}\" is not {what}"), hint);
        }
    }
}

/// Everything that is wrong, beyond types.
pub(super) fn check(name: &str, environment: &Environment) -> Vec<Problem> {
    let mut problems = Problems::default();
    names(name, environment, &mut problems);
    aws(environment, &mut problems);
    tags(&environment.tags, &mut problems);
    if environment.protect && environment.chaos {
        problems.add(
            &["chaos"],
            "a protected environment takes no faults on purpose",
            "leave `chaos` out",
        );
    }
    network::check(environment, &mut problems);
    address(environment, &mut problems);
    redis(&environment.redis, &mut problems);
    ecs::check(&environment.ecs, &mut problems);
    database::check(environment, &mut problems);
    waits(&environment.waits, &mut problems);
    adopted(&environment.adopt, &mut problems);
    sandbox::check(environment, &mut problems);
    problems.0
}

fn names(name: &str, environment: &Environment, problems: &mut Problems) {
    let form = "small letters, digits and single hyphens between them, a letter first";
    let project = &environment.project;
    if !matches(&NAME, project) {
        problems.add(&["project"], format!("\"{project}\" is no project name: {form}"), None);
    }
    if !matches(&NAME, name) {
        problems.add(
            &[],
            format!("\"{name}\" is no environment name: {form}"),
            "rename the file",
        );
    }
    if project.starts_with("internal") {
        // CreateLoadBalancer: a name must not begin with "internal-".
        problems.add(
            &["project"],
            "a load balancer's name must not begin with `internal-`",
            None,
        );
    }
    let length = project.len() + 1 + name.len();
    if length > LONGEST_PREFIX {
        problems.add(
            &["project"],
            format!("`{project}-{name}` has {length} characters: {LONGEST_PREFIX} is the most that fits all names"),
            "shorten the project's or the environment's name",
        );
    }
}

fn aws(environment: &Environment, problems: &mut Problems) {
    let aws = &environment.aws;
    let path = |key| ["aws", key];
    problems.form(&path("region"), &REGION, &aws.region, "a region", "as \"eu-central-1\"");
    if let Some(account) = &aws.account {
        problems.form(&path("account"), &ACCOUNT, account, "an account id of 12 digits", None);
    }
    if let Some(endpoint) = &aws.endpoint {
        match url::Url::parse(endpoint) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                if !url.username().is_empty() || url.password().is_some() {
                    problems.add(&path("endpoint"), "an address here holds no user or password", None);
                }
            }
            _ => problems.add(
                &path("endpoint"),
                format!("\"{endpoint}\" is not an address"),
                "as \"http://127.0.0.1:5000\"",
            ),
        }
    }
    if aws.target == AwsTarget::Sandbox {
        for (key, given) in [("profile", aws.profile.is_some()), ("endpoint", aws.endpoint.is_some())] {
            if given {
                let message = format!("the sandbox takes no `{key}`");
                problems.add(&path(key), message, "set target = \"aws\" or leave it out");
            }
        }
    } else if aws.account.is_none() && aws.endpoint.is_none() {
        problems.add(
            &["aws"],
            "`account` is missing",
            "on AWS it guards against changing another account: `aws sts get-caller-identity` tells it",
        );
    }
}

/// Source: Tagging AWS Resources User Guide, "Tag naming limits and requirements".
fn tags(tags: &Tags, problems: &mut Problems) {
    let named = [
        ("owner", &tags.owner),
        ("cost_center", &tags.cost_center),
        ("expires_at", &tags.expires_at),
    ];
    let values = named.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?)));
    for (key, value) in values.chain(tags.other.iter().map(|(key, value)| (key.as_str(), value.as_str()))) {
        if value.chars().count() > 256 || !matches(&TAG, value) {
            let message = "a tag's value has at most 256 letters, digits, spaces and + - = . _ : / @";
            problems.add(&["tags", key], message, None);
        } else if value.trim().is_empty() || value.trim() != value {
            // Tag, RDS API Reference: a value has 1 to 256 characters. Spaces around it are lost in some services.
            let message = "a tag's value is neither empty nor has spaces around it";
            problems.add(&["tags", key], message, "leave the tag out");
        } else if ["aws:", "rds:"]
            .iter()
            .any(|reserved| value.to_lowercase().starts_with(reserved))
        {
            let message = "a tag's value must not begin with `aws:` or `rds:`: services refuse it";
            problems.add(&["tags", key], message, None);
        }
    }
    for key in tags.other.keys() {
        let path = ["tags", key.as_str()];
        let lower = key.to_lowercase();
        if key.is_empty() || key.chars().count() > 127 || !matches(&TAG, key) {
            // Tag, EC2 API Reference: 127 characters; elsewhere 128.
            let message = "a tag's name has 1 to 127 letters, digits, spaces and + - = . _ : / @";
            problems.add(&path, message, None);
        } else if ["aws:", "rds:", "iacsh:"]
            .iter()
            .any(|reserved| lower.starts_with(reserved))
        {
            let message = format!(
                "tags that begin with `{}:` are not free",
                key.split(':').next().unwrap_or_default()
            );
            problems.add(&path, message, None);
        } else if key == "Name" {
            problems.add(
                &path,
                "the tag `Name` is what iacsh calls each resource",
                "choose another name",
            );
        } else if let Some((near, _)) = named
            .iter()
            .find(|(name, _)| strsim::damerau_levenshtein(&lower, name) <= 1)
        {
            problems.0.push(Problem {
                path: path.map(str::to_owned).to_vec(),
                message: format!("the tag `{key}` is too near to `{near}`"),
                hint: Some(format!("did you mean `{near}`?")),
            });
        }
    }
    if tags.other.len() > MOST_TAGS {
        let message = format!(
            "{} tags are too many: {MOST_TAGS} fit beside those of iacsh",
            tags.other.len()
        );
        problems.add(&["tags"], message, None);
    }
    if let Some(date) = &tags.expires_at
        && Expiry::parse(date).is_none()
    {
        let message = format!("\"{date}\" is not a day");
        problems.add(&["tags", "expires_at"], message, "as \"2027-01-31\", or \"never\"");
    }
}

fn address(environment: &Environment, problems: &mut Problems) {
    let Some(address) = &environment.address else { return };
    problems.form(
        &["address", "host"],
        &HOST,
        &address.host,
        "a host name",
        "as \"login.example.org\", without https:// and without a path",
    );
    if let Some(zone) = &address.zone {
        address_zone(&address.host, zone, problems);
    }
    match &address.certificate {
        Some(arn) => certificate(environment, arn, problems),
        None if address.zone.is_none() => problems.add(
            &["address"],
            "`certificate` is missing",
            "give its ARN; it can be left out only when a `zone` is given",
        ),
        None => {}
    }
}

fn address_zone(host: &str, zone: &str, problems: &mut Problems) {
    let path = ["address", "zone"];
    if matches(&ZONE, zone) {
        return;
    }
    let what = "the name or the id of a hosted zone";
    problems.form(
        &path,
        &HOST,
        zone,
        what,
        "as \"example.org\" or \"Z0123456789ABCDEFGHIJ\"",
    );
    let is_within = host
        .to_ascii_lowercase()
        .strip_suffix(&zone.to_ascii_lowercase())
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if matches(&HOST, zone) && !is_within {
        problems.add(&path, format!("{host} is not in the zone {zone}"), None);
    }
}

fn certificate(environment: &Environment, arn: &str, problems: &mut Problems) {
    let path = ["address", "certificate"];
    let region = CERTIFICATE.as_ref().and_then(|pattern| pattern.captures(arn)?.get(1));
    match region {
        None => problems.add(
            &path,
            format!("\"{arn}\" is not the ARN of a certificate"),
            "as \"arn:aws:acm:eu-central-1:123456789012:certificate/...\"",
        ),
        Some(region) if region.as_str() != environment.aws.region => problems.add(
            &path,
            format!(
                "the certificate is in {}, the environment in {}",
                region.as_str(),
                environment.aws.region
            ),
            "a load balancer takes certificates of its own region only",
        ),
        Some(_) => {}
    }
}

fn redis(redis: &Redis, problems: &mut Problems) {
    let path = |key| ["redis", key];
    problems.form(
        &path("node_type"),
        &NODE_TYPE,
        &redis.node_type,
        "a node type",
        "as \"cache.t4g.micro\"",
    );
    if !matches(&VERSION, &redis.engine_version) {
        let message = format!("\"{}\" is not a version", redis.engine_version);
        problems.add(&path("engine_version"), message, "as \"7.1\"");
    } else if let Some(major) = redis
        .engine_version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
    {
        // ElastiCache User Guide, "Supported engines and versions": encryption in transit for replication groups from
        // Redis OSS 6 on is what iacsh uses; Redis OSS ends with 7.1, Valkey begins with 7.2.
        let fits = match redis.engine {
            RedisEngine::Redis => (6..=7).contains(&major),
            RedisEngine::Valkey => major >= 7,
        };
        if !fits {
            let message = format!("{} {} is not supported", redis.engine.as_str(), redis.engine_version);
            problems.add(
                &path("engine_version"),
                message,
                "redis has 6.2 to 7.1, valkey 7.2 and later",
            );
        }
    }
    if redis.replicas > 5 {
        let message = format!("{} replicas: 0 to 5 are possible", redis.replicas);
        problems.add(&path("replicas"), message, None);
    }
    if let Some(group) = &redis.parameter_group {
        let what = "the name of a parameter group";
        problems.form(
            &path("parameter_group"),
            &PARAMETER_GROUP,
            group,
            what,
            "as \"default.redis7\"",
        );
        if !redis.parameters.is_empty() {
            let message = "`parameters` are for the group that is made, and `parameter_group` names one that exists";
            problems.add(&path("parameters"), message, "keep one of the two");
        }
    }
}

fn adopted(adopted: &IndexMap<String, String>, problems: &mut Problems) {
    for (label, physical) in adopted {
        let is_label = label
            .split_once('/')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        if !is_label {
            problems.add(
                &["adopt", label],
                format!("\"{label}\" is no KIND/NAME"),
                "as \"replication-group/redis\" = \"my-redis\"",
            );
        }
        if physical.is_empty() {
            problems.add(&["adopt", label], "the name at the service is empty", None);
        }
    }
}

fn waits(waits: &Waits, problems: &mut Problems) {
    let single = [
        ("resource", waits.resource.as_ref()),
        ("service", waits.service.as_ref()),
        ("delete", waits.delete.as_ref()),
        ("database", Some(&waits.database)),
        ("backup", Some(&waits.backup)),
        ("answer", Some(&waits.answer)),
    ];
    let check = |path: &[&str], wait: &Wait, problems: &mut Problems| {
        if wait.parse().is_none() {
            let message = format!("\"{}\" is not a time between a millisecond and a week", wait.as_str());
            problems.add(path, message, "as \"30s\", \"10m\" or \"1h 30m\"");
        }
    };
    for (key, wait) in single.into_iter().filter_map(|(key, wait)| Some((key, wait?))) {
        check(&["waits", key], wait, problems);
    }
    if waits
        .answer
        .parse()
        .is_some_and(|answer| answer > Waits::LONGEST_ANSWER)
    {
        let why = "a run must know of its last call before its lease expires";
        problems.add(&["waits", "answer"], "an answer is waited for 30 s at most", why);
    }
    for (kind, wait) in &waits.kinds {
        check(&["waits", "kinds", kind], wait, problems);
    }
}
