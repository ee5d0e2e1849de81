//! The journal, read: which runs there were, what each one changed, and how long things took.
//!
//! A journal may end in a torn line, come from another version, or be gone. What can be read is told.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::journal::{self, FILE};
use crate::error::{Error, Result, nearest};

/// A call that changed something, or that was meant to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    pub at: String,
    /// `ec2:CreateVpc`.
    pub call: String,
    /// `vpc/main`, a name, an id or an ARN; empty where the request does not tell.
    pub resource: String,
    /// The service's id of the request.
    pub request: String,
    /// Of the HTTP answer; 0 where there was none.
    pub status: u16,
    /// The service's code of its refusal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// How often it was sent.
    pub attempts: u32,
    pub ms: u64,
}

/// What became of a resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    pub kind: String,
    pub name: String,
    pub id: String,
    /// One word: `created`, `changed`, `replaced`, `deleted`, `acted`, `failed`.
    pub outcome: String,
    /// The same in a few words.
    pub words: String,
    pub ms: u64,
}

/// How a run ended, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ended,
    Running,
    /// It was killed, or the machine went down.
    Broken,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its place, counted from the newest, which is 1.
    pub number: usize,
    pub id: String,
    /// When it began, in UTC.
    pub began: String,
    pub state: State,
    pub by: String,
    pub host: String,
    /// Whom AWS takes it for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub caller: String,
    pub project: String,
    pub environment: String,
    /// Of the scripts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
    pub version: String,
    pub command: String,
    pub seconds: Option<f64>,
    pub exit: Option<u8>,
    /// What it changed, or why it failed.
    pub result: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// How many calls were sent, those that only read included.
    pub calls: Option<u64>,
    pub writes: Vec<Call>,
    pub resources: Vec<Done>,
}

/// All runs of a journal.
#[derive(Debug, Default)]
pub struct Runs {
    /// The oldest first.
    pub runs: Vec<Run>,
    /// Lines that are no entries.
    pub unreadable: usize,
    /// How long each kind took to create and to delete, the oldest first.
    times: BTreeMap<(Work, String), Vec<Duration>>,
}

/// What an estimate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Creating,
    Deleting,
}

/// How long work on a kind usually takes.
pub type Usual = BTreeMap<(Work, String), Duration>;

impl Runs {
    /// Reads the journal of a folder; one that is not there has no runs.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::failed(format!("{} cannot be read: {error}", path.display()))),
        };
        let mut raw: IndexMap<String, Vec<Value>> = IndexMap::new();
        let mut unreadable = 0;
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            match read.map_err(|error| Error::failed(format!("{} cannot be read: {error}", path.display())))? {
                0 => break,
                _ if line.trim_ascii().is_empty() => continue,
                _ => {}
            }
            let entry: Option<Value> = serde_json::from_slice(&line).ok();
            let run = entry
                .as_ref()
                .and_then(|entry| entry["run"].as_str())
                .map(str::to_owned);
            match (entry, run) {
                (Some(entry), Some(run)) if !run.is_empty() => raw.entry(run).or_default().push(entry),
                _ => unreadable += 1,
            }
        }
        let count = raw.len();
        let mut runs = Self {
            unreadable,
            ..Self::default()
        };
        for (place, (id, entries)) in raw.into_iter().enumerate() {
            let run = run(folder, count - place, id, &entries);
            for done in &run.resources {
                let work = match done.outcome.as_str() {
                    "created" => Work::Creating,
                    "deleted" => Work::Deleting,
                    _ => continue,
                };
                let took = Duration::from_millis(done.ms);
                runs.times.entry((work, done.kind.clone())).or_default().push(took);
            }
            runs.runs.push(run);
        }
        Ok(runs)
    }

    /// A run by its number, counted from the newest, or by its id.
    pub fn find(&self, which: &str) -> Result<&Run> {
        let is_meant = |run: &&Run| run.id == which || run.number.to_string() == which;
        if let Some(run) = self.runs.iter().find(is_meant) {
            return Ok(run);
        }
        let error = Error::failed(format!("there is no run {which}"));
        Err(match nearest(which, self.runs.iter().map(|run| run.id.as_str())) {
            _ if self.runs.is_empty() => error.hint("no run has left anything in this project's journal yet"),
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!(
                "1 is the newest of {}; `iacsh runs --all` shows all",
                self.runs.len()
            )),
        })
    }

    /// How long things of each kind took: the median of the last five.
    pub fn usual(&self) -> Usual {
        let median = |times: &Vec<Duration>| {
            let mut last: Vec<_> = times.iter().rev().take(5).copied().collect();
            last.sort();
            last[(last.len() - 1) / 2]
        };
        let known = self.times.iter().filter(|(_, times)| !times.is_empty());
        known.map(|(work, times)| (work.clone(), median(times))).collect()
    }
}

