//! Queries as SQLite runs them: names are resolved and types are known here, so that errors carry SQL Server's numbers and
//! results SQL Server's types.

use std::sync::Arc;

use super::Engine;
use super::resolve::Resolved;
use crate::sandbox::mssql::ast::{Body, Expr, Item, JoinKind, Name, Order, Query, Select, SetOp, TableRef};
use crate::sandbox::mssql::catalog::{Table, physical_column, same};
use crate::sandbox::mssql::collation;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::tds::token::Column;
use crate::sandbox::mssql::value::{SqlType, Value, cast};

/// An expression of SQLite with its type.
#[derive(Clone, Debug)]
pub struct Typed {
    pub sql: String,
    pub sql_type: SqlType,
    /// Its value, when it is known already.
    pub constant: Option<Value>,
    pub nullable: bool,
    pub identity: bool,
}

impl Typed {
    pub fn new(sql: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            sql: sql.into(),
            sql_type,
            constant: None,
            nullable: true,
            identity: false,
        }
    }

    pub fn constant(value: Value, sql_type: SqlType) -> Self {
        Self {
            sql: literal(&value),
            sql_type,
            nullable: value.is_null(),
            constant: Some(value),
            identity: false,
        }
    }

    /// A NULL without a type of its own.
    pub fn is_null(&self) -> bool {
        self.constant.as_ref().is_some_and(Value::is_null)
    }

    /// Converted to another type, at once when the value is known.
    pub fn to(&self, to: SqlType) -> Result<Self> {
        if self.sql_type == to {
            return Ok(self.clone());
        }
        if let Some(value) = &self.constant {
            return Ok(Self::constant(cast(value, self.sql_type, to)?, to));
        }
        // Longer texts of the same kind need no work.
        let grows = |one: SqlType, two: SqlType| match (one, two) {
            (SqlType::NVarChar(_) | SqlType::VarChar(_), SqlType::NVarChar(None)) => true,
            (SqlType::NVarChar(Some(one)) | SqlType::VarChar(Some(one)), SqlType::NVarChar(Some(two))) => one <= two,
            (SqlType::VarChar(Some(one)), SqlType::VarChar(Some(two))) => one <= two,
            (SqlType::VarChar(Some(_)), SqlType::VarChar(None)) => true,
            (SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::Bit, SqlType::BigInt) => true,
            (SqlType::TinyInt | SqlType::SmallInt | SqlType::Bit, SqlType::Int) => true,
            _ => false,
        };
        let sql = if grows(self.sql_type, to) {
            self.sql.clone()
        } else {
            format!("msd('cast',{},'{}','{}')", self.sql, self.sql_type.name(), to.name())
        };
        Ok(Self {
            sql,
            sql_type: to,
            constant: None,
            nullable: self.nullable,
            identity: false,
        })
    }

    /// With the collation, where texts are compared.
    pub fn collated(&self) -> String {
        if self.sql_type.is_text() {
            format!("({} COLLATE {})", self.sql, collation::NAME)
        } else {
            self.sql.clone()
        }
    }
}

/// A value as SQLite writes it.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => format!("{number:?}"),
        Value::Float(_) => "NULL".to_owned(),
        // A text literal of SQLite ends at a zero byte.
        Value::Text(text) if text.contains('\0') => {
            format!("CAST({} AS TEXT)", literal(&Value::Bytes(text.clone().into_bytes())))
        }
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("x'{digits}'")
        }
    }
}

/// A table, view or query that columns can be named from.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called in the statement.
    pub alias: String,
    /// Schema and table, when it is called by its own name.
    pub table: Option<(String, String)>,
    pub columns: Vec<(String, Typed)>,
    /// SQLite's name of the row's key, for a table.
    pub rid: Option<String>,
    pub definition: Option<Arc<Table>>,
}

/// A query as SQLite runs it. Its columns are called `o0`, `o1`, ...
#[derive(Clone, Debug)]
pub struct Compiled {
    pub sql: String,
    pub columns: Vec<Column>,
}

/// One level of names. Inner levels see outer ones.
#[derive(Default)]
pub struct Scope {
    pub sources: Vec<Source>,
    /// In a grouped query: what is grouped by, as SQLite's text and as it was written.
    pub group: Option<(Vec<String>, Vec<Expr>)>,
}

