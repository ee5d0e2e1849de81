//! Migrations against the embedded SQL Server, through the real driver.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::status::State;
use super::{EfHistory, EfMigration, Options, Variable, status, up};
use crate::error::{Error, Exit};
use crate::mssql::testing::{Sandbox, open};

/// A directory with these files.
fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// The one value of the first row.
async fn scalar(sandbox: &Sandbox, sql: &str) -> serde_json::Value {
    let mut connection = open(sandbox, "app").await;
    let sets = connection.batch(sql).await.unwrap();
    sets[0].scalar().cloned().unwrap()
}

fn states(status: &super::Status) -> Vec<State> {
    status.migrations.iter().map(|item| item.state).collect()
}

#[tokio::test]
async fn the_projects_migrations_apply_once() {
    let sandbox = Sandbox::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let before = status(sandbox.connector(), "app", &directory).await.unwrap();
    assert!(!before.exists);
    assert_eq!(before.pending().len(), 3);

    let first = up(sandbox.connector(), "app", &directory, &Options::default())
        .await
        .unwrap();
    assert!(first.created && first.changed);
    assert!(
        first
            .migrations
            .iter()
            .all(|outcome| outcome.applied && outcome.batches > 0)
    );
    let tables = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME NOT LIKE 'iacsh%'";
    assert_eq!(scalar(&sandbox, tables).await, json!(23));

    let second = up(sandbox.connector(), "app", &directory, &Options::default())
        .await
        .unwrap();
    assert!(!second.changed && !second.created);
    assert!(second.to_string().starts_with("nothing to change"), "{second}");
    assert!(
        status(sandbox.connector(), "app", &directory)
            .await
            .unwrap()
            .is_up_to_date()
    );
}

#[tokio::test]
async fn an_error_in_the_third_batch_leaves_nothing_and_names_its_line() {
    let sandbox = Sandbox::new();
    let text = "CREATE TABLE dbo.a (id int NOT NULL);\nGO\nINSERT INTO dbo.a (id) VALUES (1);\nGO\n\n\
                -- the third\nINSERT INTO dbo.nowhere (id) VALUES (1);\nGO\n";
    let directory = files(&[
        ("1_first.sql", "CREATE TABLE dbo.kept (id int NOT NULL);"),
        ("2_broken.sql", text),
    ]);
    let error = up(sandbox.connector(), "app", directory.path(), &Options::default())
        .await
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.code(), "208");
    let place = error.location().unwrap();
    assert!(place.file.ends_with("2_broken.sql"));
    assert_eq!(place.line, 7);
    // The file before it stays, and nothing of this one is there.
    assert_eq!(scalar(&sandbox, "SELECT OBJECT_ID(N'dbo.a', N'U')").await, json!(null));
    let now = status(sandbox.connector(), "app", directory.path()).await.unwrap();
    assert_eq!(states(&now), [State::Applied, State::Pending]);

    // Mended, the same command finishes the job.
    std::fs::write(directory.path().join("2_broken.sql"), text.replace("nowhere", "a")).unwrap();
    let report = up(sandbox.connector(), "app", directory.path(), &Options::default())
        .await
        .unwrap();
    assert_eq!(report.migrations[1].batches, 3);
    assert_eq!(scalar(&sandbox, "SELECT COUNT(*) FROM dbo.a").await, json!(2));
}

#[tokio::test]
async fn without_a_transaction_the_next_run_goes_on_where_it_stopped() {
    let sandbox = Sandbox::new();
    let text = "-- iacsh: no-transaction\nCREATE TABLE dbo.a (id int NOT NULL);\nGO\n\
                INSERT INTO dbo.a (id) VALUES (1);\nGO 3\nINSERT INTO dbo.b (id) VALUES (1);\n";
    let directory = files(&[("1_a.sql", text)]);
    let run = async || up(sandbox.connector(), "app", directory.path(), &Options::default()).await;
    let error = run().await.unwrap_err();
    assert_eq!(error.location().map(|place| place.line), Some(6));
    let now = status(sandbox.connector(), "app", directory.path()).await.unwrap();
    assert_eq!(states(&now), [State::Unfinished]);

    // A batch that has run must not change; the one that failed may.
    std::fs::write(
        directory.path().join("1_a.sql"),
        text.replace("VALUES (1);\nGO 3", "VALUES (9);\nGO 3"),
    )
    .unwrap();
    let error = run().await.unwrap_err();
    assert!(error.message().contains("already run"), "{error}");
    std::fs::write(directory.path().join("1_a.sql"), text.replace("dbo.b", "dbo.a")).unwrap();
    let report = run().await.unwrap();
    assert_eq!(report.migrations[0].batches, 1);
    assert_eq!(scalar(&sandbox, "SELECT COUNT(*) FROM dbo.a").await, json!(4));
    assert!(!run().await.unwrap().changed);
}

