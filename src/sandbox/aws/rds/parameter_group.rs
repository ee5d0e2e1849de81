//! DB parameter groups. The groups `default.FAMILY` are there from the start and cannot be changed.
//!
//! Source: RDS API reference, `CreateDBParameterGroup`, `ModifyDBParameterGroup`, `ResetDBParameterGroup`,
//! `DescribeDBParameters`; *Working with DB parameter groups*: a static parameter changes with the next reboot, and until then
//! the group is `pending-reboot` on the instances that have it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{Page, answer, only, page};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::parameters::{PARAMETERS, Parameter};
use super::{check_name, combination, engine, event, filter, instance, invalid, name_of, paged, settings, wanted_tags};

const KIND: &str = "rds/parameter-group";
/// "A maximum of 20 parameters can be modified in a single request."
const MOST: usize = 20;

#[derive(Clone, Serialize, Deserialize)]
pub struct ParameterGroup {
    pub name: String,
    pub family: String,
    description: String,
    /// What differs from the family's defaults: value and method.
    values: BTreeMap<String, (String, String)>,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &["DBParameterGroupName", "DBParameterGroupFamily", "Description", "Tags"],
    )?;
    let name = check_name("DBParameterGroupName", call.text("DBParameterGroupName"), 255)?;
    let family = call.text("DBParameterGroupFamily");
    check_family(family)?;
    if call.text("Description").is_empty() {
        return Err(settings::blank("Description"));
    }
    if call.store.get::<ParameterGroup>(KIND, &name)?.is_some() {
        return Err(Fault::new(
            "DBParameterGroupAlreadyExists",
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
    answer(json!({ "DBParameterGroup": group.view(call) }))
}

fn check_family(family: &str) -> Result<(), Fault> {
    if engine::families().any(|known| known == family) {
        return Ok(());
    }
    Err(invalid(&format!(
        "ParameterGroupFamily {family} is not a valid parameter group family"
    )))
}

pub fn describe(call: &Call<'_>) -> Answer {
    filter::none(call)?;
    let groups = match call.text("DBParameterGroupName") {
        "" => {
            let mut groups: Vec<ParameterGroup> = call.store.all(KIND)?;
            groups.extend(engine::families().map(|family| default_of(&family)));
            groups
        }
        name => vec![existing(call, name)?],
    };
    let views = groups.iter().map(|group| (group.name.clone(), group.view(call)));
    paged(call, "DBParameterGroups", views.collect())
}

/// `Source` is `user` for what was changed, `system` for what RDS sets, `engine-default` for the others.
pub fn parameters(call: &Call<'_>) -> Answer {
    filter::none(call)?;
    let group = existing(call, call.text("DBParameterGroupName"))?;
    let wanted = call.text("Source");
    if !matches!(wanted, "" | "user" | "system" | "engine-default") {
        return Err(invalid(&format!("Invalid parameter source: {wanted}")));
    }
    let views = PARAMETERS
        .iter()
        .map(|known| (known.name.to_owned(), group.parameter(known)));
    let views = views.filter(|(_, view)| wanted.is_empty() || view["Source"] == wanted);
    paged(call, "Parameters", views.collect())
}

pub fn defaults(call: &Call<'_>) -> Answer {
    filter::none(call)?;
    let family = call.text("DBParameterGroupFamily");
    check_family(family)?;
    let group = default_of(family);
    let views = PARAMETERS
        .iter()
        .map(|known| (known.name.to_owned(), group.parameter(known)))
        .collect::<Vec<_>>();
    let Page { items, next } = page(
        views,
        |(name, _)| name.clone(),
        call.text("Marker"),
        super::page_size(call)?,
        || invalid("The marker is invalid."),
    )?;
    let items: Vec<_> = items.into_iter().map(|(_, view)| view).collect();
    answer(json!({
        "EngineDefaults": { "DBParameterGroupFamily": family, "Parameters": items, "Marker": next },
    }))
}

pub fn modify(call: &Call<'_>) -> Answer {
    let mut group = changeable(call)?;
    let changes = call.list("Parameters");
    if changes.is_empty() || changes.len() > MOST {
        return Err(invalid(&format!(
            "The number of parameters must be between 1 and {MOST}, not {}.",
            changes.len()
        )));
    }
    let mut needs_reboot = false;
    for change in changes {
        let known = change_of(&group, change)?;
        let value = match change["ParameterValue"].as_str() {
            Some(value) if !value.is_empty() => value,
            _ => return Err(settings::blank("ParameterValue")),
        };
        if !known.takes(value) {
            return Err(invalid(&format!(
                "Invalid parameter value: {value} for: {} allowed values are: {}",
                known.name, known.allowed
            )));
        }
        let method = method(known, change)?;
        needs_reboot |= method == "pending-reboot";
        let message = format!("Updated parameter {} to {value} with apply method {method}", known.name);
        event::parameters(call, &group.name, &group.arn(call), &message)?;
        group
            .values
            .insert(known.name.to_owned(), (value.to_owned(), method.to_owned()));
    }
    save(call, &group)?;
    if needs_reboot {
        wait_for_reboot(call, &group)?;
    }
    answer(json!({ "DBParameterGroupName": group.name }))
}

pub fn reset(call: &Call<'_>) -> Answer {
    let mut group = changeable(call)?;
    let changes = call.list("Parameters");
    let mut needs_reboot = false;
    match (call.flag("ResetAllParameters"), changes) {
        (true, []) => {
            let reset = std::mem::take(&mut group.values);
            needs_reboot = PARAMETERS
                .iter()
                .any(|known| known.is_static && reset.contains_key(known.name));
        }
        (true, _) => {
            return Err(combination(
                "Parameters can't be listed when ResetAllParameters is specified.",
            ));
        }
        (false, []) => {
            return Err(combination(
                "Either ResetAllParameters or a list of parameters must be specified.",
            ));
        }
        (false, changes) => {
            for change in changes {
                let known = change_of(&group, change)?;
                needs_reboot |= method(known, change)? == "pending-reboot";
                group.values.remove(known.name);
            }
        }
    }
    save(call, &group)?;
    if needs_reboot {
        wait_for_reboot(call, &group)?;
    }
    answer(json!({ "DBParameterGroupName": group.name }))
}

/// The parameter that a change is about, which users may set.
fn change_of(group: &ParameterGroup, change: &Value) -> Result<&'static Parameter, Fault> {
    let name = change["ParameterName"].as_str().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    let Some(known) = PARAMETERS.iter().find(|known| known.name == lower) else {
        return Err(invalid(&format!(
            "Could not find parameter with name: {name} in the family {}",
            group.family
        )));
    };
    if !known.modifiable {
        return Err(invalid(&format!("The parameter {name} cannot be modified.")));
    }
    Ok(known)
}

/// How a change is applied: `immediate` is for dynamic parameters only.
fn method(known: &Parameter, change: &Value) -> Result<&'static str, Fault> {
    match change["ApplyMethod"].as_str() {
        Some("immediate") if known.is_static => {
            Err(combination("cannot use immediate apply method for static parameter"))
        }
        Some("immediate") => Ok("immediate"),
        Some(_) => Ok("pending-reboot"),
        None => Err(settings::blank("ApplyMethod")),
    }
}

