//! The server as its client sees it: the real driver over the stream.

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::io::DuplexStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::{Login, SqlServer};
use crate::secret::Secret;

type Sql = Client<Compat<DuplexStream>>;

pub fn server(dir: &std::path::Path) -> SqlServer {
    SqlServer::open(
        dir,
        Login {
            user: "sa".to_owned(),
            password: Secret::new("Passw0rd!"),
        },
    )
    .unwrap()
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
    sql.simple_query(text)
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
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
    let row = sql
        .simple_query(text)
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    row.unwrap().get(0)
}

async fn text(sql: &mut Sql, query: &str) -> Option<String> {
    let row = sql
        .simple_query(query)
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    row.unwrap().get::<&str, _>(0).map(str::to_owned)
}

#[tokio::test]
async fn login_batch_and_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let mut sql = connect(&server).await;
    assert_eq!(int(&mut sql, "SELECT 1").await, Some(1));
    run(&mut sql, "CREATE TABLE t (Id int IDENTITY NOT NULL CONSTRAINT PK_t PRIMARY KEY, Name nvarchar(20) NULL, Made datetime2 NOT NULL DEFAULT SYSUTCDATETIME())").await;
    let done = sql
        .execute(
            "INSERT INTO t (Name) VALUES (@P1), (@P2)",
            &[&"Ä", &Option::<String>::None],
        )
        .await
        .unwrap();
    assert_eq!(done.total(), 2);
    let rows = sql
        .query("SELECT Id, Name FROM t WHERE Name = @P1", &[&"ä "])
        .await
        .unwrap()
        .into_first_result()
        .await
        .unwrap();
    assert_eq!(
        (rows.len(), rows[0].get::<i32, _>(0), rows[0].get::<&str, _>(1)),
        (1, Some(1), Some("Ä"))
    );
}

#[tokio::test]
async fn who_is_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let code = |result: tiberius::Result<Sql>| result.err().and_then(|error| error.code());
    assert_eq!(code(login(&server, "sa", "wrong", "master").await), Some(18456));
    assert_eq!(code(login(&server, "sa", "Passw0rd!", "nowhere").await), Some(4060));
    let mut sql = connect(&server).await;
    run(
        &mut sql,
        "CREATE DATABASE [Shop 1]; CREATE LOGIN app WITH PASSWORD = N'App-Secret-1'",
    )
    .await;
    assert_eq!(code(login(&server, "app", "App-Secret-1", "Shop 1").await), Some(4060));
    run(&mut sql, "USE [Shop 1]; CREATE USER app FOR LOGIN app; ALTER ROLE db_datareader ADD MEMBER app; CREATE TABLE t (a int); INSERT t VALUES (7)").await;
    let mut app = login(&server, "APP", "App-Secret-1", "shop 1").await.unwrap();
    assert_eq!(int(&mut app, "SELECT a FROM t").await, Some(7));
    assert_eq!(fails(&mut app, "INSERT INTO t VALUES (1)").await.0, 229);
    assert_eq!(fails(&mut app, "DROP TABLE t").await.0, 262);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                !bytes.windows(12).any(|part| part == b"App-Secret-1"),
                "{}",
                path.display()
            );
        }
    }
}

