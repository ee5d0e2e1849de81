//! Start-up, and the main job on the sandbox, as whole processes: wall time, and peak memory as the system accounts it.
//!
//! `cargo bench` builds the release profile and prints each figure beside its limit, as a ratio: below 1 is within. Nothing
//! is asserted: machines differ, and a bench that fails on a busy one teaches people to ignore it. See `README.md` here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One finished process.
struct Sample {
    wall: Duration,
    /// Peak resident memory in MB (10^6 bytes).
    memory: f64,
    calls: BTreeMap<String, u32>,
}

fn main() {
    println!(
        "{:<44} {:>10} {:>10} {:>7}",
        "median of whole processes", "measured", "limit", "ratio"
    );

    let project = project();
    run(project.path(), &["-c", "1"]);
    let start: Vec<_> = (0..21).map(|_| run(project.path(), &["-c", "1"])).collect();
    figure("start-up: iacsh -c '1', ms", milliseconds(&start), 30.0);
    figure(
        "start-up: peak memory, MB",
        median(start.iter().map(|sample| sample.memory)),
        40.0,
    );

    let projects: Vec<_> = (0..5).map(|_| self::project()).collect();
    let first: Vec<_> = projects
        .iter()
        .map(|project| run(project.path(), &["scripts/recreate.rhai"]))
        .collect();
    figure("recreate from nothing, ms", milliseconds(&first), 2000.0);
    let again: Vec<_> = projects
        .iter()
        .map(|project| run(project.path(), &["scripts/recreate.rhai"]))
        .collect();
    figure("recreate, nothing to change, ms", milliseconds(&again), 500.0);

    println!("\ncalls to AWS:");
    for (what, samples) in [("recreate from nothing", &first), ("nothing to change", &again)] {
        let calls = samples.first().map(|sample| sample.calls.clone()).unwrap_or_default();
        println!("  {what}: {} calls", calls.values().sum::<u32>());
        if what == "nothing to change" {
            calls
                .iter()
                .for_each(|(action, count)| println!("    {count:>3} {action}"));
        }
    }
}

fn figure(what: &str, measured: f64, limit: f64) {
    println!("{what:<44} {measured:>10.1} {limit:>10.0} {:>7.2}", measured / limit);
}

fn milliseconds(samples: &[Sample]) -> f64 {
    median(samples.iter().map(|sample| sample.wall.as_secs_f64() * 1000.0))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A project folder with a sandbox of its own.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for part in ["scripts", "environments", "migrations", "clients"] {
        let (from, to) = (
            Path::new(env!("CARGO_MANIFEST_DIR")).join(part),
            folder.path().join(part),
        );
        std::fs::create_dir(&to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder").flatten() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
    folder
}

/// Runs the program, and asks the system what it used. The calls are those that `-v` tells.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it, and tells what it used")]
fn run(folder: &Path, args: &[&str]) -> Sample {
    let log = folder.join("calls.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_iacsh"));
    command
        .arg("-v")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.stderr(std::fs::File::create(&log).expect("a log"));
    let began = Instant::now();
    let child = command.spawn().expect("the program starts");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the id is our own child's, which nobody else waits for, and both pointers are to values of our own.
    let waited = unsafe { libc::wait4(child.id().cast_signed(), &mut status, 0, usage.as_mut_ptr()) };
    let wall = began.elapsed();
    let told = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(waited > 0 && status == 0, "{args:?} ended with {status}: {told}");
    // SAFETY: wait4 has filled it, and all zeros is a valid rusage.
    let peak = unsafe { usage.assume_init() }.ru_maxrss;
    // In KiB on Linux, in bytes on macOS: getrusage(2).
    let memory = peak as f64 * if cfg!(target_os = "macos") { 1.0 } else { 1024.0 } / 1e6;
    let mut calls = BTreeMap::new();
    for line in told.lines().filter(|line| line.trim_end().ends_with(" ms")) {
        if let Some(action) = line.split_whitespace().find(|word| word.contains(':')) {
            *calls.entry(action.to_owned()).or_default() += 1;
        }
    }
    Sample { wall, memory, calls }
}
