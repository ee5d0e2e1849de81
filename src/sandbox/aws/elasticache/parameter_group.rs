//! Cache parameter groups. The groups `default.FAMILY` are there from the start and cannot be changed.
//!
//! Source: *Redis OSS parameters* and *Valkey parameters*: those that environments set, with their defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{check_name, cut, engine, invalid, paged, replication_group, wanted_tags};

const KIND: &str = "elasticache/parameter-group";

#[derive(Clone, Serialize, Deserialize)]
pub struct ParameterGroup {
    pub name: String,
    pub family: String,
    description: String,
    /// What differs from the family's defaults.
    values: BTreeMap<String, String>,
}

/// Name, default, type, allowed values (a range, or a list), and whether a change needs a restart.
struct Known(&'static str, &'static str, &'static str, &'static str, bool);

const PARAMETERS: &[Known] = &[
    Known("activedefrag", "no", "string", "yes,no", false),
    Known("activerehashing", "yes", "string", "yes,no", true),
    Known("appendonly", "no", "string", "yes,no", false),
    Known("close-on-replica-write", "yes", "string", "yes,no", false),
    Known("cluster-enabled", "no", "string", "yes,no", true),
    Known("databases", "16", "integer", "1-1200000", true),
    Known("hash-max-listpack-entries", "512", "integer", "0-", false),
    Known("latency-tracking", "no", "string", "yes,no", false),
    Known("lazyfree-lazy-eviction", "no", "string", "yes,no", false),
    Known("lazyfree-lazy-expire", "no", "string", "yes,no", false),
    Known("lfu-decay-time", "1", "integer", "0-", false),
    Known("lfu-log-factor", "10", "integer", "1-", false),
    Known(
        "maxmemory-policy",
        "volatile-lru",
        "string",
        "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction",
        false,
    ),
    Known("maxmemory-samples", "3", "integer", "1-", false),
    Known("min-replicas-max-lag", "10", "integer", "0-", false),
    Known("min-replicas-to-write", "0", "integer", "0-", false),
    Known("notify-keyspace-events", "", "string", "", false),
    Known("proto-max-bulk-len", "536870912", "integer", "1048576-536870912", false),
    Known("repl-backlog-size", "1048576", "integer", "16384-", false),
    Known("reserved-memory-percent", "25", "integer", "0-100", false),
    Known("slowlog-log-slower-than", "10000", "integer", "-", false),
    Known("slowlog-max-len", "128", "integer", "0-", false),
    Known("tcp-keepalive", "300", "integer", "0-", false),
    Known("timeout", "0", "integer", "0,20-", false),
];

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "CacheParameterGroupName",
            "CacheParameterGroupFamily",
            "Description",
            "Tags",
        ],
    )?;
    let name = check_name("CacheParameterGroupName", call.text("CacheParameterGroupName"), 255)?;
    let family = call.text("CacheParameterGroupFamily");
    if !engine::FAMILIES.contains(&family) {
        return Err(invalid(&format!(
            "CacheParameterGroupFamily {family} is not a valid parameter group family."
        )));
    }
    if call.store.get::<ParameterGroup>(KIND, &name)?.is_some() {
        return Err(Fault::new(
            "CacheParameterGroupAlreadyExists",
            format!("Parameter group {name} already exists"),
        ));
    }
    let wanted = wanted_tags(call)?;
    let group = ParameterGroup {
        name,
        family: family.to_owned(),
        description: call.text("Description").to_owned(),
        values: BTreeMap::new(),
    };
    save(call, &group)?;
    tags::put(call, &group.arn(call), &wanted)?;
    answer(json!({ "CacheParameterGroup": group.view(call) }))
}

pub fn describe(call: &Call<'_>) -> Answer {
    let groups = match call.text("CacheParameterGroupName") {
        "" => {
            let mut groups: Vec<ParameterGroup> = call.store.all(KIND)?;
            groups.extend(engine::FAMILIES.iter().map(|family| default_of(family)));
            groups
        }
        name => vec![existing(call, name)?],
    };
    paged(
        call,
        "CacheParameterGroups",
        groups
            .iter()
            .map(|group| (group.name.clone(), group.view(call)))
            .collect(),
    )
}

/// `Source` is `user` for what was changed, `system` for the others.
pub fn parameters(call: &Call<'_>) -> Answer {
    let group = existing(call, call.text("CacheParameterGroupName"))?;
    let wanted = call.text("Source");
    let views = PARAMETERS
        .iter()
        .map(|known| (known.0.to_owned(), known.view(group.values.get(known.0))));
    let views = views.filter(|(_, view)| wanted.is_empty() || view["Source"] == wanted || wanted == "engine-default");
    paged(call, "Parameters", views.collect())
}

/// The defaults of a family, in the form that this call has: one structure.
pub fn defaults(call: &Call<'_>) -> Answer {
    let family = call.text("CacheParameterGroupFamily");
    if !engine::FAMILIES.contains(&family) {
        return Err(invalid(&format!(
            "CacheParameterGroupFamily {family} is not a valid parameter group family."
        )));
    }
    let views = PARAMETERS.iter().map(|known| (known.0.to_owned(), known.view(None)));
    let (parameters, next) = cut(call, views.collect(), 100)?;
    answer(json!({
        "EngineDefaults": { "CacheParameterGroupFamily": family, "Parameters": parameters, "Marker": next },
    }))
}

