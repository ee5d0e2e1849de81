//! INSERT, UPDATE and DELETE. The rows are found by a query, their values are converted and checked here, and then they
//! are written one by one: so every error can name its column, constraint and value as SQL Server does, and OUTPUT has
//! both the old and the new row.

use std::sync::Arc;

use super::calls::known;
use super::compile::{Compiler, Scope, Source};
use super::{Database, Engine};
use crate::sandbox::mssql::ast::{Body, Cte, Expr, Item, Kind, Name, Output, Source as InsertSource, TableRef, Target};
use crate::sandbox::mssql::catalog::{Column as TableColumn, Table, physical_column, same};
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::parser;
use crate::sandbox::mssql::tds::token::Column;
use crate::sandbox::mssql::value::{SqlType, TooLong, Value, convert};

/// A row's values, in the order of the table's columns.
pub type Row = Vec<Value>;

/// A row's values with their types, before they are stored; `None` is DEFAULT.
type Given = Vec<Option<(SqlType, Value)>>;

/// What OUTPUT sees.
pub struct Changed {
    pub old: Option<Row>,
    pub new: Option<Row>,
}

impl Engine {
    pub(super) fn dml(&mut self, kind: &Kind) -> Result<()> {
        let count = match kind {
            Kind::Insert {
                with,
                table,
                columns,
                source,
                output,
            } => self.insert(with, table, columns, source, output.as_ref())?,
            Kind::Update {
                with,
                top,
                table,
                sets,
                output,
                from,
                filter,
            } => self.update(with, top.as_ref(), table, sets, output.as_ref(), from, filter.as_ref())?,
            Kind::Delete {
                with,
                top,
                table,
                output,
                from,
                filter,
            } => self.delete(with, top.as_ref(), table, output.as_ref(), from, filter.as_ref())?,
            Kind::Truncate(name) => {
                self.truncate(name)?;
                return Ok(());
            }
            _ => return Err(SqlError::internal("a statement that is no DML")),
        };
        self.rows = count as i64;
        self.finish_rows();
        Ok(())
    }

    fn insert(
        &mut self,
        with: &[Cte],
        name: &Name,
        columns: &[(String, u32)],
        source: &InsertSource,
        output: Option<&Output>,
    ) -> Result<usize> {
        let (database, table) = self.resolve_table(name)?;
        self.check_permission("INSERT", &database, &table.schema, &table.name, table.id)?;
        let identity_on = self.identity_insert.as_ref() == Some(&(database.alias.clone(), table.id));
        let mut targets: Vec<usize> = Vec::new();
        for (column, line) in columns {
            let Some(at) = table.columns.iter().position(|own| same(&own.name, column)) else {
                return Err(SqlError::invalid_column(column).at(*line));
            };
            if targets.contains(&at) {
                return Err(SqlError::new(
                    264,
                    16,
                    format!("The column name '{column}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code."),
                )
                .effect(Effect::Compile));
            }
            targets.push(at);
        }
        if columns.is_empty() && !matches!(source, InsertSource::Defaults) {
            targets = (0..table.columns.len())
                .filter(|at| {
                    table.columns[*at].identity.is_none() && table.columns[*at].sql_type != SqlType::RowVersion
                })
                .collect();
        }
        let names_identity = targets.iter().any(|at| table.columns[*at].identity.is_some());
        if names_identity && !identity_on {
            return Err(SqlError::new(
                544,
                16,
                format!(
                    "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.",
                    table.name
                ),
            ));
        }
        if identity_on && !names_identity {
            return Err(SqlError::new(
                545,
                16,
                format!(
                    "Explicit value must be specified for identity column in table '{}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.",
                    table.name
                ),
            ));
        }
        self.write(|engine| {
            let given = engine.insert_source(with, source, targets.len())?;
            let mut changed = Vec::with_capacity(given.len());
            let mut rids = Vec::with_capacity(given.len());
            for given in given {
                let row = engine.new_row(&database, &table, &targets, given)?;
                rids.push(engine.insert_row(&database, &table, &row)?);
                changed.push(Changed {
                    old: None,
                    new: Some(row),
                });
            }
            engine.check_written(&database, &table, &rids, "INSERT", None)?;
            engine.output(&table, output, &changed)?;
            Ok(changed.len())
        })
    }

