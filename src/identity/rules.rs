//! What the server would refuse, told before anything is written.
//!
//! IdentityServer answers `invalid_client` or `invalid_scope` and puts the reason into its own log. So its rules are
//! applied here, and all that is wrong is told at once.
//!
//! Sources: IdentityServer4 4.1.2, `DefaultClientConfigurationValidator.cs`, `Client.cs` (grant types),
//! `InputLengthRestrictions.cs`, `TokenRequestValidator.cs`, and the lengths of its columns.

use std::collections::HashSet;

use super::files::{Declared, Item};
use super::model::{Client, DEVICE_CODE, SecretSource, Template};
use crate::error::{Error, Location, nearest};

/// What the rules found.
#[derive(Debug, Default)]
pub struct Findings {
    pub errors: Vec<Error>,
    /// What works, and is seldom meant.
    pub warnings: Vec<String>,
}

impl Findings {
    fn error(&mut self, at: Location, message: impl Into<String>, hint: &str) {
        let error = Error::invalid(message).at(at);
        self.errors.push(if hint.is_empty() { error } else { error.hint(hint) });
    }

    fn warn(&mut self, at: &Location, message: impl Into<String>) {
        self.warnings.push(format!("{at}: {}", message.into()));
    }
}

/// The rules that need no database.
pub fn check(declared: &Declared) -> Findings {
    let mut findings = Findings::default();
    unique(
        &mut findings,
        "identity resource",
        declared
            .identity_resources
            .iter()
            .map(|i| (&i.value.name, i.at("name"))),
    );
    unique(
        &mut findings,
        "API",
        declared.apis.iter().map(|item| (&item.value.name, item.at("name"))),
    );
    unique(
        &mut findings,
        "client",
        declared.clients.iter().map(|item| (&item.value.id, item.at("id"))),
    );
    // One set: the server fails on a scope and an identity resource of the same name.
    let scopes = declared.scopes.iter().map(|item| (&item.value.name, item.at("name")));
    unique(&mut findings, "scope", scopes.clone());
    for (name, at) in scopes {
        if declared
            .identity_resources
            .iter()
            .any(|resource| resource.value.name == *name)
        {
            findings.error(
                at,
                format!("{name} is a scope and an identity resource"),
                "give one of them another name",
            );
        }
    }
    for item in &declared.identity_resources {
        named(
            &mut findings,
            item,
            &item.value.name,
            &item.value.display_name,
            &item.value.description,
        );
        claims(&mut findings, item, &item.value.claims);
        properties(&mut findings, item, &item.value.properties);
        if item.value.claims.is_empty() {
            findings.error(
                item.at("claims"),
                format!("{} stands for no claim", item.value.name),
                "list its `claims`",
            );
        }
    }
    for item in &declared.scopes {
        named(
            &mut findings,
            item,
            &item.value.name,
            &item.value.display_name,
            &item.value.description,
        );
        claims(&mut findings, item, &item.value.claims);
        properties(&mut findings, item, &item.value.properties);
        if item.value.name == "offline_access" {
            findings.error(
                item.at("name"),
                "offline_access is the server's own",
                "write `allow_offline_access = true`",
            );
        }
    }
    for item in &declared.apis {
        named(
            &mut findings,
            item,
            &item.value.name,
            &item.value.display_name,
            &item.value.description,
        );
        claims(&mut findings, item, &item.value.claims);
        properties(&mut findings, item, &item.value.properties);
        algorithms(
            &mut findings,
            item,
            "allowed_access_token_signing_algorithms",
            &item.value.allowed_access_token_signing_algorithms,
        );
        list(&mut findings, item, "scopes", &item.value.scopes, 200);
        secrets(&mut findings, item, &item.value.secret_sources());
    }
    for item in &declared.clients {
        client(&mut findings, item);
    }
    findings
}

