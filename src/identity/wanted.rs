//! What the files declare, as rows.

use std::collections::BTreeMap;

use super::files::Declared;
use super::model::{AccessTokenType, Api, Client, IdentityResource, RefreshTokenExpiration, RefreshTokenUsage, Scope};
use super::secrets::{Hashed, Variables, resolve};
use crate::error::{Error, Location, Result};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// The server's time.
    Now,
}

impl Cell {
    fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }

    /// The algorithms in one column, as IdentityServer joins them.
    fn joined(list: &[String]) -> Self {
        if list.is_empty() {
            Self::Null
        } else {
            Self::Text(list.join(","))
        }
    }
}

/// A scope, an API, an identity resource or a client.
#[derive(Clone, Debug)]
pub struct Entity {
    /// `client`
    pub kind: &'static str,
    pub name: String,
    pub at: Location,
    pub table: &'static str,
    /// The column that holds the name.
    pub key: &'static str,
    /// Compared and written.
    pub set: Vec<(&'static str, Cell)>,
    /// Written with a new row only.
    pub fresh: Vec<(&'static str, Cell)>,
    pub children: Vec<Children>,
    pub secrets: Option<Secrets>,
}

/// The rows of a child table, all of them texts.
#[derive(Clone, Debug)]
pub struct Children {
    pub table: &'static str,
    /// The column with the parent's number.
    pub parent: &'static str,
    /// The columns that make two rows the same.
    pub key: &'static [&'static str],
    /// A column that is changed where it stands.
    pub value: Option<&'static str>,
    /// The key's columns, then the value's.
    pub rows: Vec<Vec<String>>,
}

/// The secrets of a client or an API.
#[derive(Clone, Debug)]
pub struct Secrets {
    pub table: &'static str,
    pub parent: &'static str,
    pub wanted: Vec<Hashed>,
    /// There has to be a row that nobody here knows the secret of.
    pub existing: bool,
}

/// Everything declared, in the order in which it is written: what is referred to comes first.
pub fn wanted(declared: &Declared, variables: &Variables<'_>) -> Result<Vec<Entity>> {
    let mut entities = Vec::new();
    let mut errors = Vec::new();
    for item in &declared.identity_resources {
        entities.push(identity_resource(&item.value, item.at("name")));
    }
    for item in &declared.scopes {
        entities.push(scope(&item.value, item.at("name")));
    }
    for item in &declared.apis {
        match resolve(
            &format!("API {}", item.value.name),
            &item.value.secret_sources(),
            variables,
        ) {
            Ok(hashed) => entities.push(api(&item.value, item.at("name"), hashed)),
            Err(found) => errors.extend(found.into_iter().map(|error| error.at(item.at("secret")))),
        }
    }
    for item in &declared.clients {
        match resolve(
            &format!("client {}", item.value.id),
            &item.value.secret_sources(),
            variables,
        ) {
            Ok(hashed) => entities.push(client(&item.value, item.at("id"), hashed)),
            Err(found) => errors.extend(found.into_iter().map(|error| error.at(item.at("secret")))),
        }
    }
    Error::all(errors).map_or(Ok(entities), Err)
}

/// One column of texts.
fn list(table: &'static str, parent: &'static str, key: &'static [&'static str], values: &[String]) -> Children {
    let rows = values.iter().map(|value| vec![value.clone()]).collect();
    Children {
        table,
        parent,
        key,
        value: None,
        rows,
    }
}

fn properties(table: &'static str, parent: &'static str, values: &BTreeMap<String, String>) -> Children {
    let rows = values
        .iter()
        .map(|(key, value)| vec![key.clone(), value.clone()])
        .collect();
    Children {
        table,
        parent,
        key: &["Key"],
        value: Some("Value"),
        rows,
    }
}

fn identity_resource(resource: &IdentityResource, at: Location) -> Entity {
    Entity {
        kind: "identity resource",
        name: resource.name.clone(),
        at,
        table: "IdentityResources",
        key: "Name",
        set: vec![
            ("Enabled", Cell::Bool(resource.enabled)),
            ("DisplayName", Cell::text(resource.display_name.as_deref())),
            ("Description", Cell::text(resource.description.as_deref())),
            ("Required", Cell::Bool(resource.required)),
            ("Emphasize", Cell::Bool(resource.emphasize)),
            (
                "ShowInDiscoveryDocument",
                Cell::Bool(resource.show_in_discovery_document),
            ),
        ],
        fresh: vec![("Created", Cell::Now), ("NonEditable", Cell::Bool(false))],
        children: vec![
            list(
                "IdentityResourceClaims",
                "IdentityResourceId",
                &["Type"],
                &resource.claims,
            ),
            properties("IdentityResourceProperties", "IdentityResourceId", &resource.properties),
        ],
        secrets: None,
    }
}

