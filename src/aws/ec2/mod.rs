//! Amazon EC2: the network of an environment.
//!
//! Facts are from the Amazon EC2 API Reference. VPC, subnet, internet gateway and address have neither a client token
//! nor a unique name, so a call whose answer is lost must not be sent again by the SDK: see [`once`] and [`found_after`].

pub mod address;
mod blockers;
pub mod internet_gateway;
pub mod nat_gateway;
pub mod route_table;
pub mod rules;
pub mod security_group;
pub mod subnet;
#[cfg(test)]
mod tests;
pub mod verbs;
pub mod vpc;
pub mod vpc_endpoint;

use std::time::Duration;

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use futures::future::BoxFuture;

use crate::aws::error::{Call, is_unsure};
use crate::aws::{Aws, queue, tags};
use crate::error::{Error, Result};
use crate::resource::wait::Waiter;
use crate::resource::{Context, Kind, Live, Scope, Tags};

/// The filters of a listing: the environment's identity tags. `Scope` sees to it that neither is empty.
fn ours(scope: &Scope) -> Vec<Filter> {
    let filters = scope.filter();
    filters
        .iter()
        .map(|(key, value)| filter(&format!("tag:{key}"), [*value]))
        .collect()
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Tags for a create call.
fn specification(kind: ResourceType, wanted: &Tags) -> TagSpecification {
    let tags = tags::write(wanted, |key, value| Tag::builder().key(key).value(value).build());
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tags))
        .build()
}

fn read_tags(tags: &[Tag]) -> Tags {
    tags::read(tags, |tag| (tag.key(), tag.value()))
}

/// Sets and removes tags. Both calls can be repeated: each says what is, not what changes.
async fn retag(aws: &Aws, id: &str, set: &Tags, remove: &[String]) -> Result<()> {
    if !set.is_empty() {
        let set = tags::write(set, |key, value| Tag::builder().key(key).value(value).build());
        let call = aws.ec2.create_tags().resources(id).set_tags(Some(set));
        call.send().await.call("ec2:CreateTags")?;
    }
    if !remove.is_empty() {
        let remove = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        let call = aws.ec2.delete_tags().resources(id).set_tags(Some(remove));
        call.send().await.call("ec2:DeleteTags")?;
    }
    Ok(())
}

/// For create calls that must not be sent twice: without the SDK's own retries.
fn once() -> aws_sdk_ec2::config::Builder {
    aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// Codes with which EC2 refuses a call before it does anything, so that it can be sent again.
/// Source: EC2 API Reference, "Error codes" and "Request throttling".
fn is_throttled(error: &Error) -> bool {
    queue::is_throttled(error.code()) || error.code() == "ResourceCountExceeded"
}

/// After a create call that may have taken effect although it failed (its answer was lost, or the service broke down):
/// what carries our tags is what it created. If nothing is found the error stands, and the next run finds by tag
/// whatever appears later.
async fn found_after<K: Kind>(kind: &K, cx: &Context<'_>, name: &str, error: Error) -> Result<Live<K::State>> {
    if is_unsure(&error) || error.code() == "InvalidSubnet.Conflict" {
        let listing = kind.list(cx.scope).await;
        let ours = listing.into_iter().flatten().find(|live| live.name == name);
        if let Some(live) = ours {
            return Ok(live);
        }
    }
    Err(error)
}

/// How long a new resource may be unknown to the calls that follow its creation. Source: EC2 API Reference, "Eventual
/// consistency in the Amazon EC2 API".
const CONSISTENCY: Duration = Duration::from_secs(60);

/// Does something to what was created a moment ago, and tries again while EC2 does not know it yet. `create` itself must
/// not be repeated for that, nor for a throttled call: it would make a second one. So the error that remains has no code
/// that looks as if it could be.
async fn soon<'a, T>(cx: &Context<'_>, what: &str, act: impl Fn() -> BoxFuture<'a, Result<T>> + Send) -> Result<T> {
    let mut waiter = Waiter::new(what, CONSISTENCY, cx.engine.pace(), cx.engine.cancel());
    loop {
        match act().await {
            Err(error) if (is_absent(&error) || is_throttled(&error)) && !waiter.is_over() => {
                waiter.pause(error.message()).await?;
            }
            Err(error) if is_throttled(&error) => return Err(Error::new(error.exit(), error.to_string())),
            other => return other,
        }
    }
}

/// EC2 names what is not there as `InvalidVpcID.NotFound`, `NatGatewayNotFound` and the like.
fn is_absent(error: &Error) -> bool {
    error.code().ends_with("NotFound") || error.code() == "InvalidSubnetID.NotFound"
}

/// `None` for what is not there.
fn present<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Success also when it was not there.
fn absent_is_fine<T>(result: Result<T>) -> Result<()> {
    present(result).map(|_| ())
}
