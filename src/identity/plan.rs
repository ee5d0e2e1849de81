//! What there is to do: the declared against the live.

use serde::Serialize;
use serde_json::Value;

use super::secrets::{SHARED_SECRET, is_hash};
use super::store::{Live, Row, Schema};
use super::wanted::{Cell, Children, Entity, Secrets};
use crate::error::{Error, Result};

/// What happens to a client, scope, API or identity resource.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// `client`, `scope`, `API`, `identity resource`
    pub kind: &'static str,
    pub name: String,
    pub action: Action,
    pub details: Vec<Detail>,
    #[serde(skip)]
    pub(super) parent: Parent,
    #[serde(skip)]
    pub(super) children: Vec<Write>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Update,
}

/// One difference. Secrets are told by the names of their variables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// The column, or the child table.
    pub field: String,
    /// What is there. Absent for what is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What will be there. Absent for what is taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub becomes: Option<Value>,
}

/// What happens to the row itself.
#[derive(Clone, Debug)]
pub(super) enum Parent {
    Insert {
        table: &'static str,
        cells: Vec<(&'static str, Cell)>,
    },
    Update {
        table: &'static str,
        id: i64,
        cells: Vec<(&'static str, Cell)>,
    },
}

/// What happens to a row that belongs to it.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Insert {
        table: &'static str,
        parent: &'static str,
        cells: Vec<(&'static str, Cell)>,
    },
    Update {
        table: &'static str,
        id: i64,
        cells: Vec<(&'static str, Cell)>,
    },
    Delete {
        table: &'static str,
        id: i64,
    },
}

/// What there is to do, and what to say about the rest.
#[derive(Debug, Default)]
pub struct Plan {
    pub changes: Vec<Change>,
    pub unchanged: u64,
    pub warnings: Vec<String>,
    /// In the database and in no file, as kind and name.
    pub undeclared: Vec<(&'static str, String)>,
}

/// Compares. What stands against it is told at once: rows that must not be edited, columns that nobody knows.
pub fn plan(entities: &[Entity], schema: &Schema, live: &Live) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut errors = Vec::new();
    for entity in entities {
        match compare(entity, schema, live, &mut plan.warnings) {
            Ok(Some(change)) => plan.changes.push(change),
            Ok(None) => plan.unchanged += 1,
            Err(error) => errors.push(error.at(entity.at.clone())),
        }
    }
    for (kind, table, key) in [
        ("identity resource", "IdentityResources", "Name"),
        ("scope", "ApiScopes", "Name"),
        ("API", "ApiResources", "Name"),
        ("client", "Clients", "ClientId"),
    ] {
        for row in live.rows(table) {
            let name = row.text(key);
            if !entities
                .iter()
                .any(|entity| entity.table == table && same(&entity.name, name))
            {
                plan.undeclared.push((kind, name.to_owned()));
            }
        }
    }
    Error::all(errors).map_or(Ok(plan), Err)
}

/// As the unique index under the usual collation compares.
fn same(first: &str, second: &str) -> bool {
    first.to_lowercase() == second.to_lowercase()
}

fn compare(entity: &Entity, schema: &Schema, live: &Live, warnings: &mut Vec<String>) -> Result<Option<Change>> {
    let named = |(column, _): &&(&'static str, Cell)| schema.has(entity.table, column);
    let row = live
        .rows(entity.table)
        .iter()
        .find(|row| same(row.text(entity.key), &entity.name));
    let mut details = Vec::new();
    let mut children = Vec::new();
    let id = row.map(|row| row.number("Id"));
    let parent = match row {
        None => {
            let mut cells = vec![(entity.key, Cell::Text(entity.name.clone()))];
            cells.extend(entity.set.iter().chain(&entity.fresh).filter(named).cloned());
            complete(entity.table, schema, &cells)?;
            Parent::Insert {
                table: entity.table,
                cells,
            }
        }
        Some(row) => {
            let mut cells: Vec<_> = Vec::new();
            // The server compares names letter by letter, the index does not: a name in another case is mended.
            if row.text(entity.key) != entity.name {
                details.push(changed(
                    entity.key,
                    row.get(entity.key),
                    &Cell::Text(entity.name.clone()),
                ));
                cells.push((entity.key, Cell::Text(entity.name.clone())));
            }
            for (column, cell) in entity.set.iter().filter(named) {
                if !equal(row.get(column), cell) {
                    details.push(changed(column, row.get(column), cell));
                    cells.push((*column, cell.clone()));
                }
            }
            Parent::Update {
                table: entity.table,
                id: row.number("Id"),
                cells,
            }
        }
    };
    for wanted in &entity.children {
        compare_children(wanted, schema, live, id, &mut details, &mut children)?;
    }
    if let Some(wanted) = &entity.secrets {
        compare_secrets(entity, wanted, live, id, &mut details, &mut children, warnings)?;
    }
    let action = if row.is_none() { Action::Create } else { Action::Update };
    if action == Action::Update && details.is_empty() {
        return Ok(None);
    }
    if row.is_some_and(|row| row.flag("NonEditable")) {
        return Err(Error::failed(format!(
            "{} {} is marked as not editable in the database",
            entity.kind, entity.name
        ))
        .note(format!("it differs in: {}", fields(&details)))
        .hint("set NonEditable to 0, or take it out of the files"));
    }
    let parent = match parent {
        // Also when only rows below it change. IdentityServer never writes the column; it is for people. ApiScopes has
        // it from Duende 6 on.
        Parent::Update { table, id, mut cells } if schema.has(table, "Updated") => {
            cells.push(("Updated", Cell::Now));
            Parent::Update { table, id, cells }
        }
        parent => parent,
    };
    Ok(Some(Change {
        kind: entity.kind,
        name: entity.name.clone(),
        action,
        details,
        parent,
        children,
    }))
}

fn fields(details: &[Detail]) -> String {
    let mut fields: Vec<&str> = details.iter().map(|detail| detail.field.as_str()).collect();
    fields.dedup();
    fields.join(", ")
}

/// Every column that an insert has to name is named.
fn complete(table: &'static str, schema: &Schema, cells: &[(&'static str, Cell)]) -> Result<()> {
    let named = |column: &str| cells.iter().any(|(known, _)| known.eq_ignore_ascii_case(column));
    match schema
        .columns(table)
        .iter()
        .find(|column| column.needed && !named(&column.name))
    {
        None => Ok(()),
        Some(column) => Err(Error::failed(format!(
            "the column {table}.{} needs a value that iacsh does not know",
            column.name
        ))
        .hint("give the column a default in a migration of your own")),
    }
}

fn changed(field: &str, was: &Value, becomes: &Cell) -> Detail {
    Detail {
        field: field.to_owned(),
        was: Some(was.clone()),
        becomes: Some(json(becomes)),
    }
}

fn json(cell: &Cell) -> Value {
    match cell {
        Cell::Null | Cell::Now => Value::Null,
        Cell::Bool(value) => Value::from(*value),
        Cell::Int(value) => Value::from(*value),
        Cell::Text(value) => Value::from(value.as_str()),
    }
}

fn equal(live: &Value, cell: &Cell) -> bool {
    match cell {
        Cell::Bool(value) => !live.is_null() && super::store::is_true(live) == *value,
        cell => *live == json(cell),
    }
}

/// The whole set is compared: what is not declared is taken out, and so is a row that stands there twice.
fn compare_children(
    wanted: &Children,
    schema: &Schema,
    live: &Live,
    id: Option<i64>,
    details: &mut Vec<Detail>,
    writes: &mut Vec<Write>,
) -> Result<()> {
    let key_of = |row: &Row| {
        wanted
            .key
            .iter()
            .map(|column| row.text(column).to_owned())
            .collect::<Vec<_>>()
    };
    let shown = |values: &[String]| Value::from(values.join("="));
    let mut seen: Vec<Vec<String>> = Vec::new();
    let rows: Vec<&Row> = id
        .map(|id| live.children(wanted.table, wanted.parent, id).collect())
        .unwrap_or_default();
    for row in rows {
        let key = key_of(row);
        let declared = wanted.rows.iter().find(|declared| declared.starts_with(&key));
        match (declared, wanted.value) {
            (Some(_), _) if seen.contains(&key) => {
                details.push(Detail {
                    field: wanted.table.to_owned(),
                    was: Some(shown(&key)),
                    becomes: None,
                });
                writes.push(Write::Delete {
                    table: wanted.table,
                    id: row.number("Id"),
                });
            }
            (None, _) => {
                details.push(Detail {
                    field: wanted.table.to_owned(),
                    was: Some(shown(&key)),
                    becomes: None,
                });
                writes.push(Write::Delete {
                    table: wanted.table,
                    id: row.number("Id"),
                });
            }
            (Some(declared), Some(column)) => {
                let value = declared.last().cloned().unwrap_or_default();
                if row.text(column) != value {
                    let was = shown(&[key.join("="), row.text(column).to_owned()]);
                    let becomes = Some(shown(declared));
                    details.push(Detail {
                        field: wanted.table.to_owned(),
                        was: Some(was),
                        becomes,
                    });
                    let cells = vec![(column, Cell::Text(value))];
                    writes.push(Write::Update {
                        table: wanted.table,
                        id: row.number("Id"),
                        cells,
                    });
                }
            }
            (Some(_), None) => {}
        }
        seen.push(key);
    }
    for row in wanted
        .rows
        .iter()
        .filter(|row| !seen.iter().any(|key| row.starts_with(key)))
    {
        let columns = wanted.key.iter().copied().chain(wanted.value);
        let cells: Vec<_> = columns.zip(row.iter().map(|value| Cell::Text(value.clone()))).collect();
        let named: Vec<_> = cells.iter().cloned().chain([(wanted.parent, Cell::Int(0))]).collect();
        complete(wanted.table, schema, &named)?;
        details.push(Detail {
            field: wanted.table.to_owned(),
            was: None,
            becomes: Some(shown(row)),
        });
        writes.push(Write::Insert {
            table: wanted.table,
            parent: wanted.parent,
            cells,
        });
    }
    Ok(())
}

fn compare_secrets(
    entity: &Entity,
    wanted: &Secrets,
    live: &Live,
    id: Option<i64>,
    details: &mut Vec<Detail>,
    writes: &mut Vec<Write>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let rows: Vec<&Row> = id
        .map(|id| live.children(wanted.table, wanted.parent, id).collect())
        .unwrap_or_default();
    if wanted.existing && wanted.wanted.is_empty() && rows.is_empty() {
        return Err(
            Error::failed(format!("{} {} has no secret in the database", entity.kind, entity.name))
                .hint("name a variable with `secret`, and take `existing_secret` out"),
        );
    }
    let who = format!("{} {}", entity.kind, entity.name);
    for row in rows
        .iter()
        .filter(|row| row.text("Type") == SHARED_SECRET && !is_hash(row.text("Value")))
    {
        let number = row.number("Id");
        warnings.push(format!(
            "{who}: row {number} of {} holds no hash; the server refuses the client when it meets it",
            wanted.table
        ));
    }
    for hashed in &wanted.wanted {
        let source = &hashed.source;
        let expires = source
            .expires
            .as_deref()
            .and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let expiration = expires.map_or(Cell::Null, |at| {
            Cell::Text(at.to_string().trim_end_matches('Z').to_owned())
        });
        let known = rows.iter().find(|row| {
            row.text("Type") == SHARED_SECRET
                && [&hashed.sha256, &hashed.sha512]
                    .iter()
                    .any(|hash| *hash == row.text("Value"))
        });
        match known {
            None => {
                let description = source.description.clone().unwrap_or_else(|| source.variable.clone());
                details.push(Detail {
                    field: wanted.table.to_owned(),
                    was: None,
                    becomes: Some(Value::from(format!("the secret in {}", source.variable))),
                });
                writes.push(Write::Insert {
                    table: wanted.table,
                    parent: wanted.parent,
                    cells: vec![
                        ("Description", Cell::Text(description)),
                        ("Value", Cell::Text(hashed.sha256.clone())),
                        ("Expiration", expiration),
                        ("Type", Cell::Text(SHARED_SECRET.to_owned())),
                        ("Created", Cell::Now),
                    ],
                });
            }
            Some(row) => {
                let live = row.get("Expiration");
                let at = live.as_str().and_then(timestamp);
                if expires.is_some() && at != expires {
                    details.push(changed(&format!("{}.Expiration", wanted.table), live, &expiration));
                    let cells = vec![("Expiration", expiration)];
                    writes.push(Write::Update {
                        table: wanted.table,
                        id: row.number("Id"),
                        cells,
                    });
                } else if at.is_some_and(|at| at < jiff::Timestamp::now()) {
                    warnings.push(format!(
                        "{who}: the secret in {} has expired in the database",
                        source.variable
                    ));
                }
            }
        }
    }
    Ok(())
}

/// A datetime2 of the database, which is UTC.
pub(super) fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    let text = text.replacen(' ', "T", 1);
    text.parse::<jiff::civil::DateTime>()
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Location;
    use crate::identity::model::SecretSource;
    use crate::identity::secrets::{Hashed, hash, hash_512};
    use crate::secret::Secret;

