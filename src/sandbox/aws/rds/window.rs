//! The backup window of a day and the maintenance window of a week, in UTC.
//!
//! Source: RDS API reference, `CreateDBInstance`, `PreferredBackupWindow` and `PreferredMaintenanceWindow`: `hh24:mi-hh24:mi`
//! and `ddd:hh24:mi-ddd:hh24:mi`, 30 minutes at least, and they must not overlap. The defaults are 30 minutes at random
//! within 8 hours.

use super::super::call::Fault;
use super::invalid;

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
const SHORTEST: i64 = 30;
const MINUTE: i64 = 60_000;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// 1970-01-01 was a Thursday.
const FIRST_DAY: i64 = 3;

/// Minutes since the day or the week began, and how many follow.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    length: i64,
}

/// The backup window in lower case; a random one that lies beside the maintenance window when none is given.
pub fn backup(text: &str, maintenance: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Ok(random(daily_text, maintenance, true));
    }
    let span = daily(text).ok_or_else(|| {
        invalid(&format!(
            "Invalid backup window format: {text}. Should be specified as a range hh24:mi-hh24:mi (24H Clock UTC). \
             Example: 17:44-18:14"
        ))
    })?;
    if span.length < SHORTEST {
        return Err(invalid("The backup window must be at least 30 minutes."));
    }
    Ok(text.to_ascii_lowercase())
}

/// The maintenance window in lower case; a random one that lies beside the backup window when none is given.
pub fn maintenance(text: &str, backup: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Ok(random(weekly_text, backup, false));
    }
    let lower = text.to_ascii_lowercase();
    let span = weekly(&lower).ok_or_else(|| {
        invalid(&format!(
            "Invalid maintenance window format: {text}. Should be specified as a range ddd:hh24:mi-ddd:hh24:mi (24H Clock \
             UTC). Example: Sun:23:45-Mon:00:15"
        ))
    })?;
    if span.length < SHORTEST {
        return Err(invalid("The maintenance window must be at least 30 minutes."));
    }
    if span.length >= DAY {
        return Err(invalid("Maintenance window must be less than 24 hours."));
    }
    Ok(lower)
}

/// That both windows lie beside each other.
pub fn check_apart(backup: &str, maintenance: &str) -> Result<(), Fault> {
    match (daily(backup), weekly(maintenance)) {
        (Some(day), Some(week)) if overlap(day, week) => {
            Err(invalid("The backup window and maintenance window must not overlap."))
        }
        _ => Ok(()),
    }
}

/// When the maintenance window opens next after this moment (milliseconds since 1970); the moment itself when it is open
/// and stays so for 30 minutes.
pub fn next(maintenance: &str, now: i64) -> i64 {
    let Some(span) = weekly(maintenance) else { return now };
    let minute = (now.div_euclid(MINUTE) + FIRST_DAY * DAY).rem_euclid(WEEK);
    let since = (minute - span.start).rem_euclid(WEEK);
    if since + SHORTEST <= span.length {
        return now;
    }
    (now.div_euclid(MINUTE) + WEEK - since) * MINUTE
}

fn overlap(day: Span, week: Span) -> bool {
    (week.start..week.start + week.length).any(|minute| (minute - day.start).rem_euclid(DAY) < day.length)
}

fn daily(text: &str) -> Option<Span> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (time(start)?, time(end)?);
    Some(Span {
        start,
        length: (end - start).rem_euclid(DAY),
    })
}

fn weekly(text: &str) -> Option<Span> {
    let moment = |text: &str| {
        let (day, rest) = text.split_once(':')?;
        let day = DAYS.iter().position(|name| *name == day)?;
        Some(i64::try_from(day).ok()? * DAY + time(rest)?)
    };
    let (start, end) = text.split_once('-')?;
    let (start, end) = (moment(start)?, moment(end)?);
    Some(Span {
        start,
        length: (end - start).rem_euclid(WEEK),
    })
}

fn time(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| digits && *number < most)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// A window of 30 minutes between 03:00 and 11:00 that lies beside the other one, if there is such.
fn random(text: impl Fn(i64) -> String, other: &str, day: bool) -> String {
    let places: Vec<i64> = (0..16).map(|half| 3 * 60 + half * SHORTEST).collect();
    let offset = rand::random_range(0..places.len());
    let week = if day { 0 } else { rand::random_range(0..7) * DAY };
    let candidates = places.iter().cycle().skip(offset).take(places.len());
    let mut texts = candidates.map(|place| text(week + place)).peekable();
    let first = texts.peek().cloned().unwrap_or_default();
    texts
        .find(|candidate| match day {
            true => check_apart(candidate, other).is_ok(),
            false => check_apart(other, candidate).is_ok(),
        })
        .unwrap_or(first)
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute.rem_euclid(DAY) / 60, minute.rem_euclid(60))
}

fn daily_text(start: i64) -> String {
    format!("{}-{}", clock(start), clock(start + SHORTEST))
}

fn weekly_text(start: i64) -> String {
    let moment = |minute: i64| {
        let day = usize::try_from(minute.rem_euclid(WEEK) / DAY).unwrap_or_default();
        format!("{}:{}", DAYS.get(day).copied().unwrap_or("mon"), clock(minute))
    };
    format!("{}-{}", moment(start), moment(start + SHORTEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_checked_as_rds_does() {
        assert!(backup("23:45-00:15", "").is_ok(), "over midnight");
        assert!(backup("03:00-03:10", "").is_err());
        assert!(backup("3:00-4:00", "").is_err());
        assert_eq!(maintenance("Sun:23:45-Mon:00:15", "").unwrap(), "sun:23:45-mon:00:15");
        assert!(maintenance("sun:04:00-mon:04:00", "").is_err(), "a day is too long");
        assert!(maintenance("sun:04:00-sun:04:20", "").is_err());
        assert!(check_apart("04:00-04:30", "sun:04:15-sun:05:00").is_err());
        assert!(check_apart("00:00-00:30", "sun:23:45-mon:00:15").is_err());
        assert!(check_apart("04:00-04:30", "sun:04:30-sun:05:00").is_ok());
    }

    #[test]
    fn random_windows_lie_beside_the_other_one() {
        for _ in 0..50 {
            let week = maintenance("", "03:00-10:30").unwrap();
            assert!(check_apart("03:00-10:30", &week).is_ok(), "{week}");
            let day = backup("", "tue:03:00-tue:10:30").unwrap();
            assert_eq!(day, "10:30-11:00");
        }
    }

    #[test]
    fn the_next_window_is_this_one_while_it_is_open_long_enough() {
        // 2027-01-15T08:00:00Z, a Friday.
        let now = 1_800_000_000_000;
        assert_eq!(next("fri:07:00-fri:09:00", now), now);
        assert_eq!(next("fri:09:00-fri:10:00", now), now + 60 * MINUTE);
        assert_eq!(next("fri:07:00-fri:08:15", now), now + (WEEK - 60) * MINUTE);
        assert_eq!(next("thu:08:00-thu:09:00", now), now + 6 * DAY * MINUTE);
    }
}
