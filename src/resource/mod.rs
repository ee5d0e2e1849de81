//! The generic part: everything about resources that is written once.
//!
//! A [`Kind`] says how one kind of resource is listed, created, compared, updated, awaited and deleted. The [`Engine`]
//! does the rest for all kinds: it runs `ensure` in the background, waits for inputs, finds what is already there,
//! reports, and destroys. Nothing here knows AWS, SQL Server or Rhai.

pub mod adopt;
mod any_kind;
pub mod audit;
pub mod cancel;
pub mod chain;
pub mod contracts;
pub mod converge;
pub mod destroy;
pub mod engine;
pub mod handle;
pub mod journal;
mod keep;
pub mod kind;
pub mod lease;
pub mod permit;
pub mod plan;
pub mod portrait;
pub mod preflight;
pub mod progress;
pub mod prune;
mod remove;
pub mod report;
pub mod runs;
pub mod tags;
mod taken;
pub mod verb;
pub mod wait;
mod write;

pub use any_kind::{AnyKind, AnyLive};
pub use engine::{Engine, EngineOptions, Mode, Origin};
pub use handle::Handle;
pub use kind::{About, Change, Class, Context, Kind, Live, OutputField, Readiness, Retention, Used};
pub use lease::Lease;
pub use permit::Permit;
pub use report::{Outcome, Record, Report};
pub use tags::{Scope, Tags};
pub use verb::{Effect, Foreseen, Param, Verb, VerbContext};
