//! RDS: instances, from their creation to their end, and what is refused.

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder as Create;
use aws_sdk_rds::types::{DbInstance, Filter, SourceType, Tag};
use tiberius::{AuthMethod, Config, EncryptionLevel};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::*;
use crate::sandbox::mssql::{Login, SqlServer};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "correct-horse-1";

/// A network with a DB subnet group over two zones.
pub struct Databases {
    pub cloud: Cloud,
    pub client: Client,
    pub vpc: String,
    pub subnets: Vec<String>,
}

impl Databases {
    pub async fn new() -> Self {
        let cloud = Cloud::new();
        let vpc = cloud.vpc("10.0.0.0/16").await;
        let one = cloud.subnet(&vpc, "10.0.0.0/24").await;
        let two = cloud.subnet(&vpc, "10.0.1.0/24").await;
        let client = Client::new(&cloud.config);
        client
            .create_db_subnet_group()
            .db_subnet_group_name("Data")
            .db_subnet_group_description("for a test")
            .subnet_ids(&one)
            .subnet_ids(&two)
            .send()
            .await
            .unwrap();
        Self {
            cloud,
            client,
            vpc,
            subnets: vec![one, two],
        }
    }

    /// What a small instance is made with.
    pub fn create(&self, id: &str) -> Create {
        self.client
            .create_db_instance()
            .db_instance_identifier(id)
            .engine("sqlserver-ex")
            .db_instance_class("db.t3.small")
            .allocated_storage(20)
            .master_username("admin")
            .master_user_password(PASSWORD)
            .db_subnet_group_name("data")
    }

    /// An instance that is available.
    pub async fn ready(&self, id: &str) -> DbInstance {
        self.create(id).send().await.unwrap();
        self.cloud.pass(40 * MINUTE);
        let made = self.instance(id).await;
        assert_eq!(made.db_instance_status(), Some("available"));
        made
    }

    pub async fn instance(&self, id: &str) -> DbInstance {
        let found = self.client.describe_db_instances().db_instance_identifier(id).send();
        found.await.unwrap().db_instances.unwrap().remove(0)
    }

    pub async fn status(&self, id: &str) -> String {
        self.instance(id).await.db_instance_status.unwrap()
    }

    /// The endpoint's host name.
    pub async fn host(&self, id: &str) -> String {
        self.instance(id).await.endpoint.unwrap().address.unwrap()
    }

    /// Connects as the kinds do: by the host name alone.
    pub async fn connect(&self, host: &str) -> Sql {
        let at = self.cloud.sandbox.database_at(host).unwrap().unwrap();
        let server = SqlServer::open_with(
            &at.folder,
            Login {
                user: at.user.clone(),
                password: at.password.clone(),
            },
            at.beside.clone(),
        )
        .unwrap();
        login(&server, &at.user, at.password.expose()).await.unwrap()
    }
}

pub type Sql = tiberius::Client<Compat<tokio::io::DuplexStream>>;

pub async fn login(server: &SqlServer, user: &str, password: &str) -> tiberius::Result<Sql> {
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server(user, password));
    config.encryption(EncryptionLevel::NotSupported);
    tiberius::Client::connect(config, server.connect().compat_write()).await
}

pub async fn run(sql: &mut Sql, text: &str) {
    sql.simple_query(text).await.unwrap().into_results().await.unwrap();
}

pub async fn number(sql: &mut Sql, query: &str) -> i32 {
    let row = sql.simple_query(query).await.unwrap().into_row().await.unwrap();
    row.unwrap().get(0).unwrap()
}

