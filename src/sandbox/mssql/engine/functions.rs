//! What the built-in functions compute. They are called by SQLite for each row (`msd`, and `ms` for those that differ from
//! call to call), and at once where all arguments are known.

use crate::sandbox::mssql::datetime::{self, DAY, Moment, SECOND};
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::value::{SqlType, TooLong, Value, cast, convert, decimal, store_moment};

/// A function by its name in lower case.
pub fn call(name: &str, arguments: &[Value]) -> Result<Value> {
    let at = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
    let sql_type = |index: usize| {
        at(index)
            .as_str()
            .and_then(SqlType::parse)
            .ok_or_else(|| SqlError::internal(format!("a type for {name}")))
    };
    match name {
        "cast" => return cast(at(0), sql_type(1)?, sql_type(2)?),
        "convert" => {
            let result = convert(at(0), sql_type(1)?, sql_type(2)?, at(3).as_int(), TooLong::Cut);
            return match result {
                Err(error) if at(4).as_int() == Some(1) && error.number != 529 => Ok(Value::Null),
                other => other,
            };
        }
        "arith" => {
            let Some(symbol) = at(0).as_str() else {
                return Err(SqlError::internal("an operator"));
            };
            return arithmetic(symbol, at(1), at(2), sql_type(3)?);
        }
        "concat" => return Ok(Value::Text(arguments.iter().filter_map(Value::as_str).collect())),
        "concat_ws" => {
            let parts: Vec<&str> = arguments.iter().skip(1).filter_map(Value::as_str).collect();
            return Ok(Value::Text(parts.join(at(0).as_str().unwrap_or_default())));
        }
        "many" => {
            return Err(SqlError::new(
                512,
                16,
                "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= \
                 or when the subquery is used as an expression.",
            ));
        }
        "newid" => {
            return Ok(Value::Text(
                uuid::Uuid::new_v4().hyphenated().to_string().to_uppercase(),
            ));
        }
        "rand" => return Ok(Value::Float(rand::random::<f64>())),
        "isdate" => return Ok(Value::Int(at(0).as_str().and_then(datetime::parse).is_some().into())),
        "isnumeric" => {
            let number = at(0)
                .as_str()
                .map(str::trim)
                .is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
            return Ok(Value::Int(number.into()));
        }
        "quotename" => {}
        _ => {}
    }
    // The rest gives NULL for NULL.
    if arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let text = |index: usize| at(index).as_str().unwrap_or_default();
    let int = |index: usize| at(index).as_int().unwrap_or_default();
    let float = |index: usize| match at(index) {
        Value::Float(number) => *number,
        other => other.as_int().unwrap_or_default() as f64,
    };
    let moment = |index: usize| {
        datetime::parse(text(index)).ok_or_else(|| SqlError::internal(format!("the stored date '{}'", text(index))))
    };
    Ok(match name {
        "len" => Value::Int(units(text(0).trim_end_matches(' ')).len() as i64),
        "upper" => Value::Text(text(0).to_uppercase()),
        "lower" => Value::Text(text(0).to_lowercase()),
        "ltrim" => Value::Text(text(0).trim_start_matches(|c| trimmed(c, arguments.get(1))).to_owned()),
        "rtrim" => Value::Text(text(0).trim_end_matches(|c| trimmed(c, arguments.get(1))).to_owned()),
        "trim" => Value::Text(text(0).trim_matches(' ').to_owned()),
        "reverse" => Value::Text(text(0).chars().rev().collect()),
        "left" | "right" => {
            let all = units(text(0));
            let count = positive("left", int(1))?.min(all.len());
            Value::Text(if name == "left" {
                wide(&all[..count])
            } else {
                wide(&all[all.len() - count..])
            })
        }
        "substring" => {
            if int(2) < 0 {
                return Err(SqlError::new(
                    537,
                    16,
                    "Invalid length parameter passed to the LEFT or SUBSTRING function.",
                ));
            }
            let (from, to) = (
                int(1).saturating_sub(1),
                int(1).saturating_sub(1).saturating_add(int(2)),
            );
            let range = |length: usize| {
                let from = from.clamp(0, length as i64) as usize;
                from..(to.clamp(0, length as i64) as usize).max(from)
            };
            match at(0) {
                Value::Bytes(bytes) => Value::Bytes(bytes[range(bytes.len())].to_vec()),
                _ => {
                    let all = units(text(0));
                    Value::Text(wide(&all[range(all.len())]))
                }
            }
        }
        "replicate" | "space" => {
            let (of, count) = if name == "space" {
                (" ", int(0))
            } else {
                (text(0), int(1))
            };
            if count < 0 {
                return Ok(Value::Null);
            }
            if of.len() as i64 * count > 64 << 20 {
                return Err(SqlError::unsupported("a text of more than 64 MB from REPLICATE"));
            }
            Value::Text(of.repeat(count as usize))
        }
        "replace" => Value::Text(replace(text(0), text(1), text(2))),
        "stuff" => {
            let all = units(text(0));
            let (from, count) = (int(1), int(2));
            if from < 1 || from as usize > all.len() || count < 0 {
                return Ok(Value::Null);
            }
            let from = from as usize - 1;
            let to = from.saturating_add(count as usize).min(all.len());
            Value::Text(format!("{}{}{}", wide(&all[..from]), text(3), wide(&all[to..])))
        }
        "translate" => {
            let (from, to): (Vec<char>, Vec<char>) = (text(1).chars().collect(), text(2).chars().collect());
            if from.len() != to.len() {
                return Err(SqlError::new(
                    9828,
                    16,
                    "The second and third arguments of the TRANSLATE built-in function must contain an equal number of \
                     characters.",
                ));
            }
            let change = |c: char| from.iter().position(|other| *other == c).map_or(c, |index| to[index]);
            Value::Text(text(0).chars().map(change).collect())
        }
        "charindex" => {
            let start = if arguments.len() > 2 {
                int(2).max(1) as usize - 1
            } else {
                0
            };
            Value::Int(find(text(1), text(0), start).map_or(0, |index| index as i64 + 1))
        }
        "patindex" => Value::Int(pattern_index(text(0), text(1))),
        "quotename" => {
            if text(0).chars().count() > 128 {
                return Ok(Value::Null);
            }
            let (open, close) = match arguments.get(1).and_then(Value::as_str).unwrap_or("[") {
                "[" | "]" | "" => ("[", "]"),
                "'" => ("'", "'"),
                "\"" => ("\"", "\""),
                "(" | ")" => ("(", ")"),
                _ => return Ok(Value::Null),
            };
            Value::Text(format!("{open}{}{close}", text(0).replace(close, &close.repeat(2))))
        }
        "parsename" => {
            let Some(name) = crate::sandbox::mssql::parser::name(text(0)) else {
                return Ok(Value::Null);
            };
            let index = usize::try_from(int(1))
                .ok()
                .and_then(|part| name.0.len().checked_sub(part));
            index
                .and_then(|index| name.0.get(index))
                .filter(|part| !part.is_empty())
                .map_or(Value::Null, Value::text)
        }
        "ascii" => text(0).chars().next().map_or(Value::Null, |c| {
            Value::Int(crate::sandbox::mssql::value::to_1252(c).unwrap_or(b'?').into())
        }),
        "unicode" => units(text(0))
            .first()
            .map_or(Value::Null, |unit| Value::Int(i64::from(*unit))),
        "char" => u8::try_from(int(0)).map_or(Value::Null, |byte| {
            Value::Text(crate::sandbox::mssql::value::from_1252(byte).to_string())
        }),
        "nchar" => u32::try_from(int(0))
            .ok()
            .and_then(char::from_u32)
            .map_or(Value::Null, Value::text),
        "floor" => Value::Float(float(0).floor()),
        "ceiling" => Value::Float(float(0).ceil()),
        "sqrt" if float(0) < 0.0 => {
            return Err(SqlError::new(3623, 16, "An invalid floating point operation occurred."));
        }
        "sqrt" => Value::Float(float(0).sqrt()),
        "exp" => finite(float(0).exp())?,
        "power" => finite(float(0).powf(float(1)))?,
        "abs" => match at(0) {
            Value::Int(number) => Value::Int(number.checked_abs().ok_or_else(|| SqlError::overflow("bigint"))?),
            _ => Value::Float(float(0).abs()),
        },
        "sign" => match at(0) {
            Value::Int(number) => Value::Int(number.signum()),
            _ => Value::Float(if float(0) == 0.0 { 0.0 } else { float(0).signum() }),
        },
        "round" => {
            let factor = 10f64.powi(int(1).clamp(-30, 30) as i32);
            let scaled = float(0) * factor;
            let rounded = if int(2) != 0 { scaled.trunc() } else { scaled.round() } / factor;
            match at(0) {
                Value::Int(_) => Value::Int(rounded as i64),
                _ => Value::Float(rounded),
            }
        }
        "hashbytes" => hash(text(0), at(1))?,
        "join" => match (at(0), at(1)) {
            (Value::Bytes(one), Value::Bytes(two)) => Value::Bytes([one.as_slice(), two].concat()),
            _ => Value::Null,
        },
        "random" => {
            let count = int(0).clamp(0, 8000) as usize;
            Value::Bytes((0..count).map(|_| rand::random::<u8>()).collect())
        }
        "like" => Value::Int(like(text(0), text(1), text(2))?.into()),
        "utc" => Value::Text(moment(0)?.utc().stored()),
        "datefromparts" => match datetime::from_civil(
            i32::try_from(int(0)).unwrap_or_default(),
            u32::try_from(int(1)).unwrap_or_default(),
            u32::try_from(int(2)).unwrap_or_default(),
        ) {
            Some(days) => Value::Text(
                Moment {
                    days,
                    ticks: 0,
                    offset: None,
                }
                .date_text(),
            ),
            None => {
                return Err(SqlError::new(
                    289,
                    16,
                    "Cannot construct data type date, some of the arguments have values which are not valid.",
                ));
            }
        },
        "eomonth" => {
            let added = add("month", int(1), moment(0)?)?;
            let (year, month, _) = datetime::to_civil(added.days);
            let days = datetime::from_civil(year, month, datetime::days_in_month(year, month)).unwrap_or(added.days);
            Value::Text(
                Moment {
                    days,
                    ticks: 0,
                    offset: None,
                }
                .date_text(),
            )
        }
        "dateadd" => Value::Text(store_moment(add(text(0), int(1), moment(2)?)?, sql_type(3)?)),
        "adddays" => {
            let ticks = (float(1) * DAY as f64).round() as i64;
            Value::Text(store_moment(moment(0)?.shift(ticks, None), sql_type(2)?))
        }
        "datediff" => {
            let difference = difference(text(0), moment(1)?, moment(2)?)?;
            if sql_type(3)? == SqlType::Int && i32::try_from(difference).is_err() {
                return Err(SqlError::new(
                    535,
                    16,
                    "The datediff function resulted in an overflow. The number of dateparts separating two date/time \
                     instances is too large. Try to use datediff with a less precise datepart.",
                ));
            }
            Value::Int(difference)
        }
        "datepart" => Value::Int(part(text(0), moment(1)?)?),
        "datename" => {
            let of = moment(1)?;
            let number = part(text(0), of)?;
            const MONTHS: [&str; 12] = [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ];
            const DAYS: [&str; 7] = [
                "Sunday",
                "Monday",
                "Tuesday",
                "Wednesday",
                "Thursday",
                "Friday",
                "Saturday",
            ];
            let named = match text(0) {
                "month" => MONTHS.get(number as usize - 1).copied(),
                "weekday" => DAYS.get(number as usize - 1).copied(),
                _ => None,
            };
            Value::Text(named.map_or_else(|| number.to_string(), str::to_owned))
        }
        "switchoffset" | "todatetimeoffset" => {
            let Some(offset) = datetime::parse(&format!("1900-01-01 00:00 {}", text(1))).and_then(|m| m.offset) else {
                return Err(SqlError::new(
                    9812,
                    16,
                    "The timezone provided to builtin function switchoffset is invalid.",
                ));
            };
            let of = moment(0)?;
            let moved = if name == "switchoffset" {
                of.utc().shift(i64::from(offset) * 60 * SECOND, Some(offset))
            } else {
                Moment {
                    offset: Some(offset),
                    ..of
                }
            };
            Value::Text(store_moment(moved, SqlType::DateTimeOffset(7)))
        }
        "formatmessage" => Value::Text(format_message(text(0), &arguments[1..])),
        other => return Err(SqlError::internal(format!("the function {other}"))),
    })
}

