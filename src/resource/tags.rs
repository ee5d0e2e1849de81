//! Whose a resource is: identity tags, which never change, and descriptive tags, which may.
//!
//! Identity is `(project, environment, kind, name)`. It decides what is found, changed and destroyed; a changed owner
//! or cost centre must never make a second VPC.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

pub type Tags = BTreeMap<String, String>;

pub const PROJECT: &str = "iacsh:project";
pub const ENVIRONMENT: &str = "iacsh:env";
/// `KIND/NAME`.
pub const ID: &str = "iacsh:id";
/// Who claims it: the stdlib module's name, else the script's file name.
pub const SECTION: &str = "iacsh:section";
pub const CREATED_BY: &str = "iacsh:created-by";
pub const CREATED_AT: &str = "iacsh:created-at";
pub const CHANGED_BY: &str = "iacsh:changed-by";
pub const CHANGED_AT: &str = "iacsh:changed-at";
pub const EXPIRES_AT: &str = "iacsh:expires-at";
/// Where the scripts are, without what would say more than a name: no query, no credentials.
pub const SOURCE: &str = "iacsh:source";
pub const COMMIT: &str = "iacsh:commit";

/// Tags that differ from run to run. They are written with a creation or a real change and are no drift.
const VOLATILE: [&str; 6] = [CREATED_BY, CREATED_AT, CHANGED_BY, CHANGED_AT, SOURCE, COMMIT];

/// The environment that a run works on. Nothing outside of it is ever changed.
#[derive(Clone, Debug)]
pub struct Scope {
    pub project: String,
    pub environment: String,
    /// Owner, cost centre, expiry: what the environment file says of every resource.
    pub descriptive: Tags,
    /// Created-by and its kin: who runs this, when, from which commit.
    pub volatile: Tags,
    /// What was made by other means keeps its name at the service: `KIND/NAME` to that name.
    pub adopted: BTreeMap<String, String>,
}

impl Scope {
    /// An empty project or environment would make a filter that finds everything, and is refused.
    pub fn new(project: impl Into<String>, environment: impl Into<String>) -> Result<Self> {
        let scope = Self {
            project: project.into(),
            environment: environment.into(),
            descriptive: Tags::new(),
            volatile: Tags::new(),
            adopted: BTreeMap::new(),
        };
        if scope.project.is_empty() || scope.environment.is_empty() {
            return Err(Error::invalid("the project and the environment must have names"));
        }
        Ok(scope)
    }

    /// The name a resource has at the service, where it has to be unique in the account: `PROJECT-ENV-NAME`.
    pub fn physical(&self, name: &str) -> String {
        format!("{}-{}-{name}", self.project, self.environment)
    }

    /// The name of one resource at the service: that under which it was adopted, else [`Scope::physical`].
    pub fn physical_of(&self, kind: &str, name: &str) -> String {
        match self.adopted_as(kind, name) {
            Some(physical) => physical.to_owned(),
            None => self.physical(name),
        }
    }

    /// The name at the service under which a resource was, or is to be, adopted.
    pub fn adopted_as(&self, kind: &str, name: &str) -> Option<&str> {
        self.adopted.get(&format!("{kind}/{name}")).map(String::as_str)
    }

    /// The names at the service of a kind that were adopted.
    pub fn adopted_of(&self, kind: &str) -> impl Iterator<Item = &str> {
        let of_kind = move |label: &str| label.split_once('/').is_some_and(|(of, _)| of == kind);
        self.adopted
            .iter()
            .filter(move |(label, _)| of_kind(label))
            .map(|(_, physical)| physical.as_str())
    }

    /// The name that a name at the service stands for, when it was made by [`Scope::physical`] or adopted. The tags
    /// decide whose it is.
    pub fn logical<'a>(&'a self, physical: &'a str) -> Option<&'a str> {
        let adopted = self.adopted.iter().find(|(_, adopted)| *adopted == physical);
        let adopted = adopted.and_then(|(label, _)| label.split_once('/'));
        match adopted {
            Some((_, name)) => Some(name),
            None => physical.strip_prefix(&format!("{}-{}-", self.project, self.environment)),
        }
    }

