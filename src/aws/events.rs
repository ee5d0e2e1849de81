//! What the verbs that tell a service's events have in common: how far back they look.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::Result;
use crate::value::Value;

/// DescribeEvents, of ElastiCache and of RDS: events of the last 14 days are kept.
const MOST_MINUTES: u32 = 14 * 24 * 60;

fn an_hour() -> u32 {
    60
}

/// The last argument of such a verb.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How many minutes back, 20160 (14 days) at most.
    #[serde(default = "an_hour")]
    #[schemars(range(min = 1, max = MOST_MINUTES))]
    minutes: u32,
}

/// How many minutes back the caller asks for: an hour when it does not say.
pub fn minutes(options: Option<Value>) -> Result<i32> {
    let minutes = match options {
        Some(options) => options.read::<Options>()?.minutes,
        None => an_hour(),
    };
    Ok(i32::try_from(minutes).unwrap_or(i32::MAX))
}
