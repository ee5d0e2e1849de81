//! Drops objects of every kind.

use super::cannot_drop;
use crate::sandbox::mssql::ast::Name;
use crate::sandbox::mssql::catalog::{self, same};
use crate::sandbox::mssql::engine::Engine;
use crate::sandbox::mssql::engine::resolve::temporary;
use crate::sandbox::mssql::errors::{Result, SqlError};

impl Engine {
    pub(super) fn drop_one(&mut self, what: &'static str, name: &Name, if_exists: bool) -> Result<()> {
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
    pub(in crate::sandbox::mssql::engine) fn drop_table_variables(&mut self) {
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
}