fn scope(scope: &Scope, at: Location) -> Entity {
    Entity {
        kind: "scope",
        name: scope.name.clone(),
        at,
        table: "ApiScopes",
        key: "Name",
        set: vec![
            ("Enabled", Cell::Bool(scope.enabled)),
            ("DisplayName", Cell::text(scope.display_name.as_deref())),
            ("Description", Cell::text(scope.description.as_deref())),
            ("Required", Cell::Bool(scope.required)),
            ("Emphasize", Cell::Bool(scope.emphasize)),
            ("ShowInDiscoveryDocument", Cell::Bool(scope.show_in_discovery_document)),
        ],
        // Of Duende 6 and later.
        fresh: vec![("Created", Cell::Now), ("NonEditable", Cell::Bool(false))],
        // The parent's column is ScopeId, not ApiScopeId.
        children: vec![
            list("ApiScopeClaims", "ScopeId", &["Type"], &scope.claims),
            properties("ApiScopeProperties", "ScopeId", &scope.properties),
        ],
        secrets: None,
    }
}

fn api(api: &Api, at: Location, hashed: Vec<Hashed>) -> Entity {
    Entity {
        kind: "API",
        name: api.name.clone(),
        at,
        table: "ApiResources",
        key: "Name",
        set: vec![
            ("Enabled", Cell::Bool(api.enabled)),
            ("DisplayName", Cell::text(api.display_name.as_deref())),
            ("Description", Cell::text(api.description.as_deref())),
            (
                "AllowedAccessTokenSigningAlgorithms",
                Cell::joined(&api.allowed_access_token_signing_algorithms),
            ),
            ("ShowInDiscoveryDocument", Cell::Bool(api.show_in_discovery_document)),
        ],
        fresh: vec![
            ("Created", Cell::Now),
            ("NonEditable", Cell::Bool(false)),
            // Of Duende 5 and later.
            ("RequireResourceIndicator", Cell::Bool(false)),
        ],
        children: vec![
            list("ApiResourceScopes", "ApiResourceId", &["Scope"], &api.scopes),
            list("ApiResourceClaims", "ApiResourceId", &["Type"], &api.claims),
            properties("ApiResourceProperties", "ApiResourceId", &api.properties),
        ],
        secrets: Some(Secrets {
            table: "ApiResourceSecrets",
            parent: "ApiResourceId",
            wanted: hashed,
            existing: false,
        }),
    }
}