fn run(folder: &Path, number: usize, id: String, entries: &[Value]) -> Run {
    let of = |event: &'static str| entries.iter().filter(move |entry| entry["event"] == event);
    let nothing = Value::Null;
    let began = of("began").next().unwrap_or(&nothing);
    let ended = of("ended").next_back();
    let caller = of("caller").next().unwrap_or(&nothing);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let read = |entry: &Value| serde_json::from_value(entry.clone()).ok();
    let writes: Vec<Call> = of("call").filter_map(read).collect();
    let read = |entry: &Value| serde_json::from_value(entry.clone()).ok();
    let resources: Vec<Done> = of("finished").filter_map(read).collect();
    let state = match ended {
        Some(_) => State::Ended,
        None if journal::is_running(folder, &id) => State::Running,
        None => State::Broken,
    };
    let exit = ended
        .and_then(|ended| ended["exit"].as_u64())
        .and_then(|exit| u8::try_from(exit).ok());
    let error = ended.map(|ended| text(ended, "error")).unwrap_or_default();
    let seconds = match ended {
        Some(ended) => ended["ms"].as_f64().map(|ms| ms / 1000.0),
        None => between(entries),
    };
    Run {
        number,
        began: text(entries.first().unwrap_or(&nothing), "at"),
        state,
        by: text(began, "by"),
        host: text(began, "host"),
        caller: text(caller, "arn"),
        project: text(began, "project"),
        environment: text(began, "environment"),
        commit: text(began, "commit"),
        version: text(began, "version"),
        command: text(began, "command"),
        seconds,
        exit,
        result: result(state, exit, &resources, &writes),
        error,
        calls: ended.and_then(|ended| ended["calls"].as_u64()),
        writes,
        resources,
        id,
    }
}

/// From the first entry to the last, in seconds: what is known of a run without an end.
fn between(entries: &[Value]) -> Option<f64> {
    let at = |entry: Option<&Value>| entry?["at"].as_str()?.parse::<Timestamp>().ok();
    let (first, last) = (at(entries.first())?, at(entries.last())?);
    Some(last.duration_since(first).as_secs_f64())
}