    /// The rows to insert: each value with its type; `None` is DEFAULT.
    fn insert_source(&mut self, with: &[Cte], source: &InsertSource, width: usize) -> Result<Vec<Given>> {
        let check = |has: usize| -> Result<()> {
            if has == width {
                return Ok(());
            }
            let which = if has < width {
                (109, "more", "fewer")
            } else {
                (110, "fewer", "more")
            };
            Err(SqlError::new(
                which.0,
                15,
                format!(
                    "There are {} columns in the INSERT statement than values specified in the VALUES clause. The number \
                     of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
                    which.1
                ),
            )
            .effect(Effect::Compile))
        };
        match source {
            InsertSource::Defaults => Ok(vec![Vec::new()]),
            InsertSource::Exec(_) => Err(SqlError::unsupported("INSERT ... EXEC")),
            InsertSource::Query(query) if matches!(query.body, Body::Values(_)) => {
                let Body::Values(rows) = &query.body else {
                    return Ok(Vec::new());
                };
                let mut all = Vec::with_capacity(rows.len());
                for row in rows {
                    check(row.len())?;
                    let mut values = Vec::with_capacity(row.len());
                    for expr in row {
                        values.push(match expr {
                            Expr::Default => None,
                            expr => Some(self.value(expr)?),
                        });
                    }
                    all.push(values);
                }
                Ok(all)
            }
            InsertSource::Query(query) => {
                let mut query = query.as_ref().clone();
                query.with = with.iter().cloned().chain(query.with).collect();
                let compiled = self.compile(&query)?;
                if compiled.columns.len() != width {
                    let (number, word) = if compiled.columns.len() < width {
                        (120, "fewer")
                    } else {
                        (121, "more")
                    };
                    return Err(SqlError::new(
                        number,
                        15,
                        format!(
                            "The select list for the INSERT statement contains {word} items than the insert list. The \
                             number of SELECT values must match the number of INSERT columns."
                        ),
                    )
                    .effect(Effect::Compile));
                }
                let rows = self.rows_of(&compiled.sql, width)?;
                let types: Vec<SqlType> = compiled.columns.iter().map(|column| column.sql_type).collect();
                Ok(rows
                    .into_iter()
                    .map(|row| {
                        row.into_iter()
                            .zip(&types)
                            .map(|(value, sql_type)| Some((*sql_type, value)))
                            .collect()
                    })
                    .collect())
            }
        }
    }

    /// A whole row: what is given, what is default, the identity, and nothing that may not be.
    fn new_row(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        targets: &[usize],
        given: Vec<Option<(SqlType, Value)>>,
    ) -> Result<Row> {
        let mut slots: Vec<Option<Option<(SqlType, Value)>>> = vec![None; table.columns.len()];
        for (at, value) in targets.iter().zip(given) {
            slots[*at] = Some(value);
        }
        let mut row = Vec::with_capacity(slots.len());
        for (column, slot) in table.columns.iter().zip(slots) {
            let value = match slot {
                Some(Some((from, value))) => {
                    let value = self.store(database, table, column, from, &value)?;
                    if column.identity.is_some()
                        && let Some(number) = value.as_int()
                    {
                        self.note_identity(database, table, number, true)?;
                    }
                    value
                }
                _ if column.identity.is_some() => Value::Int(self.next_identity(database, table, column)?),
                _ if column.sql_type == SqlType::RowVersion => self.row_version()?,
                _ => self.default_of(database, table, column)?,
            };
            self.refuse_null(database, table, column, &value, "INSERT")?;
            row.push(value);
        }
        Ok(row)
    }

    fn row_version(&mut self) -> Result<Value> {
        Err(SqlError::unsupported("writing to a table with a rowversion column"))
    }

    pub(super) fn default_of(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        column: &TableColumn,
    ) -> Result<Value> {
        match &column.default {
            Some(default) => {
                let expr = parser::expression(&default.text)?;
                let (from, value) = self.value(&expr)?;
                self.store(database, table, column, from, &value)
            }
            None => Ok(Value::Null),
        }
    }