#[tokio::test]
async fn an_instance_lives_and_holds_what_it_stands_on() {
    let db = Databases::new().await;
    let guard = db.cloud.group(&db.vpc, "sql").await;
    let create = || {
        db.create("Shop")
            .vpc_security_group_ids(&guard)
            .preferred_backup_window("03:00-03:30")
            .preferred_maintenance_window("Sun:05:00-Sun:06:00")
            .deletion_protection(true)
            .tags(Tag::builder().key("team").value("one").build())
    };
    let made = create().send().await.unwrap().db_instance.unwrap();
    assert_eq!(made.db_instance_identifier(), Some("shop"), "in lower case");
    assert_eq!(made.db_instance_status(), Some("creating"));
    assert_eq!(made.endpoint(), None, "there is none yet");
    assert_eq!(
        made.db_instance_arn(),
        Some("arn:aws:rds:eu-central-1:000000000000:db:shop")
    );
    assert_eq!(
        made.pending_modified_values().unwrap().master_user_password(),
        Some("****")
    );
    assert_eq!(code(create().send().await), "DBInstanceAlreadyExists");

    db.cloud.pass(18 * MINUTE);
    assert_eq!(db.status("shop").await, "backing-up", "its first automated backup");
    db.cloud.pass(10 * MINUTE);
    let made = db.instance("SHOP").await;
    assert_eq!(made.db_instance_status(), Some("available"));
    let endpoint = made.endpoint().unwrap();
    let host = endpoint.address().unwrap();
    assert!(
        host.starts_with("shop.") && host.ends_with(".eu-central-1.rds.amazonaws.com"),
        "{host}"
    );
    assert_eq!(endpoint.port(), Some(1433));
    assert_eq!(made.tag_list()[0].key(), Some("team"), "tags are in the listing");
    assert!(made.dbi_resource_id().unwrap().starts_with("db-"));
    assert_eq!(made.license_model(), Some("license-included"));
    assert_eq!(
        made.db_parameter_groups()[0].db_parameter_group_name(),
        Some("default.sqlserver-ex-16.0")
    );
    assert_eq!(
        made.option_group_memberships()[0].option_group_name(),
        Some("default:sqlserver-ex-16-00")
    );
    assert_eq!(made.db_subnet_group().unwrap().vpc_id(), Some(db.vpc.as_str()));
    assert_eq!(
        made.vpc_security_groups()[0].vpc_security_group_id(),
        Some(guard.as_str())
    );
    assert_eq!(made.preferred_maintenance_window(), Some("sun:05:00-sun:06:00"));

    // What it stands on cannot go.
    let used = db
        .client
        .delete_db_subnet_group()
        .db_subnet_group_name("data")
        .send()
        .await;
    assert_eq!(code(used), "InvalidDBSubnetGroupStateFault");
    let group = db.cloud.ec2.delete_security_group().group_id(&guard).send().await;
    assert_eq!(code(group), "DependencyViolation");
    let mut subnets = Vec::new();
    for subnet in &db.subnets {
        subnets.push(db.cloud.ec2.delete_subnet().subnet_id(subnet).send().await.is_err());
    }
    assert!(subnets.contains(&true), "the subnet with its interface stays");

    let delete = || db.client.delete_db_instance().db_instance_identifier("shop");
    let (code_, message) = refused(delete().skip_final_snapshot(true).send().await);
    assert_eq!(code_, "InvalidParameterCombination");
    assert!(message.contains("disable deletion protection"), "{message}");
    db.client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .deletion_protection(false)
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(delete().send().await),
        "InvalidParameterCombination",
        "a last snapshot, or none"
    );
    let both = delete().skip_final_snapshot(true).final_db_snapshot_identifier("last");
    assert_eq!(code(both.send().await), "InvalidParameterCombination");
    let gone = delete()
        .skip_final_snapshot(true)
        .send()
        .await
        .unwrap()
        .db_instance
        .unwrap();
    assert_eq!(gone.db_instance_status(), Some("deleting"));
    assert_eq!(
        code(delete().skip_final_snapshot(true).send().await),
        "InvalidDBInstanceState"
    );
    db.cloud.pass(20 * MINUTE);
    let found = db
        .client
        .describe_db_instances()
        .db_instance_identifier("shop")
        .send()
        .await;
    assert_eq!(refused(found).1, "DBInstance shop not found.");
    let all = db.client.describe_db_instances().send().await.unwrap();
    assert!(all.db_instances().is_empty());
    db.client
        .delete_db_subnet_group()
        .db_subnet_group_name("data")
        .send()
        .await
        .unwrap();
    db.cloud
        .ec2
        .delete_security_group()
        .group_id(&guard)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_sdks_waiters_end() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        time_scale: 0,
        ..Options::default()
    };
    let sandbox = Sandbox::open(dir.path(), options).unwrap();
    let config = config(&sandbox, "eu-central-1");
    let (ec2, client) = (aws_sdk_ec2::Client::new(&config), Client::new(&config));
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let mut group = client
        .create_db_subnet_group()
        .db_subnet_group_name("data")
        .db_subnet_group_description("for a test");
    for block in ["10.0.0.0/24", "10.0.1.0/24"] {
        let made = ec2.create_subnet().vpc_id(&vpc).cidr_block(block).send().await.unwrap();
        group = group.subnet_ids(made.subnet.unwrap().subnet_id.unwrap());
    }
    group.send().await.unwrap();
    client
        .create_db_instance()
        .db_instance_identifier("shop")
        .engine("sqlserver-ex")
        .db_instance_class("db.t3.small")
        .allocated_storage(20)
        .master_username("admin")
        .master_user_password(PASSWORD)
        .db_subnet_group_name("data")
        .send()
        .await
        .unwrap();
    let long = Duration::from_secs(60);
    use aws_sdk_rds::client::Waiters;
    let available = client.wait_until_db_instance_available().db_instance_identifier("shop");
    available.wait(long).await.unwrap();
    client
        .delete_db_instance()
        .db_instance_identifier("shop")
        .final_db_snapshot_identifier("last")
        .send()
        .await
        .unwrap();
    let deleted = client.wait_until_db_instance_deleted().db_instance_identifier("shop");
    deleted.wait(long).await.unwrap();
    let kept = client.wait_until_db_snapshot_available().db_snapshot_identifier("last");
    kept.wait(long).await.unwrap();
}

