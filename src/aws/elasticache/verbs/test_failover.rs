//! Kills the primary on purpose.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::elasticache::replication_group::{self, state};
use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::wait::Waiter;
use crate::resource::{Outcome, Record, Verb, VerbContext};
use crate::value::Value;

/// A failover takes a minute or two; replacing the failed node some more.
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "elasticache",
        "test_failover",
        "Kills the primary of a replication group and waits until a replica has taken over and the group is available \
         again. Needs a replica; the service allows some of these a day. Gives a map with group, primary_before, primary \
         and seconds.",
    )
    .param::<Anything>("group", "the replication group: its handle, a row of the listing, or its name")
    .actions(&["elasticache:DescribeReplicationGroups", "elasticache:TestFailover"])
    .run(move |cx, args| test_failover(aws.clone(), cx, args))
}

async fn test_failover(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let row = meant::find(
        &cx.engine,
        replication_group::KIND,
        &args.into_iter().next().unwrap_or_default(),
    )
    .await?;
    let (name, id) = (meant::text(&row, "name"), meant::text(&row, "id"));
    let began = Instant::now();
    let gone = || Error::failed(format!("the replication group {id} is gone"));
    let before = state::describe(&aws, &id).await?.ok_or_else(gone)?;
    let shard = before
        .node_groups()
        .first()
        .and_then(|shard| shard.node_group_id())
        .ok_or_else(|| Error::failed(format!("{id} has no nodes yet")))?
        .to_owned();
    let primary_before = replication_group::State::new(&before, &[]).primary;

    cx.engine.begin_write().await?;
    // Not repeated when the answer is lost: a second failover would be a second fault. The SDK's own retry is safe,
    // because the service refuses one while another is under way.
    aws.elasticache
        .test_failover()
        .replication_group_id(&id)
        .node_group_id(&shard)
        .send()
        .await
        .call("elasticache:TestFailover")?;

    let label = format!("test_failover/{name}");
    let mut waiter = Waiter::new(&label, LIMIT, cx.engine.pace(), cx.engine.cancel());
    let primary = loop {
        let group = state::describe(&aws, &id).await?.ok_or_else(gone)?;
        let now = replication_group::State::new(&group, &[]);
        let reason = match now.status.as_str() {
            "available" if now.primary != primary_before => break now.primary,
            "available" => "the primary is still the same".to_owned(),
            status => status.to_owned(),
        };
        cx.engine.progress().waiting(&label, &reason);
        waiter.pause(&reason).await?;
    };
    let took = began.elapsed();
    let shown = primary.clone().unwrap_or_default();
    cx.engine.record(Record {
        kind: "elasticache::test_failover".into(),
        name,
        id: id.clone(),
        outcome: Outcome::Acted(format!("{shown} is the primary now")),
        took,
        ..Record::default()
    });
    Ok(Value::Map(map! {
        "group" => id,
        "primary_before" => primary_before,
        "primary" => primary,
        "seconds" => (took.as_secs_f64() * 10.0).round() / 10.0,
    }))
}
