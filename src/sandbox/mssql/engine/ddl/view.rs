//! Creates views and schemas.

use super::table::schema_of;
use super::{exists, now};
use crate::sandbox::mssql::ast::Name;
use crate::sandbox::mssql::catalog::{self, View};
use crate::sandbox::mssql::engine::Engine;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::parser;

impl Engine {
    pub(super) fn create_view(
        &mut self,
        name: &Name,
        columns: &[String],
        text: &str,
        alter: bool,
        create: bool,
    ) -> Result<()> {
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

    pub(super) fn create_schema(&mut self, name: &str) -> Result<()> {
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
}
