//! Values and their types: how they are stored, converted and shown.
//!
//! Sources: "Data types", "CAST and CONVERT", "Data type precedence" in the Transact-SQL reference.
//!
//! | type | stored as |
//! | --- | --- |
//! | integers, `bit` | integer |
//! | `float`, `real`, `decimal`, `money` | floating point: a decimal keeps 15 digits, and more are refused |
//! | text, `uniqueidentifier` (upper case) | text |
//! | binary | blob |
//! | dates and times | text, see [`super::datetime`] |

use rusqlite::types::{ToSqlOutput, ValueRef};

use super::datetime::{self, Moment};
use super::errors::{Result, SqlError};

/// A value, whatever its declared type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub fn from_ref(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Int(value),
            ValueRef::Real(value) => Self::Float(value),
            ValueRef::Text(value) => Self::Text(String::from_utf8_lossy(value).into_owned()),
            ValueRef::Blob(value) => Self::Bytes(value.to_vec()),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Float(value) => Some(*value as i64),
            Self::Text(value) => value.trim().parse().ok(),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Float(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// A type. Lengths are in characters or bytes; `None` is `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Real,
    Decimal(u8, u8),
    Money,
    SmallMoney,
    NVarChar(Option<u16>),
    VarChar(Option<u16>),
    NChar(u16),
    Char(u16),
    VarBinary(Option<u16>),
    Binary(u16),
    Date,
    Time(u8),
    DateTime2(u8),
    DateTime,
    SmallDateTime,
    DateTimeOffset(u8),
    UniqueIdentifier,
    /// `timestamp` of SQL Server: eight bytes that grow with each write.
    RowVersion,
}

/// How types take part in operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Integer,
    Approximate,
    Exact,
    Text,
    Binary,
    Date,
    Guid,
}

impl SqlType {
    pub fn family(self) -> Family {
        match self {
            Self::Bit | Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt => Family::Integer,
            Self::Float | Self::Real => Family::Approximate,
            Self::Decimal(..) | Self::Money | Self::SmallMoney => Family::Exact,
            Self::NVarChar(_) | Self::VarChar(_) | Self::NChar(_) | Self::Char(_) => Family::Text,
            Self::VarBinary(_) | Self::Binary(_) | Self::RowVersion => Family::Binary,
            Self::Date
            | Self::Time(_)
            | Self::DateTime2(_)
            | Self::DateTime
            | Self::SmallDateTime
            | Self::DateTimeOffset(_) => Family::Date,
            Self::UniqueIdentifier => Family::Guid,
        }
    }

    pub fn is_text(self) -> bool {
        self.family() == Family::Text
    }

    pub fn is_number(self) -> bool {
        matches!(self.family(), Family::Integer | Family::Approximate | Family::Exact)
    }

    /// "Data type precedence": the higher one wins.
    fn precedence(self) -> u8 {
        match self {
            Self::DateTimeOffset(_) => 30,
            Self::DateTime2(_) => 29,
            Self::DateTime => 28,
            Self::SmallDateTime => 27,
            Self::Date => 26,
            Self::Time(_) => 25,
            Self::Float => 24,
            Self::Real => 23,
            Self::Decimal(..) => 22,
            Self::Money => 21,
            Self::SmallMoney => 20,
            Self::BigInt => 19,
            Self::Int => 18,
            Self::SmallInt => 17,
            Self::TinyInt => 16,
            Self::Bit => 15,
            Self::RowVersion => 10,
            Self::UniqueIdentifier => 9,
            Self::NVarChar(_) => 8,
            Self::NChar(_) => 7,
            Self::VarChar(_) => 6,
            Self::Char(_) => 5,
            Self::VarBinary(_) => 4,
            Self::Binary(_) => 3,
        }
    }

    /// The type of `CASE`, `COALESCE`, `UNION` and comparisons over both.
    pub fn common(self, other: Self) -> Self {
        let longer = |one: Option<u16>, two: Option<u16>| match (one, two) {
            (Some(one), Some(two)) => Some(one.max(two)),
            _ => None,
        };
        if self.is_text() && other.is_text() {
            let length = longer(self.length(), other.length());
            let wide = matches!(self, Self::NVarChar(_) | Self::NChar(_))
                || matches!(other, Self::NVarChar(_) | Self::NChar(_));
            return if wide {
                Self::NVarChar(length)
            } else {
                Self::VarChar(length)
            };
        }
        match (self, other) {
            (Self::Decimal(p1, s1), Self::Decimal(p2, s2)) => {
                let scale = s1.max(s2);
                let whole = (p1 - s1.min(p1)).max(p2 - s2.min(p2));
                Self::Decimal((whole + scale).min(38), scale)
            }
            (Self::VarBinary(one), Self::VarBinary(two)) => Self::VarBinary(longer(one, two)),
            (Self::DateTime2(one), Self::DateTime2(two)) => Self::DateTime2(one.max(two)),
            _ if self.precedence() >= other.precedence() => self,
            _ => other,
        }
    }

