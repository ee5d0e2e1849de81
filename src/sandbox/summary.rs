//! What a sandbox holds, in numbers.

use std::fs;
use std::path::Path;

use super::aws::rules::Listed;
use super::aws::state::State;
use super::aws::store::internal;
use super::saved::is_content;
use super::{AWS_FILE, Clock, Sandbox, lock_file, on_disk};
use crate::error::{Error, Result};

/// So many resources of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub account: String,
    pub region: String,
    /// As the state calls it: `ec2/vpc`.
    pub kind: String,
    pub count: u64,
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Summary {
    /// By account, region and kind; without what services keep beside their resources.
    pub counts: Vec<Count>,
    pub rules: Vec<Listed>,
    /// Bytes of everything in the folder, without what was saved.
    pub size: u64,
    /// By how much the clock was moved on, in milliseconds.
    pub ahead: i64,
    /// The sandbox's time, in milliseconds since 1970.
    pub now: i64,
}

/// What services keep for themselves: no resources of a user's.
const BESIDE: &[&str] = &[
    "tags",
    "tags/lingering",
    "elasticache/event",
    "logs/event",
    "ecs/run-token",
];

impl Sandbox {
    /// What a sandbox holds; `None` where there is none. It can be in use.
    pub fn summary(dir: &Path) -> Result<Option<Summary>> {
        let file = dir.join(AWS_FILE);
        if !file.exists() {
            return Ok(None);
        }
        // No reset and no load meanwhile.
        let lock = lock_file(dir)?;
        lock.lock_shared().map_err(|error| on_disk(dir, &error))?;
        let state = State::open(&file)?;
        let failed = |fault: super::aws::call::Fault| Error::failed(fault.message);
        let rules = super::aws::rules::Rules { state: &state }.list()?;
        let (counts, ahead) = state
            .read(|connection| {
                let read = || -> rusqlite::Result<(Vec<Count>, Option<i64>)> {
                    let mut statement = connection.prepare(
                        "SELECT account, region, kind, count(*) FROM document GROUP BY account, region, kind
                         ORDER BY account, region, kind",
                    )?;
                    let counts = statement.query_map([], |row| {
                        Ok(Count {
                            account: row.get(0)?,
                            region: row.get(1)?,
                            kind: row.get(2)?,
                            count: row.get::<_, i64>(3)?.unsigned_abs(),
                        })
                    })?;
                    let ahead =
                        connection.query_row("SELECT max(value) FROM setting WHERE name = 'clock'", [], |row| {
                            row.get(0)
                        })?;
                    Ok((counts.collect::<rusqlite::Result<_>>()?, ahead))
                };
                read().map_err(internal)
            })
            .map_err(failed)?;
        let counts = counts
            .into_iter()
            .filter(|count| !BESIDE.contains(&count.kind.as_str()));
        let ahead = ahead.unwrap_or_default();
        Ok(Some(Summary {
            counts: counts.collect(),
            rules,
            size: size(dir, true)?,
            ahead,
            now: Clock::System.now().saturating_add(ahead),
        }))
    }
}

/// Bytes below a folder.
fn size(folder: &Path, top: bool) -> Result<u64> {
    let mut sum = 0;
    let entries = fs::read_dir(folder).map_err(|error| on_disk(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| on_disk(folder, &error))?.path();
        if top && !is_content(&path) {
            continue;
        }
        sum += match fs::metadata(&path) {
            Ok(about) if about.is_dir() => size(&path, false)?,
            Ok(about) => about.len(),
            // Gone meanwhile.
            Err(_) => 0,
        };
    }
    Ok(sum)
}
