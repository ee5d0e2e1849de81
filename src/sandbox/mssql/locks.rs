//! Locks between sessions, in this process and in others that share the folder: the turn to write, and application
//! locks (`sp_getapplock`).
//!
//! Each lock is a lock of the operating system on a file, taken on a handle of the session's own. It is freed when the
//! session ends, however it ends, `kill -9` included. The files stay: removing one while another waits for it would give
//! both of them the lock.
//!
//! One session may hold the turn to write and wait for an application lock that another holds who waits for the turn.
//! Within the process such circles are found ([`Graph`]); between processes a wait for the turn ends after
//! [`LONGEST_TURN`].

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::errors::{Effect, Result, SqlError};

/// How long a session waits for its turn to write before it is a deadlock's victim.
const LONGEST_TURN: Duration = Duration::from_secs(60);
/// How often a lock that is held is tried again.
const EVERY: Duration = Duration::from_millis(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

/// Who holds and who waits, in this process.
#[derive(Default)]
struct Graph {
    holders: HashMap<PathBuf, Vec<u64>>,
    waiting: HashMap<u64, PathBuf>,
}

static GRAPH: Mutex<Option<Graph>> = Mutex::new(None);

fn graph<T>(work: impl FnOnce(&mut Graph) -> T) -> T {
    let mut guard = GRAPH.lock().unwrap_or_else(PoisonError::into_inner);
    work(guard.get_or_insert_with(Graph::default))
}

impl Graph {
    /// Whether a session waits, directly or not, for what it holds itself.
    fn in_circle(&self, session: u64) -> bool {
        let mut seen = Vec::new();
        let mut open = vec![session];
        while let Some(next) = open.pop() {
            let Some(path) = self.waiting.get(&next) else { continue };
            for holder in self.holders.get(path).into_iter().flatten() {
                if *holder == session && next != session {
                    return true;
                }
                if *holder != next && !seen.contains(holder) {
                    seen.push(*holder);
                    open.push(*holder);
                }
            }
        }
        false
    }
}

/// How a wait ended without the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Timeout,
    Cancelled,
    Deadlock,
}

/// A lock that is held. Dropping it frees it.
struct Held {
    file: File,
    path: PathBuf,
    session: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        graph(|graph| {
            if let Some(holders) = graph.holders.get_mut(&self.path)
                && let Some(at) = holders.iter().position(|holder| *holder == self.session)
            {
                holders.swap_remove(at);
            }
        });
        // Closing the handle frees the lock in any case.
        let _ = self.file.unlock();
    }
}

/// Owners of an application lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Session,
    Transaction,
}

struct AppLock {
    held: Held,
    mode: Mode,
    owners: Vec<(Owner, Mode)>,
}

/// The locks of one session.
pub struct Locks {
    dir: PathBuf,
    session: u64,
    cancelled: Arc<AtomicBool>,
    turn: Option<Held>,
    apps: HashMap<String, AppLock>,
}

impl Locks {
    pub fn new(dir: &Path, session: u64, cancelled: Arc<AtomicBool>) -> Self {
        Self {
            dir: dir.to_owned(),
            session,
            cancelled,
            turn: None,
            apps: HashMap::new(),
        }
    }