    /// The declared length; `None` for `max` and for types without one.
    pub fn length(self) -> Option<u16> {
        match self {
            Self::NVarChar(length) | Self::VarChar(length) | Self::VarBinary(length) => length,
            Self::NChar(length) | Self::Char(length) | Self::Binary(length) => Some(length),
            _ => None,
        }
    }

    /// The name without length.
    pub fn base_name(self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Float => "float",
            Self::Real => "real",
            Self::Decimal(..) => "decimal",
            Self::Money => "money",
            Self::SmallMoney => "smallmoney",
            Self::NVarChar(_) => "nvarchar",
            Self::VarChar(_) => "varchar",
            Self::NChar(_) => "nchar",
            Self::Char(_) => "char",
            Self::VarBinary(_) => "varbinary",
            Self::Binary(_) => "binary",
            Self::Date => "date",
            Self::Time(_) => "time",
            Self::DateTime2(_) => "datetime2",
            Self::DateTime => "datetime",
            Self::SmallDateTime => "smalldatetime",
            Self::DateTimeOffset(_) => "datetimeoffset",
            Self::UniqueIdentifier => "uniqueidentifier",
            Self::RowVersion => "timestamp",
        }
    }

    /// The name as it is declared: `nvarchar(200)`.
    pub fn name(self) -> String {
        let base = self.base_name();
        match self {
            Self::Decimal(precision, scale) => format!("{base}({precision},{scale})"),
            Self::NVarChar(None) | Self::VarChar(None) | Self::VarBinary(None) => format!("{base}(max)"),
            Self::Time(scale) | Self::DateTime2(scale) | Self::DateTimeOffset(scale) => format!("{base}({scale})"),
            _ => match self.length() {
                Some(length) => format!("{base}({length})"),
                None => base.to_owned(),
            },
        }
    }

    /// A type by its name and what stands in its parentheses (`max` is `-1`). `None` when there is no such type here.
    pub fn by_name(name: &str, arguments: &[i64]) -> Option<Self> {
        let first = arguments.first().copied();
        let length = |default: u16, most: i64| match first {
            None => Some(Some(default)),
            Some(-1) => Some(None),
            Some(length) if (1..=most).contains(&length) => Some(Some(length as u16)),
            Some(_) => None,
        };
        let scale = || match first {
            None => Some(7),
            Some(scale) if (0..=7).contains(&scale) => Some(scale as u8),
            Some(_) => None,
        };
        Some(match name.to_ascii_lowercase().as_str() {
            "bit" => Self::Bit,
            "tinyint" => Self::TinyInt,
            "smallint" => Self::SmallInt,
            "int" | "integer" => Self::Int,
            "bigint" => Self::BigInt,
            "float" if first.is_some_and(|bits| bits <= 24) => Self::Real,
            "float" | "double" => Self::Float,
            "real" => Self::Real,
            "decimal" | "numeric" | "dec" => {
                let precision = u8::try_from(first.unwrap_or(18)).ok()?;
                let scale = u8::try_from(arguments.get(1).copied().unwrap_or(0)).ok()?;
                if precision == 0 || precision > 38 || scale > precision {
                    return None;
                }
                Self::Decimal(precision, scale)
            }
            "money" => Self::Money,
            "smallmoney" => Self::SmallMoney,
            "nvarchar" => Self::NVarChar(length(1, 4000)?),
            "sysname" => Self::NVarChar(Some(128)),
            "varchar" => Self::VarChar(length(1, 8000)?),
            "nchar" => Self::NChar(length(1, 4000)??),
            "char" | "character" => Self::Char(length(1, 8000)??),
            "ntext" => Self::NVarChar(None),
            "text" => Self::VarChar(None),
            "image" => Self::VarBinary(None),
            "varbinary" => Self::VarBinary(length(1, 8000)?),
            "binary" => Self::Binary(length(1, 8000)??),
            "date" => Self::Date,
            "time" => Self::Time(scale()?),
            "datetime2" => Self::DateTime2(scale()?),
            "datetime" => Self::DateTime,
            "smalldatetime" => Self::SmallDateTime,
            "datetimeoffset" => Self::DateTimeOffset(scale()?),
            "uniqueidentifier" => Self::UniqueIdentifier,
            "rowversion" | "timestamp" => Self::RowVersion,
            _ => return None,
        })
    }

    /// The type under a name that [`SqlType::name`] gave.
    pub fn parse(name: &str) -> Option<Self> {
        let Some((base, rest)) = name.trim().split_once('(') else {
            return Self::by_name(name.trim(), &[]);
        };
        let arguments: Option<Vec<i64>> = rest
            .trim_end()
            .strip_suffix(')')?
            .split(',')
            .map(|part| match part.trim() {
                max if max.eq_ignore_ascii_case("max") => Some(-1),
                number => number.parse().ok(),
            })
            .collect();
        Self::by_name(base.trim(), &arguments?)
    }

    /// `system_type_id`, `max_length`, `precision` and `scale` as `sys.columns` has them.
    pub fn system(self) -> (i64, i64, i64, i64) {
        match self {
            Self::Bit => (104, 1, 1, 0),
            Self::TinyInt => (48, 1, 3, 0),
            Self::SmallInt => (52, 2, 5, 0),
            Self::Int => (56, 4, 10, 0),
            Self::BigInt => (127, 8, 19, 0),
            Self::Float => (62, 8, 53, 0),
            Self::Real => (59, 4, 24, 0),
            Self::Decimal(precision, scale) => (106, decimal_bytes(precision), i64::from(precision), i64::from(scale)),
            Self::Money => (60, 8, 19, 4),
            Self::SmallMoney => (122, 4, 10, 4),
            Self::NVarChar(length) => (231, length.map_or(-1, |length| 2 * i64::from(length)), 0, 0),
            Self::VarChar(length) => (167, length.map_or(-1, i64::from), 0, 0),
            Self::NChar(length) => (239, 2 * i64::from(length), 0, 0),
            Self::Char(length) => (175, i64::from(length), 0, 0),
            Self::VarBinary(length) => (165, length.map_or(-1, i64::from), 0, 0),
            Self::Binary(length) => (173, i64::from(length), 0, 0),
            Self::Date => (40, 3, 10, 0),
            Self::Time(scale) => (
                41,
                time_bytes(scale),
                if scale == 0 { 8 } else { 9 + i64::from(scale) },
                scale.into(),
            ),
            Self::DateTime2(scale) => (
                42,
                3 + time_bytes(scale),
                if scale == 0 { 19 } else { 20 + i64::from(scale) },
                scale.into(),
            ),
            Self::DateTime => (61, 8, 23, 3),
            Self::SmallDateTime => (58, 4, 16, 0),
            Self::DateTimeOffset(scale) => (
                43,
                5 + time_bytes(scale),
                if scale == 0 { 26 } else { 27 + i64::from(scale) },
                scale.into(),
            ),
            Self::UniqueIdentifier => (36, 16, 0, 0),
            Self::RowVersion => (189, 8, 0, 0),
        }
    }
}

