//! SQL Server: the language, the connection, the values and the migrations.

pub mod backup;
pub mod batches;
pub mod connect;
pub mod connection;
pub mod error;
pub mod lexer;
pub mod lock;
pub mod migrate;
pub mod quote;
mod read_only;
pub mod value;
pub mod verbs;

pub use connect::{Connector, Encryption, Server, Stream, TcpConnector};
pub use connection::{Connection, Options};
pub use error::{Failure, ServerError};
pub use value::{Param, ResultSet};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
