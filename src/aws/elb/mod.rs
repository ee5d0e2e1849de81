//! Elastic Load Balancing version 2: application load balancers.
//!
//! Its listings tell no tags, so what is ours is found by its name at the service and then by its tags: the Tagging API
//! tells them all at once, and what it lacks is read by twenty ARNs a call. Names have at most 32 characters; a longer one is cut and gets a hash, so that two never meet. Source of limits,
//! states and error codes: the API reference, version 2015-12-01.

pub mod listener;
pub mod load_balancer;
pub mod target_group;
#[cfg(test)]
mod tests;
pub mod verbs;

use std::collections::HashMap;

use aws_sdk_elasticloadbalancingv2::types::Tag;
use futures::future::try_join_all;
use sha2::{Digest, Sha256};

use crate::aws::error::Call;
use crate::aws::{Aws, tags};
use crate::error::{Error, Result};
use crate::resource::{Scope, Tags};

/// CreateLoadBalancer and CreateTargetGroup: "a maximum of 32 characters".
const LONGEST_NAME: usize = 32;

/// How many hexadecimal digits a cut name ends with.
const HASH: usize = 8;

/// How much of a name is kept when it is cut.
pub(super) const KEPT: usize = LONGEST_NAME - HASH - 1;

/// DescribeTags: "You can specify up to 20 resources in a single call".
const ARNS_AT_ONCE: usize = 20;

/// The name at the service: `PROJECT-ENV-NAME`, or its beginning and a hash of all of it.
pub fn physical(scope: &Scope, name: &str) -> String {
    let whole = scope.physical(name);
    if whole.len() <= LONGEST_NAME {
        return whole;
    }
    let digest = Sha256::digest(whole.as_bytes());
    let hash: String = digest.iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = whole.chars().take(KEPT).collect();
    format!("{}-{hash}", kept.trim_end_matches('-'))
}

/// Whether a name at the service can be one that [`physical`] gave in this environment. The tags decide.
pub fn may_be_ours(scope: &Scope, physical: &str) -> bool {
    let prefix = format!("{}-{}-", scope.project, scope.environment);
    if physical.starts_with(&prefix) {
        return true;
    }
    // The project and the environment may be so long that even they were cut.
    match physical.rsplit_once('-') {
        Some((kept, hash)) => hash.len() == HASH && prefix.starts_with(kept),
        None => false,
    }
}

/// Refuses a name that the service would refuse.
pub(crate) fn check_name(scope: &Scope, name: &str, what: &str) -> Result<()> {
    let physical = physical(scope, name);
    let problem = if !physical.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        "may have only letters, digits and hyphens"
    } else if physical.starts_with('-') || physical.ends_with('-') {
        "may not begin or end with a hyphen"
    } else if physical.starts_with("internal-") {
        "may not begin with `internal-`"
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

/// Refuses a port or a name of a load balancer's ARN that is not this environment's.
pub(crate) fn is_our_balancer(scope: &Scope, arn: &str) -> bool {
    // arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID
    let name = arn.split('/').nth(2).unwrap_or_default();
    may_be_ours(scope, name)
}

/// The tags of many: what the Tagging API does not tell, in as few calls as the service allows. What is gone meanwhile is
/// missing in the answer.
pub(crate) async fn read_tags(aws: &Aws, scope: &Scope, arns: &[String]) -> Result<HashMap<String, Tags>> {
    if arns.is_empty() {
        return Ok(HashMap::new());
    }
    let known = aws.known_tags(scope, "elasticloadbalancing").await?;
    let (mut found, mut unknown) = (HashMap::new(), Vec::new());
    for arn in arns {
        match known.of(arn) {
            Some(tags) => drop(found.insert(arn.clone(), tags)),
            None => unknown.push(arn.clone()),
        }
    }
    let calls = unknown.chunks(ARNS_AT_ONCE).map(|some| read_some_tags(aws, some));
    found.extend(try_join_all(calls).await?.into_iter().flatten());
    Ok(found)
}

/// The tags as the service tells them.
pub(crate) async fn tags_now(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let found = read_some_tags(aws, &[arn.to_owned()]).await?;
    Ok(found.into_iter().next().map(|(_, tags)| tags))
}

async fn read_some_tags(aws: &Aws, arns: &[String]) -> Result<Vec<(String, Tags)>> {
    let answer = aws
        .elb
        .describe_tags()
        .set_resource_arns(Some(arns.to_vec()))
        .send()
        .await
        .call("elasticloadbalancing:DescribeTags");
    match answer {
        Ok(answer) => Ok(answer
            .tag_descriptions()
            .iter()
            .map(|described| {
                let tags = tags::read(described.tags(), |tag| (tag.key(), tag.value()));
                (described.resource_arn().unwrap_or_default().to_owned(), tags)
            })
            .collect()),
        // One of them is gone, and the whole call fails for it.
        Err(error) if is_not_found(&error) => match arns {
            [] | [_] => Ok(Vec::new()),
            several => {
                let (first, second) = several.split_at(several.len() / 2);
                let mut found = Box::pin(read_some_tags(aws, first)).await?;
                found.extend(Box::pin(read_some_tags(aws, second)).await?);
                Ok(found)
            }
        },
        Err(error) => Err(error),
    }
}

pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags::write(tags, |key, value| Tag::builder().key(key).value(value).build())
}

pub(crate) async fn retag(aws: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<()> {
    if !set.is_empty() {
        aws.elb
            .add_tags()
            .resource_arns(arn)
            .set_tags(Some(tag_list(set)))
            .send()
            .await
            .call("elasticloadbalancing:AddTags")?;
    }
    if !remove.is_empty() {
        aws.elb
            .remove_tags()
            .resource_arns(arn)
            .set_tag_keys(Some(remove.to_vec()))
            .send()
            .await
            .call("elasticloadbalancing:RemoveTags")?;
    }
    Ok(())
}

/// `LoadBalancerNotFound`, `TargetGroupNotFound`, `ListenerNotFound`.
pub(crate) fn is_not_found(error: &Error) -> bool {
    error.code().contains("NotFound")
}