#[tokio::test]
async fn wrong_instances_are_refused_with_the_words_of_rds() {
    let db = Databases::new().await;
    let create = || db.create("shop");
    let value = |result| {
        let (code, message) = refused(result);
        assert_eq!(code, "InvalidParameterValue", "{message}");
        message
    };
    let combination = |result| {
        let (code, message) = refused(result);
        assert_eq!(code, "InvalidParameterCombination", "{message}");
        message
    };
    // Names.
    for id in ["1shop", "shop-", "shop--two", "shop_two"] {
        assert!(value(create().db_instance_identifier(id).send().await).contains("not a valid identifier"));
    }
    let message = value(create().db_name("shop").send().await);
    assert_eq!(message, "DBName must be null for engine: sqlserver-ex");
    for user in ["sa", "rdsadmin", "select"] {
        let message = value(create().master_username(user).send().await);
        assert!(message.contains("reserved word used by the engine"), "{message}");
    }
    // Passwords, which no error repeats.
    for (password, words) in [
        ("brief-1", "shorter than 8 characters"),
        (&*"x".repeat(129), "longer than 128 characters"),
        ("with/slash-and-more", "Only printable ASCII characters"),
        ("with a space in it", "Only printable ASCII characters"),
        ("with@at-and-\"quotes\"", "Only printable ASCII characters"),
    ] {
        let message = value(create().master_user_password(password).send().await);
        assert!(message.contains(words) && !message.contains(password), "{message}");
    }
    // Engines and classes.
    let (code_, message) = refused(create().engine("postgres").send().await);
    assert_eq!(code_, "UnsupportedOperation");
    assert!(
        message.starts_with("not in the sandbox: the engine postgres"),
        "{message}"
    );
    let message = combination(create().engine_version("15.00.1.1.v1").send().await);
    assert_eq!(message, "Cannot find version 15.00.1.1.v1 for sqlserver-ex");
    let message = combination(create().db_instance_class("db.m5.large").send().await);
    assert!(
        message.contains("DBInstanceClass=db.m5.large, Engine=sqlserver-ex, EngineVersion=16.00.4245.2.v1"),
        "{message}"
    );
    assert!(value(create().db_instance_class("t3.small").send().await).contains("Invalid DB Instance class"));
    assert!(value(create().license_model("bring-your-own-license").send().await).contains("license-included"));
    combination(create().multi_az(true).send().await);
    // Storage.
    let message = combination(create().allocated_storage(10).send().await);
    assert_eq!(
        message,
        "Invalid storage size for engine name sqlserver-ex and storage type gp3: 10"
    );
    combination(create().storage_type("io1").allocated_storage(100).send().await);
    combination(
        create()
            .storage_type("io1")
            .allocated_storage(100)
            .iops(6000)
            .send()
            .await,
    );
    combination(create().storage_type("gp2").iops(3000).send().await);
    let message = combination(create().max_allocated_storage(20).send().await);
    assert_eq!(message, "Max storage size must be greater than storage size");
    // The rest.
    value(create().port(1434).send().await);
    value(create().backup_retention_period(36).send().await);
    let message = value(
        create()
            .preferred_backup_window("04:00-04:30")
            .preferred_maintenance_window("sun:04:15-sun:05:00")
            .send()
            .await,
    );
    assert_eq!(message, "The backup window and maintenance window must not overlap.");
    assert_eq!(
        code(create().db_subnet_group_name("none").send().await),
        "DBSubnetGroupNotFoundFault"
    );
    assert_eq!(
        code(create().db_parameter_group_name("none").send().await),
        "DBParameterGroupNotFound"
    );
    assert_eq!(
        code(create().publicly_accessible(true).send().await),
        "InvalidVPCNetworkStateFault"
    );
    let elsewhere = db.cloud.vpc("10.9.0.0/16").await;
    let foreign = db.cloud.group(&elsewhere, "sql").await;
    let message = combination(create().vpc_security_group_ids(&foreign).send().await);
    assert!(message.contains("are in different VPCs"), "{message}");
    let message = value(create().vpc_security_group_ids("sg-0123456789abcdef0").send().await);
    assert!(message.starts_with("Invalid security group"), "{message}");
    let (code_, message) = refused(create().manage_master_user_password(true).send().await);
    assert_eq!(code_, "UnsupportedOperation");
    assert!(
        message.contains("ManageMasterUserPassword of rds:CreateDBInstance"),
        "{message}"
    );
    // Nothing of all that left anything.
    assert!(
        db.client
            .describe_db_instances()
            .send()
            .await
            .unwrap()
            .db_instances()
            .is_empty()
    );
}

