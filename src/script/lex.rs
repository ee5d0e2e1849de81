//! A small lexer for places in a script: it finds the end of a statement and the key of an option, which Rhai's
//! positions, being points, do not tell. It never judges a text; that is the parser's work.

/// A piece of a script, with the bytes that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub start: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// Text in quotes of any kind, with them.
    Text,
    /// `(`, `[`, `{` and `#{`.
    Open,
    Close,
    /// `//` to the end of the line, or `/* */`.
    Comment,
    /// One character of anything else.
    Mark,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The tokens from a byte on. An unfinished text or comment ends with the script.
pub fn tokens(script: &str, from: usize) -> impl Iterator<Item = Token<'_>> {
    let mut at = from;
    std::iter::from_fn(move || {
        let rest = script.get(at..)?;
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let rest = &rest[blank..];
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '/' if rest.starts_with("//") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (Kind::Comment, comment(rest)),
            '"' | '\'' => (Kind::Text, quoted(rest, first)),
            '`' => (Kind::Text, interpolated(rest)),
            '#' if rest.starts_with("#{") => (Kind::Open, 2),
            '(' | '[' | '{' => (Kind::Open, 1),
            ')' | ']' | '}' => (Kind::Close, 1),
            _ if is_word(first) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            _ => (Kind::Mark, first.len_utf8()),
        };
        let token = Token {
            kind,
            text: &rest[..length],
            start: at,
        };
        at += length;
        Some(token)
    })
}

/// Whether a text in backticks or a block comment lacks its end.
pub fn is_open(token: &Token<'_>) -> bool {
    let text = token.text;
    match token.kind {
        Kind::Text if text.starts_with('`') => text.len() < 2 || !text.ends_with('`') || interpolated_open(text),
        Kind::Comment if text.starts_with("/*") => text.len() < 4 || !text.ends_with("*/") || comment_open(text),
        _ => false,
    }
}

/// With one more closing mark it would be longer, which it would not if it were closed.
fn interpolated_open(text: &str) -> bool {
    interpolated(&format!("{text}`")) > text.len()
}

fn comment_open(text: &str) -> bool {
    comment(&format!("{text}*/")) > text.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a block comment; they nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a text in backticks, with the expressions in it.
fn interpolated(text: &str) -> usize {
    let mut at = 1;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with('`') {
            return at + 1;
        }
        if rest.starts_with("${") {
            at += 1 + group(&rest[1..]).unwrap_or(rest.len() - 1);
            continue;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    text.len()
}

/// The length of a bracketed group at the beginning of a text, brackets included.
pub fn group(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for token in tokens(text, 0) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(token.end());
                }
            }
            _ => {}
        }
    }
    None
}

/// The items of a group between its commas: where each begins and ends. `open` is the byte of the opening bracket.
pub fn items(script: &str, open: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut begin = None;
    let mut end = open;
    for token in tokens(script, open) {
        let separates = depth == 1 && (token.text == "," || token.kind == Kind::Close);
        if separates {
            if let Some(begin) = begin.take() {
                found.push((begin, end));
            }
        } else if depth >= 1 && token.kind != Kind::Comment {
            begin.get_or_insert(token.start);
            end = token.end();
        }
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        tokens(script, 0).map(|token| token.text).collect()
    }

    #[test]
    fn brackets_in_texts_and_comments_do_not_count() {
        assert_eq!(
            texts("f(\"a)\\\"\", `x${ g(\"}`\") }y`) /* ( /* */ ) */ // )\n;"),
            [
                "f",
                "(",
                "\"a)\\\"\"",
                ",",
                "`x${ g(\"}`\") }y`",
                ")",
                "/* ( /* */ ) */",
                "// )",
                ";"
            ]
        );
        assert_eq!(group("(a, [b], #{c: ')'}) rest"), Some(19));
        assert_eq!(group("(a"), None);
    }

    #[test]
    fn items_stand_between_commas() {
        let script = "f(1, #{a: [2, 3], b: 4}, // five\n x)";
        let found: Vec<_> = items(script, 1)
            .into_iter()
            .map(|(from, to)| &script[from..to])
            .collect();
        assert_eq!(found, ["1", "#{a: [2, 3], b: 4}", "x"]);
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_to_its_end(script in "[a-z(){}#`\"'$/* \n\\\\]{0,60}") {
            let mut end = 0;
            for token in tokens(&script, 0) {
                proptest::prop_assert!(token.start >= end && !token.text.is_empty());
                end = token.end();
            }
            proptest::prop_assert!(script[end..].trim().is_empty());
            group(&script);
            items(&script, 0);
        }
    }
}
