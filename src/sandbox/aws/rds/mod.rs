//! RDS for SQL Server: database instances, snapshots, subnet groups, parameter groups, option groups, events. Behind an
//! instance is a real embedded SQL Server with a folder of its own.
//!
//! Source: the RDS API reference, version 2014-10-31, and the Amazon RDS user guide. Other engines, clusters, read replicas,
//! proxies, restores to a point in time and backups of later days than the first are refused by name or not there.

mod class;
mod data;
mod engine;
mod event;
mod filter;
mod instance;
mod lifecycle;
mod modify;
mod native;
mod option_group;
mod parameter_group;
mod parameters;
mod placement;
mod restore;
mod role;
mod settings;
mod snapshot;
mod subnet_group;
mod view;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use self::data::sweep;
pub use self::instance::Instance;
pub use self::native::Native;
use super::answers::{Page, answer, limit, page};
use super::call::{Answer, Call, Fault};
use super::dispatch;
use super::page::read_page;
use super::store::Order;
use super::tags::{self, Tags};
use crate::error::{Error, Result};
use crate::sandbox::mssql::beside::Beside;
use crate::secret::Secret;

pub fn handle(call: &mut Call<'_>) -> Answer {
    data::collect(call)?;
    lifecycle::settle(call)?;
    match call.operation {
        "CreateDBInstance" => instance::create(call),
        "DescribeDBInstances" => instance::describe(call),
        "ModifyDBInstance" => modify::modify(call),
        "DeleteDBInstance" => instance::delete(call),
        "RebootDBInstance" => lifecycle::reboot(call),
        "StartDBInstance" => lifecycle::start(call),
        "StopDBInstance" => lifecycle::stop(call),
        "RestoreDBInstanceFromDBSnapshot" => restore::restore(call),
        "AddRoleToDBInstance" => role::add(call),
        "RemoveRoleFromDBInstance" => role::remove(call),
        "CreateDBSnapshot" => snapshot::create(call),
        "CopyDBSnapshot" => snapshot::copy(call),
        "DeleteDBSnapshot" => snapshot::delete(call),
        "DescribeDBSnapshots" => snapshot::describe(call),
        "DescribeDBSnapshotAttributes" => snapshot::attributes(call),
        "CreateDBSubnetGroup" => subnet_group::create(call),
        "DescribeDBSubnetGroups" => subnet_group::describe(call),
        "ModifyDBSubnetGroup" => subnet_group::modify(call),
        "DeleteDBSubnetGroup" => subnet_group::delete(call),
        "CreateDBParameterGroup" => parameter_group::create(call),
        "DescribeDBParameterGroups" => parameter_group::describe(call),
        "DescribeDBParameters" => parameter_group::parameters(call),
        "DescribeEngineDefaultParameters" => parameter_group::defaults(call),
        "ModifyDBParameterGroup" => parameter_group::modify(call),
        "ResetDBParameterGroup" => parameter_group::reset(call),
        "DeleteDBParameterGroup" => parameter_group::delete(call),
        "CreateOptionGroup" => option_group::create(call),
        "DescribeOptionGroups" => option_group::describe(call),
        "DescribeOptionGroupOptions" => option_group::options(call),
        "ModifyOptionGroup" => option_group::modify(call),
        "DeleteOptionGroup" => option_group::delete(call),
        "DescribeDBEngineVersions" => engine::describe(call),
        "DescribeOrderableDBInstanceOptions" => class::orderable(call),
        "DescribeEvents" => event::describe(call),
        "DescribePendingMaintenanceActions" => maintenance(call),
        "AddTagsToResource" => {
            let arn = tagged(call)?;
            let added = wanted_tags(call)?;
            let mut all = tags::of(call, &arn)?;
            all.extend(added.clone());
            tags::check(&all).map_err(|message| invalid(&message))?;
            tags::put(call, &arn, &added)?;
            answer(json!({}))
        }
        "RemoveTagsFromResource" => {
            let arn = tagged(call)?;
            tags::remove(call, &arn, &call.texts("TagKeys"))?;
            answer(json!({}))
        }
        "ListTagsForResource" => {
            filter::none(call)?;
            let arn = tagged(call)?;
            answer(json!({ "TagList": tags::to_list(&tags::of(call, &arn)?) }))
        }
        _ => dispatch::not_in_the_sandbox(call),
    }
}

