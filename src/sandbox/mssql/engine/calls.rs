//! Calls of built-in functions: their arguments' types and the type of their result. What they compute is in
//! [`super::functions`]. Source: "What are the SQL database functions?" and the page of each.

use super::compile::{Compiler, Typed, literal};
use super::expr::{common_of, is_aggregate};
use crate::sandbox::mssql::ast::{Expr, Name, Order, Over};
use crate::sandbox::mssql::catalog::same;
use crate::sandbox::mssql::datetime::Moment;
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::locks::Owner;
use crate::sandbox::mssql::value::{Family, SqlType, Value, store_moment};

const MAX: SqlType = SqlType::NVarChar(None);
const SYSNAME: SqlType = SqlType::NVarChar(Some(128));

/// Functions of values alone: name, least and most arguments, the types the arguments are converted to (`None`: as they
/// are; the last one repeats), and the type of the result (`None`: that of the first argument, as text).
type Plain = (&'static str, usize, usize, &'static [Option<SqlType>], Option<SqlType>);

const PLAIN: &[Plain] = &[
    ("LEN", 1, 1, &[Some(MAX)], Some(SqlType::Int)),
    ("UPPER", 1, 1, &[Some(MAX)], None),
    ("LOWER", 1, 1, &[Some(MAX)], None),
    ("LTRIM", 1, 2, &[Some(MAX)], None),
    ("RTRIM", 1, 2, &[Some(MAX)], None),
    ("TRIM", 1, 1, &[Some(MAX)], None),
    ("REVERSE", 1, 1, &[Some(MAX)], None),
    ("LEFT", 2, 2, &[Some(MAX), Some(SqlType::Int)], None),
    ("RIGHT", 2, 2, &[Some(MAX), Some(SqlType::Int)], None),
    ("REPLICATE", 2, 2, &[Some(MAX), Some(SqlType::Int)], Some(MAX)),
    ("REPLACE", 3, 3, &[Some(MAX)], Some(MAX)),
    (
        "STUFF",
        4,
        4,
        &[Some(MAX), Some(SqlType::Int), Some(SqlType::Int), Some(MAX)],
        Some(MAX),
    ),
    ("TRANSLATE", 3, 3, &[Some(MAX)], Some(MAX)),
    (
        "CHARINDEX",
        2,
        3,
        &[Some(MAX), Some(MAX), Some(SqlType::Int)],
        Some(SqlType::Int),
    ),
    ("PATINDEX", 2, 2, &[Some(MAX)], Some(SqlType::Int)),
    ("QUOTENAME", 1, 2, &[Some(MAX)], Some(SqlType::NVarChar(Some(258)))),
    ("PARSENAME", 2, 2, &[Some(MAX), Some(SqlType::Int)], Some(SYSNAME)),
    ("SPACE", 1, 1, &[Some(SqlType::Int)], Some(SqlType::VarChar(Some(8000)))),
    ("ASCII", 1, 1, &[Some(MAX)], Some(SqlType::Int)),
    ("UNICODE", 1, 1, &[Some(MAX)], Some(SqlType::Int)),
    ("CHAR", 1, 1, &[Some(SqlType::Int)], Some(SqlType::Char(1))),
    ("NCHAR", 1, 1, &[Some(SqlType::Int)], Some(SqlType::NChar(1))),
    ("FLOOR", 1, 1, &[Some(SqlType::Float)], Some(SqlType::Float)),
    ("CEILING", 1, 1, &[Some(SqlType::Float)], Some(SqlType::Float)),
    ("SQRT", 1, 1, &[Some(SqlType::Float)], Some(SqlType::Float)),
    ("EXP", 1, 1, &[Some(SqlType::Float)], Some(SqlType::Float)),
    ("POWER", 2, 2, &[Some(SqlType::Float)], Some(SqlType::Float)),
    ("ISDATE", 1, 1, &[Some(MAX)], Some(SqlType::Int)),
    ("ISNUMERIC", 1, 1, &[Some(MAX)], Some(SqlType::Int)),
    ("DATEFROMPARTS", 3, 3, &[Some(SqlType::Int)], Some(SqlType::Date)),
    (
        "EOMONTH",
        1,
        2,
        &[Some(SqlType::Date), Some(SqlType::Int)],
        Some(SqlType::Date),
    ),
    ("FORMATMESSAGE", 1, 21, &[None], Some(MAX)),
];