pub struct Compiler<'e> {
    pub engine: &'e mut Engine,
    pub scopes: Vec<Scope>,
    /// The queries of WITH: name and, once compiled, what stands for it.
    pub ctes: Vec<(String, Option<Compiled>)>,
    pub counter: usize,
    /// Inside of an aggregate the columns need not be grouped by.
    pub in_aggregate: bool,
    /// How deep views stand in views.
    pub depth: usize,
}

impl<'e> Compiler<'e> {
    pub fn new(engine: &'e mut Engine) -> Self {
        Self {
            engine,
            scopes: Vec::new(),
            ctes: Vec::new(),
            counter: 0,
            in_aggregate: false,
            depth: 0,
        }
    }

    pub fn fresh(&mut self) -> String {
        self.counter += 1;
        format!("s{}", self.counter)
    }

    pub fn query(&mut self, query: &Query) -> Result<Compiled> {
        let before = self.ctes.len();
        for cte in &query.with {
            self.ctes.push((cte.name.clone(), None));
            let mut compiled = self.query(&cte.query)?;
            if !cte.columns.is_empty() {
                if cte.columns.len() != compiled.columns.len() {
                    return Err(column_count(&cte.name, cte.columns.len(), compiled.columns.len()));
                }
                for (column, name) in compiled.columns.iter_mut().zip(&cte.columns) {
                    column.name.clone_from(name);
                }
            }
            if let Some(last) = self.ctes.last_mut() {
                last.1 = Some(compiled);
            }
        }
        let compiled = self.ordered(query);
        self.ctes.truncate(before);
        compiled
    }

    fn ordered(&mut self, query: &Query) -> Result<Compiled> {
        if let Body::Select(select) = &query.body {
            return self.select(select, query);
        }
        let body = self.body(&query.body)?;
        let mut order = Vec::new();
        for item in &query.order {
            match output_position(&item.by, &body.columns)? {
                Some(at) => order.push(position_order(at, &body.columns, item)),
                None => {
                    return Err(SqlError::new(
                        104,
                        16,
                        "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or \
                         EXCEPT operator.",
                    ));
                }
            }
        }
        let mut sql = format!("SELECT * FROM ({})", body.sql);
        self.tail(&mut sql, &order, query, None)?;
        Ok(Compiled {
            sql,
            columns: body.columns,
        })
    }

    fn tail(&mut self, sql: &mut String, order: &[String], query: &Query, top: Option<&Expr>) -> Result<()> {
        if !order.is_empty() {
            sql.push_str(" ORDER BY ");
            sql.push_str(&order.join(", "));
        }
        let count = |compiler: &mut Self, expr: &Expr| -> Result<String> {
            Ok(compiler.scalar(expr)?.to(SqlType::BigInt)?.sql)
        };
        if let Some(top) = top {
            let limit = count(self, top)?;
            sql.push_str(&format!(" LIMIT max({limit}, 0)"));
        } else if let Some(offset) = &query.offset {
            let offset = count(self, offset)?;
            let limit = match &query.fetch {
                Some(fetch) => count(self, fetch)?,
                None => "-1".to_owned(),
            };
            sql.push_str(&format!(" LIMIT {limit} OFFSET {offset}"));
        }
        Ok(())
    }

    fn body(&mut self, body: &Body) -> Result<Compiled> {
        match body {
            Body::Select(select) => {
                let alone = Query {
                    with: Vec::new(),
                    body: Body::Values(Vec::new()),
                    order: Vec::new(),
                    offset: None,
                    fetch: None,
                };
                self.select(select, &alone)
            }
            Body::Query(query) => self.query(query),
            Body::Values(rows) => self.values(rows),
            Body::Set { op, left, right } => {
                let left = self.body(left)?;
                let right = self.body(right)?;
                if left.columns.len() != right.columns.len() {
                    return Err(SqlError::new(
                        205,
                        16,
                        "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of \
                         expressions in their target lists.",
                    ));
                }
                let columns: Vec<Column> = left
                    .columns
                    .iter()
                    .zip(&right.columns)
                    .map(|(one, two)| Column {
                        name: one.name.clone(),
                        sql_type: one.sql_type.common(two.sql_type),
                        nullable: one.nullable || two.nullable,
                        identity: false,
                    })
                    .collect();
                let word = match op {
                    SetOp::Union => "UNION",
                    SetOp::UnionAll => "UNION ALL",
                    SetOp::Except => "EXCEPT",
                    SetOp::Intersect => "INTERSECT",
                };
                let (one, two) = (recast(&left, &columns)?, recast(&right, &columns)?);
                Ok(Compiled {
                    sql: format!("{one} {word} {two}"),
                    columns,
                })
            }
        }
    }

