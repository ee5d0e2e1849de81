//! What `iacsh sandbox serve` opens: the sandbox of an environment, for clients that are not iacsh.

use std::sync::Arc;

use super::{Place, Variables, database, open_sandbox};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::sandbox::mssql::{Login, SqlServer};
use crate::sandbox::serve::Keys;
use crate::sandbox::{self, Sandbox};

/// The parts of a sandbox that an environment uses.
pub struct Served {
    pub sandbox: Sandbox,
    pub account: String,
    pub region: String,
    /// Whether the environment's AWS is the sandbox's.
    pub aws: bool,
    /// The environment's database server with its login, where it is the sandbox's.
    pub sql: Option<(SqlServer, Login)>,
    /// The name of the environment's database.
    pub database: String,
}

/// Opens the sandbox of an environment. One that uses none has nothing to serve.
pub fn open(environment: Environment) -> Result<Served> {
    let environment = Arc::new(environment);
    let Some(sandbox) = open_sandbox(&environment, &Place::of(&environment.root))? else {
        return Err(Error::usage(format!(
            "the environment {} is not on the sandbox: there is nothing to serve",
            environment.name
        ))
        .hint("`iacsh sandbox serve --env sandbox` serves the one that is"));
    };
    let variables = Variables::new(&environment, Some(&sandbox));
    let sql = match environment.database.is_sandbox() {
        true => Some(database::embedded(&environment, &sandbox, &variables)?),
        false => None,
    };
    Ok(Served {
        account: account(&environment),
        region: environment.aws.region.clone(),
        aws: environment.aws.is_sandbox(),
        sql,
        database: environment.database.name.clone(),
        sandbox,
    })
}

/// The keys that clients sign with: new ones, or those that an environment keeps, encrypted in the sandbox.
pub fn keys(environment: &str, sandbox: &Sandbox, keep: bool) -> Result<Keys> {
    let new = Keys::generate();
    if !keep {
        return Ok(new);
    }
    let kept = sandbox
        .vault()
        .variable(&format!("{environment}/serve-access-key"), || new.joined())?;
    Keys::parse(&kept).ok_or_else(|| Error::failed("the kept access key is damaged; `iacsh sandbox reset` starts anew"))
}

/// The account of an environment's sandbox.
pub(super) fn account(environment: &Environment) -> String {
    let account = environment.aws.account.clone();
    account.unwrap_or_else(|| sandbox::ACCOUNT.to_owned())
}
