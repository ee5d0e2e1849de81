//! The database, and the server that it is on.

use ipnet::IpNet;

use super::{
    BACKUP_WINDOW, CLASS, ENGINE_VERSION, INSTANCE, KMS_KEY, MAINTENANCE_WINDOW, MASTER_USER, MIGRATION, Problems,
    SERVER, VARIABLE, matches,
};
use crate::environment::{Database, DatabasePlan, DatabaseTarget, Encryption, Environment, Instance};
use crate::s3::{self, S3File};

/// CreateDBInstance, `AllocatedStorage`, RDS for SQL Server.
const STORAGE: std::ops::RangeInclusive<u32> = 20..=16384;

pub(super) fn check(environment: &Environment, problems: &mut Problems) {
    let database = &environment.database;
    let path = |key| ["database", key];
    match database.target {
        DatabaseTarget::Rds => on_rds(environment, problems),
        DatabaseTarget::Server if database.host.is_none() => {
            problems.add(
                &["database"],
                "`host` is missing",
                "target = \"server\" needs its host name",
            );
        }
        DatabaseTarget::Sandbox if database.host.is_some() => problems.add(
            &path("host"),
            "the sandbox's database has no `host`",
            "set target = \"server\" or leave it out",
        ),
        // With an endpoint nothing really runs that would have to reach the database.
        DatabaseTarget::Sandbox if !environment.aws.is_sandbox() && environment.aws.endpoint.is_none() => {
            problems.add(
                &path("target"),
                "a service on AWS cannot reach the sandbox's database",
                "set [database] target = \"server\" with its host",
            );
        }
        DatabaseTarget::Sandbox | DatabaseTarget::Server => {}
    }
    if database.target != DatabaseTarget::Rds {
        for key in of_instances(database)
            .into_iter()
            .chain(database.id.as_ref().map(|_| "id"))
        {
            let message = format!("`{key}` is of a server on RDS");
            problems.add(&path(key), message, "set target = \"rds\" or leave it out");
        }
    }
    if database.authority.is_some() && (database.trust_certificate || database.encryption == Encryption::Off) {
        let message = "`authority` says whom to trust, and another key switches the check off";
        problems.add(&path("authority"), message, "keep one of the two");
    }
    if let Some(host) = &database.host {
        problems.form(
            &path("host"),
            &SERVER,
            host,
            "a host name",
            "the port has a key of its own",
        );
    }
    if database.port == 0 {
        problems.add(&path("port"), "a port goes from 1 to 65535", None);
    }
    // SQL Server, "Database identifiers": 1 to 128 characters. The others would need care in every connection string.
    if database.name.is_empty()
        || database.name.chars().count() > 128
        || database.name.contains(['[', ']', ';', '\'', '"', '=', '{', '}'])
        || database.name.chars().any(char::is_control)
    {
        let message = format!("\"{}\" cannot be the name of a database", database.name);
        problems.add(&path("name"), message, "1 to 128 characters, none of [ ] ; ' \" = { }");
    }
    for (key, name) in [("user", &database.user), ("password", &database.password)] {
        if !matches(&VARIABLE, name) {
            let message = format!("`{key}` is the name of a variable, never the {key} itself");
            problems.add(&path(key), message, "as \"DB_PASSWORD\"");
        }
    }
    for (position, name) in database.connection_strings.iter().enumerate() {
        let what = "the name of a connection string";
        let path = ["database", "connection_strings", &position.to_string()];
        problems.form(&path, &VARIABLE, name, what, "as \"DefaultConnection\"");
    }
    for (position, id) in database.ef_history.iter().enumerate() {
        let what = "the id of a migration";
        let path = ["database", "ef_history", &position.to_string()];
        problems.form(&path, &MIGRATION, id, what, "as \"20200522172542_Config\"");
    }
}

