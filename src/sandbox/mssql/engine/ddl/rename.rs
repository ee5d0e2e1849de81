//! `sp_rename`.

use crate::sandbox::mssql::ast::Name;
use crate::sandbox::mssql::catalog::{Table, same};
use crate::sandbox::mssql::engine::Engine;
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::parser;

impl Engine {
    /// `sp_rename` of a column, an index or a table.
    pub(in crate::sandbox::mssql::engine) fn rename(&mut self, old: &str, new: &str, kind: &str) -> Result<()> {
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