    fn schema() -> Schema {
        Schema::of(&[
            (
                "Clients",
                &[
                    "Id",
                    "!ClientId",
                    "!Enabled",
                    "ConsentLifetime",
                    "Updated",
                    "!NonEditable",
                ],
            ),
            ("ClientScopes", &["Id", "!Scope", "!ClientId"]),
            ("ClientProperties", &["Id", "!Key", "!Value", "!ClientId"]),
        ])
    }

    /// The client `x`, enabled, with the scopes `a` and `b`, the property `k` and the secret of `X_SECRET`.
    fn client() -> Entity {
        let secret = Secret::new("a long enough secret");
        Entity {
            kind: "client",
            name: "x".to_owned(),
            at: Location {
                file: "clients/x.toml".to_owned(),
                line: 1,
                column: 1,
                text: None,
            },
            table: "Clients",
            key: "ClientId",
            set: vec![
                ("Enabled", Cell::Bool(true)),
                ("ConsentLifetime", Cell::Null),
                // Of another version: this database does not have it.
                ("RequireDPoP", Cell::Bool(false)),
            ],
            fresh: vec![("NonEditable", Cell::Bool(false))],
            children: vec![
                Children {
                    table: "ClientScopes",
                    parent: "ClientId",
                    key: &["Scope"],
                    value: None,
                    rows: vec![vec!["a".to_owned()], vec!["b".to_owned()]],
                },
                Children {
                    table: "ClientProperties",
                    parent: "ClientId",
                    key: &["Key"],
                    value: Some("Value"),
                    rows: vec![vec!["k".to_owned(), "v".to_owned()]],
                },
            ],
            secrets: Some(Secrets {
                table: "ClientSecrets",
                parent: "ClientId",
                wanted: vec![Hashed {
                    source: SecretSource {
                        variable: "X_SECRET".to_owned(),
                        description: None,
                        expires: None,
                    },
                    sha256: hash(&secret),
                    sha512: hash_512(&secret),
                }],
                existing: false,
            }),
        }
    }

