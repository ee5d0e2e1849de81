//! The server as its client sees it: the real driver over the stream.

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::io::DuplexStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::{Login, SqlServer};
use crate::secret::Secret;

type Sql = Client<Compat<DuplexStream>>;

pub fn server(dir: &std::path::Path) -> SqlServer {
    SqlServer::open(dir, Login { user: "sa".to_owned(), password: Secret::new("Passw0rd!") }).unwrap()
}

async fn login(server: &SqlServer, user: &str, password: &str, database: &str) -> tiberius::Result<Sql> {
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server(user, password));
    config.encryption(EncryptionLevel::NotSupported);
    config.database(database);
    Client::connect(config, server.connect().compat_write()).await
}

async fn connect(server: &SqlServer) -> Sql {
    login(server, "sa", "Passw0rd!", "master").await.unwrap()
}

async fn run(sql: &mut Sql, text: &str) {
    sql.simple_query(text).await.unwrap().into_results().await.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// The number and the line of the error that a batch ends with.
async fn fails(sql: &mut Sql, text: &str) -> (u32, u32, String) {
    let error = match sql.simple_query(text).await {
        Ok(stream) => stream.into_results().await.expect_err(text),
        Err(error) => error,
    };
    match error {
        tiberius::error::Error::Server(token) => (token.code(), token.line(), token.message().to_owned()),
        other => panic!("{text}: {other}"),
    }
}

async fn int(sql: &mut Sql, text: &str) -> Option<i32> {
    let row = sql.simple_query(text).await.unwrap().into_row().await.unwrap_or_else(|error| panic!("{text}: {error}"));
    row.unwrap().get(0)
}

async fn text(sql: &mut Sql, query: &str) -> Option<String> {
    let row = sql.simple_query(query).await.unwrap().into_row().await.unwrap_or_else(|error| panic!("{query}: {error}"));
    row.unwrap().get::<&str, _>(0).map(str::to_owned)
}

#[tokio::test]
async fn login_batch_and_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let mut sql = connect(&server).await;
    assert_eq!(int(&mut sql, "SELECT 1").await, Some(1));
    run(&mut sql, "CREATE TABLE t (Id int IDENTITY NOT NULL CONSTRAINT PK_t PRIMARY KEY, Name nvarchar(20) NULL, Made datetime2 NOT NULL DEFAULT SYSUTCDATETIME())").await;
    let done = sql.execute("INSERT INTO t (Name) VALUES (@P1), (@P2)", &[&"Ä", &Option::<String>::None]).await.unwrap();
    assert_eq!(done.total(), 2);
    let rows = sql.query("SELECT Id, Name FROM t WHERE Name = @P1", &[&"ä "]).await.unwrap().into_first_result().await.unwrap();
    assert_eq!((rows.len(), rows[0].get::<i32, _>(0), rows[0].get::<&str, _>(1)), (1, Some(1), Some("Ä")));
}
