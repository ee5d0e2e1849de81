//! The embedded SQL Server on a socket.
//!
//! There is no encryption, and the server says so before the login ([MS-TDS] 2.2.6.5, `ENCRYPT_NOT_SUP`): a client that
//! insists on it must be told not to (`Encrypt=no`). What is sent stays on this machine.

use tokio::net::TcpListener;

use super::{Ending, accept, ended};
use crate::sandbox::mssql::SqlServer;

/// Serves until the end is announced. Sessions end then: what they did not commit is undone, as when a client goes.
pub async fn run(server: SqlServer, listener: TcpListener, ending: Ending) {
    let serve = |mut stream| {
        let (server, mut ending) = (server.clone(), ending.clone());
        async move {
            let mut session = server.connect();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut stream, &mut session) => {}
                () = ended(&mut ending) => {}
            }
        }
    };
    accept(listener, ending.clone(), serve).await;
}