fn trimmed(c: char, characters: Option<&Value>) -> bool {
    characters.and_then(Value::as_str).unwrap_or(" ").contains(c)
}

fn positive(_: &str, count: i64) -> Result<usize> {
    usize::try_from(count).map_err(|_| {
        SqlError::new(
            537,
            16,
            "Invalid length parameter passed to the LEFT or SUBSTRING function.",
        )
    })
}

fn finite(number: f64) -> Result<Value> {
    if number.is_finite() {
        Ok(Value::Float(number))
    } else {
        Err(SqlError::overflow("float"))
    }
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn wide(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}

pub fn arithmetic(symbol: &str, one: &Value, two: &Value, result: SqlType) -> Result<Value> {
    if one.is_null() || two.is_null() {
        return Ok(Value::Null);
    }
    if let (Value::Int(one), Value::Int(two)) = (one, two)
        && !matches!(
            result,
            SqlType::Float | SqlType::Real | SqlType::Decimal(..) | SqlType::Money | SqlType::SmallMoney
        )
    {
        let number = match symbol {
            "/" | "%" if *two == 0 => return Err(SqlError::divide_by_zero()),
            "+" => one.checked_add(*two),
            "-" => one.checked_sub(*two),
            "*" => one.checked_mul(*two),
            "/" => one.checked_div(*two),
            "%" => one.checked_rem(*two),
            "&" => Some(one & two),
            "|" => Some(one | two),
            _ => Some(one ^ two),
        };
        let number = number.ok_or_else(|| SqlError::overflow(result.base_name()))?;
        return cast(&Value::Int(number), SqlType::Int, result).map_err(|_| SqlError::overflow(result.base_name()));
    }
    let float = |value: &Value| match value {
        Value::Float(number) => *number,
        other => other.as_int().unwrap_or_default() as f64,
    };
    let (one, two) = (float(one), float(two));
    let number = match symbol {
        "/" | "%" if two == 0.0 => return Err(SqlError::divide_by_zero()),
        "+" => one + two,
        "-" => one - two,
        "*" => one * two,
        "/" => one / two,
        "%" => one % two,
        _ => {
            return Err(SqlError::new(
                402,
                16,
                format!(
                    "The data types {0} and {0} are incompatible in the '{symbol}' operator.",
                    result.base_name()
                ),
            ));
        }
    };
    match result {
        SqlType::Decimal(precision, scale) => {
            // Digits behind the fifteenth are not kept, so a result has as many behind its point as fit.
            let whole = if number.abs() < 1.0 {
                1
            } else {
                number.abs().log10().floor() as i32 + 1
            };
            let kept = i32::from(scale).min((15 - whole).max(0)) as u8;
            decimal(number, precision, kept, "decimal")
        }
        SqlType::Money | SqlType::SmallMoney => decimal(number, 19, 4, "money"),
        _ => finite(number),
    }
}

/// The position in units of the first place that equals the text, ignoring case.
fn find(text: &str, what: &str, start: usize) -> Option<usize> {
    if what.is_empty() {
        return None;
    }
    let (text, what) = (units(text), units(&what.to_lowercase()));
    let lower = units(&wide(&text).to_lowercase());
    // Where lower case has another length, the places would not be those of the text.
    let text = if lower.len() == text.len() { lower } else { text };
    (start..=text.len().checked_sub(what.len())?).find(|at| text[*at..].starts_with(&what))
}

fn replace(text: &str, what: &str, by: &str) -> String {
    let mut result = String::new();
    let all = units(text);
    let mut at = 0;
    while let Some(found) = find(text, what, at) {
        result.push_str(&wide(&all[at..found]));
        result.push_str(by);
        at = found + units(what).len();
    }
    result.push_str(&wide(&all[at..]));
    result
}

#[derive(Debug)]
enum Piece {
    Any,
    One,
    Char(char),
    Set(Vec<(char, char)>, bool),
}

fn pieces(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        if Some(c) == escape {
            pieces.extend(rest.next().map(Piece::Char));
            continue;
        }
        match c {
            '%' => pieces.push(Piece::Any),
            '_' => pieces.push(Piece::One),
            '[' => {
                let inside = rest.as_str();
                let Some(end) = inside.char_indices().skip(1).find(|(_, c)| *c == ']').map(|(at, _)| at) else {
                    pieces.push(Piece::Set(Vec::new(), false));
                    break;
                };
                let (set, negated) = match inside[..end].strip_prefix('^') {
                    Some(set) => (set, true),
                    None => (&inside[..end], false),
                };
                let set: Vec<char> = set.chars().collect();
                let mut ranges = Vec::new();
                let mut at = 0;
                while at < set.len() {
                    if at + 2 < set.len() && set[at + 1] == '-' {
                        ranges.push((set[at], set[at + 2]));
                        at += 3;
                    } else {
                        ranges.push((set[at], set[at]));
                        at += 1;
                    }
                }
                pieces.push(Piece::Set(ranges, negated));
                rest = inside[end + 1..].chars();
            }
            c => pieces.push(Piece::Char(c)),
        }
    }
    pieces
}