#[tokio::test]
async fn changes_take_their_time_or_wait_for_the_window() {
    let db = Databases::new().await;
    db.create("shop")
        .engine_version("15.00")
        .preferred_maintenance_window("sun:05:00-sun:06:00")
        .preferred_backup_window("03:00-03:30")
        .send()
        .await
        .unwrap();
    let modify = || db.client.modify_db_instance().db_instance_identifier("shop");
    let early = refused(modify().allocated_storage(30).send().await);
    assert_eq!(early.0, "InvalidDBInstanceState");
    db.cloud.pass(40 * MINUTE);

    // Without ApplyImmediately it waits; 2027-01-15 is a Friday.
    let waiting = modify()
        .db_instance_class("db.t3.medium")
        .allocated_storage(30)
        .send()
        .await;
    let waiting = waiting.unwrap().db_instance.unwrap();
    assert_eq!(waiting.db_instance_class(), Some("db.t3.small"));
    let pending = waiting.pending_modified_values().unwrap();
    assert_eq!(pending.db_instance_class(), Some("db.t3.medium"));
    assert_eq!(pending.allocated_storage(), Some(30));
    db.cloud.pass(60 * MINUTE);
    assert_eq!(db.status("shop").await, "available");
    // Asked back to as it is, it does not wait any more.
    let back = modify()
        .allocated_storage(20)
        .send()
        .await
        .unwrap()
        .db_instance
        .unwrap();
    assert_eq!(back.pending_modified_values().unwrap().allocated_storage(), None);
    db.cloud.pass((43 * 60 + 30) * MINUTE);
    assert_eq!(db.status("shop").await, "modifying", "the window is open");
    db.cloud.pass(30 * MINUTE);
    let changed = db.instance("shop").await;
    assert_eq!(changed.db_instance_class(), Some("db.t3.medium"));
    assert_eq!(changed.allocated_storage(), Some(20));
    assert_eq!(changed.pending_modified_values().unwrap().db_instance_class(), None);

    // At once.
    let asked = modify().allocated_storage(40).apply_immediately(true).send().await;
    let asked = asked.unwrap().db_instance.unwrap();
    assert_eq!(asked.db_instance_status(), Some("available"), "as RDS answers");
    assert_eq!(asked.pending_modified_values().unwrap().allocated_storage(), Some(40));
    assert_eq!(db.status("shop").await, "modifying");
    db.cloud.pass(30 * MINUTE);
    assert_eq!(db.instance("shop").await.allocated_storage(), Some(40));

    // Not back.
    assert_eq!(
        code(modify().allocated_storage(30).send().await),
        "InvalidParameterCombination"
    );
    let older = refused(modify().engine_version("15.00.4043.16.v1").send().await);
    assert_eq!(
        older.1,
        "Cannot upgrade sqlserver-ex from 15.00.4460.4.v1 to 15.00.4043.16.v1"
    );
    let major = refused(modify().engine_version("16.00").send().await);
    assert!(
        major.1.contains("AllowMajorVersionUpgrade flag must be present"),
        "{}",
        major.1
    );
    modify()
        .engine_version("16.00")
        .allow_major_version_upgrade(true)
        .apply_immediately(true)
        .send()
        .await
        .unwrap();
    assert_eq!(db.status("shop").await, "upgrading");
    db.cloud.pass(30 * MINUTE);
    let upgraded = db.instance("shop").await;
    assert_eq!(upgraded.engine_version(), Some("16.00.4245.2.v1"));
    assert_eq!(
        upgraded.db_parameter_groups()[0].db_parameter_group_name(),
        Some("default.sqlserver-ex-16.0")
    );

    // Security groups, in place.
    let guard = db.cloud.group(&db.vpc, "sql").await;
    modify().vpc_security_group_ids(&guard).send().await.unwrap();
    assert_eq!(
        code(db.cloud.ec2.delete_security_group().group_id(&guard).send().await),
        "DependencyViolation"
    );
}