    fn live(client: Value, scopes: &[&str], secrets: &[&str]) -> Live {
        let scopes = (10..)
            .zip(scopes)
            .map(|(id, scope)| json!({"Id": id, "Scope": scope, "ClientId": 7}));
        let secrets = (20..).zip(secrets);
        let secrets =
            secrets.map(|(id, value)| json!({"Id": id, "Type": "SharedSecret", "Value": value, "ClientId": 7}));
        Live::of(&[
            (
                "Clients",
                json!([client, {"Id": 8, "ClientId": "other", "Enabled": true}]),
            ),
            (
                "ClientScopes",
                Value::from(
                    scopes
                        .chain([json!({"Id": 99, "Scope": "z", "ClientId": 8})])
                        .collect::<Vec<_>>(),
                ),
            ),
            (
                "ClientProperties",
                json!([{"Id": 30, "Key": "k", "Value": "v", "ClientId": 7}]),
            ),
            ("ClientSecrets", Value::from(secrets.collect::<Vec<_>>())),
        ])
    }

    fn right() -> Value {
        json!({"Id": 7, "ClientId": "x", "Enabled": true, "ConsentLifetime": null, "NonEditable": false})
    }

    fn good_hash() -> String {
        hash(&Secret::new("a long enough secret"))
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let plan = plan(&[client()], &schema(), &live(right(), &["a", "b"], &[&good_hash()])).unwrap();
        assert!(plan.changes.is_empty(), "{:?}", plan.changes);
        assert_eq!(plan.unchanged, 1);
        assert_eq!(plan.undeclared, [("client", "other".to_owned())]);
    }

