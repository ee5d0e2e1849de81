//! What an engine is made of.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, Location, Result};
use crate::resource::any_kind::AnyKind;
use crate::resource::cancel::Cancel;
use crate::resource::journal::Journal;
use crate::resource::lease::Lease;
use crate::resource::plan::Expectation;
use crate::resource::progress::Progress;
use crate::resource::prune::Census;
use crate::resource::tags::Scope;
use crate::resource::verb::Verb;
use crate::resource::wait::{Limits, Pace};

/// Where in the scripts something was asked for.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The stdlib module's name, else the script's file name; empty at the prompt.
    pub section: String,
    pub at: Option<Location>,
}

/// Checked once, before the first call to AWS: are these the right credentials, is this the right account?
pub type Gate = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

/// Finds whatever carries the environment's tags, of any kind, by another way than the kinds' own listings; not what has one
/// of these ids.
pub type Sweep =
    Arc<dyn Fn(Scope, Arc<BTreeSet<String>>) -> Pin<Box<dyn Future<Output = Result<Swept>> + Send>> + Send + Sync>;

/// What carries the environment's tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The ARNs of what is there.
    pub there: Vec<String>,
    /// What a destroy deleted by half before it died, for [`crate::resource::Kind::finish_delete`].
    pub half_gone: Option<HalfGone>,
}

/// ARNs of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfGone {
    pub kind: &'static str,
    pub arns: Vec<String>,
}

/// Whether a run changes anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Apply,
    /// Reads are real, and what would be written is told instead: `--plan`.
    Plan,
}

/// What an engine is made of.
pub struct EngineOptions {
    pub mode: Mode,
    /// The plan that a run is held to: `--expect`.
    pub expect: Option<Arc<Expectation>>,
    pub kinds: Vec<Arc<dyn AnyKind>>,
    pub verbs: Vec<Verb>,
    pub scope: Scope,
    pub pace: Pace,
    pub limits: Limits,
    pub progress: Arc<dyn Progress>,
    pub journal: Journal,
    pub gate: Option<Gate>,
    pub sweep: Option<Sweep>,
    pub census: Option<Census>,
    pub runtime: tokio::runtime::Handle,
    pub cancel: Cancel,
    /// Names given with `--allow-replace` and `--with-data`.
    pub allow_replace: BTreeSet<String>,
    pub with_data: BTreeSet<String>,
    /// `--purge-secrets`.
    pub purge_secrets: bool,
    /// Why nothing may be written, when that is so: a protected environment.
    pub refusal: Option<Error>,
    /// Keeps other runs away while this one writes.
    pub lease: Lease,
}
