//! What can be done with database servers beside ensuring them.

mod create_snapshot;
mod engine_versions;
mod events;
mod power;
mod reboot;

use crate::aws::Aws;
use crate::aws::rds::db_instance;
use crate::error::{Error, Result};
use crate::resource::wait::Waiter;
use crate::resource::{Readiness, Verb, VerbContext};

pub fn all(aws: &Aws) -> Vec<Verb> {
    vec![
        reboot::verb(aws),
        create_snapshot::verb(aws),
        power::start(aws),
        power::stop(aws),
        events::verb(aws),
        engine_versions::verb(aws),
    ]
}

/// What the parameter `instance` of these verbs takes.
const INSTANCE: &str = "the instance: its handle, a row of the listing, or its name";

/// Waits until an instance is in one of these states. A state that it does not leave by itself is an error.
async fn until(aws: &Aws, cx: &VerbContext, label: &str, id: &str, states: &[&str]) -> Result<()> {
    let limit = std::time::Duration::from_secs(60 * 60);
    let mut waiter = Waiter::new(label, limit, cx.engine.pace(), cx.engine.cancel());
    loop {
        let Some(now) = db_instance::look(aws, id).await? else {
            return Err(Error::failed(format!("the database instance {id} is gone")));
        };
        if states.contains(&now.status.as_str()) {
            return Ok(());
        }
        // The service takes a moment to begin; until then the old state is there.
        if let (Readiness::Failed(error), false) = (now.readiness(id), now.status == "stopped") {
            return Err(error);
        }
        cx.engine.progress().waiting(label, &now.status);
        waiter.pause(&now.status).await?;
    }
}
