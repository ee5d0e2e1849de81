//! A process that dies at a call, for the tests of what the next run makes of it.
//!
//! `IACSH_SANDBOX_CRASH="before 17"` ends the process at its 17th writing call, before that is carried out; `"after 17"`
//! when it took effect and nobody heard of it. It ends as by `kill -9`: nothing is unwound, and no destructor runs. The
//! calls of one process are counted, those that the SDK repeats each time.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value};

use super::rules::meet::Incoming;
use super::{Aws, reads};

const VARIABLE: &str = "IACSH_SANDBOX_CRASH";

/// Where the process dies.
#[derive(Clone, Debug)]
pub struct Crash {
    number: u32,
    /// The call took effect.
    after: bool,
    seen: Arc<AtomicU32>,
}

/// The call at which it dies, in words.
pub struct Point {
    after: bool,
    words: String,
}

impl Crash {
    /// What the variable says. What it does not say rightly is an error in the words of a crash, not something to
    /// overlook: a sweep that never crashes would prove nothing.
    pub fn asked() -> Option<Self> {
        let asked = std::env::var(VARIABLE).ok()?;
        let Some((after, number)) = read(&asked) else {
            die(&format!("{VARIABLE} is \"before 17\" or \"after 17\", not \"{asked}\""));
        };
        Some(Self {
            number,
            after,
            seen: Arc::default(),
        })
    }

    /// Counts a call, and gives the point when it is the one.
    pub fn meet(&self, aws: &Aws, incoming: &Incoming) -> Option<Point> {
        let (service, operation) = incoming.request().names();
        if reads(&operation) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        (number == self.number).then(|| {
            let what = aws
                .input(incoming.request())
                .map(|input| what(&input))
                .unwrap_or_default();
            let place = match self.after {
                true => "after it took effect",
                false => "before it was sent",
            };
            Point {
                after: self.after,
                words: format!("call {number}, {service}:{operation} {what}, {place}"),
            }
        })
    }
}

impl Point {
    pub fn before(&self) {
        if !self.after {
            die(&self.words);
        }
    }

    pub fn after(&self) {
        die(&self.words);
    }
}

fn read(asked: &str) -> Option<(bool, u32)> {
    let (place, number) = asked.split_once(' ')?;
    let after = match place {
        "before" => false,
        "after" => true,
        _ => return None,
    };
    Some((after, number.parse().ok()?))
}

/// What a call is about: the identity in its tags, else its first name or id.
fn what(input: &Map<String, Value>) -> String {
    fn identity(value: &Value) -> Option<&str> {
        match value {
            Value::Object(members) => {
                let of = |names: [&str; 2]| names.iter().find_map(|name| members.get(*name)?.as_str());
                match of(["Key", "key"]) {
                    Some("iacsh:id") => of(["Value", "value"]),
                    _ => members.values().find_map(identity),
                }
            }
            Value::Array(items) => items.iter().find_map(identity),
            _ => None,
        }
    }
    let tagged = input.values().find_map(identity);
    let named = || input.values().find_map(Value::as_str);
    tagged.or_else(named).unwrap_or_default().to_owned()
}

fn die(words: &str) -> ! {
    let mut errors = std::io::stderr().lock();
    // Nobody may be there to hear it.
    let _ = writeln!(errors, "crash: {words}").and_then(|()| errors.flush());
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_place_and_a_number() {
        assert_eq!(read("before 17"), Some((false, 17)));
        assert_eq!(read("after 1"), Some((true, 1)));
        for wrong in ["", "17", "during 3", "after", "after x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_call_is_about_its_identity_or_its_first_name() {
        let tags = serde_json::json!({ "VpcId": "vpc-1", "TagSpecifications": [{ "Tags": [
            { "Key": "Name", "Value": "x" }, { "Key": "iacsh:id", "Value": "subnet/a" }] }] });
        assert_eq!(what(tags.as_object().unwrap()), "subnet/a");
        let plain = serde_json::json!({ "Flag": true, "VpcId": "vpc-1" });
        assert_eq!(what(plain.as_object().unwrap()), "vpc-1");
    }
}