fn same_char(one: char, two: char) -> bool {
    one == two || one.to_lowercase().eq(two.to_lowercase())
}

fn like(text: &str, pattern: &str, escape: &str) -> Result<bool> {
    let mut escapes = escape.chars();
    let escape = escapes.next();
    if escapes.next().is_some() {
        return Err(SqlError::new(
            506,
            16,
            format!(
                "The invalid escape character \"{}\" was specified in a LIKE predicate.",
                escapes.as_str()
            ),
        ));
    }
    let pieces = pieces(pattern, escape);
    let text: Vec<char> = text.chars().collect();
    // Blanks at the end of the text may be left over, as the server has it for comparisons under LIKE.
    Ok(matches(&text, &pieces) || {
        let kept = text.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1);
        (kept..text.len()).any(|end| matches(&text[..end], &pieces))
    })
}

/// Greedy with one place to come back to: linear in the text for each `%`.
fn matches(text: &[char], pieces: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                piece += 1;
                back = Some((piece, at));
                continue;
            }
            Some(one) if text.get(at).is_some_and(|c| fits(*c, one)) => {
                at += 1;
                piece += 1;
                continue;
            }
            None if at == text.len() => return true,
            _ => {}
        }
        match back {
            Some((to, from)) if from < text.len() => {
                back = Some((to, from + 1));
                at = from + 1;
                piece = to;
            }
            _ => return false,
        }
    }
}

