//! What an environment looks like, told so that two environments can be compared: every resource by kind and name, and
//! its fields without what is only this environment's.
//!
//! Ids and ARNs that are the environment's own become the name of what they lead to, so that the same structure in
//! another account reads the same. What else differs from place to place (other ids, addresses, hosts, times) becomes a
//! word that says what it is.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use ipnet::Ipv4Net;
use regex::{Captures, Regex};
use serde_json::Value as Json;

use futures::future::try_join_all;

use super::engine::Engine;
use super::tags::Scope;
use crate::error::{Error, Result};
use crate::value::Value;

/// Fields of the moment or of the place: what a resource is called there, what changes by itself, and what a service
/// chose by itself where nobody said it.
const LEFT_OUT: [&str; 26] = [
    "allocation_id",
    "arn",
    "backup_window",
    "changed_at",
    "created_at",
    "deployment",
    "endpoint",
    "events",
    "free_addresses",
    "id",
    "maintenance_window",
    "name",
    "name_at_aws",
    "pending",
    "public_ip",
    "revision",
    "running",
    "running_tasks",
    "snapshot_window",
    "started",
    "state",
    "status",
    "stored_bytes",
    "uri",
    "url",
    "version",
];

/// The same of one kind: a database in one zone is put into any.
const LEFT_OUT_OF: [(&str, &str); 1] = [("db-instance", "zone")];

/// Kinds of which each one is a fact of its own time.
const KINDS_LEFT_OUT: [&str; 1] = ["db-snapshot"];

/// Each resource's fields, by `KIND/NAME`.
pub type Portrait = BTreeMap<String, BTreeMap<String, Json>>;

/// Reads everything of an environment. A kind that cannot be listed is an error: what cannot be seen is no difference.
pub async fn read(engine: &Engine, region: &str) -> Result<Portrait> {
    let kinds = engine
        .kinds()
        .iter()
        .filter(|kind| !KINDS_LEFT_OUT.contains(&kind.about().kind));
    let listings = try_join_all(kinds.map(async |kind| {
        let listing = engine.list_again(kind.about().kind).await?;
        Ok::<_, Error>((kind, listing))
    }))
    .await?;
    let mut local = Local::new(engine.scope(), region);
    for (kind, listing) in &listings {
        for live in listing.iter() {
            let label = format!("{}/{}", kind.about().kind, live.name);
            let row = kind.row(live);
            let arn = row.get("arn").and_then(Value::as_str).unwrap_or_default();
            local.is_called(&live.id, &label);
            local.is_called(arn, &label);
            if kind.about().kind == "vpc" {
                local.has_network(row.get("cidr").and_then(Value::as_str).unwrap_or_default());
            }
        }
    }
    local.settle();
    let mut portrait = Portrait::new();
    for (kind, listing) in &listings {
        for live in listing.iter() {
            let of = kind.about().kind;
            let is_left_out = |key: &str| LEFT_OUT.contains(&key) || LEFT_OUT_OF.contains(&(of, key));
            let fields = kind.row(live).into_iter().filter(|(key, _)| !is_left_out(key));
            let fields = fields.map(|(key, value)| (key, local.told(&value.to_json())));
            let fields = fields.filter(|(_, value)| !value.is_null()).collect();
            let mut label = format!("{}/{}", kind.about().kind, live.name);
            // Two of one name are told as two.
            while portrait.contains_key(&label) {
                label.push_str(" (another)");
            }
            portrait.insert(label, fields);
        }
    }
    Ok(portrait)
}

/// What is only this environment's.
struct Local {
    /// `PROJECT-ENV`, with which the names begin that iacsh makes.
    own: String,
    /// What a text is replaced by, the longest first.
    words: Vec<(String, String)>,
    networks: Vec<Ipv4Net>,
}

macro_rules! pattern {
    ($name:ident = $pattern:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
    };
}

