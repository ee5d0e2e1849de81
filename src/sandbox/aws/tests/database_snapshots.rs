//! RDS: snapshots, and the data in them.

use aws_sdk_rds::types::{DbSnapshot, Filter, Tag};

use super::databases::{Databases, MINUTE, number, run};
use super::*;

impl Databases {
    async fn snapshots(&self) -> Vec<DbSnapshot> {
        let found = self.client.describe_db_snapshots().send().await.unwrap();
        found.db_snapshots.unwrap_or_default()
    }

    async fn snapshot(&self, id: &str) {
        self.client
            .create_db_snapshot()
            .db_instance_identifier("shop")
            .db_snapshot_identifier(id)
            .send()
            .await
            .unwrap();
        self.cloud.pass(10 * MINUTE);
    }

    /// The names of the folders that hold data.
    fn folders(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.cloud.path().join("rds")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn rows_from_before_a_snapshot_come_back_and_later_ones_do_not() {
    let db = Databases::new().await;
    db.ready("shop").await;
    let mut sql = db.connect(&db.host("shop").await).await;
    run(&mut sql, "CREATE DATABASE shop").await;
    run(&mut sql, "USE shop; CREATE TABLE orders (id INT)").await;
    run(&mut sql, "USE shop; INSERT INTO orders VALUES (1), (2)").await;
    // Not committed: it is not in the snapshot, and does not hold it up.
    run(&mut sql, "USE shop; BEGIN TRANSACTION; INSERT INTO orders VALUES (3)").await;
    db.snapshot("before").await;
    run(&mut sql, "COMMIT").await;
    assert_eq!(number(&mut sql, "SELECT count(*) FROM orders").await, 3);
    drop(sql);

    // The instance goes, and its name is free again.
    let delete = db.client.delete_db_instance().db_instance_identifier("shop");
    delete.final_db_snapshot_identifier("last").send().await.unwrap();
    db.cloud.pass(20 * MINUTE);
    for (snapshot, rows) in [("before", 2), ("last", 3)] {
        let id = format!("from-{snapshot}");
        let restored = db
            .client
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(&id)
            .db_snapshot_identifier(snapshot)
            .db_subnet_group_name("data")
            .send()
            .await
            .unwrap();
        assert_eq!(restored.db_instance.unwrap().db_instance_status(), Some("creating"));
        db.cloud.pass(40 * MINUTE);
        // User and password are those of the snapshot.
        let mut sql = db.connect(&db.host(&id).await).await;
        assert_eq!(
            number(&mut sql, "SELECT count(*) FROM shop.dbo.orders").await,
            rows,
            "{snapshot}"
        );
        // What is written to one is not in the other.
        run(&mut sql, "INSERT INTO shop.dbo.orders VALUES (10), (11)").await;
    }
}

#[tokio::test]
async fn a_snapshot_has_its_states_and_its_refusals() {
    let db = Databases::new().await;
    let create = |id: &'static str| {
        db.client
            .create_db_snapshot()
            .db_instance_identifier("shop")
            .db_snapshot_identifier(id)
    };
    assert_eq!(code(create("one").send().await), "DBInstanceNotFound");
    db.create("shop")
        .copy_tags_to_snapshot(true)
        .tags(Tag::builder().key("team").value("one").build())
        .send()
        .await
        .unwrap();
    let (code_, message) = refused(create("one").send().await);
    assert_eq!(code_, "InvalidDBInstanceState");
    assert_eq!(
        message,
        "Cannot create a snapshot because the database instance shop is not currently in the available state."
    );
    db.cloud.pass(40 * MINUTE);
    let tag = Tag::builder().key("why").value("test").build();
    let made = create("One").tags(tag).send().await.unwrap().db_snapshot.unwrap();
    assert_eq!(made.db_snapshot_identifier(), Some("one"));
    assert_eq!((made.status(), made.percent_progress()), (Some("creating"), Some(0)));
    assert_eq!(
        made.db_snapshot_arn(),
        Some("arn:aws:rds:eu-central-1:000000000000:snapshot:one")
    );
    let keys: Vec<_> = made.tag_list().iter().map(|tag| tag.key().unwrap()).collect();
    assert_eq!(keys, ["why"], "with tags of its own it gets none of the instance's");
    assert_eq!(db.status("shop").await, "backing-up");
    let delete = |id: &'static str| db.client.delete_db_snapshot().db_snapshot_identifier(id).send();
    assert_eq!(code(delete("one").await), "InvalidDBSnapshotState");
    let restore = |snapshot: &'static str| {
        db.client
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier("copy")
            .db_snapshot_identifier(snapshot)
            .db_subnet_group_name("data")
    };
    assert_eq!(code(restore("one").send().await), "InvalidDBSnapshotState");
    db.cloud.pass(10 * MINUTE);
    assert_eq!(code(create("one").send().await), "DBSnapshotAlreadyExists");
    assert_eq!(code(restore("two").send().await), "DBSnapshotNotFound");
    assert_eq!(
        code(restore("one").db_instance_identifier("shop").send().await),
        "DBInstanceAlreadyExists"
    );
    assert_eq!(
        code(restore("one").allocated_storage(50).send().await),
        "InvalidParameterValue"
    );

