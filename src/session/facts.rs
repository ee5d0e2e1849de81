//! What scripts see of the environment: `env()`.

use crate::environment::{Database, DatabasePlan, Environment, Instance, MASTER_PASSWORD, NetworkPlan, Zones};
use crate::map;
use crate::s3;
use crate::value::{Map, Value};

/// The environment as a map. What the file leaves out is not in it, so that `"address" in env()` asks for it; the
/// defaults are filled in. Names of credentials are in it, their values never.
pub fn facts(environment: &Environment) -> Map {
    let network = match environment.network.plan() {
        NetworkPlan::Make {
            cidr,
            zones,
            nat,
            endpoints,
        } => {
            let zones = match zones {
                Zones::Count(count) => Value::Int(i64::try_from(count).unwrap_or(2)),
                Zones::Names(names) => names.into(),
            };
            map! { "cidr" => cidr.to_string(), "zones" => zones, "nat" => nat, "endpoints" => endpoints }
        }
        NetworkPlan::Use {
            vpc,
            public_subnets,
            private_subnets,
        } => {
            map! { "vpc" => vpc, "public_subnets" => public_subnets, "private_subnets" => private_subnets }
        }
    };
    let redis = &environment.redis;
    let texts = |texts: &indexmap::IndexMap<String, String>| -> Map {
        texts
            .iter()
            .map(|(key, value)| (key.clone(), Value::text(value)))
            .collect()
    };
    let mut cache = map! {
        "engine" => redis.engine.as_str(),
        "engine_version" => redis.engine_version.as_str(),
        "node_type" => redis.node_type.as_str(),
        "replicas" => i32::from(redis.replicas),
        "transit_encryption" => redis.transit_encryption,
        "at_rest_encryption" => redis.at_rest_encryption,
        "parameters" => texts(&redis.parameters),
    };
    if let Some(group) = &redis.parameter_group {
        cache.insert("parameter_group".into(), Value::text(group));
    }
    let ecs = &environment.ecs;
    let mut service = map! {
        "image" => ecs.image.as_str(),
        "cpu" => ecs.cpu,
        "memory" => ecs.memory,
        "count" => ecs.count,
        "port" => ecs.port,
        "health_path" => ecs.health_path.as_str(),
        "environment" => texts(&ecs.environment),
        "secrets" => texts(&ecs.secrets),
    };
    if let Some(issuer) = &ecs.issuer {
        service.insert("issuer".into(), Value::text(issuer));
    }
    let mut facts = map! {
        "name" => environment.name.as_str(),
        "project" => environment.project.as_str(),
        "region" => environment.aws.region.as_str(),
        "protect" => environment.protect,
        "chaos" => environment.chaos,
        "is_sandbox" => environment.aws.is_sandbox(),
        "network" => network,
        "redis" => cache,
        "ecs" => service,
        "database" => self::database(&environment.database, &environment.aws.region),
    };
    if let Some(address) = &environment.address {
        let mut fact = map! { "host" => address.host.as_str() };
        for (key, given) in [("certificate", &address.certificate), ("zone", &address.zone)] {
            if let Some(given) = given {
                fact.insert(key.into(), Value::text(given));
            }
        }
        facts.insert("address".into(), Value::Map(fact));
    }
    facts
}

/// The database: where it is, and for a server of ours on RDS how it should be.
fn database(database: &Database, region: &str) -> Map {
    let mut facts = map! {
        "target" => database.target.as_str(),
        "name" => database.name.as_str(),
        "port" => database.port,
        "connection_strings" => database.connection_strings.clone(),
    };
    match database.plan() {
        DatabasePlan::Sandbox | DatabasePlan::Server => {}
        DatabasePlan::Use(id) => {
            facts.insert("id".into(), Value::text(&id));
        }
        DatabasePlan::Make(wanted) => {
            let parameters = database.parameters.iter();
            let parameters: Map = parameters
                .map(|(key, value)| (key.clone(), Value::text(value)))
                .collect();
            facts.extend(map! {
                "password_name" => MASTER_PASSWORD,
                "allowed_cidrs" => database.allowed_cidrs.clone(),
                "parameters" => parameters,
                "instance" => instance(wanted),
            });
            if let Some(backups) = backups(database, region) {
                facts.insert("backups".into(), Value::Map(backups));
            }
        }
    }
    facts
}

/// Backups of single databases in S3: `from`, the one that the content comes from; `reads` and `writes`, the ARNs of
/// the buckets that the server must be able to read and write; `key`, the KMS key that they are encrypted with.
fn backups(database: &Database, region: &str) -> Option<Map> {
    let from = database.backup();
    let mut buckets = vec![];
    buckets.extend(from.as_ref().map(|file| s3::bucket_arn(&file.bucket, region)));
    let written = database.backup_bucket.as_deref();
    let written: Vec<_> = written.map(|name| s3::bucket_arn(name, region)).into_iter().collect();
    buckets.extend(
        written
            .iter()
            .filter(|arn| !buckets.contains(arn))
            .cloned()
            .collect::<Vec<_>>(),
    );
    if buckets.is_empty() {
        return None;
    }
    let mut facts = map! { "reads" => buckets, "writes" => written };
    let from = from.map(|file| ("from", file.to_string()));
    let key = database.backup_key.clone().map(|key| ("key", key));
    facts.extend(
        from.into_iter()
            .chain(key)
            .map(|(name, text)| (name.to_owned(), Value::text(&text))),
    );
    Some(facts)
}

/// What is not given is not in it, so that the service chooses.
fn instance(wanted: Instance) -> Map {
    let mut facts = map! {
        "source" => wanted.source,
        "engine" => wanted.engine.as_str(),
        "engine_version" => wanted.engine_version,
        "class" => wanted.class,
        "storage" => wanted.storage,
        "storage_type" => wanted.storage_type,
        "multi_az" => wanted.multi_az,
        "encryption" => wanted.at_rest_encryption,
        "backup_days" => wanted.backup_days,
        "apply" => wanted.apply.as_str(),
        "deletion_protection" => wanted.deletion_protection,
        "publicly_accessible" => wanted.publicly_accessible,
        "user" => wanted.master_user,
    };
    let given = [
        ("max_storage", wanted.max_storage.map(Value::from)),
        ("backup_window", wanted.backup_window.map(Value::from)),
        ("maintenance_window", wanted.maintenance_window.map(Value::from)),
    ];
    facts.extend(
        given
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?))),
    );
    facts
}
