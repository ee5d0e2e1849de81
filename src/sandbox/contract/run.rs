//! Carrying out a case.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value};

use super::client::{self, Answer, Client};
use super::expect::Path;
use super::suite::{Case, Step, Suite, Undo};

/// How long something may take to go away: a database server takes longest.
const PATIENCE_WITH_UNDO: Duration = Duration::from_secs(60 * 60);

/// How a case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the peer answered otherwise than AWS's documentation says. `None`: it passed.
    pub difference: Option<Difference>,
    /// What could not be taken away again: the call, and why it failed.
    pub left: Vec<String>,
    /// The calls that were sent: service, operation, and whether it was answered.
    pub calls: Vec<(String, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step, counted from 1 with those of the setups, and its call.
    pub step: String,
    /// Where in the answer.
    pub place: String,
    pub expected: String,
    pub real: String,
}

/// Runs a case, and takes away what it made. Once `stop` is set it only does the latter.
pub async fn run(suite: &Suite, case: &Case, client: &dyn Client, stop: &AtomicBool) -> Verdict {
    let mut run = Run {
        suite,
        client,
        stop,
        names: BTreeMap::new(),
        made: Vec::new(),
        calls: Vec::new(),
    };
    let name = format!("iacsh-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
    for (key, value) in [
        ("run", name.as_str()),
        ("region", client.region()),
        ("account", client.account()),
    ] {
        run.names.insert(key.to_owned(), Value::from(value));
    }
    run.names.insert("now".to_owned(), Value::from(client.now()));
    let difference = match suite.plan(case) {
        Ok(plan) => {
            let texts = plan.names.iter();
            run.names
                .extend(texts.map(|(name, text)| ((*name).to_owned(), Value::from(*text))));
            run.steps(&plan.steps).await.err()
        }
        Err(error) => Some(Difference {
            step: String::new(),
            place: String::new(),
            expected: "a case that can be run".to_owned(),
            real: error,
        }),
    };
    let left = run.undo().await;
    Verdict {
        difference,
        left,
        calls: run.calls,
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            step,
            place,
            expected,
            real,
        } = self;
        f.write_str(step)?;
        if !place.is_empty() {
            write!(f, ", {place}")?;
        }
        write!(f, ": expected {expected}, got {real}")
    }
}

struct Run<'a> {
    suite: &'a Suite,
    client: &'a dyn Client,
    stop: &'a AtomicBool,
    /// What `${name}` stands for.
    names: BTreeMap<String, Value>,
    /// What takes away what was made, oldest first.
    made: Vec<(&'a Undo, Map<String, Value>)>,
    calls: Vec<(String, bool)>,
}

impl<'a> Run<'a> {
    async fn steps(&mut self, steps: &[&'a Step]) -> Result<(), Difference> {
        for (number, step) in (1..).zip(steps) {
            self.step(step).await.map_err(|mut difference| {
                difference.step = format!("step {number}, {}", step.call);
                difference
            })?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &'a Step) -> Result<(), Difference> {
        let (service, operation) = step.names();
        let reads = ["Describe", "Get", "List"]
            .iter()
            .any(|verb| operation.starts_with(verb));
        let patience = match (step.within, reads) {
            (Some(minutes), _) => self.client.patience(Duration::from_secs_f64(minutes * 60.0)),
            (None, true) => self.client.settles_within(),
            (None, false) => Duration::ZERO,
        };
        let (mut pause, longest) = self.client.pauses();
        let mut waited = Duration::ZERO;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(difference("", "an answer", "nothing: it was interrupted"));
            }
            let input = fill_members(&step.with, &self.names).map_err(mistake)?;
            let answer = client::call(self.client, service, operation, &Value::Object(input.clone()))
                .await
                .map_err(|error| difference("", "an answer", error))?;
            self.calls.push((step.call.clone(), matches!(answer, Answer::Done(_))));
            if let Answer::Done(output) = &answer {
                self.remember(step, &input, output);
            }
            match self.check(step, &answer) {
                Err(_) if waited < patience => {
                    self.client.pause(pause).await;
                    waited += pause;
                    pause = (pause * 2).min(longest);
                }
                checked => return checked,
            }
        }
    }

