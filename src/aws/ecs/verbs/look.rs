//! Verbs that only read: tasks, events, log lines, deployments.

use aws_sdk_ecs::types::{HealthStatus, ServiceDeployment, ServiceDeploymentStatus, Task};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{SERVICE, service};
use crate::aws::ecs::service::{Services, State, tasks};
use crate::aws::ecs::{cluster, short};
use crate::aws::error::Call;
use crate::aws::unsupported::is_unsupported;
use crate::aws::{Aws, meant};
use crate::error::Result;
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::{Live, Verb, VerbContext};
use crate::value::Value;

/// DescribeServiceDeployments: "You can specify a maximum of 20 ARNs".
const DEPLOYMENTS_AT_ONCE: usize = 20;

pub fn tasks(aws: &Aws) -> Verb {
    let aws = aws.clone();
    Verb::reads(
        "ecs",
        "tasks",
        "The tasks of a service, or of this environment's clusters: those that run, and those that stopped within the last \
         hour or so. A list of maps with id, arn, service, state, health, zone, address, task_definition, started and, when \
         it stopped, the reason.",
    )
    .optional::<Anything>("service", SERVICE)
    .actions(&["ecs:DescribeTasks", "ecs:ListTasks"])
    .run(move |cx, args| list_tasks(aws.clone(), cx, args))
}

