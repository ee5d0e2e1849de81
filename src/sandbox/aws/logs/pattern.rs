//! Filter patterns.

use super::super::call::Fault;
use super::invalid;

/// Filter patterns of unstructured text: terms that all must occur, `?term` of which one must, `-term` that must not,
/// `"several words"`. Case-sensitive. *Filter pattern syntax for metric filters*.
pub struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.starts_with('{') || text.starts_with('[') || text.starts_with('%') {
            return Err(Fault::new(
                "UnsupportedOperation",
                "not in the sandbox: it filters log events by terms, not by patterns of JSON, columns or regular expressions",
            ));
        }
        let mut pattern = Self {
            all: Vec::new(),
            any: Vec::new(),
            none: Vec::new(),
        };
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes().first() {
                Some(b'?') => (&mut pattern.any, rest.get(1..).unwrap_or_default()),
                Some(b'-') => (&mut pattern.none, rest.get(1..).unwrap_or_default()),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| invalid("Invalid filter pattern"))?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            list.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    pub fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && !self.none.iter().any(has) && (self.any.is_empty() || self.any.iter().any(has))
    }
}
