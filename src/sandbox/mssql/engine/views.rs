//! The views of the catalog: `sys.*` and `INFORMATION_SCHEMA.*`, with the columns that tools ask for. Source: "System
//! catalog views".

use super::lookup::schemas;
use super::{Database, Engine};
use crate::sandbox::mssql::ast::Action;
use crate::sandbox::mssql::catalog::{FIXED_ROLES, IndexKind};
use crate::sandbox::mssql::collation;
use crate::sandbox::mssql::errors::Result;
use crate::sandbox::mssql::value::{SqlType, Value};

pub type Rows = Vec<Vec<Value>>;

const NAME: SqlType = SqlType::NVarChar(Some(128));
const INT: SqlType = SqlType::Int;
const BIT: SqlType = SqlType::Bit;
const TINY: SqlType = SqlType::TinyInt;
const SMALL: SqlType = SqlType::SmallInt;
const CODE: SqlType = SqlType::Char(2);
const TEXT: SqlType = SqlType::NVarChar(None);
const DATE: SqlType = SqlType::DateTime;

/// The names of the data types.
pub const TYPES: [&str; 24] = [
    "bit",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "real",
    "decimal",
    "money",
    "smallmoney",
    "nvarchar",
    "varchar",
    "nchar",
    "char",
    "varbinary",
    "binary",
    "date",
    "time",
    "datetime2",
    "datetime",
    "smalldatetime",
    "datetimeoffset",
    "uniqueidentifier",
    "timestamp",
];

fn text(text: &str) -> Value {
    Value::text(text)
}

fn int(number: i64) -> Value {
    Value::Int(number)
}

fn flag(flag: bool) -> Value {
    Value::Int(flag.into())
}

fn describe(kind: &str) -> &'static str {
    match kind {
        "U" => "USER_TABLE",
        "V" => "VIEW",
        "PK" => "PRIMARY_KEY_CONSTRAINT",
        "UQ" => "UNIQUE_CONSTRAINT",
        "F" => "FOREIGN_KEY_CONSTRAINT",
        "C" => "CHECK_CONSTRAINT",
        _ => "DEFAULT_CONSTRAINT",
    }
}

fn action(action: Action) -> (i64, &'static str) {
    match action {
        Action::NoAction => (0, "NO_ACTION"),
        Action::Cascade => (1, "CASCADE"),
        Action::SetNull => (2, "SET_NULL"),
        Action::SetDefault => (3, "SET_DEFAULT"),
    }
}

