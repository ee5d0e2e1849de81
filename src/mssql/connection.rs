//! One connection to SQL Server, and the only place that knows the driver.
//!
//! Every answer is read to its end, because an error can come after the first rows. A statement that was not read to
//! its end (timed out, or its future dropped) leaves the stream in the middle of an answer: from then on the connection
//! refuses to be used, until [`Connection::reconnect`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::connect::{Connector, Encryption, Server, Stream};
use super::error::{Failure, failure};
use super::read_only::is_read;
use super::value::{Param, ResultSet, prepare, to_json};
use crate::error::{Error, Exit, Result};

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database; the login's default when not given.
    pub database: Option<String>,
    /// What `APP_NAME()` says.
    pub application: String,
    /// How long connecting may take, from the name's resolution to the answered login.
    pub connect_timeout: Duration,
    /// How long a statement may take, from its sending to the last row. `None` waits for ever.
    pub timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: None,
            application: "iacsh".to_owned(),
            connect_timeout: Duration::from_secs(15),
            timeout: Some(Duration::from_secs(30)),
        }
    }
}

impl Options {
    /// The usual options, to that database.
    pub fn database(name: impl Into<String>) -> Self {
        Self {
            database: Some(name.into()),
            ..Self::default()
        }
    }
}

type Driver = Client<Compat<Box<dyn Stream>>>;

/// An open connection.
pub struct Connection {
    driver: Driver,
    connector: Arc<dyn Connector>,
    options: Options,
    /// `host:port`, for messages.
    name: String,
    /// An answer is being read, or was not read to its end.
    unfinished: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}, {:?})", self.name, self.options.database)
    }
}

impl Connection {
    /// Connects and logs in.
    ///
    /// A wrong login is [`Exit::Config`]; a database that is not there is an error of the code `4060`.
    pub async fn connect(connector: Arc<dyn Connector>, options: Options) -> Result<Self> {
        let name = connector.server().address();
        let driver = open(connector.as_ref(), &options).await?;
        let mut connection = Self {
            driver,
            connector,
            options,
            name,
            unfinished: false,
        };
        // Indexed views and filtered indexes refuse changes without these (error 1934), and a login need not ask for
        // them.
        connection.batch("SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON;").await?;
        Ok(connection)
    }

    /// A new connection in the place of this one: same server, login and database. Transactions, session locks and
    /// temporary tables of the old one are gone.
    pub async fn reconnect(&mut self) -> Result<()> {
        *self = Self::connect(Arc::clone(&self.connector), self.options.clone()).await?;
        Ok(())
    }

    /// `host:port`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database that was asked for.
    pub fn database(&self) -> Option<&str> {
        self.options.database.as_deref()
    }

    /// Whether the next statement can be sent.
    pub fn is_usable(&self) -> bool {
        !self.unfinished
    }