#[tokio::test]
async fn a_new_name_is_a_new_address_and_the_same_instance() {
    let db = Databases::new().await;
    let old = db.ready("shop").await;
    let mut sql = db.connect(&db.host("shop").await).await;
    run(&mut sql, "CREATE DATABASE kept").await;
    drop(sql);
    db.client
        .add_tags_to_resource()
        .resource_name(old.db_instance_arn().unwrap())
        .tags(Tag::builder().key("team").value("one").build())
        .send()
        .await
        .unwrap();
    db.client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .new_db_instance_identifier("Store")
        .apply_immediately(true)
        .send()
        .await
        .unwrap();
    assert_eq!(db.status("shop").await, "renaming");
    db.cloud.pass(15 * MINUTE);
    let gone = db
        .client
        .describe_db_instances()
        .db_instance_identifier("shop")
        .send()
        .await;
    assert_eq!(code(gone), "DBInstanceNotFound");
    let new = db.instance("store").await;
    assert_eq!(new.dbi_resource_id(), old.dbi_resource_id());
    assert_eq!(new.tag_list()[0].key(), Some("team"));
    let host = new.endpoint().unwrap().address().unwrap();
    assert!(host.starts_with("store."), "{host}");
    let mut sql = db.connect(host).await;
    assert_eq!(
        number(&mut sql, "SELECT count(*) FROM sys.databases WHERE name = 'kept'").await,
        1
    );
    let before = old.endpoint().unwrap().address().unwrap();
    assert!(
        db.cloud.sandbox.database_at(before).unwrap().is_none(),
        "the old name is nobody's"
    );
}

