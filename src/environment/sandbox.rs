//! The section `[sandbox]`: how the embedded cloud behaves.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Wait;

/// The embedded cloud.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// By how much the usual times of AWS are divided. 1 shows them as they are, 0 makes everything at once.
    pub time_scale: u32,
    /// `system` for the machine's time; `virtual` for one that `sandbox::advance("10m")` moves on (then with
    /// `time_scale = 1`, so that there is something to wait for).
    pub clock: Clock,
    /// What takes another time than usually in AWS, as `cache_create = "8m"`; `sandbox::durations()` lists the names.
    pub durations: BTreeMap<String, Wait>,
    /// What goes wrong on purpose, as the functions of `sandbox::` add it.
    pub rules: Vec<Rule>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            time_scale: 1000,
            clock: Clock::default(),
            durations: BTreeMap::new(),
            rules: Vec::new(),
        }
    }
}

/// Whose time the embedded cloud has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// The machine's, moved on by hand.
    Virtual,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Calls are refused with an error.
    Fail,
    /// Calls are refused because of too many requests.
    Throttle,
    /// Calls are refused because a permission is missing.
    Deny,
    /// Calls take longer.
    Delay,
    /// Calls are carried out, and the answer never arrives.
    LoseAnswer,
    /// Calls never arrive.
    Unreachable,
    /// A quota.
    Limit,
    /// What was made is not seen for a while.
    Eventually,
    /// An image cannot be pulled.
    BadImage,
    /// Targets fail their health checks.
    Unhealthy,
    /// A running task stops.
    LoseTask,
    /// A secret cannot be read by a task that starts.
    MissingSecret,
}

impl RuleKind {
    /// As it is written, and as the function in scripts is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Throttle => "throttle",
            Self::Deny => "deny",
            Self::Delay => "delay",
            Self::LoseAnswer => "lose_answer",
            Self::Unreachable => "unreachable",
            Self::Limit => "limit",
            Self::Eventually => "eventually",
            Self::BadImage => "bad_image",
            Self::Unhealthy => "unhealthy",
            Self::LoseTask => "lose_task",
            Self::MissingSecret => "missing_secret",
        }
    }

    /// The keys that it must have.
    pub fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Fail | Self::Throttle | Self::Deny | Self::LoseAnswer | Self::Unreachable => &["service"],
            Self::Delay => &["service", "time"],
            Self::Limit => &["service", "kind"],
            Self::Eventually => &["kind", "time"],
            Self::BadImage | Self::Unhealthy | Self::LoseTask | Self::MissingSecret => &["resource"],
        }
    }

    /// The keys that it may have.
    pub fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Fail => &[
                "action", "code", "message", "status", "resource", "times", "skip", "share", "seed",
            ],
            Self::Throttle | Self::Deny | Self::LoseAnswer | Self::Unreachable | Self::Delay => {
                &["action", "resource", "times", "skip", "share", "seed"]
            }
            Self::Limit => &["most"],
            Self::Eventually => &[],
            Self::BadImage | Self::Unhealthy | Self::LoseTask | Self::MissingSecret => {
                &["times", "skip", "share", "seed"]
            }
        }
    }
}

/// Something that goes wrong on purpose.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub rule: RuleKind,
    /// The service, as scripts call its module (`ecs`, `elb`, `secrets`); `*` for all.
    #[serde(default)]
    pub service: Option<String>,
    /// The operation of the API, as `CreateService`; `*` is a wildcard, and all of the service's are meant without it.
    #[serde(default)]
    pub action: Option<String>,
    /// What the call is about: a name, an id or an ARN; `*` is a wildcard. Of `bad_image` the image, of `unhealthy` the
    /// target group or the service, of `lose_task` the service, of `missing_secret` the secret or parameter.
    #[serde(default)]
    pub resource: Option<String>,
    /// What is limited or seen late, as listings are called: `vpcs`, `security_groups`; for `eventually` also a service.
    #[serde(default)]
    pub kind: Option<String>,
    /// Of `limit`: how many there can be; AWS's own quota without it.
    #[serde(default)]
    pub most: Option<u32>,
    /// Of `delay` and `eventually`: how long, as `500ms` or `2s`.
    #[serde(default)]
    pub time: Option<Wait>,
    /// Of `fail`: the error's code. Without it the service has an internal failure.
    #[serde(default)]
    pub code: Option<String>,
    /// Of `fail`: the error's text.
    #[serde(default)]
    pub message: Option<String>,
    /// Of `fail`: the status of the HTTP answer.
    #[serde(default)]
    #[schemars(range(min = 400, max = 599))]
    pub status: Option<u16>,
    /// How many calls are met. All of them without it.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub times: Option<u32>,
    /// How many calls are let through first.
    #[serde(default)]
    pub skip: Option<u32>,
    /// Which share of the calls is met, from 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub share: Option<f64>,
    /// Which calls these are: the same seed gives the same ones.
    #[serde(default)]
    pub seed: Option<u32>,
}

impl Rule {
    /// A rule that says only what it is.
    pub fn new(rule: RuleKind) -> Self {
        Self {
            rule,
            service: None,
            action: None,
            resource: None,
            kind: None,
            most: None,
            time: None,
            code: None,
            message: None,
            status: None,
            times: None,
            skip: None,
            share: None,
            seed: None,
        }
    }

    /// The keys that it has.
    pub fn given(&self) -> Vec<&'static str> {
        [
            ("service", self.service.is_some()),
            ("action", self.action.is_some()),
            ("resource", self.resource.is_some()),
            ("kind", self.kind.is_some()),
            ("most", self.most.is_some()),
            ("time", self.time.is_some()),
            ("code", self.code.is_some()),
            ("message", self.message.is_some()),
            ("status", self.status.is_some()),
            ("times", self.times.is_some()),
            ("skip", self.skip.is_some()),
            ("share", self.share.is_some()),
            ("seed", self.seed.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect()
    }
}