pub fn modify(call: &Call<'_>) -> Answer {
    let mut group = changeable(call)?;
    let changes = call.list("ParameterNameValues");
    if !(1..=20).contains(&changes.len()) {
        return Err(invalid("One to 20 parameters can be modified in a call."));
    }
    for change in changes {
        let name = change["ParameterName"].as_str().unwrap_or_default();
        let value = change["ParameterValue"].as_str().unwrap_or_default();
        let known = PARAMETERS.iter().find(|known| known.0 == name);
        let Some(Known(_, _, kind, allowed, _)) = known.filter(|known| known.0 != "cluster-enabled") else {
            return Err(invalid(&format!(
                "Could not find parameter: {name} in family {}",
                group.family
            )));
        };
        if !fits(value, kind, allowed) {
            return Err(invalid(&format!(
                "Value: {value} is not valid for parameter: {name}. Allowed values: {allowed}"
            )));
        }
        group.values.insert(name.to_owned(), value.to_owned());
    }
    save(call, &group)?;
    answer(json!({ "CacheParameterGroupName": group.name }))
}

pub fn reset(call: &Call<'_>) -> Answer {
    let mut group = changeable(call)?;
    if call.flag("ResetAllParameters") {
        group.values.clear();
    }
    for change in call.list("ParameterNameValues") {
        group
            .values
            .remove(change["ParameterName"].as_str().unwrap_or_default());
    }
    save(call, &group)?;
    answer(json!({ "CacheParameterGroupName": group.name }))
}

pub fn delete(call: &Call<'_>) -> Answer {
    let group = changeable(call)?;
    if let Some(user) = replication_group::with_parameters(call, &group.name)? {
        return Err(Fault::new(
            "InvalidCacheParameterGroupState",
            format!(
                "One or more cache clusters are still members of this parameter group {}, so the group cannot be deleted. (It is {}.)",
                group.name, user.id
            ),
        ));
    }
    call.store.delete(KIND, &group.name)?;
    tags::clear(call, &group.arn(call))?;
    answer(json!({}))
}

impl Known {
    /// With the value that a group changed it to.
    fn view(&self, changed: Option<&String>) -> Value {
        let Known(name, default, kind, allowed, restart) = self;
        json!({
            "ParameterName": name,
            "ParameterValue": changed.map_or(*default, String::as_str),
            "Source": if changed.is_some() { "user" } else { "system" },
            "DataType": kind,
            "AllowedValues": allowed,
            "IsModifiable": *name != "cluster-enabled",
            "MinimumEngineVersion": "6.0.0",
            "ChangeType": if *restart { "requires-reboot" } else { "immediate" },
        })
    }
}

impl ParameterGroup {
    fn arn(&self, call: &Call<'_>) -> String {
        call.arn("elasticache", &format!("parametergroup:{}", self.name))
    }

    fn view(&self, call: &Call<'_>) -> Value {
        json!({
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": self.family,
            "Description": self.description,
            "IsGlobal": false,
            "ARN": self.arn(call),
        })
    }
}

/// `yes,no`, `1-100`, `0,20-`, or nothing for any text.
fn fits(value: &str, kind: &str, allowed: &str) -> bool {
    if kind == "string" {
        return allowed.is_empty() || allowed.split(',').any(|one| one == value);
    }
    let Ok(number) = value.parse::<i64>() else { return false };
    allowed.split(',').any(|range| match range.split_once('-') {
        None => range.parse() == Ok(number),
        Some((least, most)) => {
            least.parse::<i64>().map_or(true, |least| number >= least)
                && most.parse::<i64>().map_or(true, |most| number <= most)
        }
    })
}

fn default_of(family: &str) -> ParameterGroup {
    ParameterGroup {
        name: format!("default.{family}"),
        family: family.to_owned(),
        description: format!("Default parameter group for {family}"),
        values: BTreeMap::new(),
    }
}

pub fn existing(call: &Call<'_>, name: &str) -> Result<ParameterGroup, Fault> {
    if let Some(family) = name
        .strip_prefix("default.")
        .filter(|family| engine::FAMILIES.contains(family))
    {
        return Ok(default_of(family));
    }
    let missing = || {
        Fault::new(
            "CacheParameterGroupNotFound",
            format!("CacheParameterGroup {name} not found."),
        )
        .status(404)
    };
    call.store.get(KIND, &name.to_ascii_lowercase())?.ok_or_else(missing)
}

fn changeable(call: &Call<'_>) -> Result<ParameterGroup, Fault> {
    let name = call.text("CacheParameterGroupName");
    let group = existing(call, name)?;
    if name.starts_with("default.") {
        return Err(invalid(&format!(
            "The parameter group {name} is a default group and cannot be changed."
        )));
    }
    Ok(group)
}

fn save(call: &Call<'_>, group: &ParameterGroup) -> Result<(), Fault> {
    call.store.put(KIND, &group.name, "", group)
}
