//! A TOML file of the user's, with the place of every key and value in it.
//!
//! The file is read into a [`Value`], checked by [`crate::schema`] and then read as a Rust type. Every problem is told
//! at once, each with its line. Environment files and client files go through here.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Location, Result};
use crate::schema::{self, Problem};
use crate::value::{Map, Value};

/// The most problems that are told at once: a file in another format would bring hundreds.
const MOST_PROBLEMS: usize = 20;

/// A file that is TOML, though perhaps not the right one.
#[derive(Clone, Debug)]
pub struct Document {
    file: String,
    text: String,
    value: Value,
    places: HashMap<Vec<String>, Place>,
    /// What TOML allows and a [`Value`] cannot hold.
    problems: Vec<Problem>,
}

/// Byte ranges in the text.
#[derive(Clone, Debug)]
struct Place {
    /// Missing for the items of a list.
    key: Option<Range<usize>>,
    value: Range<usize>,
}

impl Document {
    /// Reads a file. `shown` is its name in errors, relative to the root.
    pub fn read(path: &Path, shown: impl Into<String>) -> Result<Self> {
        let shown = shown.into();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(shown, text),
            Err(error) => Err(Error::invalid(format!("{shown} cannot be read: {error}"))),
        }
    }

    /// Parses a text. All syntax errors are told.
    pub fn parse(file: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let mut document = Self {
            file: file.into(),
            text: text.into(),
            value: Value::Null,
            places: HashMap::new(),
            problems: Vec::new(),
        };
        let text = document.text.clone();
        let (table, mut errors) = DeTable::parse_recoverable(&text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let errors: Vec<_> = errors
            .into_iter()
            .map(|error| {
                let location = match error.span() {
                    Some(span) => document.location_at(span.start),
                    None => document.location_at(0),
                };
                Error::invalid(format!("this is not TOML: {}", error.message())).at(location)
            })
            .take(MOST_PROBLEMS)
            .collect();
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        let map = document.table(table.get_ref(), &mut Vec::new());
        document.value = Value::Map(map);
        Ok(document)
    }

    /// What the file says.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The name of the file, as in errors.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Everything that the schema of `T` finds wrong.
    pub fn problems<T: JsonSchema>(&self) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        problems.extend(schema::check(&schema::of::<T>(), &self.value));
        problems
    }

    /// Reads the file as `T`, checked. `rules` finds what the types cannot say; it also runs where another part of the
    /// file is wrong, as long as what is left can be read, so that everything is told at once.
    pub fn read_as<T: JsonSchema + DeserializeOwned>(&self, rules: impl FnOnce(&T) -> Vec<Problem>) -> Result<T> {
        let mut problems = self.problems::<T>();
        let mut value = self.value.clone();
        for problem in &problems {
            remove(&mut value, &problem.path);
        }
        let read = value.read::<T>();
        if let Ok(read) = &read {
            problems.extend(rules(read));
        }
        match (self.errors(problems), read) {
            (Some(error), _) => Err(error),
            (None, Ok(read)) => Ok(read),
            (None, Err(error)) => Err(error.context(&self.file).with_exit(crate::error::Exit::Invalid)),
        }
    }

    /// All problems as one error, in the order of the lines.
    pub fn errors(&self, problems: Vec<Problem>) -> Option<Error> {
        let mut errors: Vec<_> = problems.into_iter().map(|problem| self.error(problem)).collect();
        errors.sort_by_key(|error| error.location().map(|at| (at.line, at.column)));
        let more = errors.len().saturating_sub(MOST_PROBLEMS);
        errors.truncate(MOST_PROBLEMS);
        if more > 0 {
            errors.push(Error::invalid(format!("and {more} more problems in {}", self.file)));
        }
        Error::all(errors)
    }

    /// One problem with its line.
    pub fn error(&self, problem: Problem) -> Error {
        let error = Error::invalid(problem.message).at(self.location(&problem.path));
        match problem.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Where something stands: a key, or an item of a list. What is not in the file is at what would hold it.
    pub fn location(&self, path: &[String]) -> Location {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return self.location_at(place.key.as_ref().unwrap_or(&place.value).start);
            }
            match path.split_last() {
                Some((_, rest)) => path = rest,
                None => return self.location_at(0),
            }
        }
    }

    fn location_at(&self, offset: usize) -> Location {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next());
        Location {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(start..).map_or(0, |text| text.chars().count()) + 1,
            text: line.map(without_credentials),
        }
    }

    fn table(&mut self, table: &DeTable<'_>, path: &mut Vec<String>) -> Map {
        let mut map = Map::new();
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            let place = Place {
                key: Some(key.span()),
                value: value.span(),
            };
            self.places.insert(path.clone(), place);
            let value = self.convert(value, path);
            map.insert(key.get_ref().to_string(), value);
            path.pop();
        }
        map
    }

    fn convert(&mut self, value: &Spanned<DeValue<'_>>, path: &mut Vec<String>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::text(text.as_ref()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Int(number),
                Err(_) => {
                    self.problems.push(Problem {
                        path: path.clone(),
                        message: format!("{} is too large for a whole number", number.as_str()),
                        hint: None,
                    });
                    Value::Int(0)
                }
            },
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            // A date needs no quotes: what is wanted of it is its text.
            DeValue::Datetime(date) => Value::text(date.to_string()),
            DeValue::Array(list) => {
                let mut items = Vec::with_capacity(list.len());
                for (position, item) in list.iter().enumerate() {
                    path.push(position.to_string());
                    let place = Place {
                        key: None,
                        value: item.span(),
                    };
                    self.places.insert(path.clone(), place);
                    items.push(self.convert(item, path));
                    path.pop();
                }
                Value::List(items)
            }
            DeValue::Table(table) => Value::Map(self.table(table, path)),
        }
    }
}

