//! To text: what a value shows as, with the styles of `CONVERT`.

use super::{Family, SqlType, Value};
use super::{TooLong, cut_units, narrow, units};
use crate::sandbox::mssql::datetime::{self, Moment};
use crate::sandbox::mssql::errors::{Result, SqlError};

/// How a value looks as text, without a style.
pub fn show(value: &Value, from: SqlType) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => match from {
            SqlType::Decimal(_, scale) => format!("{number:.*}", usize::from(scale)),
            SqlType::Money | SqlType::SmallMoney => format!("{number:.2}"),
            _ => float_text(*number),
        },
        Value::Text(text) => match from {
            SqlType::DateTime => datetime::parse(text).map_or_else(|| text.clone(), |moment| style_text(&moment, 0)),
            SqlType::SmallDateTime => {
                datetime::parse(text).map_or_else(|| text.clone(), |moment| style_text(&moment, 0))
            }
            SqlType::Time(scale) | SqlType::DateTime2(scale) => cut_digits(text, scale, ""),
            SqlType::DateTimeOffset(scale) => match text.rsplit_once(' ') {
                Some((local, offset)) => cut_digits(local, scale, &format!(" {offset}")),
                None => text.clone(),
            },
            _ => text.clone(),
        },
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// `1`, `0.1`, `1e+020`: six digits, as `CONVERT` without a style gives.
pub(super) fn float_text(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let exponent = number.abs().log10().floor();
    if (-5.0..6.0).contains(&exponent) {
        let digits = (5.0 - exponent).max(0.0) as usize;
        let text = format!("{number:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    } else {
        let text = format!("{number:.5e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        let power: i32 = power.parse().unwrap_or_default();
        format!("{mantissa}e{}{:03}", if power < 0 { '-' } else { '+' }, power.abs())
    }
}

pub(super) fn cut_digits(text: &str, scale: u8, behind: &str) -> String {
    let kept = text
        .len()
        .saturating_sub(usize::from(if scale == 0 { 8 } else { 7 - scale.min(7) }));
    format!("{}{behind}", text.get(..kept).unwrap_or(text))
}

pub(super) fn style_text(moment: &Moment, style: i64) -> String {
    let (year, month, day) = datetime::to_civil(moment.days);
    let seconds = moment.ticks / datetime::SECOND;
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    let name = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    .get(month as usize - 1)
    .copied()
    .unwrap_or_default();
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let half = if hour < 12 { "AM" } else { "PM" };
    match style {
        1 => format!("{month:02}/{day:02}/{:02}", year % 100),
        101 => format!("{month:02}/{day:02}/{year:04}"),
        103 => format!("{day:02}/{month:02}/{year:04}"),
        104 => format!("{day:02}.{month:02}.{year:04}"),
        108 => moment.time_text(0),
        112 => format!("{year:04}{month:02}{day:02}"),
        _ => format!("{name} {day:2} {year:04} {twelve:2}:{minute:02}{half}"),
    }
}

pub(super) fn to_text(value: &Value, from: SqlType, to: SqlType, style: Option<i64>, long: TooLong) -> Result<Value> {
    let mut text = match (value, style) {
        (Value::Bytes(bytes), Some(style @ (1 | 2))) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            if style == 1 { format!("0x{digits}") } else { digits }
        }
        (Value::Bytes(bytes), _) => match to {
            SqlType::NVarChar(_) | SqlType::NChar(_) => {
                let units: Vec<u16> = bytes
                    .chunks(2)
                    .map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
                    .collect();
                String::from_utf16_lossy(&units)
            }
            _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
        (Value::Text(text), Some(style)) if from.family() == Family::Date => {
            let Some(moment) = datetime::parse(text) else {
                return Err(SqlError::internal(format!("the stored date '{text}'")));
            };
            let scale = match from {
                SqlType::Time(scale) | SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => scale,
                SqlType::DateTime => 3,
                _ => 0,
            };
            let offset = if matches!(from, SqlType::DateTimeOffset(_)) {
                moment.offset_text()
            } else {
                String::new()
            };
            match style {
                0 | 100 | 1 | 101 | 103 | 104 | 108 | 112 => style_text(&moment, style),
                20 | 120 => format!("{} {}", moment.date_text(), moment.time_text(0)),
                21 | 25 | 121 => match from {
                    SqlType::Date => moment.date_text(),
                    SqlType::Time(_) => moment.time_text(scale),
                    _ => format!(
                        "{} {}{}{offset}",
                        moment.date_text(),
                        moment.time_text(scale),
                        if offset.is_empty() { "" } else { " " }
                    ),
                },
                23 => moment.date_text(),
                126 => match from {
                    SqlType::Date => moment.date_text(),
                    _ => format!(
                        "{}T{}{offset}",
                        moment.date_text(),
                        moment.time_text(if moment.ticks % datetime::SECOND == 0 && from == SqlType::DateTime {
                            0
                        } else {
                            scale
                        })
                    ),
                },
                127 => format!("{}T{}Z", moment.utc().date_text(), moment.utc().time_text(scale)),
                other => return Err(SqlError::unsupported(format!("style {other} of CONVERT"))),
            }
        }
        (value, _) => show(value, from),
    };
    let length = to.length().map(usize::from);
    if let Some(length) = length {
        let is = units(&text);
        if is > length {
            match value {
                Value::Int(_) if matches!(to, SqlType::NVarChar(_) | SqlType::NChar(_)) => {
                    return Err(SqlError::overflow(to.base_name()));
                }
                Value::Int(_) => text = "*".to_owned(),
                _ if long == TooLong::Refuse => return Err(SqlError::new(2628, 16, text)),
                _ => text = cut_units(&text, length),
            }
        }
        if matches!(to, SqlType::NChar(_) | SqlType::Char(_)) {
            text.extend(std::iter::repeat_n(' ', length.saturating_sub(units(&text))));
        }
    }
    if matches!(to, SqlType::VarChar(_) | SqlType::Char(_)) && !text.is_ascii() {
        text = narrow(&text);
    }
    Ok(Value::Text(text))
}
