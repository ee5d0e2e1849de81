//! Creates, alters and drops databases, schemas, tables, views and indexes.

use std::sync::Arc;

use super::resolve::temporary;
use super::{Database, Engine};
use crate::sandbox::mssql::ast::{
    Change, ColumnDefinition, Constraint, ConstraintKind, IndexDefinition, Kind, Name, TableDefinition,
};
use crate::sandbox::mssql::catalog::{
    self, Catalog, Check, Column, Default, ForeignKey, Index, IndexKind, Table, View, physical_column, same,
};
use crate::sandbox::mssql::collation;
use crate::sandbox::mssql::datetime::Moment;
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::parser;
use crate::sandbox::mssql::value::{SqlType, TooLong, Value, convert};

fn now() -> String {
    Moment::now_utc().round_datetime().stored()
}

fn exists(name: &str) -> SqlError {
    SqlError::new(
        2714,
        16,
        format!("There is already an object named '{name}' in the database."),
    )
    .state(6)
}

fn cannot_drop(what: &str, name: &str) -> SqlError {
    SqlError::new(
        3701,
        11,
        format!("Cannot drop the {what} '{name}', because it does not exist or you do not have permission."),
    )
    .state(5)
}

impl Engine {
    pub(super) fn ddl(&mut self, kind: &Kind) -> Result<()> {
        match kind {
            Kind::CreateTable(definition) => {
                self.write(|engine| engine.create_table(definition))?;
                Ok(())
            }
            Kind::DeclareTable(_, definition) => {
                self.write(|engine| engine.create_table(definition))?;
                Ok(())
            }
            Kind::CreateIndex(definition, table) => self.create_index(definition, table),
            Kind::AlterTable { table, change } => self.alter_table(table, change),
            Kind::CreateView {
                name,
                columns,
                text,
                alter,
                create,
            } => self.create_view(name, columns, text, *alter, *create),
            Kind::CreateSchema(name) => self.create_schema(name),
            Kind::CreateDatabase(name) => self.create_database(name),
            Kind::AlterDatabase {
                name,
                option,
                effective,
            } => self.alter_database(name.as_deref(), option, *effective),
            // Everything belongs to dbo here.
            Kind::AlterAuthorization => Ok(()),
            Kind::Drop { what, names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_one(what, name, *if_exists))
            }
            Kind::DropIndex {
                index,
                table,
                if_exists,
            } => self.drop_index(index, table, *if_exists),
            Kind::IdentityInsert { table, on } => {
                let (database, table) = self.resolve_table(table)?;
                if !table.columns.iter().any(|column| column.identity.is_some()) {
                    return Err(SqlError::new(
                        8106,
                        16,
                        format!(
                            "Table '{}' does not have the identity property. Cannot perform SET operation.",
                            table.name
                        ),
                    ));
                }
                let this = (database.alias, table.id);
                if !on {
                    if self.identity_insert.as_ref() == Some(&this) {
                        self.identity_insert = None;
                    }
                    return Ok(());
                }
                if self.identity_insert.as_ref().is_some_and(|other| *other != this) {
                    return Err(SqlError::new(
                        8107,
                        16,
                        format!(
                            "IDENTITY_INSERT is already ON for another table. Cannot perform SET operation for table '{}'.",
                            table.name
                        ),
                    ));
                }
                self.identity_insert = Some(this);
                Ok(())
            }
            other => self.principals(other),
        }
    }

    fn create_table(&mut self, definition: &TableDefinition) -> Result<Arc<Table>> {
        let place = self.place(&definition.name)?;
        self.check_ddl(&place.database)?;
        let catalog = self.catalog(&place.database)?;
        let schema = schema_of(&catalog, &place.schema)?;
        if place.name.starts_with('@') && catalog.table(&schema, &place.name).is_some() {
            // A DECLARE in a loop is one variable.
            return catalog
                .table(&schema, &place.name)
                .cloned()
                .ok_or_else(|| exists(&place.name));
        }
        if catalog.object(&schema, &place.name).is_some() {
            return Err(exists(&place.name));
        }
        let id = catalog.next_id();
        let mut table = Table {
            id,
            schema,
            name: place.name.clone(),
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            created: now(),
            modified: now(),
            next_column: 1,
        };
        let mut constraints = Vec::new();
        for column in &definition.columns {
            add_column(&mut table, column, &mut constraints)?;
        }
        constraints.extend(definition.constraints.iter().cloned());
        let columns: Vec<String> = table.columns.iter().map(|column| physical_column(column.id)).collect();
        self.connection
            .execute_batch(&format!(
                "CREATE TABLE {}.{} (rid INTEGER PRIMARY KEY, {})",
                place.database.alias,
                table.physical(),
                columns.join(", ")
            ))
            .map_err(|error| self.sqlite(error))?;
        self.add_constraints(&place.database, &mut table, &constraints)?;
        self.save(&place.database, &table)?;
        Ok(Arc::new(table))
    }

    pub(super) fn create_from_columns(
        &mut self,
        name: &Name,
        columns: &[crate::sandbox::mssql::tds::token::Column],
    ) -> Result<(Database, Arc<Table>)> {
        let mut definition = TableDefinition {
            name: name.clone(),
            columns: Vec::new(),
            constraints: Vec::new(),
        };
        for (at, column) in columns.iter().enumerate() {
            if column.name.is_empty() {
                return Err(SqlError::new(
                    1038,
                    15,
                    format!(
                        "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name (column {}).",
                        at + 1
                    ),
                ));
            }
            definition.columns.push(ColumnDefinition {
                name: column.name.clone(),
                sql_type: column.sql_type,
                nullable: Some(column.nullable),
                identity: None,
                constraints: Vec::new(),
            });
        }
        let database = self.place(name)?.database;
        let table = self.create_table(&definition)?;
        Ok((database, table))
    }

    fn save(&mut self, database: &Database, table: &Table) -> Result<()> {
        catalog::put_table(&self.connection, &database.alias, table)?;
        self.forget_catalog(database);
        Ok(())
    }

    fn add_constraints(&mut self, database: &Database, table: &mut Table, constraints: &[Constraint]) -> Result<()> {
        let catalog = self.catalog(database)?;
        let mut next = catalog.next_id().max(table.id) + 1;
        for constraint in constraints {
            next += 1;
            let generated = |prefix: &str, middle: &str| {
                constraint
                    .name
                    .clone()
                    .unwrap_or_else(|| format!("{prefix}__{middle}__{:08X}", (next * 2_654_435_761) & 0xFFFF_FFFF))
            };
            if let Some(name) = &constraint.name
                && (catalog.object(&table.schema, name).is_some() || names_of(table).iter().any(|own| same(own, name)))
            {
                return Err(exists(name));
            }
            match &constraint.kind {
                ConstraintKind::Key {
                    primary,
                    clustered,
                    columns,
                } => {
                    if *primary && table.primary_key().is_some() {
                        return Err(SqlError::new(
                            8110,
                            16,
                            format!("Cannot add multiple PRIMARY KEY constraints to table '{}'.", table.name),
                        ));
                    }
                    let name = generated(
                        if *primary { "PK" } else { "UQ" },
                        &table.name.chars().take(8).collect::<String>(),
                    );
                    for (column, _) in columns {
                        let Some(at) = table.columns.iter().position(|own| same(&own.name, column)) else {
                            return Err(no_column(column));
                        };
                        if *primary {
                            table.columns[at].nullable = false;
                        }
                    }
                    let kind = if *primary {
                        IndexKind::PrimaryKey
                    } else {
                        IndexKind::UniqueConstraint
                    };
                    let clustered = clustered.unwrap_or(*primary);
                    self.add_index(
                        database,
                        table,
                        next,
                        kind,
                        &IndexDefinition {
                            name,
                            unique: true,
                            clustered,
                            columns: columns.clone(),
                            include: Vec::new(),
                            filter: None,
                        },
                    )?;
                }
                ConstraintKind::Foreign {
                    columns,
                    table: parent,
                    referenced,
                    on_delete,
                    on_update,
                } => {
                    if database.alias == "temp" {
                        return Err(SqlError::unsupported("foreign keys of temporary tables"));
                    }
                    let name = generated("FK", &table.name.chars().take(8).collect::<String>());
                    for column in columns {
                        if table.column(column).is_none() {
                            return Err(SqlError::new(
                                1769,
                                16,
                                format!(
                                    "Foreign key '{name}' references invalid column '{column}' in referencing table '{}'.",
                                    table.name
                                ),
                            ));
                        }
                    }
                    let place = self.place(parent)?;
                    let found = if same(&place.name, &table.name) && same(&place.schema, &table.schema) {
                        Some(table.clone())
                    } else {
                        catalog
                            .table(&place.schema, &place.name)
                            .map(|table| table.as_ref().clone())
                    };
                    let Some(found) = found else {
                        return Err(SqlError::new(
                            1767,
                            16,
                            format!("Foreign key '{name}' references invalid table '{}'.", parent.display()),
                        ));
                    };
                    let referenced: Vec<String> = if referenced.is_empty() {
                        found
                            .primary_key()
                            .map(|key| key.columns.iter().map(|(name, _)| name.clone()).collect())
                            .unwrap_or_default()
                    } else {
                        referenced.clone()
                    };
                    let mut matched = false;
                    for index in found
                        .indexes
                        .iter()
                        .filter(|index| index.unique && index.filter.is_none())
                    {
                        matched |= index.columns.len() == referenced.len()
                            && index
                                .columns
                                .iter()
                                .all(|(own, _)| referenced.iter().any(|name| same(own, name)));
                    }
                    if !matched || referenced.len() != columns.len() {
                        return Err(SqlError::new(
                            1776,
                            16,
                            format!(
                                "There are no primary or candidate keys in the referenced table '{}' that match the \
                                 referencing column list in the foreign key '{name}'.",
                                parent.display()
                            ),
                        ));
                    }
                    table.foreign_keys.push(ForeignKey {
                        id: next,
                        name,
                        columns: columns.clone(),
                        table: found.id,
                        referenced,
                        on_delete: *on_delete,
                        on_update: *on_update,
                        disabled: false,
                        trusted: true,
                    });
                }
                ConstraintKind::Check { text } => {
                    let name = generated("CK", &table.name.chars().take(8).collect::<String>());
                    let own = Arc::new(table.clone());
                    self.filter_sql(&own, text, "")?;
                    table.checks.push(Check {
                        id: next,
                        name,
                        text: text.clone(),
                        disabled: false,
                        trusted: true,
                    });
                }
                ConstraintKind::Default { text, column } => {
                    let wanted = column.clone().unwrap_or_default();
                    let name = generated(
                        "DF",
                        &format!(
                            "{}__{}",
                            table.name.chars().take(8).collect::<String>(),
                            wanted.chars().take(5).collect::<String>()
                        ),
                    );
                    parser::expression(text)?;
                    let Some(own) = table.columns.iter_mut().find(|own| same(&own.name, &wanted)) else {
                        return Err(SqlError::new(
                            1752,
                            16,
                            format!(
                                "Column '{wanted}' in table '{}' is invalid for creating a default constraint.",
                                table.name
                            ),
                        ));
                    };
                    if own.default.is_some() {
                        return Err(SqlError::new(1781, 16, "Column already has a DEFAULT bound to it."));
                    }
                    own.default = Some(Default {
                        id: next,
                        name,
                        text: text.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    fn add_index(
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
    fn create_physical_index(&mut self, database: &Database, table: &Table, index: &Index) -> Result<()> {
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

    fn drop_physical_index(&mut self, database: &Database, table: &Table, index: &Index) -> Result<()> {
        self.connection
            .execute_batch(&format!("DROP INDEX {}.i{}_{}", database.alias, table.id, index.id))
            .map_err(|error| self.sqlite(error))
    }

    fn create_index(&mut self, definition: &IndexDefinition, name: &Name) -> Result<()> {
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

    fn drop_index(&mut self, index: &str, name: &Name, if_exists: bool) -> Result<()> {
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

    fn alter_table(&mut self, name: &Name, change: &Change) -> Result<()> {
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

    fn add_to_table(
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
    fn fill_new_columns(&mut self, database: &Database, table: &Table, known: usize) -> Result<()> {
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

    fn alter_column(&mut self, database: &Database, table: &mut Table, definition: &ColumnDefinition) -> Result<()> {
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

    fn drop_column(&mut self, database: &Database, table: &mut Table, name: &str, if_exists: bool) -> Result<()> {
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

    fn drop_constraint(&mut self, database: &Database, table: &mut Table, name: &str, if_exists: bool) -> Result<()> {
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

    fn create_view(&mut self, name: &Name, columns: &[String], text: &str, alter: bool, create: bool) -> Result<()> {
        let place = self.place(name)?;
        self.check_ddl(&place.database)?;
        let catalog = self.catalog(&place.database)?;
        let schema = schema_of(&catalog, &place.schema)?;
        let known = catalog.view(&schema, &place.name).cloned();
        match (&known, create) {
            (Some(_), true) if !alter => return Err(exists(&place.name)),
            (None, false) => return Err(SqlError::invalid_object(&name.display())),
            (None, _) if catalog.object(&schema, &place.name).is_some() => return Err(exists(&place.name)),
            _ => {}
        }
        let query = parser::query(text)?;
        let compiled = self.compile(&query)?;
        for (at, column) in compiled.columns.iter().enumerate() {
            if columns.get(at).is_none() && column.name.is_empty() {
                return Err(SqlError::new(
                    4511,
                    16,
                    format!(
                        "Create View or Function failed because no column name was specified for column {}.",
                        at + 1
                    ),
                ));
            }
        }
        let view = View {
            id: known.as_ref().map_or_else(|| catalog.next_id(), |view| view.id),
            schema,
            name: place.name,
            columns: columns.to_vec(),
            text: text.to_owned(),
            created: known.map_or_else(now, |view| view.created.clone()),
        };
        self.write(|engine| {
            catalog::put_view(&engine.connection, &place.database.alias, &view)?;
            engine.forget_catalog(&place.database);
            Ok(())
        })
    }

    fn create_schema(&mut self, name: &str) -> Result<()> {
        let database = self.database.clone();
        self.check_ddl(&database)?;
        let catalog = self.catalog(&database)?;
        if catalog.schema(name).is_some() {
            return Err(exists(name));
        }
        let mut security = catalog.security.clone();
        let id = security.schemas.iter().map(|(id, _)| *id).max().unwrap_or(4) + 1;
        security.schemas.push((id, name.to_owned()));
        self.save_security(&database, &security)
    }

    fn drop_one(&mut self, what: &'static str, name: &Name, if_exists: bool) -> Result<()> {
        match what {
            "table" | "view" => {
                let place = self.place(name)?;
                self.check_ddl(&place.database)?;
                let catalog = self.catalog(&place.database)?;
                let id = if what == "table" {
                    catalog.table(&place.schema, &place.name).map(|table| table.id)
                } else {
                    catalog.view(&place.schema, &place.name).map(|view| view.id)
                };
                let Some(id) = id else {
                    return if if_exists {
                        Ok(())
                    } else {
                        Err(cannot_drop(what, &name.display()))
                    };
                };
                if what == "table" {
                    for child in catalog.tables.iter().filter(|child| child.id != id) {
                        if child.foreign_keys.iter().any(|key| key.table == id) {
                            return Err(SqlError::new(
                                3726,
                                16,
                                format!(
                                    "Could not drop object '{}' because it is referenced by a FOREIGN KEY constraint.",
                                    name.display()
                                ),
                            ));
                        }
                    }
                }
                self.write(|engine| {
                    if what == "table" {
                        engine
                            .connection
                            .execute_batch(&format!("DROP TABLE {}.t{id}", place.database.alias))
                            .map_err(|error| engine.sqlite(error))?;
                    }
                    catalog::remove(&engine.connection, &place.database.alias, id)?;
                    engine.forget_catalog(&place.database);
                    Ok(())
                })
            }
            "schema" => {
                let database = self.database.clone();
                self.check_ddl(&database)?;
                let catalog = self.catalog(&database)?;
                let mut security = catalog.security.clone();
                let before = security.schemas.len();
                security.schemas.retain(|(_, schema)| !same(schema, name.last()));
                if before == security.schemas.len() {
                    return if if_exists {
                        Ok(())
                    } else {
                        Err(SqlError::new(
                            15151,
                            16,
                            format!(
                                "Cannot drop the schema '{}', because it does not exist or you do not have permission.",
                                name.last()
                            ),
                        ))
                    };
                }
                if let Some(object) = catalog.objects().iter().find(|object| same(object.schema, name.last())) {
                    return Err(SqlError::new(
                        3729,
                        16,
                        format!(
                            "Cannot drop schema '{}' because it is being referenced by object '{}'.",
                            name.last(),
                            object.name
                        ),
                    ));
                }
                self.save_security(&database, &security)
            }
            "database" => self.drop_database(name.last(), if_exists),
            "login" | "user" | "role" => self.drop_principal(what, name.last(), if_exists),
            // There are none of these, so IF EXISTS has nothing to do.
            _ if if_exists => Ok(()),
            other => Err(cannot_drop(other, &name.display())),
        }
    }

    /// Table variables end with their batch.
    pub(super) fn drop_table_variables(&mut self) {
        let temp = temporary();
        let Ok(catalog) = self.catalog(&temp) else { return };
        for table in catalog.tables.iter().filter(|table| table.name.starts_with('@')) {
            let dropped = self
                .connection
                .execute_batch(&format!("DROP TABLE temp.{}", table.physical()))
                .map_err(SqlError::from)
                .and_then(|()| catalog::remove(&self.connection, "temp", table.id));
            if let Err(error) = dropped {
                tracing::warn!("a table variable stays until the session ends: {error}");
            }
        }
        self.forget_catalog(&temp);
    }

    /// `sp_rename` of a column, an index or a table.
    pub(super) fn rename(&mut self, old: &str, new: &str, kind: &str) -> Result<()> {
        let wrong = || {
            SqlError::new(
                15248,
                11,
                format!("Either the parameter @objname is ambiguous or the claimed @objtype ({kind}) is wrong."),
            )
        };
        let Some(name) = parser::name(old) else {
            return Err(wrong());
        };
        if kind.eq_ignore_ascii_case("OBJECT") || kind.is_empty() {
            let (database, table) = self.resolve_table(&name).map_err(|_| wrong())?;
            if self.catalog(&database)?.object(&table.schema, new).is_some() {
                return Err(SqlError::new(
                    15335,
                    11,
                    format!(
                        "Error: The new name '{new}' is already in use as a object name and would cause a duplicate that is not permitted."
                    ),
                ));
            }
            self.check_ddl(&database)?;
            return self.write(|engine| {
                let mut table = table.as_ref().clone();
                table.name = new.to_owned();
                engine.save(&database, &table)
            });
        }
        let mut parts = name.0;
        let (Some(part), false) = (parts.pop(), parts.is_empty()) else {
            return Err(wrong());
        };
        let (database, table) = self.resolve_table(&Name(parts)).map_err(|_| wrong())?;
        self.check_ddl(&database)?;
        let mut table = table.as_ref().clone();
        if kind.eq_ignore_ascii_case("COLUMN") {
            let old = table.column(&part).ok_or_else(wrong)?.name.clone();
            if table.column(new).is_some() {
                return Err(SqlError::new(
                    15335,
                    11,
                    format!(
                        "Error: The new name '{new}' is already in use as a COLUMN name and would cause a duplicate that is not permitted."
                    ),
                ));
            }
            let fix = |name: &mut String| {
                if same(name, &old) {
                    *name = new.to_owned();
                }
            };
            if !table.checks.is_empty() || table.indexes.iter().any(|index| index.filter.is_some()) {
                return Err(SqlError::unsupported(
                    "sp_rename of a column in a table with checks or filtered indexes",
                ));
            }
            table.columns.iter_mut().for_each(|column| fix(&mut column.name));
            for index in &mut table.indexes {
                index.columns.iter_mut().for_each(|(name, _)| fix(name));
                index.include.iter_mut().for_each(fix);
            }
            table
                .foreign_keys
                .iter_mut()
                .for_each(|key| key.columns.iter_mut().for_each(fix));
            let children: Vec<Table> = self
                .catalog(&database)?
                .tables
                .iter()
                .filter(|child| child.foreign_keys.iter().any(|key| key.table == table.id))
                .map(|child| {
                    if child.id == table.id {
                        table.clone()
                    } else {
                        child.as_ref().clone()
                    }
                })
                .collect();
            return self.write(|engine| {
                engine.save(&database, &table)?;
                for mut child in children {
                    for key in child.foreign_keys.iter_mut().filter(|key| key.table == table.id) {
                        key.referenced.iter_mut().for_each(fix);
                    }
                    engine.save(&database, &child)?;
                }
                Ok(())
            });
        }
        if kind.eq_ignore_ascii_case("INDEX") {
            let Some(index) = table.indexes.iter_mut().find(|index| same(&index.name, &part)) else {
                return Err(wrong());
            };
            index.name = new.to_owned();
            return self.write(|engine| engine.save(&database, &table));
        }
        Err(SqlError::unsupported(format!("sp_rename of a {kind}")))
    }
}

fn schema_of(catalog: &Catalog, schema: &str) -> Result<String> {
    catalog.schema(schema).map(str::to_owned).ok_or_else(|| {
        SqlError::new(
            2760,
            16,
            format!(
                "The specified schema name \"{schema}\" either does not exist or you do not have permission to use it."
            ),
        )
        .effect(Effect::Batch)
    })
}

fn add_column(table: &mut Table, definition: &ColumnDefinition, constraints: &mut Vec<Constraint>) -> Result<()> {
    if table.column(&definition.name).is_some() {
        return Err(SqlError::new(
            2705,
            16,
            format!(
                "Column names in each table must be unique. Column name '{}' in table '{}' is specified more than once.",
                definition.name, table.name
            ),
        ));
    }
    if definition.sql_type == SqlType::RowVersion {
        return Err(SqlError::unsupported("columns of the type rowversion"));
    }
    if let Some((seed, _)) = definition.identity {
        if table.columns.iter().any(|column| column.identity.is_some()) {
            return Err(SqlError::new(
                2744,
                16,
                format!(
                    "Multiple identity columns specified for table '{}'. Only one identity column per table is allowed.",
                    table.name
                ),
            ));
        }
        let integer = matches!(
            definition.sql_type,
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt
        );
        if !integer
            || convert(
                &Value::Int(seed),
                SqlType::BigInt,
                definition.sql_type,
                None,
                TooLong::Cut,
            )
            .is_err()
        {
            return Err(SqlError::new(
                2749,
                16,
                format!(
                    "Identity column '{}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a \
                     scale of 0, unencrypted, and constrained to be nonnullable.",
                    definition.name
                ),
            ));
        }
    }
    table.columns.push(Column {
        id: table.next_column,
        name: definition.name.clone(),
        sql_type: definition.sql_type,
        nullable: definition.nullable.unwrap_or(definition.identity.is_none()),
        identity: definition.identity,
        default: None,
    });
    table.next_column += 1;
    constraints.extend(definition.constraints.iter().cloned());
    Ok(())
}

fn names_of(table: &Table) -> Vec<String> {
    let indexes = table
        .indexes
        .iter()
        .filter(|index| index.kind != IndexKind::Index)
        .map(|index| index.name.clone());
    indexes
        .chain(table.foreign_keys.iter().map(|key| key.name.clone()))
        .chain(table.checks.iter().map(|check| check.name.clone()))
        .chain(
            table
                .columns
                .iter()
                .filter_map(|column| column.default.as_ref().map(|default| default.name.clone())),
        )
        .collect()
}

/// What of the table itself uses a column.
fn dependents(table: &Table, column: &str, altering: bool) -> Vec<String> {
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

fn depends(used: &[String], column: &str, action: &str) -> SqlError {
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

fn no_column(name: &str) -> SqlError {
    SqlError::new(
        1911,
        16,
        format!("Column name '{name}' does not exist in the target table or view."),
    )
}

fn no_index_column(name: &str) -> SqlError {
    no_column(name)
}
