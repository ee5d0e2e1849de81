//! The contract suite: what AWS's documentation says, as calls and what they must answer.
//!
//! # What it is for
//!
//! The sandbox is worth something only where it answers as AWS does. So each behaviour that matters is a case, written
//! from the documentation and citing it, and the same case runs on three peers: on the sandbox in every test run, on moto
//! (a foreign implementation) where it is right, and in a scratch account of a user's with `iacsh sandbox conformance`.
//! Where AWS itself differs from a case, the case is wrong, or the documentation is; either way the sandbox can follow.
//!
//! # How cases are written
//!
//! Cases are data, so that those who know AWS can read and write them without knowing this program: `cases/SERVICE.toml`.
//! A case is a sentence, its source, and steps; [`suite`] describes their form, [`expect`] what can be expected. A case
//! depends on no other and on nothing in the account, and names what it makes with `${run}`, which no other run has. What
//! a step makes is taken away by `cases/undo.toml`, without a word in the case.
//!
//! The client has a codec of its own ([`client`]): what checks a thing must not be the thing.

pub mod client;
pub mod expect;
#[cfg(test)]
mod page;
pub mod run;
pub mod suite;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::stream::{self, StreamExt};

pub use self::client::Client;
pub use self::run::{Difference, Verdict};
pub use self::suite::{Case, Suite};

/// Runs cases, one after the other on each client, and tells each verdict as it comes.
///
/// Cases are independent, so several clients (of one account, or each with a sandbox of its own) share them. Once `stop`
/// is set no case begins, and those that run take away what they have made.
pub async fn run_all(
    suite: &Suite,
    cases: &[&Case],
    clients: &[Arc<dyn Client>],
    stop: &AtomicBool,
    mut told: impl FnMut(usize, Verdict),
) {
    let next = AtomicUsize::new(0);
    let take = || {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let number = next.fetch_add(1, Ordering::Relaxed);
        cases.get(number).map(|case| (number, *case))
    };
    let workers = clients.iter().map(|client| {
        let take = &take;
        stream::unfold((), move |()| async move {
            let (number, case) = take()?;
            Some(((number, run::run(suite, case, client.as_ref(), stop).await), ()))
        })
        .boxed()
    });
    let mut verdicts = stream::select_all(workers);
    while let Some((number, verdict)) = verdicts.next().await {
        told(number, verdict);
    }
}
