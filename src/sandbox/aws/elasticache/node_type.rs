//! Node types: `cache.FAMILY.SIZE`.
//!
//! Source: *Supported node types*; `ListAllowedNodeTypeModifications`.

use serde_json::json;

use super::super::answers::answer;
use super::super::call::{Answer, Call, Fault};
use super::{combination, invalid, replication_group};

/// The families of current generation, with their sizes from small to large.
const FAMILIES: &[(&str, &[&str])] = &[
    ("t2", BURSTABLE),
    ("t3", BURSTABLE),
    ("t4g", BURSTABLE),
    ("m4", &["large", "xlarge", "2xlarge", "4xlarge", "10xlarge"]),
    ("m5", &["large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"]),
    ("m6g", GRAVITON),
    ("m7g", GRAVITON),
    ("r4", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"]),
    ("r5", &["large", "xlarge", "2xlarge", "4xlarge", "12xlarge", "24xlarge"]),
    ("r6g", GRAVITON),
    ("r7g", GRAVITON),
    (
        "r6gd",
        &["xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"],
    ),
    ("c7gn", GRAVITON),
];
const BURSTABLE: &[&str] = &["micro", "small", "medium"];
const GRAVITON: &[&str] = &[
    "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge",
];

/// A type that there is.
pub fn check(text: &str) -> Result<String, Fault> {
    let known = parts(text).is_some_and(|(family, size)| {
        FAMILIES
            .iter()
            .any(|(name, sizes)| *name == family && sizes.contains(&size))
    });
    if known {
        return Ok(text.to_owned());
    }
    Err(invalid(&format!("Invalid Cache Node Type: {text}.")))
}

fn parts(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("cache.")?.split_once('.')
}

/// Larger ones of the same family, and the smaller ones.
pub fn allowed_modifications(call: &Call<'_>) -> Answer {
    let (id, cluster) = (call.text("ReplicationGroupId"), call.text("CacheClusterId"));
    let group = match (id, cluster) {
        (_, "") if !id.is_empty() => replication_group::existing(call, id)?,
        ("", _) if !cluster.is_empty() => replication_group::of_cluster(call, &cluster.to_ascii_lowercase())?,
        _ => {
            return Err(combination(
                "Either a ReplicationGroupId or a CacheClusterId must be provided, and not both.",
            ));
        }
    };
    let (family, size) = parts(&group.node_type).unwrap_or_default();
    let sizes = FAMILIES
        .iter()
        .find(|(name, _)| *name == family)
        .map(|(_, sizes)| *sizes)
        .unwrap_or_default();
    let place = sizes.iter().position(|other| *other == size).unwrap_or_default();
    let full = |sizes: &[&str]| {
        sizes
            .iter()
            .map(|size| format!("cache.{family}.{size}"))
            .collect::<Vec<_>>()
    };
    answer(json!({
        "ScaleUpModifications": full(sizes.get(place + 1..).unwrap_or_default()),
        "ScaleDownModifications": full(sizes.get(..place).unwrap_or_default()),
    }))
}
