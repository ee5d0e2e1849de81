//! How instances go from state to state by themselves, and reboot, stop and start.
//!
//! Source: *Viewing Amazon RDS DB instance status*, *Stopping an Amazon RDS DB instance temporarily*, `RebootDBInstance`. A
//! state has an end; whoever calls next finds it over and moves the instance on, from that moment and not from his own.
//! Automated backups are made when an instance is created and when they are switched on; those of later days are not
//! simulated.

use std::time::Duration;

use serde_json::json;

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::durations;
use super::instance::{self, Instance, State, existing, save, wrong_state};
use super::{combination, event, modify, native, snapshot};

/// The moment at which something is over that begins at `at` and really takes `real`.
pub fn later(call: &Call<'_>, at: i64, real: Duration) -> i64 {
    at + (call.after(real) - call.now)
}

enum Step {
    None,
    Moved,
    Gone,
}

/// Ends the states whose time is over.
pub fn settle(call: &Call<'_>) -> Result<(), Fault> {
    let _everything = call.store.see_all();
    for mut instance in call.store.due::<Instance>(instance::KIND)? {
        let mut moved = false;
        loop {
            match step(call, &mut instance)? {
                Step::Moved => moved = true,
                Step::None if moved => break save(call, &instance)?,
                Step::None | Step::Gone => break,
            }
        }
    }
    native::settle(call)?;
    snapshot::settle(call)?;
    event::settle(call)
}

fn step(call: &Call<'_>, instance: &mut Instance) -> Result<Step, Fault> {
    let at = match instance.state {
        State::Available => match instance.pending_from {
            Some(opens) if opens <= call.now => {
                modify::begin_pending(call, instance, opens)?;
                return Ok(Step::Moved);
            }
            _ => return Ok(Step::None),
        },
        _ if instance.until > call.now => return Ok(Step::None),
        _ => instance.until,
    };
    match instance.state {
        State::Available => {}
        State::Creating => {
            instance.created = Some(at);
            match &instance.origin {
                None => event::at(call, instance, "creation", "DB instance created", at)?,
                Some(origin) => {
                    let message = format!("Restored from snapshot {origin}");
                    event::at(call, instance, "restoration", &message, at)?;
                }
            }
            back_up(call, instance, at)?;
        }
        State::BackingUp => {
            event::at(call, instance, "backup", "Finished DB Instance backup", at)?;
            instance.enter(State::Available, at);
        }
        State::Modifying | State::Upgrading | State::Renaming | State::ResettingPassword => {
            if !modify::finish(call, instance, at)? {
                return Ok(Step::None);
            }
        }
        State::Rebooting => {
            event::at(call, instance, "availability", "DB instance restarted", at)?;
            instance.enter(State::Available, at);
        }
        State::Stopping => {
            event::at(call, instance, "notification", "DB instance stopped", at)?;
            instance.enter(State::Stopped, later(call, at, call.usual(durations::DATABASE_STOPPED)));
        }
        State::Stopped => {
            let message = "DB instance is being started due to it exceeding the maximum allowed time being stopped.";
            event::at(call, instance, "notification", message, at)?;
            instance.enter(State::Starting, later(call, at, call.usual(durations::DATABASE_START)));
        }
        State::Starting => {
            event::at(call, instance, "notification", "DB instance started", at)?;
            instance.reboot_needed = false;
            instance.enter(State::Available, at);
        }
        State::Deleting => {
            instance::vanish(call, instance)?;
            return Ok(Step::Gone);
        }
    }
    Ok(Step::Moved)
}

/// The first automated backup, when there are such; then the instance is available.
pub fn back_up(call: &Call<'_>, instance: &mut Instance, at: i64) -> Result<(), Fault> {
    if instance.settings.retention == 0 {
        instance.enter(State::Available, at);
        return Ok(());
    }
    snapshot::automated(call, instance, at)?;
    event::at(call, instance, "backup", "Backing up DB instance", at)?;
    instance.enter(
        State::BackingUp,
        later(call, at, call.usual(durations::DATABASE_SNAPSHOT)),
    );
    Ok(())
}

pub fn reboot(call: &Call<'_>) -> Answer {
    only(call, &["DBInstanceIdentifier", "ForceFailover"])?;
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    instance.need_available("Instance cannot currently reboot due to an in-progress management operation.")?;
    if call.flag("ForceFailover") {
        let Some(second) = instance.second_zone.take() else {
            return Err(combination(
                "You can't enable force failover if the instance isn't configured for Multi-AZ.",
            ));
        };
        let first = std::mem::replace(&mut instance.zone, second);
        instance.second_zone = Some(first);
        event::at(
            call,
            &instance,
            "failover",
            "Multi-AZ instance failover started.",
            call.now,
        )?;
    } else {
        // "The actual parameter changes are not applied until you reboot the instance without failover."
        instance.reboot_needed = false;
    }
    instance.enter(State::Rebooting, call.after(call.usual(durations::DATABASE_REBOOT)));
    save(call, &instance)?;
    answer(json!({ "DBInstance": instance.view(call)? }))
}

pub fn stop(call: &Call<'_>) -> Answer {
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    instance.need_available(&format!("Instance {} is not in available state.", instance.id))?;
    if instance.settings.multi_az {
        return Err(combination(&format!(
            "Cannot stop the instance {}: stopping a Multi-AZ instance is not supported for {}.",
            instance.id, instance.settings.engine
        )));
    }
    let last = call.text("DBSnapshotIdentifier");
    let mut takes = call.usual(durations::DATABASE_STOP);
    if !last.is_empty() {
        snapshot::take(call, &instance, "DBSnapshotIdentifier", last)?;
        takes += call.usual(durations::DATABASE_SNAPSHOT);
    }
    instance.enter(State::Stopping, call.after(takes));
    save(call, &instance)?;
    answer(json!({ "DBInstance": instance.view(call)? }))
}

pub fn start(call: &Call<'_>) -> Answer {
    let mut instance = existing(call, call.text("DBInstanceIdentifier"))?;
    if instance.state != State::Stopped {
        return Err(wrong_state(&format!(
            "Instance {} is not in stopped state.",
            instance.id
        )));
    }
    instance.enter(State::Starting, call.after(call.usual(durations::DATABASE_START)));
    save(call, &instance)?;
    answer(json!({ "DBInstance": instance.view(call)? }))
}
