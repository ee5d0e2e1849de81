//! Creates tables, with their columns and constraints.

use std::sync::Arc;

use super::index::no_column;
use super::{exists, now};
use crate::sandbox::mssql::ast::{
    ColumnDefinition, Constraint, ConstraintKind, IndexDefinition, Name, TableDefinition,
};
use crate::sandbox::mssql::catalog::{
    self, Catalog, Check, Column, Default, ForeignKey, IndexKind, Table, physical_column, same,
};
use crate::sandbox::mssql::engine::{Database, Engine};
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::parser;
use crate::sandbox::mssql::value::{SqlType, TooLong, Value, convert};

impl Engine {
    pub(super) fn create_table(&mut self, definition: &TableDefinition) -> Result<Arc<Table>> {
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

    pub(in crate::sandbox::mssql::engine) fn create_from_columns(
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

    pub(super) fn save(&mut self, database: &Database, table: &Table) -> Result<()> {
        catalog::put_table(&self.connection, &database.alias, table)?;
        self.forget_catalog(database);
        Ok(())
    }

    pub(super) fn add_constraints(
        &mut self,
        database: &Database,
        table: &mut Table,
        constraints: &[Constraint],
    ) -> Result<()> {
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
}

pub(super) fn schema_of(catalog: &Catalog, schema: &str) -> Result<String> {
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

pub(super) fn add_column(
    table: &mut Table,
    definition: &ColumnDefinition,
    constraints: &mut Vec<Constraint>,
) -> Result<()> {
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

pub(super) fn names_of(table: &Table) -> Vec<String> {
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