    /// A value in a column's type. A text that is too long is error 2628.
    pub(super) fn store(
        &mut self,
        database: &Database,
        table: &Table,
        column: &TableColumn,
        from: SqlType,
        value: &Value,
    ) -> Result<Value> {
        use crate::sandbox::mssql::value::Family;
        if from.is_text() && column.sql_type.family() == Family::Binary && !value.is_null() {
            return Err(SqlError::new(
                257,
                16,
                format!(
                    "Implicit conversion from data type {} to {} is not allowed. Use the CONVERT function to run this query.",
                    from.base_name(),
                    column.sql_type.base_name()
                ),
            )
            .effect(Effect::Compile));
        }
        convert(value, from, column.sql_type, None, TooLong::Refuse).map_err(|error| {
            if error.number != 2628 {
                return error;
            }
            let kept = column.sql_type.length().map_or(0, usize::from);
            SqlError::new(
                2628,
                16,
                format!(
                    "String or binary data would be truncated in table '{}.{}', column '{}'. Truncated value: '{}'.",
                    database.name,
                    table.display(),
                    column.name,
                    crate::sandbox::mssql::value::cut_units(&error.message, kept)
                ),
            )
        })
    }

    pub(super) fn refuse_null(
        &self,
        database: &Database,
        table: &Table,
        column: &TableColumn,
        value: &Value,
        word: &str,
    ) -> Result<()> {
        if !value.is_null() || column.nullable {
            return Ok(());
        }
        Err(SqlError::new(
            515,
            16,
            format!(
                "Cannot insert the value NULL into column '{}', table '{}.{}'; column does not allow nulls. {word} fails.",
                column.name,
                database.name,
                table.display()
            ),
        )
        .state(2))
    }

    fn next_identity(&mut self, database: &Database, table: &Table, column: &TableColumn) -> Result<i64> {
        let (seed, increment) = column.identity.unwrap_or((1, 1));
        let last: Option<i64> = {
            use rusqlite::OptionalExtension;
            self.connection
                .query_row(
                    &format!("SELECT last FROM {}.\"$identity\" WHERE id = ?1", database.alias),
                    [table.id],
                    |row| row.get(0),
                )
                .optional()
                .map_err(|error| self.sqlite(error))?
        };
        let next = match last {
            None => Some(seed),
            Some(last) => last.checked_add(increment),
        };
        let fits =
            next.and_then(|next| convert(&Value::Int(next), SqlType::BigInt, column.sql_type, None, TooLong::Cut).ok());
        let Some(next) = fits.and_then(|value| value.as_int()) else {
            return Err(SqlError::new(
                8115,
                16,
                format!(
                    "Arithmetic overflow error converting IDENTITY to data type {}.",
                    column.sql_type.base_name()
                ),
            ));
        };
        self.note_identity(database, table, next, false)?;
        Ok(next)
    }

