//! `iacsh test`: the tests of this repository's scripts, and how tests are told that fail.

use std::path::Path;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::project::{Project, Ran};

/// Two tests of a library of the project's own, and one script.
const PASSES: &str = r#"
import "network" as network;

fn test_a_vpc_is_made() {
    assert_eq(ec2::vpcs().len(), 0);
    let vpc = ec2::ensure_vpc(#{ name: "main", cidr: "10.0.0.0/16" });
    assert_eq(vpc.cidr, "10.0.0.0/16");
    print("seen only when it fails");
}

fn test_the_next_one_begins_with_nothing() {
    assert_eq(ec2::vpcs(), []);
    network::ensure();
}

fn helper(x) { x }
"#;

/// What is told without the times, which differ.
fn timeless(text: &str) -> String {
    let times = Regex::new(r"(?m) \(\d[^)]*\)$").expect("a regex");
    let sum = Regex::new(r" in \d[^:]*:").expect("a regex");
    let text = times.replace_all(text, "");
    sum.replace_all(&text, ":").into_owned()
}

fn names(ran: &Ran) -> Vec<String> {
    let tests = ran.json();
    let tests = tests["tests"].as_array().cloned().unwrap_or_default();
    tests
        .iter()
        .map(|test| test["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Everything that stands in `tests/scripts`, in a copy of the repository.
#[test]
fn the_scripts_of_this_repository_pass_their_tests() {
    let project = Project::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).expect("a script");
        project.write(&format!("tests/scripts/{name}"), &text);
    }
    let ran = project.iacsh(&["test"]).code(0).says("ok");
    assert!(ran.out.lines().count() > 25, "{ran}");
    // The project's own sandbox is not touched, and nothing is left in the project.
    for left in [".sandbox", ".iacsh"] {
        assert!(!project.path().join(left).exists(), "{left} was made");
    }
}

#[test]
fn a_test_has_a_sandbox_of_its_own_and_prints_only_when_it_fails() {
    let project = Project::new();
    project.write("tests/network.rhai", PASSES);
    // Found without being named, and in the folder of the project also from below.
    let ran = project.iacsh(&["test", "--jobs", "1"]).code(0);
    assert_eq!(
        timeless(&ran.out),
        "ok tests/network.rhai::test_a_vpc_is_made\n\
         ok tests/network.rhai::test_the_next_one_begins_with_nothing\n\
         2 tests: 2 ok\n",
        "{ran}"
    );
    assert_eq!(ran.err, "");
    project
        .iacsh(&["test", "--show-output"])
        .code(0)
        .says("    seen only when it fails\n");
}

#[test]
fn an_assertion_that_fails_shows_both_sides_and_its_line() {
    let project = Project::new();
    project.write(
        "tests/wrong.rhai",
        r#"fn test_numbers() {
    print("before");
    assert_eq(1 + 1, 3);
}

fn test_maps() {
    let row = #{ name: "redis", port: 6379, state: "available", tls: true, zones: ["a", "b"] };
    let wanted = row;
    wanted.port = 6380;
    wanted.zones = ["a", "c"];
    assert_eq(row, wanted, "the row is another");
}

fn test_truth() {
    assert(check(2));
}

fn check(n) {
    assert_ne(n, 2);
    true
}

fn test_contents() {
    assert_contains("redis.internal", "valkey");
}

fn test_nothing_is_thrown() {
    assert_throws(|| 7, "no room");
}

fn test_something_else_is_thrown() {
    assert_throws(|| { throw "a lion" }, "a tiger");
}
"#,
    );
    let ran = project.iacsh(&["test", "--jobs", "1"]).code(1);
    let told = timeless(&ran.out);
    let (lines, blocks) = told.split_once("\n\n").expect("lines, then what failed");
    assert_eq!(
        lines.lines().filter(|line| line.starts_with("failed ")).count(),
        6,
        "{ran}"
    );
    assert_eq!(
        blocks,
        r#"tests/wrong.rhai::test_numbers
    before
error: the two differ
 --> tests/wrong.rhai:3:5
  |
3 |     assert_eq(1 + 1, 3);
  |     ^
  = note: left:  2
  = note: right: 3

tests/wrong.rhai::test_maps
error: the row is another
  --> tests/wrong.rhai:11:5
   |
11 |     assert_eq(row, wanted, "the row is another");
   |     ^
   = note: the two differ
   = note: - left, + right
       {
         "name": "redis",
     -   "port": 6379,
     +   "port": 6380,
         "state": "available",
         "tls": true,
         "zones": [
           "a",
     -     "b"
     +     "c"
         ]
       }

tests/wrong.rhai::test_truth
error: the two are the same
  --> tests/wrong.rhai:19:5
   |
19 |     assert_ne(n, 2);
   |     ^
   = in `check`, called from tests/wrong.rhai:15:12
   = note: both: 2

tests/wrong.rhai::test_contents
error: the one does not contain the other
  --> tests/wrong.rhai:24:5
   |
24 |     assert_contains("redis.internal", "valkey");
   |     ^
   = note: whole: "redis.internal"
   = note: part:  "valkey"

tests/wrong.rhai::test_nothing_is_thrown
error: nothing was thrown
  --> tests/wrong.rhai:28:5
   |
28 |     assert_throws(|| 7, "no room");
   |     ^
   = note: it gave 7
   = note: wanted: no room

tests/wrong.rhai::test_something_else_is_thrown
error: another error was thrown
  --> tests/wrong.rhai:32:5
   |
32 |     assert_throws(|| { throw "a lion" }, "a tiger");
   |     ^
   = note: thrown: a lion
   = note: wanted: a tiger

6 tests: 6 failed
"#,
        "{ran}"
    );
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let project = Project::new();
    project.write(
        "tests/secret.rhai",
        r#"fn test_same() {
    assert_eq(variable("TOKEN"), "swordfish-" + "4711");
    assert_eq(#{ token: variable("TOKEN") }, #{ token: variable("TOKEN") });
}

fn test_other() {
    print(variable("TOKEN"));
    assert_eq(#{ token: variable("TOKEN") }, #{ token: "halibut" });
}
"#,
    );
    let xml = project.path().join("report.xml");
    let ran = project.iacsh_with(
        &["test", "--json", "--junit", &xml.to_string_lossy()],
        &[("TOKEN", "swordfish-4711")],
    );
    let results: Vec<_> = ran.json()["tests"]
        .as_array()
        .expect("tests")
        .iter()
        .map(|test| test["result"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(results, ["ok", "failed"], "{ran}");
    let ran = ran.code(1).says("********");
    for text in [&ran.out, &ran.err, &project.read("report.xml")] {
        assert!(!text.contains("swordfish"), "{text}");
    }
}

/// An error in the background, in a script that the test runs, and one in the test itself lead to their lines.
#[test]
fn what_fails_elsewhere_leads_to_its_line() {
    let project = Project::new();
    project.write("scripts/breaks.rhai", "let x = [];\nprint(\"so far\");\nx[3]\n");
    project.write(
        "tests/elsewhere.rhai",
        "fn test_script() {\n    run(\"scripts/breaks.rhai\");\n}\n\n\
         fn test_background() {\n    sandbox::fail(\"ec2\", \"CreateVpc\", #{ code: \"VpcLimitExceeded\" });\n    \
         ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" });\n}\n\n\
         fn test_caught() {\n    sandbox::fail(\"ec2\", \"CreateVpc\", #{ code: \"VpcLimitExceeded\" });\n    \
         let error = assert_throws(|| { ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" }); });\n    \
         assert_eq(error.code, \"VpcLimitExceeded\");\n}\n",
    );
    let ran = project.iacsh(&["test"]).code(1);
    for wanted in [
        "    so far\n",
        "scripts/breaks.rhai:3",
        "in `run(\"scripts/breaks.rhai\")`, called from tests/elsewhere.rhai:2:5",
        "tests/elsewhere.rhai:7:",
        "VpcLimitExceeded",
        "3 tests in",
        "1 ok, 2 failed",
    ] {
        assert!(ran.out.contains(wanted), "{wanted:?} is missing in {ran}");
    }
}