    /// How long a statement may take. `None` waits for ever.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.options.timeout = timeout;
    }

    /// Runs a batch as it is: DDL, `SET`, several statements. All result sets, in order.
    ///
    /// Never put a user's value into the text: [`Connection::query`] takes parameters.
    pub async fn batch(&mut self, sql: &str) -> Result<Vec<ResultSet>> {
        Ok(self.try_batch(sql).await?)
    }

    /// As [`Connection::batch`], with the server's error as it came.
    pub async fn try_batch(&mut self, sql: &str) -> Result<Vec<ResultSet>, Failure> {
        let start = self.begin(sql)?;
        let driver = &mut self.driver;
        let work = async { collect(driver.simple_query(sql).await?).await };
        let answer = limited(self.options.timeout, &self.name, work).await?;
        self.finish(sql, start, answer)
    }

    /// Runs a statement with the parameters `@P1`, `@P2`, ... (through `sp_executesql`). All result sets, in order.
    pub async fn query(&mut self, sql: &str, params: &[Param]) -> Result<Vec<ResultSet>> {
        Ok(self.try_query(sql, params).await?)
    }

    /// As [`Connection::query`], with the server's error as it came.
    pub async fn try_query(&mut self, sql: &str, params: &[Param]) -> Result<Vec<ResultSet>, Failure> {
        let start = self.begin(sql)?;
        let driver = &mut self.driver;
        let work = async { collect(prepare(sql, params).query(driver).await?).await };
        let answer = limited(self.options.timeout, &self.name, work).await?;
        self.finish(sql, start, answer)
    }

    /// Runs a statement with parameters, and says how many rows it changed.
    pub async fn execute(&mut self, sql: &str, params: &[Param]) -> Result<u64> {
        Ok(self.try_execute(sql, params).await?)
    }

    /// As [`Connection::execute`], with the server's error as it came.
    pub async fn try_execute(&mut self, sql: &str, params: &[Param]) -> Result<u64, Failure> {
        let start = self.begin(sql)?;
        let driver = &mut self.driver;
        let work = async { Ok(prepare(sql, params).execute(driver).await?.total()) };
        let answer = limited(self.options.timeout, &self.name, work).await?;
        self.finish(sql, start, answer)
    }

    /// Says goodbye. Dropping the connection does as well; the server then notices by itself.
    pub async fn close(self) -> Result<()> {
        if self.unfinished {
            return Ok(());
        }
        let name = self.name;
        self.driver
            .close()
            .await
            .map_err(|error| Error::from(failure(error, &name)))
    }

    /// From here on an answer is outstanding; whoever drops the future leaves it so.
    fn begin(&mut self, sql: &str) -> Result<Instant, Failure> {
        if self.connector.is_read_only() && !is_read(sql) {
            let words: String = sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            // The plan's horizon: what it would read after this it cannot know.
            return Err(Failure::Lost(Error::new(
                Exit::Changes,
                format!("a plan sends no statement that may change the database, as `{words} ...`"),
            )));
        }
        if self.unfinished {
            return Err(Failure::Lost(
                Error::failed(format!("the connection to {} is no longer usable", self.name))
                    .note("an earlier statement was interrupted, timed out, or lost the connection")
                    .hint("connect again; an open transaction was rolled back"),
            ));
        }
        self.unfinished = true;
        Ok(Instant::now())
    }

    fn finish<T>(
        &mut self,
        sql: &str,
        start: Instant,
        answer: Result<T, tiberius::error::Error>,
    ) -> Result<T, Failure> {
        tracing::debug!(
            target: "iacsh::mssql",
            server = %self.name,
            milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            failed = answer.is_err(),
            "{}",
            sql.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
        );
        let answer = answer.map_err(|error| failure(error, &self.name));
        // After an error of the server's the answer was read to its end; from severity 20 on the server hangs up.
        self.unfinished = match &answer {
            Ok(_) => false,
            Err(Failure::Server(error)) => error.class >= 20,
            Err(Failure::Lost(_)) => true,
        };
        answer
    }
}

/// The answer, in at most `limit`.
async fn limited<T>(limit: Option<Duration>, server: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    let Some(limit) = limit else { return Ok(work.await) };
    tokio::time::timeout(limit, work).await.map_err(|_| {
        let seconds = limit.as_secs_f32();
        Failure::Lost(
            Error::failed(format!("{server} did not finish the statement within {seconds} s"))
                .hint("give it more time with the option `timeout`, or see what blocks it"),
        )
    })
}

/// All rows, to the end of the answer.
async fn collect(mut stream: tiberius::QueryStream<'_>) -> Result<Vec<ResultSet>, tiberius::error::Error> {
    let mut sets: Vec<ResultSet> = Vec::new();
    while let Some(item) = stream.try_next().await? {
        match item {
            QueryItem::Metadata(metadata) => {
                let name = |(index, column): (usize, &tiberius::Column)| match column.name() {
                    "" => format!("column{}", index + 1),
                    name => name.to_owned(),
                };
                let columns = metadata.columns().iter().enumerate().map(name).collect();
                sets.push(ResultSet {
                    columns,
                    rows: Vec::new(),
                });
            }
            QueryItem::Row(row) => {
                if let Some(set) = sets.last_mut() {
                    set.rows.push(row.cells().map(|(_, data)| to_json(data)).collect());
                }
            }
        }
    }
    Ok(sets)
}

