//! An environment with its defaults filled in, key by key: to be shown, and compared with another one.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use super::{DatabasePlan, Environment, Instance, NetworkPlan};
use crate::error::{Error, Result};

impl Environment {
    /// Every value that the file gives or that holds when it does not, by its dotted key: `redis.node_type`. What has no
    /// value is left out. Credentials are only ever named in a file, so there is none among them.
    pub fn settled(&self) -> Result<BTreeMap<String, Json>> {
        let mut file = json(self)?;
        match self.network.plan() {
            NetworkPlan::Make {
                cidr,
                zones,
                nat,
                endpoints,
            } => {
                preset(&mut file, "network", "cidr", &cidr)?;
                preset(&mut file, "network", "zones", &zones)?;
                preset(&mut file, "network", "nat", &nat)?;
                preset(&mut file, "network", "endpoints", &endpoints)?;
            }
            NetworkPlan::Use { .. } => {}
        }
        if let DatabasePlan::Make(instance) = self.database.plan() {
            database(&mut file, &instance)?;
        }
        let mut values = BTreeMap::new();
        flatten("", file, &mut values);
        Ok(values)
    }
}

fn database(file: &mut Json, instance: &Instance) -> Result<()> {
    let mut set = |key: &str, value: Result<Json>| preset(file, "database", key, &value?);
    set("source", json(&instance.source))?;
    set("engine", json(&instance.engine))?;
    set("engine_version", json(&instance.engine_version))?;
    set("class", json(&instance.class))?;
    set("storage", json(&instance.storage))?;
    set("storage_type", json(&instance.storage_type))?;
    set("multi_az", json(&instance.multi_az))?;
    set("at_rest_encryption", json(&instance.at_rest_encryption))?;
    set("backup_days", json(&instance.backup_days))?;
    set("apply", json(&instance.apply))?;
    set("deletion_protection", json(&instance.deletion_protection))?;
    set("publicly_accessible", json(&instance.publicly_accessible))?;
    set("master_user", json(&instance.master_user))
}

/// Fills in what the file left out.
fn preset<T: Serialize + ?Sized>(file: &mut Json, section: &str, key: &str, value: &T) -> Result<()> {
    if file[section][key].is_null() {
        file[section][key] = json(value)?;
    }
    Ok(())
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<Json> {
    serde_json::to_value(value).map_err(|error| Error::failed(format!("the environment cannot be shown: {error}")))
}

fn flatten(path: &str, value: Json, values: &mut BTreeMap<String, Json>) {
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                flatten(&path, value, values);
            }
        }
        Json::Null => {}
        // Nothing is given, and nothing holds instead.
        Json::Array(items) if items.is_empty() => {}
        value => drop(values.insert(path.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settled(name: &str) -> BTreeMap<String, Json> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Environment::load(root, name).unwrap().settled().unwrap()
    }

    #[test]
    fn defaults_are_filled_in_and_credentials_are_names() {
        let sandbox = settled("sandbox");
        assert_eq!(sandbox["network.cidr"], "10.0.0.0/16");
        assert_eq!(sandbox["network.zones"], 2);
        assert_eq!(sandbox["redis.node_type"], "cache.t4g.micro");
        assert_eq!(sandbox["tags.owner"], "identity-team");
        assert!(!sandbox.contains_key("address.host") && !sandbox.contains_key("database.class"));
        let production = settled("production");
        assert_eq!(production["database.class"], "db.m5.large");
        assert_eq!(production["database.storage_type"], "gp3");
        assert_eq!(production["ecs.environment.ASPNETCORE_ENVIRONMENT"], "Production");
        assert!(!production.contains_key("network.cidr"));
        assert_eq!(settled("staging")["database.password"], "STAGING_DB_PASSWORD");
    }
}
