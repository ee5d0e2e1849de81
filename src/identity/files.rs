//! The files of a directory: `clients/*.toml`, read together.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::model::{Api, Client, File, IdentityResource, STANDARD, Scope};
use super::rules;
use crate::error::{Error, Location, Result, nearest};

/// Everything that the files of a directory declare.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub identity_resources: Vec<Item<IdentityResource>>,
    pub scopes: Vec<Item<Scope>>,
    pub apis: Vec<Item<Api>>,
    /// With what their templates say.
    pub clients: Vec<Item<Client>>,
}

/// A part of a file, and where it stands.
#[derive(Clone, Debug)]
pub struct Item<T> {
    pub value: T,
    source: Arc<Source>,
    table: &'static str,
    index: usize,
}

#[derive(Debug)]
struct Source {
    file: String,
    text: String,
}

impl<T> Item<T> {
    /// Where a field stands; where its table begins, when the field is not written there.
    pub fn at(&self, field: &str) -> Location {
        self.at_element(field, None)
    }

    /// Where an element of a field's list stands.
    pub fn at_element(&self, field: &str, element: Option<usize>) -> Location {
        self.source.place(self.span(field, element).unwrap_or_default())
    }

    fn span(&self, field: &str, element: Option<usize>) -> Option<Range<usize>> {
        let document = DeTable::parse(&self.source.text).ok()?;
        let (_, list) = document.get_ref().iter().find(|(key, _)| key.get_ref() == self.table)?;
        let own = list.get_ref().as_array()?.get(self.index)?;
        let own_span = own.span();
        // A standard identity resource is a name in a list, and has no fields.
        let DeValue::Table(own) = own.get_ref() else {
            return Some(own_span);
        };
        let Some((key, value)) = own.iter().find(|(key, _)| key.get_ref() == field) else {
            return Some(own_span);
        };
        let part = element.and_then(|element| value.get_ref().as_array()?.get(element));
        Some(part.map_or_else(|| key.span(), toml::Spanned::span))
    }
}

impl Source {
    fn place(&self, span: Range<usize>) -> Location {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.chars().rev().take_while(|character| *character != '\n').count();
        let text = self.text.lines().nth(line - 1).map(str::to_owned);
        Location {
            file: self.file.clone(),
            line,
            column,
            text,
        }
    }
}

/// Whether the files of a directory are valid, as far as that can be told without the database: their syntax, and the
/// rules of [`super::rules`]. What is wrong is [`crate::error::Exit::Invalid`], all of it at once.
pub fn check(directory: &Path) -> Result<()> {
    let declared = read(directory)?;
    let errors = rules::check(&declared).errors;
    Error::all(errors).map_or(Ok(()), Err)
}

/// The variables that the files of a directory name, each with the client or API that needs it.
pub fn variables(directory: &Path) -> Result<Vec<(String, String)>> {
    let declared = read(directory)?;
    let clients = declared
        .clients
        .iter()
        .map(|item| (item.value.secret_sources(), format!("client {}", item.value.id)));
    let apis = declared
        .apis
        .iter()
        .map(|item| (item.value.secret_sources(), format!("API {}", item.value.name)));
    let named = clients.chain(apis);
    Ok(named
        .flat_map(|(sources, by)| sources.into_iter().map(move |source| (source.variable, by.clone())))
        .collect())
}

/// Reads the files of a directory, in the order of their names.
pub fn read(directory: &Path) -> Result<Declared> {
    let unreadable = |error: std::io::Error| {
        Error::invalid(format!(
            "the clients in {} cannot be read: {error}",
            directory.display()
        ))
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(
            Error::invalid(format!("there is no .toml file in {}", directory.display()))
                .hint("scopes and clients are written there: see clients/ in the documentation"),
        );
    }
    let mut declared = Declared::default();
    let mut errors = Vec::new();
    for path in paths {
        let file = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => errors.extend(add(&mut declared, Arc::new(Source { file, text }))),
            Err(error) => errors.push(Error::invalid(format!("{file} cannot be read: {error}"))),
        }
    }
    Error::all(errors).map_or(Ok(declared), Err)
}

