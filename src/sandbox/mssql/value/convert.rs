//! `CAST` and `CONVERT`: from one type to another.

use super::{Family, SqlType, Value};
use super::{decimal, to_binary, to_date, to_float, to_integer, to_text};
use crate::sandbox::mssql::errors::{Result, SqlError};

/// What to do with text and bytes that are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// `CAST` cuts.
    Cut,
    /// An assignment to a column refuses: error 2628, which the caller words.
    Refuse,
}

/// Converts a value of one type to another, as `CAST` does. `from` is a hint: what is stored decides.
pub fn cast(value: &Value, from: SqlType, to: SqlType) -> Result<Value> {
    convert(value, from, to, None, TooLong::Cut)
}

/// Converts with `CONVERT`'s style.
pub fn convert(value: &Value, from: SqlType, to: SqlType, style: Option<i64>, long: TooLong) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    match to.family() {
        Family::Integer => to_integer(value, from, to),
        Family::Approximate => to_float(value, from, to).map(Value::Float),
        Family::Exact => {
            let number = to_float(value, from, to)?;
            let (precision, scale) = match to {
                SqlType::Decimal(precision, scale) => (precision, scale),
                SqlType::Money => (19, 4),
                _ => (10, 4),
            };
            decimal(number, precision, scale, &to.name())
        }
        Family::Text => to_text(value, from, to, style, long),
        Family::Binary => to_binary(value, from, to, style, long),
        Family::Date => to_date(value, from, to),
        Family::Guid => match value {
            Value::Text(text) => match uuid::Uuid::parse_str(text.trim().get(..36).unwrap_or(text.trim()).trim()) {
                Ok(uuid) => Ok(Value::Text(uuid.hyphenated().to_string().to_uppercase())),
                Err(_) => Err(SqlError::new(
                    8169,
                    16,
                    "Conversion failed when converting from a character string to uniqueidentifier.",
                )),
            },
            Value::Bytes(bytes) if bytes.len() >= 16 => {
                let mut first = [0; 16];
                first.copy_from_slice(&bytes[..16]);
                Ok(Value::Text(
                    uuid::Uuid::from_bytes_le(first).hyphenated().to_string().to_uppercase(),
                ))
            }
            _ => Err(not_convertible(from, to)),
        },
    }
}

pub(super) fn not_convertible(from: SqlType, to: SqlType) -> SqlError {
    SqlError::new(
        529,
        16,
        format!(
            "Explicit conversion from data type {} to {} is not allowed.",
            from.base_name(),
            to.base_name()
        ),
    )
}
