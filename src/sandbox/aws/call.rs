//! One call of an AWS API, parsed and validated by the service's model, on its way to the service's state machine.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::durations::{Changed, Usual};
use super::store::Store;

/// A call as a service's file sees it.
///
/// `input` carries the members by the names of the service's model (`CidrBlock`, `TagSpecifications`), whatever they
/// are called on the wire. Lists are arrays, timestamps are seconds since 1970 as numbers, blobs are base64 text. What
/// the model requires is there, and has the model's type; ranges, patterns and enums have been checked.
pub struct Call<'a> {
    /// The service as the SDK's endpoint and the signature name it: `ec2`, `elasticache`, `ecs`,
    /// `elasticloadbalancing`, `ecr`, `iam`, `logs`, `rds`, `ssm`, `secretsmanager`, `sts`, `tagging`.
    pub service: &'static str,
    pub operation: &'a str,
    pub input: Map<String, Value>,
    pub account: &'a str,
    pub region: &'a str,
    /// Milliseconds since 1970, by the sandbox's clock.
    pub now: i64,
    /// What real durations are divided by: 1,000 unless told otherwise; 0 means at once.
    pub time_scale: u32,
    pub durations: &'a Changed,
    /// The state, within the one transaction of this call.
    pub store: &'a Store<'a>,
    /// The sandbox's folder, for what is too large for the state.
    pub dir: &'a std::path::Path,
    /// Encrypts what must not be readable in the state's file, and decrypts it again.
    pub vault: &'a crate::sandbox::vault::Vault,
}

/// What a service answers: the members of the output shape, by the model's names.
pub type Answer = Result<Value, Fault>;

/// An error as AWS gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: String,
    pub message: String,
    pub status: u16,
}

impl Fault {
    /// The client's fault: HTTP status 400, which is what most errors of these services carry.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status: 400,
        }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

impl Call<'_> {
    /// A member as text; empty when it is absent.
    pub fn text(&self, member: &str) -> &str {
        self.input.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member as a whole number.
    pub fn int(&self, member: &str) -> Option<i64> {
        self.input.get(member).and_then(Value::as_i64)
    }

    /// A member as a boolean; `false` when it is absent.
    pub fn flag(&self, member: &str) -> bool {
        self.input.get(member).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A member as a list; empty when it is absent.
    pub fn list(&self, member: &str) -> &[Value] {
        self.input
            .get(member)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// A list member as texts.
    pub fn texts(&self, member: &str) -> Vec<String> {
        self.list(member)
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// A member as any type that serde can read. The model has checked the shape; what is absent gives `None`.
    pub fn read<T: DeserializeOwned>(&self, member: &str) -> Option<T> {
        self.input
            .get(member)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
    }

    /// How long something really takes: usually, or as the environment says.
    pub fn usual(&self, usual: Usual) -> Duration {
        usual.here(self.durations)
    }

    /// The moment at which something that really takes `real` will be over on this sandbox, in milliseconds.
    pub fn after(&self, real: Duration) -> i64 {
        match self.time_scale {
            0 => self.now,
            scale => self.now + (real.as_millis() / u128::from(scale)) as i64,
        }
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:REST`.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }
}
