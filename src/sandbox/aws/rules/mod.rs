//! Rules: what goes wrong on purpose, so that scripts and tests can see how a run takes it.
//!
//! A rule lives in the state, so that a script, a test, another process and a server over the same folder all meet it.
//! There are two sorts. Rules of *calls* ([`meet`]) throttle, refuse, delay, or lose what comes in, before or after the
//! service sees it. *Conditions* ([`of`]) are asked by the services' state machines: an image that cannot be pulled, a
//! target that fails its checks, a limit that is reached.

pub mod limits;
pub mod meet;
pub mod nouns;
pub mod words;

use std::time::Duration;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::call::{Call, Fault};
use super::model;
use super::state::State;
use super::store::internal;
use crate::error::{Error, Result, nearest};

/// One rule, and which calls it meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    #[serde(flatten)]
    pub effect: Effect,
    /// The service as requests are signed (`ecs`, `elasticloadbalancing`), or `*`.
    pub service: String,
    /// The operation; `*` and `?` are wildcards.
    pub action: String,
    /// What it is about: a name, an id or an ARN, as a whole or its last part; `*` and `?` are wildcards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// So many matching calls are let through first.
    #[serde(default)]
    pub skip: u32,
    /// So many calls are met; `None` for all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Which share of the matching calls is met, from 0 to 1; without it all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Which calls these are: the same seed gives the same ones.
    #[serde(default)]
    pub seed: u64,
}

/// What a rule does. Times are milliseconds: those of calls by the wall clock, those of conditions by the sandbox's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Effect {
    /// Refused with this error.
    Fail { code: String, message: String, status: u16 },
    /// Refused because of too many requests, in the service's words. The SDK tries again.
    Throttle,
    /// Refused because a permission is missing, in the service's words.
    Deny,
    /// Carried out after this time. Rules behind this one still count.
    Delay { time: u64 },
    /// Carried out, but the answer never arrives: the caller cannot know.
    LoseAnswer,
    /// Neither carried out nor answered.
    Unreachable,
    /// Not more than so many of a noun ([`nouns`]), as a service's quota.
    Limit { noun: String, most: u64 },
    /// What was made is not seen for this long, and what was deleted lingers in the Tagging API. A noun or a service.
    Eventually { noun: String, time: u64 },
    /// The image of a container cannot be pulled.
    BadImage,
    /// A target group's or a service's targets fail their checks.
    Unhealthy,
    /// A service's running tasks stop.
    LoseTask,
    /// A secret or parameter cannot be read by a task that starts.
    MissingSecret,
}

/// What a state machine asks for with [`of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    BadImage,
    Unhealthy,
    LoseTask,
    MissingSecret,
}

/// A rule as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: i64,
    pub rule: Rule,
    /// Where it comes from: empty for one that was added by hand.
    pub source: String,
    /// How many calls matched.
    pub seen: u64,
    /// How many of them it met.
    pub met: u64,
}

impl Rule {
    /// A rule of every call of a service's operation (`ec2`, `CreateVpc`; `*` for all).
    pub fn new(service: &str, action: &str, effect: Effect) -> Self {
        Self {
            effect,
            service: service.to_owned(),
            action: action.to_owned(),
            resource: None,
            skip: 0,
            times: None,
            share: None,
            seed: 0,
        }
    }

