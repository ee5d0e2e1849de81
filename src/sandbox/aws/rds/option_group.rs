//! Option groups. `default:ENGINE-MAJOR` are there from the start and cannot be changed.
//!
//! Source: RDS API reference, `CreateOptionGroup`, `ModifyOptionGroup`; *Support for native backup and restore in SQL Server*
//! (the option `SQLSERVER_BACKUP_RESTORE`). The other options of SQL Server (TDE, MSDTC, SSAS, SSIS, SSRS, audit) are refused by
//! name.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answers::{answer, only};
use super::super::call::{Answer, Call, Fault};
use super::super::tags;
use super::{
    check_name, combination, engine, filter, instance, invalid, name_of, not_here, paged, settings, wanted_tags,
};

const KIND: &str = "rds/option-group";

/// Options that RDS has for SQL Server and the sandbox has not.
const ELSEWHERE: &[&str] = &[
    "MSDTC",
    "ODBC_TERADATA",
    "OLEDB_ORACLE",
    "SQLSERVER_AUDIT",
    "SSAS",
    "SSIS",
    "SSRS",
    "TDE",
];
const BACKUP: &str = "SQLSERVER_BACKUP_RESTORE";
const BACKUP_DESCRIPTION: &str = "SQLServer Database Level Customer Backups and Restores";
const ROLE: &str = "IAM_ROLE_ARN";
const ROLE_DESCRIPTION: &str =
    "Specifies the IAM role ARN used by RDS to backup and restore to and from customer's S3 bucket(s)";

#[derive(Clone, Serialize, Deserialize)]
pub struct OptionGroup {
    pub name: String,
    description: String,
    pub engine: String,
    pub major: String,
    /// The option for native backups, with its role.
    backup: Option<Option<String>>,
}

pub fn create(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "OptionGroupName",
            "EngineName",
            "MajorEngineVersion",
            "OptionGroupDescription",
            "Tags",
        ],
    )?;
    let name = check_name("OptionGroupName", call.text("OptionGroupName"), 255)?;
    if call.store.get::<OptionGroup>(KIND, &name)?.is_some() {
        return Err(Fault::new(
            "OptionGroupAlreadyExistsFault",
            format!("An option group named {name} already exists."),
        ));
    }
    let engine = engine::edition(call.text("EngineName"))?.engine;
    let major = major(engine, call.text("MajorEngineVersion"))?;
    if call.text("OptionGroupDescription").is_empty() {
        return Err(settings::blank("OptionGroupDescription"));
    }
    let wanted = wanted_tags(call)?;
    let group = OptionGroup {
        name,
        description: call.text("OptionGroupDescription").to_owned(),
        engine: engine.to_owned(),
        major: major.to_owned(),
        backup: None,
    };
    save(call, &group)?;
    tags::put(call, &group.arn(call), &wanted)?;
    answer(json!({ "OptionGroup": group.view(call)? }))
}

fn major(engine: &str, asked: &str) -> Result<&'static str, Fault> {
    let known = engine::MAJORS.iter().find(|known| **known == asked).copied();
    known.ok_or_else(|| match asked {
        "13.00" | "14.00" => not_here(&format!("the major version {asked} of {engine}")),
        _ => combination(&format!("Cannot find major version {asked} for {engine}")),
    })
}

pub fn describe(call: &Call<'_>) -> Answer {
    filter::none(call)?;
    let groups = match call.text("OptionGroupName") {
        "" => {
            let mut groups: Vec<OptionGroup> = call.store.all(KIND)?;
            for edition in engine::EDITIONS {
                groups.extend(engine::MAJORS.iter().map(|major| default_of(edition.engine, major)));
            }
            groups
        }
        name => vec![existing(call, name)?],
    };
    let (engine, major) = (call.text("EngineName"), call.text("MajorEngineVersion"));
    if engine.is_empty() && !major.is_empty() {
        return Err(combination("MajorEngineVersion needs EngineName."));
    }
    let mut views = Vec::new();
    for group in groups {
        if (engine.is_empty() || group.engine == engine) && (major.is_empty() || group.major == major) {
            views.push((group.name.clone(), group.view(call)?));
        }
    }
    paged(call, "OptionGroupsList", views)
}

