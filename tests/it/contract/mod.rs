//! The contract suite on moto: that a foreign implementation agrees with a case is the best sign, short of AWS itself,
//! that the case is right.
//!
//! `moto.toml` names each case in which moto differs, with the reason. A case that is not named must pass, and one that
//! is named must not, unless its reason begins with "at times": moto keeps its state for all cases that run at once, and
//! a few of its own failures come and go with that.

mod command;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use iacsh::sandbox::contract::client::remote::Remote;
use iacsh::sandbox::contract::{self, Case, Client, Suite};

use crate::peer::Moto;

/// moto does at once what it does at all.
const PATIENCE: Duration = Duration::from_millis(400);
/// How the reason of a case begins in which moto differs only now and then.
const AT_TIMES: &str = "at times ";
/// Servers: each is one process of Python, which uses one processor.
const SERVERS: usize = 2;

#[test]
fn moto_agrees_with_every_case_but_the_named_ones() {
    let Some(servers) = (0..SERVERS)
        .map(|_| Moto::start("contract::moto_agrees_with_every_case_but_the_named_ones"))
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = Suite::read(&folder.join("src/sandbox/contract/cases")).unwrap_or_else(|error| panic!("{error}"));
    let text = std::fs::read_to_string(folder.join("tests/it/contract/moto.toml")).expect("moto.toml");
    let named: BTreeMap<String, String> = toml::from_str(&text).unwrap_or_else(|error| panic!("moto.toml: {error}"));

    let clients: Vec<Arc<dyn Client>> = servers
        .iter()
        .map(|moto| {
            let keys = Credentials::new("testing", "testing", None, None, "contract");
            let endpoint = format!("http://127.0.0.1:{}", moto.port);
            let mut remote = Remote::new(
                "eu-central-1",
                "123456789012",
                Some(&endpoint),
                SharedCredentialsProvider::new(keys),
            );
            remote.most = Some(PATIENCE);
            let client: Arc<dyn Client> = Arc::new(remote);
            client
        })
        .collect();
    let only = std::env::var("IACSH_CASES").unwrap_or_default();
    let cases: Vec<&Case> = suite.cases.iter().filter(|case| case.title().contains(&only)).collect();
    let mut differs = BTreeMap::new();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(contract::run_all(
            &suite,
            &cases,
            &clients,
            &AtomicBool::new(false),
            |number, verdict| {
                if let Some(difference) = verdict.difference {
                    differs.insert(cases[number].title(), difference);
                }
            },
        ));

    let titles: BTreeSet<String> = suite.cases.iter().map(Case::title).collect();
    let mut wrong = Vec::new();
    for (title, difference) in &differs {
        if !named.contains_key(title) {
            wrong.push(format!("- not named: {title}\n    {difference}"));
        }
    }
    for (title, reason) in &named {
        let always = !reason.starts_with(AT_TIMES);
        if !titles.contains(title) {
            wrong.push(format!("- named, and there is no such case: {title}"));
        } else if always && cases.iter().any(|case| case.title() == *title) && !differs.contains_key(title) {
            wrong.push(format!("- named, and moto agrees: {title}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases, {} named:\n{}",
        cases.len(),
        named.len(),
        wrong.join("\n")
    );
}
