//! Which tags are missing or wrong on what is ours.
//!
//! It compares what every kind lists with what the environment says, and changes nothing: the next run of the scripts
//! puts right what it can.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::engine::Engine;
use super::tags::{self, Scope, Tags};
use crate::error::Result;

/// A resource of this environment, with all its tags.
#[derive(Clone, Debug)]
pub struct Tagged {
    pub kind: &'static str,
    pub name: String,
    /// The id or ARN by which the service knows it.
    pub id: String,
    pub tags: Tags,
}

/// What is wrong with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Missing,
    /// Another value than the environment says.
    Differs,
    /// iacsh wrote it, and the environment no longer says it.
    Stale,
    /// Somebody else put it there. It stays.
    Foreign,
}

impl Problem {
    pub fn as_str(self) -> &'static str {
        match self {
            Problem::Missing => "missing",
            Problem::Differs => "differs",
            Problem::Stale => "no longer wanted",
            Problem::Foreign => "not of iacsh",
        }
    }
}

/// One tag of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `KIND/NAME`.
    pub resource: String,
    pub id: String,
    pub key: String,
    pub problem: Problem,
    /// The value that is there; empty when there is none.
    pub live: String,
    /// The value that should be there; empty when any will do, or none.
    pub wanted: String,
}

/// Everything of this environment that a service keeps tags of, by the kinds' own listings.
pub async fn everything(engine: &Engine) -> Result<Vec<Tagged>> {
    let kinds = engine.kinds().iter().filter(|kind| kind.has_tags());
    let listings = try_join_all(kinds.map(async |kind| {
        let kind = kind.about().kind;
        let listing = engine.list_again(kind).await?;
        let tagged = |live: &super::any_kind::AnyLive| Tagged {
            kind,
            name: live.name.clone(),
            id: live.id.clone(),
            tags: live.tags.clone(),
        };
        Ok::<_, crate::error::Error>(listing.iter().map(tagged).collect::<Vec<_>>())
    }));
    Ok(listings.await?.into_iter().flatten().collect())
}

/// What is missing or differs, and what somebody added. `required` are keys that must be there with any value, beside
/// those of iacsh and those that the environment gives.
pub async fn audit(engine: &Engine, required: &[String]) -> Result<Vec<Finding>> {
    let found = everything(engine).await?;
    let findings = found.iter().flat_map(|tagged| judge(engine.scope(), tagged, required));
    Ok(findings.collect())
}

fn judge(scope: &Scope, tagged: &Tagged, required: &[String]) -> Vec<Finding> {
    let live = &tagged.tags;
    // A snapshot that a service took by itself carries the identity of its instance.
    let id = live.get(tags::ID).and_then(|id| id.split_once('/'));
    let (kind, name) = id.unwrap_or((tagged.kind, &tagged.name));
    let wanted = scope.wanted(kind, name, live.get(tags::SECTION).map_or("", String::as_str));

    // What must be there with any value. No section: it was made at the prompt, and no script claims it.
    let mut any: BTreeSet<&str> = [tags::SECTION, tags::CREATED_BY, tags::CREATED_AT].into();
    any.extend(
        [tags::SOURCE, tags::COMMIT]
            .iter()
            .filter(|key| scope.volatile.contains_key(**key)),
    );
    any.extend(required.iter().map(String::as_str));

    let finding = |key: &str, problem, wanted: &str| Finding {
        resource: format!("{}/{}", tagged.kind, tagged.name),
        id: tagged.id.clone(),
        key: key.to_owned(),
        problem,
        live: live.get(key).cloned().unwrap_or_default(),
        wanted: wanted.to_owned(),
    };
    let (set, remove) = tags::difference(&wanted, live);
    let mut findings: Vec<_> = set
        .iter()
        .map(|(key, value)| {
            let problem = if live.contains_key(key) {
                Problem::Differs
            } else {
                Problem::Missing
            };
            finding(key, problem, value)
        })
        .collect();
    let absent = any
        .into_iter()
        .filter(|key| !live.contains_key(*key) && !set.contains_key(*key));
    findings.extend(absent.map(|key| finding(key, Problem::Missing, "")));
    findings.extend(remove.iter().map(|key| finding(key, Problem::Stale, "")));
    let is_foreign = |key: &&String| {
        // A kind of resource writes tags of iacsh beside the common ones.
        let known = wanted.contains_key(*key) || remove.contains(*key) || required.contains(*key);
        !known && !tags::is_own(key) && !tags::is_of_aws(key)
    };
    findings.extend(
        live.keys()
            .filter(is_foreign)
            .map(|key| finding(key, Problem::Foreign, "")),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(descriptive: &[(&str, &str)]) -> Scope {
        let mut scope = Scope::new("shop", "staging").unwrap();
        let tags = descriptive
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        scope.descriptive = tags.collect();
        let volatile = [tags::CREATED_BY, tags::CREATED_AT, tags::COMMIT];
        scope.volatile = volatile.map(|key| (key.to_owned(), "x".to_owned())).into();
        scope
    }

    fn told(scope: &Scope, live: Tags, required: &[&str]) -> Vec<String> {
        let tagged = Tagged {
            kind: "vpc",
            name: "main".into(),
            id: "vpc-1".into(),
            tags: live,
        };
        let required: Vec<_> = required.iter().map(|&key| key.to_owned()).collect();
        let findings = judge(scope, &tagged, &required);
        findings
            .iter()
            .map(|found| {
                format!(
                    "{} {}: {:?} {:?}",
                    found.key,
                    found.problem.as_str(),
                    found.live,
                    found.wanted
                )
            })
            .collect()
    }

    #[test]
    fn what_iacsh_made_passes() {
        let scope = scope(&[("owner", "anna"), (tags::PROTECT, "false")]);
        let mut live = scope.for_create("vpc", "main", "network");
        live.insert("aws:cloudformation:stack-name".into(), "x".into());
        live.extend(scope.changed_by());
        assert_eq!(told(&scope, live, &["owner"]), Vec::<String>::new());
    }

    #[test]
    fn each_tag_that_is_wrong_is_told_with_what_is_and_what_should_be() {
        let before = scope(&[("owner", "anna"), ("purpose", "tests")]);
        let mut live = before.for_create("vpc", "main", "");
        live.remove(tags::CREATED_AT);
        live.insert("backup".into(), "daily".into());
        let now = scope(&[("owner", "bert"), (tags::PROTECT, "true")]);
        assert_eq!(
            told(&now, live, &["cost-center"]),
            [
                "iacsh:given differs: \"owner + purpose\" \"owner\"",
                "iacsh:protect missing: \"\" \"true\"",
                "owner differs: \"anna\" \"bert\"",
                "cost-center missing: \"\" \"\"",
                "iacsh:created-at missing: \"\" \"\"",
                "iacsh:section missing: \"\" \"\"",
                "purpose no longer wanted: \"tests\" \"\"",
                "backup not of iacsh: \"daily\" \"\"",
            ]
        );
    }

    #[test]
    fn a_snapshot_with_its_instances_tags_passes() {
        let scope = scope(&[]);
        let tagged = Tagged {
            kind: "db-snapshot",
            name: "rds:database-2027".into(),
            id: "rds:shop-staging-database-2027".into(),
            tags: scope.for_create("db-instance", "database", "database"),
        };
        assert_eq!(judge(&scope, &tagged, &[]), []);
    }
}
