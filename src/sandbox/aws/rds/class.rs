//! Instance classes, and which edition runs on which.
//!
//! Source: *DB instance class support for Microsoft SQL Server*: the families of general purpose and memory optimized classes
//! that are sold today. Classes that the table does not have are refused, also where RDS still sells them.

use serde_json::json;

use super::super::call::{Answer, Call, Fault};
use super::super::ec2::zones;
use super::{combination, engine, filter, invalid, paged, settings};

/// Sizes from the smallest to the largest.
const SIZES: &[&str] = &[
    "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge",
    "32xlarge",
];

/// Edition, family, first and last size.
const CLASSES: &[(&str, &str, &str, &str)] = &[
    ("sqlserver-ee", "db.m5", "xlarge", "24xlarge"),
    ("sqlserver-ee", "db.m6i", "xlarge", "32xlarge"),
    ("sqlserver-ee", "db.r5", "xlarge", "24xlarge"),
    ("sqlserver-ee", "db.r6i", "xlarge", "32xlarge"),
    ("sqlserver-ee", "db.t3", "xlarge", "2xlarge"),
    ("sqlserver-ex", "db.t3", "micro", "2xlarge"),
    ("sqlserver-se", "db.m5", "large", "24xlarge"),
    ("sqlserver-se", "db.m6i", "large", "32xlarge"),
    ("sqlserver-se", "db.r5", "large", "24xlarge"),
    ("sqlserver-se", "db.r6i", "large", "32xlarge"),
    ("sqlserver-se", "db.t3", "xlarge", "2xlarge"),
    ("sqlserver-web", "db.m5", "large", "4xlarge"),
    ("sqlserver-web", "db.m6i", "large", "4xlarge"),
    ("sqlserver-web", "db.r5", "large", "2xlarge"),
    ("sqlserver-web", "db.r6i", "large", "2xlarge"),
    ("sqlserver-web", "db.t3", "small", "2xlarge"),
];

/// The classes of an edition.
fn of(engine: &str) -> impl Iterator<Item = String> {
    let rows = CLASSES.iter().filter(move |row| row.0 == engine);
    rows.flat_map(|(_, family, first, last)| {
        let place = |size: &str| SIZES.iter().position(|known| *known == size).unwrap_or_default();
        let sizes = SIZES.get(place(first)..=place(last)).unwrap_or_default();
        sizes.iter().map(move |size| format!("{family}.{size}"))
    })
}

/// That the edition and version run on that class.
pub fn check(class: &str, engine: &str, version: &str) -> Result<(), Fault> {
    if of(engine).any(|known| known == class) {
        return Ok(());
    }
    let parts: Vec<&str> = class.split('.').collect();
    let is_class = matches!(parts.as_slice(), ["db", family, size] if family.len() >= 2 && SIZES.contains(size));
    if !is_class {
        return Err(invalid(&format!("Invalid DB Instance class: {class}")));
    }
    Err(combination(&format!(
        "RDS does not support creating a DB instance with the following combination: DBInstanceClass={class}, \
         Engine={engine}, EngineVersion={version}, LicenseModel={}. For supported combinations of instance class and \
         database engine version, see the documentation.",
        engine::LICENSE
    )))
}

/// Multi-AZ: Enterprise and Standard by mirroring or Always On, Web from SQL Server 2022 by block-level replication,
/// *Multi-AZ deployments for Amazon RDS for Microsoft SQL Server*.
pub fn multi_az(engine: &str, version: &str) -> bool {
    match engine {
        "sqlserver-ex" => false,
        "sqlserver-web" => engine::major(version) == "16.00",
        _ => true,
    }
}

pub fn orderable(call: &Call<'_>) -> Answer {
    let edition = engine::edition(call.text("Engine"))?;
    filter::none(call)?;
    let wanted = |member: &str, value: &str| call.text(member).is_empty() || call.text(member) == value;
    let zones: Vec<_> = zones::all(call)
        .into_iter()
        .map(|zone| json!({ "Name": zone.name }))
        .collect();
    let mut views = Vec::new();
    for (_, version) in engine::offered(edition.engine, call.text("EngineVersion")) {
        for class in of(edition.engine).filter(|class| wanted("DBInstanceClass", class)) {
            for storage in settings::STORAGE {
                let view = json!({
                    "Engine": edition.engine,
                    "EngineVersion": version,
                    "DBInstanceClass": class,
                    "LicenseModel": engine::LICENSE,
                    "AvailabilityZones": zones,
                    "MultiAZCapable": multi_az(edition.engine, version),
                    "ReadReplicaCapable": false,
                    "Vpc": true,
                    "SupportsStorageEncryption": true,
                    "StorageType": storage.name,
                    "SupportsIops": storage.iops.is_some(),
                    "SupportsStorageThroughput": storage.throughput.is_some(),
                    "SupportsEnhancedMonitoring": true,
                    "SupportsIAMDatabaseAuthentication": false,
                    "SupportsPerformanceInsights": true,
                    "MinStorageSize": storage.least,
                    "MaxStorageSize": storage.most,
                    "MinIopsPerDbInstance": storage.iops.map(|range| range.0),
                    "MaxIopsPerDbInstance": storage.iops.map(|range| range.1),
                    "MinStorageThroughputPerDbInstance": storage.throughput.map(|range| range.0),
                    "MaxStorageThroughputPerDbInstance": storage.throughput.map(|range| range.1),
                    "SupportsStorageAutoscaling": storage.name != "standard",
                    "SupportsKerberosAuthentication": true,
                    "OutpostCapable": false,
                    "SupportsGlobalDatabases": false,
                    "SupportedNetworkTypes": ["IPV4"],
                    "SupportsClusters": false,
                    "SupportsDedicatedLogVolume": false,
                });
                let size = SIZES.iter().position(|size| class.ends_with(&format!(".{size}")));
                let family = class.rsplit_once('.').map_or("", |(family, _)| family);
                let key = format!("{version} {family} {:02} {}", size.unwrap_or_default(), storage.name);
                views.push((key, view));
            }
        }
    }
    let licensed = wanted("LicenseModel", engine::LICENSE) && call.input.get("Vpc") != Some(&json!(false));
    paged(
        call,
        "OrderableDBInstanceOptions",
        if licensed { views } else { Vec::new() },
    )
}
