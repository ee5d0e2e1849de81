//! What scripts call: `mssql::` and `migrate::`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::connect::{Connector, Encryption};
use super::connection::{Connection, Options};
use super::migrate::{self, EfHistory, Variable};
use super::value::{Param, ResultSet};
use crate::error::{Error, Result, nearest};
use crate::map;
use crate::resource::verb::Anything;
use crate::resource::{Engine, Foreseen, Outcome, Record, Verb, VerbContext};
use crate::secret::Secret;
use crate::value::{Object, Part, Text, Value};

/// Another address or login than the environment's. What is not given is the environment's.
#[derive(Clone, Debug, Default)]
pub struct Address {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// Looks up the login and gives the way to the server; fails when a variable is not set, or where nobody has made the
/// server yet.
pub type Connect = Arc<dyn Fn(Engine, Address) -> BoxFuture<'static, Result<Arc<dyn Connector>>> + Send + Sync>;

/// What the verbs need of the environment.
#[derive(Clone)]
pub struct Setup {
    pub connect: Connect,
    /// The environment's database.
    pub database: String,
    /// Relative directories start here.
    pub root: PathBuf,
    pub ef_history: Option<EfHistory>,
    /// Where user and password come from, for the error of a login: `the variables DB_USER and DB_PASSWORD`.
    pub login: String,
    /// How long connecting may take, and waiting for another run.
    pub limit: Duration,
    /// How long a backup may take, and its restore.
    pub backup_limit: Duration,
    /// The region of AWS, which says how ARNs begin.
    pub region: String,
}

/// A database in a script. It is a way to connect, not a connection: each verb opens its own.
#[derive(Clone)]
pub struct Database {
    pub connector: Arc<dyn Connector>,
    pub name: String,
    limit: Duration,
    login: String,
}

impl Setup {
    /// The environment's database, or another one on its server or elsewhere.
    pub async fn open(&self, engine: &Engine, database: Option<String>, address: Address) -> Result<Database> {
        Ok(Database {
            connector: (self.connect)(engine.clone(), address).await?,
            name: database.unwrap_or_else(|| self.database.clone()),
            limit: self.limit,
            login: self.login.clone(),
        })
    }
}

impl Database {
    const FIELDS: [&'static str; 5] = ["name", "host", "port", "user", "connection_string"];

    /// The database that an argument stands for.
    pub fn of(value: Option<&Value>) -> Result<&Self> {
        match value {
            Some(Value::Object(object)) => object.downcast(),
            _ => None,
        }
        .ok_or_else(|| {
            let given = value.map_or_else(|| "nothing".to_owned(), Value::type_name);
            Error::failed(format!("a database is expected, not {given}")).hint("`mssql::connect()` gives one")
        })
    }

    /// Another database on the same server.
    pub fn on(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    pub async fn open(&self) -> Result<Connection> {
        let options = Options {
            connect_timeout: self.limit.min(Duration::from_secs(30)),
            ..Options::database(&self.name)
        };
        let opened = Connection::connect(self.connector.clone(), options).await;
        opened.map_err(|error| self.explained(error))
    }

    /// A refused login says where the login came from.
    fn explained(&self, error: Error) -> Error {
        match error.code() {
            "18456" => error.hint(format!(
                "check {}; the server's error log has the exact reason",
                self.login
            )),
            _ => error,
        }
    }

    /// The connection string of Microsoft.Data.SqlClient, for the application. A value with a character that means
    /// something there is quoted, with its quotes doubled.
    /// Source: SqlConnection.ConnectionString, .NET API reference.
    fn connection_string(&self) -> Secret {
        fn quoted(value: &str) -> String {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-\\,:".contains(c);
            match value.chars().all(plain) && !value.is_empty() {
                true => value.to_owned(),
                false => format!("\"{}\"", value.replace('"', "\"\"")),
            }
        }
        let server = self.connector.server();
        let encryption = match &server.encryption {
            Encryption::Off => "Encrypt=False",
            Encryption::Required | Encryption::Authority(_) => "Encrypt=True",
            Encryption::TrustServer => "Encrypt=True;TrustServerCertificate=True",
        };
        Secret::new(format!(
            "Server=tcp:{},{};Database={};User ID={};Password={};{encryption}",
            server.host,
            server.port,
            quoted(&self.name),
            quoted(&server.user),
            quoted(server.password.expose()),
        ))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database {} on {}", self.name, self.connector.server().address())
    }
}

impl Object for Database {
    fn type_name(&self) -> String {
        "database".into()
    }

    fn field(&self, name: &str) -> Result<Value> {
        let server = self.connector.server();
        Ok(match name {
            "name" => Value::text(&self.name),
            "host" => Value::text(&server.host),
            "port" => Value::Int(i64::from(server.port)),
            "user" => Value::text(&server.user),
            "connection_string" => self.connection_string().into(),
            _ => {
                let error = Error::failed(format!("a database has no field `{name}`"));
                return Err(match nearest(name, Self::FIELDS) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint(format!("it has: {}", Self::FIELDS.join(", "))),
                });
            }
        })
    }

    fn show(&self) -> Value {
        let server = self.connector.server();
        Value::Map(map! { "database" => self.name.as_str(), "server" => server.address() })
    }
}

/// Which database `mssql::connect` means.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConnectOptions {
    /// Another database on the server.
    database: Option<String>,
    /// Another server than the environment's, such as `instance.endpoint`.
    host: Option<String>,
    /// Its TCP port.
    port: Option<u16>,
    /// The login.
    user: Option<String>,
    /// Its password, as `secrets::value` or `variable` give it.
    password: Option<Secret>,
}

/// How `migrate::up` applies.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpOptions {
    /// The values of `$(Name)` in the files.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// Whether a file may be applied although a later one already is.
    #[serde(default)]
    out_of_order: bool,
}

