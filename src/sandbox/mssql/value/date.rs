//! To dates and times.

use super::{Family, SqlType, Value};
use crate::sandbox::mssql::datetime::{self, Moment};
use crate::sandbox::mssql::errors::{Result, SqlError};

pub(super) fn to_date(value: &Value, from: SqlType, to: SqlType) -> Result<Value> {
    let moment = match value {
        Value::Text(text) if from.family() == Family::Date || from.is_text() => match datetime::parse(text) {
            Some(moment) => moment,
            None => {
                return Err(SqlError::new(
                    241,
                    16,
                    "Conversion failed when converting date and/or time from character string.",
                ));
            }
        },
        Value::Int(_) | Value::Float(_) if matches!(to, SqlType::DateTime | SqlType::SmallDateTime) => {
            let days = match value {
                Value::Int(days) => *days as f64,
                Value::Float(days) => *days,
                _ => 0.0,
            };
            let ticks = (days * datetime::DAY as f64).round();
            if !(-5.4e4 * datetime::DAY as f64..2.96e6 * datetime::DAY as f64).contains(&ticks) {
                return Err(SqlError::overflow(to.base_name()));
            }
            Moment {
                days: datetime::BASE_1900,
                ticks: 0,
                offset: None,
            }
            .shift(ticks as i64, None)
        }
        _ => {
            return Err(SqlError::new(
                206,
                16,
                format!(
                    "Operand type clash: {} is incompatible with {}",
                    from.base_name(),
                    to.base_name()
                ),
            ));
        }
    };
    Ok(Value::Text(store_moment(moment, to)))
}

/// The stored form of a moment under a type.
pub fn store_moment(moment: Moment, to: SqlType) -> String {
    // What has an offset becomes local time of that offset, as CAST from datetimeoffset does.
    match to {
        SqlType::Date => moment.date_text(),
        SqlType::Time(scale) => {
            let rounded = moment.round(scale);
            rounded.time_text(7)
        }
        SqlType::DateTime => moment.round_datetime().stored(),
        SqlType::SmallDateTime => moment.round_minute().stored(),
        SqlType::DateTimeOffset(scale) => format!("{} {}", moment.round(scale).stored(), moment.offset_text()),
        SqlType::DateTime2(scale) => moment.round(scale).stored(),
        _ => moment.stored(),
    }
}