    /// A rule about one thing, whatever the call: an image, a target group, a service, a secret.
    pub fn about(resource: &str, effect: Effect) -> Self {
        Self {
            resource: Some(resource.to_owned()),
            ..Self::new("*", "*", effect)
        }
    }

    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// A share of the calls, chosen by a seed.
    pub fn share(mut self, share: f64, seed: u64) -> Self {
        (self.share, self.seed) = (Some(share), seed);
        self
    }

    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// The rule with its service's own name (scripts say `elb` and `secrets`).
    ///
    /// # Errors
    /// A service, an operation or a noun that the sandbox does not have, with the nearest one that it has; a share that
    /// is none.
    pub fn checked(mut self) -> Result<Self> {
        if self.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(Error::invalid("`share` goes from 0 to 1"));
        }
        match &self.effect {
            Effect::Limit { noun, .. } => {
                let known = nouns::find(&self.service, noun)?;
                self.service = known.service.to_owned();
                if known.limit.is_none() {
                    return Err(
                        Error::invalid(format!("the sandbox knows no limit of {} {noun}", self.service))
                            .hint(format!("it knows {}", nouns::limited().join(", "))),
                    );
                }
            }
            Effect::Eventually { noun, .. } => {
                nouns::kinds(noun)?;
            }
            _ => {
                self.service = service(&self.service)?.to_owned();
                let operations = || {
                    model::of(&self.service)
                        .into_iter()
                        .flat_map(|(_, model)| model.operations.keys())
                };
                if self.service != "*" && !operations().any(|operation| glob(&self.action, operation)) {
                    let error = Error::invalid(format!(
                        "{}:{} is no operation of the sandbox",
                        self.service, self.action
                    ));
                    return Err(match nearest(&self.action, operations().map(String::as_str)) {
                        Some(near) => error.hint(format!("did you mean `{near}`?")),
                        None => error,
                    });
                }
            }
        }
        Ok(self)
    }

    fn takes(&self, service: &str, operation: &str) -> bool {
        (self.service == "*" || self.service == service) && glob(&self.action, operation)
    }

    /// Whether the matching call with this number (the first one is 1) is met by a rule that met so many before.
    fn meets(&self, number: u64, met: u64) -> bool {
        number > u64::from(self.skip)
            && self.times.is_none_or(|times| met < u64::from(times))
            && self.share.is_none_or(|share| chance(self.seed, number) < share)
    }

    fn condition(&self) -> Option<Condition> {
        match self.effect {
            Effect::BadImage => Some(Condition::BadImage),
            Effect::Unhealthy => Some(Condition::Unhealthy),
            Effect::LoseTask => Some(Condition::LoseTask),
            Effect::MissingSecret => Some(Condition::MissingSecret),
            _ => None,
        }
    }

    /// Whether it is met before a service sees the call.
    fn is_of_calls(&self) -> bool {
        matches!(
            self.effect,
            Effect::Fail { .. }
                | Effect::Throttle
                | Effect::Deny
                | Effect::Delay { .. }
                | Effect::LoseAnswer
                | Effect::Unreachable
        )
    }
}

impl Effect {
    /// Any error, as the service gives it.
    pub fn fail(fault: &Fault) -> Self {
        Self::Fail {
            code: fault.code.clone(),
            message: fault.message.clone(),
            status: fault.status,
        }
    }