    #[test]
    fn what_is_missing_is_created_with_all_that_an_insert_needs() {
        let plan = plan(&[client()], &schema(), &Live::default()).unwrap();
        let [change] = plan.changes.as_slice() else {
            panic!("{:?}", plan.changes)
        };
        assert_eq!(change.action, Action::Create);
        let Parent::Insert { cells, .. } = &change.parent else {
            panic!("{:?}", change.parent)
        };
        let columns: Vec<_> = cells.iter().map(|(column, _)| *column).collect();
        assert_eq!(columns, ["ClientId", "Enabled", "ConsentLifetime", "NonEditable"]);
        assert_eq!(change.children.len(), 4);
        assert!(
            change
                .details
                .iter()
                .all(|detail| !format!("{detail:?}").contains(&good_hash()))
        );
    }

    #[test]
    fn a_difference_is_mended_row_by_row() {
        let client_row = json!({"Id": 7, "ClientId": "X", "Enabled": 0, "ConsentLifetime": 5, "NonEditable": false});
        let plan = plan(
            &[client()],
            &schema(),
            &live(client_row, &["a", "c", "a"], &["bm90IGEgaGFzaA=="]),
        )
        .unwrap();
        let [change] = plan.changes.as_slice() else {
            panic!("{:?}", plan.changes)
        };
        let Parent::Update { cells, id: 7, .. } = &change.parent else {
            panic!("{:?}", change.parent)
        };
        let columns: Vec<_> = cells.iter().map(|(column, _)| *column).collect();
        assert_eq!(columns, ["ClientId", "Enabled", "ConsentLifetime", "Updated"]);
        let deleted: Vec<_> = change
            .children
            .iter()
            .filter_map(|write| match write {
                Write::Delete { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        // The scope that is not declared, and the one that stands there twice.
        assert_eq!(deleted, [11, 12]);
        let inserted = change
            .children
            .iter()
            .filter(|write| matches!(write, Write::Insert { .. }))
            .count();
        // The scope b and the secret. The row that holds no hash is told and kept.
        assert_eq!(inserted, 2);
        assert!(plan.warnings[0].contains("holds no hash"), "{:?}", plan.warnings);
    }

    #[test]
    fn what_is_not_editable_is_refused_only_if_it_differs() {
        let mut row = right();
        row["NonEditable"] = json!(true);
        assert!(plan(&[client()], &schema(), &live(row.clone(), &["a", "b"], &[&good_hash()])).is_ok());
        let error = plan(&[client()], &schema(), &live(row, &["a"], &[&good_hash()])).unwrap_err();
        assert!(error.message().contains("not editable"));
        assert_eq!(
            error.location().map(|place| place.file.as_str()),
            Some("clients/x.toml")
        );
    }

    #[test]
    fn a_column_that_nobody_knows_stops_an_insert() {
        let schema = Schema::of(&[("Clients", &["Id", "!ClientId", "!Enabled", "!NonEditable", "!Mystery"])]);
        let error = plan(&[client()], &schema, &Live::default()).unwrap_err();
        assert!(error.message().contains("Clients.Mystery"));
    }
}
