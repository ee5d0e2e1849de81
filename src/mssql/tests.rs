//! The connection against the embedded SQL Server.

use std::time::Duration;

use serde_json::json;

use super::testing::{Sandbox, open};
use super::{Connection, Failure, Options, Param, lock};
use crate::error::Exit;
use crate::secret::Secret;

#[tokio::test]
async fn values_come_back_as_they_went() {
    let sandbox = Sandbox::new();
    let mut connection = open(&sandbox, "master").await;
    let params = [
        Param::Int(7),
        Param::Int(5_000_000_000),
        Param::Text("it's ünïcode".to_owned()),
        Param::Null,
        Param::Bool(true),
        Param::Secret(Secret::new("seen by nobody")),
    ];
    let sets = connection
        .query(
            "SELECT @P1 AS a, @P2 AS b, @P3 AS c, @P4 AS d, @P5 AS e, LEN(@P6) AS f",
            &params,
        )
        .await
        .unwrap();
    assert_eq!(sets[0].columns, ["a", "b", "c", "d", "e", "f"]);
    let row = [
        json!(7),
        json!(5_000_000_000i64),
        json!("it's ünïcode"),
        json!(null),
        json!(true),
        json!(14),
    ];
    assert_eq!(sets[0].rows, [row]);
}

#[tokio::test]
async fn an_error_after_rows_is_an_error_and_the_connection_goes_on() {
    let sandbox = Sandbox::new();
    let mut connection = open(&sandbox, "master").await;
    let failure = connection
        .try_batch("SELECT 1 AS a;\nSELECT 1 / 0 AS b;")
        .await
        .unwrap_err();
    let Failure::Server(error) = failure else {
        panic!("{failure:?}")
    };
    assert_eq!((error.number, error.line), (8134, 2));
    assert!(connection.is_usable());
    assert_eq!(connection.batch("SELECT 2 AS a").await.unwrap()[0].rows, [[json!(2)]]);
}

#[tokio::test]
async fn a_statement_that_was_given_up_makes_the_connection_say_so() {
    let sandbox = Sandbox::new();
    let mut other = open(&sandbox, "master").await;
    lock::take(&mut other, "held", Duration::from_secs(1)).await.unwrap();
    let mut connection = open(&sandbox, "master").await;
    connection.set_timeout(Some(Duration::from_millis(100)));
    let error = lock::take(&mut connection, "held", Duration::from_secs(60))
        .await
        .unwrap_err();
    assert!(error.message().contains("did not finish"), "{error}");
    let error = connection.batch("SELECT 1 AS a").await.unwrap_err();
    assert!(error.message().contains("no longer usable"), "{error}");
    connection.set_timeout(Some(Duration::from_secs(30)));
    connection.reconnect().await.unwrap();
    assert_eq!(connection.batch("SELECT 1 AS a").await.unwrap()[0].rows, [[json!(1)]]);
}

#[tokio::test]
async fn what_refuses_a_login_is_told_apart() {
    let sandbox = Sandbox::new();
    let wrong = std::sync::Arc::new(sandbox.with_password("wrong"));
    let error = Connection::connect(wrong, Options::database("master"))
        .await
        .unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Config, "18456"));
    let error = Connection::connect(sandbox.connector(), Options::database("nowhere"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "4060");
    assert!(error.message().contains("nowhere"));
}
