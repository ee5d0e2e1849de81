//! The program dies at a writing call, and the next run finishes the job with nothing doubled.
//!
//! Every test run does a sample of points, and all of `adopt`, `moved` and `--prune`; `IACSH_SWEEP=all cargo test --test it
//! crash -- --nocapture` does all and prints each. The same on moto is in the module `killed`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::dump::{Dump, difference, dump};
use crate::project::{Project, Ran, run};

/// Which run of what.
struct Sweep {
    name: &'static str,
    command: &'static [&'static str],
    /// The sandbox as it is before: nothing, or what a run made.
    begins_with: Option<&'static [&'static str]>,
    /// What happened to the project since then: another script, another sandbox.
    changed: fn(&Project),
    /// The next run is on another machine, some time later, and knows nothing of the first.
    elsewhere: bool,
    /// How many points every test run can afford; `None`: all.
    sample: Option<u32>,
}

pub fn project() -> Project {
    let project = Project::new();
    let more = "\n[network]\nnat = true\n[sandbox]\nclock = \"virtual\"\n";
    let file = project.read("environments/sandbox.toml") + more;
    project.write("environments/sandbox.toml", &file);
    project
}

impl Sweep {
    fn begin(&self, from: Option<&Project>) -> Project {
        let project = project();
        if let Some(from) = from {
            copy(&from.path().join(".sandbox"), &project.path().join(".sandbox"));
        }
        (self.changed)(&project);
        project
    }

    /// Dies at a point and runs again. `None` when the run was over before it; else the point, and what is wrong.
    fn point(&self, from: Option<&Project>, expected: &Dump, place: &str) -> Option<(String, Vec<String>)> {
        let project = self.begin(from);
        let mut command = project.command(self.command);
        command.env("IACSH_SANDBOX_CRASH", place);
        let died = run(command);
        if died.code == 0 {
            return None;
        }
        let point = died.err.lines().find_map(|line| line.strip_prefix("crash: "));
        let point = point.unwrap_or_else(|| panic!("{place}: {died}")).to_owned();
        if self.elsewhere {
            self.move_away(&project);
        }
        let again = project.iacsh(self.command);
        let mut wrong = Vec::new();
        if again.code != 0 {
            wrong.push(again.to_string());
        }
        wrong.extend(difference(expected, &dump(project.path())));
        Some((point, wrong))
    }

    /// What the process that died left behind is now that of another machine.
    fn move_away(&self, project: &Project) {
        let folder = project.path().join(".iacsh");
        if folder.exists() {
            std::fs::remove_dir_all(folder).expect("deleted");
        }
        let state = state(project);
        state
            .execute(
                "UPDATE document SET body = replace(body, '\\\"machine\\\":\\\"', '\\\"machine\\\":\\\"another ')
                 WHERE kind = 'ssm/parameter' AND id LIKE '%/lease/%'",
                [],
            )
            .expect("moved");
        drop(state);
        let held = project.iacsh(&["-c", "publish(\"x\", \"y\")"]);
        assert!(matches!(held.code, 0 | 75), "{held}");
        if held.code == 75 {
            project.iacsh(&["-c", "sandbox::advance(\"80s\")"]).code(0);
        } else {
            project.iacsh(&["destroy", "--yes", "--only", "parameter/x"]).code(0);
        }
    }

