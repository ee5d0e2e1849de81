//! Statements: control of flow, DML, variables, transactions. Source: "Transact-SQL statements".

use super::Parser;
use crate::mssql::lexer::Kind as TokenKind;
use crate::sandbox::mssql::ast::{Argument, Body, Expr, Item, Kind, Op, Output, Query, Source, Statement, Target};
use crate::sandbox::mssql::errors::{Result, SqlError};

/// `=`, `+=` and so on.
pub const ASSIGNMENTS: &[(&str, Option<Op>)] = &[
    ("=", None),
    ("+=", Some(Op::Add)),
    ("-=", Some(Op::Subtract)),
    ("*=", Some(Op::Multiply)),
    ("/=", Some(Op::Divide)),
    ("%=", Some(Op::Modulo)),
    ("&=", Some(Op::BitAnd)),
    ("|=", Some(Op::BitOr)),
    ("^=", Some(Op::BitXor)),
];

/// `@x += 1` as `@x + 1`.
pub fn assigned(variable: &str, op: Option<Op>, value: Expr, line: u32) -> Expr {
    match op {
        None => value,
        Some(op) => Expr::Binary {
            op,
            left: Box::new(Expr::Variable {
                name: variable.to_owned(),
                line,
            }),
            right: Box::new(value),
        },
    }
}

/// Statements that SQL Server has and this server refuses by name.
const REFUSED: &[&str] = &[
    "MERGE",
    "BACKUP",
    "RESTORE",
    "DBCC",
    "BULK",
    "KILL",
    "SHUTDOWN",
    "CHECKPOINT",
    "GOTO",
    "OPEN",
    "FETCH",
    "CLOSE",
    "DEALLOCATE",
    "RECONFIGURE",
    "REVERT",
    "SETUSER",
    "ENABLE",
    "DISABLE",
];

