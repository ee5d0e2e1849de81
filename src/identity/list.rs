//! The clients that a database has.

use serde::Serialize;

use super::plan::timestamp;
use super::store::{Live, Row, Schema, short_grant_type};
use crate::error::Result;
use crate::mssql::Connection;

/// A client as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub id: String,
    pub name: Option<String>,
    pub enabled: bool,
    pub grant_types: Vec<String>,
    pub scopes: Vec<String>,
    pub redirect_uris: Vec<String>,
    /// How many secrets are valid now.
    pub secrets: u64,
    /// When the first of them ends, in ISO 8601 and UTC.
    pub secret_expires: Option<String>,
}

/// All clients, in the order of their ids.
pub async fn clients(connection: &mut Connection) -> Result<Vec<Summary>> {
    Schema::read(connection).await?.version()?;
    let tables = [
        "Clients",
        "ClientGrantTypes",
        "ClientScopes",
        "ClientRedirectUris",
        "ClientSecrets",
    ];
    let live = Live::read(connection, &tables).await?;
    let now = jiff::Timestamp::now();
    let mut clients: Vec<Summary> = live
        .rows("Clients")
        .iter()
        .map(|row| summary(row, &live, now))
        .collect();
    clients.sort_by(|first, second| first.id.cmp(&second.id));
    Ok(clients)
}

fn summary(row: &Row, live: &Live, now: jiff::Timestamp) -> Summary {
    let id = row.number("Id");
    let texts = |table: &str, column: &str| {
        live.children(table, "ClientId", id)
            .map(|row| row.text(column).to_owned())
            .collect::<Vec<_>>()
    };
    // The server skips a secret whose time is over; one without a time never ends.
    let ends: Vec<_> = live
        .children("ClientSecrets", "ClientId", id)
        .map(|row| row.get("Expiration").as_str().and_then(timestamp))
        .filter(|end| end.is_none_or(|end| end >= now))
        .collect();
    let grant_types = texts("ClientGrantTypes", "GrantType");
    Summary {
        id: row.text("ClientId").to_owned(),
        name: row.get("ClientName").as_str().map(str::to_owned),
        enabled: row.flag("Enabled"),
        grant_types: grant_types
            .iter()
            .map(|grant_type| short_grant_type(grant_type).to_owned())
            .collect(),
        scopes: texts("ClientScopes", "Scope"),
        redirect_uris: texts("ClientRedirectUris", "RedirectUri"),
        secrets: ends.len() as u64,
        secret_expires: ends.into_iter().flatten().min().map(|end| end.to_string()),
    }
}