#[test]
fn tests_are_chosen_by_name_and_listed_without_running() {
    let project = Project::new();
    project.write("tests/network.rhai", PASSES);
    project.write("tests/deep/er/other.rhai", "fn test_other() { throw \"never run\" }\n");
    project.write("tests/shared.rhai", "fn helper() { 1 }\n");

    let listed = project.iacsh(&["test", "--list", "--json"]).code(0).json();
    let listed: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| format!("{}:{}", row["file"].as_str().unwrap_or_default(), row["line"]))
        .collect();
    assert_eq!(
        listed,
        [
            "tests/deep/er/other.rhai:1",
            "tests/network.rhai:4",
            "tests/network.rhai:11"
        ]
    );

    let one = project.iacsh(&["test", "--only", "next_one", "--json"]).code(0);
    assert_eq!(names(&one), ["test_the_next_one_begins_with_nothing"]);
    let file = project.iacsh(&["test", "tests/network.rhai", "--json"]).code(0);
    assert_eq!(names(&file).len(), 2);
    let folder = project.iacsh(&["test", "tests/deep", "--json"]).code(1);
    assert_eq!(names(&folder), ["test_other"]);
    assert_eq!(folder.json()["tests"][0]["error"]["error"], "never run");

    project
        .iacsh(&["test", "--only", "test_othr"])
        .code(64)
        .says("did you mean `test_other`?");
}

