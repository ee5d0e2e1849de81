//! The section `database` of an environment file.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::s3::S3File;

/// Where the database is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseTarget {
    /// The embedded subset of SQL Server.
    #[default]
    Sandbox,
    /// A server that exists.
    Server,
    /// A server of ours on RDS.
    Rds,
}

impl DatabaseTarget {
    pub fn as_str(self) -> &'static str {
        match self {
            DatabaseTarget::Sandbox => "sandbox",
            DatabaseTarget::Server => "server",
            DatabaseTarget::Rds => "rds",
        }
    }
}

/// How the connection to the server is encrypted, as the PRELOGIN message of MS-TDS 2.2.6.5 negotiates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// All of it, or no connection.
    #[default]
    Required,
    /// Nothing, not even the login: for a server behind a tunnel that encrypts.
    Off,
}

/// The editions of SQL Server that RDS has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Edition {
    /// Express: free of licence cost, databases of 10 GB at most.
    #[default]
    #[serde(rename = "sqlserver-ex")]
    Express,
    #[serde(rename = "sqlserver-web")]
    Web,
    #[serde(rename = "sqlserver-se")]
    Standard,
    #[serde(rename = "sqlserver-ee")]
    Enterprise,
}

impl Edition {
    /// RDS's name of the engine.
    pub fn as_str(self) -> &'static str {
        match self {
            Edition::Express => "sqlserver-ex",
            Edition::Web => "sqlserver-web",
            Edition::Standard => "sqlserver-se",
            Edition::Enterprise => "sqlserver-ee",
        }
    }

    /// Source: RDS User Guide, "Multi-AZ deployments for Amazon RDS for Microsoft SQL Server".
    pub fn has_multi_az(self) -> bool {
        matches!(self, Edition::Standard | Edition::Enterprise)
    }
}

/// When changes of the server that interrupt are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Apply {
    /// At once.
    #[default]
    Now,
    /// In the next maintenance window.
    Window,
}

impl Apply {
    pub fn as_str(self) -> &'static str {
        match self {
            Apply::Now => "now",
            Apply::Window => "window",
        }
    }
}

/// The database.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sandbox` for the embedded one, `server` for a SQL Server that exists, `rds` for one on RDS: ours, or with `id` one
    /// that exists.
    pub target: DatabaseTarget,
    /// The server's host name.
    pub host: Option<String>,
    /// The server's TCP port.
    pub port: u16,
    /// The database on the server. It is created where it is missing.
    pub name: String,
    /// `required`, or `off` for a server behind a tunnel that encrypts.
    pub encryption: Encryption,
    /// Whether any certificate of the server is accepted.
    pub trust_certificate: bool,
    /// A PEM file with the certificate authorities that are trusted beside those of the system, relative to the root. RDS
    /// has authorities of its own: https://truststore.pki.rds.amazonaws.com/REGION/REGION-bundle.pem.
    pub authority: Option<String>,
    /// The name of the variable that holds the user. Not for a server of ours on RDS.
    pub user: String,
    /// The name of the variable that holds the password. Not for a server of ours on RDS, whose password is generated once
    /// and kept in Secrets Manager.
    pub password: String,
    /// The connection strings that the application reads, as `ConfigurationDb` for `ConnectionStrings__ConfigurationDb`.
    pub connection_strings: Vec<String>,
    /// The ids of the application's own Entity Framework migrations that are recorded as applied, so that an application
    /// that migrates when it starts does not create the tables again.
    pub ef_history: Vec<String>,
    /// The version of Entity Framework that is recorded with them.
    pub ef_version: String,
    /// On RDS: the id of an instance that exists. It is used and never changed; its login is in `user` and `password`.
    pub id: Option<String>,
    /// On RDS: where the content comes from when the server is not there. `latest` (the default) is our newest snapshot,
    /// and empty only if there never was one; `snapshot:ID` is that one; `bak:s3://BUCKET/KEY` is a backup of the database
    /// alone, restored also into a server that is there without it; `empty` and `bak:` are refused where we have a snapshot;
    /// `existing` means that the server must be there.
    pub source: Option<String>,
    /// On RDS: the S3 bucket to which the server may write backups of its databases (`mssql::backup`), and from which it may
    /// restore them. It is in the server's region.
    pub backup_bucket: Option<String>,
    /// On RDS: the ARN of the KMS key with which these backups are encrypted.
    pub backup_key: Option<String>,
    /// On RDS: the edition, `sqlserver-ex` (the default), `sqlserver-web`, `sqlserver-se` or `sqlserver-ee`.
    pub engine: Option<Edition>,
    /// On RDS: the version, `15.00` (SQL Server 2019) when not given: any that begins with it.
    pub engine_version: Option<String>,
    /// On RDS: the size of the machine, `db.t3.small` when not given.
    pub class: Option<String>,
    /// On RDS: storage in GiB, 20 when not given. It can only grow.
    pub storage: Option<u32>,
    /// On RDS: `gp3` when not given, `gp2`, `io1`, `io2` or `standard`.
    pub storage_type: Option<String>,
    /// On RDS: up to how many GiB the storage grows by itself when it becomes full. Without it, not at all.
    pub max_storage: Option<u32>,
    /// On RDS: whether a second server in another zone takes over. Not for Express and Web.
    pub multi_az: Option<bool>,
    /// On RDS: whether what is stored is encrypted: `true` when not given.
    pub at_rest_encryption: Option<bool>,
    /// On RDS: for how many days the daily backups are kept, 0 to 35; 7 when not given.
    pub backup_days: Option<u32>,
    /// On RDS: the time of the daily backup in UTC, as `02:00-02:30`.
    pub backup_window: Option<String>,
    /// On RDS: the weekly time for maintenance in UTC, as `sun:03:00-sun:04:00`.
    pub maintenance_window: Option<String>,
    /// On RDS: whether changes that interrupt are made `now` (the default) or in the maintenance `window`.
    pub apply: Option<Apply>,
    /// On RDS: whether nobody may delete it until this is `false`.
    pub deletion_protection: Option<bool>,
    /// On RDS: whether the server stands in the public subnets, with an address that the internet reaches.
    pub publicly_accessible: Option<bool>,
    /// On RDS: who may come in from outside beside the service, as ranges of addresses: a VPN, an office.
    pub allowed_cidrs: Vec<String>,
    /// On RDS: the login of the master user, `iacsh` when not given. Another one is another database.
    pub master_user: Option<String>,
    /// On RDS: parameters of the engine, as `"max degree of parallelism" = "2"`.
    #[schemars(with = "BTreeMap<String, String>")]
    pub parameters: IndexMap<String, String>,
}

