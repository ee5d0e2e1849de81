//! TYPE_INFO and values on the wire. Source: [MS-TDS] 2.2.5.4 to 2.2.5.6.

use super::{Malformed, Reader, utf16};
use crate::sandbox::mssql::datetime::{self, Moment};
use crate::sandbox::mssql::value::{SqlType, Value, cast, decimal_bytes, from_1252, time_bytes, to_1252};

/// SQL_Latin1_General_CP1_CI_AS: LCID 0x0409, ignore case, kana and width; sort order 52 ([MS-TDS] 2.2.5.1.2).
pub const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

const GUID: u8 = 0x24;
const INTN: u8 = 0x26;
const DATEN: u8 = 0x28;
const TIMEN: u8 = 0x29;
const DATETIME2N: u8 = 0x2A;
const DATETIMEOFFSETN: u8 = 0x2B;
const BITN: u8 = 0x68;
const DECIMALN: u8 = 0x6A;
const NUMERICN: u8 = 0x6C;
const FLTN: u8 = 0x6D;
const MONEYN: u8 = 0x6E;
const DATETIMEN: u8 = 0x6F;
const BIGVARBINARY: u8 = 0xA5;
const BIGVARCHAR: u8 = 0xA7;
const BIGBINARY: u8 = 0xAD;
const BIGCHAR: u8 = 0xAF;
const NVARCHAR: u8 = 0xE7;
const NCHAR: u8 = 0xEF;

/// The length that means `max`, and NULL of a bounded type.
const MAX: u16 = 0xFFFF;
const PLP_NULL: u64 = u64::MAX;
const PLP_UNKNOWN: u64 = u64::MAX - 1;

/// Writes TYPE_INFO.
pub fn write_type(out: &mut Vec<u8>, sql_type: SqlType) {
    let sized = |out: &mut Vec<u8>, token: u8, length: Option<u16>, factor: u16, collation: bool| {
        out.push(token);
        out.extend_from_slice(&length.map_or(MAX, |length| length.saturating_mul(factor)).to_le_bytes());
        if collation {
            out.extend_from_slice(&COLLATION);
        }
    };
    match sql_type {
        SqlType::Bit => out.extend_from_slice(&[BITN, 1]),
        SqlType::TinyInt => out.extend_from_slice(&[INTN, 1]),
        SqlType::SmallInt => out.extend_from_slice(&[INTN, 2]),
        SqlType::Int => out.extend_from_slice(&[INTN, 4]),
        SqlType::BigInt => out.extend_from_slice(&[INTN, 8]),
        SqlType::Real => out.extend_from_slice(&[FLTN, 4]),
        SqlType::Float => out.extend_from_slice(&[FLTN, 8]),
        SqlType::Decimal(precision, scale) => {
            out.extend_from_slice(&[NUMERICN, decimal_bytes(precision) as u8, precision, scale]);
        }
        SqlType::Money => out.extend_from_slice(&[MONEYN, 8]),
        SqlType::SmallMoney => out.extend_from_slice(&[MONEYN, 4]),
        SqlType::NVarChar(length) => sized(out, NVARCHAR, length, 2, true),
        SqlType::VarChar(length) => sized(out, BIGVARCHAR, length, 1, true),
        SqlType::NChar(length) => sized(out, NCHAR, Some(length), 2, true),
        SqlType::Char(length) => sized(out, BIGCHAR, Some(length), 1, true),
        SqlType::VarBinary(length) => sized(out, BIGVARBINARY, length, 1, false),
        SqlType::Binary(length) => sized(out, BIGBINARY, Some(length), 1, false),
        SqlType::RowVersion => sized(out, BIGBINARY, Some(8), 1, false),
        SqlType::Date => out.push(DATEN),
        SqlType::Time(scale) => out.extend_from_slice(&[TIMEN, scale]),
        SqlType::DateTime2(scale) => out.extend_from_slice(&[DATETIME2N, scale]),
        SqlType::DateTimeOffset(scale) => out.extend_from_slice(&[DATETIMEOFFSETN, scale]),
        SqlType::DateTime => out.extend_from_slice(&[DATETIMEN, 8]),
        SqlType::SmallDateTime => out.extend_from_slice(&[DATETIMEN, 4]),
        SqlType::UniqueIdentifier => out.extend_from_slice(&[GUID, 16]),
    }
}

