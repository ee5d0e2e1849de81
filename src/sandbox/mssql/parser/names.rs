//! Names and types. Source: "Reserved keywords" and "Database identifiers" in the Transact-SQL reference.

use super::Parser;
use crate::mssql::lexer::Kind;
use crate::sandbox::mssql::ast::Name;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::value::SqlType;

/// The reserved words, sorted.
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "AUTHORIZATION",
    "BACKUP",
    "BEGIN",
    "BETWEEN",
    "BREAK",
    "BROWSE",
    "BULK",
    "BY",
    "CASCADE",
    "CASE",
    "CHECK",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTERED",
    "COALESCE",
    "COLLATE",
    "COLUMN",
    "COMMIT",
    "COMPUTE",
    "CONSTRAINT",
    "CONTAINS",
    "CONTAINSTABLE",
    "CONTINUE",
    "CONVERT",
    "CREATE",
    "CROSS",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURSOR",
    "DATABASE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DEFAULT",
    "DELETE",
    "DENY",
    "DESC",
    "DISTINCT",
    "DISTRIBUTED",
    "DOUBLE",
    "DROP",
    "ELSE",
    "END",
    "ERRLVL",
    "ESCAPE",
    "EXCEPT",
    "EXEC",
    "EXECUTE",
    "EXISTS",
    "EXIT",
    "EXTERNAL",
    "FETCH",
    "FILE",
    "FILLFACTOR",
    "FOR",
    "FOREIGN",
    "FREETEXT",
    "FROM",
    "FULL",
    "FUNCTION",
    "GOTO",
    "GRANT",
    "GROUP",
    "HAVING",
    "HOLDLOCK",
    "IDENTITY",
    "IDENTITYCOL",
    "IDENTITY_INSERT",
    "IF",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "KILL",
    "LEFT",
    "LIKE",
    "LINENO",
    "MERGE",
    "NATIONAL",
    "NOCHECK",
    "NONCLUSTERED",
    "NOT",
    "NULL",
    "NULLIF",
    "OF",
    "OFF",
    "OFFSETS",
    "ON",
    "OPEN",
    "OPENQUERY",
    "OPENROWSET",
    "OPTION",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PERCENT",
    "PIVOT",
    "PLAN",
    "PRIMARY",
    "PRINT",
    "PROC",
    "PROCEDURE",
    "PUBLIC",
    "RAISERROR",
    "READ",
    "RECONFIGURE",
    "REFERENCES",
    "RESTORE",
    "RESTRICT",
    "RETURN",
    "REVERT",
    "REVOKE",
    "RIGHT",
    "ROLLBACK",
    "ROWCOUNT",
    "ROWGUIDCOL",
    "RULE",
    "SAVE",
    "SCHEMA",
    "SELECT",
    "SESSION_USER",
    "SET",
    "SETUSER",
    "SHUTDOWN",
    "SOME",
    "STATISTICS",
    "SYSTEM_USER",
    "TABLE",
    "TABLESAMPLE",
    "THEN",
    "TO",
    "TOP",
    "TRAN",
    "TRANSACTION",
    "TRIGGER",
    "TRUNCATE",
    "TRY_CONVERT",
    "TSEQUAL",
    "UNION",
    "UNIQUE",
    "UNPIVOT",
    "UPDATE",
    "UPDATETEXT",
    "USE",
    "USER",
    "VALUES",
    "VARYING",
    "VIEW",
    "WAITFOR",
    "WHEN",
    "WHERE",
    "WHILE",
    "WITH",
    "WRITETEXT",
];

pub fn is_reserved(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    RESERVED.binary_search(&upper.as_str()).is_ok()
}

