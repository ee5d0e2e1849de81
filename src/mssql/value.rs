//! SQL Server's values and plain ones.
//!
//! | SQL Server | JSON |
//! | --- | --- |
//! | `bit` | boolean |
//! | `tinyint` to `bigint`, `decimal` with scale 0 that fits | whole number |
//! | `real`, `float`, `money` | number |
//! | `decimal` with a scale | text, because a JSON number would lose digits |
//! | `date`, `time`, `datetime`, `datetime2`, `datetimeoffset` | text in ISO 8601 |
//! | `uniqueidentifier` | text in lower case |
//! | `binary`, `varbinary` | text, `0x0aff` |
//! | `char`, `nvarchar`, `xml`, ... | text |

use serde::Serialize;
use serde_json::{Map, Value};
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, SmallDateTime, Time};
use tiberius::{ColumnData, Query};

use super::lexer::{Kind, lex};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// A parameter of a statement: `@P1` is the first.
#[derive(Clone, Debug)]
pub enum Param {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Binary(Vec<u8>),
    /// Text that must not be seen. It is sent as a parameter, never as part of a statement.
    Secret(Secret),
}

impl Param {
    /// A parameter from a script's value. Lists and objects are no SQL values.
    pub fn from_json(value: &Value) -> Result<Self> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().ok_or_else(|| {
                    Error::failed(format!("the number {number} does not fit into any type of SQL Server"))
                })?),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => {
                let kind = if value.is_array() { "an array" } else { "a map" };
                return Err(
                    Error::failed(format!("{kind} cannot be a parameter of a SQL statement"))
                        .hint("pass its elements one by one, or as JSON text"),
                );
            }
        })
    }

    fn bind<'a>(&'a self, query: &mut Query<'a>) {
        match self {
            // Takes the number; the statement has `NULL` in its place (see `prepare`).
            Self::Null => query.bind(None::<i32>),
            Self::Bool(value) => query.bind(*value),
            Self::Int(value) => match i32::try_from(*value) {
                Ok(value) => query.bind(value),
                Err(_) => query.bind(*value),
            },
            Self::Float(value) => query.bind(*value),
            Self::Text(value) => query.bind(value.as_str()),
            Self::Binary(value) => query.bind(value.as_slice()),
            Self::Secret(value) => query.bind(value.expose()),
        }
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Param {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its parameters, as the driver takes it.
///
/// The driver sends a NULL text as a NULL of no type, which Babelfish refuses (error 8009), and a NULL integer does not
/// become a date. So the word `NULL` stands in the statement where the parameter stood.
pub(super) fn prepare<'a>(sql: &str, params: &'a [Param]) -> Query<'a> {
    let is_null = |name: &str| {
        let number = name
            .strip_prefix("@P")
            .or_else(|| name.strip_prefix("@p"))?
            .parse::<usize>()
            .ok()?;
        Some(matches!(params.get(number.checked_sub(1)?)?, Param::Null))
    };
    let text: String = lex(sql)
        .map(|token| match token.kind {
            Kind::Variable if is_null(token.text) == Some(true) => "NULL",
            _ => token.text,
        })
        .collect();
    let mut query = Query::new(text);
    for param in params {
        param.bind(&mut query);
    }
    query
}

/// The rows that one statement returned.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResultSet {
    /// The names of the columns; `column2` for one without a name.
    pub columns: Vec<String>,
    /// The rows, each with one value for each column.
    pub rows: Vec<Vec<Value>>,
}

impl ResultSet {
    /// The rows as objects. Of columns with the same name, the last one wins.
    pub fn objects(&self) -> Vec<Map<String, Value>> {
        let object = |row: &Vec<Value>| self.columns.iter().cloned().zip(row.iter().cloned()).collect();
        self.rows.iter().map(object).collect()
    }

    /// The first value of the first row.
    pub fn scalar(&self) -> Option<&Value> {
        self.rows.first()?.first()
    }
}

