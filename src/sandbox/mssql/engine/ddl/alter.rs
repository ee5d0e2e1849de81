//! Alters tables: columns and constraints that come, change and go.

use std::sync::Arc;

use super::now;
use super::table::add_column;
use crate::sandbox::mssql::ast::{Change, ColumnDefinition, Constraint, ConstraintKind, Name};
use crate::sandbox::mssql::catalog::{IndexKind, Table, physical_column, same};
use crate::sandbox::mssql::engine::{Database, Engine};
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::value::Value;

impl Engine {
    pub(super) fn alter_table(&mut self, name: &Name, change: &Change) -> Result<()> {
        let (database, table) = self.resolve_table(name).map_err(|error| {
            if error.number != 208 {
                return error;
            }
            SqlError::new(
                4902,
                16,
                format!(
                    "Cannot find the object \"{}\" because it does not exist or you do not have permissions.",
                    name.display()
                ),
            )
            .effect(Effect::Batch)
        })?;
        self.check_ddl(&database)?;
        self.write(|engine| {
            let mut table = table.as_ref().clone();
            table.modified = now();
            match change {
                Change::Add {
                    columns,
                    constraints,
                    check,
                } => engine.add_to_table(&database, &mut table, columns, constraints, *check)?,
                Change::AlterColumn(column) => engine.alter_column(&database, &mut table, column)?,
                Change::Drop {
                    columns,
                    constraints,
                    if_exists,
                } => {
                    for constraint in constraints {
                        engine.drop_constraint(&database, &mut table, constraint, *if_exists)?;
                    }
                    for column in columns {
                        engine.drop_column(&database, &mut table, column, *if_exists)?;
                    }
                }
                Change::Trust { constraint, on } => {
                    let mut found = false;
                    for key in table.foreign_keys.iter_mut().filter(|key| same(&key.name, constraint)) {
                        (key.disabled, key.trusted, found) = (!on, false, true);
                    }
                    for check in table.checks.iter_mut().filter(|check| same(&check.name, constraint)) {
                        (check.disabled, check.trusted, found) = (!on, false, true);
                    }
                    if !found {
                        return Err(SqlError::new(
                            4917,
                            16,
                            format!("Constraint '{constraint}' does not exist."),
                        ));
                    }
                }
            }
            engine.save(&database, &table)
        })
    }

    pub(super) fn add_to_table(
        &mut self,
        database: &Database,
        table: &mut Table,
        columns: &[ColumnDefinition],
        constraints: &[Constraint],
        check: bool,
    ) -> Result<()> {
        let mut all = Vec::new();
        let known = table.columns.len();
        for column in columns {
            add_column(table, column, &mut all)?;
        }
        all.extend(constraints.iter().cloned());
        for column in &table.columns[known..] {
            self.connection
                .execute_batch(&format!(
                    "ALTER TABLE {}.{} ADD COLUMN {}",
                    database.alias,
                    table.physical(),
                    physical_column(column.id)
                ))
                .map_err(|error| self.sqlite(error))?;
        }
        let before = (table.foreign_keys.len(), table.checks.len());
        // Keys are unique only once the new columns are filled, so defaults come first.
        let (defaults, others): (Vec<Constraint>, Vec<Constraint>) = all
            .into_iter()
            .partition(|constraint| matches!(constraint.kind, ConstraintKind::Default { .. }));
        self.add_constraints(database, table, &defaults)?;
        self.fill_new_columns(database, table, known)?;
        self.add_constraints(database, table, &others)?;
        if check {
            let own = Arc::new(table.clone());
            if before != (own.foreign_keys.len(), own.checks.len()) {
                self.save(database, table)?;
                self.check_existing(database, &own)?;
            }
        } else {
            for key in &mut table.foreign_keys[before.0..] {
                key.trusted = false;
            }
            for check in &mut table.checks[before.1..] {
                check.trusted = false;
            }
        }
        Ok(())
    }

