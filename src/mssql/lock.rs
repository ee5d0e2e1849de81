//! A lock of the server's that keeps a second run out: `sp_getapplock`, owned by the session.
//!
//! Nothing can be left behind: the server drops the lock with the connection, also after `kill -9`. The return code is
//! checked, because the procedure reports a refusal by it and not by an error.
//!
//! Source: Transact-SQL reference, "sp_getapplock".

use std::time::Duration;

use serde_json::Value;

use super::connection::Connection;
use super::error::Failure;
use super::quote;
use crate::error::{Error, Exit, Result};

/// Takes the lock in the connection's current database, waiting for at most `limit`.
///
/// Who waits in vain gets [`Exit::Busy`].
pub async fn take(connection: &mut Connection, resource: &str, limit: Duration) -> Result<()> {
    let sql = format!(
        "DECLARE @result int; EXEC @result = sp_getapplock @Resource = {}, @LockMode = N'Exclusive', \
         @LockOwner = N'Session', @LockTimeout = {}; SELECT @result AS result;",
        quote::text(resource),
        i32::try_from(limit.as_millis()).unwrap_or(i32::MAX)
    );
    let sets = connection.batch(&sql).await?;
    match sets.last().and_then(|set| set.scalar()).and_then(Value::as_i64) {
        Some(0 | 1) => Ok(()),
        Some(-1) => Err(Error::new(
            Exit::Busy,
            format!(
                "another run holds the lock {resource} on {} for more than {} s",
                connection.name(),
                limit.as_secs_f32()
            ),
        )
        .hint("wait until it has finished, and run the same command again")),
        Some(-3) => {
            Err(Error::failed(format!("the lock {resource} was refused to break a deadlock")).hint("run it again"))
        }
        Some(code) => Err(Error::failed(format!(
            "the lock {resource} was refused with the code {code}"
        ))),
        None => Err(Error::failed(format!(
            "{} did not say whether it granted the lock {resource}",
            connection.name()
        ))),
    }
}

/// Gives the lock back. On a connection that is lost there is nothing to give back.
pub async fn release(connection: &mut Connection, resource: &str) -> Result<()> {
    if !connection.is_usable() {
        return Ok(());
    }
    let sql = format!(
        "EXEC sp_releaseapplock @Resource = {}, @LockOwner = N'Session';",
        quote::text(resource)
    );
    match connection.try_batch(&sql).await {
        // The connection went away meanwhile, and the lock with it.
        Ok(_) | Err(Failure::Lost(_)) => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}