    // The restored one has the tags that the instance had.
    restore("one").send().await.unwrap();
    let copy = db.instance("copy").await;
    assert_eq!(copy.tag_list().len(), 1);
    assert_eq!(copy.tag_list()[0].key(), Some("team"));

    create("two").send().await.unwrap();
    let two = db.client.describe_db_snapshots().db_snapshot_identifier("two").send();
    let two = two.await.unwrap().db_snapshots.unwrap().remove(0);
    assert_eq!(two.tag_list()[0].key(), Some("team"), "the instance's own");

    let gone = delete("one").await.unwrap().db_snapshot.unwrap();
    assert_eq!(gone.status(), Some("deleted"));
    let found = db
        .client
        .describe_db_snapshots()
        .db_snapshot_identifier("one")
        .send()
        .await;
    assert_eq!(code(found), "DBSnapshotNotFound");
}

#[tokio::test]
async fn automated_snapshots_come_and_go_with_the_instance() {
    let db = Databases::new().await;
    db.ready("shop").await;
    db.connect(&db.host("shop").await).await;
    db.snapshot("mine").await;
    let kinds: Vec<_> = db
        .snapshots()
        .await
        .iter()
        .map(|snapshot| snapshot.snapshot_type().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["manual", "automated"]);
    let list = |kind: &'static str| db.client.describe_db_snapshots().snapshot_type(kind).send();
    let automated = list("automated").await.unwrap().db_snapshots.unwrap().remove(0);
    let id = automated.db_snapshot_identifier().unwrap();
    assert!(id.starts_with("rds:shop-2027-01-15-"), "{id}");
    assert!(list("shared").await.unwrap().db_snapshots().is_empty());
    let (code_, message) = refused(db.client.delete_db_snapshot().db_snapshot_identifier(id).send().await);
    assert_eq!(code_, "InvalidDBSnapshotState");
    assert_eq!(message, "Only manual snapshots may be deleted.");
    let filter = Filter::builder().name("snapshot-type").values("automated").build();
    let filtered = db.client.describe_db_snapshots().filters(filter).send().await.unwrap();
    assert_eq!(filtered.db_snapshots().len(), 1);

    // A copy of an automated one is the user's.
    let copy = db
        .client
        .copy_db_snapshot()
        .source_db_snapshot_identifier(id)
        .target_db_snapshot_identifier("copy")
        .send()
        .await
        .unwrap()
        .db_snapshot
        .unwrap();
    assert_eq!(copy.snapshot_type(), Some("manual"));
    assert_eq!(copy.source_db_snapshot_identifier(), automated.db_snapshot_arn());
    db.cloud.pass(10 * MINUTE);
    assert_eq!(
        db.folders().len(),
        4,
        "of the instance and three snapshots: {:?}",
        db.folders()
    );

    db.client
        .delete_db_instance()
        .db_instance_identifier("shop")
        .skip_final_snapshot(true)
        .send()
        .await
        .unwrap();
    db.cloud.pass(20 * MINUTE);
    let left: Vec<_> = db
        .snapshots()
        .await
        .iter()
        .map(|snapshot| snapshot.db_snapshot_identifier().unwrap().to_owned())
        .collect();
    assert_eq!(left, ["copy", "mine"]);
    db.snapshots().await;
    assert_eq!(db.folders().len(), 2, "{:?}", db.folders());
}

