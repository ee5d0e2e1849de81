//! What a team writes down about its clients: `clients/*.toml`.
//!
//! Names are those of the field (`redirect_uris`, `grant_types`), lifetimes are in seconds. What a file does not say
//! has IdentityServer4's own default of version 4.1, or the template's. A file says the whole: a redirect URI that is
//! in the database and not in the file is taken out. Only secrets are never taken out here, because the file does not
//! know them.
//!
//! Sources: IdentityServer4 4.1.2, `src/Storage/src/Models/Client.cs`, `ApiScope.cs`, `ApiResource.cs`,
//! `IdentityResource.cs`, and the column lengths of its SQL Server migration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Standard identity resources by name: `openid`, `profile`, `email`, `phone`, `address`.
    #[serde(default)]
    pub identity_resources: Vec<String>,
    /// Identity resources of your own.
    #[serde(default)]
    pub identity_resource: Vec<IdentityResource>,
    /// Scopes: what a client may do at an API.
    #[serde(default)]
    pub scope: Vec<Scope>,
    /// APIs: the audience of a token.
    #[serde(default)]
    pub api: Vec<Api>,
    /// Clients: who may ask for tokens.
    #[serde(default)]
    pub client: Vec<Client>,
}

/// Claims about a user that a client can ask for with one name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityResource {
    /// The name in the `scope` parameter, at most 200 characters.
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What the consent page shows.
    pub display_name: Option<String>,
    pub description: Option<String>,
    /// Whether the user cannot refuse it on the consent page.
    #[serde(default)]
    pub required: bool,
    /// Whether the consent page stresses it.
    #[serde(default)]
    pub emphasize: bool,
    #[serde(default = "yes")]
    pub show_in_discovery_document: bool,
    /// The types of the claims.
    #[serde(default)]
    pub claims: Vec<String>,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// What a client may do at an API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The name in the `scope` parameter, at most 200 characters: `orders.read`.
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What the consent page shows.
    pub display_name: Option<String>,
    pub description: Option<String>,
    /// Whether the user cannot refuse it on the consent page.
    #[serde(default)]
    pub required: bool,
    /// Whether the consent page stresses it.
    #[serde(default)]
    pub emphasize: bool,
    #[serde(default = "yes")]
    pub show_in_discovery_document: bool,
    /// The types of the claims about the user that a token with this scope gets.
    #[serde(default)]
    pub claims: Vec<String>,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// An API as a whole. Its name is the `aud` of a token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// At most 200 characters.
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    pub display_name: Option<String>,
    pub description: Option<String>,
    #[serde(default = "yes")]
    pub show_in_discovery_document: bool,
    /// The names of its scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The types of the claims about the user that it needs.
    #[serde(default)]
    pub claims: Vec<String>,
    /// The algorithms that it accepts for signing tokens: `RS256`, ... Empty: the server's choice.
    #[serde(default)]
    pub allowed_access_token_signing_algorithms: Vec<String>,
    /// The name of the variable that holds the secret with which the API calls the introspection endpoint.
    pub secret: Option<String>,
    /// Several secrets, or a secret that expires.
    #[serde(default)]
    pub secrets: Vec<SecretSource>,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// Where a secret comes from. The secret itself is never written down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSource {
    /// The name of the variable that holds it.
    pub variable: String,
    /// What the administration page shows; the variable's name when not given.
    pub description: Option<String>,
    /// When it ends, in ISO 8601 and UTC: `2027-01-31T00:00:00Z`. Never, when not given.
    pub expires: Option<String>,
}

/// A claim about the client itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// At most 250 characters.
    #[serde(rename = "type")]
    pub kind: String,
    /// At most 250 characters.
    pub value: String,
}

/// Settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// A service on its own: client credentials with a secret.
    M2m,
    /// A web application with a server: authorization code with a secret and PKCE.
    Web,
    /// An application in the browser: authorization code with PKCE, no secret.
    Spa,
    /// An application on a phone or a desktop: authorization code with PKCE, no secret, refresh tokens.
    Native,
    /// A device without a keyboard: device flow, no secret, refresh tokens, a numeric code.
    Device,
}

/// What happens to a refresh token that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenUsage {
    /// It stays the same.
    ReUse = 0,
    /// A new one takes its place.
    OneTimeOnly = 1,
}

/// How a refresh token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenExpiration {
    /// Each use prolongs it, up to the absolute lifetime.
    Sliding = 0,
    /// At a fixed time.
    Absolute = 1,
}

/// What an access token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenType {
    /// A signed token that an API checks by itself.
    Jwt = 0,
    /// A number that an API asks the server about.
    Reference = 1,
}

