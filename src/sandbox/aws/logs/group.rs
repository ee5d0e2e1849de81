//! Log groups and their retention.

use serde_json::json;

use super::super::answers::{answer, only, page_of};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::event::bytes;
use super::stream::remove_stream;
use super::{GROUP, Group, STREAM, Stream, arn, at_most, events, group, invalid, invalid_token, tag};

/// `retentionInDays`: the values that `PutRetentionPolicy` takes.
pub const RETENTION: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

pub fn create_group(call: &Call<'_>) -> Answer {
    only(call, &["logGroupName", "kmsKeyId", "tags", "logGroupClass"])?;
    let name = call.text("logGroupName");
    let right = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(right) {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if call.store.get::<Group>(GROUP, name)?.is_some() {
        return Err(Fault::new(
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        ));
    }
    let text = |member: &str| {
        Some(call.text(member))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let group = Group {
        name: name.to_owned(),
        created: call.now,
        retention: None,
        kms_key_id: text("kmsKeyId"),
        class: text("logGroupClass").unwrap_or_else(|| "STANDARD".to_owned()),
    };
    call.store.put(GROUP, name, "", &group)?;
    tag(call, &arn(call, name), &tags::from_map(call.input.get("tags")))
}

pub fn delete_group(call: &Call<'_>) -> Answer {
    let name = call.text("logGroupName");
    group(call, name)?;
    for stream in call.store.children::<Stream>(STREAM, name)? {
        remove_stream(call, name, &stream)?;
    }
    call.store.delete(GROUP, name)?;
    tags::clear(call, &arn(call, name))?;
    answer(json!({}))
}

pub fn describe_groups(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "logGroupNamePrefix",
            "logGroupNamePattern",
            "nextToken",
            "limit",
            "logGroupClass",
        ],
    )?;
    let (prefix, pattern) = (call.text("logGroupNamePrefix"), call.text("logGroupNamePattern"));
    if !prefix.is_empty() && !pattern.is_empty() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let class = call.text("logGroupClass");
    let page = page_of(
        call,
        (GROUP, prefix),
        |group: &Group| {
            Ok(group.name.to_lowercase().contains(&pattern.to_lowercase())
                && (class.is_empty() || group.class == class))
        },
        call.text("nextToken"),
        at_most(call, 50, 50)?,
        invalid_token,
    )?;
    let mut views = Vec::new();
    for group in &page.items {
        let mut stored = 0;
        for stream in call.store.children::<Stream>(STREAM, &group.name)? {
            stored += bytes(&events(call, &group.name, &stream.name)?);
        }
        let arn = arn(call, &group.name);
        views.push(json!({
            "logGroupName": group.name,
            "creationTime": group.created,
            "retentionInDays": group.retention,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": stored,
            "kmsKeyId": group.kms_key_id,
            "logGroupClass": group.class,
        }));
    }
    answer(json!({ "logGroups": views, "nextToken": page.next }))
}

pub fn set_retention(call: &Call<'_>, days: Option<i64>) -> Answer {
    let mut group = group(call, call.text("logGroupName"))?;
    group.retention = days;
    call.store.put(GROUP, &group.name, "", &group)?;
    answer(json!({}))
}

/// Whether there is such a group; what ECS asks before it starts a container with the `awslogs` driver.
pub fn group_exists(call: &Call<'_>, name: &str) -> Result<bool, Fault> {
    Ok(call.store.get::<Group>(GROUP, name)?.is_some())
}

/// Creates a group as ECS does for `awslogs-create-group`. One that is there stays.
pub fn ensure_group(call: &Call<'_>, name: &str) -> Result<(), Fault> {
    if group_exists(call, name)? {
        return Ok(());
    }
    let group = Group {
        name: name.to_owned(),
        created: call.now,
        retention: None,
        kms_key_id: None,
        class: "STANDARD".to_owned(),
    };
    call.store.put(GROUP, name, "", &group)
}
