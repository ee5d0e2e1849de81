//! A create call that was refused because the name is taken.
//!
//! By whom? By what an earlier attempt of this run made, whose answer was lost; by what a run before this one made a moment
//! before it died; or by somebody else's. Listings may lag behind the create call, so that one which does not have it yet
//! proves nothing. So the service is asked for whatever has the name: that tells a stranger at once, and otherwise both are
//! asked again, for as long as what was created may be seen in no listing.

use super::converge::Work;
use super::kind::{Kind, Live};
use super::tags::{ENVIRONMENT, PROJECT, Scope, Tags};
use super::wait::{self, Waiter};
use crate::error::{Error, Result};
use crate::map;

impl<K: Kind> Work<'_, K> {
    /// What has the name, when it is ours. `refused` is the service's word that it is taken.
    pub(super) async fn find_taken(&self, refused: Error) -> Result<Live<K::State>> {
        let (kind, scope) = (self.kind.about().kind, self.engine.scope());
        let limit = self.engine.lease().consistency();
        let mut waiter = Waiter::new(self.label(), limit, self.engine.pace(), self.engine.cancel());
        let mut unanswered = None;
        loop {
            if let Some(live) = self.find(true).await? {
                return Ok(live);
            }
            let taken_by = self.kind.taken_by(scope, self.name, self.spec);
            match self.engine.reading(taken_by).await {
                Ok(Some(live)) if scope.name_of(kind, &live.tags) == Some(self.name) => return Ok(live),
                Ok(Some(live)) => return Err(self.is_foreign(refused, &live)),
                Ok(None) => {}
                // The listing may tell it as well; who may not ask for one alone is told so when it does not.
                Err(error) if !error.code().is_empty() => unanswered = Some(error),
                Err(error) => return Err(error),
            }
            if waiter.is_over() {
                break;
            }
            let reason = "its name is taken: looking for what has it";
            self.engine.progress().waiting(&self.label(), reason);
            waiter.pause(reason).await?;
        }
        let error = refused.note(format!(
            "the name of {} is taken, and what has it was not found among this environment's resources within {}",
            self.label(),
            wait::words(limit)
        ));
        let error = match unanswered {
            Some(unanswered) => error.note(unanswered.to_string()),
            None => error,
        };
        Err(error.hint("run the same command again; if it fails again, somebody else has the name"))
    }

    fn is_foreign(&self, refused: Error, live: &Live<K::State>) -> Error {
        let kind = self.kind.about().kind;
        let there = format!("{} is there already ({})", self.label(), live.id);
        let error = refused.note(match whose(&live.tags) {
            Some(other) => format!("{there}, and belongs to {other}"),
            None => format!("{there}, but it does not carry this environment's tags"),
        });
        error.hint(format!(
            "adopt(\"{kind}\", ID, #{{ name: \"{}\", ... }}) takes it over",
            self.name
        ))
    }
}

/// Which environment it carries the tags of.
fn whose(tags: &Tags) -> Option<String> {
    Some(format!("{} {}", tags.get(PROJECT)?, tags.get(ENVIRONMENT)?))
}

/// What has the name that one of ours would have at the service: [`Kind::taken_by`] of the kinds that a reference finds by
/// their names.
pub(super) async fn by_name<K: Kind>(kind: &K, scope: &Scope, name: &str) -> Result<Option<Live<K::State>>> {
    let options = map! { "id" => kind.physical(scope, name) };
    let found = match kind.reference(&options).await {
        Ok(found) => kind.complete(scope, found).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(mut found) => {
            found.name = name.to_owned();
            Ok(Some(found))
        }
        // Only a service's own failures have a code: it is not there, or not found by its name.
        Err(error) if error.code().is_empty() => Ok(None),
        Err(error) => Err(error),
    }
}
