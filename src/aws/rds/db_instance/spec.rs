//! What a script says of a database server, and what of it the service would refuse.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result, nearest};
use crate::resource::Scope;
use crate::s3::S3File;

/// CreateDBInstance: "Must contain from 1 to 63 letters, numbers, or hyphens".
const LONGEST_NAME: usize = 63;

/// CreateDBInstance, `AllocatedStorage`, RDS for SQL Server.
const STORAGE: std::ops::RangeInclusive<u32> = 20..=16384;

static BACKUP_WINDOW: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$").ok());
static MAINTENANCE_WINDOW: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let day = "(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]";
    Regex::new(&format!("^(?i){day}-{day}$")).ok()
});

/// When changes that interrupt are made.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Apply {
    /// At once, and the run waits for it.
    #[default]
    Now,
    /// In the next maintenance window. Until then they are told in each run.
    Window,
}

fn yes() -> bool {
    true
}

fn a_week() -> u32 {
    7
}

fn sql_server() -> u16 {
    1433
}

fn latest() -> String {
    "latest".into()
}

/// A database server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What it is called in this environment. At the service it is PROJECT-ENV-NAME, 63 characters at most.
    pub name: String,
    /// The engine and its edition: `sqlserver-ex`, `sqlserver-web`, `sqlserver-se` or `sqlserver-ee`. Another one is
    /// another database.
    pub engine: String,
    /// Such as `15.00`: any version that begins with it. The service's own choice when it is not given, and then not
    /// compared. A newer one is an upgrade, which interrupts; there is no way back.
    pub engine_version: Option<String>,
    /// The size of the machine, such as `db.t3.small`. A change interrupts.
    pub class: String,
    /// Storage in GiB. It can only grow.
    pub storage: u32,
    /// `gp2`, `gp3`, `io1`, `io2` or `standard`. The service's own choice when it is not given.
    pub storage_type: Option<String>,
    /// I/O operations a second, where the type of storage takes a number.
    pub iops: Option<u32>,
    /// Up to how many GiB the service lets the storage grow by itself when it becomes full.
    pub max_storage: Option<u32>,
    /// A second server in another zone that takes over. Not for the Express and Web editions.
    #[serde(default)]
    pub multi_az: bool,
    /// Encryption of what is stored: `true` when not given. Another answer is another database.
    #[serde(default = "yes")]
    pub encryption: bool,
    /// The KMS key of the encryption; the account's own for RDS when it is not given.
    pub kms_key: Option<String>,
    /// For how many days the daily backups are kept, 0 to 35; 0 takes none.
    #[serde(default = "a_week")]
    #[schemars(range(min = 0, max = 35))]
    pub backup_days: u32,
    /// The half hour or more of the daily backup in UTC, such as `02:00-02:30`. The service chooses one when not given.
    pub backup_window: Option<String>,
    /// The weekly half hour or more for maintenance in UTC, such as `sun:05:00-sun:06:00`. The service chooses one when
    /// not given.
    pub maintenance_window: Option<String>,
    /// Whether changes that interrupt are made `now` (the default), or in the next maintenance `window`.
    #[serde(default)]
    pub apply: Apply,
    /// Whether the service installs minor versions by itself, in the maintenance window: `true` when not given.
    #[serde(default = "yes")]
    pub auto_minor_version_upgrade: bool,
    /// The parameter group: `parameters.id`, or one of the service's own.
    pub parameter_group: Option<String>,
    /// The option group: `options.id`, or one of the service's own.
    pub option_group: Option<String>,
    /// Whether the service refuses to delete it, also for iacsh, until this is `false`.
    #[serde(default)]
    pub deletion_protection: bool,
    /// Whether it has an address that the internet reaches. Its subnets must then have a route to an internet gateway.
    #[serde(default)]
    pub publicly_accessible: bool,
    /// The subnet group: `subnets.id`. Another one is another server.
    pub subnet_group: String,
    /// The ids of the security groups: all of them.
    pub security_groups: Vec<String>,
    /// The TCP port.
    #[serde(default = "sql_server")]
    pub port: u16,
    /// The login of the master user. Another one is another database.
    pub user: String,
    /// The secret in Secrets Manager that holds the master password: its ARN. The password is set when the secret gets
    /// another version. It has 8 to 128 characters, none of them `/`, `"` or `@`.
    pub password_secret: String,
    /// The certificate authority of the server's certificate, such as `rds-ca-rsa2048-g1`. A change restarts it.
    pub ca_certificate: Option<String>,
    /// The collation of the server, such as `Latin1_General_CI_AS`. Cannot change.
    pub collation: Option<String>,
    /// The time zone of the server, such as `W. Europe Standard Time`. Cannot change.
    pub timezone: Option<String>,
    /// Where its content comes from when it is not there: `latest` (the default) is our newest snapshot, and empty only
    /// if there never was one; `snapshot:ID` is that snapshot; `bak:s3://BUCKET/KEY` makes an empty server for
    /// `mssql::restore`, and is refused as `empty` is, unless `--with-data NAME` means it; `empty` is refused where we have a snapshot; `existing`
    /// means that it must be there.
    #[serde(default = "latest")]
    pub source: String,
}

