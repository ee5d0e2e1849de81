//! What scripts see of the environment: `env()`.

use crate::environment::{Environment, NetworkPlan, Zones};
use crate::map;
use crate::value::{Map, Value};

/// The environment as a map. What the file leaves out is not in it, so that `"address" in env()` asks for it; the
/// defaults are filled in. Names of credentials are in it, their values never.
pub fn facts(environment: &Environment) -> Map {
    let network = match environment.network.plan() {
        NetworkPlan::Make { cidr, zones, nat } => {
            let zones = match zones {
                Zones::Count(count) => Value::Int(i64::try_from(count).unwrap_or(2)),
                Zones::Names(names) => names.into(),
            };
            map! { "cidr" => cidr.to_string(), "zones" => zones, "nat" => nat }
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
    let database = &environment.database;
    let mut facts = map! {
        "name" => environment.name.as_str(),
        "project" => environment.project.as_str(),
        "region" => environment.aws.region.as_str(),
        "is_sandbox" => environment.aws.is_sandbox(),
        "network" => network,
        "redis" => cache,
        "ecs" => service,
        "database" => map! {
            "name" => database.name.as_str(),
            "connection_strings" => database.connection_strings.clone(),
        },
    };
    if let Some(address) = &environment.address {
        let address = map! { "host" => address.host.as_str(), "certificate" => address.certificate.as_str() };
        facts.insert("address".into(), Value::Map(address));
    }
    facts
}