#[test]
fn what_is_invalid_is_told_before_anything_runs() {
    let project = Project::new();
    project.write("tests/fine.rhai", "fn test_fine() { print(\"it ran\") }\n");
    project.write("tests/broken.rhai", "fn test_broken() { ec2::vcps() }\n");
    project.write(
        "tests/lost.rhai",
        "private fn test_private() { }\nfn test_with(parameter) { parameter }\n",
    );
    let ran = project.iacsh(&["test", "--show-output"]).code(65);
    for wanted in [
        "did you mean `ec2::vpcs`?",
        "the test test_private is private",
        "the test test_with takes parameters",
        "tests/lost.rhai:2:4",
        "3 errors",
    ] {
        assert!(ran.err.contains(wanted), "{wanted:?} is missing in {ran}");
    }
    assert!(!ran.out.contains("it ran"), "{ran}");

    project
        .iacsh(&["test", "scripts/recreate.rhai"])
        .code(65)
        .says("scripts/recreate.rhai has no tests");
    project
        .iacsh(&["test", "tests/missing.rhai"])
        .code(65)
        .says("there is no file");
    let empty = Project::new();
    empty.iacsh(&["test"]).code(64).says("there are no tests");
}

#[test]
fn a_test_never_reaches_a_cloud() {
    let project = Project::new();
    project.write("tests/network.rhai", PASSES);
    project
        .iacsh(&["test", "--env", "production"])
        .code(77)
        .says("tests run on the sandbox only")
        .says("environments/production.toml");
    project.write(
        "tests/sneaky.rhai",
        "fn test_sneaky() {\n    run(\"scripts/recreate.rhai\", #{}, #{ env: \"production\", confirm: \"production\" });\n}\n",
    );
    project
        .iacsh(&["test", "tests/sneaky.rhai"])
        .code(1)
        .says("tests run on the sandbox only");
    // And `run` is for tests alone.
    project
        .iacsh(&["-c", "run(\"scripts/recreate.rhai\")"])
        .code(1)
        .says("works in tests only");
}

/// Half an hour of AWS's time, by the test's clock, with what begins and ends in it in its order.
#[test]
fn time_is_simulated() {
    let project = Project::new();
    project.write(
        "tests/time.rhai",
        r#"import "network" as network;
import "redis" as redis;

fn test_time() {
    assert_eq(sandbox::elapsed(), 0.0);
    let cache = redis::ensure(network::ensure());
    sandbox::advance("5m");
    assert_contains(elasticache::replication_groups(), #{ name: "redis", state: "creating" });
    wait(cache.endpoint);
    let created = sandbox::elapsed();
    assert(created >= 9 * 60 && created < 9 * 60 + 15, `it took ${created} s`);
    sandbox::advance("20m");
    assert_eq(sandbox::elapsed(), created + 1200.0);
}

fn test_side_by_side() {
    let zones = parallel([|| make("a"), || make("b"), || make("c")]);
    let took = sandbox::elapsed();
    assert(took >= 9 * 60 && took < 10 * 60, `three at once took ${took} s`);
}

fn make(name) {
    let net = network::ensure();
    let subnets = elasticache::ensure_cache_subnet_group(#{
        name: name, description: name, subnets: net.private_subnets
    });
    wait(elasticache::ensure_replication_group(#{
        name: name, engine: "redis", engine_version: "7.1", node_type: "cache.t4g.micro", subnet_group: subnets.id,
        security_groups: [net.cache_group], encryption_in_transit: false
    }).endpoint)
}
"#,
    );
    let ran = project.iacsh(&["test", "--json"]).code(0);
    let document = ran.json();
    let simulated = document["tests"][0]["simulated_seconds"].as_f64().unwrap_or_default();
    assert!(simulated > 1700.0, "{ran}");
    assert!(document["seconds"].as_f64().unwrap_or(f64::MAX) < 120.0, "{ran}");
}