#[tokio::test]
async fn errors_have_numbers_and_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut sql = connect(&server(dir.path())).await;
    run(&mut sql, "CREATE TABLE p (Id int NOT NULL IDENTITY, Name nvarchar(5) NOT NULL, Age int NULL CONSTRAINT CK_p CHECK (Age > 0), CONSTRAINT PK_p PRIMARY KEY (Id)); CREATE UNIQUE INDEX IX_p ON p (Name)").await;
    run(&mut sql, "CREATE TABLE c (Id int IDENTITY PRIMARY KEY, PId int NOT NULL, CONSTRAINT FK_c FOREIGN KEY (PId) REFERENCES p (Id) ON DELETE CASCADE)").await;
    run(&mut sql, "INSERT INTO p (Name) VALUES ('a')").await;
    for (text, number, line) in [
        ("SELECT 1\nSELECT FROM\n", 156, 2),
        ("SELECT 1,\n+", 102, 2),
        ("SELECT 1\nSELECT nothing\nFROM p", 207, 2),
        ("SELECT 1\n\nSELECT * FROM nowhere", 208, 3),
        ("PRINT 'x'\nINSERT INTO p (Name)\nVALUES (NULL)", 515, 2),
        ("\nINSERT INTO p (Name) VALUES (N'A')", 2601, 2),
        ("INSERT INTO p (Name) VALUES (N'abcdef')", 2628, 1),
        ("INSERT INTO p (Name, Age) VALUES (N'b', 0)", 547, 1),
        ("INSERT INTO c (PId) VALUES (99)", 547, 1),
        ("SELECT CAST('abc' AS int)", 245, 1),
        ("SELECT 1/0", 8134, 1),
        ("DECLARE @a int = 0\nSELECT 1/@a FROM p", 8134, 2),
        ("CREATE TABLE p (a int)", 2714, 1),
        ("DROP TABLE nowhere", 3701, 1),
        ("THROW 50001, 'mine', 1", 50001, 1),
        ("RAISERROR('%s is %d', 16, 1, 'a', 5)", 50000, 1),
        ("MERGE p USING c ON 1 = 1 WHEN MATCHED THEN DELETE;", 49999, 1),
        ("SELECT @x", 137, 1),
        ("SELECT dbo.f(1)", 49999, 1),
        ("SELECT Name, COUNT(*) FROM p", 8120, 1),
        ("SELECT p.Id FROM p q", 4104, 1),
        ("COMMIT", 3902, 1),
        ("EXEC nothing", 2812, 1),
        ("UPDATE p SET Id = 3", 8102, 1),
        ("INSERT INTO p (Id, Name) VALUES (1, 'x')", 544, 1),
        ("SELECT (SELECT 1 UNION SELECT 2)", 512, 1),
        ("USE nowhere", 911, 1),
    ] {
        let (code, at, message) = fails(&mut sql, text).await;
        assert_eq!((code, at), (number, line), "{text}: {message}");
    }
    let (_, _, message) = fails(&mut sql, "INSERT INTO p (Name) VALUES (N'A')").await;
    assert_eq!(
        message,
        "Cannot insert duplicate key row in object 'dbo.p' with unique index 'IX_p'. The duplicate key value is (A)."
    );
    run(
        &mut sql,
        "INSERT INTO c (PId) VALUES (1); DELETE FROM p WHERE Name = 'A'",
    )
    .await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM c").await, Some(0));
}

#[tokio::test]
async fn transactions_and_errors_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut sql = connect(&server(dir.path())).await;
    run(&mut sql, "CREATE TABLE t (a int NOT NULL PRIMARY KEY)").await;
    run(
        &mut sql,
        "BEGIN TRAN; INSERT t VALUES (1); SAVE TRAN s; INSERT t VALUES (2); ROLLBACK TRAN s; COMMIT",
    )
    .await;
    assert_eq!(int(&mut sql, "SELECT MAX(a) FROM t").await, Some(1));
    // A statement is undone as a whole, and the batch goes on.
    assert_eq!(
        fails(&mut sql, "INSERT t VALUES (5), (1); INSERT t VALUES (6)").await.0,
        2627
    );
    assert_eq!(int(&mut sql, "SELECT SUM(a) FROM t").await, Some(7));
    assert_eq!(
        fails(
            &mut sql,
            "SET XACT_ABORT ON; BEGIN TRAN; INSERT t VALUES (8); INSERT t VALUES (1); INSERT t VALUES (9)"
        )
        .await
        .0,
        2627
    );
    assert_eq!(int(&mut sql, "SELECT @@TRANCOUNT").await, Some(0));
    assert_eq!(int(&mut sql, "SELECT SUM(a) FROM t").await, Some(7));
    let caught = "SET XACT_ABORT OFF; DECLARE @m nvarchar(200) BEGIN TRY SELECT @m = 'x' INSERT t VALUES (1) END TRY BEGIN CATCH SET @m = CONCAT(ERROR_NUMBER(), ' ', ERROR_LINE(), ' ', XACT_STATE()) END CATCH SELECT @m";
    assert_eq!(text(&mut sql, caught).await.as_deref(), Some("2627 1 0"));
    run(&mut sql, "BEGIN TRAN; INSERT t VALUES (50)").await;
    assert_eq!(int(&mut sql, "SELECT @@TRANCOUNT").await, Some(1));
    run(&mut sql, "ROLLBACK").await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t WHERE a = 50").await, Some(0));
}