#[tokio::test]
async fn connections_depend_on_the_state_and_the_password_changes() {
    let db = Databases::new().await;
    db.create("shop").send().await.unwrap();
    db.cloud.pass(18 * MINUTE);
    let host = db.host("shop").await;
    db.connect(&host).await;
    db.cloud.pass(20 * MINUTE);
    let sandbox = &db.cloud.sandbox;
    assert!(sandbox.database_at("shop.example.org").unwrap().is_none());
    let other = host.replace("shop.", "store.");
    assert!(sandbox.database_at(&other).unwrap().is_none());

    // Reboot.
    db.client
        .reboot_db_instance()
        .db_instance_identifier("shop")
        .send()
        .await
        .unwrap();
    let error = sandbox.database_at(&host).unwrap_err();
    assert!(error.message().ends_with("the instance shop is rebooting"), "{error}");
    let again = db
        .client
        .reboot_db_instance()
        .db_instance_identifier("shop")
        .send()
        .await;
    assert_eq!(
        refused(again).1,
        "Instance cannot currently reboot due to an in-progress management operation."
    );
    db.cloud.pass(10 * MINUTE);
    db.connect(&host).await;

    // Stop and start.
    let stop = || db.client.stop_db_instance().db_instance_identifier("shop").send();
    let start = || db.client.start_db_instance().db_instance_identifier("shop").send();
    assert_eq!(code(start().await), "InvalidDBInstanceState");
    stop().await.unwrap();
    assert_eq!(db.status("shop").await, "stopping");
    db.cloud.pass(10 * MINUTE);
    assert_eq!(db.status("shop").await, "stopped");
    assert_eq!(code(stop().await), "InvalidDBInstanceState");
    let error = sandbox.database_at(&host).unwrap_err();
    assert!(error.message().ends_with("the instance shop is stopped"), "{error}");
    db.cloud.pass(7 * 24 * 60 * MINUTE);
    assert_eq!(db.status("shop").await, "starting", "it is started after seven days");
    db.cloud.pass(10 * MINUTE);
    assert_eq!(db.status("shop").await, "available");

    // A new password: the old one is right until it is done, then only the new one, also for another process.
    let at = sandbox.database_at(&host).unwrap().unwrap();
    let modified = db
        .client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .master_user_password("battery-staple-2")
        .send()
        .await
        .unwrap();
    let pending = modified.db_instance.unwrap().pending_modified_values.unwrap();
    assert_eq!(pending.master_user_password(), Some("****"));
    assert_eq!(db.status("shop").await, "resetting-master-credentials");
    assert_eq!(sandbox.database_at(&host).unwrap().unwrap().password.expose(), PASSWORD);
    db.cloud.pass(5 * MINUTE);
    let options = Options {
        clock: Clock::Manual(db.cloud.clock.clone()),
        ..Options::default()
    };
    let other = Sandbox::open(db.cloud.path(), options).unwrap();
    let new = other.database_at(&host).unwrap().unwrap();
    assert_eq!(new.password.expose(), "battery-staple-2");
    assert_eq!(new.folder, at.folder);
    let server = SqlServer::open(
        &new.folder,
        Login {
            user: new.user.clone(),
            password: new.password.clone(),
        },
    )
    .unwrap();
    assert!(login(&server, "admin", PASSWORD).await.is_err());
    login(&server, "admin", "battery-staple-2").await.unwrap();
    assert_eq!(db.status("shop").await, "available");
    // The state holds no password that can be read.
    let state = std::fs::read(db.cloud.path().join("aws.sqlite")).unwrap();
    let wal = std::fs::read(db.cloud.path().join("aws.sqlite-wal")).unwrap_or_default();
    for file in [state, wal] {
        assert!(!file.windows(16).any(|bytes| bytes == b"battery-staple-2"));
    }
}

