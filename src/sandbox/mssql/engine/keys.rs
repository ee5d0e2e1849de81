//! What holds between rows: unique indexes, foreign keys and checks. All are looked at when the statement has written its
//! rows, so that an UPDATE may pass through states that would not do.

use std::sync::Arc;

use super::calls::known;
use super::compile::{Compiler, Scope, Source, Typed, literal};
use super::dml::{Changed, Row};
use super::{Database, Engine};
use crate::sandbox::mssql::ast::Action;
use crate::sandbox::mssql::catalog::{Index, IndexKind, Table, physical_column, same};
use crate::sandbox::mssql::collation;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::parser;
use crate::sandbox::mssql::value::{Value, show};

impl Engine {
    /// Rows were inserted or updated (`columns`: which of them).
    pub(super) fn check_written(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        rids: &[i64],
        word: &str,
        columns: Option<&[usize]>,
    ) -> Result<()> {
        if rids.is_empty() {
            return Ok(());
        }
        let touched =
            |name: &str| columns.is_none_or(|columns| columns.iter().any(|at| same(&table.columns[*at].name, name)));
        for index in table.indexes.iter().filter(|index| index.unique) {
            // A filter may name any column.
            if index.filter.is_some() || index.columns.iter().any(|(name, _)| touched(name)) {
                self.check_unique(database, table, index, Some(rids))?;
            }
        }
        for check in table.checks.iter().filter(|check| !check.disabled) {
            let expr = parser::expression(&check.text)?;
            for rid in rids {
                let Some(row) = self.read_row(database, table, *rid)? else {
                    continue;
                };
                let source = constant_source(table, &row);
                let mut compiler = Compiler::new(self);
                compiler.scopes.push(Scope {
                    sources: vec![source],
                    group: None,
                });
                let condition = compiler.condition(&expr)?;
                let broken = self.rows_of(&format!("SELECT 1 WHERE NOT {condition}"), 1)?;
                if !broken.is_empty() {
                    return Err(self.conflict(word, "CHECK", &check.name, database, table, None));
                }
            }
        }
        let catalog = self.catalog(database)?;
        for key in table.foreign_keys.iter().filter(|key| !key.disabled) {
            if !key.columns.iter().any(|name| touched(name)) {
                continue;
            }
            let Some(parent) = catalog.table_by_id(key.table).cloned() else {
                continue;
            };
            for rid in rids {
                let Some(row) = self.read_row(database, table, *rid)? else {
                    continue;
                };
                let values = key_values(table, &key.columns, &row);
                if values.iter().any(Value::is_null) {
                    continue;
                }
                if self
                    .find_by(database, &parent, &key.referenced, &values, true)?
                    .is_empty()
                {
                    let column = (key.referenced.len() == 1).then(|| key.referenced[0].clone());
                    let kind = if key.table == table.id {
                        "FOREIGN KEY SAME TABLE"
                    } else {
                        "FOREIGN KEY"
                    };
                    return Err(self.conflict(word, kind, &key.name, database, &parent, column.as_deref()));
                }
            }
        }
        Ok(())
    }

    fn conflict(
        &self,
        word: &str,
        kind: &str,
        constraint: &str,
        database: &Database,
        table: &Table,
        column: Option<&str>,
    ) -> SqlError {
        let column = column.map_or_else(String::new, |column| format!(", column '{column}'"));
        SqlError::new(
            547,
            16,
            format!(
                "The {word} statement conflicted with the {kind} constraint \"{constraint}\". The conflict occurred in \
                 database \"{}\", table \"{}\"{column}.",
                database.name,
                table.display()
            ),
        )
        .state(0)
    }

