//! What a case expects of an answer: a place in it, and what must be there.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A place in an answer: `Vpcs[0].Tags[Key=Name].Value`.
///
/// `|/` at the end takes what stands behind the last slash of a text. `[3]` is an item of a list, `[Key=Name]` the first item with such a member, `[]` all items; behind `[]` the place is
/// the list of what each item has there. The empty place is the whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Member(String),
    Item(usize),
    With(String, String),
    Each,
    BehindSlash,
}

impl Path {
    /// # Errors
    /// A bracket is not closed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if rest == "|/" {
                parts.push(Part::BehindSlash);
                rest = "";
            } else if let Some(bracket) = rest.strip_prefix('[') {
                let (inner, behind) = bracket
                    .split_once(']')
                    .ok_or_else(|| format!("`{text}`: a bracket is not closed"))?;
                parts.push(match (inner, inner.parse(), inner.split_once('=')) {
                    ("", ..) => Part::Each,
                    (_, Ok(index), _) => Part::Item(index),
                    (_, _, Some((member, value))) => Part::With(member.to_owned(), value.to_owned()),
                    _ => return Err(format!("`{text}`: what is in the brackets is no place")),
                });
                rest = behind;
            } else {
                rest = rest.strip_prefix('.').unwrap_or(rest);
                let end = rest.find(['.', '[', '|']).unwrap_or(rest.len());
                parts.push(Part::Member(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// What is there. A list is made up where the place has `[]`.
    pub fn find(&self, answer: &Value) -> Option<Value> {
        find(&self.parts, answer)
    }

    /// The same place with its values substituted: `Tags[Key=${name}]`.
    pub fn filled(&self, fill: impl Fn(&str) -> Result<String, String>) -> Result<Self, String> {
        match self.text.contains("${") {
            true => Self::parse(&fill(&self.text)?),
            false => Ok(self.clone()),
        }
    }

    /// The member with which the place begins.
    pub fn first(&self) -> Option<&str> {
        match self.parts.first() {
            Some(Part::Member(name)) => Some(name),
            _ => None,
        }
    }
}

fn find(parts: &[Part], value: &Value) -> Option<Value> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(value.clone());
    };
    match part {
        Part::Member(name) => find(rest, value.get(name)?),
        Part::Item(index) => find(rest, value.get(index)?),
        Part::BehindSlash => Some(Value::from(value.as_str()?.rsplit('/').next()?)),
        Part::With(member, wanted) => {
            let fits = |item: &&Value| match item.get(member) {
                Some(Value::String(text)) => *text == *wanted,
                Some(other) => other.to_string().as_str() == wanted.as_str(),
                None => false,
            };
            find(rest, value.as_array()?.iter().find(fits)?)
        }
        Part::Each => {
            let found = value.as_array()?.iter().filter_map(|item| find(rest, item));
            // Lists within lists become one.
            let flat = rest.contains(&Part::Each);
            let mut all = Vec::new();
            for item in found {
                match item {
                    Value::Array(items) if flat => all.extend(items),
                    item => all.push(item),
                }
            }
            Some(Value::Array(all))
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "the answer" } else { &self.text })
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What must be at a place: a value, or a table of conditions which all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// `is`: this value. Numbers are compared as numbers.
    Is(Value),
    /// `not`: anything but this value.
    Not(Value),
    /// `present`, also where it is empty.
    Present,
    /// `absent`: it is not there, or null.
    Absent,
    /// `like`: text that matches this regular expression.
    Like(String),
    /// `one_of`: one of these values.
    OneOf(Vec<Value>),
    /// `length` of a list or text; nothing counts as 0.
    Length(u64),
    /// `at_least` and `at_most`: of a number, or of the length of a list.
    AtLeast(i64),
    AtMost(i64),
    /// `has`: a list with this item, or with one that has these members.
    Has(Value),
    /// `lacks`: a list without such an item.
    Lacks(Value),
}