    fn values(&mut self, rows: &[Vec<Expr>]) -> Result<Compiled> {
        let width = rows.first().map_or(0, Vec::len);
        let mut compiled = Vec::new();
        for row in rows {
            if row.len() != width {
                return Err(SqlError::new(
                    10709,
                    16,
                    "The number of columns for each row in a table value constructor must be the same.",
                ));
            }
            compiled.push(row.iter().map(|expr| self.scalar(expr)).collect::<Result<Vec<_>>>()?);
        }
        let mut columns: Vec<Column> = Vec::new();
        for at in 0..width {
            let mut sql_type: Option<SqlType> = None;
            for row in &compiled {
                if let Some(typed) = row.get(at).filter(|typed| !typed.is_null()) {
                    sql_type = Some(sql_type.map_or(typed.sql_type, |known| known.common(typed.sql_type)));
                }
            }
            let sql_type = sql_type.unwrap_or(SqlType::Int);
            columns.push(Column {
                name: String::new(),
                sql_type,
                nullable: true,
                identity: false,
            });
        }
        let mut parts = Vec::new();
        for row in &compiled {
            let items = row
                .iter()
                .zip(&columns)
                .enumerate()
                .map(|(at, (typed, column))| Ok(format!("{} AS o{at}", typed.to(column.sql_type)?.sql)))
                .collect::<Result<Vec<_>>>()?;
            parts.push(format!("SELECT {}", items.join(", ")));
        }
        Ok(Compiled {
            sql: parts.join(" UNION ALL "),
            columns,
        })
    }

    fn select(&mut self, select: &Select, query: &Query) -> Result<Compiled> {
        self.scopes.push(Scope::default());
        let result = self.select_in_scope(select, query);
        self.scopes.pop();
        result
    }

