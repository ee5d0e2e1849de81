//! To bytes.

use super::{SqlType, Value};
use super::{TooLong, not_convertible, to_1252};
use crate::sandbox::mssql::errors::{Result, SqlError};

pub(super) fn to_binary(value: &Value, from: SqlType, to: SqlType, style: Option<i64>, long: TooLong) -> Result<Value> {
    let mut bytes = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Text(text) if from == SqlType::UniqueIdentifier => uuid::Uuid::parse_str(text)
            .map(|uuid| uuid.to_bytes_le().to_vec())
            .unwrap_or_default(),
        Value::Text(text) if from.is_text() => match style {
            Some(style @ (1 | 2)) => {
                let digits = if style == 1 {
                    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
                } else {
                    Some(text.as_str())
                };
                match digits.and_then(from_hex) {
                    Some(bytes) => bytes,
                    None => {
                        return Err(SqlError::new(
                            8114,
                            16,
                            format!("Error converting data type {} to varbinary.", from.base_name()),
                        ));
                    }
                }
            }
            _ if matches!(from, SqlType::NVarChar(_) | SqlType::NChar(_)) => {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            _ => text
                .chars()
                .map(|character| to_1252(character).unwrap_or(b'?'))
                .collect(),
        },
        Value::Int(number) => {
            let width = from.system().1.clamp(1, 8) as usize;
            let all = number.to_be_bytes();
            all[8 - width..].to_vec()
        }
        _ => return Err(not_convertible(from, to)),
    };
    let length = match to {
        SqlType::RowVersion => Some(8),
        _ => to.length().map(usize::from),
    };
    if let Some(length) = length {
        if bytes.len() > length {
            if long == TooLong::Refuse {
                return Err(SqlError::new(2628, 16, ""));
            }
            if matches!(value, Value::Int(_)) {
                bytes.drain(..bytes.len() - length);
            } else {
                bytes.truncate(length);
            }
        }
        if matches!(to, SqlType::Binary(_)) {
            bytes.resize(length, 0);
        }
    }
    Ok(Value::Bytes(bytes))
}

/// Bytes of hexadecimal digits, an even number of them.
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}