fn fits(c: char, piece: &Piece) -> bool {
    match piece {
        Piece::Any => false,
        Piece::One => true,
        Piece::Char(other) => same_char(c, *other),
        Piece::Set(ranges, negated) => {
            let lower = c.to_lowercase().next().unwrap_or(c);
            let upper = c.to_uppercase().next().unwrap_or(c);
            let inside = ranges
                .iter()
                .any(|(from, to)| [c, lower, upper].iter().any(|c| from <= c && c <= to));
            inside != *negated
        }
    }
}

fn pattern_index(pattern: &str, text: &str) -> i64 {
    let characters: Vec<char> = text.chars().collect();
    let anchored = !pattern.starts_with('%');
    let pieces = pieces(pattern.strip_prefix('%').unwrap_or(pattern), None);
    for at in 0..=characters.len() {
        if matches(&characters[at..], &pieces) {
            return at as i64 + 1;
        }
        if anchored {
            break;
        }
    }
    0
}

fn hash(algorithm: &str, input: &Value) -> Result<Value> {
    use sha2::Digest;
    let Value::Bytes(bytes) = input else {
        return Ok(Value::Null);
    };
    Ok(Value::Bytes(match algorithm.to_ascii_uppercase().as_str() {
        "SHA2_256" => sha2::Sha256::digest(bytes).to_vec(),
        "SHA2_512" => sha2::Sha512::digest(bytes).to_vec(),
        other @ ("MD2" | "MD4" | "MD5" | "SHA" | "SHA1") => {
            return Err(SqlError::unsupported(format!(
                "HASHBYTES with {other}, which SQL Server deprecates"
            )));
        }
        _ => return Ok(Value::Null),
    }))
}

