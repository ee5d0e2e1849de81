//! Expressions and conditions as SQLite runs them.

use super::compile::{Compiler, Typed};
use crate::sandbox::mssql::ast::{Expr, Op};
use crate::sandbox::mssql::collation;
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::value::{Family, SqlType, TooLong, Value, cast, convert};

const AGGREGATES: [&str; 7] = ["COUNT", "COUNT_BIG", "SUM", "AVG", "MIN", "MAX", "STRING_AGG"];

pub fn is_aggregate(name: &str) -> bool {
    AGGREGATES.iter().any(|aggregate| aggregate.eq_ignore_ascii_case(name))
}

/// Whether an aggregate stands in the expression, outside of subqueries and windows.
pub fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Call {
            name, arguments, over, ..
        } => {
            let window = over.is_some() && !name.last().eq_ignore_ascii_case("STRING_AGG");
            (name.0.len() == 1 && is_aggregate(name.last()) && !window) || arguments.iter().any(has_aggregate)
        }
        Expr::Negate(of) | Expr::BitNot(of) | Expr::Not(of) => has_aggregate(of),
        Expr::Binary { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        Expr::IsNull { of, .. } | Expr::Collate { of, .. } | Expr::Cast { of, .. } | Expr::InQuery { of, .. } => {
            has_aggregate(of)
        }
        Expr::In { of, list, .. } => has_aggregate(of) || list.iter().any(has_aggregate),
        Expr::Between { of, low, high, .. } => has_aggregate(of) || has_aggregate(low) || has_aggregate(high),
        Expr::Like { of, pattern, .. } => has_aggregate(of) || has_aggregate(pattern),
        Expr::Case {
            operand,
            whens,
            otherwise,
        } => {
            operand.as_deref().is_some_and(has_aggregate)
                || otherwise.as_deref().is_some_and(has_aggregate)
                || whens
                    .iter()
                    .any(|(when, then)| has_aggregate(when) || has_aggregate(then))
        }
        _ => false,
    }
}

fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Not(_)
        | Expr::IsNull { .. }
        | Expr::In { .. }
        | Expr::InQuery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::Exists(_) => true,
        Expr::Binary { op, .. } => matches!(
            op,
            Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual | Op::And | Op::Or
        ),
        _ => false,
    }
}

