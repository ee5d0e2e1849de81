//! Whose the resources of a run are, and what their tags say.

use jiff::Timestamp;

use super::repository::Repository;
use crate::environment::Environment;
use crate::error::Result;
use crate::resource::{Scope, tags};

/// Identity, what the environment file says of every resource, and who runs this, when, from which commit.
pub fn of(environment: &Environment, now: Timestamp) -> Result<Scope> {
    let mut scope = Scope::new(&environment.project, &environment.name)?;
    scope.descriptive.extend(environment.tags.for_aws());
    let flags = [(tags::PROTECT, environment.protect), (tags::CHAOS, environment.chaos)];
    let flags = flags.map(|(key, is)| (key.to_owned(), is.to_string()));
    scope.descriptive.extend(flags);

    scope.adopted.extend(environment.adopt.clone());
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
    let user = user.ok().filter(|user| !user.is_empty());
    // A nightly job and a container often have neither.
    let user = user.or_else(|| whoami::username().ok());
    let repository = Repository::find(&environment.root);
    let known = [
        (tags::CREATED_BY, Some(user.unwrap_or_else(|| "unknown".into()))),
        (tags::CREATED_AT, Some(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
        (tags::SOURCE, repository.as_ref().and_then(Repository::remote)),
        (tags::COMMIT, repository.as_ref().and_then(Repository::commit)),
    ];
    let known = known
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    scope.volatile.extend(known);
    Ok(scope)
}