#[tokio::test]
async fn two_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let (mut one, mut two) = (connect(&server).await, connect(&server).await);
    run(
        &mut one,
        "CREATE TABLE t (a int NOT NULL); INSERT t VALUES (1); BEGIN TRAN; UPDATE t SET a = a + 1",
    )
    .await;
    assert_eq!(int(&mut two, "SELECT a FROM t").await, Some(1));
    assert_eq!(
        fails(&mut two, "SET LOCK_TIMEOUT 20; UPDATE t SET a = a + 1").await.0,
        1222
    );
    let waits = tokio::spawn(async move {
        run(&mut two, "SET LOCK_TIMEOUT -1; UPDATE t SET a = a + 10").await;
        two
    });
    run(&mut one, "COMMIT").await;
    let mut two = waits.await.unwrap();
    assert_eq!(int(&mut one, "SELECT a FROM t").await, Some(12));
    let lock = "DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'm', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; SELECT @r";
    assert_eq!(int(&mut one, lock).await, Some(0));
    assert_eq!(int(&mut two, lock).await, Some(-1));
    drop(one);
    // The end of a session is seen by its task, so it takes a moment.
    let mut got = None;
    for _ in 0..2000 {
        got = int(&mut two, lock).await;
        if got == Some(0) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(got, Some(0));
}

