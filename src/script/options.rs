//! Checks an argument against its schema and points at the key that is wrong.

use rhai::Position;
use schemars::Schema;

use super::engine::Shared;
use super::lex::{self, Kind};
use super::sources::Source;
use crate::error::{Error, Result};
use crate::schema;
use crate::value::Value;

impl Shared {
    /// `number` counts the arguments of `function` from 0. The first problem gets the line of its key, where the map is
    /// written in the call; the others are told with theirs.
    pub fn check_argument(
        &self,
        function: &str,
        number: usize,
        position: Position,
        schema: &Schema,
        value: &Value,
    ) -> Result<()> {
        let problems = schema::check(schema, value);
        let source = self.sources.find(position);
        let place = |path: &[String]| {
            let source = source.as_ref()?;
            let offset = find(source, source.offset_of(position), number, path)?;
            Some(source.place_of(offset))
        };
        let mut problems = problems.into_iter();
        let Some(first) = problems.next() else { return Ok(()) };
        let mut error = Error::failed(format!("{function}: {}", say(&first.path, &first.message)));
        if let Some(hint) = first.hint {
            error = error.hint(hint);
        }
        if let Some(location) = place(&first.path).or_else(|| self.sources.locate(position)) {
            error = error.at(location);
        }
        for problem in problems {
            let told = say(&problem.path, &problem.message);
            let hint = problem.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            error = error.note(match place(&problem.path) {
                Some(location) => format!("line {}: {told}{hint}", location.line),
                None => format!("{told}{hint}"),
            });
        }
        Err(error)
    }
}

/// The message with the way to it, unless the message names the key already.
fn say(path: &[String], message: &str) -> String {
    let way = match path.split_last() {
        Some((last, rest)) if message.contains(&format!("`{last}`")) => rest,
        _ => path,
    };
    match way.is_empty() {
        true => message.to_owned(),
        false => format!("`{}`: {message}", way.join(".")),
    }
}

/// The byte of the key or item at a path, in an argument of the call at `call`; the call's map itself for an empty path.
/// `None` where the argument is not written in the call.
fn find(source: &Source, call: usize, number: usize, path: &[String]) -> Option<usize> {
    let text = &source.text;
    let open = lex::tokens(text, call).find(|token| token.kind == Kind::Open && token.text == "(")?;
    let (mut start, _) = *lex::items(text, open.start).get(number)?;
    for step in path {
        let token = lex::tokens(text, start).next()?;
        let items = lex::items(text, token.start);
        start = match token.text {
            "#{" => {
                let entry = items.iter().find_map(|(from, _)| {
                    let mut tokens = lex::tokens(text, *from).filter(|token| token.kind != Kind::Comment);
                    let key = tokens.next()?;
                    let colon = tokens.next()?;
                    let value = tokens.next()?;
                    (key.text.trim_matches('"') == step && colon.text == ":").then_some((key.start, value.start))
                });
                let (key, value) = entry?;
                if path.last().is_some_and(|last| std::ptr::eq(last, step)) {
                    key
                } else {
                    value
                }
            }
            "[" => items.get(step.parse::<usize>().ok()?)?.0,
            _ => return None,
        };
    }
    Some(start)
}