impl Compiler<'_> {
    /// A search condition.
    pub fn condition(&mut self, expr: &Expr) -> Result<String> {
        match expr {
            Expr::Not(of) => Ok(format!("(NOT {})", self.condition(of)?)),
            Expr::Binary {
                op: op @ (Op::And | Op::Or),
                left,
                right,
            } => {
                let word = if *op == Op::And { "AND" } else { "OR" };
                Ok(format!("({} {word} {})", self.condition(left)?, self.condition(right)?))
            }
            Expr::Binary { op, left, right } if is_condition(expr) => {
                let (left, right) = (self.scalar(left)?, self.scalar(right)?);
                let word = match op {
                    Op::Equal => "=",
                    Op::NotEqual => "<>",
                    Op::Less => "<",
                    Op::LessEqual => "<=",
                    Op::Greater => ">",
                    _ => ">=",
                };
                self.compare(&left, word, &right)
            }
            Expr::IsNull { of, negated } => {
                let of = self.scalar(of)?;
                Ok(format!("({} IS {}NULL)", of.sql, if *negated { "NOT " } else { "" }))
            }
            Expr::In { of, list, negated } => {
                let of = self.scalar(of)?;
                let list = list.iter().map(|item| self.scalar(item)).collect::<Result<Vec<_>>>()?;
                let all: Vec<&Typed> = list.iter().chain([&of]).collect();
                let common = common_of(&all);
                let collate = if common.is_text() {
                    format!(" COLLATE {}", collation::NAME)
                } else {
                    String::new()
                };
                let items = list
                    .iter()
                    .map(|item| comparable(&item.to(common)?))
                    .collect::<Result<Vec<_>>>()?
                    .join(", ");
                let word = if *negated { "NOT IN" } else { "IN" };
                Ok(format!("({}{collate} {word} ({items}))", comparable(&of.to(common)?)?))
            }
            Expr::InQuery { of, query, negated } => {
                let of = self.scalar(of)?;
                let compiled = self.query(query)?;
                let [column] = compiled.columns.as_slice() else {
                    return Err(SqlError::new(
                        116,
                        16,
                        "Only one expression can be specified in the select list when the subquery is not introduced \
                         with EXISTS.",
                    )
                    .effect(Effect::Compile));
                };
                let common = common(&of, &Typed::new("", column.sql_type));
                let left = comparable(&of.to(common)?)?;
                let right = comparable(&Typed::new("o0", column.sql_type).to(common)?)?;
                let collate = if common.is_text() {
                    format!(" COLLATE {}", collation::NAME)
                } else {
                    String::new()
                };
                let word = if *negated { "NOT IN" } else { "IN" };
                Ok(format!(
                    "(({left}){collate} {word} (SELECT {right} FROM ({})))",
                    compiled.sql
                ))
            }
            Expr::Between { of, low, high, negated } => {
                let (of, low, high) = (self.scalar(of)?, self.scalar(low)?, self.scalar(high)?);
                let both = format!(
                    "({} AND {})",
                    self.compare(&of, ">=", &low)?,
                    self.compare(&of, "<=", &high)?
                );
                Ok(if *negated { format!("(NOT {both})") } else { both })
            }
            Expr::Like {
                of,
                pattern,
                escape,
                negated,
            } => {
                let text = |typed: Typed| typed.to(SqlType::NVarChar(None));
                let of = text(self.scalar(of)?)?;
                let pattern = text(self.scalar(pattern)?)?;
                let escape = match escape {
                    Some(escape) => text(self.scalar(escape)?)?.sql,
                    None => "''".to_owned(),
                };
                let like = format!("msd('like',{},{},{escape})", of.sql, pattern.sql);
                Ok(if *negated { format!("(NOT {like})") } else { like })
            }
            Expr::Exists(query) => Ok(format!("EXISTS ({})", self.query(query)?.sql)),
            other => {
                // A column or a value: not a condition.
                self.scalar(other)?;
                Err(SqlError::new(
                    4145,
                    15,
                    "An expression of non-boolean type specified in a context where a condition is expected.",
                )
                .effect(Effect::Compile))
            }
        }
    }

    /// Two values compared, in their common type.
    pub fn compare(&mut self, left: &Typed, word: &str, right: &Typed) -> Result<String> {
        let common = common(left, right);
        let (one, two) = (left.to(common)?, right.to(common)?);
        let collate = if common.is_text() {
            format!(" COLLATE {}", collation::NAME)
        } else {
            String::new()
        };
        Ok(format!("({}{collate} {word} {})", comparable(&one)?, comparable(&two)?))
    }

    pub fn scalar(&mut self, expr: &Expr) -> Result<Typed> {
        // What is grouped by may be used whole: `GROUP BY YEAR(x)`, `SELECT YEAR(x)`.
        if !self.in_aggregate
            && self
                .scopes
                .last()
                .and_then(|scope| scope.group.as_ref())
                .is_some_and(|(_, group)| !matches!(expr, Expr::Column { .. }) && group.contains(expr))
        {
            self.in_aggregate = true;
            let typed = self.scalar_inner(expr);
            self.in_aggregate = false;
            return typed;
        }
        self.scalar_inner(expr)
    }

    fn scalar_inner(&mut self, expr: &Expr) -> Result<Typed> {
        match expr {
            Expr::Null => Ok(Typed::constant(Value::Null, SqlType::Int)),
            Expr::Int(number) => {
                let fits = i32::try_from(*number).is_ok();
                Ok(Typed::constant(
                    Value::Int(*number),
                    if fits { SqlType::Int } else { SqlType::BigInt },
                ))
            }
            Expr::Decimal(text) => decimal_literal(text),
            Expr::Float(number) => Ok(Typed::constant(Value::Float(*number), SqlType::Float)),
            Expr::Text { text, wide } => {
                let length = crate::sandbox::mssql::value::units(text).max(1);
                let sql_type = if *wide {
                    SqlType::NVarChar((length <= 4000).then_some(length as u16))
                } else {
                    SqlType::VarChar((length <= 8000).then_some(length as u16))
                };
                let text = if *wide {
                    text.clone()
                } else {
                    crate::sandbox::mssql::value::narrow(text)
                };
                Ok(Typed::constant(Value::Text(text), sql_type))
            }
            Expr::Bytes(bytes) => {
                let length = bytes.len().max(1);
                Ok(Typed::constant(
                    Value::Bytes(bytes.clone()),
                    SqlType::VarBinary((length <= 8000).then_some(length as u16)),
                ))
            }
            Expr::Variable { name, line } => {
                if let Some(global) = self.global(name)? {
                    return Ok(global);
                }
                let (sql_type, value) = self.engine.variable(name).map_err(|error| error.at(*line))?;
                Ok(Typed::constant(value, sql_type))
            }
            Expr::Column { name, line } => self.column(name, *line),
            Expr::Default => Err(SqlError::syntax_keyword("DEFAULT")),
            Expr::Negate(of) => {
                let of = self.scalar(of)?;
                self.arithmetic(Op::Subtract, &Typed::constant(Value::Int(0), SqlType::TinyInt), &of)
            }
            Expr::BitNot(of) => {
                let of = self.scalar(of)?;
                if of.sql_type == SqlType::Bit {
                    return Ok(Typed::new(format!("(1 - {})", of.sql), SqlType::Bit));
                }
                Ok(Typed::new(format!("(~{})", of.sql), of.sql_type))
            }
            Expr::Binary { op, left, right } if !is_condition(expr) => {
                let (left, right) = (self.scalar(left)?, self.scalar(right)?);
                self.arithmetic(*op, &left, &right)
            }
            Expr::Case {
                operand,
                whens,
                otherwise,
            } => self.case(operand.as_deref(), whens, otherwise.as_deref()),
            Expr::Cast { of, to, style, attempt } => {
                let of = self.scalar(of)?;
                let style = match style {
                    Some(style) => Some(self.scalar(style)?.to(SqlType::Int)?),
                    None => None,
                };
                self.cast(&of, *to, style, *attempt)
            }
            Expr::Call {
                name,
                arguments,
                distinct,
                star,
                over,
                line,
            } => self
                .call(name, arguments, *distinct, *star, over.as_ref())
                .map_err(|error| error.at(*line)),
            Expr::Subquery(query) => {
                let compiled = self.query(query)?;
                let [column] = compiled.columns.as_slice() else {
                    return Err(SqlError::new(
                        116,
                        16,
                        "Only one expression can be specified in the select list when the subquery is not introduced \
                         with EXISTS.",
                    )
                    .effect(Effect::Compile));
                };
                // More than one row is error 512, which SQLite does not have: the second row raises it.
                let sql = format!(
                    "(SELECT CASE WHEN count(*) > 1 THEN ms('many') ELSE max(o0) END FROM (SELECT o0 FROM ({}) LIMIT 2))",
                    compiled.sql
                );
                Ok(Typed::new(sql, column.sql_type))
            }
            Expr::Collate { of, collation } => {
                let of = self.scalar(of)?;
                let upper = collation.to_ascii_uppercase();
                if upper.contains("_CI_") || upper == "DATABASE_DEFAULT" {
                    return Ok(of);
                }
                Err(SqlError::unsupported(format!(
                    "the collation {collation}: comparisons ignore case"
                )))
            }
            condition => {
                let near = match condition {
                    Expr::Binary { op: Op::Equal, .. } => "=",
                    Expr::Binary { op: Op::Less, .. } => "<",
                    Expr::Binary { op: Op::Greater, .. } => ">",
                    _ => return Err(SqlError::syntax_keyword("IS")),
                };
                Err(SqlError::syntax(near))
            }
        }
    }

    pub fn cast(&mut self, of: &Typed, to: SqlType, style: Option<Typed>, attempt: bool) -> Result<Typed> {
        if let (Some(value), None | Some(Typed { constant: Some(_), .. })) = (&of.constant, &style) {
            let style = style
                .as_ref()
                .and_then(|style| style.constant.as_ref())
                .and_then(Value::as_int);
            return match convert(value, of.sql_type, to, style, TooLong::Cut) {
                Ok(value) => Ok(Typed::constant(value, to)),
                Err(error) if attempt && error.number != 529 && error.number != 206 => {
                    Ok(Typed::constant(Value::Null, to))
                }
                // The server finds it when the statement runs, not when it is bound.
                Err(error) => Err(error),
            };
        }
        let style = style.map_or_else(|| "NULL".to_owned(), |style| style.sql);
        let sql = format!(
            "msd('convert',{},'{}','{}',{style},{})",
            of.sql,
            of.sql_type.name(),
            to.name(),
            i32::from(attempt)
        );
        Ok(Typed::new(sql, to))
    }

    fn case(&mut self, operand: Option<&Expr>, whens: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<Typed> {
        let operand = match operand {
            Some(operand) => Some(self.scalar(operand)?),
            None => None,
        };
        let mut arms = Vec::new();
        for (when, then) in whens {
            let when = match &operand {
                Some(operand) => {
                    let when = self.scalar(when)?;
                    self.compare(operand, "=", &when)?
                }
                None => self.condition(when)?,
            };
            arms.push((when, self.scalar(then)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.scalar(otherwise)?,
            None => Typed::constant(Value::Null, SqlType::Int),
        };
        let all: Vec<&Typed> = arms.iter().map(|(_, then)| then).chain([&otherwise]).collect();
        let sql_type = common_of(&all);
        let mut sql = "CASE".to_owned();
        for (when, then) in &arms {
            sql.push_str(&format!(" WHEN {when} THEN {}", then.to(sql_type)?.sql));
        }
        sql.push_str(&format!(" ELSE {} END", otherwise.to(sql_type)?.sql));
        Ok(Typed::new(format!("({sql})"), sql_type))
    }

    pub fn arithmetic(&mut self, op: Op, left: &Typed, right: &Typed) -> Result<Typed> {
        let (one, two) = (left.sql_type, right.sql_type);
        if op == Op::Add && one.is_text() && two.is_text() {
            let common = one.common(two);
            let length = match (one.length(), two.length()) {
                (Some(one), Some(two)) => {
                    let most = if matches!(common, SqlType::NVarChar(_)) {
                        4000
                    } else {
                        8000
                    };
                    Some(one.saturating_add(two).min(most))
                }
                _ => None,
            };
            let sql_type = if matches!(common, SqlType::NVarChar(_)) {
                SqlType::NVarChar(length)
            } else {
                SqlType::VarChar(length)
            };
            if let (Some(Value::Text(one)), Some(Value::Text(two))) = (&left.constant, &right.constant) {
                return Ok(Typed::constant(Value::Text(format!("{one}{two}")), sql_type));
            }
            return Ok(Typed::new(format!("({} || {})", left.sql, right.sql), sql_type));
        }
        if op == Op::Add && one.family() == Family::Binary && two.family() == Family::Binary {
            return Ok(Typed::new(
                format!("msd('join',{},{})", left.sql, right.sql),
                SqlType::VarBinary(None),
            ));
        }
        let common = common(left, right);
        let shown = match op {
            Op::Add => "add",
            Op::Subtract => "subtract",
            Op::Multiply => "multiply",
            Op::Divide => "divide",
            Op::Modulo => "modulo",
            Op::BitAnd => "'&'",
            Op::BitOr => "'|'",
            _ => "'^'",
        };
        if common.family() == Family::Date {
            // Only the old types take numbers of days.
            if matches!(common, SqlType::DateTime | SqlType::SmallDateTime) && matches!(op, Op::Add | Op::Subtract) {
                let (date, days, sign) = if one.family() == Family::Date {
                    (left, right, op == Op::Subtract)
                } else {
                    (right, left, false)
                };
                if days.sql_type.is_number() {
                    let days = if sign {
                        format!("(-({}))", days.sql)
                    } else {
                        days.sql.clone()
                    };
                    return Ok(Typed::new(
                        format!("msd('adddays',{},{days},'{}')", date.sql, common.name()),
                        common,
                    ));
                }
            }
            return Err(SqlError::new(
                8117,
                16,
                format!(
                    "Operand data type {} is invalid for {shown} operator.",
                    common.base_name()
                ),
            )
            .effect(Effect::Compile));
        }
        if !common.is_number() {
            return Err(if one.is_text() && two.is_text() {
                SqlError::new(
                    402,
                    16,
                    format!(
                        "The data types {} and {} are incompatible in the {shown} operator.",
                        one.base_name(),
                        two.base_name()
                    ),
                )
            } else {
                SqlError::new(
                    8117,
                    16,
                    format!(
                        "Operand data type {} is invalid for {shown} operator.",
                        common.base_name()
                    ),
                )
                .effect(Effect::Compile)
            });
        }
        let result = match (common, op) {
            (SqlType::Bit, _) => SqlType::Int,
            (SqlType::Decimal(..) | SqlType::Money | SqlType::SmallMoney, _) => exact_result(op, one, two),
            (other, _) => other,
        };
        let (one, two) = match common.family() {
            Family::Exact => (numeric(left)?, numeric(right)?),
            _ => (left.to(common)?.sql, right.to(common)?.sql),
        };
        let symbol = match op {
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
            Op::Divide => "/",
            Op::Modulo => "%",
            Op::BitAnd => "&",
            Op::BitOr => "|",
            _ => "^",
        };
        let mut typed = Typed::new(
            format!("msd('arith','{symbol}',{one},{two},'{}')", result.name()),
            result,
        );
        if let (Some(one), Some(two)) = (&left.constant, &right.constant)
            && let (Ok(one), Ok(two)) = (cast(one, left.sql_type, common), cast(two, right.sql_type, common))
            && let Ok(value) = super::functions::arithmetic(symbol, &one, &two, result)
        {
            typed = Typed::constant(value, result);
        }
        typed.nullable = left.nullable || right.nullable;
        Ok(typed)
    }
}

/// A number of any type as SQLite's own.
fn numeric(typed: &Typed) -> Result<String> {
    if typed.sql_type.is_number() {
        Ok(typed.sql.clone())
    } else {
        Ok(typed.to(SqlType::Float)?.sql)
    }
}

/// "Precision, scale, and length" of the results of operators.
fn exact_result(op: Op, one: SqlType, two: SqlType) -> SqlType {
    let shape = |sql_type: SqlType| match sql_type {
        SqlType::Decimal(precision, scale) => (i32::from(precision), i32::from(scale)),
        other => {
            let (_, _, precision, scale) = other.system();
            if other.is_number() {
                (precision as i32, scale as i32)
            } else {
                (18, 0)
            }
        }
    };
    if !matches!(one, SqlType::Decimal(..)) && !matches!(two, SqlType::Decimal(..)) {
        return SqlType::Money;
    }
    let ((p1, s1), (p2, s2)) = (shape(one), shape(two));
    let (precision, scale) = match op {
        Op::Multiply => (p1 + p2 + 1, s1 + s2),
        Op::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    let scale = if precision > 38 {
        (scale - (precision - 38)).max(scale.min(6))
    } else {
        scale
    };
    SqlType::Decimal(precision.clamp(1, 38) as u8, scale.clamp(0, 38) as u8)
}

/// The common type of two expressions; an untyped NULL takes the other's.
pub fn common(left: &Typed, right: &Typed) -> SqlType {
    match (left.is_null(), right.is_null()) {
        (true, false) => right.sql_type,
        (false, true) => left.sql_type,
        _ => left.sql_type.common(right.sql_type),
    }
}

pub fn common_of(all: &[&Typed]) -> SqlType {
    let mut known: Option<SqlType> = None;
    for typed in all.iter().filter(|typed| !typed.is_null()) {
        known = Some(known.map_or(typed.sql_type, |known| known.common(typed.sql_type)));
    }
    known.unwrap_or(SqlType::Int)
}

/// What can be compared by SQLite's own operators: moments with an offset are compared in UTC.
fn comparable(typed: &Typed) -> Result<String> {
    Ok(match typed.sql_type {
        SqlType::DateTimeOffset(_) => format!("msd('utc',{})", typed.sql),
        _ => typed.sql.clone(),
    })
}

fn decimal_literal(text: &str) -> Result<Typed> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let precision = (whole.len() + fraction.len()).max(1);
    let number: f64 = format!("0{whole}.{fraction}0").parse().unwrap_or_default();
    let (Ok(precision), Ok(scale)) = (u8::try_from(precision), u8::try_from(fraction.len())) else {
        return Err(SqlError::new(
            1007,
            15,
            format!("The number '{text}' is out of the range for numeric representation (maximum precision 38)."),
        ));
    };
    if precision > 38 {
        return Err(SqlError::new(
            1007,
            15,
            format!("The number '{text}' is out of the range for numeric representation (maximum precision 38)."),
        ));
    }
    let sql_type = SqlType::Decimal(precision.max(scale).max(1), scale);
    let number = if negative { -number } else { number };
    Ok(Typed::constant(
        crate::sandbox::mssql::value::decimal(number, precision, scale, "decimal")?,
        sql_type,
    ))
}
