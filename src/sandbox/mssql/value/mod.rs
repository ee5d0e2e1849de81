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

mod binary;
mod codepage;
mod convert;
mod date;
mod number;
#[cfg(test)]
mod tests;
mod text;

use rusqlite::types::{ToSqlOutput, ValueRef};

pub use self::binary::from_hex;
use self::binary::to_binary;
pub use self::codepage::{cut_units, from_1252, narrow, to_1252, units};
use self::convert::not_convertible;
pub use self::convert::{TooLong, cast, convert};
pub use self::date::store_moment;
use self::date::to_date;
pub use self::number::decimal;
use self::number::{to_float, to_integer};
pub use self::text::show;
use self::text::to_text;

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
