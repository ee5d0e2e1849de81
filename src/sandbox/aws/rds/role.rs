//! IAM roles of an instance, by which it may use other services: for SQL Server, S3.
//!
//! Source: RDS API reference, `AddRoleToDBInstance`, `RemoveRoleFromDBInstance`; *Integrating an Amazon RDS for SQL Server DB
//! instance with Amazon S3* (the feature `S3_INTEGRATION`).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::instance::{existing, save};
use super::invalid;

const FEATURE: &str = "S3_INTEGRATION";
/// *Quotas and constraints for Amazon RDS*: IAM roles of an instance.
const MOST: usize = 5;

#[derive(Clone, Serialize, Deserialize)]
pub struct Role {
    pub arn: String,
    pub feature: String,
    /// When it can be used.
    ready: i64,
}

impl Role {
    pub fn status(&self, now: i64) -> &'static str {
        if self.ready <= now { "ACTIVE" } else { "PENDING" }
    }
}

pub fn add(call: &Call<'_>) -> Answer {
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    instance.need_available("Database instance is not in available state.")?;
    let (arn, feature) = (call.text("RoleArn"), call.text("FeatureName"));
    if feature != FEATURE {
        return Err(invalid(&format!(
            "The feature-name {feature} is not supported for the engine {}; it has {FEATURE}.",
            instance.settings.engine
        )));
    }
    if !arn.starts_with("arn:aws:iam::") || !arn.contains(":role/") {
        return Err(invalid(&format!("Invalid IAM role ARN: {arn}")));
    }
    if instance
        .roles
        .iter()
        .any(|role| role.feature == feature || role.arn == arn)
    {
        return Err(Fault::new(
            "DBInstanceRoleAlreadyExists",
            format!(
                "The role {arn} or the feature {feature} is already associated with the DB instance {}.",
                instance.id
            ),
        ));
    }
    if instance.roles.len() >= MOST {
        return Err(Fault::new(
            "DBInstanceRoleQuotaExceeded",
            format!("A DB instance can have {MOST} roles at most."),
        ));
    }
    instance.roles.push(Role {
        arn: arn.to_owned(),
        feature: feature.to_owned(),
        ready: call.after(call.usual(durations::DATABASE_ROLE)),
    });
    save(call, &instance)?;
    answer(json!({}))
}

pub fn remove(call: &Call<'_>) -> Answer {
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    instance.need_available("Database instance is not in available state.")?;
    let (arn, feature) = (call.text("RoleArn"), call.text("FeatureName"));
    let before = instance.roles.len();
    instance.roles.retain(|role| role.arn != arn || role.feature != feature);
    if instance.roles.len() == before {
        return Err(Fault::new(
            "DBInstanceRoleNotFound",
            format!(
                "The role {arn} with the feature {feature} is not associated with the DB instance {}.",
                instance.id
            ),
        )
        .status(404));
    }
    save(call, &instance)?;
    answer(json!({}))
}