fn client(client: &Client, at: Location, hashed: Vec<Hashed>) -> Entity {
    let flag = |value: Option<bool>, default: bool| Cell::Bool(value.unwrap_or(default));
    let seconds = |value: Option<i64>, default: i64| Cell::Int(value.unwrap_or(default));
    let text = |value: &Option<String>| Cell::text(value.as_deref());
    let maybe = |value: Option<i64>| value.map_or(Cell::Null, Cell::Int);
    let prefix = client.client_claims_prefix.as_deref().unwrap_or("client_");
    let usage = client.refresh_token_usage.unwrap_or(RefreshTokenUsage::OneTimeOnly);
    let expiration = client
        .refresh_token_expiration
        .unwrap_or(RefreshTokenExpiration::Absolute);
    let token_type = client.access_token_type.unwrap_or(AccessTokenType::Jwt);
    Entity {
        kind: "client",
        name: client.id.clone(),
        at,
        table: "Clients",
        key: "ClientId",
        // The defaults are those of `Client.cs`, which are not all those of the entity: an entity that nobody touched
        // has IncludeJwtId 0, and what goes through the library has 1.
        set: vec![
            ("Enabled", flag(client.enabled, true)),
            ("ProtocolType", Cell::Text("oidc".to_owned())),
            ("RequireClientSecret", Cell::Bool(client.requires_secret())),
            ("ClientName", text(&client.name)),
            ("Description", text(&client.description)),
            ("ClientUri", text(&client.uri)),
            ("LogoUri", text(&client.logo_uri)),
            ("RequireConsent", flag(client.require_consent, false)),
            ("AllowRememberConsent", flag(client.allow_remember_consent, true)),
            (
                "AlwaysIncludeUserClaimsInIdToken",
                flag(client.always_include_user_claims_in_id_token, false),
            ),
            ("RequirePkce", flag(client.require_pkce, true)),
            ("AllowPlainTextPkce", flag(client.allow_plain_text_pkce, false)),
            ("RequireRequestObject", flag(client.require_request_object, false)),
            (
                "AllowAccessTokensViaBrowser",
                flag(client.allow_access_tokens_via_browser, false),
            ),
            ("FrontChannelLogoutUri", text(&client.front_channel_logout_uri)),
            (
                "FrontChannelLogoutSessionRequired",
                flag(client.front_channel_logout_session_required, true),
            ),
            ("BackChannelLogoutUri", text(&client.back_channel_logout_uri)),
            (
                "BackChannelLogoutSessionRequired",
                flag(client.back_channel_logout_session_required, true),
            ),
            ("AllowOfflineAccess", flag(client.allow_offline_access, false)),
            ("IdentityTokenLifetime", seconds(client.identity_token_lifetime, 300)),
            (
                "AllowedIdentityTokenSigningAlgorithms",
                Cell::joined(&client.allowed_identity_token_signing_algorithms),
            ),
            ("AccessTokenLifetime", seconds(client.access_token_lifetime, 3600)),
            (
                "AuthorizationCodeLifetime",
                seconds(client.authorization_code_lifetime, 300),
            ),
            ("ConsentLifetime", maybe(client.consent_lifetime)),
            (
                "AbsoluteRefreshTokenLifetime",
                seconds(client.absolute_refresh_token_lifetime, 2_592_000),
            ),
            (
                "SlidingRefreshTokenLifetime",
                seconds(client.sliding_refresh_token_lifetime, 1_296_000),
            ),
            ("RefreshTokenUsage", Cell::Int(usage as i64)),
            (
                "UpdateAccessTokenClaimsOnRefresh",
                flag(client.update_access_token_claims_on_refresh, false),
            ),
            ("RefreshTokenExpiration", Cell::Int(expiration as i64)),
            ("AccessTokenType", Cell::Int(token_type as i64)),
            ("EnableLocalLogin", flag(client.enable_local_login, true)),
            ("IncludeJwtId", flag(client.include_jwt_id, true)),
            ("AlwaysSendClientClaims", flag(client.always_send_client_claims, false)),
            ("ClientClaimsPrefix", Cell::Text(prefix.to_owned())),
            ("UserSsoLifetime", maybe(client.user_sso_lifetime)),
            ("UserCodeType", text(&client.user_code_type)),
            ("DeviceCodeLifetime", seconds(client.device_code_lifetime, 300)),
        ],
        // PairWiseSubjectSalt is never written: another one would make every user a stranger to the client.
        fresh: vec![
            ("Created", Cell::Now),
            ("NonEditable", Cell::Bool(false)),
            // Of Duende 6.3: DPoP is off, and would be checked by the time of issue, with 5 minutes of tolerance.
            ("RequireDPoP", Cell::Bool(false)),
            ("DPoPValidationMode", Cell::Int(1)),
            ("DPoPClockSkew", Cell::Text("00:05:00".to_owned())),
            // Of Duende 7.
            ("RequirePushedAuthorization", Cell::Bool(false)),
        ],
        children: vec![
            list("ClientGrantTypes", "ClientId", &["GrantType"], client.grant_types()),
            list("ClientScopes", "ClientId", &["Scope"], &client.scopes),
            list(
                "ClientRedirectUris",
                "ClientId",
                &["RedirectUri"],
                client.redirect_uris(),
            ),
            list(
                "ClientPostLogoutRedirectUris",
                "ClientId",
                &["PostLogoutRedirectUri"],
                client.post_logout_redirect_uris(),
            ),
            list("ClientCorsOrigins", "ClientId", &["Origin"], client.cors_origins()),
            list(
                "ClientIdPRestrictions",
                "ClientId",
                &["Provider"],
                &client.identity_providers,
            ),
            Children {
                table: "ClientClaims",
                parent: "ClientId",
                key: &["Type", "Value"],
                value: None,
                rows: client
                    .claims
                    .iter()
                    .map(|claim| vec![claim.kind.clone(), claim.value.clone()])
                    .collect(),
            },
            properties("ClientProperties", "ClientId", &client.properties),
        ],
        secrets: Some(Secrets {
            table: "ClientSecrets",
            parent: "ClientId",
            wanted: hashed,
            existing: client.existing_secret,
        }),
    }
}