impl Engine {
    /// A view of the catalog of a database; `None` when there is none of that name.
    #[allow(clippy::type_complexity)]
    pub(super) fn system_view(
        &mut self,
        database: &Database,
        schema: &str,
        name: &str,
    ) -> Result<Option<(Vec<(&'static str, SqlType)>, Rows)>> {
        let catalog = self.catalog(database)?;
        let schema_id = |name: &str| {
            let all = schemas(&catalog);
            all.iter().find(|(_, own)| own == name).map_or(1, |(id, _)| *id)
        };
        let qualified = format!("{}.{}", schema.to_lowercase(), name.to_lowercase());
        let mut rows: Rows = Vec::new();
        let columns = match qualified.as_str() {
            "sys.databases" => {
                for row in self.databases()? {
                    rows.push(vec![
                        text(&row.name),
                        int(row.id),
                        text(&row.created),
                        int(160),
                        text(collation::DISPLAY),
                        int(0),
                        text("ONLINE"),
                        text("MULTI_USER"),
                        int(3),
                        text("SIMPLE"),
                        flag(row.id > 4),
                        int(0),
                        flag(false),
                    ]);
                }
                vec![
                    ("name", NAME),
                    ("database_id", INT),
                    ("create_date", DATE),
                    ("compatibility_level", TINY),
                    ("collation_name", NAME),
                    ("state", TINY),
                    ("state_desc", NAME),
                    ("user_access_desc", NAME),
                    ("recovery_model", TINY),
                    ("recovery_model_desc", NAME),
                    ("is_read_committed_snapshot_on", BIT),
                    ("user_access", TINY),
                    ("is_read_only", BIT),
                ]
            }
            "sys.schemas" => {
                for (id, name) in schemas(&catalog) {
                    rows.push(vec![text(&name), int(id), int(1)]);
                }
                vec![("name", NAME), ("schema_id", INT), ("principal_id", INT)]
            }
            "sys.objects" | "sys.all_objects" | "sys.tables" | "sys.views" | "sys.key_constraints" => {
                for object in catalog.objects() {
                    let wanted = match name.to_lowercase().as_str() {
                        "tables" => object.kind == "U",
                        "views" => object.kind == "V",
                        "key_constraints" => matches!(object.kind, "PK" | "UQ"),
                        _ => true,
                    };
                    if wanted {
                        let index = catalog.table_by_id(object.parent).and_then(|table| {
                            table
                                .indexes
                                .iter()
                                .find(|index| index.object == object.id)
                                .map(|index| index.id)
                        });
                        rows.push(vec![
                            text(&object.name),
                            int(object.id),
                            int(schema_id(object.schema)),
                            int(object.parent),
                            text(object.kind),
                            text(describe(object.kind)),
                            text(object.created),
                            text(object.modified),
                            flag(false),
                            index.map_or(Value::Null, Value::Int),
                            int(0),
                        ]);
                    }
                }
                vec![
                    ("name", NAME),
                    ("object_id", INT),
                    ("schema_id", INT),
                    ("parent_object_id", INT),
                    ("type", CODE),
                    ("type_desc", NAME),
                    ("create_date", DATE),
                    ("modify_date", DATE),
                    ("is_ms_shipped", BIT),
                    ("unique_index_id", INT),
                    ("temporal_type", TINY),
                ]
            }
            "sys.columns" | "sys.all_columns" => {
                for table in &catalog.tables {
                    for column in &table.columns {
                        let (id, length, precision, scale) = column.sql_type.system();
                        rows.push(vec![
                            int(table.id),
                            text(&column.name),
                            int(column.id),
                            int(id),
                            int(id),
                            int(length),
                            int(precision),
                            int(scale),
                            if column.sql_type.is_text() {
                                text(collation::DISPLAY)
                            } else {
                                Value::Null
                            },
                            flag(column.nullable),
                            flag(column.identity.is_some()),
                            flag(false),
                            int(column.default.as_ref().map_or(0, |default| default.id)),
                        ]);
                    }
                }
                vec![
                    ("object_id", INT),
                    ("name", NAME),
                    ("column_id", INT),
                    ("system_type_id", TINY),
                    ("user_type_id", INT),
                    ("max_length", SMALL),
                    ("precision", TINY),
                    ("scale", TINY),
                    ("collation_name", NAME),
                    ("is_nullable", BIT),
                    ("is_identity", BIT),
                    ("is_computed", BIT),
                    ("default_object_id", INT),
                ]
            }
            "sys.identity_columns" => {
                let last: std::collections::HashMap<i64, i64> = self
                    .rows_of(&format!("SELECT id, last FROM {}.\"$identity\"", database.alias), 2)?
                    .iter()
                    .filter_map(|row| Some((row.first()?.as_int()?, row.get(1)?.as_int()?)))
                    .collect();
                for table in &catalog.tables {
                    for column in &table.columns {
                        if let Some((seed, increment)) = column.identity {
                            rows.push(vec![
                                int(table.id),
                                text(&column.name),
                                int(column.id),
                                int(seed),
                                int(increment),
                                last.get(&table.id).map_or(Value::Null, |last| int(*last)),
                            ]);
                        }
                    }
                }
                vec![
                    ("object_id", INT),
                    ("name", NAME),
                    ("column_id", INT),
                    ("seed_value", SqlType::BigInt),
                    ("increment_value", SqlType::BigInt),
                    ("last_value", SqlType::BigInt),
                ]
            }
            "sys.types" => {
                for name in TYPES {
                    if let Some(sql_type) = SqlType::by_name(name, &[]) {
                        let (id, length, precision, scale) = sql_type.system();
                        rows.push(vec![
                            text(name),
                            int(id),
                            int(id),
                            int(4),
                            int(length.max(1)),
                            int(precision),
                            int(scale),
                            flag(true),
                            flag(false),
                        ]);
                    }
                }
                rows.push(vec![
                    text("sysname"),
                    int(231),
                    int(256),
                    int(4),
                    int(256),
                    int(0),
                    int(0),
                    flag(false),
                    flag(false),
                ]);
                vec![
                    ("name", NAME),
                    ("system_type_id", TINY),
                    ("user_type_id", INT),
                    ("schema_id", INT),
                    ("max_length", SMALL),
                    ("precision", TINY),
                    ("scale", TINY),
                    ("is_nullable", BIT),
                    ("is_user_defined", BIT),
                ]
            }
            "sys.indexes" => {
                for table in &catalog.tables {
                    if !table.indexes.iter().any(|index| index.clustered) {
                        rows.push(vec![
                            int(table.id),
                            Value::Null,
                            int(0),
                            int(0),
                            text("HEAP"),
                            flag(false),
                            flag(false),
                            flag(false),
                            flag(false),
                            Value::Null,
                            flag(false),
                        ]);
                    }
                    for index in &table.indexes {
                        rows.push(vec![
                            int(table.id),
                            text(&index.name),
                            int(index.id),
                            int(if index.clustered { 1 } else { 2 }),
                            text(if index.clustered { "CLUSTERED" } else { "NONCLUSTERED" }),
                            flag(index.unique),
                            flag(index.kind == IndexKind::PrimaryKey),
                            flag(index.kind == IndexKind::UniqueConstraint),
                            flag(index.filter.is_some()),
                            index
                                .filter
                                .as_ref()
                                .map_or(Value::Null, |filter| Value::Text(format!("({filter})"))),
                            flag(false),
                        ]);
                    }
                }
                vec![
                    ("object_id", INT),
                    ("name", NAME),
                    ("index_id", INT),
                    ("type", TINY),
                    ("type_desc", NAME),
                    ("is_unique", BIT),
                    ("is_primary_key", BIT),
                    ("is_unique_constraint", BIT),
                    ("has_filter", BIT),
                    ("filter_definition", TEXT),
                    ("is_disabled", BIT),
                ]
            }
            "sys.index_columns" => {
                for table in &catalog.tables {
                    for index in &table.indexes {
                        let keys = index
                            .columns
                            .iter()
                            .map(|(name, descending)| (name, *descending, false));
                        let all = keys.chain(index.include.iter().map(|name| (name, false, true)));
                        for (at, (name, descending, included)) in all.enumerate() {
                            let Some(column) = table.column(name) else { continue };
                            rows.push(vec![
                                int(table.id),
                                int(index.id),
                                int(at as i64 + 1),
                                int(column.id),
                                int(if included { 0 } else { at as i64 + 1 }),
                                flag(descending),
                                flag(included),
                            ]);
                        }
                    }
                }
                vec![
                    ("object_id", INT),
                    ("index_id", INT),
                    ("index_column_id", INT),
                    ("column_id", INT),
                    ("key_ordinal", TINY),
                    ("is_descending_key", BIT),
                    ("is_included_column", BIT),
                ]
            }
            "sys.foreign_keys" => {
                for table in &catalog.tables {
                    for key in &table.foreign_keys {
                        let ((delete, delete_text), (update, update_text)) =
                            (action(key.on_delete), action(key.on_update));
                        rows.push(vec![
                            text(&key.name),
                            int(key.id),
                            int(schema_id(&table.schema)),
                            int(table.id),
                            int(key.table),
                            int(delete),
                            text(delete_text),
                            int(update),
                            text(update_text),
                            flag(key.disabled),
                            flag(!key.trusted),
                            text("F"),
                        ]);
                    }
                }
                vec![
                    ("name", NAME),
                    ("object_id", INT),
                    ("schema_id", INT),
                    ("parent_object_id", INT),
                    ("referenced_object_id", INT),
                    ("delete_referential_action", TINY),
                    ("delete_referential_action_desc", NAME),
                    ("update_referential_action", TINY),
                    ("update_referential_action_desc", NAME),
                    ("is_disabled", BIT),
                    ("is_not_trusted", BIT),
                    ("type", CODE),
                ]
            }
            "sys.foreign_key_columns" => {
                for table in &catalog.tables {
                    for key in &table.foreign_keys {
                        let parent = catalog.table_by_id(key.table);
                        for (at, (own, other)) in key.columns.iter().zip(&key.referenced).enumerate() {
                            let id = |column: Option<i64>| column.map_or(Value::Null, Value::Int);
                            rows.push(vec![
                                int(key.id),
                                int(at as i64 + 1),
                                int(table.id),
                                id(table.column(own).map(|column| column.id)),
                                int(key.table),
                                id(parent.and_then(|parent| parent.column(other)).map(|column| column.id)),
                            ]);
                        }
                    }
                }
                vec![
                    ("constraint_object_id", INT),
                    ("constraint_column_id", INT),
                    ("parent_object_id", INT),
                    ("parent_column_id", INT),
                    ("referenced_object_id", INT),
                    ("referenced_column_id", INT),
                ]
            }
            "sys.default_constraints" => {
                for table in &catalog.tables {
                    for column in &table.columns {
                        if let Some(default) = &column.default {
                            rows.push(vec![
                                text(&default.name),
                                int(default.id),
                                int(schema_id(&table.schema)),
                                int(table.id),
                                int(column.id),
                                Value::Text(format!("({})", default.text)),
                                text("D"),
                            ]);
                        }
                    }
                }
                vec![
                    ("name", NAME),
                    ("object_id", INT),
                    ("schema_id", INT),
                    ("parent_object_id", INT),
                    ("parent_column_id", INT),
                    ("definition", TEXT),
                    ("type", CODE),
                ]
            }
            "sys.check_constraints" => {
                for table in &catalog.tables {
                    for check in &table.checks {
                        rows.push(vec![
                            text(&check.name),
                            int(check.id),
                            int(schema_id(&table.schema)),
                            int(table.id),
                            Value::Text(format!("({})", check.text)),
                            flag(check.disabled),
                            flag(!check.trusted),
                            text("C"),
                        ]);
                    }
                }
                vec![
                    ("name", NAME),
                    ("object_id", INT),
                    ("schema_id", INT),
                    ("parent_object_id", INT),
                    ("definition", TEXT),
                    ("is_disabled", BIT),
                    ("is_not_trusted", BIT),
                    ("type", CODE),
                ]
            }
            "sys.partitions" => {
                for table in &catalog.tables {
                    let count = self
                        .rows_of(
                            &format!("SELECT count(*) FROM {}.{}", database.alias, table.physical()),
                            1,
                        )?
                        .first()
                        .and_then(|row| row.first().and_then(Value::as_int))
                        .unwrap_or_default();
                    let heap = if table.indexes.iter().any(|index| index.clustered) {
                        None
                    } else {
                        Some(0)
                    };
                    for id in heap.into_iter().chain(table.indexes.iter().map(|index| index.id)) {
                        rows.push(vec![int(table.id), int(id), int(1), int(count)]);
                    }
                }
                vec![
                    ("object_id", INT),
                    ("index_id", INT),
                    ("partition_number", INT),
                    ("rows", SqlType::BigInt),
                ]
            }
            "sys.database_principals" => {
                for (id, name) in [(0, "public"), (1, "dbo"), (2, "guest")] {
                    let role = id == 0;
                    rows.push(vec![
                        text(name),
                        int(id),
                        text(if role { "R" } else { "S" }),
                        text(if role { "DATABASE_ROLE" } else { "SQL_USER" }),
                        text("dbo"),
                        flag(false),
                    ]);
                }
                for (id, name) in FIXED_ROLES {
                    rows.push(vec![
                        text(name),
                        int(id),
                        text("R"),
                        text("DATABASE_ROLE"),
                        Value::Null,
                        flag(true),
                    ]);
                }
                for one in &catalog.security.principals {
                    rows.push(vec![
                        text(&one.name),
                        int(one.id),
                        text(if one.role { "R" } else { "S" }),
                        text(if one.role { "DATABASE_ROLE" } else { "SQL_USER" }),
                        text("dbo"),
                        flag(false),
                    ]);
                }
                vec![
                    ("name", NAME),
                    ("principal_id", INT),
                    ("type", SqlType::Char(1)),
                    ("type_desc", NAME),
                    ("default_schema_name", NAME),
                    ("is_fixed_role", BIT),
                ]
            }
            "sys.database_role_members" => {
                for (role, member) in &catalog.security.members {
                    let fixed = FIXED_ROLES.iter().find(|(_, own)| own == role).map(|(id, _)| *id);
                    let role = fixed.or_else(|| catalog.principal(role).map(|role| role.id));
                    let member = catalog.principal(member).map(|member| member.id);
                    if let (Some(role), Some(member)) = (role, member) {
                        rows.push(vec![int(role), int(member)]);
                    }
                }
                vec![("role_principal_id", INT), ("member_principal_id", INT)]
            }
            "sys.server_principals" | "sys.sql_logins" => {
                let admin = self.login_name();
                rows.push(vec![
                    text(&admin),
                    int(1),
                    text("S"),
                    text("SQL_LOGIN"),
                    flag(false),
                    text("master"),
                ]);
                for row in self.rows_of("SELECT name, id FROM main.\"$logins\" ORDER BY id", 2)? {
                    if let [name, id] = row.as_slice()
                        && *name != Value::text(admin.as_str())
                    {
                        let id = int(id.as_int().unwrap_or_default() + 256);
                        rows.push(vec![
                            name.clone(),
                            id,
                            text("S"),
                            text("SQL_LOGIN"),
                            flag(false),
                            text("master"),
                        ]);
                    }
                }
                vec![
                    ("name", NAME),
                    ("principal_id", INT),
                    ("type", SqlType::Char(1)),
                    ("type_desc", NAME),
                    ("is_disabled", BIT),
                    ("default_database_name", NAME),
                ]
            }
            "information_schema.tables" => {
                for object in catalog
                    .objects()
                    .iter()
                    .filter(|object| matches!(object.kind, "U" | "V"))
                {
                    rows.push(vec![
                        text(&database.name),
                        text(object.schema),
                        text(&object.name),
                        text(if object.kind == "U" { "BASE TABLE" } else { "VIEW" }),
                    ]);
                }
                vec![
                    ("TABLE_CATALOG", NAME),
                    ("TABLE_SCHEMA", NAME),
                    ("TABLE_NAME", NAME),
                    ("TABLE_TYPE", SqlType::VarChar(Some(10))),
                ]
            }
            "information_schema.schemata" => {
                for (_, name) in schemas(&catalog) {
                    rows.push(vec![text(&database.name), text(&name), text("dbo")]);
                }
                vec![("CATALOG_NAME", NAME), ("SCHEMA_NAME", NAME), ("SCHEMA_OWNER", NAME)]
            }
            "information_schema.columns" => {
                for table in &catalog.tables {
                    for (at, column) in table.columns.iter().enumerate() {
                        let (_, _, precision, scale) = column.sql_type.system();
                        let sized = column.sql_type.is_text()
                            || matches!(column.sql_type, SqlType::VarBinary(_) | SqlType::Binary(_));
                        let number = column.sql_type.is_number() && column.sql_type != SqlType::Bit;
                        rows.push(vec![
                            text(&database.name),
                            text(&table.schema),
                            text(&table.name),
                            text(&column.name),
                            int(at as i64 + 1),
                            column
                                .default
                                .as_ref()
                                .map_or(Value::Null, |default| Value::Text(format!("({})", default.text))),
                            text(if column.nullable { "YES" } else { "NO" }),
                            text(column.sql_type.base_name()),
                            if sized {
                                int(column.sql_type.length().map_or(-1, i64::from))
                            } else {
                                Value::Null
                            },
                            if number { int(precision) } else { Value::Null },
                            if number { int(scale) } else { Value::Null },
                        ]);
                    }
                }
                vec![
                    ("TABLE_CATALOG", NAME),
                    ("TABLE_SCHEMA", NAME),
                    ("TABLE_NAME", NAME),
                    ("COLUMN_NAME", NAME),
                    ("ORDINAL_POSITION", INT),
                    ("COLUMN_DEFAULT", TEXT),
                    ("IS_NULLABLE", SqlType::VarChar(Some(3))),
                    ("DATA_TYPE", NAME),
                    ("CHARACTER_MAXIMUM_LENGTH", INT),
                    ("NUMERIC_PRECISION", TINY),
                    ("NUMERIC_SCALE", INT),
                ]
            }
            _ => return Ok(None),
        };
        Ok(Some((columns, rows)))
    }
}
