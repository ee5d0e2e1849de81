//! A session: what it is connected to, its settings, its transaction.
//!
//! Each session has a connection of SQLite of its own. `master` is its main file and the other databases are attached, so
//! that a transaction over several of them is committed atomically (which SQLite does with rollback journals, and not
//! with WAL).
//!
//! Writing: a session takes its turn ([`super::locks`]) before its first write and keeps it to the end of its
//! transaction, so SQLite never has two writers and no one meets a deadlock of files. Reading: outside of a transaction
//! that has written, every statement reads what is committed and holds nothing afterwards. That is READ COMMITTED with
//! READ_COMMITTED_SNAPSHOT on: readers do not block writers, nor writers readers.

mod batch;
mod beside;
mod calls;
mod compile;
mod ddl;
mod dml;
mod exec;
mod expr;
mod functions;
mod keys;
mod lookup;
mod output;
mod resolve;
mod security;
mod transaction;
mod views;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use tokio::sync::mpsc;

use super::MASTER_FILE;
use super::beside::Beside;
use super::catalog::Catalog;
use super::collation;
use super::errors::{Result, SqlError};
use super::locks::{Locks, Owner};
use super::value::{SqlType, Value};
pub use output::Output;
pub use security::{Authenticated, authenticate, prepare_master, set_password};
pub(super) use security::{is_busy, list_database, next_number};

pub const SERVER_NAME: &str = "SANDBOX";
pub const VERSION: &str =
    "Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64) \n\tthe sandbox's T-SQL subset, embedded in iacsh";

/// A database that a session has at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its schema's name in SQLite.
    pub alias: String,
    pub name: String,
    pub id: i64,
}

/// A row of the list of databases.
#[derive(Clone, Debug)]
pub struct DatabaseRow {
    pub id: i64,
    pub name: String,
    pub file: String,
    pub created: String,
}

/// What the functions that SQLite calls can see of the session.
#[derive(Default)]
pub struct Shared {
    /// The error that a function raised: SQLite itself carries only text.
    pub error: Option<SqlError>,
    pub catalogs: HashMap<String, Arc<Catalog>>,
    pub databases: Vec<DatabaseRow>,
    pub current: String,
    pub user: String,
    pub login: String,
    /// The last identity values by table: for IDENT_CURRENT.
    pub identities: HashMap<i64, i64>,
}

/// What a session needs to know of its server and its client.
pub struct Opening {
    pub dir: PathBuf,
    pub session: u64,
    pub login: Authenticated,
    pub host: String,
    pub application: String,
    pub sender: mpsc::Sender<Vec<u8>>,
    pub cancelled: Arc<AtomicBool>,
    pub beside: Option<Arc<dyn Beside>>,
}

pub struct Engine {
    dir: PathBuf,
    connection: Connection,
    shared: Arc<Mutex<Shared>>,
    session: u64,
    login: Authenticated,
    host: String,
    application: String,
    database: Database,
    attached: Vec<Database>,
    catalogs: HashMap<String, (i64, Arc<Catalog>)>,
    /// The variables of each running batch; the last is the innermost.
    frames: Vec<HashMap<String, (SqlType, Value)>>,
    tran_count: i64,
    /// Whether SQLite's transaction is open.
    writing: bool,
    savepoints: Vec<String>,
    doomed: bool,
    descriptor: u64,
    xact_abort: bool,
    nocount: bool,
    lock_timeout: i64,
    identity_insert: Option<(String, i64)>,
    rows: i64,
    identity: Option<i64>,
    last_error: i64,
    caught: Vec<SqlError>,
    /// TRY blocks around the running statement.
    tries: usize,
    nest: i64,
    locks: Locks,
    /// The shared lock on the current database's file of use: DROP DATABASE finds it.
    in_use: Option<std::fs::File>,
    cancelled: Arc<AtomicBool>,
    /// What whoever runs the server put beside it.
    beside: Option<Arc<dyn Beside>>,
    pub out: Output,
}

/// Opens a connection with the functions and the collation, and nothing else.
pub fn open_file(path: &std::path::Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(60))?;
    // A transaction is whole after the process died, which is what is promised here. Only a loss of power could tear
    // the file, and waiting for the disk at each commit would take most of a run's time.
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_spill = OFF; PRAGMA temp_store = MEMORY;")?;
    connection.create_collation(collation::NAME, collation::compare)?;
    Ok(connection)
}