/// Who may ask for tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The `client_id`, at most 100 characters.
    pub id: String,
    /// Settings that belong together; what the file says goes before.
    pub template: Option<Template>,
    /// Where a `web` or `spa` application is found. A `web` template takes the redirect URIs of ASP.NET Core from it
    /// (`/signin-oidc`, `/signout-callback-oidc`, `/signout-oidc`), a `spa` template the CORS origin.
    pub base_uri: Option<String>,
    /// Default: true. A client that is not enabled is unknown to the server.
    pub enabled: Option<bool>,
    /// What the consent page shows.
    pub name: Option<String>,
    pub description: Option<String>,
    /// Where people find out more about the client.
    pub uri: Option<String>,
    pub logo_uri: Option<String>,

    /// `client_credentials`, `authorization_code`, `urn:ietf:params:oauth:grant-type:device_code`, `hybrid`,
    /// `implicit`, `password`, or one of an extension. Refresh tokens are `allow_offline_access`.
    pub grant_types: Option<Vec<String>>,
    /// The names of scopes and identity resources that it may ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where the answer may be sent, character by character, at most 400 each.
    pub redirect_uris: Option<Vec<String>>,
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// Origins of browsers that may call the token endpoint: `https://app.example.com`.
    pub cors_origins: Option<Vec<String>>,

    /// The name of the variable that holds the secret.
    pub secret: Option<String>,
    /// Several secrets, or a secret that expires.
    #[serde(default)]
    pub secrets: Vec<SecretSource>,
    /// The client has a secret in the database already, and no variable holds it. Default: false.
    #[serde(default)]
    pub existing_secret: bool,
    /// Default: true.
    pub require_secret: Option<bool>,

    /// Default: true.
    pub require_pkce: Option<bool>,
    /// Default: false.
    pub allow_plain_text_pkce: Option<bool>,
    /// Whether a request has to be a signed object (RFC 9101). Default: false.
    pub require_request_object: Option<bool>,
    /// Default: false. Needed for the implicit grant only.
    pub allow_access_tokens_via_browser: Option<bool>,
    /// Whether it gets refresh tokens. Default: false; true for `native` and `device`.
    pub allow_offline_access: Option<bool>,

    /// Default: false.
    pub require_consent: Option<bool>,
    /// Default: true.
    pub allow_remember_consent: Option<bool>,
    /// Seconds for which a consent holds. Default: for ever.
    pub consent_lifetime: Option<i64>,

    pub front_channel_logout_uri: Option<String>,
    /// Default: true.
    pub front_channel_logout_session_required: Option<bool>,
    pub back_channel_logout_uri: Option<String>,
    /// Default: true.
    pub back_channel_logout_session_required: Option<bool>,

    /// Seconds. Default: 300.
    pub identity_token_lifetime: Option<i64>,
    /// Default: false.
    pub always_include_user_claims_in_id_token: Option<bool>,
    /// `RS256`, `PS256`, `ES256`, ... Empty: the server's choice.
    #[serde(default)]
    pub allowed_identity_token_signing_algorithms: Vec<String>,
    /// Seconds. Default: 3600.
    pub access_token_lifetime: Option<i64>,
    /// Default: jwt.
    pub access_token_type: Option<AccessTokenType>,
    /// Whether an access token has a `jti`. Default: true.
    pub include_jwt_id: Option<bool>,
    /// Seconds. Default: 300.
    pub authorization_code_lifetime: Option<i64>,
    /// Seconds. Default: 2592000, 30 days. 0: no absolute limit, with `refresh_token_expiration = "sliding"`.
    pub absolute_refresh_token_lifetime: Option<i64>,
    /// Seconds. Default: 1296000, 15 days.
    pub sliding_refresh_token_lifetime: Option<i64>,
    /// Default: one_time_only.
    pub refresh_token_usage: Option<RefreshTokenUsage>,
    /// Default: absolute.
    pub refresh_token_expiration: Option<RefreshTokenExpiration>,
    /// Default: false.
    pub update_access_token_claims_on_refresh: Option<bool>,

    /// Whether users may log in with a password of the server itself. Default: true.
    pub enable_local_login: Option<bool>,
    /// The external identity providers that it allows, by scheme. Empty: all.
    #[serde(default)]
    pub identity_providers: Vec<String>,
    /// Seconds after which the user has to log in again. Default: the server's session.
    pub user_sso_lifetime: Option<i64>,
    /// What kind of code a device shows: `Numeric`.
    pub user_code_type: Option<String>,
    /// Seconds. Default: 300.
    pub device_code_lifetime: Option<i64>,

    /// Claims about the client, in its access tokens.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Whether they are sent for every grant. Default: false, for client credentials only.
    pub always_send_client_claims: Option<bool>,
    /// Default: `client_`. The empty string: no prefix.
    pub client_claims_prefix: Option<String>,
    /// Data of your own.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// The standard identity resources: name, what the consent page shows, whether it is required, emphasized, its claims.