#[tokio::test]
async fn automated_snapshots_can_outlive_the_instance_until_they_expire() {
    let db = Databases::new().await;
    db.create("shop").backup_retention_period(3).send().await.unwrap();
    db.cloud.pass(40 * MINUTE);
    db.status("shop").await;
    db.client
        .delete_db_instance()
        .db_instance_identifier("shop")
        .skip_final_snapshot(true)
        .delete_automated_backups(false)
        .send()
        .await
        .unwrap();
    db.cloud.pass(24 * 60 * MINUTE);
    assert_eq!(db.snapshots().await.len(), 1);
    db.cloud.pass(2 * 24 * 60 * MINUTE);
    assert!(db.snapshots().await.is_empty(), "kept for three days");
}

#[tokio::test]
async fn backups_are_switched_off_and_on() {
    let db = Databases::new().await;
    db.create("shop").backup_retention_period(0).send().await.unwrap();
    db.cloud.pass(18 * MINUTE);
    assert_eq!(db.status("shop").await, "available", "nothing to back up");
    let retain = |days: i32| {
        db.client
            .modify_db_instance()
            .db_instance_identifier("shop")
            .backup_retention_period(days)
            .apply_immediately(true)
            .send()
    };
    retain(7).await.unwrap();
    db.cloud.pass(6 * MINUTE);
    assert_eq!(db.status("shop").await, "backing-up");
    db.cloud.pass(6 * MINUTE);
    assert_eq!(db.snapshots().await.len(), 1);
    let at_once = retain(14).await.unwrap().db_instance.unwrap();
    assert_eq!(
        at_once.backup_retention_period(),
        Some(14),
        "from one number to another at once"
    );
    retain(0).await.unwrap();
    db.cloud.pass(6 * MINUTE);
    assert!(db.snapshots().await.is_empty());
}

#[tokio::test]
async fn leftovers_are_swept_and_nothing_else() {
    let db = Databases::new().await;
    db.ready("shop").await;
    let mut sql = db.connect(&db.host("shop").await).await;
    run(&mut sql, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)").await;
    drop(sql);
    db.snapshot("mine").await;
    let before = db.folders();
    // As a process leaves it that died while it copied.
    let half = db.cloud.path().join("rds/snapshot-half");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("master.mdf.sqlite"), "half a file").unwrap();
    let options = Options {
        clock: Clock::Manual(db.cloud.clock.clone()),
        ..Options::default()
    };
    drop(Sandbox::open(db.cloud.path(), options).unwrap());
    assert_eq!(db.folders(), before);
    let mut sql = db.connect(&db.host("shop").await).await;
    assert_eq!(number(&mut sql, "SELECT n FROM t").await, 1);
}

#[tokio::test]
async fn a_refused_call_leaves_no_data() {
    let db = Databases::new().await;
    db.ready("shop").await;
    db.snapshot("mine").await;
    let before = db.folders();
    let refused_ = db
        .client
        .restore_db_instance_from_db_snapshot()
        .db_instance_identifier("copy")
        .db_snapshot_identifier("mine")
        .db_subnet_group_name("none")
        .send()
        .await;
    assert_eq!(code(refused_), "DBSubnetGroupNotFoundFault");
    assert_eq!(db.folders(), before);
}