    /// The two tags that every listing filters by.
    pub fn filter(&self) -> [(&'static str, &str); 2] {
        [(PROJECT, &self.project), (ENVIRONMENT, &self.environment)]
    }

    /// The identity of one resource.
    pub fn identity(&self, kind: &str, name: &str) -> Tags {
        let mut tags = Tags::new();
        tags.insert(PROJECT.into(), self.project.clone());
        tags.insert(ENVIRONMENT.into(), self.environment.clone());
        tags.insert(ID.into(), format!("{kind}/{name}"));
        tags
    }

    /// What a resource's tags should be, apart from those that differ from run to run.
    pub fn wanted(&self, kind: &str, name: &str, section: &str) -> Tags {
        let mut tags = self.identity(kind, name);
        tags.extend(self.descriptive.clone());
        if !section.is_empty() {
            tags.insert(SECTION.into(), section.to_owned());
        }
        tags.insert("Name".into(), self.physical(name));
        tags
    }

    /// All tags of a resource that is created now.
    pub fn for_create(&self, kind: &str, name: &str, section: &str) -> Tags {
        let mut tags = self.wanted(kind, name, section);
        tags.extend(self.volatile.clone());
        tags
    }

    /// The name of one of ours, by its tags. `None` when it is not this environment's, or of another kind.
    pub fn name_of<'a>(&self, kind: &str, tags: &'a Tags) -> Option<&'a str> {
        let is = |key: &str, value: &str| tags.get(key).is_some_and(|tag| tag == value);
        if !is(PROJECT, &self.project) || !is(ENVIRONMENT, &self.environment) {
            return None;
        }
        tags.get(ID)?.strip_prefix(kind)?.strip_prefix('/')
    }

    /// Who changed it, and when: written beside a real change.
    pub fn changed_by(&self) -> Tags {
        let by = self
            .volatile
            .get(CREATED_BY)
            .map(|by| (CHANGED_BY.to_owned(), by.clone()));
        let at = self
            .volatile
            .get(CREATED_AT)
            .map(|at| (CHANGED_AT.to_owned(), at.clone()));
        by.into_iter().chain(at).collect()
    }
}

/// The tags to set and the keys to remove so that `live` becomes `wanted`. Only keys of iacsh's own are removed: what
/// others put there stays.
pub fn difference(wanted: &Tags, live: &Tags, descriptive_before: &[&str]) -> (Tags, Vec<String>) {
    let set = wanted.iter().filter(|(key, value)| live.get(*key) != Some(*value));
    let set = set.map(|(key, value)| (key.clone(), value.clone())).collect();
    let stale = |key: &&String| {
        !wanted.contains_key(*key) && !VOLATILE.contains(&key.as_str()) && descriptive_before.contains(&key.as_str())
    };
    (set, live.keys().filter(stale).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_read_back_only_from_ones_own_tags() {
        let scope = Scope::new("shop", "staging").unwrap();
        let tags = scope.for_create("vpc", "main", "network");
        assert_eq!(scope.name_of("vpc", &tags), Some("main"));
        assert_eq!(scope.name_of("subnet", &tags), None);
        assert_eq!(Scope::new("shop", "production").unwrap().name_of("vpc", &tags), None);
        assert_eq!(scope.logical(&scope.physical("web")), Some("web"));
    }

    #[test]
    fn an_empty_filter_is_an_error() {
        assert!(Scope::new("", "staging").is_err());
        assert!(Scope::new("shop", "").is_err());
    }

    #[test]
    fn volatile_and_foreign_tags_are_no_drift() {
        let mut scope = Scope::new("shop", "staging").unwrap();
        scope.volatile.insert(CREATED_AT.into(), "2026-01-01".into());
        let mut live = scope.for_create("vpc", "main", "network");
        live.insert("backup".into(), "daily".into());
        assert_eq!(
            difference(&scope.wanted("vpc", "main", "network"), &live, &[]),
            (Tags::new(), vec![])
        );
        scope.descriptive.insert("owner".into(), "anna".into());
        let (set, remove) = difference(&scope.wanted("vpc", "main", "network"), &live, &[]);
        assert_eq!((set.len(), remove.len()), (1, 0));
    }
}