/// The sandbox plans no maintenance of its own, so nothing is pending; an instance that is named must be there.
fn maintenance(call: &Call<'_>) -> Answer {
    filter::Filters::read(call, &["db-cluster-id", "db-instance-id"])?;
    let arn = call.text("ResourceIdentifier");
    if !arn.is_empty() && instance::find(call, arn)?.is_none_or(|found| found.arn != arn) {
        return Err(Fault::new(
            "ResourceNotFoundFault",
            format!("The specified resource name does not match an RDS resource in this region: {arn}"),
        )
        .status(404));
    }
    answer(json!({ "PendingMaintenanceActions": [] }))
}

/// What stands behind a host name.
#[derive(Clone, Debug)]
pub struct DatabaseAt {
    /// The folder of its SQL Server.
    pub folder: PathBuf,
    /// The master user.
    pub user: String,
    pub password: Secret,
    /// The procedures that RDS puts beside SQL Server's own: [`crate::sandbox::mssql::SqlServer::open_with`] takes them.
    pub beside: Option<Arc<dyn Beside>>,
}

/// The region in `NAME.MARK.REGION.rds.amazonaws.com`.
pub fn region_of(host: &str) -> Option<&str> {
    let mut parts = host.strip_suffix(".rds.amazonaws.com")?.split('.');
    let (_, _, region) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(region)
}

/// The instance with that host name. The inner error says why it takes no connections in its state.
pub fn database_at(call: &Call<'_>, host: &str) -> Result<Result<Option<DatabaseAt>>, Fault> {
    let Some(instance) = of_host(call, host)? else {
        return Ok(Ok(None));
    };
    if let Some(status) = instance.unreachable() {
        let error = Error::failed(format!(
            "the database server {host} takes no connections: the instance {} is {status}",
            instance.id
        ));
        return Ok(Err(error.hint(match status {
            "stopped" => "start it; `aws rds start-db-instance` does that",
            "deleting" => "it will be gone soon; restore a snapshot or create it again",
            _ => "wait until it is available",
        })));
    }
    let password = call.vault.unseal(&instance.settings.password);
    Ok(password.map(|password| {
        Some(DatabaseAt {
            folder: data::path(call, &instance.folder),
            user: instance.settings.user.clone(),
            password: Secret::new(password),
            beside: None,
        })
    }))
}

/// The instance with that host name, whatever its state is.
pub fn of_host(call: &Call<'_>, host: &str) -> Result<Option<Instance>, Fault> {
    data::collect(call)?;
    lifecycle::settle(call)?;
    let id = host.split('.').next().unwrap_or_default();
    Ok(instance::find(call, id)?.filter(|instance| instance.host().eq_ignore_ascii_case(host)))
}

/// The length of a page: 100 unless `MaxRecords` (20 to 100) says less.
fn page_size(call: &Call<'_>) -> Result<usize, Fault> {
    let size = limit(call, "MaxRecords", 100);
    if !(20..=100).contains(&size) || call.int("MaxRecords").is_some_and(|asked| asked < 20) {
        let asked = call.int("MaxRecords").unwrap_or_default();
        return Err(invalid(&format!(
            "Invalid value {asked} for MaxRecords. Must be between 20 and 100"
        )));
    }
    Ok(size)
}