    /// Keeps what is needed to take away what a call made.
    fn remember(&mut self, step: &Step, input: &Map<String, Value>, output: &Value) {
        let Some(undo) = self.suite.undo(&step.call) else {
            return;
        };
        let (asked, answered) = (Value::Object(input.clone()), output.clone());
        let part = |name: &str| match name.split_once(':') {
            Some(("with", place)) => Path::parse(place).ok()?.find(&asked),
            Some(("answer", place)) => Path::parse(place).ok()?.find(&answered),
            _ => None,
        };
        let each = match &undo.each {
            None => vec![Value::Null],
            Some(list) => part(list)
                .and_then(|found| found.as_array().cloned())
                .unwrap_or_default(),
        };
        for each in each {
            let look_up = |name: &str| match name.split_once(':') {
                Some(("each", place)) => Path::parse(place).ok()?.find(&each),
                None if name == "each" => Some(each.clone()),
                _ => part(name),
            };
            // Without the name of what was made there is nothing to take away.
            if let Ok(Value::Object(with)) = fill(&Value::Object(undo.with.clone()), &look_up) {
                self.made.push((undo, with));
            }
        }
    }

    fn check(&mut self, step: &Step, answer: &Answer) -> Result<(), Difference> {
        let output = match (answer, &step.error) {
            (Answer::Done(output), None) => output,
            (Answer::Done(output), Some(codes)) => {
                return Err(difference(
                    "",
                    &format!("the error {}", codes.as_slice().join(" or ")),
                    shown(output),
                ));
            }
            (Answer::Refused(refusal), None) => {
                return Err(difference(
                    "",
                    "an answer",
                    format!("{}: {}", refusal.code, refusal.message),
                ));
            }
            (Answer::Refused(refusal), Some(codes)) => {
                let real = format!("{}: {}", refusal.code, refusal.message);
                if !codes.as_slice().contains(&refusal.code) {
                    return Err(difference(
                        "",
                        &format!("the error {}", codes.as_slice().join(" or ")),
                        real,
                    ));
                }
                if let Some(pattern) = &step.message {
                    let pattern = fill_text(pattern, &|name| self.names.get(name).cloned()).map_err(mistake)?;
                    let regex = Regex::new(&pattern).map_err(|error| mistake(error.to_string()))?;
                    if !regex.is_match(&refusal.message) {
                        return Err(difference("", &format!("a message that matches {pattern}"), real));
                    }
                }
                return Ok(());
            }
        };
        let names = |name: &str| self.names.get(name).cloned();
        for (place, matcher) in &step.expect {
            let place = place.filled(|text| fill_text(text, &names)).map_err(mistake)?;
            let matcher = matcher.filled(|value| fill(value, &names)).map_err(mistake)?;
            let found = place.find(output);
            if let Some(expected) = matcher.differs(found.as_ref()) {
                let real = found.as_ref().map_or_else(|| "nothing".to_owned(), shown);
                return Err(difference(&place.to_string(), &expected, real));
            }
        }
        let mut kept = Vec::new();
        for (name, place) in &step.keep {
            let place = place.filled(|text| fill_text(text, &names)).map_err(mistake)?;
            let found = place.find(output);
            let found = found.ok_or_else(|| difference(&place.to_string(), "something", "nothing"))?;
            kept.push((name.clone(), found));
        }
        self.names.extend(kept);
        Ok(())
    }

    /// Takes away what was made, newest first. What is gone already is right.
    async fn undo(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        while let Some((undo, with)) = self.made.pop() {
            let (service, operation) = undo.call.split_once(':').unwrap_or((&undo.call, ""));
            let patience = self.client.patience(PATIENCE_WITH_UNDO);
            let (mut pause, longest) = self.client.pauses();
            let mut waited = Duration::ZERO;
            let input = Value::Object(with);
            loop {
                let why = match client::call(self.client, service, operation, &input).await {
                    Ok(Answer::Done(_)) => {
                        self.calls.push((undo.call.clone(), true));
                        break;
                    }
                    Ok(Answer::Refused(refusal)) if is_gone(&refusal.code, undo) => break,
                    Ok(Answer::Refused(refusal)) => format!("{}: {}", refusal.code, refusal.message),
                    Err(error) => error,
                };
                if waited >= patience {
                    left.push(format!("{} {input}: {why}", undo.call));
                    break;
                }
                self.client.pause(pause).await;
                waited += pause;
                pause = (pause * 2).min(longest);
            }
        }
        left
    }
}