#[tokio::test]
async fn a_password_waits_for_a_transaction_that_writes() {
    let db = Databases::new().await;
    db.ready("shop").await;
    let host = db.host("shop").await;
    let mut sql = db.connect(&host).await;
    run(&mut sql, "CREATE TABLE t (n INT)").await;
    run(&mut sql, "BEGIN TRANSACTION; INSERT INTO t VALUES (1)").await;
    db.client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .master_user_password("battery-staple-2")
        .send()
        .await
        .unwrap();
    db.cloud.pass(5 * MINUTE);
    assert_eq!(db.status("shop").await, "resetting-master-credentials");
    run(&mut sql, "COMMIT").await;
    assert_eq!(db.status("shop").await, "available");
    db.connect(&host).await;
}

#[tokio::test]
async fn two_zones_have_two_interfaces_and_fail_over() {
    let db = Databases::new().await;
    let create = || {
        db.create("shop")
            .engine("sqlserver-se")
            .db_instance_class("db.m5.large")
            .multi_az(true)
    };
    let zone = create().availability_zone("eu-central-1a").send().await;
    assert_eq!(code(zone), "InvalidParameterCombination");
    create().send().await.unwrap();
    db.cloud.pass(60 * MINUTE);
    let made = db.instance("shop").await;
    let (first, second) = (
        made.availability_zone().unwrap(),
        made.secondary_availability_zone().unwrap(),
    );
    assert_ne!(first, second);
    for subnet in &db.subnets {
        let used = db.cloud.ec2.delete_subnet().subnet_id(subnet).send().await;
        assert_eq!(code(used), "DependencyViolation");
    }
    db.client
        .reboot_db_instance()
        .db_instance_identifier("shop")
        .force_failover(true)
        .send()
        .await
        .unwrap();
    db.cloud.pass(10 * MINUTE);
    assert_eq!(db.instance("shop").await.availability_zone(), Some(second));
    let stopped = db.client.stop_db_instance().db_instance_identifier("shop").send().await;
    assert_eq!(code(stopped), "InvalidParameterCombination");
    db.client
        .modify_db_instance()
        .db_instance_identifier("shop")
        .multi_az(false)
        .apply_immediately(true)
        .send()
        .await
        .unwrap();
    db.cloud.pass(30 * MINUTE);
    assert_eq!(db.instance("shop").await.secondary_availability_zone(), None);
    let mut free = 0;
    for subnet in &db.subnets {
        free += usize::from(db.cloud.ec2.delete_subnet().subnet_id(subnet).send().await.is_ok());
    }
    assert_eq!(free, 1, "the standby's subnet is free again");
}

#[tokio::test]
async fn listings_have_filters_and_pages() {
    let db = Databases::new().await;
    for number in 0..21 {
        db.create(&format!("shop-{number:02}")).send().await.unwrap();
    }
    let list = || db.client.describe_db_instances();
    let first = list().max_records(20).send().await.unwrap();
    assert_eq!(first.db_instances().len(), 20);
    let second = list()
        .max_records(20)
        .marker(first.marker().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(second.db_instances()[0].db_instance_identifier(), Some("shop-20"));
    assert_eq!(second.marker(), None);
    assert_eq!(code(list().max_records(5).send().await), "InvalidParameterValue");
    assert_eq!(code(list().marker("mine").send().await), "InvalidParameterValue");
    let filter = |name: &str, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        list()
            .filters(Filter::builder().name(name).set_values(Some(values)).build())
            .send()
    };
    let arn = "arn:aws:rds:eu-central-1:000000000000:db:shop-02";
    let two = filter("db-instance-id", &["shop-01", arn]).await.unwrap();
    assert_eq!(two.db_instances().len(), 2);
    let resource = two.db_instances()[0].dbi_resource_id().unwrap();
    let one = filter("dbi-resource-id", &[resource]).await.unwrap();
    assert_eq!(one.db_instances()[0].db_instance_identifier(), Some("shop-01"));
    assert!(filter("engine", &["mysql"]).await.unwrap().db_instances().is_empty());
    assert_eq!(code(filter("colour", &["red"]).await), "InvalidParameterValue");
}

