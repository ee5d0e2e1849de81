//! Runs batches: control of flow, variables, errors and what they end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Engine;
use super::compile::{Compiled, Compiler};
use super::functions::format_message;
use crate::sandbox::mssql::ast::{Body, Expr, Item, Kind, Query, Statement};
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::parser;
use crate::sandbox::mssql::tds::token;
use crate::sandbox::mssql::value::{SqlType, Value, cast};

/// How a statement ended.
pub enum Flow {
    Next,
    Break,
    Continue,
    Return,
    /// The batch is over; the error has been told.
    Abort,
}

/// The variables of a batch, by their names in lower case.
pub type Frame = HashMap<String, (SqlType, Value)>;

/// SQL Server's own limit for procedures in procedures.
const DEEPEST_NEST: i64 = 32;

impl Engine {
    /// A batch from the client.
    pub fn batch(&mut self, text: &str) {
        self.frames = vec![HashMap::new()];
        self.tries = 0;
        self.caught.clear();
        self.nest = 0;
        self.top(text, 1);
        self.end_of_batch();
        self.out.finish_batch();
    }

    /// Runs the text of a batch or of `sp_executesql`; what is not caught is told.
    pub(super) fn top(&mut self, text: &str, _line: u32) -> Flow {
        self.guarded(|engine| {
            let statements = parser::batch(text)?;
            engine.statements(&statements)
        })
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<Flow>) -> Flow {
        match work(self) {
            Ok(flow) => flow,
            Err(error) => {
                self.tell(&error);
                self.apply(&error);
                Flow::Abort
            }
        }
    }

    /// At the end of a batch a doomed transaction is rolled back, and table variables are gone.
    pub(super) fn end_of_batch(&mut self) {
        if self.doomed && self.tran_count > 0 {
            self.rollback_all();
            self.tell(&SqlError::new(
                3998,
                16,
                "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.",
            ));
        }
        self.drop_table_variables();
    }

    fn tell(&mut self, error: &SqlError) {
        self.last_error = error.number.into();
        self.out.error(error);
    }

    /// What an error that nothing catches does to the transaction. Gives whether the batch ends.
    fn apply(&mut self, error: &SqlError) -> bool {
        let raised = error.effect == Effect::Statement && error.number >= 50_000;
        if error.effect == Effect::Transaction || (self.xact_abort && !raised && error.class > 10) {
            self.rollback_all();
            return true;
        }
        error.effect != Effect::Statement
    }