/// A value as JSON. See the module's page.
pub(super) fn to_json(data: &ColumnData<'_>) -> Value {
    match data {
        ColumnData::U8(value) => Value::from(*value),
        ColumnData::I16(value) => Value::from(*value),
        ColumnData::I32(value) => Value::from(*value),
        ColumnData::I64(value) => Value::from(*value),
        ColumnData::F32(value) => Value::from(*value),
        ColumnData::F64(value) => Value::from(*value),
        ColumnData::Bit(value) => Value::from(*value),
        ColumnData::String(value) => Value::from(value.as_deref()),
        ColumnData::Guid(value) => Value::from(value.map(|value| value.to_string())),
        ColumnData::Binary(value) => Value::from(value.as_deref().map(hex)),
        ColumnData::Numeric(value) => value.map_or(Value::Null, numeric),
        ColumnData::Xml(value) => Value::from(value.as_deref().map(ToString::to_string)),
        ColumnData::DateTime(value) => Value::from(value.map(datetime)),
        ColumnData::SmallDateTime(value) => Value::from(value.map(smalldatetime)),
        ColumnData::Time(value) => Value::from(value.map(time)),
        ColumnData::Date(value) => Value::from(value.map(|value| date(days(value)))),
        ColumnData::DateTime2(value) => {
            Value::from(value.map(|value| format!("{}T{}", date(days(value.date())), time(value.time()))))
        }
        ColumnData::DateTimeOffset(value) => Value::from(value.map(|value| {
            let (utc, offset) = (value.datetime2(), i64::from(value.offset()));
            let seconds = i64::try_from(utc.time().increments() / ten_to(utc.time().scale())).unwrap_or_default();
            // The wire carries UTC and the offset in minutes (MS-TDS 2.2.5.5.1.9); people want the local time.
            let local = days(utc.date()) * 86_400 + seconds + offset * 60;
            let (day, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
            let sign = if offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
            format!(
                "{}T{}{}{sign}{hours:02}:{minutes:02}",
                date(day),
                clock(second),
                fraction(utc.time())
            )
        })),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn numeric(value: Numeric) -> Value {
    let scale = usize::from(value.scale());
    if scale == 0
        && let Ok(whole) = i64::try_from(value.value())
    {
        return Value::from(whole);
    }
    let digits = format!("{:0width$}", value.value().unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value.value() < 0 { "-" } else { "" };
    Value::from(if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    })
}

/// Days since 1 January of the year 1, which is how MS-TDS 2.2.5.5.1.5 counts a `date`, as days since 1970.
fn days(value: Date) -> i64 {
    i64::from(value.days()) - 719_162
}

/// Days between 1900, from which `datetime` counts, and 1970.
const DAYS_1900_TO_1970: i64 = 25_567;

fn datetime(value: DateTime) -> String {
    // Three hundredths of a second, shown as SQL Server does: in milliseconds ending in 0, 3 or 7.
    let milliseconds = (u64::from(value.seconds_fragments()) * 1000 + 150) / 300;
    let second = i64::try_from(milliseconds / 1000).unwrap_or_default();
    let day = date(i64::from(value.days()) - DAYS_1900_TO_1970);
    format!("{day}T{}.{:03}", clock(second), milliseconds % 1000)
}

fn smalldatetime(value: SmallDateTime) -> String {
    // Despite its name in the driver, the second part counts minutes (MS-TDS 2.2.5.5.1.8).
    let day = date(i64::from(value.days()) - DAYS_1900_TO_1970);
    format!("{day}T{}", clock(i64::from(value.seconds_fragments()) * 60))
}

fn time(value: Time) -> String {
    let seconds = i64::try_from(value.increments() / ten_to(value.scale())).unwrap_or_default();
    format!("{}{}", clock(seconds), fraction(value))
}

/// `.1234567`, as many digits as the column has; nothing for a scale of 0.
fn fraction(value: Time) -> String {
    match usize::from(value.scale()) {
        0 => String::new(),
        scale => format!(".{:0scale$}", value.increments() % ten_to(value.scale())),
    }
}

fn ten_to(scale: u8) -> u64 {
    10u64.saturating_pow(u32::from(scale))
}

fn clock(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The date so many days after 1 January 1970.
fn date(days: i64) -> String {
    let start = jiff::civil::date(1970, 1, 1);
    jiff::Span::new()
        .try_days(days)
        .and_then(|span| start.checked_add(span))
        .map_or_else(|_| format!("{days} days after 1970-01-01"), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use tiberius::time::{DateTime2, DateTimeOffset};

    use super::*;

    #[test]
    fn dates_are_iso_8601() {
        // 2026-11-22 is day 739,941 after 0001-01-01.
        let day = Date::new(739_941);
        let at = Time::new(811_501_234_567, 7);
        assert_eq!(to_json(&ColumnData::Date(Some(day))), "2026-11-22");
        assert_eq!(to_json(&ColumnData::Time(Some(at))), "22:32:30.1234567");
        let both = DateTime2::new(day, at);
        assert_eq!(
            to_json(&ColumnData::DateTime2(Some(both))),
            "2026-11-22T22:32:30.1234567"
        );
        let offset = DateTimeOffset::new(both, 120);
        assert_eq!(
            to_json(&ColumnData::DateTimeOffset(Some(offset))),
            "2026-11-23T00:32:30.1234567+02:00"
        );
        let offset = DateTimeOffset::new(both, -330);
        assert_eq!(
            to_json(&ColumnData::DateTimeOffset(Some(offset))),
            "2026-11-22T17:02:30.1234567-05:30"
        );
        assert_eq!(
            to_json(&ColumnData::DateTime(Some(DateTime::new(0, 301)))),
            "1900-01-01T00:00:01.003"
        );
        assert_eq!(
            to_json(&ColumnData::SmallDateTime(Some(SmallDateTime::new(1, 61)))),
            "1900-01-02T01:01:00"
        );
    }

    #[test]
    fn decimals_keep_their_digits() {
        let json = |value, scale| to_json(&ColumnData::Numeric(Some(Numeric::new_with_scale(value, scale))));
        assert_eq!(json(-5, 2), "-0.05");
        assert_eq!(json(123_456, 3), "123.456");
        assert_eq!(json(42, 0), 42);
    }

    #[test]
    fn bytes_are_hexadecimal() {
        assert_eq!(
            to_json(&ColumnData::Binary(Some([0x0a, 0xff].as_slice().into()))),
            "0x0aff"
        );
    }

    #[test]
    fn a_map_is_no_parameter() {
        assert!(Param::from_json(&serde_json::json!({})).is_err());
        assert!(matches!(Param::from_json(&serde_json::json!(7)), Ok(Param::Int(7))));
    }
}
