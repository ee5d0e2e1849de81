//! A script as the batches that are sent one by one.
//!
//! `GO` is no T-SQL: it is a word of the client, alone on its line but for a count and comments. The server never sees
//! it. A batch keeps the line on which it begins, so that an error's line in the batch becomes a line of the file.
//!
//! Source: "SQL Server Utilities Statements - GO".

use super::lexer::{Kind, Token, lex};

/// A part of a script between two `GO` lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// What stands before the separator, as it stands there. [`Batch::sql`] is what is sent.
    pub text: &'a str,
    /// The line of `GO` with its line end; empty at the end of the script.
    pub separator: &'a str,
    /// Where the text begins in the script, in bytes.
    pub offset: usize,
    /// The line on which the text begins, from 1.
    pub line: usize,
    /// How often it is to be run: 1, or the count of `GO 5`.
    pub repeat: u32,
}

impl Batch<'_> {
    /// What is sent to the server: the text without a byte order mark.
    pub fn sql(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(self.text)
    }

    /// Only blanks and comments: nothing to send.
    pub fn is_empty(&self) -> bool {
        lex(self.text).all(|token| token.is_trivia())
    }

    /// The line of the script for a line of the batch, as an error of the server counts it.
    pub fn script_line(&self, line_in_batch: usize) -> usize {
        self.line + line_in_batch.saturating_sub(1)
    }
}

/// Splits a script at its `GO` lines. Texts and separators, one after the other, are the script.
///
/// A `GO` inside a string, a comment or a quoted name separates nothing, and neither does a line on which anything but
/// a count and comments follows (`GO;`, `GO 0`, `GOTO`): the server will say what is wrong with it.
pub fn split(script: &str) -> Vec<Batch<'_>> {
    let tokens: Vec<Token<'_>> = lex(script).collect();
    let mut batches = Vec::new();
    let (mut offset, mut line) = (0, 1);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let Some(separator) = separator(&tokens, at) else {
            at += 1;
            continue;
        };
        // The blanks before GO on its line belong to the separator.
        let start = script[offset..token.offset]
            .rfind('\n')
            .map_or(offset, |newline| offset + newline + 1);
        let start = if script[start..token.offset].trim().is_empty() {
            start
        } else {
            token.offset
        };
        let text = &script[offset..start];
        batches.push(Batch {
            text,
            separator: &script[start..separator.end],
            offset,
            line,
            repeat: separator.repeat,
        });
        (offset, line) = (separator.end, separator.next_line);
        at = separator.next;
    }
    if offset < script.len() || batches.is_empty() {
        batches.push(Batch {
            text: &script[offset..],
            separator: "",
            offset,
            line,
            repeat: 1,
        });
    }
    batches
}

struct Separator {
    repeat: u32,
    /// The first byte after it.
    end: usize,
    /// The line on which `end` lies.
    next_line: usize,
    /// The first token that begins after it.
    next: usize,
}

/// Whether the token is a `GO` that separates.
fn separator(tokens: &[Token<'_>], at: usize) -> Option<Separator> {
    let go = tokens.get(at).filter(|token| token.is_word("go"))?;
    let before = tokens[..at]
        .iter()
        .rev()
        .take_while(|token| token.line + breaks(token) >= go.line);
    if !before.into_iter().all(Token::is_trivia) {
        return None;
    }
    let mut repeat = None;
    let mut next = at + 1;
    let mut end = go.offset + go.text.len();
    while let Some(token) = tokens.get(next) {
        match token.kind {
            // The separator ends with its line; the rest of the blanks belongs to the next batch.
            Kind::Space if token.text.contains('\n') => {
                let newline = token.text.find('\n').unwrap_or_default();
                end = token.offset + newline + 1;
                return Some(Separator {
                    repeat: repeat.unwrap_or(1),
                    end,
                    next_line: token.line + 1,
                    next: next + 1,
                });
            }
            Kind::Space | Kind::LineComment => {}
            // A comment that goes on after the line belongs to the separator as a whole.
            Kind::BlockComment => {}
            Kind::Number if repeat.is_none() => {
                repeat = Some(token.text.parse::<u32>().ok().filter(|count| *count > 0)?);
            }
            // After a comment of several lines, what follows is the next batch's.
            _ if token.line > go.line => {
                return Some(Separator {
                    repeat: repeat.unwrap_or(1),
                    end,
                    next_line: token.line,
                    next,
                });
            }
            _ => return None,
        }
        end = token.offset + token.text.len();
        next += 1;
    }
    let last = tokens.last().unwrap_or(go);
    Some(Separator {
        repeat: repeat.unwrap_or(1),
        end,
        next_line: last.line + breaks(last),
        next,
    })
}

fn breaks(token: &Token<'_>) -> usize {
    token.text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What would be sent: text without outer blanks, line, count.
    fn sent(script: &str) -> Vec<(&str, usize, u32)> {
        let batches = split(script).into_iter().filter(|batch| !batch.is_empty());
        batches
            .map(|batch| {
                (
                    batch.text.trim_matches(['\u{feff}', '\n', '\r', ' ']),
                    batch.line,
                    batch.repeat,
                )
            })
            .collect()
    }

    #[test]
    fn go_splits_and_lines_are_kept() {
        assert_eq!(
            sent("\u{feff}SELECT 1\r\nGO\r\n\r\nSELECT 2\r\n  go 5 -- five times\r\nSELECT 3"),
            [("SELECT 1", 1, 1), ("SELECT 2", 3, 5), ("SELECT 3", 6, 1)]
        );
        assert_eq!(sent("GO\nSELECT 1\nGO"), [("SELECT 1", 2, 1)]);
        assert_eq!(
            sent("SELECT 1 /* a\nb */ GO /* c\nd */ SELECT 2"),
            [("SELECT 1 /* a\nb */", 1, 1), ("SELECT 2", 3, 1)]
        );
    }

    #[test]
    fn what_only_looks_like_go_does_not_split() {
        for script in [
            "SELECT 'a\nGO\nb'",
            "/* a\nGO\n*/ SELECT 1",
            "/* a /* b */\nGO\n*/ SELECT 1",
            "SELECT [a\nGO\nb]",
            "SELECT \"a\nGO\nb\"",
            "GOTO done",
            "SELECT 1 AS\ngone_ts",
            "SELECT 1 GO",
            "GO;\nSELECT 1",
            "SELECT 1\nGO 0",
            "SELECT 1\nGO 99999999999",
            "SELECT 1\n[GO]",
        ] {
            assert_eq!(split(script).len(), 1, "{script}");
        }
    }

    #[test]
    fn an_errors_line_becomes_a_line_of_the_script() {
        let batches = split("SELECT 1\nGO\n-- two\nSELECT 2\n");
        assert_eq!(batches[1].script_line(2), 4);
    }

    proptest! {
        #[test]
        fn the_batches_are_the_script(script in "(GO|go 2|;| |\\n|\\r\\n|--|/\\*|\\*/|'|\\[|\\]|\"|x|\\PC)*") {
            let batches = split(&script);
            let whole: String = batches.iter().flat_map(|batch| [batch.text, batch.separator]).collect();
            prop_assert_eq!(&whole, &script);
            for batch in batches {
                prop_assert!(script[batch.offset..].starts_with(batch.text));
                prop_assert_eq!(batch.line, 1 + script[..batch.offset].matches('\n').count());
                prop_assert!(batch.repeat > 0);
            }
        }
    }
}