pub fn modify(call: &Call<'_>) -> Answer {
    only(
        call,
        &[
            "OptionGroupName",
            "OptionsToInclude",
            "OptionsToRemove",
            "ApplyImmediately",
        ],
    )?;
    let mut group = changeable(call)?;
    let (include, remove) = (call.list("OptionsToInclude"), call.texts("OptionsToRemove"));
    if include.is_empty() && remove.is_empty() {
        return Err(invalid("At least one option must be added, modified, or removed."));
    }
    for option in include {
        let name = option["OptionName"].as_str().unwrap_or_default();
        check_option(&group, name)?;
        let known = ["OptionName", "OptionSettings"];
        if let Some(other) = option
            .as_object()
            .into_iter()
            .flatten()
            .find(|part| !known.contains(&part.0.as_str()))
        {
            return Err(invalid(&format!("The option {name} takes no {}.", other.0)));
        }
        let mut role = group.backup.take().flatten();
        for setting in option["OptionSettings"].as_array().into_iter().flatten() {
            let setting_name = setting["Name"].as_str().unwrap_or_default();
            if setting_name != ROLE {
                return Err(invalid(&format!(
                    "Unknown setting {setting_name} of the option {name}."
                )));
            }
            let arn = setting["Value"].as_str().unwrap_or_default();
            if !arn.starts_with("arn:aws:iam::") || !arn.contains(":role/") {
                return Err(invalid(&format!("Invalid value '{arn}' for the setting {ROLE}.")));
            }
            role = Some(arn.to_owned());
        }
        group.backup = Some(role);
    }
    for name in remove {
        check_option(&group, &name)?;
        group.backup = None;
    }
    save(call, &group)?;
    answer(json!({ "OptionGroup": group.view(call)? }))
}

fn check_option(group: &OptionGroup, name: &str) -> Result<(), Fault> {
    match name {
        BACKUP => Ok(()),
        other if ELSEWHERE.contains(&other) => Err(not_here(&format!("the option {other} of {}", group.engine))),
        other => Err(invalid(&format!(
            "Option {other} is not available for {} {}.",
            group.engine, group.major
        ))),
    }
}

pub fn delete(call: &Call<'_>) -> Answer {
    let group = changeable(call)?;
    if let Some(user) = instance::linked(call, &format!("og:{}", group.name))?.first() {
        return Err(Fault::new(
            "InvalidOptionGroupStateFault",
            format!(
                "The option group '{}' cannot be deleted because it is in use. (It is in use by {}.)",
                group.name, user.id
            ),
        ));
    }
    call.store.delete(KIND, &group.name)?;
    tags::clear(call, &group.arn(call))?;
    answer(json!({}))
}

/// What can be in a group of this engine.
pub fn options(call: &Call<'_>) -> Answer {
    let engine = engine::edition(call.text("EngineName"))?.engine;
    filter::none(call)?;
    let majors = match call.text("MajorEngineVersion") {
        "" => engine::MAJORS.to_vec(),
        asked => vec![major(engine, asked)?],
    };
    let views = majors.into_iter().map(|major| {
        let oldest = engine::offered(engine, major).next().map_or("", |(_, version)| version);
        let view = json!({
            "Name": BACKUP,
            "Description": BACKUP_DESCRIPTION,
            "EngineName": engine,
            "MajorEngineVersion": major,
            "MinimumRequiredMinorEngineVersion": oldest.get(6..),
            "PortRequired": false,
            "OptionsDependedOn": [],
            "OptionsConflictsWith": [],
            "Persistent": false,
            "Permanent": false,
            "RequiresAutoMinorEngineVersionUpgrade": false,
            "VpcOnly": false,
            "OptionGroupOptionSettings": [{
                "SettingName": ROLE,
                "SettingDescription": ROLE_DESCRIPTION,
                "ApplyType": "DYNAMIC",
                "IsModifiable": true,
                "IsRequired": false,
                "MinimumEngineVersionPerAllowedValue": [],
            }],
            "CopyableCrossAccount": false,
        });
        (major.to_owned(), view)
    });
    paged(call, "OptionGroupOptions", views.collect())
}