#[tokio::test]
async fn what_was_applied_must_not_change_or_go() {
    let sandbox = Sandbox::new();
    let directory = files(&[("2_a.sql", "CREATE TABLE dbo.a (id int);\n")]);
    let run = async || up(sandbox.connector(), "app", directory.path(), &Options::default()).await;
    run().await.unwrap();
    // Line ends and a byte order mark are no change.
    std::fs::write(
        directory.path().join("2_a.sql"),
        "\u{feff}CREATE TABLE dbo.a (id int);\r\n",
    )
    .unwrap();
    assert!(!run().await.unwrap().changed);

    std::fs::write(directory.path().join("2_a.sql"), "CREATE TABLE dbo.a (id bigint);\n").unwrap();
    std::fs::write(directory.path().join("1_b.sql"), "CREATE TABLE dbo.b (id int);\n").unwrap();
    let error = run().await.unwrap_err();
    let all: Vec<&Error> = std::iter::once(&error).chain(error.others()).collect();
    assert!(
        all.iter()
            .any(|error| error.message().contains("changed after it was applied"))
    );
    assert!(all.iter().any(|error| error.message().contains("later migration")));

    std::fs::remove_file(directory.path().join("2_a.sql")).unwrap();
    let error = run().await.unwrap_err();
    let mut all = std::iter::once(&error).chain(error.others());
    assert!(all.any(|error| error.message().contains("file is gone")));
}

#[tokio::test]
async fn a_script_that_ends_our_transaction_or_changes_the_database_is_refused() {
    let sandbox = Sandbox::new();
    for (text, part) in [
        (
            "CREATE TABLE dbo.a (id int);\nGO\nCOMMIT TRANSACTION;\n",
            "ended the transaction",
        ),
        ("BEGIN TRANSACTION;\n", "transactions open"),
        ("USE master;\n", "changed the database"),
    ] {
        let directory = files(&[("1_a.sql", text)]);
        let error = up(sandbox.connector(), "app", directory.path(), &Options::default())
            .await
            .unwrap_err();
        assert!(error.message().contains(part), "{text}: {error}");
        let now = status(sandbox.connector(), "app", directory.path()).await.unwrap();
        assert_eq!(states(&now), [State::Pending], "{text}");
    }
}

#[tokio::test]
async fn two_runs_at_once_apply_once() {
    let sandbox = Sandbox::new();
    let directory = files(&[
        ("1_a.sql", "CREATE TABLE dbo.a (id int NOT NULL);\n"),
        ("2_b.sql", "INSERT INTO dbo.a (id) VALUES (1);\nGO 5\n"),
    ]);
    let run = async || up(sandbox.connector(), "app", directory.path(), &Options::default()).await;
    let (first, second) = tokio::join!(run(), run());
    let reports = [first.unwrap(), second.unwrap()];
    let applied = reports
        .iter()
        .flat_map(|report| &report.migrations)
        .filter(|outcome| outcome.applied)
        .count();
    assert_eq!(applied, 2);
    assert_eq!(scalar(&sandbox, "SELECT COUNT(*) FROM dbo.a").await, json!(5));
    assert!(!run().await.unwrap().changed);
}

#[tokio::test]
async fn variables_and_the_applications_own_history() {
    let sandbox = Sandbox::new();
    let directory = files(&[(
        "1_a.sql",
        "CREATE TABLE dbo.[$(Table)] (id int NOT NULL);\nGO\nINSERT INTO dbo.[$(Table)] VALUES (7);\n",
    )]);
    let error = up(sandbox.connector(), "app", directory.path(), &Options::default())
        .await
        .unwrap_err();
    assert_eq!(error.location().map(|place| place.line), Some(1));

    let migration = |id: &str| EfMigration {
        id: id.to_owned(),
        product_version: "3.1.0".to_owned(),
    };
    let options = Options {
        variables: [("Table".to_owned(), Variable::Text("numbers".to_owned()))].into(),
        ef_history: Some(EfHistory::of(vec![
            migration("20200522172542_Config"),
            migration("20200522172538_Grants"),
        ])),
        ..Options::default()
    };
    let report = up(sandbox.connector(), "app", directory.path(), &options)
        .await
        .unwrap();
    assert_eq!(report.ef_history.len(), 2);
    assert_eq!(scalar(&sandbox, "SELECT id FROM dbo.numbers").await, json!(7));
    let report = up(sandbox.connector(), "app", directory.path(), &options)
        .await
        .unwrap();
    assert!(!report.changed, "{report}");
    assert_eq!(
        scalar(&sandbox, "SELECT COUNT(*) FROM dbo.[__EFMigrationsHistory]").await,
        json!(2)
    );
}

#[tokio::test]
async fn a_wrong_password_is_configuration() {
    let sandbox = Sandbox::new();
    let directory = files(&[("1_a.sql", "SELECT 1;\n")]);
    let connector = Arc::new(sandbox.with_password("not the right one"));
    let error = up(connector, "app", directory.path(), &Options::default())
        .await
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Config);
    assert_eq!(error.code(), "18456");
    assert!(!format!("{error:?}").contains("not the right one"));
}