/// By which instances with this group are found.
fn link(name: &str) -> String {
    format!("pg:{name}")
}

/// The instances with this group need a reboot from now on.
fn wait_for_reboot(call: &Call<'_>, group: &ParameterGroup) -> Result<(), Fault> {
    for mut user in instance::linked(call, &link(&group.name))? {
        user.reboot_needed = true;
        instance::save(call, &user)?;
    }
    Ok(())
}

pub fn delete(call: &Call<'_>) -> Answer {
    let group = changeable(call)?;
    if let Some(user) = instance::linked(call, &link(&group.name))?.first() {
        return Err(Fault::new(
            "InvalidDBParameterGroupState",
            format!(
                "One or more database instances are still members of this parameter group {}, so the group cannot be \
                 deleted. (It is {}.)",
                group.name, user.id
            ),
        ));
    }
    call.store.delete(KIND, &group.name)?;
    tags::clear(call, &group.arn(call))?;
    answer(json!({}))
}

impl ParameterGroup {
    fn arn(&self, call: &Call<'_>) -> String {
        call.arn("rds", &format!("pg:{}", self.name))
    }

    fn view(&self, call: &Call<'_>) -> Value {
        json!({
            "DBParameterGroupName": self.name,
            "DBParameterGroupFamily": self.family,
            "Description": self.description,
            "DBParameterGroupArn": self.arn(call),
        })
    }

    fn parameter(&self, known: &Parameter) -> Value {
        let changed = self.values.get(known.name);
        let source = match changed {
            Some(_) => "user",
            None if !known.modifiable => "system",
            None => "engine-default",
        };
        json!({
            "ParameterName": known.name,
            "ParameterValue": changed.map(|(value, _)| value.as_str()).or(known.default),
            "Source": source,
            "ApplyType": if known.is_static { "static" } else { "dynamic" },
            "DataType": known.kind.name(),
            "AllowedValues": known.allowed,
            "IsModifiable": known.modifiable,
            "ApplyMethod": changed.map_or("pending-reboot", |(_, method)| method.as_str()),
        })
    }
}

fn default_of(family: &str) -> ParameterGroup {
    ParameterGroup {
        name: format!("default.{family}"),
        family: family.to_owned(),
        description: format!("Default parameter group for {family}"),
        values: BTreeMap::new(),
    }
}

/// The name of the group for a family: the default one when none is asked for.
pub fn choose(call: &Call<'_>, name: &str, family: &str) -> Result<String, Fault> {
    if name.is_empty() {
        return Ok(format!("default.{family}"));
    }
    let group = existing(call, name)?;
    if group.family != family {
        return Err(combination(&format!(
            "The Parameter Group {} with DBParameterGroupFamily {} can't be used for this instance. Please use a Parameter \
             Group with DBParameterGroupFamily {family}",
            group.name, group.family
        )));
    }
    Ok(group.name)
}

pub fn existing(call: &Call<'_>, name: &str) -> Result<ParameterGroup, Fault> {
    let name = name_of(name, "pg");
    if let Some(family) = name.strip_prefix("default.")
        && engine::families().any(|known| known == family)
    {
        return Ok(default_of(family));
    }
    let missing = || {
        Fault::new(
            "DBParameterGroupNotFound",
            format!("DBParameterGroup not found: {name}"),
        )
        .status(404)
    };
    call.store.get(KIND, &name)?.ok_or_else(missing)
}

fn changeable(call: &Call<'_>) -> Result<ParameterGroup, Fault> {
    let group = existing(call, call.text("DBParameterGroupName"))?;
    if group.name.starts_with("default.") {
        return Err(invalid(
            "The parameter DBParameterGroupName is not a valid identifier: default parameter groups cannot be modified.",
        ));
    }
    Ok(group)
}

fn save(call: &Call<'_>, group: &ParameterGroup) -> Result<(), Fault> {
    call.store.put(KIND, &group.name, "", group)
}