/// Writes a value. One that does not have the type's form is converted; what cannot be converted is an error, so that
/// a row is whole or not there at all.
pub fn write_value(
    out: &mut Vec<u8>,
    sql_type: SqlType,
    value: &Value,
) -> Result<(), crate::sandbox::mssql::errors::SqlError> {
    let bounded = |out: &mut Vec<u8>, bytes: Option<Vec<u8>>, max: bool| match (bytes, max) {
        (None, true) => out.extend_from_slice(&PLP_NULL.to_le_bytes()),
        (None, false) => out.extend_from_slice(&MAX.to_le_bytes()),
        (Some(bytes), true) => {
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            if !bytes.is_empty() {
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(&bytes);
            }
            out.extend_from_slice(&0u32.to_le_bytes());
        }
        (Some(bytes), false) => {
            out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
            out.extend_from_slice(&bytes);
        }
    };
    let max = matches!(
        sql_type,
        SqlType::NVarChar(None) | SqlType::VarChar(None) | SqlType::VarBinary(None)
    );
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let narrow = |text: &str| text.chars().map(|c| to_1252(c).unwrap_or(b'?')).collect::<Vec<u8>>();
    let value = match (sql_type, value) {
        (_, Value::Null) => Value::Null,
        (SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int, value) => {
            cast(value, SqlType::NVarChar(None), sql_type)?
        }
        (SqlType::BigInt, Value::Int(_)) => value.clone(),
        (other, Value::Text(_)) if other.is_text() => {
            if max {
                value.clone()
            } else {
                cast(value, sql_type, sql_type)?
            }
        }
        (other, value) if other.is_text() => cast(value, SqlType::VarBinary(None), sql_type)?,
        (_, value) => cast(value, sql_type, sql_type)?,
    };
    let null = value.is_null();
    match sql_type {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            let width = sql_type.system().1 as usize;
            match value {
                Value::Int(number) => {
                    out.push(width as u8);
                    out.extend_from_slice(&number.to_le_bytes()[..width]);
                }
                _ => out.push(0),
            }
        }
        SqlType::Real | SqlType::Float | SqlType::Decimal(..) | SqlType::Money | SqlType::SmallMoney => {
            let number = match value {
                Value::Float(number) => number,
                Value::Int(number) => number as f64,
                _ => {
                    out.push(0);
                    return Ok(());
                }
            };
            match sql_type {
                SqlType::Real => {
                    out.push(4);
                    out.extend_from_slice(&(number as f32).to_le_bytes());
                }
                SqlType::Decimal(precision, scale) => {
                    let width = decimal_bytes(precision) as usize;
                    let scaled = (number.abs() * 10f64.powi(scale.into())).round() as u128;
                    out.push(width as u8);
                    out.push(u8::from(number >= 0.0));
                    out.extend_from_slice(&scaled.to_le_bytes()[..width - 1]);
                }
                SqlType::Money => {
                    let scaled = (number * 10_000.0).round() as i64;
                    out.push(8);
                    out.extend_from_slice(&((scaled >> 32) as i32).to_le_bytes());
                    out.extend_from_slice(&(scaled as u32).to_le_bytes());
                }
                SqlType::SmallMoney => {
                    out.push(4);
                    out.extend_from_slice(&((number * 10_000.0).round() as i32).to_le_bytes());
                }
                _ => {
                    out.push(8);
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
        }
        SqlType::NVarChar(_) | SqlType::NChar(_) => bounded(out, value.as_str().map(wide), max),
        SqlType::VarChar(_) | SqlType::Char(_) => bounded(out, value.as_str().map(narrow), max),
        SqlType::VarBinary(_) | SqlType::Binary(_) | SqlType::RowVersion => match value {
            Value::Bytes(bytes) => bounded(out, Some(bytes), max),
            _ => bounded(out, None, max),
        },
        SqlType::UniqueIdentifier => match value.as_str().and_then(|text| uuid::Uuid::parse_str(text).ok()) {
            Some(uuid) => {
                out.push(16);
                out.extend_from_slice(&uuid.to_bytes_le());
            }
            None => out.push(0),
        },
        _ if null => out.push(0),
        _ => {
            let Some(moment) = value.as_str().and_then(datetime::parse) else {
                return Err(crate::sandbox::mssql::errors::SqlError::internal("a stored date"));
            };
            write_moment(out, sql_type, moment);
        }
    }
    Ok(())
}

/// [MS-TDS] 2.2.5.5.1.8.
fn write_moment(out: &mut Vec<u8>, sql_type: SqlType, moment: Moment) {
    let time = |out: &mut Vec<u8>, scale: u8, ticks: i64| {
        let units = ticks / 10_i64.pow(7 - u32::from(scale.min(7)));
        out.extend_from_slice(&units.to_le_bytes()[..time_bytes(scale) as usize]);
    };
    match sql_type {
        SqlType::Date => {
            out.push(3);
            out.extend_from_slice(&moment.days.to_le_bytes()[..3]);
        }
        SqlType::Time(scale) => {
            out.push(time_bytes(scale) as u8);
            time(out, scale, moment.ticks);
        }
        SqlType::DateTime => {
            out.push(8);
            out.extend_from_slice(&(moment.days - datetime::BASE_1900).to_le_bytes());
            let units = (moment.ticks * 3 + 50_000) / 100_000;
            out.extend_from_slice(&(units as u32).to_le_bytes());
        }
        SqlType::SmallDateTime => {
            out.push(4);
            out.extend_from_slice(&((moment.days - datetime::BASE_1900) as u16).to_le_bytes());
            out.extend_from_slice(&((moment.ticks / (60 * datetime::SECOND)) as u16).to_le_bytes());
        }
        SqlType::DateTimeOffset(scale) => {
            let utc = moment.utc();
            out.push((time_bytes(scale) + 5) as u8);
            time(out, scale, utc.ticks);
            out.extend_from_slice(&utc.days.to_le_bytes()[..3]);
            out.extend_from_slice(&moment.offset.unwrap_or_default().to_le_bytes());
        }
        SqlType::DateTime2(scale) => {
            out.push((time_bytes(scale) + 3) as u8);
            time(out, scale, moment.ticks);
            out.extend_from_slice(&moment.days.to_le_bytes()[..3]);
        }
        _ => out.push(0),
    }
}

/// Reads TYPE_INFO and the value behind it: a parameter.
pub fn read_parameter(reader: &mut Reader<'_>) -> Result<(SqlType, Value), Malformed> {
    let token = reader.u8()?;
    match token {
        // NULLTYPE and the types of fixed length.
        0x1F => Ok((SqlType::NVarChar(Some(4000)), Value::Null)),
        0x30 => Ok((SqlType::TinyInt, Value::Int(reader.u8()?.into()))),
        0x32 => Ok((SqlType::Bit, Value::Int(i64::from(reader.u8()? != 0)))),
        0x34 => Ok((SqlType::SmallInt, integer(reader.bytes(2)?))),
        0x38 => Ok((SqlType::Int, integer(reader.bytes(4)?))),
        0x7F => Ok((SqlType::BigInt, integer(reader.bytes(8)?))),
        0x3B => Ok((SqlType::Real, float(reader.bytes(4)?))),
        0x3E => Ok((SqlType::Float, float(reader.bytes(8)?))),
        0x3C => Ok((SqlType::Money, money(reader.bytes(8)?))),
        0x7A => Ok((SqlType::SmallMoney, money(reader.bytes(4)?))),
        0x3D => Ok((SqlType::DateTime, old_datetime(reader.bytes(8)?))),
        0x3A => Ok((SqlType::SmallDateTime, old_datetime(reader.bytes(4)?))),
        INTN | BITN | FLTN | MONEYN | DATETIMEN | GUID => {
            let size = reader.u8()?;
            let length = reader.u8()?;
            let bytes = reader.bytes(length.into())?;
            let sql_type = match (token, size) {
                (INTN, 1) => SqlType::TinyInt,
                (INTN, 2) => SqlType::SmallInt,
                (INTN, 4) => SqlType::Int,
                (INTN, 8) => SqlType::BigInt,
                (BITN, 1) => SqlType::Bit,
                (FLTN, 4) => SqlType::Real,
                (FLTN, 8) => SqlType::Float,
                (MONEYN, 4) => SqlType::SmallMoney,
                (MONEYN, 8) => SqlType::Money,
                (DATETIMEN, 4) => SqlType::SmallDateTime,
                (DATETIMEN, 8) => SqlType::DateTime,
                (GUID, 16) => SqlType::UniqueIdentifier,
                _ => return Err(Malformed::new(format!("type 0x{token:02X} of {size} bytes"))),
            };
            if length != 0 && length != size {
                return Err(Malformed::new(format!(
                    "a value of {length} bytes under a type of {size}"
                )));
            }
            let value = match (token, bytes) {
                (_, []) => Value::Null,
                (INTN | BITN, bytes) if size > 1 => integer(bytes),
                (INTN | BITN, bytes) => Value::Int(bytes.first().copied().unwrap_or_default().into()),
                (FLTN, bytes) => float(bytes),
                (MONEYN, bytes) => money(bytes),
                (DATETIMEN, bytes) => old_datetime(bytes),
                (_, bytes) => uuid::Uuid::from_slice_le(bytes)
                    .map(|uuid| Value::Text(uuid.hyphenated().to_string().to_uppercase()))
                    .map_err(|_| Malformed::new("a uniqueidentifier"))?,
            };
            Ok((sql_type, value))
        }
        DECIMALN | NUMERICN => {
            let _size = reader.u8()?;
            let (precision, scale) = (reader.u8()?, reader.u8()?);
            if precision == 0 || precision > 38 || scale > precision {
                return Err(Malformed::new("a decimal's precision"));
            }
            let length = reader.u8()?;
            let bytes = reader.bytes(length.into())?;
            let value = match bytes.split_first() {
                None => Value::Null,
                Some((sign, magnitude)) if magnitude.len() <= 16 => {
                    let mut all = [0; 16];
                    all[..magnitude.len()].copy_from_slice(magnitude);
                    let number = u128::from_le_bytes(all) as f64 / 10f64.powi(scale.into());
                    Value::Float(if *sign == 0 { -number } else { number })
                }
                Some(_) => return Err(Malformed::new("a decimal's length")),
            };
            Ok((SqlType::Decimal(precision, scale), value))
        }
        DATEN => {
            let value = match reader.u8()? {
                0 => Value::Null,
                3 => Value::Text(
                    Moment {
                        days: days(reader.bytes(3)?)?,
                        ticks: 0,
                        offset: None,
                    }
                    .date_text(),
                ),
                _ => return Err(Malformed::new("a date's length")),
            };
            Ok((SqlType::Date, value))
        }
        TIMEN | DATETIME2N | DATETIMEOFFSETN => {
            let scale = reader.u8()?;
            if scale > 7 {
                return Err(Malformed::new("a scale of more than 7 digits"));
            }
            let length = usize::from(reader.u8()?);
            let bytes = reader.bytes(length)?;
            let sql_type = match token {
                TIMEN => SqlType::Time(scale),
                DATETIME2N => SqlType::DateTime2(scale),
                _ => SqlType::DateTimeOffset(scale),
            };
            if length == 0 {
                return Ok((sql_type, Value::Null));
            }
            let width = time_bytes(scale) as usize;
            let behind = match token {
                TIMEN => 0,
                DATETIME2N => 3,
                _ => 5,
            };
            if length != width + behind {
                return Err(Malformed::new("the length of a time"));
            }
            let mut units = [0; 8];
            units[..width].copy_from_slice(&bytes[..width]);
            let ticks = i64::from_le_bytes(units) * 10_i64.pow(7 - u32::from(scale));
            if ticks >= datetime::DAY {
                return Err(Malformed::new("a time of more than a day"));
            }
            let value = match token {
                TIMEN => Moment {
                    days: 0,
                    ticks,
                    offset: None,
                }
                .time_text(7),
                DATETIME2N => Moment {
                    days: days(&bytes[width..])?,
                    ticks,
                    offset: None,
                }
                .stored(),
                _ => {
                    let offset = i16::from_le_bytes([bytes[width + 3], bytes[width + 4]]);
                    let utc = Moment {
                        days: days(&bytes[width..width + 3])?,
                        ticks,
                        offset: None,
                    };
                    let local = utc.shift(i64::from(offset) * 60 * datetime::SECOND, Some(offset));
                    format!("{} {}", local.stored(), local.offset_text())
                }
            };
            Ok((sql_type, Value::Text(value)))
        }
        BIGVARBINARY | BIGBINARY | BIGVARCHAR | BIGCHAR | NVARCHAR | NCHAR => {
            let size = reader.u16()?;
            let textual = !matches!(token, BIGVARBINARY | BIGBINARY);
            if textual {
                reader.bytes(COLLATION.len())?;
            }
            let bytes = if size == MAX {
                read_plp(reader)?
            } else {
                read_bounded(reader)?
            };
            let length = (size != MAX).then_some(size);
            let units = length.map(|length| (length / 2).clamp(1, 4000));
            let length = length.map(|length| length.clamp(1, 8000));
            let (sql_type, value) = match token {
                NVARCHAR => (SqlType::NVarChar(units), bytes.map(|bytes| Value::Text(utf16(&bytes)))),
                NCHAR => (
                    SqlType::NChar(units.unwrap_or(4000)),
                    bytes.map(|bytes| Value::Text(utf16(&bytes))),
                ),
                BIGVARCHAR | BIGCHAR => (
                    SqlType::VarChar(length),
                    bytes.map(|bytes| Value::Text(bytes.iter().map(|byte| from_1252(*byte)).collect())),
                ),
                _ => (SqlType::VarBinary(length), bytes.map(Value::Bytes)),
            };
            Ok((sql_type, value.unwrap_or(Value::Null)))
        }
        other => Err(Malformed::new(format!("a parameter of the type 0x{other:02X}"))),
    }
}

fn read_bounded(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    match reader.u16()? {
        MAX => Ok(None),
        length => Ok(Some(reader.bytes(length.into())?.to_vec())),
    }
}

/// Partially length-prefixed bytes ([MS-TDS] 2.2.5.2.3).
fn read_plp(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    let total = reader.u64()?;
    if total == PLP_NULL {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // A length that is not known and no bytes: some clients (tiberius 0.13) write the empty value's terminator once.
    loop {
        let length = reader.u32()? as usize;
        if length == 0 {
            break;
        }
        bytes.extend_from_slice(reader.bytes(length)?);
    }
    if total != PLP_UNKNOWN && total != bytes.len() as u64 {
        return Err(Malformed::new("the length of a max value"));
    }
    Ok(Some(bytes))
}

fn integer(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut all = if negative { [0xFF; 8] } else { [0; 8] };
    let width = bytes.len().min(8);
    all[..width].copy_from_slice(&bytes[..width]);
    Value::Int(i64::from_le_bytes(all))
}

fn float(bytes: &[u8]) -> Value {
    match *bytes {
        [a, b, c, d] => Value::Float(f32::from_le_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Value::Float(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Value::Null,
    }
}

fn money(bytes: &[u8]) -> Value {
    let scaled = match *bytes {
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        // The high half comes first.
        [e, f, g, h, a, b, c, d] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return Value::Null,
    };
    Value::Float(scaled as f64 / 10_000.0)
}

fn old_datetime(bytes: &[u8]) -> Value {
    let (days, ticks) = match *bytes {
        [a, b, c, d] => (
            i32::from(u16::from_le_bytes([a, b])),
            i64::from(u16::from_le_bytes([c, d])) * 60 * datetime::SECOND,
        ),
        [a, b, c, d, e, f, g, h] => {
            let units = i64::from(u32::from_le_bytes([e, f, g, h]));
            (
                i32::from_le_bytes([a, b, c, d]),
                (units / 300 * 1000 + (units % 300 * 10 + 1) / 3) * 10_000,
            )
        }
        _ => return Value::Null,
    };
    // 1753 to 9999: what a `datetime` can be.
    let days = days.clamp(-53_690, 2_958_463);
    let moment = Moment {
        days: datetime::BASE_1900,
        ticks: 0,
        offset: None,
    };
    Value::Text(moment.shift(i64::from(days) * datetime::DAY + ticks, None).stored())
}

fn days(bytes: &[u8]) -> Result<i32, Malformed> {
    match *bytes {
        [a, b, c] => {
            let days = i32::from_le_bytes([a, b, c, 0]);
            if days <= datetime::LAST_DAY {
                Ok(days)
            } else {
                Err(Malformed::new("a date after the year 9999"))
            }
        }
        _ => Err(Malformed::new("a date's length")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(sql_type: SqlType, value: Value) -> Value {
        let mut bytes = Vec::new();
        write_type(&mut bytes, sql_type);
        write_value(&mut bytes, sql_type, &value).unwrap();
        let mut reader = Reader::new(&bytes);
        let (_, read) = read_parameter(&mut reader).unwrap();
        assert!(reader.is_empty());
        read
    }

    #[test]
    fn values_survive_the_wire() {
        for (name, value) in [
            ("int", Value::Int(-5)),
            ("bigint", Value::Int(i64::MIN)),
            ("tinyint", Value::Int(200)),
            ("bit", Value::Int(1)),
            ("float", Value::Float(1.5)),
            ("decimal(10,2)", Value::Float(-12.34)),
            ("money", Value::Float(-0.5)),
            ("nvarchar(10)", Value::text("äöü€")),
            ("nvarchar(max)", Value::text("")),
            ("varchar(10)", Value::text("ä€")),
            ("varbinary(max)", Value::Bytes(vec![1, 2, 3])),
            ("date", Value::text("2024-02-29")),
            ("time(3)", Value::text("13:14:15.1230000")),
            ("datetime2(7)", Value::text("2024-05-06 07:08:09.1234567")),
            ("datetime", Value::text("2024-05-06 07:08:09.1270000")),
            ("datetimeoffset(7)", Value::text("2024-05-06 07:08:09.1234567 -05:30")),
            ("uniqueidentifier", Value::text("0E984725-C51C-4BF4-9960-E1C80E27ABA0")),
        ] {
            let sql_type = SqlType::parse(name).unwrap();
            assert_eq!(through(sql_type, value.clone()), value, "{name}");
            assert_eq!(through(sql_type, Value::Null), Value::Null, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_parameter(&mut Reader::new(&bytes));
            let _ = super::super::login::parse(&bytes);
            let _ = super::super::prelogin::check(&bytes);
            let _ = super::super::rpc::parse(&bytes);
        }
    }
}