impl Matcher {
    fn read(value: Value) -> Result<Self, String> {
        let Value::Object(conditions) = value else {
            return Ok(Self(vec![Condition::Is(value)]));
        };
        let conditions = conditions.into_iter().map(|(name, value)| {
            let number = || value.as_i64().ok_or_else(|| format!("`{name}` needs a number"));
            Ok(match name.as_str() {
                "is" => Condition::Is(value),
                "not" => Condition::Not(value),
                "present" => Condition::Present,
                "absent" => Condition::Absent,
                "like" => {
                    let pattern = value.as_str().ok_or("`like` needs a text")?;
                    // With names in it, it is checked when they are filled in.
                    if !pattern.contains("${") {
                        Regex::new(pattern).map_err(|error| format!("`like`: {error}"))?;
                    }
                    Condition::Like(pattern.to_owned())
                }
                "one_of" => Condition::OneOf(value.as_array().ok_or("`one_of` needs a list")?.clone()),
                "length" => Condition::Length(value.as_u64().ok_or("`length` needs a number")?),
                "at_least" => Condition::AtLeast(number()?),
                "at_most" => Condition::AtMost(number()?),
                "has" => Condition::Has(value),
                "lacks" => Condition::Lacks(value),
                other => return Err(format!("there is no condition `{other}`")),
            })
        });
        Ok(Self(conditions.collect::<Result<_, String>>()?))
    }

    /// The same with its values substituted.
    pub fn filled(&self, fill: impl Fn(&Value) -> Result<Value, String>) -> Result<Self, String> {
        let text = |text: &str| -> Result<String, String> {
            Ok(match fill(&Value::String(text.to_owned()))? {
                Value::String(text) => text,
                other => other.to_string(),
            })
        };
        let conditions = self.0.iter().map(|condition| {
            Ok(match condition {
                Condition::Is(value) => Condition::Is(fill(value)?),
                Condition::Not(value) => Condition::Not(fill(value)?),
                Condition::Like(pattern) => Condition::Like(text(pattern)?),
                Condition::OneOf(values) => Condition::OneOf(values.iter().map(&fill).collect::<Result<_, String>>()?),
                Condition::Has(value) => Condition::Has(fill(value)?),
                Condition::Lacks(value) => Condition::Lacks(fill(value)?),
                other => other.clone(),
            })
        });
        Ok(Self(conditions.collect::<Result<_, String>>()?))
    }

    /// What is wrong with what was found: what was expected instead, in words.
    pub fn differs(&self, found: Option<&Value>) -> Option<String> {
        let found = found.unwrap_or(&Value::Null);
        self.0
            .iter()
            .find(|condition| !condition.holds(found))
            .map(Condition::in_words)
    }
}

impl Condition {
    fn holds(&self, found: &Value) -> bool {
        let items = found.as_array();
        let measure = items.map_or_else(|| found.as_f64(), |items| Some(items.len() as f64));
        match self {
            Self::Is(wanted) => same(wanted, found),
            Self::Not(unwanted) => !same(unwanted, found),
            Self::Present => !found.is_null(),
            Self::Absent => found.is_null(),
            Self::Like(pattern) => match (Regex::new(pattern), found) {
                (Ok(regex), Value::String(text)) => regex.is_match(text),
                (Ok(regex), Value::Number(number)) => regex.is_match(&number.to_string()),
                _ => false,
            },
            Self::OneOf(wanted) => wanted.iter().any(|wanted| same(wanted, found)),
            Self::Length(wanted) => {
                let length = match found {
                    Value::Null => Some(0),
                    Value::Array(items) => Some(items.len()),
                    Value::Object(members) => Some(members.len()),
                    Value::String(text) => Some(text.chars().count()),
                    _ => None,
                };
                length.and_then(|length| u64::try_from(length).ok()) == Some(*wanted)
            }
            Self::AtLeast(least) => measure.is_some_and(|measure| measure >= *least as f64),
            Self::AtMost(most) => measure.is_some_and(|measure| measure <= *most as f64),
            Self::Has(wanted) => items.is_some_and(|items| items.iter().any(|item| contains(item, wanted))),
            Self::Lacks(unwanted) => {
                found.is_null() || items.is_some_and(|items| !items.iter().any(|item| contains(item, unwanted)))
            }
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Is(value) => value.to_string(),
            Self::Not(value) => format!("anything but {value}"),
            Self::Present => "something".to_owned(),
            Self::Absent => "nothing".to_owned(),
            Self::Like(pattern) => format!("what matches {pattern}"),
            Self::OneOf(values) => format!("one of {}", Value::Array(values.clone())),
            Self::Length(length) => format!("the length {length}"),
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
            Self::Has(value) => format!("a list with {value}"),
            Self::Lacks(value) => format!("a list without {value}"),
        }
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(wanted), Value::Number(found)) => wanted.as_f64() == found.as_f64(),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .all(|(name, wanted)| found.get(name).is_some_and(|found| same(wanted, found)))
        }
        _ => wanted == found,
    }
}

