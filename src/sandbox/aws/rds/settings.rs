//! What an instance is made with, as far as a snapshot remembers it; and what RDS refuses of it.
//!
//! Source: RDS API reference, `CreateDBInstance` (limits for RDS for SQL Server); *Amazon RDS DB instance storage*; *Quotas
//! and constraints for Amazon RDS* (names and passwords).

use serde::{Deserialize, Serialize};

use super::super::call::{Call, Fault};
use super::{class, combination, engine, invalid, window};
use crate::sandbox::mssql::parser;

/// The authority of every instance's certificate.
pub const CERTIFICATE: &str = "rds-ca-rsa2048-g1";
pub const PORT: i64 = 1433;
/// "For RDS for Microsoft SQL Server, the value can't be" one of these.
const TAKEN_PORTS: &[std::ops::RangeInclusive<i64>] = &[
    1234..=1234,
    1434..=1434,
    3260..=3260,
    3343..=3343,
    3389..=3389,
    47001..=47001,
    49152..=49156,
];

#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    pub engine: String,
    pub version: String,
    pub class: String,
    /// GiB.
    pub storage: i64,
    pub storage_type: String,
    pub iops: Option<i64>,
    /// MiB a second.
    pub throughput: Option<i64>,
    pub max_storage: Option<i64>,
    pub port: i64,
    pub user: String,
    /// Sealed.
    pub password: String,
    pub multi_az: bool,
    /// Days; 0 means no automated backups.
    pub retention: i64,
    pub backup_window: String,
    pub maintenance_window: String,
    pub auto_minor: bool,
    pub copy_tags: bool,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub option_group: String,
}

/// A type of storage: GiB, IOPS and MiB/s that can be chosen.
pub struct Storage {
    pub name: &'static str,
    pub least: i64,
    pub most: i64,
    pub iops: Option<(i64, i64)>,
    pub throughput: Option<(i64, i64)>,
    /// IOPS for each GiB at most.
    ratio: i64,
}

pub const STORAGE: &[Storage] = &[
    Storage {
        name: "gp2",
        least: 20,
        most: 16_384,
        iops: None,
        throughput: None,
        ratio: 0,
    },
    Storage {
        name: "gp3",
        least: 20,
        most: 16_384,
        iops: Some((3_000, 16_000)),
        throughput: Some((125, 1_000)),
        ratio: 500,
    },
    Storage {
        name: "io1",
        least: 100,
        most: 16_384,
        iops: Some((1_000, 64_000)),
        throughput: None,
        ratio: 50,
    },
    Storage {
        name: "io2",
        least: 100,
        most: 16_384,
        iops: Some((1_000, 64_000)),
        throughput: None,
        ratio: 500,
    },
    Storage {
        name: "standard",
        least: 20,
        most: 1_024,
        iops: None,
        throughput: None,
        ratio: 0,
    },
];

