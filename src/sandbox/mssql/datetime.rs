//! Dates and times: as T-SQL reads and writes them, and as they are stored.
//!
//! Stored form: text that sorts in order. `date`: `2024-05-06`; `time`: `13:14:15.1234567`; every date with a time:
//! `2024-05-06 13:14:15.1234567`; `datetimeoffset` has ` +02:00` behind that. Always seven digits, whatever the scale.

/// Ticks of 100 ns in one day.
pub const DAY: i64 = 864_000_000_000;
pub const SECOND: i64 = 10_000_000;

/// A moment: days since 0001-01-01, ticks of 100 ns since midnight, and for `datetimeoffset` the minutes east of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub days: i32,
    pub ticks: i64,
    pub offset: Option<i16>,
}

/// 9999-12-31.
pub const LAST_DAY: i32 = 3_652_058;
/// 1900-01-01, the base date of `datetime`.
pub const BASE_1900: i32 = 693_595;
/// 1970-01-01.
const UNIX: i32 = 719_162;

/// Days since 0001-01-01 of a date of the Gregorian calendar; `None` when there is no such date.
pub fn from_civil(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) as i32 + 2) / 5 + day as i32 - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 306)
}

/// Year, month and day.
pub fn to_civil(days: i32) -> (i32, u32, u32) {
    let shifted = i64::from(days) + 306;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

pub fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Moment {
    pub fn now_utc() -> Self {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos()
            / 100;
        let days = (since / DAY as u128) as i32 + UNIX;
        Self {
            days,
            ticks: (since % DAY as u128) as i64,
            offset: None,
        }
    }

    /// A moment of Unix's count, in milliseconds.
    pub fn of_unix(milliseconds: i64) -> Self {
        const DAY_MS: i64 = DAY / 10_000;
        Self {
            days: i32::try_from(milliseconds.div_euclid(DAY_MS)).unwrap_or_default() + UNIX,
            ticks: milliseconds.rem_euclid(DAY_MS) * 10_000,
            offset: None,
        }
    }

    /// Rounded to a number of digits of the second, as `datetime2(scale)` does.
    pub fn round(mut self, scale: u8) -> Self {
        let unit = 10_i64.pow(7 - u32::from(scale.min(7)));
        self.ticks = (self.ticks + unit / 2) / unit * unit;
        self.carry()
    }

    /// Rounded to 1/300 second, as `datetime` does.
    pub fn round_datetime(mut self) -> Self {
        let units = (self.ticks * 3 + 50_000) / 100_000;
        // .000, .003 and .007: in milliseconds, which is what is shown and stored.
        let milliseconds = units / 300 * 1000 + (units % 300 * 10 + 1) / 3;
        self.ticks = milliseconds * 10_000;
        self.carry()
    }

    /// Rounded to the minute, as `smalldatetime` does.
    pub fn round_minute(mut self) -> Self {
        self.ticks = (self.ticks + 30 * SECOND) / (60 * SECOND) * (60 * SECOND);
        self.carry()
    }

    fn carry(mut self) -> Self {
        if self.ticks >= DAY {
            self.ticks -= DAY;
            self.days = (self.days + 1).min(LAST_DAY);
        }
        self
    }

    /// The same moment in UTC, without an offset.
    pub fn utc(self) -> Self {
        self.shift(-i64::from(self.offset.unwrap_or_default()) * 60 * SECOND, None)
    }

    /// Moved by ticks; the offset is set to what is given.
    pub fn shift(self, ticks: i64, offset: Option<i16>) -> Self {
        let total = (i64::from(self.days) * DAY + self.ticks).saturating_add(ticks);
        let total = total.clamp(0, (i64::from(LAST_DAY) + 1) * DAY - 1);
        Self {
            days: (total / DAY) as i32,
            ticks: total % DAY,
            offset,
        }
    }

    pub fn date_text(&self) -> String {
        let (year, month, day) = to_civil(self.days);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `13:14:15.123`, with so many digits; 0 leaves the point out.
    pub fn time_text(&self, digits: u8) -> String {
        let seconds = self.ticks / SECOND;
        let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        if digits > 0 {
            let fraction = format!("{:07}", self.ticks % SECOND);
            text.push('.');
            text.push_str(&fraction[..usize::from(digits.min(7))]);
        }
        text
    }

    pub fn offset_text(&self) -> String {
        let offset = self.offset.unwrap_or_default();
        format!(
            "{}{:02}:{:02}",
            if offset < 0 { '-' } else { '+' },
            offset.abs() / 60,
            offset.abs() % 60
        )
    }

    /// The stored form of a date with a time.
    pub fn stored(&self) -> String {
        format!("{} {}", self.date_text(), self.time_text(7))
    }
}

/// Reads what T-SQL accepts without regard to language: `2024-05-06[ T]13:14[:15[.1234567]][Z| +02:00]`, `20240506 ...`,
/// a time alone (on 1900-01-01), and `mm/dd/yyyy` as under the language us_english. The empty text is 1900-01-01.
pub fn parse(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Moment {
            days: BASE_1900,
            ticks: 0,
            offset: None,
        });
    }
    let (date, rest) = match text.find([' ', 'T', 't']) {
        Some(at) if !text[..at].contains(':') => (Some(&text[..at]), text[at + 1..].trim_start()),
        _ if text.contains(':') => (None, text),
        _ => (Some(text), ""),
    };
    let days = match date {
        Some(date) => parse_date(date)?,
        None => BASE_1900,
    };
    if rest.is_empty() {
        return Some(Moment {
            days,
            ticks: 0,
            offset: None,
        });
    }
    let (clock, offset) = split_offset(rest)?;
    Some(Moment {
        days,
        ticks: parse_time(clock)?,
        offset,
    })
}