    /// That no two rows are the same under a unique index; NULL equals NULL. `rids`: only these rows are new.
    pub(super) fn check_unique(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        index: &Index,
        rids: Option<&[i64]>,
    ) -> Result<()> {
        let keys: Vec<_> = index
            .columns
            .iter()
            .filter_map(|(name, _)| table.column(name))
            .collect();
        let equal: Vec<String> = keys
            .iter()
            .map(|column| {
                let name = physical_column(column.id);
                let collate = if column.sql_type.is_text() {
                    format!(" COLLATE {}", collation::NAME)
                } else {
                    String::new()
                };
                format!("b.{name}{collate} IS a.{name}")
            })
            .collect();
        let mut filters = String::new();
        if let Some(filter) = &index.filter {
            for own in ["a", "b"] {
                filters.push_str(&format!(" AND {}", self.filter_sql(table, filter, own)?));
            }
        }
        let chunks: Vec<String> = match rids {
            Some(rids) => rids
                .chunks(500)
                .map(|part| {
                    let list: Vec<String> = part.iter().map(i64::to_string).collect();
                    format!(" AND a.rid IN ({})", list.join(","))
                })
                .collect(),
            None => vec![String::new()],
        };
        let names: Vec<String> = keys
            .iter()
            .map(|column| format!("a.{}", physical_column(column.id)))
            .collect();
        for chunk in chunks {
            let sql = format!(
                "SELECT {} FROM {db}.{t} AS a JOIN {db}.{t} AS b ON {} AND b.rid <> a.rid WHERE 1{filters}{chunk} LIMIT 1",
                names.join(", "),
                equal.join(" AND "),
                db = database.alias,
                t = table.physical(),
            );
            if let Some(row) = self.rows_of(&sql, names.len())?.pop() {
                let shown: Vec<String> = row
                    .iter()
                    .zip(&keys)
                    .map(|(value, column)| {
                        if value.is_null() {
                            "<NULL>".to_owned()
                        } else {
                            show(value, column.sql_type)
                        }
                    })
                    .collect();
                let shown = shown.join(", ");
                if rids.is_none() {
                    return Err(SqlError::new(
                        1505,
                        16,
                        format!(
                            "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object \
                             name '{}' and the index name '{}'. The duplicate key value is ({shown}).",
                            table.display(),
                            index.name
                        ),
                    ));
                }
                let object = table.display();
                return Err(match index.kind {
                    IndexKind::Index => SqlError::new(
                        2601,
                        14,
                        format!(
                            "Cannot insert duplicate key row in object '{object}' with unique index '{}'. The duplicate key \
                             value is ({shown}).",
                            index.name
                        ),
                    ),
                    ref kind => SqlError::new(
                        2627,
                        14,
                        format!(
                            "Violation of {} constraint '{}'. Cannot insert duplicate key in object '{object}'. The \
                             duplicate key value is ({shown}).",
                            if *kind == IndexKind::PrimaryKey {
                                "PRIMARY KEY"
                            } else {
                                "UNIQUE KEY"
                            },
                            index.name
                        ),
                    ),
                });
            }
        }
        Ok(())
    }

    /// A filter of an index over a table that SQLite's query calls `own` (empty: by its columns alone).
    pub(super) fn filter_sql(&mut self, table: &Arc<Table>, filter: &str, own: &str) -> Result<String> {
        let expr = parser::expression(filter)?;
        let prefix = if own.is_empty() {
            String::new()
        } else {
            format!("{own}.")
        };
        let columns = table
            .columns
            .iter()
            .map(|column| {
                (
                    column.name.clone(),
                    Typed::new(format!("{prefix}{}", physical_column(column.id)), column.sql_type),
                )
            })
            .collect();
        let source = Source {
            alias: table.name.clone(),
            table: None,
            columns,
            rid: None,
            definition: None,
        };
        let mut compiler = Compiler::new(self);
        compiler.scopes.push(Scope {
            sources: vec![source],
            group: None,
        });
        compiler.condition(&expr)
    }

    /// The rows of a table with these values in these columns. `any`: one is enough.
    fn find_by(
        &mut self,
        database: &Database,
        table: &Table,
        columns: &[String],
        values: &[Value],
        any: bool,
    ) -> Result<Vec<i64>> {
        let mut parts = Vec::new();
        for (name, value) in columns.iter().zip(values) {
            let Some(column) = table.column(name) else {
                return Err(SqlError::internal(format!("the column '{name}' of a key")));
            };
            let collate = if column.sql_type.is_text() {
                format!(" COLLATE {}", collation::NAME)
            } else {
                String::new()
            };
            parts.push(format!("{}{collate} = {}", physical_column(column.id), literal(value)));
        }
        let sql = format!(
            "SELECT rid FROM {}.{} WHERE {}{}",
            database.alias,
            table.physical(),
            parts.join(" AND "),
            if any { " LIMIT 1" } else { "" }
        );
        Ok(self
            .rows_of(&sql, 1)?
            .iter()
            .filter_map(|row| row.first().and_then(Value::as_int))
            .collect())
    }

    /// Deletes rows, and what hangs on them.
    pub(super) fn delete_rows(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        rows: Vec<(i64, Row)>,
        depth: usize,
    ) -> Result<()> {
        // Cascades go no deeper than there are tables, but for rows that point to rows of their own table.
        if depth > 200 {
            return Err(SqlError::unsupported("a cascade through more than 200 rows"));
        }
        for chunk in rows.chunks(500) {
            let list: Vec<String> = chunk.iter().map(|(rid, _)| rid.to_string()).collect();
            self.connection
                .execute(
                    &format!(
                        "DELETE FROM {}.{} WHERE rid IN ({})",
                        database.alias,
                        table.physical(),
                        list.join(",")
                    ),
                    [],
                )
                .map_err(|error| self.sqlite(error))?;
        }
        let old: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        self.follow(database, table, &old, None, depth)
    }

