//! Opaque markers: how a text in backticks carries what is not plain.
//!
//! Rhai makes an ordinary string of `` `redis://${cache.endpoint}` ``, and asks each value for its text at once. An
//! output that is not known yet, or a secret, gives a marker instead: two characters of the last private-use plane
//! around a number. Where a native function takes the string, the marker becomes the part again. The AWS CDK does the
//! same with its tokens.

use std::sync::{Mutex, PoisonError};

use crate::value::{Part, Text};

const BEGIN: char = '\u{10_F1AC}';
const END: char = '\u{10_F1AD}';

/// The parts behind the markers of one run.
#[derive(Debug, Default)]
pub struct Markers(Mutex<Vec<Part>>);

/// Whether a string has markers in it. Most have none.
pub fn has_marker(text: &str) -> bool {
    text.contains(BEGIN)
}

impl Markers {
    /// The text as a string, with a marker for each part that is not plain.
    pub fn hide(&self, text: &Text) -> String {
        let mut shown = String::new();
        for part in &text.0 {
            match part {
                Part::Plain(plain) => shown.push_str(plain),
                part => {
                    let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                    let known = parts.iter().position(|known| same(known, part));
                    let number = known.unwrap_or_else(|| {
                        parts.push(part.clone());
                        parts.len() - 1
                    });
                    shown.push_str(&format!("{BEGIN}{number}{END}"));
                }
            }
        }
        shown
    }

    /// The text that a string stands for. A marker that a script has cut in two stays what it is: nothing can be read
    /// from it.
    pub fn reveal(&self, string: &str) -> Text {
        let mut text = Text::default();
        let mut rest = string;
        while let Some(begin) = rest.find(BEGIN) {
            let after = &rest[begin + BEGIN.len_utf8()..];
            let part = after.find(END).and_then(|end| {
                let number: usize = after[..end].parse().ok()?;
                let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                Some((parts.get(number)?.clone(), &after[end + END.len_utf8()..]))
            });
            let (part, next) = part.unwrap_or((Part::Plain("…".into()), after));
            if begin > 0 {
                text = text.join(Text::plain(&rest[..begin]));
            }
            text = text.join(Text(vec![part]));
            rest = next;
        }
        if !rest.is_empty() || text.0.is_empty() {
            text = text.join(Text::plain(rest));
        }
        text
    }
}

fn same(one: &Part, other: &Part) -> bool {
    match (one, other) {
        (Part::Secret(one), Part::Secret(other)) => one == other,
        (Part::Unknown(one), Part::Unknown(other)) => one == other,
        (Part::Output(one), Part::Output(other)) => one.field == other.field && one.promise.same(&other.promise),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_secret_goes_through_a_string_unseen() {
        let markers = Markers::default();
        let text = Text::plain("password=").join(Text(vec![Part::Secret(Secret::new("swordfish"))]));
        let string = markers.hide(&text) + ";";
        assert!(!string.contains("swordfish") && has_marker(&string));
        assert_eq!(markers.hide(&text) + ";", string);
        let back = markers.reveal(&string);
        assert_eq!(back.to_string(), "password=********;");
        assert!(matches!(&back.0[1], Part::Secret(secret) if secret.expose() == "swordfish"));
        assert_eq!(markers.reveal("").to_string(), "");
        assert_eq!(markers.reveal("a\u{10_F1AC}77").to_string(), "a…77");
    }
}
