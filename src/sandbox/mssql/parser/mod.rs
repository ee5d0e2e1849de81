//! Reads a batch of T-SQL. It is read whole before anything of it runs, as SQL Server does, so that a mistake in its last
//! line leaves nothing half done.
//!
//! Why not a parser of SQL in general: T-SQL has no separator between statements, and where one ends is only known by
//! reading it; and an error must carry SQL Server's number and the line.

mod ddl;
mod expr;
mod names;
mod query;
mod security;
mod statement;

use super::ast::{Name, Statement};
use super::errors::{Result, SqlError};
use super::value::SqlType;
use crate::mssql::lexer::{self, Kind};
pub use names::is_reserved;

/// Nested deeper than this, a text is refused: error 191, as SQL Server does when it runs out of stack.
const DEEPEST: u32 = 96;

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    text: String,
    value: String,
    line: u32,
    offset: usize,
    end: usize,
}

pub struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

/// The statements of a batch.
pub fn batch(text: &str) -> Result<Vec<Statement>> {
    let mut parser = Parser::new(text)?;
    parser.statements_to_end()
}

/// An expression alone: a DEFAULT, a CHECK, a filter.
pub fn expression(text: &str) -> Result<super::ast::Expr> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expr()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok(expr)
}

/// A query alone: the text of a view.
pub fn query(text: &str) -> Result<super::ast::Query> {
    let mut parser = Parser::new(text)?;
    let query = parser.query()?;
    parser.accept_op(";");
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok(query)
}

/// `@p1 int, @p2 nvarchar(max) OUTPUT`: the declaration of sp_executesql.
pub fn parameters(text: &str) -> Result<Vec<(String, SqlType, bool)>> {
    let mut parser = Parser::new(text)?;
    let mut list = Vec::new();
    while parser.at < parser.tokens.len() {
        let name = parser.variable()?;
        parser.accept("AS");
        let sql_type = parser.sql_type()?;
        if parser.accept_op("=") {
            return Err(SqlError::unsupported("default values of parameters").at(parser.line()));
        }
        let output = parser.accept("OUTPUT") || parser.accept("OUT");
        list.push((name, sql_type, output));
        if !parser.accept_op(",") {
            break;
        }
    }
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok(list)
}

/// `[a].b` as a name, `None` when it is none.
pub fn name(text: &str) -> Option<Name> {
    let mut parser = Parser::new(text).ok()?;
    let name = parser.name().ok()?;
    (parser.at == parser.tokens.len()).then_some(name)
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Result<Self> {
        let mut tokens = Vec::new();
        for token in lexer::lex(source) {
            let line = u32::try_from(token.line).unwrap_or(u32::MAX);
            if !token.closed {
                return Err(match token.kind {
                    Kind::BlockComment => SqlError::new(113, 15, "Missing end comment mark '*/'."),
                    _ => SqlError::new(
                        105,
                        15,
                        format!(
                            "Unclosed quotation mark after the character string '{}'.",
                            token.value()
                        ),
                    ),
                }
                .at(line));
            }
            if token.is_trivia() {
                continue;
            }
            tokens.push(Token {
                kind: token.kind,
                text: token.text.to_owned(),
                value: token.value(),
                line,
                offset: token.offset,
                end: token.offset + token.text.len(),
            });
        }
        Ok(Self {
            source,
            tokens,
            at: 0,
            depth: 0,
        })
    }

    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn token_after(&self, count: usize) -> Option<&Token> {
        self.tokens.get(self.at + count)
    }

    fn line(&self) -> u32 {
        self.token()
            .or_else(|| self.tokens.last())
            .map_or(1, |token| token.line)
    }

    /// Whether the next token is that word, and not in quotes.
    fn is(&self, word: &str) -> bool {
        self.is_after(0, word)
    }

    fn is_after(&self, count: usize, word: &str) -> bool {
        self.token_after(count)
            .is_some_and(|token| token.kind == Kind::Word && token.text.eq_ignore_ascii_case(word))
    }

    fn is_op(&self, operator: &str) -> bool {
        self.is_op_after(0, operator)
    }

    fn is_op_after(&self, count: usize, operator: &str) -> bool {
        self.token_after(count)
            .is_some_and(|token| token.kind == Kind::Operator && token.text == operator)
    }

    fn accept(&mut self, word: &str) -> bool {
        let is = self.is(word);
        self.at += usize::from(is);
        is
    }

    fn accept_op(&mut self, operator: &str) -> bool {
        let is = self.is_op(operator);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.accept(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_op(&mut self, operator: &str) -> Result<()> {
        if self.accept_op(operator) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Errors 102 and 156, at the next token; at the end, at the last one.
    fn unexpected(&self) -> SqlError {
        match self.token().or_else(|| self.tokens.last()) {
            Some(token) => {
                let keyword = token.kind == Kind::Word && names::is_reserved(&token.text) && self.token().is_some();
                let error = if keyword {
                    SqlError::syntax_keyword(&token.text)
                } else {
                    SqlError::syntax(match token.kind {
                        Kind::Text | Kind::Bracketed | Kind::Quoted => &token.value,
                        _ => &token.text,
                    })
                };
                error.at(token.line)
            }
            None => SqlError::syntax("").at(1),
        }
    }

    /// Runs a part that may nest, within the limit.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SqlError::new(
                191,
                15,
                "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller \
                 queries.",
            )
            .effect(super::errors::Effect::Compile)
            .at(self.line()));
        }
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// The source from a token to the one before the current.
    fn text_since(&self, start: usize) -> String {
        let from = self.tokens.get(start).map_or(self.source.len(), |token| token.offset);
        let to = self
            .at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(from, |token| token.end);
        self.source.get(from..to).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mistake_has_its_line_and_its_word() {
        let error = batch("SELECT 1\nSELECT 2 FORM t\n+").unwrap_err();
        assert_eq!((error.number, error.line), (102, 2));
        let error = batch("SELECT 1\nFROM WHERE").unwrap_err();
        assert_eq!(
            (error.number, error.line, error.message.as_str()),
            (156, 2, "Incorrect syntax near the keyword 'WHERE'.")
        );
        assert_eq!(batch("SELECT 'abc").unwrap_err().number, 105);
        assert_eq!(batch("/* abc").unwrap_err().number, 113);
    }

    #[test]
    fn statements_need_no_separator() {
        let statements =
            batch("DECLARE @x int = 1 SET @x = 2 SELECT @x IF @x = 2 PRINT 'a' ELSE PRINT 'b' SELECT 1").unwrap();
        assert_eq!(statements.len(), 5);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn any_text_is_read_or_refused(text in "(SELECT|FROM|WHERE|CREATE|TABLE|BEGIN|END|IF|[(),.;=@'\\[\\]a-z0-9 \n]|\\PC)*") {
            let _ = batch(&text);
        }
    }
}