    fn select_in_scope(&mut self, select: &Select, query: &Query) -> Result<Compiled> {
        let from = self.from(&select.from)?;
        let filter = match &select.filter {
            Some(filter) => Some(self.condition(filter)?),
            None => None,
        };
        let grouped = !select.group.is_empty()
            || select.having.is_some()
            || select.items.iter().any(|item| match item {
                Item::Expr { expr, .. } | Item::Assign { expr, .. } => super::expr::has_aggregate(expr),
                Item::Star(_) => false,
            });
        let mut group_sql = Vec::new();
        for expr in &select.group {
            group_sql.push(self.scalar(expr)?.collated());
        }
        if grouped {
            let plain = select
                .group
                .iter()
                .map(|expr| self.scalar(expr).map(|typed| typed.sql))
                .collect::<Result<_>>()?;
            if let Some(scope) = self.scopes.last_mut() {
                scope.group = Some((plain, select.group.clone()));
            }
        }
        let mut outputs: Vec<(String, Typed)> = Vec::new();
        for item in &select.items {
            match item {
                Item::Expr { expr, alias } => {
                    let typed = self.scalar(expr)?;
                    let name = alias.clone().unwrap_or_else(|| match expr {
                        Expr::Column { name, .. } => name.last().to_owned(),
                        _ => String::new(),
                    });
                    outputs.push((name, typed));
                }
                Item::Assign { variable, expr } => {
                    let sql_type = self.engine.variable(variable)?.0;
                    outputs.push((String::new(), self.scalar(expr)?.to(sql_type)?));
                }
                Item::Star(qualifier) => outputs.extend(self.star(qualifier.as_ref())?),
            }
        }
        let having = match &select.having {
            Some(having) => Some(self.condition(having)?),
            None => None,
        };
        let columns: Vec<Column> = outputs
            .iter()
            .map(|(name, typed)| Column {
                name: name.clone(),
                sql_type: typed.sql_type,
                nullable: typed.nullable,
                identity: typed.identity,
            })
            .collect();
        let mut order = Vec::new();
        for item in &query.order {
            let by_name = output_position(&item.by, &columns)?;
            match by_name {
                Some(at) => order.push(position_order(at, &columns, item)),
                None => {
                    if select.distinct {
                        return Err(SqlError::new(
                            145,
                            15,
                            "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.",
                        ));
                    }
                    let typed = self.scalar(&item.by)?;
                    order.push(format!(
                        "{}{}",
                        typed.collated(),
                        if item.descending { " DESC" } else { "" }
                    ));
                }
            }
        }
        let items: Vec<String> = outputs
            .iter()
            .enumerate()
            .map(|(at, (_, typed))| {
                let sql = if select.distinct {
                    typed.collated()
                } else {
                    typed.sql.clone()
                };
                format!("{sql} AS o{at}")
            })
            .collect();
        let mut sql = format!(
            "SELECT {}{}",
            if select.distinct { "DISTINCT " } else { "" },
            items.join(", ")
        );
        if let Some(from) = from {
            sql.push_str(&format!(" FROM {from}"));
        }
        if let Some(filter) = filter {
            sql.push_str(&format!(" WHERE {filter}"));
        }
        if !group_sql.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", group_sql.join(", ")));
        }
        if let Some(having) = having {
            sql.push_str(&format!(" HAVING {having}"));
        }
        // The tail is compiled outside of the grouping: TOP and OFFSET name no columns.
        if let Some(scope) = self.scopes.last_mut() {
            scope.group = None;
        }
        self.tail(&mut sql, &order, query, select.top.as_ref())?;
        Ok(Compiled { sql, columns })
    }

    fn star(&mut self, qualifier: Option<&Name>) -> Result<Vec<(String, Typed)>> {
        let Some(scope) = self.scopes.last() else {
            return Err(SqlError::internal("a star without a scope"));
        };
        let mut all = Vec::new();
        for source in &scope.sources {
            if qualifier.is_none_or(|qualifier| source_is(source, qualifier)) {
                all.extend(source.columns.iter().cloned());
            }
        }
        if let Some(qualifier) = qualifier
            && !scope.sources.iter().any(|source| source_is(source, qualifier))
        {
            return Err(SqlError::new(
                107,
                15,
                format!(
                    "The column prefix '{}' does not match with a table name or alias name used in the query.",
                    qualifier.display()
                ),
            ));
        }
        if scope.sources.is_empty() {
            return Err(SqlError::new(263, 16, "Must specify table to select from."));
        }
        Ok(all)
    }

    /// FROM. The sources are added to the current scope.
    pub fn from(&mut self, from: &[TableRef]) -> Result<Option<String>> {
        let mut parts = Vec::new();
        for table in from {
            parts.push(self.table_ref(table)?);
        }
        Ok((!parts.is_empty()).then(|| parts.join(" CROSS JOIN ")))
    }

    fn table_ref(&mut self, table: &TableRef) -> Result<String> {
        match table {
            TableRef::Table { name, alias, line } => {
                let (sql, source) = self.named(name, alias.as_deref()).map_err(|error| error.at(*line))?;
                self.add(source)?;
                Ok(sql)
            }
            TableRef::Derived { query, alias, columns } => {
                // A derived table does not see its neighbours.
                let scope = self.scopes.pop();
                let compiled = self.query(query);
                self.scopes.extend(scope);
                let mut compiled = compiled?;
                if !columns.is_empty() {
                    if columns.len() != compiled.columns.len() {
                        return Err(column_count(alias, columns.len(), compiled.columns.len()));
                    }
                    for (column, name) in compiled.columns.iter_mut().zip(columns) {
                        column.name.clone_from(name);
                    }
                }
                let (sql, source) = self.derived(&compiled, alias);
                self.add(source)?;
                Ok(sql)
            }
            TableRef::Join { kind, left, right, on } => {
                let left = self.table_ref(left)?;
                let right = match right.as_ref() {
                    nested @ TableRef::Join { .. } => format!("({})", self.table_ref(nested)?),
                    other => self.table_ref(other)?,
                };
                let word = match kind {
                    JoinKind::Inner => "JOIN",
                    JoinKind::Left => "LEFT JOIN",
                    JoinKind::Right => "RIGHT JOIN",
                    JoinKind::Full => "FULL JOIN",
                    JoinKind::Cross => "CROSS JOIN",
                };
                match on {
                    Some(on) => Ok(format!("{left} {word} {right} ON {}", self.condition(on)?)),
                    None => Ok(format!("{left} {word} {right}")),
                }
            }
        }
    }

    fn add(&mut self, source: Source) -> Result<()> {
        let Some(scope) = self.scopes.last_mut() else {
            return Err(SqlError::internal("a table without a scope"));
        };
        if scope
            .sources
            .iter()
            .any(|other| same(&other.alias, &source.alias) && other.table == source.table)
        {
            return Err(SqlError::new(
                1011,
                16,
                format!(
                    "The correlation name '{}' is specified multiple times in a FROM clause.",
                    source.alias
                ),
            ));
        }
        scope.sources.push(source);
        Ok(())
    }

    fn derived(&mut self, compiled: &Compiled, alias: &str) -> (String, Source) {
        let own = self.fresh();
        let columns = compiled
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let mut typed = Typed::new(format!("{own}.o{at}"), column.sql_type);
                typed.nullable = column.nullable;
                (column.name.clone(), typed)
            })
            .collect();
        let source = Source {
            alias: alias.to_owned(),
            table: None,
            columns,
            rid: None,
            definition: None,
        };
        (format!("({}) AS {own}", compiled.sql), source)
    }

    /// A table, a view, a query of WITH or a view of the catalog by its name.
    pub fn named(&mut self, name: &Name, alias: Option<&str>) -> Result<(String, Source)> {
        let shown = alias.unwrap_or(name.last()).to_owned();
        if name.0.len() == 1
            && let Some((_, compiled)) = self.ctes.iter().rev().find(|(cte, _)| same(cte, name.last()))
        {
            let Some(compiled) = compiled.clone() else {
                return Err(SqlError::unsupported(format!(
                    "the recursive common table expression '{}'",
                    name.last()
                )));
            };
            return Ok(self.derived(&compiled, &shown));
        }
        match self.engine.resolve(name)? {
            Resolved::Table { database, table } => {
                self.engine
                    .check_permission("SELECT", &database, &table.schema, &table.name, table.id)?;
                let own = self.fresh();
                let columns = table
                    .columns
                    .iter()
                    .map(|column| {
                        let mut typed = Typed::new(format!("{own}.{}", physical_column(column.id)), column.sql_type);
                        typed.nullable = column.nullable;
                        typed.identity = column.identity.is_some();
                        (column.name.clone(), typed)
                    })
                    .collect();
                let sql = format!("{}.{} AS {own}", database.alias, table.physical());
                let source = Source {
                    alias: shown,
                    table: alias.is_none().then(|| (table.schema.clone(), table.name.clone())),
                    columns,
                    rid: Some(format!("{own}.rid")),
                    definition: Some(table),
                };
                Ok((sql, source))
            }
            Resolved::View { database, view } => {
                self.engine
                    .check_permission("SELECT", &database, &view.schema, &view.name, view.id)?;
                if self.depth >= 32 {
                    return Err(SqlError::new(
                        217,
                        16,
                        "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).",
                    ));
                }
                let query = crate::sandbox::mssql::parser::query(&view.text)?;
                let scopes = std::mem::take(&mut self.scopes);
                let ctes = std::mem::take(&mut self.ctes);
                let home = self.engine.enter_database(&database);
                self.depth += 1;
                let compiled = self.query(&query);
                self.depth -= 1;
                self.engine.leave_database(home);
                self.scopes = scopes;
                self.ctes = ctes;
                let mut compiled = compiled?;
                for (column, name) in compiled.columns.iter_mut().zip(&view.columns) {
                    column.name.clone_from(name);
                }
                Ok(self.derived(&compiled, &shown))
            }
            Resolved::System { columns, rows } => {
                let sql = if rows.is_empty() {
                    let items: Vec<String> = (0..columns.len()).map(|at| format!("NULL AS o{at}")).collect();
                    format!("SELECT {} WHERE 0", items.join(", "))
                } else {
                    let rows: Vec<String> = rows
                        .iter()
                        .map(|row| format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(",")))
                        .collect();
                    let items: Vec<String> = (0..columns.len())
                        .map(|at| format!("column{} AS o{at}", at + 1))
                        .collect();
                    format!("SELECT {} FROM (VALUES {})", items.join(", "), rows.join(","))
                };
                let columns = columns
                    .into_iter()
                    .map(|(name, sql_type)| Column {
                        name: name.to_owned(),
                        sql_type,
                        nullable: true,
                        identity: false,
                    })
                    .collect();
                Ok(self.derived(&Compiled { sql, columns }, &shown))
            }
        }
    }

    /// A column by its name, from the innermost level outwards.
    pub fn column(&mut self, name: &Name, line: u32) -> Result<Typed> {
        let (column, qualifier) = match name.0.split_last() {
            Some((column, [])) => (column.as_str(), None),
            Some((column, qualifier)) => (column.as_str(), Some(Name(qualifier.to_vec()))),
            None => return Err(SqlError::internal("a column without a name")),
        };
        for (level, scope) in self.scopes.iter().enumerate().rev() {
            let mut found: Option<&Typed> = None;
            let mut qualified = false;
            for source in &scope.sources {
                if let Some(qualifier) = &qualifier {
                    if !source_is(source, qualifier) {
                        continue;
                    }
                    qualified = true;
                }
                for (candidate, typed) in &source.columns {
                    if same(candidate, column) {
                        if found.is_some() {
                            return Err(SqlError::new(209, 16, format!("Ambiguous column name '{column}'.")).at(line));
                        }
                        found = Some(typed);
                    }
                }
            }
            if let Some(typed) = found {
                if level + 1 == self.scopes.len()
                    && !self.in_aggregate
                    && let Some((plain, _)) = &scope.group
                    && !plain.contains(&typed.sql)
                {
                    let table = scope
                        .sources
                        .iter()
                        .find(|source| source.columns.iter().any(|(_, other)| other.sql == typed.sql))
                        .map_or("", |source| source.alias.as_str());
                    return Err(SqlError::new(
                        8120,
                        16,
                        format!(
                            "Column '{table}.{column}' is invalid in the select list because it is not contained in \
                             either an aggregate function or the GROUP BY clause."
                        ),
                    )
                    .at(line));
                }
                return Ok(typed.clone());
            }
            if qualified {
                return Err(SqlError::invalid_column(column).at(line));
            }
        }
        match qualifier {
            Some(_) => Err(SqlError::new(
                4104,
                16,
                format!("The multi-part identifier \"{}\" could not be bound.", name.display()),
            )
            .at(line)),
            None => Err(SqlError::invalid_column(column).at(line)),
        }
    }
}

