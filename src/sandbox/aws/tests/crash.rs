//! Killed at any moment: the state opens, and holds every call that was answered.
//!
//! `IACSH_CRASHES=1000 cargo test --lib killed -- --nocapture` does it so often; every test run does a sample.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU32;

use super::super::Request;
use super::*;
use crate::sandbox::testing::{Victim, acknowledge, folder, times};

const THREADS: u32 = 4;
/// So often one state is used again, before a new one begins.
const GENERATION: u32 = 10;

fn send(sandbox: &Sandbox, service: &str, target: &str, body: &str) -> String {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=AKIASANDBOX/20270115/eu-central-1/{service}/aws4_request, Signature=0");
    let reply = sandbox.aws().answer(Request {
        method: "POST",
        uri: "/",
        authorization: &authorization,
        target,
        body: body.as_bytes(),
    });
    let text = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 200, "{body}: {text}");
    text
}

fn put_parameter(sandbox: &Sandbox, name: &str, value: u32) {
    let body = serde_json::json!({ "Name": name, "Value": value.to_string(), "Type": "String", "Overwrite": true });
    send(sandbox, "ssm", "AmazonSSM.PutParameter", &body.to_string());
}

/// Calls from several threads, each acknowledged when it is answered.
#[test]
#[ignore = "a process that is killed: started by the test below"]
fn hammering_calls() {
    let sandbox = Sandbox::open(&folder(), Options::default()).unwrap();
    let process = std::process::id();
    let counter = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sandbox, counter) = (&sandbox, &counter);
            scope.spawn(move || {
                let mut mine: Vec<String> = Vec::new();
                loop {
                    let number = counter.fetch_add(1, Ordering::Relaxed);
                    match number % 4 {
                        0 | 1 => {
                            let made = send(sandbox, "ec2", "", "Action=CreateInternetGateway&Version=2016-11-15");
                            let (_, rest) = made.split_once("<internetGatewayId>").unwrap();
                            let id = rest.split_once('<').unwrap().0.to_owned();
                            acknowledge(&format!("made {id}"));
                            mine.push(id);
                        }
                        2 => {
                            let name = format!("/{process}/{thread}");
                            put_parameter(sandbox, &name, number);
                            acknowledge(&format!("put {name} {number}"));
                        }
                        _ => {
                            let Some(id) = mine.pop() else { continue };
                            // From here on it may be gone, answered or not.
                            acknowledge(&format!("asks {id}"));
                            let body =
                                format!("Action=DeleteInternetGateway&Version=2016-11-15&InternetGatewayId={id}");
                            send(sandbox, "ec2", "", &body);
                            acknowledge(&format!("gone {id}"));
                        }
                    }
                }
            });
        }
    });
}

/// What the calls that were answered left behind.
#[derive(Default)]
struct Answered {
    made: BTreeSet<String>,
    gone: BTreeSet<String>,
    parameters: BTreeMap<String, u32>,
    count: usize,
}

impl Answered {
    fn hear(&mut self, said: &str) {
        let words: Vec<&str> = said.split(' ').collect();
        match words.as_slice() {
            ["made", id] => drop(self.made.insert((*id).to_owned())),
            ["asks", id] => {
                self.made.remove(*id);
                return;
            }
            ["gone", id] => drop(self.gone.insert((*id).to_owned())),
            ["put", name, number] => {
                let newest = self.parameters.entry((*name).to_owned()).or_default();
                *newest = number.parse::<u32>().unwrap().max(*newest);
            }
            other => panic!("{other:?}"),
        }
        self.count += 1;
    }

    /// The state opens and holds what was answered.
    fn check(&self, dir: &Path) {
        let sandbox = Sandbox::open(dir, Options::default()).unwrap();
        let file = rusqlite::Connection::open(dir.join("aws.sqlite")).unwrap();
        let whole: String = file.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
        let mut statement = file
            .prepare("SELECT id FROM document WHERE kind = 'ec2/internet-gateway'")
            .unwrap();
        let there: BTreeSet<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(self.made.is_subset(&there), "lost: {:?}", self.made.difference(&there));
        assert!(
            self.gone.is_disjoint(&there),
            "back: {:?}",
            self.gone.intersection(&there)
        );
        for (name, number) in &self.parameters {
            let body = serde_json::json!({ "Name": name });
            let found = send(&sandbox, "ssm", "AmazonSSM.GetParameter", &body.to_string());
            let found: serde_json::Value = serde_json::from_str(&found).unwrap();
            let value: u32 = found["Parameter"]["Value"].as_str().unwrap().parse().unwrap();
            assert!(value >= *number, "{name}: {value} after {number} was answered");
        }
    }
}

#[test]
fn killed_at_any_moment_the_state_opens_and_holds_what_was_answered() {
    let rounds = times("IACSH_CRASHES", 40);
    let mut answered = 0;
    let mut dir = tempfile::tempdir().unwrap();
    let mut known = Answered::default();
    for round in 0..rounds {
        if round % GENERATION == 0 {
            answered += known.count;
            known = Answered::default();
            dir = tempfile::tempdir().unwrap();
        }
        let mut victim = Victim::start("sandbox::aws::tests::crash::hammering_calls", dir.path());
        // It works by now; then any moment.
        for _ in 0..rand::random_range(1..60) {
            known.hear(&victim.next().expect("it works until it is killed"));
        }
        std::thread::sleep(Duration::from_micros(rand::random_range(0..5000)));
        victim.kill();
        while let Some(said) = victim.next() {
            known.hear(&said);
        }
        known.check(dir.path());
    }
    answered += known.count;
    println!("killed {rounds} times: {answered} calls were answered, and all are there");
    assert!(answered >= rounds as usize);
}
