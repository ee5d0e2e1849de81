//! The longest chain of a run: which resources had to wait for each other, and so made it as long as it was.
//!
//! An edge is known when an output or a handle is passed on ([`Value::dependencies`]), and when an id or ARN that was known
//! already is. An acting verb holds up the script, so that what is asked for behind it comes after it. A destroy goes by
//! the order of the kinds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::report::{Outcome, Record};
use crate::value::{Map, Value};

/// The work of one resource, or one act, in times since the run began.
#[derive(Clone, Debug)]
struct Node {
    label: String,
    kind: String,
    asked: Duration,
    began: Duration,
    ended: Duration,
    /// Labels of what it was given.
    after: Vec<String>,
    /// Kinds that had to be gone before.
    after_kinds: &'static [&'static str],
    is_act: bool,
}

impl Node {
    fn took(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }
}

/// One part of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// `KIND/NAME`.
    pub label: String,
    pub took: Duration,
}

/// Resources of which each had to wait for the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    pub links: Vec<Link>,
}

#[derive(Serialize)]
struct Told<'a> {
    resource: &'a str,
    seconds: f64,
}

impl Chain {
    pub fn took(&self) -> Duration {
        self.links.iter().map(|link| link.took).sum()
    }

    /// As a document.
    pub fn to_json(&self) -> serde_json::Value {
        let seconds = |took: Duration| (took.as_secs_f64() * 1000.0).round() / 1000.0;
        let links: Vec<_> = self
            .links
            .iter()
            .map(|link| Told {
                resource: &link.label,
                seconds: seconds(link.took),
            })
            .collect();
        serde_json::json!({ "seconds": seconds(self.took()), "links": links })
    }
}

/// Gathers what happened when.
#[derive(Debug)]
pub(super) struct Trace(Mutex<Gathered>);

#[derive(Debug)]
struct Gathered {
    began: Instant,
    /// What was asked for and is not over yet.
    open: HashMap<String, Node>,
    done: Vec<Node>,
    /// Whose an id or ARN is.
    ids: HashMap<String, String>,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Gathered::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new run begins.
    pub(super) fn forget(&self) {
        *self.lock() = Gathered::new();
    }

    /// A script asks for a resource.
    pub(super) fn asked(&self, label: &str, kind: &str, options: &Value) {
        let mut gathered = self.lock();
        let now = gathered.began.elapsed();
        let promises = options.dependencies();
        let mut after: Vec<_> = promises.iter().map(|promise| promise.resource().to_owned()).collect();
        gathered.known(options, &mut after);
        let node = Node {
            label: label.to_owned(),
            kind: kind.to_owned(),
            asked: now,
            began: now,
            ended: now,
            after,
            after_kinds: &[],
            is_act: false,
        };
        gathered.open.insert(label.to_owned(), node);
    }

    /// Its inputs are known, and the work begins.
    pub(super) fn began(&self, label: &str) {
        let mut gathered = self.lock();
        let now = gathered.began.elapsed();
        if let Some(node) = gathered.open.get_mut(label) {
            node.began = now;
        }
    }

    /// What others may name it by.
    pub(super) fn known_as(&self, label: &str, id: &str, outputs: &Map) {
        let mut gathered = self.lock();
        let arn = outputs.get("arn").and_then(Value::as_str).unwrap_or_default();
        for name in [id, arn] {
            // What is short is no id but a name, which another may have too.
            if name.len() >= 8 {
                gathered.ids.insert(name.to_owned(), label.to_owned());
            }
        }
    }

    /// It is over. `gone_before`: the kinds that its deletion has to wait for.
    pub(super) fn finished(&self, record: &Record, gone_before: &'static [&'static str]) {
        let mut gathered = self.lock();
        let now = gathered.began.elapsed();
        let label = format!("{}/{}", record.kind, record.name);
        let node = match gathered.open.remove(&label) {
            // Its inputs failed: it never began.
            Some(_) if matches!(record.outcome, Outcome::NotStarted(_)) => return,
            Some(node) => Node { ended: now, ..node },
            None if matches!(record.outcome, Outcome::Kept(_)) => return,
            None => {
                let began = now.saturating_sub(record.took);
                let is_act = matches!(record.outcome, Outcome::Acted(_));
                Node {
                    label,
                    kind: record.kind.clone(),
                    asked: began,
                    began,
                    ended: now,
                    after: Vec::new(),
                    after_kinds: if is_act { &[] } else { gone_before },
                    is_act,
                }
            }
        };
        gathered.done.push(node);
    }

    /// The chain that took longest; none where nothing was done.
    pub(super) fn longest(&self) -> Option<Chain> {
        longest(&self.lock().done)
    }
}