/// Whether an item is the wanted one, or has at least its members.
fn contains(found: &Value, wanted: &Value) -> bool {
    let members = |wanted: &Map<String, Value>| {
        wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| contains(found, wanted)))
    };
    match wanted {
        Value::Object(wanted) => members(wanted),
        wanted => same(wanted, found),
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(path: &str, answer: &Value) -> Option<Value> {
        Path::parse(path).unwrap().find(answer)
    }

    #[test]
    fn places_are_found() {
        let answer = json!({ "Vpcs": [
            { "Id": "a", "Tags": [{ "Key": "x.y", "Value": 1 }, { "Key": "z", "Value": 2 }] },
            { "Id": "b", "Tags": [{ "Key": "q", "Value": 3 }] },
        ] });
        assert_eq!(at("Vpcs[1].Id", &answer), Some(json!("b")));
        assert_eq!(at("Vpcs[0].Tags[Key=x.y].Value", &answer), Some(json!(1)));
        assert_eq!(at("Vpcs[].Id", &answer), Some(json!(["a", "b"])));
        assert_eq!(at("Vpcs[].Tags[].Value", &answer), Some(json!([1, 2, 3])));
        assert_eq!(at("Vpcs[2].Id", &answer), None);
        assert_eq!(at("", &answer), Some(answer.clone()));
        assert_eq!(at("A|/", &json!({ "A": "/a/b" })), Some(json!("b")));
        assert!(Path::parse("Vpcs[1").is_err());
    }

    #[test]
    fn conditions_hold_or_are_told() {
        let differs = |condition: Value, found: Value| Matcher::read(condition).unwrap().differs(Some(&found));
        let holds = |condition: Value, found: Value| assert_eq!(differs(condition, found), None);
        holds(json!("a"), json!("a"));
        holds(json!(1), json!(1.0));
        holds(json!({ "like": "^v-[0-9]+$" }), json!("v-17"));
        holds(json!({ "absent": true }), Value::Null);
        holds(json!({ "length": 0 }), Value::Null);
        holds(json!({ "at_least": 2, "at_most": 2 }), json!([1, 2]));
        holds(json!({ "has": { "Key": "a" } }), json!([{ "Key": "a", "Value": "b" }]));
        holds(json!({ "lacks": "a" }), json!(["b"]));
        holds(json!({ "one_of": [1, 2] }), json!(2));
        assert_eq!(differs(json!("a"), json!("b")), Some("\"a\"".into()));
        assert_eq!(
            differs(json!({ "has": "a" }), json!(["b"])),
            Some("a list with \"a\"".into())
        );
        assert_eq!(
            differs(json!({ "present": true }), Value::Null),
            Some("something".into())
        );
        assert!(Matcher::read(json!({ "nonsense": 1 })).is_err());
        assert!(Matcher::read(json!({ "like": "(" })).is_err());
    }
}