pub fn events(aws: &Aws) -> Verb {
    let services = Services::new(aws);
    Verb::reads(
        "ecs",
        "events",
        "What the scheduler says of a service, newest first, the last hundred: a list of maps with at and message.",
    )
    .param::<Anything>("service", SERVICE)
    .actions(&["ecs:DescribeServices"])
    .run(move |cx, args| list_events(services.clone(), cx, args))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogOptions {
    /// How many lines, the last ones; 10000 at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 10000))]
    lines: u32,
}

fn fifty() -> u32 {
    50
}

pub fn logs(aws: &Aws) -> Verb {
    let (aws, services) = (aws.clone(), Services::new(aws));
    Verb::reads(
        "ecs",
        "logs",
        "The last lines that a service's tasks wrote, oldest first, also those of tasks that stopped: a list of maps with \
         at, task, container and text.",
    )
    .param::<Anything>("service", SERVICE)
    .optional::<LogOptions>("options", "`#{ lines: 50 }`")
    .actions(&["ecs:DescribeTaskDefinition", "ecs:DescribeTasks", "ecs:ListTasks", "logs:FilterLogEvents", "logs:GetLogEvents"])
    .run(move |cx, args| read_logs(aws.clone(), services.clone(), cx, args))
}

pub fn deployments(aws: &Aws) -> Verb {
    let (aws, services) = (aws.clone(), Services::new(aws));
    Verb::reads(
        "ecs",
        "deployments",
        "The deployments of a service, newest first: a list of maps with id, state (SUCCESSFUL, IN_PROGRESS, \
         ROLLBACK_SUCCESSFUL, ...), reason, created and finished.",
    )
    .param::<Anything>("service", SERVICE)
    .actions(&["ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments"])
    .run(move |cx, args| list_deployments(aws.clone(), services.clone(), cx, args))
}

async fn list_tasks(aws: Aws, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let found = match args.first() {
        Some(argument) => {
            let row = meant::find(&cx.engine, crate::aws::ecs::service::KIND, argument).await?;
            let (cluster, name) = (meant::text(&row, "cluster"), meant::text(&row, "id"));
            both(&aws, &cluster, Some(&name)).await?
        }
        None => {
            cx.engine.pass_gate().await?;
            let clusters = cluster::known(&aws, cx.engine.scope()).await?;
            let all = try_join_all(clusters.iter().map(|cluster| both(&aws, cluster, None))).await?;
            all.into_iter().flatten().collect()
        }
    };
    Ok(Value::List(found.iter().map(task_row).collect()))
}

/// Those that run, then those that stopped.
async fn both(aws: &Aws, cluster: &str, service: Option<&str>) -> Result<Vec<Task>> {
    let mut found = tasks::list(aws, cluster, service, false).await?;
    let known: Vec<_> = found.iter().map(|task| task.task_arn().map(str::to_owned)).collect();
    let stopped = tasks::list(aws, cluster, service, true).await?;
    // A task can stop between the two listings.
    found.extend(
        stopped
            .into_iter()
            .filter(|task| !known.contains(&task.task_arn().map(str::to_owned))),
    );
    Ok(found)
}

/// A task as listings show it.
pub(super) fn task_row(task: &Task) -> Value {
    let details = task.attachments().iter().flat_map(|attachment| attachment.details());
    let address = details
        .filter(|detail| detail.name() == Some("privateIPv4Address"))
        .find_map(|detail| detail.value());
    let health = task
        .health_status()
        .map(HealthStatus::as_str)
        .filter(|health| *health != "UNKNOWN");
    let mut row = map! {
        "id" => short(task.task_arn().unwrap_or_default()),
        "arn" => task.task_arn(),
        "service" => task.group().and_then(|group| group.strip_prefix("service:")),
        "state" => task.last_status(),
        "health" => health,
        "zone" => task.availability_zone(),
        "address" => address,
        "task_definition" => task.task_definition_arn().map(short),
        "started" => meant::moment(task.started_at()),
    };
    if let Some(reason) = task.stopped_reason() {
        row.insert("reason".into(), Value::text(reason));
    }
    Value::Map(row)
}

async fn list_events(services: Services, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let live = service(&services, &cx.engine, &args.into_iter().next().unwrap_or_default()).await?;
    let row = |(at, message): &(_, String)| {
        let at: &Option<aws_smithy_types::DateTime> = at;
        Value::Map(map! { "at" => meant::moment(at.as_ref()), "message" => message.as_str() })
    };
    Ok(Value::List(live.state.events.iter().map(row).collect()))
}

async fn read_logs(aws: Aws, services: Services, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let mut args = args.into_iter();
    let live = service(&services, &cx.engine, &args.next().unwrap_or_default()).await?;
    let most = match args.next() {
        Some(options) => options.read::<LogOptions>()?.lines,
        None => fifty(),
    };
    let found = both(&aws, &live.state.cluster, Some(&live.state.service_name)).await?;
    let lines = tasks::lines(&aws, &found, usize::try_from(most).unwrap_or(usize::MAX)).await?;
    let row = |line: &tasks::Line| {
        let at = aws_smithy_types::DateTime::from_millis(line.at);
        Value::Map(map! {
            "at" => meant::moment(Some(&at)),
            "task" => line.task.as_str(),
            "container" => line.container.as_str(),
            "text" => line.text.as_str(),
        })
    };
    Ok(Value::List(lines.iter().map(row).collect()))
}

async fn list_deployments(aws: Aws, services: Services, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let live = service(&services, &cx.engine, &args.into_iter().next().unwrap_or_default()).await?;
    let mut arns = Vec::new();
    let mut token = None;
    loop {
        let call = aws
            .ecs
            .list_service_deployments()
            .cluster(&live.state.cluster)
            .service(&live.id);
        let answer = call.set_next_token(token).send().await;
        if answer.as_ref().is_err_and(|error| is_unsupported(&aws, error)) {
            return Ok(by_service(&live));
        }
        let page = answer.call("ecs:ListServiceDeployments")?;
        let some = page.service_deployments.unwrap_or_default();
        arns.extend(some.into_iter().filter_map(|brief| brief.service_deployment_arn));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    let described = try_join_all(arns.chunks(DEPLOYMENTS_AT_ONCE).map(async |some| {
        let call = aws
            .ecs
            .describe_service_deployments()
            .set_service_deployment_arns(Some(some.to_vec()));
        call.send().await.call("ecs:DescribeServiceDeployments")
    }))
    .await?;
    let mut found: Vec<ServiceDeployment> = described
        .into_iter()
        .flat_map(|answer| answer.service_deployments.unwrap_or_default())
        .collect();
    found.sort_by_key(|deployment| std::cmp::Reverse(deployment.created_at().map(|at| (at.secs(), at.subsec_nanos()))));
    let row = |deployment: &ServiceDeployment| {
        let breaker = deployment.deployment_circuit_breaker();
        Value::Map(map! {
            "id" => short(deployment.service_deployment_arn().unwrap_or_default()),
            "state" => deployment.status().map(ServiceDeploymentStatus::as_str),
            "reason" => deployment.status_reason(),
            "failures" => breaker.map(|breaker| breaker.failure_count()),
            "revision" => deployment.target_service_revision().and_then(|revision| revision.arn()).map(short),
            "created" => meant::moment(deployment.created_at()),
            "finished" => meant::moment(deployment.finished_at()),
        })
    };
    Ok(Value::List(found.iter().map(row).collect()))
}

/// What DescribeServices knows of deployments: those that are not over.
fn by_service(live: &Live<State>) -> Value {
    let row = |deployment: &crate::aws::ecs::service::state::Deployment| {
        Value::Map(map! {
            "id" => deployment.id.as_str(),
            "state" => deployment.rollout.as_ref().map(|rollout| rollout.as_str().to_owned()),
            "reason" => deployment.reason.as_str(),
            "task_definition" => short(&deployment.task_definition),
        })
    };
    Value::List(live.state.deployments.iter().map(row).collect())
}
