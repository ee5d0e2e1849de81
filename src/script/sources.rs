//! The texts of a run, and which of them a position is in.
//!
//! Rhai positions are a line and a column without a file, and the source that Rhai names beside them is not always the
//! one that the position is in (rhai issues 984 and 985). So every text is compiled with as many empty lines before it
//! as there are lines in the texts before: a line number then says file and line at once. Rhai counts lines up to
//! 65,535, which is the limit for all texts of a run together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::Position;

use crate::error::{Error, Location, Result};

const MOST_LINES: usize = u16::MAX as usize - 1;

/// One text.
#[derive(Clone, Debug)]
pub struct Source {
    /// As a person would name it: `scripts/recreate.rhai`, `stdlib/redis.rhai`.
    pub name: String,
    /// Where it is on disk; none for the embedded library, the prompt and standard input.
    pub path: Option<PathBuf>,
    pub text: Arc<str>,
    /// How many lines stand before its first.
    base: usize,
}

impl Source {
    /// What is compiled: the text at its place among the lines of all texts.
    pub fn placed(&self) -> String {
        let mut placed = "\n".repeat(self.base);
        // The first line may name the interpreter. Rhai knows no such line.
        match self.text.strip_prefix("#!") {
            Some(rest) => {
                placed.push_str("//");
                placed.push_str(rest);
            }
            None => placed.push_str(&self.text),
        }
        placed
    }

    /// Lines and columns count from 1; a column of 0 stands for the line alone.
    pub fn location(&self, line: usize, column: usize) -> Location {
        Location {
            file: self.name.clone(),
            line,
            column,
            text: self.text.lines().nth(line.saturating_sub(1)).map(str::to_owned),
        }
    }

    /// The line within this text, counted from 1.
    pub fn line_of(&self, position: Position) -> usize {
        position.line().unwrap_or(1).saturating_sub(self.base).max(1)
    }

    /// The byte at which a position is in the text.
    pub fn offset_of(&self, position: Position) -> usize {
        let line = self.line_of(position);
        let start: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let column = position.position().unwrap_or(1).saturating_sub(1);
        let rest = self.text.get(start..).unwrap_or_default();
        start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }

    /// Line and column of a byte of the text.
    pub fn place_of(&self, offset: usize) -> Location {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.location(line, column)
    }

    /// What is ensured in here belongs to: the module's name for the library, else the file's; empty at the prompt.
    pub fn section(&self) -> String {
        let path = Path::new(&self.name);
        let part = match self.name.starts_with("stdlib/") {
            true => path.file_stem(),
            false => path.extension().and_then(|_| path.file_name()),
        };
        part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// All texts of a run.
#[derive(Debug, Default)]
pub struct Sources(Mutex<Vec<Arc<Source>>>);

impl Sources {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Source>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a text its place.
    pub fn add(
        &self,
        name: impl Into<String>,
        path: Option<PathBuf>,
        text: impl Into<Arc<str>>,
    ) -> Result<Arc<Source>> {
        let (name, text) = (name.into(), text.into());
        let mut sources = self.lock();
        let base = sources.last().map_or(0, |last| last.base + lines(&last.text));
        if base + lines(&text) > MOST_LINES {
            return Err(Error::invalid(format!(
                "{name}: the scripts of one run may have {MOST_LINES} lines together, and this is more"
            )));
        }
        let source = Arc::new(Source { name, path, text, base });
        sources.push(source.clone());
        Ok(source)
    }

    /// Forgets all texts. An error in what they defined is then told without its line, or with that of a later text.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How many of the lines are taken. The prompt begins anew before they run out.
    pub fn lines_used(&self) -> usize {
        self.lock().last().map_or(0, |last| last.base + lines(&last.text))
    }

    /// The text that a position is in.
    pub fn find(&self, position: Position) -> Option<Arc<Source>> {
        let line = position.line()?;
        let sources = self.lock();
        let found = sources.iter().rev().find(|source| source.base < line)?;
        Some(found.clone())
    }

    pub fn locate(&self, position: Position) -> Option<Location> {
        let source = self.find(position)?;
        Some(source.location(source.line_of(position), position.position().unwrap_or(0)))
    }
}

/// One more than the line breaks, so that an error at the end of a text stays in it.
fn lines(text: &str) -> usize {
    text.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_number_says_which_text_it_is_in() {
        let sources = Sources::default();
        sources.add("scripts/a.rhai", None, "one\ntwo").unwrap();
        let b = sources.add("stdlib/b.rhai", None, "let x = 1;\nlet y = 2;\n").unwrap();
        assert_eq!(
            sources.locate(Position::new(2, 1)).unwrap().to_string(),
            "scripts/a.rhai:2:1"
        );
        let place = sources.locate(Position::new(4, 5)).unwrap();
        assert_eq!(
            (place.to_string(), place.text.as_deref()),
            ("stdlib/b.rhai:2:5".into(), Some("let y = 2;"))
        );
        assert_eq!(b.offset_of(Position::new(4, 5)), 15);
        assert_eq!(b.place_of(15).to_string(), "stdlib/b.rhai:2:5");
        assert_eq!((b.section(), sources.locate(Position::NONE)), ("b".into(), None));
        assert_eq!(b.placed(), "\n\nlet x = 1;\nlet y = 2;\n");
    }

    #[test]
    fn too_many_lines_are_an_error() {
        let sources = Sources::default();
        let error = sources.add("long.rhai", None, "\n".repeat(70_000)).unwrap_err();
        assert!(error.message().contains("65534 lines together"), "{error}");
    }
}