/// Bytes of a decimal on the wire and in `sys.columns`.
pub fn decimal_bytes(precision: u8) -> i64 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// Bytes of a time of day on the wire and in `sys.columns`.
pub fn time_bytes(scale: u8) -> i64 {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

/// What to do with text and bytes that are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// `CAST` cuts.
    Cut,
    /// An assignment to a column refuses: error 2628, which the caller words.
    Refuse,
}

/// The number of UTF-16 units, which is what lengths of `nvarchar` count.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
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

fn not_convertible(from: SqlType, to: SqlType) -> SqlError {
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

fn integer_range(to: SqlType) -> (i64, i64) {
    match to {
        SqlType::TinyInt => (0, 255),
        SqlType::SmallInt => (i16::MIN.into(), i16::MAX.into()),
        SqlType::Int => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

fn to_integer(value: &Value, from: SqlType, to: SqlType) -> Result<Value> {
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

fn too_big(from: SqlType, text: &str, to: SqlType) -> SqlError {
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

fn to_float(value: &Value, from: SqlType, to: SqlType) -> Result<f64> {
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
fn float_text(number: f64) -> String {
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

fn cut_digits(text: &str, scale: u8, behind: &str) -> String {
    let kept = text
        .len()
        .saturating_sub(usize::from(if scale == 0 { 8 } else { 7 - scale.min(7) }));
    format!("{}{behind}", text.get(..kept).unwrap_or(text))
}

fn style_text(moment: &Moment, style: i64) -> String {
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

fn to_text(value: &Value, from: SqlType, to: SqlType, style: Option<i64>, long: TooLong) -> Result<Value> {
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

/// The first so many UTF-16 units.
pub fn cut_units(text: &str, length: usize) -> String {
    let mut left = length;
    text.chars()
        .take_while(|character| {
            let fits = character.len_utf16() <= left;
            left = left.saturating_sub(character.len_utf16());
            fits
        })
        .collect()
}

/// What code page 1252 cannot hold becomes `?`, as in `varchar` under the default collation.
pub fn narrow(text: &str) -> String {
    text.chars()
        .map(|character| if to_1252(character).is_some() { character } else { '?' })
        .collect()
}

/// The characters 0x80 to 0x9F of code page 1252.
const UPPER_1252: [u16; 32] = [
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D,
    0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,
    0x017E, 0x0178,
];

/// A character in code page 1252.
pub fn to_1252(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0..=0x7F | 0xA0..=0xFF => Some(code as u8),
        _ => UPPER_1252
            .iter()
            .position(|other| u32::from(*other) == code)
            .map(|at| 0x80 + at as u8),
    }
}

/// A byte of code page 1252.
pub fn from_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => char::from_u32(UPPER_1252[usize::from(byte - 0x80)].into()).unwrap_or('?'),
        _ => char::from(byte),
    }
}

fn to_binary(value: &Value, from: SqlType, to: SqlType, style: Option<i64>, long: TooLong) -> Result<Value> {
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

fn to_date(value: &Value, from: SqlType, to: SqlType) -> Result<Value> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value) -> String {
        match value {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_come_back() {
        for name in [
            "nvarchar(200)",
            "nvarchar(max)",
            "decimal(10,2)",
            "datetime2(7)",
            "int",
            "varbinary(64)",
        ] {
            assert_eq!(SqlType::parse(name).map(SqlType::name).as_deref(), Some(name));
        }
        assert_eq!(SqlType::parse("nvarchar(5000)"), None);
    }

    #[test]
    fn conversions_fail_as_the_server_does() {
        let error = cast(&Value::text("abc"), SqlType::VarChar(Some(3)), SqlType::Int).unwrap_err();
        assert_eq!(
            (error.number, error.message.as_str()),
            (
                245,
                "Conversion failed when converting the varchar value 'abc' to data type int."
            )
        );
        assert_eq!(
            cast(&Value::Int(300), SqlType::Int, SqlType::TinyInt)
                .unwrap_err()
                .number,
            220
        );
        assert_eq!(
            cast(&Value::text("x"), SqlType::VarChar(None), SqlType::DateTime2(7))
                .unwrap_err()
                .number,
            241
        );
        assert_eq!(
            cast(&Value::text("x"), SqlType::VarChar(None), SqlType::UniqueIdentifier)
                .unwrap_err()
                .number,
            8169
        );
    }

    #[test]
    fn dates_show_as_their_type_does() {
        let stored = cast(
            &Value::text("2024-05-06T07:08:09.1267"),
            SqlType::VarChar(None),
            SqlType::DateTime2(3),
        )
        .unwrap();
        let show = |style| {
            text(
                convert(
                    &stored,
                    SqlType::DateTime2(3),
                    SqlType::NVarChar(None),
                    style,
                    TooLong::Cut,
                )
                .unwrap(),
            )
        };
        assert_eq!(show(None), "2024-05-06 07:08:09.127");
        assert_eq!(show(Some(126)), "2024-05-06T07:08:09.127");
        assert_eq!(show(Some(112)), "20240506");
        let datetime = cast(&stored, SqlType::DateTime2(3), SqlType::DateTime).unwrap();
        assert_eq!(
            text(cast(&datetime, SqlType::DateTime, SqlType::VarChar(None)).unwrap()),
            "May  6 2024  7:08AM"
        );
    }

    #[test]
    fn bytes_and_text() {
        let hash = Value::Bytes(vec![0xAB, 0x01]);
        let shown = convert(
            &hash,
            SqlType::VarBinary(None),
            SqlType::VarChar(None),
            Some(2),
            TooLong::Cut,
        )
        .unwrap();
        assert_eq!(text(shown), "AB01");
        let wide = cast(&Value::text("é"), SqlType::NVarChar(None), SqlType::VarBinary(None)).unwrap();
        assert_eq!(wide, Value::Bytes(vec![0xE9, 0]));
    }
}