/// The verbs of `mssql::` and `migrate::`.
pub fn verbs(setup: &Setup) -> Vec<Verb> {
    let connect = {
        let setup = setup.clone();
        Verb::reads(
            "mssql",
            "connect",
            "The environment's database, or another one on its server. Nothing is sent to the server before it is used. A \
             server of ours on RDS is found by what is published as `database.endpoint`, `database.user` and \
             `database.password-secret`, else by itself.",
        )
        .optional::<ConnectOptions>(
            "options",
            "`database`: another database on the same server; `host`, `port`, `user`, `password`: another server",
        )
        .run(move |cx, args| {
            let setup = setup.clone();
            async move {
                let options: Option<ConnectOptions> = args.into_iter().next().map(Value::read).transpose()?;
                let options = options.unwrap_or_default();
                let address = Address {
                    host: options.host,
                    port: options.port,
                    user: options.user,
                    password: options.password,
                };
                let database = setup.open(&cx.engine, options.database, address).await?;
                Ok(Value::Object(Arc::new(database)))
            }
        })
    };
    let up = {
        let setup = setup.clone();
        Verb::acts(
            "migrate",
            "up",
            "Applies the migrations of a directory that have not been applied: each file in a transaction of its own, \
             under a lock that keeps a second run out. Creates the database when it is not there. Gives what was done.",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("directory", "relative to the root, such as \"migrations\"")
        .optional::<UpOptions>("options", "`variables` for `$(Name)`, `out_of_order`")
        .run({
            let setup = setup.clone();
            move |cx, args| up(setup.clone(), cx, args)
        })
        .foreseen(move |_, args| foresee_up(setup.root.clone(), args))
    };
    let status = {
        let root = setup.root.clone();
        Verb::reads(
            "migrate",
            "status",
            "Which migrations of a directory are applied, and which are pending.",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("directory", "relative to the root")
        .run(move |_, args| {
            let root = root.clone();
            async move {
                let database = Database::of(args.first())?;
                let directory = root.join(text(&args, 1));
                let status = migrate::status(database.connector.clone(), &database.name, &directory).await?;
                Value::from_serialize(&status.migrations)
            }
        })
    };
    let mut verbs = vec![
        connect,
        Verb::reads(
            "mssql",
            "query",
            "The rows of the first result of a statement, as maps. `@P1` is the first parameter.",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("sql", "one batch of T-SQL")
        .optional::<Vec<Anything>>("parameters", "the values of `@P1`, `@P2`, ...")
        .run(async |_, args| {
            let mut connection = Database::of(args.first())?.open().await?;
            let sets = match parameters(args.get(2))? {
                parameters if parameters.is_empty() => connection.batch(text(&args, 1)).await?,
                parameters => connection.query(text(&args, 1), &parameters).await?,
            };
            connection.close().await?;
            Ok(rows(sets.first()))
        }),
        Verb::acts(
            "mssql",
            "execute",
            "Runs a statement and gives the number of rows that it changed.",
        )
        .param::<Anything>("database", "what `mssql::connect` gives")
        .param::<String>("sql", "one statement of T-SQL")
        .optional::<Vec<Anything>>("parameters", "the values of `@P1`, `@P2`, ...")
        .run(async |cx: VerbContext, args| {
            let began = Instant::now();
            let database = Database::of(args.first())?;
            cx.engine.begin_write().await?;
            let mut connection = database.open().await?;
            let count = connection.execute(text(&args, 1), &parameters(args.get(2))?).await?;
            connection.close().await?;
            let outcome = match count {
                0 => Outcome::Unchanged,
                count => Outcome::Acted(format!("{count} rows changed")),
            };
            cx.engine.record(Record {
                kind: "sql".into(),
                name: database.name.clone(),
                id: String::new(),
                outcome,
                took: began.elapsed(),
                ..Record::default()
            });
            Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
        }),
        Verb::reads("mssql", "databases", "The databases on the server.")
            .param::<Anything>("database", "what `mssql::connect` gives")
            .run(async |_, args| {
                let database = Database::of(args.first())?;
                listing(
                    database,
                    "master",
                    "SELECT name, state_desc AS state FROM sys.databases ORDER BY name",
                )
                .await
            }),
        Verb::reads("mssql", "tables", "The tables of a database.")
            .param::<Anything>("database", "what `mssql::connect` gives")
            .run(async |_, args| {
                let database = Database::of(args.first())?;
                let sql = "SELECT TABLE_SCHEMA AS [schema], TABLE_NAME AS name FROM INFORMATION_SCHEMA.TABLES \
                           WHERE TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_SCHEMA, TABLE_NAME";
                listing(database, &database.name, sql).await
            }),
        up,
        status,
    ];
    verbs.extend(super::backup::verbs(setup));
    verbs
}

async fn up(setup: Setup, cx: VerbContext, args: Vec<Value>) -> Result<Value> {
    let database = Database::of(args.first())?;
    let directory = setup.root.join(text(&args, 1));
    let given: UpOptions = args.get(2).cloned().map(Value::read).transpose()?.unwrap_or_default();
    let options = migrate::Options {
        variables: given
            .variables
            .into_iter()
            .map(|(name, value)| (name, Variable::Text(value)))
            .collect(),
        out_of_order: given.out_of_order,
        lock_timeout: setup.limit,
        ef_history: setup.ef_history,
        permit: cx.engine.permit(),
        ..migrate::Options::default()
    };
    let label = format!("migrations/{}", database.name);
    cx.engine.progress().started(&label);
    let began = Instant::now();
    let report = migrate::up(database.connector.clone(), &database.name, &directory, &options).await;
    let took = began.elapsed();
    let report = report
        .map_err(|error| database.explained(error))
        .inspect_err(|error| cx.engine.progress().finished(&label, error.message(), took, false))?;
    let outcome = match report.changed {
        true => Outcome::Acted(report.to_string()),
        false => Outcome::Unchanged,
    };
    cx.engine.progress().finished(&label, &outcome.words(), took, true);
    let facts = serde_json::to_value(&report).unwrap_or_default();
    cx.engine.journal_entry("migrated", facts);
    cx.engine.record(Record {
        kind: "migrations".into(),
        name: database.name.clone(),
        id: database.connector.server().address(),
        outcome,
        took,
        ..Record::default()
    });
    Value::from_serialize(&report)
}

/// The migrations that `migrate::up` would apply.
async fn foresee_up(root: PathBuf, args: Vec<Value>) -> Result<Foreseen> {
    let database = Database::of(args.first())?;
    let directory = root.join(text(&args, 1));
    let status = migrate::status(database.connector.clone(), &database.name, &directory).await;
    let status = status.map_err(|error| database.explained(error))?;
    let pending = status.pending();
    let mut lines: Vec<String> = pending.iter().map(|name| format!("apply {name}")).collect();
    if !status.exists {
        lines.insert(0, format!("create the database {}", status.database));
    }
    let outcome = match lines.is_empty() {
        true => Outcome::Unchanged,
        false => Outcome::Acted(format!("{} of {} migrations", pending.len(), status.migrations.len())),
    };
    Ok(Foreseen {
        records: vec![Record {
            kind: "migrations".into(),
            name: database.name.clone(),
            id: database.connector.server().address(),
            outcome,
            lines,
            ..Record::default()
        }],
        value: Value::from_serialize(&status)?,
    })
}

/// A list of rows from a catalogue view. A database that is not there yet has none.
async fn listing(database: &Database, on: &str, sql: &str) -> Result<Value> {
    let database = database.on(on);
    let mut connection = match database.open().await {
        Err(error) if error.code() == "4060" => return Ok(Value::List(Vec::new())),
        other => other?,
    };
    let sets = connection.batch(sql).await?;
    connection.close().await?;
    Ok(rows(sets.first()))
}

fn rows(set: Option<&ResultSet>) -> Value {
    let rows = set.map(ResultSet::objects).unwrap_or_default();
    Value::List(
        rows.into_iter()
            .map(|row| Value::from(serde_json::Value::Object(row)))
            .collect(),
    )
}

/// The statement's parameters. A secret is sent as a parameter and never shown.
fn parameters(list: Option<&Value>) -> Result<Vec<Param>> {
    let Some(Value::List(list)) = list else {
        return Ok(Vec::new());
    };
    list.iter()
        .map(|value| match value {
            Value::Text(Text(parts)) => match parts.as_slice() {
                [Part::Secret(secret)] => Ok(Param::Secret(secret.clone())),
                _ => Ok(Param::Text(value.to_string())),
            },
            other => Param::from_json(&other.to_json()),
        })
        .collect()
}

/// An argument that the schema has checked to be text.
pub(super) fn text(args: &[Value], position: usize) -> &str {
    args.get(position).and_then(Value::as_str).unwrap_or_default()
}
