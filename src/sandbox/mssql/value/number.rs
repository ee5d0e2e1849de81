//! To whole numbers, floating point and decimals.

use super::not_convertible;
use super::{Family, SqlType, Value};
use crate::sandbox::mssql::errors::{Result, SqlError};

pub(super) fn integer_range(to: SqlType) -> (i64, i64) {
    match to {
        SqlType::TinyInt => (0, 255),
        SqlType::SmallInt => (i16::MIN.into(), i16::MAX.into()),
        SqlType::Int => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

pub(super) fn to_integer(value: &Value, from: SqlType, to: SqlType) -> Result<Value> {
    let number = match value {
        Value::Int(number) => *number,
        Value::Float(number) if number.is_finite() && number.abs() < 9.3e18 => number.trunc() as i64,
        Value::Float(_) => return Err(SqlError::overflow(to.base_name())),
        Value::Text(_) if from.family() == Family::Date || from.family() == Family::Guid => {
            return Err(not_convertible(from, to));
        }
        Value::Text(text) => {
            let trimmed = text.trim();
            if to == SqlType::Bit && trimmed.eq_ignore_ascii_case("true") {
                return Ok(Value::Int(1));
            }
            if to == SqlType::Bit && trimmed.eq_ignore_ascii_case("false") {
                return Ok(Value::Int(0));
            }
            if trimmed.is_empty() {
                return Ok(Value::Int(0));
            }
            match trimmed.parse::<i64>() {
                Ok(number) => number,
                Err(_) if to == SqlType::BigInt => {
                    return Err(SqlError::new(
                        8114,
                        16,
                        format!("Error converting data type {} to bigint.", from.base_name()),
                    ));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow
                    ) =>
                {
                    return Err(too_big(from, text, to));
                }
                Err(_) => return Err(SqlError::conversion(from.base_name(), text, to.base_name())),
            }
        }
        Value::Bytes(bytes) => bytes
            .iter()
            .rev()
            .take(8)
            .rev()
            .fold(0i64, |sum, byte| sum << 8 | i64::from(*byte)),
        Value::Null => return Ok(Value::Null),
    };
    if to == SqlType::Bit {
        return Ok(Value::Int(i64::from(number != 0)));
    }
    let (least, most) = integer_range(to);
    if number < least || number > most {
        return match value {
            Value::Text(text) => Err(too_big(from, text, to)),
            Value::Int(number) if to != SqlType::BigInt && to != SqlType::Int => Err(SqlError::new(
                220,
                16,
                format!(
                    "Arithmetic overflow error for data type {}, value = {number}.",
                    to.base_name()
                ),
            )),
            _ => Err(SqlError::overflow(to.base_name())),
        };
    }
    Ok(Value::Int(number))
}

pub(super) fn too_big(from: SqlType, text: &str, to: SqlType) -> SqlError {
    match to {
        SqlType::Int => SqlError::new(
            248,
            16,
            format!(
                "The conversion of the {} value '{text}' overflowed an int column.",
                from.base_name()
            ),
        ),
        _ => SqlError::new(
            244,
            16,
            format!(
                "The conversion of the {} value '{text}' overflowed an INT{} column. Use a larger integer column.",
                from.base_name(),
                if to == SqlType::TinyInt { 1 } else { 2 }
            ),
        ),
    }
}

pub(super) fn to_float(value: &Value, from: SqlType, to: SqlType) -> Result<f64> {
    match value {
        Value::Int(number) => Ok(*number as f64),
        Value::Float(number) => Ok(if to == SqlType::Real {
            f64::from(*number as f32)
        } else {
            *number
        }),
        Value::Text(text) if from.family() != Family::Date && from.family() != Family::Guid => {
            let trimmed = text.trim();
            let number = trimmed.parse::<f64>().ok().filter(|number| number.is_finite());
            match number {
                Some(number) if trimmed.bytes().any(|byte| byte.is_ascii_digit()) => Ok(number),
                None if trimmed.is_empty() && to.family() == Family::Approximate => Ok(0.0),
                _ => Err(SqlError::new(
                    8114,
                    16,
                    format!(
                        "Error converting data type {} to {}.",
                        from.base_name(),
                        if matches!(to, SqlType::Decimal(..)) {
                            "numeric"
                        } else {
                            to.base_name()
                        }
                    ),
                )),
            }
        }
        _ => Err(not_convertible(from, to)),
    }
}

/// Rounds to a scale and checks the digits. More than 15 significant digits would be wrong, so they are refused.
pub fn decimal(number: f64, precision: u8, scale: u8, name: &str) -> Result<Value> {
    let factor = 10f64.powi(scale.into());
    let scaled = (number * factor).round();
    if !scaled.is_finite() || scaled.abs() >= 10f64.powi(precision.into()) {
        return Err(SqlError::overflow(if name.starts_with("decimal") {
            "numeric"
        } else {
            name
        }));
    }
    if scaled.abs() >= 1e15 {
        return Err(SqlError::unsupported("a decimal with more than 15 digits"));
    }
    Ok(Value::Float(scaled / factor))
}