impl Gathered {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            open: HashMap::new(),
            done: Vec::new(),
            ids: HashMap::new(),
        }
    }

    /// The owners of the ids in the options.
    fn known(&self, options: &Value, found: &mut Vec<String>) {
        match options {
            Value::Text(text) => {
                if let Some(label) = text.as_plain().and_then(|text| self.ids.get(text))
                    && !found.contains(label)
                {
                    found.push(label.clone());
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.known(item, found)),
            Value::Map(map) => map.values().for_each(|item| self.known(item, found)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Object(_) => {}
        }
    }
}

/// Clocks are read one after the other: what ended that little later than something began was still before it.
const AT_ONCE: Duration = Duration::from_millis(2);

/// The longest path, each node weighing what it took. What had not ended when a node began was not before it, so that
/// there are no circles.
fn longest(nodes: &[Node]) -> Option<Chain> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|&place| nodes[place].ended);
    let mut best: Vec<(Duration, Option<usize>)> = vec![(Duration::ZERO, None); nodes.len()];
    for (index, &place) in order.iter().enumerate() {
        let node = &nodes[place];
        let mut longest = (Duration::ZERO, None);
        for &before in &order[..index] {
            let earlier = &nodes[before];
            let is_over = earlier.ended <= node.began + AT_ONCE;
            let is_before = node.after.contains(&earlier.label)
                || node.after_kinds.contains(&earlier.kind.as_str())
                // The script stood still for the act; and an act begins when its inputs are known.
                || (earlier.is_act && earlier.ended <= node.asked + AT_ONCE)
                || node.is_act;
            if is_over && is_before && best[before].0 > longest.0 {
                longest = (best[before].0, Some(before));
            }
        }
        best[place] = (longest.0 + node.took(), longest.1);
    }
    let mut at = (0..nodes.len()).max_by_key(|&place| best[place].0);
    let mut links = Vec::new();
    while let Some(place) = at {
        links.push(Link {
            label: nodes[place].label.clone(),
            took: nodes[place].took(),
        });
        at = best[place].1;
    }
    links.reverse();
    (!links.is_empty()).then_some(Chain { links })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::value::Promise;

    /// A resource that was asked for at once and worked from one second to another.
    fn node(label: &str, began: u64, ended: u64, after: &[&str]) -> Node {
        Node {
            label: label.to_owned(),
            kind: label.split('/').next().unwrap_or_default().to_owned(),
            asked: Duration::ZERO,
            began: Duration::from_secs(began),
            ended: Duration::from_secs(ended),
            after: after.iter().map(|label| (*label).to_owned()).collect(),
            after_kinds: &[],
            is_act: false,
        }
    }

    fn told(nodes: &[Node]) -> (u64, String) {
        let chain = longest(nodes).unwrap();
        let links: Vec<_> = chain
            .links
            .iter()
            .map(|link| format!("{} {}", link.label, link.took.as_secs()))
            .collect();
        (chain.took().as_secs(), links.join(" > "))
    }

    #[test]
    fn the_chain_is_the_longest_and_not_the_one_with_most_links() {
        let nodes = [
            node("vpc/main", 0, 2, &[]),
            node("subnet/a", 2, 3, &["vpc/main"]),
            node("replication-group/redis", 3, 245, &["subnet/a"]),
            node("load-balancer/web", 3, 183, &["subnet/a"]),
            node("listener/web", 183, 184, &["load-balancer/web"]),
            node("service/web", 245, 252, &["listener/web", "replication-group/redis"]),
            node("repository/web", 0, 100, &[]),
        ];
        assert_eq!(
            told(&nodes),
            (
                252,
                "vpc/main 2 > subnet/a 1 > replication-group/redis 242 > service/web 7".into()
            )
        );
        assert_eq!(longest(&[]), None);
    }

    #[test]
    fn what_was_not_over_was_not_waited_for() {
        let nodes = [
            node("a/a", 0, 10, &["b/b"]),
            node("b/b", 0, 12, &["a/a"]),
            node("c/c", 3, 5, &["a/a", "nobody/here"]),
        ];
        assert_eq!(told(&nodes), (12, "b/b 12".into()));
    }

    #[test]
    fn an_act_holds_up_what_comes_behind_it() {
        let mut act = node("migrations/up", 60, 90, &[]);
        act.is_act = true;
        let mut behind = node("service/web", 90, 95, &[]);
        behind.asked = Duration::from_secs(90);
        let mut aside = node("log-group/web", 70, 91, &[]);
        aside.asked = Duration::from_secs(1);
        let nodes = [node("db-instance/main", 0, 60, &[]), act, behind, aside];
        assert_eq!(
            told(&nodes),
            (95, "db-instance/main 60 > migrations/up 30 > service/web 5".into())
        );
    }

    #[test]
    fn a_destroy_goes_by_the_order_of_kinds() {
        let mut vpc = node("vpc/main", 200, 201, &[]);
        vpc.after_kinds = &["subnet", "service"];
        let mut subnet = node("subnet/a", 190, 200, &[]);
        subnet.after_kinds = &["service"];
        let nodes = [node("service/web", 0, 190, &[]), subnet, vpc];
        assert_eq!(told(&nodes).1, "service/web 190 > subnet/a 10 > vpc/main 1");
    }

    #[test]
    fn edges_come_from_outputs_and_from_ids() {
        let trace = Trace::new();
        let record = |kind: &str, name: &str| Record {
            kind: kind.into(),
            name: name.into(),
            outcome: Outcome::Created,
            ..Record::default()
        };
        trace.asked("vpc/main", "vpc", &Value::Null);
        trace.began("vpc/main");
        trace.known_as(
            "vpc/main",
            "vpc-0123456789",
            &map! { "arn" => "arn:aws:ec2:::vpc/vpc-0123456789" },
        );
        trace.finished(&record("vpc", "main"), &[]);
        let known = Value::Map(map! { "name" => "main", "vpc" => "vpc-0123456789" });
        trace.asked("subnet/a", "subnet", &known);
        let output = crate::value::Output {
            promise: Promise::new("subnet/a"),
            field: "id".into(),
        };
        let text = Value::Text(crate::value::Text(vec![crate::value::Part::Output(output)]));
        trace.asked("service/web", "service", &Value::List(vec![text]));
        let gathered = trace.lock();
        assert_eq!(gathered.open["subnet/a"].after, ["vpc/main"]);
        assert_eq!(gathered.open["service/web"].after, ["subnet/a"]);
    }
}
