//! Creates and drops indexes.

use std::sync::Arc;

use super::cannot_drop;
use crate::sandbox::mssql::ast::{IndexDefinition, Name};
use crate::sandbox::mssql::catalog::{Index, IndexKind, Table, physical_column, same};
use crate::sandbox::mssql::collation;
use crate::sandbox::mssql::engine::{Database, Engine};
use crate::sandbox::mssql::errors::{Result, SqlError};

impl Engine {
    pub(super) fn add_index(
        &mut self,
        database: &Database,
        table: &mut Table,
        object: i64,
        kind: IndexKind,
        definition: &IndexDefinition,
    ) -> Result<()> {
        if table.indexes.iter().any(|index| same(&index.name, &definition.name)) {
            return Err(SqlError::new(
                1913,
                16,
                format!(
                    "The operation failed because an index or statistics with name '{}' already exists on table '{}'.",
                    definition.name,
                    table.display()
                ),
            ));
        }
        if definition.clustered && table.indexes.iter().any(|index| index.clustered) {
            return Err(SqlError::new(
                1902,
                16,
                format!(
                    "Cannot create more than one clustered index on table '{}'.",
                    table.display()
                ),
            ));
        }
        let mut bytes = 0;
        for (name, _) in &definition.columns {
            let Some(column) = table.column(name) else {
                return Err(no_index_column(name));
            };
            let (_, length, ..) = column.sql_type.system();
            if length < 0 {
                return Err(SqlError::new(
                    1919,
                    16,
                    format!(
                        "Column '{name}' in table '{}' is of a type that is invalid for use as a key column in an index.",
                        table.display()
                    ),
                ));
            }
            bytes += length;
        }
        for name in &definition.include {
            if table.column(name).is_none() {
                return Err(no_index_column(name));
            }
        }
        if bytes > if definition.clustered { 900 } else { 1700 } {
            let (kind, most) = if definition.clustered {
                ("a clustered", 900)
            } else {
                ("a nonclustered", 1700)
            };
            let mut warning = SqlError::new(
                1945,
                0,
                format!(
                    "Warning! The maximum key length for {kind} index is {most} bytes. The index '{}' has maximum length of \
                     {bytes} bytes. For some combination of large values, the insert/update operation will fail.",
                    definition.name
                ),
            );
            warning.state = 1;
            self.out.info(&warning);
        }
        let id = if definition.clustered {
            1
        } else {
            table.indexes.iter().map(|index| index.id).max().unwrap_or(1).max(1) + 1
        };
        let index = Index {
            id,
            object,
            name: definition.name.clone(),
            kind,
            unique: definition.unique,
            clustered: definition.clustered,
            columns: definition.columns.clone(),
            include: definition.include.clone(),
            filter: definition.filter.clone(),
        };
        self.create_physical_index(database, table, &index)?;
        if index.unique {
            self.check_unique(database, &Arc::new(table.clone()), &index, None)?;
        }
        table.indexes.push(index);
        Ok(())
    }

    /// The index that makes it fast. That keys are unique is seen to in `keys`.
    pub(super) fn create_physical_index(&mut self, database: &Database, table: &Table, index: &Index) -> Result<()> {
        let columns: Vec<String> = index
            .columns
            .iter()
            .filter_map(|(name, descending)| table.column(name).map(|column| (column, descending)))
            .map(|(column, descending)| {
                let collate = if column.sql_type.is_text() {
                    format!(" COLLATE {}", collation::NAME)
                } else {
                    String::new()
                };
                format!(
                    "{}{collate}{}",
                    physical_column(column.id),
                    if *descending { " DESC" } else { "" }
                )
            })
            .collect();
        if let Some(filter) = &index.filter {
            // Only checked: a partial index of SQLite takes fewer expressions.
            self.filter_sql(&Arc::new(table.clone()), filter, "")?;
        }
        self.connection
            .execute_batch(&format!(
                "CREATE INDEX {}.i{}_{} ON {} ({})",
                database.alias,
                table.id,
                index.id,
                table.physical(),
                columns.join(", ")
            ))
            .map_err(|error| self.sqlite(error))
    }

    pub(super) fn drop_physical_index(&mut self, database: &Database, table: &Table, index: &Index) -> Result<()> {
        self.connection
            .execute_batch(&format!("DROP INDEX {}.i{}_{}", database.alias, table.id, index.id))
            .map_err(|error| self.sqlite(error))
    }

    pub(super) fn create_index(&mut self, definition: &IndexDefinition, name: &Name) -> Result<()> {
        let (database, table) = self.resolve_table(name).map_err(|error| {
            if error.number != 208 {
                return error;
            }
            SqlError::new(
                1088,
                16,
                format!(
                    "Cannot find the object \"{}\" because it does not exist or you do not have permissions.",
                    name.display()
                ),
            )
        })?;
        self.check_ddl(&database)?;
        self.write(|engine| {
            let mut table = table.as_ref().clone();
            engine.add_index(&database, &mut table, 0, IndexKind::Index, definition)?;
            engine.save(&database, &table)
        })
    }

    pub(super) fn drop_index(&mut self, index: &str, name: &Name, if_exists: bool) -> Result<()> {
        let found = self.resolve_table(name);
        let found = match found {
            Ok((database, table)) => table
                .indexes
                .iter()
                .find(|own| same(&own.name, index))
                .cloned()
                .map(|own| (database, table, own)),
            Err(error) if error.number == 208 => None,
            Err(error) => return Err(error),
        };
        let Some((database, table, own)) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(cannot_drop("index", &format!("{}.{index}", name.display())))
            };
        };
        self.check_ddl(&database)?;
        if own.kind != IndexKind::Index {
            return Err(SqlError::new(
                3723,
                16,
                format!(
                    "An explicit DROP INDEX is not allowed on index '{}.{}'. It is being used for {} constraint enforcement.",
                    name.display(),
                    own.name,
                    if own.kind == IndexKind::PrimaryKey {
                        "PRIMARY KEY"
                    } else {
                        "UNIQUE KEY"
                    }
                ),
            ));
        }
        self.write(|engine| {
            let mut table = table.as_ref().clone();
            engine.drop_physical_index(&database, &table, &own)?;
            table.indexes.retain(|other| other.id != own.id);
            engine.save(&database, &table)
        })
    }
}

pub(super) fn no_column(name: &str) -> SqlError {
    SqlError::new(
        1911,
        16,
        format!("Column name '{name}' does not exist in the target table or view."),
    )
}

pub(super) fn no_index_column(name: &str) -> SqlError {
    no_column(name)
}
