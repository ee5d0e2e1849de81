//! A service is deleted: it drains, then it is INACTIVE.

use serde_json::json;

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call};
use super::super::{cluster, deployment, invalid, name_in};
use super::{existing_named, find, key_of, save};

/// The service drains, then it is INACTIVE.
pub fn delete(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let mut service = existing_named(call, &cluster.name, name_in(call.text("service")))?;
    if service.status == "DRAINING" {
        return answer(json!({ "service": service.view(call, true)? }));
    }
    if service.desired > 0 && !call.flag("force") {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    service.desired = 0;
    service.status = "DRAINING".to_owned();
    if let Some(mut deployment) = service
        .deployment
        .take()
        .map(|arn| deployment::find(call, &arn))
        .transpose()?
        .flatten()
    {
        deployment.finish(call, "STOPPED", Some("The service was deleted."), call.now)?;
    }
    save(call, &service)?;
    super::super::settle(call)?;
    let service = find(call, &key_of(&service))?.unwrap_or(service);
    answer(json!({ "service": service.view(call, true)? }))
}
