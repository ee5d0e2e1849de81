//! The tasks of a service, and what they wrote.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::types::OutputLogEvent;
use aws_sdk_ecs::types::{DesiredStatus, Task, TaskField};
use futures::future::try_join_all;

use crate::aws::Aws;
use crate::aws::ecs::short;
use crate::aws::ecs::task_definition::content;
use crate::aws::error::Call;
use crate::error::Result;

/// DescribeTasks: "A list of up to 100 task IDs or full ARN entries".
const AT_ONCE: usize = 100;

/// How many stopped tasks and log lines of each are told of a failed deployment.
const TOLD_TASKS: usize = 2;
const TOLD_LINES: usize = 10;

/// A line of a container's log.
#[derive(Clone, Debug)]
pub struct Line {
    /// Milliseconds since 1970.
    pub at: i64,
    pub task: String,
    pub container: String,
    pub text: String,
}

/// The tasks of a cluster, or of one service: those that run, and those that stopped within the last hour or so.
pub async fn list(aws: &Aws, cluster: &str, service: Option<&str>, stopped: bool) -> Result<Vec<Task>> {
    let desired = match stopped {
        true => DesiredStatus::Stopped,
        false => DesiredStatus::Running,
    };
    let mut pages = aws
        .ecs
        .list_tasks()
        .cluster(cluster)
        .set_service_name(service.map(str::to_owned))
        .desired_status(desired)
        .into_paginator()
        .send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend(page.call("ecs:ListTasks")?.task_arns.unwrap_or_default());
    }
    describe(aws, cluster, &arns).await
}

pub async fn describe(aws: &Aws, cluster: &str, arns: &[String]) -> Result<Vec<Task>> {
    let found = try_join_all(arns.chunks(AT_ONCE).map(async |some| {
        let call = aws
            .ecs
            .describe_tasks()
            .cluster(cluster)
            .set_tasks(Some(some.to_vec()))
            .include(TaskField::Tags);
        call.send().await.call("ecs:DescribeTasks")
    }))
    .await?;
    // One that has been forgotten comes back among the failures.
    Ok(found
        .into_iter()
        .flat_map(|answer| answer.tasks.unwrap_or_default())
        .collect())
}

/// Why a task stopped: its own reason, and each container's.
fn reason(task: &Task) -> String {
    let id = short(task.task_arn().unwrap_or_default());
    let mut text = format!(
        "task {id} stopped: {}",
        task.stopped_reason().unwrap_or("no reason given")
    );
    for container in task.containers() {
        let name = container.name().unwrap_or_default();
        if let Some(code) = container.exit_code() {
            text.push_str(&format!("; {name} ended with exit code {code}"));
        }
        if let Some(reason) = container.reason() {
            text.push_str(&format!("; {name}: {reason}"));
        }
    }
    text
}

/// What the newest stopped tasks of a service say, of one task definition when it is known.
pub async fn why_stopped(
    aws: &Aws,
    cluster: &str,
    service: &str,
    task_definition: Option<&str>,
) -> Result<Vec<String>> {
    let mut stopped = list(aws, cluster, Some(service), true).await?;
    if let Some(arn) = task_definition {
        stopped.retain(|task| task.task_definition_arn() == Some(arn));
    }
    stopped.sort_by_key(|task| std::cmp::Reverse(task.stopped_at().map(|at| at.secs())));
    stopped.truncate(TOLD_TASKS);
    let mut notes: Vec<_> = stopped.iter().map(reason).collect();
    match lines(aws, &stopped, TOLD_LINES).await {
        Ok(lines) => notes.extend(lines.into_iter().map(|line| format!("log: {}", line.text))),
        Err(error) => notes.push(format!("the log cannot be read: {error}")),
    }
    Ok(notes)
}

/// The last lines of some tasks, oldest first.
pub async fn lines(aws: &Aws, tasks: &[Task], most: usize) -> Result<Vec<Line>> {
    // Which streams: the log configuration stands in the task definition.
    let mut logs: HashMap<String, Vec<(String, String, String)>> = HashMap::new();
    for task in tasks {
        let arn = task.task_definition_arn().unwrap_or_default();
        if logs.contains_key(arn) {
            continue;
        }
        let answer = aws.ecs.describe_task_definition().task_definition(arn).send().await;
        let answer = answer.call("ecs:DescribeTaskDefinition")?;
        let containers = answer
            .task_definition()
            .map(|found| found.container_definitions())
            .unwrap_or_default();
        let found = containers.iter().filter_map(|container| {
            let (group, prefix) = content::log_of(container)?;
            Some((container.name()?.to_owned(), group, prefix))
        });
        logs.insert(arn.to_owned(), found.collect());
    }
    let mut streams = Vec::new();
    for task in tasks {
        let id = short(task.task_arn().unwrap_or_default());
        for (container, group, prefix) in logs
            .get(task.task_definition_arn().unwrap_or_default())
            .into_iter()
            .flatten()
        {
            // ECS developer guide, awslogs-stream-prefix: prefix-name/container-name/ecs-task-id.
            streams.push((
                id,
                container.as_str(),
                group.as_str(),
                format!("{prefix}/{container}/{id}"),
            ));
        }
    }
    let read = streams.iter().map(async |(id, container, group, stream)| {
        let events = tail(aws, group, stream, most).await?;
        let line = |event: OutputLogEvent| Line {
            at: event.timestamp().unwrap_or_default(),
            task: (*id).to_owned(),
            container: (*container).to_owned(),
            text: event.message().unwrap_or_default().trim_end().to_owned(),
        };
        Ok::<_, crate::error::Error>(events.into_iter().map(line).collect::<Vec<_>>())
    });
    let mut lines: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
    lines.sort_by_key(|line| line.at);
    let extra = lines.len().saturating_sub(most);
    Ok(lines.split_off(extra))
}

/// The last events of a stream. A stream that is not there has none: the container never wrote.
async fn tail(aws: &Aws, group: &str, stream: &str, most: usize) -> Result<Vec<OutputLogEvent>> {
    let answer = aws
        .logs
        .get_log_events()
        .log_group_name(group)
        .log_stream_name(stream)
        .start_from_head(false)
        .limit(i32::try_from(most).unwrap_or(i32::MAX))
        .send()
        .await
        .call("logs:GetLogEvents");
    match answer {
        Ok(answer) => Ok(answer.events.unwrap_or_default()),
        Err(error) if error.code() == "ResourceNotFoundException" => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