/// The rules that need to know what else is in the database: whether each scope exists.
///
/// `scopes` and `identity_resources` are the names that will be there when the files are applied.
pub fn check_names(declared: &Declared, scopes: &[String], identity_resources: &[String]) -> Vec<Error> {
    let mut errors = Vec::new();
    let unknown = |name: &String, at: Location, known: &[&String]| {
        // The server compares names letter by letter, whatever the database's collation.
        let error = Error::invalid(format!("there is no scope {name}")).at(at);
        match nearest(name, known.iter().map(|name| name.as_str())) {
            Some(right) => error.hint(format!("did you mean {right}?")),
            None => error.hint("declare it as a [[scope]] in a file next to this one"),
        }
    };
    for item in &declared.apis {
        for (index, name) in item
            .value
            .scopes
            .iter()
            .enumerate()
            .filter(|(_, name)| !scopes.contains(name))
        {
            errors.push(unknown(
                name,
                item.at_element("scopes", Some(index)),
                &scopes.iter().collect::<Vec<_>>(),
            ));
        }
    }
    for item in &declared.clients {
        let client = &item.value;
        let known: Vec<&String> = scopes.iter().chain(identity_resources).collect();
        for (index, name) in client
            .scopes
            .iter()
            .enumerate()
            .filter(|(_, name)| *name != "offline_access")
        {
            let at = item.at_element("scopes", Some(index));
            if !known.contains(&name) {
                errors.push(unknown(name, at, &known));
            } else if identity_resources.contains(name) && client.grant_types() == ["client_credentials"] {
                errors.push(
                    Error::invalid(format!(
                        "client {}: {name} is about a user, and there is none",
                        client.id
                    ))
                    .at(at)
                    .note("the server answers invalid_scope when client credentials ask for an identity resource"),
                );
            }
        }
        let users: Vec<&String> = client
            .scopes
            .iter()
            .filter(|name| identity_resources.contains(name))
            .collect();
        if !users.is_empty() && !client.scopes.iter().any(|name| name == "openid") && users[0] != "openid" {
            errors.push(
                Error::invalid(format!(
                    "client {} may ask for {}, but not for openid",
                    client.id, users[0]
                ))
                .at(item.at("scopes"))
                .hint("add \"openid\": the server refuses identity resources without it"),
            );
        }
    }
    errors
}

/// Names that differ in case only are the same to the usual collation, and so to the unique index.
fn unique<'a>(findings: &mut Findings, what: &str, names: impl Iterator<Item = (&'a String, Location)>) {
    let mut seen: Vec<(String, Location)> = Vec::new();
    for (name, at) in names {
        let key = name.to_lowercase();
        match seen.iter().find(|(known, _)| *known == key) {
            Some((_, first)) => {
                let message = format!("the {what} {name} is declared twice, first at {first}");
                findings.error(
                    at,
                    message,
                    "names that differ only in upper and lower case are the same",
                );
            }
            None => seen.push((key, at)),
        }
    }
}

fn named<T>(
    findings: &mut Findings,
    item: &Item<T>,
    name: &str,
    display_name: &Option<String>,
    description: &Option<String>,
) {
    if name.is_empty()
        || name
            .chars()
            .any(|character| character.is_whitespace() || character.is_control())
    {
        findings.error(
            item.at("name"),
            format!("{name:?} is no name"),
            "a name has no blanks: they separate scopes",
        );
    }
    length(findings, item.at("name"), "the name", name, 200);
    length(
        findings,
        item.at("display_name"),
        "the display name",
        display_name.as_deref().unwrap_or_default(),
        200,
    );
    length(
        findings,
        item.at("description"),
        "the description",
        description.as_deref().unwrap_or_default(),
        1000,
    );
}

/// SQL Server's nvarchar counts UTF-16 units.
fn length(findings: &mut Findings, at: Location, what: &str, text: &str, most: usize) {
    let long = text.encode_utf16().count();
    if long > most {
        findings.error(
            at,
            format!("{what} has {long} characters; at most {most} are allowed"),
            "",
        );
    }
}

/// A list of different, short enough texts.
fn list<T>(findings: &mut Findings, item: &Item<T>, field: &str, values: &[String], most: usize) {
    let mut seen = HashSet::new();
    for (index, value) in values.iter().enumerate() {
        let at = || item.at_element(field, Some(index));
        if value.trim().is_empty() {
            findings.error(at(), format!("an empty element in `{field}`"), "");
        }
        if !seen.insert(value.to_lowercase()) {
            findings.error(at(), format!("{value} stands twice in `{field}`"), "");
        }
        length(findings, at(), "this element", value, most);
    }
}

