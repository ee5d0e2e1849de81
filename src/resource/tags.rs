//! Whose a resource is: identity tags, which never change, and descriptive tags, which may.
//!
//! Identity is `(project, environment, kind, name)`. It decides what is found, changed and destroyed; a changed owner
//! or cost centre must never make a second VPC.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::kind::{Change, Class};
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
/// `true` in a protected environment.
pub const PROTECT: &str = "iacsh:protect";
/// `true` where faults may be injected on purpose.
pub const CHAOS: &str = "iacsh:chaos";
/// The names of the tags that the environment file gave, apart from those that begin with `iacsh:`. There is no state
/// file: so a later run knows which of them are iacsh's to take away, and which somebody else put there.
pub const GIVEN: &str = "iacsh:given";
pub const NAME: &str = "Name";

/// Between the names in [`GIVEN`]: a tag's value takes no comma.
const BETWEEN: &str = " + ";

/// Tags of iacsh's own that an environment may cease to have. A section is not one of them: at the prompt there is none,
/// and what a script claims stays its.
const REMOVABLE: [&str; 4] = [EXPIRES_AT, PROTECT, CHAOS, GIVEN];

/// The longest value. Source: Tagging AWS Resources, "Tag naming limits and requirements".
pub const LONGEST_VALUE: usize = 256;

/// Beginnings of a value that a service keeps to itself: ECS and Secrets Manager refuse `aws:`, RDS also `rds:`.
/// Source: `Tag` in their API references.
const RESERVED: [&str; 2] = ["aws:", "rds:"];

/// A text that every service takes as a tag's value: at most 256 letters, digits, spaces and `+ - = . _ : / @`. Anything
/// else becomes `_`. Source: the pattern of `TagValue` of ECS, ELBv2, IAM, Logs and SSM.
pub fn clean(text: &str) -> String {
    let allowed = |c: char| if is_allowed(c) { c } else { '_' };
    let text: String = text.trim().chars().map(allowed).take(LONGEST_VALUE).collect();
    let text = text.trim_end();
    let lower = text.to_ascii_lowercase();
    match RESERVED.iter().find(|reserved| lower.starts_with(*reserved)) {
        Some(_) => text.replacen(':', "_", 1),
        None => text.to_owned(),
    }
}

/// Letters, digits and a few signs. Combining marks are letters to Rust and not to the services.
fn is_allowed(c: char) -> bool {
    static LETTERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}]$").ok());
    let is_letter = |c: char| {
        let mut bytes = [0; 4];
        LETTERS
            .as_ref()
            .is_some_and(|letters| letters.is_match(c.encode_utf8(&mut bytes)))
    };
    c.is_ascii_alphanumeric() || " +-=._:/@".contains(c) || !c.is_ascii() && is_letter(c)
}

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
        tags.extend(cleaned(&self.descriptive));
        let given = given(self.descriptive.keys());
        if !given.is_empty() {
            tags.insert(GIVEN.into(), given);
        }
        if !section.is_empty() {
            tags.insert(SECTION.into(), clean(section));
        }
        tags.insert(NAME.into(), clean(&self.physical(name)));
        tags
    }

    /// All tags of a resource that is created now.
    pub fn for_create(&self, kind: &str, name: &str, section: &str) -> Tags {
        let mut tags = self.wanted(kind, name, section);
        tags.extend(cleaned(&self.volatile));
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

    /// Who changed it, when, and from which commit of which repository: written beside a real change.
    pub fn changed_by(&self) -> Tags {
        let keys = [
            (CREATED_BY, CHANGED_BY),
            (CREATED_AT, CHANGED_AT),
            (SOURCE, SOURCE),
            (COMMIT, COMMIT),
        ];
        let known = keys
            .into_iter()
            .filter_map(|(key, as_key)| Some((as_key.to_owned(), clean(self.volatile.get(key)?))));
        known.collect()
    }
}

fn cleaned(tags: &Tags) -> impl Iterator<Item = (String, String)> {
    tags.iter().map(|(key, value)| (key.clone(), clean(value)))
}

/// The value of [`GIVEN`]: the names, in their order, as many as it holds.
fn given<'a>(keys: impl Iterator<Item = &'a String>) -> String {
    let mut told = String::new();
    for key in keys.filter(|key| !is_own(key)) {
        let between = if told.is_empty() { "" } else { BETWEEN };
        if told.chars().count() + between.len() + key.chars().count() <= LONGEST_VALUE {
            told.push_str(between);
            told.push_str(key);
        }
    }
    told
}