impl Engine {
    pub fn open(opening: Opening) -> Result<Self> {
        let mut connection = open_file(&opening.dir.join(MASTER_FILE))?;
        let shared = Arc::new(Mutex::new(Shared {
            login: opening.login.name.clone(),
            ..Shared::default()
        }));
        register(&connection, &shared)?;
        let cancelled = Arc::clone(&opening.cancelled);
        connection.progress_handler(4000, Some(move || cancelled.load(Ordering::Relaxed)))?;
        for statement in super::catalog::SCHEMA.replace("{}", "temp").split(';') {
            connection.execute_batch(statement)?;
        }
        let master = Database {
            alias: "main".to_owned(),
            name: "master".to_owned(),
            id: 1,
        };
        let locks = Locks::new(&opening.dir, opening.session, Arc::clone(&opening.cancelled));
        Ok(Self {
            dir: opening.dir,
            connection,
            shared,
            session: opening.session,
            login: opening.login,
            host: opening.host,
            application: opening.application,
            database: master.clone(),
            attached: vec![master],
            catalogs: HashMap::new(),
            frames: vec![HashMap::new()],
            tran_count: 0,
            writing: false,
            savepoints: Vec::new(),
            doomed: false,
            descriptor: 0,
            xact_abort: false,
            nocount: false,
            lock_timeout: -1,
            identity_insert: None,
            rows: 0,
            identity: None,
            last_error: 0,
            caught: Vec::new(),
            tries: 0,
            nest: 0,
            locks,
            in_use: None,
            cancelled: opening.cancelled,
            beside: opening.beside,
            out: Output::new(opening.sender),
        })
    }

    pub fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error behind one of SQLite's: what a function raised, or the sandbox's own.
    fn sqlite(&self, error: rusqlite::Error) -> SqlError {
        match self.shared().error.take() {
            Some(known) => known,
            None => error.into(),
        }
    }

    pub fn variable(&self, name: &str) -> Result<(SqlType, Value)> {
        let lower = name.to_lowercase();
        match self.frames.last().and_then(|frame| frame.get(&lower)) {
            Some(found) => Ok(found.clone()),
            None => Err(SqlError::undeclared(name)),
        }
    }

    fn set_variable(&mut self, name: &str, value: Value) {
        if let Some(slot) = self
            .frames
            .last_mut()
            .and_then(|frame| frame.get_mut(&name.to_lowercase()))
        {
            slot.1 = value;
        }
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            Err(SqlError::cancelled())
        } else {
            Ok(())
        }
    }

    pub fn last_identity(&self) -> Option<i64> {
        self.identity
    }

    pub fn row_count(&self) -> i64 {
        self.rows
    }

    pub fn tran_count(&self) -> i64 {
        self.tran_count
    }

    pub fn last_error(&self) -> i64 {
        self.last_error
    }

    pub fn session_id(&self) -> i64 {
        self.session as i64
    }

    pub fn lock_timeout(&self) -> i64 {
        self.lock_timeout
    }

    pub fn nest_level(&self) -> i64 {
        self.nest
    }

    pub fn xact_state(&self) -> i64 {
        match (self.tran_count, self.doomed) {
            (0, _) => 0,
            (_, true) => -1,
            _ => 1,
        }
    }

    pub fn caught(&self) -> Option<&SqlError> {
        self.caught.last()
    }

    pub fn database_name(&self) -> String {
        self.database.name.clone()
    }

    pub fn database_id(&self) -> i64 {
        self.database.id
    }

    pub fn login_name(&self) -> String {
        self.login.name.clone()
    }

    pub fn host_name(&self) -> String {
        self.host.clone()
    }

    pub fn application_name(&self) -> String {
        self.application.clone()
    }

    pub fn app_lock_mode(&self, principal: &str, resource: &str, owner: Owner) -> &'static str {
        self.locks.app_mode(&self.lock_name(principal, resource), owner)
    }

    /// Application locks are held for a database, a principal and a name that knows upper and lower case.
    fn lock_name(&self, principal: &str, resource: &str) -> String {
        format!("{}\0{}\0{resource}", self.database.id, principal.to_lowercase())
    }

    fn turn_timeout(&self) -> Option<Duration> {
        u64::try_from(self.lock_timeout).ok().map(Duration::from_millis)
    }
}

/// `msd` for functions of their arguments alone, `ms` for the others.
fn register(connection: &Connection, shared: &Arc<Mutex<Shared>>) -> Result<()> {
    for (name, deterministic) in [("msd", true), ("ms", false)] {
        let shared = Arc::clone(shared);
        let mut flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        if deterministic {
            flags |= FunctionFlags::SQLITE_DETERMINISTIC;
        }
        connection.create_scalar_function(name, -1, flags, move |context| {
            let mut arguments = Vec::with_capacity(context.len());
            for at in 0..context.len() {
                arguments.push(Value::from_ref(context.get_raw(at)));
            }
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let function = arguments.first().and_then(Value::as_str).unwrap_or_default().to_owned();
            let rest = arguments.get(1..).unwrap_or_default();
            let result = if lookup::knows(&function) {
                lookup::call(&shared, &function, rest)
            } else {
                functions::call(&function, rest)
            };
            result.map_err(|error| {
                let text = error.message.clone();
                // The first error is the one that stopped the statement.
                shared.error.get_or_insert(error);
                rusqlite::Error::UserFunctionError(text.into())
            })
        })?;
    }
    Ok(())
}