impl OptionGroup {
    fn arn(&self, call: &Call<'_>) -> String {
        call.arn("rds", &format!("og:{}", self.name))
    }

    fn view(&self, call: &Call<'_>) -> Answer {
        let options: Vec<Value> = self
            .backup
            .iter()
            .map(|role| {
                let settings: Vec<_> = role
                    .iter()
                    .map(|arn| {
                        json!({
                            "Name": ROLE,
                            "Value": arn,
                            "Description": ROLE_DESCRIPTION,
                            "ApplyType": "DYNAMIC",
                            "DataType": "STRING",
                            "IsModifiable": true,
                            "IsCollection": false,
                        })
                    })
                    .collect();
                json!({
                    "OptionName": BACKUP,
                    "OptionDescription": BACKUP_DESCRIPTION,
                    "Persistent": false,
                    "Permanent": false,
                    "OptionSettings": settings,
                    "DBSecurityGroupMemberships": [],
                    "VpcSecurityGroupMemberships": [],
                })
            })
            .collect();
        Ok(json!({
            "OptionGroupName": self.name,
            "OptionGroupDescription": self.description,
            "EngineName": self.engine,
            "MajorEngineVersion": self.major,
            "Options": options,
            "AllowsVpcAndNonVpcInstanceMemberships": true,
            "OptionGroupArn": self.arn(call),
        }))
    }
}

/// `default:sqlserver-ex-15-00`.
fn default_name(engine: &str, major: &str) -> String {
    format!("default:{engine}-{}", major.replace('.', "-"))
}

pub fn is_default(name: &str) -> bool {
    name.starts_with("default:")
}

fn default_of(engine: &str, major: &str) -> OptionGroup {
    OptionGroup {
        name: default_name(engine, major),
        description: format!("Default option group for {engine} {major}"),
        engine: engine.to_owned(),
        major: major.to_owned(),
        backup: None,
    }
}

/// The name of the group for an engine and version: the default one when none is asked for.
pub fn choose(call: &Call<'_>, name: &str, engine: &str, version: &str) -> Result<String, Fault> {
    let major = engine::major(version);
    if name.is_empty() {
        return Ok(default_name(engine, major));
    }
    let group = existing(call, name)?;
    if group.engine != engine || group.major != major {
        return Err(combination(&format!(
            "The option group {} is for {} {} and can't be used for this instance, which is {engine} {major}.",
            group.name, group.engine, group.major
        )));
    }
    Ok(group.name)
}

pub fn existing(call: &Call<'_>, name: &str) -> Result<OptionGroup, Fault> {
    let name = name_of(name, "og");
    for edition in engine::EDITIONS {
        for major in engine::MAJORS {
            if default_name(edition.engine, major) == name {
                return Ok(default_of(edition.engine, major));
            }
        }
    }
    let missing = || {
        Fault::new(
            "OptionGroupNotFoundFault",
            format!("Specified OptionGroupName: {name} not found."),
        )
        .status(404)
    };
    call.store.get(KIND, &name)?.ok_or_else(missing)
}

/// The role of the option for native backups, `None` within when it has none; `None` where the group has no such option.
pub fn role_of_backups(call: &Call<'_>, name: &str) -> Result<Option<Option<String>>, Fault> {
    Ok(existing(call, name)?.backup)
}

fn changeable(call: &Call<'_>) -> Result<OptionGroup, Fault> {
    let group = existing(call, call.text("OptionGroupName"))?;
    if is_default(&group.name) {
        return Err(invalid(&format!(
            "The parameter OptionGroupName is not valid: the default option group {} can't be modified or deleted.",
            group.name
        )));
    }
    Ok(group)
}

fn save(call: &Call<'_>, group: &OptionGroup) -> Result<(), Fault> {
    call.store.put(KIND, &group.name, "", group)
}