    /// The rows that are there get the default of a column that may not be NULL, and numbers for an identity.
    pub(super) fn fill_new_columns(&mut self, database: &Database, table: &Table, known: usize) -> Result<()> {
        let own = Arc::new(table.clone());
        let rows = self.rows_of(
            &format!("SELECT rid FROM {}.{} ORDER BY rid", database.alias, table.physical()),
            1,
        )?;
        for column in &table.columns[known..] {
            if let Some((seed, increment)) = column.identity {
                let name = physical_column(column.id);
                let mut next = seed;
                for rid in rows.iter().filter_map(|row| row.first().and_then(Value::as_int)) {
                    self.connection
                        .execute(
                            &format!(
                                "UPDATE {}.{} SET {name} = ?1 WHERE rid = ?2",
                                database.alias,
                                table.physical()
                            ),
                            [next, rid],
                        )
                        .map_err(|error| self.sqlite(error))?;
                    next += increment;
                }
                if !rows.is_empty() {
                    self.connection
                        .execute(
                            &format!(
                                "INSERT OR REPLACE INTO {}.\"$identity\" (id, last) VALUES (?1, ?2)",
                                database.alias
                            ),
                            [table.id, next - increment],
                        )
                        .map_err(|error| self.sqlite(error))?;
                }
                continue;
            }
            if column.nullable || rows.is_empty() {
                continue;
            }
            if column.default.is_none() {
                return Err(SqlError::new(
                    4901,
                    16,
                    format!(
                        "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition \
                         specified, or the column being added is an identity or timestamp column, or alternatively if none \
                         of the previous conditions are satisfied the table must be empty to allow addition of this column. \
                         Column '{}' cannot be added to non-empty table '{}' because it does not satisfy these conditions.",
                        column.name, table.name
                    ),
                ));
            }
            let value = self.default_of(database, &own, column)?;
            self.connection
                .execute(
                    &format!(
                        "UPDATE {}.{} SET {} = ?1",
                        database.alias,
                        table.physical(),
                        physical_column(column.id)
                    ),
                    [value],
                )
                .map_err(|error| self.sqlite(error))?;
        }
        Ok(())
    }

    pub(super) fn alter_column(
        &mut self,
        database: &Database,
        table: &mut Table,
        definition: &ColumnDefinition,
    ) -> Result<()> {
        let Some(at) = table.columns.iter().position(|own| same(&own.name, &definition.name)) else {
            return Err(SqlError::new(
                4924,
                16,
                format!(
                    "ALTER TABLE ALTER COLUMN failed because column '{}' does not exist in table '{}'.",
                    definition.name, table.name
                ),
            ));
        };
        let old = table.columns[at].clone();
        let mut new = old.clone();
        new.sql_type = definition.sql_type;
        new.nullable = definition.nullable.unwrap_or(true);
        // A longer text or binary may be altered under an index, anything else not.
        let grows = old.sql_type.base_name() == new.sql_type.base_name()
            && matches!((old.sql_type.length(), new.sql_type.length()), (Some(old), Some(new)) if new >= old);
        let used = dependents(table, &old.name, true);
        if !used.is_empty() && (!grows || new.nullable != old.nullable) {
            return Err(depends(&used, &old.name, "ALTER COLUMN"));
        }
        let name = physical_column(old.id);
        let rows = self.rows_of(
            &format!("SELECT rid, {name} FROM {}.{}", database.alias, table.physical()),
            2,
        )?;
        for row in rows {
            let [rid, value] = row.as_slice() else { continue };
            if value.is_null() && !new.nullable {
                self.refuse_null(database, table, &new, value, "UPDATE")?;
            }
            let converted = self.store(database, table, &new, old.sql_type, value)?;
            if converted != *value {
                self.connection
                    .execute(
                        &format!(
                            "UPDATE {}.{} SET {name} = ?1 WHERE rid = ?2",
                            database.alias,
                            table.physical()
                        ),
                        rusqlite::params![converted, rid],
                    )
                    .map_err(|error| self.sqlite(error))?;
            }
        }
        table.columns[at] = new;
        Ok(())
    }