fn parse_date(text: &str) -> Option<i32> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return from_civil(
            text[..4].parse().ok()?,
            text[4..6].parse().ok()?,
            text[6..].parse().ok()?,
        );
    }
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let [first, second, third] = parts.as_slice() else {
        return None;
    };
    if [first, second, third]
        .iter()
        .any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return None;
    }
    if first.len() == 4 {
        from_civil(first.parse().ok()?, second.parse().ok()?, third.parse().ok()?)
    } else if third.len() == 4 {
        from_civil(third.parse().ok()?, first.parse().ok()?, second.parse().ok()?)
    } else {
        None
    }
}

fn split_offset(text: &str) -> Option<(&str, Option<i16>)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock.trim_end(), Some(0)));
    }
    let Some(at) = text.find(['+', '-']) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let minutes = hours
        .parse::<i16>()
        .ok()?
        .checked_mul(60)?
        .checked_add(minutes.trim().parse::<i16>().ok()?)?;
    if !(0..=14 * 60).contains(&minutes) {
        return None;
    }
    Some((
        text[..at].trim_end(),
        Some(if text[at..].starts_with('-') { -minutes } else { minutes }),
    ))
}

fn parse_time(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let (clock, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock.trim_end(), Some(0)),
        (_, Some(clock)) => (clock.trim_end(), Some(12)),
        _ => (lower.as_str(), None),
    };
    let mut parts = clock.split(':');
    let number = |part: &str| -> Option<i64> {
        (!part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse().ok())
            .flatten()
    };
    let mut hours = number(parts.next()?)?;
    let minutes = number(parts.next()?)?;
    let mut ticks = 0;
    if let Some(seconds) = parts.next() {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        let whole = number(whole)?;
        if whole > 59 || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits = format!("{fraction:0<8}");
        digits.truncate(8);
        ticks = whole * SECOND + (digits.parse::<i64>().ok()? + 5) / 10;
    }
    if parts.next().is_some() {
        return None;
    }
    if let Some(add) = half {
        if !(1..=12).contains(&hours) {
            return None;
        }
        hours = hours % 12 + add;
    }
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some((hours * 3600 + minutes * 60) * SECOND + ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_protocol_does() {
        assert_eq!(from_civil(1, 1, 1), Some(0));
        assert_eq!(from_civil(1900, 1, 1), Some(BASE_1900));
        assert_eq!(from_civil(1970, 1, 1), Some(UNIX));
        assert_eq!(from_civil(9999, 12, 31), Some(LAST_DAY));
        assert_eq!(from_civil(2023, 2, 29), None);
        for days in (0..=LAST_DAY).step_by(97) {
            let (year, month, day) = to_civil(days);
            assert_eq!(from_civil(year, month, day), Some(days));
        }
    }

    #[test]
    fn texts() {
        let show = |text: &str| parse(text).map(|moment| moment.stored());
        assert_eq!(
            show("2024-05-06T07:08:09.12").as_deref(),
            Some("2024-05-06 07:08:09.1200000")
        );
        assert_eq!(show("20240506").as_deref(), Some("2024-05-06 00:00:00.0000000"));
        assert_eq!(
            show("05/06/2024 1:02 PM").as_deref(),
            Some("2024-05-06 13:02:00.0000000")
        );
        assert_eq!(
            parse("2024-05-06 07:08 +02:30").and_then(|moment| moment.offset),
            Some(150)
        );
        assert_eq!(show("2024-13-06"), None);
        assert_eq!(show("yesterday"), None);
    }
}
