//! The collation: case-insensitive, accent-sensitive, and blind to trailing blanks, as SQL_Latin1_General_CP1_CI_AS and
//! the ANSI rules for comparing texts of different lengths.

use std::cmp::Ordering;

/// Its name in SQLite.
pub const NAME: &str = "MSSQL";
pub const DISPLAY: &str = "SQL_Latin1_General_CP1_CI_AS";

pub fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_end_matches(' '), other.trim_end_matches(' '));
    if one.is_ascii() && other.is_ascii() {
        let lower = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<u8>>();
        return if one.len() == other.len() && one.eq_ignore_ascii_case(other) {
            Ordering::Equal
        } else {
            lower(one).cmp(&lower(other))
        };
    }
    one.chars()
        .flat_map(char::to_lowercase)
        .cmp(other.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_trailing_blanks_do_not_count() {
        assert!(compare("Straße  ", "STRAßE").is_eq());
        assert!(compare("ÄPFEL", "äpfel").is_eq());
        assert!(compare("apfel", "äpfel").is_ne());
        assert!(compare(" a", "a").is_ne());
    }
}
