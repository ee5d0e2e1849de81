//! `iacsh sandbox conformance`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::cli::Options;
use crate::commands::Signals;
use crate::environment::Environment;
use crate::error::{Error, Exit, Result};
use crate::map;
use crate::output::Printer;
use crate::sandbox::contract::client::{self, Answer};
use crate::sandbox::contract::{self, Case, Client, Suite, Verdict};
use crate::session::conformance;
use crate::value::Value;

/// Minutes of an ordinary case on AWS, for the estimate.
const MINUTES: f64 = 0.15;

/// Runs the contract suite on the environment's AWS, and tells where it differs. Exit code 1 when it does.
pub fn conformance(root: &Path, options: &Options, slow: bool, printer: &Printer) -> Result<u8> {
    let environment = Environment::load(root, &options.env)?;
    let suite = Suite::embedded().map_err(|error| Error::failed(format!("the contract suite: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))?;
    runtime.block_on(async {
        let peer = conformance::open(&environment).await?;
        let asked: Vec<&Case> = suite.cases.iter().filter(|case| is_asked_for(case, options)).collect();
        if asked.is_empty() {
            return Err(Error::usage("no case has such a text in its title"));
        }
        let cases: Vec<&Case> = asked
            .iter()
            .copied()
            .filter(|case| !peer.is_remote || ((slow || !case.is_slow()) && case.simulated.is_none()))
            .collect();
        if peer.is_remote {
            check_account(peer.clients.as_slice(), &environment).await?;
            let question = question(&environment, &cases, asked.len(), peer.clients.len(), slow);
            if !printer.confirm(&question, options.yes)? {
                return Err(Error::declined("nothing was run"));
            }
        }
        let mut signals = Signals::listen();
        let stop = AtomicBool::new(false);
        let mut verdicts: Vec<Option<Verdict>> = vec![None; cases.len()];
        let mut done = 0;
        let mut left = Vec::new();
        {
            let all = contract::run_all(&suite, &cases, &peer.clients, &stop, |number, verdict| {
                done += 1;
                left.extend(verdict.left.iter().cloned());
                if peer.is_remote {
                    let word = if verdict.difference.is_some() {
                        "differs"
                    } else {
                        "passes"
                    };
                    printer.message(&format!("{done}/{} {word}: {}", cases.len(), cases[number].title()));
                }
                // A case that was cut off says nothing about the peer.
                if !stop.load(Ordering::Relaxed) || verdict.difference.is_none() {
                    verdicts[number] = Some(verdict);
                }
            });
            let mut all = std::pin::pin!(all);
            tokio::select! {
                () = &mut all => {}
                () = signals.next() => {
                    printer.message("interrupted: what the running cases have made is deleted; once more leaves it behind");
                    stop.store(true, Ordering::Relaxed);
                    tokio::select! {
                        () = &mut all => {}
                        () = signals.next() => {
                            let hint = "what the running cases had made has names that begin with iacsh-";
                            return Err(Error::interrupted().hint(hint));
                        }
                    }
                }
            }
        }
        let code = report(&cases, &verdicts, &left, asked.len() - cases.len(), printer)?;
        match stop.load(Ordering::Relaxed) {
            true => Err(Error::interrupted().hint("the cases that were cut off are not told")),
            false => Ok(code),
        }
    })
}

/// `--only TEXT`: its title has the text.
fn is_asked_for(case: &Case, options: &Options) -> bool {
    options.only.is_empty() || options.only.iter().any(|text| case.title().contains(text.as_str()))
}

/// The credentials must be those of the account that the environment names.
async fn check_account(clients: &[Arc<dyn Client>], environment: &Environment) -> Result<()> {
    let Some(client) = clients.first() else {
        return Ok(());
    };
    let answer = client::call(client.as_ref(), "sts", "GetCallerIdentity", &json!({}))
        .await
        .map_err(|error| Error::config(format!("AWS cannot be reached: {error}")))?;
    match answer {
        Answer::Done(caller) if caller["Account"] == client.account() => Ok(()),
        Answer::Done(caller) => Err(Error::declined(format!(
            "the environment {} is in account {}, but the credentials belong to account {}",
            environment.name,
            client.account(),
            caller["Account"].as_str().unwrap_or("?")
        ))),
        Answer::Refused(refusal) => Err(Error::config(format!(
            "sts:GetCallerIdentity: {}: {}",
            refusal.code, refusal.message
        ))),
    }
}

fn question(environment: &Environment, cases: &[&Case], asked: usize, at_once: usize, slow: bool) -> String {
    let minutes: f64 = cases.iter().map(|case| case.minutes.max(MINUTES)).sum();
    let longest = cases.iter().map(|case| case.minutes).fold(0.0, f64::max);
    let minutes = (minutes / at_once as f64).max(longest);
    let usd: f64 = cases.iter().map(|case| case.usd).sum();
    let left_out = match (asked - cases.len(), slow) {
        (0, _) => String::new(),
        (count, true) => format!(" ({count} are for the sandbox alone)"),
        (count, false) => format!(" ({count} that take minutes, cost money or are for the sandbox alone are left out)"),
    };
    format!(
        "Run {} cases in account {}, region {}?{left_out} They create and delete real resources, for about {minutes:.0} \
         minutes and {usd:.2} US dollars.",
        cases.len(),
        environment.aws.account.as_deref().unwrap_or_default(),
        environment.aws.region
    )
}

fn report(
    cases: &[&Case],
    verdicts: &[Option<Verdict>],
    left: &[String],
    left_out: usize,
    printer: &Printer,
) -> Result<u8> {
    let both = || cases.iter().zip(verdicts.iter().flatten());
    let differing = both().filter(|(_, verdict)| verdict.difference.is_some()).count();
    let passed = both().count() - differing;
    if printer.json() {
        let rows: Vec<_> = both().map(|(case, verdict)| document(case, verdict)).collect();
        printer.document(&json!({
            "cases": rows, "passed": passed, "differing": differing, "left_out": left_out,
            "left_behind": left,
        }))?;
    } else {
        let rows = both().map(|(case, verdict)| {
            let result = if verdict.difference.is_some() {
                "differs"
            } else {
                "pass"
            };
            Value::Map(map! { "service" => case.service.as_str(), "case" => case.name.as_str(), "result" => result })
        });
        printer.result(&Value::List(rows.collect()))?;
        for (case, verdict) in both() {
            if let Some(difference) = &verdict.difference {
                printer.print(&format!(
                    "\n{}\n  {}{}\n  expected  {}\n  real      {}\n  source    {}\n",
                    case.title(),
                    difference.step,
                    match difference.place.as_str() {
                        "" => String::new(),
                        place => format!(", {place}"),
                    },
                    difference.expected,
                    difference.real,
                    case.citation()
                ))?;
            }
        }
    }
    for left in left {
        printer.warn(&format!("left behind: {left}"));
    }
    printer.message(&format!(
        "{} cases: {passed} pass, {differing} differ, {left_out} left out",
        cases.len() + left_out
    ));
    Ok(match differing {
        0 => Exit::Done as u8,
        _ => Exit::Failed as u8,
    })
}

fn document(case: &Case, verdict: &Verdict) -> serde_json::Value {
    let mut row = json!({
        "service": case.service, "case": case.name, "source": case.citation(),
        "result": if verdict.difference.is_some() { "differs" } else { "pass" },
    });
    if let Some(difference) = &verdict.difference {
        row["difference"] = json!({
            "step": difference.step, "place": difference.place, "expected": difference.expected,
            "real": difference.real,
        });
    }
    row
}