fn add(part: &str, number: i64, to: Moment) -> Result<Moment> {
    let overflow = || SqlError::new(517, 16, "Adding a value to a 'datetime' column caused an overflow.");
    let months = match part {
        "year" => Some(12),
        "quarter" => Some(3),
        "month" => Some(1),
        _ => None,
    };
    if let Some(months) = months {
        let (year, month, day) = datetime::to_civil(to.days);
        let total = number
            .checked_mul(months)
            .and_then(|n| n.checked_add(i64::from(year) * 12 + i64::from(month) - 1));
        let total = total.ok_or_else(overflow)?;
        let (year, month) = (
            i32::try_from(total.div_euclid(12)).map_err(|_| overflow())?,
            total.rem_euclid(12) as u32 + 1,
        );
        let day = day.min(datetime::days_in_month(year, month));
        let days = datetime::from_civil(year, month, day).ok_or_else(overflow)?;
        return Ok(Moment { days, ..to });
    }
    let ticks = match part {
        "week" => 7 * DAY,
        "day" | "dayofyear" | "weekday" => DAY,
        "hour" => 3600 * SECOND,
        "minute" => 60 * SECOND,
        "second" => SECOND,
        "millisecond" => SECOND / 1000,
        "microsecond" => 10,
        "nanosecond" => return add("microsecond", number / 1000, to),
        other => {
            return Err(SqlError::new(
                9810,
                16,
                format!("The datepart {other} is not supported by date function dateadd."),
            ));
        }
    };
    let moved = number
        .checked_mul(ticks)
        .and_then(|n| n.checked_add(i64::from(to.days) * DAY + to.ticks));
    let moved = moved.filter(|moved| (0..(i64::from(datetime::LAST_DAY) + 1) * DAY).contains(moved));
    let moved = moved.ok_or_else(overflow)?;
    Ok(Moment {
        days: (moved / DAY) as i32,
        ticks: moved % DAY,
        offset: to.offset,
    })
}

