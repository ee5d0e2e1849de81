//! A new password for a cache that is in use, in the two steps that the service prescribes.
//!
//! Source: ElastiCache user guide, "Authenticating with the Valkey and Redis OSS AUTH command": ROTATE adds a token beside
//! the old one, SET leaves only the newest, and SET is refused before ROTATE.

use std::time::Duration;

use aws_sdk_elasticache::types::AuthTokenUpdateStrategyType;
use tokio::time::Instant;

use crate::aws::elasticache::replication_group::{self, ReplicationGroups, check_token, state};
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::wait::Waiter;
use crate::resource::{Outcome, Record, Verb, VerbContext};
use crate::secret::Secret;
use crate::value::Value;

const LIMIT: Duration = Duration::from_secs(15 * 60);

pub fn rotate(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "elasticache",
        "rotate_auth_token",
        "The first of two steps to a new auth token: from now on the group accepts the old token and this one. Then let \
         the clients read the new one (`ecs::redeploy`), and end with `elasticache::settle_auth_token`.",
    )
    .param::<Anything>("group", "the replication group: its handle, a row of the listing, or its name")
    .param::<Secret>("token", "the new token, a secret of 16 to 128 characters")
    .actions(&["elasticache:ModifyReplicationGroup", "secretsmanager:GetSecretValue"])
    .run(move |cx, args| change(aws.clone(), cx, args, AuthTokenUpdateStrategyType::Rotate))
}

pub fn settle(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "elasticache",
        "settle_auth_token",
        "The second of two steps to a new auth token: from now on the group accepts only this one. Clients that still \
         use the old one are turned away.",
    )
    .param::<Anything>(
        "group",
        "the replication group: its handle, a row of the listing, or its name",
    )
    .param::<Secret>("token", "the token that was given to `elasticache::rotate_auth_token`")
    .actions(&["elasticache:ModifyReplicationGroup", "secretsmanager:GetSecretValue"])
    .run(move |cx, args| change(aws.clone(), cx, args, AuthTokenUpdateStrategyType::Set))
}

async fn change(aws: Aws, cx: VerbContext, args: Vec<Value>, strategy: AuthTokenUpdateStrategyType) -> Result<Value> {
    let mut args = args.into_iter();
    let group = args.next().unwrap_or_default();
    let token: Secret = args.next().unwrap_or_default().read()?;
    check_token(&token)?;
    let row = meant::find(&cx.engine, replication_group::KIND, &group).await?;
    let (name, id) = (meant::text(&row, "name"), meant::text(&row, "id"));
    let began = Instant::now();
    cx.engine.begin_write().await?;
    // Sent twice, it sets the same token twice.
    let groups = ReplicationGroups(aws);
    groups.set_token(&id, &token, strategy.clone()).await?;

    let (verb, done) = match strategy {
        AuthTokenUpdateStrategyType::Rotate => ("elasticache::rotate_auth_token", "the old token and the new one"),
        _ => ("elasticache::settle_auth_token", "the new token only"),
    };
    let label = format!("{verb}/{name}");
    let mut waiter = Waiter::new(&label, LIMIT, cx.engine.pace(), cx.engine.cancel());
    loop {
        let Some(group) = state::describe(&groups.0, &id).await? else {
            return Err(Error::failed(format!("the replication group {id} is gone")));
        };
        match group.status().unwrap_or_default() {
            "available" => break,
            status => {
                cx.engine.progress().waiting(&label, status);
                waiter.pause(status).await?;
            }
        }
    }
    cx.engine.record(Record {
        kind: verb.into(),
        name,
        id: id.clone(),
        outcome: Outcome::Acted(format!("accepts {done}")),
        took: began.elapsed(),
        ..Record::default()
    });
    Ok(Value::Map(map! { "group" => id, "accepts" => done }))
}