    fn run(&self) {
        let before = self.begins_with.map(|command| {
            let project = project();
            project.write(SITE, WHOLE);
            project.iacsh(command).code(0);
            project
        });
        let from = before.as_ref();
        let whole = self.begin(from);
        let mut command = self.command.to_vec();
        command.push("-v");
        let uninterrupted = whole.iacsh(&command).code(0);
        let total = writes(&uninterrupted);
        let expected = dump(whole.path());
        let all = std::env::var("IACSH_SWEEP").is_ok_and(|sweep| sweep == "all");
        let sample = self.sample.filter(|_| !all);
        // Of a sample every other point is before the call, and every other one after.
        let most = sample.unwrap_or(2 * (total + 20));
        let place = |number: u32| match sample {
            None => (number / 2 + 1, number % 2 == 1),
            Some(sample) => (1 + number * total / sample, number % 2 == 1),
        };
        let (next, done, over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(u32::MAX));
        let failed = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= most || number >= over.load(Ordering::SeqCst) {
                            return;
                        }
                        let (call, after) = place(number);
                        let place = format!("{} {call}", if after { "after" } else { "before" });
                        let Some((point, wrong)) = self.point(from, &expected, &place) else {
                            // No run makes this many calls.
                            over.fetch_min(if call > total { number } else { u32::MAX }, Ordering::SeqCst);
                            continue;
                        };
                        done.fetch_add(1, Ordering::SeqCst);
                        let outcome = if wrong.is_empty() { "ok" } else { "WRONG" };
                        println!("{}: {point}: {outcome}", self.name);
                        if !wrong.is_empty() {
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.push(format!("{point}:\n  {}", wrong.join("\n  ")));
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let done = done.into_inner();
        println!(
            "{}: {done} points of a run with {total} writing calls, {} wrong",
            self.name,
            failed.len()
        );
        assert!(failed.is_empty(), "{}:\n{}", self.name, failed.join("\n"));
        let least = sample.unwrap_or(2 * total) - 2;
        assert!(done >= least, "only {done} points were reached");
    }
}

/// Whether an action changes nothing.
pub fn is_read(action: &str) -> bool {
    let reads = [
        "Describe",
        "Get",
        "List",
        "BatchGet",
        "BatchCheck",
        "Filter",
        "Simulate",
    ];
    reads.iter().any(|reads| action.starts_with(reads))
}

/// How many writing calls a run with `-v` made.
fn writes(ran: &Ran) -> u32 {
    let calls = ran.err.lines().filter_map(|line| line.trim().strip_prefix("INFO "));
    let actions = calls.filter_map(|call| call.split_once(':')?.1.split(' ').next());
    let writes = actions.filter(|action| !is_read(action));
    u32::try_from(writes.count()).expect("not that many")
}

pub fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a file type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

const SITE: &str = "scripts/site.rhai";

/// A small environment, with one of each way to write tags.
const WHOLE: &str = r#"
let vpc = ec2::ensure_vpc(#{ name: "main", cidr: "10.20.0.0/16" });
let subnet = ec2::ensure_subnet(#{ name: "a", vpc: vpc.id, cidr: "10.20.0.0/24", zone: "eu-central-1a" });
let front = ec2::ensure_security_group(#{
    name: "front", vpc: vpc.id, description: "from the internet", ingress: [#{ port: 80, cidrs: ["0.0.0.0/0"] }]
});
logs::ensure_log_group(#{ name: "web" });
iam::ensure_role(#{ name: "execution", service: "ecs-tasks.amazonaws.com" });
secrets::ensure_secret(#{ name: "smtp", generate: #{} });
ecs::ensure_cluster(#{ name: "main" });
elasticache::ensure_cache_subnet_group(#{ name: "redis", subnets: [subnet.id] });
elb::ensure_target_group(#{ name: "web", vpc: vpc.id, port: 8080, health_path: "/health" });
publish("site", vpc.id);
"#;

/// Three of them have other names now.
const MOVED: &str = r#"
moved("vpc/main", "vpc/primary");
moved("subnet/a", "subnet/first");
moved("security-group/front", "security-group/public");
"#;

/// What was clicked together gets tags, and then what nobody had clicked.
const ADOPT: &str = r#"
let vpc = adopt("vpc", "VPC", #{ section: "site.rhai", name: "main", cidr: "10.20.0.0/16" });
let subnet = adopt("subnet", "SUBNET", #{
    section: "site.rhai", name: "a", vpc: vpc.id, cidr: "10.20.0.0/24", zone: "eu-central-1a"
});
adopt("log-group", "identity-sandbox-web", #{ section: "site.rhai", name: "web" });
adopt("role", "identity-sandbox-execution", #{
    section: "site.rhai", name: "execution", service: "ecs-tasks.amazonaws.com"
});
adopt("secret", "identity-sandbox-smtp", #{ section: "site.rhai", name: "smtp", generate: #{} });
adopt("cluster", "identity-sandbox-main", #{ section: "site.rhai", name: "main" });
adopt("cache-subnet-group", "identity-sandbox-redis", #{
    section: "site.rhai", name: "redis", subnets: [subnet.id]
});
adopt("target-group", "identity-sandbox-web", #{
    section: "site.rhai", name: "web", vpc: vpc.id, port: 8080, health_path: "/health"
});
ec2::ensure_security_group(#{ name: "more", vpc: vpc.id, description: "new" });
logs::ensure_log_group(#{ name: "more", retention_days: 7 });
"#;

const RECREATE: &[&str] = &["scripts/recreate.rhai"];
const DESTROY: &[&str] = &["destroy", "--yes"];

#[test]
fn recreate_survives_a_crash_at_every_call() {
    Sweep {
        name: "recreate",
        command: RECREATE,
        begins_with: None,
        changed: |_| (),
        elsewhere: false,
        sample: Some(12),
    }
    .run();
}

#[test]
fn recreate_survives_a_crash_also_on_another_machine() {
    Sweep {
        name: "recreate elsewhere",
        command: RECREATE,
        begins_with: None,
        changed: |_| (),
        elsewhere: true,
        sample: Some(6),
    }
    .run();
}

#[test]
fn destroy_survives_a_crash_at_every_call() {
    Sweep {
        name: "destroy",
        command: DESTROY,
        begins_with: Some(RECREATE),
        changed: |_| (),
        elsewhere: false,
        sample: Some(12),
    }
    .run();
}

#[test]
fn destroy_survives_a_crash_also_on_another_machine() {
    Sweep {
        name: "destroy elsewhere",
        command: DESTROY,
        begins_with: Some(RECREATE),
        changed: |_| (),
        elsewhere: true,
        sample: Some(6),
    }
    .run();
}

/// The sandbox's own file: what is done here by hand, no call does.
fn state(project: &Project) -> rusqlite::Connection {
    rusqlite::Connection::open(project.path().join(".sandbox/aws.sqlite")).expect("the sandbox's state")
}

/// All tags are gone, as of what was made by other means, and the script names what is there by its ids.
fn untagged(project: &Project) {
    let state = state(project);
    state
        .execute("DELETE FROM document WHERE kind = 'tags'", [])
        .expect("deleted");
    let id = |kind: &str| -> String {
        let found = state.query_row("SELECT id FROM document WHERE kind = ?1", [kind], |row| row.get(0));
        found.expect("one of them")
    };
    let script = ADOPT
        .replace("VPC", &id("ec2/vpc"))
        .replace("SUBNET", &id("ec2/subnet"));
    project.write("scripts/adopt.rhai", &script);
}

#[test]
fn adopt_survives_a_crash_at_every_call() {
    Sweep {
        name: "adopt",
        command: &["scripts/adopt.rhai", "--yes"],
        begins_with: Some(&[SITE]),
        changed: untagged,
        elsewhere: false,
        sample: None,
    }
    .run();
}

#[test]
fn moved_survives_a_crash_at_every_call() {
    Sweep {
        name: "moved",
        command: &[SITE],
        begins_with: Some(&[SITE]),
        changed: |project| {
            let script = WHOLE.replace("name: \"main\", cidr", "name: \"primary\", cidr");
            let script = script.replace("name: \"a\"", "name: \"first\"");
            let script = script.replace("name: \"front\"", "name: \"public\"");
            project.write(SITE, &format!("{MOVED}{script}"));
        },
        elsewhere: false,
        sample: None,
    }
    .run();
}

/// The script has shrunk to two, one of which is changed in the same run, and has one that is new.
#[test]
fn prune_survives_a_crash_at_every_call() {
    Sweep {
        name: "prune",
        command: &[SITE, "--prune", "--yes"],
        begins_with: Some(&[SITE]),
        changed: |project| {
            let shrunk = r#"
ecs::ensure_cluster(#{ name: "main" });
logs::ensure_log_group(#{ name: "web", retention_days: 7 });
iam::ensure_role(#{ name: "task", service: "ecs-tasks.amazonaws.com" });
"#;
            project.write(SITE, shrunk);
        },
        elsewhere: false,
        sample: None,
    }
    .run();
}