/// Whether a source goes by that name: its alias, or its table's name with the schema.
pub fn source_is(source: &Source, qualifier: &Name) -> bool {
    match qualifier.0.as_slice() {
        [alias] => same(&source.alias, alias),
        [.., schema, table] => source
            .table
            .as_ref()
            .is_some_and(|(own, name)| same(name, table) && (schema.is_empty() || same(own, schema))),
        [] => false,
    }
}

fn column_count(name: &str, wanted: usize, has: usize) -> SqlError {
    if wanted < has {
        SqlError::new(
            8158,
            16,
            format!("'{name}' has more columns than were specified in the column list."),
        )
    } else {
        SqlError::new(
            8159,
            16,
            format!("'{name}' has fewer columns than were specified in the column list."),
        )
    }
}

/// Which output ORDER BY means: by number or by name.
fn output_position(by: &Expr, columns: &[Column]) -> Result<Option<usize>> {
    match by {
        Expr::Int(number) => {
            let at = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
            match at.filter(|at| *at < columns.len()) {
                Some(at) => Ok(Some(at)),
                None => Err(SqlError::new(
                    108,
                    16,
                    format!(
                        "The ORDER BY position number {number} is out of range of the number of items in the select list."
                    ),
                )),
            }
        }
        Expr::Column { name, .. } if name.0.len() == 1 => {
            Ok(columns.iter().position(|column| same(&column.name, name.last())))
        }
        // `ORDER BY c.Name` under DISTINCT and UNION: the output of that name.
        _ => Ok(None),
    }
}

fn position_order(at: usize, columns: &[Column], order: &Order) -> String {
    let text = columns.get(at).is_some_and(|column| column.sql_type.is_text());
    let collate = if text {
        format!(" COLLATE {}", collation::NAME)
    } else {
        String::new()
    };
    format!("{}{collate}{}", at + 1, if order.descending { " DESC" } else { "" })
}

/// A compiled query as a part of UNION: each column in the common type, and compared as text is.
fn recast(compiled: &Compiled, columns: &[Column]) -> Result<String> {
    let items = compiled
        .columns
        .iter()
        .zip(columns)
        .enumerate()
        .map(|(at, (own, common))| {
            let typed = Typed::new(format!("o{at}"), own.sql_type).to(common.sql_type)?;
            Ok(format!("{} AS o{at}", typed.collated()))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(format!("SELECT {} FROM ({})", items.join(", "), compiled.sql))
}
