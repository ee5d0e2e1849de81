//! Sessions for tests of scripts: on a sandbox in a folder of its own, with time of its own.
//!
//! # Time
//!
//! Everything in here that waits does so with Tokio's time, and the sandbox's clock is Tokio's. The runtime has one thread
//! and its time is paused: it stands still while anything is done, and when everything waits it jumps to the moment at which
//! the first wait ends. So a replication group takes its nine minutes, in no time. AWS's own durations hold (not divided),
//! and the pace of asking is that on AWS, so that a script is seen to take as long as it would there. The order of what
//! happens at the same moment is not fixed: SQLite's calls end when they end.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::folder::Folder;
use super::{Place, RUN_FOLDER, Session};
use crate::cli;
use crate::environment::{DatabaseTarget, Environment};
use crate::error::{Error, Result};
use crate::resource::Verb;
use crate::resource::cancel::Cancel;
use crate::resource::plan::Ask;
use crate::resource::progress::Progress;
use crate::sandbox::Clock;

/// A sandbox of its own, with its time. Several sessions can be opened on it, one after the other or at once: each is a run
/// of its own.
pub struct Isolated {
    // Ended before its folder goes.
    runtime: Arc<Runtime>,
    began: tokio::time::Instant,
    place: Place,
    _folder: Folder,
}

impl Isolated {
    pub fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .map_err(|error| Error::failed(format!("no threads: {error}")))?;
        let folder = Folder::new("test");
        let (clock, began) = runtime.block_on(async { (Clock::of_runtime(), tokio::time::Instant::now()) });
        let place = Place {
            sandbox: folder.path().join("sandbox"),
            runs: folder.path().join(RUN_FOLDER),
            clock: Some(clock),
        };
        Ok(Self {
            runtime: Arc::new(runtime),
            began,
            place,
            _folder: folder,
        })
    }

    /// What drives the sessions: only while somebody is in its `block_on`.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// How much time has passed in here.
    pub fn elapsed(&self) -> Duration {
        self.runtime.block_on(async { self.began.elapsed() })
    }

    /// Opens a session.
    ///
    /// # Errors
    /// The environment is not on the sandbox: what is tested never reaches a cloud or a server.
    pub fn open(
        &self,
        environment: Environment,
        options: &cli::Options,
        progress: Arc<dyn Progress>,
        cancel: Cancel,
        more: Vec<Verb>,
    ) -> Result<Session> {
        refuse(&environment)?;
        // Nobody is there, and no run in here is held to a plan.
        let ask: Ask = Box::new(|question| Err(Error::declined(format!("not confirmed: {question}"))));
        let opened = Session::open_at(&self.place, environment, options, progress, cancel, more, ask);
        self.runtime.block_on(opened)
    }
}

/// Refuses what is not on the sandbox.
pub fn refuse(environment: &Environment) -> Result<()> {
    let (section, target) = match (environment.aws.is_sandbox(), environment.database.target) {
        (false, _) => ("aws", "aws"),
        (true, DatabaseTarget::Server) => ("database", DatabaseTarget::Server.as_str()),
        (true, _) => return Ok(()),
    };
    Err(Error::declined(format!(
        "tests run on the sandbox only, and [{section}] of environments/{}.toml says `target = \"{target}\"`",
        environment.name
    ))
    .hint("`--env` names an environment that is on the sandbox; `sandbox` is the usual one"))
}