impl Settings {
    /// The parts of storage together, with the defaults of its type filled in.
    pub fn check_storage(&mut self) -> Result<(), Fault> {
        let Some(kind) = STORAGE.iter().find(|kind| kind.name == self.storage_type) else {
            return Err(invalid(&format!("Invalid storage type: {}", self.storage_type)));
        };
        if !(kind.least..=kind.most).contains(&self.storage) {
            return Err(combination(&format!(
                "Invalid storage size for engine name {} and storage type {}: {}",
                self.engine, kind.name, self.storage
            )));
        }
        if self.max_storage.is_some_and(|most| most <= self.storage) {
            return Err(combination("Max storage size must be greater than storage size"));
        }
        match (kind.iops, self.iops) {
            (None, Some(_)) => {
                return Err(combination(&format!(
                    "Iops is not supported for the storage type {}.",
                    kind.name
                )));
            }
            (Some((least, _)), None) if kind.name == "gp3" => self.iops = Some(least),
            (Some(_), None) => {
                return Err(combination(&format!(
                    "Iops must be specified for the storage type {}.",
                    kind.name
                )));
            }
            (Some((least, most)), Some(iops)) => {
                let most = most.min(self.storage * kind.ratio);
                if !(least..=most).contains(&iops) {
                    return Err(combination(&format!(
                        "Invalid iops value for engine name {} and storage type {}: {iops}. With {} GiB it must be between \
                         {least} and {most}.",
                        self.engine, kind.name, self.storage
                    )));
                }
            }
            (None, None) => {}
        }
        match (kind.throughput, self.throughput) {
            (None, Some(_)) => {
                return Err(combination(&format!(
                    "StorageThroughput is not supported for the storage type {}.",
                    kind.name
                )));
            }
            (Some((least, _)), None) => self.throughput = Some(least),
            (Some((least, most)), Some(throughput)) => {
                // "The maximum ratio of throughput to IOPS is 0.25."
                let most = most.min(self.iops.unwrap_or_default() / 4);
                if !(least..=most).contains(&throughput) {
                    return Err(combination(&format!(
                        "Invalid storage throughput value for engine name {} and storage type {}: {throughput}. It must be \
                         between {least} and {most}.",
                        self.engine, kind.name
                    )));
                }
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// What must fit together, whoever changed a part of it.
    pub fn check(&mut self) -> Result<(), Fault> {
        class::check(&self.class, &self.engine, &self.version)?;
        self.check_storage()?;
        if self.multi_az && !class::multi_az(&self.engine, &self.version) {
            return Err(combination(&format!(
                "Multi-AZ deployments are not supported for the engine {} {}.",
                self.engine,
                engine::major(&self.version)
            )));
        }
        window::check_apart(&self.backup_window, &self.maintenance_window)
    }
}

pub fn check_retention(days: i64) -> Result<i64, Fault> {
    if (0..=35).contains(&days) {
        return Ok(days);
    }
    Err(invalid(&format!(
        "Invalid backup retention period: {days}. Must be a value from 0 to 35."
    )))
}

pub fn check_port(port: i64) -> Result<i64, Fault> {
    if (1150..=65535).contains(&port) && !TAKEN_PORTS.iter().any(|taken| taken.contains(&port)) {
        return Ok(port);
    }
    Err(invalid(&format!(
        "Invalid port {port}. Valid values are 1150-65535, and for SQL Server not 1234, 1434, 3260, 3343, 3389, 47001, or \
         49152-49156."
    )))
}

pub fn check_license(engine: &str, license: &str) -> Result<(), Fault> {
    if matches!(license, "" | engine::LICENSE) {
        return Ok(());
    }
    Err(invalid(&format!(
        "Invalid license model '{license}' for engine '{engine}'. Valid license models are: {}.",
        engine::LICENSE
    )))
}

/// Names that SQL Server or RDS has for itself; reserved words of T-SQL come to it.
const OWN_LOGINS: &[&str] = &[
    "dbo",
    "guest",
    "information_schema",
    "public",
    "rdsa",
    "rdsadmin",
    "sa",
    "sys",
    "sysadmin",
];

/// 1 to 128 letters, digits and underscores, beginning with a letter, and no reserved word.
pub fn check_user(user: &str) -> Result<(), Fault> {
    if user.is_empty() {
        return Err(blank("MasterUsername"));
    }
    let right = user.starts_with(|c: char| c.is_ascii_alphabetic())
        && user.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && user.len() <= 128;
    if !right {
        return Err(invalid(
            "The parameter MasterUsername is not a valid identifier. Identifiers must begin with a letter and must contain \
             only ASCII letters, digits, and underscores.",
        ));
    }
    if OWN_LOGINS.contains(&user.to_ascii_lowercase().as_str()) || parser::is_reserved(user) {
        return Err(invalid(&format!(
            "MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        )));
    }
    Ok(())
}

/// The password, sealed. Errors do not repeat it.
pub fn check_password(call: &Call<'_>) -> Result<String, Fault> {
    let password = call.text("MasterUserPassword");
    let wrong = |why: &str| {
        Err(invalid(&format!(
            "The parameter MasterUserPassword is not a valid password{why}"
        )))
    };
    match password.chars().count() {
        0 => return Err(blank("MasterUserPassword")),
        1..8 => return wrong(" because it is shorter than 8 characters."),
        129.. => return wrong(" because it is longer than 128 characters."),
        _ => {}
    }
    if !password.chars().all(|c| c.is_ascii_graphic() && !"/@\"".contains(c)) {
        return wrong(". Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.");
    }
    Ok(call.vault.seal(password))
}

pub fn blank(member: &str) -> Fault {
    invalid(&format!(
        "The parameter {member} must be provided and must not be blank."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_server_itself_are_refused() {
        for name in ["sa", "RdsAdmin", "user", "select", "1st", "with-hyphen", ""] {
            assert_eq!(check_user(name).unwrap_err().code, "InvalidParameterValue", "{name}");
        }
        for name in ["admin", "master_user", "Sql2"] {
            check_user(name).unwrap();
        }
    }

    #[test]
    fn ports_of_the_system_are_refused() {
        for port in [1149, 1434, 3389, 49154, 65536] {
            assert!(check_port(port).is_err(), "{port}");
        }
        assert_eq!(check_port(1433).unwrap(), 1433);
    }
}
