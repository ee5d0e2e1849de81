//! The suite on the sandbox, and what is true of the suite itself.

use std::path::PathBuf;
use std::sync::Arc;

use super::client::embedded::Embedded;
use super::*;

/// The files, so that a case can be written without compiling again.
fn suite() -> Suite {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/contract/cases");
    Suite::read(&folder).unwrap_or_else(|error| panic!("{error}"))
}

/// Each thread has a sandbox of its own, so that no case moves another one's clock.
const THREADS: usize = 2;

#[test]
fn the_sandbox_passes_every_case() {
    let suite = suite();
    let only = std::env::var("IACSH_CASES").unwrap_or_default();
    let cases: Vec<&Case> = suite.cases.iter().filter(|case| case.title().contains(&only)).collect();
    let told: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mine: Vec<&Case> = cases.iter().copied().skip(thread).step_by(THREADS).collect();
                let suite = &suite;
                scope.spawn(move || {
                    let folder = tempfile::tempdir().unwrap();
                    let client: Arc<dyn Client> = Arc::new(Embedded::open(folder.path()).unwrap());
                    let mut told = Vec::new();
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(run_all(suite, &mine, &[client], |number, verdict| {
                        told.extend(in_words(mine[number], &verdict));
                    }));
                    told
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(
        told.is_empty(),
        "{} of {} cases:\n{}",
        told.len(),
        cases.len(),
        told.join("\n")
    );
}

fn in_words(case: &Case, verdict: &Verdict) -> Option<String> {
    let left = verdict
        .left
        .iter()
        .map(|left| format!("\n    left behind: {left}"))
        .collect::<String>();
    match &verdict.difference {
        Some(difference) => Some(format!(
            "- {}\n    {difference}\n    {}{left}",
            case.title(),
            case.citation()
        )),
        None if left.is_empty() => None,
        None => Some(format!("- {}{left}", case.title())),
    }
}