/// Takes what is at the path out of the value. Items of lists stay, so that the positions of the others do.
fn remove(value: &mut Value, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    match value {
        Value::Map(map) if rest.is_empty() => {
            map.shift_remove(key);
        }
        Value::Map(map) => {
            if let Some(value) = map.get_mut(key) {
                remove(value, rest);
            }
        }
        Value::List(list) => {
            if let Some(value) = key.parse().ok().and_then(|position: usize| list.get_mut(position)) {
                remove(value, rest);
            }
        }
        _ => {}
    }
}

/// The line as it is shown: what could be a credential written where only its name belongs is left out.
fn without_credentials(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let names = ["pass", "pwd", "secret", "token", "credential", "key"];
    match line.split_once('=') {
        Some((key, _)) if names.iter().any(|name| lower.contains(name)) => format!("{}= ...", key),
        _ => line.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Garden {
        /// What it is called.
        name: String,
        #[serde(default)]
        beds: Vec<Bed>,
        #[serde(default)]
        fence: Option<Bed>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Bed {
        width: u16,
    }

    fn told(text: &str) -> Vec<String> {
        let error = match Document::parse("garden.toml", text) {
            Ok(document) => document.read_as::<Garden>(|_| Vec::new()).unwrap_err(),
            Err(error) => error,
        };
        std::iter::once(&error)
            .chain(error.others())
            .map(|error| {
                let at = error.location().unwrap();
                format!("{at} {} | {}", error.message(), at.text.clone().unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn what_is_right_is_read() {
        let garden = Document::parse("garden.toml", "name = 2027-01-01\n[[beds]]\nwidth = 0x10\n")
            .unwrap()
            .read_as::<Garden>(|_| Vec::new())
            .unwrap();
        assert_eq!((garden.name.as_str(), garden.beds[0].width), ("2027-01-01", 16));
    }

    #[test]
    fn each_problem_has_its_line() {
        assert_eq!(
            told("nmae = \"herbs\"\n\n[[beds]]\nwidth = 2\n\n[[beds]]\nwidth = \"wide\"\n\n[fence]\nheight = 1\n"),
            [
                "garden.toml:1:1 unknown key `nmae` | nmae = \"herbs\"",
                "garden.toml:1:1 `name` is missing | nmae = \"herbs\"",
                "garden.toml:7:1 whole number is expected here, not text | width = \"wide\"",
                "garden.toml:9:2 `width` is missing | [fence]",
                "garden.toml:10:1 unknown key `height` | height = 1",
            ]
        );
    }

    #[test]
    fn every_syntax_error_is_told() {
        let told = told("name = \"a\nbeds = [1,,2]\n");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("garden.toml:1:"), "{told:?}");
        assert!(told[1].starts_with("garden.toml:2:"), "{told:?}");
    }

    #[test]
    fn a_credential_in_the_wrong_place_is_not_shown() {
        assert_eq!(
            told("name = \"a\"\npasswrod = \"hunter2\"\n"),
            ["garden.toml:2:1 unknown key `passwrod` | passwrod = ..."]
        );
        assert_eq!(without_credentials("db = \"Server=x;Pwd=y\""), "db = ...");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_line_of_it(text in "([a-z\\[\\]{}=\"'\n #,.0-9]|\\PC){0,60}") {
            if let Err(error) = Document::parse("x.toml", text.clone()) {
                let at = error.location().unwrap();
                prop_assert!(at.line >= 1 && at.line <= text.matches('\n').count() + 1);
            }
        }
    }
}
