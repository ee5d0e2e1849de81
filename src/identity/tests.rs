//! Clients in the embedded SQL Server, through the real driver.

use std::path::Path;

use crate::error::{Error, Exit, Result};
use crate::identity::apply::Report;
use crate::identity::secrets::Variables;
use crate::identity::{clients, plan};
use crate::mssql::testing::{Sandbox, open};
use crate::mssql::{Connection, migrate};
use crate::resource::Permit;
use crate::secret::Secret;

/// The project's own migrations, applied.
async fn database(sandbox: &Sandbox) -> Connection {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    migrate::up(sandbox.connector(), "app", &directory, &migrate::Options::default())
        .await
        .unwrap();
    open(sandbox, "app").await
}

async fn apply(connection: &mut Connection, directory: &Path, variables: &Variables<'_>) -> Result<Report> {
    crate::identity::apply(connection, directory, variables, &Permit::always()).await
}

fn variables(name: &str) -> Result<Secret> {
    match name {
        "ORDERS_WORKER_SECRET" | "PORTAL_SECRET" => Ok(Secret::new(format!("the value of {name}"))),
        name => Err(Error::config(format!("{name} is not set"))),
    }
}

/// The project's own clients, in a directory that a test may change.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
    }
    directory
}

fn edit(directory: &tempfile::TempDir, file: &str, from: &str, to: &str) {
    let path = directory.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn the_projects_clients_apply_once() {
    let sandbox = Sandbox::new();
    let mut connection = database(&sandbox).await;
    let files = directory();
    let planned = plan(&mut connection, files.path(), &variables).await.unwrap();
    assert!(planned.changed);
    assert!(clients(&mut connection).await.unwrap().is_empty());

    let first = apply(&mut connection, files.path(), &variables).await.unwrap();
    assert_eq!(first.schema, "IdentityServer4 4.1");
    assert_eq!(first.changes.len(), planned.changes.len());
    let second = apply(&mut connection, files.path(), &variables).await.unwrap();
    assert!(!second.changed, "{:?}", second.changes);
    assert!(second.to_string().starts_with("nothing to change"));

    let listed = clients(&mut connection).await.unwrap();
    let ids: Vec<_> = listed
        .iter()
        .map(|client| (client.id.as_str(), client.secrets))
        .collect();
    assert_eq!(ids, [("orders-worker", 1), ("portal", 1), ("shop", 0)]);
    assert_eq!(listed[1].redirect_uris, ["https://portal.example.com/signin-oidc"]);
    let sets = connection
        .batch("SELECT IncludeJwtId, AccessTokenLifetime FROM dbo.Clients WHERE ClientId = N'orders-worker'")
        .await
        .unwrap();
    assert_eq!(sets[0].rows, [[serde_json::json!(true), serde_json::json!(900)]]);
    // Only hashes are there.
    let sets = connection.batch("SELECT Value FROM dbo.ClientSecrets").await.unwrap();
    assert!(
        sets[0]
            .rows
            .iter()
            .all(|row| crate::identity::secrets::is_hash(row[0].as_str().unwrap()))
    );
}

#[tokio::test]
async fn what_changes_in_a_file_changes_in_the_database_and_nothing_else_does() {
    let sandbox = Sandbox::new();
    let mut connection = database(&sandbox).await;
    let files = directory();
    apply(&mut connection, files.path(), &variables).await.unwrap();
    connection
        .batch(
            "INSERT INTO dbo.ApiScopes (Enabled, Name, Required, Emphasize, ShowInDiscoveryDocument) \
             VALUES (1, N'by.hand', 0, 0, 1)",
        )
        .await
        .unwrap();

    edit(
        &files,
        "orders-worker.toml",
        "\"orders.read\", \"orders.write\"",
        "\"orders.read\", \"by.hand\"",
    );
    edit(&files, "orders-worker.toml", "900", "600");
    let report = apply(&mut connection, files.path(), &variables).await.unwrap();
    let fields: Vec<_> = report.changes[0]
        .details
        .iter()
        .map(|detail| detail.field.as_str())
        .collect();
    assert_eq!(report.changes.len(), 1);
    assert_eq!(fields, ["AccessTokenLifetime", "ClientScopes", "ClientScopes"]);
    assert_eq!(report.undeclared.len(), 1);
    let listed = clients(&mut connection).await.unwrap();
    assert_eq!(listed[0].scopes, ["orders.read", "by.hand"]);
    let sets = connection
        .batch("SELECT COUNT(*) FROM dbo.Clients WHERE Updated IS NOT NULL")
        .await
        .unwrap();
    assert_eq!(sets[0].scalar(), Some(&serde_json::json!(1)));
}

#[tokio::test]
async fn a_new_secret_is_added_and_the_old_one_stays() {
    let sandbox = Sandbox::new();
    let mut connection = database(&sandbox).await;
    let files = directory();
    apply(&mut connection, files.path(), &variables).await.unwrap();
    let renewed = |name: &str| Ok(Secret::new(format!("another value of {name}")));
    let report = apply(&mut connection, files.path(), &renewed).await.unwrap();
    assert_eq!(report.changes.len(), 2);
    let listed = clients(&mut connection).await.unwrap();
    assert_eq!(listed[0].secrets, 2);
    // Back to the first value: it is there already.
    assert!(!apply(&mut connection, files.path(), &variables).await.unwrap().changed);
}

#[tokio::test]
async fn what_is_wrong_is_told_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let mut connection = database(&sandbox).await;
    let files = directory();
    edit(
        &files,
        "portal.toml",
        "\"orders.read\", \"orders.write\"",
        "\"orders.raed\"",
    );
    let error = apply(&mut connection, files.path(), &variables).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.help(), Some("did you mean orders.read?"));
    assert!(error.location().unwrap().file.ends_with("portal.toml"));
    let error = apply(&mut connection, directory().path(), &|name: &str| {
        Err(Error::config(format!("{name} is not set")))
    })
    .await
    .unwrap_err();
    assert_eq!(error.exit(), Exit::Config);
    assert_eq!(error.others().len(), 1);
    assert!(clients(&mut connection).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_applies_at_once_write_once() {
    let sandbox = Sandbox::new();
    let mut first = database(&sandbox).await;
    let mut second = open(&sandbox, "app").await;
    let files = directory();
    let (one, two) = tokio::join!(
        apply(&mut first, files.path(), &variables),
        apply(&mut second, files.path(), &variables)
    );
    let reports = [one.unwrap(), two.unwrap()];
    assert_eq!(reports.iter().filter(|report| report.changed).count(), 1);
    let sets = first.batch("SELECT COUNT(*) FROM dbo.ClientScopes").await.unwrap();
    assert_eq!(sets[0].scalar(), Some(&serde_json::json!(2 + 4 + 4)));
}

#[tokio::test]
async fn an_empty_database_says_to_migrate_first() {
    let sandbox = Sandbox::new();
    let mut connection = open(&sandbox, "master").await;
    let error = apply(&mut connection, directory().path(), &variables)
        .await
        .unwrap_err();
    assert!(error.help().unwrap().contains("migrate::up"), "{error}");
}
