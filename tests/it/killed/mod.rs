//! The program is killed at a writing call to moto, and the next run finishes the job with nothing doubled.
//!
//! A proxy stands between the two; it kills by SIGKILL before it passes a call on, or when moto has answered and iacsh has
//! not heard of it. Each point has an account of its own at one moto, which holds what a run without an end holds after it.
//!
//! Every test run does a sample of points; `IACSH_SWEEP=all cargo test --test it killed -- --nocapture` does all and
//! prints each. That takes minutes: where a run died among VPC, subnets, gateway and address, the next one looks a minute
//! long for what it may have made.

mod proxy;
mod request;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use proxy::{Call, Met, Place};

use crate::dump::{Dump, difference, dump_of};
use crate::moto::{KEYS, environment};
use crate::peer::{self, Moto};
use crate::project::Project;

const TEST: &str = "killed::recreate_and_destroy_survive_a_kill_at_every_call_to_moto";

/// How many points are at work at once. Most of the time they wait.
const AT_ONCE: u32 = 8;

const RECREATE: &[&str] = &["--json", "scripts/recreate.rhai"];
const DESTROY: &[&str] = &["--json", "destroy", "--yes"];

/// Where every test run kills: behind the last subnet, for before it the next run would wait.
const OF_RECREATE: [(&str, u32, bool); 8] = [
    ("ec2:AssociateRouteTable", 4, true),
    ("elasticache:CreateCacheSubnetGroup", 1, false),
    ("logs:CreateLogGroup", 1, true),
    ("elasticloadbalancing:CreateLoadBalancer", 1, true),
    ("elasticache:CreateReplicationGroup", 1, true),
    ("iam:PutRolePolicy", 1, false),
    ("ecs:RegisterTaskDefinition", 1, true),
    ("ecs:CreateService", 1, true),
];
const OF_DESTROY: [(&str, u32, bool); 5] = [
    ("ecs:DeleteService", 1, false),
    ("ec2:DeleteRouteTable", 1, true),
    ("elasticloadbalancing:DeleteLoadBalancer", 1, true),
    ("ec2:DeleteSubnet", 2, true),
    ("ec2:DeleteVpc", 1, true),
];

/// What the dumps come from.
struct Eyes {
    python: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Eyes {
    fn new(python: &std::path::Path, moto: u16) -> Self {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/killed/dump.py");
        let mut command = Command::new(python);
        command.arg(script).arg(format!("http://127.0.0.1:{moto}"));
        let mut python = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        Self {
            asks: python.stdin.take().expect("a pipe"),
            answers: BufReader::new(python.stdout.take().expect("a pipe")),
            python,
        }
    }

    fn see(&mut self, account: &str) -> Dump {
        writeln!(self.asks, "{account}").expect("Python reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Python answers");
        let kinds: serde_json::Map<_, _> = serde_json::from_str(&line).expect("JSON");
        dump_of(kinds.into_iter().flat_map(|(kind, documents)| {
            let serde_json::Value::Array(documents) = documents else {
                panic!("{kind}: no list");
            };
            documents.into_iter().map(move |document| (kind.clone(), document))
        }))
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

/// One moto, for many accounts.
struct Cloud {
    moto: Moto,
    eyes: Mutex<Eyes>,
    accounts: AtomicU32,
}

/// A project with an account of its own.
struct Site<'a> {
    cloud: &'a Cloud,
    account: String,
    project: Project,
}

impl Cloud {
    fn site(&self) -> Site<'_> {
        let number = self.accounts.fetch_add(1, Ordering::SeqCst);
        Site {
            cloud: self,
            account: format!("1{number:011}"),
            project: Project::new(),
        }
    }
}

impl Site<'_> {
    fn run(&self, args: &[&str], place: Option<&Place>) -> Met {
        proxy::run(self.cloud.moto.port, &self.account, place, |port| {
            let own = format!("account = \"{}\"", self.account);
            let file = environment(port).replace("account = \"123456789012\"", &own);
            // Here moto deletes what it is asked to, but it has a lot to do.
            let file = file.replace("delete = \"4s\"", "delete = \"20s\"");
            self.project
                .write("environments/moto.toml", &(file + "[network]\nnat = true\n"));
            let mut command = self.project.command(&[&["--env", "moto"], args].concat());
            command.envs(KEYS);
            command
        })
    }

    fn dump(&self) -> Dump {
        let mut eyes = self.cloud.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        eyes.see(&self.account)
    }
}

/// Which run is killed.
struct Sweep {
    name: &'static str,
    /// What comes before, without an interruption.
    first: Option<&'static [&'static str]>,
    command: &'static [&'static str],
    sample: &'static [(&'static str, u32, bool)],
}

