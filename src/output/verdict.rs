//! The words of a list of tests.

use super::{paint, plain, style};

/// `ok` or what it is instead.
pub fn word(word: &str, is_good: bool) -> String {
    paint(if is_good { style::GOOD } else { style::ERROR }, word)
}

/// What is there for those who look.
pub fn faint(text: &str) -> String {
    paint(style::FAINT, plain(text))
}

/// A title.
pub fn strong(text: &str) -> String {
    paint(style::STRONG, plain(text))
}