    /// Keys that others point to were updated.
    pub(super) fn after_key_change(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        changed: &[Changed],
        columns: &[usize],
    ) -> Result<()> {
        let catalog = self.catalog(database)?;
        let pointed = catalog.tables.iter().flat_map(|child| &child.foreign_keys).any(|key| {
            key.table == table.id
                && key
                    .referenced
                    .iter()
                    .any(|name| columns.iter().any(|at| same(&table.columns[*at].name, name)))
        });
        if !pointed {
            return Ok(());
        }
        for one in changed {
            if let (Some(old), Some(new)) = (&one.old, &one.new) {
                self.follow(database, table, std::slice::from_ref(old), Some(new), 0)?;
            }
        }
        Ok(())
    }

    /// What the foreign keys of other tables do when rows are gone (`new` is `None`) or have another key.
    fn follow(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        old: &[Row],
        new: Option<&Row>,
        depth: usize,
    ) -> Result<()> {
        let catalog = self.catalog(database)?;
        for child in &catalog.tables {
            for key in child
                .foreign_keys
                .iter()
                .filter(|key| key.table == table.id && !key.disabled)
            {
                for row in old {
                    let values = key_values(table, &key.referenced, row);
                    let renewed = new.map(|new| key_values(table, &key.referenced, new));
                    if values.iter().any(Value::is_null) || renewed.as_ref() == Some(&values) {
                        continue;
                    }
                    // Another row may have the key still: updated by the same statement.
                    if !self
                        .find_by(database, table, &key.referenced, &values, true)?
                        .is_empty()
                    {
                        continue;
                    }
                    let rids = self.find_by(database, child, &key.columns, &values, false)?;
                    if rids.is_empty() {
                        continue;
                    }
                    let action = if new.is_some() { key.on_update } else { key.on_delete };
                    if action == Action::NoAction {
                        let column = (key.columns.len() == 1).then(|| key.columns[0].clone());
                        let word = if new.is_some() { "UPDATE" } else { "DELETE" };
                        let kind = if child.id == table.id {
                            "SAME TABLE REFERENCE"
                        } else {
                            "REFERENCE"
                        };
                        return Err(self.conflict(word, kind, &key.name, database, child, column.as_deref()));
                    }
                    let mut found = Vec::new();
                    for rid in rids {
                        if let Some(row) = self.read_row(database, child, rid)? {
                            found.push((rid, row));
                        }
                    }
                    if action == Action::Cascade && new.is_none() {
                        self.delete_rows(database, child, found, depth + 1)?;
                        continue;
                    }
                    let mut touched = Vec::new();
                    for (rid, mut row) in found {
                        for (at, name) in key.columns.iter().enumerate() {
                            let Some(position) = child.columns.iter().position(|own| same(&own.name, name)) else {
                                continue;
                            };
                            let column = &child.columns[position];
                            let value = match (action, &renewed) {
                                (Action::Cascade, Some(renewed)) => renewed.get(at).cloned().unwrap_or(Value::Null),
                                (Action::SetDefault, _) => self.default_of(database, child, column)?,
                                _ => Value::Null,
                            };
                            self.refuse_null(database, child, column, &value, "UPDATE")?;
                            row[position] = value;
                        }
                        self.update_row(database, child, rid, &row)?;
                        touched.push(rid);
                    }
                    self.check_written(database, child, &touched, "UPDATE", None)?;
                }
            }
        }
        Ok(())
    }

    /// That the rows which are there keep a new foreign key or check.
    pub(super) fn check_existing(&mut self, database: &Database, table: &Arc<Table>) -> Result<()> {
        let rows = self.rows_of(&format!("SELECT rid FROM {}.{}", database.alias, table.physical()), 1)?;
        let rids: Vec<i64> = rows
            .iter()
            .filter_map(|row| row.first().and_then(Value::as_int))
            .collect();
        self.check_written(database, table, &rids, "ALTER TABLE", None)
    }
}

fn key_values(table: &Table, columns: &[String], row: &Row) -> Vec<Value> {
    columns
        .iter()
        .map(|name| {
            let at = table.columns.iter().position(|own| same(&own.name, name));
            at.and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null)
        })
        .collect()
}

/// A table's one row, with its values written out.
fn constant_source(table: &Arc<Table>, row: &Row) -> Source {
    let columns = table
        .columns
        .iter()
        .zip(row)
        .map(|(column, value)| (column.name.clone(), known(value, column.sql_type)))
        .collect();
    Source {
        alias: table.name.clone(),
        table: None,
        columns,
        rid: None,
        definition: None,
    }
}