/// Whether the name is one that only iacsh gives.
pub fn is_own(key: &str) -> bool {
    key.starts_with("iacsh:")
}

/// Whether a service gave it.
pub fn is_of_aws(key: &str) -> bool {
    key.starts_with("aws:")
}

/// The names that an environment file gave, by the tags of a resource.
pub fn names_given(live: &Tags) -> BTreeSet<&str> {
    let given = live.get(GIVEN).map(String::as_str).unwrap_or_default();
    // Whatever somebody wrote there: identity is never taken away.
    given
        .split(BETWEEN)
        .filter(|key| !key.is_empty() && !is_own(key))
        .collect()
}

/// The tags to set and the keys to remove so that `live` becomes `wanted`. Removed is what iacsh itself wrote and the
/// environment no longer says; what others put there stays.
pub fn difference(wanted: &Tags, live: &Tags) -> (Tags, Vec<String>) {
    let set = wanted.iter().filter(|(key, value)| live.get(*key) != Some(*value));
    let set = set.map(|(key, value)| (key.clone(), value.clone())).collect();
    let given = names_given(live);
    let stale = |key: &&String| {
        !wanted.contains_key(*key) && (REMOVABLE.contains(&key.as_str()) || given.contains(key.as_str()))
    };
    (set, live.keys().filter(stale).cloned().collect())
}

/// The same for people: each tag that is set or removed as a change.
pub fn changes(live: &Tags, set: &Tags, remove: &[String]) -> Vec<Change> {
    let was = |key: &str| live.get(key).cloned().unwrap_or_default();
    let set = set.iter().map(|(key, value)| (key, value.as_str()));
    let removed = remove.iter().map(|key| (key, ""));
    let told = set.chain(removed);
    told.map(|(key, to)| Change::new(&format!("tag {key}"), was(key), to, Class::InPlace))
        .collect()
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
            difference(&scope.wanted("vpc", "main", "network"), &live),
            (Tags::new(), vec![])
        );
        scope.descriptive.insert("owner".into(), "anna".into());
        let (set, remove) = difference(&scope.wanted("vpc", "main", "network"), &live);
        assert_eq!(set.keys().collect::<Vec<_>>(), [GIVEN, "owner"]);
        assert!(remove.is_empty());
    }

    #[test]
    fn what_the_environment_no_longer_says_is_taken_away_and_what_others_wrote_stays() {
        let mut scope = Scope::new("shop", "staging").unwrap();
        let before = [("owner", "anna"), ("Cost Center", "7"), (EXPIRES_AT, "never")];
        scope.descriptive = before.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut live = scope.for_create("vpc", "main", "network");
        assert_eq!(live[GIVEN], "Cost Center + owner");
        live.insert("backup".into(), "daily".into());
        scope.descriptive = [("owner".to_owned(), "bert".to_owned())].into();
        let wanted = scope.wanted("vpc", "main", "network");
        let (set, remove) = difference(&wanted, &live);
        assert_eq!(set.keys().collect::<Vec<_>>(), [GIVEN, "owner"]);
        assert_eq!(remove, ["Cost Center", EXPIRES_AT]);
        let told = changes(&live, &set, &remove);
        assert_eq!((&*told[1].from, &*told[1].to), ("anna", "bert"));
        assert_eq!((&*told[3].field, &*told[3].to), ("tag iacsh:expires-at", ""));
        // Nobody can make iacsh take its own identity away.
        live.insert(GIVEN.into(), format!("{ID} + backup"));
        assert_eq!(difference(&wanted, &live).1, ["backup", EXPIRES_AT]);
        // At the prompt there is no section; what a script claims stays its.
        live.insert(GIVEN.into(), "owner".into());
        assert_eq!(difference(&scope.wanted("vpc", "main", ""), &live).1, [EXPIRES_AT]);
    }

    #[test]
    fn every_service_takes_a_cleaned_value() {
        assert_eq!(clean(" Zoë & co. (draft)? "), "Zoë _ co. _draft__");
        assert_eq!(clean("aws:x"), "aws_x");
        assert_eq!(clean("RDS:x:y"), "RDS_x:y");
        assert_eq!(clean("a\nb\u{301}"), "a_b_");
        assert_eq!(clean(&"é".repeat(300)).chars().count(), 256);
    }

    #[test]
    fn the_list_of_names_is_never_longer_than_a_value() {
        let keys: Vec<String> = (0..30).map(|number| format!("a-rather-long-name-{number}")).collect();
        let told = given(keys.iter());
        assert!(
            told.chars().count() <= LONGEST_VALUE && told.ends_with("name-10"),
            "{told}"
        );
    }
}
