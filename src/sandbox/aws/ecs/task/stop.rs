//! A task is stopped.

use serde_json::{Value, json};

use super::super::super::answers::answer;
use super::super::super::call::{Answer, Call, Fault};
use super::super::super::elb::target_group;
use super::super::super::{durations, interfaces};
use super::super::{cluster, invalid, name_in, service};
use super::{Stop, Task, find, ports, save, span};

impl Task {
    /// Asks for the stop at the moment `at`: targets drain first. Asking twice changes nothing.
    pub fn ask_to_stop(
        &mut self,
        call: &Call<'_>,
        load_balancers: &Value,
        at: i64,
        code: &str,
        reason: &str,
    ) -> Result<(), Fault> {
        if self.stop.is_some() {
            return Ok(());
        }
        let mut drained = at;
        for (group, port) in ports(load_balancers) {
            drained = drained.max(target_group::deregister(
                call,
                &group,
                &self.interface.address,
                port,
                at,
            )?);
        }
        let done = drained
            + if at < self.runs {
                0
            } else {
                span(call, call.usual(durations::TASK_STOP))
            };
        self.stop = Some(Stop {
            asked: at,
            done,
            code: code.to_owned(),
            reason: reason.to_owned(),
        });
        for mut interface in interfaces::of_owner(call, &self.arn)? {
            interface.gone_at = Some(done);
            interfaces::save(call, &interface)?;
        }
        save(call, self)
    }
}

pub fn stop_one(call: &Call<'_>) -> Answer {
    let cluster = cluster::existing(call)?;
    let id = name_in(call.text("task"));
    let task = find(call, &format!("{}/{id}", cluster.name))?;
    let mut task = task.ok_or_else(|| invalid("The referenced task was not found."))?;
    let reason = match call.text("reason") {
        "" => "Task stopped by user",
        reason => reason,
    };
    let balancers = match &task.service {
        Some(name) => service::find(call, &format!("{}/{name}", cluster.name))?.map(|service| service.load_balancers()),
        None => None,
    };
    task.ask_to_stop(call, &balancers.unwrap_or_default(), call.now, "UserInitiated", reason)?;
    // The scheduler sees at once that one is missing.
    super::super::settle(call)?;
    answer(json!({ "task": task.view(call, true)? }))
}