    pub fn delay(time: Duration) -> Self {
        Self::Delay {
            time: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The name under which a service's requests are signed, from that or from the script module's name; `*` for all.
pub fn service(name: &str) -> Result<&str> {
    let signed = match name {
        "*" => return Ok("*"),
        "elb" | "elbv2" => "elasticloadbalancing",
        "secrets" => "secretsmanager",
        "tag" => "tagging",
        name => name,
    };
    match model::SERVICES.contains(&signed) {
        true => Ok(signed),
        false => {
            let error = Error::invalid(format!("the sandbox has no service `{name}`"));
            Err(match nearest(name, model::SERVICES.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("it has {}", model::SERVICES.join(", "))),
            })
        }
    }
}

/// Whether a condition holds for a thing: one of the names under which it is known. A rule that ends after some times is
/// used up by that.
pub fn of(call: &Call<'_>, condition: Condition, names: &[&str]) -> Result<bool, Fault> {
    let matching = |listed: &&Listed| {
        let pattern = listed.rule.resource.as_deref().unwrap_or("*");
        listed.rule.condition() == Some(condition) && names.iter().any(|name| is_about(pattern, name))
    };
    for listed in in_force(call)?.iter().filter(matching) {
        // What was counted in this call is in the state, not in what was read when it began.
        let counts = |column: &str| {
            let sql = format!("SELECT {column} FROM rule WHERE id = ?1");
            call.store.row::<i64>(&sql, params![listed.id])
        };
        let number = counts("seen")?.unwrap_or_default().unsigned_abs() + 1;
        let met = counts("met")?.unwrap_or_default().unsigned_abs();
        let meets = listed.rule.meets(number, met);
        // What always holds is not counted at each look, which would make a write of every read.
        let counted = listed.rule.times.is_some() || listed.rule.skip > 0 || listed.rule.share.is_some() || met == 0;
        if counted {
            call.store.execute(
                "UPDATE rule SET seen = seen + 1, met = met + ?2 WHERE id = ?1",
                params![listed.id, meets],
            )?;
        }
        if meets {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rules as they were when the call began.
pub fn in_force<'c>(call: &'c Call<'_>) -> Result<&'c [Listed], Fault> {
    if let Some(rules) = call.store.scope.rules.get() {
        return Ok(rules);
    }
    let rules = read(call.store.connection).map_err(internal)?;
    Ok(call.store.scope.rules.get_or_init(|| rules))
}

/// Whether a pattern means a thing by its whole name, or by the last part of an ARN, a path or an image.
fn is_about(pattern: &str, name: &str) -> bool {
    glob(pattern, name)
        || name
            .match_indices(['/', ':'])
            .any(|(place, _)| name.get(place + 1..).is_some_and(|rest| glob(pattern, rest)))
        || name
            .split(['/', ':', '@'])
            .any(|part| !part.is_empty() && glob(pattern, part) && pattern != "*")
}

fn glob(pattern: &str, text: &str) -> bool {
    super::ec2::filters::matches(pattern, text)
}

/// The rule that refuses every call of an operation for want of a permission, whatever else the call says: one that ends,
/// is chancy, or has not begun is met by calls and by nothing else.
pub fn denies(call: &Call<'_>, service: &str, operation: &str, resource: &str) -> Result<Option<i64>, Fault> {
    let is_always = |rule: &Rule| rule.times.is_none() && rule.share.is_none() && rule.skip == 0;
    let denies = |listed: &&Listed| {
        let rule = &listed.rule;
        let pattern = rule.resource.as_deref().unwrap_or("*");
        rule.effect == Effect::Deny && is_always(rule) && rule.takes(service, operation) && is_about(pattern, resource)
    };
    Ok(in_force(call)?.iter().find(denies).map(|listed| listed.id))
}

/// A number from 0 to 1 that the seed and the call's number decide (splitmix64).
fn chance(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = connection.prepare_cached("SELECT id, body, source, seen, met FROM rule ORDER BY id")?;
    let found = statement.query_map([], |row| {
        let body: String = row.get(1)?;
        let rule = serde_json::from_str(&body)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into()))?;
        Ok(Listed {
            id: row.get(0)?,
            rule,
            source: row.get(2)?,
            seen: row.get::<_, i64>(3)?.unsigned_abs(),
            met: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })?;
    found.collect()
}

/// The rules of one sandbox.
pub struct Rules<'a> {
    pub(in crate::sandbox) state: &'a State,
}

impl Rules<'_> {
    /// Adds a rule, and gives its id. Of several that match, the one that was added first meets the call.
    pub fn add(&self, rule: Rule) -> Result<i64> {
        let rule = rule.checked()?;
        self.change(|connection| {
            insert(connection, "", &rule)?;
            let id = connection.last_insert_rowid();
            wake(connection)?;
            Ok(id)
        })
    }

    /// Makes the rules of a source (an environment's file) those that are given, and takes those of other files away: a
    /// folder has the rules of the environment that was opened last, not of one that nobody uses any more. One that was
    /// there already stays, with what it counted, so that opening a session again doubles nothing.
    pub fn declare(&self, source: &str, rules: &[Rule]) -> Result<()> {
        let rules = rules.iter().cloned().map(Rule::checked).collect::<Result<Vec<_>>>()?;
        let there = self.list()?;
        let mut old: Vec<&Listed> = there.iter().filter(|listed| !listed.source.is_empty()).collect();
        let mut new = Vec::new();
        for rule in &rules {
            let same = |listed: &&Listed| listed.source == source && listed.rule == *rule;
            match old.iter().position(same) {
                Some(place) => drop(old.swap_remove(place)),
                None => new.push(rule),
            }
        }
        if old.is_empty() && new.is_empty() {
            return Ok(());
        }
        self.change(|connection| {
            for listed in &old {
                connection.execute("DELETE FROM rule WHERE id = ?1", [listed.id])?;
            }
            for rule in &new {
                insert(connection, source, rule)?;
            }
            wake(connection)
        })
    }

    pub fn list(&self) -> Result<Vec<Listed>> {
        self.state
            .read(|connection| read(connection).map_err(internal))
            .map_err(told)
    }

    /// Forgets all rules; how many there were.
    pub fn clear(&self) -> Result<usize> {
        self.change(|connection| {
            let count = connection.execute("DELETE FROM rule", [])?;
            wake(connection)?;
            Ok(count)
        })
    }

    /// Forgets one rule; whether there was one.
    pub fn remove(&self, id: i64) -> Result<bool> {
        self.change(|connection| {
            let count = connection.execute("DELETE FROM rule WHERE id = ?1", [id])?;
            wake(connection)?;
            Ok(count > 0)
        })
    }

    fn change<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.state
            .write(|connection| work(connection).map_err(internal))
            .map_err(told)
    }
}

fn insert(connection: &Connection, source: &str, rule: &Rule) -> rusqlite::Result<()> {
    let body = serde_json::to_string(rule).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection.execute("INSERT INTO rule (source, body) VALUES (?1, ?2)", params![source, body])?;
    Ok(())
}

/// Services and target groups look at what they have again with the next call: what a rule says can change it. Changing
/// rules is rare enough for that.
fn wake(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE document SET due = 0 WHERE kind IN ('ecs/service', 'elb/target-group')",
        [],
    )?;
    Ok(())
}

fn told(fault: Fault) -> Error {
    Error::failed(fault.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_meets_and_ends() {
        let rule = Rule::new("ec2", "CreateVpc", Effect::Throttle).skip(1).times(2);
        let mut met = 0;
        let course: Vec<bool> = (1..=5)
            .map(|number| {
                let meets = rule.meets(number, met);
                met += u64::from(meets);
                meets
            })
            .collect();
        assert_eq!(course, [false, true, true, false, false]);
        assert!(rule.takes("ec2", "CreateVpc") && !rule.takes("ec2", "DeleteVpc") && !rule.takes("ecs", "CreateVpc"));
        let all = Rule::new("ec2", "Describe*", Effect::Throttle);
        assert!(all.takes("ec2", "DescribeVpcs") && !all.takes("ec2", "CreateVpc"));
    }

    #[test]
    fn a_share_is_met_by_its_seed() {
        let rule = |seed| Rule::new("*", "*", Effect::Throttle).share(0.1, seed);
        let met = |seed: u64| {
            (1..=10_000)
                .filter(|number| rule(seed).meets(*number, 0))
                .collect::<Vec<_>>()
        };
        assert_eq!(met(7), met(7));
        assert_ne!(met(7), met(8));
        assert!((900..1100).contains(&met(7).len()), "{}", met(7).len());
        assert!((1..100).all(|number| rule(1).share(1.0, 1).meets(number, 0)));
        assert!((1..100).all(|number| !rule(1).share(0.0, 1).meets(number, 0)));
    }

    #[test]
    fn a_thing_is_known_by_its_name_or_its_arn() {
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/shop/0123456789abcdef";
        let image = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/shop:1.0";
        for pattern in [arn, "shop", "targetgroup/shop/*", "*"] {
            assert!(is_about(pattern, arn), "{pattern}");
        }
        for pattern in [image, "shop:1.0", "shop", "shop:*"] {
            assert!(is_about(pattern, image), "{pattern}");
        }
        for pattern in ["sho", "shop2", "hop:1.0", ""] {
            assert!(!is_about(pattern, arn) && !is_about(pattern, image), "{pattern}");
        }
    }

    #[test]
    fn what_does_not_exist_is_refused_with_the_nearest_name() {
        let refused = |rule: Rule| {
            let error = rule.checked().unwrap_err();
            (error.message().to_owned(), error.help().unwrap_or_default().to_owned())
        };
        assert_eq!(
            refused(Rule::new("ecss", "*", Effect::Deny)),
            ("the sandbox has no service `ecss`".into(), "did you mean `ecs`?".into())
        );
        assert_eq!(
            refused(Rule::new("ecs", "CreateServce", Effect::Deny)),
            (
                "ecs:CreateServce is no operation of the sandbox".into(),
                "did you mean `CreateService`?".into()
            )
        );
        let noun = "vpcz".to_owned();
        assert_eq!(
            refused(Rule::new("ec2", "*", Effect::Limit { noun, most: 5 })).1,
            "did you mean `vpcs`?"
        );
        assert_eq!(
            Rule::new("elb", "*", Effect::Deny).checked().unwrap().service,
            "elasticloadbalancing"
        );
    }
}