///
/// Source: OpenID Connect Core 5.4, and IdentityServer4's `IdentityResources.cs`.
pub const STANDARD: [(&str, &str, bool, bool, &[&str]); 5] = [
    ("openid", "Your user identifier", true, false, &["sub"]),
    (
        "profile",
        "User profile",
        false,
        true,
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", "Your email address", false, true, &["email", "email_verified"]),
    (
        "phone",
        "Your phone number",
        false,
        true,
        &["phone_number", "phone_number_verified"],
    ),
    ("address", "Your postal address", false, true, &["address"]),
];

impl IdentityResource {
    /// A standard one.
    pub fn standard(name: &str) -> Option<Self> {
        let (name, display_name, required, emphasize, claims) = STANDARD.iter().find(|(known, ..)| *known == name)?;
        Some(Self {
            name: (*name).to_owned(),
            enabled: true,
            display_name: Some((*display_name).to_owned()),
            // IdentityServer4 describes `profile` only.
            description: (*name == "profile")
                .then(|| "Your user profile information (first name, last name, etc.)".to_owned()),
            required: *required,
            emphasize: *emphasize,
            show_in_discovery_document: true,
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
            properties: BTreeMap::new(),
        })
    }
}

/// The device flow's grant type (RFC 8628).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Client {
    /// What the template says, where the file says nothing. Applied once, when the file has been read.
    pub(super) fn with_template(mut self) -> Self {
        let Some(template) = self.template else { return self };
        let grant_type = match template {
            Template::M2m => "client_credentials",
            Template::Web | Template::Spa | Template::Native => "authorization_code",
            Template::Device => DEVICE_CODE,
        };
        self.grant_types.get_or_insert_with(|| vec![grant_type.to_owned()]);
        if matches!(template, Template::Spa | Template::Native | Template::Device) {
            self.require_secret.get_or_insert(false);
        }
        if matches!(template, Template::Native | Template::Device) {
            self.allow_offline_access.get_or_insert(true);
        }
        if template == Template::Device {
            self.user_code_type.get_or_insert_with(|| "Numeric".to_owned());
        }
        let base = self
            .base_uri
            .as_deref()
            .map(|base| base.trim_end_matches('/').to_owned());
        match (template, base) {
            (Template::Web, Some(base)) => {
                self.redirect_uris
                    .get_or_insert_with(|| vec![format!("{base}/signin-oidc")]);
                self.post_logout_redirect_uris
                    .get_or_insert_with(|| vec![format!("{base}/signout-callback-oidc")]);
                self.front_channel_logout_uri
                    .get_or_insert_with(|| format!("{base}/signout-oidc"));
            }
            (Template::Spa, Some(base)) => {
                if let Ok(url) = url::Url::parse(&base) {
                    self.cors_origins
                        .get_or_insert_with(|| vec![url.origin().ascii_serialization()]);
                }
            }
            _ => {}
        }
        self
    }

    pub fn grant_types(&self) -> &[String] {
        self.grant_types.as_deref().unwrap_or_default()
    }

    pub fn redirect_uris(&self) -> &[String] {
        self.redirect_uris.as_deref().unwrap_or_default()
    }

    pub fn post_logout_redirect_uris(&self) -> &[String] {
        self.post_logout_redirect_uris.as_deref().unwrap_or_default()
    }

    pub fn cors_origins(&self) -> &[String] {
        self.cors_origins.as_deref().unwrap_or_default()
    }

    pub fn requires_secret(&self) -> bool {
        self.require_secret.unwrap_or(true)
    }

    /// All secrets that the file names.
    pub fn secret_sources(&self) -> Vec<SecretSource> {
        sources(self.secret.as_deref(), &self.secrets)
    }
}

impl Api {
    /// All secrets that the file names.
    pub fn secret_sources(&self) -> Vec<SecretSource> {
        sources(self.secret.as_deref(), &self.secrets)
    }
}

fn sources(short: Option<&str>, long: &[SecretSource]) -> Vec<SecretSource> {
    let short = short.map(|variable| SecretSource {
        variable: variable.to_owned(),
        description: None,
        expires: None,
    });
    short.into_iter().chain(long.iter().cloned()).collect()
}