/// Adds what a file declares. All that is wrong with it.
fn add(declared: &mut Declared, source: Arc<Source>) -> Vec<Error> {
    let file: File = match toml::from_str(&source.text) {
        Ok(file) => file,
        Err(error) => return vec![invalid(&source, &error)],
    };
    let mut errors = Vec::new();
    for (index, name) in file.identity_resources.iter().enumerate() {
        let place = Item {
            value: (),
            source: Arc::clone(&source),
            table: "identity_resources",
            index,
        };
        match IdentityResource::standard(name) {
            Some(value) => {
                let source = Arc::clone(&source);
                declared.identity_resources.push(Item {
                    value,
                    source,
                    table: "identity_resources",
                    index,
                });
            }
            None => {
                let names = STANDARD.iter().map(|(name, ..)| *name);
                let error = Error::invalid(format!("{name:?} is no standard identity resource")).at(place.at(""));
                errors.push(match nearest(name, names) {
                    Some(right) => error.hint(format!("did you mean {right:?}?")),
                    None => error.hint(
                        "the standard ones: openid, profile, email, phone, address; \
                                        your own one is an [[identity_resource]] with its claims",
                    ),
                });
            }
        }
    }
    let resources = file.identity_resource.into_iter().enumerate();
    declared.identity_resources.extend(resources.map(|(index, value)| Item {
        value,
        source: Arc::clone(&source),
        table: "identity_resource",
        index,
    }));
    let scopes = file.scope.into_iter().enumerate();
    declared.scopes.extend(scopes.map(|(index, value)| Item {
        value,
        source: Arc::clone(&source),
        table: "scope",
        index,
    }));
    let apis = file.api.into_iter().enumerate();
    declared.apis.extend(apis.map(|(index, value)| Item {
        value,
        source: Arc::clone(&source),
        table: "api",
        index,
    }));
    let clients = file.client.into_iter().enumerate();
    declared.clients.extend(clients.map(|(index, value)| Item {
        value: value.with_template(),
        source: Arc::clone(&source),
        table: "client",
        index,
    }));
    errors
}

/// A file that TOML or the model refuses. For an unknown key, the nearest known one.
fn invalid(source: &Source, error: &toml::de::Error) -> Error {
    let message = error.message().trim().to_owned();
    let result = Error::invalid(message.clone()).at(source.place(error.span().unwrap_or_default()));
    let Some(rest) = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))
    else {
        return result;
    };
    let mut parts = rest.split('`');
    let typed = parts.next().unwrap_or_default();
    // serde lists the known ones between backticks, with words between them.
    let known: Vec<&str> = parts.skip(1).step_by(2).collect();
    match nearest(typed, known.iter().copied()) {
        Some(right) => result.hint(format!("did you mean `{right}`?")),
        None => result.hint(format!("known here: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    fn refused(content: &str) -> Error {
        read(directory(&[("a.toml", content)]).path()).unwrap_err()
    }

    #[test]
    fn files_are_read_together_and_know_their_places() {
        let files = directory(&[
            (
                "a.toml",
                "identity_resources = [\"openid\"]\n[[scope]]\nname = \"orders\"\n",
            ),
            (
                "b.toml",
                "[[client]]\nid = \"x\"\ntemplate = \"m2m\"\nscopes = [\n  \"orders\",\n  \"openid\",\n]\n",
            ),
            ("notes.txt", "not read"),
        ]);
        let declared = read(files.path()).unwrap();
        assert_eq!(declared.identity_resources[0].value.claims, ["sub"]);
        let client = &declared.clients[0];
        assert_eq!(client.value.grant_types(), ["client_credentials"]);
        let place = client.at_element("scopes", Some(1));
        assert_eq!((place.line, place.column), (6, 3));
        assert!(place.file.ends_with("b.toml"));
        assert_eq!(client.at("enabled").line, 1);
    }

    #[test]
    fn an_unknown_key_names_the_right_one() {
        let error = refused("[[client]]\nid = \"x\"\nredirect_uri = []\n");
        assert_eq!(error.exit(), crate::error::Exit::Invalid);
        assert_eq!(error.help(), Some("did you mean `redirect_uris`?"));
        assert_eq!(error.location().map(|place| (place.line, place.column)), Some((3, 1)));
        let error = refused("identity_resources = [\"opneid\"]");
        assert_eq!(error.help(), Some("did you mean \"openid\"?"));
        let error = refused("[[client]]\nid = \"x\"\ntemplate = \"m2n\"\n");
        assert_eq!(error.help(), Some("did you mean `m2m`?"));
    }

    #[test]
    fn the_clients_of_this_project_are_valid() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        check(&root.join("clients")).unwrap();
        crate::mssql::migrate::check(&root.join("migrations")).unwrap();
    }

    #[test]
    fn a_wrong_type_and_bad_syntax_have_a_place() {
        let error = refused("[[client]]\nid = \"x\"\nenabled = \"yes\"\n");
        assert_eq!(error.location().map(|place| place.line), Some(3));
        let error = refused("[[client]\n");
        assert_eq!(error.location().map(|place| place.line), Some(1));
    }
}
