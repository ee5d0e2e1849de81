//! Starts an instance again.

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{INSTANCE, until};
use crate::aws::error::Call;
use crate::aws::rds::db_instance;
use crate::aws::{Aws, meant};
use crate::error::Result;
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::{Outcome, Record, Verb, VerbContext};
use crate::value::Value;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Whether the server in the other zone takes over: needs `multi_az`.
    #[serde(default)]
    force_failover: bool,
}

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "rds",
        "reboot",
        "Reboots a database server and waits until it is available again: connections break. Parameters that wait for a \
         reboot take effect. Gives a map with instance and seconds.",
    )
    .param::<Anything>("instance", INSTANCE)
    .optional::<Options>("options", "`#{ force_failover: true }`")
    .actions(&["rds:DescribeDBInstances", "rds:RebootDBInstance"])
    .run(move |cx, args| reboot(aws.clone(), cx, args))
}

async fn reboot(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let mut args = args.into_iter();
    let instance = args.next().unwrap_or_default();
    let options: Options = args.next().map(Value::read).transpose()?.unwrap_or_default();
    let row = meant::find(&cx.engine, db_instance::KIND, &instance).await?;
    let (name, id) = (meant::text(&row, "name"), meant::text(&row, "id"));
    let began = Instant::now();
    cx.engine.begin_write().await?;
    // The service refuses a second one while the first is under way.
    let call = aws.rds.reboot_db_instance().db_instance_identifier(&id);
    // Only for several zones; the service refuses the word otherwise, whatever its value.
    let call = call.set_force_failover(options.force_failover.then_some(true));
    call.send().await.call("rds:RebootDBInstance")?;
    until(&aws, &cx, &format!("reboot/{name}"), &id, &["available"]).await?;
    let took = began.elapsed();
    cx.engine.record(Record {
        kind: "rds::reboot".into(),
        name,
        id: id.clone(),
        outcome: Outcome::Acted("rebooted".into()),
        took,
        ..Record::default()
    });
    Ok(Value::Map(map! {
        "instance" => id, "seconds" => (took.as_secs_f64() * 10.0).round() / 10.0,
    }))
}
