//! Checks of names and references that the services share.

use serde::Deserialize;

use crate::error::{Error, Result};
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

/// The names of tags are bounded by themselves: 256 characters for a value, which holds `KIND/NAME` and the physical
/// name. Source: EC2 User Guide, "Tag restrictions".
pub fn check_tag(physical: &str) -> Result<()> {
    check("Name tag", physical, 200, " +-=._:/@")
}

/// The `id` of a reference: `ec2::vpc(#{ id: "vpc-1" })`.
pub fn reference_id(noun: &str, prefix: &str, options: &Map) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reference {
        id: String,
    }
    let reference: Reference = Value::Map(options.clone()).read()?;
    match reference.id.starts_with(prefix) {
        true => Ok(reference.id),
        false => Err(Error::failed(format!(
            "\"{}\" is not the id of a {noun}; it begins with `{prefix}`",
            reference.id
        ))),
    }
}