#[tokio::test]
async fn events_tell_what_happened() {
    let db = Databases::new().await;
    db.ready("shop").await;
    db.client
        .reboot_db_instance()
        .db_instance_identifier("shop")
        .send()
        .await
        .unwrap();
    db.cloud.pass(10 * MINUTE);
    let events = db
        .client
        .describe_events()
        .source_type(SourceType::DbInstance)
        .source_identifier("shop")
        .duration(120)
        .send()
        .await
        .unwrap();
    let told: Vec<_> = events.events().iter().map(|event| event.message().unwrap()).collect();
    assert_eq!(
        told,
        [
            "DB instance created",
            "Backing up DB instance",
            "Finished DB Instance backup",
            "DB instance restarted"
        ]
    );
    let snapshots = db
        .client
        .describe_events()
        .source_type(SourceType::DbSnapshot)
        .duration(120)
        .send()
        .await
        .unwrap();
    assert_eq!(snapshots.events()[0].message(), Some("Creating automated snapshot"));
    let unclear = db.client.describe_events().source_identifier("shop").send().await;
    assert_eq!(code(unclear), "InvalidParameterCombination");
    db.cloud.pass(15 * 24 * 60 * MINUTE);
    let old = db.client.describe_events().duration(100_000).send().await.unwrap();
    assert!(old.events().is_empty(), "14 days");
}

#[tokio::test]
async fn a_call_costs_the_same_however_many_there_are() {
    let db = Databases::new().await;
    let aws = db.cloud.sandbox.aws();
    let cost = async |id: &str| {
        let before = aws.steps();
        db.create(id).send().await.unwrap();
        let created = aws.steps() - before;
        db.cloud.pass(60 * MINUTE);
        db.instance(id).await;
        let before = aws.steps();
        db.instance(id).await;
        db.client
            .create_db_snapshot()
            .db_instance_identifier(id)
            .db_snapshot_identifier(format!("of-{id}"))
            .send()
            .await
            .unwrap();
        (created, aws.steps() - before)
    };
    cost("first").await;
    let few = cost("second").await;
    for number in 0..60 {
        db.create(&format!("shop-{number}")).send().await.unwrap();
    }
    db.cloud.pass(60 * MINUTE);
    db.client.describe_db_instances().send().await.unwrap();
    db.client.describe_db_instances().send().await.unwrap();
    let many = cost("last").await;
    for (few, many) in [(few.0, many.0), (few.1, many.1)] {
        assert!(many <= few + few / 5 + 40, "{few} steps with two, {many} with 63");
    }
}

#[tokio::test]
async fn a_call_that_is_undone_after_the_copy_leaves_nothing_that_counts() {
    use crate::sandbox::aws::rules::{Effect, Rule};

    let db = Databases::new().await;
    db.ready("shop").await;
    let limit = Effect::Limit {
        noun: "snapshots".to_owned(),
        most: 1,
    };
    let rules = db.cloud.sandbox.aws().rules();
    rules.add(Rule::new("rds", "*", limit)).unwrap();
    let snapshot = db
        .client
        .create_db_snapshot()
        .db_instance_identifier("shop")
        .db_snapshot_identifier("mine")
        .send()
        .await;
    assert_eq!(code(snapshot), "SnapshotQuotaExceeded");
    let folders = || std::fs::read_dir(db.cloud.path().join("rds")).unwrap().count();
    assert_eq!(folders(), 2, "the automated snapshot and the copy that was undone");
    drop(Sandbox::open(db.cloud.path(), Options::default()).unwrap());
    assert_eq!(folders(), 1);
    let listed = db.client.describe_db_snapshots().send().await.unwrap();
    assert_eq!(listed.db_snapshots().len(), 1);
}
