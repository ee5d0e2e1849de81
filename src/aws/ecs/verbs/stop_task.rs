//! Stops one task; the scheduler starts another.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::look::task_row;
use crate::aws::ecs::service::tasks;
use crate::aws::ecs::{cluster, short};
use crate::aws::error::Call;
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::resource::verb::Anything;
use crate::resource::wait::Waiter;
use crate::resource::{Outcome, Record, Verb, VerbContext};
use crate::value::Value;

/// SIGTERM, 30 seconds of grace by default, and the deregistration from the load balancer before it.
const LIMIT: Duration = Duration::from_secs(10 * 60);

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// What the task will say why it stopped; 255 characters at most.
    reason: Option<String>,
}

pub fn verb(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::acts(
        "ecs",
        "stop_task",
        "Stops one task of this environment and waits until it has stopped; its service starts another. Gives the task as \
         `ecs::tasks` lists it.",
    )
    .param::<Anything>("task", "a row of `ecs::tasks`, or the id or ARN of a task")
    .optional::<Options>("options", "`#{ reason: \"...\" }`")
    .actions(&["ecs:DescribeTasks", "ecs:ListTasks", "ecs:StopTask"])
    .run(move |cx, args| stop_task(aws.clone(), cx, args))
}

async fn stop_task(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let mut args = args.into_iter();
    let fields = meant::fields(&args.next().unwrap_or_default()).await?;
    let options: Options = match args.next() {
        Some(options) => options.read()?,
        None => Options::default(),
    };
    let given = ["text", "arn", "id"]
        .iter()
        .map(|key| meant::text(&fields, key))
        .find(|text| !text.is_empty());
    let Some(given) = given else {
        return Err(Error::failed(
            "a task is named by a row of `ecs::tasks`, its id or its ARN",
        ));
    };
    let id = short(&given).to_owned();
    cx.engine.pass_gate().await?;

    // Only in this environment's clusters: whatever the ARN says, nothing outside is touched.
    let mut found = None;
    for cluster in cluster::known(&aws, cx.engine.scope()).await?.iter() {
        let known = tasks::describe(&aws, cluster, std::slice::from_ref(&id)).await?;
        if let Some(task) = known.into_iter().next() {
            found = Some((cluster.clone(), task));
            break;
        }
    }
    let Some((cluster, task)) = found else {
        return Err(Error::failed(format!("this environment has no task {id}"))
            .hint("`ecs::tasks()` lists them; stopped ones are forgotten after an hour or so"));
    };

    let began = Instant::now();
    cx.engine.begin_write().await?;
    // Sent twice, it stops the same task; the second call changes nothing.
    aws.ecs
        .stop_task()
        .cluster(&cluster)
        .task(task.task_arn().unwrap_or(&id))
        .reason(options.reason.as_deref().unwrap_or("stopped with iacsh"))
        .send()
        .await
        .call("ecs:StopTask")?;

    let label = format!("ecs::stop_task/{id}");
    let mut waiter = Waiter::new(&label, LIMIT, cx.engine.pace(), cx.engine.cancel());
    let row = loop {
        let now = tasks::describe(&aws, &cluster, std::slice::from_ref(&id)).await?;
        let now = now.first();
        let status = now.and_then(|task| task.last_status()).unwrap_or("STOPPED");
        if status == "STOPPED" {
            // One that is forgotten already has stopped too.
            break task_row(now.unwrap_or(&task));
        }
        cx.engine.progress().waiting(&label, status);
        waiter.pause(status).await?;
    };
    cx.engine.record(Record {
        kind: "ecs::stop_task".into(),
        name: id,
        id: task.task_arn().unwrap_or_default().to_owned(),
        outcome: Outcome::Acted("stopped".into()),
        took: began.elapsed(),
        ..Record::default()
    });
    Ok(row)
}
