//! Windows of time: `05:00-09:00` every day for snapshots, `sun:23:00-mon:01:30` every week for maintenance, at least an
//! hour long, in UTC.
//!
//! Source: `CreateReplicationGroup`, parameters SnapshotWindow and PreferredMaintenanceWindow.

use super::super::call::{Call, Fault};
use super::invalid;

const DAY: i64 = 24 * 60;
const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Checks the windows that a call gives.
pub fn check(call: &Call<'_>) -> Result<(), Fault> {
    let snapshot = call.text("SnapshotWindow");
    if !snapshot.is_empty() && !is_long_enough(snapshot, DAY, minute_of_day) {
        return Err(invalid(&format!(
            "Invalid snapshot window: {snapshot}. It must be hh24:mi-hh24:mi, at least 60 minutes long."
        )));
    }
    let maintenance = call.text("PreferredMaintenanceWindow");
    if !maintenance.is_empty() && !is_long_enough(maintenance, 7 * DAY, minute_of_week) {
        return Err(invalid(&format!(
            "Invalid maintenance window: {maintenance}. It must be ddd:hh24:mi-ddd:hh24:mi, at least 60 minutes long."
        )));
    }
    Ok(())
}

fn is_long_enough(text: &str, period: i64, minute: impl Fn(&str) -> Option<i64>) -> bool {
    let Some((from, to)) = text.split_once('-') else {
        return false;
    };
    match (minute(from), minute(to)) {
        (Some(from), Some(to)) => (to - from).rem_euclid(period) >= 60,
        _ => false,
    }
}

fn minute_of_day(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}

fn minute_of_week(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(':')?;
    let day = DAYS.iter().position(|known| day.eq_ignore_ascii_case(known))?;
    Some(i64::try_from(day).ok()? * DAY + minute_of_day(time)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        assert!(is_long_enough("23:30-00:30", DAY, minute_of_day));
        assert!(!is_long_enough("03:00-03:30", DAY, minute_of_day));
        assert!(!is_long_enough("24:00-25:00", DAY, minute_of_day));
        assert!(is_long_enough("sun:23:00-mon:01:30", 7 * DAY, minute_of_week));
        assert!(!is_long_enough("Sunday", 7 * DAY, minute_of_week));
    }
}
