//! The end of an instance: its data goes into a last snapshot first.

use sha2::{Digest, Sha256};

use super::{ABOUT, DbInstances, KIND, State, state};
use crate::aws::error::Call;
use crate::aws::rds::present;
use crate::error::{Error, Result};
use crate::resource::wait::Waiter;
use crate::resource::{Context, Live, Readiness};

/// States of which the service takes no snapshot. Source: DeleteDBInstance, `SkipFinalSnapshot`.
const LOST: [&str; 3] = ["failed", "incompatible-restore", "incompatible-network"];

/// The name of the last snapshot of this one server: another one of the same name gets another, and a destroy that is
/// repeated finds the one that it began.
pub fn name(id: &str, state: &State) -> String {
    let digest = Sha256::digest(format!("{} {}", state.resource_id, state.created_at));
    let hash: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("{id}-final-{hash}")
}

impl DbInstances {
    /// Asks the service to delete it after a last snapshot, and waits until that is whole.
    ///
    /// The service itself takes the snapshot, so that nothing can be written between the two, and copies the instance's
    /// tags to it. Why this is safe: the snapshot's name follows from the instance, so a call that is sent twice, also by
    /// another run, asks for the same.
    pub(super) async fn delete_with_snapshot(&self, cx: &Context<'_>, live: &Live<State>) -> Result<()> {
        let label = format!("{KIND}/{}", live.name);
        let Some(now) = state::describe(&self.0, &live.id).await? else {
            return Ok(());
        };
        let now = self.state(&now).await?;
        let snapshot = name(&live.id, &now);
        if !matches!(now.readiness(&live.id), Readiness::Leaving(_)) {
            self.may_be_deleted(live, &now)?;
            if !now.copies_tags {
                let call = self.0.rds.modify_db_instance().db_instance_identifier(&live.id);
                let call = call.copy_tags_to_snapshot(true);
                call.send().await.call("rds:ModifyDBInstance")?;
            }
            let call = self.0.rds.delete_db_instance().db_instance_identifier(&live.id);
            let call = call.skip_final_snapshot(false).final_db_snapshot_identifier(&snapshot);
            match call.send().await.call("rds:DeleteDBInstance") {
                Err(error) if super::super::is_not_found(&error) => return Ok(()),
                other => other?,
            };
        }
        self.until_whole(cx, live, &label, &snapshot).await
    }

    fn may_be_deleted(&self, live: &Live<State>, now: &State) -> Result<()> {
        if now.deletion_protection {
            return Err(
                Error::declined(format!("{KIND}/{} is protected from deletion", live.name)).hint(
                    "switch its deletion protection off in the environment or the script, and run recreate before destroy",
                ),
            );
        }
        if LOST.contains(&now.status.as_str()) {
            let mut error = Error::failed(format!(
                "{KIND}/{} is {}: the service cannot take a last snapshot of it, so it is left",
                live.name, now.status
            ))
            .hint("if its data is lost anyway: aws rds delete-db-instance --skip-final-snapshot");
            for event in &now.events {
                error = error.note(event.clone());
            }
            return Err(error);
        }
        Ok(())
    }

    async fn until_whole(&self, cx: &Context<'_>, live: &Live<State>, label: &str, snapshot: &str) -> Result<()> {
        let limit = cx.engine.delete_limit(&ABOUT);
        let mut waiter = Waiter::new(label, limit, cx.engine.pace(), cx.engine.cancel());
        let mut is_gone = false;
        loop {
            let call = self.0.rds.describe_db_snapshots().db_snapshot_identifier(snapshot);
            let answer = present(call.send().await.call("rds:DescribeDBSnapshots"))?;
            let found = answer.as_ref().and_then(|answer| answer.db_snapshots().first());
            let reason = match found.map(|found| found.status().unwrap_or_default()) {
                Some("available") => {
                    cx.engine.progress().note(&format!(
                        "{label}: its data is in the snapshot {snapshot}, which is kept"
                    ));
                    return Ok(());
                }
                Some("failed") => {
                    let mut error = Error::failed(format!("{label}: its last snapshot {snapshot} failed"));
                    for event in state::last_events(&self.0, &live.id).await? {
                        error = error.note(event);
                    }
                    return Err(error);
                }
                Some(status) => format!("the snapshot {snapshot} is {status}"),
                // Somebody else deleted it, perhaps without a snapshot.
                None if is_gone => {
                    cx.warn(&format!(
                        "{label} was deleted by somebody else, with no snapshot {snapshot}"
                    ));
                    return Ok(());
                }
                None => {
                    is_gone = state::describe(&self.0, &live.id).await?.is_none();
                    format!("the snapshot {snapshot} is being taken")
                }
            };
            cx.engine.progress().waiting(label, &reason);
            waiter.pause(&reason).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_follows_from_the_one_server() {
        let of = |resource: &str| {
            let state = State {
                resource_id: resource.into(),
                ..State::default()
            };
            name("shop-dev-main", &state)
        };
        assert_eq!(of("db-A"), of("db-A"));
        assert_ne!(of("db-A"), of("db-B"));
        assert!(of("db-A").starts_with("shop-dev-main-final-"));
    }
}