pattern!(ARN = r"arn:aws[a-z-]*:[^\s,\x22]+");
pattern!(HOST = r"\b(?:[A-Za-z0-9-]+\.)+(?:amazonaws\.com(?:\.cn)?|sandbox(?:\.[a-z]+)*)\b");
pattern!(ID = r"\b[a-z]{1,10}-[0-9a-f]{8}(?:[0-9a-f]{9})?\b");
pattern!(TIME = r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?");
pattern!(ADDRESS = r"\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?\b");

impl Local {
    fn new(scope: &Scope, region: &str) -> Self {
        let (project, environment) = (&scope.project, &scope.environment);
        let mut words = vec![
            (format!("/{project}/{environment}/"), "/PROJECT/ENV/".to_owned()),
            (format!("{project}-{environment}"), "PROJECT-ENV".to_owned()),
        ];
        if !region.is_empty() {
            words.push((region.to_owned(), "REGION".to_owned()));
        }
        Self {
            own: format!("{project}-{environment}"),
            words,
            networks: Vec::new(),
        }
    }

    fn is_called(&mut self, id: &str, label: &str) {
        // A short one could stand for something else within another text, and one made of the environment's own name is
        // understood by that.
        if id.len() >= 8 && !id.starts_with(&self.own) {
            self.words.push((id.to_owned(), label.to_owned()));
        }
    }

    fn has_network(&mut self, cidr: &str) {
        self.networks.extend(cidr.parse::<Ipv4Net>());
    }

    fn settle(&mut self) {
        self.words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    fn told(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.text(text)),
            // Services keep no order.
            Json::Array(items) => {
                let mut items: Vec<_> = items.iter().map(|item| self.told(item)).collect();
                items.sort_by_key(ToString::to_string);
                Json::Array(items)
            }
            Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), self.told(value))).collect(),
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, label) in &self.words {
            if text.contains(word) {
                text = text.replace(word, label);
            }
        }
        for (pattern, word) in [
            (&ARN, "(an ARN)"),
            (&HOST, "(a host)"),
            (&ID, "(an id)"),
            (&TIME, "(a time)"),
        ] {
            if let Some(pattern) = pattern.as_ref() {
                text = pattern.replace_all(&text, word).into_owned();
            }
        }
        match ADDRESS.as_ref() {
            Some(pattern) => pattern
                .replace_all(&text, |found: &Captures<'_>| self.address(&found[0]))
                .into_owned(),
            None => text,
        }
    }

    /// A range within the environment's own network is told by its size; any other range is what it is.
    fn address(&self, text: &str) -> String {
        match text.parse::<Ipv4Net>() {
            Ok(range) if self.networks.iter().any(|network| network.contains(&range)) => {
                format!("a /{} of the network", range.prefix_len())
            }
            Ok(_) => text.to_owned(),
            Err(_) if text.parse::<Ipv4Addr>().is_ok() => "(an address)".to_owned(),
            Err(_) => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_this_environments_is_told_by_what_it_is() {
        let mut local = Local::new(&Scope::new("shop", "staging").unwrap(), "eu-central-1");
        local.is_called("sg-0123456789abcdef0", "security-group/front");
        local.is_called("arn:aws:iam::1:role/shop-staging-execution", "role/execution");
        local.has_network("10.20.0.0/16");
        local.settle();
        for (given, told) in [
            ("tcp 443 from sg-0123456789abcdef0", "tcp 443 from security-group/front"),
            ("tcp 443 from sg-ffff456789abcdef0", "tcp 443 from (an id)"),
            ("arn:aws:iam::1:role/shop-staging-execution", "role/execution"),
            ("arn:aws:secretsmanager:eu-central-1:1:secret:x", "(an ARN)"),
            ("/shop/staging/redis.endpoint", "/PROJECT/ENV/redis.endpoint"),
            ("shop-staging-web and eu-central-1a", "PROJECT-ENV-web and REGIONa"),
            ("1.dkr.ecr.eu-central-1.amazonaws.com/shop:1.0", "(a host)/shop:1.0"),
            (
                "10.20.16.0/20 0.0.0.0/0 10.20.16.7",
                "a /20 of the network 0.0.0.0/0 (an address)",
            ),
            ("since 2027-01-31T12:00:00Z", "since (a time)"),
            ("cache.t4g.micro 7.1 allkeys-lru", "cache.t4g.micro 7.1 allkeys-lru"),
        ] {
            assert_eq!(local.text(given), told);
        }
        let list = serde_json::json!(["b", "a"]);
        assert_eq!(local.told(&list), serde_json::json!(["a", "b"]));
    }
}