/// `29 created, 2 changed`, or why not.
fn result(state: State, exit: Option<u8>, resources: &[Done], writes: &[Call]) -> String {
    let mut counts: IndexMap<&str, usize> = IndexMap::new();
    for word in ["created", "changed", "replaced", "deleted", "acted", "failed"] {
        let count = resources.iter().filter(|done| done.outcome == word).count();
        if count > 0 {
            counts.insert(if word == "acted" { "done" } else { word }, count);
        }
    }
    let counted: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let what = match (counted.is_empty(), writes.len()) {
        (false, _) => counted.join(", "),
        (true, 0) => "no changes".to_owned(),
        (true, 1) => "1 call that writes".to_owned(),
        (true, count) => format!("{count} calls that write"),
    };
    let how = match (state, exit) {
        (State::Running, _) => Some("still running".to_owned()),
        (State::Broken, _) => Some("did not end".to_owned()),
        (_, Some(130)) => Some("interrupted".to_owned()),
        (_, Some(77)) => Some("declined".to_owned()),
        (_, Some(75)) => Some("another run held the environment".to_owned()),
        (_, Some(78)) => Some("configuration was missing".to_owned()),
        (_, Some(0) | None) => None,
        (_, Some(code)) => Some(format!("failed with exit code {code}")),
    };
    match how {
        None => what,
        Some(how) if what == "no changes" => how,
        Some(how) => format!("{how}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::journal::Journal;
    use serde_json::json;

    fn created(journal: &Journal, kind: &str, ms: u64) {
        journal.write(
            "finished",
            json!({ "kind": kind, "name": "a", "outcome": "created", "words": "created", "ms": ms }),
        );
    }

    #[test]
    fn runs_are_numbered_from_the_newest_and_told_how_they_ended() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Runs::read(folder.path()).unwrap().runs.is_empty());
        let first = Journal::open(folder.path(), "first").unwrap();
        first.begin(
            json!({ "by": "anna", "environment": "staging", "command": "iacsh a.rhai" }),
            true,
        );
        created(&first, "vpc", 1200);
        first.write(
            "call",
            json!({ "call": "ec2:CreateVpc", "resource": "vpc/main", "status": 200, "ms": 12 }),
        );
        first.end(json!({ "exit": 0, "ms": 2500, "calls": 7 }));
        let killed = Journal::open(folder.path(), "killed").unwrap();
        killed.begin(json!({ "by": "anna" }), true);
        drop(killed);
        let running = Journal::open(folder.path(), "running").unwrap();
        running.begin(json!({ "by": "bert" }), true);

        let runs = Runs::read(folder.path()).unwrap();
        let told: Vec<_> = runs
            .runs
            .iter()
            .map(|run| (run.number, run.id.as_str(), run.state, run.result.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (3, "first", State::Ended, "1 created"),
                (2, "killed", State::Broken, "did not end"),
                (1, "running", State::Running, "still running"),
            ]
        );
        let run = runs.find("3").unwrap();
        assert_eq!((run.seconds, run.calls, run.writes.len()), (Some(2.5), Some(7), 1));
        assert_eq!(runs.find("first").unwrap().writes[0].resource, "vpc/main");
        assert_eq!(runs.find("firts").unwrap_err().help(), Some("did you mean first?"));
        assert!(
            runs.find("4")
                .unwrap_err()
                .help()
                .unwrap()
                .contains("1 is the newest of 3")
        );
    }

    #[test]
    fn what_is_torn_or_of_another_version_hides_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let lines = concat!(
            "{\"at\":\"2026-01-01T10:00:00Z\",\"run\":\"old\",\"event\":\"creating\",\"kind\":\"vpc\",\"name\":\"main\"}\n",
            "not json\n",
            "\n",
            "\u{fffd}\u{fffd}\n",
            "{\"at\":\"2026-01-01T10:00:09Z\",\"run\":\"old\",\"event\":\"call\",\"status\":\"a text\"}\n",
            "{\"at\":\"2026-01-01T10:00:10Z\",\"run\":\"old\",\"event\":\"from the future\",\"more\":[1]}\n",
            "[1]\n",
            "{\"at\":\"2026-01-01T10:00:11Z\",\"run\":\"old\",\"event\":\"ca",
        );
        std::fs::write(folder.path().join(FILE), lines).unwrap();
        let runs = Runs::read(folder.path()).unwrap();
        assert_eq!((runs.runs.len(), runs.unreadable), (1, 4));
        assert_eq!((runs.runs[0].state, runs.runs[0].seconds), (State::Broken, Some(10.0)));
    }

    #[test]
    fn what_is_usual_is_the_median_of_the_last_five() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "a").unwrap();
        journal.begin(json!({}), true);
        for ms in [1, 2, 9000, 400, 500, 300, 100] {
            created(&journal, "replication-group", ms);
        }
        created(&journal, "vpc", 70);
        let usual = Runs::read(folder.path()).unwrap().usual();
        let created = |kind: &str| usual.get(&(Work::Creating, kind.to_owned())).copied();
        assert_eq!(created("replication-group"), Some(Duration::from_millis(400)));
        assert_eq!(created("vpc"), Some(Duration::from_millis(70)));
        assert_eq!(created("subnet"), None);
        assert_eq!(usual.get(&(Work::Deleting, "vpc".to_owned())), None);
    }
}