    /// Keeps the last identity. An explicit one counts only when it is beyond the last.
    fn note_identity(&mut self, database: &Database, table: &Table, number: i64, explicit: bool) -> Result<()> {
        let update = if explicit {
            "max(last, excluded.last)"
        } else {
            "excluded.last"
        };
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO {}.\"$identity\" (id, last) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET last = {update}",
                database.alias
            ))
            .and_then(|mut statement| statement.execute([table.id, number]))
            .map_err(|error| self.sqlite(error))?;
        self.identity = Some(number);
        Ok(())
    }

    pub(super) fn insert_row(&mut self, database: &Database, table: &Table, row: &Row) -> Result<i64> {
        let names: Vec<String> = table.columns.iter().map(|column| physical_column(column.id)).collect();
        let marks: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
        let sql = format!(
            "INSERT INTO {}.{} ({}) VALUES ({})",
            database.alias,
            table.physical(),
            names.join(", "),
            marks.join(", ")
        );
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.insert(rusqlite::params_from_iter(row)))
            .map_err(|error| self.sqlite(error))
    }

    pub(super) fn read_row(&mut self, database: &Database, table: &Table, rid: i64) -> Result<Option<Row>> {
        let names: Vec<String> = table.columns.iter().map(|column| physical_column(column.id)).collect();
        let sql = format!(
            "SELECT {} FROM {}.{} WHERE rid = {rid}",
            names.join(", "),
            database.alias,
            table.physical()
        );
        Ok(self.rows_of(&sql, names.len())?.pop())
    }

    pub(super) fn update_row(&mut self, database: &Database, table: &Table, rid: i64, row: &Row) -> Result<()> {
        let sets: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{} = ?{}", physical_column(column.id), at + 1))
            .collect();
        let sql = format!(
            "UPDATE {}.{} SET {} WHERE rid = {rid}",
            database.alias,
            table.physical(),
            sets.join(", ")
        );
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(row)))
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }

    /// FROM of an UPDATE or DELETE, and the name or alias under which its target stands there.
    fn target(&mut self, name: &Name, from: &[TableRef]) -> Result<(Database, Arc<Table>, Vec<TableRef>, Name)> {
        fn find(table: &TableRef, wanted: &Name) -> Option<Name> {
            match table {
                TableRef::Table {
                    name,
                    alias: Some(alias),
                    ..
                } => (wanted.0.len() == 1 && same(alias, wanted.last())).then(|| name.clone()),
                TableRef::Table { .. } | TableRef::Derived { .. } => None,
                TableRef::Join { left, right, .. } => find(left, wanted).or_else(|| find(right, wanted)),
            }
        }
        fn has(table: &TableRef, wanted: &Name) -> bool {
            match table {
                TableRef::Table { name, alias: None, .. } => same(name.last(), wanted.last()),
                TableRef::Join { left, right, .. } => has(left, wanted) || has(right, wanted),
                _ => false,
            }
        }
        if let Some(real) = from.iter().find_map(|table| find(table, name)) {
            let (database, table) = self.resolve_table(&real)?;
            return Ok((database, table, from.to_vec(), name.clone()));
        }
        let (database, table) = self.resolve_table(name)?;
        let mut all = from.to_vec();
        if !from.iter().any(|table| has(table, name)) {
            all.insert(
                0,
                TableRef::Table {
                    name: name.clone(),
                    alias: None,
                    line: 0,
                },
            );
        }
        Ok((database, table, all, name.clone()))
    }

    #[allow(clippy::too_many_arguments)]
    fn update(
        &mut self,
        with: &[Cte],
        top: Option<&Expr>,
        name: &Name,
        sets: &[(Target, Expr)],
        output: Option<&Output>,
        from: &[TableRef],
        filter: Option<&Expr>,
    ) -> Result<usize> {
        let (database, table, from, target) = self.target(name, from)?;
        self.check_permission("UPDATE", &database, &table.schema, &table.name, table.id)?;
        let mut columns = Vec::new();
        for (set, _) in sets {
            let Target::Column(name, line) = set else {
                return Err(SqlError::unsupported("UPDATE ... SET @variable = ..."));
            };
            let Some(at) = table.columns.iter().position(|own| same(&own.name, name.last())) else {
                return Err(SqlError::invalid_column(name.last()).at(*line));
            };
            if table.columns[at].identity.is_some() {
                return Err(SqlError::new(
                    8102,
                    16,
                    format!("Cannot update identity column '{}'.", table.columns[at].name),
                )
                .effect(Effect::Compile));
            }
            if columns.contains(&at) {
                return Err(SqlError::new(264, 16, format!("The column name '{}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause.", name.last())).effect(Effect::Compile));
            }
            columns.push(at);
        }
        self.write(|engine| {
            let exprs: Vec<Expr> = sets.iter().zip(&columns).map(|((_, expr), _)| expr.clone()).collect();
            let found = engine.find_rows(with, top, &table, &target, &from, filter, &exprs)?;
            let mut changed = Vec::new();
            let mut rids = Vec::new();
            for (rid, values) in found {
                let Some(old) = engine.read_row(&database, &table, rid)? else {
                    continue;
                };
                let mut new = old.clone();
                for (at, value) in columns.iter().zip(values) {
                    let column = &table.columns[*at];
                    let value = match value {
                        Some((from, value)) => engine.store(&database, &table, column, from, &value)?,
                        None => engine.default_of(&database, &table, column)?,
                    };
                    engine.refuse_null(&database, &table, column, &value, "UPDATE")?;
                    new[*at] = value;
                }
                engine.update_row(&database, &table, rid, &new)?;
                rids.push(rid);
                changed.push(Changed {
                    old: Some(old),
                    new: Some(new),
                });
            }
            engine.check_written(&database, &table, &rids, "UPDATE", Some(&columns))?;
            engine.after_key_change(&database, &table, &changed, &columns)?;
            engine.output(&table, output, &changed)?;
            Ok(changed.len())
        })
    }

    fn delete(
        &mut self,
        with: &[Cte],
        top: Option<&Expr>,
        name: &Name,
        output: Option<&Output>,
        from: &[TableRef],
        filter: Option<&Expr>,
    ) -> Result<usize> {
        let (database, table, from, target) = self.target(name, from)?;
        self.check_permission("DELETE", &database, &table.schema, &table.name, table.id)?;
        self.write(|engine| {
            let found = engine.find_rows(with, top, &table, &target, &from, filter, &[])?;
            let mut changed = Vec::new();
            let mut gone = Vec::new();
            for (rid, _) in found {
                let Some(old) = engine.read_row(&database, &table, rid)? else {
                    continue;
                };
                gone.push((rid, old.clone()));
                changed.push(Changed {
                    old: Some(old),
                    new: None,
                });
            }
            engine.delete_rows(&database, &table, gone, 0)?;
            engine.output(&table, output, &changed)?;
            Ok(changed.len())
        })
    }

    /// The rows that a statement is about, each once, with the new values.
    #[allow(clippy::type_complexity, clippy::too_many_arguments)]
    fn find_rows(
        &mut self,
        with: &[Cte],
        top: Option<&Expr>,
        table: &Arc<Table>,
        target: &Name,
        from: &[TableRef],
        filter: Option<&Expr>,
        exprs: &[Expr],
    ) -> Result<Vec<(i64, Vec<Option<(SqlType, Value)>>)>> {
        let mut compiler = Compiler::new(self);
        for cte in with {
            compiler.ctes.push((cte.name.clone(), None));
            let mut compiled = compiler.query(&cte.query)?;
            for (column, name) in compiled.columns.iter_mut().zip(&cte.columns) {
                column.name.clone_from(name);
            }
            if let Some(last) = compiler.ctes.last_mut() {
                last.1 = Some(compiled);
            }
        }
        compiler.scopes.push(Scope::default());
        let from = compiler.from(from)?.unwrap_or_default();
        let rid = compiler.scopes.last().and_then(|scope| {
            scope
                .sources
                .iter()
                .find(|source| {
                    source.definition.as_ref().is_some_and(|own| own.id == table.id)
                        && (super::compile::source_is(source, target) || same(&source.alias, target.last()))
                })
                .and_then(|source| source.rid.clone())
        });
        let Some(rid) = rid else {
            return Err(SqlError::invalid_object(&target.display()));
        };
        let mut types = Vec::new();
        let mut sql = format!("SELECT {rid}");
        for expr in exprs {
            if matches!(expr, Expr::Default) {
                sql.push_str(", NULL");
                types.push(None);
                continue;
            }
            let typed = compiler.scalar(expr)?;
            sql.push_str(&format!(", {}", typed.sql));
            types.push(Some(typed.sql_type));
        }
        sql.push_str(&format!(" FROM {from}"));
        if let Some(filter) = filter {
            sql.push_str(&format!(" WHERE {}", compiler.condition(filter)?));
        }
        if let Some(top) = top {
            let limit = compiler.scalar(top)?.to(SqlType::BigInt)?.sql;
            sql.push_str(&format!(" LIMIT max({limit}, 0)"));
        }
        let rows = self.rows_of(&sql, 1 + exprs.len())?;
        let mut seen = std::collections::HashSet::new();
        let mut found = Vec::new();
        for mut row in rows {
            let values = row.split_off(1);
            // An outer join gives rows without the target.
            let Some(rid) = row.first().and_then(Value::as_int) else {
                continue;
            };
            if seen.insert(rid) {
                let values = values
                    .into_iter()
                    .zip(&types)
                    .map(|(value, own)| own.map(|own| (own, value)))
                    .collect();
                found.push((rid, values));
            }
        }
        Ok(found)
    }

    /// OUTPUT: a result, or rows of another table.
    fn output(&mut self, table: &Arc<Table>, output: Option<&Output>, changed: &[Changed]) -> Result<()> {
        let Some(output) = output else { return Ok(()) };
        let source = |alias: &str, row: Option<&Row>| Source {
            alias: alias.to_owned(),
            table: None,
            columns: table
                .columns
                .iter()
                .enumerate()
                .map(|(at, column)| {
                    let value = row.and_then(|row| row.get(at)).cloned().unwrap_or(Value::Null);
                    let mut typed = known(&value, column.sql_type);
                    typed.nullable = true;
                    (column.name.clone(), typed)
                })
                .collect(),
            rid: None,
            definition: None,
        };
        let nothing = Changed { old: None, new: None };
        let mut columns: Vec<Column> = Vec::new();
        let mut rows = Vec::new();
        // Without rows the columns are still told.
        let all: Vec<&Changed> = if changed.is_empty() {
            vec![&nothing]
        } else {
            changed.iter().collect()
        };
        for one in all {
            let mut compiler = Compiler::new(self);
            let sources = vec![
                source("inserted", one.new.as_ref()),
                source("deleted", one.old.as_ref()),
            ];
            compiler.scopes.push(Scope { sources, group: None });
            let mut typed = Vec::new();
            for item in &output.items {
                match item {
                    Item::Expr { expr, alias } => {
                        let name = alias.clone().unwrap_or_else(|| match expr {
                            Expr::Column { name, .. } => name.last().to_owned(),
                            _ => String::new(),
                        });
                        typed.push((name, compiler.scalar(expr)?));
                    }
                    Item::Star(Some(name)) => {
                        let own = compiler.scopes.last().and_then(|scope| {
                            scope
                                .sources
                                .iter()
                                .find(|source| same(&source.alias, name.last()))
                                .cloned()
                        });
                        let Some(own) = own else {
                            return Err(SqlError::new(
                                107,
                                15,
                                format!(
                                    "The column prefix '{}' does not match with a table name or alias name used in the query.",
                                    name.display()
                                ),
                            ));
                        };
                        typed.extend(own.columns);
                    }
                    _ => return Err(SqlError::syntax("*")),
                }
            }
            columns = typed
                .iter()
                .map(|(name, typed)| Column {
                    name: name.clone(),
                    sql_type: typed.sql_type,
                    nullable: true,
                    identity: false,
                })
                .collect();
            if changed.is_empty() {
                break;
            }
            if typed.iter().all(|(_, typed)| typed.constant.is_some()) {
                rows.push(
                    typed
                        .into_iter()
                        .filter_map(|(_, typed)| typed.constant)
                        .collect::<Vec<_>>(),
                );
            } else {
                let items: Vec<String> = typed.iter().map(|(_, typed)| typed.sql.clone()).collect();
                rows.extend(self.rows_of(&format!("SELECT {}", items.join(", ")), items.len())?);
            }
        }
        if let Some((into, names)) = &output.into {
            let (database, table) = self.resolve_table(into)?;
            let mut targets = Vec::new();
            for name in names {
                match table.columns.iter().position(|own| same(&own.name, name)) {
                    Some(at) => targets.push(at),
                    None => return Err(SqlError::invalid_column(name)),
                }
            }
            if names.is_empty() {
                targets = (0..table.columns.len())
                    .filter(|at| table.columns[*at].identity.is_none())
                    .collect();
            }
            if targets.len() != columns.len() {
                return Err(SqlError::new(
                    213,
                    16,
                    "Column name or number of supplied values does not match table definition.",
                )
                .effect(Effect::Compile));
            }
            let mut rids = Vec::new();
            for row in rows {
                let given = row
                    .into_iter()
                    .zip(&columns)
                    .map(|(value, column)| Some((column.sql_type, value)))
                    .collect();
                let row = self.new_row(&database, &table, &targets, given)?;
                rids.push(self.insert_row(&database, &table, &row)?);
            }
            return self.check_written(&database, &table, &rids, "INSERT", None);
        }
        self.out.columns(&columns);
        for row in &rows {
            self.out.row(&columns, row)?;
        }
        Ok(())
    }

    fn truncate(&mut self, name: &Name) -> Result<()> {
        let (database, table) = self.resolve_table(name)?;
        self.check_permission("ALTER", &database, &table.schema, &table.name, table.id)?;
        let catalog = self.catalog(&database)?;
        let referenced = catalog
            .tables
            .iter()
            .any(|other| other.id != table.id && other.foreign_keys.iter().any(|key| key.table == table.id));
        if referenced {
            return Err(SqlError::new(
                4712,
                16,
                format!(
                    "Cannot truncate table '{}' because it is being referenced by a FOREIGN KEY constraint.",
                    table.name
                ),
            ));
        }
        self.write(|engine| {
            engine
                .connection
                .execute_batch(&format!(
                    "DELETE FROM {0}.{1}; DELETE FROM {0}.\"$identity\" WHERE id = {2}",
                    database.alias,
                    table.physical(),
                    table.id
                ))
                .map_err(|error| engine.sqlite(error))
        })
    }

    /// SELECT ... INTO: a new table of the query's columns.
    pub(super) fn select_into(&mut self, into: &Name, compiled: &super::compile::Compiled) -> Result<()> {
        let count = self.write(|engine| {
            let rows = engine.rows_of(&compiled.sql, compiled.columns.len())?;
            let (database, table) = engine.create_from_columns(into, &compiled.columns)?;
            for row in &rows {
                engine.insert_row(&database, &table, row)?;
            }
            Ok(rows.len())
        })?;
        self.rows = count as i64;
        self.finish_rows();
        Ok(())
    }
}