    pub(super) fn drop_column(
        &mut self,
        database: &Database,
        table: &mut Table,
        name: &str,
        if_exists: bool,
    ) -> Result<()> {
        let Some(column) = table.column(name).cloned() else {
            if if_exists {
                return Ok(());
            }
            return Err(SqlError::new(
                4924,
                16,
                format!(
                    "ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table '{}'.",
                    table.name
                ),
            ));
        };
        let mut used = dependents(table, &column.name, false);
        let catalog = self.catalog(database)?;
        for child in &catalog.tables {
            for key in child.foreign_keys.iter().filter(|key| key.table == table.id) {
                if key.referenced.iter().any(|other| same(other, &column.name)) && !used.contains(&key.name) {
                    used.push(key.name.clone());
                }
            }
        }
        if !used.is_empty() {
            return Err(depends(&used, &column.name, "DROP COLUMN"));
        }
        if table.columns.len() == 1 {
            return Err(SqlError::new(
                4923,
                16,
                format!(
                    "ALTER TABLE DROP COLUMN failed because '{name}' is the only data column in table '{}'.",
                    table.name
                ),
            ));
        }
        self.connection
            .execute_batch(&format!(
                "ALTER TABLE {}.{} DROP COLUMN {}",
                database.alias,
                table.physical(),
                physical_column(column.id)
            ))
            .map_err(|error| self.sqlite(error))?;
        table.columns.retain(|other| other.id != column.id);
        Ok(())
    }

    pub(super) fn drop_constraint(
        &mut self,
        database: &Database,
        table: &mut Table,
        name: &str,
        if_exists: bool,
    ) -> Result<()> {
        if let Some(index) = table
            .indexes
            .iter()
            .find(|index| index.kind != IndexKind::Index && same(&index.name, name))
            .cloned()
        {
            let catalog = self.catalog(database)?;
            for child in &catalog.tables {
                for key in child.foreign_keys.iter().filter(|key| key.table == table.id) {
                    if key
                        .referenced
                        .iter()
                        .all(|other| index.columns.iter().any(|(own, _)| same(own, other)))
                    {
                        return Err(SqlError::new(
                            3725,
                            16,
                            format!(
                                "The constraint '{}' is being referenced by table '{}', foreign key constraint '{}'.",
                                index.name, child.name, key.name
                            ),
                        ));
                    }
                }
            }
            self.drop_physical_index(database, table, &index)?;
            table.indexes.retain(|other| other.id != index.id);
            return Ok(());
        }
        let before = (table.foreign_keys.len(), table.checks.len());
        table.foreign_keys.retain(|key| !same(&key.name, name));
        table.checks.retain(|check| !same(&check.name, name));
        let mut found = before != (table.foreign_keys.len(), table.checks.len());
        for column in &mut table.columns {
            if column.default.as_ref().is_some_and(|default| same(&default.name, name)) {
                column.default = None;
                found = true;
            }
        }
        if found || if_exists {
            return Ok(());
        }
        Err(SqlError::new(3728, 16, format!("'{name}' is not a constraint.")))
    }
}

/// What of the table itself uses a column.
pub(super) fn dependents(table: &Table, column: &str, altering: bool) -> Vec<String> {
    let mut used = Vec::new();
    for index in &table.indexes {
        if index.columns.iter().any(|(name, _)| same(name, column))
            || index.include.iter().any(|name| same(name, column))
        {
            used.push(index.name.clone());
        }
    }
    for key in &table.foreign_keys {
        if key.columns.iter().any(|name| same(name, column)) {
            used.push(key.name.clone());
        }
    }
    for check in &table.checks {
        if check.text.to_lowercase().contains(&column.to_lowercase()) {
            used.push(check.name.clone());
        }
    }
    if !altering && let Some(default) = table.column(column).and_then(|column| column.default.as_ref()) {
        used.push(default.name.clone());
    }
    used
}

pub(super) fn depends(used: &[String], column: &str, action: &str) -> SqlError {
    SqlError::new(
        5074,
        16,
        format!(
            "The object '{}' is dependent on column '{column}'. ALTER TABLE {action} {column} failed because one or more \
             objects access this column.",
            used.first().map_or("", String::as_str)
        ),
    )
}
