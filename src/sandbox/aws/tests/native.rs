//! RDS: native backup and restore, as a client of the SQL Server behind an instance sees them.

use aws_sdk_rds::types::{OptionConfiguration, OptionSetting};
use tiberius::Row;

use super::databases::*;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const ARN: &str = "arn:aws:s3:::shop-backups/nightly/shop.bak";
const ALL: &str = r#"["s3:ListBucket","s3:GetBucketLocation","s3:GetObject","s3:PutObject"]"#;

/// An instance with a database and the option for native backups.
struct Shop {
    db: Databases,
    sql: Sql,
}

impl Shop {
    async fn new() -> Self {
        Self::with_rights(ALL).await
    }

    /// The role of the option may do these on one bucket.
    async fn with_rights(actions: &str) -> Self {
        let db = Databases::new().await;
        role(&db, "rds.amazonaws.com", actions).await;
        let group = db
            .client
            .create_option_group()
            .option_group_name("backups")
            .engine_name("sqlserver-ex")
            .major_engine_version("15.00")
            .option_group_description("for a test");
        group.send().await.unwrap();
        let setting = OptionSetting::builder()
            .name("IAM_ROLE_ARN")
            .value("arn:aws:iam::000000000000:role/backups")
            .build();
        let option = OptionConfiguration::builder()
            .option_name("SQLSERVER_BACKUP_RESTORE")
            .option_settings(setting)
            .build();
        let with = db.client.modify_option_group().option_group_name("backups");
        with.options_to_include(option)
            .apply_immediately(true)
            .send()
            .await
            .unwrap();
        let made = db.create("shop").engine_version("15.00").option_group_name("backups");
        made.send().await.unwrap();
        db.cloud.pass(40 * MINUTE);
        let mut sql = db.connect(&db.host("shop").await).await;
        run(&mut sql, "CREATE DATABASE Shop").await;
        run(
            &mut sql,
            "CREATE TABLE Shop.dbo.t (n int); INSERT INTO Shop.dbo.t VALUES (7);",
        )
        .await;
        Self { db, sql }
    }

    /// Runs a procedure of `msdb` and gives its rows.
    async fn call(&mut self, text: &str) -> Result<Vec<Row>, String> {
        let text = format!("EXEC msdb.dbo.{text}");
        let words = |error: tiberius::error::Error| match error {
            tiberius::error::Error::Server(error) => format!("{}: {}", error.code(), error.message()),
            other => other.to_string(),
        };
        let stream = self.sql.simple_query(text).await.map_err(words)?;
        stream.into_first_result().await.map_err(words)
    }

    async fn back_up(&mut self) {
        self.call(&format!("rds_backup_database 'Shop', '{ARN}'"))
            .await
            .unwrap();
        self.db.cloud.pass(10 * MINUTE);
        assert_eq!(self.last().await.0, "SUCCESS");
    }

    /// State, progress and words of the last task.
    async fn last(&mut self) -> (String, i32, String) {
        let rows = self.call("rds_task_status").await.unwrap();
        let row = rows.last().unwrap();
        let text = |name: &str| row.get::<&str, _>(name).unwrap().to_owned();
        (text("lifecycle"), row.get("% complete").unwrap(), text("task_info"))
    }

    async fn refusal(&mut self, text: &str) -> String {
        self.call(text).await.expect_err(text)
    }
}