/// The same with what an uninterrupted run leaves.
struct Measured {
    sweep: Sweep,
    writes: u32,
    expected: Dump,
}

impl Sweep {
    fn begin<'a>(&self, cloud: &'a Cloud) -> Site<'a> {
        let site = cloud.site();
        if let Some(first) = self.first {
            site.run(first, None).ran.code(0);
        }
        site
    }

    fn measure(self, cloud: &Cloud) -> Measured {
        let site = self.begin(cloud);
        let whole = site.run(self.command, None);
        drop(whole.ran.code(0));
        Measured {
            writes: whole.writes,
            expected: site.dump(),
            sweep: self,
        }
    }
}

impl Measured {
    fn places(&self, all: bool) -> Vec<Place> {
        if !all {
            let place = |&(action, nth, after)| Place {
                call: Call::Of(action, nth),
                after,
            };
            return self.sweep.sample.iter().map(place).collect();
        }
        // Another run may make some calls more.
        let numbers = 1..=self.writes + 5;
        let place = |number, after| Place {
            call: Call::Number(number),
            after,
        };
        numbers
            .flat_map(|number| [place(number, false), place(number, true)])
            .collect()
    }

    /// Kills at a place and runs again. `None` when the run was over before it; else the point, and what is wrong.
    fn point(&self, cloud: &Cloud, place: &Place) -> Option<(String, Vec<String>)> {
        let site = self.sweep.begin(cloud);
        let died = site.run(self.sweep.command, Some(place));
        let Some(point) = died.point else {
            assert_eq!(died.ran.code, 0, "{place:?}: {}", died.ran);
            return None;
        };
        assert_eq!(died.ran.code, -1, "{point}: no signal ended it: {}", died.ran);
        let again = site.run(self.sweep.command, None).ran;
        let mut wrong = Vec::new();
        if again.code != 0 {
            wrong.push(again.to_string());
        }
        let found = site.dump();
        wrong.extend(doubled(&found));
        wrong.extend(difference(&self.expected, &found));
        Some((point, wrong))
    }
}

/// Identities that two resources of one kind carry.
fn doubled(dump: &Dump) -> Vec<String> {
    let label = regex::Regex::new("\"iacsh:id\":\"([^\"]*)\"").expect("a pattern");
    let mut wrong = Vec::new();
    for (kind, documents) in dump {
        let mut seen = BTreeSet::new();
        for found in documents.iter().filter_map(|document| label.captures(document)) {
            if !seen.insert(found[1].to_owned()) {
                wrong.push(format!("two are {} ({kind})", &found[1]));
            }
        }
    }
    wrong
}

#[test]
fn recreate_and_destroy_survive_a_kill_at_every_call_to_moto() {
    let Some(python) = peer::python(TEST, peer::MOTO, "moto.server, boto3") else {
        return;
    };
    let moto = Moto::repaired(&python);
    let cloud = Cloud {
        eyes: Mutex::new(Eyes::new(&python, moto.port)),
        moto,
        accounts: AtomicU32::new(1),
    };
    let sweeps = [
        Sweep {
            name: "destroy",
            first: Some(RECREATE),
            command: DESTROY,
            sample: &OF_DESTROY,
        },
        Sweep {
            name: "recreate",
            first: None,
            command: RECREATE,
            sample: &OF_RECREATE,
        },
    ];
    let sweeps = sweeps.map(|sweep| sweep.measure(&cloud));
    let all = std::env::var("IACSH_SWEEP").is_ok_and(|sweep| sweep == "all");
    let jobs: Vec<_> = sweeps
        .iter()
        .flat_map(|sweep| sweep.places(all).into_iter().map(move |place| (sweep, place)))
        .collect();
    let next = AtomicU32::new(0);
    let (points, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((sweep, place)) = jobs.get(next.fetch_add(1, Ordering::SeqCst) as usize) {
                    let name = sweep.sweep.name;
                    let Some((point, wrong)) = sweep.point(&cloud, place) else {
                        continue;
                    };
                    println!("{name}: {point}: {}", if wrong.is_empty() { "ok" } else { "WRONG" });
                    points.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                    if !wrong.is_empty() {
                        let told = format!("{name}: {point}:\n  {}", wrong.join("\n  "));
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                    }
                }
            });
        }
    });
    let points = points.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    for sweep in &sweeps {
        let (name, writes) = (sweep.sweep.name, sweep.writes);
        let done = points.iter().filter(|point| **point == name).count();
        println!("{name} on moto: {done} points of a run with {writes} writing calls");
        let least = if all {
            2 * writes as usize - 4
        } else {
            sweep.sweep.sample.len()
        };
        assert!(done >= least, "{name}: only {done} points were reached");
    }
    assert!(failed.is_empty(), "{} are wrong:\n{}", failed.len(), failed.join("\n"));
}