fn claims<T>(findings: &mut Findings, item: &Item<T>, values: &[String]) {
    list(findings, item, "claims", values, 200);
}

fn properties<T>(findings: &mut Findings, item: &Item<T>, values: &std::collections::BTreeMap<String, String>) {
    for (key, value) in values {
        length(findings, item.at("properties"), "a property's key", key, 250);
        length(findings, item.at("properties"), "a property's value", value, 2000);
    }
}

/// The asymmetric algorithms that IdentityServer signs with.
const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
];

fn algorithms<T>(findings: &mut Findings, item: &Item<T>, field: &str, values: &[String]) {
    list(findings, item, field, values, 100);
    for (index, value) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| !ALGORITHMS.contains(&value.as_str()))
    {
        let at = item.at_element(field, Some(index));
        findings.error(
            at,
            format!("{value:?} is no signing algorithm"),
            "RS256, PS256, ES256, and their 384 and 512",
        );
    }
    length(findings, item.at(field), "the list", &values.join(","), 100);
}

fn secrets<T>(findings: &mut Findings, item: &Item<T>, sources: &[SecretSource]) {
    let mut seen = HashSet::new();
    for source in sources {
        let at = || item.at(if seen.is_empty() { "secret" } else { "secrets" });
        let is_name = |character: char| character.is_ascii_alphanumeric() || "_./-".contains(character);
        if source.variable.is_empty() || !source.variable.chars().all(is_name) {
            // Not repeated in the message: it may be the secret itself.
            let hint = "write the NAME of the variable that holds the secret, never the secret itself";
            findings.error(at(), "this is not the name of a variable", hint);
        }
        if let Some(expires) = &source.expires
            && expires.parse::<jiff::Timestamp>().is_err()
        {
            let hint = "like 2027-01-31T00:00:00Z";
            findings.error(at(), format!("{expires:?} is no time in ISO 8601 with its zone"), hint);
        }
        length(
            findings,
            at(),
            "the description",
            source.description.as_deref().unwrap_or_default(),
            1000,
        );
        if !seen.insert(&source.variable) {
            findings.error(
                item.at("secrets"),
                format!("the variable {} stands twice", source.variable),
                "",
            );
        }
    }
}

/// Schemes that make a browser run or open something.
const BAD_SCHEMES: [&str; 12] = [
    "javascript:",
    "file:",
    "data:",
    "mailto:",
    "ftp:",
    "blob:",
    "about:",
    "ssh:",
    "tel:",
    "view-source:",
    "ws:",
    "wss:",
];

/// Grant types that IdentityServer refuses together: it answers HTTP 500 to such a client.
const FORBIDDEN: [(&str, &str); 3] = [
    ("implicit", "authorization_code"),
    ("implicit", "hybrid"),
    ("authorization_code", "hybrid"),
];

