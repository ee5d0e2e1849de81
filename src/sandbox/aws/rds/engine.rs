//! The editions of SQL Server that RDS offers, and their versions.
//!
//! Source: *Version policy for Amazon RDS for Microsoft SQL Server* (the list of minor versions), `DescribeDBEngineVersions`.
//! SQL Server 2016 and 2017, and every other engine, are refused by name.

use serde_json::{Value, json};

use super::super::call::{Answer, Call, Fault};
use super::{combination, invalid, not_here, paged};

/// `sqlserver-se` and the like.
pub struct Edition {
    pub engine: &'static str,
    pub name: &'static str,
}

pub const EDITIONS: &[Edition] = &[
    Edition {
        engine: "sqlserver-ee",
        name: "Microsoft SQL Server Enterprise Edition",
    },
    Edition {
        engine: "sqlserver-ex",
        name: "Microsoft SQL Server Express Edition",
    },
    Edition {
        engine: "sqlserver-se",
        name: "Microsoft SQL Server Standard Edition",
    },
    Edition {
        engine: "sqlserver-web",
        name: "Microsoft SQL Server Web Edition",
    },
];

/// The only one: RDS sells SQL Server with its licence.
pub const LICENSE: &str = "license-included";
pub const CHARACTER_SET: &str = "SQL_Latin1_General_CP1_CI_AS";

/// Oldest first; the last of each major version is what the major version alone means, and the last one is the default.
const VERSIONS: &[&str] = &[
    "15.00.4043.16.v1",
    "15.00.4073.23.v1",
    "15.00.4153.1.v1",
    "15.00.4198.2.v1",
    "15.00.4236.7.v1",
    "15.00.4312.2.v1",
    "15.00.4316.3.v1",
    "15.00.4322.2.v1",
    "15.00.4335.1.v1",
    "15.00.4345.5.v1",
    "15.00.4355.3.v1",
    "15.00.4365.2.v1",
    "15.00.4375.4.v1",
    "15.00.4382.1.v1",
    "15.00.4385.2.v1",
    "15.00.4390.2.v1",
    "15.00.4395.2.v1",
    "15.00.4405.4.v1",
    "15.00.4410.1.v1",
    "15.00.4415.2.v1",
    "15.00.4420.2.v1",
    "15.00.4430.1.v1",
    "15.00.4435.7.v1",
    "15.00.4440.1.v1",
    "15.00.4445.1.v1",
    "15.00.4455.2.v1",
    "15.00.4460.4.v1",
    "16.00.4085.2.v1",
    "16.00.4095.4.v1",
    "16.00.4105.2.v1",
    "16.00.4115.5.v1",
    "16.00.4120.1.v1",
    "16.00.4125.3.v1",
    "16.00.4131.2.v1",
    "16.00.4135.4.v1",
    "16.00.4140.3.v1",
    "16.00.4145.4.v1",
    "16.00.4150.1.v1",
    "16.00.4165.4.v1",
    "16.00.4175.1.v1",
    "16.00.4185.3.v1",
    "16.00.4195.2.v1",
    "16.00.4205.1.v1",
    "16.00.4210.1.v1",
    "16.00.4215.1.v1",
    "16.00.4225.2.v1",
    "16.00.4230.2.v1",
    "16.00.4236.2.v1",
    "16.00.4245.2.v1",
];

pub const MAJORS: &[&str] = &["15.00", "16.00"];

/// The edition of an engine's name, in whatever case.
pub fn edition(engine: &str) -> Result<&'static Edition, Fault> {
    let lower = engine.to_ascii_lowercase();
    let found = EDITIONS.iter().find(|edition| edition.engine == lower);
    found.ok_or_else(|| {
        // "Engine", CreateDBInstance.
        let others = [
            "aurora-",
            "custom-",
            "db2-",
            "mariadb",
            "mysql",
            "oracle-",
            "postgres",
            "sqlserver-dev-ee",
        ];
        if !others.iter().any(|other| lower.starts_with(other)) {
            return invalid("Invalid DB engine");
        }
        not_here(&format!(
            "the engine {engine}; it has sqlserver-ee, sqlserver-ex, sqlserver-se and sqlserver-web"
        ))
    })
}

