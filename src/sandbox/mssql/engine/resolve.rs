//! From names to databases, tables and views.

use std::sync::Arc;

use super::views::Rows;
use super::{Database, DatabaseRow, Engine};
use crate::sandbox::mssql::ast::Name;
use crate::sandbox::mssql::catalog::{Catalog, Table, View, same};
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::value::SqlType;

/// SQLite attaches so many files at most, beside the main one.
const MOST_ATTACHED: usize = 10;

pub enum Resolved {
    Table {
        database: Database,
        table: Arc<Table>,
    },
    View {
        database: Database,
        view: Arc<View>,
    },
    System {
        columns: Vec<(&'static str, SqlType)>,
        rows: Rows,
    },
}

/// What a name is: database, schema and name.
pub struct Place {
    pub database: Database,
    pub schema: String,
    pub name: String,
}

impl Engine {
    pub(super) fn databases(&self) -> Result<Vec<DatabaseRow>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, name, file, created FROM main.\"$databases\" ORDER BY id")
            .map_err(|error| self.sqlite(error))?;
        let rows = statement
            .query_map([], |row| {
                Ok(DatabaseRow {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    file: row.get(2)?,
                    created: row.get(3)?,
                })
            })
            .map_err(|error| self.sqlite(error))?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
    }

    /// A database by its name, attached.
    pub(super) fn attach(&mut self, name: &str) -> Result<Database> {
        if same(name, "tempdb") {
            return Ok(temporary());
        }
        let rows = self.databases()?;
        let Some(row) = rows.iter().find(|row| same(&row.name, name)) else {
            return Err(SqlError::new(
                911,
                16,
                format!("Database '{name}' does not exist. Make sure that the name is entered correctly."),
            ));
        };
        if row.id == 1 {
            return Ok(Database {
                alias: "main".to_owned(),
                name: "master".to_owned(),
                id: 1,
            });
        }
        if let Some(known) = self.attached.iter().find(|known| known.id == row.id) {
            return Ok(Database {
                name: row.name.clone(),
                ..known.clone()
            });
        }
        if self.writing {
            return Err(SqlError::unsupported(format!(
                "the database '{}', which was created after this transaction began to write",
                row.name
            )));
        }
        if self.attached.len() > MOST_ATTACHED {
            self.detach_others()?;
        }
        let alias = format!("db{}", row.id);
        let path = self.dir.join(&row.file);
        if !path.exists() {
            return Err(SqlError::internal(format!(
                "the file of the database '{}' is gone",
                row.name
            )));
        }
        self.connection
            .execute(&format!("ATTACH ?1 AS {alias}"), [path.to_string_lossy()])
            .map_err(|error| self.sqlite(error))?;
        self.connection
            .execute_batch(&format!("PRAGMA {alias}.synchronous = OFF"))?;
        let database = Database {
            alias,
            name: row.name.clone(),
            id: row.id,
        };
        self.attached.push(database.clone());
        Ok(database)
    }

    /// Detaches what is not the current database. Files of dropped databases are let go here, too.
    pub(super) fn detach_others(&mut self) -> Result<()> {
        let current = self.database.id;
        for database in std::mem::take(&mut self.attached) {
            if database.id == current || database.id == 1 {
                self.attached.push(database);
                continue;
            }
            self.catalogs.remove(&database.alias);
            self.connection
                .execute_batch(&format!("DETACH {}", database.alias))
                .map_err(|error| self.sqlite(error))?;
        }
        Ok(())
    }

    /// Before a transaction that writes: every database, since none can be attached within it.
    pub(super) fn attach_all(&mut self) -> Result<()> {
        let rows = self.databases()?;
        let gone = self
            .attached
            .iter()
            .any(|known| !rows.iter().any(|row| row.id == known.id));
        if gone {
            self.detach_others()?;
        }
        for row in rows.iter().take(MOST_ATTACHED) {
            self.attach(&row.name)?;
        }
        Ok(())
    }

    /// The catalog of a database as it is now.
    pub(super) fn catalog(&mut self, database: &Database) -> Result<Arc<Catalog>> {
        let version: i64 = if database.alias == "temp" {
            0
        } else {
            self.connection
                .query_row(&format!("PRAGMA {}.data_version", database.alias), [], |row| row.get(0))
                .map_err(|error| self.sqlite(error))?
        };
        if let Some((known, catalog)) = self.catalogs.get(&database.alias)
            && *known == version
        {
            return Ok(Arc::clone(catalog));
        }
        let catalog = Arc::new(Catalog::load(&self.connection, &database.alias)?);
        self.catalogs
            .insert(database.alias.clone(), (version, Arc::clone(&catalog)));
        self.shared()
            .catalogs
            .insert(database.name.to_lowercase(), Arc::clone(&catalog));
        Ok(catalog)
    }

    /// After this session changed a catalog.
    pub(super) fn forget_catalog(&mut self, database: &Database) {
        self.catalogs.remove(&database.alias);
    }

    /// Where a name points to, whether or not there is something.
    pub(super) fn place(&mut self, name: &Name) -> Result<Place> {
        let last = name.last().to_owned();
        if last.starts_with('#') || last.starts_with('@') {
            if last.starts_with("##") {
                return Err(SqlError::unsupported("global temporary tables"));
            }
            return Ok(Place {
                database: temporary(),
                schema: "dbo".to_owned(),
                name: last,
            });
        }
        let or_dbo = |schema: &str| {
            if schema.is_empty() {
                "dbo".to_owned()
            } else {
                schema.to_owned()
            }
        };
        match name.0.as_slice() {
            [name] => Ok(Place {
                database: self.database.clone(),
                schema: "dbo".to_owned(),
                name: name.clone(),
            }),
            [schema, name] => Ok(Place {
                database: self.database.clone(),
                schema: or_dbo(schema),
                name: name.clone(),
            }),
            [database, schema, name] => {
                let database = if database.is_empty() {
                    self.database.clone()
                } else {
                    self.attach(database)?
                };
                Ok(Place {
                    database,
                    schema: or_dbo(schema),
                    name: name.clone(),
                })
            }
            _ => Err(SqlError::unsupported(format!(
                "the linked server in '{}'",
                name.display()
            ))),
        }
    }

    /// A table, a view or a view of the catalog; error 208 when there is none.
    pub fn resolve(&mut self, name: &Name) -> Result<Resolved> {
        let place = self.place(name)?;
        if same(&place.schema, "sys") || same(&place.schema, "INFORMATION_SCHEMA") {
            return match self.system_view(&place.database, &place.schema, &place.name)? {
                Some((columns, rows)) => Ok(Resolved::System { columns, rows }),
                None if same(&place.schema, "sys") => {
                    Err(SqlError::unsupported(format!("the catalog view {}", name.display())))
                }
                None => Err(SqlError::invalid_object(&name.display())),
            };
        }
        let catalog = self.catalog(&place.database)?;
        if let Some(table) = catalog.table(&place.schema, &place.name) {
            return Ok(Resolved::Table {
                database: place.database,
                table: Arc::clone(table),
            });
        }
        if let Some(view) = catalog.view(&place.schema, &place.name) {
            return Ok(Resolved::View {
                database: place.database,
                view: Arc::clone(view),
            });
        }
        if place.name.starts_with('@') {
            return Err(SqlError::new(
                1087,
                16,
                format!("Must declare the table variable \"{}\".", place.name),
            ));
        }
        Err(SqlError::invalid_object(&name.display()))
    }

    /// A table that is written to.
    pub(super) fn resolve_table(&mut self, name: &Name) -> Result<(Database, Arc<Table>)> {
        match self.resolve(name)? {
            Resolved::Table { database, table } => Ok((database, table)),
            Resolved::View { .. } => Err(SqlError::unsupported(format!(
                "writing to the view '{}'",
                name.display()
            ))),
            Resolved::System { .. } => {
                Err(
                    SqlError::new(259, 16, "Ad hoc updates to system catalogs are not allowed.")
                        .effect(Effect::Compile),
                )
            }
        }
    }

    /// Names in a view are those of its database. Gives back the database to return to.
    pub fn enter_database(&mut self, database: &Database) -> Database {
        std::mem::replace(&mut self.database, database.clone())
    }

    pub fn leave_database(&mut self, home: Database) {
        self.database = home;
    }

    /// Gives the functions the catalog of the database that a name points into.
    pub(super) fn share_database_of(&mut self, name: &str) -> Result<()> {
        let current = self.database.clone();
        self.catalog(&current)?;
        self.catalog(&temporary())?;
        if let Some(parsed) = crate::sandbox::mssql::parser::name(name)
            && let [database, _, _] = parsed.0.as_slice()
            && self.databases()?.iter().any(|row| same(&row.name, database))
        {
            let database = self.attach(database)?;
            self.catalog(&database)?;
        }
        self.share_session()
    }

    fn share_session(&mut self) -> Result<()> {
        let databases = self.databases()?;
        let user = self.user_name()?;
        let current = self.database.name.clone();
        let mut shared = self.shared();
        shared.databases = databases;
        shared.user = user;
        shared.current = current;
        Ok(())
    }

    /// What the functions of the catalog need; the identity values only where they are asked for.
    pub(super) fn share_identities(&mut self, function: &str) -> Result<()> {
        let current = self.database.clone();
        self.catalog(&current)?;
        self.catalog(&temporary())?;
        self.share_session()?;
        if function == "IDENT_CURRENT" {
            let identities = {
                let mut statement = self
                    .connection
                    .prepare(&format!("SELECT id, last FROM {}.\"$identity\"", current.alias))
                    .map_err(|error| self.sqlite(error))?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect::<rusqlite::Result<_>>()?
            };
            self.shared().identities = identities;
        }
        Ok(())
    }
}

/// Temporary tables and table variables, which only this session sees.
pub fn temporary() -> Database {
    Database {
        alias: "temp".to_owned(),
        name: "tempdb".to_owned(),
        id: 2,
    }
}