/// The keys of a server on RDS that are given, which say how to make one.
fn of_instances(database: &Database) -> Vec<&'static str> {
    [
        ("source", database.source.is_some()),
        ("backup_bucket", database.backup_bucket.is_some()),
        ("backup_key", database.backup_key.is_some()),
        ("engine", database.engine.is_some()),
        ("engine_version", database.engine_version.is_some()),
        ("class", database.class.is_some()),
        ("storage", database.storage.is_some()),
        ("storage_type", database.storage_type.is_some()),
        ("max_storage", database.max_storage.is_some()),
        ("multi_az", database.multi_az.is_some()),
        ("at_rest_encryption", database.at_rest_encryption.is_some()),
        ("backup_days", database.backup_days.is_some()),
        ("backup_window", database.backup_window.is_some()),
        ("maintenance_window", database.maintenance_window.is_some()),
        ("apply", database.apply.is_some()),
        ("deletion_protection", database.deletion_protection.is_some()),
        ("publicly_accessible", database.publicly_accessible.is_some()),
        ("allowed_cidrs", !database.allowed_cidrs.is_empty()),
        ("master_user", database.master_user.is_some()),
        ("parameters", !database.parameters.is_empty()),
    ]
    .into_iter()
    .filter_map(|(key, given)| given.then_some(key))
    .collect()
}

fn on_rds(environment: &Environment, problems: &mut Problems) {
    let database = &environment.database;
    let path = |key| ["database", key];
    if database.host.is_some() {
        let message = "RDS gives the server its `host`";
        problems.add(&path("host"), message, "leave it out, or set target = \"server\"");
    }
    let checks_certificate = database.encryption == Encryption::Required && !database.trust_certificate;
    if checks_certificate && database.authority.is_none() && !environment.aws.is_sandbox() {
        problems.add(
            &["database"],
            "`authority` is missing: RDS's certificates come from authorities that no system knows",
            "download https://truststore.pki.rds.amazonaws.com/REGION/REGION-bundle.pem and name the file",
        );
    }
    match database.plan() {
        DatabasePlan::Make(instance) => make(environment, &instance, problems),
        DatabasePlan::Use(id) => {
            let what = "the id of a database instance";
            problems.form(&path("id"), &INSTANCE, &id, what, "as \"sql-production\"");
            for key in of_instances(database) {
                let message = format!("`{key}` describes a server to make, and `id` names one that exists");
                problems.add(&path(key), message, "keep one of the two");
            }
        }
        DatabasePlan::Sandbox | DatabasePlan::Server => {}
    }
}