async fn open(connector: &dyn Connector, options: &Options) -> Result<Driver> {
    let server = connector.server();
    let stream = connector.open(options.connect_timeout).await?;
    let result = match Client::connect(config(server, options), stream.compat_write()).await {
        Err(tiberius::error::Error::Routing { host, port }) => {
            let stream = connector.open_at(&host, port, options.connect_timeout).await?;
            let mut config = config(server, options);
            config.host(&host);
            config.port(port);
            Client::connect(config, stream.compat_write()).await
        }
        result => result,
    };
    result.map_err(|error| refused(failure(error, &server.address()), server, options))
}

fn config(server: &Server, options: &Options) -> Config {
    let mut config = Config::new();
    config.host(&server.host);
    config.port(server.port);
    config.application_name(&options.application);
    config.authentication(AuthMethod::sql_server(&server.user, server.password.expose()));
    if let Some(database) = &options.database {
        config.database(database);
    }
    config.handshake_timeout(Some(options.connect_timeout));
    // The whole statement is bounded here, not each packet of its answer.
    config.command_timeout(None);
    match &server.encryption {
        Encryption::Off => config.encryption(EncryptionLevel::NotSupported),
        Encryption::Required => config.encryption(EncryptionLevel::Required),
        Encryption::TrustServer => {
            config.encryption(EncryptionLevel::Required);
            config.trust_cert();
        }
        Encryption::Authority(file) => {
            config.encryption(EncryptionLevel::Required);
            config.trust_cert_ca(file.display());
        }
    }
    config
}

/// Why there is no connection, in words about the login.
fn refused(failure: Failure, server: &Server, options: &Options) -> Error {
    let address = server.address();
    match failure {
        Failure::Server(error) => {
            let what = match error.number {
                4060 => {
                    let database = options.database.as_deref().unwrap_or("(default)");
                    format!("the database {database} on {address} cannot be opened")
                }
                18456 => format!(
                    "{address} refuses the login of {:?}: wrong user or password",
                    server.user
                ),
                _ => format!("{address} refuses the connection"),
            };
            let exit = if error.number == 18456 {
                Exit::Config
            } else {
                Exit::Failed
            };
            let inner = Error::from(error);
            let outer = Error::new(
                if inner.exit() == Exit::Config {
                    Exit::Config
                } else {
                    exit
                },
                what,
            );
            let outer = match inner.help() {
                Some(hint) => outer.hint(hint),
                None => outer,
            };
            match inner.service_error() {
                Some(service) => outer.service(service.clone()),
                None => outer,
            }
        }
        Failure::Lost(error) => error.context(format!("connecting to {address}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mssql::connect::TcpConnector;
    use crate::secret::Secret;

    fn connector(host: &str, port: u16) -> Arc<dyn Connector> {
        let server = Server {
            host: host.to_owned(),
            port,
            user: "sa".to_owned(),
            password: Secret::new("not needed here"),
            encryption: Encryption::Off,
        };
        Arc::new(TcpConnector { server })
    }

    #[tokio::test]
    async fn an_unreachable_server_is_told_with_its_address() {
        // Bound and dropped: nobody listens there now.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let error = Connection::connect(connector("127.0.0.1", port), Options::default())
            .await
            .unwrap_err();
        assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.help().is_some());
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = Options {
            connect_timeout: Duration::from_millis(100),
            ..Options::default()
        };
        let error = Connection::connect(connector("127.0.0.1", port), options)
            .await
            .unwrap_err();
        assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.message().contains("in time"), "{error}");
    }
}
