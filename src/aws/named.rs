//! Checks of names and references that the services share.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::resource::{Kind, Live, Scope, Tags};
use crate::value::{Map, Value};

/// Refuses a physical name that the service would refuse, before anything is made.
pub fn check(what: &str, physical: &str, longest: usize, allowed: &str) -> Result<()> {
    let length = physical.chars().count();
    if length > longest {
        return Err(Error::failed(format!(
            "the name \"{physical}\" has {length} characters; a {what} may have {longest}"
        ))
        .hint("shorten the project, the environment or the name"));
    }
    let strange = |c: &char| !c.is_ascii_alphanumeric() && !allowed.contains(*c);
    match physical.chars().find(strange) {
        Some(c) => Err(Error::failed(format!(
            "the name \"{physical}\" contains `{c}`; a {what} may have letters, digits and {allowed}"
        ))),
        None => Ok(()),
    }
}

/// Refuses a name that ElastiCache and RDS would refuse, or would keep in another spelling: they make all names lower
/// case, so that one with capitals would not be found again.
pub fn check_lower(scope: &Scope, name: &str, what: &str, longest: usize) -> Result<()> {
    let physical = scope.physical(name);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let problem = if physical.len() > longest {
        format!("has {} characters, the most are {longest}", physical.len())
    } else if !physical.chars().all(allowed) {
        "may have only lower-case letters, digits and hyphens".to_owned()
    } else if !physical.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must begin with a letter".to_owned()
    } else if physical.ends_with('-') || physical.contains("--") {
        "may not end with a hyphen or have two in a row".to_owned()
    } else {
        return Ok(());
    };
    Err(
        Error::failed(format!("the name of a {what}, here \"{physical}\", {problem}")).hint(format!(
            "it is made of the project, the environment and the name: {} + {} + {name}",
            scope.project, scope.environment
        )),
    )
}

/// The names of tags are bounded by themselves: 256 characters for a value, which holds `KIND/NAME` and the physical
/// name. Source: EC2 User Guide, "Tag restrictions".
pub fn check_tag(physical: &str) -> Result<()> {
    check("Name tag", physical, 200, " +-=._:/@")
}

/// The resource that a reference names, where [`Kind::refresh`] needs nothing but the id.
pub async fn refreshed<K>(kind: &K, options: &Map, what: &str, region: &str) -> Result<Live<K::State>>
where
    K: Kind,
    K::State: Default,
{
    let id = reference(options)?;
    let named = Live {
        id: id.clone(),
        name: id.clone(),
        tags: Tags::new(),
        state: K::State::default(),
    };
    let found = kind.refresh(&named).await?;
    found.ok_or_else(|| missing(what, &id, region))
}

/// The `id` of a reference, in any form: `iam::role(#{ id: "deploy" })`.
pub fn reference(options: &Map) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reference {
        id: String,
    }
    let reference: Reference = Value::Map(options.clone()).read()?;
    match reference.id.is_empty() {
        true => Err(Error::failed("`id` is empty: which one is meant?")),
        false => Ok(reference.id),
    }
}

/// The `id` of a reference: `ec2::vpc(#{ id: "vpc-1" })`.
pub fn reference_id(noun: &str, prefix: &str, options: &Map) -> Result<String> {
    let id = reference(options)?;
    match id.starts_with(prefix) {
        true => Ok(id),
        false => Err(Error::failed(format!(
            "\"{id}\" is not the id of a {noun}; it begins with `{prefix}`"
        ))),
    }
}

/// What is referenced is not there.
pub fn missing(noun: &str, id: &str, region: &str) -> Error {
    Error::failed(format!("there is no {noun} {id} in {region}"))
}
