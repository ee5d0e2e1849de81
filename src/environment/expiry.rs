//! Until when an environment is needed: what `expires_at` and the tag `iacsh:expires-at` say.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The end of an environment. A later one is greater, and never is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    At(Timestamp),
    Never,
}

impl Expiry {
    /// Reads `2027-01-31` (to the end of that day, in UTC), `2027-01-31T18:00:00Z`, `2027-01-31T18:00:00+02:00`,
    /// `2027-01-31T18:00` (in UTC), or `never`. `None` for anything else: what cannot be read never expires by a guess.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "never" {
            return Some(Self::Never);
        }
        // The parser knows more forms of ISO 8601 than people do: `20270131` could be anything.
        let bytes = text.as_bytes();
        let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
        if !is(4, b'-') || !is(7, b'-') {
            return None;
        }
        let end = match bytes.len() {
            10 => text
                .parse::<Date>()
                .ok()?
                .tomorrow()
                .ok()?
                .to_datetime(Time::midnight()),
            _ if !is(10, b'T') => return None,
            _ => match text.parse::<Timestamp>() {
                Ok(moment) => return Some(Self::At(moment)),
                Err(_) => text.parse::<DateTime>().ok()?,
            },
        };
        let moment = TimeZone::UTC.to_timestamp(end).ok()?;
        Some(Self::At(moment))
    }

    /// Whether it is over.
    pub fn is_past(self, now: Timestamp) -> bool {
        matches!(self, Self::At(end) if end <= now)
    }

    /// Whether it is over at some time in the next days.
    pub fn is_within(self, days: i64, now: Timestamp) -> bool {
        match now.checked_add(SignedDuration::from_secs(days.saturating_mul(24 * 3600))) {
            Ok(later) => self.is_past(later),
            Err(_) => self != Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_and_what_cannot_be_read_is_nothing() {
        let at = |text: &str| match Expiry::parse(text) {
            Some(Expiry::At(moment)) => moment.to_string(),
            Some(Expiry::Never) => "never".into(),
            None => "none".into(),
        };
        assert_eq!(at("2027-01-31"), "2027-02-01T00:00:00Z");
        assert_eq!(at("2027-01-31T18:00:00Z"), "2027-01-31T18:00:00Z");
        assert_eq!(at("2027-01-31T18:00:00+02:00"), "2027-01-31T16:00:00Z");
        assert_eq!(at("2027-01-31T18:00"), "2027-01-31T18:00:00Z");
        assert_eq!(at("never"), "never");
        for text in [
            "",
            "soon",
            "31.12.2026",
            "2027-02-30",
            "20270131",
            "2027-01",
            "Never",
            "2027-01-31 or so",
        ] {
            assert_eq!(at(text), "none", "{text}");
        }
    }

    #[test]
    fn never_is_the_latest() {
        let now: Timestamp = "2027-02-01T00:00:00Z".parse().unwrap();
        let read = |text: &str| Expiry::parse(text).unwrap();
        assert!(read("never") > read("2099-01-01"));
        assert!(read("2027-01-31").is_past(now) && !read("2027-02-01").is_past(now));
        assert!(read("2027-02-03").is_within(3, now) && !read("2027-02-04").is_within(3, now));
        assert!(!read("never").is_past(now) && !read("never").is_within(i64::MAX, now));
    }
}