/// The meanings of the section `database`.
#[derive(Clone, Debug, PartialEq)]
pub enum DatabasePlan {
    /// In this process.
    Sandbox,
    /// At `host`.
    Server,
    /// An RDS instance that exists.
    Use(String),
    /// An RDS instance of ours.
    Make(Instance),
}

/// An RDS instance of ours, with the defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub source: String,
    pub engine: Edition,
    pub engine_version: String,
    pub class: String,
    pub storage: u32,
    pub storage_type: String,
    pub max_storage: Option<u32>,
    pub multi_az: bool,
    pub at_rest_encryption: bool,
    pub backup_days: u32,
    pub backup_window: Option<String>,
    pub maintenance_window: Option<String>,
    pub apply: Apply,
    pub deletion_protection: bool,
    pub publicly_accessible: bool,
    pub master_user: String,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            target: DatabaseTarget::Sandbox,
            host: None,
            port: 1433,
            name: "IdentityServer".into(),
            encryption: Encryption::Required,
            trust_certificate: false,
            authority: None,
            user: Self::USER.into(),
            password: Self::PASSWORD.into(),
            connection_strings: vec!["DefaultConnection".into()],
            ef_history: Vec::new(),
            ef_version: "3.1.0".into(),
            id: None,
            source: None,
            backup_bucket: None,
            backup_key: None,
            engine: None,
            engine_version: None,
            class: None,
            storage: None,
            storage_type: None,
            max_storage: None,
            multi_az: None,
            at_rest_encryption: None,
            backup_days: None,
            backup_window: None,
            maintenance_window: None,
            apply: None,
            deletion_protection: None,
            publicly_accessible: None,
            allowed_cidrs: Vec::new(),
            master_user: None,
            parameters: IndexMap::new(),
        }
    }
}

impl Database {
    pub const USER: &str = "DB_USER";
    pub const PASSWORD: &str = "DB_PASSWORD";

    pub fn is_sandbox(&self) -> bool {
        self.target == DatabaseTarget::Sandbox
    }

    /// Whether the login comes from variables. Of a server of ours it comes from Secrets Manager.
    pub fn has_login(&self) -> bool {
        !matches!(self.plan(), DatabasePlan::Make(_))
    }

    /// The backup that the content comes from, where the source is one.
    pub fn backup(&self) -> Option<S3File> {
        let uri = self.source.as_deref()?.strip_prefix("bak:")?;
        S3File::parse(uri).ok()
    }

    /// What the section means, with the defaults filled in.
    pub fn plan(&self) -> DatabasePlan {
        match (self.target, &self.id) {
            (DatabaseTarget::Sandbox, _) => DatabasePlan::Sandbox,
            (DatabaseTarget::Server, _) => DatabasePlan::Server,
            (DatabaseTarget::Rds, Some(id)) => DatabasePlan::Use(id.clone()),
            (DatabaseTarget::Rds, None) => DatabasePlan::Make(self.instance()),
        }
    }

    fn instance(&self) -> Instance {
        let text = |given: &Option<String>, preset: &str| given.clone().unwrap_or_else(|| preset.to_owned());
        Instance {
            source: text(&self.source, "latest"),
            engine: self.engine.unwrap_or_default(),
            engine_version: text(&self.engine_version, "15.00"),
            class: text(&self.class, "db.t3.small"),
            storage: self.storage.unwrap_or(20),
            storage_type: text(&self.storage_type, "gp3"),
            max_storage: self.max_storage,
            multi_az: self.multi_az.unwrap_or(false),
            at_rest_encryption: self.at_rest_encryption.unwrap_or(true),
            backup_days: self.backup_days.unwrap_or(7),
            backup_window: self.backup_window.clone(),
            maintenance_window: self.maintenance_window.clone(),
            apply: self.apply.unwrap_or_default(),
            deletion_protection: self.deletion_protection.unwrap_or(false),
            publicly_accessible: self.publicly_accessible.unwrap_or(false),
            master_user: text(&self.master_user, "iacsh"),
        }
    }
}