    fn acquire(&self, path: PathBuf, mode: Mode, timeout: Option<Duration>) -> Result<Result<(Held, bool), Refusal>> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(SqlError::internal)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(SqlError::internal)?;
        let mut waited = false;
        let start = Instant::now();
        let outcome = loop {
            let tried = match mode {
                Mode::Shared => file.try_lock_shared(),
                Mode::Exclusive => file.try_lock(),
            };
            match tried {
                Ok(()) => break Ok(()),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    graph(|graph| graph.waiting.remove(&self.session));
                    return Err(SqlError::internal(error));
                }
            }
            if self.cancelled.load(Ordering::Relaxed) {
                break Err(Refusal::Cancelled);
            }
            if timeout.is_some_and(|timeout| start.elapsed() >= timeout) {
                break Err(Refusal::Timeout);
            }
            waited = true;
            let circle = graph(|graph| {
                graph.waiting.insert(self.session, path.clone());
                graph.in_circle(self.session)
            });
            if circle {
                break Err(Refusal::Deadlock);
            }
            std::thread::sleep(EVERY);
        };
        graph(|graph| {
            graph.waiting.remove(&self.session);
            if outcome.is_ok() {
                graph.holders.entry(path.clone()).or_default().push(self.session);
            }
        });
        Ok(outcome.map(|()| {
            (
                Held {
                    file,
                    path,
                    session: self.session,
                },
                waited,
            )
        }))
    }

    /// Waits for the turn to write. `timeout` is `SET LOCK_TIMEOUT`.
    pub fn take_turn(&mut self, timeout: Option<Duration>) -> Result<()> {
        if self.turn.is_some() {
            return Ok(());
        }
        let limit = timeout.unwrap_or(LONGEST_TURN);
        match self.acquire(self.dir.join("write.lock"), Mode::Exclusive, Some(limit))? {
            Ok((held, _)) => {
                self.turn = Some(held);
                Ok(())
            }
            Err(Refusal::Timeout) if timeout.is_some() => {
                Err(SqlError::new(1222, 16, "Lock request time out period exceeded.").state(51))
            }
            Err(Refusal::Cancelled) => Err(SqlError::cancelled()),
            Err(Refusal::Timeout | Refusal::Deadlock) => Err(SqlError::new(
                1205,
                13,
                format!(
                    "Transaction (Process ID {}) was deadlocked on lock resources with another process and has been \
                     chosen as the deadlock victim. Rerun the transaction.",
                    self.session
                ),
            )
            .effect(Effect::Transaction)),
        }
    }

    pub fn give_turn(&mut self) {
        self.turn = None;
    }

    fn app_path(&self, resource: &str) -> PathBuf {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(resource.as_bytes());
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.dir.join("locks").join(name)
    }

    /// `sp_getapplock`: 0 granted, 1 granted after waiting, -1 timeout, -2 cancelled, -3 deadlock.
    pub fn get_app(&mut self, resource: &str, mode: Mode, owner: Owner, timeout: Option<Duration>) -> Result<i64> {
        let code = |refusal| match refusal {
            Refusal::Timeout => -1,
            Refusal::Cancelled => -2,
            Refusal::Deadlock => -3,
        };
        if let Some(lock) = self.apps.get_mut(resource) {
            if lock.mode == mode || lock.mode == Mode::Exclusive {
                lock.owners.push((owner, mode));
                return Ok(0);
            }
            // From shared to exclusive: by another handle it would wait for itself, so the handle is given back and
            // taken again. Another session may come in between, which is the same as if it had been first.
            let owners = std::mem::take(&mut lock.owners);
            self.apps.remove(resource);
            let (held, waited) = match self.acquire(self.app_path(resource), mode, timeout)? {
                Ok(got) => got,
                Err(refusal) => {
                    if let Ok((held, _)) = self.acquire(self.app_path(resource), Mode::Shared, None)? {
                        self.apps.insert(
                            resource.to_owned(),
                            AppLock {
                                held,
                                mode: Mode::Shared,
                                owners,
                            },
                        );
                    }
                    return Ok(code(refusal));
                }
            };
            let mut owners = owners;
            owners.push((owner, mode));
            self.apps.insert(resource.to_owned(), AppLock { held, mode, owners });
            return Ok(i64::from(waited));
        }
        match self.acquire(self.app_path(resource), mode, timeout)? {
            Ok((held, waited)) => {
                self.apps.insert(
                    resource.to_owned(),
                    AppLock {
                        held,
                        mode,
                        owners: vec![(owner, mode)],
                    },
                );
                Ok(i64::from(waited))
            }
            Err(refusal) => Ok(code(refusal)),
        }
    }

    /// `sp_releaseapplock`: whether it was held by that owner.
    pub fn release_app(&mut self, resource: &str, owner: Owner) -> bool {
        let Some(lock) = self.apps.get_mut(resource) else {
            return false;
        };
        let Some(at) = lock.owners.iter().rposition(|(held_by, _)| *held_by == owner) else {
            return false;
        };
        lock.owners.remove(at);
        if lock.owners.is_empty() {
            self.apps.remove(resource);
        }
        true
    }

    /// The end of a transaction: its application locks are freed.
    pub fn end_transaction(&mut self) {
        self.apps.retain(|_, lock| {
            lock.owners.retain(|(owner, _)| *owner == Owner::Session);
            !lock.owners.is_empty()
        });
    }

    /// `APPLOCK_MODE`.
    pub fn app_mode(&self, resource: &str, owner: Owner) -> &'static str {
        let owned = self.apps.get(resource).map(|lock| {
            lock.owners
                .iter()
                .filter(|(held_by, _)| *held_by == owner)
                .map(|(_, mode)| *mode)
                .collect::<Vec<_>>()
        });
        match owned {
            Some(modes) if modes.contains(&Mode::Exclusive) => "Exclusive",
            Some(modes) if !modes.is_empty() => "Shared",
            _ => "NoLock",
        }
    }

    /// The files that are locked, for messages.
    pub fn held(&self) -> usize {
        self.apps
            .values()
            .filter(|lock| lock.held.session == self.session)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(dir: &Path, session: u64) -> Locks {
        Locks::new(dir, session, Arc::new(AtomicBool::new(false)))
    }

    #[test]
    fn one_at_a_time_and_freed_by_the_end_of_the_session() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (locks(dir.path(), 9001), locks(dir.path(), 9002));
        let now = Some(Duration::ZERO);
        assert_eq!(one.get_app("a", Mode::Exclusive, Owner::Session, now).unwrap(), 0);
        assert_eq!(one.get_app("a", Mode::Exclusive, Owner::Session, now).unwrap(), 0);
        assert_eq!(two.get_app("a", Mode::Exclusive, Owner::Session, now).unwrap(), -1);
        assert!(one.release_app("a", Owner::Session));
        assert_eq!(two.get_app("a", Mode::Shared, Owner::Session, now).unwrap(), -1);
        drop(one);
        assert_eq!(two.get_app("a", Mode::Exclusive, Owner::Transaction, now).unwrap(), 0);
        two.end_transaction();
        assert_eq!(two.app_mode("a", Owner::Transaction), "NoLock");
    }

    #[test]
    fn a_circle_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (locks(dir.path(), 9003), locks(dir.path(), 9004));
        one.take_turn(None).unwrap();
        assert_eq!(two.get_app("a", Mode::Exclusive, Owner::Session, None).unwrap(), 0);
        let waiter = std::thread::spawn(move || {
            let result = two.take_turn(None);
            if result.is_err() {
                two.release_app("a", Owner::Session);
            }
            (two, result)
        });
        let code = one
            .get_app("a", Mode::Exclusive, Owner::Session, Some(Duration::from_secs(20)))
            .unwrap();
        drop(one);
        let (two, result) = waiter.join().unwrap();
        // Either of the two was the victim, and the other got what it waited for.
        assert_eq!(code == -3, result.is_ok());
        drop(two);
    }
}
