//! The functions that look something up in the catalog: OBJECT_ID, COL_LENGTH, DB_NAME and so on. Source: "Metadata
//! functions".

use std::sync::Arc;

use super::Shared;
use crate::sandbox::mssql::catalog::{Catalog, FIXED_ROLES, SCHEMAS, same};
use crate::sandbox::mssql::errors::{Result, SqlError};
use crate::sandbox::mssql::value::{SqlType, Value};

const NAMES: [&str; 28] = [
    "object_id",
    "object_name",
    "object_schema_name",
    "object_definition",
    "objectproperty",
    "objectpropertyex",
    "schema_id",
    "schema_name",
    "db_id",
    "db_name",
    "type_id",
    "type_name",
    "col_length",
    "col_name",
    "columnproperty",
    "indexproperty",
    "index_col",
    "user_id",
    "user_name",
    "database_principal_id",
    "suser_id",
    "suser_name",
    "suser_sname",
    "original_db_name",
    "ident_current",
    "ident_seed",
    "ident_incr",
    "databasepropertyex",
];

pub fn knows(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The catalog and the parts of a name: `db.schema.object`.
fn place(shared: &Shared, text: &str) -> Option<(Arc<Catalog>, String, String)> {
    let name = crate::sandbox::mssql::parser::name(text)?;
    let last = name.last().to_owned();
    let database = match name.0.as_slice() {
        _ if last.starts_with('#') || last.starts_with('@') => "tempdb".to_owned(),
        [database, _, _] if !database.is_empty() => database.to_lowercase(),
        _ => shared.current.to_lowercase(),
    };
    let schema = match name.0.as_slice() {
        [.., schema, _] if !schema.is_empty() => schema.clone(),
        _ => "dbo".to_owned(),
    };
    Some((Arc::clone(shared.catalogs.get(&database)?), schema, last))
}

pub fn call(shared: &Shared, name: &str, arguments: &[Value]) -> Result<Value> {
    let at = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
    let text = |index: usize| at(index).as_str().unwrap_or_default();
    let current = shared
        .catalogs
        .get(&shared.current.to_lowercase())
        .cloned()
        .unwrap_or_default();
    if arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let int = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
    let name_of = |name: Option<String>| name.map_or(Value::Null, Value::Text);
    // The catalog that has an object: the current one, or that of temporary tables.
    let having = |id: i64| {
        shared
            .catalogs
            .get("tempdb")
            .filter(|catalog| catalog.table_by_id(id).is_some() && current.table_by_id(id).is_none())
            .cloned()
            .unwrap_or_else(|| Arc::clone(&current))
    };
    Ok(match name {
        "object_id" => {
            let wanted = at(1).as_str().map(str::trim);
            let Some((catalog, schema, last)) = place(shared, text(0)) else {
                return Ok(Value::Null);
            };
            int(catalog
                .object(&schema, &last)
                .filter(|object| wanted.is_none_or(|wanted| same(wanted, object.kind)))
                .map(|object| object.id))
        }
        "object_name" | "object_schema_name" => {
            let id = at(0).as_int().unwrap_or_default();
            let catalog = having(id);
            let objects = catalog.objects();
            let object = objects.iter().find(|object| object.id == id);
            name_of(object.map(|object| match name {
                "object_name" => object.name.clone(),
                _ => object.schema.to_owned(),
            }))
        }
        "object_definition" => {
            let id = at(0).as_int().unwrap_or_default();
            name_of(
                current
                    .views
                    .iter()
                    .find(|view| view.id == id)
                    .map(|view| format!("CREATE VIEW [{}].[{}] AS {}", view.schema, view.name, view.text)),
            )
        }
        "objectproperty" | "objectpropertyex" => {
            let id = at(0).as_int().unwrap_or_default();
            let catalog = having(id);
            let objects = catalog.objects();
            let Some(object) = objects.iter().find(|object| object.id == id) else {
                return Ok(Value::Null);
            };
            let table = catalog.table_by_id(id);
            let flag = match text(1).to_ascii_lowercase().as_str() {
                "istable" | "isusertable" => object.kind == "U",
                "isview" => object.kind == "V",
                "isprimarykey" => object.kind == "PK",
                "isforeignkey" => object.kind == "F",
                "tablehasprimarykey" => table.is_some_and(|table| table.primary_key().is_some()),
                "tablehasidentity" => {
                    table.is_some_and(|table| table.columns.iter().any(|column| column.identity.is_some()))
                }
                "tablehasforeignkey" => table.is_some_and(|table| !table.foreign_keys.is_empty()),
                "ismsshipped" => false,
                _ => return Ok(Value::Null),
            };
            Value::Int(flag.into())
        }
        "schema_id" => int(schemas(&current)
            .into_iter()
            .find(|(_, schema)| same(schema, text(0)))
            .map(|(id, _)| id)),
        "schema_name" => {
            let id = at(0).as_int().unwrap_or_default();
            name_of(
                schemas(&current)
                    .into_iter()
                    .find(|(other, _)| *other == id)
                    .map(|(_, schema)| schema),
            )
        }
        "db_id" if same(text(0), "tempdb") => Value::Int(2),
        "db_id" => int(shared
            .databases
            .iter()
            .find(|row| same(&row.name, text(0)))
            .map(|row| row.id)),
        "db_name" => {
            let id = at(0).as_int().unwrap_or_default();
            name_of(
                shared
                    .databases
                    .iter()
                    .find(|row| row.id == id)
                    .map(|row| row.name.clone()),
            )
        }
        "original_db_name" => Value::Text(shared.current.clone()),
        "type_id" => int(SqlType::by_name(text(0), &[]).map(|sql_type| sql_type.system().0)),
        "type_name" => {
            let id = at(0).as_int().unwrap_or_default();
            name_of(super::views::TYPES.iter().find_map(|name| {
                SqlType::by_name(name, &[])
                    .filter(|known| known.system().0 == id)
                    .map(|_| (*name).to_owned())
            }))
        }
        "col_length" | "columnproperty" | "col_name" => {
            let (catalog, table) = match at(0) {
                Value::Int(id) => {
                    let catalog = having(*id);
                    let table = catalog.table_by_id(*id).cloned();
                    (catalog, table)
                }
                _ => {
                    let Some((catalog, schema, last)) = place(shared, text(0)) else {
                        return Ok(Value::Null);
                    };
                    let table = catalog.table(&schema, &last).cloned();
                    (catalog, table)
                }
            };
            drop(catalog);
            let Some(table) = table else { return Ok(Value::Null) };
            if name == "col_name" {
                let id = at(1).as_int().unwrap_or_default();
                return Ok(name_of(
                    table
                        .columns
                        .iter()
                        .find(|c| c.id == id)
                        .map(|column| column.name.clone()),
                ));
            }
            let Some(column) = table.column(text(1)) else {
                return Ok(Value::Null);
            };
            let (_, length, precision, scale) = column.sql_type.system();
            if name == "col_length" {
                return Ok(Value::Int(length));
            }
            match text(2).to_ascii_lowercase().as_str() {
                "allowsnull" => Value::Int(column.nullable.into()),
                "isidentity" => Value::Int(column.identity.is_some().into()),
                "iscomputed" | "isrowguidcol" => Value::Int(0),
                "columnid" => Value::Int(column.id),
                "precision" => Value::Int(column.sql_type.length().map_or(precision, i64::from)),
                "scale" => Value::Int(scale),
                _ => Value::Null,
            }
        }
        "indexproperty" => {
            let catalog = having(at(0).as_int().unwrap_or_default());
            let Some(table) = catalog.table_by_id(at(0).as_int().unwrap_or_default()) else {
                return Ok(Value::Null);
            };
            let Some(index) = table.indexes.iter().find(|index| same(&index.name, text(1))) else {
                return Ok(Value::Null);
            };
            match text(2).to_ascii_lowercase().as_str() {
                "indexid" => Value::Int(index.id),
                "isunique" => Value::Int(index.unique.into()),
                "isclustered" => Value::Int(index.clustered.into()),
                _ => Value::Null,
            }
        }
        "ident_current" | "ident_seed" | "ident_incr" => {
            let Some((catalog, schema, last)) = place(shared, text(0)) else {
                return Ok(Value::Null);
            };
            let Some(table) = catalog.table(&schema, &last) else {
                return Ok(Value::Null);
            };
            let Some((seed, increment)) = table.columns.iter().find_map(|column| column.identity) else {
                return Ok(Value::Null);
            };
            Value::Int(match name {
                "ident_seed" => seed,
                "ident_incr" => increment,
                _ => shared.identities.get(&table.id).copied().unwrap_or(seed),
            })
        }
        "user_id" | "database_principal_id" => {
            let fixed = FIXED_ROLES
                .iter()
                .find(|(_, role)| same(role, text(0)))
                .map(|(id, _)| *id);
            let fixed = fixed
                .or_else(|| same(text(0), "dbo").then_some(1))
                .or_else(|| same(text(0), "public").then_some(0));
            int(fixed.or_else(|| current.principal(text(0)).map(|principal| principal.id)))
        }
        "user_name" => {
            let id = at(0).as_int().unwrap_or_default();
            let own = current.security.principals.iter().find(|principal| principal.id == id);
            let own = own.map(|principal| principal.name.clone());
            name_of(own.or_else(|| (id == 1).then(|| "dbo".to_owned())))
        }
        "suser_name" | "suser_sname" | "suser_id" => Value::Null,
        "databasepropertyex" => {
            let known = shared.databases.iter().any(|row| same(&row.name, text(0)));
            match text(1).to_ascii_lowercase().as_str() {
                _ if !known => Value::Null,
                "collation" => Value::text(crate::sandbox::mssql::collation::DISPLAY),
                "status" => Value::text("ONLINE"),
                "updateability" => Value::text("READ_WRITE"),
                "recovery" => Value::text("SIMPLE"),
                "useraccess" => Value::text("MULTI_USER"),
                _ => Value::Null,
            }
        }
        other => return Err(SqlError::unsupported(format!("the function {}", other.to_uppercase()))),
    })
}

pub fn schemas(catalog: &Catalog) -> Vec<(i64, String)> {
    SCHEMAS
        .iter()
        .map(|(id, schema)| (*id, (*schema).to_owned()))
        .chain(catalog.security.schemas.iter().cloned())
        .collect()
}