/// The boundaries of a part that are crossed from one moment to another.
fn difference(part: &str, from: Moment, to: Moment) -> Result<i64> {
    let (from, to) = (from.utc(), to.utc());
    let count = |of: Moment| -> Result<i64> {
        let (year, month, _) = datetime::to_civil(of.days);
        let (year, month) = (i64::from(year), i64::from(month) - 1);
        let ticks = i64::from(of.days) * DAY + of.ticks;
        Ok(match part {
            "year" => year,
            "quarter" => year * 4 + month / 3,
            "month" => year * 12 + month,
            // Weeks begin on Sunday; 0001-01-01 was a Monday.
            "week" | "iso_week" => (i64::from(of.days) + 1) / 7,
            "day" | "dayofyear" | "weekday" => of.days.into(),
            "hour" => ticks / (3600 * SECOND),
            "minute" => ticks / (60 * SECOND),
            "second" => ticks / SECOND,
            "millisecond" => ticks / (SECOND / 1000),
            "microsecond" => ticks / 10,
            "nanosecond" => ticks.checked_mul(100).unwrap_or(i64::MAX),
            other => {
                return Err(SqlError::new(
                    9806,
                    16,
                    format!("The datepart {other} is not supported by date function datediff."),
                ));
            }
        })
    };
    if part == "nanosecond" {
        let ticks = (i64::from(to.days) - i64::from(from.days)) * DAY + to.ticks - from.ticks;
        return ticks.checked_mul(100).ok_or_else(|| SqlError::overflow("bigint"));
    }
    Ok(count(to)? - count(from)?)
}