/// A page of what is kept, in the order of ids: of one document when it is named, else of those that `keep` takes. It
/// costs what is on it.
fn listed<T: DeserializeOwned>(
    call: &Call<'_>,
    member: &str,
    kind: &str,
    named: Option<T>,
    mut keep: impl FnMut(&T) -> Result<bool, Fault>,
    view: impl Fn(&T) -> Answer,
) -> Answer {
    let place = (page_size(call)?, call.text("Marker"));
    let (items, next) = match named {
        Some(item) => {
            let kept = keep(&item)?;
            (Vec::from_iter(kept.then_some(item)), None)
        }
        None => read_page(call.store, kind, Order::Id(""), place, keep, || {
            invalid("The marker is invalid.")
        })?,
    };
    let views = items.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    answer(json!({ member: views, "Marker": next }))
}

/// A page of a short list that is at hand, with `Marker`.
fn paged(call: &Call<'_>, member: &str, items: Vec<(String, Value)>) -> Answer {
    let Page { items, next } = page(
        items,
        |(key, _)| key.clone(),
        call.text("Marker"),
        page_size(call)?,
        || invalid("The marker is invalid."),
    )?;
    answer(json!({ member: items.into_iter().map(|(_, view)| view).collect::<Vec<_>>(), "Marker": next }))
}

fn wanted_tags(call: &Call<'_>) -> Result<Tags, Fault> {
    let wanted = tags::from_list(call.list("Tags"));
    tags::check(&wanted).map_err(|message| invalid(&message))?;
    // "The string value cannot be prefixed with `aws:` or `rds:`."
    match wanted.keys().find(|key| key.to_ascii_lowercase().starts_with("rds:")) {
        Some(key) => Err(invalid(&format!(
            "Tag keys starting with 'rds:' are reserved for system use: '{key}'"
        ))),
        None => Ok(wanted),
    }
}

/// The resource whose tags a call is about, which must be there.
fn tagged(call: &Call<'_>) -> Result<String, Fault> {
    let arn = call.text("ResourceName");
    let own = arn
        .strip_prefix(&call.arn("rds", ""))
        .and_then(|rest| rest.split_once(':'));
    match own {
        Some(("db", _)) => instance::existing(call, arn).map(|_| ())?,
        Some(("snapshot", _)) => snapshot::existing(call, arn).map(|_| ())?,
        Some(("subgrp", _)) => subnet_group::existing(call, arn).map(|_| ())?,
        Some(("pg", _)) => parameter_group::existing(call, arn).map(|_| ())?,
        Some(("og", _)) => option_group::existing(call, arn).map(|_| ())?,
        _ => {
            return Err(invalid(&format!(
                "The specified resource name does not match an RDS resource in this region: {arn}"
            )));
        }
    }
    Ok(arn.to_owned())
}

/// A name in lower case, of the name itself or an ARN: `arn:aws:rds:REGION:ACCOUNT:TYPE:NAME`.
fn name_of(text: &str, kind: &str) -> String {
    let name = match text.starts_with("arn:") {
        true => text.splitn(7, ':').skip(5).collect::<Vec<_>>().join(":"),
        false => format!("{kind}:{text}"),
    };
    // An ARN of another type names nothing of this one.
    let name = name.strip_prefix(&format!("{kind}:")).unwrap_or_default();
    name.to_ascii_lowercase()
}

/// The rules for identifiers: letters, digits and hyphens, beginning with a letter, no hyphen at the end, no two in a row.
/// They are kept in lower case.
fn check_name(member: &str, name: &str, longest: usize) -> Result<String, Fault> {
    if name.is_empty() {
        return Err(settings::blank(member));
    }
    let right = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !right {
        return Err(invalid(&format!(
            "The parameter {member} is not a valid identifier. Identifiers must begin with a letter; must contain only \
             ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )));
    }
    if name.len() > longest {
        return Err(invalid(&format!(
            "The parameter {member} is not a valid identifier because it is longer than {longest} characters."
        )));
    }
    Ok(name.to_ascii_lowercase())
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

fn combination(message: &str) -> Fault {
    Fault::new("InvalidParameterCombination", message)
}

/// What RDS does and the sandbox does not.
fn not_here(what: &str) -> Fault {
    Fault::new("UnsupportedOperation", format!("not in the sandbox: {what}"))
}