fn client(findings: &mut Findings, item: &Item<Client>) {
    let client = &item.value;
    let id = &client.id;
    if id.is_empty()
        || id
            .chars()
            .any(|character| character.is_whitespace() || character.is_control())
    {
        findings.error(item.at("id"), format!("{id:?} is no client id"), "an id has no blanks");
    }
    // The column has 200, but a request with more than 100 is refused.
    length(findings, item.at("id"), "the client id", id, 100);
    for (field, value, most) in [
        ("name", &client.name, 200),
        ("description", &client.description, 1000),
        ("uri", &client.uri, 2000),
        ("logo_uri", &client.logo_uri, 2000),
        ("front_channel_logout_uri", &client.front_channel_logout_uri, 2000),
        ("back_channel_logout_uri", &client.back_channel_logout_uri, 2000),
        ("user_code_type", &client.user_code_type, 100),
        ("client_claims_prefix", &client.client_claims_prefix, 200),
    ] {
        length(
            findings,
            item.at(field),
            &format!("`{field}`"),
            value.as_deref().unwrap_or_default(),
            most,
        );
    }
    grants(findings, item);
    uris(findings, item);
    lifetimes(findings, item);
    list(findings, item, "scopes", &client.scopes, 200);
    if client.scopes.is_empty() {
        findings.error(
            item.at("scopes"),
            format!("client {id} may ask for no scope"),
            "list its `scopes`",
        );
    }
    if let Some(index) = client.scopes.iter().position(|scope| scope == "offline_access") {
        let at = item.at_element("scopes", Some(index));
        findings.error(
            at,
            "offline_access is no scope of a client",
            "write `allow_offline_access = true`",
        );
    }
    if client.scopes.join(" ").len() > 300 {
        let message =
            format!("client {id}: all scopes together are longer than 300 characters; one request cannot ask for them");
        findings.warn(&item.at("scopes"), message);
    }
    algorithms(
        findings,
        item,
        "allowed_identity_token_signing_algorithms",
        &client.allowed_identity_token_signing_algorithms,
    );
    list(findings, item, "identity_providers", &client.identity_providers, 200);
    properties(findings, item, &client.properties);
    for claim in &client.claims {
        length(findings, item.at("claims"), "the claim's type", &claim.kind, 250);
        length(findings, item.at("claims"), "the claim's value", &claim.value, 250);
    }
    let sources = client.secret_sources();
    secrets(findings, item, &sources);
    let only_implicit = client.grant_types() == ["implicit"];
    if client.requires_secret() && !only_implicit && sources.is_empty() && !client.existing_secret {
        findings.error(
            item.at("secret"),
            format!("client {id} needs a secret, and none is named"),
            "`secret = \"NAME_OF_A_VARIABLE\"`, or `require_secret = false` for a public client, or \
             `existing_secret = true` if the database has one",
        );
    }
    if !client.requires_secret() && client.grant_types().iter().any(|grant| grant == "client_credentials") {
        findings.error(
            item.at("require_secret"),
            format!("client {id}: client credentials without a secret give tokens to everybody"),
            "take `require_secret = false` out, and name a secret",
        );
    }
    if client.template == Some(Template::Spa) && !sources.is_empty() {
        findings.warn(
            &item.at("secret"),
            format!("client {id}: a browser cannot keep a secret"),
        );
    }
}

fn grants(findings: &mut Findings, item: &Item<Client>) {
    let client = &item.value;
    let grants = client.grant_types();
    if grants.is_empty() {
        let hint = "name a `template` (m2m, web, spa, native, device), or list its `grant_types`";
        findings.error(
            item.at("grant_types"),
            format!("client {} has no grant type", client.id),
            hint,
        );
    }
    list(findings, item, "grant_types", grants, 250);
    for (index, grant) in grants.iter().enumerate() {
        let at = || item.at_element("grant_types", Some(index));
        if grant.contains(' ') {
            findings.error(at(), format!("the grant type {grant:?} has a blank"), "");
        }
        match grant.as_str() {
            "refresh_token" => {
                findings.error(
                    at(),
                    "refresh_token is no grant type of a client",
                    "write `allow_offline_access = true`",
                );
            }
            "password" | "implicit" => {
                findings.warn(
                    &at(),
                    format!("client {}: the grant type {grant} is obsolete (RFC 9700)", client.id),
                );
            }
            _ => {}
        }
    }
    let has = |grant: &str| grants.iter().any(|own| own == grant);
    for (first, second) in FORBIDDEN {
        if has(first) && has(second) {
            let message = format!("client {}: {first} and {second} exclude each other", client.id);
            findings.error(item.at("grant_types"), message, "make two clients of it");
        }
    }
    if has("authorization_code") && client.require_pkce == Some(false) {
        findings.warn(
            &item.at("require_pkce"),
            format!("client {}: without PKCE a stolen code is a token", client.id),
        );
    }
}

