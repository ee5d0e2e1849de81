//! What the sandbox holds, without what differs from one run to the next: ids, times, addresses.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

/// Kinds that tell what happened, not what there is: events, log lines, network interfaces of tasks and load balancers,
/// tasks, and the history of a service's deployments.
const HISTORY: [&str; 8] = [
    "elasticache/event",
    "rds/event",
    "logs/event",
    "logs/stream",
    "ec2/interface",
    "ecs/task",
    "ecs/service-deployment",
    "ecs/service-revision",
];

/// Members that count what was done on the way, say when, or are drawn by lot.
const WAY: [&str; 22] = [
    // Revisions of a task definition: one whose answer was lost is registered again, with the same content.
    "last",
    "definition",
    // Of a target group: the tasks of the moment, each in some zone.
    "targets",
    "accessed",
    "mac",
    "mark",
    "auth",
    "auth_changed",
    "version",
    "versions",
    "revision",
    "latest",
    "task_definition",
    "deployments",
    "events",
    "client_token",
    "token",
    "modified",
    "made",
    "iacsh:created-at",
    "iacsh:changed-at",
    "iacsh:changed-by",
];

/// Each kind with its documents, in no order that means anything.
pub type Dump = BTreeMap<String, Vec<String>>;

/// Reads the state of a project's sandbox.
pub fn dump(project: &Path) -> Dump {
    let state = rusqlite::Connection::open(project.join(".sandbox/aws.sqlite")).expect("the sandbox's state");
    let mut rows = state.prepare("SELECT kind, id, body FROM document").expect("documents");
    let rows = rows
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })
        .expect("rows");
    let rows = rows.map(|row| row.expect("a row"));
    let rows = rows.filter(|(kind, id, _)| {
        // Revisions of a task definition are counted, and their tags are those of the newest.
        let is_way =
            HISTORY.contains(&kind.as_str()) || id.contains("/lease/") || (kind == "tags" && id.contains(":task"));
        !is_way
    });
    dump_of(rows.map(|(kind, _, body)| (kind, serde_json::from_str(&body).expect("JSON"))))
}

/// The same of documents with their kinds.
pub fn dump_of(documents: impl Iterator<Item = (String, Value)>) -> Dump {
    let plain = Plain::new();
    let mut dump = Dump::new();
    for (kind, mut body) in documents {
        plain.forget(&mut body);
        let text = plain.text(&body.to_string());
        dump.entry(kind).or_default().push(text);
    }
    for documents in dump.values_mut() {
        documents.sort();
    }
    dump
}

/// What one has and the other has not; empty when they are equal.
pub fn difference(expected: &Dump, found: &Dump) -> Vec<String> {
    let kinds: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let mut differences = Vec::new();
    for kind in kinds {
        let (wanted, there) = (expected.get(kind), found.get(kind));
        let (wanted, there) = (wanted.cloned().unwrap_or_default(), there.cloned().unwrap_or_default());
        if wanted.len() != there.len() {
            differences.push(format!("{kind}: {} instead of {}", there.len(), wanted.len()));
        }
        let mut left = there.clone();
        for document in &wanted {
            match left.iter().position(|other| other == document) {
                Some(place) => drop(left.swap_remove(place)),
                None => differences.push(format!("{kind} lacks {document}")),
            }
        }
        differences.extend(left.into_iter().map(|document| format!("{kind} has {document}")));
    }
    differences
}

/// Takes ids, times and addresses out of a text.
struct Plain(Vec<(Regex, &'static str)>);

impl Plain {
    fn new() -> Self {
        let rule = |pattern: &str, by| (Regex::new(pattern).expect("a pattern"), by);
        Self(vec![
            rule(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
            rule(r"(:task-definition/[^:]+):[0-9]+", "$1"),
            // Before the ids: a suffix may look like one.
            rule(r"-[A-Za-z0-9]{6}\b", "-SUFFIX"),
            rule(r"\.[a-z0-9]{6}\.", ".SUFFIX."),
            rule(r"\b[0-9a-f]{6,64}\b", "ID"),
            rule(r"\b[A-Z0-9]{16,}\b", "ID"),
            rule(r"\b1[0-9]{12}\b", "TIME"),
            rule(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?", "TIME"),
            rule(r"\b[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\b", "ADDRESS"),
            rule(r"-[0-9]{8,12}\.", "-NUMBER."),
        ])
    }

    /// Takes out what is of the way and not of the end; sorts what has no order, by what is left of it.
    fn forget(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !WAY.contains(&name.as_str()));
                members.values_mut().for_each(|member| self.forget(member));
                members.sort_keys();
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.forget(item));
                items.sort_by_cached_key(|item| self.text(&item.to_string()));
            }
            _ => {}
        }
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, by) in &self.0 {
            text = pattern.replace_all(&text, *by).into_owned();
        }
        text
    }
}