/// Where the content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Latest,
    Snapshot(String),
    /// A backup of a database. The server itself is made empty, and `mssql::restore` puts the database into it.
    Backup(S3File),
    Existing,
    Empty,
}

impl Source {
    /// Reads `latest`, `snapshot:ID`, `bak:s3://BUCKET/KEY`, `existing` or `empty`.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("snapshot", id)) if !id.is_empty() => return Ok(Self::Snapshot(id.to_owned())),
            Some(("bak", uri)) => return S3File::parse(uri).map(Self::Backup),
            _ => {}
        }
        match text {
            "latest" => Ok(Self::Latest),
            "existing" => Ok(Self::Existing),
            "empty" => Ok(Self::Empty),
            _ => {
                let error = Error::failed(format!("\"{text}\" is not a source of a database"));
                Err(match nearest(text, ["latest", "existing", "empty"]) {
                    Some(near) => error.hint(format!("did you mean \"{near}\"?")),
                    None => error.hint("there are: latest, snapshot:ID, bak:s3://BUCKET/KEY, existing, empty"),
                })
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Snapshot(id) => write!(f, "snapshot:{id}"),
            Self::Backup(file) => write!(f, "bak:{file}"),
            Self::Existing => f.write_str("existing"),
            Self::Empty => f.write_str("empty"),
        }
    }
}

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

impl Spec {
    /// The option `source` was checked, so that this has a value.
    pub fn source(&self) -> Source {
        Source::parse(&self.source).unwrap_or(Source::Existing)
    }

    pub(super) fn check(&self, scope: &Scope, name: &str) -> Result<()> {
        crate::aws::rds::check_name(scope, name, "DB instance", LONGEST_NAME)?;
        Source::parse(&self.source)?;
        if !self.class.starts_with("db.") {
            return Err(
                Error::failed(format!("\"{}\" is not a class of instances", self.class)).hint("as \"db.t3.small\"")
            );
        }
        if !STORAGE.contains(&self.storage) {
            return Err(Error::failed(format!(
                "`storage` goes from {} to {} GiB, not {}",
                STORAGE.start(),
                STORAGE.end(),
                self.storage
            )));
        }
        if self.max_storage.is_some_and(|most| most <= self.storage) {
            return Err(Error::failed("`max_storage` must be more than `storage`"));
        }
        // RDS User Guide, "Multi-AZ deployments for Amazon RDS for Microsoft SQL Server": Standard and Enterprise.
        if self.multi_az && matches!(self.engine.as_str(), "sqlserver-ex" | "sqlserver-web") {
            return Err(
                Error::failed(format!("{} has no `multi_az`", self.engine)).hint("sqlserver-se and sqlserver-ee have")
            );
        }
        if self.kms_key.is_some() && !self.encryption {
            return Err(Error::failed("`kms_key` needs `encryption`"));
        }
        if self.security_groups.is_empty() {
            return Err(Error::failed("`security_groups` must name at least one security group")
                .hint("without one the service takes the default group of the VPC, which lets nobody in"));
        }
        // CreateDBInstance, `MasterUsername` and `Port`.
        let user = &self.user;
        let is_word = user.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word || !user.starts_with(|c: char| c.is_ascii_alphabetic()) || user.len() > 16 {
            return Err(Error::failed(format!(
                "the master user \"{user}\" must have 1 to 16 letters, digits and underscores, a letter first"
            )));
        }
        if matches!(user.to_lowercase().as_str(), "sa" | "rdsadmin") {
            return Err(Error::failed(format!(
                "the master user may not be \"{user}\": the name is taken"
            )));
        }
        if self.port < 1150 || matches!(self.port, 1234 | 1434 | 3260 | 3343 | 3389 | 47001 | 49152..=49156) {
            return Err(Error::failed(format!(
                "RDS for SQL Server cannot listen on port {}",
                self.port
            )));
        }
        let windows = [
            ("backup_window", &self.backup_window, &BACKUP_WINDOW, "02:00-02:30"),
            (
                "maintenance_window",
                &self.maintenance_window,
                &MAINTENANCE_WINDOW,
                "sun:05:00-sun:06:00",
            ),
        ];
        for (option, given, pattern, example) in windows {
            if let Some(text) = given
                && !matches(pattern, text)
            {
                return Err(Error::failed(format!("`{option}`: \"{text}\" is not a window"))
                    .hint(format!("as \"{example}\", in UTC")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_and_a_wrong_one_explained() {
        for text in [
            "latest",
            "existing",
            "empty",
            "snapshot:before-the-upgrade",
            "bak:s3://bucket/file.bak",
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), text);
        }
        let error = Source::parse("lastest").unwrap_err();
        assert_eq!(error.help(), Some("did you mean \"latest\"?"));
        let error = Source::parse("bak:file.bak").unwrap_err();
        assert!(error.message().contains("is no file in S3"), "{error}");
        assert!(Source::parse("snapshot:").is_err());
    }

    #[test]
    fn the_patterns_of_windows_are_right() {
        assert!(matches(&BACKUP_WINDOW, "02:00-02:30") && !matches(&BACKUP_WINDOW, "2-3"));
        assert!(matches(&MAINTENANCE_WINDOW, "Sun:05:00-sun:06:00"));
        assert!(!matches(&MAINTENANCE_WINDOW, "sunday:05:00-sunday:06:00"));
    }
}
