//! Creates, alters and drops databases, schemas, tables, views and indexes.

mod alter;
mod index;
mod remove;
mod rename;
mod table;
mod view;

use crate::sandbox::mssql::ast::Kind;
use crate::sandbox::mssql::datetime::Moment;
use crate::sandbox::mssql::engine::Engine;
use crate::sandbox::mssql::errors::{Result, SqlError};

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
}
