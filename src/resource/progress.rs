//! What the engine tells a person while it works.

use std::time::Duration;

/// Where progress goes: lines on a terminal, a log, or nowhere. Labels are `KIND/NAME`. Implementations must not block
/// for long: they are called from the tasks that do the work.
pub trait Progress: Send + Sync {
    /// Work on a resource has begun.
    fn started(&self, label: &str);

    /// It is being removed: what follows until it is over is about that.
    fn removing(&self, _label: &str) {}

    /// It waits, and for what: `available (creating)`.
    fn waiting(&self, label: &str, reason: &str);

    /// It is over: `created`, `changed`, `unchanged`, `deleted`, or what went wrong.
    fn finished(&self, label: &str, outcome: &str, took: Duration, ok: bool);

    /// Something worth knowing.
    fn note(&self, text: &str);

    /// Something that may be wrong.
    fn warn(&self, text: &str);

    /// Runs `f` while nothing else is drawn: for a question, or for a script's output.
    fn suspend(&self, f: &mut dyn FnMut());
}

/// Progress that goes nowhere.
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _: &str) {}
    fn waiting(&self, _: &str, _: &str) {}
    fn finished(&self, _: &str, _: &str, _: Duration, _: bool) {}
    fn note(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn suspend(&self, f: &mut dyn FnMut()) {
        f();
    }
}