#[tokio::test]
async fn queries() {
    let dir = tempfile::tempdir().unwrap();
    let mut sql = connect(&server(dir.path())).await;
    run(&mut sql, "CREATE SCHEMA app").await;
    run(&mut sql, "CREATE TABLE app.o (Id int IDENTITY(10,5) PRIMARY KEY, Who nvarchar(50) NOT NULL, Cost decimal(10,2) NOT NULL, At datetime2 NULL, Ok bit NOT NULL DEFAULT 1)").await;
    run(&mut sql, "INSERT INTO app.o (Who, Cost, At) SELECT v.w, v.c, '2024-02-29' FROM (VALUES (N'a', 1.50), (N'B', 2), (N'A ', 3.25)) v (w, c)").await;
    for (query, expected) in [
        ("SELECT TOP 1 Who FROM app.o ORDER BY Id DESC", "A "),
        (
            "SELECT Who FROM app.o ORDER BY Id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
            "B",
        ),
        (
            "SELECT CAST(SUM(Cost) AS nvarchar(20)) FROM app.o WHERE Who = N'a' GROUP BY Who HAVING COUNT(*) = 2",
            "4.75",
        ),
        (
            "WITH x AS (SELECT Who, ROW_NUMBER() OVER (ORDER BY Id) AS n FROM app.o) SELECT Who FROM x WHERE n = 2",
            "B",
        ),
        (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM app.o WHERE Who LIKE N'[b-c]%') THEN N'y' ELSE N'n' END",
            "y",
        ),
        (
            "SELECT CONVERT(nvarchar(30), DATEADD(month, 12, At), 126) FROM app.o WHERE Id = 10",
            "2025-02-28T00:00:00.0000000",
        ),
        (
            "SELECT CONVERT(varchar(64), HASHBYTES('SHA2_256', 'abc'), 2)",
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        ),
        ("SELECT QUOTENAME(N'a]b') + N'-' + ISNULL(NULL, N'x')", "[a]]b]-x"),
        (
            "SELECT STRING_AGG(Who, N',') WITHIN GROUP (ORDER BY Id) FROM app.o",
            "a,B,A ",
        ),
        (
            "SELECT t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE s.name = 'app'",
            "o",
        ),
        (
            "SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'o' AND COLUMN_NAME = 'Who'",
            "nvarchar",
        ),
        ("SELECT DB_NAME()", "master"),
        (
            "DECLARE @i int = 0, @s nvarchar(max) = N'' WHILE @i < 3 BEGIN SET @i += 1 IF @i = 2 CONTINUE SET @s += CAST(@i AS nvarchar(5)) END SELECT @s",
            "13",
        ),
        (
            "EXEC sp_executesql N'SELECT @a + N''!''', N'@a nvarchar(10)', @a = N'hi'",
            "hi!",
        ),
        (
            "UPDATE o SET Cost = Cost + 1 OUTPUT CAST(deleted.Cost AS nvarchar(10)) + N'>' + CAST(inserted.Cost AS nvarchar(10)) FROM app.o o WHERE o.Who = N'b'",
            "2.00>3.00",
        ),
        (
            "IF OBJECT_ID(N'[app].[o]') IS NULL SELECT N'none' ELSE SELECT N'there'",
            "there",
        ),
        (
            "SELECT Who FROM app.o WHERE Id IN (SELECT Id FROM app.o WHERE Id > 10) AND Cost BETWEEN 3 AND 3.1",
            "B",
        ),
        (
            "SELECT CAST(COUNT(*) AS nvarchar(5)) FROM (SELECT 'a' AS x UNION SELECT 'A') u",
            "1",
        ),
    ] {
        assert_eq!(text(&mut sql, query).await.as_deref(), Some(expected), "{query}");
    }
    let many = sql
        .simple_query("SELECT 1; SELECT N'a' WHERE 1 = 0; SELECT 2, 3")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    let row = sql
        .query(
            "INSERT INTO app.o (Who, Cost) OUTPUT inserted.Id VALUES (@P1, @P2)",
            &[&"z", &9.5f64],
        )
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(25));
    run(&mut sql, "ALTER TABLE app.o ADD Note nvarchar(200) NULL, Rank int NOT NULL CONSTRAINT DF_r DEFAULT (7); CREATE UNIQUE INDEX IX_f ON app.o (Note) WHERE Note IS NOT NULL").await;
    assert_eq!(int(&mut sql, "SELECT SUM(Rank) FROM app.o").await, Some(28));
    run(&mut sql, "ALTER TABLE app.o DROP CONSTRAINT DF_r; ALTER TABLE app.o DROP COLUMN Rank; ALTER TABLE app.o ALTER COLUMN Who nvarchar(100) NOT NULL; DROP TABLE app.o").await;
}

#[tokio::test]
async fn text_that_means_nothing_is_an_error_and_the_session_lives() {
    let dir = tempfile::tempdir().unwrap();
    let mut sql = connect(&server(dir.path())).await;
    for text in [
        "((((",
        "SELECT [",
        "BEGIN",
        "SELECT CAST(1 AS nope)",
        "EXEC",
        "SELECT 'a' + ",
        "WHILE",
        "CREATE",
        "@",
        "DECLARE @",
    ] {
        fails(&mut sql, text).await;
        assert_eq!(int(&mut sql, "SELECT 1").await, Some(1));
    }
}

/// The migrations that the project ships create the whole store of IdentityServer4, and a second run changes nothing.
#[tokio::test]
async fn the_shipped_migrations_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut sql = connect(&server(dir.path())).await;
    run(&mut sql, "CREATE DATABASE Identity1; USE Identity1; SET XACT_ABORT ON").await;
    let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
        for batch in lines.split(|line| line.trim().eq_ignore_ascii_case("GO")) {
            run(&mut sql, &batch.join("\n")).await;
        }
    }
    assert!(int(&mut sql, "SELECT COUNT(*) FROM sys.tables").await >= Some(23));
    let filled = "INSERT INTO ApiScopes (Enabled, Name, Required, Emphasize, ShowInDiscoveryDocument) OUTPUT inserted.Id VALUES (1, N'api', 0, 0, 1)";
    assert_eq!(int(&mut sql, filled).await, Some(1));
}
