//! Tags between iacsh and the services, each of which has a tag type of its own.
//!
//! Every create call carries them. What a service makes out of what it is given gets them where the service passes them
//! on: ECS from a service to its tasks (`propagateTags`), RDS from an instance to its snapshots (`CopyTagsToSnapshot`).
//! The network interfaces of load balancers, tasks, endpoints and NAT gateways belong to those services and pass nothing
//! on; they cost nothing and go with what they serve. iacsh does not tag them afterwards: they stay for minutes after
//! their owner is gone, and a destroy would then find what it cannot delete.

use crate::resource::Tags;

/// Reads the tags of an SDK answer: `read(vpc.tags(), |tag| (tag.key(), tag.value()))`.
pub fn read<'a, T: 'a>(
    tags: impl IntoIterator<Item = &'a T>,
    parts: impl Fn(&'a T) -> (Option<&'a str>, Option<&'a str>),
) -> Tags {
    tags.into_iter()
        .filter_map(|tag| {
            let (key, value) = parts(tag);
            Some((key?.to_owned(), value.unwrap_or_default().to_owned()))
        })
        .collect()
}

/// Writes tags in a service's own type: `write(&tags, |key, value| Tag::builder().key(key).value(value).build())`.
pub fn write<T>(tags: &Tags, make: impl Fn(&str, &str) -> T) -> Vec<T> {
    tags.iter().map(|(key, value)| make(key, value)).collect()
}