fn is_gone(code: &str, undo: &Undo) -> bool {
    ["NotFound", "NoSuchEntity", "NotAttached", "NoAssociation"]
        .iter()
        .any(|part| code.contains(part))
        || undo.gone.iter().any(|gone| gone == code)
}

fn difference(place: &str, expected: &str, real: impl Into<String>) -> Difference {
    Difference {
        step: String::new(),
        place: place.to_owned(),
        expected: expected.to_owned(),
        real: real.into(),
    }
}

/// A case that cannot be carried out as it is written.
fn mistake(error: String) -> Difference {
    difference("", "a case that can be run", error)
}

/// A value in a table of differences: long ones are cut.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn fill_members(members: &Map<String, Value>, names: &BTreeMap<String, Value>) -> Result<Map<String, Value>, String> {
    match fill(&Value::Object(members.clone()), &|name| names.get(name).cloned())? {
        Value::Object(members) => Ok(members),
        _ => Err("the input is not a structure".to_owned()),
    }
}

/// Puts values in the place of `${name}`. A text that is nothing else becomes the value with its type. A table
/// `{ repeat = 3, item = ... }` becomes a list, in whose items `${i}` counts from 1.
fn fill(value: &Value, look_up: &dyn Fn(&str) -> Option<Value>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !name.contains("${") && !name.contains('*') => {
                look_up(name).ok_or_else(|| format!("there is no ${{{name}}}"))?
            }
            _ => Value::String(fill_text(text, look_up)?),
        },
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| fill(item, look_up))
                .collect::<Result<_, String>>()?,
        ),
        Value::Object(members) => match (members.get("repeat").and_then(Value::as_u64), members.get("item")) {
            (Some(count), Some(item)) => {
                let items = (1..=count).map(|number| {
                    let counted = |name: &str| match name {
                        "i" => Some(Value::String(number.to_string())),
                        name => look_up(name),
                    };
                    fill(item, &counted)
                });
                Value::Array(items.collect::<Result<_, String>>()?)
            }
            _ => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((fill_text(name, look_up)?, fill(value, look_up)?)));
                Value::Object(members.collect::<Result<_, String>>()?)
            }
        },
        other => other.clone(),
    })
}

/// The same within a text; `${x*256}` is `x` 256 times.
fn fill_text(text: &str, look_up: &dyn Fn(&str) -> Option<Value>) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind
            .split_once('}')
            .ok_or_else(|| format!("`{text}`: a brace is not closed"))?;
        filled.push_str(before);
        match name
            .split_once('*')
            .and_then(|(unit, count)| Some(unit.repeat(count.parse().ok()?)))
        {
            Some(repeated) => filled.push_str(&repeated),
            None => match look_up(name).ok_or_else(|| format!("there is no ${{{name}}}"))? {
                Value::String(value) => filled.push_str(&value),
                other => filled.push_str(&other.to_string()),
            },
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_stand_for_values() {
        let look_up = |name: &str| match name {
            "list" => Some(json!(["a"])),
            "name" => Some(json!("n")),
            _ => None,
        };
        let filled = |value: Value| fill(&value, &look_up);
        assert_eq!(
            filled(json!({ "A": "${list}", "B": "x-${name}" })),
            Ok(json!({ "A": ["a"], "B": "x-n" }))
        );
        assert_eq!(filled(json!("${ab*3}")), Ok(json!("ababab")));
        assert_eq!(
            filled(json!({ "repeat": 2, "item": { "Key": "${name}${i}" } })),
            Ok(json!([{ "Key": "n1" }, { "Key": "n2" }]))
        );
        assert!(filled(json!("${unknown}")).is_err());
    }
}