    pub(super) fn statements(&mut self, statements: &[Statement]) -> Result<Flow> {
        for statement in statements {
            match self.statement(statement) {
                Ok(Flow::Next) => {}
                Ok(other) => return Ok(other),
                Err(error) => {
                    let error = error.at(statement.line);
                    // In a TRY it goes to the CATCH; what the binding of names refuses goes out of it.
                    if self.tries > 0 || error.effect == Effect::Compile {
                        return Err(error);
                    }
                    self.tell(&error);
                    if self.apply(&error) {
                        return Ok(Flow::Abort);
                    }
                }
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement) -> Result<Flow> {
        self.check_cancelled()?;
        let flow = self.run(statement)?;
        if !matches!(
            statement.kind,
            Kind::Print(_) | Kind::If { .. } | Kind::While { .. } | Kind::Block(_) | Kind::Try { .. }
        ) {
            self.last_error = 0;
        }
        Ok(flow)
    }

    fn run(&mut self, statement: &Statement) -> Result<Flow> {
        match &statement.kind {
            Kind::Block(statements) => return self.statements(statements),
            Kind::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.test(condition)?;
                return match (holds, otherwise) {
                    (true, _) => self.statements(std::slice::from_ref(then)),
                    (false, Some(otherwise)) => self.statements(std::slice::from_ref(otherwise)),
                    (false, None) => Ok(Flow::Next),
                };
            }
            Kind::While { condition, body } => {
                while self.test(condition)? {
                    self.check_cancelled()?;
                    match self.statements(std::slice::from_ref(body))? {
                        Flow::Break => break,
                        Flow::Next | Flow::Continue => {}
                        other => return Ok(other),
                    }
                }
            }
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
            Kind::Return(value) => {
                if value.is_some() {
                    return Err(SqlError::new(
                        178,
                        15,
                        "A RETURN statement with a return value cannot be used in this context.",
                    ));
                }
                return Ok(Flow::Return);
            }
            Kind::Try { body, catch } => return self.try_catch(body, catch),
            Kind::Throw(None) => {
                return match self.caught.last() {
                    Some(error) => {
                        let effect = if error.effect == Effect::Transaction {
                            Effect::Transaction
                        } else {
                            Effect::Batch
                        };
                        Err(error.clone().effect(effect))
                    }
                    None => Err(SqlError::new(
                        10704,
                        15,
                        "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW \
                         statement inside a CATCH block, or add error parameters to the THROW statement.",
                    )
                    .effect(Effect::Compile)),
                };
            }
            Kind::Throw(Some((number, message, state))) => {
                let number = self.evaluate(number, SqlType::Int)?.as_int().unwrap_or_default();
                let message = self.text(message)?;
                let state = self.evaluate(state, SqlType::Int)?.as_int().unwrap_or_default();
                let Some(number) = u32::try_from(number).ok().filter(|number| *number >= 50_000) else {
                    return Err(SqlError::new(
                        35100,
                        16,
                        format!(
                            "Error number {number} in the THROW statement is outside the valid range. Specify an error \
                             number in the valid range of 50000 to 2147483647."
                        ),
                    ));
                };
                return Err(SqlError::new(number, 16, message)
                    .state(state.clamp(0, 255) as u8)
                    .effect(Effect::Batch));
            }
            Kind::RaisError {
                message,
                severity,
                state,
                arguments,
                ..
            } => {
                let severity = self.evaluate(severity, SqlType::Int)?.as_int().unwrap_or_default();
                let state = self.evaluate(state, SqlType::Int)?.as_int().unwrap_or_default();
                let (kind, value) = self.value(message)?;
                if kind.is_number() {
                    return Err(SqlError::unsupported("RAISERROR with a message of sys.messages"));
                }
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.value(argument)?.1);
                }
                let message = format_message(value.as_str().unwrap_or_default(), &values);
                let class = severity.clamp(0, 25) as u8;
                let error = SqlError::new(50_000, class, message)
                    .state(state.clamp(1, 255) as u8)
                    .at(statement.line);
                if class <= 10 {
                    self.out.info(&error);
                } else if class >= 20 {
                    return Err(SqlError::unsupported("RAISERROR with a severity of more than 19"));
                } else if self.tries > 0 {
                    return Err(error.effect(Effect::Statement));
                } else {
                    self.tell(&error);
                    self.last_error = 50_000;
                }
            }
            Kind::Print(message) => {
                let text = self.text(message)?;
                let mut info = SqlError::new(0, 0, text).at(statement.line);
                info.state = 1;
                self.out.info(&info);
            }
            Kind::WaitFor(delay) => {
                let text = self.text(delay)?;
                let Some(delay) = crate::sandbox::mssql::datetime::parse(&text) else {
                    return Err(SqlError::new(
                        148,
                        15,
                        format!("Incorrect time syntax in time string '{text}' used with WAITFOR."),
                    ));
                };
                let end = Instant::now() + Duration::from_nanos(delay.ticks as u64 * 100);
                while let Some(left) = end
                    .checked_duration_since(Instant::now())
                    .filter(|left| !left.is_zero())
                {
                    self.check_cancelled()?;
                    std::thread::sleep(left.min(Duration::from_millis(5)));
                }
            }
            Kind::Declare(list) => {
                for (name, sql_type, value) in list {
                    let value = match value {
                        Some(value) => self.evaluate(value, *sql_type)?,
                        None => Value::Null,
                    };
                    if let Some(frame) = self.frames.last_mut() {
                        frame.insert(name.to_lowercase(), (*sql_type, value));
                    }
                }
            }
            Kind::SetVariable(name, value) => {
                let (sql_type, _) = self.variable(name).map_err(|error| error.at(statement.line))?;
                let value = self.evaluate(value, sql_type)?;
                self.set_variable(name, value);
            }
            Kind::Begin => self.begin_transaction(),
            Kind::Commit => self.commit_transaction()?,
            Kind::Rollback(name) => {
                let name = match name {
                    Some(name) if name.starts_with('@') => self.variable(name)?.1.as_str().map(str::to_owned),
                    other => other.clone(),
                };
                self.rollback_transaction(name.as_deref())?;
            }
            Kind::Save(name) => self.save_transaction(name)?,
            Kind::SetOption { option, on, value } => self.set_option(option, *on, value)?,
            Kind::Use(name) => self.use_database(name)?,
            Kind::Select(query) => self.select(query)?,
            Kind::Exec {
                procedure,
                arguments,
                result,
            } => {
                let (status, flow) = self.exec(procedure, arguments)?;
                if let Some(result) = result {
                    self.variable(result)?;
                    self.set_variable(result, Value::Int(status));
                }
                return Ok(flow);
            }
            Kind::ExecText(text) => {
                let text = self.text(text)?;
                return self.run_text(&text, HashMap::new()).map(|(flow, _)| flow);
            }
            Kind::Insert { .. } | Kind::Update { .. } | Kind::Delete { .. } | Kind::Truncate(_) => {
                self.dml(&statement.kind)?;
            }
            other => self.ddl(other)?,
        }
        Ok(Flow::Next)
    }

    fn try_catch(&mut self, body: &[Statement], catch: &[Statement]) -> Result<Flow> {
        self.tries += 1;
        let result = self.statements(body);
        self.tries -= 1;
        let error = match result {
            Ok(flow) => return Ok(flow),
            // Found by binding names in the same batch, or the client's wish: not for CATCH.
            Err(error) if error.effect == Effect::Compile || error.number == 3617 || error.class >= 20 => {
                return Err(error);
            }
            Err(error) => error,
        };
        if self.tran_count > 0 && (error.effect == Effect::Transaction || self.xact_abort) {
            self.doomed = true;
        }
        self.last_error = error.number.into();
        self.caught.push(error);
        let result = self.statements(catch);
        self.caught.pop();
        result
    }

    /// EXEC of a text: a scope of its own, in the same session. Gives the variables back.
    pub(super) fn run_text(&mut self, text: &str, frame: Frame) -> Result<(Flow, Frame)> {
        if self.nest >= DEEPEST_NEST {
            return Err(SqlError::new(
                217,
                16,
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).",
            )
            .effect(Effect::Batch));
        }
        self.nest += 1;
        self.frames.push(frame);
        self.out.enter_procedure();
        let abort = self.xact_abort;
        let home = self.database.clone();
        let result = parser::batch(text).and_then(|statements| self.statements(&statements));
        // USE and SET last as long as the text.
        self.xact_abort = abort;
        if self.database != home {
            self.use_database(&home.name.clone())?;
        }
        self.out.leave_procedure();
        let frame = self.frames.pop().unwrap_or_default();
        self.nest -= 1;
        match result {
            Ok(Flow::Abort) => Ok((Flow::Abort, frame)),
            Ok(_) => Ok((Flow::Next, frame)),
            // Outside of the text its binding errors are errors like others, which CATCH sees.
            Err(error) if error.effect == Effect::Compile && self.tries > 0 => Err(error.effect(Effect::Statement)),
            Err(error) if error.effect == Effect::Compile => {
                self.tell(&error);
                if self.apply(&SqlError {
                    effect: Effect::Statement,
                    ..error
                }) {
                    return Ok((Flow::Abort, frame));
                }
                Ok((Flow::Next, frame))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs a query of SQLite and gives all its rows.
    pub(super) fn rows_of(&mut self, sql: &str, width: usize) -> Result<Vec<Vec<Value>>> {
        let read = || -> rusqlite::Result<Vec<Vec<Value>>> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let mut values = Vec::with_capacity(width);
                for at in 0..width {
                    values.push(Value::from_ref(row.get_ref(at)?));
                }
                all.push(values);
            }
            Ok(all)
        };
        let read = read();
        read.map_err(|error| self.sqlite(error))
    }

    pub(super) fn compile(&mut self, query: &Query) -> Result<Compiled> {
        Compiler::new(self).query(query)
    }

    /// An expression's value and type.
    pub(super) fn value(&mut self, expr: &Expr) -> Result<(SqlType, Value)> {
        let typed = Compiler::new(self).scalar(expr)?;
        if let Some(value) = typed.constant {
            return Ok((typed.sql_type, value));
        }
        let rows = self.rows_of(&format!("SELECT {}", typed.sql), 1)?;
        let value = rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .unwrap_or(Value::Null);
        Ok((typed.sql_type, value))
    }

    pub(super) fn evaluate(&mut self, expr: &Expr, to: SqlType) -> Result<Value> {
        let (from, value) = self.value(expr)?;
        cast(&value, from, to)
    }

    pub(super) fn text(&mut self, expr: &Expr) -> Result<String> {
        Ok(self
            .evaluate(expr, SqlType::NVarChar(None))?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    fn test(&mut self, condition: &Expr) -> Result<bool> {
        let sql = Compiler::new(self).condition(condition)?;
        let rows = self.rows_of(&format!("SELECT {sql}"), 1)?;
        Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_int) == Some(1))
    }

    fn select(&mut self, query: &Query) -> Result<()> {
        let (assigns, into) = match &query.body {
            Body::Select(select) => {
                let variables: Vec<String> = select
                    .items
                    .iter()
                    .filter_map(|item| match item {
                        Item::Assign { variable, .. } => Some(variable.clone()),
                        _ => None,
                    })
                    .collect();
                if !variables.is_empty() && variables.len() != select.items.len() {
                    return Err(SqlError::new(
                        141,
                        15,
                        "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval \
                         operations.",
                    )
                    .effect(Effect::Compile));
                }
                (variables, select.into.clone())
            }
            _ => (Vec::new(), None),
        };
        let compiled = self.compile(query)?;
        if let Some(into) = into {
            return self.select_into(&into, &compiled);
        }
        if !assigns.is_empty() {
            let rows = self.rows_of(&compiled.sql, compiled.columns.len())?;
            if let Some(last) = rows.last() {
                for (variable, value) in assigns.iter().zip(last) {
                    self.set_variable(variable, value.clone());
                }
            }
            self.rows = rows.len() as i64;
            return Ok(());
        }
        // The rows are read before the first is sent: a slow client must not hold a lock of the file.
        let rows = self.rows_of(&compiled.sql, compiled.columns.len())?;
        self.out.columns(&compiled.columns);
        for row in &rows {
            self.out.row(&compiled.columns, row)?;
        }
        self.rows = rows.len() as i64;
        self.finish_rows();
        Ok(())
    }

    /// The DONE of a statement with rows.
    pub(super) fn finish_rows(&mut self) {
        let rows = u64::try_from(self.rows).unwrap_or_default();
        self.out.done((!self.nocount).then_some(rows));
    }

    fn set_option(&mut self, option: &str, on: bool, value: &str) -> Result<()> {
        for option in option.split(',') {
            match option {
                "XACT_ABORT" => self.xact_abort = on,
                "NOCOUNT" => self.nocount = on,
                "LOCK_TIMEOUT" => self.lock_timeout = value.parse().unwrap_or(-1),
                // These are on here, and what depends on their being off is not to be had.
                "ANSI_NULLS"
                | "ANSI_PADDING"
                | "ANSI_WARNINGS"
                | "ARITHABORT"
                | "CONCAT_NULL_YIELDS_NULL"
                | "QUOTED_IDENTIFIER"
                | "ANSI_NULL_DFLT_ON"
                | "ANSI_DEFAULTS"
                    if on => {}
                "NUMERIC_ROUNDABORT"
                | "IMPLICIT_TRANSACTIONS"
                | "FMTONLY"
                | "NOEXEC"
                | "PARSEONLY"
                | "CURSOR_CLOSE_ON_COMMIT"
                | "SHOWPLAN_TEXT"
                | "SHOWPLAN_ALL"
                | "SHOWPLAN_XML"
                | "FORCEPLAN"
                | "ARITHIGNORE"
                | "ANSI_NULL_DFLT_OFF"
                    if !on => {}
                "TRANSACTION ISOLATION LEVEL" if matches!(value, "READ COMMITTED" | "READ UNCOMMITTED") => {}
                "DATEFIRST" if value == "7" => {}
                "ROWCOUNT" if value == "0" => {}
                "LANGUAGE" if value.eq_ignore_ascii_case("us_english") || value.eq_ignore_ascii_case("english") => {}
                "DATEFORMAT" if value.eq_ignore_ascii_case("mdy") => {}
                "DEADLOCK_PRIORITY" => {}
                "TEXTSIZE" if value == "-1" || value == "2147483647" => {}
                other => {
                    let shown = if value.is_empty() {
                        if on { "ON" } else { "OFF" }
                    } else {
                        value
                    };
                    return Err(SqlError::unsupported(format!("SET {other} {shown}")));
                }
            }
        }
        Ok(())
    }

    pub fn use_database(&mut self, name: &str) -> Result<()> {
        let database = self.attach(name)?;
        if database.alias == "temp" {
            return Err(SqlError::unsupported("USE tempdb"));
        }
        self.check_access(&database)?;
        let file = self.mark_in_use(&database)?;
        let old = std::mem::replace(&mut self.database, database.clone());
        self.in_use = file;
        self.out
            .change(|out| token::database_changed(out, &database.name, &old.name));
        let mut info = SqlError::new(5701, 0, format!("Changed database context to '{}'.", database.name));
        info.state = 2;
        self.out.info(&info);
        Ok(())
    }
}

impl Engine {
    /// The database that the login asks for. The tokens of the change are the login's own.
    pub fn login_database(&mut self, name: &str) -> Result<()> {
        let database = self.attach(name)?;
        self.check_access(&database)?;
        self.in_use = self.mark_in_use(&database)?;
        self.database = database;
        Ok(())
    }
}
