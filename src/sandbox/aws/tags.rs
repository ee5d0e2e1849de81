//! The tags of every resource of every service, by ARN, in one place: so that the Resource Groups Tagging API sees what
//! each service tagged, and a service need not keep them in its own documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Call, Fault};
use super::page;
use super::rules::limits;
use super::store::Order;

/// Key to value. AWS keeps no order among tags.
pub type Tags = BTreeMap<String, String>;

/// A resource by its ARN, and its tags.
pub type Tagged = (String, Tags);

/// Tags of one resource at most (AWS General Reference, "Tag naming limits and requirements").
pub const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

const KIND: &str = "tags";

/// What is gone and still listed by the Tagging API, because a rule says so.
const LINGERING: &str = "tags/lingering";

#[derive(Serialize, Deserialize)]
struct Document {
    arn: String,
    tags: Tags,
    /// When it got its first tag, in milliseconds since 1970.
    #[serde(default)]
    since: i64,
}

/// The service in an ARN: its third part.
fn service_of(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}

/// Adds tags to those that the resource has; a key that is there gets the new value. Nothing is changed by an empty map.
pub fn put(call: &Call<'_>, arn: &str, added: &Tags) -> Result<(), Fault> {
    if added.is_empty() {
        return Ok(());
    }
    let mut tags = of(call, arn)?;
    tags.extend(added.clone());
    set(call, arn, tags)
}

/// The tags that the resource has.
pub fn of(call: &Call<'_>, arn: &str) -> Result<Tags, Fault> {
    Ok(call
        .store
        .get::<Document>(KIND, arn)?
        .map(|document| document.tags)
        .unwrap_or_default())
}

/// Takes these keys away. A key that is not there is no error.
pub fn remove(call: &Call<'_>, arn: &str, keys: &[String]) -> Result<(), Fault> {
    let mut tags = of(call, arn)?;
    tags.retain(|key, _| !keys.contains(key));
    set(call, arn, tags)
}

/// Forgets all tags, because the resource is gone.
pub fn clear(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    let lag = limits::lag(call, arn)?;
    if lag > 0
        && let Some(document) = call.store.get::<Document>(KIND, arn)?
    {
        for over in call.store.due::<Document>(LINGERING)? {
            call.store.delete(LINGERING, &over.arn)?;
        }
        call.store
            .entry(LINGERING, arn)
            .due(call.now.saturating_add(lag))
            .put(&document)?;
    }
    call.store.delete(KIND, arn).map(|_| ())
}

/// Every tagged resource of the region, in the order in which they were tagged first.
pub fn all(call: &Call<'_>) -> Result<Vec<(String, Tags)>, Fault> {
    Ok(call
        .store
        .all::<Document>(KIND)?
        .into_iter()
        .map(|document| (document.arn, document.tags))
        .collect())
}

/// As [`all`], of one service.
pub fn all_of(call: &Call<'_>, service: &str) -> Result<Vec<(String, Tags)>, Fault> {
    Ok(call
        .store
        .children::<Document>(KIND, service)?
        .into_iter()
        .map(|document| (document.arn, document.tags))
        .collect())
}

/// One page of what the Tagging API sees and `keep` takes: what a rule holds back is missing, what it lets linger comes
/// with the first page. Only one service's resources when it is given.
pub fn page(
    call: &Call<'_>,
    service: Option<&str>,
    (limit, token): (usize, &str),
    keep: impl Fn(&str, &Tags) -> bool,
    invalid: impl FnOnce() -> Fault,
) -> Result<(Vec<Tagged>, Option<String>), Fault> {
    let order = service.map_or(Order::Made, Order::MadeBelow);
    let (page, next) = page::read_page(
        call.store,
        KIND,
        order,
        (limit, token),
        |document: &Document| {
            let seen = document.since.saturating_add(limits::lag(call, &document.arn)?) <= call.now;
            Ok(seen && keep(&document.arn, &document.tags))
        },
        invalid,
    )?;
    let mut page: Vec<_> = page.into_iter().map(|document| (document.arn, document.tags)).collect();
    if token.is_empty() {
        let over: Vec<String> = call
            .store
            .due::<Document>(LINGERING)?
            .into_iter()
            .map(|document| document.arn)
            .collect();
        for document in call.store.all::<Document>(LINGERING)? {
            let of_service = service.is_none_or(|service| service == service_of(&document.arn));
            if of_service && !over.contains(&document.arn) && keep(&document.arn, &document.tags) {
                page.push((document.arn, document.tags));
            }
        }
    }
    Ok((page, next))
}

/// Makes these the resource's tags; none takes all away.
pub fn set(call: &Call<'_>, arn: &str, tags: Tags) -> Result<(), Fault> {
    let before = call.store.get::<Document>(KIND, arn)?;
    if tags.is_empty() {
        // The resource is still there: nothing lingers.
        return call.store.delete(KIND, arn).map(|_| ());
    }
    call.store.put(
        KIND,
        arn,
        service_of(arn),
        &Document {
            arn: arn.to_owned(),
            tags,
            since: before.map_or(call.now, |before| before.since),
        },
    )
}

/// Reads a list of tags as a request carries it: `Key` and `Value`, or (ECS) `key` and `value`.
pub fn from_list(list: &[Value]) -> Tags {
    let part = |tag: &Value, upper: &str, lower: &str| {
        tag.get(upper)
            .or_else(|| tag.get(lower))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    list.iter()
        .map(|tag| (part(tag, "Key", "key"), part(tag, "Value", "value")))
        .collect()
}

/// Reads a map of tags as a request of CloudWatch Logs carries it.
pub fn from_map(map: Option<&Value>) -> Tags {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    map.and_then(Value::as_object)
        .map(|map| map.iter().map(|(key, value)| (key.clone(), text(value))).collect())
        .unwrap_or_default()
}

/// `[{"Key": .., "Value": ..}]`, as most services answer.
pub fn to_list(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}

/// `[{"key": .., "value": ..}]`, as ECS answers.
pub fn to_lower_list(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// What is wrong with tags that a user gives, in words; each service wraps them in its own code. The limits of
/// [`check_limits`], and only letters, digits, spaces and `+-=._:/@`.
pub fn check(added: &Tags) -> Result<(), String> {
    check_limits(added)?;
    let alphabet = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c))
    };
    match added.iter().find(|(key, value)| !alphabet(key) || !alphabet(value)) {
        Some((key, _)) => Err(format!(
            "Tag '{key}' has characters that are not allowed: letters, digits, spaces and + - = . _ : / @ are"
        )),
        None => Ok(()),
    }
}

/// As [`check`] for EC2, which takes any character: 50 tags, keys of 128 and values of 256 characters, no key with the
/// prefix `aws:`.
pub fn check_limits(added: &Tags) -> Result<(), String> {
    if added.len() > MOST {
        return Err(format!("The maximum number of tags per resource is {MOST}"));
    }
    for (key, value) in added {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(format!(
                "Tag key '{key}' must have between 1 and {LONGEST_KEY} characters"
            ));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(format!(
                "The value of tag '{key}' exceeds the maximum of {LONGEST_VALUE} characters"
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(format!(
                "Tag keys starting with 'aws:' are reserved for system use: '{key}'"
            ));
        }
    }
    Ok(())
}