impl Parser<'_> {
    pub(super) fn statements_to_end(&mut self) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.accept_op(";") {}
            if self.token().is_none() {
                return Ok(statements);
            }
            // A batch may begin with the name of a procedure.
            let bare = statements.is_empty() && self.is_identifier() && !self.starts_statement();
            let line = self.line();
            let kind = if bare {
                self.exec_call()?
            } else {
                self.statement()?.kind
            };
            statements.push(Statement { line, kind });
        }
    }

    fn starts_statement(&self) -> bool {
        ["THROW", "MERGE", "ENABLE", "DISABLE"].iter().any(|word| self.is(word))
    }

    /// The statements up to a word that ends the block.
    fn statements_until(&mut self, end: &str) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.accept_op(";") {}
            if self.is(end) {
                return Ok(statements);
            }
            statements.push(self.statement()?);
        }
    }

    fn statement(&mut self) -> Result<Statement> {
        let line = self.line();
        let kind = self.nested(Self::kind)?;
        self.accept_op(";");
        Ok(Statement { line, kind })
    }

    fn kind(&mut self) -> Result<Kind> {
        let Some(token) = self.token().cloned() else {
            return Err(self.unexpected());
        };
        if token.kind == TokenKind::Operator && token.text == "(" && self.starts_query() {
            return Ok(Kind::Select(self.query()?));
        }
        if token.kind != TokenKind::Word {
            return Err(self.unexpected());
        }
        let word = token.text.to_ascii_uppercase();
        match word.as_str() {
            "SELECT" => Ok(Kind::Select(self.query()?)),
            "WITH" => {
                let with = self.ctes()?;
                match self.token().map(|token| token.text.to_ascii_uppercase()).as_deref() {
                    Some("INSERT") => self.insert(with),
                    Some("UPDATE") => self.update(with),
                    Some("DELETE") => self.delete(with),
                    Some("MERGE") => Err(SqlError::unsupported("MERGE").at(self.line())),
                    _ => Ok(Kind::Select(self.query_body(with)?)),
                }
            }
            "INSERT" => self.insert(Vec::new()),
            "UPDATE" if self.is_after(1, "STATISTICS") => {
                Err(SqlError::unsupported("UPDATE STATISTICS").at(token.line))
            }
            "UPDATE" => self.update(Vec::new()),
            "DELETE" => self.delete(Vec::new()),
            "TRUNCATE" => {
                self.at += 1;
                self.expect("TABLE")?;
                Ok(Kind::Truncate(self.table_name()?))
            }
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "IF" => {
                self.at += 1;
                let condition = self.expr()?;
                let then = Box::new(self.statement()?);
                let otherwise = if self.accept("ELSE") {
                    Some(Box::new(self.statement()?))
                } else {
                    None
                };
                Ok(Kind::If {
                    condition,
                    then,
                    otherwise,
                })
            }
            "WHILE" => {
                self.at += 1;
                let condition = self.expr()?;
                Ok(Kind::While {
                    condition,
                    body: Box::new(self.statement()?),
                })
            }
            "BEGIN" => self.begin(),
            "COMMIT" => {
                self.at += 1;
                if self.accept("TRAN") || self.accept("TRANSACTION") {
                    self.transaction_name();
                } else {
                    self.accept("WORK");
                }
                Ok(Kind::Commit)
            }
            "ROLLBACK" => {
                self.at += 1;
                if self.accept("TRAN") || self.accept("TRANSACTION") {
                    return Ok(Kind::Rollback(self.transaction_name()));
                }
                self.accept("WORK");
                Ok(Kind::Rollback(None))
            }
            "SAVE" => {
                self.at += 1;
                if !self.accept("TRAN") {
                    self.expect("TRANSACTION")?;
                }
                match self.transaction_name() {
                    Some(name) => Ok(Kind::Save(name)),
                    None => Err(self.unexpected()),
                }
            }
            "BREAK" => {
                self.at += 1;
                Ok(Kind::Break)
            }
            "CONTINUE" => {
                self.at += 1;
                Ok(Kind::Continue)
            }
            "RETURN" => {
                self.at += 1;
                let value = match self.token() {
                    Some(token)
                        if matches!(token.kind, TokenKind::Number | TokenKind::Variable)
                            || matches!(token.text.as_str(), "-" | "(") =>
                    {
                        Some(self.expr()?)
                    }
                    _ => None,
                };
                Ok(Kind::Return(value))
            }
            "THROW" => {
                self.at += 1;
                if self.token().is_none() || self.is_op(";") || self.is("END") {
                    return Ok(Kind::Throw(None));
                }
                let number = self.expr()?;
                self.expect_op(",")?;
                let message = self.expr()?;
                self.expect_op(",")?;
                Ok(Kind::Throw(Some((number, message, self.expr()?))))
            }
            "RAISERROR" => self.raiserror(),
            "PRINT" => {
                self.at += 1;
                Ok(Kind::Print(self.expr()?))
            }
            "WAITFOR" => {
                self.at += 1;
                self.expect("DELAY")?;
                Ok(Kind::WaitFor(self.expr()?))
            }
            "USE" => {
                self.at += 1;
                Ok(Kind::Use(self.identifier()?))
            }
            "EXEC" | "EXECUTE" => {
                self.at += 1;
                self.exec()
            }
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "GRANT" | "DENY" | "REVOKE" => self.grant(&word),
            _ if REFUSED.contains(&word.as_str()) => Err(SqlError::unsupported(word).at(token.line)),
            _ => Err(self.unexpected()),
        }
    }

    fn transaction_name(&mut self) -> Option<String> {
        let token = self.token()?;
        let is = match token.kind {
            TokenKind::Word => self.is_identifier() && !self.starts_statement(),
            TokenKind::Bracketed | TokenKind::Quoted | TokenKind::Variable => true,
            _ => false,
        };
        is.then(|| token.value.clone()).inspect(|_| self.at += 1)
    }

    fn begin(&mut self) -> Result<Kind> {
        self.expect("BEGIN")?;
        if self.accept("TRAN") || self.accept("TRANSACTION") {
            self.transaction_name();
            if self.is("WITH") && self.is_after(1, "MARK") {
                return Err(SqlError::unsupported("BEGIN TRANSACTION WITH MARK").at(self.line()));
            }
            return Ok(Kind::Begin);
        }
        if self.is("DISTRIBUTED") || self.is("DIALOG") || self.is("CONVERSATION") {
            return Err(SqlError::unsupported("BEGIN DISTRIBUTED, DIALOG and CONVERSATION").at(self.line()));
        }
        if self.accept("TRY") {
            let body = self.statements_until("END")?;
            self.expect("END")?;
            self.expect("TRY")?;
            self.accept_op(";");
            self.expect("BEGIN")?;
            self.expect("CATCH")?;
            let catch = self.statements_until("END")?;
            self.expect("END")?;
            self.expect("CATCH")?;
            return Ok(Kind::Try { body, catch });
        }
        self.accept_op(";");
        let statements = self.statements_until("END")?;
        if statements.is_empty() {
            return Err(self.unexpected());
        }
        self.expect("END")?;
        Ok(Kind::Block(statements))
    }

    fn insert(&mut self, with: Vec<crate::sandbox::mssql::ast::Cte>) -> Result<Kind> {
        self.expect("INSERT")?;
        if self.is("TOP") || self.is("BULK") {
            return Err(SqlError::unsupported("INSERT TOP and INSERT BULK").at(self.line()));
        }
        self.accept("INTO");
        let table = self.table_name()?;
        self.hints()?;
        let mut columns = Vec::new();
        if self.is_op("(") && !self.starts_query() {
            self.at += 1;
            loop {
                let line = self.line();
                columns.push((self.identifier()?, line));
                if !self.accept_op(",") {
                    break;
                }
            }
            self.expect_op(")")?;
        }
        let output = self.output()?;
        let source = if self.accept("DEFAULT") {
            self.expect("VALUES")?;
            Source::Defaults
        } else if self.accept("VALUES") {
            let rows = self.values()?;
            Source::Query(Box::new(Query {
                with: Vec::new(),
                body: Body::Values(rows),
                order: Vec::new(),
                offset: None,
                fetch: None,
            }))
        } else if self.is("EXEC") || self.is("EXECUTE") {
            self.at += 1;
            Source::Exec(Box::new(self.exec()?))
        } else {
            Source::Query(Box::new(self.query()?))
        };
        Ok(Kind::Insert {
            with,
            table,
            columns,
            source,
            output,
        })
    }

    fn output(&mut self) -> Result<Option<Output>> {
        if !self.accept("OUTPUT") {
            return Ok(None);
        }
        let items: Vec<Item> = self.items()?;
        let into = if self.accept("INTO") {
            let table = self.table_name()?;
            let columns = if self.is_op("(") && !self.starts_query() {
                self.identifiers()?
            } else {
                Vec::new()
            };
            Some((table, columns))
        } else {
            None
        };
        Ok(Some(Output { items, into }))
    }

    fn update(&mut self, with: Vec<crate::sandbox::mssql::ast::Cte>) -> Result<Kind> {
        self.expect("UPDATE")?;
        let top = self.top()?;
        let table = self.table_name()?;
        self.hints()?;
        self.expect("SET")?;
        let mut sets = Vec::new();
        loop {
            let line = self.line();
            let target = match self.token() {
                Some(token) if token.kind == TokenKind::Variable => Target::Variable(self.variable()?),
                _ => Target::Column(self.name()?, line),
            };
            let Some((_, op)) = ASSIGNMENTS.iter().find(|(operator, _)| self.is_op(operator)) else {
                return Err(self.unexpected());
            };
            self.at += 1;
            let value = self.expr()?;
            let value = match (&target, op) {
                (_, None) => value,
                (Target::Variable(name), op) => assigned(name, *op, value, line),
                (Target::Column(name, line), Some(op)) => Expr::Binary {
                    op: *op,
                    left: Box::new(Expr::Column {
                        name: name.clone(),
                        line: *line,
                    }),
                    right: Box::new(value),
                },
            };
            sets.push((target, value));
            if !self.accept_op(",") {
                break;
            }
        }
        let output = self.output()?;
        let from = if self.accept("FROM") { self.from()? } else { Vec::new() };
        let filter = self.dml_filter()?;
        Ok(Kind::Update {
            with,
            top,
            table,
            sets,
            output,
            from,
            filter,
        })
    }

    fn delete(&mut self, with: Vec<crate::sandbox::mssql::ast::Cte>) -> Result<Kind> {
        self.expect("DELETE")?;
        let top = self.top()?;
        self.accept("FROM");
        let table = self.table_name()?;
        self.hints()?;
        let output = self.output()?;
        let from = if self.accept("FROM") { self.from()? } else { Vec::new() };
        let filter = self.dml_filter()?;
        Ok(Kind::Delete {
            with,
            top,
            table,
            output,
            from,
            filter,
        })
    }

    fn dml_filter(&mut self) -> Result<Option<Expr>> {
        if !self.accept("WHERE") {
            return Ok(None);
        }
        if self.is("CURRENT") {
            return Err(SqlError::unsupported("WHERE CURRENT OF").at(self.line()));
        }
        Ok(Some(self.expr()?))
    }

    fn declare(&mut self) -> Result<Kind> {
        self.expect("DECLARE")?;
        let mut list = Vec::new();
        loop {
            if self.is_identifier() && self.is_after(1, "CURSOR") {
                return Err(SqlError::unsupported("cursors").at(self.line()));
            }
            let name = self.variable()?;
            self.accept("AS");
            if self.is("TABLE") {
                if !list.is_empty() {
                    return Err(SqlError::unsupported("a table variable behind other variables").at(self.line()));
                }
                self.at += 1;
                let table = self.table_body(crate::sandbox::mssql::ast::Name(vec![name.clone()]))?;
                return Ok(Kind::DeclareTable(name, Box::new(table)));
            }
            if self.is("CURSOR") {
                return Err(SqlError::unsupported("cursors").at(self.line()));
            }
            let sql_type = self.sql_type()?;
            let value = if self.accept_op("=") { Some(self.expr()?) } else { None };
            list.push((name, sql_type, value));
            if !self.accept_op(",") {
                return Ok(Kind::Declare(list));
            }
        }
    }

    fn set(&mut self) -> Result<Kind> {
        self.expect("SET")?;
        let line = self.line();
        if self.token().is_some_and(|token| token.kind == TokenKind::Variable) {
            let name = self.variable()?;
            let Some((_, op)) = ASSIGNMENTS.iter().find(|(operator, _)| self.is_op(operator)) else {
                return Err(self.unexpected());
            };
            self.at += 1;
            let value = self.expr()?;
            return Ok(Kind::SetVariable(name.clone(), assigned(&name, *op, value, line)));
        }
        if self.accept("IDENTITY_INSERT") {
            let table = self.table_name()?;
            let on = self.on_or_off()?;
            return Ok(Kind::IdentityInsert { table, on });
        }
        if self.accept("TRANSACTION") {
            self.expect("ISOLATION")?;
            self.expect("LEVEL")?;
            let mut value = Vec::new();
            while self.token().is_some_and(|token| {
                [
                    "READ",
                    "COMMITTED",
                    "UNCOMMITTED",
                    "REPEATABLE",
                    "SERIALIZABLE",
                    "SNAPSHOT",
                ]
                .contains(&token.text.to_ascii_uppercase().as_str())
            }) {
                value.extend(self.token().map(|token| token.text.to_ascii_uppercase()));
                self.at += 1;
            }
            let value = value.join(" ");
            return Ok(Kind::SetOption {
                option: "TRANSACTION ISOLATION LEVEL".to_owned(),
                on: true,
                value,
            });
        }
        let Some(token) = self.token().filter(|token| token.kind == TokenKind::Word) else {
            return Err(self.unexpected());
        };
        let mut option = token.text.to_ascii_uppercase();
        self.at += 1;
        if option == "STATISTICS" {
            return Err(SqlError::unsupported("SET STATISTICS").at(line));
        }
        // `SET ANSI_NULLS, QUOTED_IDENTIFIER ON`
        while self.accept_op(",") {
            option.push(',');
            option.push_str(&self.identifier()?.to_ascii_uppercase());
        }
        if ["LOCK_TIMEOUT", "ROWCOUNT", "TEXTSIZE", "DATEFIRST"].contains(&option.as_str()) {
            let value = self.integer()?;
            return Ok(Kind::SetOption {
                option,
                on: true,
                value: value.to_string(),
            });
        }
        if option == "LANGUAGE" || option == "DATEFORMAT" || option == "DEADLOCK_PRIORITY" || option == "CONTEXT_INFO" {
            let value = self.token().map(|token| token.value.clone()).unwrap_or_default();
            self.at += 1;
            return Ok(Kind::SetOption {
                option,
                on: true,
                value,
            });
        }
        let on = self.on_or_off()?;
        Ok(Kind::SetOption {
            option,
            on,
            value: String::new(),
        })
    }

    fn on_or_off(&mut self) -> Result<bool> {
        if self.accept("ON") {
            Ok(true)
        } else if self.accept("OFF") {
            Ok(false)
        } else {
            Err(self.unexpected())
        }
    }

    fn raiserror(&mut self) -> Result<Kind> {
        self.expect("RAISERROR")?;
        self.expect_op("(")?;
        let message = self.expr()?;
        self.expect_op(",")?;
        let severity = self.expr()?;
        self.expect_op(",")?;
        let state = self.expr()?;
        let mut arguments = Vec::new();
        while self.accept_op(",") {
            arguments.push(self.expr()?);
        }
        self.expect_op(")")?;
        let mut nowait = false;
        if self.is("WITH") && self.is_after(1, "NOWAIT") {
            self.at += 2;
            nowait = true;
        }
        if self.is("WITH") && (self.is_after(1, "LOG") || self.is_after(1, "SETERROR")) {
            return Err(SqlError::unsupported("RAISERROR WITH LOG or SETERROR").at(self.line()));
        }
        Ok(Kind::RaisError {
            message,
            severity,
            state,
            arguments,
            nowait,
        })
    }

    fn exec(&mut self) -> Result<Kind> {
        if self.is_op("(") {
            self.at += 1;
            let text = self.expr()?;
            self.expect_op(")")?;
            if self.is("AT") || self.is("AS") {
                return Err(SqlError::unsupported("EXECUTE ... AT and AS").at(self.line()));
            }
            return Ok(Kind::ExecText(text));
        }
        if self.is("AS") {
            return Err(SqlError::unsupported("EXECUTE AS").at(self.line()));
        }
        self.exec_call()
    }

    fn exec_call(&mut self) -> Result<Kind> {
        let mut result = None;
        if self.token().is_some_and(|token| token.kind == TokenKind::Variable) {
            result = Some(self.variable()?);
            self.expect_op("=")?;
        }
        let procedure = self.name()?;
        let mut arguments = Vec::new();
        if self.argument_follows() {
            loop {
                let named =
                    self.token().is_some_and(|token| token.kind == TokenKind::Variable) && self.is_op_after(1, "=");
                let name = if named { Some(self.variable()?) } else { None };
                self.at += usize::from(named);
                // A word alone is text here: `EXEC sp_x dbo`.
                let value = match self.token() {
                    Some(token)
                        if token.kind == TokenKind::Word
                            && !token.text.eq_ignore_ascii_case("NULL")
                            && !token.text.eq_ignore_ascii_case("DEFAULT") =>
                    {
                        Expr::Text {
                            text: self.identifier()?,
                            wide: true,
                        }
                    }
                    Some(token) if token.kind == TokenKind::Bracketed || token.kind == TokenKind::Quoted => {
                        Expr::Text {
                            text: self.identifier()?,
                            wide: true,
                        }
                    }
                    _ => self.expr()?,
                };
                let output = self.accept("OUTPUT") || self.accept("OUT");
                arguments.push(Argument { name, value, output });
                if !self.accept_op(",") {
                    break;
                }
            }
        }
        Ok(Kind::Exec {
            procedure,
            arguments,
            result,
        })
    }

    fn argument_follows(&self) -> bool {
        match self.token() {
            Some(token) => match token.kind {
                TokenKind::Text
                | TokenKind::Number
                | TokenKind::Variable
                | TokenKind::Binary
                | TokenKind::Bracketed => true,
                TokenKind::Quoted => true,
                TokenKind::Operator => token.text == "-",
                TokenKind::Word => {
                    (self.is_identifier() && !self.starts_statement()) || self.is("NULL") || self.is("DEFAULT")
                }
                _ => false,
            },
            None => false,
        }
    }
}
