//! `iacsh iam policy`.

use std::path::Path;

use crate::environment::Environment;
use crate::error::Result;
use crate::output::{Printer, json};
use crate::session;

/// Prints the policies that runs in an environment need; with `plan` those of a plan, with `adopts` those of runs that
/// adopt.
pub fn policy(root: &Path, name: &str, plan: bool, adopts: bool, printer: &Printer) -> Result<u8> {
    let environment = Environment::load(root, name)?;
    let (policies, wide) = session::policies(&environment, plan, adopts);
    let purpose = if plan { "-plan" } else { "" };
    let title = |place: usize| match policies.len() {
        1 => format!("iacsh-{}-{name}{purpose}", environment.project),
        _ => format!("iacsh-{}-{name}{purpose}-{}", environment.project, place + 1),
    };
    if printer.json() {
        let policies = policies.iter().enumerate().map(|(place, policy)| {
            serde_json::json!({
                "name": title(place), "characters": policy.characters, "document": policy.document,
            })
        });
        let wide = wide
            .iter()
            .map(|wide| serde_json::json!({ "statement": wide.statement, "why": wide.why }));
        printer.document(&serde_json::json!({
            "policies": policies.collect::<Vec<_>>(), "all_resources": wide.collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    for (place, policy) in policies.iter().enumerate() {
        printer.message(&format!(
            "{}: {} of the 6,144 characters that a managed policy may have",
            title(place),
            policy.characters
        ));
        printer.show(&format!("{}\n", json::pretty(&policy.document)))?;
    }
    if policies.len() > 1 {
        printer.message(&format!(
            "these are {} policies, because one would be too long: attach all of them",
            policies.len()
        ));
    }
    if adopts {
        printer.message(
            "NetworkAdopt allows to give this environment's tags to anything of EC2 in the region that no environment has, and \
             what has them may be changed and deleted: attach it for the adoption, and not for longer",
        );
    }
    for wide in &wide {
        printer.message(&format!("{} is about all resources: {}", wide.statement, wide.why));
    }
    Ok(0)
}
