//! Verbs that change a service and wait until it has taken effect.

use std::time::Duration;

use tokio::time::Instant;

use super::{SERVICE, service};
use crate::aws::Aws;
use crate::aws::ecs::service::{ABOUT, Services, State};
use crate::aws::error::Call;
use crate::error::{Error, Result};
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::wait::Waiter;
use crate::resource::{Kind, Live, Outcome, Readiness, Record, Verb, VerbContext};
use crate::value::Value;

/// Far more than Fargate's quotas allow: a slip of the keyboard, not a wish.
const MOST_TASKS: i64 = 5000;

pub fn scale(aws: &Aws) -> Verb {
    let (aws, services) = (aws.clone(), Services::new(aws));
    Verb::acts(
        "ecs",
        "scale",
        "Sets how many tasks a service has, and waits until they run. Gives a map with service, desired, running and \
         before. `ensure_service` leaves the number as it is, unless `enforce_count` says otherwise.",
    )
    .param::<Anything>("service", SERVICE)
    .param::<u32>("count", "how many tasks there should be; 0 stops all")
    .actions(&["ecs:UpdateService"])
    .run(move |cx, args| set_count(aws.clone(), services.clone(), cx, args))
}

pub fn redeploy(aws: &Aws) -> Verb {
    let (aws, services) = (aws.clone(), Services::new(aws));
    Verb::acts(
        "ecs",
        "redeploy",
        "Replaces every task of a service by a new one of the same definition, so that it reads its secrets and its image \
         anew, and waits until the deployment succeeded. Gives a map with service, task_definition, running and seconds. \
         A deployment that fails is an error with the reasons.",
    )
    .param::<Anything>("service", SERVICE)
    .actions(&["ecs:UpdateService"])
    .run(move |cx, args| deploy_again(aws.clone(), services.clone(), cx, args))
}

async fn set_count(aws: Aws, services: Services, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let mut args = args.into_iter();
    let live = service(&services, &cx.engine, &args.next().unwrap_or_default()).await?;
    let count: i64 = args.next().unwrap_or_default().read()?;
    let count = i32::try_from(count)
        .ok()
        .filter(|count| (0..=MOST_TASKS).contains(&i64::from(*count)))
        .ok_or_else(|| Error::failed(format!("the number of tasks is 0 to {MOST_TASKS}, not {count}")))?;
    let (began, before) = (Instant::now(), live.state.desired);
    cx.engine.begin_write().await?;
    // Sent twice, it sets the same number twice.
    aws.ecs
        .update_service()
        .cluster(&live.state.cluster)
        .service(&live.id)
        .desired_count(count)
        .send()
        .await
        .call("ecs:UpdateService")?;

    let label = format!("ecs::scale/{}", live.name);
    let now = wait(&services, &cx, &live, &label, |state| {
        let (running, pending) = (state.running, state.pending);
        (state.desired == count && running == count && pending == 0)
            .then_some(())
            .ok_or(format!("{running} of {count} tasks running"))
    })
    .await?;
    done(
        &cx,
        "ecs::scale",
        &live,
        began.elapsed(),
        format!("scaled from {before} to {count}"),
    );
    Ok(Value::Map(map! {
        "service" => live.name,
        "desired" => now.state.desired,
        "running" => now.state.running,
        "before" => before,
    }))
}

async fn deploy_again(aws: Aws, services: Services, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let mut live = service(&services, &cx.engine, &args.into_iter().next().unwrap_or_default()).await?;
    let began = Instant::now();
    // What ended before is not this deployment's end.
    live.state.rollout.known = live.state.rollout.newest.as_ref().map(|newest| newest.arn.clone());
    let primary_before = live.state.primary().map(|primary| primary.id.clone());
    cx.engine.begin_write().await?;
    // Sent twice, the second deployment takes the place of the first; the tasks are the same.
    aws.ecs
        .update_service()
        .cluster(&live.state.cluster)
        .service(&live.id)
        .force_new_deployment(true)
        .send()
        .await
        .call("ecs:UpdateService")?;

    let label = format!("ecs::redeploy/{}", live.name);
    let now = wait(&services, &cx, &live, &label, |state| {
        match state.primary().map(|primary| &primary.id) == primary_before.as_ref() {
            true => Err("the new deployment is not listed yet".to_owned()),
            false => Ok(()),
        }
    })
    .await?;
    let took = began.elapsed();
    done(&cx, "ecs::redeploy", &live, took, "deployed again".to_owned());
    Ok(Value::Map(map! {
        "service" => live.name,
        "task_definition" => now.state.target(),
        "running" => now.state.running,
        "seconds" => (took.as_secs_f64() * 10.0).round() / 10.0,
    }))
}

/// Waits, with a bound, until a service is ready and as the verb wants it.
async fn wait(
    services: &Services,
    cx: &VerbContext,
    live: &Live<State>,
    label: &str,
    arrived: impl Fn(&State) -> Result<(), String>,
) -> Result<Live<State>> {
    let engine = &cx.engine;
    let mut waiter = Waiter::new(label, engine.create_limit(&ABOUT), engine.pace(), engine.cancel());
    loop {
        let Some(now) = services.refresh(live).await? else {
            return Err(Error::failed(format!("the service {} is gone", live.name)));
        };
        let reason = match services.readiness(&now) {
            Readiness::Failed(error) => return Err(error.context(label)),
            Readiness::Waiting(reason) | Readiness::Leaving(reason) => reason,
            Readiness::Ready => match arrived(&now.state) {
                Ok(()) => return Ok(now),
                Err(reason) => reason,
            },
        };
        engine.progress().waiting(label, &reason);
        waiter.pause(&reason).await?;
    }
}

fn done(cx: &VerbContext, verb: &str, live: &Live<State>, took: Duration, what: String) {
    cx.engine.record(Record {
        kind: verb.to_owned(),
        name: live.name.clone(),
        id: live.id.clone(),
        outcome: Outcome::Acted(what),
        took,
        ..Record::default()
    });
}