fn uris(findings: &mut Findings, item: &Item<Client>) {
    let client = &item.value;
    let interactive = ["authorization_code", "hybrid", "implicit"];
    if client
        .grant_types()
        .iter()
        .any(|grant| interactive.contains(&grant.as_str()))
        && client.redirect_uris().is_empty()
    {
        let hint = match client.template {
            Some(Template::Web) => "list its `redirect_uris`, or give its `base_uri`",
            _ => "list its `redirect_uris`",
        };
        findings.error(
            item.at("redirect_uris"),
            format!("client {} has no redirect URI", client.id),
            hint,
        );
    }
    let redirects = [
        ("redirect_uris", client.redirect_uris()),
        ("post_logout_redirect_uris", client.post_logout_redirect_uris()),
    ];
    for (field, uris) in redirects {
        // The column of 4.1 has 2,000, the request and later versions' columns 400.
        list(findings, item, field, uris, 400);
        for (index, uri) in uris.iter().enumerate() {
            let at = item.at_element(field, Some(index));
            let lower = uri.to_lowercase();
            if BAD_SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) {
                findings.error(at, format!("{uri} has a scheme that IdentityServer refuses"), "");
                continue;
            }
            if uri.contains('*') {
                findings.error(
                    at,
                    format!("{uri} has a wildcard; URIs are compared character by character"),
                    "list each one",
                );
                continue;
            }
            match url::Url::parse(uri) {
                Err(error) => findings.error(at, format!("{uri:?} is no absolute URI: {error}"), ""),
                Ok(url) if url.fragment().is_some() => {
                    findings.error(
                        at,
                        format!("{uri} has a fragment, which RFC 6749 forbids"),
                        "take out what follows the #",
                    );
                }
                Ok(url) if url.scheme() == "http" && !is_loopback(&url) => {
                    findings.warn(&at, format!("client {}: {uri} is not https", client.id));
                }
                Ok(_) => {}
            }
        }
    }
    for (field, uri) in [
        ("base_uri", &client.base_uri),
        ("uri", &client.uri),
        ("logo_uri", &client.logo_uri),
        ("front_channel_logout_uri", &client.front_channel_logout_uri),
        ("back_channel_logout_uri", &client.back_channel_logout_uri),
    ] {
        if let Some(uri) = uri
            && !url::Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            findings.error(item.at(field), format!("{uri:?} is no http or https URI"), "");
        }
    }
    list(findings, item, "cors_origins", client.cors_origins(), 150);
    for (index, origin) in client.cors_origins().iter().enumerate() {
        // The server looks for the browser's origin in lower case, letter by letter.
        let right = url::Url::parse(origin)
            .ok()
            .filter(url::Url::has_host)
            .map(|url| url.origin().ascii_serialization());
        if right.as_deref() != Some(origin) {
            let at = item.at_element("cors_origins", Some(index));
            let message = format!("{origin:?} is no origin, and would make the whole client unknown to the server");
            let hint = match right {
                Some(right) => format!("scheme, host and port in lower case, and nothing else: {right}"),
                None => "scheme, host and port, and nothing else: https://app.example.com".to_owned(),
            };
            findings.error(at, message, &hint);
        }
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn lifetimes(findings: &mut Findings, item: &Item<Client>) {
    let client = &item.value;
    let device = client.grant_types().iter().any(|grant| grant == DEVICE_CODE);
    for (field, value, least) in [
        ("identity_token_lifetime", client.identity_token_lifetime, 1),
        ("access_token_lifetime", client.access_token_lifetime, 1),
        ("authorization_code_lifetime", client.authorization_code_lifetime, 1),
        ("device_code_lifetime", client.device_code_lifetime, i64::from(device)),
        (
            "absolute_refresh_token_lifetime",
            client.absolute_refresh_token_lifetime,
            0,
        ),
        (
            "sliding_refresh_token_lifetime",
            client.sliding_refresh_token_lifetime,
            0,
        ),
        ("consent_lifetime", client.consent_lifetime, 0),
        ("user_sso_lifetime", client.user_sso_lifetime, 0),
    ] {
        let Some(value) = value else { continue };
        if value < least || value > i64::from(i32::MAX) {
            let message = format!(
                "client {}: {field} is {value}; it is from {least} to {} seconds",
                client.id,
                i32::MAX
            );
            findings.error(item.at(field), message, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::files::read;

    fn declared(text: &str) -> Declared {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.toml"), text).unwrap();
        read(directory.path()).unwrap()
    }

    fn errors(text: &str) -> Vec<String> {
        check(&declared(text))
            .errors
            .iter()
            .map(|error| error.message().to_owned())
            .collect()
    }

    fn client(lines: &str) -> Vec<String> {
        errors(&format!("[[client]]\nid = \"x\"\nscopes = [\"a\"]\n{lines}"))
    }

    #[test]
    fn the_templates_are_right_as_they_are() {
        for lines in [
            "template = \"m2m\"\nsecret = \"X_SECRET\"",
            "template = \"web\"\nsecret = \"X_SECRET\"\nbase_uri = \"https://x.example.com\"",
            "template = \"spa\"\nbase_uri = \"https://x.example.com\"\nredirect_uris = [\"https://x.example.com/cb\"]",
            "template = \"native\"\nredirect_uris = [\"com.example.x:/cb\", \"http://127.0.0.1\"]",
            "template = \"device\"",
        ] {
            assert_eq!(client(lines), Vec::<String>::new(), "{lines}");
        }
    }

    #[test]
    fn what_the_server_refuses_is_refused() {
        for (lines, part) in [
            ("", "no grant type"),
            ("template = \"m2m\"", "needs a secret"),
            ("template = \"m2m\"\nrequire_secret = false", "to everybody"),
            ("template = \"m2m\"\nsecret = \"a b+c=\"", "not the name of a variable"),
            ("template = \"spa\"", "no redirect URI"),
            (
                "template = \"native\"\nredirect_uris = [\"JavaScript:alert(1)\"]",
                "scheme",
            ),
            (
                "template = \"native\"\nredirect_uris = [\"https://*.example.com/\"]",
                "wildcard",
            ),
            ("template = \"native\"\nredirect_uris = [\"https://x/#a\"]", "fragment"),
            ("template = \"native\"\nredirect_uris = [\"/relative\"]", "absolute"),
            (
                "template = \"device\"\ndevice_code_lifetime = 0",
                "device_code_lifetime",
            ),
            (
                "template = \"device\"\naccess_token_lifetime = 0",
                "access_token_lifetime",
            ),
            (
                "template = \"device\"\nabsolute_refresh_token_lifetime = -1",
                "absolute_refresh",
            ),
            (
                "template = \"device\"\ncors_origins = [\"https://x.example.com/\"]",
                "no origin",
            ),
            (
                "template = \"device\"\ncors_origins = [\"https://X.example.com\"]",
                "no origin",
            ),
            ("template = \"device\"\ncors_origins = [\"*\"]", "no origin"),
            (
                "grant_types = [\"implicit\", \"hybrid\"]\nsecret = \"S\"\nredirect_uris = [\"https://x/\"]",
                "exclude",
            ),
            ("grant_types = [\"refresh_token\"]\nsecret = \"S\"", "refresh_token"),
            (
                "template = \"device\"\nredirect_uris = [\"https://x/A\", \"https://x/a\"]",
                "twice",
            ),
            (
                "template = \"device\"\nallowed_identity_token_signing_algorithms = [\"HS256\"]",
                "signing algorithm",
            ),
        ] {
            let found = client(lines);
            assert!(found.iter().any(|message| message.contains(part)), "{lines}: {found:?}");
        }
        assert!(
            errors(&format!(
                "[[client]]\nid = \"{}\"\ntemplate = \"device\"",
                "x".repeat(101)
            ))[0]
                .contains("100")
        );
    }

    #[test]
    fn names_are_unique_whatever_their_case() {
        let found = errors("[[scope]]\nname = \"a\"\n[[scope]]\nname = \"A\"\n");
        assert!(found[0].contains("twice"), "{found:?}");
        let found = errors("identity_resources = [\"email\"]\n[[scope]]\nname = \"email\"\n");
        assert!(found[0].contains("identity resource"), "{found:?}");
    }

    #[test]
    fn a_scope_has_to_exist_letter_by_letter() {
        let declared = declared(
            "[[client]]\nid = \"x\"\ntemplate = \"m2m\"\nsecret = \"S\"\nscopes = [\"Orders.read\", \"openid\"]\n",
        );
        let errors = check_names(&declared, &["orders.read".to_owned()], &["openid".to_owned()]);
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].help(), Some("did you mean orders.read?"));
        assert_eq!(
            errors[0].location().map(|place| (place.line, place.column)),
            Some((5, 11))
        );
        assert!(errors[1].message().contains("about a user"));
    }
}
