//! How a SQL Server is reached: an address, a login, a stream of bytes.
//!
//! The driver runs over any stream, so a server behind a port forwarding or inside this process is a [`Connector`] like
//! the one for TCP.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// What the driver needs of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// How the connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: a server in this process, or one reached through a tunnel that encrypts.
    Off,
    /// From the login on, with the server's certificate checked.
    #[default]
    Required,
    /// Encrypted, but any certificate is taken: who answers is not proved.
    TrustServer,
    /// As `Required`, with one more certificate authority, in a PEM or DER file.
    Authority(PathBuf),
}

/// A server and the login to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The host that the certificate must name.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub encryption: Encryption,
}

impl Server {
    /// `host:port`, for messages.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Opens streams to one server. Every call opens a new one.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The server: its name for TLS and messages, and the login.
    fn server(&self) -> &Server;

    /// Whether only reads may be sent: in a plan.
    fn is_read_only(&self) -> bool {
        false
    }

    /// A new stream to the server, in at most `limit`.
    async fn open(&self, limit: Duration) -> Result<Box<dyn Stream>>;

    /// A new stream to where the server sent us instead (Azure SQL does, MS-TDS 2.2.7.9 type 20).
    async fn open_at(&self, host: &str, port: u16, _limit: Duration) -> Result<Box<dyn Stream>> {
        Err(
            Error::failed(format!("{} sends us on to {host}:{port}", self.server().address()))
                .hint("connect to that address directly"),
        )
    }
}

/// A server that TCP reaches directly.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    pub server: Server,
}

#[async_trait]
impl Connector for TcpConnector {
    fn server(&self) -> &Server {
        &self.server
    }

    async fn open(&self, limit: Duration) -> Result<Box<dyn Stream>> {
        tcp(&self.server.host, self.server.port, limit).await
    }

    async fn open_at(&self, host: &str, port: u16, limit: Duration) -> Result<Box<dyn Stream>> {
        tcp(host, port, limit).await
    }
}

async fn tcp(host: &str, port: u16, limit: Duration) -> Result<Box<dyn Stream>> {
    let unreachable = |why: String| {
        Error::failed(format!("SQL Server at {host}:{port} cannot be reached"))
            .note(why)
            .hint("check host and port in the environment, that the server runs, and that the network lets this machine in")
    };
    let stream = tokio::time::timeout(limit, TcpStream::connect((host, port)))
        .await
        .map_err(|_| unreachable(format!("no answer within {} s", limit.as_secs_f32())))?
        .map_err(|error| unreachable(error.to_string()))?;
    stream
        .set_nodelay(true)
        .map_err(|error| unreachable(error.to_string()))?;
    Ok(Box::new(stream))
}