/// `15.00.4430.1.v1`, `15.00`, or nothing for the default.
pub fn version(engine: &str, asked: &str) -> Result<&'static str, Fault> {
    let found = VERSIONS.iter().rfind(|known| matches(known, asked)).copied();
    found.ok_or_else(|| match asked.split('.').next() {
        Some("13" | "14") => not_here(&format!(
            "the engine version {asked}; it has SQL Server 2019 (15.00) and 2022 (16.00)"
        )),
        _ => combination(&format!("Cannot find version {asked} for {engine}")),
    })
}

fn matches(known: &str, asked: &str) -> bool {
    known
        .strip_prefix(asked)
        .is_some_and(|rest| asked.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

/// `15.00` of `15.00.4430.1.v1`.
pub fn major(version: &str) -> &str {
    version.get(..5).unwrap_or(version)
}

/// `sqlserver-ex-15.0`.
pub fn family(engine: &str, version: &str) -> String {
    format!("{engine}-{}.0", major(version).split('.').next().unwrap_or_default())
}

pub fn families() -> impl Iterator<Item = String> {
    EDITIONS
        .iter()
        .flat_map(|edition| MAJORS.iter().map(|major| family(edition.engine, major)))
}

/// Whether the second version is newer.
pub fn is_newer(old: &str, new: &str) -> bool {
    numbers(new) > numbers(old)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// All versions that fit, with their editions.
pub fn offered<'a>(engine: &'a str, version: &'a str) -> impl Iterator<Item = (&'static Edition, &'static str)> + 'a {
    EDITIONS
        .iter()
        .filter(move |edition| engine.is_empty() || edition.engine == engine)
        .flat_map(move |edition| {
            VERSIONS
                .iter()
                .filter(move |known| matches(known, version))
                .map(move |known| (edition, *known))
        })
}

pub fn describe(call: &Call<'_>) -> Answer {
    let engine = match call.text("Engine") {
        "" => "",
        name => edition(name)?.engine,
    };
    super::filter::none(call)?;
    let (asked, wanted) = (call.text("EngineVersion"), call.text("DBParameterGroupFamily"));
    let newest = |asked: &str| VERSIONS.iter().rfind(|known| matches(known, asked)).copied();
    let views = offered(engine, asked)
        .filter(|(edition, version)| wanted.is_empty() || family(edition.engine, version) == wanted)
        .filter(|(_, version)| !call.flag("DefaultOnly") || newest(asked) == Some(version))
        .map(|(edition, version)| (format!("{} {version}", edition.engine), view(call, edition, version)));
    paged(call, "DBEngineVersions", views.collect())
}

fn view(call: &Call<'_>, edition: &Edition, version: &str) -> Value {
    let product = |version: &str| if major(version) == "15.00" { "2019" } else { "2022" };
    let targets: Vec<_> = VERSIONS
        .iter()
        .filter(|target| is_newer(version, target))
        .map(|target| {
            json!({
                "Engine": edition.engine,
                "EngineVersion": target,
                "Description": format!("SQL Server {} {target}", product(target)),
                "AutoUpgrade": false,
                "IsMajorVersionUpgrade": major(target) != major(version),
            })
        })
        .collect();
    let characters = json!({ "CharacterSetName": CHARACTER_SET, "CharacterSetDescription":
        "Latin1-General, case-insensitive, accent-sensitive, kanatype-insensitive, width-insensitive for Unicode Data, \
         SQL Server Sort Order 52 on Code Page 1252 for non-Unicode Data" });
    json!({
        "Engine": edition.engine,
        "MajorEngineVersion": major(version),
        "EngineVersion": version,
        "DBParameterGroupFamily": family(edition.engine, version),
        "DBEngineDescription": edition.name,
        "DBEngineVersionDescription": format!("SQL Server {} {version}", product(version)),
        "DefaultCharacterSet": characters,
        "SupportedCharacterSets": call.flag("ListSupportedCharacterSets").then(|| json!([characters])),
        "ValidUpgradeTarget": targets,
        "ExportableLogTypes": ["agent", "error"],
        "SupportsLogExportsToCloudwatchLogs": true,
        "SupportsReadReplica": false,
        "SupportedFeatureNames": ["S3_INTEGRATION"],
        "Status": "available",
        "SupportsParallelQuery": false,
        "SupportsGlobalDatabases": false,
        "SupportsBabelfish": false,
        "SupportsCertificateRotationWithoutRestart": false,
        "SupportedCACertificateIdentifiers": [super::settings::CERTIFICATE],
    })
}