fn part(part: &str, of: Moment) -> Result<i64> {
    let (year, month, day) = datetime::to_civil(of.days);
    let first = datetime::from_civil(year, 1, 1).unwrap_or_default();
    let seconds = of.ticks / SECOND;
    Ok(match part {
        "year" => year.into(),
        "quarter" => i64::from((month - 1) / 3 + 1),
        "month" => month.into(),
        "dayofyear" => i64::from(of.days - first) + 1,
        "day" => day.into(),
        "week" => i64::from((of.days + 1) / 7 - (first + 1) / 7) + 1,
        "weekday" => i64::from((of.days + 1) % 7) + 1,
        "hour" => seconds / 3600,
        "minute" => seconds / 60 % 60,
        "second" => seconds % 60,
        "millisecond" => of.ticks % SECOND / 10_000,
        "microsecond" => of.ticks % SECOND / 10,
        "nanosecond" => of.ticks % SECOND * 100,
        "tzoffset" => of.offset.unwrap_or_default().into(),
        "iso_week" => {
            // The week of the Thursday.
            let thursday = of.days - of.days % 7 + 3;
            let (year, _, _) = datetime::to_civil(thursday);
            let first = datetime::from_civil(year, 1, 1).unwrap_or_default();
            i64::from((thursday - first) / 7) + 1
        }
        other => return Err(SqlError::unsupported(format!("the datepart {other}"))),
    })
}

/// `%s`, `%d`, `%i`, `%u`, `%x`, `%%`, with flags and widths of `%5d`. Source: "RAISERROR".
pub fn format_message(format: &str, arguments: &[Value]) -> String {
    let mut result = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            result.push(c);
            continue;
        }
        if rest.peek() == Some(&'%') {
            rest.next();
            result.push('%');
            continue;
        }
        let (mut left, mut zero, mut width) = (false, false, String::new());
        while let Some(flag) = rest.next_if(|c| "-+0#. 123456789lI".contains(*c) || c.is_ascii_digit()) {
            match flag {
                '-' => left = true,
                '0' if width.is_empty() => zero = true,
                digit if digit.is_ascii_digit() => width.push(digit),
                _ => {}
            }
        }
        let Some(kind) = rest.next() else { break };
        let value = match arguments.next() {
            None | Some(Value::Null) => "(null)".to_owned(),
            Some(Value::Int(number)) if kind == 'x' => format!("{:x}", *number as i32),
            Some(Value::Int(number)) if kind == 'X' => format!("{:X}", *number as i32),
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Text(text)) => text.clone(),
            Some(other) => crate::sandbox::mssql::value::show(other, SqlType::NVarChar(None)),
        };
        let width = width.parse::<usize>().unwrap_or_default().min(2000);
        result.push_str(&match (left, zero) {
            (true, _) => format!("{value:<width$}"),
            (_, true) => format!("{value:0>width$}"),
            _ => format!("{value:>width$}"),
        });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_sets_and_escapes() {
        for (text, pattern, escape, expected) in [
            ("Abc", "a%", "", true),
            ("abc", "a[b-d]c", "", true),
            ("abc", "a[^b-d]c", "", false),
            ("50%", "50!%", "!", true),
            ("50x", "50!%", "!", false),
            ("a_b", "a[_]b", "", true),
            ("axb", "a[_]b", "", false),
            ("", "%", "", true),
            ("abc", "", "", false),
        ] {
            assert_eq!(like(text, pattern, escape).unwrap(), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn parts_of_dates() {
        let of = datetime::parse("2024-12-30 13:14:15").unwrap();
        let get = |name| part(name, of).unwrap();
        assert_eq!(
            (get("iso_week"), get("week"), get("weekday"), get("dayofyear")),
            (1, 53, 2, 365)
        );
        assert_eq!(add("month", 2, of).unwrap().date_text(), "2025-02-28");
    }

    #[test]
    fn messages_are_formatted() {
        assert_eq!(
            format_message("%s has %5d of 100%%", &[Value::text("a"), Value::Int(7)]),
            "a has     7 of 100%"
        );
    }
}
