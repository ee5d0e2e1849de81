//! Expressions and search conditions. Source: "Expressions", "Operator precedence", "Search condition" in the
//! Transact-SQL reference.

use super::Parser;
use crate::mssql::lexer::Kind;
use crate::sandbox::mssql::ast::{Expr, Name, Op, Over};
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::value::from_hex;

/// Reserved words that are called like functions.
const CALLED: [&str; 6] = ["LEFT", "RIGHT", "COALESCE", "NULLIF", "CONVERT", "TRY_CONVERT"];
/// Reserved words that are functions without parentheses.
const BARE: [&str; 5] = [
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
    "USER",
];

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.nested(Self::or)
    }

    fn or(&mut self) -> Result<Expr> {
        let mut left = self.and()?;
        while self.accept("OR") {
            left = binary(Op::Or, left, self.and()?);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let mut left = self.not()?;
        while self.accept("AND") {
            left = binary(Op::And, left, self.not()?);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr> {
        if self.accept("NOT") {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.not()?))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr> {
        let left = self.sum()?;
        if self.is("IS") {
            self.at += 1;
            let negated = self.accept("NOT");
            self.expect("NULL")?;
            return Ok(Expr::IsNull {
                of: Box::new(left),
                negated,
            });
        }
        let negated = self.is("NOT") && ["IN", "LIKE", "BETWEEN"].iter().any(|word| self.is_after(1, word));
        self.at += usize::from(negated);
        if self.accept("IN") {
            self.expect_op("(")?;
            if self.starts_query() {
                let query = self.query()?;
                self.expect_op(")")?;
                return Ok(Expr::InQuery {
                    of: Box::new(left),
                    query: Box::new(query),
                    negated,
                });
            }
            let list = self.expr_list()?;
            self.expect_op(")")?;
            return Ok(Expr::In {
                of: Box::new(left),
                list,
                negated,
            });
        }
        if self.accept("LIKE") {
            let pattern = Box::new(self.sum()?);
            let escape = if self.accept("ESCAPE") {
                Some(Box::new(self.sum()?))
            } else {
                None
            };
            return Ok(Expr::Like {
                of: Box::new(left),
                pattern,
                escape,
                negated,
            });
        }
        if self.accept("BETWEEN") {
            let low = Box::new(self.sum()?);
            self.expect("AND")?;
            let high = Box::new(self.sum()?);
            return Ok(Expr::Between {
                of: Box::new(left),
                low,
                high,
                negated,
            });
        }
        let op = match self.token() {
            Some(token) if token.kind == Kind::Operator => match token.text.as_str() {
                "=" => Op::Equal,
                "<>" | "!=" => Op::NotEqual,
                "<" => Op::Less,
                "<=" | "!>" => Op::LessEqual,
                ">" => Op::Greater,
                ">=" | "!<" => Op::GreaterEqual,
                _ => return Ok(left),
            },
            _ => return Ok(left),
        };
        self.at += 1;
        for word in ["ALL", "ANY", "SOME"] {
            if self.is(word) && self.is_op_after(1, "(") {
                return Err(SqlError::unsupported(format!("{word} with a subquery")).at(self.line()));
            }
        }
        Ok(binary(op, left, self.sum()?))
    }

    fn sum(&mut self) -> Result<Expr> {
        let mut left = self.product()?;
        loop {
            let op = match self.token() {
                Some(token) if token.kind == Kind::Operator => match token.text.as_str() {
                    "+" => Op::Add,
                    "-" => Op::Subtract,
                    "&" => Op::BitAnd,
                    "|" => Op::BitOr,
                    "^" => Op::BitXor,
                    _ => return Ok(left),
                },
                _ => return Ok(left),
            };
            self.at += 1;
            left = binary(op, left, self.product()?);
        }
    }

    fn product(&mut self) -> Result<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = match self.token() {
                Some(token) if token.kind == Kind::Operator => match token.text.as_str() {
                    "*" => Op::Multiply,
                    "/" => Op::Divide,
                    "%" => Op::Modulo,
                    _ => return Ok(left),
                },
                _ => return Ok(left),
            };
            self.at += 1;
            left = binary(op, left, self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expr> {
        if self.accept_op("-") {
            return self.nested(|parser| {
                Ok(match parser.unary()? {
                    Expr::Int(number) => Expr::Int(-number),
                    Expr::Float(number) => Expr::Float(-number),
                    Expr::Decimal(text) if !text.starts_with('-') => Expr::Decimal(format!("-{text}")),
                    other => Expr::Negate(Box::new(other)),
                })
            });
        }
        if self.accept_op("+") {
            return self.nested(Self::unary);
        }
        if self.accept_op("~") {
            return self.nested(|parser| Ok(Expr::BitNot(Box::new(parser.unary()?))));
        }
        let mut of = self.primary()?;
        while self.accept("COLLATE") {
            let collation = self.identifier()?;
            of = Expr::Collate {
                of: Box::new(of),
                collation,
            };
        }
        Ok(of)
    }

    pub(super) fn expr_list(&mut self) -> Result<Vec<Expr>> {
        let mut list = vec![self.expr()?];
        while self.accept_op(",") {
            list.push(self.expr()?);
        }
        Ok(list)
    }

    fn primary(&mut self) -> Result<Expr> {
        let Some(token) = self.token().cloned() else {
            return Err(self.unexpected());
        };
        match token.kind {
            Kind::Number => {
                self.at += 1;
                self.number(&token.text)
                    .ok_or_else(|| SqlError::syntax(&token.text).at(token.line))
            }
            Kind::Text => {
                self.at += 1;
                Ok(Expr::Text {
                    wide: token.text.starts_with(['N', 'n']),
                    text: token.value,
                })
            }
            Kind::Binary => {
                self.at += 1;
                let digits = &token.text[2..];
                let even = if digits.len() % 2 == 0 {
                    digits.to_owned()
                } else {
                    format!("0{digits}")
                };
                Ok(Expr::Bytes(from_hex(&even).unwrap_or_default()))
            }
            Kind::Variable => {
                self.at += 1;
                Ok(Expr::Variable {
                    name: token.text,
                    line: token.line,
                })
            }
            Kind::Operator if token.text == "(" => {
                self.at += 1;
                if self.starts_query() {
                    let query = self.query()?;
                    self.expect_op(")")?;
                    return Ok(Expr::Subquery(Box::new(query)));
                }
                let inner = self.expr()?;
                self.expect_op(")")?;
                Ok(inner)
            }
            Kind::Word => self.word(&token.text.to_ascii_uppercase(), token.line),
            Kind::Bracketed | Kind::Quoted => self.column_or_call(token.line),
            _ => Err(self.unexpected()),
        }
    }

    fn number(&self, text: &str) -> Option<Expr> {
        if let Some(money) = text.strip_prefix('$') {
            return Some(Expr::Decimal(money.to_owned()));
        }
        if text.contains(['e', 'E']) {
            return text.parse().ok().map(Expr::Float);
        }
        if text.contains('.') {
            return Some(Expr::Decimal(text.to_owned()));
        }
        match text.parse::<i64>() {
            // Larger than an int, it is a decimal; bigint holds the same numbers.
            Ok(number) => Some(Expr::Int(number)),
            Err(_) => Some(Expr::Decimal(text.to_owned())),
        }
    }

    fn word(&mut self, upper: &str, line: u32) -> Result<Expr> {
        match upper {
            "NULL" => {
                self.at += 1;
                Ok(Expr::Null)
            }
            "DEFAULT" => {
                self.at += 1;
                Ok(Expr::Default)
            }
            "CASE" => self.nested(Self::case),
            "EXISTS" => {
                self.at += 1;
                self.expect_op("(")?;
                let query = self.query()?;
                self.expect_op(")")?;
                Ok(Expr::Exists(Box::new(query)))
            }
            "CAST" | "TRY_CAST" if self.is_op_after(1, "(") => {
                self.at += 2;
                let of = Box::new(self.expr()?);
                self.expect("AS")?;
                let to = default_length(self.sql_type()?, self.previous_is_closed());
                self.expect_op(")")?;
                Ok(Expr::Cast {
                    of,
                    to,
                    style: None,
                    attempt: upper == "TRY_CAST",
                })
            }
            "CONVERT" | "TRY_CONVERT" if self.is_op_after(1, "(") => {
                self.at += 2;
                let to = default_length(self.sql_type()?, self.previous_is_closed());
                self.expect_op(",")?;
                let of = Box::new(self.expr()?);
                let style = if self.accept_op(",") {
                    Some(Box::new(self.expr()?))
                } else {
                    None
                };
                self.expect_op(")")?;
                Ok(Expr::Cast {
                    of,
                    to,
                    style,
                    attempt: upper == "TRY_CONVERT",
                })
            }
            _ if BARE.contains(&upper) => {
                self.at += 1;
                Ok(Expr::Call {
                    name: Name(vec![upper.to_owned()]),
                    arguments: Vec::new(),
                    distinct: false,
                    star: false,
                    over: None,
                    line,
                })
            }
            _ if CALLED.contains(&upper) && self.is_op_after(1, "(") => {
                self.at += 1;
                self.call(Name(vec![upper.to_owned()]), line)
            }
            _ => self.column_or_call(line),
        }
    }

    /// Whether the token before is `)`: the type had a length.
    fn previous_is_closed(&self) -> bool {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .is_some_and(|token| token.text == ")")
    }

    fn case(&mut self) -> Result<Expr> {
        self.expect("CASE")?;
        let operand = if self.is("WHEN") {
            None
        } else {
            Some(Box::new(self.expr()?))
        };
        let mut whens = Vec::new();
        while self.accept("WHEN") {
            let when = self.expr()?;
            self.expect("THEN")?;
            whens.push((when, self.expr()?));
        }
        if whens.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.accept("ELSE") {
            Some(Box::new(self.expr()?))
        } else {
            None
        };
        self.expect("END")?;
        Ok(Expr::Case {
            operand,
            whens,
            otherwise,
        })
    }

    fn column_or_call(&mut self, line: u32) -> Result<Expr> {
        let name = self.name()?;
        if self.is_op("(") {
            return self.call(name, line);
        }
        if self.is_op("::") {
            return Err(SqlError::unsupported("methods of CLR types").at(line));
        }
        Ok(Expr::Column { name, line })
    }

    fn call(&mut self, name: Name, line: u32) -> Result<Expr> {
        self.expect_op("(")?;
        let distinct = self.accept("DISTINCT");
        if !distinct {
            self.accept("ALL");
        }
        let star = self.accept_op("*");
        let mut arguments = Vec::new();
        if !star && !self.is_op(")") {
            arguments = self.expr_list()?;
        }
        self.expect_op(")")?;
        if self.is("WITHIN") {
            self.at += 1;
            self.expect("GROUP")?;
            self.expect_op("(")?;
            self.expect("ORDER")?;
            self.expect("BY")?;
            let order = self.order_list()?;
            self.expect_op(")")?;
            let over = Some(Over {
                partition: Vec::new(),
                order,
            });
            return Ok(Expr::Call {
                name,
                arguments,
                distinct,
                star,
                over,
                line,
            });
        }
        let over = if self.accept("OVER") { Some(self.over()?) } else { None };
        Ok(Expr::Call {
            name,
            arguments,
            distinct,
            star,
            over,
            line,
        })
    }

    fn over(&mut self) -> Result<Over> {
        self.expect_op("(")?;
        let mut partition = Vec::new();
        if self.accept("PARTITION") {
            self.expect("BY")?;
            partition = self.expr_list()?;
        }
        let mut order = Vec::new();
        if self.accept("ORDER") {
            self.expect("BY")?;
            order = self.order_list()?;
        }
        if self.is("ROWS") || self.is("RANGE") {
            return Err(SqlError::unsupported("frames of window functions").at(self.line()));
        }
        self.expect_op(")")?;
        Ok(Over { partition, order })
    }
}

fn binary(op: Op, left: Expr, right: Expr) -> Expr {
    Expr::Binary {
        op,
        left: Box::new(left),
        right: Box::new(right),
    }
}

/// In CAST and CONVERT a text or binary type without a length has 30.
fn default_length(
    to: crate::sandbox::mssql::value::SqlType,
    has_length: bool,
) -> crate::sandbox::mssql::value::SqlType {
    use crate::sandbox::mssql::value::SqlType;
    if has_length {
        return to;
    }
    match to {
        SqlType::NVarChar(Some(1)) => SqlType::NVarChar(Some(30)),
        SqlType::VarChar(Some(1)) => SqlType::VarChar(Some(30)),
        SqlType::NChar(1) => SqlType::NChar(30),
        SqlType::Char(1) => SqlType::Char(30),
        SqlType::VarBinary(Some(1)) => SqlType::VarBinary(Some(30)),
        SqlType::Binary(1) => SqlType::Binary(30),
        other => other,
    }
}