#[test]
fn the_environment_can_be_another_for_one_run() {
    let project = Project::new();
    project.write(
        "tests/variants.rhai",
        r#"fn test_variants() {
    let nat = run("scripts/redis.rhai", #{}, #{ environment: #{ network: #{ nat: true } } });
    assert_eq(ec2::nat_gateways().len(), 1);
    assert(nat.created > 10 && nat.seconds > 60);
    assert_throws(|| run("scripts/redis.rhai", #{}, #{ environment: #{ network: #{ nut: true } } }), "nut");
    assert_throws(|| run("scripts/redis.rhai", #{}, #{ envronment: #{} }), "environment");
    assert_throws(|| run("scripts/nonsuch.rhai"), "no such file");
    assert_throws(|| run("scripts/redis.rhai", #{ count: 3 }), "count");
    run("scripts/redis.rhai", #{}, #{ environment: #{ tags: #{ owner: (), expires_at: "2030-01-01" } } });
    // A run that is declined ends itself and not the test.
    assert_throws(|| run("scripts/destroy.rhai", #{}, #{ yes: false }), "--yes");
    assert_eq(elasticache::replication_groups().len(), 1);
}
"#,
    );
    project.iacsh(&["test"]).code(0);
}

#[test]
fn build_servers_get_their_report() {
    let project = Project::new();
    project.write(
        "tests/one.rhai",
        "fn test_a() { print(\"<&>\") }\nfn test_b() { throw \"a < b\" }\n",
    );
    project.write("tests/two.rhai", "fn test_c() { }\n");
    project.iacsh(&["test", "--junit", "report.xml"]).code(1);
    let xml = project.read("report.xml");
    for wanted in [
        "<testsuites name=\"iacsh\" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"0\"",
        "<testsuite name=\"tests/one.rhai\"",
        "<testsuite name=\"tests/two.rhai\"",
        "<testcase name=\"test_a\" classname=\"tests/one.rhai\" file=\"tests/one.rhai\" line=\"1\"",
        "<failure message=\"a &lt; b\"",
        "<system-out>&lt;&amp;&gt;",
    ] {
        assert!(xml.contains(wanted), "{wanted} is missing in {xml}");
    }
    project
        .iacsh(&["test", "--junit", "no/such/folder/report.xml"])
        .code(1)
        .says("cannot be written");
}

/// What chooses tests is not what a destroy in them is about.
#[test]
fn a_chosen_test_destroys_everything() {
    let project = Project::new();
    project.write(
        "tests/gone.rhai",
        "fn test_everything_goes() {\n    wait(ec2::ensure_vpc(#{ name: \"main\", cidr: \"10.0.0.0/16\" }));\n    \
         environment::destroy();\n    assert_eq(ec2::vpcs().len(), 0);\n}\n",
    );
    project.iacsh(&["test", "--only", "everything"]).code(0);
}

/// A nightly job is not kept from its end by a test that has none.
#[test]
fn a_test_that_never_ends_has_failed_and_the_others_go_on() {
    let project = Project::new();
    project.write(
        "tests/endless.rhai",
        "fn test_endless() {\n    print(\"on\");\n    loop {\n    }\n}\n\
         fn test_caught() {\n    try { loop { } } catch { print(\"caught\"); }\n}\n\
         fn test_fine() { sandbox::advance(\"7h\"); }\n",
    );
    let ran = project
        .iacsh(&["test", "--timeout", "1s", "--jobs", "1", "--junit", "report.xml"])
        .code(1)
        .says("the test took longer than 1.0 s and was ended")
        .says(" --> tests/endless.rhai:")
        .says("--timeout 10m")
        .says("3 tests in")
        .says("1 ok, 2 failed");
    assert!(!ran.out.contains("    caught"), "{ran}");
    let xml = project.read("report.xml");
    assert!(xml.contains("failures=\"2\" errors=\"0\" skipped=\"0\""), "{xml}");
    assert!(
        xml.contains("<failure message=\"the test took longer than 1.0 s and was ended"),
        "{xml}"
    );
    project
        .iacsh(&["test", "--timeout", "soon"])
        .code(64)
        .says("a time is written 90s");
}

/// Ctrl-C leaves at once, says what was not run, and leaves nothing behind.
#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_at_once() {
    let project = Project::new();
    project.write(
        "tests/endless.rhai",
        "fn test_endless() {\n    print(\"on\");\n    loop { }\n}\n",
    );
    let folder = project.path().join("temporary");
    std::fs::create_dir(&folder).expect("a folder");
    let child = project
        .command(&["test", "--junit", "report.xml"])
        .env("TMPDIR", &folder)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The test's sandbox is made when it begins.
    let began = Instant::now();
    let is_running = || std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    while !is_running() && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = i32::try_from(child.id()).expect("an id");
    // SAFETY: a signal to our own child, by its id.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    let ran = ran.code(130).says("interrupted");
    assert!(ran.out.contains("1 not run"), "{ran}");
    assert!(project.read("report.xml").contains("<skipped"));
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
}