const PARTS: [(&str, &str); 42] = [
    ("year", "year"),
    ("yy", "year"),
    ("yyyy", "year"),
    ("quarter", "quarter"),
    ("qq", "quarter"),
    ("q", "quarter"),
    ("month", "month"),
    ("mm", "month"),
    ("m", "month"),
    ("dayofyear", "dayofyear"),
    ("dy", "dayofyear"),
    ("y", "dayofyear"),
    ("day", "day"),
    ("dd", "day"),
    ("d", "day"),
    ("week", "week"),
    ("wk", "week"),
    ("ww", "week"),
    ("weekday", "weekday"),
    ("dw", "weekday"),
    ("w", "weekday"),
    ("hour", "hour"),
    ("hh", "hour"),
    ("minute", "minute"),
    ("mi", "minute"),
    ("n", "minute"),
    ("second", "second"),
    ("ss", "second"),
    ("s", "second"),
    ("millisecond", "millisecond"),
    ("ms", "millisecond"),
    ("microsecond", "microsecond"),
    ("mcs", "microsecond"),
    ("nanosecond", "nanosecond"),
    ("ns", "nanosecond"),
    ("tzoffset", "tzoffset"),
    ("tz", "tzoffset"),
    ("iso_week", "iso_week"),
    ("isowk", "iso_week"),
    ("isoww", "iso_week"),
    ("dow", "weekday"),
    ("doy", "dayofyear"),
];