impl Parser<'_> {
    /// An identifier: a word that is not reserved, or one in brackets or quotes.
    pub(super) fn identifier(&mut self) -> Result<String> {
        let Some(token) = self.token() else {
            return Err(self.unexpected());
        };
        let is = match token.kind {
            Kind::Word => !is_reserved(&token.text),
            Kind::Bracketed | Kind::Quoted => true,
            _ => false,
        };
        if !is {
            return Err(self.unexpected());
        }
        let value = token.value.clone();
        if value.is_empty() {
            return Err(SqlError::new(
                1038,
                15,
                "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a \
                 name. For other statements, look for empty alias names. Aliases defined as \"\" or [] are not \
                 allowed. Change the alias to a valid name.",
            )
            .at(token.line));
        }
        if value.chars().count() > 128 {
            return Err(SqlError::new(
                103,
                15,
                format!(
                    "The identifier that starts with '{}' is too long. Maximum length is 128.",
                    value.chars().take(128).collect::<String>()
                ),
            )
            .at(token.line));
        }
        self.at += 1;
        Ok(value)
    }

    pub(super) fn is_identifier(&self) -> bool {
        self.token().is_some_and(|token| match token.kind {
            Kind::Word => !is_reserved(&token.text),
            Kind::Bracketed | Kind::Quoted => true,
            _ => false,
        })
    }

    /// `a`, `a.b`, `a..b`, up to four parts.
    pub(super) fn name(&mut self) -> Result<Name> {
        let mut parts = vec![self.identifier()?];
        while self.accept_op(".") {
            if self.is_op(".") {
                parts.push(String::new());
                continue;
            }
            parts.push(self.identifier()?);
            if parts.len() > 4 {
                return Err(self.unexpected());
            }
        }
        Ok(Name(parts))
    }

    /// A table's name: also a table variable.
    pub(super) fn table_name(&mut self) -> Result<Name> {
        match self.token() {
            Some(token) if token.kind == Kind::Variable && !token.text.starts_with("@@") => {
                let name = token.text.clone();
                self.at += 1;
                Ok(Name(vec![name]))
            }
            _ => self.name(),
        }
    }

    /// `@x`
    pub(super) fn variable(&mut self) -> Result<String> {
        match self.token() {
            Some(token) if token.kind == Kind::Variable && token.text.len() > 1 => {
                let name = token.text.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `(a, b)`
    pub(super) fn identifiers(&mut self) -> Result<Vec<String>> {
        self.expect_op("(")?;
        let mut list = vec![self.identifier()?];
        while self.accept_op(",") {
            list.push(self.identifier()?);
        }
        self.expect_op(")")?;
        Ok(list)
    }

    /// A literal whole number, perhaps with a sign.
    pub(super) fn integer(&mut self) -> Result<i64> {
        let negative = self.accept_op("-");
        if !negative {
            self.accept_op("+");
        }
        let number = self
            .token()
            .filter(|token| token.kind == Kind::Number)
            .and_then(|token| token.text.parse::<i64>().ok());
        match number {
            Some(number) => {
                self.at += 1;
                Ok(if negative { -number } else { number })
            }
            None => Err(self.unexpected()),
        }
    }

    /// A data type.
    pub(super) fn sql_type(&mut self) -> Result<SqlType> {
        let line = self.line();
        let name = if self.is("NATIONAL") || self.is("DOUBLE") {
            return Err(SqlError::unsupported("the ISO names of data types").at(line));
        } else {
            self.name()?
        };
        let mut arguments = Vec::new();
        if self.accept_op("(") {
            loop {
                if self.accept("MAX") {
                    arguments.push(-1);
                } else {
                    arguments.push(self.integer()?);
                }
                if !self.accept_op(",") {
                    break;
                }
            }
            self.expect_op(")")?;
        }
        let base = name.last().to_ascii_lowercase();
        SqlType::by_name(&base, &arguments).ok_or_else(|| {
            match base.as_str() {
                "xml" | "sql_variant" | "hierarchyid" | "geometry" | "geography" | "json" | "vector" | "cursor" => {
                    SqlError::unsupported(format!("the data type {base}"))
                }
                _ if SqlType::by_name(&base, &[]).is_some() => SqlError::new(
                    131,
                    15,
                    format!("The size given to the type '{base}' exceeds the maximum allowed for any data type."),
                ),
                _ => SqlError::new(
                    2715,
                    16,
                    format!(
                        "Column, parameter, or variable #1: Cannot find data type {}.",
                        name.display()
                    ),
                )
                .effect(crate::sandbox::mssql::errors::Effect::Compile),
            }
            .at(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::RESERVED;

    #[test]
    fn the_list_is_sorted() {
        assert!(RESERVED.is_sorted());
    }
}
