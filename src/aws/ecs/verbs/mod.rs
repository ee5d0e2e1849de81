//! What can be done with services and tasks beside ensuring them.

mod change;
mod look;
mod stop_task;

use crate::aws::ecs::service::{KIND, Services, State};
use crate::aws::{Aws, meant};
use crate::error::{Error, Result};
use crate::resource::{Engine, Kind, Live, Tags, Verb};
use crate::value::Value;

/// How every verb takes a service.
const SERVICE: &str = "the service: its handle, a row of the listing, or its name";

pub fn all(aws: &Aws) -> Vec<Verb> {
    vec![
        look::tasks(aws),
        look::events(aws),
        look::logs(aws),
        look::deployments(aws),
        change::scale(aws),
        change::redeploy(aws),
        stop_task::verb(aws),
    ]
}

/// The service of this environment that an argument means, as it is now.
async fn service(services: &Services, engine: &Engine, argument: &Value) -> Result<Live<State>> {
    let row = meant::find(engine, KIND, argument).await?;
    let known = Live {
        id: meant::text(&row, "arn"),
        name: meant::text(&row, "name"),
        tags: Tags::new(),
        state: State {
            cluster: meant::text(&row, "cluster"),
            ..State::default()
        },
    };
    services
        .refresh(&known)
        .await?
        .ok_or_else(|| Error::failed(format!("the service {} is gone", known.name)))
}