impl Compiler<'_> {
    pub fn call(
        &mut self,
        name: &Name,
        arguments: &[Expr],
        distinct: bool,
        star: bool,
        over: Option<&Over>,
    ) -> Result<Typed> {
        let upper = name.last().to_ascii_uppercase();
        if name.0.len() > 1 {
            return Err(SqlError::unsupported(format!(
                "the user-defined function {}",
                name.display()
            )));
        }
        if is_aggregate(&upper) {
            return self.aggregate(&upper, arguments, distinct, star, over);
        }
        if let Some(over) = over {
            return self.window(&upper, arguments, over);
        }
        if let Some(part) = self.date_part(&upper, arguments)? {
            return Ok(part);
        }
        let typed = arguments
            .iter()
            .map(|argument| self.scalar(argument))
            .collect::<Result<Vec<_>>>()?;
        if let Some((_, least, most, types, result)) = PLAIN.iter().find(|(plain, ..)| *plain == upper) {
            expect_count(&upper, typed.len(), *least, *most)?;
            let mut sql = Vec::new();
            let mut values = Vec::new();
            for (at, argument) in typed.iter().enumerate() {
                let to = types.get(at).or(types.last()).copied().flatten();
                let argument = match to {
                    Some(to) => argument.to(to)?,
                    None => argument.clone(),
                };
                values.push(argument.constant.clone());
                sql.push(argument.sql);
            }
            let first = typed.first().map_or(MAX, |typed| typed.sql_type);
            let result = result.unwrap_or(if first.is_text() { first } else { MAX });
            let lower = upper.to_ascii_lowercase();
            if let Some(values) = values.into_iter().collect::<Option<Vec<_>>>() {
                return Ok(Typed::constant(super::functions::call(&lower, &values)?, result));
            }
            return Ok(Typed::new(format!("msd('{lower}',{})", sql.join(",")), result));
        }
        self.special(&upper, &typed)
    }

    fn special(&mut self, upper: &str, typed: &[Typed]) -> Result<Typed> {
        let count = |least, most| expect_count(upper, typed.len(), least, most);
        let now = Moment::now_utc();
        let moment = |sql_type| Ok(Typed::constant(Value::Text(store_moment(now, sql_type)), sql_type));
        let text = |text: &str| Ok(Typed::constant(Value::text(text), SYSNAME));
        let int = |number: Option<i64>| Ok(Typed::constant(number.map_or(Value::Null, Value::Int), SqlType::Int));
        match upper {
            "ISNULL" => {
                count(2, 2)?;
                let sql_type = if typed[0].is_null() {
                    typed[1].sql_type
                } else {
                    typed[0].sql_type
                };
                let (one, two) = (typed[0].to(sql_type)?, typed[1].to(sql_type)?);
                if let Some(value) = &one.constant {
                    return if value.is_null() { Ok(two) } else { Ok(one) };
                }
                let mut both = Typed::new(format!("ifnull({},{})", one.sql, two.sql), sql_type);
                both.nullable = two.nullable;
                Ok(both)
            }
            "COALESCE" => {
                count(2, 127)?;
                let sql_type = common_of(&typed.iter().collect::<Vec<_>>());
                let parts = typed
                    .iter()
                    .map(|part| Ok(part.to(sql_type)?.sql))
                    .collect::<Result<Vec<_>>>()?;
                Ok(Typed::new(format!("coalesce({})", parts.join(",")), sql_type))
            }
            "NULLIF" => {
                count(2, 2)?;
                let equal = self.compare(&typed[0], "=", &typed[1])?;
                Ok(Typed::new(
                    format!("(CASE WHEN {equal} THEN NULL ELSE {} END)", typed[0].sql),
                    typed[0].sql_type,
                ))
            }
            "CHOOSE" => {
                count(2, 127)?;
                let rest: Vec<&Typed> = typed[1..].iter().collect();
                let sql_type = common_of(&rest);
                let mut sql = format!("(CASE {}", typed[0].to(SqlType::Int)?.sql);
                for (at, part) in rest.iter().enumerate() {
                    sql.push_str(&format!(" WHEN {} THEN {}", at + 1, part.to(sql_type)?.sql));
                }
                Ok(Typed::new(format!("{sql} END)"), sql_type))
            }
            "CONCAT" | "CONCAT_WS" => {
                count(2, 254)?;
                let parts = typed
                    .iter()
                    .map(|part| Ok(part.to(MAX)?.sql))
                    .collect::<Result<Vec<_>>>()?;
                let lower = upper.to_ascii_lowercase();
                let mut joined = Typed::new(format!("msd('{lower}',{})", parts.join(",")), MAX);
                joined.nullable = false;
                if let Some(values) = typed
                    .iter()
                    .map(|part| part.to(MAX).ok().and_then(|part| part.constant))
                    .collect::<Option<Vec<_>>>()
                {
                    return Ok(Typed::constant(super::functions::call(&lower, &values)?, MAX));
                }
                Ok(joined)
            }
            "SUBSTRING" => {
                count(3, 3)?;
                let binary = typed[0].sql_type.family() == Family::Binary;
                let of = if binary { typed[0].clone() } else { typed[0].to(MAX)? };
                let result = if binary || typed[0].sql_type.is_text() {
                    typed[0].sql_type
                } else {
                    MAX
                };
                let (from, length) = (typed[1].to(SqlType::Int)?, typed[2].to(SqlType::Int)?);
                if let (Some(one), Some(two), Some(three)) = (&of.constant, &from.constant, &length.constant) {
                    let values = [one.clone(), two.clone(), three.clone()];
                    return Ok(Typed::constant(super::functions::call("substring", &values)?, result));
                }
                Ok(Typed::new(
                    format!("msd('substring',{},{},{})", of.sql, from.sql, length.sql),
                    result,
                ))
            }
            "DATALENGTH" => {
                count(1, 1)?;
                let binary = typed[0].to(SqlType::VarBinary(None));
                let sql = match (typed[0].sql_type.family(), binary) {
                    (Family::Text | Family::Binary, Ok(binary)) => format!("length({})", binary.sql),
                    _ => format!(
                        "(CASE WHEN {} IS NULL THEN NULL ELSE {} END)",
                        typed[0].sql,
                        typed[0].sql_type.system().1
                    ),
                };
                Ok(Typed::new(sql, SqlType::Int))
            }
            "ABS" | "SIGN" | "ROUND" => {
                count(1, 3)?;
                let of = if typed[0].sql_type.is_number() {
                    typed[0].clone()
                } else {
                    typed[0].to(SqlType::Float)?
                };
                let digits = match typed.get(1) {
                    Some(digits) => digits.to(SqlType::Int)?.sql,
                    None => "0".to_owned(),
                };
                let truncate = match typed.get(2) {
                    Some(truncate) => truncate.to(SqlType::Int)?.sql,
                    None => "0".to_owned(),
                };
                let lower = upper.to_ascii_lowercase();
                Ok(Typed::new(
                    format!("msd('{lower}',{},{digits},{truncate})", of.sql),
                    of.sql_type,
                ))
            }
            "HASHBYTES" => {
                count(2, 2)?;
                let input = typed[1].to(SqlType::VarBinary(None))?;
                let sql = format!("msd('hashbytes',{},{})", typed[0].to(MAX)?.sql, input.sql);
                Ok(Typed::new(sql, SqlType::VarBinary(Some(64))))
            }
            "NEWID" | "NEWSEQUENTIALID" => {
                count(0, 0)?;
                Ok(Typed::new("ms('newid')", SqlType::UniqueIdentifier))
            }
            "RAND" => {
                count(0, 0)?;
                Ok(Typed::new("ms('rand')", SqlType::Float))
            }
            "CRYPT_GEN_RANDOM" => {
                count(1, 1)?;
                Ok(Typed::new(
                    format!("ms('random',{})", typed[0].to(SqlType::Int)?.sql),
                    SqlType::VarBinary(None),
                ))
            }
            "SYSUTCDATETIME" | "SYSDATETIME" => moment(SqlType::DateTime2(7)),
            "SYSDATETIMEOFFSET" => {
                let now = Moment { offset: Some(0), ..now };
                let sql_type = SqlType::DateTimeOffset(7);
                Ok(Typed::constant(Value::Text(store_moment(now, sql_type)), sql_type))
            }
            // The sandbox's server stands in UTC.
            "GETDATE" | "GETUTCDATE" | "CURRENT_TIMESTAMP" => moment(SqlType::DateTime),
            "YEAR" | "MONTH" | "DAY" => {
                count(1, 1)?;
                let of = typed[0].to(SqlType::DateTime2(7))?;
                Ok(Typed::new(
                    format!("msd('datepart','{}',{})", upper.to_ascii_lowercase(), of.sql),
                    SqlType::Int,
                ))
            }
            "SWITCHOFFSET" | "TODATETIMEOFFSET" => {
                count(2, 2)?;
                let to = if upper == "SWITCHOFFSET" {
                    SqlType::DateTimeOffset(7)
                } else {
                    SqlType::DateTime2(7)
                };
                let sql = format!(
                    "msd('{}',{},{})",
                    upper.to_ascii_lowercase(),
                    typed[0].to(to)?.sql,
                    typed[1].to(MAX)?.sql
                );
                Ok(Typed::new(sql, SqlType::DateTimeOffset(7)))
            }
            "SCOPE_IDENTITY" | "@@IDENTITY" => Ok(Typed::constant(
                self.engine.last_identity().map_or(Value::Null, Value::Int),
                SqlType::Decimal(38, 0),
            )),
            "ROWCOUNT_BIG" => Ok(Typed::constant(Value::Int(self.engine.row_count()), SqlType::BigInt)),
            "XACT_STATE" => Ok(Typed::constant(Value::Int(self.engine.xact_state()), SqlType::SmallInt)),
            "ERROR_NUMBER" | "ERROR_SEVERITY" | "ERROR_STATE" | "ERROR_LINE" | "ERROR_MESSAGE" | "ERROR_PROCEDURE" => {
                let error = self.engine.caught().cloned();
                Ok(match (upper, error) {
                    ("ERROR_MESSAGE", Some(error)) => {
                        Typed::constant(Value::Text(error.message), SqlType::NVarChar(Some(4000)))
                    }
                    ("ERROR_MESSAGE", None) => Typed::constant(Value::Null, SqlType::NVarChar(Some(4000))),
                    ("ERROR_PROCEDURE", _) => Typed::constant(Value::Null, SYSNAME),
                    (_, None) => Typed::constant(Value::Null, SqlType::Int),
                    (which, Some(error)) => Typed::constant(
                        Value::Int(match which {
                            "ERROR_NUMBER" => error.number.into(),
                            "ERROR_SEVERITY" => error.class.into(),
                            "ERROR_STATE" => error.state.into(),
                            _ => error.line.into(),
                        }),
                        SqlType::Int,
                    ),
                })
            }
            "DB_NAME" if typed.is_empty() => text(&self.engine.database_name()),
            "DB_ID" if typed.is_empty() => int(Some(self.engine.database_id())),
            "SUSER_SNAME" | "SUSER_NAME" | "ORIGINAL_LOGIN" | "SYSTEM_USER" if typed.is_empty() => {
                text(&self.engine.login_name())
            }
            "USER_NAME" | "CURRENT_USER" | "SESSION_USER" | "USER" if typed.is_empty() => {
                let user = self.engine.user_name()?;
                text(&user)
            }
            "HOST_NAME" => text(&self.engine.host_name()),
            "APP_NAME" | "PROGRAM_NAME" => text(&self.engine.application_name()),
            "SCHEMA_NAME" if typed.is_empty() => text("dbo"),
            "SCHEMA_ID" if typed.is_empty() => int(Some(1)),
            "HOST_ID" | "CONNECTIONPROPERTY" | "CURSOR_STATUS" | "FORMAT" | "CHECKSUM" | "BINARY_CHECKSUM"
            | "OPENJSON" | "JSON_VALUE" | "JSON_QUERY" | "ISJSON" | "STRING_SPLIT" | "SOUNDEX" | "DIFFERENCE"
            | "COMPRESS" | "DECOMPRESS" | "PARSE" | "TRY_PARSE" | "IIF" => {
                if upper == "IIF" {
                    return Err(SqlError::unsupported("IIF; write CASE"));
                }
                Err(SqlError::unsupported(format!("the function {upper}")))
            }
            "APPLOCK_MODE" => {
                count(3, 3)?;
                let values = constants(upper, typed)?;
                let (principal, resource, owner) = (show(&values[0]), show(&values[1]), show(&values[2]));
                let owner = if owner.eq_ignore_ascii_case("session") {
                    Owner::Session
                } else {
                    Owner::Transaction
                };
                text(self.engine.app_lock_mode(&principal, &resource, owner))
            }
            "HAS_PERMS_BY_NAME" | "IS_SRVROLEMEMBER" | "IS_MEMBER" | "IS_ROLEMEMBER" => {
                let values = constants(upper, typed)?;
                let role = values.first().map(show).unwrap_or_default();
                match upper {
                    "IS_SRVROLEMEMBER" => int(self.engine.is_server_role_member(&role)),
                    "IS_MEMBER" | "IS_ROLEMEMBER" => {
                        let member = self.engine.is_role_member(&role)?;
                        int(member)
                    }
                    _ => Err(SqlError::unsupported(format!("the function {upper}"))),
                }
            }
            "SERVERPROPERTY" => {
                count(1, 1)?;
                let values = constants(upper, typed)?;
                let value = match show(&values[0]).to_ascii_lowercase().as_str() {
                    "productversion" => Some("16.0.1000.6".to_owned()),
                    "productlevel" => Some("RTM".to_owned()),
                    "productmajorversion" => Some("16".to_owned()),
                    "productminorversion" => Some("0".to_owned()),
                    "edition" => Some("Developer Edition (64-bit)".to_owned()),
                    "engineedition" => return int(Some(3)),
                    "servername" | "machinename" | "computernamephysicalnetbios" => Some(super::SERVER_NAME.to_owned()),
                    "collation" => Some(crate::sandbox::mssql::collation::DISPLAY.to_owned()),
                    "issingleuser"
                    | "isclustered"
                    | "isintegratedsecurityonly"
                    | "ishadrenabled"
                    | "isfulltextinstalled" => return int(Some(0)),
                    _ => None,
                };
                Ok(Typed::constant(
                    value.map_or(Value::Null, Value::Text),
                    SqlType::NVarChar(Some(128)),
                ))
            }
            _ => self.of_catalog(upper, typed),
        }
    }

    /// Functions that look something up in the catalog. With constants they are answered at once; with columns each row
    /// is answered from the same state of the catalog.
    fn of_catalog(&mut self, upper: &str, typed: &[Typed]) -> Result<Typed> {
        let result = match upper {
            "OBJECT_ID"
            | "SCHEMA_ID"
            | "DB_ID"
            | "TYPE_ID"
            | "USER_ID"
            | "DATABASE_PRINCIPAL_ID"
            | "SUSER_ID"
            | "COLUMNPROPERTY"
            | "OBJECTPROPERTY"
            | "OBJECTPROPERTYEX"
            | "INDEXPROPERTY"
            | "INDEX_COL" => SqlType::Int,
            "COL_LENGTH" => SqlType::SmallInt,
            "OBJECT_NAME" | "OBJECT_SCHEMA_NAME" | "SCHEMA_NAME" | "DB_NAME" | "TYPE_NAME" | "COL_NAME"
            | "USER_NAME" | "SUSER_NAME" | "SUSER_SNAME" | "ORIGINAL_DB_NAME" => SYSNAME,
            "OBJECT_DEFINITION" => MAX,
            "IDENT_CURRENT" | "IDENT_SEED" | "IDENT_INCR" => SqlType::Decimal(38, 0),
            "DATABASEPROPERTYEX" => SqlType::NVarChar(Some(128)),
            _ => {
                return Err(SqlError::new(
                    195,
                    15,
                    format!("'{upper}' is not a recognized built-in function name."),
                ));
            }
        };
        // The other databases' catalogs are read only where a name may point there.
        for argument in typed {
            if let Some(Value::Text(name)) = &argument.constant {
                self.engine.share_database_of(name)?;
            }
        }
        self.engine.share_identities(upper)?;
        let lower = upper.to_ascii_lowercase();
        if let Some(values) = typed
            .iter()
            .map(|part| part.constant.clone())
            .collect::<Option<Vec<_>>>()
        {
            let value = super::lookup::call(&self.engine.shared(), &lower, &values)?;
            return Ok(Typed::constant(value, result));
        }
        let parts: Vec<String> = [format!("'{lower}'")]
            .into_iter()
            .chain(typed.iter().map(|part| part.sql.clone()))
            .collect();
        Ok(Typed::new(format!("ms({})", parts.join(",")), result))
    }

    /// DATEADD and its kin, whose first argument is a word.
    fn date_part(&mut self, upper: &str, arguments: &[Expr]) -> Result<Option<Typed>> {
        if ![
            "DATEADD",
            "DATEDIFF",
            "DATEDIFF_BIG",
            "DATEPART",
            "DATENAME",
            "DATETRUNC",
        ]
        .contains(&upper)
        {
            return Ok(None);
        }
        let wanted = if matches!(upper, "DATEPART" | "DATENAME" | "DATETRUNC") {
            2
        } else {
            3
        };
        expect_count(upper, arguments.len(), wanted, wanted)?;
        let word = match arguments.first() {
            Some(Expr::Column { name, .. }) if name.0.len() == 1 => name.last().to_ascii_lowercase(),
            Some(Expr::Call { name, .. }) => name.last().to_ascii_lowercase(),
            _ => String::new(),
        };
        let Some((_, part)) = PARTS.iter().find(|(short, _)| *short == word) else {
            return Err(SqlError::new(
                155,
                15,
                format!("'{word}' is not a recognized {} option.", upper.to_ascii_lowercase()),
            )
            .effect(Effect::Compile));
        };
        let rest = arguments[1..]
            .iter()
            .map(|argument| self.scalar(argument))
            .collect::<Result<Vec<_>>>()?;
        let moment = |typed: &Typed| -> Result<(String, SqlType)> {
            let to = if typed.sql_type.family() == Family::Date {
                typed.sql_type
            } else if typed.sql_type.is_text() {
                if upper == "DATEADD" {
                    SqlType::DateTime
                } else {
                    SqlType::DateTimeOffset(7)
                }
            } else {
                SqlType::DateTime
            };
            Ok((typed.to(to)?.sql, to))
        };
        let lower = upper.to_ascii_lowercase();
        let (sql, sql_type) = match upper {
            "DATEADD" => {
                let (of, sql_type) = moment(&rest[1])?;
                let number = rest[0].to(SqlType::Int)?.sql;
                (
                    format!("msd('dateadd','{part}',{number},{of},'{}')", sql_type.name()),
                    sql_type,
                )
            }
            "DATEDIFF" | "DATEDIFF_BIG" => {
                let ((from, _), (to, _)) = (moment(&rest[0])?, moment(&rest[1])?);
                let result = if upper == "DATEDIFF" {
                    SqlType::Int
                } else {
                    SqlType::BigInt
                };
                (
                    format!("msd('datediff','{part}',{from},{to},'{}')", result.name()),
                    result,
                )
            }
            "DATEPART" => (
                format!("msd('datepart','{part}',{})", moment(&rest[0])?.0),
                SqlType::Int,
            ),
            "DATENAME" => (
                format!("msd('datename','{part}',{})", moment(&rest[0])?.0),
                SqlType::NVarChar(Some(30)),
            ),
            _ => return Err(SqlError::unsupported(format!("the function {lower}"))),
        };
        Ok(Some(Typed::new(sql, sql_type)))
    }

    fn aggregate(
        &mut self,
        upper: &str,
        arguments: &[Expr],
        distinct: bool,
        star: bool,
        over: Option<&Over>,
    ) -> Result<Typed> {
        if self.in_aggregate {
            return Err(SqlError::new(
                130,
                15,
                "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.",
            )
            .effect(Effect::Compile));
        }
        let within = upper == "STRING_AGG";
        let window = match over.filter(|_| !within) {
            Some(over) => format!(" OVER ({})", self.window_text(over)?),
            None => String::new(),
        };
        let big = upper == "COUNT_BIG";
        let counted = if big { SqlType::BigInt } else { SqlType::Int };
        if star {
            if !upper.starts_with("COUNT") {
                return Err(SqlError::syntax("*"));
            }
            let mut typed = Typed::new(format!("count(*){window}"), counted);
            typed.nullable = false;
            return Ok(typed);
        }
        expect_count(upper, arguments.len(), 1, if within { 2 } else { 1 })?;
        // A window's argument follows the rules of the select list.
        self.in_aggregate = window.is_empty();
        let typed = arguments
            .iter()
            .map(|argument| self.scalar(argument))
            .collect::<Result<Vec<_>>>();
        let order = match over.filter(|_| within) {
            Some(over) => self.order_text(&over.order).map(|order| format!(" ORDER BY {order}")),
            None => Ok(String::new()),
        };
        self.in_aggregate = false;
        let (typed, order) = (typed?, order?);
        let of = &typed[0];
        let word = if distinct { "DISTINCT " } else { "" };
        let not_for = |what: &str| {
            SqlError::new(
                8117,
                16,
                format!(
                    "Operand data type {} is invalid for {what} operator.",
                    of.sql_type.base_name()
                ),
            )
            .effect(Effect::Compile)
        };
        match upper {
            "COUNT" | "COUNT_BIG" => {
                let mut typed = Typed::new(format!("count({word}{}){window}", of.collated()), counted);
                typed.nullable = false;
                Ok(typed)
            }
            "MIN" | "MAX" => {
                if of.sql_type == SqlType::Bit {
                    return Err(not_for(&upper.to_ascii_lowercase()));
                }
                Ok(Typed::new(
                    format!("{}({}){window}", upper.to_ascii_lowercase(), of.collated()),
                    of.sql_type,
                ))
            }
            "SUM" | "AVG" => {
                let result = match of.sql_type {
                    SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::Int,
                    SqlType::BigInt => SqlType::BigInt,
                    SqlType::Decimal(_, scale) if upper == "SUM" => SqlType::Decimal(38, scale),
                    SqlType::Decimal(_, scale) => SqlType::Decimal(38, scale.max(6)),
                    SqlType::Money | SqlType::SmallMoney => SqlType::Money,
                    SqlType::Float | SqlType::Real => SqlType::Float,
                    _ => return Err(not_for(&upper.to_ascii_lowercase())),
                };
                let inner = format!("sum({word}{}){window}", of.sql);
                let sql = if upper == "AVG" {
                    format!("({inner} / count({word}{}){window})", of.sql)
                } else {
                    inner
                };
                Ok(Typed::new(
                    format!("msd('cast',{sql},'{}','{}')", result.name(), result.name()),
                    result,
                ))
            }
            _ => {
                expect_count(upper, typed.len(), 2, 2)?;
                let (of, separator) = (typed[0].to(MAX)?, typed[1].to(MAX)?);
                if distinct {
                    return Err(SqlError::syntax_keyword("DISTINCT"));
                }
                Ok(Typed::new(
                    format!("group_concat({},{}{order})", of.sql, separator.sql),
                    MAX,
                ))
            }
        }
    }

    fn window(&mut self, upper: &str, arguments: &[Expr], over: &Over) -> Result<Typed> {
        let window = self.window_text(over)?;
        let typed = arguments
            .iter()
            .map(|argument| self.scalar(argument))
            .collect::<Result<Vec<_>>>()?;
        let (sql, sql_type) = match upper {
            "ROW_NUMBER" | "RANK" | "DENSE_RANK" => (format!("{}()", upper.to_ascii_lowercase()), SqlType::BigInt),
            "NTILE" => {
                expect_count(upper, typed.len(), 1, 1)?;
                (format!("ntile({})", typed[0].sql), SqlType::BigInt)
            }
            "LAG" | "LEAD" => {
                expect_count(upper, typed.len(), 1, 3)?;
                let parts: Vec<&str> = typed.iter().map(|part| part.sql.as_str()).collect();
                (
                    format!("{}({})", upper.to_ascii_lowercase(), parts.join(",")),
                    typed[0].sql_type,
                )
            }
            "FIRST_VALUE" | "LAST_VALUE" => {
                expect_count(upper, typed.len(), 1, 1)?;
                (
                    format!("{}({})", upper.to_ascii_lowercase(), typed[0].sql),
                    typed[0].sql_type,
                )
            }
            _ => return Err(SqlError::unsupported(format!("the function {upper} with OVER"))),
        };
        if over.order.is_empty() {
            return Err(SqlError::new(
                4112,
                15,
                format!("The function '{upper}' must have an OVER clause with ORDER BY."),
            )
            .effect(Effect::Compile));
        }
        Ok(Typed::new(format!("{sql} OVER ({window})"), sql_type))
    }

    fn window_text(&mut self, over: &Over) -> Result<String> {
        let mut text = String::new();
        if !over.partition.is_empty() {
            let parts = over
                .partition
                .iter()
                .map(|part| Ok(self.scalar(part)?.collated()))
                .collect::<Result<Vec<_>>>()?;
            text.push_str(&format!("PARTITION BY {}", parts.join(", ")));
        }
        if !over.order.is_empty() {
            text.push_str(&format!(" ORDER BY {}", self.order_text(&over.order)?));
        }
        Ok(text)
    }

    fn order_text(&mut self, order: &[Order]) -> Result<String> {
        let parts = order
            .iter()
            .map(|order| {
                let by = match &order.by {
                    // `ORDER BY (SELECT NULL)`: any order.
                    Expr::Int(_) => {
                        return Err(SqlError::new(
                            5308,
                            16,
                            "Windowed functions, aggregates and NEXT VALUE FOR functions do not support integer indices \
                             as ORDER BY clause expressions.",
                        )
                        .effect(Effect::Compile));
                    }
                    by => self.scalar(by)?,
                };
                Ok(format!("{}{}", by.collated(), if order.descending { " DESC" } else { "" }))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(parts.join(", "))
    }

    /// `@@ROWCOUNT` and its kin.
    pub fn global(&mut self, name: &str) -> Result<Option<Typed>> {
        let int = |number: i64| Ok(Some(Typed::constant(Value::Int(number), SqlType::Int)));
        let text = |text: String| Ok(Some(Typed::constant(Value::Text(text), SqlType::NVarChar(Some(300)))));
        match name.to_ascii_uppercase().as_str() {
            "@@ROWCOUNT" => int(self.engine.row_count()),
            "@@TRANCOUNT" => int(self.engine.tran_count()),
            "@@ERROR" => int(self.engine.last_error()),
            "@@SPID" => Ok(Some(Typed::constant(
                Value::Int(self.engine.session_id()),
                SqlType::SmallInt,
            ))),
            "@@IDENTITY" => Ok(Some(self.special("@@IDENTITY", &[])?)),
            "@@VERSION" => text(super::VERSION.to_owned()),
            "@@SERVERNAME" => text(super::SERVER_NAME.to_owned()),
            "@@SERVICENAME" => text("MSSQLSERVER".to_owned()),
            "@@LANGUAGE" => text("us_english".to_owned()),
            "@@DATEFIRST" => int(7),
            "@@LOCK_TIMEOUT" => int(self.engine.lock_timeout()),
            "@@MAX_PRECISION" => int(38),
            "@@NESTLEVEL" => int(self.engine.nest_level()),
            "@@FETCH_STATUS" | "@@PROCID" | "@@OPTIONS" | "@@DBTS" => {
                Err(SqlError::unsupported(format!("the function {name}")))
            }
            _ => Ok(None),
        }
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    }
}

fn constants(upper: &str, typed: &[Typed]) -> Result<Vec<Value>> {
    typed
        .iter()
        .map(|part| part.constant.clone())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| SqlError::unsupported(format!("the function {upper} of a column")))
}

fn expect_count(upper: &str, has: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&has) {
        return Ok(());
    }
    let lower = upper.to_ascii_lowercase();
    Err(if least == most {
        SqlError::new(174, 15, format!("The {lower} function requires {least} argument(s)."))
    } else {
        SqlError::new(
            189,
            15,
            format!("The {lower} function requires {least} to {most} arguments."),
        )
    }
    .effect(Effect::Compile))
}

/// A value as an expression: for rows that are known.
pub fn known(value: &Value, sql_type: SqlType) -> Typed {
    let mut typed = Typed::constant(value.clone(), sql_type);
    typed.sql = literal(value);
    typed
}

/// Whether a name is one of those in a list, by the collation.
pub fn any_of(name: &str, list: &[String]) -> bool {
    list.iter().any(|other| same(other, name))
}