fn make(environment: &Environment, instance: &Instance, problems: &mut Problems) {
    let database = &environment.database;
    let path = |key| ["database", key];
    for (key, given) in [
        ("user", database.user != Database::USER),
        ("password", database.password != Database::PASSWORD),
    ] {
        if given {
            let message = format!("`{key}` names a variable, and the login of a server of ours is made once and kept");
            problems.add(&path(key), message, "leave it out: Secrets Manager has the password");
        }
    }
    source(&instance.source, problems);
    backups(database, problems);
    problems.form(
        &path("class"),
        &CLASS,
        &instance.class,
        "a class of instances",
        "as \"db.t3.small\"",
    );
    problems.form(
        &path("engine_version"),
        &ENGINE_VERSION,
        &instance.engine_version,
        "a version of SQL Server on RDS",
        "as \"15.00\" for 2019, or all of it as \"15.00.4236.7.v1\"",
    );
    problems.form(
        &path("master_user"),
        &MASTER_USER,
        &instance.master_user,
        "a master user",
        "1 to 16 letters, digits and underscores, a letter first",
    );
    if matches!(instance.master_user.to_lowercase().as_str(), "sa" | "rdsadmin") {
        problems.add(&path("master_user"), "this name is SQL Server's own", None);
    }
    if !STORAGE.contains(&instance.storage) {
        let message = format!("{} GiB: 20 to 16384 are possible", instance.storage);
        problems.add(&path("storage"), message, None);
    }
    if instance
        .max_storage
        .is_some_and(|most| most <= instance.storage || !STORAGE.contains(&most))
    {
        problems.add(
            &path("max_storage"),
            "must be more than `storage`, and 16384 at most",
            None,
        );
    }
    let types = ["gp2", "gp3", "io1", "io2", "standard"];
    if !types.contains(&instance.storage_type.as_str()) {
        let message = format!(
            "\"{}\" is not a type of storage: {}",
            instance.storage_type,
            types.join(", ")
        );
        problems.add(&path("storage_type"), message, None);
    }
    if instance.multi_az && !instance.engine.has_multi_az() {
        let message = format!("{} has no `multi_az`", instance.engine.as_str());
        problems.add(&path("multi_az"), message, "sqlserver-se and sqlserver-ee have");
    }
    if instance.backup_days > 35 {
        let message = format!("{} days: 0 to 35 are possible", instance.backup_days);
        problems.add(&path("backup_days"), message, None);
    }
    let windows = [
        (
            "backup_window",
            &instance.backup_window,
            &BACKUP_WINDOW,
            "as \"02:00-02:30\"",
        ),
        (
            "maintenance_window",
            &instance.maintenance_window,
            &MAINTENANCE_WINDOW,
            "as \"sun:03:00-sun:04:00\"",
        ),
    ];
    for (key, window, pattern, example) in windows {
        if let Some(window) = window {
            problems.form(&path(key), pattern, window, "a window in UTC", example);
        }
    }
    for (position, range) in database.allowed_cidrs.iter().enumerate() {
        if !range.parse::<IpNet>().is_ok_and(|net| net.trunc() == net) {
            let path = ["database", "allowed_cidrs", &position.to_string()];
            problems.add(
                &path,
                format!("\"{range}\" is not a range of addresses"),
                "as \"10.8.0.0/24\"",
            );
        }
    }
    // CreateDBInstance, `Port`.
    let taken = [1234, 1434, 3260, 3343, 3389, 47001];
    if database.port < 1150 || taken.contains(&database.port) || (49152..=49156).contains(&database.port) {
        let message = format!("RDS for SQL Server cannot listen on port {}", database.port);
        problems.add(&path("port"), message, "1433 is the usual one");
    }
    if let crate::environment::NetworkPlan::Use { private_subnets, .. } = environment.network.plan()
        && private_subnets.len() < 2
        && !instance.publicly_accessible
    {
        let message = "a database server needs `private_subnets` in two zones";
        problems.add(&["network", "private_subnets"], message, None);
    }
}

fn backups(database: &Database, problems: &mut Problems) {
    let path = |key| ["database", key];
    if let Some(bucket) = database.backup_bucket.as_deref().filter(|name| !s3::is_bucket(name)) {
        let message = format!("\"{bucket}\" is no name of a bucket");
        problems.add(&path("backup_bucket"), message, "the name alone, as \"my-bucket\"");
    }
    if let Some(key) = &database.backup_key {
        let (what, example) = ("the ARN of a KMS key", "as \"arn:aws:kms:REGION:ACCOUNT:key/ID\"");
        problems.form(&path("backup_key"), &KMS_KEY, key, what, example);
        if database.backup().is_none() && database.backup_bucket.is_none() {
            let message = "`backup_key` is of backups, and there are none";
            problems.add(
                &path("backup_key"),
                message,
                "name a `backup_bucket`, or a backup in `source`",
            );
        }
    }
}

fn source(source: &str, problems: &mut Problems) {
    let path = ["database", "source"];
    match source.split_once(':') {
        Some(("snapshot", id)) if !id.is_empty() => {}
        Some(("bak", uri)) => {
            if let Err(error) = S3File::parse(uri) {
                problems.add(&path, error.message(), "as \"bak:s3://my-bucket/shop.bak\"");
            }
        }
        _ if ["latest", "existing", "empty"].contains(&source) => {}
        _ => problems.add(
            &path,
            format!("\"{source}\" is not a source"),
            "there are: latest, snapshot:ID, bak:s3://BUCKET/KEY, existing, empty",
        ),
    }
}