async fn role(db: &Databases, service: &str, actions: &str) {
    let iam = aws_sdk_iam::Client::new(&db.cloud.config);
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let made = iam
        .create_role()
        .role_name("backups")
        .assume_role_policy_document(trust);
    made.send().await.unwrap();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":["arn:aws:s3:::shop-backups","arn:aws:s3:::shop-backups/*"]}}]}}"#
    );
    let put = iam.put_role_policy().role_name("backups").policy_name("s3");
    put.policy_document(policy).send().await.unwrap();
}

#[tokio::test]
async fn a_task_passes_through_its_states() {
    let mut shop = Shop::new().await;
    let made = shop
        .call(&format!(
            "rds_backup_database @source_db_name = 'shop', @s3_arn_to_backup_to = '{ARN}'"
        ))
        .await
        .unwrap();
    assert_eq!(made[0].get::<i32, _>("task_id"), Some(1));
    assert_eq!(made[0].get::<&str, _>("task_type"), Some("BACKUP_DB"));
    assert_eq!(made[0].get::<&str, _>("S3_object_arn"), Some(ARN));
    assert_eq!(shop.last().await.0, "CREATED");
    shop.db.cloud.pass(31 * SECOND);
    assert_eq!(shop.last().await.0, "IN_PROGRESS");
    shop.db.cloud.pass(90 * SECOND);
    let (state, percent, info) = shop.last().await;
    assert_eq!((state.as_str(), percent), ("IN_PROGRESS", 50));
    assert!(info.contains("Task execution has started."), "{info}");
    // A backup is the database at the end of its task.
    run(&mut shop.sql, "INSERT INTO Shop.dbo.t VALUES (8)").await;
    shop.db.cloud.pass(2 * MINUTE);
    let (state, percent, _) = shop.last().await;
    assert_eq!((state.as_str(), percent), ("SUCCESS", 100));

    shop.call(&format!("rds_restore_database 'Copy', '{ARN}'"))
        .await
        .unwrap();
    assert_eq!(
        number(&mut shop.sql, "SELECT count(*) FROM sys.databases WHERE name = 'Copy'").await,
        0
    );
    shop.db.cloud.pass(10 * MINUTE);
    assert_eq!(shop.last().await.0, "SUCCESS");
    assert_eq!(number(&mut shop.sql, "SELECT sum(n) FROM Copy.dbo.t").await, 15);
    let of_one = shop.call("rds_task_status @db_name = 'COPY'").await.unwrap();
    assert_eq!(of_one.len(), 1);
    assert_eq!(shop.call("rds_task_status @task_id = 1").await.unwrap().len(), 1);
    // History is kept for 36 days.
    shop.db.cloud.pass(37 * 24 * 60 * MINUTE);
    assert!(shop.call("rds_task_status").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_refused_at_once_where_it_can_be() {
    let mut shop = Shop::new().await;
    for (call, words) in [
        (
            format!("rds_restore_database 'SHOP', '{ARN}'"),
            "50000: Database 'SHOP' already exists.",
        ),
        (
            "rds_restore_database 'Copy', ''".to_owned(),
            "50000: S3 ARN prefix cannot be empty.",
        ),
        (
            "rds_restore_database 'Copy', 's3://shop-backups/shop.bak'".to_owned(),
            "50000: Invalid S3 ARN.",
        ),
        (
            format!("rds_backup_database 'Nothing', '{ARN}'"),
            "911: Database 'Nothing' does not exist.",
        ),
        (
            format!("rds_backup_database 'master', '{ARN}'"),
            "911: Database 'master' does not exist.",
        ),
        (
            "rds_restore_database 'Copy'".to_owned(),
            "201: Procedure or function 'rds_restore_database' expects parameter '@s3_arn_to_restore_from'",
        ),
        (
            "rds_restore_database @name = 'Copy'".to_owned(),
            "8145: @name is not a parameter for procedure rds_restore_database.",
        ),
        (
            "rds_cancel_task 1, 2".to_owned(),
            "8144: Procedure or function rds_cancel_task has too many arguments",
        ),
        ("rds_cancel_task 7".to_owned(), "50000: There is no task with this ID."),
        (
            "rds_finish_restore 'Shop'".to_owned(),
            "2812: Could not find stored procedure",
        ),
        (
            format!("rds_restore_database 'Copy', '{ARN}', @with_norecovery = 1"),
            "not supported by the sandbox's SQL Server: @with_norecovery=1",
        ),
        (
            format!("rds_restore_database 'Copy', '{ARN}', @type = 'DIFFERENTIAL'"),
            "@type='DIFFERENTIAL'",
        ),
        (
            "rds_restore_database 'Copy', 'arn:aws:s3:::shop-backups/shop*'".to_owned(),
            "a backup of several files",
        ),
        (
            format!("rds_backup_database 'Shop', '{ARN}', @number_of_files = 4"),
            "@number_of_files",
        ),
    ] {
        let refusal = shop.refusal(&call).await;
        assert!(refusal.contains(words), "{call}: {refusal}");
    }
    // Not within a transaction, and not from elsewhere than msdb.
    run(&mut shop.sql, "BEGIN TRANSACTION").await;
    let refusal = shop.refusal("rds_task_status").await;
    assert!(refusal.starts_with("226: "), "{refusal}");
    run(&mut shop.sql, "ROLLBACK").await;
    let elsewhere = shop.sql.simple_query("EXEC Shop.dbo.rds_task_status").await.is_err();
    assert!(elsewhere);
    assert!(
        shop.call("rds_task_status").await.unwrap().is_empty(),
        "nothing became a task"
    );
}

#[tokio::test]
async fn a_task_that_cannot_do_its_work_says_why() {
    let mut shop = Shop::new().await;
    let ended = async |shop: &mut Shop, call: &str| {
        shop.call(call).await.unwrap();
        shop.db.cloud.pass(10 * MINUTE);
        let (state, _, info) = shop.last().await;
        assert_eq!(state, "ERROR", "{call}");
        info
    };
    let restore = "rds_restore_database 'Copy', 'arn:aws:s3:::shop-backups/other.bak'";
    assert!(
        ended(&mut shop, restore)
            .await
            .contains("The specified bucket does not exist")
    );
    shop.back_up().await;
    assert!(
        ended(&mut shop, restore)
            .await
            .contains("The specified key does not exist.")
    );
    let again = format!("rds_backup_database 'Shop', '{ARN}'");
    let info = ended(&mut shop, &again).await;
    assert!(
        info.contains("Please reissue task with correct type and overwrite property"),
        "{info}"
    );
    let elsewhere = "rds_backup_database 'Shop', 'arn:aws:s3:::elsewhere/shop.bak'";
    let info = ended(&mut shop, elsewhere).await;
    assert!(
        info.contains("Access Denied") && info.contains("s3:ListBucket"),
        "{info}"
    );
    shop.call(&format!("{again}, @overwrite_s3_backup_file = 1"))
        .await
        .unwrap();
    shop.db.cloud.pass(10 * MINUTE);
    assert_eq!(shop.last().await.0, "SUCCESS");
    // A key cannot lead out of the bucket's folder.
    let out = "rds_backup_database 'Shop', 'arn:aws:s3:::shop-backups/../../out.bak'";
    shop.call(out).await.unwrap();
    shop.db.cloud.pass(10 * MINUTE);
    assert_eq!(shop.last().await.0, "SUCCESS");
    assert!(
        shop.db
            .cloud
            .path()
            .join("s3/shop-backups/%2E%2E/%2E%2E/out.bak")
            .is_file()
    );
    // While a snapshot is taken there is no backup.
    let taken = shop.db.client.create_db_snapshot().db_instance_identifier("shop");
    taken.db_snapshot_identifier("now").send().await.unwrap();
    shop.call("rds_backup_database 'Shop', 'arn:aws:s3:::shop-backups/later.bak'")
        .await
        .unwrap();
    shop.db.cloud.pass(MINUTE);
    let (state, _, info) = shop.last().await;
    assert!(
        state == "ERROR" && info.contains("taking a snapshot"),
        "{state}: {info}"
    );
}

#[tokio::test]
async fn rights_and_trust_are_those_of_the_options_role() {
    let mut shop = Shop::with_rights(r#"["s3:ListBucket","s3:GetBucketLocation","s3:GetObject"]"#).await;
    let call = format!("rds_backup_database 'Shop', '{ARN}'");
    let info = async |shop: &mut Shop| {
        shop.call(&call).await.unwrap();
        shop.db.cloud.pass(10 * MINUTE);
        shop.last().await.2
    };
    let denied = info(&mut shop).await;
    assert!(
        denied.contains("Access Denied") && denied.contains("s3:PutObject"),
        "{denied}"
    );
    let iam = aws_sdk_iam::Client::new(&shop.db.cloud.config);
    iam.delete_role_policy()
        .role_name("backups")
        .policy_name("s3")
        .send()
        .await
        .unwrap();
    iam.delete_role().role_name("backups").send().await.unwrap();
    let gone = info(&mut shop).await;
    assert!(gone.contains("RDS cannot assume the role"), "{gone}");
    role(&shop.db, "ec2.amazonaws.com", ALL).await;
    let distrusted = info(&mut shop).await;
    assert!(distrusted.contains("RDS cannot assume the role"), "{distrusted}");
    // Without the option there is no task at all.
    let client = &shop.db.client;
    let without = client.modify_option_group().option_group_name("backups");
    without
        .options_to_remove("SQLSERVER_BACKUP_RESTORE")
        .send()
        .await
        .unwrap();
    let refusal = shop.refusal(&call).await;
    assert!(
        refusal.contains("Database backup/restore option is not enabled yet"),
        "{refusal}"
    );
}

#[tokio::test]
async fn two_tasks_run_at_a_time_and_one_can_be_cancelled() {
    let mut shop = Shop::new().await;
    shop.back_up().await;
    for name in ["One", "Two", "Three"] {
        shop.call(&format!("rds_restore_database '{name}', '{ARN}'"))
            .await
            .unwrap();
    }
    let refusal = shop.refusal(&format!("rds_restore_database 'one', '{ARN}'")).await;
    assert!(refusal.contains("already has a pending restore task"), "{refusal}");
    shop.db.cloud.pass(MINUTE);
    let states = async |shop: &mut Shop| -> Vec<String> {
        let rows = shop.call("rds_task_status").await.unwrap();
        rows[1..]
            .iter()
            .map(|row| row.get::<&str, _>("lifecycle").unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&mut shop).await, ["IN_PROGRESS", "IN_PROGRESS", "CREATED"]);
    shop.call("rds_cancel_task @task_id = 3").await.unwrap();
    assert_eq!(states(&mut shop).await, ["IN_PROGRESS", "CANCEL_REQUESTED", "CREATED"]);
    shop.db.cloud.pass(6 * MINUTE);
    assert_eq!(states(&mut shop).await, ["SUCCESS", "CANCELLED", "IN_PROGRESS"]);
    shop.db.cloud.pass(6 * MINUTE);
    assert_eq!(states(&mut shop).await, ["SUCCESS", "CANCELLED", "SUCCESS"]);
    let made = "SELECT count(*) FROM sys.databases WHERE name IN ('One', 'Two', 'Three')";
    assert_eq!(number(&mut shop.sql, made).await, 2);
}

#[tokio::test]
async fn a_restore_that_meets_a_writer_ends_after_him() {
    let mut shop = Shop::new().await;
    shop.back_up().await;
    shop.call(&format!("rds_restore_database 'Copy', '{ARN}'"))
        .await
        .unwrap();
    let host = shop.db.host("shop").await;
    let mut writer = shop.db.connect(&host).await;
    run(&mut writer, "BEGIN TRANSACTION; INSERT INTO Shop.dbo.t VALUES (1);").await;
    shop.db.cloud.pass(10 * MINUTE);
    assert_eq!(shop.last().await.0, "IN_PROGRESS");
    run(&mut writer, "COMMIT").await;
    assert_eq!(shop.last().await.0, "SUCCESS");
}

#[tokio::test]
async fn a_restored_database_is_in_the_snapshots_that_come_after_it() {
    let mut shop = Shop::new().await;
    shop.back_up().await;
    shop.call(&format!("rds_restore_database 'Copy', '{ARN}'"))
        .await
        .unwrap();
    shop.db.cloud.pass(10 * MINUTE);
    // Nobody has asked the server since.
    let taken = shop.db.client.create_db_snapshot().db_instance_identifier("shop");
    taken.db_snapshot_identifier("after").send().await.unwrap();
    shop.db.cloud.pass(10 * MINUTE);
    let restored = shop
        .db
        .client
        .restore_db_instance_from_db_snapshot()
        .db_instance_identifier("second")
        .db_snapshot_identifier("after")
        .db_subnet_group_name("data");
    restored.send().await.unwrap();
    shop.db.cloud.pass(60 * MINUTE);
    let mut second = shop.db.connect(&shop.db.host("second").await).await;
    assert_eq!(number(&mut second, "SELECT n FROM Copy.dbo.t").await, 7);
    // The tasks are the first server's.
    let tasks = second.simple_query("EXEC msdb.dbo.rds_task_status").await.unwrap();
    assert!(tasks.into_first_result().await.unwrap().is_empty());
}

/// A call whose transaction is lost at its end, as with a process that dies just then: what it did to files stays.
fn die(shop: &Shop) {
    let aws = shop.db.cloud.sandbox.aws();
    aws.probe("rds", "DescribeDBInstances", serde_json::Map::new()).unwrap();
}

#[tokio::test]
async fn killed_at_its_end_a_task_is_done_once() {
    let mut shop = Shop::new().await;
    shop.call(&format!("rds_backup_database 'Shop', '{ARN}'"))
        .await
        .unwrap();
    shop.db.cloud.pass(10 * MINUTE);
    die(&shop);
    assert!(shop.db.cloud.path().join("s3/shop-backups/nightly/shop.bak").is_file());
    assert_eq!(shop.last().await.0, "SUCCESS", "its own file is not in its way");

    shop.call(&format!("rds_restore_database 'Copy', '{ARN}'"))
        .await
        .unwrap();
    shop.db.cloud.pass(10 * MINUTE);
    die(&shop);
    assert_eq!(shop.last().await.0, "SUCCESS", "its own database is not in its way");
    assert_eq!(number(&mut shop.sql, "SELECT n FROM Copy.dbo.t").await, 7);
    let folder = shop.db.cloud.path().join("rds");
    let instances: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let files = instances.iter().flat_map(|path| std::fs::read_dir(path).unwrap());
    let restored = files.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("restored-")
    });
    assert_eq!(restored.count(), 1);
}
